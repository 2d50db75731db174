"""A participant's failure to settle where payments are settled net at the end of the day: its payments are taken out,
and the others pay.

All payments to and from those that failed are unwound, and what every other owes or is owed is found again without
them. Who then owes more than it can pay fails too, and so on: simulations that began with Humphrey (1986, in
Saunders and White, Technology and the Regulation of Financial Markets) and Angelini, Maresca and Russo (1996,
Journal of Banking and Finance 20(5)). Rules for such a default are what PFMI, principle 13, asks of a system.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.int64]
LARGEST_SUM: Final = 9e18


@dataclass(frozen=True, slots=True)
class Unwinding:
    """n participants; minor units; positions above 0 are to be received.

    net_before (n,): multilateral net position with all payments; net_after (n,): without those that were unwound,
    after the last unwinding that the participant was there for: of who failed, before it failed. shortfall (n,):
    what it then owes beyond its liquidity and beyond what it owed before, at least 0. failed_in (n,): round in which
    it failed, 0 for those given, -1 for never. rounds: unwindings. converged: whether the last one brought no
    further failure. unsettled: value of all payments unwound.
    """

    net_before: Integers = field(repr=False)
    net_after: Integers = field(repr=False)
    shortfall: Integers = field(repr=False)
    failed_in: Integers = field(repr=False)
    rounds: int
    converged: bool
    unsettled: int

    @property
    def change(self) -> Integers:
        """New less old net position (n,); below 0 where it was to receive more from those that failed than to pay
        them."""
        return self.net_after - self.net_before

    @property
    def failed(self) -> NDArray[np.bool_]:
        """Who failed, the first ones too (n,)."""
        return self.failed_in >= 0


def unwound(
    gross: ArrayLike,
    failed: Sequence[int],
    *,
    buffers: ArrayLike | None = None,
    liquidity: ArrayLike | None = None,
    max_rounds: int | None = None,
) -> Unwinding:
    """Unwind the payments of those that failed, round by round until nobody fails.

    gross (n, n): what i pays j this day, minor units; the diagonal has no part in it. failed: numbers of those that
    do not settle. liquidity (n,): what each can pay at the end of the day, default 0; at least what it owed before,
    which it had come to pay. buffers (n,): equity that bears a shortfall, default 0. A participant fails whose net
    debit exceeds its liquidity, and what it owed before, by more than its buffer: so only one whose position was
    made worse. Ends after n rounds at most, or at max_rounds, told by `converged`. Raises ValueError for shapes, for
    numbers below 0 and participants that are not there, OverflowError where payments add up to 9e18 or more.
    """
    owed, can_pay, bears = _checked(gross, buffers, liquidity)
    n = len(owed)
    failed_in = np.full(n, -1, dtype=np.int64)
    fresh = np.unique(np.asarray(failed, dtype=np.int64))
    if len(fresh) and not 0 <= fresh[0] <= fresh[-1] < n:
        raise ValueError(f"participants {fresh[0]} to {fresh[-1]} failed; expected 0 to {n - 1}")
    before: Integers = owed.sum(axis=0) - owed.sum(axis=1)
    means = np.maximum(can_pay, -before)
    after, shortfall = before.copy(), np.zeros(n, dtype=np.int64)
    rounds, most = 0, n if max_rounds is None else max_rounds
    failed_in[fresh] = 0
    while len(fresh) and rounds < most:
        rounds += 1
        alive = failed_in < 0
        after[alive] -= (owed[fresh].sum(axis=0) - owed[:, fresh].sum(axis=1))[alive]
        shortfall[alive] = np.maximum(-after - means, 0)[alive]
        fresh = np.flatnonzero(alive & (shortfall > bears))
        failed_in[fresh] = rounds
    alive = failed_in < 0
    unsettled = int(owed.sum()) - int(owed[alive][:, alive].sum())
    return Unwinding(before, after, shortfall, failed_in, rounds, len(fresh) == 0, unsettled)


def losses(unwinding: Unwinding, *, lost_share: float = 1.0) -> NDArray[np.float64]:
    """What each participant loses as a creditor of those that failed before it (n,), minor units, losses positive:
    losses of a named scenario.

    It is lost_share of what its position was made worse by, max(0, -change): what it was to receive from them less
    what it was to pay them. The whole of it is lost where it had let its customers have the money and those that
    failed repay nothing (Humphrey 1986); lost_share is one less what is recovered, 0 to 1 (ValueError). Those that
    failed first lose nothing by the unwinding. Not limited to the buffer: a loss beyond equity is for the contagion
    engine to pass on.
    """
    if not 0.0 <= lost_share <= 1.0:
        raise ValueError(f"a lost share of {lost_share}; expected 0 to 1")
    return lost_share * np.maximum(-unwinding.change, 0).astype(np.float64)


def _checked(
    gross: ArrayLike, buffers: ArrayLike | None, liquidity: ArrayLike | None
) -> tuple[Integers, Integers, Integers]:
    """Payments without the diagonal, liquidity and buffers."""
    owed = np.array(gross)
    if owed.ndim != 2 or owed.shape[0] != owed.shape[1] or (owed.size and owed.dtype.kind not in "iu"):
        raise ValueError(f"payments {owed.shape} of {owed.dtype}; expected (n, n) whole numbers")
    owed = owed.astype(np.int64)
    np.fill_diagonal(owed, 0)
    vectors = []
    for name, given in (("liquidity", liquidity), ("buffers", buffers)):
        vector = np.zeros(len(owed), dtype=np.int64) if given is None else np.array(given, dtype=np.int64)
        if vector.shape != (len(owed),):
            raise ValueError(f"{name} {vector.shape}; expected ({len(owed)},)")
        if vector.min(initial=0) < 0:
            raise ValueError(f"{name} below 0")
        vectors.append(vector)
    if owed.min(initial=0) < 0:
        raise ValueError("payments below 0")
    if owed.astype(np.float64).sum() >= LARGEST_SUM:
        raise OverflowError(f"payments add up to {LARGEST_SUM:.0e} or more")
    return owed, vectors[0], vectors[1]
