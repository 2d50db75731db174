"""Intervals of one treated unit's effect in each period, by permuting residuals in time (Chernozhukov, Wüthrich and Zhu 2021, JASA 116(536))."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from poundlock.pilots.synthetic_control import fit_weights

Floats = NDArray[np.float64]
MOST_DOUBLINGS: Final = 40
STEPS: Final = 24
"""Points looked at on each side, before the outermost that is not rejected is found exactly."""


@dataclass(frozen=True)
class Conformal:
    """By period after the start. effect: gap to the comparison fitted before the start. low, high (p,): effects that the permutation test does not reject,
    infinite where it never does. level: of these intervals, at least what was asked, or the most that so few periods can give. p_value: of no effect in any
    period; smallest_p: the smallest that it could be."""

    effect: Floats = field(repr=False)
    low: Floats = field(repr=False)
    high: Floats = field(repr=False)
    level: float
    p_value: float
    smallest_p: float


def conformal(outcomes: ArrayLike, treated: int, start: int, *, level: float = 0.9) -> Conformal:
    """Effects of a synthetic control period by period, each with its interval.

    outcomes: (units, periods), complete. treated: row. start: column of the first period under treatment. Under a supposed effect the weights are fitted to the
    periods before the start and the one in question together; were the effect true, its residual would be one among the others. With many periods the level
    holds approximately even where residuals have memory. All periods together are tested by moving blocks. Raises ValueError for fewer than two periods
    before the start, none after it, or values missing.
    """
    y = np.asarray(outcomes, dtype=np.float64)
    if y.ndim != 2 or not np.isfinite(y).all():
        raise ValueError(f"outcomes {y.shape} with gaps or not a table; expected every unit in every period")
    if not 2 <= start < y.shape[1]:
        raise ValueError(f"start at period {start} of {y.shape[1]}; expected two periods before it and one after")
    donors = np.delete(y, treated, axis=0)
    gap = y[treated] - fit_weights(y[treated, :start], donors[:, :start]) @ donors
    rejected = max(int(np.floor(round((1.0 - level) * (start + 1), 9))), 1)
    ends = [_ends(y[treated], donors, start, at, float(gap[at]), rejected) for at in range(start, y.shape[1])]
    low, high = (np.array(side) for side in zip(*ends, strict=True))
    together = _moving_blocks(y[treated], donors, start)
    return Conformal(gap[start:], low, high, 1.0 - rejected / (start + 1), together, 1.0 / y.shape[1])


def _ends(own: Floats, donors: Floats, start: int, at: int, centre: float, rejected: int) -> tuple[float, float]:
    """Outermost effects in one period that are not rejected."""
    columns = np.append(np.arange(start), at)
    x = donors[:, columns]

    def kept(effect: float) -> bool:
        """As many residuals as the rejection region holds, or more, are as large as the last; ties count."""
        target = own[columns].copy()
        target[-1] -= effect
        residual = np.abs(target - fit_weights(target, x) @ x)
        tie = 1e-9 * max(float(np.abs(target).max()), 1.0)
        return int(np.count_nonzero(residual >= residual[-1] - tie)) > rejected

    step = max(float(np.ptp(own[:start] - donors[:, :start].mean(axis=0))), 1e-6 * max(abs(centre), 1.0))
    return _outermost(kept, centre, -step), _outermost(kept, centre, step)


def _outermost(kept: Callable[[float], bool], centre: float, step: float) -> float:
    """Last effect in one direction that is kept."""
    far = centre + step
    for _ in range(MOST_DOUBLINGS):
        if not kept(far):
            break
        far = centre + 2.0 * (far - centre)
    else:
        return float(np.copysign(np.inf, step))
    inside, outside = centre, far
    for point in np.linspace(far, centre, STEPS, endpoint=False)[1:]:
        if kept(float(point)):
            inside = float(point)
            break
        outside = float(point)
    for _ in range(60):
        middle = 0.5 * (inside + outside)
        if abs(outside - inside) <= 1e-9 * max(abs(middle), 1e-3):
            break
        inside, outside = (middle, outside) if kept(middle) else (inside, middle)
    return inside


def _moving_blocks(own: Floats, donors: Floats, start: int) -> float:
    """p of no effect at all: the mean absolute residual after the start among all of its shifts in time (their section 2.2)."""
    residual = np.abs(own - fit_weights(own, donors) @ donors)
    block = len(own) - start
    shifted = np.array([np.roll(residual, k)[start:].sum() for k in range(len(own))])
    return float(np.mean(shifted >= shifted[0] - 1e-12 * max(block, 1)))
