"""Charts of contagion and controllability."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, Search, World
from poundlock.desk.risk_evidence import VALUATION_WORDS
from poundlock.figures.figure import INK, LIMIT, QUIET, SERIES, WIDTH, Figure, lines
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
    draws = a.provenance.scenarios
    chances = np.geomspace(1.0, max(10.0 / draws, 1e-5), 120)
    shown = [p for p in SHOWN_PROBABILITIES if p * draws >= 10]
    points, table = [], {p: [f"{p:.1%}"] for p in shown}
    worlds: list[tuple[str, World]] = [(w.label, w) for w in a.worlds]
    worlds.append(
        (f"{a.other_valuation.label}, {VALUATION_WORDS[a.other_valuation.outcome.valuation]}", a.other_valuation)
    )
    for label, world in worlds:
        share = world.outcome.loss_share(tolerance.scope)
        points += [
            {"world": label, "loss": float(x), "chance": float(p)}
            for x, p in zip(np.quantile(share, 1.0 - chances), chances, strict=True)
        ]
        for p in shown:
            table[p].append(f"{np.quantile(share, 1.0 - p):.1%}")
    order = [label for label, _ in worlds]
    curve = (
        alt.Chart(lines(points))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("loss:Q", title="equity lost in a year, share of what the group has", axis=alt.Axis(format=".0%")),
            y=alt.Y(
                "chance:Q",
                title="chance of losing at least this much",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", values=[1, 0.1, 0.01, 0.001, 0.0001]),
            ),
            color=alt.Color(
                "world:N",
                scale=alt.Scale(domain=order, range=[SERIES[k] for k in range(len(order))]),
                legend=alt.Legend(columns=1),
            ),
            strokeDash=alt.StrokeDash(
                "world:N", scale=alt.Scale(domain=order, range=[[1, 0]] * (len(order) - 1) + [[5, 3]]), legend=None
            ),
        )
    )
    rule = alt.Chart(
        lines(
            [
                {
                    "limit": tolerance.at_most,
                    "says": f"limit {tolerance.at_most:.1%} on the mean of the worst {1 - tolerance.level:.0%}",
                }
            ]
        )
    )
    marks = rule.mark_rule(color=LIMIT, strokeDash=[2, 2]).encode(x="limit:Q") + rule.mark_text(
        color=LIMIT, align="left", dx=5, y=12, fontSize=11
    ).encode(x="limit:Q", text="says:N")
    tail = "; ".join(f"{label}: {w.estimates[tolerance.id].value:.1%}" for label, w in worlds)
    return Figure(
        f"losses-{tolerance.id}",
        f"How likely is a loss of at least a given size? {_members(tolerance)}",
        f"Mean loss in the worst {1 - tolerance.level:.0%} of years, as a share of equity: {tail}. The limit is {tolerance.at_most:.1%}.",
        ("chance of at least", *order),
        tuple(tuple(row) for row in table.values()),
        (curve + marks).properties(width=WIDTH, height=260),
    )


def _members(tolerance: ExpectedShortfall) -> str:
    scope = tolerance.scope
    words = [" and ".join(scope.kinds).replace("-", " ") if scope.kinds else "all institutions"]
    return ", ".join(words + ([f"regions {', '.join(scope.regions)}"] if scope.regions else [])).capitalize()


def frontier_figure(a: Assessment, search: Search) -> Figure:
    """What each setting of a control leaves of the credit, and how near every tolerance comes to its limit."""
    points = []
    for point in search.result.points:
        for tolerance, estimate in zip(a.plan.tolerances, point.estimates, strict=True):
            used = estimate.high / tolerance.at_most if tolerance.at_most > 0 else float("inf")
            points.append(
                {"cap": point.setting, "credit": point.granted, "used": min(used, 5.0), "tolerance": tolerance.label}
            )
    order = [t.label for t in a.plan.tolerances]
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
    result = search.result
    start = "no cap, as before" if search.control.others == "before" else f"{result.today.setting:.0%}, today"
    marked = [{"credit": result.today.granted, "says": start}]
    if result.setting is not None and result.setting != result.today.setting:
        held = next(p for p in result.points if p.setting == result.setting)
        marked.append({"credit": held.granted, "says": f"{held.setting:.0%}, loosest that holds"})
    flags = [
        alt.Chart(lines([mark])).mark_rule(color=QUIET).encode(x="credit:Q")
        + alt.Chart(lines([mark]))
        .mark_text(align="right", dx=2, y=-6 - 14 * k, color=INK, fontSize=11)
        .encode(x="credit:Q", text="says:N")
        for k, mark in enumerate(marked)
    ]
    flag = alt.layer(*flags)
    rows = []
    for p in result.points:
        rows.append(
            (
                f"{p.setting:.1%}",
                f"{p.granted:,.0f}",
                *(f"{e.value:.2%} ({s})" for e, s in zip(p.estimates, p.standings, strict=True)),
            )
        )
    others = "all other limits as today" if search.control.others == "today" else "no other limit, as before"
    return Figure(
        f"frontier-{search.control.id}",
        f"Credit against risk as the cap on one partner is loosened; {others}",
        control_sentence(a, search),
        ("cap, of tier 1", f"granted, {a.plan.system.unit}", *order),
        tuple(rows),
        (chart.mark_line(point=True, strokeWidth=2) + rule + flag).properties(width=WIDTH, height=260),
    )


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
        edge = f"the loosest cap that holds every tolerance is {result.setting:.1%} of tier 1; {result.next_looser:.1%} does not"
    return f"{WORDS[result.verdict]} {start}: {edge}. At that cap {held.granted:,.0f} {unit} of {search.wished:,.0f} wished for are lent, {cost:,.0f} not ({tried})."


def importance_figure(a: Assessment) -> Figure:
    """Who could hurt others most, and who would be hurt most."""
    system, found = a.worlds[0].system, a.importance
    own = np.maximum(equity(system), 0.0)
    by_importance, by_vulnerability = (
        np.argsort(-values, kind="stable")[:10] for values in (found.importance, found.vulnerability)
    )
    points: list[dict[str, Any]] = []
    for what, order, values in (
        ("loss to others when it fails", by_importance, found.importance),
        ("own mean loss when another fails", by_vulnerability, found.vulnerability),
    ):
        points += [
            {"panel": what, "name": _short(system.names[i]), "value": float(values[i]), "place": place}
            for place, i in enumerate(order)
        ]
    panels = []
    for what, colour in (("loss to others when it fails", SERIES[0]), ("own mean loss when another fails", SERIES[1])):
        data = [p for p in points if p["panel"] == what]
        panel = alt.Chart(lines(data)).encode(
            y=alt.Y("name:N", sort=[p["name"] for p in data], title=None, axis=alt.Axis(labelLimit=190))
        )
        title = "share of the others' equity" if what.startswith("loss") else "share of own equity, mean over failures"
        bars = panel.mark_bar(color=colour, height=11).encode(
            x=alt.X("value:Q", title=title, axis=alt.Axis(format=".1%", tickCount=4))
        )
        panels.append(bars.properties(width=190, height=210, title=what.capitalize()))
    top, hurt = system.names[by_importance[0]], system.names[by_vulnerability[0]]
    rows = [
        (
            str(k + 1),
            system.names[i],
            f"{found.importance[i]:.2%}",
            f"{found.loss_to_others[i]:,.0f}",
            system.names[j],
            f"{found.vulnerability[j]:.2%}",
            f"{own[j]:,.0f}",
        )
        for k, (i, j) in enumerate(zip(by_importance, by_vulnerability, strict=True))
    ]
    return Figure(
        "importance",
        "The most important and the most vulnerable institutions",
        f"Each institution loses all its equity once, alone, and losses spread by linear DebtRank with recovery {a.plan.scenarios.recovery:.0%}. "
        f"{top} would cost the others most, {found.importance[by_importance[0]]:.2%} of their equity; {hurt} would lose most on average, {found.vulnerability[by_vulnerability[0]]:.2%} of its own.",
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


def _short(name: str) -> str:
    name = name.replace(" (synthetic)", "")
    return name if len(name) <= 30 else name[:28] + "…"
