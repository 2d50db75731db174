"""The payment market's part of the machine-readable form: plain values, stable keys, no rounding. Money is in minor units, but for readings,
which say their unit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from poundlock.figures.payment_charts import reached_by, rule_lines
from poundlock.figures.payment_flow_charts import folded
from poundlock.figures.pilot_values import plain
from poundlock.payments.activity import Volumes
from poundlock.payments.baseline import growth
from poundlock.payments.concentration import Concentration
from poundlock.payments.flows import Flows
from poundlock.payments.indicators import Indicators, OfRecords
from poundlock.payments.readings import INDICATORS, reading
from poundlock.rules import Rule

MOST: Final = 200
"""Institutions with a row of their own in the matrix; of more, the others are one."""


def payment_values(
    found: Indicators | None, rules: Sequence[Rule] = (), on: dt.date | None = None
) -> dict[str, Any] | None:
    """Everything that was found of the payment market. rules, on: whose lines are drawn on which day; default: none, and the last day with figures."""
    if found is None:
        return None
    return {
        **_what(found),
        "volumes": {
            by: _volumes(volumes)
            for by, volumes in (
                ("platform", found.by_platform),
                ("institution", found.by_institution),
                ("region", found.by_region),
            )
        },
        "growth_of_value": plain(growth(found.by_platform.value.sum(axis=1).astype(np.float64)).tolist()),
        "concentration": {"platform": _concentration(found.platforms), "institution": _concentration(found.institutions)},
        "lines": _lines(found, rules, on or found.days[-1]),
        "baseline": _baseline(found),
        **_of_records(found),
        "cover": [plain(asdict(one) | {"day": one.day.isoformat(), "share": one.share}) for one in found.cover],
        "lending": [
            plain(
                asdict(one)
                | {"day": one.day.isoformat(), "contribution": one.contribution, "of_tier1": one.of_tier1}
            )
            for one in found.lending
        ],
        "days_on_which_sent_is_not_received": [
            {"day": one.day.isoformat(), "sent": one.returned, "received": one.recorded} for one in found.sides
        ],
        "readings": reading_values(found),
    }  # fmt: skip


def _what(found: Indicators) -> dict[str, Any]:
    """Which market, which days, from what."""
    market, days = found.market.market, found.days_of_periods
    return {
        "market": market.name,
        "origin": market.origin,
        "note": market.note,
        "currency": market.currency,
        "minor_units": market.minor_units,
        "from": "records" if found.records is not None else "totals",
        "engine": found.records.engine if found.records is not None else None,
        "days": len(found.days),
        "first_day": found.days[0].isoformat(),
        "last_day": found.days[-1].isoformat(),
        "missing_days": [day.isoformat() for day in found.missing],
        "period": found.period,
        "periods": list(found.by_platform.periods),
        "days_of_periods": {period: {"with_figures": read, "in_all": whole} for period, (read, whole) in days.items()},
    }


def reading_values(found: Indicators) -> dict[str, dict[str, Any]]:
    """Every indicator by its name, of the worst whom it can be asked of; money in the major unit."""
    return {
        name: {
            "label": asked.label,
            **{key: plain(getattr(reading(found, name), key)) for key in ("of", "value", "unit", "as_of", "missing")},
        }
        for name, asked in INDICATORS.items()
    }


def quality_values(found: Indicators) -> dict[str, Any] | None:
    """What is wrong with the records and what that does to the figures; None where only totals were sent in."""
    if found.records is None:
        return None
    quality = found.records.quality
    return {
        "clean": quality.clean,
        "faults": [
            {
                "kind": fault.kind,
                "count": fault.count,
                "value": fault.value,
                "days": fault.days,
                "examples": [dict(example) for example in fault.examples],
                "not_looked_for": fault.unasked or None,
            }
            for fault in quality.faults
        ],
        "silent_hours": [asdict(one) | {"day": one.day.isoformat()} for one in quality.silences],
        "differences": [asdict(one) | {"day": one.day.isoformat()} for one in quality.differences],
        "missing_days": [day.isoformat() for day in quality.missing],
        "effects": [plain(asdict(effect)) for effect in found.records.effects],
    }


def _volumes(found: Volumes) -> dict[str, Any]:
    """By group: number and value of payments, one for each period."""
    return {
        " / ".join(group): {"payments": found.payments[:, g].tolist(), "value": found.value[:, g].tolist()}
        for g, group in enumerate(found.groups)
    }


def _concentration(found: Concentration) -> dict[str, Any]:
    return {
        "share": {who: plain(found.share[:, g].tolist()) for g, who in enumerate(found.who)},
        "hhi": plain(found.hhi.tolist()),
        "largest": plain(found.ratios[:, 0].tolist()),
        "two_largest": plain(found.ratios[:, 1].tolist()),
        "three_largest": plain(found.ratios[:, 2].tolist()),
    }


def _lines(found: Indicators, rules: Sequence[Rule], on: dt.date) -> list[dict[str, Any]]:
    """Lines of rules for shares, and what the last period has beside them."""
    if not found.platforms.periods:
        return []
    return [
        plain(asdict(line) | {"found": float(found.platforms.ratios[-1, line.largest - 1]), "reached": reached_by(found, line)})
        for line in rule_lines(rules, on)
    ]  # fmt: skip


def _baseline(found: Indicators) -> dict[str, Any]:
    """Each day's value beside its seasonal baseline."""
    s = found.seasonal
    return {
        "days": [day.isoformat() for day in s.days],
        "observed": plain(s.observed.tolist()),
        "expected": plain(s.expected.tolist()),
        "deviation_of_logarithms": s.deviation,
        "score": plain(s.score.tolist()),
        "spikes": [day.isoformat() for day, far in zip(s.days, s.spikes, strict=True) if far],
    }


def _of_records(found: Indicators) -> dict[str, Any]:
    """What single records say; null without them."""
    records = found.records
    if records is None:
        return dict.fromkeys(("flows", "netting", "queues", "failures", "quality"))
    return {
        "flows": {"region": _flows(records.regions), "institution": _flows(folded(records.flows, MOST))},
        "netting": _netting(records),
        "queues": [
            {
                "day": day.isoformat(),
                "delay_indicator": queue.delay_indicator,
                "mean_delay_minutes": queue.mean_delay,
                "largest_queue": queue.peak,
                "largest_queue_minute": queue.peak_minute,
                "unsettled": int(queue.unsettled.sum()),
            }
            for day, queue in zip(found.days, records.queues, strict=bool(records.queues))
        ],
        "failures": [
            {
                "fails": name,
                "unsettled": one.unsettled,
                "others_lack": int(one.shortfall.sum()),
                "fail_too": int(one.failed.sum()) - 1,
                "rounds": one.rounds,
                "converged": one.converged,
            }
            for name, one in records.failures
        ],
        "quality": quality_values(found),
    }


def _flows(flows: Flows) -> dict[str, Any]:
    """From row to column, in the order of the names."""
    return {
        "names": list(flows.names),
        "payments": flows.payments.tolist(),
        "value": flows.value.tolist(),
        "net_received": flows.net.tolist(),
    }


def _netting(records: OfRecords) -> dict[str, Any]:
    nets = records.netting
    peaks = np.array([net.peak_debit for net in nets])
    sent, received, net = (np.sum([getattr(one, name) for one in nets], axis=0) for name in ("sent", "received", "net"))
    highest = peaks.argmax(axis=0)
    return {
        "by_institution": [
            {
                "institution": name,
                "sent": int(sent[k]),
                "received": int(received[k]),
                "net_received": int(net[k]),
                "largest_net_debit": int(peaks[highest[k], k]),
                "on": nets[highest[k]].day.isoformat(),
                "minute": int(nets[highest[k]].peak_minute[k]),
                "peaks_over_sent": float(peaks[:, k].sum() / sent[k]) if sent[k] else None,
            }
            for k, name in enumerate(nets[0].names)
        ],
        "by_day": [
            {
                "day": one.day.isoformat(),
                "sum_of_largest_net_debits": int(one.peak_debit.sum()),
                "largest_net_debit_together": int(one.debit.max()),
                "minute": int(one.debit.argmax()),
                "turnover": plain(one.turnover),
                "liquidity_concentration": plain(one.liquidity_concentration),
                "throughput_by_hour": plain(one.throughput.tolist()),
            }
            for one in nets
        ],
    }
