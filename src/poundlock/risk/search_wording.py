"""The answer of a search for controls, in words and as a table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from poundlock.risk.controllability import ControlSearch, Point, Setting

VERDICTS = {
    "controlled": "controlled: every tolerance holds at today's setting",
    "controllable": "controllable: every tolerance holds at some permitted setting, not at today's",
    "not controllable": "not controllable: even the tightest setting breaks a tolerance",
    "undecided": "undecided: simulation error straddles a limit, or the search may have missed a setting",
}


def told(found: ControlSearch) -> list[str]:
    """A few lines: verdict, certificate, how much was tried."""
    lines = [
        VERDICTS[found.verdict],
        f"  today        {_setting(found, found.today.setting)}: {_standings(found, found.today)}",
    ]
    if found.held is not None:
        kind = "loosest" if len(found.names) == 1 else "cheapest"
        lines.append(f"  {kind:12} {_setting(found, found.held.setting)}: {_standings(found, found.held)}")
        lines.append(f"  cost         {found.held.cost:,.6g} a year")
        lines.append(f"  next looser  {_looser(found)}")
    if found.networks > 1:
        share = found.held.share if found.held else 0.0
        lines.append(f"  networks     holds in at least {share:.0%} of {found.networks}; {found.share:.0%} asked for")
    straight = (
        "no statistic fell when a control was loosened" if found.monotone else "NOT monotone: a setting may be missed"
    )
    lines.append(
        f"  tried        {len(found.points)} settings; {straight}; {'converged' if found.converged else 'NOT converged'}"
    )
    return lines


def explained(found: ControlSearch) -> str:
    """The rule, its inputs, the numbers, and what would change them."""
    limits = [f"    {t.label or t.id}: at most {t.at_most:.4g}" for t in found.tolerances]
    return "\n".join(
        [
            *told(found),
            "",
            "Rule: a tolerance holds where the upper end of its 95 % interval is at most its limit; a setting holds where all do,",
            "  in the share of networks that was asked for. The last control is bisected for its loosest value that holds,",
            "  each earlier one tried on a grid that is halved around the cheapest; all on the same draws.",
            "Inputs: the tolerances",
            *limits,
            f"What would change it: {_what_would(found)}",
        ]
    )


def in_html(found: ControlSearch) -> str:
    """The same with every setting tried as a table."""
    head, *rest = told(found)
    titles = [*found.names, "credit left", "cost a year", "networks", *(t.label or t.id for t in found.tolerances)]
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(p)) + "</tr>" for p in found.points)
    said = "<br>".join(escape(line.strip()) for line in rest)
    header = "".join(f"<th>{escape(title)}</th>" for title in titles)
    return f"<p><b>{escape(head)}</b><br>{said}</p><table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"


def _setting(found: ControlSearch, setting: Setting) -> str:
    return ", ".join(f"{name} {value:.6g}" for name, value in zip(found.names, setting, strict=True))


def _standings(found: ControlSearch, point: Point) -> str:
    parts = [
        f"{t.id} {e.value:.4g} ({e.low:.4g} to {e.high:.4g}, {s})"
        for t, e, s in zip(found.tolerances, point.estimates, point.standings, strict=True)
    ]
    return "; ".join(parts)


def _looser(found: ControlSearch) -> str:
    parts = [
        f"{name} {value:.6g} does not hold" if value is not None else f"{name} is as loose as it may be"
        for name, value in zip(found.names, found.next_looser, strict=True)
    ]
    return "; ".join(parts)


def _what_would(found: ControlSearch) -> str:
    if found.verdict == "not controllable":
        return "another control, more capital, a smaller measure or a wider limit"
    if found.verdict == "undecided":
        return "more scenarios; a search over every setting"
    point = found.held or found.today
    used = [(e.high / max(t.at_most, 1e-300), t.id) for t, e in zip(found.tolerances, point.estimates, strict=True)]
    most, name = max(used)
    return f"tolerance '{name}' is used to {most:.0%} there: a limit, a loss or an interval that moves by the rest"


def _cells(point: Point) -> list[str]:
    values = [f"{value:.6g}" for value in point.setting]
    standings = [f"{e.value:.4g} ({s})" for e, s in zip(point.estimates, point.standings, strict=True)]
    return [*values, f"{point.granted:,.6g}", f"{point.cost:,.6g}", f"{point.share:.0%}", *standings]
