"""The pilot's part of a report: the same for a whole assessment and for an evaluation alone."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from poundlock.desk.evaluation import OutcomeStudy, PilotStudy
from poundlock.desk.plan_file import PlanFile
from poundlock.figure import Figure, svg
from poundlock.figures.pilot_charts import effect_figure, forest_figure, period_figure
from poundlock.figures.pilot_words import (
    answer_sentence,
    effect_sentence,
    engines_sentence,
    looks_sentence,
    outcome_of,
    unseen_sentence,
)
from poundlock.figures.places_charts import audit_figure, map_figure
from poundlock.figures.proposal_words import proposal_table
from poundlock.figures.whom_charts import index_rows, inequality_figure
from poundlock.rollout.plan import EffectGate


def pilot_content(plan: PlanFile, found: PilotStudy | None, verdict: str) -> dict[str, Any] | None:
    """Everything the template shows of a pilot, figures drawn; None without one. verdict: the worst finding."""
    if plan.pilot is None or found is None:
        return None
    pilot, panel = plan.pilot, found.panel
    rows, how = index_rows(found.whom, found.outcomes)
    maps = [
        map_figure(pilot, panel, found.places, outcome_of(pilot, study), *asked(plan, study.id))
        for study in found.outcomes
    ]
    return {
        "caveat": pilot.caveat,
        "audit": _if_any(audit_figure(found.places)),
        "no_audit": found.places.audit_missing,
        "engines": engines_sentence(found.outcomes),
        "outcomes": [_outcome(plan, study) for study in found.outcomes],
        "inequality": _if_any(inequality_figure(pilot, found.whom)),
        "index_rows": rows,
        "index_how": how,
        "maps": [drawn(figure) for figure in maps if figure is not None],
        "proposal": proposal_table(plan, panel, found.places, verdict),
    }


def asked(plan: PlanFile, outcome: str) -> tuple[float, float]:
    """What the first gate on an outcome asks of it: a limit, and 1 for above it or -1 for below; nought and above without a gate."""
    for gate in plan.gates:
        if isinstance(gate, EffectGate) and gate.outcome == outcome:
            return (gate.above, 1.0) if gate.above is not None else (gate.below or 0.0, -1.0)
    return 0.0, 1.0


def drawn(figure: Figure) -> dict[str, Any]:
    """A figure with its SVG."""
    return {"figure": figure, "svg": Markup(svg(figure))}  # noqa: S704 - made here, from a specification made here


def _if_any(figure: Figure | None) -> dict[str, Any] | None:
    return drawn(figure) if figure is not None else None


def _outcome(plan: PlanFile, study: OutcomeStudy) -> dict[str, Any]:
    assert plan.pilot is not None
    pilot = plan.pilot
    figures = (effect_figure(pilot, study), period_figure(study), forest_figure(pilot, study, *asked(plan, study.id)))
    said = [effect_sentence(pilot, study)] if study.effect is None else []
    said += [looks_sentence(pilot, study), unseen_sentence(study)]
    return {
        "label": outcome_of(pilot, study).label,
        "answer": answer_sentence(study, *asked(plan, study.id)),
        "figures": [drawn(figure) for figure in figures if figure is not None],
        "said": [words for words in said if words],
    }
