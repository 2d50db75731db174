"""Charts of contagion and controllability."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment
from poundlock.desk.worlds import VALUATION_WORDS
from poundlock.figure import LIMIT, SERIES, WIDTH, Figure, lines
from poundlock.rollout.plan import ExpectedShortfall, Scope
from poundlock.rollout.wording import level_words
from poundlock.system import equity

SHOWN_PROBABILITIES = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)


def loss_figures(a: Assessment) -> list[Figure]:
    """For each scope with an expected-shortfall tolerance of its own: how likely is a loss of at least x, in each world."""
    tolerances = [t for t in a.plan.tolerances if isinstance(t, ExpectedShortfall) and not t.added_by_measures]
    return [_exceedance(a, t) for t in tolerances]


def _exceedance(a: Assessment, tolerance: ExpectedShortfall) -> Figure:
    other = f"{a.other_valuation.label}, {VALUATION_WORDS[a.other_valuation.outcome.valuation]}"
    worlds = {w.label: w for w in a.worlds} | {other: a.other_valuation}
    curves = {label: w.outcome.curve(tolerance.scope) for label, w in worlds.items()}
    draws, order = a.provenance.scenarios, list(worlds)
    chances = np.geomspace(1.0, max(10.0 / draws, 1e-5), 120)
    points = [
        {"world": label, "loss": curve.quantile(p), "chance": float(p)}
        for label, curve in curves.items()
        for p in chances
    ]
    shown = [p for p in SHOWN_PROBABILITIES if p * draws >= 10]
    rows = [(f"{p:.1%}", *(f"{curve.quantile(p):.1%}" for curve in curves.values())) for p in shown]
    tail = "; ".join(f"{label}: {w.estimates[tolerance.id].value:.1%}" for label, w in worlds.items())
    return Figure(
        f"losses-{tolerance.id}",
        f"How likely is a loss of at least a given size? {members_words(tolerance.scope)}",
        f"Mean loss in the worst {level_words(1 - tolerance.level)} of years, as a share of equity: {tail}. "
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
    words = f"limit {tolerance.at_most:.1%} on the mean of the worst {level_words(1 - tolerance.level)}"
    base = alt.Chart(lines([{"limit": tolerance.at_most, "says": words}])).encode(x="limit:Q")
    text = base.mark_text(color=LIMIT, align="left", dx=5, y=12, fontSize=11).encode(text="says:N")
    return [base.mark_rule(color=LIMIT, strokeDash=[2, 2]), text]


def members_words(scope: Scope) -> str:
    """Who is in a scope, as the start of a sentence."""
    words = [" and ".join(scope.kinds).replace("-", " ") if scope.kinds else "all institutions"]
    return ", ".join(words + ([f"regions {', '.join(scope.regions)}"] if scope.regions else [])).capitalize()


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
        return f"Amplification in this network is {factor:.3f}, below one: losses die out as they pass on."
    network = "rebuilt network" if a.rebuilt else "network"
    return (
        f"Amplification in this {network} is {factor:.3f}, above one: by linear DebtRank almost any loss grows until "
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
