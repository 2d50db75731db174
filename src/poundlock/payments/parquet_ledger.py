"""One day's records from a Parquet file, batch by batch, in memory that does not grow with the file.

The file is held against itself before and while it is read: its first and last bytes, the indices of its dictionaries,
the number of its records. Nothing of its row groups and columns is asked of the footer beforehand, since Arrow ends the
process where some of it is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from poundlock.payments.ledger import COLUMNS
from poundlock.payments.mistakes import Mistakes
from poundlock.payments.records import FIRST_US, LAST_US, Batch, Bools, check_names
from poundlock.problems import Problem

BATCH: Final = 1 << 16
_UNITS: Final = {"ms": 1_000, "us": 1}
_CODES: Final = tuple(column.name for column in COLUMNS if column.type == "code")
_OPEN: Final[dict[str, Any]] = {
    "memory_map": False,
    "pre_buffer": False,
    "buffer_size": 1 << 20,  # pages of a column are read as they are needed, however long its row group is
    "thrift_string_size_limit": 1 << 24,
    "thrift_container_size_limit": 1 << 22,
    "page_checksum_verification": True,
}
_BROKEN: Final = (pa.ArrowException, OSError, ValueError, KeyError, OverflowError)
"""What Arrow raises on a damaged file."""


def parquet_batches(path: Path, file: str, problems: list[Problem], mistakes: Mistakes) -> Iterator[Batch]:
    """The records of a file, in order. file: as it is named in Problems. Adds a Problem and ends where the file is
    damaged or has other columns."""
    try:
        footer = _opened(path, file, problems)
    except _BROKEN as error:
        problems.append(_unreadable(file, error, 0))
        return
    if footer is None:
        return
    batches, first = _read(path), 0
    while True:
        try:
            batch = next(batches, None)
        except _BROKEN as error:
            problems.append(_unreadable(file, error, first))
            return
        if batch is None:
            break
        yield _batch(batch, first, footer, file, mistakes)
        first += batch.num_rows
    if first != footer.num_rows:
        problems.append(_damaged(file, f"a footer of {footer.num_rows:,} records, and {first:,} records"))


def _read(path: Path) -> Iterator[pa.RecordBatch]:
    """Text as dictionaries, which is fast; from where Arrow cannot do that with the file's encoding, as text."""
    done = 0
    for codes in (_CODES, ()):
        with pq.ParquetFile(path, read_dictionary=list(codes), **_OPEN) as reader:
            skip = done
            try:
                for batch in reader.iter_batches(batch_size=BATCH, columns=[column.name for column in COLUMNS]):
                    batch.validate(full=True)  # Arrow believes indices of dictionaries as they come
                    if rest := batch.slice(min(skip, batch.num_rows)):
                        yield rest
                        done += rest.num_rows
                    skip = max(skip - batch.num_rows, 0)
            except (pa.ArrowNotImplementedError, OSError) as error:
                if not codes or not _unknown(error):
                    raise
            else:
                return


def _batch(batch: pa.RecordBatch, first: int, footer: Any, file: str, mistakes: Mistakes) -> Batch:
    def place(row: int) -> tuple[None, str]:
        group, within = 0, first + row
        # of groups that have been read only: of a damaged one, Arrow may end the process
        while within >= (count := footer.row_group(group).num_rows) and group + 1 < footer.num_row_groups:
            group, within = group + 1, within - count
        return None, f", in record {first + row + 1:,} (row group {group + 1}, row {within + 1:,})"

    columns = {column.name: batch.column(column.name) for column in COLUMNS}
    codes = {name: _dictionary(columns[name]) for name in _CODES}
    numbers = {name: columns[name].cast(pa.int64()) for name in ("amount", "record_id")}
    numbers["time"], finer = _microseconds(columns["time"])
    found = Batch(codes, numbers, place, {"time": finer})
    if finer.any():
        said = "a time finer than a microsecond", "whole microseconds", "write time in microseconds"
        rows = [int(row) for row in np.flatnonzero(finer)]
        mistakes.add("time finer", rows, lambda row: found.problem(file, row, *said))
    return found


def _dictionary(texts: pa.Array) -> pa.DictionaryArray:
    return texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()


def _microseconds(times: pa.TimestampArray) -> tuple[pa.Int64Array, Bools]:
    """Since 1970; and which of them are finer than that, which are left empty."""
    empty = times.is_null().to_numpy(zero_copy_only=False)
    values = times.view(pa.int64()).fill_null(0).to_numpy()
    finer = np.zeros(len(values), dtype=bool)
    if times.type.unit == "ns":
        values, rest = np.divmod(values, 1_000)
        finer = rest != 0
    elif (factor := _UNITS[times.type.unit]) > 1:
        values = np.clip(values, FIRST_US // factor - 1, LAST_US // factor + 1) * factor
    return pa.array(values, mask=empty | finer), finer


def _opened(path: Path, file: str, problems: list[Problem]) -> pq.FileMetaData | None:
    """The footer, if it fits the file and its columns are those of the ledger."""
    size = path.stat().st_size
    if (found := _tail(path, size)) is not None:
        problems.append(_damaged(file, found))
        return None
    with pq.ParquetFile(path, **_OPEN) as reader:
        schema, footer = reader.schema_arrow, reader.metadata
    if not check_names(schema.names, file, None, problems) or not _types(schema, file, problems):
        return None
    return footer


def _tail(path: Path, size: int) -> str | None:
    """What is wrong with the first and the last bytes."""
    if size == 0:
        return "nothing in it"
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(max(size - 8, 0))
        tail = stream.read(8)
    if b"PARE" in (head, tail[4:]):
        return "encrypted, and the key is not here"
    if head != b"PAR1" or tail[4:] != b"PAR1" or size < 12:
        return "cut short, or no Parquet at all: it does not begin and end with PAR1"
    length = int.from_bytes(tail[:4], "little")
    return f"a footer of {length:,} bytes in a file of {size:,}" if length > size - 12 else None


def _types(schema: pa.Schema, file: str, problems: list[Problem]) -> bool:
    """Whether every column can become the ledger's without loss."""
    before = len(problems)
    for column in COLUMNS:
        kind = schema.field(column.name).type
        shown = f"column '{column.name}' of type {str(kind)[:60]}"
        if column.type == "time" and pa.types.is_timestamp(kind) and kind.tz is None:
            problems.append(
                Problem(file, None, f"{shown}, without a zone", "timestamp[us, tz=UTC]", "write time with zone UTC")
            )
        elif not _FITS[column.type](kind):
            expected, cure = _EXPECTED[column.type]
            problems.append(Problem(file, None, shown, expected, f"{cure} in '{column.name}'"))
    return len(problems) == before


def _whole(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind)) and kind != pa.uint64()


def _text(kind: Any) -> bool:
    if pa.types.is_dictionary(kind):
        return _text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


_FITS: Final[dict[str, Any]] = {"time": pa.types.is_timestamp, "code": _text, "integer": _whole}
_EXPECTED: Final = {
    "time": ("timestamp[us, tz=UTC]", "write timestamps with zone UTC"),
    "code": ("string", "write text"),
    "integer": ("int64", "write whole numbers"),
}


def _damaged(file: str, found: str) -> Problem:
    return Problem(
        file, None, f"a damaged file: {found}", "a whole Parquet file", "write the file again and deliver it anew"
    )


def _unknown(error: BaseException) -> bool:
    """Whether Arrow says that it does not know the form, rather than that the file is damaged."""
    return isinstance(error, pa.ArrowNotImplementedError) or str(error).startswith("Not yet implemented")


def _unreadable(file: str, error: BaseException, after: int) -> Problem:
    said = str(error).split("\n")[0][:200].rstrip(".") or type(error).__name__
    if _unknown(error):
        found, cure = f"Parquet of a form that cannot be read here ({said})", "write text plainly or as a dictionary"
        return Problem(file, None, found, "Parquet as most programs write it", cure)
    return _damaged(file, f"{said}, after record {after:,}" if after else said)
