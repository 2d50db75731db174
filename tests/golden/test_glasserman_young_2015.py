"""Glasserman, P. and Young, H. P. (2015), How likely is contagion in financial networks?, Journal of Banking and
Finance 50, 383-399, proposition 1 (Eisenberg-Noe clearing; only i is hit, by X <= c_i; nobody fails before).

c: outside assets, w: net worth, lambda = c / w, beta: share of i's debts that is owed inside. All of a set D fail
together only if X >= w_i + (sum of w_j over D) / beta_i, and never if sum of w_j over D > w_i beta_i (lambda_i - 1),
the contagion index of i.

Why: let S be all that fail, u_k what k leaves unpaid, a_kj the part of k's debts owed to j. For j in S other than i,
u_j = sum over k of u_k a_kj - w_j; and u_i = X - w_i + sum over k of u_k a_ki. Adding up the first over S without i,
where the a_kj of k sum to at most beta_k - a_ki: sum of w_j <= u_i beta_i - sum over k of u_k (1 - beta_k + a_ki) <=
beta_i (X - w_i), and X <= c_i = lambda_i w_i.
"""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import clear

C, OUTSIDE, INSIDE, WORTH = 50.0, 27.0, 18.0, 5.0
BETA, LAMBDA = INSIDE / (INSIDE + OUTSIDE), C / WORTH
INDEX = WORTH * BETA * (LAMBDA - 1)


def hit(shocks, first, second, leak=0.0):
    """0 (c = 50, w = 5) owes 1 eighteen and outsiders 27; 1 owes 2 thirty, less the leak, which it owes outsiders; they
    have net worth first and second. D = {1, 2}."""
    exposures = np.zeros((3, 3))
    exposures[1, 0], exposures[2, 1] = INSIDE, 30.0 - leak
    losses = np.zeros((len(shocks), 3))
    losses[:, 0] = shocks
    found = clear(
        exposures,
        losses,
        external_assets=[C, first + 12.0, 10.0],
        external_liabilities=[OUTSIDE, leak, 40.0 - leak - second],
    )
    np.testing.assert_allclose(found.initial_equity, [WORTH, first, second], atol=1e-12)
    return found


def test_the_index_by_hand():
    """beta = 18/45 = 2/5, lambda = 50/5 = 10: 5 * (2/5) * 9 = 18. It is what 0's creditors inside lose when all its
    assets go."""
    assert pytest.approx(18.0) == INDEX
    np.testing.assert_allclose(hit([C], 60.0, 20.0).equity[0, 1], 60.0 - INDEX, atol=1e-12)


@pytest.mark.parametrize(("first", "second"), [(8.0, 10.5), (8.0, 15.0), (17.5, 1.0), (1.0, 17.5), (12.0, 12.0)])
@pytest.mark.parametrize("leak", [0.0, 15.0])
def test_no_shock_brings_down_a_set_that_is_worth_more_than_the_index(first, second, leak):
    assert first + second > INDEX
    found = hit(np.linspace(0.0, C, 201), first, second, leak)
    assert not (found.default[:, 1] & found.default[:, 2]).any()


def test_a_set_worth_less_than_the_index_can_fail():
    """w = 8 and 9.5, 17.5 together. All of 50 lost: 1 loses 18, 10 more than it is worth; 2 loses these 10, 1/2 more
    than its worth."""
    found = hit([C], 8.0, 9.5)
    np.testing.assert_allclose(found.equity[0], [-45, -10, -0.5], atol=1e-11)
    assert found.default[0].all()


def test_the_shock_that_it_takes():
    """w_0 + (8 + 9.5) / beta = 5 + 17.5 / 0.4 = 48.75. There 0 leaves 43.75 unpaid, 17.5 of it to 1, which leaves 9.5
    unpaid to 2:
    equity exactly 0. At 48.5 2 keeps 0.1, at 49 it lacks 0.1."""
    found = hit([48.5, 48.75, 49.0], 8.0, 9.5)
    np.testing.assert_allclose(found.equity[:, 2], [0.1, 0.0, -0.1], atol=1e-11)
    np.testing.assert_array_equal(found.default[[0, 2]], [[True, True, False], [True, True, True]])


def test_equality_leaves_the_last_of_the_set_with_nothing_and_not_in_default():
    """w = 8 and 10, 18 together: 1 leaves 10 unpaid, all that 2 is worth. E = 0 is no default."""
    found = hit([C], 8.0, 10.0)
    np.testing.assert_array_equal(found.equity[0], [-45, -10, 0])
    np.testing.assert_array_equal(found.default[0], [True, True, False])


def test_the_condition_is_not_needed_where_debts_leave_the_set():
    """1 owes half of its 30 to outsiders, so of the 10 that it leaves unpaid 2 loses 5: worth 6, it stands, though 8 +
    6 < 18; worth 4, it fails."""
    np.testing.assert_allclose(hit([C], 8.0, 6.0, leak=15.0).equity[0], [-45, -10, 1], atol=1e-12)
    np.testing.assert_allclose(hit([C], 8.0, 4.0, leak=15.0).equity[0], [-45, -10, -1], atol=1e-12)


def test_the_bound_holds_where_the_set_also_owes_the_bank_that_is_hit():
    """2 owes 0 twelve as well (of its debts to outsiders); 0 has 38 outside then, 50 with the claim, and c = 38: lambda
    = 38/5, index 0.4 (38 - 5) = 13.2. With X = 38 and w = 8 and 5, 13 together: if all fail, 0 pays V0 = 12 V2 / 45, 1
    loses 18 (1 - V0) and leaves 10 - 18 V0 unpaid; 2 lacks that less 5, and owes 30 outside and 12 to 0: 42 V2 = 42 -
    (5 - 18 V0) = 37 + 4.8 V2, V2 = 37 / 37.2, V0 = 12 V2 / 45. E2 = -(5 - 18 V0) = -(5 - 4.8 * 37 / 37.2) = -0.2258.
    With w = 8 and 5.3, 13.3: no."""
    exposures = np.zeros((3, 3))
    exposures[1, 0], exposures[2, 1], exposures[0, 2] = 18.0, 30.0, 12.0
    balance = {"external_assets": [38.0, 20.0, 17.0], "external_liabilities": [27.0, 0.0, 30.0]}
    found = clear(exposures, [38.0, 0, 0], **balance)
    np.testing.assert_allclose(found.initial_equity, [5, 8, 5], atol=1e-12)
    np.testing.assert_allclose(found.equity[0, 2], 4.8 * 37 / 37.2 - 5, atol=1e-10)
    assert found.default[0].all()
    richer = clear(exposures, [38.0, 0, 0], **{**balance, "external_assets": [38.0, 20.0, 17.3]})
    assert not richer.default[0, 2]
