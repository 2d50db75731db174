"""Rows of raw cells as every reader gives them, bounded before anything is made of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from poundlock.problems import Problem, ProblemsFound
from poundlock.returns.limits import Limits
from poundlock.returns.schemas import ENVELOPE, Schema

SHOWN = 20
"""Mistakes of one sort that are told one by one."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A cell that holds no value at all: a formula, an error, a number that is none."""

    found: str
    expected: str
    cure: str

    def __len__(self) -> int:
        """Something is there: it counts as one character."""
        return 1


Cell = str | Wrong | None
RawRows = Iterator[tuple[int, Sequence[Cell]]]
"""Line or row number in the file, from 1, and its cells as text; the first is the header."""


def refusal(file: str, line: int | None, found: str, expected: str, cure: str) -> ProblemsFound:
    """The one Problem after which nothing else of the file is read."""
    return ProblemsFound([Problem(file, line, found, expected, cure)])


class Mistakes:
    """Problems of one file: the first of each sort one by one, the rest counted, and an end to reading after too many."""

    def __init__(self, file: str, limits: Limits) -> None:
        self.file, self._limits = file, limits
        self._problems: list[Problem] = []
        self._counts: dict[str, list[int]] = {}  # sort: how many, line of the last
        self._all = 0

    def add(self, sort: str, line: int | None, found: str, expected: str, cure: str) -> None:
        """One mistake; raises ProblemsFound when there have been too many."""
        seen = self._counts.setdefault(sort, [0, 0])
        seen[0], seen[1] = seen[0] + 1, line or 0
        self._all += 1
        if seen[0] <= SHOWN:
            self._problems.append(Problem(self.file, line, found, expected, cure))
        if self._all >= self._limits.mistakes:
            said = f"{self._all:,} mistakes, after which reading stopped"
            self._problems.append(
                Problem(self.file, line, said, "a return without mistakes", "mend these and file again")
            )
            raise ProblemsFound(self.problems())

    def problems(self) -> list[Problem]:
        """All of them, with one more for each sort that was cut short."""
        return self._problems + [
            Problem(
                self.file, last, f"{count - SHOWN:,} more of this sort: {sort}", "none", "mend them in the same way"
            )
            for sort, (count, last) in self._counts.items()
            if count > SHOWN
        ]

    def stop_if_any(self) -> None:
        """Raises ProblemsFound when something has been found."""
        if self._all:
            raise ProblemsFound(self.problems())


@dataclass(frozen=True, slots=True)
class Gathered:
    """A table whose shape is sound. columns: names of the schema or the envelope, in the file's order; blank rows are left out."""

    columns: tuple[str, ...]
    lines: list[int]
    rows: list[Sequence[Cell]]


def gather(
    rows: RawRows, schema: Schema, mistakes: Mistakes, limits: Limits, file_bytes: int, most_cells: int
) -> Gathered:
    """Every row, its width checked. Raises ProblemsFound for a header that is not this return's and for too much of anything."""
    line, header = next(rows, (1, ()))
    columns = _columns(header, line, schema, mistakes, limits)
    gathered = Gathered(columns, [], [])
    cells = characters = 0
    most_characters = min(limits.unpacked_bytes, max(limits.ratio * file_bytes, 1 << 20))
    for line, read in rows:
        cells += max(len(read), 1)
        if cells > most_cells:
            raise _too_much(mistakes.file, line, f"more than {most_cells:,} cells")
        row = _of_width(read, len(columns), line, mistakes)
        characters += sum(len(cell) for cell in row if cell)
        if characters > most_characters:
            raise _too_much(mistakes.file, line, f"more than {most_characters:,} characters in cells")
        if any(row):
            gathered.lines.append(line)
            gathered.rows.append(row)
    return gathered


def _too_much(file: str, line: int, found: str) -> ProblemsFound:
    return refusal(file, line, found, "a return within the limits", "split the return, or send it as CSV or Parquet")


def _of_width(row: Sequence[Cell], width: int, line: int, mistakes: Mistakes) -> Sequence[Cell]:
    if len(row) == width or not row:
        return row
    found, expected = f"{len(row):,} cells", f"{width} cells, as in the header"
    mistakes.add("rows of another width", line, found, expected, "look for a missing or an unquoted comma in this row")
    return ()


def _columns(header: Sequence[Cell], line: int, schema: Schema, mistakes: Mistakes, limits: Limits) -> tuple[str, ...]:
    """The header's names, or every mistake in it at once."""
    wide = len(header)
    if wide > limits.columns:
        expected = f"the columns {', '.join(schema.names)}"
        raise refusal(mistakes.file, line, f"{wide:,} columns", expected, "start from the template of this return")
    names = [cell.strip() if isinstance(cell, str) else "" for cell in header]
    if not any(names):
        expected = f"the columns {', '.join(schema.names)}"
        raise refusal(mistakes.file, line, "no header", expected, "put the names of the columns into the first row")
    known = (*schema.names, *ENVELOPE)
    for field in schema.fields:
        if field.required and field.name not in names:
            strangers = [name for name in names if name not in known]
            near = difflib.get_close_matches(field.name, strangers, n=1)
            cure = f"rename {near[0]!r} to {field.name!r}" if near else f"add the column {field.name!r}"
            mistakes.add("columns", line, f"no column {field.name!r}", f"the columns {', '.join(schema.names)}", cure)
    for name in sorted({*names} - {*known}):
        near = difflib.get_close_matches(name, known, n=1)
        cure = f"rename it to {near[0]!r}" if near else "remove it"
        found = f"an unknown column {name[:60]!r}" if name else "a column without a name"
        mistakes.add("columns", line, found, f"columns among {', '.join(known)}", cure)
    for name in sorted({name for name in names if name in known and names.count(name) > 1}):
        mistakes.add(
            "columns", line, f"column {name!r} {names.count(name)} times", "each column once", "remove all but one"
        )
    mistakes.stop_if_any()
    return tuple(names)
