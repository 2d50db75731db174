"""Bardoscia, M., Battiston, S., Caccioli, F. and Caldarelli, G. (2015), DebtRank: a microscopic foundation for shock
propagation, PLOS ONE 10(6): e0130406.

h(t + 1) = min(1, h(t) + Lambda (h(t) - h(t - 1))), Lambda_ij = A_ij / E_i, h(0) = 0; as long as nobody reaches 1, the
end is (1 - Lambda)^-1 h(1), and it exists for any shock if the largest eigenvalue of Lambda is below one. Numbers
derived here.
"""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import debtrank, importance

EPS_02 = np.finfo(float).eps ** 0.2  # 7.4e-4


def test_a_cycle_of_three_is_a_geometric_series():
    """Lambda = 1/2 around, h(1) = (1/2, 0, 0): each round brings back 1/8. h0 = (1/2) / (1 - 1/8) = 4/7, h1 = 2/7, h2 =
    1/7."""
    exposures = np.array([[0, 0, 2.0], [2.0, 0, 0], [0, 2.0, 0]])
    for exact in (False, True):
        found = debtrank(exposures, [2.0, 0.0, 0.0], equity=[4.0, 4.0, 4.0], exact=exact)
        np.testing.assert_allclose(found.equity_lost[0], [16 / 7, 8 / 7, 4 / 7], atol=1e-10)


def test_shocks_on_both_and_leverage_that_differs():
    """Lambda_01 = 1/2, Lambda_10 = 1/4, h(1) = (1/4, 1/2). h0 = 1/4 + h1 / 2, h1 = 1/2 + h0 / 4: h0 = (1/2) / (7/8) =
    4/7, h1 = 9/14."""
    found = debtrank(np.array([[0.0, 2.0], [1.0, 0.0]]), [1.0, 2.0], equity=[4.0, 4.0])
    np.testing.assert_allclose(found.equity_lost[0], [16 / 7, 18 / 7], atol=1e-10)


def test_a_failed_bank_passes_on_its_equity_and_no_more():
    """0 loses three times its equity of 4; 1 lent it 2 and has 4: h1 = Lambda_10 * 1 = 1/2. 0's own equity is 4 - 12 =
    -8."""
    found = debtrank(np.array([[0.0, 0.0], [2.0, 0.0]]), [12.0, 0.0], equity=[4.0, 4.0])
    np.testing.assert_allclose(found.equity[0], [-8, 2], atol=1e-12)
    np.testing.assert_allclose(found.equity_lost[0], [4, 2], atol=1e-12)


def test_above_an_eigenvalue_of_one_any_shock_brings_failures():
    """Lambda = 2 both ways, eigenvalues 2 and -2. A shock of 1/100 doubles at every step: both end at 1."""
    exposures, equity = np.array([[0.0, 8.0], [8.0, 0.0]]), [4.0, 4.0]
    assert importance(exposures, equity=equity).amplification == pytest.approx(2.0)
    found = debtrank(exposures, [0.04, 0.0], equity=equity)
    np.testing.assert_allclose(found.equity_lost[0], [4, 4], atol=1e-12)


def test_mean_debtrank_is_not_cut_short_where_leverage_is_near_one():
    """Lambda = 0.95 both ways, h(1) = 1/40 for both. By symmetry h = (1/40) / (1 - 0.95) = 1/2, so 0.475 is from
    contagion.

    The R package NetworkRiskMeasures 0.1.7, `contagion`, ends by default when the Euclidean length of the last change
    is below eps^0.2 = 7.4e-4, and takes no account of what is still to come. The change in step t is 0.95^t / 40 for
    each:
    sqrt(2) 0.95^t / 40 < 7.4e-4 first for t > log(47.77) / log(1 / 0.95) = 75.4, so in step 76, when
    h = (1 - 0.95^77) / 2: short of the end by 0.95^77 = 1.93 %, and what comes from contagion by 2.03 %."""
    h, change, steps = 1 / 40, 1 / 40, 0
    while np.sqrt(2) * change >= EPS_02:
        change *= 0.95
        h, steps = h + change, steps + 1
    assert steps == 76
    assert 1 - h / 0.5 == pytest.approx(0.95**77) == pytest.approx(0.0193, abs=1e-4)
    assert 1 - (h - 0.025) / 0.475 == pytest.approx(0.0203, abs=1e-4)
    exposures, equity = np.array([[0.0, 19.0], [19.0, 0.0]]), np.array([20.0, 20.0])
    for extrapolate in (True, False):
        found = debtrank(exposures, equity / 40, equity=equity, extrapolate=extrapolate)
        assert found.converged.all()
        np.testing.assert_allclose(found.equity_lost[0] / equity, 0.5, rtol=0, atol=1e-10)


def test_importance_is_what_others_lose_when_one_fails():
    """1 lent 0 two of its four, 2 lent 1 one of its five. 0 fails: h1 = 1/2, h2 = 1/10, loss 2 + 1/2 of the others' 9.
    1 fails:
    h2 = 1/5, loss 1 of 13. 2 fails: nobody loses. Vulnerability: mean over two failures, 0, 1/4, (1/10 + 1/5) / 2."""
    exposures = np.array([[0, 0, 0.0], [2.0, 0, 0], [0, 1.0, 0]])
    found = importance(exposures, equity=[8.0, 4.0, 5.0])
    np.testing.assert_allclose(found.loss_to_others, [2.5, 1, 0], atol=1e-12)
    np.testing.assert_allclose(found.importance, [2.5 / 9, 1 / 13, 0], atol=1e-12)
    np.testing.assert_allclose(found.vulnerability, [0, 1 / 4, 3 / 20], atol=1e-12)
