"""Closed forms behind premiums and warrants, against quadrature, simulation and special cases."""

from __future__ import annotations

from itertools import pairwise
from math import exp, inf, log, log1p, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from poundlock.measures import lognormal_layer, vasicek_layer, warrant_value
from poundlock.measures.premium import lognormal_limited, vasicek_tail

DRAWS = 2_000_000


def density(z: float) -> float:
    return exp(-z * z / 2.0) / sqrt(2.0 * pi)


def vasicek_losses(probability: float, given_default: float, correlation: float, z: np.ndarray) -> np.ndarray:
    above = (ndtri(probability) - sqrt(correlation) * z) / sqrt(1.0 - correlation)
    return given_default * ndtr(above)


@pytest.mark.parametrize(
    ("probability", "given_default", "correlation", "share", "deductible", "limit"),
    [
        (0.04, 0.5, 0.15, 1.0, 0.0, inf),
        (0.04, 0.5, 0.15, 1.0, 0.0, 0.03),
        (0.04, 0.5, 0.15, 0.8, 0.02, 0.1),
        (0.20, 0.9, 0.40, 0.5, 0.10, inf),
        (0.01, 1.0, 0.30, 0.3, 0.05, 0.06),
        (0.04, 0.5, 1e-6, 0.8, 0.015, 0.1),
        (0.04, 0.5, 0.99, 0.8, 0.015, 0.1),
    ],
)
def test_a_layer_of_a_vasicek_loss_is_its_simulated_mean(
    probability, given_default, correlation, share, deductible, limit
):
    z = np.random.default_rng(5).standard_normal(DRAWS)
    loss = vasicek_losses(probability, given_default, correlation, z)
    paid = np.minimum(limit, share * np.maximum(0.0, loss - deductible))
    found = vasicek_layer(probability, given_default, correlation, share=share, deductible=deductible, limit=limit)
    assert abs(found - paid.mean()) <= 4.0 * paid.std() / sqrt(DRAWS) + 1e-9


@settings(max_examples=100, deadline=None)
@given(
    st.floats(1e-4, 0.9), st.floats(0.05, 1.0), st.floats(0.01, 0.9), st.floats(0.01, 1.0), st.one_of(st.just(0.0), st.floats(1e-3, 0.5)), st.floats(1e-3, 1.0)
)  # fmt: skip
def test_a_layer_of_a_vasicek_loss_is_an_integral_over_the_factor(p, lgd, rho, share, deductible, limit):
    def paid(z: float) -> float:
        loss = float(vasicek_losses(p, lgd, rho, np.array([z]))[0])
        return min(limit, share * max(0.0, loss - deductible)) * density(z)

    kinks = []
    for loss in (deductible, deductible + limit / share if share > 0.0 else inf):
        if 0.0 < loss < lgd:
            kinks.append(float((ndtri(p) - sqrt(1.0 - rho) * ndtri(loss / lgd)) / sqrt(rho)))
    edges = sorted({-12.0, *(k for k in kinks if -12.0 < k < 12.0), 12.0})
    expected = sum(quad(paid, a, b, limit=200)[0] for a, b in pairwise(edges))
    assert vasicek_layer(p, lgd, rho, share=share, deductible=deductible, limit=limit) == pytest.approx(
        expected, abs=1e-7
    )


def test_special_cases_of_a_vasicek_layer():
    assert vasicek_layer(0.04, 0.5, 0.15) == pytest.approx(0.02)
    assert vasicek_layer(0.04, 0.5, 0.15, share=0.25) == pytest.approx(0.005)
    assert vasicek_layer(0.04, 0.5, 0.15, share=0.0) == 0.0
    assert vasicek_layer(0.04, 0.5, 0.15, limit=0.0) == pytest.approx(0.0, abs=1e-15)
    assert vasicek_layer(0.04, 0.5, 0.15, deductible=0.5) == 0.0
    assert vasicek_layer(0.04, 0.0, 0.15) == 0.0
    assert vasicek_layer(0.0, 0.5, 0.15, deductible=0.1) == 0.0
    assert vasicek_layer(1.0, 0.5, 0.15, deductible=0.1) == pytest.approx(0.4)
    assert vasicek_layer(0.04, 0.5, 0.0, deductible=0.01) == pytest.approx(0.01)
    assert vasicek_layer(0.04, 0.5, 0.0, deductible=0.03) == 0.0
    assert vasicek_layer(0.04, 0.5, 0.0, deductible=0.01, limit=0.004) == pytest.approx(0.004)


@pytest.mark.parametrize("cut", [0.001, 0.02, 0.1, 0.4])
def test_layers_one_above_the_other_add_up_to_the_whole(cut: float):
    below = vasicek_layer(0.04, 0.5, 0.2, limit=cut)
    above = vasicek_layer(0.04, 0.5, 0.2, deductible=cut)
    assert below + above == pytest.approx(0.02, rel=1e-7)
    low = lognormal_layer(0.4, 1.5, limit=cut)
    high = lognormal_layer(0.4, 1.5, deductible=cut)
    assert low + high == pytest.approx(0.4, rel=1e-12)


def test_the_tail_of_a_vasicek_loss():
    p, lgd, rho = 0.04, 0.5, 0.15
    assert vasicek_tail(-0.1, p, lgd, rho) == 1.0
    assert vasicek_tail(0.0, p, lgd, rho) == 1.0
    assert vasicek_tail(0.5, p, lgd, rho) == 0.0
    assert vasicek_tail(0.01, p, lgd, 0.0) == 1.0
    assert vasicek_tail(0.03, p, lgd, 0.0) == 0.0
    assert vasicek_tail(0.0, 0.0, lgd, rho) == 0.0
    # Vasicek's 99.9 % quantile: N((N^-1(p) + sqrt(rho) N^-1(0.999)) / sqrt(1 - rho))
    worst = lgd * ndtr((ndtri(p) + sqrt(rho) * ndtri(0.999)) / sqrt(1.0 - rho))
    assert vasicek_tail(float(worst), p, lgd, rho) == pytest.approx(0.001)
    assert quad(vasicek_tail, 0.0, lgd, args=(p, lgd, rho))[0] == pytest.approx(p * lgd)


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0.01, 5.0), st.floats(0.05, 3.0), st.floats(0.01, 1.0), st.one_of(st.just(0.0), st.floats(1e-3, 2.0)), st.sampled_from([inf, 1e-3, 0.1, 0.7, 5.0])
)  # fmt: skip
def test_stop_loss_of_a_lognormal_claim_is_an_integral(mean, spread, share, deductible, limit):
    deviation = sqrt(log1p(spread**2))

    def claim(z: float) -> float:
        return mean * exp(deviation * z - 0.5 * deviation**2)

    def paid(z: float) -> float:
        return min(limit, share * max(0.0, claim(z) - deductible)) * density(z)

    kinks = [deductible, deductible + limit / share]
    at = [(log(k / mean) + 0.5 * deviation**2) / deviation for k in kinks if 0.0 < k < inf]
    edges = sorted({-15.0, *(k for k in at if -15.0 < k < 15.0), 15.0})
    expected = sum(quad(paid, a, b, limit=200)[0] for a, b in pairwise(edges))
    found = lognormal_layer(mean, spread, share=share, deductible=deductible, limit=limit)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)


def test_special_cases_of_a_lognormal_claim():
    assert lognormal_layer(0.4, 1.0) == pytest.approx(0.4)
    assert lognormal_layer(0.4, 1.0, share=0.5) == pytest.approx(0.2)
    assert lognormal_layer(0.4, 1.0, share=0.0) == 0.0
    assert lognormal_layer(0.4, 1.0, limit=0.0) == pytest.approx(0.0, abs=1e-15)
    assert lognormal_layer(0.4, 0.0, deductible=0.1, limit=0.2) == pytest.approx(0.2)
    assert lognormal_layer(0.4, 0.0, deductible=0.5) == 0.0
    assert lognormal_limited(0.0, 1.0, 1.0) == 0.0


@pytest.mark.parametrize("volatility", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("expected_return", [-0.3, 0.0, 0.1])
@pytest.mark.parametrize("strike", [0.2, 1.0, 3.0])
def test_a_warrant_is_an_integral(volatility: float, expected_return: float, strike: float):
    def gain(z: float) -> float:
        return max((1.0 + expected_return) * exp(volatility * z - 0.5 * volatility**2) - strike, 0.0) * density(z)

    kink = (log(strike / (1.0 + expected_return)) + 0.5 * volatility**2) / volatility
    top = max(12.0, kink + 1.0)
    expected = quad(gain, kink, top, limit=200)[0] if kink < top else 0.0
    assert warrant_value(volatility, expected_return, strike) == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_special_cases_of_a_warrant():
    assert warrant_value(0.5, 0.1, 0.0) == pytest.approx(1.1)
    assert warrant_value(0.0, 0.1, 1.0) == pytest.approx(0.1)
    assert warrant_value(0.0, 0.1, 1.2) == 0.0
    assert warrant_value(0.2, 0.0, 1.0) == pytest.approx(2.0 * ndtr(0.1) - 1.0)  # Black at the money
    assert isinstance(warrant_value(0.0, 0.1, 1.0), float)
