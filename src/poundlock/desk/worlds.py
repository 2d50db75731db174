"""Contagion of a checked plan: its system under today's limits, under earlier ones, and without the measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poundlock.desk.assessment import World
from poundlock.desk.check import CheckedPlan
from poundlock.risk import EMPTY, Estimate, Outcome, shifts_for, simulate, statistic
from poundlock.risk.controls import Controlled, under_controls
from poundlock.risk.statistics import CONFIDENCE
from poundlock.rollout.plan import Tolerance
from poundlock.system import Ensemble, System
from poundlock.system.balance import Floats, Valuation

Progress = Callable[[str, int], None]
KEPT = ".pieces.npz"
"""How the names of files end in which finished pieces are kept."""
WORLD_LABELS = {
    "today": "with the measure, today's limits",
    "before": "with the measure, earlier limits",
    "without": "without the measure",
}
VALUATION_WORDS = {"clearing": "clearing", "linear-debtrank": "linear DebtRank"}
LIMIT_LABELS = {
    "cover_share": "share of the loss that is covered",
    "investment_per_loan": "investment beside each unit of loan",
    "warrant_share": "part of the gain that the warrant passes on",
    "investor_debt": "part of the investment that is borrowed",
    "reinsured": "share that is reinsured",
    "first_loss": "first loss that the platform promises",
    "insurer_cap": "cap on one insurer",
    "size": "part of the tables that is done",
    "platform_share": "platform's share",
    "partner_cap": "cap on one partner",
    "total_cap": "cap on all joint loans",
    "home_region_only": "home-region rule",
}


def term_words(name: str) -> str:
    """A term of a measure in words."""
    return LIMIT_LABELS.get(name, name.replace("_", " "))


@dataclass(frozen=True)
class Ground:
    """What every simulation of a plan stands on, the same for all so that draws are common. networks: the reported system, with each
    network of the ensemble; the first is the one as read. ensembles: by rebuilt layer. shifts: of importance sampling. behaviour: sales and
    funding. keep: folder in which finished pieces of simulations are kept, so that an interrupted run can go on. confidence: of intervals."""

    checked: CheckedPlan
    networks: tuple[System, ...] = field(repr=False)
    ensembles: dict[str, Ensemble] = field(repr=False)
    shifts: Floats = field(repr=False)
    behaviour: dict[str, Any] = field(repr=False)
    keep: Path | None = None
    confidence: float = CONFIDENCE


def ground_of(
    checked: CheckedPlan,
    networks: tuple[System, ...] = (),
    ensembles: dict[str, Ensemble] | None = None,
    keep: Path | None = None,
    confidence: float = CONFIDENCE,
) -> Ground:
    """Everything of a plan that simulations share. networks, ensembles: see `networks_of`; default: the network as read alone."""
    plan = checked.plan
    behaviour = plan.contagion.mechanism()
    shifts = EMPTY
    if plan.scenarios.draws == "importance":
        today = under_limits(checked, checked.system, {m.id: m.today for m in plan.measures})
        shifts = shifts_for(today.system, plan.scenarios, plan.tolerances, behaviour)
    return Ground(checked, networks or (checked.system,), ensembles or {}, shifts, behaviour, keep, confidence)


def under_limits(checked: CheckedPlan, base: System, limits: dict[str, Any]) -> Controlled:
    """A system with the plan's measures on its books, those of `limits` alone."""
    return under_controls(base, checked.plan.measures, checked.deals, limits, ())


def worlds(ground: Ground, progress: Progress) -> tuple[tuple[World, ...], World]:
    """Today's world first, then the earlier limits and the world without, where the plan has measures; then today's
    world under the other valuation."""
    plan = ground.checked.plan
    today = {m.id: m.today for m in plan.measures}
    settings: list[tuple[str, dict[str, Any]]] = [("today", today)]
    if any(m.before for m in plan.measures):
        settings.append(("before", {m.id: m.before or m.today for m in plan.measures}))
    other: Valuation = "clearing" if plan.scenarios.valuation == "linear-debtrank" else "linear-debtrank"
    base = _simulated(ground, "without", {}, None, progress) if plan.measures else None
    other_base = (
        _simulated(ground, "without", {}, None, progress, other)
        if base and any(t.added_by_measures for t in plan.tolerances)
        else None
    )
    found = [_simulated(ground, name, limits, base, progress) for name, limits in settings]
    alternative = _simulated(ground, "today", today, other_base, progress, other)
    return (*found, *((base,) if base else ())), alternative


def lifted_limits(ground: Ground, base: World, progress: Progress) -> tuple[World, ...]:
    """Today's world with one limit at a time as it was before: what each limit does. Empty without an earlier setting."""
    found = []
    for measure in ground.checked.plan.measures:
        if measure.before is None:
            continue
        for name in type(measure.today).model_fields:
            earlier, label = getattr(measure.before, name), term_words(name)
            if name != "legal_basis" and earlier != getattr(measure.today, name):
                limits = {m.id: m.today for m in ground.checked.plan.measures} | {
                    measure.id: measure.today.model_copy(update={name: earlier})
                }
                found.append(_simulated(ground, f"lifted-{name}", limits, base, progress, label=f"{label} as before"))
    return tuple(found)


def _simulated(
    ground: Ground,
    name: str,
    limits: dict[str, Any],
    base: World | None,
    progress: Progress,
    valuation: Valuation | None = None,
    label: str = "",
) -> World:
    plan = ground.checked.plan
    changed = under_limits(ground.checked, ground.networks[0], limits)
    label = label or (WORLD_LABELS[name] if plan.measures else "the system as it stands")
    task = f"{label}, {valuation or plan.scenarios.valuation}"
    outcome = simulate(
        changed.system,
        plan.scenarios,
        plan.tolerances,
        valuation=valuation,
        shifts=ground.shifts,
        behaviour=ground.behaviour,
        keep=ground.keep / f"{name}-{valuation or plan.scenarios.valuation}{KEPT}" if ground.keep else None,
        progress=lambda done: progress(task, done),
    )
    without = base.outcome if base else None
    estimates = _estimates(plan.tolerances, outcome, without, ground.confidence)
    at_once = without.before_contagion() if without else None
    alone = _estimates(plan.tolerances, outcome.before_contagion(), at_once, ground.confidence)
    converged = outcome.converged and (without is None or without.converged)
    return World(name, label, changed.system, outcome, estimates, alone, changed.granted, converged)


def _estimates(
    tolerances: Sequence[Tolerance], outcome: Outcome, without: Outcome | None, confidence: float
) -> dict[str, Estimate]:
    return {
        t.id: statistic(t, outcome, without, confidence)
        for t in tolerances
        if without is not None or not t.added_by_measures
    }
