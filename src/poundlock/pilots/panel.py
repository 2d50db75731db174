"""Panels of regions over periods: read, checked, and made into one outcome matrix at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from poundlock.pilots.declared import Baseline, Outcome, Pilot, PilotTable
from poundlock.problems import Place, Problem, Where, nowhere
from poundlock.reading import Column, InputFile, Table, read_table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Joined tables. units: codes; names: for display; periods: sorted; values: column name to (units, periods), NaN
    where missing. tiles: by code, name, column and row of its tile on a map. inputs: files read."""

    units: tuple[str, ...]
    names: tuple[str, ...]
    periods: tuple[int, ...]
    values: dict[str, Floats] = field(repr=False)
    tiles: dict[str, tuple[str, int, int]] = field(repr=False)
    inputs: tuple[InputFile, ...]

    def name(self, code: str) -> str:
        """Of a unit, for display."""
        return self.names[self.units.index(code)]


def read_pilot(folder: Path, declared: Pilot, problems: list[Problem], *, where: Where = nowhere) -> Panel | None:
    """Read and join the tables; adds every Problem (duplicates, unknown columns, treated region missing, too few donors)."""
    before = len(problems)
    wanted = {name for _, name in _columns(declared)}
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
    tiles = _tiles(folder, declared, problems, where)
    if len(tables) < len(declared.tables) or len(problems) > before:
        return None
    panel = _join(tables, *tiles)
    _check_columns(tables, wanted, declared, problems, where)
    _check_units(panel, declared, problems, where)
    return panel if len(problems) == before else None


def _columns(declared: Pilot) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every column that the plan names, with the place where it does."""
    for number, outcome in enumerate(declared.outcomes):
        yield ("outcomes", number, "column"), outcome.column
        if outcome.per is not None:
            yield ("outcomes", number, "per"), outcome.per
    for key in ("population", "income"):
        if (column := getattr(declared, key)) is not None:
            yield (key,), column
    for number, baseline in enumerate(declared.baselines):
        yield ("baselines", number, "column"), baseline.column
        if baseline.per is not None:
            yield ("baselines", number, "per"), baseline.per
    if declared.next is not None and declared.next.risk_by is not None:
        yield ("next", "risk_by"), declared.next.risk_by


def _tiles(
    folder: Path, declared: Pilot, problems: list[Problem], where: Where
) -> tuple[dict[str, tuple[str, int, int]], tuple[InputFile, ...]]:
    """The map's tiles by code, and the file."""
    if declared.tiles is None:
        return {}, ()
    columns = [Column("region"), Column("name"), Column("column", "integer"), Column("row", "integer")]
    table = read_table(folder / declared.tiles, columns, problems, declared_at=where("tiles"))
    if table is None:
        return {}, ()
    found: dict[str, tuple[str, int, int]] = {}
    for row, code in enumerate(table["region"]):
        if code in found:
            problems.append(table.problem(row, f"region {code} a second time", "each region once", "remove one row"))
        place = (table["column"][row], table["row"][row])
        if np.isfinite(place).all():
            found[str(code)] = str(table["name"][row]), int(place[0]), int(place[1])
    return found, (table.file,)


def _check_columns(
    tables: list[tuple[PilotTable, Table]], wanted: set[str], declared: Pilot, problems: list[Problem], where: Where
) -> None:
    """Every wanted column in exactly one table; told where the plan names it first."""
    holders = {column: [source.file for source, table in tables if column in table] for column in wanted}
    named: dict[str, Place] = {}
    for place, column in _columns(declared):
        named.setdefault(column, where(*place))
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


def _join(
    tables: list[tuple[PilotTable, Table]], tiles: dict[str, tuple[str, int, int]], more: tuple[InputFile, ...]
) -> Panel:
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
    inputs = (*(t.file for _, t in tables), *more)
    return Panel(tuple(units), tuple(names[u] for u in units), tuple(years), values, tiles, inputs)


def _check_units(panel: Panel, declared: Pilot, problems: list[Problem], where: Where) -> None:
    known = f"one of {', '.join(panel.units[:5])}, ..."
    for place, role, code in _codes(declared):
        if code not in panel.units:
            found = f"{role} '{code}' in none of the panel's rows"
            problems.append(Problem(*where(*place), found, known, "correct the code"))
    _check_starts(panel, declared, problems, where)
    for number, code in enumerate(declared.treated):
        if code in declared.treated[:number]:
            found = f"treated region '{code}' a second time"
            problems.append(Problem(*where("treated", number), found, "each region once", "take one out"))
    for key in ("not_donors", "neighbours"):
        for code in sorted(set(declared.treated) & set(getattr(declared, key))):
            found = f"treated region '{code}' among {key}"
            problems.append(Problem(*where(key), found, "other regions only", f"take it out of {key}"))
    donors = sorted(set(panel.units) - set(declared.treated) - set(declared.not_donors) - set(declared.neighbours))
    if len(donors) < 2:
        found = f"one donor only ({donors[0]})" if donors else "no donor"
        if set(panel.units) <= set(declared.treated):
            found = "every region of the panel is treated"
        cure = "add regions to the panel or take some out of not_donors and neighbours"
        problems.append(Problem(*where("not_donors"), found, "at least two regions to compare with", cure))
    if declared.weights == "population" and declared.population is None:
        found, expected = "weights by population, and no column of residents", "pilot.population"
        problems.append(Problem(*where("weights"), found, expected, "name the column under 'population:'"))


def _codes(declared: Pilot) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every region that the plan names: where, as what, its code."""
    for number, code in enumerate(declared.treated):
        yield ("treated", number), "treated region", code
    for key in ("not_donors", "neighbours"):
        for number, code in enumerate(getattr(declared, key)):
            yield (key, number), f"region of {key}", code
    for group, codes in declared.groups.items():
        for number, code in enumerate(codes):
            yield ("groups", group, number), f"region of group '{group}'", code
    for number, code in enumerate(declared.next.consented if declared.next else ()):
        yield ("next", "consented", number), "region that consents", code


def _check_starts(panel: Panel, declared: Pilot, problems: list[Problem], where: Where) -> None:
    """Starts within the panel and of treated regions, and a next stage in others."""
    first, last = (panel.periods[0], panel.periods[-1]) if panel.periods else (0, 0)
    starts = {(): declared.start} | {(code,): year for code, year in declared.starts.items()}
    for place, start in starts.items():
        if not all(o.since < start <= o.until for o in declared.outcomes):
            continue  # told with the outcome's window
        if not first < start <= last:
            found = f"start {start} outside the panel, which runs {first} to {last}"
            at = where("starts", *place) if place else where("start")
            problems.append(Problem(*at, found, "a start with periods before it", "correct the start or add periods"))
    for code in sorted(set(declared.starts) - set(declared.treated)):
        found, cure = f"a start of region '{code}', which is not treated", "add it to 'treated', or take it out"
        problems.append(Problem(*where("starts", code), found, "treated regions only", cure))
    for number, code in enumerate(declared.next.consented if declared.next else ()):
        if code in declared.treated:
            found = f"region '{code}', where the pilot runs already"
            problems.append(Problem(*where("next", "consented", number), found, "other regions", "take it out"))


def outcome_panel(panel: Panel, outcome: Outcome) -> tuple[Floats, tuple[int, ...]]:
    """The outcome as (units, periods of its window), transformed; NaN where it is missing or has no logarithm."""
    at = [t for t, p in enumerate(panel.periods) if outcome.since <= p <= outcome.until]
    values = _transformed(panel, outcome, at)
    return values, tuple(panel.periods[t] for t in at)


def baseline_column(panel: Panel, baseline: Baseline) -> Floats:
    """A characteristic of every unit before the start, (units,), NaN where it is missing or has no logarithm."""
    return _transformed(panel, baseline, [panel.periods.index(baseline.at)])[:, 0]


def _transformed(panel: Panel, of: Outcome | Baseline, at: list[int]) -> Floats:
    values = panel.values[of.column][:, at].copy()
    if of.per is not None:
        base = panel.values[of.per][:, at]
        values = np.divide(values, base, out=np.full_like(values, np.nan), where=base > 0)
    if of.transform == "log":
        values = np.log(values, out=np.full_like(values, np.nan), where=values > 0)
    return values


def first_of_flags(treated: ArrayLike, periods: ArrayLike) -> Floats:
    """First period under treatment of each unit, infinite for never, (u,).

    treated: (u, t), ones (or true) where a unit is under treatment. periods: (t,). Raises ValueError for anything but noughts and ones, and for a treatment
    that switches off again, which these estimators cannot tell.
    """
    flags, t = np.asarray(treated, dtype=np.float64), np.asarray(periods, dtype=np.float64)
    if flags.ndim != 2 or t.shape != (flags.shape[1],):
        raise ValueError(f"shapes disagree: treated {flags.shape}, periods {t.shape}")
    wrong = np.argwhere(~np.isin(flags, (0.0, 1.0)))
    if len(wrong):
        i, k = wrong[0]
        raise ValueError(f"treated of unit {i} in period {t[k]:g} is {flags[i, k]:g}; expected 0 or 1, not a date")
    off = np.argwhere(np.diff(flags, axis=1) < 0.0)
    if len(off):
        i, k = off[0]
        more = f" (and {len(off) - 1} more)" if len(off) > 1 else ""
        found = f"unit {i} is under treatment in period {t[k]:g} and not in {t[k + 1]:g}{more}"
        raise ValueError(f"{found}; expected a treatment that stays; leave later periods out, or the unit")
    return np.where(flags.any(axis=1), t[np.argmax(flags, axis=1)], np.inf)
