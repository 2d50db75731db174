"""Charts of contagion and controllability."""

from __future__ import annotations

from typing import Any, Literal

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, Search
from poundlock.desk.risk_evidence import VALUATION_WORDS
from poundlock.figure import INK, LIMIT, QUIET, SERIES, WIDTH, Figure, lines
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system import equity

WORDS = {
    "controlled": "Controlled",
    "controllable": "Controllable, not controlled",
    "not controllable": "Not controllable",
    "undecided": "Undecided",
}
SHOWN_PROBABILITIES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


def loss_figures(a: Assessment) -> list[Figure]:
    """For each scope with an expected-shortfall tolerance of its own: how likely is a loss of at least x, in each world."""
    tolerances = [t for t in a.plan.tolerances if isinstance(t, ExpectedShortfall) and not t.added_by_measures]
    return [_exceedance(a, t) for t in tolerances]


def _exceedance(a: Assessment, tolerance: ExpectedShortfall) -> Figure:
    other = f"{a.other_valuation.label}, {VALUATION_WORDS[a.other_valuation.outcome.valuation]}"
    worlds = {w.label: w for w in a.worlds} | {other: a.other_valuation}
    shares = {label: w.outcome.loss_share(tolerance.scope) for label, w in worlds.items()}
    draws, order = a.provenance.scenarios, list(worlds)
    chances = np.geomspace(1.0, max(10.0 / draws, 1e-5), 120)
    points = [
        {"world": label, "loss": float(x), "chance": float(p)}
        for label, share in shares.items()
        for x, p in zip(np.quantile(share, 1.0 - chances), chances, strict=True)
    ]
    shown = [p for p in SHOWN_PROBABILITIES if p * draws >= 10]
    rows = [(f"{p:.1%}", *(f"{np.quantile(share, 1.0 - p):.1%}" for share in shares.values())) for p in shown]
    tail = "; ".join(f"{label}: {w.estimates[tolerance.id].value:.1%}" for label, w in worlds.items())
    return Figure(
        f"losses-{tolerance.id}",
        f"How likely is a loss of at least a given size? {_members(tolerance)}",
        f"Mean loss in the worst {1 - tolerance.level:.0%} of years, as a share of equity: {tail}. "
        f"The limit is {tolerance.at_most:.1%}.",
        ("chance of at least", *order),
        tuple(rows),
        alt.layer(*_curves(points, order), *_limit_line(tolerance)).properties(width=WIDTH, height=260),
    )


def _curves(points: list[dict[str, Any]], order: list[str]) -> list[Any]:
    """Chance of a loss of at least x by world; the last world, of the other valuation, is dashed."""
    dashes = [[1, 0]] * (len(order) - 1) + [[5, 3]]
    ticks = [1, 0.1, 0.01, 0.001, 0.0001]
    return [
        alt.Chart(lines(points))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("loss:Q", title="equity lost in a year, share of what the group has", axis=alt.Axis(format=".0%")),
            y=alt.Y(
                "chance:Q",
                title="chance of losing at least this much",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", values=ticks),
            ),
            color=alt.Color(
                "world:N",
                scale=alt.Scale(domain=order, range=list(SERIES[: len(order)])),
                legend=alt.Legend(columns=1),
            ),
            strokeDash=alt.StrokeDash("world:N", scale=alt.Scale(domain=order, range=dashes), legend=None),
        )
    ]


def _limit_line(tolerance: ExpectedShortfall) -> list[Any]:
    words = f"limit {tolerance.at_most:.1%} on the mean of the worst {1 - tolerance.level:.0%}"
    base = alt.Chart(lines([{"limit": tolerance.at_most, "says": words}])).encode(x="limit:Q")
    text = base.mark_text(color=LIMIT, align="left", dx=5, y=12, fontSize=11).encode(text="says:N")
    return [base.mark_rule(color=LIMIT, strokeDash=[2, 2]), text]


def _members(tolerance: ExpectedShortfall) -> str:
    scope = tolerance.scope
    words = [" and ".join(scope.kinds).replace("-", " ") if scope.kinds else "all institutions"]
    return ", ".join(words + ([f"regions {', '.join(scope.regions)}"] if scope.regions else [])).capitalize()


def frontier_figure(a: Assessment, search: Search) -> Figure:
    """What each setting of a control leaves of the credit, and how near every tolerance comes to its limit."""
    order = [t.label for t in a.plan.tolerances]
    points = [
        {"credit": p.granted, "used": min(e.high / max(t.at_most, 1e-12), 5.0), "tolerance": t.label}
        for p in search.result.points
        for t, e in zip(a.plan.tolerances, p.estimates, strict=True)
    ]
    chart = alt.Chart(lines(points)).encode(
        x=alt.X(
            "credit:Q",
            title=f"joint loans granted, {a.plan.system.unit}",
            axis=alt.Axis(format="~s"),
            scale=alt.Scale(zero=False),
        ),
        y=alt.Y("used:Q", title="upper end of the interval over its limit", axis=alt.Axis(format=".0%")),
        color=alt.Color("tolerance:N", scale=alt.Scale(domain=order, range=list(SERIES)), legend=alt.Legend(columns=1)),
    )
    rule = alt.Chart(lines([{"one": 1.0}])).mark_rule(color=LIMIT, strokeDash=[2, 2]).encode(y="one:Q")
    rows = [
        (
            f"{p.setting:.1%}",
            f"{p.granted:,.0f}",
            *(f"{e.value:.2%} ({s})" for e, s in zip(p.estimates, p.standings, strict=True)),
        )
        for p in search.result.points
    ]
    others = "all other limits as today" if search.control.others == "today" else "no other limit, as before"
    return Figure(
        f"frontier-{search.control.id}",
        f"Credit against risk as the cap on one partner is loosened; {others}",
        control_sentence(a, search),
        ("cap, of tier 1", f"granted, {a.plan.system.unit}", *order),
        tuple(rows),
        alt.layer(chart.mark_line(point=True, strokeWidth=2), rule, *_flags(search)).properties(
            width=WIDTH, height=260
        ),
    )


def _flags(search: Search) -> list[Any]:
    """Upright lines at the credit of today's setting and of the loosest that holds, with words beside them."""
    result = search.result
    start = "no cap, as before" if search.control.others == "before" else f"{result.today.setting:.0%}, today"
    marked: list[dict[str, Any]] = [{"credit": result.today.granted, "says": start}]
    if result.setting is not None and result.setting != result.today.setting:
        held = next(p for p in result.points if p.setting == result.setting)
        marked.append({"credit": held.granted, "says": f"{held.setting:.0%}, loosest that holds"})
    granted = [p.granted for p in result.points]
    middle, flags = 0.5 * (min(granted) + max(granted)), list[Any]()
    for k, mark in enumerate(marked):
        base = alt.Chart(lines([mark])).encode(x="credit:Q")
        side: Literal["left", "right"] = "right" if mark["credit"] > middle else "left"
        words = base.mark_text(align=side, y=-6 - 14 * k, color=INK, fontSize=11).encode(text="says:N")
        flags += [base.mark_rule(color=QUIET), words]
    return flags


def control_sentence(a: Assessment, search: Search) -> str:
    """The answer of a search in words, with its certificate."""
    result, unit = search.result, a.plan.system.unit
    start = "without a cap" if search.control.others == "before" else f"at {search.today:.0%} of tier 1"
    tried = f"{len(result.points)} settings tried on the same {a.provenance.scenarios:,} scenarios"
    if result.setting is None:
        return f"{result.verdict.capitalize()}: no cap between {search.control.tightest:.0%} and {search.control.loosest:.0%} of tier 1 holds every tolerance ({tried})."
    held = next(p for p in result.points if p.setting == result.setting)
    cost = search.wished - held.granted
    if result.next_looser is None:
        edge = f"even {result.setting:.0%}, the loosest that may be set, holds every tolerance, so this cap is not what keeps the risk in bounds"
    else:
        edge = (
            f"the loosest cap that surely holds every tolerance is {result.setting:.1%} of tier 1; "
            f"at {result.next_looser:.1%} one of them is broken or undecided"
        )
    return f"{WORDS[result.verdict]} {start}: {edge}. At that cap {held.granted:,.0f} {unit} of {search.wished:,.0f} wished for are lent, {cost:,.0f} not ({tried})."


def importance_figure(a: Assessment) -> Figure:
    """Who could hurt others most, and who would be hurt most."""
    system, found = a.worlds[0].system, a.importance
    own = np.maximum(equity(system), 0.0)
    ranked = np.flatnonzero(found.counted)
    first, second = (
        ranked[np.argsort(-values[ranked], kind="stable")[:10]] for values in (found.importance, found.vulnerability)
    )
    names = [_short(name) for name in system.names]
    panels = [
        _ranking(
            [(names[i], found.importance[i]) for i in first],
            "Loss to others when it fails",
            "share of the others' equity",
            SERIES[0],
        ),
        _ranking(
            [(names[i], found.vulnerability[i]) for i in second],
            "Own mean loss when another fails",
            "share of own equity, mean over failures",
            SERIES[1],
        ),
    ]
    rows = [
        (
            str(place + 1),
            *(system.names[i], f"{found.importance[i]:.2%}", f"{found.loss_to_others[i]:,.0f}"),
            *(system.names[j], f"{found.vulnerability[j]:.2%}", f"{own[j]:,.0f}"),
        )
        for place, (i, j) in enumerate(zip(first, second, strict=True))
    ]
    return Figure(
        "importance",
        "The most important and the most vulnerable institutions",
        "Each institution loses all its equity once, alone, and losses spread by linear DebtRank with recovery "
        f"{a.plan.scenarios.recovery:.0%}. {system.names[first[0]]} would cost the others most, "
        f"{found.importance[first[0]]:.2%} of their equity; {system.names[second[0]]} would lose most on average, "
        f"{found.vulnerability[second[0]]:.2%} of its own. {amplification_sentence(a)}",
        (
            "place",
            "important",
            "of others' equity",
            f"loss to others, {system.unit}",
            "vulnerable",
            "own mean loss",
            f"own equity, {system.unit}",
        ),
        tuple(rows),
        alt.hconcat(*panels, spacing=24),
    )


def amplification_sentence(a: Assessment) -> str:
    """Whether linear DebtRank is stable on this network, in words."""
    factor = a.importance.amplification
    if factor < 1.0:
        return f"Amplification in this network is {factor:.2f}, below one: losses die out as they pass on."
    network = "rebuilt network" if a.rebuilt else "network"
    return (
        f"Amplification in this {network} is {factor:.2f}, above one: by linear DebtRank almost any loss grows until "
        "institutions fail. Read it as instability of the model on this network, not as a forecast for those named."
    )


def _ranking(rows: list[tuple[str, float]], title: str, axis: str, colour: str) -> Any:
    data = [{"name": name, "value": float(value)} for name, value in rows]
    bars = alt.Chart(lines(data)).mark_bar(color=colour, height=11)
    return bars.encode(
        x=alt.X("value:Q", title=axis, axis=alt.Axis(format=".1%", tickCount=4)),
        y=alt.Y("name:N", sort=[name for name, _ in rows], title=None, axis=alt.Axis(labelLimit=190)),
    ).properties(width=190, height=210, title=title)


def _short(name: str) -> str:
    name = name.replace(" (synthetic)", "")
    return name if len(name) <= 30 else name[:28] + "…"
