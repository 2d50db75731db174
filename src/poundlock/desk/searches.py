"""Controllability of a checked plan: the cheapest setting of its controls that holds every tolerance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from poundlock.desk.assessment import BrakeStudy, Search
from poundlock.desk.check import CheckedPlan
from poundlock.desk.plan_file import PlanFile
from poundlock.desk.worlds import Ground, Progress
from poundlock.measures import asked_for
from poundlock.risk import ControlSearch, Estimate, Point, Range, Trials, Tried, cheapest_setting
from poundlock.risk.brake import YEAR, Brake, braked
from poundlock.risk.controllability import Networks, Setting, judged, standing
from poundlock.risk.controls import NO_CAP, ON_MEASURES, STANDS_AT, Controlled, term_of, under_controls
from poundlock.risk.tail import Hits, Tail
from poundlock.rollout.plan import ControlGate

CURVE = 6  # settings of a control that its figure shows at least
DELAYS = (0.0, 14.0, 30.0, 60.0, 90.0, 120.0, 180.0, 270.0, YEAR)
Build = Callable[[Setting, int], Controlled]
"""Setting and number of a network to the system."""


def searches(ground: Ground, without: Sequence[Mapping[str, Tail | Hits]], progress: Progress) -> tuple[Search, ...]:
    """For each control, the loosest setting that holds every tolerance, all else as today; then, for each gate that turns several,
    the cheapest setting of all. without: by network, what is lost without the measures."""
    plan = ground.checked.plan
    by_id = {control.id: control for control in plan.controls}
    chosen: list[tuple[str, ...]] = [(control.id,) for control in plan.controls]
    chosen += [g.turned for g in plan.gates if isinstance(g, ControlGate) and g.together]
    return tuple(_search(ground, tuple(by_id[name] for name in names), without, progress) for names in chosen)


def _search(
    ground: Ground, controls: tuple[Any, ...], without: Sequence[Mapping[str, Tail | Hits]], progress: Progress
) -> Search:
    plan, around = ground.checked.plan, limits_around(ground.checked, controls)
    build = system_under(ground, controls, around)
    ranges = [Range(c.tightest, c.loosest, c.resolution) for c in controls]
    today = tuple(today_of(c, around) for c in controls)
    task = f"search over {' and '.join(c.id for c in controls)}"
    trials = _trials(ground, build, without, task, progress)
    trials.narrow(*_ends(ranges, today))
    share = plan.networks.share
    result = cheapest_setting(
        _evaluation(ground, trials, build),
        plan.tolerances,
        ranges,
        today=today,
        cost=lambda s: build(s, 0).cost,
        share=share,
        names=[c.id for c in controls],
    )
    curve = _curve(_evaluation(ground, trials, build), ranges, result, plan) if len(controls) == 1 else ()
    confirmed = _confirmed(trials, result, share)
    taken = build(result.setting, 0).taken if result.setting else {}
    return Search(controls, today, result, curve, _wished(ground, around), taken, confirmed, trials.looked_at)


def _trials(
    ground: Ground, build: Build, without: Sequence[Mapping[str, Tail | Hits]], task: str, progress: Progress
) -> Trials:
    plan = ground.checked.plan
    return Trials(
        lambda setting, network: build(setting, network).system,
        len(ground.networks),
        plan.scenarios,
        plan.tolerances,
        without=without,
        shifts=ground.shifts,
        behaviour=ground.behaviour,
        confidence=ground.confidence,
        progress=lambda done: progress(task, done),
    )


def _evaluation(ground: Ground, trials: Trials, build: Build) -> Callable[[Setting], Tried]:
    plan = ground.checked.plan

    def at(setting: Setting, network: int) -> tuple[tuple[Estimate, ...], bool, bool]:
        trial = trials.at(setting, network)
        return trial.estimates, trial.converged, trial.monotone

    networks = Networks(at, len(ground.networks), plan.tolerances, plan.networks.share)
    return lambda setting: networks.tried(setting, build(setting, 0).granted, build(setting, 0).cost)


def brake_studies(
    ground: Ground, without: Sequence[Mapping[str, Tail | Hits]], progress: Progress
) -> tuple[BrakeStudy, ...]:
    """For each brake, the longest delay of its control at which every tolerance holds, and how the risk grows with the delay."""
    return tuple(_brake_study(ground, brake, without, progress) for brake in ground.checked.plan.brakes)


def _brake_study(
    ground: Ground, brake: Brake, without: Sequence[Mapping[str, Tail | Hits]], progress: Progress
) -> BrakeStudy:
    plan, deals = ground.checked.plan, ground.checked.deals
    control = next(c for c in plan.controls if c.id == brake.control)
    value = control.tightest if brake.to is None else brake.to
    around = limits_around(ground.checked, (control,))

    @cache
    def build(setting: Setting, network: int) -> Controlled:
        base = ground.networks[network]
        system, total = braked(base, plan.measures, deals, around, control, value, setting[0])
        return Controlled(system, total, {}, 0.0)

    trials = _trials(ground, build, without, f"brake distance of {brake.id}", progress)
    trials.narrow((0.0,), (YEAR,))
    evaluate, share = _evaluation(ground, trials, build), plan.networks.share
    days = [Range(0.0, YEAR, 1.0)]
    result = cheapest_setting(
        evaluate, plan.tolerances, days, today=(brake.delay,), share=share, names=["days of delay"]
    )
    curve = [judged((delay,), evaluate((delay,)), plan.tolerances, share) for delay in DELAYS]
    return BrakeStudy(brake, control, value, result, tuple(curve), _confirmed(trials, result, share))


def _curve(
    evaluate: Callable[[Setting], Tried], ranges: Sequence[Range], result: ControlSearch, plan: PlanFile
) -> tuple[Point, ...]:
    """What was tried and some settings more, evenly over the range, from tight to loose: for a figure."""
    own = ranges[0]
    found = {p.setting: p for p in result.points}
    for share in np.linspace(0.0, 1.0, CURVE):
        setting = (own.between(float(share)),)
        if setting not in found:
            found[setting] = judged(setting, evaluate(setting), plan.tolerances, plan.networks.share)
    return tuple(sorted(found.values(), key=lambda p: abs(p.setting[0] - own.tightest)))


def limits_around(checked: CheckedPlan, controls: Sequence[Any]) -> dict[str, Any]:
    """The limits of every measure while these controls are turned: the earlier ones where a control is to work alone."""
    alone = {c.measure for c in controls if isinstance(c, ON_MEASURES) and c.others == "before"}
    return {m.id: m.before if m.id in alone and m.before else m.today for m in checked.plan.measures}


def system_under(ground: Ground, controls: Sequence[Any], around: dict[str, Any]) -> Build:
    """The system under any setting of these controls."""
    plan, deals = ground.checked.plan, ground.checked.deals

    @cache
    def build(setting: Setting, network: int) -> Controlled:
        turned = tuple(zip(controls, setting, strict=True))
        return under_controls(ground.networks[network], plan.measures, deals, around, turned)

    return build


def today_of(control: Any, around: dict[str, Any]) -> float:
    """Where a control stands now: the limit that it sets, if there is one; else no cap; what no term of a measure says is not turned on."""
    name = term_of(control)
    if name is None:
        return STANDS_AT[type(control)]
    now = getattr(around[control.measure], name)
    return NO_CAP if now is None else float(now)


def _ends(ranges: Sequence[Range], today: Setting) -> tuple[Setting, Setting]:
    """The tightest and the loosest that a search can try, today's setting among them."""
    tight, loose = [], []
    for own, now in zip(ranges, today, strict=True):
        tighter, looser = (min, max) if own.tightest < own.loosest else (max, min)
        tight.append(tighter(own.tightest, now))
        loose.append(looser(own.loosest, now))
    return tuple(tight), tuple(loose)


def _wished(ground: Ground, around: dict[str, Any]) -> float:
    """Credit if nothing were capped, money."""
    checked, total = ground.checked, 0.0
    for measure in checked.plan.measures:
        if measure.CREDIT:
            total += asked_for(measure, around[measure.id], checked.deals[measure.id], checked.system)
    return total


def _confirmed(trials: Trials, result: ControlSearch, share: float) -> bool | None:
    """Whether the setting that was found holds in a simulation of all scenarios too; None where none was found."""
    if result.setting is None:
        return None
    trials_in_full, _ = trials.in_full(result.setting)
    good = [
        all(standing(t, e) == "holds" for t, e in zip(trials.tolerances, one.estimates, strict=True))
        for one in trials_in_full
    ]
    return sum(good) / len(good) >= share - 1e-12
