"""The verb `run`: a checked plan through measuring and judging to one verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from poundlock.desk.assessment import Assessment, Provenance, Search
from poundlock.desk.check import CheckedPlan, check
from poundlock.desk.evaluate import judged, methods, pilot_study
from poundlock.desk.evaluation import PilotStudy
from poundlock.desk.measure import Measured, measure
from poundlock.desk.networks import ensemble_words
from poundlock.desk.next_stage import Room
from poundlock.desk.payments import indicators_of, method_words, payments_evidence
from poundlock.desk.risk_evidence import brake_evidence, idle_measures, search_evidence, tolerance_evidence
from poundlock.desk.rules_kept import RulesCheck, breaches_words, compliance, rules_evidence
from poundlock.payments.indicators import Indicators
from poundlock.reading import combined_digest
from poundlock.risk import ScenarioModel
from poundlock.risk.controllability import Setting
from poundlock.rollout.gate import (
    Finding,
    Verdict,
    judge_brake,
    judge_control,
    judge_payments,
    judge_rules,
    judge_tolerance,
    verdict,
)
from poundlock.rollout.plan import BrakeGate, ControlGate, Gate, PaymentsGate, RulesGate, ToleranceGate
from poundlock.rollout.wording import shown
from poundlock.version import VERSION

Progress = Callable[[str, int], None]


def run(
    plan: str | Path | CheckedPlan, progress: Progress | None = None, *, keep: str | Path | None = None
) -> Assessment:
    """Answer a plan's question. plan: path of a plan file, or what `check` returned. progress: called with the name of
    a task and the number of scenarios that it has just finished. keep: folder in which finished pieces of long simulations are kept, so
    that an interrupted run goes on from them; emptied of them at the end. Raises ProblemsFound for a plan that does not check."""
    given = plan if isinstance(plan, CheckedPlan) else check(plan)
    report = progress or (lambda task, done: None)
    checked, found = measure(given, report, Path(keep) if keep else None)
    digest = combined_digest(checked.inputs)
    kept = compliance(checked, checked.moment.on)
    payments = indicators_of(checked.payments) if checked.payments is not None else None
    pilot = pilot_study(checked, digest, _room(checked, found))
    return Assessment(
        plan=checked.plan,
        verdict=_verdict(checked, found, payments, pilot, kept, digest),
        worlds=found.worlds,
        lifted=found.lifted,
        other_valuation=found.other,
        importance=found.importance,
        searches=found.searches,
        brakes=found.brakes,
        tails=found.tails,
        named=found.named,
        programme=found.programme,
        rules=kept,
        own_rules=checked.rules,
        idle=idle_measures(checked),
        networks=found.networks,
        payments=payments,
        pilot=pilot,
        rebuilt=checked.read.rebuilt,
        provenance=_provenance(checked, found, payments, pilot, digest),
    )


def _room(checked: CheckedPlan, found: Measured) -> Room | None:
    """Risk that the next stage may add, where the plan says which tolerance it comes from."""
    asked = checked.plan.pilot.next if checked.plan.pilot else None
    if asked is None or asked.tolerance is None or asked.tolerance not in found.worlds[0].estimates:
        return None
    limit = next(t.at_most for t in checked.plan.tolerances if t.id == asked.tolerance)
    today = found.worlds[0].estimates[asked.tolerance]
    return Room(today.value, today.high, limit, today.level)


def _verdict(
    checked: CheckedPlan,
    found: Measured,
    payments: Indicators | None,
    pilot: PilotStudy | None,
    kept: RulesCheck,
    digest: str,
) -> Verdict:
    plan, today, other = checked.plan, found.worlds[0], found.other
    tolerances = {t.id: t for t in plan.tolerances}
    by_controls = {s.ids: s for s in found.searches}
    by_brake = {s.brake.id: s for s in found.brakes}

    def judge(gate: Gate) -> Finding:
        if isinstance(gate, ToleranceGate):
            tolerance = tolerances[gate.tolerance]
            return judge_tolerance(
                gate, tolerance, tolerance_evidence(checked, tolerance, today, other, digest, found.networks)
            )
        if isinstance(gate, ControlGate):
            search = by_controls[gate.turned]
            evidence, result = search_evidence(checked, search, today, other, digest), search.result
            broken = "broken" in result.today.standings
            cheapest = _in_words(search, result.setting) if result.setting else ""
            today_words = _in_words(search, search.today)
            rising = search.control.tightest > search.control.loosest
            return judge_control(
                gate, evidence, result.verdict, today_words, cheapest, today_broken=broken, rising=rising
            )
        if isinstance(gate, BrakeGate):
            study = by_brake[gate.brake]
            at_delay = study.result.today
            evidence = brake_evidence(checked, study, today, other, digest)
            holds, broken = at_delay.holds, "broken" in at_delay.standings
            return judge_brake(gate, evidence, study.brake.delay, holds=holds, broken=broken)
        if isinstance(gate, RulesGate):
            return judge_rules(gate, rules_evidence(checked, kept, digest), breaches_words(kept))
        if isinstance(gate, PaymentsGate):
            assert payments is not None
            return judge_payments(gate, payments_evidence(gate, payments, digest))
        assert pilot is not None
        finding = judged(gate, pilot, digest)
        assert finding is not None
        return finding

    absent = []
    if plan.left_out.measures:
        absent.append(("What is tried, and can it be held?", plan.left_out.measures))
    if plan.left_out.pilot:
        absent.append(("Did it work, and for whom?", plan.left_out.pilot))
    opens = next((stage.id for stage in plan.stages if stage.status == "planned"), "")
    return verdict([judge(gate) for gate in plan.gates], absent, opens)


def _in_words(search: Search, setting: Setting) -> str:
    """A setting in words, each value with its control where there are several."""
    said = [shown(value, control.UNIT) for control, value in zip(search.controls, setting, strict=True)]
    if len(said) == 1:
        return said[0]
    return ", ".join(f"{control.id} {words}" for control, words in zip(search.controls, said, strict=True))


def _drawn(model: ScenarioModel) -> str:
    """How scenarios are drawn, in words."""
    ways = {
        "plain": "plain Monte Carlo",
        "sobol": "scrambled Sobol points (Owen 1995)",
        "importance": "importance sampling, shifts by cross-entropy (Rubinstein and Kroese 2004)",
    }
    tails = (
        "" if model.degrees_of_freedom is None else f", t copula with {model.degrees_of_freedom:g} degrees of freedom"
    )
    return ways[model.draws] + tails


def _provenance(
    checked: CheckedPlan, found: Measured, payments: Indicators | None, pilot: PilotStudy | None, digest: str
) -> Provenance:
    plan, other, networks = checked.plan, found.other, found.networks
    ways = [
        (
            "Contagion",
            f"{plan.scenarios.valuation} (gates) and {other.outcome.valuation}, greatest fixed point (Barucca et al. 2020)",
        ),
        (
            "Scenarios",
            f"lognormal assets on common, regional and sector factors; Vasicek pool losses; {_drawn(plan.scenarios)}",
        ),
        (
            "Tail",
            "expected shortfall with fractional boundary draw, error by influence function; Wilson intervals for events",
        ),
    ]
    if checked.read.rebuilt:
        ways.append(("Network", "maximum entropy from totals, known blocks and known cells (Upper and Worms 2004)"))
    for layer, made in networks.ensembles.items() if networks else ():
        ways.append((f"Networks of layer '{layer}'", ensemble_words(made)))
    if found.named:
        ways.append(("Named scenarios", "losses as stated, without a probability, through today's system as above"))
    if found.programme:
        how = "each alone, beside the rest and together, common draws, by clearing; borne by owners and by creditors outside"
        ways.append(("Measures", how))
    if pilot is not None:
        ways.extend(methods(pilot))
    if payments is not None:
        ways.append(("Payment market", method_words(payments)))
    return Provenance(
        VERSION,
        plan.scenarios.seed,
        plan.scenarios.count,
        checked.inputs,
        digest,
        tuple(ways),
        tuple(_convergence(checked, found)),
    )


def _convergence(checked: CheckedPlan, found: Measured) -> list[tuple[str, str]]:
    """Every computation that repeats until it ends, and how it ended, in words."""
    runs = [(w.label, w.outcome) for w in (*found.worlds, *found.lifted, found.other)]
    ended = [(label, o.valuation, o.converged, o.rounds, o.gap) for label, o in runs]
    ended += [
        ("named scenarios", n.valuation, bool(n.converged.all()), int(n.rounds.max()), float(n.gap.max()))
        for n in found.named
    ]
    said = [
        (
            f"{label} ({valuation})",
            f"{'converged' if converged else 'NOT converged'}, at most {rounds} rounds, gap {gap:.1e}",
        )
        for label, valuation, converged, rounds, gap in ended
    ]
    if found.programme:
        gap = f"{found.programme.gap:.1e} of all equity"
        said.append(("who bears each measure's loss", f"parts add up to the whole in every scenario within {gap}"))
    return said + [
        (f"network '{name}'", f"{'met' if r.converged else 'NOT met'}, {r.rounds} rounds, gap {r.gap:.1e}")
        for name, r in checked.read.rebuilt.items()
    ]
