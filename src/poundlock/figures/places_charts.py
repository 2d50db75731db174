"""Charts of where the site stands, what its effect says of other regions, and where next."""

from __future__ import annotations

from typing import Any

import altair as alt

from poundlock.desk.evaluation import CarriedTo, Places
from poundlock.figure import FAINT, INK, PAPER, QUIET, SERIES, Figure, lines
from poundlock.figures.pilot_words import between, signed
from poundlock.pilots import Outcome, Panel, Pilot

STANDINGS = ("the site", "on the promised side", "not decided", "on the other side", "outside what the site can tell")
COLOURS = (SERIES[0], SERIES[3], FAINT, SERIES[1], PAPER)


def audit_figure(found: Places) -> Figure | None:
    """Where each site stood among all regions before the start, baseline by baseline. None where it is not known."""
    if not found.audit:
        return None
    points = [
        {"site": name, "baseline": b.baseline, "percentile": b.percentile, "distance": b.distance}
        for name, one in found.audit
        for b in one.baselines
    ]
    header = ("site", "baseline", "value", "share of regions below", "standard deviations from their mean")
    rows = tuple(
        (
            name,
            b.baseline,
            f"{b.value:.3f}".replace("-", "−"),
            f"{b.percentile:.0%}",
            f"{b.distance:+.1f}".replace("-", "−"),
        )
        for name, one in found.audit
        for b in one.baselines
    )
    x = alt.X(
        "percentile:Q",
        title="share of other regions below",
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%"),
    )
    y = alt.Y("baseline:N", title=None, sort=None, axis=alt.Axis(labelLimit=320, grid=False))
    base = alt.Chart(lines(points))
    line = base.mark_bar(color=FAINT, height=3).encode(y=y, x=x)
    dots = base.mark_point(filled=True, size=70, color=SERIES[0]).encode(x=x, y=y)
    middle = alt.Chart(lines([{"at": 0.5}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="at:Q")
    height = 24 * len({p["baseline"] for p in points}) + 10
    chart = alt.layer(line, middle, dots).properties(width=360, height=height)
    ranks = "; ".join(f"{name} is number {one.rank} of {one.places} from the most unusual" for name, one in found.audit)
    said = (
        f"Before the start; all baselines together: {ranks}. Places that are chosen for trials tend to be richer and to try harder (Wang and Yang 2025): the farther "
        "from the middle, the less the effect says of other places."
    )
    return Figure("audit", "How typical was the site?", said, header, rows, chart)


def map_figure(pilot: Pilot, panel: Panel, found: Places, outcome: Outcome, limit: float, sign: float) -> Figure | None:
    """The effect on one outcome carried to every other region, on tiles. limit, sign: what a gate asks of it, 1 for above. None where nothing was carried."""
    carried = found.carried.get(outcome.id)
    if not carried:
        return None
    points = _tiles(pilot, panel, carried, limit, sign)
    header = ("region", "standing", "distance", "effect there", "interval there")
    rows = tuple(_row(one, limit, sign) for one in carried)
    counts = [(word, sum(_standing(one, limit, sign) == word for one in carried)) for word in STANDINGS[1:]]
    told = ", ".join(f"{count} {word}" for word, count in counts if count)
    said = f"Of {len(carried)} other regions: {told}. {found.carried_how}"
    title = f"{outcome.label}: what the site's effect says of other regions"
    return Figure(f"map-{outcome.id}", title, said, header, rows, _map(points))


def _standing(one: CarriedTo, limit: float, sign: float) -> str:
    if one.carried is None:
        return STANDINGS[4]
    near, far = (one.carried.low, one.carried.high) if sign > 0 else (one.carried.high, one.carried.low)
    return STANDINGS[1] if sign * near > sign * limit else STANDINGS[3] if sign * far <= sign * limit else STANDINGS[2]


def _row(one: CarriedTo, limit: float, sign: float) -> tuple[str, ...]:
    standing = _standing(one, limit, sign)
    if one.carried is None:
        return one.name, f"{standing}: {one.why}", "–", "–", "–"
    c = one.carried
    return one.name, standing, f"{c.distance:.1f}", signed(c.effect), between(c.low, c.high)


def _tiles(
    pilot: Pilot, panel: Panel, carried: tuple[CarriedTo, ...], limit: float, sign: float
) -> list[dict[str, Any]]:
    """A point for each region; without a table of tiles, rows of eight by name."""
    standing = {one.region: _standing(one, limit, sign) for one in carried} | dict.fromkeys(pilot.treated, STANDINGS[0])
    rest = {code: (panel.name(code), k % 8, k // 8) for k, code in enumerate(sorted(panel.units, key=panel.name))}
    places = panel.tiles or rest
    return [
        {"name": places[code][0], "column": places[code][1], "row": places[code][2], "standing": word}
        for code, word in standing.items()
    ]


def _map(points: list[dict[str, Any]]) -> Any:
    columns = max(p["column"] for p in points) - min(p["column"] for p in points) + 1
    rows = max(p["row"] for p in points) - min(p["row"] for p in points) + 1
    side = min(70, 640 // columns)
    x = alt.X("column:O", axis=None, scale=alt.Scale(padding=0.06))
    y = alt.Y("row:O", axis=None, scale=alt.Scale(padding=0.06))
    color = alt.Color("standing:N", scale=alt.Scale(domain=list(STANDINGS), range=list(COLOURS)))
    base = alt.Chart(lines(points)).encode(x=x, y=y)
    squares = base.mark_rect(stroke=QUIET, strokeWidth=0.8).encode(color=color)
    dark = alt.condition(f"datum.standing === '{STANDINGS[0]}'", alt.value(PAPER), alt.value(INK))
    words = base.mark_text(fontSize=9.5).encode(text="name:N", color=dark)
    return alt.layer(squares, words).properties(width=side * columns, height=34 * rows)
