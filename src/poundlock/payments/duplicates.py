"""Records of one day that came more than once: record ids found in two looks at the id column, then only their rows.

It stands in for the query `suspects.copies`, which is its oracle. No id is sorted that is not suspected: a first
look marks, in a table of bits, the places where ids of the day fall, and those where two fell; a second look
collects the ids of the latter. Ids of one kind always fall in one place; others seldom share it, and are told apart
by looking again with another factor, at last by sorting the few that are left.
"""

# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from poundlock.payments.row_groups import first_rows, processors, share_out, threads_for
from poundlock.payments.suspects import KEYS, ORDER, SUMS

Integers = NDArray[np.int64]
Words = NDArray[np.uint64]

_ID: Final = "record_id"
_FACTORS: Final = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)
"""Odd factors without pattern: the first is 2^64 over the golden ratio (Knuth, The Art of Computer Programming 3,
6.4), which spreads ids that are counted up as evenly as can be."""
_PLACES_AN_ID: Final = 6
_SORTED_FROM: Final = 4_096
_EPOCH: Final = dt.date(1970, 1, 1)
_DAY_US: Final = 86_400_000_000
_MINUTE_US: Final = 60_000_000


_compiled: Final = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, slots=True)
class Repeated:
    """ids (m,): record ids that a day has more than once, ascending, each once; counts (m,): how often. groups: row
    groups that hold any of them. rows: records of the day."""

    ids: Integers = field(repr=False)
    counts: Integers = field(repr=False)
    groups: tuple[int, ...] = field(repr=False)
    rows: int

    @property
    def surplus(self) -> int:
        """Records beyond the first of each id."""
        return int(self.counts.sum()) - len(self.ids)


def repeated(path: Path, *, threads: int | None = None) -> Repeated:
    """Find the ids of one day's file that came more than once; exact, whatever the ids. Reads one column, and holds 8
    bytes a record and at most 3 a record and thread.

    Raises ValueError where record_id is absent, no int64 or has empty cells.
    """
    metadata = pq.read_metadata(path)
    names = metadata.schema.to_arrow_schema()
    kind = names.field(_ID).type if _ID in names.names else None
    if kind != pa.int64():
        raise ValueError(f"{path}: column '{_ID}' is {kind or 'absent'}; expected int64")
    ids = np.empty(metadata.num_rows, dtype=np.int64)
    threads = threads_for(metadata, threads)
    shift, once, twice = _tables(len(ids), threads)

    def look(thread: int, row: int, batch: pa.RecordBatch) -> None:
        column = batch.column(0)
        if column.null_count:
            raise ValueError(f"{path}: column '{_ID}' has empty cells; a ledger has none")
        part = ids[row : row + len(column)]
        part[:] = column.to_numpy()
        mark(part, np.uint64(_FACTORS[0]), shift, once[thread], twice[thread])

    share_out(path, metadata, [_ID], look, threads=threads)
    suspected, at = _suspected(ids, np.uint64(_FACTORS[0]), shift, _both(once, twice))
    found, counts = _counted(suspected)
    rows = at[np.isin(suspected, found)] if len(found) else at[:0]
    groups = np.unique(np.searchsorted(first_rows(metadata), rows, side="right") - 1)
    return Repeated(found, counts, tuple(int(k) for k in groups), len(ids))


def surplus(path: Path, found: Repeated, *, day: dt.date | None = None, threads: int | None = None) -> pa.Table:
    """All rows of the ids found but the one that is kept of each.

    Kept is the first in the order of `suspects.ORDER`, then of the file. Columns of the file, `row` (int64, from 0
    in the file) and `kind`: duplicate where a row equals the one before it in that order in all columns, conflict
    where it does not; ordered by record_id and that order. day: where given, records with an amount of nought or
    below or a time outside that UTC day are passed over, since they are odd by themselves. Reads whole rows, but
    only of row groups that hold any of the ids.
    """
    metadata = pq.read_metadata(path)
    schema = metadata.schema.to_arrow_schema()
    names, texts = list(schema.names), [one.name for one in schema if pa.types.is_string(one.type)]
    pieces: list[tuple[int, pa.Table]] = []
    wanted = pa.array(found.ids)

    def pick(_: int, row: int, batch: pa.RecordBatch) -> None:
        hit = pc.is_in(batch.column(_ID), wanted)
        rows = pa.array(np.flatnonzero(hit.to_numpy(zero_copy_only=False)) + row)
        pieces.append((row, pa.table(batch.filter(hit)).append_column("row", rows)))

    if len(found.ids):
        threads = max(1, min(threads or processors(), len(found.groups)))
        share_out(path, metadata, names, pick, threads=threads, codes=texts, groups=found.groups)
    pieces.sort(key=lambda piece: piece[0])
    empty = pa.schema([*schema, pa.field("row", pa.int64())]).empty_table()
    table = pa.concat_tables([empty, *(piece.cast(empty.schema) for _, piece in pieces)])
    if day is not None:
        table = table.filter(_sound(table, day))
    order = (_ID, *ORDER)
    table = table.sort_by([(name, "ascending") for name in (*order, "row")]).combine_chunks()
    again = _as_before(table, _ID)
    alike = again.copy()
    for name in order[1:]:
        alike &= _as_before(table, name)
    kind = pa.array(np.where(alike, "duplicate", "conflict").astype(object), pa.string())
    return table.append_column("kind", kind).filter(pa.array(again))


def copied_of_file(path: Path, day: dt.date) -> pa.Table:
    """The surplus of one day summed by minute, kind and `suspects.KEYS`: what `suspects.copied_records` says, for
    its partial."""
    rows = surplus(path, repeated(path), day=day)
    since = rows.column("time").cast(pa.int64()).to_numpy() - (day - _EPOCH).days * _DAY_US
    settled = pc.equal(rows.column("status"), "settled").cast(pa.int64())
    amount = rows.column("amount")
    marked = (
        rows.select(["kind", *KEYS])
        .append_column("minute", pa.array(since // _MINUTE_US))
        .append_column("records", pa.array(np.ones(rows.num_rows, dtype=np.int64)))
        .append_column("value", amount)
        .append_column("settled_records", settled)
        .append_column("settled_value", pc.multiply_checked(settled, amount))
    )
    if float(np.abs(amount.to_numpy().astype(np.float64)).sum()) >= 9e18:
        raise OverflowError(f"{path}: amounts of copies add up to 9e18 minor units or more")
    summed = marked.group_by(["minute", "kind", *KEYS]).aggregate([(name, "sum") for name in SUMS])
    return summed.rename_columns({f"{name}_sum": name for name in SUMS})


def _tables(count: int, threads: int) -> tuple[np.uint64, list[Words], list[Words]]:
    """For so many ids: how far a product is shifted, and bits for each thread where one and where two ids fell."""
    bits = max(10, int(count * _PLACES_AN_ID).bit_length())
    words = 1 << (bits - 6)
    once, twice = ([np.zeros(words, dtype=np.uint64) for _ in range(threads)] for _ in range(2))
    return np.uint64(64 - bits), once, twice


def _both(once: list[Words], twice: list[Words]) -> Words:
    """Places where two ids fell, in one thread or in two."""
    seen, found = once[0], twice[0]
    for other_seen, other_found in zip(once[1:], twice[1:], strict=True):
        found |= other_found
        found |= seen & other_seen
        seen |= other_seen
    return found


def _suspected(ids: Integers, factor: Any, shift: Any, twice: Words) -> tuple[Integers, Integers]:
    """Ids that fell where another did, with their places in `ids`."""
    if not twice.any():  # as on most days
        return ids[:0], np.zeros(0, dtype=np.int64)
    at = np.empty(len(ids) + 1, dtype=np.int64)
    count = collect(ids, factor, shift, twice, at)
    return ids[at[:count]], at[:count].copy()


def _counted(ids: Integers) -> tuple[Integers, Integers]:
    """Ids that are there more than once, and how often."""
    for factor in _FACTORS[1:]:
        if len(ids) <= _SORTED_FROM:
            break
        before = len(ids)
        shift, once, twice = _tables(before, 1)
        mark(ids, np.uint64(factor), shift, once[0], twice[0])
        ids, _ = _suspected(ids, np.uint64(factor), shift, twice[0])
        if len(ids) > before // 2:
            break
    found, times = np.unique(ids, return_counts=True)
    return found[times > 1], times[times > 1].astype(np.int64)


def _sound(table: pa.Table, day: dt.date) -> pa.Array:
    since = table.column("time").cast(pa.int64()).to_numpy() - (day - _EPOCH).days * _DAY_US
    return pa.array((table.column("amount").to_numpy() > 0) & (since >= 0) & (since < _DAY_US))


def _as_before(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Whether each row has the value of the row before it in a column."""
    same = np.zeros(table.num_rows, dtype=np.bool_)
    if table.num_rows > 1:
        column = table.column(name)
        same[1:] = pc.equal(column.slice(1), column.slice(0, table.num_rows - 1)).to_numpy()
    return same


@_compiled
def mark(ids, factor, shift, once, twice):
    """Set the bit of each id's place in `once`, and in `twice` where it was set already."""
    for k in range(len(ids)):
        place = (np.uint64(ids[k]) * factor) >> shift
        word, bit = place >> np.uint64(6), np.uint64(1) << (place & np.uint64(63))
        before = once[word]
        if before & bit:
            twice[word] |= bit
        else:
            once[word] = before | bit


@_compiled
def collect(ids, factor, shift, twice, at):
    """Write into `at` where the ids stand whose place has its bit set; gives their number. at: one longer than ids."""
    count = np.int64(0)
    for k in range(len(ids)):
        place = (np.uint64(ids[k]) * factor) >> shift
        at[count] = k
        count += np.int64((twice[place >> np.uint64(6)] >> (place & np.uint64(63))) & np.uint64(1))
    return count
