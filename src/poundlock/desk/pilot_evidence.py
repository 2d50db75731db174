"""Effects and inequality of a checked plan: which rows can be used, what the estimate says, what speaks against it."""

from __future__ import annotations

import math

import numpy as np

from poundlock.desk.assessment import InequalityYear, OutcomeStudy
from poundlock.evidence import Doubt, Evidence
from poundlock.pilots import Effect, Outcome, Panel, Pilot, gini, outcome_panel, synthetic_control, theil
from poundlock.rollout.plan import InequalityGate
from poundlock.rollout.wording import level_words

EFFECT_METHOD = "synthetic control on pre-period outcomes (Abadie, Diamond and Hainmueller 2010), placebo inversion"


def study(pilot: Pilot, panel: Panel, outcome: Outcome, digest: str) -> OutcomeStudy:
    """Estimate one outcome. Donors with a missing year are dropped and named; a missing year of the treated region is no
    data; poor fit, a short window, an effect before the start or a level that cannot be reached are doubts."""
    values, periods = outcome_panel(panel, outcome)
    treated = panel.units.index(pilot.treated[0])
    name, as_of = panel.names[treated], f"{max(outcome.since, pilot.start)}/{outcome.until}"
    complete = np.asarray(np.isfinite(values).all(axis=1))
    excluded = np.array([unit in pilot.not_donors for unit in panel.units])
    dropped = tuple(panel.names[i] for i in np.flatnonzero(~complete & ~excluded) if i != treated)

    def without(reason: str) -> OutcomeStudy:
        evidence = Evidence(outcome.id, None, "log points", as_of, EFFECT_METHOD, digest, missing=reason)
        return OutcomeStudy(outcome.id, evidence, None, periods, pilot.start, (), dropped)

    if not complete[treated]:
        years = ", ".join(str(periods[t]) for t in np.flatnonzero(~np.isfinite(values[treated])))
        return without(f"{name} has no figure for {years}")
    kept = np.flatnonzero(complete & ~excluded | (np.arange(len(values)) == treated))
    if len(kept) < 3:
        return without(f"{len(kept) - 1} region(s) with complete figures to compare with; at least two are needed")
    in_time = periods.index(outcome.in_time_placebo) if outcome.in_time_placebo is not None else None
    effect = synthetic_control(
        values[kept],
        int(np.flatnonzero(kept == treated)[0]),
        periods.index(pilot.start),
        level=pilot.level,
        in_time=in_time,
    )
    bounded = math.isfinite(effect.low) and math.isfinite(effect.high)
    unit = "log points" if outcome.transform == "log" else "units"
    evidence = Evidence(
        outcome.id,
        effect.effect,
        unit,
        as_of,
        EFFECT_METHOD,
        digest,
        effect.low if bounded else None,
        effect.high if bounded else None,
        effect.level,
        doubts=_doubts(pilot, outcome, effect, periods),
    )
    return OutcomeStudy(
        outcome.id, evidence, effect, periods, pilot.start, tuple(panel.names[i] for i in kept), dropped
    )


def _doubts(pilot: Pilot, outcome: Outcome, effect: Effect, periods: tuple[int, ...]) -> tuple[Doubt, ...]:
    doubts: list[Doubt] = []
    if effect.pre_error > outcome.largest_pre_error:
        reason = (
            f"poor fit before the start: error {effect.pre_error:.3f}, at most {outcome.largest_pre_error:g} was agreed"
        )
        doubts.append(
            Doubt(reason, "a comparison that follows the region before the start: other donors or another outcome")
        )
    after = sum(p >= pilot.start for p in periods)
    if after < outcome.fewest_post_periods:
        reason = f"short window: {after} {'period' if after == 1 else 'periods'} after the start, the figures end in {outcome.until}, and at least {outcome.fewest_post_periods} were agreed"
        doubts.append(Doubt(reason, f"figures of all regions up to {pilot.start + outcome.fewest_post_periods - 1}"))
    if effect.level < pilot.level - 1e-9:
        reason = f"{effect.units - 1} regions to compare with allow a level of {level_words(effect.level)} at most, and {level_words(pilot.level)} was asked"
        doubts.append(Doubt(reason, f"at least {math.ceil(1 / (1 - pilot.level) - 1e-9) - 1} regions to compare with"))
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        reason = "the placebo test cannot bound the effect: too many of the other regions lean on this one"
        doubts.append(Doubt(reason, "regions to compare with that are not best matched by this one"))
    if effect.in_time is not None and not effect.in_time[1] <= 0.0 <= effect.in_time[2]:
        value, low, high = effect.in_time
        reason = (
            f"a pretended start in {outcome.in_time_placebo} already shows {value:+.3f}, "
            f"interval {low:+.3f} to {high:+.3f}, before anything was tried"
        )
        cure = "a comparison that shows nothing before the start, or an earlier start date with its reason"
        doubts.append(Doubt(reason.replace("-", "−"), cure))
    return tuple(doubts)


def inequality(pilot: Pilot, panel: Panel) -> tuple[InequalityYear, ...]:
    """Gini and Theil between regions for every year in which all regions of the panel have income and residents."""
    if pilot.income is None or pilot.population is None:
        return ()
    found = []
    for t, year in enumerate(panel.periods):
        income, people = panel.values[pilot.income][:, t], panel.values[pilot.population][:, t]
        known = np.isfinite(income) & np.isfinite(people) & (income > 0) & (people > 0)
        if known.all():
            found.append(InequalityYear(year, gini(income, people), theil(income, people), int(known.sum())))
    return tuple(found)


def inequality_evidence(gate: InequalityGate, years: tuple[InequalityYear, ...], digest: str) -> Evidence:
    """Change of the index between the gate's two years; no data unless both years are complete."""
    by_year = {y.year: y for y in years}
    method = f"population-weighted {gate.index} between regions; exact for these figures, so without interval"
    as_of = f"{gate.from_year}/{gate.to_year}"
    absent = [str(y) for y in (gate.from_year, gate.to_year) if y not in by_year]
    if absent:
        return Evidence(
            gate.id,
            None,
            "index change",
            as_of,
            method,
            digest,
            missing=f"income of all regions is not known for {' and '.join(absent)}",
        )
    change = getattr(by_year[gate.to_year], gate.index) - getattr(by_year[gate.from_year], gate.index)
    return Evidence(gate.id, float(change), "index change", as_of, method, digest)
