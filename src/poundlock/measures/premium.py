"""Closed forms behind premiums and warrants: layers of a Vasicek loss and of a lognormal claim, and a call on a lognormal value."""

from __future__ import annotations

from math import inf, log, log1p, sqrt

import numpy as np
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from poundlock.system.balance import AssetClass


def vasicek_tail(loss: float, probability: float, given_default: float, correlation: float) -> float:
    """Chance that a pool loses more than this share of its amount. Source: Vasicek 2002, Risk 15(12), eq. 3."""
    if loss < 0.0:
        return 1.0
    if loss >= given_default or probability <= 0.0:
        return 0.0
    if correlation <= 0.0:
        return float(probability * given_default > loss)
    x = loss / given_default
    below = (sqrt(1.0 - correlation) * ndtri(x) - ndtri(probability)) / sqrt(correlation)
    return float(1.0 - ndtr(below))


def vasicek_layer(
    probability: float,
    given_default: float,
    correlation: float,
    *,
    share: float = 1.0,
    deductible: float = 0.0,
    limit: float = inf,
) -> float:
    """Mean of min(limit, share * max(0, L - deductible)) for a Vasicek loss L; all as shares of the amount."""
    if share <= 0.0 or deductible >= given_default:
        return 0.0
    top = min(given_default, deductible + limit / share)
    if deductible <= 0.0 and top >= given_default:
        return share * probability * given_default
    if correlation <= 0.0:
        return min(limit, share * max(0.0, probability * given_default - deductible))
    return share * float(
        quad(vasicek_tail, deductible, top, args=(probability, given_default, correlation), limit=200)[0]
    )


def lognormal_limited(mean: float, spread: float, cap: float) -> float:
    """Mean of min(X, cap) for a lognormal X with this mean and coefficient of variation. Source: Klugman, Panjer and Willmot, Loss Models,
    4th ed., A.4.1.1."""
    if cap <= 0.0 or mean <= 0.0:
        return 0.0
    if cap == inf:
        return mean
    if spread <= 0.0:
        return min(mean, cap)
    deviation = sqrt(log1p(spread**2))
    d = (log(cap / mean) + 0.5 * deviation**2) / deviation
    return float(mean * ndtr(d - deviation) + cap * (1.0 - ndtr(d)))


def lognormal_layer(
    mean: float, spread: float, *, share: float = 1.0, deductible: float = 0.0, limit: float = inf
) -> float:
    """Mean of min(limit, share * max(0, X - deductible)): the stop-loss premium of one claim."""
    if share <= 0.0:
        return 0.0
    top = deductible + limit / share
    return share * (lognormal_limited(mean, spread, top) - lognormal_limited(mean, spread, deductible))


def warrant_value(volatility: float, expected_return: float, strike: float) -> float:
    """Mean of max(V - strike, 0) for V lognormal with mean 1 + expected_return, a unit of value today; not discounted. Source: Black 1976,
    Journal of Financial Economics 3, eq. 16."""
    forward = 1.0 + expected_return
    if volatility <= 0.0:
        return max(forward - strike, 0.0)
    if strike <= 0.0:
        return forward - strike
    d = (np.log(forward / strike) + 0.5 * volatility**2) / volatility
    return float(forward * ndtr(d) - strike * ndtr(d - volatility))


def pool_loss(pool: AssetClass) -> float:
    """Mean yearly loss of a pool of borrowers, a unit lent, before margin."""
    return pool.default_probability * pool.loss_given_default


def pool_layer(pool: AssetClass, *, share: float = 1.0, deductible: float = 0.0, limit: float = inf) -> float:
    """Mean of what a cover of this pool pays a year, a unit lent: the fair premium rate."""
    return vasicek_layer(
        pool.default_probability,
        pool.loss_given_default,
        pool.correlation,
        share=share,
        deductible=deductible,
        limit=limit,
    )
