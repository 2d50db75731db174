"""Charts of the tail: who bears it, and which changes would lower it most."""

from __future__ import annotations

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, TailStudy
from poundlock.desk.worlds import VALUATION_WORDS
from poundlock.figure import SERIES, WIDTH, Figure, lines
from poundlock.figures.control_charts import control_name
from poundlock.risk import Change

SHOWN = 10
CHANNEL_WORDS = {
    "shock": "the shock itself",
    "outage": "outages",
    "credit": "claims",
    "stakes": "stakes",
    "settlement": "payments not settled",
    "prices": "falling prices",
    "guarantees": "guarantees",
}


def allocation_figure(study: TailStudy) -> Figure:
    """The largest parts of the tail, by institution and channel."""
    parts = study.allocation
    order = [int(i) for i in np.argsort(-parts.by_institution, kind="stable")[:SHOWN] if parts.by_institution[i] > 0.0]
    used = [name for name, part in parts.by_channel.items() if np.any(np.abs(part) > 0.0)]
    data = [
        {"name": parts.names[i], "channel": CHANNEL_WORDS[name], "part": float(parts.by_channel[name][i])}
        for i in order
        for name in used
    ]
    words = [CHANNEL_WORDS[name] for name in used]
    bars = (
        alt.Chart(lines(data))
        .mark_bar(height=11)
        .encode(
            x=alt.X(
                "part:Q",
                title="part of the tail loss, share of the group's equity",
                axis=alt.Axis(format=".2%", tickCount=6),
            ),
            y=alt.Y("name:N", sort=[parts.names[i] for i in order], title=None, axis=alt.Axis(labelLimit=220)),
            color=alt.Color(
                "channel:N", scale=alt.Scale(domain=words, range=list(SERIES)), legend=alt.Legend(columns=3)
            ),
        )
        .properties(width=WIDTH - 200, height=max(60, 20 * len(order)))
    )
    rows = [
        (
            parts.names[i],
            f"{parts.by_institution[i]:.3%}",
            f"{parts.low[i]:.3%} to {parts.high[i]:.3%}",
            *(f"{parts.by_channel[name][i]:.3%}" for name in used),
        )
        for i in order
    ]
    return Figure(
        f"allocation-{study.tolerance.id}-{study.valuation}",
        f"Who bears the tail, by {VALUATION_WORDS[study.valuation]}: {study.tolerance.label}",
        allocation_sentence(study),
        ("institution", "part", f"interval ({parts.confidence:.0%})", *words),
        tuple(rows),
        bars,
    )


def allocation_sentence(study: TailStudy) -> str:
    """How the tail is shared out, in words."""
    parts = study.allocation
    total, ordered = max(parts.value, 1e-300), np.sort(parts.by_institution)[::-1]
    spread = total - parts.by_channel["shock"].sum()
    pairs = [
        f"{parts.names[i]} on {parts.names[j]} {part / total:.1%}"
        for i, j, part in parts.largest_exposures(3)
        if part / total >= 0.0005
    ]
    said = (
        f"The parts of all institutions add up to {parts.value:.2%}. The ten largest bear "
        f"{ordered[:SHOWN].sum() / total:.0%}; {spread / total:.1%} comes by what spreads, the rest by the shock itself."
    )
    return said + (
        f" Largest by exposure: {', '.join(pairs)}." if pairs else " No single exposure carries a part to speak of."
    )


def changes_figure(a: Assessment, study: TailStudy) -> Figure | None:
    """The ten changes that lower the tail most by unit of money; None where derivatives are not defined."""
    if study.sensitivity is None:
        return None
    changes, unit = study.sensitivity.largest(SHOWN), a.plan.system.unit
    names = dict(zip(study.sensitivity.model.system.ids, study.sensitivity.model.system.names, strict=True))
    words = [_words(c, names) for c in changes]
    data = [{"change": w, "lowers": 1e7 * c.lowers, "kind": c.what} for w, c in zip(words, changes, strict=True)]
    bars = (
        alt.Chart(lines(data))
        .mark_bar(height=11)
        .encode(
            x=alt.X("lowers:Q", title=f"lowers the tail by, basis points for each 1,000 {unit}"),
            y=alt.Y("change:N", sort=words, title=None, axis=alt.Axis(labelLimit=320)),
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=["cut exposure", "add buffer"], range=list(SERIES)), title=None
            ),
        )
        .properties(width=WIDTH - 300, height=max(60, 20 * len(data)))
    )
    rows = [
        (w, f"{1e7 * c.lowers:.3g}", "" if np.isinf(c.amount) else f"{c.amount:,.0f}")
        for w, c in zip(words, changes, strict=True)
    ]
    near = study.sensitivity.near_kink
    alike = len(changes) > 1 and changes[0].lowers <= changes[-1].lowers * (1.0 + 1e-6)
    same = " All of them count the same, and so may many more: hardly anything spreads here." if alike else ""
    return Figure(
        f"changes-{study.tolerance.id}-{study.valuation}",
        f"What to look at first, by {VALUATION_WORDS[study.valuation]}: {study.tolerance.label}",
        f"The {len(rows)} small changes that lower the tail most for the same money: an exposure cut and paid back in cash, or a buffer "
        f"added. Each holds for a small step: in {near:.1%} of the scenarios somebody stands at the edge of failing or of paying nothing.{same}{_held(a)}{_by_control(a, study)}",
        ("change", f"lowers it by, basis points for each 1,000 {unit}", f"now, {unit}"),
        tuple(rows),
        bars,
    )


def _held(a: Assessment) -> str:
    """What the derivatives leave out, in words."""
    system = a.worlds[0].system
    if not (system.covers or system.guarantees or system.dependences is not None):
        return ""
    return " What insurance, warrants, promises and outages pay and cost is held as it is in each scenario."


def _by_control(a: Assessment, study: TailStudy) -> str:
    """What a small turn of each control does, in words."""
    kinds = {c.id: (control_name(c), c.UNIT) for c in a.plan.controls}
    parts = [f"{kinds[name][0]} {1e4 * 0.01 * slope:+.2g}" for name, slope in study.by_control]
    if not parts:
        return ""
    return f" Raising a control by one point moves the tail by, in basis points: {', '.join(parts)}."


def _words(change: Change, names: dict[str, str]) -> str:
    if change.what == "add buffer":
        return f"buffer of {names[change.creditor]}"
    return f"{names[change.creditor]} on {names[change.debtor]}, {change.layer}"
