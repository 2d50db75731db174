"""The proposal of a next stage for a plan: candidates from its panel, their risk from what was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from poundlock.desk.effects import Case, NoCaseError, case
from poundlock.desk.evaluation import OutcomeStudy, Places
from poundlock.pilots import Panel, Pilot
from poundlock.pilots.panel import baseline_column
from poundlock.rollout.next_stage import Candidates, next_stage

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Room:
    """Risk that is still within tolerance, in shares of equity: what the measures add today, the upper end of its interval at `level`, and the limit."""

    today: float
    high: float
    limit: float
    level: float

    @property
    def left(self) -> float:
        """From the upper end of what is added today to the limit."""
        return self.limit - self.high

    @property
    def error(self) -> float:
        """Relative standard error of what is added today."""
        return (
            (self.high - self.today) / float(norm.ppf(0.5 + self.level / 2.0)) / self.today if self.today > 0.0 else 0.0
        )


def proposed(
    pilot: Pilot, panel: Panel, studies: tuple[OutcomeStudy, ...], places: Places, room: Room | None
) -> Places:
    """With the proposal that the plan asks for, or why there is none."""
    asked = pilot.next
    if asked is None:
        return places
    outcome = next(one for one in pilot.outcomes if one.id == asked.outcome)
    study = next(one for one in studies if one.id == asked.outcome)
    if study.evidence.value is None:
        return replace(
            places, no_proposal=f"the effect that it is to learn more of has no estimate: {study.evidence.missing}"
        )
    table = np.column_stack([baseline_column(panel, one) for one in pilot.baselines])
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    strength = table[:, [one.id for one in pilot.baselines].index(asked.strength)]
    measured = room if asked.tolerance is not None and asked.risk_by is not None else None
    if measured is not None and measured.today <= 0.0:
        return replace(places, no_proposal="the measures add nothing today that could be scaled to other regions")
    risk = _risk(pilot, panel, asked.risk_by, measured) if asked.risk_by is not None and measured is not None else None
    of = Candidates(
        tuple(_name(panel, k) for k in known),
        table[known],
        np.array([panel.units[k] in pilot.treated for k in known]),
        np.array([panel.units[k] in asked.consented for k in known]),
        strength[known],
        risk[known] if risk is not None else None,
    )
    try:
        of_case = case(pilot, panel, outcome)
        within, between = _spread(of_case)
        found = next_stage(
            of,
            regions=asked.regions,
            waves=asked.waves,
            among=asked.effects_differ_by,
            noise=_noise(study, pilot.level, of_case.effective),
            within=within,
            between=between,
            room=measured.left if measured is not None else None,
            risk_error=measured.error if measured is not None else 0.0,
            exceed=asked.exceed,
            weak_wanted=asked.second,
            choose_by=asked.choose_by,
            seed=asked.seed,
        )
    except (NoCaseError, ValueError) as cannot:
        return replace(places, no_proposal=str(cannot))
    unknown = [k for k, unit in enumerate(panel.units) if unit in asked.consented and k not in known]
    passed = (*found.passed, *((_name(panel, k), "a baseline of it is missing") for k in unknown))
    return replace(places, proposal=replace(found, passed=passed))


def _name(panel: Panel, row: int | np.int64) -> str:
    """With the code where two regions share a name."""
    name = panel.names[row]
    return name if panel.names.count(name) == 1 else f"{name} ({panel.units[row]})"


def _risk(pilot: Pilot, panel: Panel, column: str, room: Room) -> Floats:
    """What each region would add: what the measures add today, by size against the regions where they run, in the last period in which all of these are known."""
    sizes, sites = panel.values[column], [panel.units.index(code) for code in pilot.treated]
    known = np.flatnonzero(np.isfinite(sizes[sites]).all(axis=0))
    if not len(known):
        return np.full(len(panel.units), np.nan)
    at = known[-1]
    whole = float(sizes[sites, at].sum())
    return np.asarray(room.today * sizes[:, at] / whole) if whole > 0.0 else np.full(len(panel.units), np.nan)


def _noise(study: OutcomeStudy, level: float, regions: float) -> float:
    """Standard error of an effect measured in one region: half of the interval's width over its quantile, of a mean over several regions times the root of their number."""
    e = study.evidence
    if e.low is None or e.high is None:
        raise ValueError("the effect has no interval: how much one region tells is not known")
    return (e.high - e.low) / 2.0 / float(norm.ppf(0.5 + (e.level or level) / 2.0)) * float(np.sqrt(regions))


def _spread(of: Case) -> tuple[float, float]:
    """Standard deviations of the outcome in one region and period, beside the region's level and the period's, and of regions' levels; before the start."""
    y = of.y[:, : of.start]
    left = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    degrees = (y.shape[0] - 1) * max(y.shape[1] - 1, 1)
    return float(np.sqrt((left**2).sum() / degrees)), float(y.mean(axis=1).std(ddof=1))
