"""Queues under limited liquidity: against a simulation that pays again and again until nothing moves, and laws that
hold for any day."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from poundlock.payments.queues import Queues, bounds, queued, share_of

T = 6
Payment = tuple[int, int, int, int]
"""minute, payer, payee, value"""


@dataclass(frozen=True)
class Day:
    n: int
    payments: tuple[Payment, ...]
    liquidity: tuple[int, ...]

    @property
    def columns(self) -> tuple[list[int], list[int], list[int], list[int]]:
        return tuple([p[k] for p in self.payments] for k in range(4))  # type: ignore[return-value]

    def queued(self, liquidity: NDArray[np.int64] | None = None) -> Queues:
        return queued(*self.columns, self.liquidity if liquidity is None else liquidity, minutes=T)

    @property
    def between_others(self) -> list[Payment]:
        return [p for p in self.payments if p[1] != p[2]]


@st.composite
def days(draw: st.DrawFn) -> Day:
    n = draw(st.integers(1, 5))
    who = st.integers(0, n - 1)
    payments = draw(st.lists(st.tuples(st.integers(0, T - 1), who, who, st.integers(0, 20)), max_size=25))
    payments.sort(key=lambda p: p[0])
    return Day(n, tuple(payments), tuple(draw(st.lists(st.integers(0, 25), min_size=n, max_size=n))))


many = settings(deadline=None, max_examples=60)  # the first case compiles


def by_hand(day: Day) -> tuple[list[int], list[int], list[int], list[int], list[int]]:
    """Settled and waiting by minute, unsettled, balance and minutes waited (times value) by payer."""
    queues: list[deque[list[int]]] = [deque() for _ in range(day.n)]
    balance, waited = list(day.liquidity), [0] * day.n
    settled, waiting = [0] * T, [0] * T
    for minute in range(T):
        for when, payer, payee, value in day.between_others:
            if when == minute and value:
                queues[payer].append([when, payee, value])
        moving = True
        while moving:
            moving = False
            for i, queue in enumerate(queues):
                while queue and balance[i] > 0:
                    amount = min(balance[i], queue[0][2])
                    balance[i] -= amount
                    balance[queue[0][1]] += amount
                    queue[0][2] -= amount
                    settled[minute] += amount
                    waited[i] += amount * (minute - queue[0][0])
                    moving = True
                    if queue[0][2] == 0:
                        queue.popleft()
        waiting[minute] = sum(p[2] for queue in queues for p in queue)
    for i, queue in enumerate(queues):
        waited[i] += sum(p[2] * (T - p[0]) for p in queue)
    return settled, waiting, [sum(p[2] for p in queue) for queue in queues], balance, waited


@many
@given(days())
def test_what_is_settled_is_what_paying_again_and_again_settles(day: Day):
    found = day.queued()
    settled, waiting, unsettled, balance, waited = by_hand(day)
    assert found.settled.tolist() == settled
    assert found.waiting.tolist() == waiting
    assert found.unsettled.tolist() == unsettled
    assert found.balance.tolist() == balance
    paid = [sum(p[3] for p in day.between_others if p[1] == i) for i in range(day.n)]
    longest = [sum(p[3] * (T - p[0]) for p in day.between_others if p[1] == i) for i in range(day.n)]
    for i in range(day.n):
        assert found.delay[i] == pytest.approx(waited[i] / paid[i] if paid[i] else 0.0)
        assert found.delay_indicators[i] == pytest.approx(waited[i] / longest[i] if longest[i] else 0.0)
    assert found.mean_delay == pytest.approx(sum(waited) / sum(paid) if sum(paid) else 0.0)
    assert found.delay_indicator == pytest.approx(sum(waited) / sum(longest) if sum(longest) else 0.0)
    assert found.peak == max(waiting)
    assert found.peak_minute == waiting.index(max(waiting))


@many
@given(days())
def test_nothing_is_lost_and_nobody_goes_below_nought(day: Day):
    found = day.queued()
    value = sum(p[3] for p in day.between_others)
    assert found.settled.sum() + found.unsettled.sum() == value
    assert found.waiting[-1] == found.unsettled.sum()
    assert found.balance.sum() == sum(day.liquidity)
    assert (found.balance >= 0).all()
    assert (found.unsettled == 0).tolist() == [q == 0 for q in by_hand(day)[2]]
    assert 0.0 <= found.delay_indicator <= 1.0
    assert not ((found.balance > 0) & (found.unsettled > 0)).any(), "who has money has an empty queue"


@many
@given(days())
def test_nothing_waits_at_the_upper_bound(day: Day):
    limits = bounds(*day.columns, day.n, minutes=T)
    found = day.queued(limits.upper)
    assert found.peak == 0
    assert found.delay_indicator == 0.0
    assert found.unsettled.sum() == 0
    assert (limits.upper >= limits.lower).all()


@many
@given(days())
def test_who_has_nothing_and_pays_before_it_receives_has_to_wait(day: Day):
    """Even where all others are at their bound. Its own bound is then above nought."""
    limits = bounds(*day.columns, day.n, minutes=T)
    for i in range(day.n):
        first = min((p[0] for p in day.between_others if p[1] == i and p[3]), default=None)
        if first is None or any(p[2] == i and p[3] and p[0] <= first for p in day.between_others):
            continue
        assert limits.upper[i] > 0
        less = limits.upper.copy()
        less[i] = 0
        assert day.queued(less).delay_indicators[i] > 0.0


@many
@given(days())
def test_below_the_lower_bound_something_stays_unsettled(day: Day):
    limits = bounds(*day.columns, day.n, minutes=T)
    short = np.array(day.liquidity) < limits.lower
    assert (day.queued().unsettled[short] > 0).all()


@many
@given(days(), st.integers(0, 4), st.integers(1, 20))
def test_with_more_liquidity_no_queue_is_longer(day: Day, who: int, more: int):
    richer = np.array(day.liquidity)
    richer[who % day.n] += more
    before, after = day.queued(), day.queued(richer)
    assert (after.waiting <= before.waiting).all()
    assert (after.unsettled <= before.unsettled).all()
    assert (np.cumsum(after.settled) >= np.cumsum(before.settled)).all()
    assert (after.delay_indicators <= before.delay_indicators + 1e-12).all()


@many
@given(days(), st.randoms(use_true_random=False))
def test_the_numbers_of_participants_do_not_matter(day: Day, shuffle: object):
    order = list(range(day.n))
    shuffle.shuffle(order)  # type: ignore[attr-defined]
    liquidity = [0] * day.n
    for i, amount in enumerate(day.liquidity):
        liquidity[order[i]] = amount
    renamed = Day(day.n, tuple((t, order[i], order[j], v) for t, i, j, v in day.payments), tuple(liquidity))
    found, other = day.queued(), renamed.queued()
    assert found.settled.tolist() == other.settled.tolist()
    assert found.unsettled.tolist() == other.unsettled[order].tolist()
    assert found.balance.tolist() == other.balance[order].tolist()
    assert found.delay.tolist() == pytest.approx(other.delay[order].tolist())


@many
@given(days())
def test_without_liquidity_all_waits_to_the_end(day: Day):
    found = day.queued(np.zeros(day.n, dtype=np.int64))
    value = sum(p[3] for p in day.between_others)
    assert found.unsettled.sum() == value
    assert found.delay_indicator == (1.0 if value else 0.0)


def test_a_day_by_hand():
    """0 owes 1 ten at minute 1 and has four; 1 owes 0 ten at minute 3 and has nothing; 2 pays 1 six at minute 4."""
    found = queued([1, 3, 4], [0, 1, 2], [1, 0, 1], [10, 10, 6], [4, 0, 6], minutes=10)
    assert found.settled.tolist() == [0, 4, 0, 6 + 10, 6, 0, 0, 0, 0, 0], (
        "at minute 3 the four go round until all is paid"
    )
    assert found.waiting.tolist() == [0, 6, 6, 0, 0, 0, 0, 0, 0, 0]
    assert found.delay.tolist() == [6 * 2 / 10, 0.0, 0.0]
    assert found.mean_delay == 12 / 26
    assert found.delay_indicator == 12 / (10 * 9 + 10 * 7 + 6 * 6)
    assert found.balance.tolist() == [4, 6, 0]
    assert (found.peak, found.peak_minute) == (6, 1)


def test_gridlock_opens_with_one_unit_however_much_is_owed():
    """Three owe each other in a circle. One unit would go round 10^15 times; it is not counted out."""
    columns = ([0, 0, 0], [0, 1, 2], [1, 2, 0], [10**15 + 5, 10**15, 10**15 + 9])
    stuck = queued(*columns, [0, 0, 0])
    assert stuck.settled.sum() == 0
    assert stuck.delay_indicator == 1.0
    found = queued(*columns, [0, 1, 0])
    assert found.unsettled.tolist() == [5, 0, 9]
    assert found.balance.tolist() == [0, 1, 0]
    assert found.settled[0] == 3 * 10**15


def test_what_one_pays_itself_needs_no_liquidity_and_holds_nobody_up():
    found = queued([0, 0], [0, 0], [0, 1], [50, 5], [5, 0], minutes=2)
    assert found.settled.tolist() == [5, 0]
    assert found.unsettled.tolist() == [0, 0]
    limits = bounds([0, 0], [0, 0], [0, 1], [50, 5], 2, minutes=2)
    assert limits.upper.tolist() == [5, 0]
    assert limits.lower.tolist() == [5, 0]


def test_bounds_by_hand():
    """0 pays 1 seven, receives ten in the same minute, and pays three more later: seven before it receives, nothing
    at the end."""
    limits = bounds([0, 0, 2], [0, 1, 0], [1, 0, 1], [7, 10, 3], 2, minutes=3)
    assert limits.upper.tolist() == [7, 10]
    assert limits.lower.tolist() == [0, 0]


def test_shares_of_the_upper_bound():
    upper = np.array([2**62 + 1, 7, 0])
    assert share_of(upper, 1.0).tolist() == upper.tolist()
    assert share_of(upper, 0.5).tolist() == [2**61, 3, 0]
    assert share_of(upper, 0.0).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="at least 0"):
        share_of(upper, -0.1)
    with pytest.raises(ValueError, match="at least 0"):
        share_of(upper, float("nan"))


def test_a_day_without_payments():
    found = queued([], [], [], [], [3, 4])
    assert found.settled.shape == found.waiting.shape == (1440,)
    assert (found.mean_delay, found.delay_indicator, found.peak, found.peak_minute) == (0.0, 0.0, 0, 0)
    assert found.balance.tolist() == [3, 4]
    assert bounds([], [], [], [], 2).upper.tolist() == [0, 0]
    assert queued([], [], [], [], []).unsettled.shape == (0,)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (([0], [0], [1], [-1]), "a value of -1"),
        (([1, 0], [0, 0], [1, 1], [1, 1]), "not in ascending order"),
        (([1440], [0], [1], [1]), "minute from 1440"),
        (([0], [2], [1], [1]), "payer from 2 to 2; expected 0 to 1"),
        (([0], [0], [-1], [1]), "payee from -1"),
        (([0, 1], [0], [1], [1]), "differ in length"),
        (([0], [0], [1], [1.5]), "value .* expected whole numbers"),
    ],
)
def test_payments_that_make_no_sense_are_refused(columns: tuple[list[int], ...], said: str):
    with pytest.raises(ValueError, match=said):
        queued(*columns, [1, 1])  # type: ignore[arg-type]


def test_money_that_does_not_fit_64_bits_is_an_error():
    with pytest.raises(OverflowError, match="values add up"):
        queued([0, 0], [0, 0], [1, 1], [5 * 10**18] * 2, [0, 0])
    with pytest.raises(OverflowError, match="liquidity and receipts"):
        queued([0], [0], [1], [5 * 10**18], [0, 5 * 10**18])
    with pytest.raises(ValueError, match="liquidity below 0"):
        queued([], [], [], [], [-1])
    large = queued([0], [0], [1], [8 * 10**18], [8 * 10**18, 0])
    assert large.balance.tolist() == [0, 8 * 10**18]
