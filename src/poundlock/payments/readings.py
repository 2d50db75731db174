"""Indicators by name: what a gate of a plan, a guardrail of a programme or a question at the command line may ask for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from poundlock.payments.baseline import growth
from poundlock.payments.indicators import Indicators, OfRecords

Of = Literal["", "platform", "institution", "region"]


@dataclass(frozen=True, slots=True)
class Indicator:
    """label: in words. unit: as in Evidence; money is in the market's major unit. of: what it can be asked of, empty for the market as a whole. records: whether
    it needs single records. read: value by name of what it is asked of ('' for the market); NaN where there is none. worst: the largest is
    the worst, or the smallest. over: what part of the days it speaks of; a whole period has figures of all its days.
    tables: it stands on tables of the market, not on records or totals of payments."""

    label: str
    unit: str
    read: Callable[[Indicators], dict[str, float]] = field(repr=False)
    of: Of = ""
    records: bool = False
    worst: Literal["largest", "smallest"] = "largest"
    over: Literal["all days", "last period", "last whole period"] = "all days"
    tables: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure. of: whom it speaks of. value: None where there is none, then missing says why. as_of: the period that it speaks of."""

    indicator: str
    of: str
    value: float | None
    unit: str
    as_of: str
    missing: str = ""


def _market(value: float) -> dict[str, float]:
    return {"": float(value)}


def _last(values: Iterable[float]) -> dict[str, float]:
    found = list(values)
    return _market(found[-1]) if found else {}


def _major(i: Indicators) -> float:
    return float(10**i.market.market.minor_units)


def _records(i: Indicators) -> OfRecords:
    assert i.records is not None
    return i.records


def _ratio(k: int) -> Callable[[Indicators], dict[str, float]]:
    return lambda i: _last(i.platforms.ratios[:, k])


def _whole(i: Indicators, amounts: NDArray[np.float64]) -> dict[str, float]:
    """Of the last period that is whole."""
    return _market(amounts[i.whole[-1]]) if i.whole else {}


def _change(i: Indicators) -> dict[str, float]:
    """Of the last two periods, where both are whole and one follows the other."""
    if len(i.whole) < 2 or i.whole[-1] - i.whole[-2] != 1:
        return {}
    return _market(growth(_value(i))[i.whole[-1]])


def _value(i: Indicators) -> NDArray[np.float64]:
    return np.asarray(i.by_platform.value.sum(axis=1), dtype=np.float64)


def _payments(i: Indicators) -> NDArray[np.float64]:
    return np.asarray(i.by_platform.payments.sum(axis=1), dtype=np.float64)


def _by_name(names: Iterable[str], values: Iterable[float]) -> dict[str, float]:
    return dict(zip(names, (float(v) for v in values), strict=True))


def _between(i: Indicators) -> dict[str, float]:
    value = _records(i).regions.value
    total = int(value.sum())
    return _market(1.0 - int(np.trace(value)) / total if total else math.nan)


def _peaks(i: Indicators) -> dict[str, float]:
    nets = _records(i).netting
    return _by_name(nets[0].names, np.max([net.peak_debit for net in nets], axis=0) / _major(i))


def _use(i: Indicators) -> dict[str, float]:
    nets = _records(i).netting
    peaks, sent = (np.sum([getattr(net, name) for net in nets], axis=0) for name in ("peak_debit", "sent"))
    return _by_name(nets[0].names, np.where(sent > 0, peaks / np.maximum(sent, 1), np.nan))


def _turnover(i: Indicators) -> dict[str, float]:
    nets = _records(i).netting
    peaks = sum(int(net.peak_debit.sum()) for net in nets)
    return _market(sum(int(net.sent.sum()) for net in nets) / peaks if peaks else math.nan)


def _throughput(i: Indicators) -> dict[str, float]:
    settled = np.sum([net.settled for net in _records(i).netting], axis=0)
    return _market(float(settled[:720].sum() / settled.sum()) if settled.sum() else math.nan)


def _liquidity_concentration(i: Indicators) -> dict[str, float]:
    peaks = np.sum([net.peak_debit for net in _records(i).netting], axis=0).astype(np.float64)
    return _market(float(np.sum((peaks / peaks.sum()) ** 2)) if peaks.sum() else math.nan)


def _delay(i: Indicators) -> dict[str, float]:
    return _market(max((queue.delay_indicator for queue in _records(i).queues), default=math.nan))


def _unwinding(i: Indicators) -> dict[str, float]:
    records = _records(i)
    most = max(int(day.value.sum()) for day in records.daily)
    return {name: float(one.unsettled / most) if most else math.nan for name, one in records.failures}


def _spikes(i: Indicators) -> dict[str, float]:
    return _market(float(i.seasonal.spikes.sum())) if np.isfinite(i.seasonal.score).any() else _market(math.nan)


def _cover(i: Indicators) -> dict[str, float]:
    return {one.platform: one.share for one in sorted(i.cover, key=lambda c: c.day)}


def _contribution(i: Indicators) -> dict[str, float]:
    found: dict[str, float] = {}
    last = {(p.bank, p.partner): p for p in sorted(i.lending, key=lambda p: p.day)}
    for pair in last.values():
        found[pair.bank] = min(found.get(pair.bank, math.inf), pair.contribution)
    return found


def _of_tier1(i: Indicators) -> dict[str, float]:
    found: dict[str, float] = {}
    for pair in {(p.bank, p.partner): p for p in sorted(i.lending, key=lambda p: p.day)}.values():
        found[pair.bank] = max(found.get(pair.bank, 0.0), pair.of_tier1)
    return found


def _faults(i: Indicators) -> dict[str, float]:
    return {fault.kind.replace(" ", "-"): float(fault.count) for fault in _records(i).quality.faults}


INDICATORS: Final[dict[str, Indicator]] = {
    "volume": Indicator(
        "Payments in the last whole period", "payments", lambda i: _whole(i, _payments(i)), over="last whole period"
    ),
    "value": Indicator(
        "Value in the last whole period", "money", lambda i: _whole(i, _value(i) / _major(i)), over="last whole period"
    ),
    "average-ticket": Indicator(
        "Average payment in the last whole period",
        "money",
        lambda i: _whole(i, _value(i) / np.maximum(_payments(i), 1) / _major(i)),
        over="last whole period",
    ),
    "growth": Indicator(
        "Growth of value, last whole period over the one before", "share", _change, over="last whole period"
    ),
    "spikes": Indicator("Days far from their seasonal baseline", "days", _spikes),
    "share": Indicator(
        "Share of value in the last period",
        "share",
        lambda i: _by_name(i.platforms.who, i.platforms.share[-1]) if i.platforms.periods else {},
        of="platform",
        over="last period",
    ),
    "largest-share": Indicator(
        "Share of the largest platform (CR1), last period", "share", _ratio(0), over="last period"
    ),
    "two-largest-share": Indicator(
        "Share of the two largest platforms (CR2), last period", "share", _ratio(1), over="last period"
    ),
    "three-largest-share": Indicator(
        "Share of the three largest platforms (CR3), last period", "share", _ratio(2), over="last period"
    ),
    "hhi": Indicator(
        "Herfindahl-Hirschman index of platforms, last period",
        "index",
        lambda i: _last(i.platforms.hhi),
        over="last period",
    ),
    "value-between-regions": Indicator("Share of value that crosses regions", "share", _between, records=True),
    "peak-net-debit": Indicator("Largest net debit within a day", "money", _peaks, of="institution", records=True),
    "liquidity-use": Indicator("Peak net debits over value sent", "share", _use, of="institution", records=True),
    "turnover": Indicator("Value settled over liquidity used", "times", _turnover, records=True, worst="smallest"),
    "throughput-by-noon": Indicator(
        "Share of value settled by 12:00 UTC", "share", _throughput, records=True, worst="smallest"
    ),
    "liquidity-concentration": Indicator(
        "Herfindahl-Hirschman index of peak net debits", "index", _liquidity_concentration, records=True
    ),
    "delay": Indicator("Settlement delay with declared liquidity, worst day", "share", _delay, records=True),
    "unwinding-shortfall": Indicator(
        "Value left unsettled when one participant fails, share of the largest day's value",
        "share",
        _unwinding,
        of="institution",
        records=True,
    ),
    "reserve-cover": Indicator(
        "Reserves over customers' money", "share", _cover, of="platform", worst="smallest", tables=True
    ),
    "partner-contribution": Indicator(
        "Partner's part of joint loans", "share", _contribution, of="institution", worst="smallest", tables=True
    ),
    "joint-loans-over-tier1": Indicator(
        "Bank's part of joint loans with one partner over tier 1", "share", _of_tier1, of="institution", tables=True
    ),
    "faults": Indicator("Records, hours, days or totals in doubt", "found", _faults, records=True),
}
"""By the name that a plan gives. Where an indicator is one of platforms, institutions or regions and none is named, the worst is taken."""


def reading(found: Indicators, name: str, of: str | None = None) -> Reading:
    """One indicator of a period. of: a platform, institution or region (or a kind of fault); None: the worst. Raises KeyError for a name that is not in INDICATORS."""
    asked = INDICATORS[name]
    unit = found.market.market.currency if asked.unit == "money" else asked.unit
    span, periods = f"{found.days[0]}/{found.days[-1]}", found.by_platform.periods
    if asked.over == "last period" and periods:
        span = periods[-1]
    elif asked.over == "last whole period" and found.whole:
        span = periods[found.whole[-1]]

    if asked.tables:
        rows = found.cover if name == "reserve-cover" else found.lending
        span = f"{max((row.day for row in rows), default=found.days[-1])}"

    def none(why: str) -> Reading:
        return Reading(name, of or "", None, unit, span, why)

    if asked.records and found.records is None:
        return none("needs single records, and only totals were sent in")
    values = {who: value for who, value in asked.read(found).items() if not math.isnan(value)}
    if name == "faults" and of is None:
        once = sum(count for kind, count in values.items() if kind != "late-duplicate")  # they are late ones too
        return Reading(name, "", once, unit, span)
    if of is not None:
        return Reading(name, of, values[of], unit, span) if of in values else none(f"no figure for '{of}'")
    if not values:
        lacks = {"last whole period": "no period whose days all have figures", "last period": "no period with payments"}
        return none(
            "no two periods in a row whose days all have figures"
            if name == "growth"
            else lacks.get(asked.over, "no figure in this period")
        )
    pick = max if asked.worst == "largest" else min
    who = pick(values, key=lambda one: values[one])
    return Reading(name, who, values[who], unit, span)
