"""Greenwood, R., Landier, A. and Thesmar, D. (2015), Vulnerable banks, Journal of Financial Economics 115(3), 471-485,
section 2.

Banks return to their leverage by selling all assets in proportion; prices fall in proportion to what is sold; one
round. With A the assets, M the portfolio weights, B debt over equity, L the fall of a price for a unit sold, f the
shock: losses A M f, sales M' B A M f, second losses A M L M' B A M f, on all that was held (realised = 1). The paper's
numbers are from bank data that it does not print; here two banks and two assets by hand.
"""

from __future__ import annotations

import numpy as np

from poundlock.contagion import FireSales, propagate
from poundlock.system import system_from_arrays

HOLDINGS = np.array([[60.0, 40.0], [10.0, 40.0]])
DEPTH = np.array([1000.0, 500.0])
ONE_ROUND = FireSales(rule="target", realised=1.0, max_rounds=1)


def sold(losses, loans=0.0):
    """Assets 100 and 50, equity 10 each; 0 may have loans beside, financed by debt."""
    system = system_from_arrays(
        np.zeros((2, 2)), [100.0 + loans, 50.0], [90.0 + loans, 40.0], holdings=HOLDINGS, depth=DEPTH
    )
    return propagate(system, losses, sales=ONE_ROUND)


def test_two_banks_two_assets():
    """B = 9 and 4. The first asset falls by 1 %: losses 0.6 and 0.1. Sales 9 * 0.6 = 5.4, of which 3.24 and 2.16; 4 *
    0.1 = 0.4, of which 0.08 and 0.32. Prices fall by 3.32 / 1000 = 0.00332 and 2.48 / 500 = 0.00496. Second losses
    60 * 0.00332 + 40 * 0.00496 = 0.3976 and 10 * 0.00332 + 40 * 0.00496 = 0.2316; vulnerability of the whole 0.6292 /
    20."""
    found = sold([0.6, 0.1])
    np.testing.assert_allclose(found.trade.price[0], [1 - 0.00332, 1 - 0.00496], atol=1e-14)
    np.testing.assert_allclose(found.loss_by_channel["prices"][0], [0.3976, 0.2316], atol=1e-12)
    np.testing.assert_allclose(found.equity[0], [10 - 0.6 - 0.3976, 10 - 0.1 - 0.2316], atol=1e-12)
    np.testing.assert_allclose(found.loss_by_channel["prices"].sum() / 20, 0.03146, atol=1e-12)


def test_the_matrix_of_the_paper():
    """The same as A M L M' B A M f, and for any shock to both assets that nobody fails from."""
    size = np.diag(HOLDINGS.sum(axis=1))
    weight = HOLDINGS / HOLDINGS.sum(axis=1, keepdims=True)
    debt = np.diag([9.0, 4.0])
    for f in ([0.01, 0.0], [0.0, 0.02], [0.003, 0.007]):
        first = size @ weight @ f
        second = size @ weight @ np.diag(1 / DEPTH) @ weight.T @ debt @ first
        np.testing.assert_allclose(sold(first).loss_by_channel["prices"][0], second, atol=1e-12)


def test_what_each_bank_adds_is_additive():
    """Section 2: the contribution of each bank is what its own sales cost. 0 alone: sells 3.24 and 2.16, prices fall by
    0.00324 and 0.00432, losses 0.1944 + 0.1728 = 0.3672 and 0.0324 + 0.1728 = 0.2052. 1 alone: 0.08 and 0.32, 0.00008
    and 0.00064, losses 0.0048 + 0.0256 = 0.0304 and 0.0008 + 0.0256 = 0.0264. Together 0.3976 and 0.2316, as above."""
    first, second = (sold(losses).loss_by_channel["prices"][0] for losses in ([0.6, 0.0], [0.0, 0.1]))
    np.testing.assert_allclose(first, [0.3672, 0.2052], atol=1e-12)
    np.testing.assert_allclose(second, [0.0304, 0.0264], atol=1e-12)
    np.testing.assert_allclose(first + second, sold([0.6, 0.1]).loss_by_channel["prices"][0], atol=1e-12)


def test_a_bank_that_fails_sells_all_and_no_more():
    """0 has loans of 20 beside and loses 12 of them, more than its equity: it sells 60 and 40. Prices fall by 0.06 and
    0.08, losses 3.6 + 3.2 = 6.8 and 0.6 + 3.2 = 3.8. A loss of 9.5 leaves 0.5: debt over equity 110 / 10 = 11 asks for
    104.5, more than it holds, so it sells the same."""
    for loss in (12.0, 9.5):
        found = sold([loss, 0.0], loans=20.0)
        np.testing.assert_allclose(found.trade.price[0], [0.94, 0.92], atol=1e-14)
        np.testing.assert_allclose(found.equity[0], [10 - loss - 6.8, 10 - 3.8], atol=1e-12)


def test_no_loss_no_sale_and_gains_are_not_answered_by_sales():
    for losses in ([0.0, 0.0], [-1.0, -1.0]):
        np.testing.assert_array_equal(sold(losses).trade.price[0], [1.0, 1.0])
