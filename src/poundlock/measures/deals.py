"""Wished-for business of a measure, read from a table: one entry a row, what consents and the stage leave of it, and caps that cut it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poundlock.measures.consents import Consents, read_consents
from poundlock.measures.measure import Measure
from poundlock.problems import Problem, Where, nowhere
from poundlock.reading import Column, InputFile, Table, read_table
from poundlock.system.balance import Floats, System

Whole = NDArray[np.int64]
SIZES = ("subsidiary_amount", "daily_flow", "daily_margin", "flow")
"""Further columns that are money: an entry with any of them above nought is business."""
LIFE = Column("average_life_days", "number", optional=True, blank=True, minimum=1)


@dataclass(frozen=True)
class Deals:
    """One entry a row of the measure's table. roles: by column, (entries,) institution numbers, -1 for none. pool: (entries,) number of the
    asset class, -1 for none. wished: (entries,) size before any limit, money. left: (entries,) part of it that consents, stages and
    suspension leave. life: (entries,) average life in days. joined: (n,), who has joined on the day and not left. inputs: the tables
    read. more: further columns."""

    roles: dict[str, Whole] = field(repr=False)
    pool: Whole = field(repr=False)
    wished: Floats = field(repr=False)
    left: Floats = field(repr=False)
    life: Floats = field(repr=False)
    joined: NDArray[np.bool_] = field(repr=False)
    inputs: tuple[InputFile, ...]
    more: dict[str, NDArray[Any]] = field(default_factory=dict, repr=False)

    @property
    def amount(self) -> Floats:
        """Size of each entry that there may be. (entries,), money."""
        return self.wished * self.left

    def __len__(self) -> int:
        return len(self.wished)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.roles[name] if name in self.roles else self.more[name]

    @property
    def idle(self) -> bool:
        """Whether there is nothing of it: nobody who is in it has joined, no stage has begun there, or nothing is wished for."""
        there = self.left > 0.0
        sizes = [self.wished, *(self.more[name] for name in SIZES if name in self.more)]
        return not any(bool(np.any(x[there] > 0.0)) for x in sizes)

    def scaled(self, by: Floats | float) -> Deals:
        """So much of every entry."""
        return replace(self, left=self.left * by)

    def whole(self) -> Deals:
        """All that is wished for."""
        return replace(self, left=np.ones(len(self)))


@dataclass(frozen=True)
class Moment:
    """When and where a measure is looked at. on: the day on which consents count. regions: where stages have begun, None: no stages."""

    on: dt.date
    regions: frozenset[str] | None = None


@dataclass(frozen=True)
class Reading:
    """What the tables of a measure are read against. where: place of each key of the declaration, for messages. searched: limits that controls
    will set, so that what they are shares of is needed whatever they are today. amounts_known: False behind a Problem in the system's
    tables; then missing capital is not told a second time."""

    folder: Path
    system: System = field(repr=False)
    at: Moment
    where: Where = nowhere
    searched: frozenset[str] = frozenset()
    amounts_known: bool = True


def read_deals(
    asked: Reading,
    declared: Measure,
    key: str,
    roles: Sequence[str],
    problems: list[Problem],
    *,
    more: Sequence[Column] = (),
    optional_roles: Sequence[str] = (),
    pools: bool = True,
) -> tuple[Deals, Table] | None:
    """Read the table of wished-for business that the declaration's `key` names, and the consents; adds every Problem, returns None if there was
    one."""
    before, system = len(problems), asked.system
    names = [Column(role) for role in roles] + [Column(r, optional=True, blank=True) for r in optional_roles]
    pool_column = (Column("pool"),) if pools else ()
    columns = (*names, *pool_column, Column("amount", "number", minimum=0), LIFE, *more)
    table = read_table(asked.folder / getattr(declared, key), columns, problems, declared_at=asked.where(key))
    consents = read_consents(asked.folder / declared.consents, system, problems, declared_at=asked.where("consents"))
    if table is None or consents is None:
        return None
    institutions = {name: i for i, name in enumerate(system.ids)}
    known = {pool.id: k for k, pool in enumerate(system.asset_classes)}
    given = [*roles, *(role for role in optional_roles if role in table)]
    found = {role: numbers(table, role, institutions, problems, blank=role in optional_roles) for role in given}
    pool = numbers(table, "pool", known, problems) if pools else np.full(len(table), -1)
    problems.extend(_one_twice(table, found, system))
    if len(problems) > before:
        return None
    life = lives(table, declared.average_life_days)
    further = {column.name: table[column.name] for column in more if column.name in table}
    joined, files = consents.standing(asked.at.on), (table.file, consents.file)
    deals = Deals(found, pool, table["amount"], np.ones(len(table)), life, joined, files, further)
    return deals.scaled(left_of(declared, deals, consents, system, asked.at)), table


def left_of(declared: Measure, deals: Deals, consents: Consents, system: System, at: Moment) -> Floats:
    """Share of each entry that there is on the day: nothing where somebody in it has not joined; where one has left, what has not run off
    since, at a rate of one over the average life; and nothing outside the stages that have begun, where the measure keeps to them (an entry's
    region is that of its pool; without one, as its row says, else that of the first institution in it)."""
    left = np.ones(len(deals))
    for who in deals.roles.values():
        left = np.minimum(left, np.where(who >= 0, consents.left(who, at.on, deals.life), 1.0))
    if declared.regions == "stage" and at.regions is not None:
        left = np.where(np.isin(_regions(deals, system), sorted(at.regions)), left, 0.0)
    return np.asarray(left)


def _regions(deals: Deals, system: System) -> NDArray[Any]:
    """Region of each entry: of its pool; without one, as its row says, else that of the first institution in it."""
    if "region" in deals.more:
        return deals.more["region"]
    home = np.array(system.regions, dtype=object)[next(iter(deals.roles.values()))]
    pools = np.array([*(pool.region for pool in system.asset_classes), ""], dtype=object)[deals.pool]
    return np.where(deals.pool >= 0, pools, home)


def lives(table: Table, otherwise: float) -> Floats:
    """Average life of each row in days, as the row or else the measure says."""
    if "average_life_days" not in table:
        return np.full(len(table), otherwise)
    return np.where(np.isnan(table["average_life_days"]), otherwise, table["average_life_days"])


def numbers(
    table: Table, column: str, known: Mapping[str, int], problems: list[Problem], *, blank: bool = False
) -> Whole:
    """Numbers of the names in a column, -1 for a blank cell; a Problem for every unknown one."""
    found = np.array([known.get(name, -1) for name in table[column]], dtype=np.int64)
    for row in np.flatnonzero(found < 0):
        name = table[column][row]
        if not (blank and name == ""):
            expected, cure = "a name of the system's tables", "correct the name or add it there"
            problems.append(table.problem(int(row), f"unknown {column} '{name}'", expected, cure))
    return found


def _one_twice(table: Table, roles: Mapping[str, Whole], system: System) -> Iterator[Problem]:
    names = list(roles)
    for k, one in enumerate(names):
        for other in names[k + 1 :]:
            for row in np.flatnonzero((roles[one] == roles[other]) & (roles[one] >= 0)):
                found = f"'{system.ids[roles[one][row]]}' as {one} and as {other}"
                yield table.problem(int(row), found, "two institutions", "correct one of the two")


def without_figure(table: Table, who: Whole, system: System, amounts: Floats, what: str) -> Iterator[Problem]:
    """Institutions of the table whose amount, of which a cap is a share, is not reported; each once, at its first row."""
    for row in sorted(np.unique(who, return_index=True)[1]):
        if who[row] >= 0 and np.isnan(amounts[who[row]]):
            expected = f"{what} in the institutions table, since a cap is a share of it"
            found = f"'{system.ids[who[row]]}' without {what}"
            yield table.problem(int(row), found, expected, f"fill {what} of this institution")


def cut(group: Whole, amount: Floats, cap: Floats) -> Floats:
    """Factor at most one for each entry, so that its group's sum of amounts does not exceed the cap of that group."""
    _, inverse = np.unique(group, return_inverse=True)
    held = np.bincount(inverse, weights=amount)[inverse]
    return np.divide(np.minimum(held, cap), held, out=np.ones_like(amount), where=held > 0)


def over(amount: float, base: float) -> float:
    """A ratio to own funds or the like: infinite over nothing, NaN where the base is not reported."""
    if base > 0.0 or np.isnan(base):
        return float(amount / base)
    return np.inf if amount > 0.0 else 0.0


def by_institution(who: Whole, amount: Floats, n: int) -> Floats:
    """Sums of the entries of each institution. (n,)."""
    return np.bincount(who, weights=amount, minlength=n).astype(np.float64)
