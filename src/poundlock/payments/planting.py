"""Mistakes planted in a synthetic day, each kind as often as asked, and what the key says of them.

Planted records are added to the clean day, at the end of the file and in no order, as what is sent again or late
arrives; only the records of a gap are taken out. So a ledger without its planted records is the clean one, but for
gaps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from poundlock.payments.planted_key import KeyKind, PlantedError
from poundlock.payments.synthetic_day import (
    HOUR_US,
    REVERSED,
    SETTLED,
    Integers,
    Pattern,
    Records,
    clean_day,
    drawn,
    generator,
    id_space,
    joined,
    kept_for_later,
    midnight,
    record_ids,
    rows_of,
    taken,
    whole,
)

SILENCED_FROM: Final = 100
"""Records of an institution in an hour, on an ordinary day, from which on it may fall silent: no chance would do it."""
LATEST: Final = 3
"""Days by which a late record is late at most, and an impossible one early."""
_PLANTING, _SILENCE, _STRANGERS = 10, 11, 12


@dataclass(frozen=True, slots=True)
class Planted:
    """How many of each kind a day. All 0: the clean ledger.

    duplicates: exact copies of a record of the day. conflicting: the same record_id with a larger amount. late: time
    1 to 3 days before the day of the file; late_duplicates of them are second copies of a record that the file of
    that day holds, the others have ids that it does not hold. impossible: time 1 to 3 days after. zero: settled,
    amount 0. negative: reversed, amount below 0. silent: hours of the UTC day from which all records that a large
    institution pays were taken out. missing_days: days that are not written, of all days asked for, never the first
    or the last. unbalanced: rows of the returns with another value.
    """

    duplicates: int = 0
    conflicting: int = 0
    late: int = 0
    late_duplicates: int = 0
    impossible: int = 0
    zero: int = 0
    negative: int = 0
    silent: int = 0
    missing_days: int = 0
    unbalanced: int = 0

    def __post_init__(self) -> None:
        if min(getattr(self, name) for name in self.__slots__) < 0 or self.late_duplicates > self.late:
            raise ValueError(f"{self}: counts are at least 0, and late_duplicates are among late")


@dataclass(frozen=True, slots=True)
class _Extra:
    """Records to add, all of one kind. source: rows of the day that they are copies of, before any is taken out.
    own_days, copies: for each record."""

    kind: KeyKind
    records: Records
    source: NDArray[np.intp] | None = None
    own_days: tuple[dt.date, ...] = field(default=())
    copies: bool = False


def plant(
    of: Pattern, day: dt.date, planted: Planted, institutions: Sequence[str]
) -> tuple[Records, list[PlantedError]]:
    """The records of a day's file in their order, and the errors among them. Raises ValueError where a day is too
    small for what is asked."""
    _check(of, day, planted)
    records, kept_later = clean_day(of, day)
    keep, errors = _silenced(of, day, planted, records, institutions)
    draw = generator(of.seed, day, _PLANTING)
    extras = [*_copies(planted, records, keep & ~kept_later, draw), *_odd(of, day, planted, records, keep, draw)]
    extras += _strangers(of, day, planted)
    row = np.cumsum(keep) - 1
    tail = joined([extra.records for extra in extras]) if extras else taken(records, np.zeros(0, dtype=np.intp))
    order = draw.permutation(len(tail))
    place = np.empty(len(tail), dtype=np.int64)
    place[order] = int(keep.sum()) + np.arange(len(tail))
    start = 0
    for extra in extras:
        errors += _told(extra, day, place[start : start + len(extra.records)], row, records)
        start += len(extra.records)
    return joined([records if keep.all() else taken(records, keep), taken(tail, order)]), errors


def missing(seed: int, days: Iterable[dt.date], count: int) -> tuple[dt.date, ...]:
    """Days that are not written."""
    inside = sorted(set(days))[1:-1]
    if count > len(inside):
        raise ValueError(f"{count} missing days among {len(inside)} that are neither the first nor the last")
    draw = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_PLANTING,)))
    return tuple(sorted(inside[k] for k in draw.choice(len(inside), count, replace=False)))


def silent_hours(of: Pattern, day: dt.date, count: int) -> list[tuple[int, int]]:
    """Institution and hour of each gap of a day; known without the day's records."""
    if not count:
        return []
    hourly = np.diff(of.hours[::60])
    usual = of.rows_per_day * of.weights["institution"][:, None] * hourly
    cells = np.argwhere(usual >= SILENCED_FROM)
    if len(cells) < count:
        raise ValueError(
            f"{len(cells)} hours in which an institution usually pays {SILENCED_FROM} records; {count} asked for"
        )
    chosen = generator(of.seed, day, _SILENCE).choice(len(cells), count, replace=False)
    return [(int(i), int(hour)) for i, hour in cells[np.sort(chosen)]]


def _check(of: Pattern, day: dt.date, planted: Planted) -> None:
    new = LATEST * planted.late + planted.impossible + planted.zero + planted.negative
    for earlier in range(LATEST + 1):
        rows = rows_of(of, day - dt.timedelta(days=earlier))
        if rows + new > id_space(rows):
            raise ValueError(f"{day}: {rows:,} records are too few to plant {new:,} others")


def _silenced(
    of: Pattern, day: dt.date, planted: Planted, records: Records, institutions: Sequence[str]
) -> tuple[NDArray[np.bool_], list[PlantedError]]:
    """Which records stay."""
    keep, errors = np.ones(len(records), dtype=np.bool_), []
    cells = silent_hours(of, day, planted.silent)
    hour = (records.time - midnight(day)) // HOUR_US if cells else records.time
    for who, at in cells:
        gone = (records.payer_institution == who) & (hour == at)
        keep &= ~gone
        errors.append(PlantedError(day, "gap", institution=institutions[who], hour=at, removed=int(gone.sum())))
    return keep, errors


def _copies(planted: Planted, records: Records, free: NDArray[np.bool_], draw: np.random.Generator) -> list[_Extra]:
    """Exact copies, and copies with a larger amount: of different records."""
    count = planted.duplicates + planted.conflicting
    if not count:
        return []
    source = _chosen(np.flatnonzero(free), count, draw)
    same, other = source[: planted.duplicates], source[planted.duplicates :]
    conflicting = taken(records, other)
    more = 1 + np.floor(conflicting.amount * draw.random(len(other))).astype(np.int64)
    conflicting = replace(conflicting, amount=conflicting.amount + more)
    return [_Extra("duplicate", taken(records, same), same), _Extra("conflict", conflicting, other)]


def _odd(
    of: Pattern, day: dt.date, planted: Planted, records: Records, keep: NDArray[np.bool_], draw: np.random.Generator
) -> list[_Extra]:
    """Amounts of nought and below, under ids of their own."""
    count = planted.zero + planted.negative
    if not count:
        return []
    some = taken(records, _chosen(np.flatnonzero(keep), count, draw))
    first = len(records) + LATEST * planted.late + planted.impossible
    some = replace(some, record_id=record_ids(of, day, np.arange(first, first + count)))
    zero, negative = taken(some, np.arange(planted.zero)), taken(some, np.arange(planted.zero, count))
    zero = replace(zero, amount=np.zeros_like(zero.amount), status=np.full_like(zero.status, SETTLED))
    negative = replace(negative, amount=-negative.amount, status=np.full_like(negative.status, REVERSED))
    return [_Extra("zero", zero), _Extra("negative", negative)]


def _strangers(of: Pattern, day: dt.date, planted: Planted) -> list[_Extra]:
    """Records of other days, late or impossible, each a third of them 1, 2 and 3 days away."""
    extras = []
    own_late, copied = planted.late - planted.late_duplicates, planted.late_duplicates
    rows = rows_of(of, day)
    for away in range(1, LATEST + 1):
        earlier, later = day - dt.timedelta(days=away), day + dt.timedelta(days=away)
        count = len(range(away - 1, copied, LATEST))
        if count:
            extras.append(
                _Extra("late", _second_copies(of, earlier, away, count, planted), None, (earlier,) * count, True)
            )
        count = len(range(away - 1, own_late, LATEST))
        numbers = rows_of(of, earlier) + (away - 1) * planted.late + np.arange(count)
        ids = record_ids(of, earlier, numbers)
        extras.append(_Extra("late", _fresh(of, day, earlier, -away, ids), None, (earlier,) * count))
        numbers = rows + LATEST * planted.late + np.arange(away - 1, planted.impossible, LATEST)
        ids = record_ids(of, day, numbers)
        extras.append(_Extra("impossible", _fresh(of, day, later, away, ids), None, (later,) * len(ids)))
    return [extra for extra in extras if len(extra.records)]


def _fresh(of: Pattern, day: dt.date, own_day: dt.date, away: int, ids: Integers) -> Records:
    """Records that came with the file of `day` and whose time lies in own_day."""
    draw = generator(of.seed, day, _STRANGERS, away % (2 * LATEST + 1))
    records, size = drawn(of, own_day, len(ids), draw)
    return replace(records, amount=whole(of, own_day, size), record_id=ids)


def _second_copies(of: Pattern, earlier: dt.date, away: int, count: int, planted: Planted) -> Records:
    """Records that the file of an earlier day holds; every later day has a third of those kept for it."""
    records = kept_for_later(of, earlier)
    free = np.ones(len(records), dtype=np.bool_)
    hour = (records.time - midnight(earlier)) // HOUR_US
    for who, at in silent_hours(of, earlier, planted.silent):
        free &= (records.payer_institution != who) | (hour != at)
    mine = np.flatnonzero(free)[away - 1 :: LATEST]
    if len(mine) < count:
        raise ValueError(f"{earlier}: {len(mine)} records that a later day may hold again; {count} were asked for")
    return taken(records, mine[:count])


def _chosen(rows: NDArray[np.intp], count: int, draw: np.random.Generator) -> NDArray[np.intp]:
    if len(rows) < count:
        raise ValueError(f"{len(rows):,} records to choose from; {count:,} were to be planted on")
    return rows[draw.choice(len(rows), count, replace=False)]


def _told(extra: _Extra, day: dt.date, place: Integers, row: Integers, records: Records) -> list[PlantedError]:
    """What the key says of the records of one kind. row: of each record of the clean day, its row in the file."""
    errors = []
    for k in range(len(extra.records)):
        told = PlantedError(
            day, extra.kind, int(extra.records.record_id[k]), (int(place[k]),), int(extra.records.amount[k])
        )
        if extra.source is not None:
            told = replace(told, rows=(int(row[extra.source[k]]), int(place[k])))
        if extra.kind == "conflict" and extra.source is not None:
            told = replace(told, true_value=int(records.amount[extra.source[k]]))
        if extra.own_days:
            own_day = extra.own_days[k]
            told = replace(told, own_day=own_day, copy_of=own_day if extra.copies else None)
        errors.append(told)
    return errors
