"""The pilot's part of the machine-readable form: plain values, stable keys, no rounding."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from poundlock.desk.evaluation import OutcomeStudy, PilotStudy, Places, Whom
from poundlock.evidence import Evidence
from poundlock.figures.proposal_words import proposal_values


def evidence_values(e: Evidence) -> dict[str, Any]:
    """One observed number."""
    return {name: getattr(e, name) for name in Evidence.__slots__} | {
        "doubts": [{"reason": d.reason, "cure": d.cure} for d in e.doubts]
    }


def pilot_values(found: PilotStudy | None) -> dict[str, Any] | None:
    """Everything that was found of a pilot."""
    if found is None:
        return None
    return {
        "outcomes": [_study(one) for one in found.outcomes],
        "for_whom": _whom(found.whom),
        **_places(found.places),
    }


def _study(s: OutcomeStudy) -> dict[str, Any]:
    e = s.effect
    said: dict[str, Any] = {
        "id": s.id,
        "method": s.method,
        "evidence": evidence_values(s.evidence),
        "treated": list(s.treated),
        "dropped": list(s.dropped),
        "periods": list(s.periods),
        "pre_error": s.pre_error,
        "detectable": plain(s.detectable),
        "by_period": {
            "level": s.path_level,
            "p_value": s.path_p,
            "effects": [plain(step._asdict()) for step in s.path],
        },
        "engines": [
            {
                "method": one.method,
                "agree": one.agree,
                "ours": plain(one.ours._asdict()),
                "diff_diff": plain(one.other._asdict()),
                "points_may_differ_by": one.points,
                "errors_may_differ_by": one.errors,
            }
            for one in s.agreement
        ],
        "beside": [plain(one._asdict()) for one in s.beside],
        "on_other_terms": [plain(one._asdict()) for one in s.what_if],
        "honest_bounds": [plain(asdict(one)) for one in s.doubted.magnitudes],
        "smoothness_bounds": [plain({"bend": b, "low": low, "high": high}) for b, low, high in s.doubted.smooth],
        "robustness": plain(asdict(s.doubted.robustness)) if s.doubted.robustness else None,
        "two_way": plain(asdict(s.two_way)) if s.two_way else None,
        "looks": _looks(s),
    }
    if e is not None:
        said["synthetic_control"] = {
            "rank": e.rank,
            "units": e.units,
            "p_value": e.p_value,
            "smallest_p": e.smallest_p,
            "leave_one_out": [
                {"effect": x, "without": s.units[d] if d >= 0 else None, "pre_error": p} for x, d, p in e.leave_one_out
            ],
            "in_time": [plain(x) for x in e.in_time] if e.in_time else None,
            "gaps": [float(g) for g in e.gaps],
            "weights": {s.units[d]: float(w) for d, w in zip(e.donors, e.weights, strict=True) if w > 1e-9},
        }
    return said


def _looks(s: OutcomeStudy) -> dict[str, Any]:
    seen = s.watch
    if seen is None:
        return {"missing": s.watch_missing or s.evidence.missing}
    return {
        "alpha": seen.alpha,
        "slope": seen.slope,
        "near_limit": list(seen.near_limit),
        "log": [plain(asdict(look) | {"period": s.periods[look.period]}) for look in seen.looks],
    }


def _whom(found: Whom | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "regions": found.regions,
        "indices": [
            {
                "id": one.id,
                "years": list(one.years),
                "values": list(one.values),
                "errors": list(one.errors),
                "effect_of_the_pilot": plain(one.effect._asdict()) if one.effect else None,
            }
            for one in found.indices
        ],
        "splits": [one._asdict() for one in found.splits],
    }


def _places(found: Places) -> dict[str, Any]:
    return {
        "audit": [{"site": name, **plain(asdict(one))} for name, one in found.audit],
        "elsewhere": {
            outcome: [
                {"region": one.region, "why": one.why, "carried": plain(asdict(one.carried)) if one.carried else None}
                for one in carried
            ]
            for outcome, carried in found.carried.items()
        },
        "next_stage": proposal_values(found),
    }


def plain(value: Any) -> Any:
    """JSON has neither infinity nor not-a-number: null stands for both. Records become objects, tuples lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one._asdict()) if hasattr(one, "_asdict") else plain(one) for one in value]
    return value
