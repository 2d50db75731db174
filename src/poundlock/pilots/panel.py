"""Panels of regions over periods: declared, read, checked, and made into one outcome matrix at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from poundlock.problems import Place, Problem, Where, nowhere
from poundlock.reading import Column, Declared, InputFile, Table, read_table
from poundlock.rollout.plan import Id

Floats = NDArray[np.float64]


class Outcome(Declared):
    """One outcome of the pilot: a column of the panel, per resident or not, in logs or not, over a window."""

    id: Id
    """Name for gates and results."""
    label: str
    """What it is, in words for the report."""
    column: str
    """Column that holds the outcome."""
    per: str | None = None
    """Column to divide by, such as the number of residents."""
    transform: Literal["log", "none"] = "log"
    since: int
    """First period used."""
    until: int
    """Last period used."""
    largest_pre_error: Annotated[float, Field(gt=0.0)]
    """Largest root mean squared gap before the start at which the comparison still counts, in units of the outcome
    (for logs, 0.05 is about 5 per cent)."""
    fewest_post_periods: Annotated[int, Field(ge=1)] = 3
    """With fewer periods after the start the window is short and the outcome cannot decide."""
    in_time_placebo: int | None = None
    """A pretended earlier start; an effect there speaks against the comparison."""
    note: str = ""
    """What a reader must know of this column."""


class PilotTable(Declared):
    """One table of the panel; tables are joined on unit and period."""

    file: str
    unit: str
    """Column with the unit's code."""
    period: str
    """Column with the period, a whole number."""
    name: str | None = None
    """Column with the unit's name."""


class Pilot(Declared):
    """What was tried where, since when, and by which outcomes it is judged."""

    tables: Annotated[tuple[PilotTable, ...], Field(min_length=1)]
    """The panel: regions by periods, in one or more tables."""
    treated: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]
    """Code of the region under treatment (one in this version)."""
    start: int
    """First period under treatment."""
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    """What the pilot is judged by, agreed beforehand."""
    population: str | None = None
    """Column of residents, for inequality between regions."""
    income: str | None = None
    """Column of income a head, for inequality between regions."""
    not_donors: tuple[str, ...] = ()
    """Regions that must not serve as comparison, with the reason in a comment."""
    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.9
    """Confidence level of effect intervals; with few regions only some levels can be reached."""
    caveat: str = ""
    """What the effect is an effect of; shown beside every figure."""


@dataclass(frozen=True)
class Panel:
    """Joined tables. units: codes; names: for display; periods: sorted; values: column name to (units, periods), NaN
    where missing. inputs: files read."""

    units: tuple[str, ...]
    names: tuple[str, ...]
    periods: tuple[int, ...]
    values: dict[str, Floats] = field(repr=False)
    inputs: tuple[InputFile, ...]


def read_pilot(folder: Path, declared: Pilot, problems: list[Problem], *, where: Where = nowhere) -> Panel | None:
    """Read and join the tables; adds every Problem (duplicates, unknown columns, treated region missing, too few donors)."""
    before = len(problems)
    wanted = {c for o in declared.outcomes for c in (o.column, o.per) if c} | {
        c for c in (declared.population, declared.income) if c
    }
    tables: list[tuple[PilotTable, Table]] = []
    _check_roles(declared, wanted, problems, where)
    for number, source in enumerate(declared.tables):
        keys = [Column(source.unit), Column(source.period, "integer"), *([Column(source.name)] if source.name else [])]
        columns = [*keys, *(Column(c, "number", optional=True, blank=True) for c in sorted(wanted))]
        table = read_table(
            folder / source.file, columns, problems, declared_at=where("tables", number, "file"), other_columns=True
        )
        if table is not None:
            _check_keys(table, source, problems)
            tables.append((source, table))
    if len(tables) < len(declared.tables) or len(problems) > before:
        return None
    panel = _join(tables)
    _check_columns(tables, wanted, declared, problems, where)
    _check_units(panel, declared, problems, where)
    return panel if len(problems) == before else None


def _check_columns(
    tables: list[tuple[PilotTable, Table]], wanted: set[str], declared: Pilot, problems: list[Problem], where: Where
) -> None:
    """Every wanted column in exactly one table; told where the plan names it first."""
    holders = {column: [source.file for source, table in tables if column in table] for column in wanted}
    named: dict[str, Place] = {}
    for number, outcome in enumerate(declared.outcomes):
        named.setdefault(outcome.column, where("outcomes", number, "column"))
        named.setdefault(outcome.per or "", where("outcomes", number, "per"))
    named.setdefault(declared.population or "", where("population"))
    named.setdefault(declared.income or "", where("income"))
    for column, files in sorted(holders.items()):
        if not files:
            found, expected = f"column '{column}' in none of the panel's tables", "a column of one of them"
            problems.append(Problem(*named[column], found, expected, "correct the column's name in the plan"))
        elif len(files) > 1:
            found, expected = f"column '{column}' in {' and in '.join(files)}", "it in one of the panel's tables"
            problems.append(Problem(*named[column], found, expected, "rename the column in one of them"))


def _check_roles(declared: Pilot, wanted: set[str], problems: list[Problem], where: Where) -> None:
    """Unit, period and name columns must differ, and none of them can be an outcome."""
    for number, source in enumerate(declared.tables):
        keys = [source.unit, source.period, *([source.name] if source.name else [])]
        for column in sorted({k for k in keys if keys.count(k) > 1} | (set(keys) & wanted)):
            found = f"column '{column}' in two roles"
            expected = "one column each for unit, period, name and every outcome"
            problems.append(Problem(*where("tables", number), found, expected, "name another column"))


def _check_keys(table: Table, source: PilotTable, problems: list[Problem]) -> None:
    seen: dict[tuple[Any, Any], int] = {}
    for row, key in enumerate(zip(table[source.unit], table[source.period], strict=True)):
        if key in seen:
            found = f"unit {key[0]} in period {key[1]} a second time (first in line {int(table.lines[seen[key]])})"
            problems.append(table.problem(row, found, "each unit and period once", "remove one of the two rows"))
        seen.setdefault(key, row)


def _join(tables: list[tuple[PilotTable, Table]]) -> Panel:
    names: dict[str, str] = {}
    periods: set[int] = set()
    for source, table in tables:
        for row, unit in enumerate(table[source.unit]):
            if source.name or unit not in names:
                names[unit] = str(table[source.name][row]) if source.name else str(unit)
        periods |= {int(p) for p in table[source.period] if np.isfinite(p)}
    units, years = sorted(names), sorted(periods)
    row_of, column_of = {u: i for i, u in enumerate(units)}, {p: t for t, p in enumerate(years)}
    values: dict[str, Floats] = {}
    for source, table in tables:
        keep = np.isfinite(table[source.period].astype(np.float64))
        i = [row_of[u] for u in table[source.unit][keep]]
        t = [column_of[int(p)] for p in table[source.period][keep]]
        for name in table.columns:
            if name not in (source.unit, source.period, source.name):
                values.setdefault(name, np.full((len(units), len(years)), np.nan))[i, t] = table[name][keep]
    return Panel(tuple(units), tuple(names[u] for u in units), tuple(years), values, tuple(t.file for _, t in tables))


def _check_units(panel: Panel, declared: Pilot, problems: list[Problem], where: Where) -> None:
    for key, role in (("treated", "treated region"), ("not_donors", "region of not_donors")):
        for code in getattr(declared, key):
            if code not in panel.units:
                found, expected = (
                    f"{role} '{code}' in none of the panel's rows",
                    f"one of {', '.join(panel.units[:5])}, ...",
                )
                problems.append(Problem(*where(key), found, expected, "correct the code"))
    first, last = (panel.periods[0], panel.periods[-1]) if panel.periods else (0, 0)
    inside = all(o.since < declared.start <= o.until for o in declared.outcomes)  # else told with the outcome's window
    if inside and not first < declared.start <= last:
        found, expected = (
            f"start {declared.start} outside the panel, which runs {first} to {last}",
            "a start with periods before it",
        )
        problems.append(Problem(*where("start"), found, expected, "correct the start or add periods"))
    for code in sorted(set(declared.treated) & set(declared.not_donors)):
        found = f"treated region '{code}' among not_donors"
        problems.append(Problem(*where("not_donors"), found, "other regions only", "take it out of not_donors"))
    donors = sorted(set(panel.units) - set(declared.treated) - set(declared.not_donors))
    if len(donors) < 2:
        found = f"one donor only ({donors[0]})" if donors else "no donor"
        cure = "add regions to the panel or take some out of not_donors"
        problems.append(Problem(*where("not_donors"), found, "at least two regions to compare with", cure))


def outcome_panel(panel: Panel, outcome: Outcome) -> tuple[Floats, tuple[int, ...]]:
    """The outcome as (units, periods of its window), transformed; NaN where it is missing or has no logarithm."""
    at = [t for t, p in enumerate(panel.periods) if outcome.since <= p <= outcome.until]
    values = panel.values[outcome.column][:, at].copy()
    if outcome.per is not None:
        base = panel.values[outcome.per][:, at]
        values = np.divide(values, base, out=np.full_like(values, np.nan), where=base > 0)
    if outcome.transform == "log":
        values = np.log(values, out=np.full_like(values, np.nan), where=values > 0)
    return values, tuple(panel.periods[t] for t in at)
