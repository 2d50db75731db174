"""Contagion and controllability of a checked plan: worlds, estimates, searches."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from poundlock.desk.assessment import Search, World
from poundlock.desk.check import CheckedPlan
from poundlock.evidence import Doubt, Evidence
from poundlock.measures import Limits, apply, granted
from poundlock.risk import CapSearch, Estimate, Outcome, loosest_cap, simulate, statistic
from poundlock.risk.controllability import standing
from poundlock.risk.controls import PartnerCap
from poundlock.rollout.plan import Scope, Tolerance
from poundlock.system import System
from poundlock.system.balance import Valuation

Progress = Callable[[str, int], None]
WORLD_LABELS = {
    "today": "with the measure, today's limits",
    "before": "with the measure, earlier limits",
    "without": "without the measure",
}
VALUATION_WORDS = {"clearing": "clearing", "linear-debtrank": "linear DebtRank"}
LIMIT_LABELS = {
    "platform_share": "platform's share",
    "partner_cap": "cap on one partner",
    "total_cap": "cap on all joint loans",
    "home_region_only": "home-region rule",
}


def changed_system(checked: CheckedPlan, limits_of: Callable[[str], Limits | None]) -> tuple[System, float]:
    """The reported system with every measure applied under the limits given for its id, and the credit granted, money."""
    system, total = checked.read.system, 0.0
    for measure in checked.plan.measures:
        limits = limits_of(measure.id)
        if limits is not None:
            loans = checked.loans[measure.id]
            total += float(granted(measure, limits, loans, checked.read.system).sum())
            system = apply(measure, limits, loans, system)
    return system, total


def worlds(checked: CheckedPlan, progress: Progress) -> tuple[tuple[World, ...], World]:
    """Today's world first, then the earlier limits and the world without, where the plan has measures; then today's
    world under the other valuation."""
    plan = checked.plan
    today = {m.id: m.today for m in plan.measures}
    settings: list[tuple[str, dict[str, Limits]]] = [("today", today)]
    if any(m.before for m in plan.measures):
        settings.append(("before", {m.id: m.before or m.today for m in plan.measures}))
    other: Valuation = "clearing" if plan.scenarios.valuation == "linear-debtrank" else "linear-debtrank"
    base = _simulated(checked, "without", {}, None, progress) if plan.measures else None
    other_base = (
        _simulated(checked, "without", {}, None, progress, other)
        if base and any(t.added_by_measures for t in plan.tolerances)
        else None
    )
    found = [_simulated(checked, name, limits, base, progress) for name, limits in settings]
    alternative = _simulated(checked, "today", today, other_base, progress, other)
    return (*found, *((base,) if base else ())), alternative


def lifted_limits(checked: CheckedPlan, base: World, progress: Progress) -> tuple[World, ...]:
    """Today's world with one limit at a time as it was before: what each limit does. Empty without an earlier setting."""
    found = []
    for measure in checked.plan.measures:
        if measure.before is None:
            continue
        for field, label in LIMIT_LABELS.items():
            earlier = getattr(measure.before, field)
            if earlier != getattr(measure.today, field):
                limits = {m.id: m.today for m in checked.plan.measures} | {
                    measure.id: measure.today.model_copy(update={field: earlier})
                }
                found.append(_simulated(checked, f"lifted-{field}", limits, base, progress, label=f"{label} as before"))
    return tuple(found)


def _simulated(
    checked: CheckedPlan,
    name: str,
    limits: dict[str, Limits],
    base: World | None,
    progress: Progress,
    valuation: Valuation | None = None,
    label: str = "",
) -> World:
    plan = checked.plan
    system, total = changed_system(checked, limits.get)
    label = label or (WORLD_LABELS[name] if plan.measures else "the system as it stands")
    task = f"{label}, {valuation or plan.scenarios.valuation}"
    outcome = simulate(
        system,
        plan.scenarios,
        _scopes(plan.tolerances),
        valuation=valuation,
        progress=lambda done: progress(task, done),
    )
    without = base.outcome if base else None
    estimates = _estimates(plan.tolerances, outcome, without)
    alone = _estimates(plan.tolerances, outcome.before_contagion(), without.before_contagion() if without else None)
    converged = outcome.converged and (without is None or without.converged)
    return World(name, label, system, outcome, estimates, alone, total, converged)


def _scopes(tolerances: Sequence[Tolerance]) -> list[Scope]:
    return [Scope(), *(t.scope for t in tolerances)]


def _estimates(tolerances: Sequence[Tolerance], outcome: Outcome, without: Outcome | None) -> dict[str, Estimate]:
    return {t.id: statistic(t, outcome, without) for t in tolerances if without is not None or not t.added_by_measures}


def searches(checked: CheckedPlan, base: World, progress: Progress) -> tuple[Search, ...]:
    """For each control, the loosest setting that holds every tolerance, all else as today."""
    return tuple(_search(checked, control, base, progress) for control in checked.plan.controls)


def _search(checked: CheckedPlan, control: PartnerCap, base: World, progress: Progress) -> Search:
    plan = checked.plan
    measure = next(m for m in plan.measures if m.id == control.measure)
    around = {m.id: m.before if control.others == "before" and m.before else m.today for m in plan.measures}
    now = around[measure.id]
    start = now.partner_cap if now.partner_cap is not None else control.loosest
    scopes = _scopes(plan.tolerances)

    def evaluate(setting: float) -> tuple[Sequence[Estimate], float, bool]:
        limits = {**around, measure.id: now.model_copy(update={"partner_cap": setting})}
        system, total = changed_system(checked, limits.get)
        outcome = simulate(
            system, plan.scenarios, scopes, progress=lambda done: progress(f"search over {control.id}", done)
        )
        return (
            [statistic(t, outcome, base.outcome) for t in plan.tolerances],
            total,
            outcome.converged and base.converged,
        )

    result = loosest_cap(
        evaluate,
        plan.tolerances,
        today=start,
        tightest=control.tightest,
        loosest=control.loosest,
        resolution=control.resolution,
    )
    unlimited = Limits(platform_share=now.platform_share)
    wished = float(granted(measure, unlimited, checked.loans[measure.id], checked.read.system).sum())
    return Search(control, start, result, wished)


def tolerance_evidence(checked: CheckedPlan, tolerance: Tolerance, world: World, other: World, digest: str) -> Evidence:
    """The estimate of one tolerance in one world, as Evidence; in doubt when the plan asks for a bracket and the other
    valuation breaks what this one does not."""
    plan, estimate = checked.plan, world.estimates[tolerance.id]
    doubts: tuple[Doubt, ...] = ()
    if estimate.thin:
        reason = "fewer than 50 scenarios lose anything, too few to trust the interval of a tail"
        doubts = (Doubt(reason, "more scenarios"),)
    if plan.scenarios.bracket and _contradicts(tolerance, estimate, other.estimates[tolerance.id]):
        reason = (
            f"the answer hangs on how claims are valued: by {VALUATION_WORDS[other.outcome.valuation]} "
            f"it is {other.estimates[tolerance.id].value:.1%}"
        )
        doubts += (Doubt(reason, "evidence on what creditors recover, and when, that narrows the bracket"),)
    return Evidence(
        metric=tolerance.id,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        level=estimate.level,
        unit="share",
        as_of=plan.system.as_of.isoformat(),
        method=f"{tolerance.statistic}, {world.outcome.valuation}, factor model",
        inputs=digest,
        seed=plan.scenarios.seed,
        draws=estimate.draws,
        converged=world.converged and (other.converged or not plan.scenarios.bracket),
        doubts=doubts,
    )


def _contradicts(tolerance: Tolerance, chosen: Estimate, other: Estimate) -> bool:
    return standing(tolerance, chosen) != "broken" and standing(tolerance, other) == "broken"


def search_evidence(checked: CheckedPlan, search: Search, today: World, other: World, digest: str) -> Evidence:
    """The loosest setting that holds; as its interval, where the search found one, the next looser setting that fails."""
    plan, result = checked.plan, search.result
    bracketed = result.setting is not None and result.next_looser is not None
    return Evidence(
        metric=search.control.id,
        value=result.setting,
        low=result.setting if bracketed else None,
        high=result.next_looser if bracketed else None,
        unit="of tier 1",
        as_of=plan.system.as_of.isoformat(),
        method=f"bisection on common draws, {plan.scenarios.valuation}",
        inputs=digest,
        seed=plan.scenarios.seed,
        draws=plan.scenarios.count,
        converged=result.converged,
        doubts=_search_doubts(checked, result, today, other),
        missing="" if result.setting is not None else "no permitted setting holds every tolerance",
    )


def _search_doubts(checked: CheckedPlan, result: CapSearch, today: World, other: World) -> tuple[Doubt, ...]:
    """A search that is not monotone; and, where the plan asks for a bracket, tolerances that the other valuation breaks."""
    doubts = []
    if not result.monotone:
        reason = "a looser cap lowered a statistic, so bisection may have missed a setting"
        doubts.append(Doubt(reason, "a search over every setting"))
    changed = [t.id for t in checked.plan.tolerances if _contradicts(t, today.estimates[t.id], other.estimates[t.id])]
    if checked.plan.scenarios.bracket and changed:
        word = VALUATION_WORDS[other.outcome.valuation]
        broken = f"{' and '.join(changed)} {'is' if len(changed) == 1 else 'are'} broken at today's setting"
        reason = f"the answer hangs on how claims are valued: by {word} {broken}"
        doubts.append(Doubt(reason, "evidence on what creditors recover, and when, that narrows the bracket"))
    return tuple(doubts)
