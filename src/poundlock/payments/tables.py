"""Tables beside the records: customers' money and its reserves, and loans that banks make together with partners."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.mistakes import Mistakes
from poundlock.problems import Place, Problem
from poundlock.reading import Column, InputFile, Table, read_table

if TYPE_CHECKING:
    from poundlock.payments.market import MarketFile

Texts = NDArray[np.object_]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class ReservesTable:
    """Rows (m,). platform: texts; day: dt.date objects; customer_funds, reserve_deposits: minor units, at least 0."""

    file: InputFile
    platform: Texts = field(repr=False)
    day: Texts = field(repr=False)
    customer_funds: Integers = field(repr=False)
    reserve_deposits: Integers = field(repr=False)


@dataclass(frozen=True)
class LendingTable:
    """Joint loans, rows (m,). day: dt.date objects; bank, partner: texts; outstanding: in all; partner_funded: the
    partner's part of it; bank_tier1, bank_total_loans: of the bank on that day; minor units."""

    file: InputFile
    day: Texts = field(repr=False)
    bank: Texts = field(repr=False)
    partner: Texts = field(repr=False)
    outstanding: Integers = field(repr=False)
    partner_funded: Integers = field(repr=False)
    bank_tier1: Integers = field(repr=False)
    bank_total_loans: Integers = field(repr=False)


_RESERVES: Final = (
    Column("platform"),
    Column("day"),
    Column("customer_funds", "integer", minimum=0),
    Column("reserve_deposits", "integer", minimum=0),
)
_LENDING: Final = (
    Column("day"),
    Column("bank"),
    Column("partner"),
    Column("outstanding", "integer", minimum=0),
    Column("partner_funded", "integer", minimum=0),
    Column("bank_tier1", "integer"),
    Column("bank_total_loans", "integer", minimum=0),
)


def read_reserves(
    path: Path, market: MarketFile, problems: list[Problem], *, declared_at: Place | None = None
) -> ReservesTable | None:
    """Customers' money by platform and day. Adds every Problem, and returns None if there was one."""
    before = len(problems)
    table = read_table(path, _RESERVES, problems, declared_at=declared_at)
    if table is None:
        return None
    day = days_of(table, problems)
    known(table, "platform", market.platforms, problems)
    once(table, ("platform", "day"), problems)
    if len(problems) > before:
        return None
    return ReservesTable(table.file, table["platform"], day, table["customer_funds"], table["reserve_deposits"])


def read_lending(
    path: Path, market: MarketFile, problems: list[Problem], *, declared_at: Place | None = None
) -> LendingTable | None:
    """Joint loans by day, bank and partner. Adds every Problem, and returns None if there was one.

    Banks are participants of the market; a partner may be anybody.
    """
    before = len(problems)
    table = read_table(path, _LENDING, problems, declared_at=declared_at)
    if table is None:
        return None
    day = days_of(table, problems)
    known(table, "bank", market.institutions, problems)
    once(table, ("day", "bank", "partner"), problems)
    if len(problems) == before:
        _consistent(table, problems)
    if len(problems) > before:
        return None
    amounts = [table[column.name] for column in _LENDING[3:]]
    return LendingTable(table.file, day, table["bank"], table["partner"], *amounts)


def _consistent(table: Table, problems: list[Problem]) -> None:
    """The partner's part within the whole, and one balance sheet of a bank on a day."""
    mistakes, part, whole = Mistakes(problems), table["partner_funded"], table["outstanding"]

    def beyond(row: int) -> Problem:
        found = f"partner_funded {part[row]:,} of {whole[row]:,} outstanding"
        return table.problem(row, found, "at most what is outstanding", "correct one of them")

    mistakes.add("part", _rows(part > whole), beyond)
    first: dict[tuple[str, str], int] = {}
    at = np.array([first.setdefault(key, row) for row, key in enumerate(zip(table["day"], table["bank"], strict=True))])
    for name in ("bank_tier1", "bank_total_loans"):

        def other(row: int, name: str = name) -> Problem:
            line, before = int(table.lines[at[row]]), table[name][at[row]]
            found = f"{name} {table[name][row]:,} of bank '{table['bank'][row]}', and {before:,} in line {line}"
            return table.problem(row, found, "one figure for a bank on a day", "correct one of them")

        mistakes.add(name, _rows(table[name] != table[name][at]), other)
    mistakes.rest()


def days_of(table: Table, problems: list[Problem]) -> Texts:
    """The column `day` as dt.date objects, None where it is none; adds a Problem for each of those that is not
    empty."""
    encoded = pc.dictionary_encode(pa.array(table["day"], pa.string()))
    days = [_day(text) for text in encoded.dictionary.to_pylist()]
    wrong = np.array([day is None for day in days], dtype=bool)[encoded.indices.to_numpy()]
    mistakes = Mistakes(problems)

    def told(row: int) -> Problem:
        found = f"day = '{table['day'][row][:40]}'"
        return table.problem(row, found, "a date such as 2021-10-01", "write the day as YYYY-MM-DD")

    mistakes.add("day", _rows(wrong & (table["day"] != "")), told)
    mistakes.rest()
    found: Texts = np.empty(len(table), dtype=object)
    found[:] = [days[k] for k in encoded.indices.to_pylist()]
    return found


def _rows(where: NDArray[np.bool_]) -> list[int]:
    """Rows of which it is true."""
    return [int(row) for row in np.flatnonzero(where)]


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 and text.count("-") == 2 else None
    except ValueError:
        return None


def known(table: Table, column: str, codes: Sequence[str], problems: list[Problem]) -> None:
    """Adds a Problem for each cell that is none of the market's codes; empty cells have been told."""
    cells = pa.array(table[column], pa.string())
    strange = pc.invert(pc.or_(pc.is_in(cells, pa.array(list(codes), pa.string())), pc.equal(cells, "")))
    mistakes = Mistakes(problems)
    rows = _rows(strange.to_numpy(zero_copy_only=False))
    mistakes.add(column, rows, lambda row: table.problem(row, *stranger(column, str(table[column][row]), codes)))
    mistakes.rest()


def stranger(what: str, code: str, codes: Sequence[str]) -> tuple[str, str, str]:
    """Found, expected and cure of a code that the market does not name."""
    near = difflib.get_close_matches(code, codes, n=1)
    expected = f"one of {', '.join(codes[:5])}{', ...' if len(codes) > 5 else ''}"
    cure = f"write '{near[0]}', or add '{code[:40]}' to the market" if near else "correct it, or add it to the market"
    return f"{what} '{code[:40]}', which the market does not name", expected, cure


def once(table: Table, keys: Sequence[str], problems: list[Problem]) -> None:
    """Adds a Problem for each row whose key stood already in a row before it; keys with an empty cell are passed
    over."""
    number = np.zeros(len(table), dtype=np.int64)
    full = np.ones(len(table), dtype=bool)
    for name in keys:
        encoded = pc.dictionary_encode(pa.array(table[name], pa.string()))
        number = np.unique(number * len(encoded.dictionary) + encoded.indices.to_numpy(), return_inverse=True)[1]
        full &= table[name] != ""
    _, first, of_row = np.unique(number, return_index=True, return_inverse=True)
    mistakes = Mistakes(problems)

    def told(row: int) -> Problem:
        key = ", ".join(f"{name} '{table[name][row]}'" for name in keys)
        found = f"{key} a second time (first in line {int(table.lines[first[of_row[row]]])})"
        return table.problem(row, found, f"each {', '.join(keys)} once", "remove one of the two rows")

    mistakes.add("twice", _rows((first[of_row] != np.arange(len(table))) & full), told)
    mistakes.rest()
