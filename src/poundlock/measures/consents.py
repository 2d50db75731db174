"""Consents: who joined a measure of its own will, from which day, and until when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from poundlock.problems import Place, Problem
from poundlock.reading import Column, InputFile, Table, read_table
from poundlock.system.balance import Floats, System

NEVER = np.iinfo(np.int64).max
COLUMNS = (Column("institution"), Column("joined"), Column("withdrawn", optional=True, blank=True))


@dataclass(frozen=True)
class Consents:
    """joined, withdrawn: (n,), day numbers of the proleptic calendar, NEVER where there is none."""

    joined: NDArray[np.int64] = field(repr=False)
    withdrawn: NDArray[np.int64] = field(repr=False)
    file: InputFile

    def left(self, who: NDArray[np.int64], on: dt.date, life_days: Floats) -> Floats:
        """Share of the business of these institutions that there is on a day: 0 before joining; from a withdrawal on, exp(-days / life)."""
        day = on.toordinal()
        joined, gone = self.joined[who], self.withdrawn[who]
        since = np.where(gone <= day, day - gone, 0)
        return np.where(joined <= day, np.exp(-since / life_days), 0.0)

    def standing(self, on: dt.date) -> NDArray[np.bool_]:
        """Who has joined on the day and not left. (n,)."""
        return np.asarray((self.joined <= on.toordinal()) & (on.toordinal() < self.withdrawn))


def read_consents(
    path: Path, system: System, problems: list[Problem], *, declared_at: Place | None = None
) -> Consents | None:
    """Read a table of consents, empty where nobody has joined; adds every Problem, returns None if there was one."""
    before = len(problems)
    table = read_table(path, COLUMNS, problems, declared_at=declared_at, may_be_empty=True)
    if table is None:
        return None
    known = {name: i for i, name in enumerate(system.ids)}
    joined, withdrawn = np.full(len(system), NEVER), np.full(len(system), NEVER)
    problems.extend(_entered(table, known, joined, withdrawn))
    return Consents(joined, withdrawn, table.file) if len(problems) == before else None


def _entered(
    table: Table, known: dict[str, int], joined: NDArray[np.int64], withdrawn: NDArray[np.int64]
) -> Iterator[Problem]:
    seen: set[str] = set()
    for row, name in enumerate(table["institution"]):
        if name not in known:
            cure = "correct the id, or add the institution"
            yield table.problem(row, f"consent of unknown institution '{name}'", "an id of the institutions", cure)
        elif name in seen:
            yield table.problem(row, f"a second consent of '{name}'", "one row each", "put both dates into one row")
        seen.add(name)
        days = {}
        for column in ("joined", "withdrawn"):
            said = table[column][row] if column in table else ""
            try:
                days[column] = dt.date.fromisoformat(said).toordinal() if said else NEVER
            except ValueError:
                yield table.problem(row, f"{column} = '{said}'", "a date such as 2022-03-18", "correct the date")
        if len(days) < 2:
            continue
        if days["withdrawn"] < days["joined"]:
            found = f"'{name}' withdrew on {table['withdrawn'][row]}, before it joined on {table['joined'][row]}"
            yield table.problem(row, found, "a withdrawal after joining", "correct one of the dates")
        if name in known:
            joined[known[name]], withdrawn[known[name]] = days["joined"], days["withdrawn"]
