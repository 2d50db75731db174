"""Gai, P., Haldane, A. and Kapadia, S. (2011), Complexity, concentration and contagion, Journal of Monetary Economics
58(5), 453-470, sections 2 and 3.

A bank that is short of liquid assets does not roll over (a share of) what it lent short; its borrowers must find the
money, and may be short in turn. Nobody need lose anything for that. The paper starts from haircuts, here from
withdrawals or losses; its numbers are from simulations on random networks, so each case is derived here. short = calls
- liquid assets, if above 0.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import Funding, propagate
from poundlock.system import Layer, system_from_arrays


def ring(liquid, days=7.0):
    """Four banks; each lends the next ten and 3 lends 0 ten, so that each owes ten. Outside 40 and 30: equity 10.
    Customers of 0 may take out 8 at once."""
    lent = np.roll(np.eye(4), 1, axis=1) * 10.0
    layer = Layer("interbank", csr_array(lent), maturity_days=csr_array(lent / 10.0 * days))
    return system_from_arrays(
        [layer],
        np.full(4, 40.0),
        np.full(4, 30.0),
        safe_assets=np.array(liquid, dtype=float),
        runnable=np.array([8.0, 0.0, 0.0, 0.0]),
    )


@pytest.mark.parametrize(
    ("liquid", "withdrawn", "short"),
    [
        ([8, 4, 8, 12], 1.0, [0, 0, 0, 0]),  # 0 meets the run exactly
        ([3, 10, 8, 12], 1.0, [5, 0, 0, 0]),  # 0 lacks 5 and calls 10 from 1, which has them
        ([3, 4, 10, 12], 1.0, [5, 6, 0, 0]),  # 1 lacks 6 and calls 10 from 2, which has them
        ([3, 4, 8, 12], 1.0, [5, 6, 2, 0]),  # 2 lacks 2 and calls 10 from 3, which has them
        ([3, 4, 8, 9], 1.0, [15, 6, 2, 1]),  # 3 lacks 1 and calls 10 from 0, which lacks them too
        ([3, 4, 8, 9], 0.5, [5, 1, 0, 0]),  # half is rolled over: 5 called from 1, 5 from 2, which has them
        ([3, 4, 8, 9], 0.0, [5, 0, 0, 0]),
    ],
)
def test_hoarding_goes_round_the_ring_until_someone_has_enough(liquid, withdrawn, short):
    """Who is short, in the order 0, 1, 2, 3: the cases add one link after the other."""
    found = propagate(ring(liquid), runs=[1.0, 0, 0, 0], funding=Funding(withdrawn=withdrawn))
    np.testing.assert_allclose(found.trade.short[0], short, atol=1e-12)
    np.testing.assert_array_equal(found.illiquid[0], np.array(short) > 0)
    np.testing.assert_array_equal(found.equity[0], np.full(4, 10.0))
    assert found.converged[0]


def test_only_what_falls_due_within_the_horizon_can_be_withdrawn():
    """Loans of 90 days with a horizon of 30: nobody but 0 is called. With a horizon of 90 it goes round."""
    for horizon, short in ((30.0, [5, 0, 0, 0]), (90.0, [15, 6, 2, 1])):
        found = propagate(ring([3, 4, 8, 9], days=90.0), runs=[1.0, 0, 0, 0], funding=Funding(horizon_days=horizon))
        np.testing.assert_allclose(found.trade.short[0], short, atol=1e-12)


def test_a_loss_of_capital_starts_it_too():
    """0 hoards when its equity falls below half: a loss of 5 of 10 does not do it, 6 does. Then 1 is called for 10 and
    has 4, 2 has 8, 3 has 12. 0 itself is called for nothing. Nobody fails, and nobody else loses anything."""
    funding = Funding(stress_below=0.5)
    found = propagate(ring([3, 4, 8, 12]), [[5.0, 0, 0, 0], [6.0, 0, 0, 0]], funding=funding)
    np.testing.assert_allclose(found.trade.short, [[0, 0, 0, 0], [0, 6, 2, 0]], atol=1e-12)
    np.testing.assert_allclose(found.equity, [[5, 10, 10, 10], [4, 10, 10, 10]], atol=1e-12)


def test_customers_run_from_a_bank_under_stress():
    """The same loss of 6, and half of the 8 that customers may take out leave: 4, of which 0 has 3."""
    found = propagate(ring([3, 10, 10, 10]), [6.0, 0, 0, 0], funding=Funding(stress_below=0.5, run=0.5))
    np.testing.assert_allclose(found.trade.short[0], [1, 0, 0, 0], atol=1e-12)


def test_a_borrower_with_two_lenders_stands_one_of_them():
    """0 and 1 lent 2 five each; 2 has 6. Customers take 5 out of one of them, or of both, who have 1: one hoards and 2
    pays 5; both hoard and 2 lacks 4."""
    lent = np.zeros((3, 3))
    lent[0, 2] = lent[1, 2] = 5.0
    system = system_from_arrays(
        [Layer("interbank", csr_array(lent), maturity_days=csr_array(np.sign(lent)))],
        np.full(3, 40.0),
        np.full(3, 25.0),
        safe_assets=[1.0, 1.0, 6.0],
        runnable=[5.0, 5.0, 0.0],
    )
    found = propagate(system, runs=[[1, 0, 0], [0, 1, 0], [1, 1, 0]], funding=Funding())
    np.testing.assert_allclose(found.trade.short, [[4, 0, 0], [0, 4, 0], [4, 4, 4]], atol=1e-12)
