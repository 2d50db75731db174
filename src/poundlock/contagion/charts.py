"""Charts of contagion: the same figures in a notebook, beside the command line and in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from poundlock.figure import FAINT, SERIES, WIDTH, Figure, lines

if TYPE_CHECKING:
    from poundlock.contagion.importance import Importance
    from poundlock.contagion.outcome import Propagation

SHOWN = 15
COLOURS = dict(
    zip(
        ("shock", "outage", "credit", "stakes", "settlement", "prices", "guarantees"), (FAINT, *SERIES[:6]), strict=True
    )
)


def propagation_figure(result: Propagation) -> Figure:
    """One scenario: who lost how much of its equity, by channel. Many: how likely a loss of at least a given size is."""
    return _who_lost(result) if len(result.equity) == 1 else _how_likely(result)


def _who_lost(result: Propagation) -> Figure:
    system, lost = result.model.system, result.equity_lost[0]
    worst = [i for i in np.argsort(-lost, kind="stable")[:SHOWN] if lost[i] > 0.0]
    parts = {channel: loss[0] for channel, loss in result.equity_lost_by_channel.items()}
    bars = [
        {"institution": system.names[i], "channel": channel, "lost": float(part[i])}
        for i in worst
        for channel, part in parts.items()
        if part[i] != 0.0
    ]
    used = [channel for channel in parts if any(bar["channel"] == channel for bar in bars)]
    chart = (
        alt.Chart(lines(bars))
        .mark_bar(height=11)
        .encode(
            x=alt.X("lost:Q", title=f"equity lost, {system.unit}", axis=alt.Axis(format="~s", tickCount=6)),
            y=alt.Y("institution:N", sort=[system.names[i] for i in worst], title=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color(
                "channel:N",
                scale=alt.Scale(domain=used, range=[COLOURS[c] for c in used]),
                legend=alt.Legend(symbolType="square", symbolStrokeWidth=0),
            ),
            order=alt.Order("rank:Q"),
        )
        .transform_calculate(rank=f"indexof({used}, datum.channel)")
        .properties(width=WIDTH - 200, height=max(40, 18 * len(worst)))
    )
    rows = tuple((system.names[i], f"{lost[i]:,.6g}", *(f"{parts[c][i]:,.6g}" for c in used)) for i in worst)
    total = float(np.maximum(result.initial_equity, 0.0).sum())
    said = f"{lost.sum():,.6g} {system.unit} of equity lost" + (
        f", {lost.sum() / total:.1%} of all" if total > 0 else ""
    )
    return Figure(
        "contagion-losses",
        f"Who loses equity, and through what, by {result.valuation}",
        f"{said}; {int(result.default.sum())} institutions fail.",
        ("institution", f"equity lost, {system.unit}", *used),
        rows,
        chart,
    )


def _how_likely(result: Propagation) -> Figure:
    total = max(float(np.maximum(result.initial_equity, 0.0).sum()), 1e-300)
    curves = {
        "with contagion": result.equity_lost.sum(axis=1) / total,
        "the shock alone": result.equity_lost_to_shock.sum(axis=1) / total,
    }
    count = len(result.equity)
    chances = np.geomspace(1.0, max(1.0 / count, 1e-5), 120)
    points = [
        {"what": name, "loss": float(x), "chance": float(p)}
        for name, share in curves.items()
        for x, p in zip(np.quantile(share, 1.0 - chances), chances, strict=True)
    ]
    chart = (
        alt.Chart(lines(points))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("loss:Q", title="equity lost, share of all equity", axis=alt.Axis(format="~%", tickCount=8)),
            y=alt.Y(
                "chance:Q",
                title="share of scenarios with at least this loss",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", values=[1, 0.1, 0.01, 0.001, 0.0001]),
            ),
            color=alt.Color(
                "what:N", scale=alt.Scale(domain=list(curves), range=list(SERIES[:2])), legend=alt.Legend()
            ),
        )
        .properties(width=WIDTH, height=260)
    )
    shown = [p for p in (0.5, 0.1, 0.05, 0.01, 0.001) if p * count >= 1]
    rows = tuple((f"{p:.1%}", *(f"{np.quantile(share, 1.0 - p):.2%}" for share in curves.values())) for p in shown)
    mean = ", ".join(f"{name} {share.mean():.2%}" for name, share in curves.items())
    return Figure(
        "contagion-exceedance",
        f"How likely is a loss of at least a given size, by {result.valuation}",
        f"Mean loss over {count:,} scenarios: {mean}.",
        ("share of scenarios", *curves),
        rows,
        chart,
    )


def importance_figure(found: Importance) -> Figure:
    """Who could hurt others most, and who would be hurt most."""
    names = found.model.system.names
    ranked = np.flatnonzero(found.counted)
    sides = (
        ("Loss to others when it fails", "share of the others' equity", found.importance, SERIES[0]),
        ("Own mean loss when another fails", "share of own equity, mean over failures", found.vulnerability, SERIES[1]),
    )
    panels: list[Any] = []
    columns: list[list[tuple[str, str]]] = []
    for title, axis, values, colour in sides:
        first = ranked[np.argsort(-values[ranked], kind="stable")[:10]]
        data = [{"name": names[i], "value": float(values[i])} for i in first]
        columns.append([(names[i], f"{values[i]:.2%}") for i in first])
        panels.append(
            alt.Chart(lines(data))
            .mark_bar(color=colour, height=11)
            .encode(
                x=alt.X("value:Q", title=axis, axis=alt.Axis(format="~%", tickCount=4)),
                y=alt.Y("name:N", sort=[names[i] for i in first], title=None, axis=alt.Axis(labelLimit=190)),
            )
            .properties(width=190, height=210, title=title)
        )
    rows = tuple((str(place + 1), *one, *other) for place, (one, other) in enumerate(zip(*columns, strict=True)))
    return Figure(
        "contagion-importance",
        f"The most important and the most vulnerable institutions, by {found.valuation}",
        f"Each institution loses all its equity once, alone. Amplification of the network is {found.amplification:.3f}.",
        ("place", "important", "of others' equity", "vulnerable", "own mean loss"),
        rows,
        alt.hconcat(*panels, spacing=24),
    )
