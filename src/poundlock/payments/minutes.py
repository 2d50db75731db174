"""Settled payments by minute of the UTC day and institution, from one day's file: a kernel over Arrow batches.

It stands in for the query `netting.by_minute`, which is its oracle. Five columns are read; codes stay indices of
Arrow dictionaries.
"""

# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numba import njit
from numpy.typing import NDArray

from poundlock.payments.row_groups import share_out, threads_for

Integers = NDArray[np.int64]
MINUTES_A_DAY: Final = 1440
LARGEST_SUM: Final = 9e18
"""Of absolute amounts, as floats: below it no sum of int64 can wrap (2^63 is 9.22e18; the rounding of the float is
far smaller)."""

_MINUTE_US: Final = 60_000_000
_EPOCH: Final = dt.date(1970, 1, 1)
_CODES: Final = ("payer_institution", "payee_institution", "status")
_COLUMNS: Final = ("time", "amount", *_CODES)
SUMS: Final = ("payments_sent", "value_sent", "payments_received", "value_received")
_KINDS: Final = len(SUMS)
_LATE, _IMPOSSIBLE = range(2)

_compiled: Final = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True, slots=True)
class Outside:
    """Settled records whose time is not in the day. late: before it; they are in the sums at minute 0. impossible:
    after it; they are in the sums at minute 1439."""

    late: int
    impossible: int


@dataclass(frozen=True, slots=True)
class Minutes:
    """Settled records of one day, each (1440, n) int64. institutions (n,). payments_sent, payments_received:
    records. value_sent, value_received: minor units. A payment within one institution is on both sides. outside:
    None where a table does not say it."""

    institutions: tuple[str, ...]
    payments_sent: Integers = field(repr=False)
    value_sent: Integers = field(repr=False)
    payments_received: Integers = field(repr=False)
    value_received: Integers = field(repr=False)
    outside: Outside | None = None


def per_minute(
    path: Path, day: dt.date, institutions: Sequence[str] | None = None, *, threads: int | None = None
) -> Minutes:
    """Add up one day's file.

    institutions: their order in the result; default those that the file names, sorted. Every thread holds 46 kB for
    each of them. Raises ValueError for an institution that is not among them, for a column that is absent or of
    another type, and for an empty cell; OverflowError where absolute amounts of settled records add up to 9e18 or
    more, so that no sum ever wraps.
    """
    metadata = pq.read_metadata(path)
    _check(path, metadata)
    count = threads_for(metadata, threads)
    tallies = [_Tally((day - _EPOCH).days * MINUTES_A_DAY * _MINUTE_US) for _ in range(count)]
    share_out(
        path, metadata, _COLUMNS, lambda thread, _, batch: tallies[thread].add(batch), threads=count, codes=_CODES
    )
    total = sum(float(tally.absolute[0]) for tally in tallies)
    if total >= LARGEST_SUM:
        raise OverflowError(
            f"{path}: settled amounts add up to {total:.3g} minor units; sums hold below {LARGEST_SUM:.0e}"
        )
    named = {name for tally in tallies for name in tally.number}
    names = tuple(sorted(named)) if institutions is None else tuple(institutions)
    sums = np.zeros((_KINDS, MINUTES_A_DAY, len(names)), dtype=np.int64)
    for tally in tallies:
        put(tally.sums, _numbers(list(tally.number), names, str(path)), sums)
    late, impossible = (sum(int(tally.outside[k]) for tally in tallies) for k in (_LATE, _IMPOSSIBLE))
    return Minutes(names, *_four(sums), Outside(late, impossible))


def to_table(minutes: Minutes) -> pa.Table:
    """minute, institution, payments_sent, value_sent, payments_received, value_received: a row for each minute and
    institution with any record, ordered by both."""
    order = np.array(sorted(range(len(minutes.institutions)), key=minutes.institutions.__getitem__), dtype=np.intp)
    minute, place = np.nonzero((minutes.payments_sent[:, order] + minutes.payments_received[:, order]) > 0)
    who = order[place]
    names = pa.array(minutes.institutions, pa.string())
    sums = {name: getattr(minutes, name)[minute, who] for name in SUMS}
    return pa.table({"minute": minute.astype(np.int64), "institution": names.take(pa.array(who)), **sums})


def through_the_day(table: pa.Table, institutions: Sequence[str]) -> Minutes:
    """From the columns of `to_table` back to arrays, rows of one minute and institution added up.

    Raises ValueError for an institution that is not among those given, and for a minute that no day has.
    """
    names = pc.unique(table.column("institution")).to_pylist()
    where = pc.index_in(table.column("institution"), pa.array(names, pa.string())).to_numpy()
    who = _numbers(names, institutions, "a table of minutes")[where]
    minute = table.column("minute").to_numpy()
    if len(minute) and not 0 <= minute.min() <= minute.max() < MINUTES_A_DAY:
        raise ValueError(f"minutes from {minute.min()} to {minute.max()}; expected 0 to {MINUTES_A_DAY - 1}")
    sums = np.zeros((_KINDS, MINUTES_A_DAY, len(institutions)), dtype=np.int64)
    for into, name in zip(sums, SUMS, strict=True):
        np.add.at(into, (minute, who), table.column(name).to_numpy())
    return Minutes(tuple(institutions), *_four(sums))


def minutes_of_file(path: Path, day: dt.date) -> pa.Table:
    """`to_table` of `per_minute`: the kernel of the partial `netting.MINUTES`."""
    return to_table(per_minute(path, day))


def _four(sums: Integers) -> tuple[Integers, Integers, Integers, Integers]:
    return sums[0], sums[1], sums[2], sums[3]


def _numbers(names: Sequence[str], institutions: Sequence[str], where: str) -> NDArray[np.intp]:
    """Where each of the names stands among the institutions. Raises ValueError."""
    number = {name: k for k, name in enumerate(institutions)}
    if strange := [name for name in names if name not in number]:
        raise ValueError(
            f"{where}: {len(strange)} institutions that are not among those given, the first '{min(strange)}'"
        )
    return np.array([number[name] for name in names], dtype=np.intp)


def _check(path: Path, metadata: pq.FileMetaData) -> None:
    schema = metadata.schema.to_arrow_schema()
    for name in _COLUMNS:
        kind = schema.field(name).type if name in schema.names else None
        sound = {"time": kind == pa.timestamp("us", "UTC"), "amount": kind == pa.int64()}.get(name, kind == pa.string())
        if not sound:
            raise ValueError(f"{path}: column '{name}' is {kind or 'absent'}; expected as in the schema of the ledger")


class _Tally:
    """What one thread adds up: sums (1440, at least the names so far, kinds), in the order in which it met the
    names."""

    def __init__(self, midnight: int) -> None:
        self.midnight = midnight
        self.number: dict[str, int] = {}
        self.sums = np.zeros((MINUTES_A_DAY, 0, _KINDS), dtype=np.int64)
        self.absolute = np.zeros(1)
        self.outside = np.zeros(2, dtype=np.int64)

    def add(self, batch: pa.RecordBatch) -> None:
        """One batch of _COLUMNS."""
        columns = {name: batch.column(name) for name in _COLUMNS}
        if empty := [name for name, column in columns.items() if column.null_count]:
            raise ValueError(f"column '{empty[0]}' has empty cells; a ledger has none")
        payer, payee = (self._ours(columns[name].dictionary) for name in _CODES[:2])
        settled = np.array([status == "settled" for status in columns["status"].dictionary.to_pylist()], dtype=np.bool_)
        self._make_room()
        add_up(
            columns["time"].view(pa.int64()).to_numpy(),
            columns["amount"].to_numpy(),
            *(columns[name].indices.to_numpy() for name in _CODES),
            payer,
            payee,
            settled,
            self.midnight,
            self.sums,
            self.absolute,
            self.outside,
        )

    def _ours(self, dictionary: pa.Array) -> NDArray[np.int32]:
        """From this batch's indices to our numbers."""
        names = dictionary.to_pylist()
        return np.array([self.number.setdefault(name, len(self.number)) for name in names], dtype=np.int32)

    def _make_room(self) -> None:
        held, needed = self.sums.shape[1], len(self.number)
        if needed > held:
            wider = np.zeros((MINUTES_A_DAY, max(needed, held + held // 2), _KINDS), dtype=np.int64)
            wider[:, :held] = self.sums
            self.sums = wider


@_compiled
def add_up(time, amount, payer, payee, status, payers, payees, settled, midnight, sums, absolute, outside):
    """Add a batch to sums (1440, n, 4). payer, payee, status (m,): indices into payers, payees (numbers of
    institutions) and settled."""
    total = absolute[0]
    for k in range(len(time)):
        if not settled[status[k]]:
            continue
        since = time[k] - midnight
        minute = since // 60_000_000
        if minute < 0:
            minute = 0
            outside[0] += 1
        elif minute > 1439:
            minute = 1439
            outside[1] += 1
        value = amount[k]
        total += abs(np.float64(value))
        i, j = payers[payer[k]], payees[payee[k]]
        sums[minute, i, 0] += 1
        sums[minute, i, 1] += value
        sums[minute, j, 2] += 1
        sums[minute, j, 3] += value
    absolute[0] = total


@_compiled
def put(sums, at, into):
    """Add the sums of one thread (1440, at least m, kinds) to those of the day (kinds, 1440, n). at (m,): where each
    name stands there."""
    for minute in range(sums.shape[0]):
        for k in range(len(at)):
            for kind in range(sums.shape[2]):
                into[kind, minute, at[k]] += sums[minute, k, kind]
