"""Settlement with limited liquidity: payments wait in the payer's queue, first in first out, until it has the money.

Terms are those of the Bank of Finland's simulator (Leinonen and Soramaki 1999, Bank of Finland Discussion Papers
16/99). To the minute: all that one participant pays another in a minute is one payment, which may be settled in
parts. Nothing is set off. So what is settled by the end of a minute is the least solution of P_i = min(Q_i, L_i +
what the P_j bring to i), Q: came into the queue so far, L: liquidity at the start. It is one, in whatever order
payments are tried, and grows with liquidity: with more of it, nobody's queue is ever longer. (This holds because
payments can be split and none overtakes another; where they may not be split, more liquidity can delay some.)
"""

# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

MINUTES_A_DAY: Final = 1440
LARGEST_SUM: Final = 9e18

_compiled: Final = njit(cache=True, nogil=True, error_model="numpy")
_inlined: Final = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)


@dataclass(frozen=True, slots=True)
class Queues:
    """One day of T minutes and n participants; money in minor units, payments of a participant to itself left out.

    settled (T,): value settled in each minute. waiting (T,): value in all queues after it. unsettled (n,): value
    still in the payer's queue at the end of the day. balance (n,): liquidity then. delay (n,): mean minutes in the
    payer's queue, weighted by value, to the end of the day for what is not settled; mean_delay: of all.
    delay_indicators (n,), delay_indicator: 0 where nothing waited, 1 where all waited to the end of the day: value
    times time queued, over value times time from its minute to the end of the day (Koponen and Soramaki 1998, Bank
    of Finland Studies E:14); 0 where there was nothing to pay.
    """

    settled: Integers = field(repr=False)
    waiting: Integers = field(repr=False)
    unsettled: Integers = field(repr=False)
    balance: Integers = field(repr=False)
    delay: Floats = field(repr=False)
    mean_delay: float
    delay_indicators: Floats = field(repr=False)
    delay_indicator: float

    @property
    def peak(self) -> int:
        """Largest value in all queues after any minute."""
        return int(self.waiting.max(initial=0))

    @property
    def peak_minute(self) -> int:
        """First minute after which that much waited."""
        return int(self.waiting.argmax()) if len(self.waiting) else 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Liquidity (n,), minor units. With `upper` for everybody nothing ever waits: it is the peak net debit of
    immediate gross settlement, in each minute before anything of that minute is received, since the order within a
    minute is not known. `lower` is the net debit at the end of the day, at least 0: with less, some of a
    participant's payments stay unsettled; with as much for everybody, all might still wait for each other."""

    lower: Integers = field(repr=False)
    upper: Integers = field(repr=False)


def bounds(
    minute: ArrayLike,
    payer: ArrayLike,
    payee: ArrayLike,
    value: ArrayLike,
    participants: int,
    *,
    minutes: int = MINUTES_A_DAY,
) -> Bounds:
    """Upper and lower bound of liquidity (Koponen and Soramaki 1998); arguments and errors as for `queued`."""
    flows = _checked(minute, payer, payee, value, participants, minutes)
    sent, received = np.zeros((2, minutes, participants), dtype=np.int64)
    np.add.at(sent, (flows.minute, flows.payer), flows.value)
    np.add.at(received, (flows.minute, flows.payee), flows.value)
    position = np.cumsum(received - sent, axis=0)
    before = position - received + sent
    upper = np.maximum((sent - before).max(axis=0, initial=0), 0)
    lower = np.maximum(-position[-1], 0) if minutes else np.zeros(participants, dtype=np.int64)
    return Bounds(lower, upper)


def share_of(upper: Integers, share: float) -> Integers:
    """So much of an upper bound, in whole minor units, rounded down; exact for a share of one. share: at least 0
    (ValueError)."""
    if not share >= 0.0:
        raise ValueError(f"a share of {share}; expected at least 0")
    return upper.copy() if share == 1.0 else np.floor(upper * share).astype(np.int64)


def queued(
    minute: ArrayLike,
    payer: ArrayLike,
    payee: ArrayLike,
    value: ArrayLike,
    liquidity: ArrayLike,
    *,
    minutes: int = MINUTES_A_DAY,
) -> Queues:
    """Settle a day's payments in the order in which they come.

    minute, payer, payee, value (m,): ascending minutes from 0 to minutes - 1, participants by number, minor units of
    at least 0; payments of one minute and payer wait in the order given. liquidity (n,): what each can pay before it
    receives, at least 0. Ends by itself, after at most as many steps as payments are used up and participants have
    money, and exactly: there is no tolerance. Raises ValueError for what does not fit that, and OverflowError where
    money would not fit 64 bits.
    """
    opening = _whole("liquidity", liquidity)
    n = len(opening)
    flows = _checked(minute, payer, payee, value, n, minutes)
    incoming = np.bincount(flows.payee, flows.value.astype(np.float64), n)
    if opening.min(initial=0) < 0:
        raise ValueError("liquidity below 0")
    if (opening + incoming).max(initial=0.0) >= LARGEST_SUM:
        raise OverflowError(f"liquidity and receipts of a participant add up to {LARGEST_SUM:.0e} or more")
    order = np.argsort(flows.payer, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(flows.payer, minlength=n))]).astype(np.int64)
    arrivals = np.searchsorted(flows.minute, np.arange(minutes + 1)).astype(np.int64)
    to, when, left = flows.payee[order], flows.minute[order], flows.value[order]
    balance, settled, waiting, waited = opening, *np.zeros((2, minutes), dtype=np.int64), np.zeros(n)
    head, tail = starts[:-1].copy(), starts[:-1].copy()
    path, stamp = np.zeros((2, n + 1), dtype=np.int64)
    settle(
        arrivals, flows.payer, flows.value, to, when, left, balance, head, tail, path, stamp, settled, waiting, waited
    )
    unsettled = np.zeros(n, dtype=np.int64)
    np.add.at(unsettled, flows.payer[order], left)
    waited += _by_payer(flows.payer[order], left, minutes - when, n)
    paid = _by_payer(flows.payer, flows.value, np.ones_like(flows.value), n)
    longest = _by_payer(flows.payer, flows.value, minutes - flows.minute, n)
    delays = (
        _ratio(waited, paid),
        _ratio_in_all(waited, paid),
        _ratio(waited, longest),
        _ratio_in_all(waited, longest),
    )
    return Queues(settled, waiting, unsettled, balance, *delays)


@dataclass(frozen=True, slots=True)
class _Flows:
    minute: Integers
    payer: Integers
    payee: Integers
    value: Integers


def _checked(minute: ArrayLike, payer: ArrayLike, payee: ArrayLike, value: ArrayLike, n: int, minutes: int) -> _Flows:
    """As int64, without payments to oneself and of nothing."""
    given = {"minute": minute, "payer": payer, "payee": payee, "value": value}
    flows = _Flows(*(_whole(name, column) for name, column in given.items()))
    if len({len(flows.minute), len(flows.payer), len(flows.payee), len(flows.value)}) != 1:
        raise ValueError("minute, payer, payee and value differ in length")
    for name, numbers, end in (("minute", flows.minute, minutes), ("payer", flows.payer, n), ("payee", flows.payee, n)):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
            raise ValueError(f"{name} from {numbers.min()} to {numbers.max()}; expected 0 to {end - 1}")
    if flows.value.min(initial=0) < 0:
        raise ValueError(f"a value of {flows.value.min()}; expected at least 0")
    if (np.diff(flows.minute) < 0).any():
        raise ValueError("minutes are not in ascending order")
    if (total := float(flows.value.astype(np.float64).sum())) >= LARGEST_SUM:
        raise OverflowError(f"values add up to {total:.3g}; sums hold below {LARGEST_SUM:.0e}")
    some = (flows.payer != flows.payee) & (flows.value > 0)
    return _Flows(flows.minute[some], flows.payer[some], flows.payee[some], flows.value[some])


def _whole(name: str, given: ArrayLike) -> Integers:
    """A copy as int64."""
    array = np.asarray(given)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(f"{name} {array.shape} of {array.dtype}; expected whole numbers in one dimension")
    return array.astype(np.int64)


def _by_payer(payer: Integers, value: Integers, minutes: Integers, n: int) -> Floats:
    """Value times minutes, added up (n,)."""
    return np.bincount(payer, value.astype(np.float64) * minutes, n).astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0.0)


def _ratio_in_all(part: Floats, whole: Floats) -> float:
    return float(part.sum() / whole.sum()) if whole.sum() > 0.0 else 0.0


@_inlined
def _pay(i, amount, minute, to, when, left, balance, head, waited):
    """Settle so much of the payment at the head of i's queue, from what i has."""
    k = head[i]
    balance[i] -= amount
    balance[to[k]] += amount
    left[k] -= amount
    waited[i] += np.float64(amount) * np.float64(minute - when[k])
    if left[k] == 0:
        head[i] += 1


@_inlined
def _push(i, step, minute, to, when, left, balance, head, tail, path, stamp, waited):
    """Follow i's money from head to head. Where the way ends, at an empty queue, each on it pays what it can; where
    it comes back to itself, the least payment of the circle is settled in all of it at once, since money that goes
    round would do it in the end. Gives what was settled; i is left without money, or a payment on the way is used
    up."""
    count, at, moved = 0, i, np.int64(0)
    while head[at] < tail[at] and stamp[at] != step:
        stamp[at] = step
        path[count] = at
        count += 1
        at = to[head[at]]
    if head[at] == tail[at]:
        for k in range(count):
            amount = min(balance[path[k]], left[head[path[k]]])
            _pay(path[k], amount, minute, to, when, left, balance, head, waited)
            moved += amount
        return moved
    first = count - 1
    while path[first] != at:
        first -= 1
    least = left[head[at]]
    for k in range(first, count):
        least = min(least, left[head[path[k]]])
    for k in range(first, count):
        _pay(path[k], least, minute, to, when, left, balance, head, waited)
        moved += least
    return moved


@_compiled
def settle(arrivals, payer, value, to, when, left, balance, head, tail, path, stamp, settled, waiting, waited):
    """Minute by minute. arrivals (T + 1,): where each minute's payments start among payer and value. to, when, left:
    payments by payer, of i from its head to its tail, which are at its first at the start. path, stamp (n + 1,):
    scratch, noughts."""
    n, queue, step = len(head), np.int64(0), np.int64(0)
    for minute in range(len(settled)):
        for k in range(arrivals[minute], arrivals[minute + 1]):
            tail[payer[k]] += 1
            queue += value[k]
        moved = np.int64(0)
        for i in range(n):
            while balance[i] > 0 and head[i] < tail[i]:
                amount = min(balance[i], left[head[i]])
                _pay(i, amount, minute, to, when, left, balance, head, waited)
                moved += amount
        going = True
        while going:
            going = False
            for i in range(n):
                while balance[i] > 0 and head[i] < tail[i]:
                    going = True
                    step += 1
                    moved += _push(i, step, minute, to, when, left, balance, head, tail, path, stamp, waited)
        settled[minute] = moved
        queue -= moved
        waiting[minute] = queue
