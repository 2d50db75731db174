"""Effects of a checked plan: which rows can be used, what the estimate says in two engines, what speaks against it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from poundlock.desk.evaluation import OutcomeStudy, Step
from poundlock.evidence import Doubt, Evidence
from poundlock.pilots import Effect, Outcome, Panel, Pilot, group_time, impute, outcome_panel, synthetic_control
from poundlock.pilots.conformal import conformal
from poundlock.pilots.engines import PERFECT, Agreement, of_group_time, of_imputation, of_synthetic_control
from poundlock.pilots.event_study import EventStudy, band, of_groups
from poundlock.pilots.group_time import GroupTime
from poundlock.rollout.wording import level_words

Floats = NDArray[np.float64]
SYNTHETIC = "synthetic control on pre-period outcomes (Abadie, Diamond and Hainmueller 2010), placebo inversion"
IMPUTATION = "imputation from what is not yet treated (Borusyak, Jaravel and Spiess 2024)"
GROUP_TIME = "group-time difference in differences (Callaway and Sant'Anna 2021)"
LONG = 10
"""Panels of so many periods, or more, are judged by imputation; group-time effects stand beside it."""
ENOUGH = 10
"""Treated regions from which on standard errors can be relied on."""
POWER = 0.8
FIT = "fit before the start"
"""How doubts about the comparison begin."""


class NoCaseError(Exception):
    """An outcome that cannot be estimated, and why."""


@dataclass(frozen=True)
class Case:
    """What one outcome is estimated on. y: (u, t), complete, without periods of anticipation where one region is treated. first (u,): under treatment from, infinite for
    never. periods (t,). units: names. weights (u,), or None for all alike. anticipation: periods still to be left out. dropped: names."""

    y: Floats = field(repr=False)
    first: Floats = field(repr=False)
    periods: tuple[int, ...]
    units: tuple[str, ...] = field(repr=False)
    weights: Floats | None = field(repr=False)
    anticipation: int
    dropped: tuple[str, ...]

    @property
    def treated(self) -> tuple[int, ...]:
        """Rows under treatment."""
        return tuple(int(k) for k in np.flatnonzero(np.isfinite(self.first)))

    @property
    def alone(self) -> int:
        """The one row under treatment."""
        (row,) = self.treated
        return row

    @property
    def effective(self) -> float:
        """So many treated regions that counted alike would tell as much."""
        w = np.ones(len(self.y)) if self.weights is None else self.weights
        own = w[list(self.treated)]
        return float(own.sum() ** 2 / np.sum(own**2))

    @property
    def start(self) -> int:
        """Column of the first period under treatment of any."""
        return int(np.flatnonzero(np.array(self.periods) >= self.first.min())[0])

    @property
    def after(self) -> int:
        """Periods from the first start on."""
        return len(self.periods) - self.start


def case(
    pilot: Pilot, panel: Panel, outcome: Outcome, *, neighbours: bool = False, anticipation: int | None = None
) -> Case:
    """Rows and columns that can be used. neighbours: compare with them too. anticipation: instead of the plan's. Raises NoCaseError."""
    values, periods = outcome_panel(panel, outcome)
    complete = np.isfinite(values).all(axis=1)
    treated = np.array([unit in pilot.treated for unit in panel.units])
    out = set(pilot.not_donors) | (set() if neighbours else set(pilot.neighbours))
    excluded = np.array([unit in out for unit in panel.units])
    for row in np.flatnonzero(treated & ~complete):
        years = ", ".join(str(periods[t]) for t in np.flatnonzero(~np.isfinite(values[row])))
        above = ", or none above 0, which has no logarithm," if outcome.transform == "log" else ""
        raise NoCaseError(f"{panel.names[row]} has no figure{above} for {years}")
    kept = np.flatnonzero(complete & ~excluded | treated)
    if len(kept) - int(treated.sum()) < 2:
        count = len(kept) - int(treated.sum())
        raise NoCaseError(f"{count} region(s) with complete figures to compare with; at least two are needed")
    first = np.array([pilot.first(panel.units[k]) for k in kept])
    early = pilot.anticipation if anticipation is None else anticipation
    y, columns = values[kept], np.arange(len(periods))
    if treated.sum() == 1:
        start = first.min()
        columns = np.flatnonzero([not start - early <= p < start for p in periods])
        early = 0
    dropped = tuple(panel.names[i] for i in np.flatnonzero(~complete & ~excluded & ~treated))
    used = tuple(periods[t] for t in columns)
    if not any(p < first.min() for p in used):
        raise NoCaseError("no period before the start is left")
    weights = _weights(pilot, panel, kept, float(first.min())) if treated.sum() > 1 else None
    return Case(y[:, columns], first, used, tuple(panel.names[i] for i in kept), weights, early, dropped)


def _weights(pilot: Pilot, panel: Panel, kept: NDArray[np.int64], start: float) -> Floats | None:
    """Residents in the last period before the first start, where they count."""
    if pilot.weights == "alike" or pilot.population is None:
        return None
    at = max(t for t, p in enumerate(panel.periods) if p < start)
    people = panel.values[pilot.population][kept, at]
    wrong = np.flatnonzero(~(np.isfinite(people) & (people > 0)))
    if len(wrong):
        names = ", ".join(panel.names[kept[k]] for k in wrong)
        raise NoCaseError(
            f"residents of {names} in {panel.periods[at]} are missing or not positive, and regions count by them"
        )
    return np.asarray(people)


def study(pilot: Pilot, panel: Panel, outcome: Outcome, digest: str) -> OutcomeStudy:
    """The leading estimate of one outcome. Donors with a missing year are dropped and named; a missing year of a treated region is no
    data; engines that part are an error; poor fit, a short window, an effect before the start or a level that cannot be reached are doubts."""
    try:
        of = case(pilot, panel, outcome)
        return _one(pilot, outcome, of, digest) if len(of.treated) == 1 else _several(pilot, outcome, of, digest)
    except (NoCaseError, ValueError) as why:
        start = int(min(pilot.first(code) for code in pilot.treated))
        as_of = f"{max(outcome.since, start)}/{outcome.until}"
        method = SYNTHETIC if len(pilot.treated) == 1 else IMPUTATION
        evidence = Evidence(outcome.id, None, _unit(outcome), as_of, method, digest, missing=str(why))
        periods = tuple(p for p in panel.periods if outcome.since <= p <= outcome.until)
        return OutcomeStudy(outcome.id, evidence, None, periods, start, (), ())


def _unit(outcome: Outcome) -> str:
    return "log points" if outcome.transform == "log" else "units"


def _one(pilot: Pilot, outcome: Outcome, of: Case, digest: str) -> OutcomeStudy:
    pretended = outcome.in_time_placebo
    in_time = of.periods.index(pretended) if pretended in of.periods else None
    effect = synthetic_control(of.y, of.alone, of.start, level=pilot.level, in_time=in_time)
    agreement = (of_synthetic_control(of.y, of.alone, of.start, effect.effect, effect.pre_error),)
    bounded = math.isfinite(effect.low) and math.isfinite(effect.high)
    evidence = Evidence(
        outcome.id,
        effect.effect,
        _unit(outcome),
        _as_of(of),
        SYNTHETIC,
        digest,
        effect.low if bounded else None,
        effect.high if bounded else None,
        effect.level,
        doubts=(
            *_common_doubts(outcome, of, effect.pre_error, effect.in_time),
            *_doubts_of_one(pilot, effect, float(np.std(of.y))),
        ),
        error=_parted(agreement),
    )
    found = conformal(of.y, of.alone, of.start, level=pilot.level)
    path = tuple(
        Step(*step)
        for step in zip(
            of.periods[of.start :], found.effect.tolist(), found.low.tolist(), found.high.tolist(), strict=True
        )
    )
    return OutcomeStudy(
        outcome.id,
        evidence,
        effect,
        of.periods,
        int(of.first.min()),
        of.units,
        of.dropped,
        (of.units[of.alone],),
        "synthetic control",
        effect.pre_error,
        effect.detectable,
        path,
        found.level,
        found.p_value,
        agreement,
    )


def groups_of(of: Case) -> GroupTime:
    """Group-time effects of a case with several treated regions, against what has not started yet."""
    return group_time(
        of.y, of.first, of.periods, weights=of.weights, controls="not-yet-treated", anticipation=of.anticipation
    )


def _several(pilot: Pilot, outcome: Outcome, of: Case, digest: str) -> OutcomeStudy:
    groups = groups_of(of)
    mean, event = groups.aggregate(), of_groups(groups, of.anticipation)
    agreement = [of_group_time(of.y, of.periods, groups, weights=of.weights, anticipation=of.anticipation)]
    value, error, method = mean.overall, mean.overall_error, GROUP_TIME
    if len(of.periods) >= LONG:
        imputed = impute(of.y, of.first, of.periods, weights=of.weights, anticipation=of.anticipation)
        agreement.insert(
            0, of_imputation(of.y, of.first, of.periods, imputed, weights=of.weights, anticipation=of.anticipation)
        )
        value, error, method = float(imputed.effect[0]), float(imputed.error[0]), IMPUTATION
    wide = float(norm.ppf(0.5 + pilot.level / 2.0))
    evidence = Evidence(
        outcome.id,
        value,
        _unit(outcome),
        _as_of(of),
        method,
        digest,
        value - wide * error,
        value + wide * error,
        pilot.level,
        doubts=(
            *_common_doubts(outcome, of, event.error_before, _pretended(outcome, of, wide)),
            *_doubts_of_several(of),
        ),
        error=_parted(agreement),
    )
    found = (wide + float(norm.ppf(POWER))) * error
    path, level = _path(groups, of, pilot)
    return OutcomeStudy(
        outcome.id,
        evidence,
        None,
        of.periods,
        int(of.first.min()),
        of.units,
        of.dropped,
        tuple(of.units[k] for k in of.treated),
        "imputation" if method == IMPUTATION else "group-time difference in differences",
        event.error_before,
        (-found, found),
        path,
        level,
        None,
        tuple(agreement),
    )


def _path(groups: GroupTime, of: Case, pilot: Pilot) -> tuple[tuple[Step, ...], float]:
    """Effects by time since the start, in a band that holds the whole path where enough regions are treated, else each with its own interval."""
    event: EventStudy = of_groups(groups, of.anticipation)
    error = np.sqrt(np.diag(event.covariance))
    wide = float(norm.ppf(0.5 + pilot.level / 2.0)) * error
    if of.effective >= ENOUGH and error.max() > 0.0:
        wide = band(event, of.effective, level=pilot.level, seed=pilot.seed) * error
    steps = zip(event.at, event.effect, wide, strict=True)
    return tuple(Step(at, float(e), float(e - w), float(e + w)) for at, e, w in steps), pilot.level


def _pretended(outcome: Outcome, of: Case, wide: float) -> tuple[float, float, float] | None:
    """Mean effect of a pretended start of all treated regions, on what was before any true one, with its interval."""
    if outcome.in_time_placebo is None:
        return None
    before = sum(p < of.first.min() - of.anticipation for p in of.periods)
    first = np.where(np.isfinite(of.first), float(outcome.in_time_placebo), np.inf)
    found = group_time(of.y[:, :before], first, of.periods[:before], weights=of.weights).aggregate()
    error = wide * found.overall_error
    return found.overall, found.overall - error, found.overall + error


def _as_of(of: Case) -> str:
    return f"{of.periods[of.start]}/{of.periods[-1]}"


def _parted(agreement: list[Agreement] | tuple[Agreement, ...]) -> str:
    """What is wrong where two engines give two answers; empty where they agree."""
    parted = [repr(one) for one in agreement if not one.agree]
    return f"two engines give two answers: {'; '.join(parted)}" if parted else ""


def _common_doubts(
    outcome: Outcome, of: Case, pre_error: float | None, in_time: tuple[float, float, float] | None
) -> tuple[Doubt, ...]:
    doubts: list[Doubt] = []
    if pre_error is None:
        reason = f"{FIT} cannot be seen: there is one period before it"
        doubts.append(Doubt(reason, "figures of earlier periods"))
    elif pre_error > outcome.largest_pre_error:
        reason = f"{FIT} is poor: error {pre_error:.3f}, at most {outcome.largest_pre_error:g} was agreed"
        doubts.append(
            Doubt(reason, "a comparison that follows the region before the start: other donors or another outcome")
        )
    if of.after < outcome.fewest_post_periods:
        reason = f"short window: {of.after} {'period' if of.after == 1 else 'periods'} after the start, the figures end in {outcome.until}, and at least {outcome.fewest_post_periods} were agreed"
        until = of.periods[of.start] + outcome.fewest_post_periods - 1
        doubts.append(Doubt(reason, f"figures of all regions up to {until}"))
    if in_time is not None and not in_time[1] <= 0.0 <= in_time[2]:
        value, low, high = in_time
        reason = (
            f"a pretended start in {outcome.in_time_placebo} already shows {value:+.3f}, "
            f"interval {low:+.3f} to {high:+.3f}, before anything was tried"
        )
        cure = "a comparison that shows nothing before the start, or an earlier start date with its reason"
        doubts.append(Doubt(reason.replace("-", "−"), cure))
    return tuple(doubts)


def _doubts_of_one(pilot: Pilot, effect: Effect, spread: float) -> tuple[Doubt, ...]:
    doubts: list[Doubt] = []
    if effect.pre_error <= PERFECT * spread:
        reason = f"{FIT} is perfect: more than one mixture of regions fits, and they need not agree afterwards"
        doubts.append(Doubt(reason, "more periods before the start, or fewer regions to compare with"))
    if effect.level < pilot.level - 1e-9:
        reason = (
            f"{effect.units - 1} regions to compare with allow a level of {level_words(effect.level)} at most, and {level_words(pilot.level)} was asked: "
            f"the test's p cannot be below {effect.smallest_p:.2f}"
        )
        doubts.append(Doubt(reason, f"at least {math.ceil(1 / (1 - pilot.level) - 1e-9) - 1} regions to compare with"))
    if not (math.isfinite(effect.low) and math.isfinite(effect.high)):
        reason = "the placebo test cannot bound the effect: too many of the other regions lean on this one"
        doubts.append(Doubt(reason, "regions to compare with that are not best matched by this one"))
    return tuple(doubts)


def _doubts_of_several(of: Case) -> tuple[Doubt, ...]:
    if of.effective >= ENOUGH:
        return ()
    count = len(of.treated)
    as_many = "" if of.effective > count - 0.5 else f", counted by residents as good as {of.effective:.1f},"
    reason = f"{count} treated regions{as_many} are too few for a standard error that can be relied on"
    return (Doubt(reason, f"{ENOUGH} treated regions at least, or each by itself against a synthetic control"),)
