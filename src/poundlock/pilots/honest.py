"""Honest bounds: what an event study says of an effect where trends may not be parallel, by how much more they may part after the start than they
did before (Rambachan and Roth 2023, Review of Economic Studies 90(5)).

The class is that of relative magnitudes: the violation of parallel trends changes from one period to the next, after the start, by at most `bound`
times its largest such change before. It is a union of cones, one for each period before the start and sign that may hold the largest change. In each
the conditional test with a least favourable first stage (C-LF) is inverted: Andrews, Roth and Pakes 2023, Review of Economic Studies 90(6).

That test takes the optimum of a linear programme and the vertices of its dual. Here they can be named, so that no programme is solved. With x the
changes after the start, c the tail sums of the weights and v the largest change before it, the effect is sum(c x) and the moments are +x_t - bound v and
-x_t - bound v. Multipliers that leave no other combination of x than the effect are: those of sum(c x) from above, from below, and of one x_t from both
sides, which says that v is not negative. Three kinds, and two more vertices than periods. (Where one period alone is weighed, its third is a mean of
the first two and changes nothing.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
FIRST_STAGE: Final = 0.1
"""Share of the error that the first stage may spend, as the authors advise."""
EXACT: Final = 1e-10
ROUNDING: Final = 1e-8
LEAST: Final = 1e-6
"""Of the largest standard deviation: one below that is not told from none."""
ZOOMS: Final = 6
"""Times that the step of the grid at an end is divided by 32."""


@dataclass(frozen=True)
class HonestBound:
    """The robust confidence interval under one bound. bound: largest change of the violation from one period to the next after the start, in its largest
    change before the start. low, high: ends of the interval, unit of the effects. level: chance that it holds the effect, at least."""

    bound: float
    low: float
    high: float
    level: float


class _Study(NamedTuple):
    """An event study as given, checked. effects: (m,). covariance: (m, m). changes: (m, m), rows that give the change into each period from the one
    before, the reference included. weights: (q,), of the periods after. drawn: (m, n), errors of the effects, each with its mirror image. least: standard
    deviation that is not told from none."""

    effects: Floats
    covariance: Floats
    before: int
    changes: Floats
    weights: Floats
    drawn: Floats
    least: float


class _Cone(NamedTuple):
    """What is tested of one cone: at an effect e the statistic is the largest of at - slope e. at, slope: (j,). covariance: (j, j), of at. first: the
    critical value of the first stage."""

    at: Floats
    slope: Floats
    covariance: Floats
    first: float


def relative_magnitudes(
    effects: ArrayLike,
    covariance: ArrayLike,
    before: int,
    *,
    bounds: tuple[float, ...] = (0.0, 0.5, 1.0, 1.5, 2.0),
    weights: ArrayLike | None = None,
    level: float = 0.95,
    draws: int = 10_000,
    seed: int = 1,
    points: int = 1_001,
) -> tuple[HonestBound, ...]:
    """Confidence intervals for an effect that hold while the violation of parallel trends changes, from one period to the next, by at most `bound` times
    its largest change before the start; one interval a bound, in their order.

    effects: (m,), an event study against the last period before the start, which is left out, in rising event time. covariance: (m, m), of their
    errors. before: how many of them lie before the start; the reference stands between these and the rest. weights: (q,), of the periods after it in the
    effect, any sum; none for their mean. draws, seed: of the first stage's critical value. points: of the grid.

    What is tested are the moments that hold periods after the start, as in the authors' software (HonestDiD), there with one exception: for a single
    such period it tests those before the start too, which makes intervals wider. The first stage rejects all effects beyond a range that is known. A
    grid over that range is tested, and the step that holds each outermost end is divided until it is smaller by 32^6. What is accepted need not be an
    interval; the ends are its outermost ones, so that gaps are counted in, and a piece between two points of the grid may be missed. The interval is
    never empty or infinite: the estimated effect is always in it.

    Raises ValueError for no period before or after the start, shapes that disagree, numbers that are missing, a covariance that is none, bounds below
    zero, weights that are all zero.
    """
    study = _study(effects, covariance, before, weights, draws, seed)
    if not len(bounds) or not all(np.isfinite(b) and b >= 0.0 for b in bounds):
        raise ValueError(f"bounds {tuple(bounds)}; expected one at least, none negative or missing")
    if not 0.0 < level < 1.0:
        raise ValueError(f"level {level:g}; expected between 0 and 1")
    if points < 11:
        raise ValueError(f"{points} points; expected 11 at least")
    found = []
    for bound in bounds:
        cones = _cones(study, float(bound), 1.0 - level)
        low, high = _interval(cones, float(study.weights @ study.effects[before:]), 1.0 - level, points)
        found.append(HonestBound(float(bound), low, high, level))
    return tuple(found)


def breakdown(found: tuple[HonestBound, ...], null: float = 0.0) -> float | None:
    """The largest bound up to which no interval holds `null`; none where that of the smallest bound already does. Among the bounds given: between this one
    and the next the interval reaches it. Raises ValueError where there is no interval."""
    if not found:
        raise ValueError("no interval; expected one at least")
    largest = None
    for one in sorted(found, key=lambda f: f.bound):
        if one.low <= null <= one.high:
            break
        largest = one.bound
    return largest


def checked_event_study(effects: ArrayLike, covariance: ArrayLike, before: int) -> tuple[Floats, Floats]:
    """Effects (m,) and their covariance (m, m). Raises ValueError, see `relative_magnitudes`."""
    beta, sigma = np.asarray(effects, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    if beta.ndim != 1 or sigma.shape != (len(beta), len(beta)):
        raise ValueError(f"effects {beta.shape}, covariance {sigma.shape}; expected (m,) and (m, m)")
    if before < 1:
        raise ValueError(
            f"{before} effects before the start; expected one at least beside the reference: without it nothing is known of trends"
        )
    if before >= len(beta):
        raise ValueError(f"{len(beta)} effects, {before} before the start; expected one at least after it")
    if not (np.isfinite(beta).all() and np.isfinite(sigma).all()):
        raise ValueError("effects or covariance hold missing or infinite numbers; expected none")
    wide, off = float(np.abs(sigma).max()), float(np.abs(sigma - sigma.T).max())
    if off > ROUNDING * wide:
        raise ValueError(f"covariance differs from its transpose by {off:.3g}; expected a symmetric one")
    sigma = (sigma + sigma.T) / 2.0
    least = float(np.linalg.eigvalsh(sigma)[0])
    if least < -ROUNDING * wide:
        raise ValueError(f"covariance has an eigenvalue of {least:.3g}; expected none below zero")
    return beta, sigma


def _study(
    effects: ArrayLike, covariance: ArrayLike, before: int, weights: ArrayLike | None, draws: int, seed: int
) -> _Study:
    """All that does not hang on the bound. Raises ValueError, see `relative_magnitudes`."""
    beta, sigma = checked_event_study(effects, covariance, before)
    after = len(beta) - before
    given = np.full(after, 1.0 / after) if weights is None else np.asarray(weights, dtype=np.float64)
    if given.shape != (after,) or not np.isfinite(given).all() or not given.any():
        raise ValueError(f"weights {given.shape}, missing or all zero; expected {after}, one a period after the start")
    if not given @ sigma[before:, before:] @ given > 0.0:
        raise ValueError("covariance leaves the effect without an error; expected a positive variance")
    if draws < 1_000:
        raise ValueError(f"{draws} draws; expected 1000 at least: the first stage reads a far tail off them")
    values, vectors = np.linalg.eigh(sigma)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    half = root @ np.random.default_rng(seed).standard_normal((len(beta), draws // 2))
    changes = np.diff(np.insert(np.eye(len(beta)), before, 0.0, axis=0), axis=0)
    least = LEAST * float(np.sqrt(np.diag(sigma).max()))
    return _Study(beta, sigma, before, changes, given, np.hstack([half, -half]), least)


def _cones(study: _Study, bound: float, error: float) -> list[_Cone]:
    """One for each period before the start and sign that may hold the largest change; they are all the same where the bound is zero."""
    found = []
    for period in range(study.before if bound > 0.0 else 1):
        for sign in (1.0, -1.0) if bound > 0.0 else (1.0,):
            rows, slope = _vertices(study, bound, period, sign)
            first = float(np.quantile((rows @ study.drawn).max(axis=0), 1.0 - FIRST_STAGE * error))
            found.append(_Cone(rows @ study.effects, slope, rows @ study.covariance @ rows.T, first))
    return found


def _vertices(study: _Study, bound: float, period: int, sign: float) -> tuple[Floats, Floats]:
    """Vertices of the dual programme times the moments: rows on the effects, (j, m), and on the effect that is tested, (j,). Each is scaled so that the
    standard deviations of its moments, weighted by the multipliers, add up to one."""
    prior, later = study.changes[: study.before], study.changes[study.before :]
    largest = sign * prior[period]
    tails = np.cumsum(study.weights[::-1])[::-1]
    above, below = later - bound * largest, -later - bound * largest
    rise, fall = np.maximum(tails, 0.0), np.maximum(-tails, 0.0)
    wide_above, wide_below = _deviations(study, above), _deviations(study, below)
    rows = [rise @ above + fall @ below, fall @ above + rise @ below]
    size = [rise @ wide_above + fall @ wide_below, fall @ wide_above + rise @ wide_below]
    more, wide = above + below, wide_above + wide_below
    slope = np.append([1.0, -1.0], np.zeros(len(more)))
    scale = np.maximum(np.append(size, wide), study.least)
    return np.vstack([*rows, more]) / scale[:, None], slope / scale


def _deviations(study: _Study, rows: Floats) -> Floats:
    """Standard deviations of combinations of the effects, (j,)."""
    return np.asarray(np.sqrt(np.maximum(np.sum(rows @ study.covariance * rows, axis=1), 0.0)))


def _interval(cones: list[_Cone], estimate: float, error: float, points: int) -> tuple[float, float]:
    """The outermost ends of what at least one cone accepts."""
    ranges = [r for r in map(_range, cones) if r is not None]
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    margin = 0.01 * (high - low)
    grid = np.sort(np.append(np.linspace(low - margin, high + margin, points), estimate))
    taken = np.flatnonzero(_held(cones, grid, error))
    return (
        _end(cones, grid[max(taken[0] - 1, 0)], grid[taken[0]], error),
        _end(cones, grid[min(taken[-1] + 1, points)], grid[taken[-1]], error),
    )


def _range(cone: _Cone) -> tuple[float, float] | None:
    """The effects that the first stage lets pass; none where it lets none pass."""
    left = cone.at - cone.first
    if np.any(left[cone.slope == 0.0] > 0.0):
        return None
    low = float(np.max((left / np.where(cone.slope > 0.0, cone.slope, 1.0))[cone.slope > 0.0]))
    high = float(np.min((left / np.where(cone.slope < 0.0, cone.slope, 1.0))[cone.slope < 0.0]))
    return (low, high) if low <= high else None


def _end(cones: list[_Cone], outside: float, inside: float, error: float) -> float:
    """Where acceptance ends between a point that is rejected and one that is not, to the inside."""
    for _ in range(ZOOMS):
        grid = np.linspace(outside, inside, 33)
        first = int(np.argmax(_held(cones, grid, error)))
        if first == 0:
            return float(grid[0])
        outside, inside = float(grid[first - 1]), float(grid[first])
    return inside


def _held(cones: list[_Cone], effects: Floats, error: float) -> Mask:
    """Whether at least one cone accepts each effect. (n,)."""
    held = np.zeros(len(effects), dtype=np.bool_)
    for cone in cones:
        left = np.flatnonzero(~held)
        held[left] = _accepted(cone, effects[left], error)
    return held


def _accepted(cone: _Cone, effects: Floats, error: float) -> Mask:
    """The test of each effect, (n,). Given which vertex is the largest, and what of all others is independent of it, the statistic is normal between two
    limits: where another vertex would become the largest. Source: Andrews, Roth and Pakes 2023, sections 3 and 4; with the hybrid's first stage passed,
    it is also below that critical value."""
    values = cone.at - effects[:, None] * cone.slope
    which = np.argmax(values, axis=1)
    top = values[np.arange(len(effects)), which]
    variance = np.maximum(np.diag(cone.covariance), 0.0)
    sure = variance <= EXACT**2
    along = cone.covariance / np.where(sure, 1.0, variance)[:, None]
    share = along[which]
    rest, slack = values - share * top[:, None], 1.0 - share
    limit = rest / np.where(np.abs(slack) > EXACT, slack, 1.0)
    low = np.max(np.where(slack > EXACT, limit, -np.inf), axis=1)
    high = np.minimum(np.min(np.where(slack < -EXACT, limit, np.inf), axis=1), cone.first)
    deviation = np.sqrt(np.where(sure, 1.0, variance))[which]
    spent = FIRST_STAGE * error
    chance = _beyond(top / deviation, low / deviation, high / deviation)
    passed = (top <= cone.first) & ~sure[which] & (chance >= (error - spent) / (1.0 - spent))
    return np.asarray((top <= EXACT) | passed)


def _beyond(at: Floats, low: Floats, high: Floats) -> Floats:
    """Chance that a standard normal between two limits lies beyond a number between them; one where the limits meet. (n,)."""
    base = log_ndtr(-np.minimum(low, at))
    past = np.exp(log_ndtr(-np.maximum(high, at)) - base)
    apart = past < 1.0
    return np.where(apart, (np.exp(log_ndtr(-at) - base) - past) / np.where(apart, 1.0 - past, 1.0), 1.0)
