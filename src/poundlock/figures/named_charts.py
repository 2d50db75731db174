"""The chart of named scenarios: what each is stated to take, and what it takes with what spreads."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, NamedStudy
from poundlock.desk.worlds import VALUATION_WORDS
from poundlock.figure import SERIES, WIDTH, Figure, lines
from poundlock.figures.risk_charts import members_words

SHOWN = 20
ALONE = "the shock alone"


def named_figure(a: Assessment) -> Figure | None:
    """Each named scenario under both valuations; None where the plan has none. Of many, those that take most from all institutions."""
    if not a.named:
        return None
    gates = a.named[0]
    shown = sorted(np.argsort(-gates.lost[:, 0], kind="stable")[:SHOWN].tolist())
    unit = a.plan.system.unit
    return Figure(
        "named",
        "Named scenarios: losses as stated, and how far they spread",
        named_sentence(a),
        (
            "scenario",
            "of whom",
            "valuation",
            f"lost by the shock alone, {unit}",
            "share of their equity",
            f"lost with what spreads, {unit}",
            "share of their equity",
            "failures by the shock alone",
            "failures",
            "computation",
        ),
        tuple(_row(n, s, g) for s in shown for g in range(len(gates.scopes)) for n in a.named),
        _chart(a, shown),
    )


def named_sentence(a: Assessment) -> str:
    """What is stated, what came of the scenario that takes most, and that no gate judges any of it."""
    gates, g = a.named[0], _drawn_groups(a)[0]
    worst = int(np.argmax(np.max([n.lost[:, g] for n in a.named], axis=0)))
    many, who = len(gates.labels), members_words(gates.scopes[g])
    spread = " and ".join(
        f"{n.lost[worst, g] / n.equity[g]:.1%} by {VALUATION_WORDS[n.valuation]} ({_failures(n.failures[worst, g])})"
        for n in a.named
    )
    said = (
        f"{'One scenario' if many == 1 else f'{many:,} scenarios'} whose losses are stated, not drawn: a scenario has no probability here, so it is "
        f"shown and no gate judges it. {'It' if many == 1 else f'The one that takes most, “{gates.labels[worst]}”,'} takes "
        f"{gates.by_shock[worst, g] / gates.equity[g]:.1%} of the equity at once ({_failures(gates.failures_by_shock[worst, g])}), and with what "
        f"spreads {spread}. The group: {who[0].lower()}{who[1:]}."
    )
    if many > SHOWN:
        said += f" The {SHOWN} that take most are shown; result.json has all."
    missed = sum(int((~n.converged).sum()) for n in a.named)
    return said + (f" Computations that did NOT converge: {missed}; there more may be lost." if missed else "")


def _failures(count: int) -> str:
    return f"{count} failure" if count == 1 else f"{count or 'no'} failures"


def _drawn_groups(a: Assessment) -> list[int]:
    """Numbers of the scopes that tolerances name, in their order; the first three."""
    return list(dict.fromkeys(a.named[0].scopes.index(t.scope) for t in a.plan.tolerances))[:3]


def _row(n: NamedStudy, s: int, g: int) -> tuple[str, ...]:
    return (
        n.labels[s],
        members_words(n.scopes[g]),
        VALUATION_WORDS[n.valuation],
        f"{n.by_shock[s, g]:,.0f}",
        f"{n.by_shock[s, g] / n.equity[g]:.2%}",
        f"{n.lost[s, g]:,.0f}",
        f"{n.lost[s, g] / n.equity[g]:.2%}",
        f"{n.failures_by_shock[s, g]}",
        f"{n.failures[s, g]}",
        f"{'converged' if n.converged[s] else 'NOT converged'}, {n.rounds[s]} rounds, gap {n.gap[s]:.1e}",
    )


def _chart(a: Assessment, shown: list[int]) -> Any:
    """Three bars a scenario, one panel a group."""
    gates, groups = a.named[0], _drawn_groups(a)
    panels = [_panel(a, shown, g) for g in groups]
    titled = [panel.properties(title=members_words(gates.scopes[g])) for panel, g in zip(panels, groups, strict=True)]
    return alt.vconcat(*titled, spacing=14)


def _panel(a: Assessment, shown: list[int], g: int) -> Any:
    gates = a.named[0]
    readings = {ALONE: gates.by_shock} | {f"with what spreads, {VALUATION_WORDS[n.valuation]}": n.lost for n in a.named}
    data = [
        {"scenario": gates.labels[s], "reading": words, "share": float(lost[s, g] / gates.equity[g])}
        for s in shown
        for words, lost in readings.items()
    ]
    order = list(readings)
    return (
        alt.Chart(lines(data))
        .mark_bar(height=9)
        .encode(
            x=alt.X("share:Q", title="equity lost, share of what the group has", axis=alt.Axis(format=".0%")),
            y=alt.Y(
                "scenario:N", sort=[gates.labels[s] for s in shown], title=None, axis=alt.Axis(labelLimit=WIDTH // 2)
            ),
            yOffset=alt.YOffset("reading:N", sort=order),
            color=alt.Color(
                "reading:N",
                scale=alt.Scale(domain=order, range=[SERIES[2], SERIES[0], SERIES[1]]),
                legend=alt.Legend(columns=3),
            ),
        )
        .properties(width=WIDTH // 2, height=max(48, 40 * len(shown)))
    )
