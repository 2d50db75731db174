"""One dated legal parameter, and the table of a jurisdiction's rules. Every mistake in such a table is a Problem."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal, cast, get_args

from poundlock.problems import Problem
from poundlock.reading import Column, Table, read_table

Status = Literal["final", "draft", "pilot", "superseded"]
COMPARED = ("min", "max", "ban")
"""Operators by which a figure can be held against a limit. ban: the figure must be 0."""

_TEXTS = ("topic", "instrument", "issuer", "article", "parameter", "value", "unit", "operator", "applies_to")
_NEEDED = ("topic", "instrument", "issuer", "parameter", "applies_to")
COLUMNS = (
    Column("id"),
    *(Column(name, blank=name not in _NEEDED) for name in _TEXTS),
    Column("issued"),
    *(Column(name, blank=True) for name in ("in_force_from", "in_force_until", "binds", "quantity")),
    Column("limit", "number", blank=True, minimum=0.0),
    Column("status", choices=get_args(Status)),
    Column("source"),
    Column("note", blank=True),
)
"""Columns of a table of rules; docs/how-to/rules.md says what each holds."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MACHINE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One parameter of one legal text. value, unit and applies_to are as written there.

    in_force_from, in_force_until: first and last day; None: on no day, and still. operator: min, max, ban, or a word
    where nothing is compared. binds: machine name of whom it binds; quantity: machine name of the figure that it
    limits; either may be blank. limit: in the unit of that figure, shares as fractions; None where nothing is compared.
    """

    id: str
    topic: str
    instrument: str
    issuer: str
    issued: date
    in_force_from: date | None
    in_force_until: date | None
    article: str
    parameter: str
    value: str
    unit: str
    operator: str
    applies_to: str
    binds: str
    quantity: str
    limit: float | None
    status: Status
    source: str
    note: str

    @property
    def binding(self) -> bool:
        """Whether it binds anybody on the days when it is in force: a draft and a superseded rule never do."""
        return self.status in ("final", "pilot")

    def in_force(self, on: date) -> bool:
        """Whether it binds on that day. The first and the last day count."""
        return (
            self.binding and self.in_force_from is not None and self.in_force_from <= on and not self._ended_before(on)
        )

    def proposed(self, on: date) -> bool:
        """Whether it is a draft that was public on that day: worth showing, never binding."""
        return self.status == "draft" and self.issued <= on and not self._ended_before(on)

    def cited(self) -> str:
        """One line for a report: what it says and where."""
        return f"{self.id}: {self.said()} ({self.place()})"

    def said(self) -> str:
        """What it says, in the words of the text: parameter, operator, value, unit."""
        operator = "" if self.operator == self.parameter else self.operator
        return " ".join(x for x in (self.parameter.replace("_", " "), operator, self.value, self.unit) if x)

    def place(self) -> str:
        """Where it says so."""
        return self.instrument + (f", article {self.article}" if self.article else "")

    def _ended_before(self, on: date) -> bool:
        return self.in_force_until is not None and self.in_force_until < on


def read_rules(
    path: Path, problems: list[Problem], declared_at: tuple[str, int | None] | None = None
) -> tuple[Rule, ...] | None:
    """The rules of one table, in its order; None, and a Problem for every mistake, where anything is wrong with it.

    declared_at: file and line that named the table, for the message when there is none.
    """
    before = len(problems)
    table = read_table(path, COLUMNS, problems, declared_at=declared_at)
    if table is None:
        return None
    first_line: dict[str, int] = {}
    bad_limits = {p.line for p in problems[before:] if p.found.startswith("limit = ")}
    found = [_rule(table, row, first_line, bad_limits, problems) for row in range(len(table))]
    return tuple(r for r in found if r is not None) if len(problems) == before else None


def _rule(
    table: Table, row: int, first_line: dict[str, int], bad_limits: Set[int | None], problems: list[Problem]
) -> Rule | None:
    """The rule of one row; None where the day of issue cannot be read. bad_limits: lines where that was told already."""
    cells = {name: str(table[name][row]) for name in table.columns if name != "limit"}
    before = len(problems)

    def tell(found: str, expected: str, cure: str) -> None:
        problems.append(table.problem(row, found, expected, cure))

    line = int(table.lines[row])
    _check_id(cells["id"], line, first_line, tell)
    issued, start, end = (_day(cells, name, tell) for name in ("issued", "in_force_from", "in_force_until"))
    if len(problems) == before:
        _check_days(cells, start, end, tell)
    number = float(table["limit"][row])
    limit = None if math.isnan(number) else number
    if line not in bad_limits:
        _check_comparison(cells, limit, tell)
    if issued is None:
        return None
    return Rule(
        **{name: cells[name] for name in ("id", *_TEXTS, "binds", "quantity", "source", "note")},
        issued=issued,
        in_force_from=start,
        in_force_until=end,
        limit=limit,
        status=cast("Status", cells["status"]),
    )


Tell = Callable[[str, str, str], None]
"""Takes what was found, what was expected and the cure; the row is known."""


def _check_id(name: str, line: int, first_line: dict[str, int], tell: Tell) -> None:
    if name and name in first_line:
        tell(f"id = '{name}', as in line {first_line[name]}", "an id of its own for each rule", "give it another id")
    first_line.setdefault(name, line)


def day_of(text: str) -> date | None:
    """The day that YYYY-MM-DD names; None for any other text."""
    try:
        return date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _day(cells: dict[str, str], name: str, tell: Tell) -> date | None:
    """The day in a cell; None, without a Problem, for an empty one."""
    text = cells[name]
    day = day_of(text)
    if day is not None or not text:
        return day
    cure = "write the day; where the text tells only the month or the year, its first day, and say so in the note"
    tell(f"{name} = '{text[:40]}'", "a date such as 2022-01-01", cure)
    return None


def _check_days(cells: dict[str, str], start: date | None, end: date | None, tell: Tell) -> None:
    status = cells["status"]
    if status == "draft" and start is not None:
        cure = "leave in_force_from empty, or give the status that the text has now"
        tell(f"a draft in force from {start}", "a draft without a day of force", cure)
    if status in ("final", "pilot") and start is None:
        cure = "give its first day; where the text tells none, the day of issue, and say so in the note"
        tell(f"a rule of status '{status}' without in_force_from", "its first day in force", cure)
    if start is not None and end is not None and end < start:
        tell(f"in_force_until = {end}, before in_force_from = {start}", "a last day after the first", "correct either")


def _check_comparison(cells: dict[str, str], limit: float | None, tell: Tell) -> None:
    """A figure is compared when quantity, limit, operator and binds are all there; otherwise none of the first two."""
    quantity, operator = cells["quantity"], cells["operator"]
    for name in ("binds", "quantity"):
        if cells[name] and not _MACHINE_NAME.fullmatch(cells[name]):
            cure = "write it so, and keep the text's own words in applies_to or parameter"
            tell(f"{name} = '{cells[name][:40]}'", "small letters and digits with hyphens, such as local-bank", cure)
    for found, expected, cure in _lacking(quantity, limit, operator, cells["binds"]):
        tell(found, expected, cure)


def _lacking(quantity: str, limit: float | None, operator: str, binds: str) -> Iterator[tuple[str, str, str]]:
    if not quantity and limit is not None:
        yield f"limit = {limit:g} without quantity", "the figure that is limited", "name the quantity, or empty limit"
    if not quantity:
        return
    if limit is None:
        yield f"quantity = '{quantity}' without limit", "a number to hold it against", "give limit, or empty quantity"
    if operator not in COMPARED:
        cure = "use one of these, or empty quantity and limit"
        yield f"operator = '{operator[:40]}' beside a quantity", f"one of {', '.join(COMPARED)}", cure
    if operator == "ban" and limit is not None and limit != 0.0:
        yield f"a ban with limit = {limit:g}", "limit 0: nothing is allowed", "write 0, or use max"
    if not binds:
        yield f"quantity = '{quantity}' without binds", "whom it binds", "name the role, such as commercial-bank"
