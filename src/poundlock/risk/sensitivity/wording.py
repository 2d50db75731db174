"""A Sensitivity ranked, in words, as a table and as a chart."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np

from poundlock.contagion.wording import settings
from poundlock.figure import SERIES, WIDTH, lines
from poundlock.risk.sensitivity.sensitivity import Change
from poundlock.risk.sensitivity.transposed import entries

if TYPE_CHECKING:
    from poundlock.risk.sensitivity.sensitivity import Sensitivity

HEADER = ("change", "layer", "of", "on", "lowers it by, for each unit", "amount now")


def largest(found: Sensitivity, count: int) -> tuple[Change, ...]:
    """See `Sensitivity.largest`. Ties keep the order of layers and rows; buffers stand last."""
    system, changes = found.model.system, []
    for layer, by in zip(system.layers, found.by_exposure, strict=True):
        listed, now = entries(by), entries(layer.amounts).data
        lowers = np.where(now > 0.0, listed.data, 0.0)
        for k in np.argsort(-lowers, kind="stable")[:count]:
            pair = system.ids[listed.row[k]], system.ids[listed.col[k]]
            changes.append(Change("cut exposure", layer.name, *pair, float(lowers[k]), float(now[k])))
    for i in np.argsort(found.by_buffer, kind="stable")[:count]:
        changes.append(Change("add buffer", "", system.ids[i], "", -float(found.by_buffer[i]), np.inf))
    ranked = sorted((change for change in changes if change.lowers > 0.0), key=lambda change: -change.lowers)
    return tuple(ranked[:count])


def told(found: Sensitivity) -> list[str]:
    """A few lines: the statistic, how it was solved, how near its kinks, the five largest changes."""
    model, share = found.model, _share(found)
    what = "mean" if found.level == 0.0 else f"expected shortfall at {found.level:.6g}"
    said = [
        f"Sensitivity of {what} by {model.mechanism.name}{settings(model)}: {share}",
        f"  of           {found.statistic}; {found.tail_draws:,} of {found.draws:,} draws count",
        f"  {_convergence(found)}",
        f"  near a kink  {found.near_kink:.2%} of these draws, within {found.kink:g} of a size{_edge(found)}",
        f"  lower it most, by {model.system.unit}:",
    ]
    changes = largest(found, 5)
    return said + ([f"    {_change(change)}" for change in changes] or ["    nothing does"])


def explained(found: Sensitivity) -> str:
    """See `Sensitivity.explain`."""
    model, jumps = found.model, {"default-costs", "default-only"}
    used = {model.mechanism.name} | {layer.valuation for layer in model.system.layers if layer.valuation}
    changes = largest(found, 1)
    parts = [
        *told(found),
        "",
        "Rule: at the equilibrium of claims in each draw of the tail, losses are linear in small changes. One",
        "  transposed linear system a draw says what a unit of equity missing at each institution adds to the losses",
        "  that count; times the share lost on a claim it is the derivative in that claim, and so on.",
        "Inputs: the system as it is, the losses on external assets in money as drawn, and which draws are in the",
        "  tail; the last two stay as they are.",
        "By exposure: creditor lends debtor one more in cash; no equity moves before the shock. By buffer: one more",
        "  in external assets. Who loses all its equity in a draw loses a larger one too: it may raise a loss.",
        f"What would change it: {_what_would(found)}",
    ]
    if used & jumps:
        parts.append(
            "Jump: claims lose value at once when equity falls below zero. The derivative holds between jumps and\n"
            "  leaves out that a change moves somebody across one, as an average over ever more draws would not."
        )
    if changes:
        parts.append(f"First: {_change(changes[0])}.")
    return "\n".join(parts)


def in_html(found: Sensitivity) -> str:
    """The same with the ten largest changes as a table, for notebooks."""
    head, *rest = told(found)
    said = "<br>".join(escape(line.strip()) for line in rest if not line.startswith("    "))
    titles = "".join(f"<th>{escape(title)}</th>" for title in HEADER)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(change)) + "</tr>" for change in found.largest()
    )
    return f"<p><b>{escape(head)}</b><br>{said}</p><table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"


def bars(found: Sensitivity) -> Any:
    """The ten changes that lower the tail most, as bars."""
    unit = found.model.system.unit
    data = [{"change": _short(c), "what": c.what, "lowers": c.lowers} for c in found.largest()]
    return (
        alt.Chart(lines(data))
        .mark_bar(height=11)
        .encode(
            x=alt.X(
                "lowers:Q", title=f"lowers the statistic by, for each {unit}", axis=alt.Axis(format="~g", tickCount=6)
            ),
            y=alt.Y("change:N", sort=[_short(c) for c in found.largest()], title=None, axis=alt.Axis(labelLimit=260)),
            color=alt.Color(
                "what:N",
                scale=alt.Scale(domain=["cut exposure", "add buffer"], range=list(SERIES[:2])),
                legend=alt.Legend(symbolType="square", symbolStrokeWidth=0),
            ),
        )
        .properties(width=WIDTH - 240, height=max(40, 18 * len(data)))
    )


def _share(found: Sensitivity) -> str:
    return f"{found.value:,.6g}" if found.statistic.startswith("weighted") else f"{found.value:.4%}"


def _convergence(found: Sensitivity) -> str:
    said = f"at most {found.rounds:,} sweeps, gap {found.gap:.1e}"
    said += f", {found.direct:,} draws by linear systems" if found.direct else ""
    return f"converged    {said}" if found.converged else f"NOT converged: {said}"


def _edge(found: Sensitivity) -> str:
    if found.boundary > 0.0:
        return ""
    return "; the last draw of the tail ties with the next, so that the derivative is one-sided"


def _what_would(found: Sensitivity) -> str:
    near = f"a step across a kink ({found.near_kink:.2%} of the draws are within {found.kink:g} of one)"
    edge = (
        "" if np.isinf(found.boundary) else f"; another draw entering the tail (the next is {found.boundary:.2g} away)"
    )
    return f"{near}{edge}; other draws; losses that grow with what is held."


def _short(change: Change) -> str:
    if change.what == "add buffer":
        return f"buffer of {change.creditor}"
    return f"{change.creditor} on {change.debtor}, {change.layer}"


def _change(change: Change) -> str:
    now = "" if np.isinf(change.amount) else f" (now {change.amount:,.6g})"
    return f"{change.what}: {_short(change)}{now} lowers it by {change.lowers:.4g}"


def _cells(change: Change) -> tuple[str, ...]:
    now = "" if np.isinf(change.amount) else f"{change.amount:,.6g}"
    return change.what, change.layer, change.creditor, change.debtor, f"{change.lowers:.4g}", now
