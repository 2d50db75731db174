"""Charts of what only single records say: who pays whom, net debit through the day, and what one participant's failure leaves unsettled."""

from __future__ import annotations

from typing import Any, Final

import altair as alt
import numpy as np
from numpy.typing import NDArray

from poundlock.figure import INK, PAPER, SERIES, WIDTH, Figure, lines
from poundlock.figures.payment_words import Table, money, percent, scale
from poundlock.payments.flows import Flows
from poundlock.payments.indicators import Indicators, OfRecords
from poundlock.payments.netting import MINUTES_A_DAY, Netting
from poundlock.payments.unwinding import Unwinding

REGIONS: Final = 35
"""Regions that are drawn one by one; of more, the MOST_REGIONS largest and the others together."""
MOST_REGIONS: Final = 30
MOST_INSTITUTIONS: Final = 25
WRITTEN: Final = 12
"""Rows of a matrix up to which each cell bears its number."""
PAIRS: Final = 30
LARGEST: Final = 10
STEP: Final = 5
"""Minutes that a point of a curve through the day stands for."""


def regions_figure(found: Indicators) -> Figure | None:
    """Who pays whom, by region; None without single records or where nothing was paid."""
    if found.records is None:
        return None
    flows = found.records.regions
    kept = folded(flows, MOST_REGIONS) if len(flows.names) > REGIONS else flows
    return _matrix(found, flows, kept, "region")


def institutions_figure(found: Indicators) -> Figure | None:
    """Who pays whom, by institution, the largest first; None as for regions."""
    if found.records is None:
        return None
    flows = found.records.flows
    order = np.argsort(-_turned_over(flows), kind="stable")
    ranked = _taken(flows, order)
    return _matrix(found, flows, folded(ranked, MOST_INSTITUTIONS), "institution")


def folded(flows: Flows, most: int) -> Flows:
    """The names with most value, paid and received, in their order, and after them all others as one."""
    if len(flows.names) <= most + 1:
        return flows
    large = np.sort(np.argsort(-_turned_over(flows), kind="stable")[:most])
    group = np.full(len(flows.names), most)
    group[large] = np.arange(most)
    payments, value = np.zeros((2, most + 1, most + 1), dtype=np.int64)
    for into, given in ((payments, flows.payments), (value, flows.value)):
        np.add.at(into, (group[:, None], group[None, :]), given)
    names = tuple(flows.names[k] for k in large)
    return Flows((*names, f"{len(flows.names) - most} others"), payments, value)


def _turned_over(flows: Flows) -> NDArray[np.int64]:
    """Paid and received, what stays within counted once (n,)."""
    return np.asarray(flows.value.sum(axis=0) + flows.value.sum(axis=1) - np.diag(flows.value))


def _taken(flows: Flows, order: NDArray[np.intp]) -> Flows:
    names = tuple(flows.names[k] for k in order)
    return Flows(names, flows.payments[np.ix_(order, order)], flows.value[np.ix_(order, order)])


def _matrix(found: Indicators, flows: Flows, kept: Flows, what: str) -> Figure | None:
    """flows: all; kept: as drawn."""
    total = float(kept.value.sum())
    if total <= 0.0:
        return None
    market = found.market.market
    pairs = np.argsort(-kept.value, axis=None, kind="stable")[:PAIRS]
    rows = tuple(
        (
            *(kept.names[i], kept.names[j], f"{kept.payments[i, j]:,}", money(float(kept.value[i, j]), market)),
            percent(kept.value[i, j] / total, 3),
        )
        for i, j in (divmod(int(k), len(kept.names)) for k in pairs)
        if kept.value[i, j]
    )
    plural = f"{what}s"
    return Figure(
        f"payment-flows-{what}",
        f"Who pays whom, by {what}",
        flows_sentence(found, flows, what)
        + f" The table holds the {len(rows)} largest cells; result.json has the matrix of {plural}.",
        (f"from {what}", f"to {what}", "payments", "value", "share of all value"),
        rows,
        _heat(kept, total),
    )


def flows_sentence(found: Indicators, flows: Flows, what: str) -> str:
    """How much stays within, the largest flow between two, and who gains and loses most in the end."""
    market, total = found.market.market, float(flows.value.sum())
    within = float(np.trace(flows.value))
    said = f"Of {money(total, market)}, {percent(within / total)} stays within one {what}."
    between = flows.value.copy()
    np.fill_diagonal(between, 0)
    if between.max(initial=0) > 0:
        i, j = divmod(int(between.argmax()), len(flows.names))
        said += f" The largest flow between two runs from {flows.names[i]} to {flows.names[j]}: {percent(float(between[i, j]) / total, 2)} of all value."
        net, names = flows.net, flows.names
        if net.any():
            first, last = int(net.argmax()), int(net.argmin())
            said += (
                f" In the end {names[first]} received most more than it paid, {money(float(net[first]), market)}, "
                f"and {names[last]} paid most more than it received, {money(float(-net[last]), market)}."
            )
    return said


def _heat(flows: Flows, total: float) -> Any:
    """Depth of colour is the logarithm of a share; cells without payments stay blank."""
    n, shares = len(flows.names), flows.value / total
    most = float(shares.max())
    least = min(float(np.quantile(shares[shares > 0], 0.1)), most / 10.0)
    names = list(flows.names)
    depth = np.clip(np.log(np.maximum(shares, least) / least) / max(np.log(most / least), 1e-9), 0.0, 1.0)
    cells = [
        {
            "from": names[i],
            "to": names[j],
            "share": float(shares[i, j]),
            "says": f"{100 * shares[i, j]:.2g}",
            "deep": bool(depth[i, j] > 0.6),
        }
        for i, j in np.argwhere(shares > 0).tolist()
    ]
    side = max(15, min(46, WIDTH // n - 1))
    x = alt.X("to:N", sort=names, title="paid to", scale=alt.Scale(domain=names), axis=_names_axis(-90 if n > 6 else 0))
    y = alt.Y("from:N", sort=names, title="paid by", scale=alt.Scale(domain=names), axis=_names_axis(0))
    ticks = [t for t in (1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6) if least <= t <= most] or [most]
    opacity = alt.Opacity(
        "share:Q",
        scale=alt.Scale(type="log", domain=[least, most], range=[0.1, 1.0], clamp=True),
        legend=alt.Legend(title="share of all value (blank: nothing)", titleLimit=300, titleFontWeight="normal", format="~%", values=ticks, symbolType="square", symbolSize=160,
            symbolFillColor=SERIES[0], symbolStrokeWidth=0, orient="top", titleOrient="left"),
    )  # fmt: skip
    base = alt.Chart(lines(cells)).encode(x=x, y=y)
    parts = [base.mark_rect(color=SERIES[0], aria=False).encode(opacity=opacity)]
    if n <= WRITTEN:
        colour = alt.condition("datum.deep", alt.value(PAPER), alt.value(INK))
        parts.append(base.mark_text(fontSize=10.5, aria=False).encode(text="says:N", color=colour))
    height = max(side, 22) if n <= WRITTEN else side
    title = {"title": "Numbers are per cent of all value"} if n <= WRITTEN else {}
    return alt.layer(*parts).properties(width=side * n, height=height * n, **title)


def _names_axis(angle: int) -> Any:
    return alt.Axis(labelAngle=angle, grid=False, labelLimit=150, domain=False, ticks=False, labelPadding=4)


def debit_figure(found: Indicators) -> Figure | None:
    """Net debits of all participants together through the day: the mean of days, and the day of the highest peak."""
    if found.records is None or not any(net.sent.any() for net in found.records.netting):
        return None
    records, market = found.records, found.market.market
    nets = records.netting
    mean, largest = _curves(records)
    settled = np.cumsum(np.sum([net.settled for net in nets], axis=0)) / max(sum(int(n.settled.sum()) for n in nets), 1)
    rows = tuple(
        (
            f"{hour:02d}:00",
            money(float(mean[60 * hour - 1]), market),
            money(float(largest.debit[60 * hour - 1]), market),
            percent(float(settled[60 * hour - 1])),
        )
        for hour in range(1, 25)
    )
    return Figure(
        "payment-net-debit",
        "How much liquidity does the day take?",
        debit_sentence(found, records),
        ("until, UTC", "net debit then, mean of days", f"net debit then, {largest.day}", "value settled by then"),
        rows,
        _through_the_day(found, mean, largest),
    )


def _curves(records: OfRecords) -> tuple[NDArray[np.float64], Netting]:
    """Net debit by minute, mean over days (1440,); and the day with the highest."""
    mean = np.mean([net.debit for net in records.netting], axis=0)
    return mean, max(records.netting, key=lambda net: int(net.debit.max()))


def debit_sentence(found: Indicators, records: OfRecords) -> str:
    """The peak, who needs most, liquidity use, turnover, throughput, and delay where liquidity was declared."""
    nets, market = records.netting, found.market.market
    mean, largest = _curves(records)
    at, peak = int(largest.debit.argmax()), float(largest.debit.max())
    said = f"If every payment is settled at once, participants together are up to {money(peak, market)} in debit, on {largest.day} at {clock(at)} UTC"
    said += f"; the mean day's curve reaches {money(float(mean.max()), market)}." if len(nets) > 1 else "."
    peaks, sent = sum(int(net.peak_debit.sum()) for net in nets), sum(int(net.sent.sum()) for net in nets)
    if not peaks:
        return f"{said} Nobody was ever in debit."
    highest = np.max([net.peak_debit for net in nets], axis=0)
    who = int(highest.argmax())
    said += f" {nets[0].names[who]} needs most, {money(float(highest[who]), market)}."
    said += f" The peaks of all are {percent(peaks / sent)} of what is sent (liquidity use), so that a unit of liquidity settles {sent / peaks:,.1f} (turnover)."
    noon = np.sum([net.settled for net in nets], axis=0)
    said += f" {percent(float(noon[:720].sum() / noon.sum()))} of value is settled by 12:00 UTC."
    return said + _delay_words(found, records)


def _delay_words(found: Indicators, records: OfRecords) -> str:
    if not records.queues:
        return " No participant declares its liquidity, so that no delay is computed."
    worst = max(range(len(records.queues)), key=lambda d: records.queues[d].delay_indicator)
    queue, left = records.queues[worst], float(records.queues[worst].unsettled.sum())
    if not queue.waiting.any():
        return " With the liquidity declared, no payment waits."
    return (
        f" With the liquidity declared, payments wait: the delay indicator is {queue.delay_indicator:.3f} on the worst day, {found.days[worst]} (0: nothing waits; 1: "
        f"everything waits to the end), and {money(left, found.market.market)} is then left unsettled."
    )


def clock(minute: int) -> str:
    """A minute of the day as a time."""
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _through_the_day(found: Indicators, mean: NDArray[np.float64], largest: Netting) -> Any:
    several = len(found.days) > 1
    divisor, unit = scale(float(largest.debit.max()), found.market.market)
    curves = {f"{largest.day}": largest.debit / divisor} | ({"mean of days": mean / divisor} if several else {})
    data = [
        {"minute": STEP * (k + 1), "debit": float(value), "line": name}
        for name, curve in curves.items()
        for k, value in enumerate(curve.reshape(-1, STEP).max(axis=1))
    ]
    hours = "pad(floor(datum.value / 60), 2, '0', 'left') + ':00'"
    x = alt.X(
        "minute:Q",
        title=f"time of day, UTC; the largest of each {STEP} minutes",
        scale=alt.Scale(domain=[0, MINUTES_A_DAY], nice=False),
        axis=alt.Axis(values=list(range(0, MINUTES_A_DAY + 1, 180)), labelExpr=hours, grid=False),
    )
    y = alt.Y("debit:Q", title=f"net debits together, {unit}", axis=alt.Axis(format=",~f", tickCount=5))
    order = list(curves)
    colour = alt.Color(
        "line:N", scale=alt.Scale(domain=order, range=[SERIES[1], SERIES[0]]), legend=alt.Legend(columns=2)
    )
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=order, range=[[4, 2], [1, 0]]), legend=None)
    curve = alt.Chart(lines(data)).mark_line(strokeWidth=2).encode(x=x, y=y, color=colour, strokeDash=dash)
    at = int(largest.debit.argmax())
    top = [
        {
            "minute": at + 1,
            "debit": float(largest.debit[at]) / divisor,
            "says": f"{money(float(largest.debit[at]), found.market.market)} at {clock(at)}",
        }
    ]
    peak = alt.Chart(lines(top)).encode(x=x, y=y)
    text = peak.mark_text(align="right" if at > MINUTES_A_DAY // 2 else "left", dy=-9, fontSize=11, color=INK).encode(
        text="says:N"
    )
    point = peak.mark_point(filled=True, size=45, color=SERIES[1], opacity=1)
    return alt.layer(curve, point, text).properties(width=WIDTH, height=230)


def liquidity_rows(found: Indicators) -> Table:
    """The participants with the largest peaks: how large, when, over what they send, and how long their payments wait; no rows without records."""
    heads: tuple[str, ...] = ("participant", "largest net debit", "when, UTC", "peaks over value sent")
    records = found.records
    if records is None or not any(net.peak_debit.any() for net in records.netting):
        return heads, []
    nets = records.netting
    peaks = np.array([net.peak_debit for net in nets])
    sums, sent = peaks.sum(axis=0), np.sum([net.sent for net in nets], axis=0)
    rows: list[tuple[str, ...]] = []
    for who in np.argsort(-peaks.max(axis=0), kind="stable")[:LARGEST]:
        if not peaks[:, who].any():
            break
        day = int(peaks[:, who].argmax())
        waits = [max(float(queue.delay_indicators[who]) for queue in records.queues)] if records.queues else []
        rows.append(
            (
                nets[0].names[who],
                money(float(peaks[day, who]), found.market.market),
                f"{nets[day].day} {clock(int(nets[day].peak_minute[who]))}",
                percent(float(sums[who] / sent[who]) if sent[who] else float("nan")),
                *(f"{delay:.3f}" for delay in waits),
            )
        )
    return (*heads, "delay indicator, worst day") if records.queues else heads, rows


def failures_figure(found: Indicators) -> Figure | None:
    """Each participant's failure to settle, alone: what it leaves unsettled, and what others then lack. The ten worst."""
    records = found.records
    if records is None or not any(one.unsettled for _, one in records.failures):
        return None
    market = found.market.market
    worst = sorted(records.failures, key=lambda one: (-int(one[1].shortfall.sum()), -one[1].unsettled))[:LARGEST]
    names = [name for name, _ in records.failures]
    day, most = _busiest(found, records)
    rows = tuple(
        (
            *(name, money(float(one.unsettled), market), percent(one.unsettled / most)),
            money(float(one.shortfall.sum()), market),
            _hardest(names, one),
            f"{int(one.failed.sum()) - 1:,}",
            f"{one.rounds}{'' if one.converged else ', NOT ended'}",
        )
        for name, one in worst
    )
    return Figure(
        "payment-failures",
        f"If one participant does not settle on {day}",
        failures_sentence(found, records),
        ("fails", "left unsettled", "share of the day's value", "others lack", "of whom most", "fail too", "rounds"),
        rows,
        _rankings(found, worst),
    )


def _busiest(found: Indicators, records: OfRecords) -> tuple[str, float]:
    """The day of most value, and its value in minor units."""
    values = [int(day.value.sum()) for day in records.daily]
    return f"{found.days[int(np.argmax(values))]}", float(max(values))


def _hardest(names: list[str], one: Unwinding) -> str:
    return names[int(one.shortfall.argmax())] if one.shortfall.any() else "–"


def failures_sentence(found: Indicators, records: OfRecords) -> str:
    """Whose failure leaves others most short, whose most unsettled, and how many fail with it."""
    market = found.market.market
    day, most = _busiest(found, records)
    said = f"On the day of most value, {day}, {money(most, market)} is settled net at the end of the day. "
    name, one = max(records.failures, key=lambda f: int(f[1].shortfall.sum()))
    if one.shortfall.any():
        said += f"If {name} alone does not settle and its payments are unwound, others lack {money(float(one.shortfall.sum()), market)}"
    else:
        name, one = max(records.failures, key=lambda f: f[1].unsettled)
        said += f"No failure leaves another participant short; {name}'s unwinds most"
    said += f", and {money(float(one.unsettled), market)} is left unsettled ({percent(one.unsettled / most)} of the day's value)."
    others = max(int(f.failed.sum()) - 1 for _, f in records.failures)
    several = f"{others:,} others" if others > 1 else "one other"
    said += f" Failures bring down at most {several}." if others else " No failure brings down another."
    if any(not f.converged for _, f in records.failures):
        said += " For some, unwinding did NOT end within its rounds."
    return said


def _rankings(found: Indicators, worst: list[tuple[str, Unwinding]]) -> Any:
    """Two panels of the same participants: what others lack, and what is left unsettled."""
    names = [name for name, _ in worst]
    panels: list[Any] = []
    for title, amounts, colour in (
        ("Others lack", [float(one.shortfall.sum()) for _, one in worst], SERIES[1]),
        ("Left unsettled", [float(one.unsettled) for _, one in worst], SERIES[0]),
    ):
        divisor, unit = scale(max(amounts), found.market.market)
        data = [
            {"name": name, "value": amount / divisor, "says": f"{amount / divisor:,.3g}"}
            for name, amount in zip(names, amounts, strict=True)
        ]
        first = not panels
        y = alt.Y(
            "name:N", sort=names, title=None, axis=alt.Axis(labels=first, labelLimit=190, ticks=False, labelPadding=5)
        )
        x = alt.X("value:Q", title=unit, axis=alt.Axis(format=",~f", tickCount=4))
        base = alt.Chart(lines(data)).encode(x=x, y=y)
        text = base.mark_text(align="left", dx=4, fontSize=10.5, color=INK).encode(text="says:N")
        layers = alt.layer(base.mark_bar(color=colour, height=13), text)
        panels.append(layers.properties(width=230, height=max(40, 22 * len(worst)), title=title))
    return alt.hconcat(*panels, spacing=40)
