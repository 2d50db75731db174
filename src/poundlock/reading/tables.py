"""CSV tables into typed columns, with the line of every bad cell."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from poundlock.problems import Problem
from poundlock.reading.files import LONGEST_LINE_BYTES, InputFile, read_file

_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_INTEGER = r"^-?\d{1,18}$"
_SHOWN_PER_COLUMN = 20
LARGEST_NUMBER = 1e18  # beyond any amount of money; keeps sums and products finite


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column. kind: text, number (float64) or integer (int64). optional: the whole column may be absent.
    blank: cells may be empty (text: '', number: NaN). minimum, maximum: inclusive bounds in the column's own unit. choices:
    the only texts there may be; () for any."""

    name: str
    kind: Literal["text", "number", "integer"] = "text"
    optional: bool = False
    blank: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Columns of one length. columns: name to array (object array of str,
    float64, or int64 for whole numbers without gaps). lines: line of each row. whole: no row was skipped."""

    file: InputFile
    columns: dict[str, NDArray[Any]] = field(repr=False)
    lines: NDArray[np.int64] = field(repr=False)
    whole: bool = True

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.columns

    def __len__(self) -> int:
        return len(self.lines)

    def problem(self, row: int, found: str, expected: str, cure: str) -> Problem:
        """A Problem that points at `row` of this table."""
        return Problem(self.file.name, int(self.lines[row]), found, expected, cure)


def read_table(
    path: Path,
    columns: Sequence[Column],
    problems: list[Problem],
    *,
    declared_at: tuple[str, int | None] | None = None,
    other_columns: bool = False,
    may_be_empty: bool = False,
) -> Table | None:
    """Read a comma-separated UTF-8 table with a header row.

    Adds a Problem for every bad row or cell (20 shown a column, then a count). A bad number stands as NaN in what is
    returned, so that checks can go on around it; None when a required column is missing or there are no rows at all.
    other_columns: ignore columns that are not declared, instead of refusing them. may_be_empty: a header alone is a table too.
    """
    file = read_file(path, problems, declared_at=declared_at)
    if file is None:
        return None
    parsed = _parse(file, problems)
    if parsed is None:
        return None
    cells, lines, whole = parsed
    _check_header(cells.column_names, columns, file.name, problems, other_columns)
    arrays: dict[str, NDArray[Any]] = {}
    for column in columns:
        if cells.column_names.count(column.name) == 1:
            arrays[column.name] = _typed(cells.column(column.name), column, file.name, lines, problems)
    if len(lines) == 0 and not may_be_empty:
        problems.append(
            Problem(
                file.name, 1, "a header without rows", "at least one row", "add rows or remove the table from the plan"
            )
        )
    if (len(lines) == 0 and not may_be_empty) or any(c.name not in arrays and not c.optional for c in columns):
        return None
    return Table(InputFile(file.name, file.digest), arrays, lines, whole)


def _parse(file: InputFile, problems: list[Problem]) -> tuple[pa.Table, NDArray[np.int64], bool] | None:
    """All cells as text, the line of each row, and whether every row could be read. Blank lines are passed over."""
    names = _header(file, problems)
    if names is None:
        return None
    lines = _lines_with_text(file.content)
    bad: list[tuple[int, str, str]] = []
    refused: list[int] = []

    def refuse(row: pacsv.InvalidRow) -> str:
        refused.append(row.number - 1)
        if row.text.strip():
            bad.append((len(bad), f"{row.actual_columns} cells", f"{row.expected_columns} cells as in the header"))
            places.append(int(lines[row.number - 1]))
        return "skip"

    places: list[int] = []
    try:
        strings = pacsv.read_csv(
            io.BytesIO(file.content),
            read_options=pacsv.ReadOptions(use_threads=False, block_size=4 * LONGEST_LINE_BYTES),
            parse_options=pacsv.ParseOptions(invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, null_values=[]
            ),
        )
    except pa.ArrowInvalid as error:
        said = str(error).split("\n")[0]
        problems.append(
            Problem(
                file.name,
                None,
                f"rows that cannot be read ({said})",
                "a comma-separated table",
                "check quotes and commas",
            )
        )
        return None
    _report(bad, "the commas and quotes", file.name, np.array(places, dtype=np.int64), problems)
    of_row = np.delete(lines[1:], np.array(refused, dtype=np.int64) - 1) if refused else lines[1:]
    filled = np.zeros(strings.num_rows, dtype=bool)
    for cells in strings.columns:
        filled |= pc.not_equal(pc.utf8_trim_whitespace(cells), "").to_numpy()
    return strings.filter(pa.array(filled)), of_row[: strings.num_rows][filled], not bad


def _header(file: InputFile, problems: list[Problem]) -> list[str] | None:
    """Column names of the first line that has text."""
    first = next((line for line in file.content.split(b"\n", 1000) if line.strip(b"\r")), b"")
    if b"\r" in first.rstrip(b"\r"):
        cure = "save the file with ordinary line ends"
        problems.append(
            Problem(file.name, 1, "lines that end in a bare carriage return", "lines that end in \\n or \\r\\n", cure)
        )
        return None
    try:
        names = next(csv.reader([first.decode().rstrip("\r")]), [])
    except csv.Error as error:
        problems.append(
            Problem(file.name, 1, f"a header that cannot be read ({error})", "column names", "check quotes and commas")
        )
        return None
    if not any(name.strip() for name in names):
        problems.append(
            Problem(file.name, 1, "an empty header", "column names", "put the column names in the first line")
        )
        return None
    return names


def _lines_with_text(content: bytes) -> NDArray[np.int64]:
    """Numbers, from 1, of the lines that are not empty."""
    ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == ord("\n"))
    if not content.endswith(b"\n"):
        ends = np.append(ends, len(content))
    starts = np.concatenate([[0], ends[:-1] + 1])
    length = ends - starts
    only_return = np.zeros(len(length), dtype=bool)
    short = np.flatnonzero(length == 1)
    only_return[short] = np.frombuffer(content, dtype=np.uint8)[starts[short]] == ord("\r")
    return np.flatnonzero((length > 0) & ~only_return) + 1


def _check_header(
    found: list[str], columns: Sequence[Column], file: str, problems: list[Problem], other_columns: bool
) -> None:
    known = [c.name for c in columns]
    for name in sorted({n for n in found if found.count(n) > 1}):
        problems.append(
            Problem(
                file,
                1,
                f"column '{name}' {found.count(name)} times",
                "each column once",
                "remove or rename the second one",
            )
        )
    for column in columns:
        if column.name not in found and not column.optional:
            near = difflib.get_close_matches(column.name, found, n=1)
            cure = f"rename '{near[0]}' to '{column.name}'" if near else f"add the column '{column.name}'"
            problems.append(
                Problem(
                    file,
                    1,
                    f"no column '{column.name}'",
                    f"columns {', '.join(c.name for c in columns if not c.optional)}",
                    cure,
                )
            )
    if not other_columns:
        for name in found:
            if name not in known:
                problems.append(
                    Problem(
                        file,
                        1,
                        f"unknown column '{name}'",
                        f"columns among {', '.join(known)}",
                        "remove it or correct its name",
                    )
                )


def _typed(
    cells: pa.ChunkedArray, column: Column, file: str, lines: NDArray[np.int64], problems: list[Problem]
) -> NDArray[Any]:
    trimmed = pc.utf8_trim_whitespace(cells)
    empty = pc.equal(trimmed, "").to_numpy()
    bad: list[tuple[int, str, str]] = []
    if not column.blank:
        bad += [(int(row), f"{column.name} is empty", "a value") for row in np.flatnonzero(empty)]
    if column.kind == "text":
        if column.choices:
            wrong = ~pc.is_in(trimmed, pa.array(column.choices)).to_numpy() & ~empty
            expected = f"one of {', '.join(column.choices)}"
            bad += [
                (int(r), f"{column.name} = '{trimmed[int(r)].as_py()[:40]}'", expected) for r in np.flatnonzero(wrong)
            ]
        _report(bad, column.name, file, lines, problems)
        return np.asarray(trimmed.to_numpy(), dtype=object)
    pattern = _INTEGER if column.kind == "integer" else _NUMBER
    good = pc.match_substring_regex(trimmed, pattern).to_numpy() & ~empty
    expected = "a whole number" if column.kind == "integer" else "a finite number"
    bad += [
        (int(row), f"{column.name} = '{trimmed[int(row)].as_py()[:40]}'", expected)
        for row in np.flatnonzero(~good & ~empty)
    ]
    values = np.full(len(good), np.nan)
    values[good] = pc.cast(pc.filter(trimmed, pa.array(good)), pa.float64()).to_numpy()
    bad += [
        (int(r), f"{column.name} = {trimmed[int(r)].as_py()[:40]}", "a finite number")
        for r in np.flatnonzero(np.isinf(values))
    ]
    bad += [
        (int(r), f"{column.name} = {trimmed[int(r)].as_py()[:40]}", f"a number within {LARGEST_NUMBER:g}")
        for r in np.flatnonzero(np.isfinite(values) & (np.abs(values) > LARGEST_NUMBER))
    ]
    for bound, broken, word in ((column.minimum, np.less, "at least"), (column.maximum, np.greater, "at most")):
        if bound is not None:
            outside = broken(values, bound) & np.isfinite(values)
            bad += [
                (int(r), f"{column.name} = {trimmed[int(r)].as_py()[:40]}", f"{word} {bound:g}")
                for r in np.flatnonzero(outside)
            ]
    _report(bad, column.name, file, lines, problems)
    values[[row for row, _, _ in bad]] = np.nan
    if column.kind == "integer" and not np.isnan(values).any():
        return np.array(pc.cast(trimmed, pa.int64()).to_numpy())
    return values


def _report(
    bad: list[tuple[int, str, str]], what: str, file: str, lines: NDArray[np.int64], problems: list[Problem]
) -> None:
    for row, found, expected in bad[:_SHOWN_PER_COLUMN]:
        problems.append(Problem(file, int(lines[row]), found, expected, f"correct {what} in this row"))
    if len(bad) > _SHOWN_PER_COLUMN:
        rest, line = len(bad) - _SHOWN_PER_COLUMN, int(lines[bad[_SHOWN_PER_COLUMN][0]])
        problems.append(Problem(file, line, f"{rest} more rows like this: {bad[-1][1]}", bad[-1][2], f"correct {what}"))
