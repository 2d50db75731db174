"""All indicators of a ledger over a period: partials of each day, added up. One call, on either engine, with the same numbers."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.activity import ACTIVITY, RECEIVED, Period, Volumes, days_in, period_of, volumes
from poundlock.payments.baseline import Seasonal, seasonal
from poundlock.payments.concentration import Concentration, concentration
from poundlock.payments.cover import Cover, Partnership, covers, partnerships
from poundlock.payments.effects import Effect, Names, Sums, effects
from poundlock.payments.engines import EngineName
from poundlock.payments.flows import INSTITUTION_FLOWS, REGION_FLOWS, Flows, matrix
from poundlock.payments.market import MarketFile
from poundlock.payments.netting import MINUTES, PAIRS, Netting, minute_sums, netting
from poundlock.payments.partials import Ledger, Partial, added, partials
from poundlock.payments.quality import COPIED, Quality, quality
from poundlock.payments.queues import Queues, queued
from poundlock.payments.suspects import ODD
from poundlock.payments.totals import Difference, unbalanced_sides
from poundlock.payments.unwinding import Unwinding, unwound

Progress = Callable[[str, int], None]
PARTIALS: Final[tuple[Partial, ...]] = (
    ACTIVITY,
    RECEIVED,
    REGION_FLOWS,
    INSTITUTION_FLOWS,
    MINUTES,
    PAIRS,
    ODD,
    COPIED,
)
"""Everything that is computed from records, a day at a time."""


def partials_of(market: MarketFile) -> tuple[Partial, ...]:
    """Those that this market's indicators stand on: pairs only where participants declare liquidity."""
    return tuple(partial for partial in PARTIALS if partial is not PAIRS or market.liquidity is not None)


@dataclass(frozen=True)
class OfRecords:
    """What only single records can say. regions, flows: over all days; daily: institutions' flows of each day. through: platforms, and value that
    each institution received through each, over all days (n, platforms). netting: of each day. queues: of each day,
    with the liquidity that participants declared; empty where none did. failures: of each participant alone, on the day of most value.
    sql: name of each partial and the query that ran, or that a kernel stood in for."""

    engine: EngineName
    regions: Flows
    flows: Flows
    daily: tuple[Flows, ...] = field(repr=False)
    through: tuple[tuple[str, ...], NDArray[np.int64]] = field(repr=False)
    netting: tuple[Netting, ...] = field(repr=False)
    queues: tuple[Queues, ...] = field(repr=False)
    failures: tuple[tuple[str, Unwinding], ...] = field(repr=False)
    quality: Quality = field(repr=False)
    effects: tuple[Effect, ...] = field(repr=False)
    sql: tuple[tuple[str, str], ...] = field(repr=False)


@dataclass(frozen=True)
class Indicators:
    """A period of a market. days: that were read, ascending; missing: expected, without figures. by_platform, by_institution, by_region: volumes by
    period, on the payers' side. platforms, institutions: concentration of the same. seasonal: of the value of each day, all together. cover,
    lending: as returned up to the last day. sides: days on which the totals that institutions sent in do not agree between senders and receivers. records: None where only totals were sent in."""

    market: MarketFile = field(repr=False)
    period: Period
    days: tuple[dt.date, ...] = field(repr=False)
    missing: tuple[dt.date, ...]
    by_platform: Volumes
    by_institution: Volumes
    by_region: Volumes
    platforms: Concentration
    institutions: Concentration
    seasonal: Seasonal
    cover: tuple[Cover, ...] = field(repr=False)
    lending: tuple[Partnership, ...] = field(repr=False)
    records: OfRecords | None
    sides: tuple[Difference, ...] = field(default=(), repr=False)

    @property
    def days_of_periods(self) -> dict[str, tuple[int, int]]:
        """By period: days that have figures, and days that it has in the calendar."""
        read = Counter(period_of(day, self.period) for day in self.days)
        some = {period_of(day, self.period): day for day in self.days}
        return {name: (read[name], days_in(day, self.period)) for name, day in some.items()}

    @property
    def whole(self) -> tuple[int, ...]:
        """Numbers of the periods, as in by_platform, all of whose days have figures."""
        days = self.days_of_periods
        return tuple(k for k, name in enumerate(self.by_platform.periods) if days[name][0] == days[name][1])


def from_records(
    market: MarketFile,
    ledger: Ledger,
    *,
    period: Period = "month",
    missing: Sequence[dt.date] = (),
    progress: Progress | None = None,
) -> Indicators:
    """Everything that the records of these days say, at least one day of them (ValueError). progress: told the name of a step and days done."""
    days = ledger.days
    if not days:
        raise ValueError("no day of the ledger to read")
    told = progress or (lambda step, done: None)
    stands_for = market.market.records_stand_for

    def table(partial: Partial) -> pa.Table:
        found = added(partials(ledger, partial), partial)
        told(partial.name, len(days))
        return found

    activity, regions, flows, copied = table(ACTIVITY), table(REGION_FLOWS), table(INSTITUTION_FLOWS), table(COPIED)
    nets, hours = _netted(market, ledger)
    told(MINUTES.name, len(days))
    found = quality(
        ledger,
        copied=copied, hours=hours, institutions=market.institutions, missing=missing, returns=market.returns,
        sent=_side(flows, "payer_institution"), received=_side(flows, "payee_institution"),
    )  # fmt: skip
    told(ODD.name, len(days))
    names = Names(market.platforms, market.regions, market.institutions, stands_for)
    all_regions = matrix(regions, market.regions, stands_for=stands_for)
    all_flows = matrix(flows, market.institutions, stands_for=stands_for)
    daily = tuple(matrix(_of(flows, day.day), market.institutions, stands_for=stands_for) for day in days)
    peaks = sum(int(net.peak_debit.sum()) for net in nets)
    single = np.array([name not in market.market.rest for name in names.platforms])
    sums = Sums(*_by_platform(activity, names), all_regions.value, all_flows.value, peaks, single)
    of_records = OfRecords(
        ledger.engine.name,
        all_regions,
        all_flows,
        daily,
        (names.platforms, _through(table(RECEIVED), names)),
        nets,
        _queued(market, ledger),
        _failures(market, daily),
        found,
        effects(sums, found.suspects, names, _minutes_in_doubt(market, ledger, found)),
        tuple((partial.name, partial.sql(ledger.engine)) for partial in PARTIALS),
    )
    told(PAIRS.name, len(days))
    return _of_activity(market, activity, period, [day.day for day in days], missing, of_records)


def from_returns(
    market: MarketFile, first: dt.date, last: dt.date, *, period: Period = "month", missing: Sequence[dt.date] = ()
) -> Indicators:
    """What totals by day, institution, region and platform say, for an authority that may not hold records: volumes and shares, on the payers'
    side. first, last: days that count. Raises ValueError where there are no returns of these days."""
    returns = market.returns
    within = [] if returns is None else [first <= day <= last for day in returns.day]
    if returns is None or not any(within):
        raise ValueError("no returns of these days")
    sent = np.asarray(returns.side == "sent") & np.array(within)
    columns = {
        "day": pa.array(list(returns.day[sent]), pa.date32()),
        "payer_institution": pa.array(list(returns.institution[sent]), pa.string()),
        "payer_region": pa.array(list(returns.region[sent]), pa.string()),
        "platform": pa.array(list(returns.platform[sent]), pa.string()),
        "payments": pa.array(returns.payments[sent], pa.int64()),
        "value": pa.array(returns.value[sent], pa.int64()),
    }
    days = sorted({day for day, one in zip(returns.day, within, strict=True) if one})
    return _of_activity(market, pa.table(columns), period, days, missing, None, stands_for=1)


def _of_activity(
    market: MarketFile,
    activity: pa.Table,
    period: Period,
    days: Sequence[dt.date],
    missing: Sequence[dt.date],
    records: OfRecords | None,
    stands_for: int | None = None,
) -> Indicators:
    each = market.market.records_stand_for if stands_for is None else stands_for
    by_platform, by_institution, by_region = (
        volumes(activity, period, [by], stands_for=each) for by in ("platform", "institution", "region")
    )
    daily = volumes(activity, "day", [])
    value = daily.value.sum(axis=1).astype(np.float64)
    return Indicators(
        market,
        period,
        tuple(days),
        tuple(missing),
        by_platform,
        by_institution,
        by_region,
        concentration(by_platform, rest=market.market.rest),
        concentration(by_institution),
        seasonal([dt.date.fromisoformat(day) for day in daily.periods], value),
        tuple(one for one in (covers(market.reserves) if market.reserves is not None else ()) if one.day <= days[-1]),
        tuple(
            one for one in (partnerships(market.lending) if market.lending is not None else ()) if one.day <= days[-1]
        ),
        records,
        _sides(market, days),
    )


def _sides(market: MarketFile, days: Sequence[dt.date]) -> tuple[Difference, ...]:
    found = unbalanced_sides(market.returns) if market.returns is not None else ()
    return tuple(one for one in found if one.day in set(days))


def _netted(market: MarketFile, ledger: Ledger) -> tuple[tuple[Netting, ...], NDArray[np.int64]]:
    """Each day's netting, and records sent by day, hour and institution; one day in memory at a time."""
    nets, hours = [], np.zeros((len(ledger.days), 24, len(market.institutions)), dtype=np.int64)
    for k, (day, table) in enumerate(partials(ledger, MINUTES)):
        sent, received, records = minute_sums(table, market.institutions)
        nets.append(netting(day.day, market.institutions, sent, received))
        hours[k] = records.reshape(24, 60, -1).sum(axis=1)
    return tuple(nets), hours


def _minutes_in_doubt(
    market: MarketFile, ledger: Ledger, found: Quality
) -> Iterator[tuple[dt.date, NDArray[np.int64], NDArray[np.int64]]]:
    """Value sent and received by minute and institution, of the days that have suspects."""
    on = set(found.suspects.column("day").to_pylist())
    for day, table in partials(ledger, MINUTES, [day for day in ledger.days if day.day in on]):
        sent, received, _ = minute_sums(table, market.institutions)
        yield day.day, sent, received


def _queued(market: MarketFile, ledger: Ledger) -> tuple[Queues, ...]:
    """Each day settled with the liquidity that participants declared; nothing where none did."""
    liquidity = market.liquidity
    if liquidity is None:
        return ()
    names = pa.array(market.institutions, pa.string())
    found = []
    for _, table in partials(ledger, PAIRS):
        payer, payee = (pc.index_in(table.column(f"{s}_institution"), names).to_numpy() for s in ("payer", "payee"))
        found.append(
            queued(table.column("minute").to_numpy(), payer, payee, table.column("value").to_numpy(), liquidity)
        )
    return tuple(found)


def _failures(market: MarketFile, daily: Sequence[Flows]) -> tuple[tuple[str, Unwinding], ...]:
    """Each participant's failure alone, unwound on the day of most value."""
    most = max(daily, key=lambda day: int(day.value.sum()))
    return tuple(
        (name, unwound(most.value, [k], buffers=market.buffers, liquidity=market.liquidity))
        for k, name in enumerate(market.institutions)
    )


def _by_platform(activity: pa.Table, names: Names) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Payments and value of each platform over all days."""
    at = pc.index_in(activity.column("platform"), pa.array(names.platforms, pa.string())).to_numpy()
    payments, value = np.zeros((2, len(names.platforms)), dtype=np.int64)
    np.add.at(payments, at, activity.column("payments").to_numpy() * names.stands_for)
    np.add.at(value, at, activity.column("value").to_numpy())
    return payments, value


def _through(received: pa.Table, names: Names) -> NDArray[np.int64]:
    """Value received by institution and platform."""
    who = pc.index_in(received.column("payee_institution"), pa.array(names.institutions, pa.string())).to_numpy()
    through = pc.index_in(received.column("platform"), pa.array(names.platforms, pa.string())).to_numpy()
    value = np.zeros((len(names.institutions), len(names.platforms)), dtype=np.int64)
    np.add.at(value, (who, through), received.column("value").to_numpy())
    return value


def _of(table: pa.Table, day: dt.date) -> pa.Table:
    return table.filter(pc.equal(table.column("day"), pa.scalar(day, pa.date32())))


def _side(flows: pa.Table, column: str) -> pa.Table:
    """Value by day and institution on one side: day, institution, value."""
    sums = flows.group_by(["day", column]).aggregate([("value", "sum")])
    return sums.select(["day", column, "value_sum"]).rename_columns(["day", "institution", "value"])
