"""Effects by time since the start, all against the one period before it, with their covariance: what honest bounds stand on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from poundlock.pilots.group_time import GroupTime

Floats = NDArray[np.float64]
BAND_DRAWS: Final = 20_000


@dataclass(frozen=True)
class EventStudy:
    """at: periods since the start, rising, without the reference period. effect (m,), in units of the outcome; covariance (m, m). before: how many lie before
    the start. degrees: of freedom of the covariance."""

    at: tuple[int, ...]
    effect: Floats = field(repr=False)
    covariance: Floats = field(repr=False)
    before: int
    degrees: int

    @property
    def mean(self) -> float:
        """Of the effects after the start."""
        return float(self.effect[self.before :].mean())

    @property
    def mean_error(self) -> float:
        """Standard error of that mean."""
        after = self.covariance[self.before :, self.before :]
        return float(np.sqrt(after.mean()))

    @property
    def error_before(self) -> float | None:
        """Root mean squared effect before the start, where there should be none; None where nothing can be seen of it."""
        return float(np.sqrt(np.mean(self.effect[: self.before] ** 2))) if self.before else None


def of_groups(found: GroupTime, anticipation: int = 0) -> EventStudy:
    """From group-time effects: before the start these are changes from one period to the next, which add up to the distance from the reference period.
    Groups by their size; sizes are taken as known. Periods of anticipation are left out."""
    starts = np.array([cell.group for cell in found.cells])
    periods = np.array([cell.period for cell in found.cells])
    effect = np.array([cell.effect for cell in found.cells])
    influence, share = found.influence, {cell.group: found.share[k] for k, cell in enumerate(found.cells)}
    own: dict[int, list[tuple[float, float, Floats]]] = {}
    for group in np.unique(starts):
        early = np.flatnonzero((starts == group) & (periods < group - anticipation))
        for k in np.flatnonzero((starts == group) & (periods >= group)):
            own.setdefault(int(periods[k] - group), []).append((share[group], effect[k], influence[:, k]))
        for place in range(len(early)):
            later = early[place:]  # the period before cell `place`, from the reference
            at = int(_previous(periods[starts == group], periods[early[place]], found) - group)
            own.setdefault(at, []).append((share[group], -effect[later].sum(), -influence[:, later].sum(axis=1)))
    order = tuple(sorted(own))
    weights = [np.array([w for w, _, _ in own[k]]) for k in order]
    means = np.array([w @ np.array([e for _, e, _ in own[k]]) / w.sum() for k, w in zip(order, weights, strict=True)])
    moved = np.column_stack(
        [np.column_stack([i for _, _, i in own[k]]) @ w / w.sum() for k, w in zip(order, weights, strict=True)]
    )
    if found.cluster is not None:
        moved = np.stack([np.bincount(found.cluster, weights=column) for column in moved.T], axis=1)
    covariance = moved.T @ moved / len(influence) ** 2
    return EventStudy(order, means, covariance, sum(k < 0 for k in order), len(moved) - 2)


def _previous(of_group: NDArray[np.int64], period: int, found: GroupTime) -> int:
    """The period of the panel before this one."""
    earlier = of_group[of_group < period]
    return int(earlier.max()) if len(earlier) else found.earliest


def of_one(outcomes: ArrayLike, treated: int, start: int) -> EventStudy:
    """One treated unit against all donors alike; how donors differ among each other says how far it may differ by chance (Conley and Taber 2011, Review of
    Economics and Statistics 93(1)).

    outcomes: (u, t), complete. treated: row. start: column of the first period under treatment; the one before it is the reference. Raises ValueError where
    donors are too few for a covariance of so many periods.
    """
    y = np.asarray(outcomes, dtype=np.float64)
    donors = np.delete(y, treated, axis=0)
    if len(donors) < y.shape[1] + 1:
        raise ValueError(f"{len(donors)} donors for {y.shape[1]} periods; expected {y.shape[1] + 1} donors at least")
    others = [t for t in range(y.shape[1]) if t != start - 1]
    off = donors[:, others] - donors[:, [start - 1]]
    effect = y[treated, others] - y[treated, start - 1] - off.mean(axis=0)
    covariance = np.atleast_2d(np.cov(off.T)) * (1.0 + 1.0 / len(donors))
    return EventStudy(tuple(t - start for t in others), effect, covariance, start - 1, len(donors) - 1)


def band(study: EventStudy, treated: float, *, level: float = 0.9, seed: int = 1) -> float:
    """Half width, in standard errors, of a band that holds the whole path with chance `level`.

    treated: so many treated units tell of it, more than one. Quantile of the largest of correlated t statistics, with a degree of freedom less than treated units, whose few also
    make the error itself too small; the multiplier bootstrap of `simultaneous_bands` counts neither. Raises ValueError for one treated unit.
    """
    if not treated > 1.0:
        raise ValueError(f"{treated:g} treated units; expected more than one")
    sure = np.diag(study.covariance) > 0.0
    covariance = study.covariance[np.ix_(sure, sure)]
    error = np.sqrt(np.diag(covariance))
    draw = np.random.default_rng(seed)
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    normal = draw.normal(size=(BAND_DRAWS, len(error))) @ (vectors * np.sqrt(values.clip(min=0.0))).T
    spread = np.sqrt(draw.chisquare(treated - 1.0, BAND_DRAWS) / (treated - 1.0))
    largest = np.abs(normal).max(axis=1) / spread
    return float(np.quantile(largest, level) * np.sqrt(treated / (treated - 1.0)))
