"""Parquet into raw rows, batch by batch, after its footer has been held against the limits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from poundlock.returns.cells import Cell, RawRows, Wrong, refusal
from poundlock.returns.limits import Limits

_BATCH = 4_096
_FOOTER_BYTES = 4 << 20
_STRINGS, _CONTAINERS = 1 << 20, 100_000
_NO_NUMBER = Wrong("a number that is not finite", "a finite number", "write a number or leave the cell empty")


def parquet_rows(source: BinaryIO, name: str, size: int, limits: Limits) -> RawRows:
    """The header, then rows numbered from 1; text stays in its dictionaries, so that one long value is held once."""
    _check_tail(source, name, size)
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    bounds: dict[str, Any] = {
        "thrift_string_size_limit": _STRINGS,
        "thrift_container_size_limit": _CONTAINERS,
        "pre_buffer": False,
        "memory_map": False,
    }
    source.seek(0)
    file = pq.ParquetFile(source, **bounds)
    _check_footer(file.metadata, name, size, limits)
    schema = file.schema_arrow
    cells_of = [_reader(field, name) for field in schema]
    texts = [field.name for field in schema if _is_text(field.type)]
    source.seek(0)
    file = pq.ParquetFile(source, read_dictionary=texts, **bounds)
    yield 0, [field.name for field in schema]
    yield from _rows(file, cells_of, name, limits)


def _rows(file: Any, cells_of: list[Callable[[Any], list[Cell]]], name: str, limits: Limits) -> RawRows:
    row = 0
    for batch in file.iter_batches(batch_size=_BATCH, use_threads=False):
        columns = [read(column) for read, column in zip(cells_of, batch.columns, strict=True)]
        for cells in zip(*columns, strict=True):
            row += 1
            yield row, cells
    if row != file.metadata.num_rows:
        found = f"a footer of {file.metadata.num_rows:,} rows, and {row:,} rows"
        raise refusal(name, None, found, "the same number", "write the file again")


def _check_tail(source: BinaryIO, name: str, size: int) -> None:
    source.seek(max(size - 8, 0))
    tail = source.read(8)
    length = int.from_bytes(tail[:4], "little")
    if tail[4:] == b"PARE":
        raise refusal(name, None, "an encrypted Parquet file", "one that is open", "write it without encryption")
    if tail[4:] != b"PAR1" or length > size - 12:
        raise refusal(name, None, "a Parquet file that was cut short", "a whole file", "send it again")
    if length > _FOOTER_BYTES:
        raise refusal(
            name,
            None,
            f"a footer of {length:,} bytes",
            f"at most {_FOOTER_BYTES:,} bytes",
            "write fewer columns and row groups",
        )


def _check_footer(footer: Any, name: str, size: int, limits: Limits) -> None:
    """Counts and sizes that the footer claims, none of which has been believed yet."""
    groups = [footer.row_group(k) for k in range(min(footer.num_row_groups, limits.entries + 1))]
    if footer.num_columns > limits.columns or len(groups) > limits.entries:
        found = f"{footer.num_columns:,} columns in {footer.num_row_groups:,} row groups"
        expected = f"at most {limits.columns} columns in {limits.entries:,} row groups"
        raise refusal(name, None, found, expected, "start from the template of this return")
    rows = [group.num_rows for group in groups]
    if footer.num_rows < 0 or min(rows, default=0) < 0 or sum(rows) != footer.num_rows:
        found = f"a footer of {footer.num_rows:,} rows, whose row groups have {sum(rows):,}"
        raise refusal(name, None, found, "the same number", "write the file again")
    if footer.num_rows * footer.num_columns > limits.cells:
        found = f"{footer.num_rows * footer.num_columns:,} cells"
        raise refusal(name, None, found, f"at most {limits.cells:,} cells", "split the return")
    chunks = [group.column(k) for group in groups for k in range(footer.num_columns)]
    unpacked = sum(chunk.total_uncompressed_size for chunk in chunks)
    packed = sum(chunk.total_compressed_size for chunk in chunks)
    if min((c.total_uncompressed_size for c in chunks), default=0) < 0 or packed > size:
        raise refusal(
            name,
            None,
            f"columns of {packed:,} bytes in a file of {size:,}",
            "columns within the file",
            "write the file again",
        )
    if unpacked > min(limits.unpacked_bytes, limits.ratio * size):
        expected = f"at most {limits.unpacked_bytes:,} bytes, and {limits.ratio} times the file"
        raise refusal(name, None, f"{unpacked:,} bytes when unpacked", expected, "split the return")


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _reader(field: Any, name: str) -> Callable[[Any], list[Cell]]:
    """How a column becomes text. Raises ProblemsFound for a type that no return has."""
    kind = field.type
    if _is_text(kind) or (pa.types.is_dictionary(kind) and _is_text(kind.value_type)):
        return _texts
    if pa.types.is_floating(kind):
        return _floats
    for test, read in _OTHERS:
        if test(kind):
            return read
    expected = "text, whole numbers, decimals, floats or dates"
    raise refusal(
        name, None, f"column {field.name[:60]!r} of type {str(kind)[:60]}", expected, "write the column as text"
    )


def _texts(column: Any) -> list[Cell]:
    if not pa.types.is_dictionary(column.type):
        return list(column.to_pylist())
    values = column.dictionary.to_pylist()
    return [None if at is None else values[at] for at in column.indices.to_pylist()]


def _floats(column: Any) -> list[Cell]:
    """The shortest decimal that gives the same binary number back, of 32 bits where the column has 32."""
    values, there = column.to_numpy(zero_copy_only=False), column.is_valid().to_numpy(zero_copy_only=False)
    return [_float(value) if valid else None for value, valid in zip(values, there, strict=True)]


def _float(value: Any) -> Cell:
    return np.format_float_positional(value, unique=True, trim="-") if np.isfinite(value) else _NO_NUMBER


def _plainly(text: Callable[[Any], str]) -> Callable[[Any], list[Cell]]:
    return lambda column: [None if value is None else text(value) for value in column.to_pylist()]


def _decimal(value: Decimal) -> str:
    return format(value, "f")


def _moment(value: dt.datetime) -> str:
    return value.date().isoformat() if value.time() == dt.time() else value.isoformat()


_OTHERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], list[Cell]]], ...] = (
    (pa.types.is_integer, _plainly(str)),
    (pa.types.is_decimal, _plainly(_decimal)),
    (pa.types.is_date, _plainly(dt.date.isoformat)),
    (pa.types.is_timestamp, _plainly(_moment)),
    (pa.types.is_null, lambda column: [None] * len(column)),
)
