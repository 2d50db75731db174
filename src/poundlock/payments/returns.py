"""Totals that institutions send in: settled payments by day, institution, region, platform and side."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from poundlock.payments.ledger import RETURN_COLUMNS, SIDES
from poundlock.payments.tables import Integers, Texts, days_of, known, once
from poundlock.problems import Place, Problem
from poundlock.reading import Column, InputFile, read_table

if TYPE_CHECKING:
    from poundlock.payments.market import MarketFile

_NUMBERS: Final = ("payments", "value")
_KEY: Final = RETURN_COLUMNS[:5]
_COLUMNS: Final = tuple(
    Column(
        name,
        "integer" if name in _NUMBERS else "text",
        minimum=0 if name in _NUMBERS else None,
        choices=SIDES if name == "side" else (),
    )
    for name in RETURN_COLUMNS
)


@dataclass(frozen=True)
class Returns:
    """Rows (m,), each day, institution, region, platform and side once. day: dt.date objects; side: sent or received;
    payments: how many (payments, not records); value: minor units; neither below 0."""

    file: InputFile
    day: Texts = field(repr=False)
    institution: Texts = field(repr=False)
    region: Texts = field(repr=False)
    platform: Texts = field(repr=False)
    side: Texts = field(repr=False)
    payments: Integers = field(repr=False)
    value: Integers = field(repr=False)

    def __len__(self) -> int:
        return len(self.day)


def read_returns(
    path: Path, market: MarketFile, problems: list[Problem], *, declared_at: Place | None = None
) -> Returns | None:
    """Read a table of RETURN_COLUMNS. Adds every Problem, and returns None if there was one."""
    before = len(problems)
    table = read_table(path, _COLUMNS, problems, declared_at=declared_at)
    if table is None:
        return None
    day = days_of(table, problems)
    for column, codes in (
        ("institution", market.institutions),
        ("region", market.regions),
        ("platform", market.platforms),
    ):
        known(table, column, codes, problems)
    once(table, _KEY, problems)
    if len(problems) > before:
        return None
    institution, region, platform, side = (table[name] for name in _KEY[1:])
    return Returns(table.file, day, institution, region, platform, side, table["payments"], table["value"])
