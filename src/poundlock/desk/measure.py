"""The verb `measure`: contagion and controllability of a checked plan, with as many scenarios as its answer needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log2
from pathlib import Path
from time import monotonic

import numpy as np

from poundlock.contagion import Importance, importance
from poundlock.desk.assessment import BrakeStudy, NamedStudy, NetworkStudy, Search, TailStudy, World
from poundlock.desk.bearing import Programme
from poundlock.desk.check import CheckedPlan
from poundlock.desk.named import named_studies
from poundlock.desk.networks import network_study, networks_of, without_measures
from poundlock.desk.programme import programme_of
from poundlock.desk.searches import brake_studies, searches
from poundlock.desk.tails import tail_studies
from poundlock.desk.worlds import KEPT, Ground, Progress, ground_of, lifted_limits, worlds
from poundlock.risk.controllability import standing
from poundlock.risk.scenarios import ScenarioModel
from poundlock.risk.statistics import confidence_of

REST = "rest"  # kind of an institution that stands for all that is outside the tables; never ranked


@dataclass(frozen=True)
class Measured:
    """Everything that simulations say of a plan. worlds: today first. other: today's system under the other valuation. The rest as in
    Assessment."""

    worlds: tuple[World, ...]
    other: World
    lifted: tuple[World, ...]
    networks: NetworkStudy | None
    searches: tuple[Search, ...]
    brakes: tuple[BrakeStudy, ...]
    tails: tuple[TailStudy, ...]
    named: tuple[NamedStudy, ...]
    importance: Importance
    programme: Programme | None


def measure(checked: CheckedPlan, progress: Progress, keep: Path | None = None) -> tuple[CheckedPlan, Measured]:
    """Simulate with the plan's number of scenarios; while a tolerance or a search is undecided, with twice as many, up to
    scenarios.at_most, while scenarios.seconds last; each look then claims less, so that all of them together are wrong as seldom as
    one. keep: folder for finished pieces, see `run`. Returns the plan with the number that was used, and what was found."""
    start = monotonic()
    networks, confidence = networks_of(checked), confidence_of(looks(checked.plan.scenarios))
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
    while True:
        ground = ground_of(checked, *networks, keep, confidence)
        found_worlds, other = worlds(ground, progress)
        if (more := _more(checked, start)) is not None and _straddles(checked, found_worlds[0]):
            checked = _grown(more, keep)
            continue
        found = _measured(ground, found_worlds, other, progress)
        if more is not None and any(search.result.verdict == "undecided" for search in found.searches):
            checked = _grown(more, keep)
            continue
        _forget(keep)
        return checked, found


def _grown(checked: CheckedPlan, keep: Path | None) -> CheckedPlan:
    """The plan with more scenarios; what was kept of fewer is of no use to it."""
    _forget(keep)
    return checked


def _forget(keep: Path | None) -> None:
    for kept in keep.glob(f"*{KEPT}") if keep else ():
        kept.unlink(missing_ok=True)


def _measured(ground: Ground, found_worlds: tuple[World, ...], other: World, progress: Progress) -> Measured:
    base = next((w for w in found_worlds if w.id == "without"), found_worlds[0])
    without = without_measures(ground, base, progress)
    system, recovery = found_worlds[0].system, ground.checked.plan.scenarios.recovery
    ranked = np.array([kind != REST for kind in system.kinds])
    return Measured(
        worlds=found_worlds,
        other=other,
        lifted=lifted_limits(ground, base, progress),
        networks=network_study(ground, without, progress),
        searches=searches(ground, without, progress),
        brakes=brake_studies(ground, without, progress),
        tails=tail_studies(ground, (found_worlds[0], other)),
        named=named_studies(ground, (found_worlds[0], other)),
        importance=importance(system, recovery=recovery, counted=ranked),
        programme=programme_of(ground, progress),
    )


def looks(scenarios: ScenarioModel) -> int:
    """How often an answer may be looked at while the number of scenarios doubles."""
    return 1 + ceil(log2(scenarios.bound / scenarios.count))


def _more(checked: CheckedPlan, start: float) -> CheckedPlan | None:
    """The plan with twice as many scenarios, at most as many as it allows; None where it has them, or its seconds are spent."""
    scenarios = checked.plan.scenarios
    spent = scenarios.seconds is not None and monotonic() - start >= scenarios.seconds
    if scenarios.count >= scenarios.bound or spent:
        return None
    grown = scenarios.model_copy(update={"count": min(2 * scenarios.count, scenarios.bound)})
    return replace(checked, plan=checked.plan.model_copy(update={"scenarios": grown}))


def _straddles(checked: CheckedPlan, today: World) -> bool:
    return any(standing(t, today.estimates[t.id]) == "straddles" for t in checked.plan.tolerances)
