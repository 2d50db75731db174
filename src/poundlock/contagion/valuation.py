"""Valuation functions: the share of a claim on j that its creditors lose, given j's equity. V = 1 - share lost.

Each is scalar, compiled, within [0, 1], and never rises when equity rises; the first four take Lanes as well as numbers. The general form is Barucca, Bardoscia, Caccioli,
D'Errico, Visentin, Caldarelli and Battiston 2020, Mathematical Finance 30(4), eq. 3. What a failed debtor leaves by assumption
(recovery) is no part of these: it lowers the amount at risk, since 1 - V = (1 - R) times the share lost without it.
Default is equity strictly below zero.
"""

from __future__ import annotations

from math import erf, exp, log, sqrt
from typing import Final

from numba import cfunc, float64

from poundlock.contagion.compiled import inlined
from poundlock.contagion.lanes import Lane, below, least, most
from poundlock.system.balance import VALUATIONS

CLEARING: Final = 0
DEFAULT_COSTS: Final = 1
DEFAULT_ONLY: Final = 2
LINEAR_DEBTRANK: Final = 3
EXPONENTIAL_DEBTRANK: Final = 4
MERTON: Final = 5
OWN: Final = 6
CODES: Final[dict[str, int]] = dict(zip(VALUATIONS, range(6), strict=True))
RANKED: Final = (CLEARING, DEFAULT_COSTS)
"""Valuations in which the rank of a claim matters; the others know nothing of what is paid first."""
BENT_ONE_WAY: Final = (CLEARING, DEFAULT_COSTS, DEFAULT_ONLY, LINEAR_DEBTRANK, EXPONENTIAL_DEBTRANK)
"""Valuations whose fall does not slow down before their floor, where the sweeps may be extrapolated (see kernels)."""
LINEAR_IN_PIECES: Final = (CLEARING, DEFAULT_COSTS, DEFAULT_ONLY, LINEAR_DEBTRANK)

OWN_SIGNATURE: Final = float64(float64, float64, float64, float64)
"""An own function: (equity, initial equity, all obligations, external assets after the shock) -> V in [0, 1]."""


@cfunc(OWN_SIGNATURE, cache=True)
def no_own_valuation(equity: float, initial_equity: float, obligations: float, external_assets: float) -> float:
    """Stands where no own function is given; never called."""
    return 1.0


@inlined
def clearing(equity: Lane, junior: float, inverse_owed: float) -> Lane:
    """Eisenberg and Noe 2001, Management Science 47(2), eq. 5; ranks as in Elsinger 2009, OeNB Working Paper 156, sec. 5.

    junior: obligations of later ranks, which lose first. inverse_owed: one over the obligations of this rank; 0 for none.
    """
    return least(1.0, most(0.0, (-junior - equity) * inverse_owed))


@inlined
def default_costs(
    equity: Lane, junior: float, inverse_owed: float, owed: float, external_assets: Lane, alpha: float, beta: float
) -> Lane:
    """Rogers and Veraart 2013, Management Science 59(4), eq. 5: a defaulter realises alpha of its external assets and
    beta of what it recovers from others. owed: all obligations, whatever their rank."""
    realised = beta * (equity + owed) + (alpha - beta) * most(0.0, external_assets)
    return below(equity, 0.0, least(1.0, most(0.0, (owed - junior - realised) * inverse_owed)), 0.0)


@inlined
def default_only(equity: Lane) -> Lane:
    """Furfine 2003, Journal of Money, Credit and Banking 35(1): nothing before default, all at risk after it."""
    return below(equity, 0.0, 1.0, 0.0)


@inlined
def linear_debtrank(equity: Lane, initial_equity: float, inverse: float) -> Lane:
    """Bardoscia, Battiston, Caccioli and Caldarelli 2015, PLOS ONE 10(6), eq. 5: the relative loss of equity, capped at one.

    inverse: one over initial equity. A difference first, so that no loss is none to the last bit: unstable networks amplify
    rounding too. Who had no equity is given one so large that all counts as lost.
    """
    return least(1.0, most(0.0, (initial_equity - equity) * inverse))


@inlined
def exponential_debtrank(equity: float, initial_equity: float, inverse: float, exponent: float) -> float:
    """Bardoscia, Caccioli, Perotti, Vivaldo and Caldarelli 2016, PLOS ONE 11(10), eq. 5: h exp(a (h - 1)) of relative loss h.

    exponent a >= 0: 0 is linear DebtRank; as it grows, losses wait for default.
    """
    loss = min(1.0, max(0.0, (initial_equity - equity) * inverse))
    return loss * exp(exponent * (loss - 1.0))


@inlined
def merton(equity: float, external_assets: float, deviation: float) -> float:
    """Merton 1974, Journal of Finance 29(2); Barucca et al. 2020, eq. 16a: chance that external assets, lognormal with mean
    one, fall by more than the equity before maturity. It is above nought without any shock: what comes of a shock is a
    difference of two results. deviation: volatility times the root of the years."""
    if equity >= external_assets and equity >= 0.0:
        return 0.0
    if external_assets <= 0.0 or deviation <= 0.0:
        return 0.0 if equity >= 0.0 else 1.0
    distance = (0.5 * deviation * deviation + log(1.0 - equity / external_assets)) / deviation
    return 0.5 * (1.0 + erf(distance / sqrt(2.0)))
