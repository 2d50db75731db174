"""Acemoglu, D., Ozdaglar, A. and Tahbaz-Salehi, A. (2015), Systemic risk and stability in financial networks, American
Economic Review 105(2), 564-608, propositions 4 (small shocks) and 6 (large shocks), without liquidation.

n banks; each owes y inside and is owed y, and owes v to outsiders, who are paid first; projects return a, less the
shock e at bank 0. Margin m = a - v. e* = n m, y* = (n - 1) m. Small: e < e*; large: e > e*; both with y > y*. Here n =
4, v = 10, a = 11, so m = 1, e* = 4, y* = 3, and y = 6.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from poundlock.contagion import clear
from poundlock.system import Layer, system_from_arrays

N, Y, SENIOR, RETURN = 4, 6.0, 10.0, 11.0
RING = np.roll(np.eye(N), 1, axis=0) * Y  # i lends to i - 1
COMPLETE = (np.ones((N, N)) - np.eye(N)) * Y / (N - 1)
PAIRS = np.kron(np.eye(2), np.array([[0.0, Y], [Y, 0.0]]))


def shocked(exposures, shock):
    layer = Layer("interbank", csr_array(exposures), rank=2)
    system = system_from_arrays([layer], np.full(N, RETURN), np.full(N, SENIOR), external_rank=1)
    return clear(system, [shock, 0.0, 0.0, 0.0])


def test_a_small_shock_takes_more_banks_in_the_ring_than_in_the_complete_network():
    """e = 5/2. Ring: 0 lacks e - m = 3/2, all of it at the cost of 1; 1 has m = 1 and lacks 1/2; 2 has 1 and keeps 1/2;
    3 loses nothing.
    Complete: 3/2 is shared by three, 1/2 each, and each keeps 1/2. Seniors are paid: 11 - 2.5 + 6 > 10."""
    ring, complete = shocked(RING, 2.5), shocked(COMPLETE, 2.5)
    np.testing.assert_allclose(ring.equity[0], [-1.5, -0.5, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(ring.value[0], [4.5 / 6, 5.5 / 6, 1, 1], atol=1e-12)
    np.testing.assert_allclose(complete.equity[0], [-1.5, 0.5, 0.5, 0.5], atol=1e-12)
    assert (ring.default.sum(), complete.default.sum()) == (2, 1)


def test_the_ring_loses_one_more_bank_for_each_margin():
    """Bank k of the ring lacks e - (k + 1) m: e = 1, 2, 3, 4 brings down 0, 1, 2, 3 banks; the complete network 0, 1,
    1, 1, since each of the others loses (e - 1) / 3 <= 1."""
    for e in (1, 2, 3, 4):
        assert shocked(RING, float(e)).default.sum() == e - 1
        assert shocked(COMPLETE, e - 1e-9).default.sum() == min(e - 1, 1)


def test_a_large_shock_takes_all_banks_in_both():
    """e = 6 > 4. Bank 0 has 5 and what it is paid, at most 3 as follows, against 10 for seniors: it pays nothing
    inside.
    Ring: 1 has m = 1 and pays 1, 2 pays 2, 3 pays 3 of 6, so 0 has 8 of 10. Equity 5 + 3 - 16 = -8; 1 - 6; 2 - 6; 3 -
    6.
    Complete: each of the others pays x = m + (2/3) x = 3 of 6; equity -3; 0 has 5 + 3 x / 3 = 8: -8.
    Seniors of 0 lose e - n m = 2 in both."""
    ring, complete = shocked(RING, 6.0), shocked(COMPLETE, 6.0)
    np.testing.assert_allclose(ring.value[0] * Y, [0, 1, 2, 3], atol=1e-10)
    np.testing.assert_allclose(ring.equity[0], [-8, -5, -4, -3], atol=1e-10)
    np.testing.assert_allclose(complete.value[0] * Y, [0, 3, 3, 3], atol=1e-10)
    np.testing.assert_allclose(complete.equity[0], [-8, -3, -3, -3], atol=1e-10)
    for one in (ring, complete):
        assert one.default.all()
        np.testing.assert_allclose(one.equity[0, 0] + Y, -2.0, atol=1e-10)  # what is missing beyond the junior debt


def test_a_large_shock_takes_fewer_where_the_network_falls_apart():
    """Proposition 6 (b) at delta = 0. Pairs, e = 6: 0 pays nothing, 1 pays its margin of 1: equity 5 + 1 - 16 = -10 and
    1 - 6 = -5. 2 and 3 keep 1 each. Two failures against four; seniors lose 10 - 6 = 4 instead of 2."""
    pairs = shocked(PAIRS, 6.0)
    np.testing.assert_allclose(pairs.equity[0], [-10, -5, 1, 1], atol=1e-10)
    assert pairs.default.sum() == 2


def test_a_small_shock_that_pairs_cannot_bear_leaves_the_complete_network_standing():
    """e = 3 is above the pair's own e* = 2 and below 4. Pair: 0 would pay p0 = p1 - 2 and 1 p1 = p0 + 1, which has no
    solution above 0, so p0 = 0, p1 = 1: equity 8 + 1 - 16 = -7 and 1 - 6 = -5. Complete: 0 lacks 2, each of the others
    loses 2/3 of its 1."""
    np.testing.assert_allclose(shocked(PAIRS, 3.0).equity[0], [-7, -5, 1, 1], atol=1e-10)
    np.testing.assert_allclose(shocked(COMPLETE, 3.0).equity[0], [-2, 1 / 3, 1 / 3, 1 / 3], atol=1e-10)
