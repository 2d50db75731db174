"""Shocks as a caller writes them, or as a table of named scenarios, into arrays of losses, outages and runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from poundlock.problems import Place, Problem
from poundlock.reading import Column, InputFile, Table, read_table
from poundlock.system import System, equity
from poundlock.system.balance import Floats

COLUMNS: Final = (
    Column("scenario"),
    Column("institution"),
    Column("loss", "number", optional=True, blank=True, minimum=0),
    Column("loss_share", "number", optional=True, blank=True, minimum=0, maximum=1),
    Column("outage_days", "number", optional=True, blank=True, minimum=0),
    Column("run", "number", optional=True, blank=True, minimum=0, maximum=1),
)
STATED: Final = ("loss", "loss_share", "outage_days", "run")
"""Columns of which every row fills at least one."""
AMOUNT: Final = re.compile(r"^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?(%?)$", re.IGNORECASE)


@dataclass(frozen=True)
class Scenarios:
    """labels: (s,). losses, outages, runs: (s, n), money, days, shares; the last two None where nobody is named.
    file: the table that they come from, if any."""

    labels: tuple[str, ...]
    losses: Floats
    outages: Floats | None
    runs: Floats | None
    file: InputFile | None = None


def one_scenario(
    system: System,
    shocks: Sequence[str],
    outages: Sequence[str],
    runs: Sequence[str],
    problems: list[Problem],
) -> Scenarios:
    """One scenario of words.

    shocks: 'NAME' loses all its equity; 'NAME=5000' that much, in the system's unit; 'NAME=10%' that share of its external
    assets. outages: 'NAME=3', days. runs: 'NAME=40%', share of runnable balances. NAME is an id, or 'kind:KIND',
    'region:REGION' or 'all' for all of them.
    """
    own = np.maximum(equity(system), 0.0)
    losses = np.zeros(len(system))
    for who, amount, share in _read(system, "--shock", shocks, problems, "NAME, NAME=AMOUNT or NAME=SHARE%"):
        if amount is None:
            losses[who] = own[who]
        else:
            losses[who] = amount / 100.0 * system.external_assets[who] if share else amount
    stopped = _days(system, outages, problems)
    withdrawn = _shares(system, runs, problems)
    words = [*shocks, *(f"{word} out" for word in outages), *(f"{word} run" for word in runs)]
    return Scenarios((", ".join(words),), losses[None, :], stopped, withdrawn)


def _days(system: System, outages: Sequence[str], problems: list[Problem]) -> Floats | None:
    stopped = np.zeros((1, len(system)))
    for who, amount, share in _read(system, "--outage", outages, problems, "NAME=DAYS"):
        if amount is None or share:
            problems.append(_wrong("--outage", "an outage without a number of days", "NAME=DAYS", "write NAME=3"))
        else:
            stopped[0, who] = amount
    return stopped if outages else None


def _shares(system: System, runs: Sequence[str], problems: list[Problem]) -> Floats | None:
    withdrawn = np.zeros((1, len(system)))
    for who, amount, share in _read(system, "--run", runs, problems, "NAME=SHARE%"):
        if amount is None or not share or amount > 100.0:
            problems.append(_wrong("--run", "a run without a share up to 100 %", "NAME=SHARE%", "write NAME=40%"))
        else:
            withdrawn[0, who] = amount / 100.0
    return withdrawn if runs else None


def _read(
    system: System, option: str, words: Iterable[str], problems: list[Problem], expected: str
) -> Iterable[tuple[Floats, float | None, bool]]:
    """For each word: mask of the institutions, amount if any, whether it is in per cent."""
    for word in words:
        name, equals, text = word.rpartition("=")
        name, text = (name, text) if equals else (word, "")
        who = _members(system, name)
        if not who.any():
            said = f"'{name}' in {option}, which names no institution"
            problems.append(_wrong(option, said, "an id, kind:KIND, region:REGION or all", "correct the name"))
            continue
        match = AMOUNT.match(text) if equals else None
        if equals and match is None:
            problems.append(_wrong(option, f"'{text}' in {option}", expected, "write a number, or a number and %"))
            continue
        yield who, float(text.rstrip("%")) if match else None, bool(match and match.group(3))


def _members(system: System, name: str) -> Floats:
    what, _, which = name.partition(":")
    if name in system.ids:
        return np.array([one == name for one in system.ids])
    if what == "kind":
        return np.array([kind == which for kind in system.kinds])
    if what == "region":
        return np.array([region == which for region in system.regions])
    return np.full(len(system), name == "all")


def _wrong(option: str, found: str, expected: str, cure: str) -> Problem:
    return Problem(option, None, found, expected, cure)


def table_of_scenarios(
    system: System,
    path: Path,
    problems: list[Problem],
    *,
    declared_at: Place = ("--scenarios", None),
    amounts_known: bool = True,
) -> Scenarios | None:
    """A table with a row for each scenario and whom it hits: an id, kind:KIND, region:REGION or all. None with any Problem.

    loss: money that each of them loses of its external assets, or loss_share: that share of them. Nobody is hit twice in one
    scenario. declared_at: the place that names the table. amounts_known: the system's amounts can be relied on, not only its names.
    """
    before = len(problems)
    table = read_table(path, COLUMNS, problems, declared_at=declared_at)
    if table is None:
        return None
    read = _read_rows(table, problems[before:])
    labels, scenario = _numbered(table["scenario"])
    hit = _hit(system, table, problems)
    _once_a_scenario(system, table, scenario, hit, problems)
    stated = {name: table[name] if name in table else np.full(len(table), np.nan) for name in STATED}
    _something_stated(table, labels, scenario, stated, read, problems)
    found = {name: np.zeros((len(labels), len(system))) for name in STATED}
    for row, (s, who) in enumerate(zip(scenario, hit, strict=True)):
        for name in STATED:
            found[name][s, who] = np.nan_to_num(stated[name][row])
    losses = found["loss"] + found["loss_share"] * system.external_assets
    if amounts_known:
        _within_assets(system, table, scenario, hit, losses, problems)
    if len(problems) > before:
        return None
    outages, runs = found["outage_days"], found["run"]
    return Scenarios(labels, losses, outages if outages.any() else None, runs if runs.any() else None, table.file)


def _read_rows(table: Table, told: Sequence[Problem]) -> NDArray[np.bool_]:
    """Rows of which every cell was read, so that what is empty was left empty; none where the header has a mistake. (rows,)."""
    lines = {problem.line for problem in told}
    return np.array([1 not in lines and line not in lines for line in table.lines.tolist()], dtype=bool)


def _numbered(names: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Labels in the order of the table, and the number of the label of each row."""
    number: dict[str, int] = {}
    rows = [number.setdefault(str(name), len(number)) for name in names]
    return tuple(number), np.array(rows, dtype=np.int64)


def _hit(system: System, table: Table, problems: list[Problem]) -> list[NDArray[np.int64]]:
    """For each row, the numbers of the institutions that it names."""
    members = {name: np.array([i]) for i, name in enumerate(system.ids)}
    found = []
    for row, name in enumerate(table["institution"]):
        if name not in members:
            members[name] = np.flatnonzero(_members(system, name))
        if name and not len(members[name]):
            expected = "an id of the institutions table, kind:KIND, region:REGION or all"
            problems.append(table.problem(row, f"unknown institution '{name}'", expected, "correct the name"))
        found.append(members[name])
    return found


def _once_a_scenario(
    system: System, table: Table, scenario: NDArray[np.int64], hit: list[NDArray[np.int64]], problems: list[Problem]
) -> None:
    first: dict[tuple[int, int], int] = {}
    for row, (s, who) in enumerate(zip(scenario.tolist(), hit, strict=True)):
        again = next((i for i in who.tolist() if (s, i) in first), None)
        if again is not None:
            line = int(table.lines[first[s, again]])
            said = f"'{system.ids[again]}' a second time in scenario '{table['scenario'][row]}' (first in line {line})"
            expected, cure = "each institution once a scenario", "add the two up or remove one"
            problems.append(table.problem(row, said, expected, cure))
        for i in who.tolist():
            first.setdefault((s, i), row)


def _something_stated(
    table: Table,
    labels: tuple[str, ...],
    scenario: NDArray[np.int64],
    stated: dict[str, Floats],
    read: NDArray[np.bool_],
    problems: list[Problem],
) -> None:
    """Every row states something, one loss at most; every scenario something above nought."""
    given = np.array([~np.isnan(stated[name]) for name in STATED])
    empty, both = ~given.any(axis=0) & read, given[0] & given[1]
    for row in np.flatnonzero(empty):
        found, expected = "a row that states nothing", f"a number in one of {', '.join(STATED)}"
        problems.append(table.problem(int(row), found, expected, "fill one, or remove the row"))
    for row in np.flatnonzero(both):
        found = f"loss and loss_share of '{table['institution'][row]}'"
        problems.append(table.problem(int(row), found, "one of the two", "leave one of them empty"))
    above = np.array([np.nan_to_num(stated[name]) for name in STATED]).any(axis=0)
    nothing = np.bincount(scenario, weights=above | empty | ~read) == 0.0
    first = np.unique(scenario, return_index=True)[1]
    for s in np.flatnonzero(nothing):
        found, expected = f"scenario '{labels[s]}' with no loss", "a loss, an outage or a run above 0"
        problems.append(table.problem(int(first[s]), found, expected, "state the loss, or remove the scenario"))


def _within_assets(
    system: System,
    table: Table,
    scenario: NDArray[np.int64],
    hit: list[NDArray[np.int64]],
    losses: Floats,
    problems: list[Problem],
) -> None:
    """Nobody loses more of its external assets than it has."""
    most = system.external_assets * (1.0 + 1e-9)
    for row, (s, who) in enumerate(zip(scenario, hit, strict=True)):
        for i in who[losses[s, who] > most[who]][:1]:
            found = (
                f"a loss of {losses[s, i]:,.6g} where '{system.ids[i]}' has {system.external_assets[i]:,.6g} to lose"
            )
            expected = "at most its external assets"
            problems.append(table.problem(row, found, expected, "correct the loss, or the unit of its column"))
