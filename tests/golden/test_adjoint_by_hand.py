"""Derivatives of losses in clearing, default costs and linear DebtRank, derived by hand from the fixed point's
equations.

Clearing as in Eisenberg and Noe 2001, default costs as in Rogers and Veraart 2013, linear DebtRank as in Bardoscia et
al. 2015. X: what the first owes the second's name; L: equity lost in all; W: initial equity in all; the statistic is L
/ W, so that a unit of initial equity adds (dL - L / W) / W. Each docstring is the derivation.
"""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.risk.sensitivity.sensitivity import sensitivity
from poundlock.system import system_from_arrays


def chain():
    """0 lent 1 eight, 1 lent 2 ten. Equity 5, 3, 7; all obligations of 1 are 12, of 2 are 15."""
    return system_from_arrays([[0, 8.0, 0], [0, 0, 10.0], [0, 0, 0]], [1.0, 5.0, 22.0], [4.0, 4.0, 5.0])


def test_a_chain_of_two_failures():
    """2 loses 13: it lacks 6 of 15, so 1 loses 4, lacks 1 of 12, and 0 loses 2/3. L = 7 + 3 + 2/3 = 32/3, W = 15.

    While both fail, L = E1 + E2 + X01 (X12 (13 - E2) / P2 - E1) / P1. Buffers: dL is 0, 1 - 8/12 = 1/3, and 1 - (8/12)
    (10/15) = 5/9, less L / W = 32/45, over 15: -32/675, -17/675, -7/675. In cash an exposure raises P as well: dL by
    X12 is (8/12) (6/15) (1 - 10/15) = 4/45, by X01 (1/12) (1 - 8/12) = 1/36. Without cash the creditor gains a unit of
    equity and the debtor loses one: 4/675 - 17/675 + 7/675 = -6/675.
    """
    found = sensitivity(chain(), [0.0, 0.0, 13.0], level=0.0)
    assert found.value == pytest.approx(32 / 45, rel=1e-14)
    np.testing.assert_allclose(found.by_buffer, np.array([-32, -17, -7]) / 675, rtol=1e-12)
    assert found.by_exposure[0][0, 1] == pytest.approx(1 / 36 / 15, rel=1e-12)
    assert found.by_exposure[0][1, 2] == pytest.approx(4 / 675, rel=1e-12)
    assert found.at_face("exposures")[1, 2] == pytest.approx(-6 / 675, rel=1e-12)
    assert found.largest(1)[0][:3] == ("add buffer", "", "0")


def test_the_tail_counts_its_boundary_draw_in_part():
    """The same beside three draws that lose less: nothing, nothing, and 1 of 2's equity. At level 1/2 + 1/8 the tail
    is 1.5 draws of four: weights 2/3 and 1/3; the second draw has L = 1 and no derivative but -1/225 by anybody's
    buffer."""
    losses = np.array([[0, 0, 0], [0, 0, 13.0], [0, 0, 1.0], [0, 0, 0]])
    found = sensitivity(chain(), losses, level=0.625)
    assert found.tail_draws == 2
    assert found.value == pytest.approx(2 / 3 * 32 / 45 + 1 / 3 / 15, rel=1e-14)
    np.testing.assert_allclose(found.by_buffer, 2 / 3 * np.array([-32, -17, -7]) / 675 - 1 / 675, rtol=1e-12)
    assert found.by_exposure[0][1, 2] == pytest.approx(2 / 3 * 4 / 675, rel=1e-12)


def test_default_costs():
    """0 lent 1 ten and has 20; 1 has 22, owes 5 outside, loses 13: of 9 left half is realised. f = 1 - 4.5 / 15 = 0.7,
    L = 7 + 7 = 14, W = 27. A unit more in 1's hands: dL = 1 - 10 * 0.5 / 15 = 2/3, less 14/27, over 27 = 4/729. A unit
    lent in cash adds one to X, to what 1 has and to what it owes: d X (1 - a / (2 P)) = 0.7 - 10 / 30 + 10 * 4.5 / 225
    = 17/30, over 27."""
    system = system_from_arrays([[0, 10.0], [0, 0]], [10.0, 22.0], [0.0, 5.0])
    found = sensitivity(system, [0.0, 13.0], level=0.0, valuation="default-costs", alpha=0.5, beta=0.9)
    assert found.value == pytest.approx(14 / 27, rel=1e-14)
    np.testing.assert_allclose(found.by_buffer, np.array([-14, 4]) / 729, rtol=1e-12)
    assert found.by_exposure[0][0, 1] == pytest.approx(17 / 810, rel=1e-12)


def test_linear_debtrank():
    """0 lent 1 ten and has 20 of equity; 1 has 5 and loses 2: h = 0.4, L = 2 + 4, W = 25. A unit more for 1 lowers h
    by 2/25, so dL = -0.8; less 6/25, over 25: -26/625. A unit lent in cash loses 0.4."""
    system = system_from_arrays([[0, 10.0], [0, 0]], [10.0, 17.0], [0.0, 2.0])
    found = sensitivity(system, [0.0, 2.0], level=0.0, valuation="linear-debtrank")
    np.testing.assert_allclose(found.by_buffer, np.array([-6, -26]) / 625, rtol=1e-12)
    assert found.by_exposure[0][0, 1] == pytest.approx(0.4 / 25, rel=1e-12)
