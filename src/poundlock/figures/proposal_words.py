"""The proposal of a next stage in words, as a table and as plain values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from poundlock.desk.evaluation import Places
from poundlock.desk.plan_file import PlanFile
from poundlock.rollout.next_stage import Proposal


def audit_sentence(found: Places) -> str:
    """How typical each site was before the start, in words."""
    said = []
    for name, one in found.audit:
        standing = ", ".join(
            f"{b.baseline[:1].lower()}{b.baseline[1:]} above {b.percentile:.0%} of other regions" for b in one.baselines
        )
        said.append(
            f"{name} before the start: {standing}; by all together number {one.rank} of {one.places} from the most unusual."
        )
    return " ".join(said)


def proposal_table(plan: PlanFile, found: Places) -> dict[str, Any] | None:
    """Sentences, heads and rows; None where the plan asks for none."""
    asked = plan.pilot.next if plan.pilot else None
    if asked is None:
        return None
    p = found.proposal
    if p is None:
        return {"said": [f"No proposal: {found.no_proposal}."], "rows": [], "heads": [], "passed": []}
    counted = p.risk is not None
    heads = ["Region", "It would teach", *(["It would add"] if counted else []), "Why"]
    rows = [
        [
            one.name,
            f"{one.teaches:.0%} of what is unknown of the rest",
            *([_points(one.risk)] if counted else []),
            one.reason,
        ]
        for one in p.chosen
    ]
    return {"said": proposal_sentences(p), "rows": rows, "heads": heads, "passed": p.passed}


def proposal_sentences(p: Proposal) -> list[str]:
    """What is proposed, under which risk, over which time, with which power."""
    said = [*p.notes]
    if not p.chosen:
        said.insert(0, "No region is proposed: none that consents fits the room for risk.")
    else:
        by = (
            "by what they would teach of the effect elsewhere"
            if p.chosen_by == "learning"
            else "as the sites nearest to all regions (k-median)"
        )
        names = ", ".join(one.name for one in p.chosen)
        said.insert(
            0,
            f"Proposed, {by}: {names}. Together they would remove {p.teaches:.0%} of what is unknown of the effect in the other regions.",
        )
    if p.risk is not None and p.room is not None and p.exceeds is not None:
        room = f"Room for risk: {_points(p.room)}"
        used = (
            f"; these would use {_points(p.risk)}, and exceed it with a chance of {100 * p.exceeds:.2g} %"
            if p.chosen
            else ""
        )
        said.append(f"{room}{used}{_alike(p)}.")
    if len(p.started) > 1:
        said.append(
            f"If all that consent start over {len(p.started)} waves, {', '.join(str(n) for n in p.started)} of them should have started by each (Xiong, Athey, Bayati and Imbens 2024)."
        )
    if p.power is not None:
        said.append(
            f"That roll-out would find an effect of {p.power.detectable:.3f} in {p.power.power:.0%} of cases (Hussey and Hughes 2007, before any correlation in time)."
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
