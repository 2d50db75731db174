"""One day's records from a CSV file, block by block, each with its true line."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from poundlock.payments.csv_text import text_of
from poundlock.payments.ledger import COLUMNS
from poundlock.payments.mistakes import Mistakes
from poundlock.payments.records import Batch, Bools, check_names
from poundlock.problems import Problem
from poundlock.reading.files import LONGEST_LINE_BYTES

Integers = NDArray[np.int64]
BLOCK: Final = 4 * LONGEST_LINE_BYTES
_ZONE: Final = r"(?:Z|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?)$"
_CLOCK: Final = (
    r"^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,6})?)?"
)
_WHOLE: Final = r"^-?\d{1,19}$"
_TYPES: Final = {
    column.name: pa.dictionary(pa.int32(), pa.string()) if column.type == "code" else pa.string() for column in COLUMNS
}


def csv_batches(path: Path, file: str, problems: list[Problem], mistakes: Mistakes) -> Iterator[Batch]:
    """The records of a file, in order. file: as it is named in Problems. Adds a Problem and ends where the text cannot
    be read as a table."""
    text = text_of(path, file, problems)
    if text is None or not check_names(text.header, file, text.header_line, problems) or not text.rows:
        return
    refused = array("q")

    def line(record: int) -> int:
        """Of the record with this number, from 1, among those that could be read; the header is before the first."""
        return _place(_place(record + 1, np.array(refused, dtype=np.int64)), text.empty)

    def refuse(row: pacsv.InvalidRow) -> str:
        refused.append(row.number)
        if row.text.strip():
            found = f"{row.actual_columns} cells"
            expected = f"{row.expected_columns} cells as in the header"
            at = _place(row.number, text.empty)
            cure = "correct the commas and quotes in this line"
            mistakes.add("cells", [at], lambda at: Problem(file, at, found, expected, cure))
        return "skip"

    first = 0
    blocks = _blocks(path, text.encoding, refuse)
    while True:
        try:
            block = next(blocks, None)
        except (pa.ArrowException, ValueError) as error:
            said = f"text after record {first:,} that is no table ({str(error).splitlines()[0][:200]})"
            problems.append(Problem(file, None, said, "a comma-separated table", "check quotes and commas"))
            return
        if block is None:
            return
        yield _batch(block, first, line, file, mistakes)
        first += block.num_rows


def _blocks(path: Path, encoding: str, refuse: Callable[[pacsv.InvalidRow], str]) -> Iterator[pa.RecordBatch]:
    with pa.OSFile(str(path)) as source:
        yield from pacsv.open_csv(
            source,
            read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK, encoding=encoding),
            parse_options=pacsv.ParseOptions(invalid_row_handler=refuse),
            convert_options=pacsv.ConvertOptions(
                column_types=_TYPES, strings_can_be_null=False, null_values=[], check_utf8=False
            ),
        )


def _place(number: int, gaps: Integers) -> int:
    """Where the number-th place stands that is not among the gaps; both count from 1."""
    return number + int(np.searchsorted(gaps - np.arange(1, len(gaps) + 1), number))


def _batch(block: pa.RecordBatch, first: int, line: Callable[[int], int], file: str, mistakes: Mistakes) -> Batch:
    rows = np.arange(first + 1, first + 1 + block.num_rows)
    if (filled := _filled(block)) is not None:
        block, rows = block.filter(pa.array(filled)), rows[filled]
    codes, cells = {}, {}
    for column in COLUMNS:
        values = block.column(column.name)
        if column.type == "code":
            trimmed = pc.utf8_trim_whitespace(values.dictionary)
            codes[column.name] = pa.DictionaryArray.from_arrays(values.indices, trimmed)
        else:
            cells[column.name] = pc.utf8_trim_whitespace(values)
    told: dict[str, Bools] = {}
    found = Batch(codes, {}, lambda row: (line(int(rows[row])), ""), told)
    for name, texts in cells.items():
        parse = _instants if name == "time" else _integers
        found.numbers[name], wrong = parse(texts)
        told[name] = wrong
        at = [int(row) for row in np.flatnonzero(wrong)]
        mistakes.add(f"{name} text", at, _teller(found, file, name, texts))
    return found


def _filled(block: pa.RecordBatch) -> Bools | None:
    """Which lines have any text; None where all do."""
    if not pc.any(pc.equal(block.column("time"), "")).as_py():
        return None
    filled = np.zeros(block.num_rows, dtype=bool)
    for values in block.columns:
        texts = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
        filled |= pc.not_equal(texts, "").to_numpy(zero_copy_only=False)
    return filled


def _teller(batch: Batch, file: str, name: str, texts: pa.StringArray) -> Callable[[int], Problem]:
    def told(row: int) -> Problem:
        text = texts[row].as_py()
        found = f"{name} = '{text[:40]}'"
        if name != "time":
            return batch.problem(file, row, found, "a whole number of 64 bits", f"correct {name} in this line")
        expected = "a time such as 2021-10-01T08:30:00Z or 2021-10-01T16:30:00+08:00"
        if pc.match_substring_regex(pa.array([text]), _CLOCK + "$")[0].as_py():
            return batch.problem(
                file, row, f"{found}, without a zone", expected, "write the zone behind the time, Z for UTC"
            )
        return batch.problem(file, row, found, expected, "correct the time in this line")

    return told


def _integers(texts: pa.StringArray) -> tuple[pa.Int64Array, Bools]:
    """Numbers; and which texts are none, empty ones aside. Both stand as null."""
    good = pc.match_substring_regex(texts, _WHOLE)
    return _cast(texts, good, pa.int64(), lambda text: -(2**63) <= int(text) < 2**63)


def _instants(texts: pa.StringArray) -> tuple[pa.Int64Array, Bools]:
    """Microseconds since 1970; and which texts are no times with a zone, empty ones aside. Both stand as null."""
    good = pc.match_substring_regex(texts, _CLOCK + _ZONE)
    values, wrong = _cast(texts, good, pa.timestamp("us", "UTC"), _is_date)
    return values.view(pa.int64()), wrong


def _cast(texts: pa.StringArray, good: Any, kind: Any, test: Callable[[str], bool]) -> tuple[Any, Bools]:
    fits = good.to_numpy(zero_copy_only=False)
    empty = pc.equal(texts, "").to_numpy(zero_copy_only=False)
    try:
        return pc.cast(pc.if_else(pa.array(fits), texts, None), kind), ~fits & ~empty
    except pa.ArrowInvalid:  # a day that no month has, a number beyond 64 bits
        fits &= np.array([fit and test(text) for fit, text in zip(fits, texts.to_pylist(), strict=True)], dtype=bool)
        return pc.cast(pc.if_else(pa.array(fits), texts, None), kind), ~fits & ~empty


def _is_date(text: str) -> bool:
    try:
        np.datetime64(text[:10], "D")
    except ValueError:
        return False
    return True
