"""Furfine, C. H. (2003), Interbank exposures: quantifying the risk of contagion, Journal of Money, Credit and Banking
35(1), 111-128.

A bank fails when its losses on failed debtors, (1 - recovery) times its exposures, exceed its capital; round after
round until nobody else fails. Sections on methodology; the numbers of the data are not public, so each case is derived
here.
"""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import cascade


@pytest.mark.parametrize(
    ("recovery", "equity", "failed"),
    [
        # 1 loses 10 (1 - r) on 0; 2 the same on 1 if 1 fails; 3 on 2 if 2 fails
        (0.0, [11 - 12, 5 - 10, 7 - 10, 12 - 10], [True, True, True, False]),
        (0.375, [11 - 12, 5 - 6.25, 7 - 6.25, 12], [True, True, False, False]),
        (0.5, [11 - 12, 5 - 5, 7, 12], [True, False, False, False]),
        (1.0, [11 - 12, 5, 7, 12], [True, False, False, False]),
    ],
)
def test_a_chain_stops_where_capital_covers_the_loss(recovery, equity, failed):
    """1 lent 0 ten, 2 lent 1 ten, 3 lent 2 ten; capital 11, 5, 7, 12; 0 loses 12. At recovery 0 each loses 10 on a
    failed debtor:
    1 and 2 fail, 3 stands. At 3/8 each loses 6.25: 1 fails, 2 stands. At 1/2 1 loses all its capital of 5, but not
    more."""
    exposures = np.zeros((4, 4))
    exposures[1, 0] = exposures[2, 1] = exposures[3, 2] = 10.0
    found = cascade(exposures, [12.0, 0, 0, 0], equity=[11.0, 5.0, 7.0, 12.0], recovery=recovery)
    np.testing.assert_array_equal(found.equity[0], equity)
    np.testing.assert_array_equal(found.default[0], failed)


ROUNDS = np.zeros((4, 4))
ROUNDS[1, 0], ROUNDS[2, 0], ROUNDS[2, 1], ROUNDS[3, 2], ROUNDS[3, 0] = 8.0, 6.0, 4.0, 10.0, 2.0
CAPITAL = np.array([10.0, 3.0, 4.0, 7.0])


def test_a_cascade_by_rounds():
    """Recovery 1/2. Round 0: 0 fails, losing 11 of 10. Round 1: 1 loses 4 of 3 and fails, 2 loses 3 of 4, 3 loses 1 of
    7. Round 2:
    2 loses 2 more on 1, 5 of 4, and fails. Round 3: 3 loses 5 more on 2, 6 of 7, and stands."""
    found = cascade(ROUNDS, [11.0, 0, 0, 0], equity=CAPITAL, recovery=0.5)
    np.testing.assert_array_equal(found.equity[0], [-1, -1, -1, 1])
    np.testing.assert_array_equal(found.default[0], [True, True, True, False])


def test_neither_failure_alone_brings_the_third_down():
    """2 stands a loss of 3 on 0 where 1 owes it nothing, and a loss of 2 on 1 where 1 fails by itself."""
    apart = ROUNDS.copy()
    apart[2, 1] = 0.0
    found = cascade(apart, [11.0, 0, 0, 0], equity=CAPITAL, recovery=0.5)
    np.testing.assert_array_equal(found.equity[0], [-1, -1, 1, 6])
    found = cascade(ROUNDS, [0, 4.0, 0, 0], equity=CAPITAL, recovery=0.5)
    np.testing.assert_array_equal(found.equity[0], [10, -1, 2, 7])


def test_distress_short_of_failure_is_not_passed_on():
    """0 loses all its capital of 10 and not more: it has not failed, so its creditors lose nothing."""
    found = cascade(ROUNDS, [10.0, 0, 0, 0], equity=CAPITAL)
    np.testing.assert_array_equal(found.equity[0], [0, 3, 4, 7])
    assert not found.default.any()
