"""Elsinger, H. (2009), Financial networks, cross holdings, and limited liability, OeNB Working Paper 156.

Debts are paid in ranks and pro rata within each; institutions own parts of each other's equity, never worth less than
nothing. The paper prints no numbers for these cases; each docstring derives its own.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from poundlock.contagion import clear
from poundlock.system import Layer, system_from_arrays


def matrix(n, **entries):
    """c0d1=5.0: 0 may lose 5 on 1."""
    found = np.zeros((n, n))
    for name, amount in entries.items():
        creditor, debtor = name[1:].split("d")
        found[int(creditor), int(debtor)] = amount
    return csr_array(found)


def test_the_second_rank_gets_what_the_first_leaves():
    """1 owes 0 four and outsiders four in the first rank, and 2 six in the second. With 11 left: 8 in full, then 3 of
    6. With 8 left: 8 in full, then nothing. With 5 left: 5 of 8, nothing. Equity is 11, 8, 5 less 14. Of the ten owed
    inside, 7, 4 and 2.5 are paid."""
    layers = [Layer("senior", matrix(3, c0d1=4.0)), Layer("junior", matrix(3, c2d1=6.0), rank=2)]
    system = system_from_arrays(layers, [1.0, 20.0, 1.0], [0.0, 4.0, 0.0])
    found = clear(system, [[0.0, 9.0, 0.0], [0.0, 12.0, 0.0], [0.0, 15.0, 0.0]])
    np.testing.assert_allclose(found.value_in("senior")[:, 1], [1, 1, 5 / 8], atol=1e-12)
    np.testing.assert_allclose(found.value_in("junior")[:, 1], [1 / 2, 0, 0], atol=1e-12)
    np.testing.assert_allclose(found.value[:, 1], [0.7, 0.4, 0.25], atol=1e-12)
    np.testing.assert_allclose(found.equity, [[5, -3, 4], [5, -6, 1], [3.5, -9, 1]], atol=1e-12)


def test_junior_debts_on_a_cycle():
    """0 owes outsiders four first, then 1 six; 1 owes outsiders three first, then 0 five. Payments of the second rank:
    p0 = max(0, c0 - 4 + p1) up to 6, p1 = max(0, c1 - 3 + p0) up to 5.

    c = (2, 6): p1 = 5 gives p0 = 3, which gives min(5, 6) = 5. Equity 2 + 5 - 10 = -3 and 6 + 3 - 8 = 1.
    c = (2, 2): p1 = p0 - 1 and p0 = p1 - 2 have no solution above 0, so p0 = p1 = 0. Equity 2 - 10 = -8 and 2 - 8 =
    -6."""
    system = system_from_arrays([Layer("junior", matrix(2, c1d0=6.0, c0d1=5.0), rank=2)], [7.0, 6.0], [4.0, 3.0])
    for exact in (False, True):
        found = clear(system, [[5.0, 0.0], [5.0, 4.0]], exact=exact)
        np.testing.assert_allclose(found.value_in("junior"), [[1 / 2, 1], [0, 0]], atol=1e-11)
        np.testing.assert_allclose(found.equity, [[-3, 1], [-8, -6]], atol=1e-10)


def test_cross_holdings_are_a_linear_system():
    """0 has equity 10, 1 has 20; 0 owns 8/20 = 2/5 of 1, and 1 owns 5/10 = 1/2 of 0. 0 loses four. Falls in equity:
    d0 = 4 + (2/5) d1, d1 = (1/2) d0, so d0 = 4 / (1 - 1/5) = 5, d1 = 5/2."""
    found = clear(_group(), [4.0, 0.0, 0.0])
    np.testing.assert_allclose(found.equity[0], [5, 17.5, 6], atol=1e-10)
    np.testing.assert_allclose(found.loss_by_channel["stakes"][0], [1, 2.5, 0], atol=1e-10)
    assert not found.default.any()


def test_equity_is_lost_first_then_the_second_rank_then_the_first():
    """The same 0 owes outsiders ten in the first rank and 2 ten in the second. It loses twelve: all its equity is gone,
    and 1's half of it, d1 = 5, which 0 feels as 2. E0 = 10 - 12 - 2 = -4: 2 gets 6 of 10, its equity of 6 falls to 2.
    It loses twenty: E0 = -12, 2 gets nothing and has 6 - 10 = -4, outsiders get 2 + 6 = 8 of 10. 1 loses no more:
    15."""
    found = clear(_group(), [[12.0, 0.0, 0.0], [20.0, 0.0, 0.0]])
    np.testing.assert_allclose(found.equity, [[-4, 15, 2], [-12, 15, -4]], atol=1e-10)
    np.testing.assert_allclose(found.value_in("junior")[:, 0], [0.6, 0.0], atol=1e-10)
    np.testing.assert_allclose(found.value_in("stakes")[:, :2], [[0, 0.75], [0, 0.75]], atol=1e-10)


def _group():
    stakes = Layer("stakes", matrix(3, c0d1=8.0, c1d0=5.0), kind="stake")
    junior = Layer("junior", matrix(3, c2d0=10.0), rank=2)
    system = system_from_arrays([stakes, junior], [22.0, 35.0, 6.0], [10.0, 20.0, 10.0])
    np.testing.assert_array_equal(clear(system, np.zeros(3)).initial_equity, [10, 20, 6])
    return system
