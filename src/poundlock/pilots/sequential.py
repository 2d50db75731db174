"""Looking again and again: whitened gaps, an alarm by sequential ranks, confidence sequences, and bounds for a few agreed looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import lambertw, ndtr
from scipy.stats import norm

Floats = NDArray[np.float64]
Side = Literal["both", "up", "down"]
POWERS: Final = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
"""Of the bets on small ranks, mixed alike."""
FEWEST_BEFORE: Final = 10
GRID: Final = 601
"""Points of the numerical integration of group-sequential bounds."""


@dataclass(frozen=True)
class Whitened:
    """Gaps without what the periods before the start foretell of them. residual: (t,), first period NaN. slope: on the period before. level, spread: mean
    and standard deviation of residuals before the start. before: number of periods."""

    residual: Floats = field(repr=False)
    slope: float
    level: float
    spread: float
    before: int


def whiten(gap: ArrayLike, before: int) -> Whitened:
    """Residuals of a first-order autoregression that is fitted to the periods before the start alone, its slope corrected for the bias of short series
    (Kendall 1954, Biometrika 41).

    gap: (t,), pilot less comparison. before: periods before the start. Raises ValueError for fewer than ten of them, gaps that are missing, or
    a gap that never moves before the start.
    """
    y = np.asarray(gap, dtype=np.float64)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError("gaps missing or not one row; expected a number for every period")
    if not FEWEST_BEFORE <= before < len(y):
        raise ValueError(
            f"{before} periods before the start of {len(y)}; expected {FEWEST_BEFORE} at least, and one after"
        )
    past, now = y[: before - 1], y[1:before]
    if np.ptp(past) <= 0.0:
        raise ValueError("the gap never moves before the start; expected an outcome that does")
    raw = float(np.cov(past, now)[0, 1] / past.var(ddof=1))
    slope = float(np.clip(raw + (1.0 + 3.0 * raw) / (before - 1), -0.95, 0.95))
    residual = np.full(len(y), np.nan)
    residual[1:] = y[1:] - slope * y[:-1]
    known = residual[1:before]
    level, spread = float(known.mean()), float(known.std(ddof=2))
    residual[1:] -= level
    return Whitened(residual, slope, level, spread, before)


@dataclass(frozen=True)
class Alarm:
    """evidence: (t,), e-value after each period from the start on, 1 before. first: first period at which it reaches 1 / alpha, None if never."""

    evidence: Floats = field(repr=False)
    first: int | None
    alpha: float


def rank_alarm(of: Whitened, *, side: Side = "both", alpha: float = 0.05, seed: int = 1) -> Alarm:
    """An alarm that may be looked at in every period: with chance alpha at most it ever sounds where nothing happened.

    Each residual is ranked among all before it; where residuals are exchangeable the ranks are independent and uniform (ties broken at random, by
    `seed`), and a bet on small or large ones is a martingale. Source: Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random
    World, ch. 7; Ville's inequality.
    """
    residual = of.residual[1:]
    count, draw = len(residual), np.random.default_rng(seed)
    evidence, logs = np.ones(count + 1), np.zeros((2, len(POWERS)))
    chance = draw.random(count)
    for k in range(of.before - 1, count):
        before, now = residual[:k], residual[k]
        above, ties = float(np.sum(before > now)), float(np.sum(before == now))
        upward = (above + chance[k] * (ties + 1.0)) / (k + 1.0)
        for row, p in enumerate((upward, 1.0 - upward)):
            logs[row] += np.log(POWERS) + (POWERS - 1.0) * np.log(max(p, 1e-300))
        bets = np.exp(logs).mean(axis=1)
        evidence[k + 1] = {"both": bets.mean(), "up": bets[0], "down": bets[1]}[side]
    reached = np.flatnonzero(evidence >= 1.0 / alpha)
    return Alarm(evidence, int(reached[0]) if len(reached) else None, alpha)


def mixture_width(count: ArrayLike, *, alpha: float = 0.05, tuned_for: float = 52.0) -> Floats:
    """Half width of a confidence sequence of a mean, in standard deviations of one observation, after so many of them: it holds at all of them together.

    tuned_for: number of observations at which it is narrowest. Source: Robbins 1970; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of
    Statistics 52(6), eq. 16 and appendix B.2.
    """
    t = np.asarray(count, dtype=np.float64)
    rho2 = float(-np.real(lambertw(-(alpha**2) / np.e, -1)) - 1.0) / tuned_for
    return np.asarray(np.sqrt(2.0 * (t * rho2 + 1.0) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1.0) / alpha)))


def confidence_sequence(of: Whitened, *, alpha: float = 0.05, tuned_for: float | None = None) -> Floats:
    """Lower and upper bound of the effect's mean since the start, after each period from the second after the start on; (t, 2), infinite
    before. The long-run mean of a gap is that of its residuals over 1 - slope; the first period after the start, in which what was before is still
    foretold, is left out. Asymptotic; it counts the uncertainty of the level before the start and of the slope too."""
    after = of.residual[of.before + 1 :]
    number = np.arange(1, len(after) + 1)
    mean = np.cumsum(after) / number
    width = of.spread * mixture_width(number, alpha=alpha, tuned_for=tuned_for or max(len(after) / 2.0, 1.0))
    z = norm.ppf(1.0 - alpha / 4.0)
    by_slope = mean / (1.0 - of.slope) * np.sqrt((1.0 - of.slope**2) / (of.before - 1))
    width = np.sqrt(width**2 + (z * of.spread) ** 2 / (of.before - 1) + (z * by_slope) ** 2)
    found = np.tile(np.array([-np.inf, np.inf]), (len(of.residual), 1))
    found[of.before + 1 :] = np.column_stack([mean - width, mean + width]) / (1.0 - of.slope)
    return found


def group_sequential(
    looks: int | Sequence[float], kind: Literal["obrien-fleming", "pocock"] = "obrien-fleming", *, alpha: float = 0.05
) -> Floats:
    """Two-sided bounds of the z statistic at a few agreed looks, (k,). looks: how many, evenly spaced, or their information times, rising to 1. Source:
    Jennison and Turnbull 2000, Group Sequential Methods, ch. 2."""
    times = np.arange(1, looks + 1) / looks if isinstance(looks, int) else np.asarray(looks, dtype=np.float64)
    _rising(times)
    shape = np.ones(len(times)) if kind == "pocock" else np.sqrt(1.0 / times)
    constant = brentq(lambda c: _crossing(c * shape, times).sum() - alpha, 0.5, 10.0, xtol=1e-8)
    return np.asarray(constant * shape)


def spending(times: Sequence[float], *, alpha: float = 0.05, spent: Callable[[float], float] | None = None) -> Floats:
    """Bounds where the times of looks are not agreed: at time t in (0, 1] so much of alpha may be spent. spent: default that of O'Brien and Fleming, 2 (1 -
    N(z / sqrt(t))). Source: Lan and DeMets 1983, Biometrika 70(3)."""
    at = np.asarray(times, dtype=np.float64)
    _rising(at)
    of = spent or (lambda t: float(2.0 * (1.0 - ndtr(norm.ppf(1.0 - alpha / 2.0) / np.sqrt(t)))))
    bounds = np.zeros(len(at))
    for k in range(len(at)):
        due = of(float(at[k])) - (of(float(at[k - 1])) if k else 0.0)

        def over(z: float, k: int = k, due: float = due) -> float:
            tried = np.append(bounds[:k], z)
            return float(_crossing(tried, at[: k + 1])[-1]) - due

        bounds[k] = brentq(over, 0.0, 12.0, xtol=1e-8)
    return bounds


def _rising(times: Floats) -> None:
    if not len(times) or times[0] <= 0.0 or times[-1] > 1.0 or np.any(np.diff(times) <= 0.0):
        raise ValueError(f"times of looks {times}; expected rising shares of all information, above 0 and up to 1")


def _crossing(bounds: Floats, times: Floats) -> Floats:
    """Chance of leaving the bounds first at each look, by integrating over the score step by step (Armitage, McPherson and Rowe 1969). (k,)."""
    found = np.zeros(len(bounds))
    grid, density = np.zeros(1), np.ones(1)
    for k, bound in enumerate(bounds):
        step = np.sqrt(times[k] - (times[k - 1] if k else 0.0))
        edge = bound * np.sqrt(times[k])
        outside = ndtr((grid - edge) / step) + ndtr((-edge - grid) / step)
        found[k] = float(density @ outside)
        nodes, weights = np.polynomial.legendre.leggauss(GRID // 6)
        new = edge * nodes
        density = (density @ norm.pdf(new[None, :], grid[:, None], step)) * weights * edge
        grid = new
    return found
