"""The declared market: its currency, the days that are expected, who takes part and where, and the tables beside the
records."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from poundlock.payments.returns import Returns, read_returns
from poundlock.payments.tables import LendingTable, ReservesTable, read_lending, read_reserves
from poundlock.problems import Place, Problem
from poundlock.reading import (
    Column,
    Declared,
    Document,
    InputFile,
    Table,
    read_document,
    read_file,
    read_table,
    schema_of,
    schema_text,
)

UNLIMITED: Final = 10**18
"""Liquidity of a participant that declares none, minor units: as much as all amounts of a day may add up to, far from
the end of 64 bits."""
LARGEST_AMOUNT: Final = 1 << 53
_CODE: Final = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?")
Code = Annotated[str, Field(min_length=1, max_length=64)]
Codes = Annotated[tuple[Code, ...], Field(min_length=1)]
_Read = TypeVar("_Read")


class Market(Declared):
    """One payment market, in one currency."""

    format: Literal[1]
    """Version of this file's form."""
    name: str
    """As it is called in the report."""
    origin: Literal["synthetic", "observed"]
    """How real the records are; shown wherever a figure of them is."""
    note: str
    """One or two sentences on where the records come from; shown on every page of the report."""
    currency: str
    """ISO 4217 code of every amount."""
    minor_units: Annotated[int, Field(ge=0, le=6)] = 2
    """Decimal places of the currency: amounts are whole numbers of its smallest unit."""
    records_stand_for: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    """Payments that one record stands for, in a sample; counts are multiplied by it, amounts are not."""
    first_day: dt.date
    """First day of which records are expected."""
    last_day: dt.date
    """Last day of which records are expected."""
    regions: Codes
    """Codes of the regions of payers and payees, ISO 3166-2 or GB/T 2260, in the order of tables and charts."""
    platforms: Codes
    """Platforms that carry payments."""
    rest: tuple[str, ...] = ()
    """Platforms that stand for many small ones: they are in the whole, and never among the largest."""
    channels: Codes
    """How payments are given: mobile, online, at a till."""
    participants: str
    """CSV: institution, kind [, liquidity, buffer]. Minor units. Liquidity: what it can pay before it receives
    anything, blank for without limit; buffer: equity that bears losses when another fails, blank for none."""
    returns: str | None = None
    """CSV: day, institution, region, platform, side (sent or received), payments, value. Totals that institutions send
    in."""
    reserves: str | None = None
    """CSV: platform, day, customer_funds, reserve_deposits. Minor units."""
    lending: str | None = None
    """CSV: day, bank, partner, outstanding, partner_funded, bank_tier1, bank_total_loans. Joint loans; minor units."""

    @field_validator("currency")
    @classmethod
    def _three_letters(cls, currency: str) -> str:
        if not re.fullmatch("[A-Z]{3}", currency):
            raise ValueError(f"'{currency[:20]}'; expected three capital letters, as in ISO 4217; cure write e.g. CNY")
        return currency

    @field_validator("regions", "platforms", "channels")
    @classmethod
    def _each_once(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for k, code in enumerate(codes):
            if not _CODE.fullmatch(code):
                raise ValueError(f"{code!r}; expected a code without blanks around it; cure take them out")
            if code in codes[:k]:
                raise ValueError(f"'{code}' a second time; expected each once; cure take one out")
        return codes

    @model_validator(mode="after")
    def _in_order(self) -> Market:
        if self.last_day < self.first_day:
            raise ValueError(
                f"last_day {self.last_day}, first_day {self.first_day}; expected a last day not before the first; "
                "cure correct one of them"
            )
        if strange := sorted(set(self.rest) - set(self.platforms)):
            raise ValueError(
                f"'{strange[0]}' under rest; expected a platform of this market; cure correct it, or name it under platforms"
            )
        return self


@dataclass(frozen=True, slots=True)
class Participant:
    """One institution. liquidity: what it can pay before it receives anything; None: without limit. buffer: equity that
    bears losses of an unwinding. Minor units."""

    institution: str
    kind: str
    liquidity: int | None
    buffer: int


@dataclass(frozen=True)
class MarketFile:
    """A market with its tables, as read. path: of the YAML file; folder: that holds it. inputs: every file that was
    read."""

    market: Market
    path: Path
    participants: tuple[Participant, ...] = field(repr=False)
    inputs: tuple[InputFile, ...] = field(repr=False)
    returns: Returns | None = field(default=None, repr=False)
    reserves: ReservesTable | None = field(default=None, repr=False)
    lending: LendingTable | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Against which the tables' paths are read."""
        return self.path.parent

    @property
    def institutions(self) -> tuple[str, ...]:
        """Codes in declared order."""
        return tuple(one.institution for one in self.participants)

    @property
    def regions(self) -> tuple[str, ...]:
        """Codes in declared order."""
        return self.market.regions

    @property
    def platforms(self) -> tuple[str, ...]:
        """Codes in declared order."""
        return self.market.platforms

    @property
    def channels(self) -> tuple[str, ...]:
        """Codes in declared order."""
        return self.market.channels

    @property
    def liquidity(self) -> NDArray[np.int64] | None:
        """By institution (n,), minor units, UNLIMITED where it declares none; None where nobody declares any."""
        if all(one.liquidity is None for one in self.participants):
            return None
        held = [UNLIMITED if one.liquidity is None else one.liquidity for one in self.participants]
        return np.array(held, dtype=np.int64)

    @property
    def buffers(self) -> NDArray[np.int64]:
        """By institution (n,), minor units, at least 0."""
        return np.array([one.buffer for one in self.participants], dtype=np.int64)


_PARTICIPANTS: Final = (
    Column("institution"),
    Column("kind"),
    Column("liquidity", "integer", optional=True, blank=True, minimum=0, maximum=LARGEST_AMOUNT),
    Column("buffer", "integer", optional=True, blank=True, minimum=0, maximum=LARGEST_AMOUNT),
)


def read_market(path: Path, problems: list[Problem], *, declared_at: Place | None = None) -> MarketFile | None:
    """Read a market and its tables. Adds every Problem, and returns None if there was one. declared_at: the place that
    named this path."""
    before = len(problems)
    if declared_at is not None and read_file(path, problems, declared_at=declared_at) is None:
        return None
    document = read_document(path, Market, problems)
    if document is None:
        return None
    participants, table = _participants(document, path, problems)
    if document.value is None or participants is None or table is None:
        return None
    found = MarketFile(
        document.value, path, participants, (InputFile(document.file.name, document.file.digest), table.file)
    )
    found = _with_tables(found, document, problems)
    return found if len(problems) == before else None


def _participants(
    document: Document[Market], path: Path, problems: list[Problem]
) -> tuple[tuple[Participant, ...] | None, Table | None]:
    named = document.sections.get("participants")
    if named is None:
        return None, None
    at = (document.file.name, document.line("participants"))
    table = read_table(path.parent / named, _PARTICIPANTS, problems, declared_at=at)
    if table is None:
        return None, None
    first: dict[str, int] = {}
    for row, code in enumerate(table["institution"]):
        if code in first:
            found = f"institution '{code}' a second time (first in line {int(table.lines[first[code]])})"
            problems.append(table.problem(row, found, "each institution once", "remove one of the two rows"))
        elif code and (len(code) > 64 or not _CODE.fullmatch(code)):
            problems.append(
                table.problem(row, f"institution {code[:80]!r}", "a code of at most 64 characters", "shorten it")
            )
        first.setdefault(code, row)
    amounts = {
        name: [None if np.isnan(x) else int(x) for x in table[name]] if name in table else [None] * len(table)
        for name in ("liquidity", "buffer")
    }
    rows = zip(table["institution"], table["kind"], amounts["liquidity"], amounts["buffer"], strict=True)
    return tuple(Participant(str(who), str(kind), can_pay, buffer or 0) for who, kind, can_pay, buffer in rows), table


def _with_tables(found: MarketFile, document: Document[Market], problems: list[Problem]) -> MarketFile:
    """The market with its returns, reserves and lending, as far as it names them."""
    inputs = list(found.inputs)

    def read(key: str, reader: Callable[..., _Read | None]) -> _Read | None:
        named = getattr(found.market, key)
        if named is None:
            return None
        at = (document.file.name, document.line(key))
        table: Any = reader(found.folder / named, found, problems, declared_at=at)
        if table is not None:
            inputs.append(table.file)
        return table  # type: ignore[no-any-return]

    returns, reserves, lending = (
        read("returns", read_returns),
        read("reserves", read_reserves),
        read("lending", read_lending),
    )
    return replace(found, returns=returns, reserves=reserves, lending=lending, inputs=tuple(inputs))


def market_schema_text() -> str:
    """The schema of a market file, as it is kept in the repository."""
    return schema_text(schema_of(Market, "Poundlock payment market"))
