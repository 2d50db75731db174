"""Bardoscia, M., Caccioli, F., Perotti, J. I., Vivaldo, G. and Caldarelli, G. (2016), Distress propagation in complex
networks: the case of non-linear DebtRank, PLOS ONE 11(10): e0163825.

A debtor with relative loss h passes on p = h exp(a (h - 1)); creditors lose Lambda_ij p. a = 0: linear DebtRank; a
without bound: only those that lost everything pass anything on. Numbers derived here.
"""

from __future__ import annotations

from math import exp, log

import numpy as np

from poundlock.contagion import cascade, debtrank, propagate

CYCLE = np.array([[0.0, 2.0], [2.0, 0.0]])
EQUITY = [4.0, 4.0]


def test_half_a_loss_passed_on_with_exponent_two():
    """0 lost half: p = (1/2) exp(2 (1/2 - 1)) = 1 / (2 e). 1 lent it 2: its loss is 1 / e. All of it lost: p = 1, loss
    2."""
    exposures = np.array([[0.0, 0.0], [2.0, 0.0]])
    found = debtrank(exposures, [[2.0, 0.0], [4.0, 0.0]], equity=EQUITY, exponent=2.0)
    np.testing.assert_allclose(found.equity_lost, [[2, exp(-1)], [4, 2]], atol=1e-12)


def test_exponent_nought_is_linear_debtrank():
    """Lambda = 1/2 both ways, h(1) = (1/4, 0): 1/3 and 1/6, as the series of the linear case says."""
    found = propagate(CYCLE, [1.0, 0.0], equity=EQUITY, valuation="exponential-debtrank", exponent=0.0)
    np.testing.assert_allclose(found.equity_lost[0], [4 / 3, 2 / 3], atol=1e-10)


def test_a_cycle_with_a_fixed_point_on_paper():
    """a = 2 log 2, so p = h 4^(h - 1). Both start with 3/8 and Lambda = 1/2: h = 3/8 + h 4^(h - 1) / 2 at h = 1/2,
    since 3/8 + (1/2) (1/2) / 2 = 1/2. The right side is convex, its slope there (1/4) (1 + log 2) = 0.42 < 1, so
    nothing below 1/2 solves it."""
    found = debtrank(CYCLE, [1.5, 1.5], equity=EQUITY, exponent=2 * log(2))
    np.testing.assert_allclose(found.equity_lost[0], [2, 2], atol=1e-10)


def test_recovery_scales_what_is_passed_on():
    """Recovery 1/4 leaves 3/4 of the claim of 2 at risk: loss (3/2) p with p = 1 / (2 e), so 3 / (4 e)."""
    exposures = np.array([[0.0, 0.0], [2.0, 0.0]])
    found = debtrank(exposures, [2.0, 0.0], equity=EQUITY, exponent=2.0, recovery=0.25)
    np.testing.assert_allclose(found.equity_lost[0], [2, 0.75 * exp(-1)], atol=1e-12)


def test_a_large_exponent_is_the_default_cascade():
    """Chain: 1 lent 0 ten, 2 lent 1 ten, 3 lent 2 ten; equity 5, 4, 12, 3. 0 loses 6 and fails, 1 loses 10 of 4 and
    fails, 2 loses 10 of 12 and stands; it passes on (5/6) exp(-5000 / 6), less than any number here. So does the
    cascade."""
    exposures = np.zeros((4, 4))
    exposures[1, 0] = exposures[2, 1] = exposures[3, 2] = 10.0
    equity = [5.0, 4.0, 12.0, 3.0]
    found = debtrank(exposures, [6.0, 0, 0, 0], equity=equity, exponent=5000.0)
    np.testing.assert_allclose(found.equity[0], [-1, -6, 2, 3], atol=1e-12)
    np.testing.assert_array_equal(found.equity, cascade(exposures, [6.0, 0, 0, 0], equity=equity).equity)
