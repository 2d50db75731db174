"""Charts of controllability: credit against risk as a control is loosened, and the answer in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import altair as alt
import numpy as np

from poundlock.desk.assessment import Assessment, BrakeStudy, Search
from poundlock.desk.worlds import term_words
from poundlock.figure import INK, LIMIT, QUIET, SERIES, WIDTH, Figure, lines
from poundlock.risk.controllability import Point
from poundlock.risk.controls import NO_CAP
from poundlock.rollout.wording import shown

Axis = Literal["credit", "cost", "setting"]
WORDS = {
    "controlled": "Controlled",
    "controllable": "Controllable, not controlled",
    "not controllable": "Not controllable",
    "undecided": "Undecided",
}
CONTROL_WORDS = {
    "partner-cap": "cap on one partner",
    "total-cap": "cap on all joint loans",
    "contribution-floor": "platform's least share",
    "suspension": "new business allowed",
    "capital-add-on": "capital add-on",
    "compensation-fund": "compensation fund",
    "liquidity-line": "liquidity line",
    "ring-fence": "lending across regions allowed",
}


def control_name(control: Any) -> str:
    """A control in words; a suspension with the measure that it suspends."""
    if control.kind == "term":
        return f"{term_words(control.term)} of {control.measure}"
    words = CONTROL_WORDS[control.kind]
    return f"{words} in {control.measure}" if control.kind == "suspension" else words


def frontier_figure(a: Assessment, search: Search) -> Figure:
    """What each setting leaves of the credit (or, where it takes none, costs), and how near every tolerance comes to its limit."""
    order, points = [t.label for t in a.plan.tolerances], search.curve or search.result.points
    axis = _axis(search, points)
    what = {
        "credit": f"credit granted, {a.plan.system.unit}",
        "cost": f"cost of controls, {a.plan.system.unit} a year",
        "setting": _heads(search)[-1],
    }[axis]
    data = [
        {"x": _across(p, axis), "used": min(e.high / max(t.at_most, 1e-12), 5.0), "tolerance": t.label}
        for p in points
        if np.isfinite(_across(p, axis))
        for t, e in zip(a.plan.tolerances, p.estimates, strict=True)
    ]
    chart = alt.Chart(lines(data)).encode(
        x=alt.X("x:Q", title=what, axis=alt.Axis(format="~s", tickCount=8), scale=alt.Scale(zero=False)),
        y=alt.Y("used:Q", title="upper end of the interval over its limit", axis=alt.Axis(format=".0%")),
        color=alt.Color("tolerance:N", scale=alt.Scale(domain=order, range=list(SERIES)), legend=alt.Legend(columns=1)),
    )
    rule = alt.Chart(lines([{"one": 1.0}])).mark_rule(color=LIMIT, strokeDash=[2, 2]).encode(y="one:Q")
    drawn = chart.mark_line(point=True, strokeWidth=2) if len(search.controls) == 1 else chart.mark_point(size=24)
    return Figure(
        f"frontier-{'-'.join(search.ids)}",
        f"{axis.capitalize()} against risk as {_names(search)} {'is' if len(search.controls) == 1 else 'are'} turned; {_around(search.controls)}",
        control_sentence(a, search),
        (*_heads(search), f"granted, {a.plan.system.unit}", f"cost, {a.plan.system.unit} a year", *order),
        tuple(_row(a, search, p) for p in points),
        alt.layer(drawn, rule, *_flags(a, search, axis)).properties(width=WIDTH, height=260),
    )


def _axis(search: Search, points: Sequence[Point]) -> Axis:
    """What the settings differ in: the credit that they leave, else their cost, else the setting of the only control itself."""
    if len({p.granted for p in points}) > 1:
        return "credit"
    return "cost" if len({p.cost for p in points}) > 1 or len(search.controls) > 1 else "setting"


def _across(point: Point, axis: Axis) -> float:
    return {"credit": point.granted, "cost": point.cost, "setting": point.setting[-1]}[axis]


def _names(search: Search) -> str:
    return " and ".join(f"the {control_name(c)}" for c in search.controls)


def _alone(controls: Sequence[Any]) -> bool:
    """Whether these are the only limits while they are turned."""
    return all(getattr(c, "others", "today") == "before" for c in controls)


def _around(controls: Sequence[Any]) -> str:
    return "no other limit, as before" if _alone(controls) else "all other limits as today"


def around_words(search: Search) -> str:
    """Which controls are turned and what else holds, as a sentence of its own."""
    names = _names(search)
    said = f"{names[:1].upper()}{names[1:]}"
    if _alone(search.controls):
        return f"{said} as the only limit."
    return f"{said}{' turned together' if len(search.controls) > 1 else ''}, all other limits as today."


def _heads(search: Search) -> list[str]:
    return [f"{control_name(c)}, {c.UNIT}".removesuffix(", ") for c in search.controls]


def value_words(a: Assessment, search: Search, number: int, value: float) -> str:
    """A control's value with its unit."""
    unit = search.controls[number].UNIT
    return shown(value, a.plan.system.unit if unit == "in money" else unit)


def setting_words(a: Assessment, search: Search, setting: tuple[float, ...]) -> str:
    """All values of a setting; with several controls, each with its name."""
    if len(setting) == 1:
        return value_words(a, search, 0, setting[0])
    return ", ".join(
        f"{control_name(c)} {value_words(a, search, k, v)}"
        for k, (c, v) in enumerate(zip(search.controls, setting, strict=True))
    )


def _row(a: Assessment, search: Search, point: Point) -> tuple[str, ...]:
    values = [value_words(a, search, k, v) for k, v in enumerate(point.setting)]
    standings = [f"{e.value:.2%} ({s})" for e, s in zip(point.estimates, point.standings, strict=True)]
    return (*values, f"{point.granted:,.0f}", f"{point.cost:,.0f}", *standings)


def _flags(a: Assessment, search: Search, axis: Axis) -> list[Any]:
    """Upright lines at today's setting and at the one found, with words beside them."""
    result, held = search.result, search.result.held
    start = "no cap, as before" if _alone(search.controls) else "today"
    marked: list[dict[str, Any]] = [{"x": _across(result.today, axis), "says": start}]
    if held is not None and held.setting != result.today.setting:
        found = "loosest that holds" if len(search.controls) == 1 else "cheapest that holds"
        marked.append({"x": _across(held, axis), "says": f"{setting_words(a, search, held.setting)}, {found}"})
    across = [x for p in search.curve or result.points if np.isfinite(x := _across(p, axis))]
    middle, flags = 0.5 * (min(across) + max(across)), list[Any]()
    for k, mark in enumerate(mark for mark in marked if np.isfinite(mark["x"])):
        base = alt.Chart(lines([mark])).encode(x="x:Q")
        side: Literal["left", "right"] = "right" if mark["x"] > middle else "left"
        away = 5 if side == "left" else -5
        words = base.mark_text(align=side, dx=away if k else 0, y=14 if k else -6, color=INK, fontSize=11).encode(
            text="says:N"
        )
        flags += [base.mark_rule(color=QUIET), words]
    return flags


def stands(a: Assessment, search: Search) -> str:
    """Where the controls stand now, in words."""
    uncapped = search.today == (NO_CAP,)
    return "without a cap" if uncapped or _alone(search.controls) else f"at {setting_words(a, search, search.today)}"


def _price(held: Point, unit: str) -> str:
    """What a setting costs; what a term of a measure costs beside the credit that it takes, such as premiums, is not known here."""
    return (
        f"costs {held.cost:,.0f} {unit} a year"
        if held.cost > 0.0
        else "takes no credit, and what else it costs is not counted"
    )


def control_sentence(a: Assessment, search: Search) -> str:
    """The answer of a search in words, with its certificate."""
    result, unit = search.result, a.plan.system.unit
    tried = f"{len(result.points)} settings tried on the same {a.provenance.scenarios:,} scenarios"
    if result.networks > 1:
        tried += f" and {result.networks} networks"
    if result.setting is None or result.held is None:
        return (
            f"{result.verdict.capitalize()}: no permitted setting of {_names(search)} holds every tolerance ({tried})."
        )
    held, found = result.held, setting_words(a, search, result.setting)
    if len(search.controls) > 1:
        edge = f"the cheapest setting that surely holds every tolerance is {found}, at {held.cost:,.0f} {unit} a year"
    elif result.next_looser[0] is None:
        edge = f"even {found}, the loosest that may be set, holds every tolerance, so this control is not what keeps the risk in bounds"
    else:
        edge = (
            f"the loosest setting that surely holds every tolerance is {found}, which {_price(held, unit)}; "
            f"at {value_words(a, search, 0, result.next_looser[0])} one of them is broken or undecided"
        )
    if search.wished > 0.0:
        edge += f". There {held.granted:,.0f} {unit} of {search.wished:,.0f} wished for are lent, {search.wished - held.granted:,.0f} not"
    held_in = (
        f"; all hold in at least {held.share:.0%} of the networks, {result.share:.0%} were asked for"
        if result.networks > 1
        else ""
    )
    return f"{WORDS[result.verdict]} {stands(a, search)}: {edge}{held_in} ({tried})."


def brake_figure(a: Assessment, study: BrakeStudy) -> Figure:
    """How near every tolerance comes to its limit, by days until the control is decided on."""
    order = [t.label for t in a.plan.tolerances]
    data = [
        {"days": p.setting[0], "used": min(e.high / max(t.at_most, 1e-12), 5.0), "tolerance": t.label}
        for p in study.curve
        for t, e in zip(a.plan.tolerances, p.estimates, strict=True)
    ]
    chart = alt.Chart(lines(data)).encode(
        x=alt.X("days:Q", title="days from the shock to the decision", scale=alt.Scale(domain=[0, 365])),
        y=alt.Y("used:Q", title="upper end of the interval over its limit", axis=alt.Axis(format=".0%")),
        color=alt.Color("tolerance:N", scale=alt.Scale(domain=order, range=list(SERIES)), legend=alt.Legend(columns=1)),
    )
    rule = alt.Chart(lines([{"one": 1.0}])).mark_rule(color=LIMIT, strokeDash=[2, 2]).encode(y="one:Q")
    now = alt.Chart(lines([{"days": study.brake.delay, "says": f"{study.brake.delay:.0f} days, the plan's delay"}]))
    flag = [now.mark_rule(color=QUIET).encode(x="days:Q")]
    flag.append(now.mark_text(align="left", dx=5, y=-6, color=INK, fontSize=11).encode(x="days:Q", text="says:N"))
    rows = [
        (
            f"{p.setting[0]:.0f}",
            f"{p.granted:,.0f}",
            *(f"{e.value:.2%} ({s})" for e, s in zip(p.estimates, p.standings, strict=True)),
        )
        for p in study.curve
    ]
    return Figure(
        f"brake-{study.brake.id}",
        f"Brake distance: the {control_name(study.control)}, put on after a shock; {_around((study.control,))}",
        brake_sentence(a, study),
        ("days until decided", f"mean balance of the year, {a.plan.system.unit}", *order),
        tuple(rows),
        alt.layer(chart.mark_line(point=True, strokeWidth=2), rule, *flag).properties(width=WIDTH, height=260),
    )


def brake_sentence(a: Assessment, study: BrakeStudy) -> str:
    """How late the control may be decided on, in words."""
    result, delay = study.result, study.brake.delay
    unit = a.plan.system.unit if study.control.UNIT == "in money" else study.control.UNIT
    to = f"The {control_name(study.control)} is set to {shown(study.value, unit)}"
    seen = (
        f"{study.brake.detection_days:.0f} days until the shock is seen and {study.brake.decision_days:.0f} to decide"
    )
    stands = "every tolerance holds" if result.today.holds else "not every tolerance surely holds"
    if result.setting is None:
        longest = "No delay is short enough"
    elif result.next_looser[0] is None:
        longest = "Even if nothing is decided within the year all hold"
    else:
        longest = f"The longest delay at which all hold is {result.setting[0]:.0f} days"
    return f"{to} {delay:.0f} days after the shock ({seen}): {stands}. {longest}. Until then new loans replace those repaid; after it loans run off at their average life."


def network_figure(a: Assessment) -> Figure | None:
    """Every tolerance in every network that fits the totals; None where there is one network."""
    study = a.networks
    if study is None:
        return None
    order = [t.label for t in a.plan.tolerances]
    data = [
        {
            "used": min(e.high / max(t.at_most, 1e-12), 5.0),
            "tolerance": t.label,
            "network": "as read" if not k else "drawn",
        }
        for k, estimates in enumerate(study.estimates)
        for t, e in zip(a.plan.tolerances, estimates, strict=True)
    ]
    chart = alt.Chart(lines(data)).mark_point(size=46, filled=True, opacity=0.6)
    dots = chart.encode(
        x=alt.X("used:Q", title="upper end of the interval over its limit", axis=alt.Axis(format=".0%")),
        y=alt.Y("tolerance:N", sort=order, title=None, axis=alt.Axis(labelLimit=330)),
        color=alt.Color("network:N", scale=alt.Scale(domain=["as read", "drawn"], range=list(SERIES[:2])), title=None),
    )
    rule = alt.Chart(lines([{"one": 1.0}])).mark_rule(color=LIMIT, strokeDash=[2, 2]).encode(x="one:Q")
    rows = []
    for place, t in enumerate(a.plan.tolerances):
        values = sorted(estimates[place].value for estimates in study.estimates)
        holds = sum(e[place].high <= t.at_most and not e[place].thin for e in study.estimates)
        middle = values[len(values) // 2]
        rows.append(
            (
                t.label,
                f"{t.at_most:.2%}",
                f"{values[0]:.2%}",
                f"{middle:.2%}",
                f"{values[-1]:.2%}",
                f"{holds} of {len(values)}",
            )
        )
    asked = f"{a.plan.networks.share:.0%} were asked for"
    return Figure(
        "networks",
        "How far does the answer depend on who lends to whom?",
        f"The same scenarios in {len(study.estimates)} networks that fit the reported totals: all tolerances hold in {study.point.share:.0%} of them, {asked}.",
        ("tolerance", "limit", "lowest", "middle", "highest", "holds in"),
        tuple(rows),
        alt.layer(dots, rule).properties(width=WIDTH - 300, height=40 * len(order)),
    )
