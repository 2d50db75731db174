"""The verb `evaluate`: did the pilot work, for whom, will it elsewhere, and where next. Without simulating the system."""

from __future__ import annotations

from pathlib import Path

from poundlock.desk.beside import surrounded
from poundlock.desk.check import CheckedPlan, check
from poundlock.desk.effects import FIT, study
from poundlock.desk.evaluation import Evaluation, OutcomeStudy, PilotStudy
from poundlock.desk.next_stage import Room, proposed
from poundlock.desk.places import places
from poundlock.desk.whom import inequality_evidence, whom
from poundlock.evidence import Doubt, Evidence
from poundlock.pilots.by_diff_diff import PINNED
from poundlock.problems import Problem, ProblemsFound
from poundlock.reading import combined_digest
from poundlock.rollout.gate import Finding, judge_alarm, judge_effect, judge_inequality, verdict
from poundlock.rollout.plan import AlarmGate, EffectGate, Gate, InequalityGate
from poundlock.version import VERSION

PILOT_GATES = (EffectGate, InequalityGate, AlarmGate)
ALARM_METHOD = "ranks of whitened gaps, bets on small and large ones (Vovk, Gammerman and Shafer 2005), largest evidence at any look"


def evaluate(plan: str | Path | CheckedPlan) -> Evaluation:
    """Evaluate the pilot of a plan: every effect in two engines, what surrounds it, for whom, elsewhere, and the gates that ask of these alone. plan: path of a plan
    file, or what `check` returned. Raises ProblemsFound for a plan that does not check, or that has no pilot."""
    checked = plan if isinstance(plan, CheckedPlan) else check(plan)
    digest = combined_digest(checked.inputs)
    found = pilot_study(checked, digest, None)
    if found is None:
        name = str(plan) if not isinstance(plan, CheckedPlan) else checked.inputs[0].name
        said = "a plan without a pilot", "a section 'pilot:', with its panel and outcomes"
        raise ProblemsFound([Problem(name, None, *said, "add the section, or use `poundlock run`")])
    findings = [finding for gate in checked.plan.gates if (finding := judged(gate, found, digest)) is not None]
    others = sum(not isinstance(gate, PILOT_GATES) for gate in checked.plan.gates)
    absent = [("Can the risk be held?", f"{others} gates ask of risk and rules; `poundlock run` answers them.")]
    return Evaluation(
        checked.plan,
        verdict(findings, absent if others else ()),
        found,
        VERSION,
        checked.inputs,
        digest,
        methods(found),
    )


def pilot_study(checked: CheckedPlan, digest: str, room: Room | None) -> PilotStudy | None:
    """Everything about the plan's pilot. room: risk that is still within tolerance, where it was measured. None without a pilot."""
    pilot, panel = checked.plan.pilot, checked.panel
    if pilot is None or panel is None:
        return None
    alphas = {gate.outcome: gate.alpha for gate in checked.plan.gates if isinstance(gate, AlarmGate)}
    studies = tuple(
        surrounded(study(pilot, panel, one, digest), pilot, panel, one, alphas.get(one.id, 0.05))
        for one in pilot.outcomes
    )
    stood = places(pilot, panel, studies)
    return PilotStudy(
        panel, pilot.seed, studies, whom(pilot, panel, studies), proposed(pilot, panel, studies, stood, room)
    )


def judged(gate: Gate, found: PilotStudy, digest: str) -> Finding | None:
    """The finding of a gate that asks of the pilot alone; None of any other."""
    if isinstance(gate, EffectGate):
        return judge_effect(gate, found.outcome(gate.outcome).evidence)
    if isinstance(gate, InequalityGate):
        return judge_inequality(gate, inequality_evidence(gate, found.whom, digest))
    if isinstance(gate, AlarmGate):
        return judge_alarm(gate, alarm_evidence(gate, found.outcome(gate.outcome), digest, found.seed))
    return None


def alarm_evidence(gate: AlarmGate, of: OutcomeStudy, digest: str, seed: int) -> Evidence:
    """The largest evidence of harm at any look so far; where the method is near its limit, a doubt."""
    seen, as_of = of.watch, f"{of.start}/{of.periods[-1]}"
    if seen is None:
        missing = of.watch_missing or of.evidence.missing
        return Evidence(gate.id, None, "times", as_of, ALARM_METHOD, digest, missing=missing)
    cure = "more periods before the start, or an outcome whose periods hang together less"
    doubts = tuple(Doubt(f"near the method's limit: {words}", cure) for words in seen.near_limit)
    doubts += tuple(doubt for doubt in of.evidence.doubts if doubt.reason.startswith(FIT))
    value = max(look.evidence for look in seen.looks)
    return Evidence(
        gate.id, value, "times", as_of, ALARM_METHOD, digest, seed=seed, doubts=doubts, error=of.evidence.error
    )


def methods(found: PilotStudy) -> tuple[tuple[str, str], ...]:
    """How it was done, in words."""
    led = dict.fromkeys(one.evidence.method for one in found.outcomes)
    said = [("Effect", "; ".join(led))]
    said.append(("Second engine", f"diff-diff {PINNED}; answers that part are an error, never a pass"))
    if any(one.watch is not None for one in found.outcomes):
        said.append(("Looks", "whitened by what came before the start, sequential ranks, normal-mixture sequence"))
    if found.whom is not None:
        said.append(("For whom", "population-weighted indices between regions"))
    if found.places.audit:
        said.append(("Elsewhere", f"Mahalanobis distance of baselines; {found.places.carried_how}".rstrip("; ")))
    return tuple(said)
