"""A run of a stage as the naive witness of the machine knows it, and the quarters of the year."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any


def quarter_end(year: int, quarter: int) -> dt.date:
    return (dt.date(year, 12, 31), dt.date(year, 3, 31), dt.date(year, 6, 30), dt.date(year, 9, 30))[quarter % 4]


def quarters(first: dt.date, last: dt.date) -> list[tuple[int, int]]:
    """Those that begin on or after the first day and on or before the last."""
    found = [(y, q) for y in range(first.year, last.year + 1) for q in (1, 2, 3, 4)]
    return [(y, q) for y, q in found if first <= dt.date(y, 3 * q - 2, 1) <= last]


@dataclass
class Run:
    stage: str
    id: str
    state: str
    since: dt.date
    ends: dt.date
    started: dt.date | None = None
    began: int = 0
    decide_on: dt.date | None = None
    check: dict[str, Any] | None = None
    breached: int = 0
    waivers: list[tuple[int, str, dt.date]] = field(default_factory=list)
    joined: list[list[Any]] = field(default_factory=list)
    filed: set[tuple[str, tuple[int, int]]] = field(default_factory=set)
    last_filed: int = 0

    def owed(self, day: dt.date) -> set[tuple[str, tuple[int, int]]]:
        """Every return that is owed of a quarter that began by the day."""
        return {
            (who, q)
            for who, since, left in self.joined
            for q in quarters(since, day)
            if left is None or dt.date(q[0], 3 * q[1] - 2, 1) <= left
        }
