"""One synthetic day of a ledger without any mistake: how volumes, hours, shares and amounts are drawn.

Every day has generators of its own, spawned from the seed by the day's date, so that a day is the same whatever else
is made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from poundlock.payments.market import MarketFile

Integers = NDArray[np.int64]
Codes = NDArray[np.uint16]

DAY_US: Final = 86_400_000_000
HOUR_US: Final = 3_600_000_000
MINUTES_A_DAY: Final = 1440
STATUSES: Final = ("settled", "rejected", "reversed", "pending")
SETTLED, REVERSED = 0, 2
KEPT_FOR_LATER: Final = 16
"""One record in so many may be delivered a second time with a later day."""
_EPOCH: Final = dt.date(1970, 1, 1)
_SLOTS: Final = 1 << 16
_VOLUME, _RECORDS, _SECOND_COPIES, _IDS = range(4)


@dataclass(frozen=True, slots=True)
class Shape:
    """What synthetic records look like. Weights need not add up to one; None: Zipf's law, 1 / rank^exponent in declared
    order.

    platforms, institutions, regions, channels: weights in the market's order. same_region: share of payees in the
    payer's region; the others are drawn as payers are. peaks: local hour, width in hours, height, above a floor of
    `night`. utc_offset_hours: of local time; at 8 a UTC day starts at 08:00 local. week: factor of each weekday,
    Monday first. year_swing: of a cosine around 1 with its top at year_peak, day of the year. festivals: (month,
    day, factor). noise: standard deviation of the logarithm of a day's rows. amount_median: minor units;
    amount_sigma: of the logarithm. statuses: shares of settled, rejected, reversed, pending.
    """

    platforms: tuple[float, ...] | None = None
    institutions: tuple[float, ...] | None = None
    regions: tuple[float, ...] | None = None
    channels: tuple[float, ...] | None = None
    exponent: float = 1.0
    same_region: float = 0.6
    peaks: tuple[tuple[float, float, float], ...] = ((12.0, 1.8, 1.0), (20.0, 2.2, 1.2))
    night: float = 0.06
    utc_offset_hours: float = 8.0
    week: tuple[float, ...] = (0.96, 0.95, 0.96, 0.98, 1.06, 1.08, 1.01)
    year_swing: float = 0.06
    year_peak: int = 330
    festivals: tuple[tuple[int, int, float], ...] = (
        (1, 1, 1.3),
        (6, 18, 1.7),
        (10, 1, 1.4),
        (11, 11, 2.5),
        (12, 12, 1.5),
    )
    noise: float = 0.02
    amount_median: float = 4_000.0
    amount_sigma: float = 1.5
    statuses: tuple[float, float, float, float] = (0.97, 0.02, 0.008, 0.002)


@dataclass(frozen=True, slots=True)
class Records:
    """Records as arrays of one length. time: microseconds since 1970 UTC. Codes: numbers in the market's order,
    status in that of STATUSES. amount: minor units."""

    time: Integers
    payer_region: Codes
    payee_region: Codes
    payer_institution: Codes
    payee_institution: Codes
    platform: Codes
    channel: Codes
    amount: Integers
    status: Codes
    record_id: Integers

    def __len__(self) -> int:
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What all days of one ledger share. tables: of each kind of code, 65,536 slots that share its weights out.
    hours (1441,): share of a day's records before each minute UTC. totals: value settled that a day must have, minor
    units, where it is given."""

    seed: int
    rows_per_day: int
    shape: Shape
    tables: Mapping[str, Codes] = field(repr=False)
    weights: Mapping[str, NDArray[np.float64]] = field(repr=False)
    hours: NDArray[np.float64] = field(repr=False)
    totals: Mapping[dt.date, int] = field(repr=False)


def pattern(
    market: MarketFile, shape: Shape, seed: int, rows_per_day: int, totals: Mapping[dt.date, int] | None
) -> Pattern:
    """Ready for any day. Raises ValueError for weights that do not fit the market."""
    if rows_per_day < 1:
        raise ValueError(f"{rows_per_day} rows a day; expected at least 1")
    lists = {
        "platform": (market.platforms, shape.platforms),
        "institution": (market.institutions, shape.institutions),
        "region": (market.regions, shape.regions),
        "channel": (market.channels, shape.channels),
        "status": (STATUSES, shape.statuses),
    }
    weights = {name: _weights(name, codes, given, shape.exponent) for name, (codes, given) in lists.items()}
    tables = {name: _table(name, weight) for name, weight in weights.items()}
    return Pattern(seed, rows_per_day, shape, tables, weights, _hours(shape), dict(totals or {}))


def generator(seed: int, day: dt.date, *stream: int) -> np.random.Generator:
    """Of one day and one purpose."""
    sequence = np.random.SeedSequence(seed, spawn_key=(day.toordinal(), *stream))
    return np.random.Generator(np.random.SFC64(sequence))


def midnight(day: dt.date) -> int:
    """Microseconds since 1970 at 00:00 UTC."""
    return (day - _EPOCH).days * DAY_US


def rows_of(of: Pattern, day: dt.date) -> int:
    """Records of a day, by weekday, season and festivals, with noise; at least one."""
    shape = of.shape
    season = 1.0 + shape.year_swing * np.cos(2.0 * np.pi * (day.timetuple().tm_yday - shape.year_peak) / 365.25)
    festival = next((factor for month, at, factor in shape.festivals if (day.month, day.day) == (month, at)), 1.0)
    noise = np.exp(shape.noise * generator(of.seed, day, _VOLUME).standard_normal())
    return max(1, round(of.rows_per_day * float(season * noise) * festival * shape.week[day.weekday()]))


def clean_day(of: Pattern, day: dt.date) -> tuple[Records, NDArray[np.bool_]]:
    """All records of a day, sorted by time, and which of them a later day may hold once more."""
    rows = rows_of(of, day)
    again = kept_for_later(of, day)
    main, size = drawn(of, day, rows - len(again), generator(of.seed, day, _RECORDS))
    settled_again = int(again.amount[again.status == SETTLED].sum())
    amounts = _amounts(of, day, size, main.status == SETTLED, settled_again)
    main = replace(main, amount=amounts)
    marked = np.zeros(rows, dtype=np.bool_)
    marked[np.searchsorted(main.time, again.time) + np.arange(len(again))] = True
    ids = record_ids(of, day, np.arange(len(again), rows))
    return _merged(replace(main, record_id=ids), again, marked), marked


def kept_for_later(of: Pattern, day: dt.date) -> Records:
    """Those records of a day that a later day may hold once more, sorted by time: a generator of their own makes
    them, so that the later day need not make all of this one."""
    count = rows_of(of, day) // KEPT_FOR_LATER
    records, size = drawn(of, day, count, generator(of.seed, day, _SECOND_COPIES))
    return replace(records, amount=whole(of, day, size), record_id=record_ids(of, day, np.arange(count)))


def drawn(of: Pattern, day: dt.date, count: int, draw: np.random.Generator) -> tuple[Records, NDArray[np.float64]]:
    """Records of a day, sorted by time, without ids and amounts; and the size of each amount, lognormal with the
    median one."""

    def codes(name: str) -> Codes:
        return of.tables[name][draw.integers(0, _SLOTS, count, dtype=np.uint16)]

    spaced = np.cumsum(draw.standard_exponential(count + 1))  # uniform and sorted, without a sort
    minute = np.interp(spaced[:-1] / spaced[-1], of.hours, np.arange(MINUTES_A_DAY + 1))
    since = np.minimum((minute * 60e6).astype(np.int64), DAY_US - 1)
    payer_region, other = codes("region"), codes("region")
    stays = draw.integers(0, _SLOTS, count, dtype=np.uint16) < round(of.shape.same_region * (_SLOTS - 1))
    nothing = np.zeros(0, dtype=np.int64)
    records = Records(
        time=since + midnight(day),
        payer_region=payer_region,
        payee_region=np.where(stays, payer_region, other),
        payer_institution=codes("institution"),
        payee_institution=codes("institution"),
        platform=codes("platform"),
        channel=codes("channel"),
        amount=nothing,
        status=codes("status"),
        record_id=nothing,
    )
    return records, np.exp(of.shape.amount_sigma * draw.standard_normal(count))


def whole(of: Pattern, day: dt.date, size: NDArray[np.float64]) -> Integers:
    """Amounts in minor units, at least one, around the day's median."""
    median = of.shape.amount_median
    if day in of.totals:
        settled = of.weights["status"][SETTLED] * rows_of(of, day)
        median = of.totals[day] / settled / np.exp(of.shape.amount_sigma**2 / 2.0)
    return np.maximum(np.rint(median * size), 1.0).astype(np.int64)


def record_ids(of: Pattern, day: dt.date, number: Integers) -> Integers:
    """Ids of the day's records by their number, in no visible order: a bijection of a range at least twice as long
    as the day. Ids of days that lie at most three apart differ; others may be the same."""
    bits = id_space(rows_of(of, day)).bit_length() - 1
    first, second, shift = (int(k) for k in generator(of.seed, day, _IDS).integers(0, 1 << 62, 3))
    mask, half = np.uint64((1 << bits) - 1), np.uint64(bits // 2 + 1)
    mixed = number.astype(np.uint64)
    for factor in (first, second):
        mixed = (mixed * np.uint64(factor | 1) + np.uint64(shift)) & mask
        mixed ^= mixed >> half
    return (mixed.astype(np.int64) << 2) + day.toordinal() % 4


def id_space(rows: int) -> int:
    """Numbers for which a day of so many rows has ids."""
    return 1 << (2 * rows + 1024).bit_length()


def taken(records: Records, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Records:
    """Some of the records."""
    return Records(*(getattr(records, f.name)[rows] for f in fields(Records)))


def joined(parts: Sequence[Records]) -> Records:
    """One after the other."""
    return Records(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Records)))


def _amounts(
    of: Pattern, day: dt.date, size: NDArray[np.float64], settled: NDArray[np.bool_], settled_else: int
) -> Integers:
    """Of the main part of a day; where a total is given, the settled ones fill up what others leave of it, exactly."""
    amounts = whole(of, day, size)
    count = int(settled.sum())
    if day in of.totals:
        rest = of.totals[day] - settled_else - count
        if rest < 0 or (count == 0 and rest > 0):
            raise ValueError(
                f"{day}: a total of {of.totals[day]:,} minor units for {count:,} records of at least 1 each"
            )
        running = np.cumsum(size[settled])
        ends = np.floor(running / running[-1] * rest).astype(np.int64) if count else np.zeros(0, dtype=np.int64)
        ends[-1:] = rest
        amounts[settled] = 1 + np.diff(ends, prepend=0)
    return amounts


def _merged(main: Records, again: Records, marked: NDArray[np.bool_]) -> Records:
    """Both in the order of time; marked: where those of `again` stand."""
    if not len(again):
        return main
    columns = []
    for one in fields(Records):
        column = np.empty(len(marked), dtype=getattr(main, one.name).dtype)
        column[marked], column[~marked] = getattr(again, one.name), getattr(main, one.name)
        columns.append(column)
    return Records(*columns)


def _weights(name: str, codes: Sequence[str], given: Sequence[float] | None, exponent: float) -> NDArray[np.float64]:
    if not 0 < len(codes) <= _SLOTS:
        raise ValueError(f"{len(codes)} codes of {name}; expected 1 to {_SLOTS:,}")
    weights = 1.0 / np.arange(1, len(codes) + 1) ** exponent if given is None else np.array(given, dtype=np.float64)
    if weights.shape != (len(codes),) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() <= 0:
        raise ValueError(f"{len(weights)} weights of {name}; expected {len(codes)}, none below 0, not all 0")
    return np.asarray(weights / weights.sum())


def _table(name: str, weights: NDArray[np.float64]) -> Codes:
    """65,536 slots shared out by weight, with the largest remainders; every code of any weight has one."""
    some = weights > 0
    free = _SLOTS - int(some.sum())
    exact = weights * free
    count = np.floor(exact).astype(np.int64) + some
    most = np.argsort(count - some - exact, kind="stable")[: _SLOTS - int(count.sum())]
    count[most] += 1
    return np.repeat(np.arange(len(weights), dtype=np.uint16), count)


def _hours(shape: Shape) -> NDArray[np.float64]:
    """Share of a day's records before each minute UTC (1441,)."""
    local = (np.arange(MINUTES_A_DAY) + 0.5) / 60.0 + shape.utc_offset_hours
    pace = np.full(MINUTES_A_DAY, shape.night)
    for centre, width, height in shape.peaks:
        away = (local - centre + 12.0) % 24.0 - 12.0
        pace += height * np.exp(-0.5 * (away / width) ** 2)
    running = np.concatenate([np.zeros(1), np.cumsum(pace)])
    return np.asarray(running / running[-1])
