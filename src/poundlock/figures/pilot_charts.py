"""Charts of effects: the comparison, period by period, and beside other estimates."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np

from poundlock.desk.evaluation import OutcomeStudy
from poundlock.figure import FAINT, QUIET, SERIES, Figure, lines
from poundlock.figures.pilot_words import beside_rows, between, contrary, effect_sentence, signed
from poundlock.pilots import Effect, Pilot
from poundlock.rollout.wording import level_words


def effect_figure(pilot: Pilot, study: OutcomeStudy) -> Figure | None:
    """Treated region against its synthetic control, and its gap among the placebos' gaps. None without such an estimate."""
    if study.effect is None:
        return None
    effect, name = study.effect, study.treated[0]
    header = ("period", name, "comparison", "gap")
    rows = tuple(
        (str(p), f"{y:.3f}", f"{s:.3f}", signed(g))
        for p, y, s, g in zip(study.periods, effect.treated, effect.synthetic, effect.gaps, strict=True)
    )
    paths = _paths(study, effect, name).properties(
        width=285, height=210, title=f"{name} and its comparison (synthetic control)"
    )
    gaps = _gaps(study, effect, name).properties(width=285, height=210, title="Gap, beside those of other regions")
    return Figure(
        f"effect-{study.id}",
        "The region and its comparison",
        effect_sentence(pilot, study) + _not_drawn(study, effect) + " Dotted: the start.",
        header,
        rows,
        alt.hconcat(paths, gaps, spacing=24),
    )


def _poor(effect: Effect) -> float:
    """Error before the start beyond which a region's gap is not drawn."""
    return 5.0 * max(float(np.median(effect.donor_pre_error)), effect.pre_error)


def _not_drawn(study: OutcomeStudy, effect: Effect) -> str:
    poor = [study.units[d] for d, e in zip(effect.donors, effect.donor_pre_error, strict=True) if e > _poor(effect)]
    return f" Not drawn for their poor fit before the start, but counted: {', '.join(poor)}." if poor else ""


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
    return alt.layer(chart.mark_line(strokeWidth=2), _start_rule(study.start))


def _gaps(study: OutcomeStudy, effect: Effect, name: str) -> Any:
    cut = _poor(effect)
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
    return alt.layer(faint, _zero("y"), _start_rule(study.start), strong)


def _period_axis(study: OutcomeStudy) -> Any:
    return alt.X(
        "period:Q",
        title=None,
        scale=alt.Scale(domain=[study.periods[0], study.periods[-1]], nice=False),
        axis=alt.Axis(format="d", tickCount=7, grid=False),
    )


def _start_rule(start: int) -> Any:
    return alt.Chart(lines([{"start": start - 0.5}])).mark_rule(color=QUIET, strokeDash=[3, 3]).encode(x="start:Q")


def _zero(axis: str) -> Any:
    return alt.Chart(lines([{"zero": 0}])).mark_rule(color=QUIET, strokeWidth=0.7).encode(**{axis: "zero:Q"})


def period_figure(study: OutcomeStudy) -> Figure | None:
    """The effect period by period with its intervals, and the sequence that holds at all looks together. None without an estimate."""
    if not study.path:
        return None
    one = study.effect is not None
    sequence = _sequence(study) if one else {}
    what = "period" if one else "periods since the start"
    header = (what, "effect", f"{level_words(study.path_level)} interval", "sequence, all looks together")
    rows = tuple((str(s.at), signed(s.effect), between(s.low, s.high), sequence.get(s.at, "–")) for s in study.path)
    points = [{"at": s.at, "effect": s.effect, "low": _drawn(s.low), "high": _drawn(s.high)} for s in study.path]
    axis = alt.X("at:O", title=None if one else "periods since the start", axis=alt.Axis(grid=False, labelAngle=0))
    base = alt.Chart(lines(points)).encode(x=axis)
    bars = base.mark_rule(strokeWidth=2, color=SERIES[0]).encode(y=alt.Y("low:Q", title=None), y2="high:Q")
    dots = base.mark_point(filled=True, size=60, color=SERIES[0]).encode(y="effect:Q")
    parts = [_zero("y"), bars, dots]
    if sequence and study.watch is not None:
        ends = [
            {"at": study.periods[k.period], "low": k.low, "high": k.high}
            for k in study.watch.looks
            if math.isfinite(k.low) and math.isfinite(k.high)
        ]
        band = alt.Chart(lines(ends)).mark_bar(opacity=0.35, width=22, color=FAINT)
        parts.insert(0, band.encode(x=axis, y="low:Q", y2="high:Q"))
    how = (
        "each by permuting residuals in time (Chernozhukov, Wüthrich and Zhu 2021)"
        if one
        else "in a band that holds the whole path"
        if len(study.treated) >= 10
        else "each by itself"
    )
    said = f"Effect by {what}, {level_words(study.path_level)} intervals, {how}."
    if study.path_p is not None:
        said += f" All of them together: p = {study.path_p:.2f} of no effect in any."
    if one:
        said += " They compare periods of this region, the leading interval compares regions; they can disagree, and only the leading one decides."
    if sequence:
        said += " Grey: bounds of the mean effect so far that allow for looking in every period."
    chart = alt.layer(*parts).properties(width=600, height=190)
    return Figure(f"periods-{study.id}", f"The effect by {what}", said, header, rows, chart)


def _drawn(end: float) -> float | None:
    return end if math.isfinite(end) else None


def _sequence(study: OutcomeStudy) -> dict[int, str]:
    """Bounds that hold at all looks together, by period, where they are finite."""
    if study.watch is None:
        return {}
    return {
        study.periods[look.period]: between(look.low, look.high)
        for look in study.watch.looks
        if math.isfinite(look.low) and math.isfinite(look.high)
    }


def forest_figure(pilot: Pilot, study: OutcomeStudy, limit: float, sign: float) -> Figure | None:
    """The leading estimate among other estimators, other terms and honest bounds. limit, sign: what is asked, 1 for above. None without an estimate."""
    rows = beside_rows(pilot, study)
    e = study.evidence
    if not rows or e.value is None:
        return None
    doubted = study.doubted
    ends = [(e.low, e.high), *((b.low, b.high) for b in (*study.beside, *study.what_if))]
    values: list[float | None] = [e.value, *(b.effect for b in (*study.beside, *study.what_if))]
    if doubted.mean is not None:
        ends += [(b.low, b.high) for b in doubted.magnitudes] + [(low, high) for _, low, high in doubted.smooth]
        values += [doubted.mean] * (len(doubted.magnitudes) + len(doubted.smooth))
    points = [
        {"what": row[0], "order": k, "effect": value, "low": _end(low), "high": _end(high), "leads": k == 0}
        for k, (row, value, (low, high)) in enumerate(zip(rows, values, ends, strict=True))
    ]
    base = alt.Chart(lines(points)).encode(
        y=alt.Y(
            "what:N",
            title=None,
            sort=alt.EncodingSortField("order", order="ascending"),
            axis=alt.Axis(labelLimit=360, grid=False),
        ),
        color=alt.condition("datum.leads", alt.value(SERIES[0]), alt.value(SERIES[2])),
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title="effect", axis=alt.Axis(tickCount=7)), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=55).encode(x="effect:Q")
    chart = alt.layer(_zero("x"), bars, dots).properties(width=330, height=22 * len(rows))
    said = "The leading estimate, and what else was tried; none was chosen for its answer."
    if doubted.mean is not None:
        said += f" Rows that begin with 'if' start from {signed(doubted.mean)}, the effect against the last period before the start alone."
    said += contrary(study, limit, sign)
    header = ("estimate", "effect", "interval", "how")
    return Figure(f"beside-{study.id}", "How far the answer leans on the method", said, header, tuple(rows), chart)


def _end(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else value
