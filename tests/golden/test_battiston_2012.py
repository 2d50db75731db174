"""Battiston, S., Puliga, M., Kaushik, R., Tasca, P. and Caldarelli, G. (2012), DebtRank: too central to fail? Financial
networks, the FED and systemic risk, Scientific Reports 2:541, Methods.

W_ij = min(1, A_ji / E_j): impact of i on j, who invested A_ji in i. h_j(t) = min(1, h_j(t - 1) + sum of W_ij h_i(t - 1)
over the i that came into distress in the step before); each passes on once. R = sum of h_j(T) v_j - sum of h_j(1) v_j,
with v_j = the share of j in all investments. The paper's data are not public; each docstring derives its numbers.
"""

from __future__ import annotations

import numpy as np

from poundlock.contagion import debtrank


def relative(exposures, losses, equity, **options):
    return debtrank(exposures, losses, equity=equity, **options).equity_lost[0] / np.asarray(equity)


def test_four_banks_and_the_measure():
    """1 invested 2 in 0; 2 invested 1 in 0 and 2 in 1; 3 invested 1 in 2; 0 invested 5 in 3. Equity 10, 4, 4, 2: W_01 =
    1/2, W_02 = 1/4, W_12 = 1/2, W_23 = 1/2, W_30 = 1/2. 0 fails: h(1) = (1, 0, 0, 0).
    Step 2: 0 passes on 1: h1 = 1/2, h2 = 1/4. Step 3: 1 and 2 pass on what they had: h2 = 1/4 + 1/4 = 1/2, h3 = 1/8.
    Step 4: 3 passes on 1/8, which 0 has no room for. 2's second 1/4 stays with it: h = (1, 1/2, 1/2, 1/8).
    v = (5, 2, 3, 1) / 11, so R = (2/2 + 3/2 + 1/8) / 11 = 21/88."""
    exposures = np.array([[0, 0, 0, 5.0], [2.0, 0, 0, 0], [1.0, 2.0, 0, 0], [0, 0, 1.0, 0]])
    equity, losses = [10.0, 4.0, 4.0, 2.0], [10.0, 0.0, 0.0, 0.0]
    first = np.array([1.0, 0.0, 0.0, 0.0])
    last = relative(exposures, losses, equity, once=True)
    np.testing.assert_allclose(last, [1, 1 / 2, 1 / 2, 1 / 8], atol=1e-14)
    weight = exposures.sum(axis=1) / exposures.sum()
    np.testing.assert_allclose(weight @ last - weight @ first, 21 / 88, atol=1e-14)


def test_all_losses_passed_on_give_more_than_one_hit():
    """The same without the bound of one hit (Bardoscia et al. 2015): 2 passes on all of 1/2, so h3 = 1/4."""
    exposures = np.array([[0, 0, 0, 5.0], [2.0, 0, 0, 0], [1.0, 2.0, 0, 0], [0, 0, 1.0, 0]])
    found = relative(exposures, [10.0, 0.0, 0.0, 0.0], [10.0, 4.0, 4.0, 2.0])
    np.testing.assert_allclose(found, [1, 1 / 2, 1 / 2, 1 / 4], atol=1e-12)


def test_two_banks_that_lend_to_each_other():
    """W = 1/2 both ways, h(1) = (1/4, 0). 1 gets 1/8; 0 gets 1/16 back, h0 = 5/16, and is done. Without the bound: 1/3,
    1/6."""
    exposures, equity = np.array([[0.0, 2.0], [2.0, 0.0]]), [4.0, 4.0]
    np.testing.assert_allclose(relative(exposures, [1.0, 0.0], equity, once=True), [5 / 16, 1 / 8], atol=1e-14)
    np.testing.assert_allclose(relative(exposures, [1.0, 0.0], equity), [1 / 3, 1 / 6], atol=1e-11)


def test_a_cycle_of_three():
    """W = 1/2 around, h(1) = (1/2, 0, 0): h1 = 1/4, h2 = 1/8, and 1/16 comes back: h0 = 9/16, once. Without the bound
    the round goes on, h0 = (1/2) / (1 - 1/8) = 4/7."""
    exposures, equity = np.array([[0, 0, 2.0], [2.0, 0, 0], [0, 2.0, 0]]), [4.0, 4.0, 4.0]
    losses = [2.0, 0.0, 0.0]
    np.testing.assert_allclose(relative(exposures, losses, equity, once=True), [9 / 16, 1 / 4, 1 / 8], atol=1e-14)
    np.testing.assert_allclose(relative(exposures, losses, equity), [4 / 7, 2 / 7, 1 / 7], atol=1e-11)


def test_impact_is_capped_at_one_exposure_by_exposure():
    """1 invested 8 in 0, twice its equity: W = min(1, 2) = 1, so half of 0's equity costs 1 half of its own. With
    leverage uncapped (Bardoscia et al. 2015) it costs 1 min(1, 2 / 2) = all. 2 invested 8 in 0 and in 1, equity 16: 1/2
    of each, 1/4 + 1/4."""
    exposures = np.array([[0, 0, 0.0], [8.0, 0, 0], [8.0, 8.0, 0]])
    equity, losses = [4.0, 4.0, 16.0], [2.0, 0.0, 0.0]
    np.testing.assert_allclose(relative(exposures, losses, equity, once=True), [1 / 2, 1 / 2, 1 / 2], atol=1e-14)
    np.testing.assert_allclose(relative(exposures, losses, equity), [1 / 2, 1, 3 / 4], atol=1e-12)
