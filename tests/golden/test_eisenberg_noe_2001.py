"""Eisenberg, L. and Noe, T. H. (2001), Systemic risk in financial systems, Management Science 47(2), 236-249.

The paper prints no clearing vector with numbers; what is expected here is derived in each docstring, from definition 1
(limited liability, absolute priority, pro rata) alone. p: payments in all; V = p / owed.
"""

from __future__ import annotations

import numpy as np

from poundlock.contagion import clear

CYCLE = np.array([[0.0, 1.0], [1.0, 0.0]])


def test_two_nodes_that_owe_each_other_one_and_have_no_cash_may_pay_anything():
    """The paper's example of a system that is not regular: p1 = min(1, p2), p2 = min(1, p1), so every p1 = p2 in [0, 1]
    clears.
    The greatest is 1, the least 0. By theorem 1 the worth of equity, max(E, 0), is the same in all of them: 0."""
    found = clear(CYCLE, [0.0, 0.0], external_assets=[0.0, 0.0], external_liabilities=[0.0, 0.0], bracket=True)
    np.testing.assert_array_equal(found.value[0], [1.0, 1.0])
    np.testing.assert_array_equal(found.least.value[0], [0.0, 0.0])
    np.testing.assert_array_equal(np.maximum(found.equity, 0.0), np.maximum(found.least.equity, 0.0))
    assert not found.default.any()


def test_any_cash_in_the_cycle_makes_the_clearing_vector_unique():
    """Theorem 2: regular systems have one. With 1/2 at node 0: p0 = min(1, 1/2 + p1), p1 = min(1, p0). p0 < 1 would
    mean p0 = 1/2 + p0, so p0 = p1 = 1 from above and from below; node 0 keeps 1/2."""
    found = clear(CYCLE, [0.0, 0.0], external_assets=[0.5, 0.0], external_liabilities=[0.0, 0.0], bracket=True)
    for one in (found, found.least):
        np.testing.assert_allclose(one.value[0], [1.0, 1.0], atol=1e-12)
        np.testing.assert_allclose(one.equity[0], [0.5, 0.0], atol=1e-12)


def test_defaults_come_one_after_the_other_as_in_the_fictitious_default_rounds():
    """Section 3.1. 0 owes 1 twelve, 1 owes 2 twelve, 2 owes 0 six and outsiders six. Cash after the shock c, by
    scenario:

    c = (3, 3.5, 2). Round 1, all pay: 0 has 3 + 6 = 9 < 12 and defaults, p0 = 9. Round 2: 1 has 3.5 + 9 = 12.5, enough.
    Left over: 9 - 12 = -3; 1/2; 2 + 12 - 12 = 2.
    c = (3, 2, 2). As before, but in round 2 1 has 2 + 9 = 11 < 12 and defaults too. Round 3: 2 has 2 + 11 = 13, enough.
    Left over: -3, -1, 1.
    c = (3, 2, 1/2). In round 3 2 has 11.5 < 12 and defaults. Then p0 = 3 + p2 / 2, p1 = 2 + p0, p2 = 1/2 + p1 = 5/2 +
    p0, so p0 = 17/4 + p0 / 2 = 17/2, p1 = 21/2, p2 = 11. Outsiders get 11 / 2 = 3 + 2 + 1/2, all the cash there is."""
    exposures = np.array([[0.0, 0.0, 6.0], [12.0, 0.0, 0.0], [0.0, 12.0, 0.0]])
    losses = np.array([[5.0, 0.0, 0.0], [5.0, 1.5, 0.0], [5.0, 1.5, 1.5]])
    for exact in (False, True):
        found = clear(
            exposures, losses, external_assets=[8.0, 3.5, 2.0], external_liabilities=[0.0, 0.0, 6.0], exact=exact
        )
        np.testing.assert_array_equal(found.default, [[1, 0, 0], [1, 1, 0], [1, 1, 1]])
        paid = found.value * 12.0
        np.testing.assert_allclose(paid, [[9, 12, 12], [9, 11, 12], [8.5, 10.5, 11]], atol=1e-10)
        np.testing.assert_allclose(found.equity, [[-3, 0.5, 2], [-3, -1, 1], [-3.5, -1.5, -1]], atol=1e-10)


def test_a_ring_takes_up_a_loss_in_the_order_of_its_links():
    """Four banks, each owes the next six and outsiders six and keeps eight, equity 8 + 6 - 12 = 2. Bank 0 loses all
    eight. If 3 pays in full, 0 has 6 of 12: V0 = 1/2. 1 has 8 + 3 = 11: V1 = 11/12. 2 has 8 + 5.5 = 13.5, enough: it
    keeps 1.5 and pays in full, so 3 does, as was assumed. Equity: -6, -1, 3/2, 2; outsiders lose 3 + 1/2, owners 2 + 2
    + 1/2: 8 in all."""
    exposures = np.zeros((4, 4))
    for i in range(4):
        exposures[(i + 1) % 4, i] = 6.0
    outside = np.full(4, 6.0)
    found = clear(exposures, [8.0, 0, 0, 0], external_assets=np.full(4, 8.0), external_liabilities=outside)
    np.testing.assert_allclose(found.value[0], [1 / 2, 11 / 12, 1, 1], atol=1e-12)
    np.testing.assert_allclose(found.equity[0], [-6, -1, 1.5, 2], atol=1e-11)
    np.testing.assert_allclose(found.equity_lost.sum() + ((1 - found.value[0]) * outside).sum(), 8.0, atol=1e-11)
