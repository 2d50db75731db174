"""Charts of the payment market: who holds it beside the lines that rules draw, and how much is paid; and the whole of its part of a report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np

from poundlock.figure import INK, LIMIT, QUIET, SERIES, WIDTH, Figure, lines
from poundlock.figures.payment_flow_charts import (
    debit_figure,
    failures_figure,
    institutions_figure,
    liquidity_rows,
    regions_figure,
)
from poundlock.figures.payment_words import (
    Table,
    cover_rows,
    doubt,
    indicator_rows,
    large,
    lending_rows,
    lending_sentence,
    limits_cited,
    listed,
    money,
    opening,
    origin_words,
    percent,
    quality_content,
    scale,
)
from poundlock.figures.pilot_report import drawn
from poundlock.payments.baseline import growth
from poundlock.payments.concentration import DOMINANCE, Line
from poundlock.payments.concentration import lines as lines_of_rules
from poundlock.payments.indicators import Indicators
from poundlock.rules import Rule

SHOWN: Final = 7
"""Platforms with a line of their own; the others are one line together."""
TOGETHER: Final = ("the largest", "the two largest together", "the three largest together")
PLOT: Final = 420
MARKED: Final = 40
"""Periods up to which each has a point, and bars are drawn apart."""
LABELLED: Final = 8
"""Periods up to which a bar bears its amount."""


def payments_content(found: Indicators | None, rules: Sequence[Rule], on: dt.date) -> dict[str, Any] | None:
    """Everything the template shows of the payment market, figures drawn; None without one. on: the day whose rules count."""
    if found is None:
        return None
    figures = (
        shares_figure(found, rule_lines(rules, on)),
        volumes_figure(found),
        regions_figure(found),
        institutions_figure(found),
        debit_figure(found),
        failures_figure(found),
    )
    return {
        "origin": origin_words(found),
        "note": found.market.market.note,
        "opening": opening(found),
        "doubt": doubt(found),
        "figures": [drawn(figure) for figure in figures if figure is not None],
        "liquidity": _table(liquidity_rows(found)),
        "cover": _table(cover_rows(found, rules, on)),
        "lending": _table(lending_rows(found, rules, on)) | {"sentence": lending_sentence(found, rules, on)},
        "limits": limits_cited(rules, on),
        "on": f"{on}",
        "quality": quality_content(found),
        "indicators": _table(indicator_rows(found)),
    }


def _table(table: Table) -> dict[str, Any]:
    return {"heads": table[0], "rows": table[1]}


def rule_lines(rules: Sequence[Rule], on: dt.date) -> tuple[Line, ...]:
    """Shares at which rules call for something: warnings first, then reviews of dominance."""
    return (*lines_of_rules(rules, on), *lines_of_rules(rules, on, DOMINANCE))


def shares_figure(found: Indicators, drawn_lines: Sequence[Line] = ()) -> Figure | None:
    """Shares of platforms by period; the largest, the two and the three largest beside the lines of rules. None where nothing was paid."""
    top = found.platforms
    if not top.periods or not np.isfinite(top.ratios).any():
        return None
    order = np.argsort(-np.nan_to_num(top.share[-1]), kind="stable")
    rows = tuple(
        (
            period,
            *(percent(float(top.share[p, g])) for g in order),
            *(percent(float(x)) for x in top.ratios[p]),
            f"{top.hhi[p]:.4f}",
        )
        for p, period in enumerate(top.periods)
    )
    panels = [_panel(top.periods, _platform_series(found), [one for one in drawn_lines if one.largest == 1], 240)]
    for k in (2, 3):
        own = [one for one in drawn_lines if one.largest == k]
        if own and len(top.who) >= k:
            series = {("two largest", "three largest")[k - 2]: [float(x) for x in top.ratios[:, k - 1]]}
            panels.append(_panel(top.periods, series, own, 110, title=TOGETHER[k - 1].capitalize(), colours=(INK,)))
    return Figure(
        "payment-shares",
        "Who holds the market? Shares of platforms in the value that is paid",
        shares_sentence(found, drawn_lines),
        ("period", *(top.who[g] for g in order), "largest", "two largest", "three largest", "HHI"),
        rows,
        _stacked(panels),
    )


def _stacked(panels: list[Any]) -> Any:
    """Panels below each other, each with colours and a legend of its own."""
    whole = alt.vconcat(*panels, spacing=18)
    whole = whole.resolve_scale(color="independent", strokeDash="independent", opacity="independent")
    return whole.resolve_legend(color="independent")


def shares_sentence(found: Indicators, drawn_lines: Sequence[Line]) -> str:
    """The largest, how concentrated, and which lines the last period reaches; that a draft never binds."""
    top = found.platforms
    last = top.periods[-1]
    leader = top.who[int(np.nan_to_num(top.share[-1]).argmax())]
    said = f"In {last} {leader} carried {percent(float(top.ratios[-1, 0]))} of the value"
    for k in (2, 3):
        if len(top.who) > k:
            said += f", {TOGETHER[k - 1]} {percent(float(top.ratios[-1, k - 1]))}"
    said += f"; Herfindahl-Hirschman index {top.hhi[-1]:.3f}."
    compared = [one for one in drawn_lines if one.largest <= len(top.who)]
    if not compared:
        return f"{said} No rule that the plan is held against draws a line for shares on that day."
    reached = [_reached_words(found, one) for one in compared if reached_by(found, one)]
    said += f" At or above the line of {listed(reached, 6)}." if reached else " Every line of a rule lies above."
    drafts = [one.rule for one in compared if not one.binding]
    if drafts:
        who = "All of these lines" if len(drafts) == len(compared) > 1 else listed(drafts, 6)
        said += f" {who} {'is a draft' if len(drafts) == 1 else 'are drafts'}: shown, never binding."
    if any(one.what == "dominance" for one in compared):
        said += (
            " Lines of dominance speak of all electronic payments; these shares are of what the market's records hold."
        )
    return said


def reached_by(found: Indicators, line: Line) -> bool:
    """Whether the last period is at or above a line, for as many institutions together as it speaks of."""
    share = float(found.platforms.ratios[-1, line.largest - 1])
    return share >= line.limit * (1.0 - 1e-9)


def _reached_words(found: Indicators, line: Line) -> str:
    share = float(found.platforms.ratios[-1, line.largest - 1])
    return (
        f"{line.rule} ({line.what} at {percent(line.limit)} for {TOGETHER[line.largest - 1]}, found {percent(share)})"
    )


def _platform_series(found: Indicators) -> dict[str, list[float]]:
    """Shares of the largest platforms by name, the largest of the last period first; of the others together."""
    top = found.platforms
    order = np.argsort(-np.nan_to_num(top.share[-1]), kind="stable")
    own, rest = (order, order[:0]) if len(order) <= SHOWN + 1 else (order[:SHOWN], order[SHOWN:])
    series = {top.who[g]: [float(x) for x in top.share[:, g]] for g in own}
    if len(rest):
        series[f"{len(rest)} others together"] = [float(x) for x in top.share[:, rest].sum(axis=1)]
    return series


def _panel(
    periods: Sequence[str],
    series: dict[str, list[float]],
    own: Sequence[Line],
    height: int,
    *,
    title: str = "Each platform",
    colours: Sequence[str] = SERIES,
) -> Any:
    """Lines of shares and of rules, each named at its right end, where names give way to each other."""
    high = max([1e-9, *(one.limit for one in own), *(x for xs in series.values() for x in xs if np.isfinite(x))])
    high = min(1.0, 1.15 * high) if high <= 1.0 else high
    x = alt.X("period:O", title=None, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap="greedy", grid=False))
    y = alt.Y("share:Q", title="share of value", scale=alt.Scale(domain=[0, high]), axis=alt.Axis(format=".0%"))
    names = list(series)
    colour = alt.Color("name:N", scale=alt.Scale(domain=names, range=list(colours[: len(names)])), legend=None)
    points = [
        {"name": name, "period": period, "share": value}
        for name, values in series.items()
        for period, value in zip(periods, values, strict=True)
        if np.isfinite(value)
    ]
    base = alt.Chart(lines(points)).encode(x=x, y=y, color=colour)
    parts = [base.mark_line(strokeWidth=2)]
    if len(periods) <= MARKED:
        parts.append(base.mark_point(filled=True, size=40, opacity=1))
    rules = [{"limit": one.limit, "dash": one.binding} for one in own]
    if rules:
        dash = alt.StrokeDash("dash:N", scale=alt.Scale(domain=[False, True], range=[[3, 3], [1, 0]]), legend=None)
        rule = alt.Chart(lines(rules)).mark_rule(color=LIMIT, strokeWidth=1.2)
        parts.append(rule.encode(y="limit:Q", strokeDash=dash))
    parts += _names(series, own, high, height, colour)
    return alt.layer(*parts).properties(width=PLOT, height=height, title=title)


def _names(series: dict[str, list[float]], own: Sequence[Line], high: float, height: int, colour: Any) -> list[Any]:
    """The names at the right end."""
    ends = [(name, values[-1]) for name, values in series.items() if np.isfinite(values[-1])]
    labels = [(f"{name if len(name) <= 34 else name[:32] + '…'} {percent(at)}", at, name) for name, at in ends]
    labels += [(line_words(one), one.limit, "") for one in own]
    places = apart([at for _, at, _ in labels], 13.0 * high / height, high)
    data = [{"says": says, "at": place, "name": name} for (says, _, name), place in zip(labels, places, strict=True)]
    made = []
    for rows, own_colour in (([d for d in data if d["name"]], colour), ([d for d in data if not d["name"]], None)):
        if rows:
            text = alt.Chart(lines(rows)).mark_text(align="left", baseline="middle", fontSize=11, color=LIMIT)
            encoded = text.encode(x=alt.value(PLOT + 8), y=alt.Y("at:Q"), text="says:N")
            made.append(encoded.encode(color=own_colour) if own_colour is not None else encoded)
    return made


def line_words(line: Line) -> str:
    """A rule's line, as it is named beside it."""
    return f"{line.rule}, {line.what} at {percent(line.limit)}: {'in force' if line.binding else 'draft, not in force'}"


def apart(values: Sequence[float], gap: float, high: float) -> list[float]:
    """Places near values, in their order, at least `gap` from each other and at most at `high`; below nought only where there is no room."""
    order = sorted(range(len(values)), key=lambda k: values[k])
    places = [values[k] for k in order]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + gap)
    if places:
        places[-1] = min(places[-1], high)
    for k in range(len(places) - 2, -1, -1):
        places[k] = min(places[k], places[k + 1] - gap)
    found = [0.0] * len(values)
    for k, place in zip(order, places, strict=True):
        found[k] = place
    return found


def volumes_figure(found: Indicators) -> Figure | None:
    """Value by period, and by day beside the seasonal baseline; number, average and growth in the table. None where nothing was paid."""
    volumes = found.by_platform
    if not volumes.periods:
        return None
    payments, value = volumes.payments.sum(axis=1), volumes.value.sum(axis=1)
    market, days = found.market.market, found.days_of_periods
    change = growth(value.astype(np.float64))
    rows = tuple(
        (
            period,
            f"{days[period][0]:,} of {days[period][1]:,}",
            f"{payments[p]:,}",
            money(float(value[p]), market),
            money(value[p] / payments[p] if payments[p] else np.nan, market),
            percent(float(change[p]), sign="+"),
        )
        for p, period in enumerate(volumes.periods)
    )
    charts = [_bars(found, value, days)]
    if found.period != "day" and np.isfinite(found.seasonal.expected).any():
        charts.append(_daily(found))
    return Figure(
        "payment-volumes",
        "How much is paid?",
        volumes_sentence(found),
        ("period", "days with figures", "payments", "value", "average payment", "value against the period before"),
        rows,
        _stacked(charts),
    )


def volumes_sentence(found: Indicators) -> str:
    """The last period, how it grew, whether it is whole, and the days far from their baseline."""
    volumes, market = found.by_platform, found.market.market
    payments, value = int(volumes.payments[-1].sum()), float(volumes.value[-1].sum())
    last = volumes.periods[-1]
    said = f"{last}: {large(payments)} payments of {money(value, market)}"
    said += f", {money(value / payments, market)} on average" if payments else ""
    change = growth(volumes.value.sum(axis=1).astype(np.float64))
    if len(change) > 1 and np.isfinite(change[-1]):
        said += f"; in value {percent(float(change[-1]), sign='+')} against {volumes.periods[-2]}"
    days = found.days_of_periods
    late = volumes.periods[-2:]
    part = [f"{p} has figures of {days[p][0]} of {days[p][1]} days" for p in late if days[p][0] < days[p][1]]
    growing = ", which growth does not allow for" if len(late) > 1 else ""
    said += f". {listed(part)}{growing}." if part else "."
    return f"{said} {spikes_sentence(found)}"


def spikes_sentence(found: Indicators) -> str:
    """Days far from the median of the same weekday before, the farthest first."""
    s = found.seasonal
    known = int(np.isfinite(s.expected).sum())
    if not known:
        return "No day has a baseline: it takes three earlier days of the same weekday."
    far = [int(k) for k in np.argsort(-np.abs(np.nan_to_num(s.score)), kind="stable") if s.spikes[k]]
    if not far:
        return f"None of the {known:,} days with a baseline, the median of the same weekday before, lies far from it."
    words = [_spike_words(found, k) for k in far]
    many = "One day lies" if len(far) == 1 else f"{len(far):,} days lie"
    return f"{many} far from the median of the same weekday before: {listed(words)}."


def _spike_words(found: Indicators, k: int) -> str:
    s = found.seasonal
    if not s.observed[k]:
        return f"{s.days[k]} (nothing paid, {money(float(s.expected[k]), found.market.market)} expected)"
    times = f"{s.score[k]:+.0f} usual deviations".replace("-", "−")
    return f"{s.days[k]} ({percent(float(s.observed[k] / s.expected[k] - 1.0), 0, '+')}, {times})"


def _bars(found: Indicators, value: Any, days: dict[str, tuple[int, int]]) -> Any:
    """A bar a period; paler where days lack."""
    periods = found.by_platform.periods
    divisor, unit = scale(float(value.max(initial=0)), found.market.market)
    data = [
        {
            "period": period,
            "value": float(value[p]) / divisor,
            "says": f"{value[p] / divisor:,.2f}"
            + ("" if days[period][0] == days[period][1] else f" ({days[period][0]} of {days[period][1]} days)"),
            "whole": days[period][0] == days[period][1],
        }
        for p, period in enumerate(periods)
    ]
    x = alt.X("period:O", title=None, sort=None, axis=alt.Axis(labelAngle=0, labelOverlap="greedy", grid=False))
    y = alt.Y("value:Q", title=f"value, {unit}", axis=alt.Axis(format=",~f", tickCount=5))
    opacity = alt.Opacity("whole:N", scale=alt.Scale(domain=[True, False], range=[1.0, 0.55]), legend=None)
    base = alt.Chart(lines(data)).encode(x=x, y=y)
    width = {"band": min(0.8, 70.0 * len(periods) / WIDTH)}
    parts = [base.mark_bar(color=SERIES[0], width=width).encode(opacity=opacity)]
    if len(periods) <= LABELLED:
        parts.append(base.mark_text(dy=-7, fontSize=11, color=INK).encode(text="says:N"))
    return alt.layer(*parts).properties(width=WIDTH, height=190, title=f"By {found.period}; paler where days lack")


def _daily(found: Indicators) -> Any:
    """Value of each day, its baseline, and the days far from it by name."""
    s = found.seasonal
    divisor, unit = scale(float(s.observed.max(initial=0.0)), found.market.market)
    observed = {day: float(x) / divisor for day, x in zip(s.days, s.observed, strict=True)}
    expected = {day: float(x) / divisor for day, x in zip(s.days, s.expected, strict=True) if np.isfinite(x)}
    data: list[dict[str, Any]] = []
    for name, known in (("as paid", observed), ("baseline: median of the same weekday before", expected)):
        gaps = dict.fromkeys((day for day in found.missing if min(known) < day < max(known)), None)
        data += [{"day": f"{day}", "value": value, "line": name} for day, value in sorted({**gaps, **known}.items())]
    order = list(dict.fromkeys(row["line"] for row in data))
    x = alt.X(
        "day:T",
        title=None,
        scale=alt.Scale(type="utc"),
        axis=alt.Axis(format="%d %b %Y", grid=False, tickCount=5, labelOverlap="greedy", labelSeparation=10),
    )
    y = alt.Y("value:Q", title=f"value of a day, {unit}", axis=alt.Axis(format=",~f", tickCount=5))
    colour = alt.Color("line:N", scale=alt.Scale(domain=order, range=[SERIES[0], QUIET]), legend=alt.Legend(columns=2))
    dash = alt.StrokeDash("line:N", scale=alt.Scale(domain=order, range=[[1, 0], [4, 3]]), legend=None)
    parts = [alt.Chart(lines(data)).mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, strokeDash=dash)]
    far = [s.days[k] for k in np.flatnonzero(s.spikes)]
    marked = [{"day": f"{day}", "value": observed[day], "says": f"{day:%d %b}"} for day in far]
    if marked:
        spikes = alt.Chart(lines(marked)).encode(x=x, y=y)
        parts.append(spikes.mark_point(color=LIMIT, size=60, strokeWidth=1.6))
        if len(marked) <= LABELLED:
            parts.append(spikes.mark_text(color=LIMIT, align="right", dx=-8, fontSize=11).encode(text="says:N"))
    return alt.layer(*parts).properties(width=WIDTH, height=170)
