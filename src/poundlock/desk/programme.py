"""Each measure alone, all together, and each added to the rest: risks do not add up."""

from __future__ import annotations

from typing import Any

import numpy as np

from poundlock.desk.bearing import Insurance, MeasureStudy, Programme
from poundlock.desk.worlds import Ground, Progress, under_limits
from poundlock.measures import Line, LoanWithInvestment, Upside, asked_for, granted, insured, upside, value
from poundlock.risk import Estimate
from poundlock.risk.bearers import Borne, borne_by_all
from poundlock.risk.statistics import expected_shortfall, incremental_shortfall
from poundlock.rollout.plan import ExpectedShortfall, Scope
from poundlock.system import System, equity
from poundlock.system.balance import Floats

MOST = 50_000
"""Scenarios of this study at most: it keeps every scenario of every version."""
LEVEL = 0.99


def programme_of(ground: Ground, progress: Progress) -> Programme | None:
    """None for a plan without measures. By clearing, in the network as read."""
    checked, plan = ground.checked, ground.checked.plan
    if not plan.measures:
        return None
    today = {m.id: m.today for m in plan.measures}
    settings: dict[str, dict[str, Any]] = {"without": {}, "all": today}
    for m in plan.measures:
        settings[f"alone {m.id}"] = {m.id: m.today}
        settings[f"rest {m.id}"] = {name: terms for name, terms in today.items() if name != m.id}
    base = ground.networks[0]
    systems, keys = _versions(checked, base, settings)
    model = plan.scenarios.model_copy(update={"count": min(plan.scenarios.count, MOST), "draws": "plain"})
    scope, level = _tail_of(ground)
    members = base.members(scope.kinds, scope.regions).astype(np.float64)
    seen: list[Floats] = []
    found = borne_by_all(
        systems,
        model,
        ground.behaviour,
        members=members,
        look=seen.append,
        progress=lambda n: progress("each measure alone", n),
    )
    by = {name: found[key] for name, key in keys.items()}
    lost = np.concatenate(seen)
    studies = tuple(_study(ground, m, systems[keys[f"alone {m.id}"]], by, lost, level) for m in plan.measures)
    together = incremental_shortfall(by["all"].share, by["without"].share, level)
    apart = sum(one.alone.value for one in studies)
    everything = float(np.maximum(equity(base), 0.0).sum())
    worst = max(float(np.max(np.abs(b.loss.sum(axis=1) - b.total))) for b in found.values()) / everything
    own = float(np.maximum(equity(base), 0.0) @ members)
    return Programme(studies, together, together.value - apart, scope, level, own, model.count, worst)


def _tail_of(ground: Ground) -> tuple[Scope, float]:
    """Whose tail: the plan's first expected shortfall that is limited as a whole; else of all institutions, at 99 %."""
    for tolerance in ground.checked.plan.tolerances:
        if isinstance(tolerance, ExpectedShortfall) and not tolerance.added_by_measures:
            return tolerance.scope, tolerance.level
    return Scope(), LEVEL


def _versions(
    checked: Any, base: System, settings: dict[str, dict[str, Any]]
) -> tuple[dict[str, System], dict[str, str]]:
    """Systems by name, each once; and the name under which every setting is found."""
    systems, keys, known = dict[str, System](), dict[str, str](), dict[frozenset[str], str]()
    for name, terms in settings.items():
        of = frozenset(terms)
        if of not in known:
            known[of] = name
            systems[name] = under_limits(checked, base, terms).system
        keys[name] = known[of]
    return systems, keys


def _study(
    ground: Ground, measure: Any, system: System, by: dict[str, Borne], lost: Floats, level: float
) -> MeasureStudy:
    checked, base = ground.checked, ground.networks[0]
    deals, terms = checked.deals[measure.id], measure.today
    alone, without = by[f"alone {measure.id}"], by["without"]
    more = alone.loss - without.loss
    lost_by_losers = np.maximum(more, 0.0).sum(axis=1)
    worst = np.argsort(-lost_by_losers, kind="stable")[: max(1, round(len(more) * (1.0 - LEVEL)))]
    whole, there = (asked_for(measure, terms, one, base) for one in (deals.whole(), deals))
    left = there / whole if whole > 0.0 else float(deals.left.mean())
    return MeasureStudy(
        measure.id,
        measure.GRANTED,
        measure.CREDIT,
        float(granted(measure, terms, deals, base).sum()),
        whole,
        left,
        (*value(measure, terms, deals, base), *_outages(ground, base, system)),
        alone.parties,
        more.mean(axis=0),
        more[worst].mean(axis=0),
        expected_shortfall(lost_by_losers, LEVEL),
        incremental_shortfall(alone.share, without.share, level),
        incremental_shortfall(by["all"].share, by[f"rest {measure.id}"].share, level),
        _insurance(insured(measure, terms, deals, system, lost)),
        _upsides(measure, system, deals),
    )


def _outages(ground: Ground, base: System, system: System) -> tuple[Line, ...]:
    """What outages of the scenario model cost those who depend on a provider because of the measure, in a mean year."""
    if system.dependences is None or not ground.checked.plan.scenarios.outages:
        return ()
    margin = np.asarray(system.dependences.daily_margin.sum(axis=0)).ravel()
    if base.dependences is not None:
        margin = margin - np.asarray(base.dependences.daily_margin.sum(axis=0)).ravel()
    days = np.zeros(len(system))
    for events in ground.checked.plan.scenarios.outages:
        days += np.isin(np.array(system.kinds), events.kinds) * events.per_year * events.mean_days
    lost = float(margin @ np.minimum(days, 365.0))
    return (Line("dependents", "expected loss by outages", -lost, loss=True),) if lost > 0.0 else ()


def _insurance(found: tuple[Floats, float, float, float] | None) -> Insurance | None:
    if found is None or found[2] <= 0.0:
        return None
    claims, premium, total, exact = found
    ratio = claims / premium if premium > 0.0 else np.full(len(claims), np.nan)
    low, high = (float(x) for x in np.quantile(ratio, (0.05, 0.95)))
    return Insurance(
        total, premium, _mean(claims / total), exact, _mean(ratio), low, high, float(np.mean(claims > premium))
    )


def _mean(values: Floats) -> Estimate:
    """Mean with its 95 % interval."""
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    middle = float(values.mean())
    return Estimate(middle, error, middle - 1.959964 * error, middle + 1.959964 * error, 0.95, len(values), False)


def _upsides(measure: Any, system: System, deals: Any) -> tuple[tuple[str, Upside], ...]:
    if not isinstance(measure, LoanWithInvestment):
        return ()
    pools = [system.asset_classes[k] for k in np.unique(deals.pool)]
    return tuple((p.id, upside(measure, measure.today, p.default_probability, p.loss_given_default)) for p in pools)
