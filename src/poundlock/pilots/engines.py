"""Two engines for one number: our own estimate beside the package's; where they part, nothing is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from poundlock.pilots import by_diff_diff
from poundlock.pilots.by_diff_diff import PINNED, Other
from poundlock.pilots.group_time import GroupTime, group_time
from poundlock.pilots.imputation import Imputed, impute

Floats = NDArray[np.float64]
POINTS: Final = 1e-8
ERRORS: Final = 1e-6
OF_PRE_ERROR: Final = 0.05
PERFECT: Final = 1e-9
"""Largest difference of two points, and of two standard errors, in units of the outcome or of its spread where that is larger than one; of synthetic
controls the share of the error before the start, since weights need not be unique."""


@dataclass(frozen=True)
class Agreement:
    """One method in two engines. ours, other: effect and standard error, NaN where the method has none. points, errors: what they may differ by."""

    method: str
    ours: Other
    other: Other
    points: float
    errors: float

    @property
    def agree(self) -> bool:
        """Whether both are within what they may differ by."""
        near = abs(self.ours.effect - self.other.effect) <= self.points
        if np.isnan(self.ours.error) and np.isnan(self.other.error):
            return near
        return near and abs(self.ours.error - self.other.error) <= self.errors

    def __repr__(self) -> str:
        said = (
            f"{self.method}: {self.ours.effect:+.6g} by our own engine, {self.other.effect:+.6g} by diff-diff {PINNED}"
        )
        if not np.isnan(self.ours.error):
            said += f"; standard errors {self.ours.error:.6g} and {self.other.error:.6g}"
        return f"{said}; {'they agree' if self.agree else 'THEY DISAGREE'}"


def of_synthetic_control(outcomes: ArrayLike, treated: int, start: int, effect: float, pre_error: float) -> Agreement:
    """outcomes (u, t); treated, start: row and column; effect, pre_error: of our own estimate. Where the fit is perfect more than one comparison fits, and both engines may be right."""
    other = by_diff_diff.synthetic_control(outcomes, treated, start)
    perfect = pre_error <= PERFECT * float(np.std(np.asarray(outcomes, dtype=np.float64)))
    allowed = np.inf if perfect else max(OF_PRE_ERROR * pre_error, POINTS * _scale(outcomes))
    return Agreement("synthetic control", Other(effect, float("nan")), other, allowed, 0.0)


def of_group_time(
    outcome: ArrayLike, periods: ArrayLike, found: GroupTime, *, weights: ArrayLike | None = None, anticipation: int = 0
) -> Agreement:
    """found: our own estimate, without covariates, of these data. With anticipation the package averages over anticipated periods too; so do both engines here, on the same
    cells against the same base."""
    first, scale, said = found.first - anticipation, _scale(outcome), ""
    if anticipation:
        found = group_time(outcome, first, periods, weights=weights, controls=found.controls)
        said = ", anticipated periods counted"
    mean = found.aggregate()
    not_yet = found.controls == "not-yet-treated"
    other = by_diff_diff.group_time(outcome, first, periods, weights=weights, not_yet_treated=not_yet)
    ours = Other(mean.overall, mean.overall_error)
    return Agreement(f"group-time difference in differences{said}", ours, other, POINTS * scale, ERRORS * scale)


def of_imputation(
    outcome: ArrayLike,
    first: ArrayLike,
    periods: ArrayLike,
    found: Imputed,
    *,
    weights: ArrayLike | None = None,
    anticipation: int = 0,
) -> Agreement:
    """found: our own estimate over all treated observations. With weights the package centres what units move and counts one fewer; so do we here. With anticipation both
    average over anticipated periods too."""
    start, said = np.asarray(first, dtype=np.float64) - anticipation, ""
    if anticipation:
        found = impute(outcome, start, periods, weights=weights)
        said = ", anticipated periods counted"
    moved, scale = found.moved[:, 0], _scale(outcome)
    error = float(np.sqrt(np.sum(moved**2)))
    if weights is not None:
        error = float(np.sqrt(np.sum((moved - moved.mean()) ** 2) * len(moved) / (len(moved) - 1)))
    other = by_diff_diff.impute(outcome, start, periods, weights=weights)
    return Agreement(f"imputation{said}", Other(float(found.effect[0]), error), other, POINTS * scale, ERRORS * scale)


def _scale(outcome: ArrayLike) -> float:
    spread = float(np.std(np.asarray(outcome, dtype=np.float64)))
    return min(max(spread, 1.0), 1e3 * spread)  # an outcome far below one is not waved through
