"""The machine-readable form of an assessment: plain values, stable keys, no rounding."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np

from poundlock.desk.assessment import Assessment, BrakeStudy, NamedStudy, Search, TailStudy, World
from poundlock.desk.bearing import Insurance, MeasureStudy
from poundlock.desk.evaluation import Evaluation
from poundlock.figures.payment_values import payment_values
from poundlock.figures.payment_words import rules_held
from poundlock.figures.pilot_values import evidence_values, pilot_values
from poundlock.risk import Estimate, Point
from poundlock.rollout.gate import Verdict

FORMAT = 1


def result(a: Assessment) -> dict[str, Any]:
    """Everything that the report says, as JSON values. Shares are fractions; money is in `unit`."""
    p = a.provenance
    return {
        "format": FORMAT,
        "title": a.plan.title,
        "question": a.plan.question,
        **_judged(a.verdict),
        "system": {
            "origin": a.plan.system.origin,
            "note": a.plan.system.note,
            "as_of": a.plan.system.as_of.isoformat(),
            "unit": a.plan.system.unit,
            "institutions": len(a.worlds[0].system),
        },
        "worlds": [_world(w) for w in (*a.worlds, *a.lifted, a.other_valuation)],
        "controls": [_search(a, s) for s in a.searches],
        "brakes": [_brake(a, b) for b in a.brakes],
        "networks": _networks(a),
        "tails": [_tail(t) for t in a.tails],
        "programme": _programme(a),
        "rules": _rules(a),
        "named": [_named(a, n, s) for n in a.named for s in range(len(n.labels))],
        "importance": _importance(a),
        "amplification": a.importance.amplification,
        "payments": payment_values(a.payments, rules_held(a), a.rules.on),
        "pilot": pilot_values(a.pilot),
        "provenance": {
            "version": p.version,
            "seed": p.seed,
            "scenarios": p.scenarios,
            "inputs": [{"file": f.name, "sha256": f.digest, "source": a.plan.sources.get(f.name)} for f in p.inputs],
            "digest": p.digest,
            "methods": dict(p.methods),
            "convergence": dict(p.convergence),
        },
    }


def _judged(verdict: Verdict) -> dict[str, Any]:
    """The verdict, every finding, and what was not asked."""
    return {
        "verdict": {"worst": verdict.worst, "sentence": verdict.sentence},
        "gates": [
            {
                "id": f.gate,
                "asks": f.asks,
                "finding": f.kind,
                "limit": f.limit,
                "why": f.why,
                "would_change": f.would_change,
                "evidence": evidence_values(f.evidence),
            }
            for f in verdict.findings
        ],
        "not_asked": [{"question": question, "reason": reason} for question, reason in verdict.absent],
    }


def evaluation_text(a: Evaluation) -> str:
    """An evaluation alone as JSON text."""
    said = {
        "format": FORMAT,
        "title": a.plan.title,
        "question": a.plan.question,
        **_judged(a.verdict),
        "pilot": pilot_values(a.pilot),
        "provenance": {
            "version": a.version,
            "inputs": [{"file": f.name, "sha256": f.digest, "source": a.plan.sources.get(f.name)} for f in a.inputs],
            "digest": a.digest,
            "methods": dict(a.methods),
        },
    }
    return json.dumps(said, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def result_text(a: Assessment) -> str:
    """`result` as JSON text: the same bytes for the same inputs and seed."""
    return json.dumps(result(a), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _estimate(e: Estimate) -> dict[str, Any]:
    return {
        "value": e.value,
        "standard_error": e.standard_error,
        "low": e.low,
        "high": e.high,
        "level": e.level,
        "draws": e.draws,
    }


def _world(w: World) -> dict[str, Any]:
    return {
        "id": w.id,
        "label": w.label,
        "valuation": w.outcome.valuation,
        "converged": w.outcome.converged,
        "rounds": w.outcome.rounds,
        "gap": w.outcome.gap,
        "credit_granted": w.granted,
        "tolerances": {name: _estimate(e) for name, e in w.estimates.items()},
        "by_shock_alone": {name: _estimate(e) for name, e in w.by_shock.items()},
    }


def _point(a: Assessment, ids: tuple[str, ...], p: Point) -> dict[str, Any]:
    return {
        "setting": _setting(ids, p.setting),
        "granted": p.granted,
        "cost": p.cost,
        "share_of_networks": p.share,
        "holds": p.holds,
        "tolerances": {t.id: _estimate(e) for t, e in zip(a.plan.tolerances, p.estimates, strict=True)},
    }


def _setting(ids: tuple[str, ...], values: tuple[float, ...]) -> dict[str, float | None]:
    """By control; null where there is no cap."""
    return {name: _finite(value) for name, value in zip(ids, values, strict=True)}


def _networks(a: Assessment) -> dict[str, Any] | None:
    if a.networks is None:
        return None
    return {
        "count": len(a.networks.estimates),
        "share_in_which_all_hold": a.networks.point.share,
        "share_asked_for": a.plan.networks.share,
        "estimates": [
            {t.id: _estimate(e) for t, e in zip(a.plan.tolerances, estimates, strict=True)}
            for estimates in a.networks.estimates
        ],
    }


def _tail(t: TailStudy) -> dict[str, Any]:
    parts = t.allocation
    by_institution = [
        {
            "id": parts.ids[i],
            "part": float(parts.by_institution[i]),
            "low": float(parts.low[i]),
            "high": float(parts.high[i]),
        }
        | {f"by_{name}": float(part[i]) for name, part in parts.by_channel.items()}
        for i in np.argsort(-parts.by_institution, kind="stable")
    ]
    exposures = [
        {"creditor": parts.ids[i], "debtor": parts.ids[j], "part": part} for i, j, part in parts.largest_exposures(100)
    ]
    changes = [] if t.sensitivity is None else [c._asdict() for c in t.sensitivity.largest(100)]
    for change in changes:
        change["amount"] = change["amount"] if np.isfinite(change["amount"]) else None
    return {
        "tolerance": t.tolerance.id,
        "valuation": t.valuation,
        "value": parts.value,
        "draws": parts.draws,
        "by_institution": by_institution,
        "by_exposure": exposures,
        "changes": changes,
        "changes_missing": t.missing,
        "by_control": dict(t.by_control),
        "near_a_kink": None if t.sensitivity is None else t.sensitivity.near_kink,
    }


def _programme(a: Assessment) -> dict[str, Any] | None:
    """Each measure alone, beside the rest, and all together; who bears what."""
    p = a.programme
    if p is None:
        return None
    return {
        "scope": {"kinds": list(p.scope.kinds), "regions": list(p.scope.regions)},
        "level": p.level,
        "equity": p.equity,
        "draws": p.draws,
        "largest_gap_over_equity": p.gap,
        "together": _estimate(p.together),
        "interaction": p.interaction,
        "measures": [_measure(study) for study in p.studies],
    }


def _measure(m: MeasureStudy) -> dict[str, Any]:
    return {
        "id": m.id,
        "granted": m.granted,
        "is_credit": m.credit,
        "wished_for_without_caps": m.wished,
        "share_left_by_consents_and_stages": m.consented,
        "expected_loss": m.expected_loss,
        "year": [{"party": line.party, "what": line.what, "amount": line.amount} for line in m.lines],
        "alone": _estimate(m.alone),
        "beside_the_rest": _estimate(m.added),
        "lost_in_its_worst_years": _estimate(m.own_tail),
        "borne_by": [
            {"party": party, "mean": float(mean), "in_its_worst_years": float(tail)}
            for party, mean, tail in zip(m.parties, m.expected, m.tail, strict=True)
        ],
        "insurance": None if m.insurance is None else _insurance(m.insurance),
        "upside": [{"pool": pool, **asdict(up)} for pool, up in m.upsides],
    }


def _insurance(i: Insurance) -> dict[str, Any]:
    charged = i.premium > 0.0
    return {
        "sum_insured": i.sum_insured,
        "premium": i.premium,
        "fair_rate": _estimate(i.fair),
        "fair_rate_in_closed_form": i.fair_exact,
        "loss_ratio": _estimate(i.loss_ratio) if charged else None,
        "loss_ratio_5_to_95_percent": [i.low, i.high] if charged else None,
        "chance_that_claims_exceed_premiums": i.beyond,
    }


def _rules(a: Assessment) -> dict[str, Any]:
    """What is breached and how much is kept, by setting of the measures; drafts never bind."""
    return {
        "on": a.rules.on.isoformat(),
        "settings": {
            name: {
                "compared": len(found),
                "breached": [
                    {
                        "rule": c.rule.id,
                        "binding": c.binding,
                        "who": c.fact.who,
                        "against": c.fact.against,
                        "found": c.fact.value,
                        "limit": c.rule.limit,
                        "by": _finite(c.excess),
                    }
                    for c in found
                    if c.standing == "breached"
                ],
            }
            for name, found in a.rules.settings.items()
        },
        "not_compared": [{"rule": rule.id, "why": why} for rule, why in a.rules.unevaluated],
    }


def _named(a: Assessment, n: NamedStudy, s: int) -> dict[str, Any]:
    """One named scenario under one valuation; equity lost and failures by scope, all institutions first."""
    return {
        "scenario": n.labels[s],
        "valuation": n.valuation,
        "converged": bool(n.converged[s]),
        "rounds": int(n.rounds[s]),
        "gap": float(n.gap[s]),
        "by_scope": [
            {
                "kinds": list(scope.kinds),
                "regions": list(scope.regions),
                "tolerances": [t.id for t in a.plan.tolerances if t.scope == scope],
                "equity": float(n.equity[g]),
                "lost": float(n.lost[s, g]),
                "share": float(n.lost[s, g] / n.equity[g]),
                "lost_by_shock_alone": float(n.by_shock[s, g]),
                "share_by_shock_alone": float(n.by_shock[s, g] / n.equity[g]),
                "failures": int(n.failures[s, g]),
                "failures_by_shock_alone": int(n.failures_by_shock[s, g]),
            }
            for g, scope in enumerate(n.scopes)
        ],
    }


def _brake(a: Assessment, b: BrakeStudy) -> dict[str, Any]:
    return {
        "id": b.brake.id,
        "control": b.control.id,
        "set_to": b.value,
        "delay_days": b.brake.delay,
        "holds": b.result.today.holds,
        "longest_delay_that_holds": None if b.result.setting is None else b.result.setting[0],
        "next_longer_that_fails": b.result.next_looser[0],
        "confirmed_by_all_scenarios": b.confirmed,
        "monotone": b.result.monotone,
        "points": [_point(a, ("delay_days",), p) for p in b.curve],
    }


def _search(a: Assessment, s: Search) -> dict[str, Any]:
    r = s.result
    return {
        "controls": list(s.ids),
        "verdict": r.verdict,
        "today": _setting(s.ids, s.today),
        "cheapest_that_holds": None if r.setting is None else _setting(s.ids, r.setting),
        "cost": None if r.held is None else r.held.cost,
        "taken": s.taken,
        "next_looser_that_fails": {
            name: None if x is None else _finite(x) for name, x in zip(s.ids, r.next_looser, strict=True)
        },
        "confirmed_by_all_scenarios": s.confirmed,
        "monotone": r.monotone,
        "networks": r.networks,
        "share_of_networks": None if r.held is None else r.held.share,
        "share_asked_for": r.share,
        "wished": s.wished,
        "legal_basis": {c.id: c.legal_basis for c in s.controls},
        "points": [_point(a, s.ids, p) for p in r.points],
    }


def _importance(a: Assessment) -> list[dict[str, Any]]:
    system, found = a.worlds[0].system, a.importance
    order = np.argsort(-found.importance, kind="stable")
    return [
        {
            "id": system.ids[i],
            "name": system.names[i],
            "importance": float(found.importance[i]),
            "loss_to_others": float(found.loss_to_others[i]),
            "vulnerability": float(found.vulnerability[i]),
        }
        for i in order
        if found.counted[i]
    ]


def _finite(value: float) -> float | None:
    """JSON has no infinity: an end that the test does not bound is null."""
    return value if math.isfinite(value) else None
