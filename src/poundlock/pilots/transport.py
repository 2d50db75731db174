"""Elsewhere: how unlike others a pilot site was, and what its effect says of a place with other characteristics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.stats import norm

Floats = NDArray[np.float64]
MOST_STEPS: Final = 200
EXACT: Final = 1e-9
FEWEST_EFFECTIVE: Final = 5.0


class Placed(NamedTuple):
    """One baseline of a pilot site beside all other places. value. percentile: share of others below it, ties by half. distance: from their mean, in
    their standard deviations."""

    baseline: str
    value: float
    percentile: float
    distance: float


@dataclass(frozen=True)
class Audit:
    """How unusual a site was before the start. baselines: each. distance: Mahalanobis distance from the mean of all others. rank: of the site by that
    distance among all places, each held against the rest; 1 is the most unusual. places: how many."""

    baselines: tuple[Placed, ...]
    distance: float
    rank: int
    places: int

    def __repr__(self) -> str:
        said = "; ".join(f"{b.baseline} at the {b.percentile:.0%} point, {b.distance:+.1f} sd" for b in self.baselines)
        return f"rank {self.rank} of {self.places} by distance ({self.distance:.2f}); {said}"


def audit(baselines: ArrayLike, names: tuple[str, ...], site: int) -> Audit:
    """Where a pilot site stood among all places before the start. baselines: (u, k). names: (k,). site: its row. Shown before any effect: places that are
    chosen for trials are richer and try harder (Wang and Yang 2025, Journal of Political Economy). Raises ValueError for shapes that disagree,
    missing values, fewer places than baselines allow, or a baseline that is the same everywhere."""
    x = np.asarray(baselines, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(names) or not 0 <= site < len(x):
        raise ValueError(
            f"baselines {x.shape}, {len(names)} names, site {site}; expected (places, {len(names)}) and one of the places"
        )
    if not np.isfinite(x).all():
        u, k = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"{names[k]} of place {u} is missing; expected every baseline of every place")
    if len(x) < x.shape[1] + 3:
        raise ValueError(f"{len(x)} places for {x.shape[1]} baselines; expected {x.shape[1] + 3} at least")
    same = np.flatnonzero(np.ptp(np.delete(x, site, axis=0), axis=0) <= 0.0)
    if len(same):
        raise ValueError(
            f"{names[same[0]]} is the same in all other places; expected one that differs, or leave it out"
        )
    others = np.delete(x, site, axis=0)
    found = []
    for k, name in enumerate(names):
        below = np.mean(others[:, k] < x[site, k]) + 0.5 * np.mean(others[:, k] == x[site, k])
        far = (x[site, k] - others[:, k].mean()) / others[:, k].std(ddof=1)
        found.append(Placed(name, float(x[site, k]), float(below), float(far)))
    distances = np.array([_distance(x, u) for u in range(len(x))])
    rank = 1 + int(np.sum(distances > distances[site]))
    return Audit(tuple(found), float(distances[site]), rank, len(x))


def _distance(x: Floats, place: int) -> float:
    others = np.delete(x, place, axis=0)
    off = x[place] - others.mean(axis=0)
    return float(np.sqrt(off @ np.linalg.lstsq(np.atleast_2d(np.cov(others.T)), off, rcond=None)[0]))


@dataclass(frozen=True)
class Calibrated:
    """Weights of sites, (u,), adding up to one, whose means of the characteristics are the target's. effective: as many sites alike would tell as much."""

    weights: Floats = field(repr=False)
    effective: float


def calibrate(characteristics: ArrayLike, target: ArrayLike) -> Calibrated:
    """Weights nearest to equal ones (in relative entropy) that meet the target's means exactly.

    characteristics: (u, k) of sites with an effect. target: (k,). Raises ValueError where no weights do: the target lies outside what the sites span, with
    the characteristics that are out of reach. Source: Hainmueller 2012, Political Analysis 20(1); Newton on the dual.
    """
    x, goal = np.asarray(characteristics, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if x.ndim != 2 or goal.shape != (x.shape[1],) or not (np.isfinite(x).all() and np.isfinite(goal).all()):
        raise ValueError(f"characteristics {x.shape} and target {goal.shape}; expected (sites, k) and (k,), all known")
    _reachable(x, goal)
    scale = np.where(np.ptp(x, axis=0) > 0.0, np.ptp(x, axis=0), 1.0)
    z, dual = (x - goal) / scale, np.zeros(x.shape[1])
    for _ in range(MOST_STEPS):
        weights = _tilted(z, dual)
        gradient = weights @ z
        if np.max(np.abs(gradient)) < EXACT:
            return Calibrated(weights, float(1.0 / np.sum(weights**2)))
        hessian = (z * weights[:, None]).T @ z - np.outer(gradient, gradient) + 1e-12 * np.eye(len(dual))
        step = np.asarray(np.linalg.solve(hessian, gradient), dtype=np.float64)
        dual = _lowered(z, dual, step, float(gradient @ gradient))
    raise ValueError(
        "the target lies at the edge of what the sites span; expected one within, or fewer characteristics"
    )


def _tilted(z: Floats, dual: Floats) -> Floats:
    logs = -z @ dual
    weights = np.exp(logs - logs.max())
    return np.asarray(weights / weights.sum())


def _lowered(z: Floats, dual: Floats, step: Floats, before: float) -> Floats:
    """A step along which the largest miss falls, halved until it does."""
    for _ in range(40):
        tried = dual + step
        gradient = _tilted(z, tried) @ z
        if float(gradient @ gradient) < before:
            return tried
        step = step / 2.0
    return dual + step


def _reachable(x: Floats, goal: Floats) -> None:
    """Refuses a target outside the convex hull of the sites; names the characteristics that no site reaches, if it is as plain as that."""
    out = np.flatnonzero((goal < x.min(axis=0)) | (goal > x.max(axis=0)))
    if len(out):
        k = int(out[0])
        raise ValueError(
            f"the target's characteristic {k} is {goal[k]:g}, sites have {x[:, k].min():g} to {x[:, k].max():g}; expected a target within their range"
        )
    scale = np.where(np.ptp(x, axis=0) > 0.0, np.ptp(x, axis=0), 1.0)
    rows = np.vstack([((x - goal) / scale).T, np.ones(len(x))])
    found = linprog(np.zeros(len(x)), A_eq=rows, b_eq=np.append(np.zeros(len(goal)), 1.0), bounds=(0.0, 1.0))
    if not found.success:
        raise ValueError(
            "the target's characteristics do not occur together among the sites; expected a target within what they span"
        )


@dataclass(frozen=True)
class Transported:
    """The effect as it would be at the target. effect, error, low, high: with its interval. effective: sites that it rests on. shift: how much it moves if an unseen
    characteristic changes the effect by one of its standard deviations among sites."""

    effect: float
    error: float
    low: float
    high: float
    effective: float
    shift: float


def transport(
    effects: ArrayLike, errors: ArrayLike, characteristics: ArrayLike, target: ArrayLike, *, level: float = 0.95
) -> Transported:
    """Effects of several sites carried to a target: calibrated weights on what a regression on characteristics leaves, so that it is right when either
    is.

    effects, errors: (u,), of each site with its standard error. characteristics: (u, k). target: (k,). Raises ValueError for fewer sites than
    characteristics allow, no overlap (see `calibrate`), and weights that rest on fewer than five sites. With one site there is nothing to reweight.
    """
    y, s = np.asarray(effects, dtype=np.float64), np.asarray(errors, dtype=np.float64)
    x = np.asarray(characteristics, dtype=np.float64)
    if y.ndim != 1 or y.shape != s.shape or len(x) != len(y) or not (np.isfinite(y).all() and (s >= 0.0).all()):
        raise ValueError(
            f"effects {y.shape}, errors {s.shape}, characteristics {x.shape}; expected one of each a site, errors not negative"
        )
    if len(y) < x.shape[1] + 3:
        raise ValueError(
            f"{len(y)} sites for {x.shape[1]} characteristics; expected {x.shape[1] + 3} at least: fewer cannot be reweighted"
        )
    found = calibrate(x, target)
    if found.effective < FEWEST_EFFECTIVE:
        raise ValueError(f"the target rests on {found.effective:.1f} sites; expected five at least")
    design = np.column_stack([np.ones(len(x)), x])
    beta = np.linalg.lstsq(design, y, rcond=None)[0]
    at = np.append(1.0, np.asarray(target, dtype=np.float64))
    left = y - design @ beta
    effect = float(at @ beta + found.weights @ left)
    among = float(np.sqrt(left @ left / (len(y) - design.shape[1])))
    spread = np.maximum(among, s)  # what effects differ by among sites holds their own errors already
    error = float(np.sqrt(np.sum((found.weights * spread) ** 2)))
    wide = float(norm.ppf(0.5 + level / 2.0)) * error
    return Transported(effect, error, effect - wide, effect + wide, found.effective, among)


@dataclass(frozen=True)
class Carried:
    """An effect carried to a place unlike the site. distance: from the site, root mean square over characteristics in standard deviations among places. effect: the site's own; low,
    high: its interval, widened by what the effect may differ by at that distance."""

    distance: float
    effect: float
    low: float
    high: float


def carry(
    effect: tuple[float, float, float],
    site: ArrayLike,
    target: ArrayLike,
    spread: ArrayLike,
    *,
    differs_by: float,
    farthest: float,
) -> Carried:
    """Bounds of the effect at another place where sites are too few to be reweighted: no data tell how effects differ with what places are like, so that how much they
    may is declared.

    effect: with both ends of its interval. site, target: (k,), characteristics; spread: (k,), their standard deviations among places. differs_by: units of the effect, for
    each standard deviation of distance. Raises ValueError for shapes that disagree, missing values, and a target farther than `farthest`: outside
    what the site can tell.
    """
    x, z, s = (np.asarray(v, dtype=np.float64) for v in (site, target, spread))
    if x.ndim != 1 or not x.shape == z.shape == s.shape or not (np.isfinite(x).all() and (s > 0.0).all()):
        raise ValueError(f"site {x.shape}, target {z.shape}, spread {s.shape}; expected one number a characteristic")
    if not np.isfinite(z).all():
        missing = int(np.flatnonzero(~np.isfinite(z))[0])
        raise ValueError(f"characteristic {missing} of the target is missing; expected all of them")
    distance = float(np.sqrt(np.mean(((z - x) / s) ** 2)))
    if distance > farthest:
        far = f"{distance:.2f} standard deviations from the site"
        raise ValueError(f"the target lies {far}; expected {farthest:g} at most: the site says nothing of it")
    wide = differs_by * distance
    return Carried(distance, effect[0], effect[1] - wide, effect[2] + wide)
