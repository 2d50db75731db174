"""Around a leading estimate: other estimators, the same one on other terms, what cannot be seen, and looks in every period."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from poundlock.desk.effects import IMPUTATION, Case, NoCaseError, case, groups_of
from poundlock.desk.evaluation import Beside, Doubted, OutcomeStudy
from poundlock.pilots import Outcome, Panel, Pilot, impute, synthetic_control
from poundlock.pilots.by_diff_diff import synthetic_did, two_way
from poundlock.pilots.event_study import EventStudy, of_groups, of_one
from poundlock.pilots.honest import relative_magnitudes
from poundlock.pilots.robustness import robustness_value
from poundlock.pilots.sequential import FEWEST_REGIONS, Placebos, Watch, placebo_spending, watch
from poundlock.pilots.smoothness import smoothness
from poundlock.pilots.synthetic_control import left_out_gaps

MAGNITUDES = (0.5, 1.0, 2.0)
"""Of the largest violation before the start, that the honest bounds allow after it."""
BENDS = (0.0, 0.5, 1.0)
"""Of the sharpest bend before the start."""


def surrounded(study: OutcomeStudy, pilot: Pilot, panel: Panel, outcome: Outcome, alpha: float = 0.05) -> OutcomeStudy:
    """A leading estimate with everything that is shown around it; as it is where there is none. alpha: of looks in every period."""
    if study.evidence.value is None:
        return study
    of = case(pilot, panel, outcome)
    if len(of.treated) == 1:
        event, why = _event_of_one(of)
        beside = tuple(_others_of_one(of, pilot, event))
        static = None
    else:
        event, why = of_groups(groups_of(of), of.anticipation), ""
        beside = tuple(_others_of_several(of, pilot, study))
        static = two_way(of.y, of.first, of.periods)
    seen, missing = _looks(study, of, pilot, outcome, alpha)
    return replace(
        study,
        beside=beside,
        what_if=tuple(_other_terms(pilot, panel, outcome, of)),
        doubted=_doubted(event, why, pilot, _even(of)),
        two_way=static,
        watch=seen,
        watch_missing=missing,
        placebos=_placebos(study, of, outcome),
    )


def _event_of_one(of: Case) -> tuple[EventStudy | None, str]:
    try:
        return of_one(of.y, of.alone, of.start), ""
    except ValueError as few:
        return None, str(few)


def _others_of_one(of: Case, pilot: Pilot, event: EventStudy | None) -> Iterator[Beside]:
    what = "synthetic difference in differences"
    try:
        found = synthetic_did(of.y, [of.alone], of.start, level=pilot.level, seed=pilot.seed)
    except ValueError as few:
        yield Beside(what, None, None, None, str(few))
    else:
        says = f"error from {found.draws} placebos, seed {found.seed} (Arkhangelsky et al. 2021)"
        yield Beside(what, found.effect, found.low, found.high, says)
    donors = np.delete(of.y, of.alone, axis=0)
    change = donors[:, of.start :].mean(axis=1) - donors[:, : of.start].mean(axis=1)
    own = float(of.y[of.alone, of.start :].mean() - of.y[of.alone, : of.start].mean() - change.mean())
    error = float(change.std(ddof=1)) * np.sqrt(1.0 + 1.0 / len(donors))
    wide = float(student.ppf(0.5 + pilot.level / 2.0, len(donors) - 1)) * error
    says = "against all regions alike; error from how they differ among each other (Conley and Taber 2011)"
    yield Beside("difference in differences", own, own - wide, own + wide, says)


def _others_of_several(of: Case, pilot: Pilot, study: OutcomeStudy) -> Iterator[Beside]:
    wide = float(norm.ppf(0.5 + pilot.level / 2.0))
    if study.evidence.method == IMPUTATION:
        mean, what = groups_of(of).aggregate(), "group-time difference in differences"
        effect, error = mean.overall, mean.overall_error
        says = "mean over all groups and periods (Callaway and Sant'Anna 2021)"
    else:
        found = impute(of.y, of.first, of.periods, weights=of.weights, anticipation=of.anticipation)
        effect, error, what = float(found.effect[0]), float(found.error[0]), "imputation"
        says = "mean over treated observations (Borusyak, Jaravel and Spiess 2024)"
    yield Beside(what, effect, effect - wide * error, effect + wide * error, says)


def _other_terms(pilot: Pilot, panel: Panel, outcome: Outcome, of: Case) -> Iterator[Beside]:
    """The leading estimate with neighbours, and if regions reacted a period earlier."""
    earlier = pilot.anticipation + 1
    tried = [(f"reactions {earlier} period{'s' if earlier > 1 else ''} before the start left out", False, earlier)]
    if pilot.neighbours:
        tried.insert(0, ("neighbours compared with too", True, pilot.anticipation))
    for what, neighbours, anticipation in tried:
        try:
            yield _leading(what, case(pilot, panel, outcome, neighbours=neighbours, anticipation=anticipation), pilot)
        except (NoCaseError, ValueError) as why:
            yield Beside(what, None, None, None, str(why))


def _leading(what: str, of: Case, pilot: Pilot) -> Beside:
    if len(of.treated) == 1:
        found = synthetic_control(of.y, of.alone, of.start, level=pilot.level)
        says = f"error before the start {found.pre_error:.4f}, rank {found.rank} of {found.units}"
        return Beside(what, found.effect, _finite(found.low), _finite(found.high), says)
    wide = float(norm.ppf(0.5 + pilot.level / 2.0))
    imputed = impute(of.y, of.first, of.periods, weights=of.weights, anticipation=of.anticipation)
    effect, error = float(imputed.effect[0]), float(imputed.error[0])
    return Beside(what, effect, effect - wide * error, effect + wide * error, "by imputation")


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _even(of: Case) -> bool:
    """Whether periods follow each other without a gap, as honest bounds take them to."""
    return not of.anticipation and len(set(np.diff(of.periods).tolist())) <= 1


def _doubted(event: EventStudy | None, why: str, pilot: Pilot, even: bool) -> Doubted:
    if event is None:
        return Doubted(missing=why)
    if event.mean_error <= 0.0:
        return Doubted(missing="regions do not differ in how they change, so that nothing says what chance may do")
    strength = robustness_value(event.mean / event.mean_error, event.degrees, alpha=1.0 - pilot.level)
    found = Doubted(robustness=strength, mean=event.mean, error=event.mean_error)
    if not even:
        return replace(
            found, missing="periods that do not follow each other, or anticipated ones left out between them"
        )
    if event.before < 2:
        return replace(found, missing="fewer than three periods before the start: nothing is seen of its trend")
    try:
        magnitudes = relative_magnitudes(
            event.effect, event.covariance, event.before, bounds=MAGNITUDES, level=pilot.level, seed=pilot.seed
        )
        path = np.append(event.effect[: event.before], 0.0)
        bend = float(np.abs(np.diff(path, 2)).max())
        smooth = tuple(
            (k * bend, *smoothness(event.effect, event.covariance, event.before, k * bend, level=pilot.level))
            for k in BENDS
        )
    except ValueError as cannot:
        return replace(found, missing=str(cannot))
    return replace(found, magnitudes=magnitudes, smooth=smooth)


def _looks(study: OutcomeStudy, of: Case, pilot: Pilot, outcome: Outcome, alpha: float) -> tuple[Watch | None, str]:
    """Looks at the gap in every period."""
    starts = {of.first[k] for k in of.treated}
    if len(starts) > 1:
        return None, "regions started in different periods: no one gap to look at"
    if study.effect is not None:
        gap = left_out_gaps(of.y, of.alone, of.start)
    else:
        rows, weights = list(of.treated), np.ones(len(of.y)) if of.weights is None else of.weights
        others = [k for k in range(len(of.y)) if k not in rows]
        gap = np.average(of.y[rows], axis=0, weights=weights[rows])
        gap = gap - np.average(of.y[others], axis=0, weights=weights[others])
    try:
        return watch(
            gap, of.start, alpha=alpha, side=outcome.harm, seed=pilot.seed, season=outcome.season, looks=outcome.looks
        ), ""
    except ValueError as cannot:
        return None, str(cannot)


def _placebos(study: OutcomeStudy, of: Case, outcome: Outcome) -> Placebos | None:
    """Looks by comparison with other regions, each held against its own synthetic control, where there are enough."""
    if study.effect is None or len(of.y) < FEWEST_REGIONS:
        return None
    gaps = np.insert(study.effect.donor_gaps, of.alone, study.effect.gaps, axis=0)
    try:
        return placebo_spending(gaps, of.alone, of.start, planned=max(outcome.looks, of.after), side=outcome.harm)
    except ValueError:
        return None  # too few periods before the start, which the looks above say
