"""Charts of inequality between regions, and of what the pilot did to it."""

from __future__ import annotations

import altair as alt

from poundlock.desk.evaluation import OutcomeStudy, Whom
from poundlock.figure import QUIET, SERIES, Figure, lines
from poundlock.pilots import Pilot
from poundlock.rollout.wording import level_words

SHOWN = 2
"""Indices that are drawn; all are in the table."""


def inequality_figure(pilot: Pilot, found: Whom | None) -> Figure | None:
    """Indices between regions by year. None when no year is complete."""
    if found is None or not found.indices or not found.indices[0].years:
        return None
    years = found.indices[0].years
    charts = []
    for one, colour in zip(found.indices[:SHOWN], SERIES, strict=False):
        points = [{"year": year, "value": value} for year, value in zip(one.years, one.values, strict=True)]
        x = alt.X(
            "year:Q",
            title=None,
            scale=alt.Scale(domain=[years[0], years[-1]], nice=False),
            axis=alt.Axis(format="d", tickCount=6, grid=False),
        )
        y = alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3f"))
        line = alt.Chart(lines(points)).mark_line(point={"color": colour}, color=colour, strokeWidth=2).encode(x=x, y=y)
        start = alt.Chart(lines([{"start": min(pilot.first(code) for code in pilot.treated) - 0.5}]))
        rule = start.mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="start:Q")
        charts.append(alt.layer(line, rule).properties(width=285, height=180, title=f"{one.label} between regions"))
    header = ("year", *(one.label for one in found.indices))
    rows = tuple((str(year), *(f"{one.values[t]:.4f}" for one in found.indices)) for t, year in enumerate(years))
    title = "Inequality of income between regions"
    return Figure("inequality", title, _sentence(found), header, rows, alt.hconcat(*charts, spacing=24))


def _sentence(found: Whom) -> str:
    years = found.indices[0].years
    one = found.indices[0]
    moved = f"{one.label} {one.values[0]:.4f} in {years[0]} and {one.values[-1]:.4f} in {years[-1]}"
    said = [
        f"Between {found.regions} regions, counted by residents: {moved}. Inequality inside a region is not in these figures, and their axes do not start at 0. The line marks the start; the change over the years is "
        "not an effect of the pilot."
    ]
    if found.splits and found.splits[0].whole > 0.0 and found.splits[-1].whole > 0.0:
        first, last = found.splits[0], found.splits[-1]
        said.append(
            f"Of the Theil index, {first.between / first.whole:.0%} lay between the plan's groups of regions in {first.year} and {last.between / last.whole:.0%} in {last.year}; "
            "the rest lay within them."
        )
    return " ".join(said)


def index_rows(found: Whom | None, studies: tuple[OutcomeStudy, ...]) -> tuple[list[tuple[str, ...]], str]:
    """What the pilot did to each index, and in words how that was found. Empty where it was not estimated."""
    effects = [(one, one.effect) for one in found.indices if one.effect is not None] if found else []
    rows: list[tuple[str, ...]] = [
        (
            one.label,
            str(effect.year),
            f"{effect.actual:.4f}",
            f"{effect.without:.4f}",
            f"{effect.actual - effect.without:+.4f}".replace("-", "−"),
            f"{effect.low:+.4f} to {effect.high:+.4f}".replace("-", "−"),
        )
        for one, effect in effects
    ]
    if not rows or found is None:
        return rows, ""
    study = next(one for one in studies if one.id == found.income_outcome)
    said = (
        f"Without the pilot: income of {study.treated[0]} as its comparison has it in that year. The interval holds every effect on it within the "
        f"{level_words(study.path_level)} interval of that year by itself."
    )
    said += " The gate on inequality asks of the change over the years, which is another question."
    low, high = study.evidence.low, study.evidence.high
    if low is not None and high is not None and low <= 0.0 <= high:
        said += " By its leading interval the effect on income may be none, and then so are these."
    if study.evidence.doubts:
        said += f" The effect on income is itself in doubt: {'; '.join(d.reason for d in study.evidence.doubts)}."
    return rows, said
