"""Unwinding a failure to settle: against a version that goes pair by pair, and laws that hold for any day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.payments.unwinding import Unwinding, losses, unwound


@dataclass(frozen=True)
class Day:
    gross: list[list[int]]
    failed: list[int]
    liquidity: list[int]
    buffers: list[int]

    @property
    def n(self) -> int:
        return len(self.gross)

    def unwound(self) -> Unwinding:
        return unwound(self.gross, self.failed, buffers=self.buffers, liquidity=self.liquidity)


@st.composite
def days(draw: st.DrawFn) -> Day:
    n = draw(st.integers(1, 6))
    amounts = st.lists(st.integers(0, 30), min_size=n, max_size=n)
    gross = draw(st.lists(amounts, min_size=n, max_size=n))
    failed = draw(st.lists(st.integers(0, n - 1), max_size=3))
    few = st.lists(st.integers(0, 25), min_size=n, max_size=n)
    return Day(gross, failed, draw(few), draw(few))


many = settings(deadline=None, max_examples=80)


def net_without(day: Day, gone: set[int], i: int) -> int:
    others = [j for j in range(day.n) if j != i and j not in gone]
    return sum(day.gross[j][i] for j in others) - sum(day.gross[i][j] for j in others)


def by_hand(day: Day) -> tuple[dict[int, int], dict[int, int], dict[int, int], int]:
    """Round of failure, net position and shortfall at the end or at failure, and rounds."""
    before = {i: net_without(day, set(), i) for i in range(day.n)}
    failed_in = dict.fromkeys(day.failed, 0)
    after, short, rounds, fresh = dict(before), dict.fromkeys(range(day.n), 0), 0, set(day.failed)
    while fresh:
        rounds += 1
        gone, fresh = set(failed_in), set()
        for i in set(range(day.n)) - gone:
            after[i] = net_without(day, gone, i)
            can_pay = max(day.liquidity[i], -before[i])
            short[i] = max(0, -after[i] - can_pay)
            if after[i] < before[i] and short[i] > day.buffers[i]:
                fresh.add(i)
        failed_in |= dict.fromkeys(fresh, rounds)
    return failed_in, after, short, rounds


@many
@given(days())
def test_every_number_is_that_of_going_pair_by_pair(day: Day):
    found = day.unwound()
    failed_in, after, short, rounds = by_hand(day)
    assert found.failed_in.tolist() == [failed_in.get(i, -1) for i in range(day.n)]
    assert found.failed.tolist() == [i in failed_in for i in range(day.n)]
    assert found.net_before.tolist() == [net_without(day, set(), i) for i in range(day.n)]
    assert found.net_after.tolist() == [after[i] for i in range(day.n)]
    assert found.shortfall.tolist() == [short[i] for i in range(day.n)]
    assert found.rounds == rounds <= day.n
    assert found.converged
    pairs = [(i, j) for i in range(day.n) for j in range(day.n) if i != j and (i in failed_in or j in failed_in)]
    assert found.unsettled == sum(day.gross[i][j] for i, j in pairs)


@many
@given(days())
def test_positions_of_those_that_settle_add_up_to_nought(day: Day):
    found = day.unwound()
    assert found.net_before.sum() == 0
    assert found.net_after[~found.failed].sum() == 0
    assert found.change[found.failed_in == 0].any() == False  # noqa: E712 - numpy's
    fallen = found.failed_in > 0
    assert (found.change[fallen] < 0).all()
    assert (found.shortfall[fallen] > np.array(day.buffers)[fallen]).all()
    assert (found.shortfall[~found.failed] <= np.array(day.buffers)[~found.failed]).all()


@many
@given(days())
def test_a_shortfall_is_no_more_than_what_the_position_lost(day: Day):
    found = day.unwound()
    assert (found.shortfall <= losses(found)).all()


def test_a_chain_by_hand():
    """0 pays 1 ten, 1 pays 2 ten, 2 pays 3 ten. When 0 fails, 1 owes ten that it does not have, then 2; 3 loses ten
    and owes nothing."""
    gross = np.zeros((4, 4), dtype=np.int64)
    gross[0, 1] = gross[1, 2] = gross[2, 3] = 10
    found = unwound(gross, [0], buffers=[0, 9, 9, 0])
    assert found.failed_in.tolist() == [0, 1, 2, -1]
    assert found.net_before.tolist() == [-10, 0, 0, 10]
    assert found.net_after.tolist() == [-10, -10, -10, 0]
    assert found.shortfall.tolist() == [0, 10, 10, 0]
    assert (found.rounds, found.unsettled) == (3, 30)
    assert losses(found).tolist() == [0.0, 10.0, 10.0, 10.0]
    assert losses(found, lost_share=0.25).tolist() == [0.0, 2.5, 2.5, 2.5]
    borne = unwound(gross, [0], buffers=[0, 10, 0, 0])
    assert borne.failed_in.tolist() == [0, -1, -1, -1]
    assert (borne.rounds, borne.unsettled) == (1, 10)
    paid = unwound(gross, [0], liquidity=[0, 10, 0, 0])
    assert paid.failed_in.tolist() == [0, -1, -1, -1]
    assert paid.shortfall.tolist() == [0, 0, 0, 0]


def test_a_debit_that_was_there_before_fails_nobody():
    """1 owes 2 fifty with and without 0, which owes it one."""
    gross = np.array([[0, 1, 0], [0, 0, 50], [0, 0, 0]])
    assert unwound(gross, [0]).failed_in.tolist() == [0, 1, -1]
    assert unwound(gross, [0]).shortfall.tolist() == [0, 1, 0]
    assert unwound(gross, [0], buffers=[0, 1, 0]).failed_in.tolist() == [0, -1, -1]
    relieved = np.array([[0, 0, 0], [5, 0, 50], [0, 0, 0]])
    assert unwound(relieved, [0]).failed_in.tolist() == [0, -1, -1], "who owed those that failed is better off"


def test_rounds_can_be_bounded_and_say_so():
    gross = np.zeros((4, 4), dtype=np.int64)
    gross[0, 1] = gross[1, 2] = gross[2, 3] = 10
    found = unwound(gross, [0], max_rounds=1)
    assert (found.rounds, found.converged) == (1, False)
    assert found.failed_in.tolist() == [0, 1, -1, -1]
    assert unwound(gross, [0], max_rounds=3).converged


def test_nobody_failed_and_everybody_failed():
    gross = np.full((3, 3), 4)
    none = unwound(gross, [])
    assert (none.rounds, none.converged, none.unsettled) == (0, True, 0)
    assert none.change.tolist() == [0, 0, 0]
    everybody = unwound(gross, [2, 0, 1, 1])
    assert (everybody.rounds, everybody.converged, everybody.unsettled) == (1, True, 24)
    assert unwound(np.zeros((0, 0), dtype=np.int64), []).unsettled == 0


def test_what_one_pays_itself_is_no_part_of_it():
    found = unwound([[10**18, 0], [3, 10**18]], [0])
    assert found.net_before.tolist() == [3, -3]
    assert found.unsettled == 3


def test_money_that_does_not_fit_64_bits_is_an_error():
    with pytest.raises(OverflowError, match="9e"):
        unwound([[0, 5 * 10**18], [5 * 10**18, 0]], [0])
    largest = np.iinfo(np.int64).max
    found = unwound([[0, 8 * 10**18], [0, 0]], [0], liquidity=[largest] * 2, buffers=[largest] * 2)
    assert found.unsettled == 8 * 10**18


@pytest.mark.parametrize(
    ("gross", "failed", "more", "said"),
    [
        ([[0, 1]], [0], {}, r"expected \(n, n\)"),
        ([[0, 1.5], [0, 0]], [0], {}, "whole numbers"),
        ([[0, -1], [0, 0]], [0], {}, "payments below 0"),
        ([[0, 1], [0, 0]], [2], {}, "expected 0 to 1"),
        ([[0, 1], [0, 0]], [-1], {}, "expected 0 to 1"),
        ([[0, 1], [0, 0]], [0], {"buffers": [1]}, "buffers"),
        ([[0, 1], [0, 0]], [0], {"liquidity": [1, -1]}, "liquidity below 0"),
    ],
)
def test_what_makes_no_sense_is_refused(
    gross: list[list[int]], failed: list[int], more: dict[str, list[int]], said: str
):
    with pytest.raises(ValueError, match=said):
        unwound(gross, failed, **more)


def test_a_lost_share_is_a_share():
    with pytest.raises(ValueError, match="expected 0 to 1"):
        losses(unwound([[0]], []), lost_share=1.1)
