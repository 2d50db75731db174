"""What one institution owes another by what happens to an asset class: credit insurance, first loss, warrants, reinsurance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cover:
    """The payer owes the payee min(limit, share * max(0, x - deductible)) a year, and pays what it can.

    x: what `amount` in asset class number `pool` loses, before any margin, or (on = 'gain') what it gains; or, where `of` is the number of
    an earlier cover, what falls due under that one (reinsurance). payer, payee: institution numbers. amount, deductible, limit:
    money; of a gain the deductible may be negative, down to -amount. rank: seniority among the payer's obligations.
    """

    payer: int
    payee: int
    pool: int
    amount: float
    share: float = 1.0
    deductible: float = 0.0
    limit: float = inf
    on: Literal["loss", "gain"] = "loss"
    of: int = -1
    rank: int = 1


def pairs_of(covers: Sequence[Cover]) -> tuple[tuple[int, int, int], ...]:
    """Payer, payee and rank, each once, in order of first appearance: dues are stated by pair."""
    return tuple(dict.fromkeys((c.payer, c.payee, c.rank) for c in covers))


def due_under(covers: Sequence[Cover], lost: Floats) -> Floats:
    """What falls due under each cover. lost: (s, k), share of each asset class that is lost before any margin, negative for a gain. Returns
    (s, c), money."""
    if not covers:
        return np.zeros((len(lost), 0))
    signed = np.array([0.0 if c.of >= 0 else c.amount if c.on == "loss" else -c.amount for c in covers])
    share, deductible, limit = (
        np.array([getattr(c, name) for c in covers]) for name in ("share", "deductible", "limit")
    )
    x = lost[:, [max(c.pool, 0) for c in covers]] * signed
    found = np.minimum(limit, share * np.maximum(0.0, x - deductible))
    for number, c in enumerate(covers):
        if c.of >= 0:
            found[:, number] = np.minimum(c.limit, c.share * np.maximum(0.0, found[:, c.of] - c.deductible))
    return np.asarray(found)


def dues_by_pair(covers: Sequence[Cover], lost: Floats) -> Floats:
    """The same added up by pair of `pairs_of`, as `propagate` takes them. (s, m)."""
    number = {pair: m for m, pair in enumerate(pairs_of(covers))}
    found = np.zeros((len(lost), len(number)))
    for column, c in zip(due_under(covers, lost).T, covers, strict=True):
        found[:, number[c.payer, c.payee, c.rank]] += column
    return found
