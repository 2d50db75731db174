"""The proposal of a next stage in words, as a table and as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from poundlock.desk.evaluation import Places
from poundlock.desk.plan_file import PlanFile
from poundlock.pilots import Panel, Pilot
from poundlock.pilots.declared import NextStage
from poundlock.rollout.next_stage import NO_CONSENT, Proposal


def audit_sentence(found: Places) -> str:
    """How typical each site was before the start, in words."""
    said = []
    for name, one in found.audit:
        standing = ", ".join(
            f"{b.baseline[:1].lower()}{b.baseline[1:]} above {b.percentile:.0%} of other regions" for b in one.baselines
        )
        count = len(one.baselines)
        said.append(
            f"{name} before the start: {standing}; on all {count} together number {one.rank} of {one.places} from the most unusual."
        )
    return " ".join(said)


def proposal_table(plan: PlanFile, panel: Panel, found: Places, verdict: str) -> dict[str, Any] | None:
    """Sentences, heads and rows; None where the plan asks for none. verdict: the worst finding, without which a proposal reads like a yes."""
    pilot = plan.pilot
    if pilot is None or pilot.next is None:
        return None
    p = found.proposal
    if p is None:
        return {"said": [f"No proposal: {found.no_proposal}."], "rows": [], "heads": [], "passed": []}
    said = [*_before(p, verdict), *proposal_sentences(p, pilot.next), *_beside(plan, pilot, panel, found, p)]
    counted = p.risk is not None
    heads = [
        "Region",
        "Of what is still unknown of the others, it would remove",
        *(["It would add"] if counted else []),
        "Why",
    ]
    rows = [[one.name, f"{one.teaches:.0%}", *([_points(one.risk)] if counted else []), one.reason] for one in p.chosen]
    silent = [name for name, why in p.passed if why == NO_CONSENT]
    passed = [one for one in p.passed if one[1] != NO_CONSENT]
    if silent:
        passed.append((f"{len(silent)} others", f"they have not consented: {', '.join(silent)}"))
    return {"said": said, "rows": rows, "heads": heads, "passed": passed}


def _before(p: Proposal, verdict: str) -> list[str]:
    """What stands before any proposal that is not backed by a pass."""
    if verdict == "pass" and p.risk is not None:
        return []
    why = [f"the verdict is {verdict}"] if verdict != "pass" else []
    why += ["risk was not measured (poundlock run measures it, and may change this list)"] if p.risk is None else []
    on = " If people decide to go on, these regions would teach most." if p.chosen and p.chosen_by == "learning" else ""
    return [f"This is no recommendation to go on: {', and '.join(why)}.{on}"]


def _beside(plan: PlanFile, pilot: Pilot, panel: Panel, found: Places, p: Proposal) -> list[str]:
    """Where the proposal and other parts of the report do not say the same."""
    said, names = [], {one.name for one in p.chosen}
    carried = found.carried.get(pilot.next.outcome if pilot.next else "", ())
    outside = [one.name for one in carried if one.carried is None and one.name in names]
    if outside:
        said.append(f"{_and(outside)}: the site says nothing of the effect there; that is why it would teach much.")
    touching = [panel.name(code) for code in pilot.neighbours if panel.name(code) in names]
    if touching:
        said.append(f"{_and(touching)}: a neighbour of the site, which may share its effect already.")
    planned = next((stage for stage in plan.stages if stage.status == "planned"), None)
    regions = [panel.name(code) for code in planned.regions if code in panel.units] if planned else []
    if planned and regions and set(regions) != names:
        said.append(
            f"The plan's own next stage, '{planned.id}', is {_and(regions)}; this proposal goes by what would be learnt."
        )
    return said


def _and(names: list[str]) -> str:
    return ", ".join(names)


def proposal_sentences(p: Proposal, asked: NextStage) -> list[str]:
    """What is proposed, under which risk, over which time, with which power."""
    said = []
    if not p.chosen:
        said.append("No region is proposed: none that consents can be chosen; see why below.")
    else:
        by = (
            "by what they would teach of the effect elsewhere"
            if p.chosen_by == "learning"
            else "as the sites nearest to all regions (k-median)"
        )
        names = _and([one.name for one in p.chosen])
        said.append(
            f"Proposed, {by}: {names}. Together they would remove {p.teaches:.0%} of what is unknown of the effect in the other regions, if effects differ among regions by "
            f"{asked.effects_differ_by:g} (standard deviation), a judgement of the plan."
        )
    said += p.notes
    if p.risk is not None and p.room is not None and p.exceeds is not None:
        room = f"Room for risk: {_points(p.room)}"
        used = (
            f"; these would use {_points(p.risk)}, and exceed it with a chance of {100 * p.exceeds:.2g} %"
            if p.chosen
            else ""
        )
        said.append(f"{room}{used}{_alike(p)}.")
    if len(p.started) > 1:
        waves = ", ".join(f"{n} by wave {k}" for k, n in enumerate(p.started, 1))
        said.append(
            f"If all regions that consent were to start, {waves} tells most; the rest stay as comparison (Xiong, Athey, Bayati and Imbens 2024)."
        )
    if p.power is not None:
        said.append(
            f"That roll-out would find an effect of {p.power.detectable:.3f} in {p.power.power:.0%} of cases (Hussey and Hughes 2007); correlation in time, which is not counted, lets it find less."
        )
    said.append(f"Equals are ordered by chance, seed {p.seed}. People choose.")
    return said


def _alike(p: Proposal) -> str:
    """How many regions of the candidates' mean size could start at once."""
    if p.alike is None or not np.isfinite(p.alike):
        return ""
    if p.alike < 1:
        return "; one region of the candidates' mean size could exceed it alone"
    return f"; of regions of the candidates' mean size, {p.alike:.0f} could start at once (Li, Mao and Bojinov 2023)"


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} points"


def proposal_values(found: Places) -> dict[str, Any] | None:
    """The proposal as plain values."""
    p = found.proposal
    if p is None:
        return {"missing": found.no_proposal} if found.no_proposal else None
    return {
        "chosen": [one._asdict() for one in p.chosen],
        "passed_over": [{"region": name, "why": why} for name, why in p.passed],
        "teaches": p.teaches,
        "risk": p.risk,
        "room": p.room,
        "chance_to_exceed": p.exceeds,
        "alike": p.alike if p.alike is not None and np.isfinite(p.alike) else None,
        "started_by_wave": list(p.started),
        "power": {k: v for k, v in asdict(p.power).items() if k != "treated"} if p.power else None,
        "notes": list(p.notes),
        "chosen_by": p.chosen_by,
        "seed": p.seed,
    }
