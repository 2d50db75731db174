"""Charts of effects and of inequality between regions."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, OutcomeStudy
from poundlock.figure import FAINT, QUIET, SERIES, Figure, lines
from poundlock.pilots import Effect, Outcome
from poundlock.rollout.wording import level_words


def effect_figure(a: Assessment, study: OutcomeStudy) -> Figure | None:
    """Treated region against its synthetic control, and its gap among the placebos' gaps. None without an estimate."""
    if study.effect is None or a.plan.pilot is None:
        return None
    outcome = next(o for o in a.plan.pilot.outcomes if o.id == study.id)
    effect, name = study.effect, _treated_name(study)
    header = ("period", name, "comparison", "gap")
    rows = tuple(
        (str(p), f"{y:.3f}", f"{s:.3f}", f"{g:+.3f}")
        for p, y, s, g in zip(study.periods, effect.treated, effect.synthetic, effect.gaps, strict=True)
    )
    paths = _paths(study, effect, name).properties(
        width=285, height=210, title=f"{name} and its comparison (synthetic control)"
    )
    gaps = _gaps(study, effect, name).properties(width=285, height=210, title="Gap, among those of all other regions")
    return Figure(
        f"effect-{study.id}",
        outcome.label,
        effect_sentence(a, study, outcome),
        header,
        rows,
        alt.hconcat(paths, gaps, spacing=24),
    )


def _treated_name(study: OutcomeStudy) -> str:
    assert study.effect is not None
    number = next(i for i in range(len(study.units)) if i not in set(study.effect.donors.tolist()))
    return study.units[number]


def _paths(study: OutcomeStudy, effect: Effect, name: str) -> Any:
    points = [
        {"period": p, "series": name, "value": float(y)} for p, y in zip(study.periods, effect.treated, strict=True)
    ]
    points += [
        {"period": p, "series": "comparison", "value": float(y)}
        for p, y in zip(study.periods, effect.synthetic, strict=True)
    ]
    chart = alt.Chart(lines(points)).encode(
        x=_period_axis(study),
        y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False)),
        color=alt.Color(
            "series:N",
            scale=alt.Scale(domain=[name, "comparison", "other regions"], range=[SERIES[0], SERIES[1], FAINT]),
        ),
    )
    return alt.layer(chart.mark_line(strokeWidth=2), _start_rule(study))


def _gaps(study: OutcomeStudy, effect: Effect, name: str) -> Any:
    cut = 5.0 * max(float(np.median(effect.donor_pre_error)), effect.pre_error)
    others = [
        {"period": p, "unit": study.units[donor], "gap": float(g)}
        for donor, gaps, error in zip(effect.donors, effect.donor_gaps, effect.donor_pre_error, strict=True)
        if error <= cut
        for p, g in zip(study.periods, gaps, strict=True)
    ]
    own = [{"period": p, "gap": float(g)} for p, g in zip(study.periods, effect.gaps, strict=True)]
    y = alt.Y("gap:Q", title=None)
    faint = (
        alt.Chart(lines(others))
        .mark_line(strokeWidth=1, color=FAINT)
        .encode(x=_period_axis(study), y=y, detail="unit:N")
    )
    strong = alt.Chart(lines(own)).mark_line(strokeWidth=2.5, color=SERIES[0]).encode(x=_period_axis(study), y=y)
    zero = alt.Chart(lines([{"zero": 0}])).mark_rule(color=QUIET, strokeWidth=0.7).encode(y="zero:Q")
    return alt.layer(faint, zero, _start_rule(study), strong)


def _period_axis(study: OutcomeStudy) -> Any:
    return alt.X(
        "period:Q",
        title=None,
        scale=alt.Scale(domain=[study.periods[0], study.periods[-1]], nice=False),
        axis=alt.Axis(format="d", tickCount=7, grid=False),
    )


def _start_rule(study: OutcomeStudy) -> Any:
    return (
        alt.Chart(lines([{"start": study.start - 0.5}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="start:Q")
    )


def effect_sentence(a: Assessment, study: OutcomeStudy, outcome: Outcome) -> str:
    """The estimate, its interval, rank, fit, donors and what speaks against it, in words."""
    if study.effect is None:
        return f"No estimate: {study.evidence.missing}."
    e = study.effect
    percent = f" (about {np.expm1(e.effect):+.0%})" if outcome.transform == "log" else ""
    donors = ", ".join(
        f"{study.units[d]} {w:.0%}"
        for w, d in sorted(zip(e.weights, e.donors, strict=True), reverse=True)
        if w >= 0.005
    )
    (least, without_least), (most, without_most) = e.leave_one_out
    said = [
        f"Mean gap after the start {e.effect:+.3f}{percent}, {level_words(e.level)} interval {e.low:+.3f} to {e.high:+.3f}; by the "
        f"test behind this interval p = {e.p_value:.2f}, and with {e.units} regions it could not be below {e.smallest_p:.2f}.",
        f"By the published statistic, the ratio of gaps after and before the start, it ranks {e.rank} of {e.units}. Fit "
        f"before the start: error {e.pre_error:.4f} (limit {outcome.largest_pre_error:g}), {e.pre_error_rank} of {e.units}.",
        f"Comparison: {donors}. Leaving out one of them at a time moves the effect between {least:+.3f}"
        f"{_without(study, without_least)} and {most:+.3f}{_without(study, without_most)}.",
        f"An effect smaller than {e.detectable:.3f} could not have been told from none.",
    ]
    if e.in_time is not None:
        value, low, high = e.in_time
        said.append(
            f"Pretending a start in {outcome.in_time_placebo} gives {value:+.3f}, interval {low:+.3f} to {high:+.3f}."
        )
    if study.dropped:
        said.append(f"Left out for missing years: {', '.join(study.dropped)}.")
    if outcome.note:
        said.append(outcome.note)
    return " ".join(said)


def _without(study: OutcomeStudy, unit: int) -> str:
    return f" (without {study.units[unit]})" if unit >= 0 else " (with all)"


def inequality_figure(a: Assessment) -> Figure | None:
    """Gini and Theil between regions by year. None when no year is complete."""
    years = a.inequality
    if not years or a.plan.pilot is None:
        return None
    start = a.plan.pilot.start
    charts = []
    for name, colour in (("gini", SERIES[0]), ("theil", SERIES[1])):
        points = [{"year": y.year, "value": getattr(y, name)} for y in years]
        line = (
            alt.Chart(lines(points))
            .mark_line(point=True, color=colour, strokeWidth=2)
            .encode(
                x=alt.X(
                    "year:Q",
                    title=None,
                    scale=alt.Scale(domain=[years[0].year, years[-1].year], nice=False),
                    axis=alt.Axis(format="d", tickCount=6, grid=False),
                ),
                y=alt.Y("value:Q", title=None, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3f")),
            )
        )
        rule = alt.Chart(lines([{"start": start - 0.5}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="start:Q")
        charts.append(
            alt.layer(line, rule).properties(width=285, height=180, title=f"{name.capitalize()} between regions")
        )
    first, last = years[0], years[-1]
    summary = (
        f"Gini between {last.regions} regions {first.gini:.4f} in {first.year} and {last.gini:.4f} in {last.year}; Theil {first.theil:.4f} and {last.theil:.4f}. "
        "Regions count by residents; inequality inside a region is not in these figures. The line marks the start of the pilot; the change is not an effect of it."
    )
    rows = tuple((str(y.year), f"{y.gini:.4f}", f"{y.theil:.4f}", str(y.regions)) for y in years)
    return Figure(
        "inequality",
        "Inequality of disposable income between regions",
        summary,
        ("year", "Gini", "Theil", "regions"),
        rows,
        alt.hconcat(*charts, spacing=24),
    )
