"""Shocks as a caller writes them, or as a table of named scenarios, into arrays of losses, outages and runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from poundlock.problems import Problem
from poundlock.reading import Column, InputFile, read_table
from poundlock.system import System, equity
from poundlock.system.balance import Floats

COLUMNS: Final = (
    Column("scenario"),
    Column("institution"),
    Column("loss", "number"),
    Column("outage_days", "number", optional=True, blank=True, minimum=0),
    Column("run", "number", optional=True, blank=True, minimum=0, maximum=1),
)
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


def table_of_scenarios(system: System, path: Path, problems: list[Problem]) -> Scenarios | None:
    """A table with a row for each scenario and institution that is hit; several rows of one pair add up to a Problem."""
    table = read_table(path, COLUMNS, problems, declared_at=("--scenarios", None))
    if table is None:
        return None
    before = len(problems)
    index = {name: i for i, name in enumerate(system.ids)}
    labels = tuple(dict.fromkeys(str(name) for name in table["scenario"]))
    number = {label: s for s, label in enumerate(labels)}
    shape = (len(labels), len(system))
    losses, outages, runs = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    seen: dict[tuple[int, int], int] = {}
    for row, (scenario, name) in enumerate(zip(table["scenario"], table["institution"], strict=True)):
        if name not in index:
            said, cure = f"unknown institution '{name}'", "correct the name"
            problems.append(table.problem(row, said, "an id of the institutions table", cure))
            continue
        at = number[str(scenario)], index[name]
        if at in seen:
            first = int(table.lines[seen[at]])
            said = f"'{name}' a second time in scenario '{scenario}' (first in line {first})"
            problems.append(
                table.problem(row, said, "each institution once a scenario", "add the two up or remove one")
            )
        seen.setdefault(at, row)
        losses[at] = table["loss"][row]
        outages[at] = np.nan_to_num(table["outage_days"][row]) if "outage_days" in table else 0.0
        runs[at] = np.nan_to_num(table["run"][row]) if "run" in table else 0.0
    if len(problems) > before:
        return None
    return Scenarios(labels, losses, outages if outages.any() else None, runs if runs.any() else None, table.file)
