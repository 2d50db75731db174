"""What simulations and searches say, as Evidence."""

from __future__ import annotations

from poundlock.desk.assessment import BrakeStudy, NetworkStudy, Search, World
from poundlock.desk.check import CheckedPlan
from poundlock.desk.worlds import VALUATION_WORDS
from poundlock.evidence import Doubt, Evidence
from poundlock.risk import ControlSearch, Estimate
from poundlock.risk.controllability import standing
from poundlock.risk.controls import NO_CAP
from poundlock.rollout.plan import Tolerance


def tolerance_evidence(
    checked: CheckedPlan,
    tolerance: Tolerance,
    world: World,
    other: World,
    digest: str,
    networks: NetworkStudy | None = None,
) -> Evidence:
    """The estimate of one tolerance in one world, as Evidence; in doubt when the plan asks for a bracket and the other
    valuation breaks what this one does not, and when it does not hold in enough networks."""
    plan, estimate = checked.plan, world.estimates[tolerance.id]
    doubts = _idle_doubt(checked)
    if estimate.thin:
        what = "decide what the measure adds" if tolerance.added_by_measures else "lose anything, or weigh enough"
        reason = f"fewer than 50 scenarios of the tail {what}, too few to trust its interval"
        doubts += (Doubt(reason, "more scenarios"),)
    if plan.scenarios.bracket and _contradicts(tolerance, estimate, other.estimates[tolerance.id]):
        reason = (
            f"the answer hangs on how claims are valued: by {VALUATION_WORDS[other.outcome.valuation]} "
            f"it is {other.estimates[tolerance.id].value:.1%}"
        )
        doubts += (Doubt(reason, "evidence on what creditors recover, and when, that narrows the bracket"),)
    if networks is not None:
        doubts += _network_doubt(checked, tolerance, estimate, networks)
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
        converged=world.converged
        and (other.converged or not plan.scenarios.bracket)
        and (networks is None or networks.point.converged),
        doubts=doubts,
    )


def idle_measures(checked: CheckedPlan) -> tuple[str, ...]:
    """Measures of which there is nothing on the day of the plan."""
    return tuple(measure.id for measure in checked.plan.measures if checked.deals[measure.id].idle)


def _idle_doubt(checked: CheckedPlan) -> tuple[Doubt, ...]:
    """A plan whose measures are all idle tries nothing, and nothing can be learnt from it."""
    if not checked.plan.measures or len(idle_measures(checked)) < len(checked.plan.measures):
        return ()
    reason = f"nothing is tried on {checked.moment.on}: nobody in any measure has joined, no stage has begun there, or nothing is wished for"
    return (Doubt(reason, "consents that are in force, a stage that has begun, and business that is wished for"),)


def _network_doubt(
    checked: CheckedPlan, tolerance: Tolerance, estimate: Estimate, networks: NetworkStudy
) -> tuple[Doubt, ...]:
    """What holds in the network as read, but not in the share of all that the plan asks for."""
    place = [t.id for t in checked.plan.tolerances].index(tolerance.id)
    holds = [standing(tolerance, of[place]) == "holds" for of in networks.estimates]
    if standing(tolerance, estimate) == "broken" or sum(holds) >= checked.plan.networks.share * len(holds) - 1e-9:
        return ()
    reason = f"it holds in {sum(holds)} of {len(holds)} networks that fit the totals, {checked.plan.networks.share:.0%} were asked for"
    return (Doubt(reason, "exposures known one by one, instead of totals"),)


def _contradicts(tolerance: Tolerance, chosen: Estimate, other: Estimate) -> bool:
    return standing(tolerance, chosen) != "broken" and standing(tolerance, other) == "broken"


def search_evidence(checked: CheckedPlan, search: Search, today: World, other: World, digest: str) -> Evidence:
    """The loosest setting that holds; as its interval, where the search found one, the next looser setting that fails. Of several
    controls, the yearly cost of the cheapest setting."""
    plan, result = checked.plan, search.result
    alone = len(search.controls) == 1
    value, looser = (result.setting[0] if result.setting else None), result.next_looser[0]
    if looser == NO_CAP:  # beyond the range: no end of an interval
        looser = None
    held = result.held
    return Evidence(
        metric=" and ".join(search.ids),
        value=value if alone else (held.cost if held else None),
        low=min(value, looser) if value is not None and looser is not None and alone else None,
        high=max(value, looser) if value is not None and looser is not None and alone else None,
        unit=search.control.UNIT if alone else f"{plan.system.unit} a year",
        as_of=plan.system.as_of.isoformat(),
        method=f"{'bisection' if alone else 'nested search'} on common draws, {plan.scenarios.valuation}",
        inputs=digest,
        seed=plan.scenarios.seed,
        draws=plan.scenarios.count,
        converged=result.converged,
        doubts=_search_doubts(checked, search.result, search.confirmed, today, other),
        missing="" if result.setting is not None else "no permitted setting holds every tolerance",
    )


def brake_evidence(checked: CheckedPlan, study: BrakeStudy, today: World, other: World, digest: str) -> Evidence:
    """The longest delay at which every tolerance holds, in days; as its interval, the shortest tried that fails. In doubt as a search is."""
    plan, result = checked.plan, study.result
    value, later = (result.setting[0] if result.setting else None), result.next_looser[0]
    bracketed = value is not None and later is not None
    return Evidence(
        metric=study.brake.id,
        value=value,
        low=value if bracketed else None,
        high=later if bracketed else None,
        unit="days",
        as_of=plan.system.as_of.isoformat(),
        method=f"run-off at average life, bisection on common draws, {plan.scenarios.valuation}",
        inputs=digest,
        seed=plan.scenarios.seed,
        draws=plan.scenarios.count,
        converged=result.converged,
        doubts=_search_doubts(checked, result, study.confirmed, today, other),
        missing="" if value is not None else "no delay at all holds every tolerance",
    )


def _search_doubts(
    checked: CheckedPlan, result: ControlSearch, confirmed: bool | None, today: World, other: World
) -> tuple[Doubt, ...]:
    """A search that is not monotone, or whose answer fails with all scenarios; and, where the plan asks for a bracket, tolerances that
    the other valuation breaks."""
    doubts = list(_idle_doubt(checked))
    if not result.monotone:
        reason = "a looser setting lowered a loss, so the search may have missed a setting"
        doubts.append(Doubt(reason, "a search over every setting"))
    if confirmed is False:
        reason = "the setting that was found does not hold when all scenarios are simulated there"
        doubts.append(Doubt(reason, "a search over every setting, with all scenarios"))
    changed = [t.id for t in checked.plan.tolerances if _contradicts(t, today.estimates[t.id], other.estimates[t.id])]
    if checked.plan.scenarios.bracket and changed:
        word = VALUATION_WORDS[other.outcome.valuation]
        broken = f"{' and '.join(changed)} {'is' if len(changed) == 1 else 'are'} broken at today's setting"
        reason = f"the answer hangs on how claims are valued: by {word} {broken}"
        doubts.append(Doubt(reason, "evidence on what creditors recover, and when, that narrows the bracket"))
    return tuple(doubts)
