"""Looking again and again: whitened gaps, an alarm by ranks, confidence sequences, placebo regions, bounds for a few agreed looks, and a log of looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import lambertw, ndtr, ndtri, stdtr, stdtrit
from scipy.stats import norm

Floats = NDArray[np.float64]
Side = Literal["both", "up", "down"]
POWERS: Final = np.array([0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9])
"""Of the bets on small ranks, mixed alike."""
FEWEST_BEFORE: Final = 10
FEWEST_REGIONS: Final = 100
HARMONICS: Final = 2
"""Of a seasonal profile: a wave as long as the season, and one half as long."""
NEAR_SLOPE, NEAR_BEFORE = 0.8, 20
"""From this correlation on, and below so many periods before the start, false alarms may be more than the level."""
NODES, WEIGHTS = np.polynomial.legendre.leggauss(100)
"""Of the numerical integration of group-sequential bounds."""


@dataclass(frozen=True)
class Whitened:
    """Gaps without what the periods before the start foretell of them. residual: (t,), first period NaN. slope: on the period before. level, spread: mean
    and standard deviation of residuals before the start. before: number of periods. season: periods of the season whose profile was taken out, if any."""

    residual: Floats = field(repr=False)
    slope: float
    level: float
    spread: float
    before: int
    season: int | None = None

    @property
    def near_limit(self) -> tuple[str, ...]:
        """Why what is found is at best inconclusive, in words; empty where the method has been tested."""
        high = f"neighbouring periods correlate at {self.slope:.2f}: correlation {NEAR_SLOPE:g} and above"
        few = f"{self.before} periods: fewer than {NEAR_BEFORE} periods before the start"
        return (high,) * (self.slope >= NEAR_SLOPE) + (few,) * (self.before < NEAR_BEFORE)


def whiten(gap: ArrayLike, before: int, *, season: int | None = None) -> Whitened:
    """Residuals of a first-order autoregression that is fitted to the periods before the start alone, its slope corrected for the bias of short series
    (Kendall 1954, Biometrika 41).

    gap: (t,), pilot less comparison. before: periods before the start. season: periods of a season; its profile, two waves as the periods before the
    start show them, is taken out first. Raises ValueError for fewer than ten of them, or than two seasons, gaps that are missing, or a gap that never moves
    before the start.
    """
    y = np.asarray(gap, dtype=np.float64)
    if y.ndim != 1 or not np.isfinite(y).all():
        raise ValueError("gaps missing or not one row; expected a number for every period")
    _started(before, len(y))
    if season is not None and not 2 <= season <= before / 2:
        raise ValueError(f"season of {season}, {before} periods before the start; expected 2 or more, and two seasons")
    (residual,), (slope,), (level,), (spread,) = _fitted(y[None, :], before, season)
    return Whitened(np.append(np.nan, residual), float(slope), float(level), float(spread), before, season)


def _started(before: int, count: int) -> None:
    if not FEWEST_BEFORE <= before < count:
        raise ValueError(
            f"{before} periods before the start of {count}; expected {FEWEST_BEFORE} at least, and one after"
        )


def _fitted(y: Floats, before: int, season: int | None) -> tuple[Floats, Floats, Floats, Floats]:
    """Many gaps (n, t) at once: residuals from the second period on, their level taken off, (n, t - 1); slope, level, spread (n,)."""
    flat, count, (design, turns) = y, before - 1, _profile(y.shape[1], season)
    if season is not None:
        known = np.linalg.lstsq(design[:before], y[:, :before].T, rcond=None)[0]
        flat = y - (design[:, 1:] @ known[1:]).T
    past, now = flat[:, :count], flat[:, 1:before]
    if np.any(np.ptp(past, axis=1) <= 1e-12 * np.ptp(y[:, :count], axis=1)):
        raise ValueError("the gap never moves before the start; expected an outcome that does")
    past, now = past - past.mean(axis=1, keepdims=True), now - now.mean(axis=1, keepdims=True)
    raw = np.sum(past * now, axis=1) / np.sum(past**2, axis=1)
    slope = np.clip(raw + _shortness(raw, turns) / count, -0.95, 0.95)
    residual = flat[:, 1:] - slope[:, None] * flat[:, :-1]
    level, spread = residual[:, :count].mean(axis=1), residual[:, :count].std(axis=1, ddof=1 + len(turns))
    return residual - level[:, None], slope, level, spread


def _profile(length: int, season: int | None) -> tuple[Floats, Floats]:
    """Level and waves in each period (length, p), and how far each wave turns in one period (p,), in radians."""
    at, columns, turns = np.arange(length), [np.ones(length)], [0.0]
    for number in range(1, HARMONICS + 1) if season else ():
        turn = 2.0 * np.pi * number / float(season or 1)
        kinds = (np.cos, np.sin) if turn < np.pi - 1e-9 else (np.cos,) if turn < np.pi + 1e-9 else ()
        columns += [kind(turn * at) for kind in kinds]
        turns += [turn] * len(kinds)
    return np.column_stack(columns), np.array(turns)


def _shortness(slope: Floats, turns: Floats) -> Floats:
    """By how much a slope comes out too small, times the number of pairs: 2 r, and (1 - r^2) (cos w - r) / (1 - 2 r cos w + r^2) for each column fitted
    beside it that turns by w; for a level alone 1 + 3 r, as Kendall has it."""
    r = np.clip(slope, -0.99, 0.99)[:, None]
    waves = (1.0 - r**2) * (np.cos(turns[1:]) - r) / (1.0 - 2.0 * r * np.cos(turns[1:]) + r**2)
    return np.asarray(1.0 + 3.0 * slope + waves.sum(axis=1))


def _leverage(before: int, design: Floats, season: int | None) -> Floats:
    """What the fitted level and profile leave in doubt of rows of the profile, in variances of one period. (rows,)."""
    fitted = _profile(before, season)[0]
    return np.asarray(np.einsum("ij,jk,ik->i", design, np.linalg.inv(fitted.T @ fitted), design))


def _doubt(before: int, after: int, season: int | None) -> Floats:
    """The same of the mean of periods since the start, after each of them; 1 / (before - 1) without a season. (after,)."""
    since = np.cumsum(_profile(before + after, season)[0][before:], axis=0) / np.arange(1, after + 1)[:, None]
    return _leverage(before, since, season) * before / (before - 1)


@dataclass(frozen=True)
class Alarm:
    """evidence: (t,), e-value after each period from the start on, 1 before. first: first period at which it reaches 1 / alpha, None if never."""

    evidence: Floats = field(repr=False)
    first: int | None
    alpha: float


def rank_alarm(of: Whitened, *, side: Side = "both", alpha: float = 0.05, seed: int = 1) -> Alarm:
    """An alarm that may be looked at in every period: with chance alpha at most it ever sounds where nothing happened.

    Each residual is ranked among all before it; where residuals are exchangeable the ranks are independent and uniform (ties broken at random, by
    `seed`), and a bet on small or large ones is a martingale. Those of a fitted model are so nearly: see benchmarks/looking.py for what is left. Source:
    Vovk, Gammerman and Shafer 2005, Algorithmic Learning in a Random World, ch. 7; Ville's inequality.
    """
    chance = np.random.default_rng(seed).random(len(of.residual) - 1)
    evidence = np.append(np.ones(of.before), _evidence(of.residual[None, 1:], chance[None], of.before, of.season, side))
    reached = np.flatnonzero(evidence >= 1.0 / alpha)
    return Alarm(evidence, int(reached[0]) if len(reached) else None, alpha)


def _evidence(residual: Floats, chance: Floats, before: int, season: int | None, side: Side) -> Floats:
    """E-values of many gaps after each period from the start on, (n, after). With a season, residuals are first divided by their own deviations: to those
    before the start the profile was fitted, to those after it was not."""
    first, count = before - 1, residual.shape[1]
    if season is not None:
        lever = _leverage(before, _profile(count + 1, season)[0][1:], season)
        residual = residual / np.sqrt(1.0 + np.where(np.arange(count) < first, -lever, lever))
    upward = np.empty((len(residual), count - first))
    for k in range(first, count):
        over, tied = residual[:, :k] > residual[:, k : k + 1], residual[:, :k] == residual[:, k : k + 1]
        upward[:, k - first] = (over.sum(axis=1) + chance[:, k] * (tied.sum(axis=1) + 1.0)) / (k + 1.0)
    bets = []
    for share in (upward, 1.0 - upward):
        logs = np.log(POWERS) + (POWERS - 1.0) * np.log(np.maximum(share, 1e-300))[..., None]
        bets.append(np.exp(np.minimum(np.cumsum(logs, axis=1), 700.0)).mean(axis=-1))
    return np.asarray({"both": (bets[0] + bets[1]) / 2.0, "up": bets[0], "down": bets[1]}[side])


def alarm_power(
    effect_sd: float, slope: float, before: int, after: int, *, side: Side = "both", alpha: float = 0.05,
    season: int | None = None, simulations: int = 2000, seed: int = 1
) -> float:  # fmt: skip
    """Chance that the alarm sounds in any of the periods after the start, simulated; with effect 0 its rate of false alarms.

    effect_sd: lasting effect from the start on, in standard deviations of the gap in one period. slope: correlation of neighbouring periods, between -1 and
    1. The gap is normal; slope, level and profile are fitted as `whiten` does. Raises ValueError for what could not be whitened.
    """
    if not abs(slope) < 1.0 or min(simulations, after) < 1:
        raise ValueError(f"slope {slope:g}, {simulations} simulations; expected between -1 and 1, one at least")
    draw, settling = np.random.default_rng(seed), 100
    noise = draw.normal(size=(simulations, settling + before + after))
    gap = np.sqrt(1.0 - slope**2) * lfilter([1.0], [1.0, -slope], noise, axis=1)[:, settling:]
    gap[:, before:] += effect_sd
    whiten(gap[0], before, season=season)
    residual = _fitted(gap, before, season)[0]
    evidence = _evidence(residual, draw.random(residual.shape), before, season, side)
    return float(np.mean(np.any(evidence >= 1.0 / alpha, axis=1)))


def mixture_width(count: ArrayLike, *, alpha: float = 0.05, tuned_for: float = 52.0) -> Floats:
    """Half width of a confidence sequence of a mean, in standard deviations of one observation, after so many of them: it holds at all of them together.

    tuned_for: number of observations at which it is narrowest. Source: Robbins 1970; Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas 2024, Annals of
    Statistics 52(6), eq. 16 and appendix B.2.
    """
    t = np.asarray(count, dtype=np.float64)
    rho2 = float(-np.real(lambertw(-(alpha**2) / np.e, -1)) - 1.0) / tuned_for
    return np.asarray(np.sqrt(2.0 * (t * rho2 + 1.0) / (t**2 * rho2) * np.log(np.sqrt(t * rho2 + 1.0) / alpha)))


def confidence_sequence(of: Whitened, *, alpha: float = 0.05, tuned_for: float = 26.0) -> Floats:
    """Lower and upper bound of the effect's mean since the start, after each period from the second after the start on; (t, 2), infinite
    before. The long-run mean of a gap is that of its residuals over 1 - slope; the first period after the start, in which what was before is still
    foretold, is left out. Asymptotic; it counts the uncertainty of level, profile and slope, and of the spread by Student's t. tuned_for: as in
    `mixture_width`, and to be settled before the start."""
    mean, variance, freedom, by_slope = _since(of)
    number = np.arange(1.0, len(mean) + 1.0)
    limit = mixture_width(number, alpha=alpha, tuned_for=tuned_for) * np.sqrt(number)
    width, z = stdtrit(freedom, ndtr(-limit)), stdtrit(freedom, alpha / 4.0)
    by_noise = width**2 / number + z**2 * _doubt(of.before, len(mean) + 1, of.season)[1:]
    width = np.sqrt(variance * by_noise + z**2 * by_slope)
    bounds = np.column_stack([mean - width, mean + width]) / (1.0 - of.slope)
    return np.vstack([np.tile([-np.inf, np.inf], (of.before + 1, 1)), bounds])


def _since(of: Whitened) -> tuple[Floats, Floats, Floats, Floats]:
    """After each period from the second after the start on: mean residual since then; variance of one, around the mean before and that since, and its
    degrees of freedom; squared error of the mean for that of 1 - slope, by which a long-run mean is found."""
    since, freedom = of.residual[of.before + 1 :], of.before - 2 - len(_profile(1, of.season)[1])
    number = np.arange(1.0, len(since) + 1.0)
    mean, freedoms = np.cumsum(since) / number, freedom + number - 1.0
    variance = (freedom * of.spread**2 + np.cumsum(since**2) - number * mean**2) / freedoms
    return mean, variance, freedoms, mean**2 * (1.0 + of.slope) / ((1.0 - of.slope) * (of.before - 1))


def scores(of: Whitened, looks: Sequence[int], *, planned: int | None = None) -> tuple[Floats, Floats]:
    """z and information times at agreed looks, each (k,), to hold against the bounds of `group_sequential` and `spending`: z is standard normal where
    nothing happened, upward positive; the times are 1 at the last look planned.

    looks: periods since the start at each look, rising, two at least. planned: periods at the last look agreed on; default the last of `looks`. z is the mean
    residual since the second period over its error, which counts the doubt of level, profile, slope and, by Student's t, spread.
    """
    at, held = np.asarray(looks, dtype=np.int64), len(of.residual) - of.before
    last = int(at.max(initial=0)) if planned is None else planned
    if not len(at) or at[0] < 2 or at[-1] > min(last, held) or np.any(np.diff(at) <= 0):
        raise ValueError(f"looks {at}, {held} periods since the start, {last} planned; expected rising from 2 to these")
    mean, variance, freedom, by_slope = (row[at - 2] for row in _since(of))
    error = 1.0 / np.arange(1, last) + _doubt(of.before, last, of.season)[1:]
    t = mean / np.sqrt(variance * error[at - 2] + by_slope)
    return -np.sign(t) * ndtri(stdtr(freedom, -np.abs(t))), error[-1] / error[at - 2]


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
    of = spent or _obrien_fleming(alpha)
    bounds = np.zeros(len(at))
    for k in range(len(at)):
        due = of(float(at[k])) - (of(float(at[k - 1])) if k else 0.0)

        def over(z: float, k: int = k, due: float = due) -> float:
            tried = np.append(bounds[:k], z)
            return float(_crossing(tried, at[: k + 1])[-1]) - due

        bounds[k] = brentq(over, 0.0, 12.0, xtol=1e-8)
    return bounds


@dataclass(frozen=True)
class Placebos:
    """A treated region among others that were not. first: first period in which it stands out, None if never. looks: periods since the start at each look,
    (k,), as all that follows. statistic: of the treated region. thresholds: what it had to exceed, infinite where too little alpha is newly spent for one
    region. share: of all regions that have crossed by then, the treated one counted with them; at most `spent`, the alpha spent by then."""

    first: int | None
    looks: NDArray[np.int64] = field(repr=False)
    statistic: Floats = field(repr=False)
    thresholds: Floats = field(repr=False)
    share: Floats = field(repr=False)
    spent: Floats = field(repr=False)


def placebo_spending(
    gaps: ArrayLike, treated: int, before: int, *, planned: int, alpha: float = 0.05, side: Side = "both",
    looks: Sequence[int] | None = None, spent: Callable[[float], float] | None = None
) -> Placebos:  # fmt: skip
    """The treated region among all others, look by look: false with chance alpha at most where regions are exchangeable, however weeks correlate.

    gaps: (regions, t), each region less its own comparison, 100 regions at least. treated: its row. before: periods before the start. planned: periods since
    the start by which all of alpha is spent. looks: periods since the start at each look; default each of them. spent: as in `spending`. At each look the
    regions with the largest statistic cross and are out of the race, as many as keep those that have ever crossed at or below the share of alpha spent.
    Which region is treated plays no part in this, so its chance to be among them is their share; ties go against it. Statistic: mean gap
    since the start less that before, over the region's deviation before plus the median one. Sources: Abadie, Diamond and Hainmueller 2010; Lan and DeMets 1983.
    """
    y = np.asarray(gaps, dtype=np.float64)
    if y.ndim != 2 or not np.isfinite(y).all():
        raise ValueError("gaps missing or not a table; expected a number for every region and period")
    if not max(FEWEST_REGIONS, 1.0 / alpha, treated + 1) <= len(y) or treated < 0:
        raise ValueError(
            f"{len(y)} regions, treated {treated}; expected {FEWEST_REGIONS} and 1 / alpha at least, treated from 0 on"
        )
    _started(before, y.shape[1])
    at = np.arange(1, y.shape[1] - before + 1) if looks is None else np.asarray(looks, dtype=np.int64)
    _rising(at / planned)
    if at[-1] > y.shape[1] - before:
        raise ValueError(f"looks {at}; expected none after {y.shape[1] - before}, the periods since the start")
    level, spread = y[:, :before].mean(axis=1, keepdims=True), y[:, :before].std(axis=1, ddof=1, keepdims=True)
    if spread.min() + np.median(spread) <= 0.0:
        raise ValueError("gaps that never move before the start; expected outcomes that do")
    moved = (np.cumsum(y[:, before:], axis=1)[:, at - 1] / at - level) / (spread + np.median(spread))
    moved = {"both": np.abs(moved), "up": moved, "down": -moved}[side]
    paid = np.minimum([(spent or _obrien_fleming(alpha))(float(t)) for t in at / planned], alpha)
    slots = np.floor(np.maximum.accumulate(paid) * len(y) + 1e-9).astype(np.int64)
    thresholds, crossed = _race(moved, treated, slots)
    first = None if crossed is None else before + int(at[crossed]) - 1
    return Placebos(first, at, moved[treated], thresholds, slots / len(y), paid)


def _race(statistic: Floats, treated: int, slots: NDArray[np.int64]) -> tuple[Floats, int | None]:
    """Thresholds (k,), and the look at which the treated row crosses. slots: how many rows have crossed by each look."""
    racing = np.arange(len(statistic)) != treated
    thresholds, crossed, out = np.full(len(slots), np.inf), None, 0
    for k in np.flatnonzero(np.diff(slots, prepend=0)).tolist():
        due = int(slots[k])
        order = np.flatnonzero(racing)[np.argsort(-statistic[racing, k], kind="stable")]
        thresholds[k] = statistic[order[due - out - 1], k]
        now = crossed is None and bool(statistic[treated, k] > thresholds[k])
        racing[order[: due - out - now]] = False
        crossed, out = (k if now else crossed), due
    return thresholds, crossed


@dataclass(frozen=True)
class Look:
    """One period from the start on. period: counted from the first of the gap, at 0. residual: of that period. evidence: e-value. alarm: sounded by then.
    low, high: bounds of the mean effect since the start, which hold in all looks together; infinite in the first. mean: the effect that they lie around; in
    the first period its residual. In units of the gap, pilot less comparison."""

    period: int
    residual: float
    evidence: float
    alarm: bool
    low: float
    high: float
    mean: float


@dataclass(frozen=True)
class Watch:
    """Log of a pilot that is looked at in every period. first: period of the alarm, None if none. slope: correlation of neighbouring periods, as before
    the start. near_limit: why a finding is at best inconclusive; empty where the method was tested."""

    looks: tuple[Look, ...] = field(repr=False)
    first: int | None
    slope: float
    alpha: float
    near_limit: tuple[str, ...]


def watch(
    gap: ArrayLike, before: int, *, alpha: float = 0.05, side: Side = "both", seed: int = 1, season: int | None = None,
    looks: int = 52
) -> Watch:  # fmt: skip
    """Alarm and confidence sequence together, period by period. What is logged of a period stays as it is when more periods come.

    gap, before, season: as in `whiten`. side, seed: of the alarm. looks: how many are planned; the bounds are narrowest after half of them, and a longer watch
    is as valid. Level alpha belongs to the alarm, and again to the bounds.
    """
    of = whiten(gap, before, season=season)
    alarm = rank_alarm(of, side=side, alpha=alpha, seed=seed)
    bounds = confidence_sequence(of, alpha=alpha, tuned_for=max(looks / 2.0, 1.0))[before:]
    mean = np.append(of.residual[before], bounds[1:].mean(axis=1))
    rows = np.column_stack([of.residual[before:], alarm.evidence[before:], bounds, mean]).tolist()
    first = len(of.residual) if alarm.first is None else alarm.first
    found = tuple(Look(k, row[0], row[1], k >= first, row[2], row[3], row[4]) for k, row in enumerate(rows, before))
    return Watch(found, alarm.first, of.slope, alpha, of.near_limit)


def _obrien_fleming(alpha: float) -> Callable[[float], float]:
    """Of alpha, what may be spent by each share of all information."""
    return lambda t: float(2.0 * (1.0 - ndtr(ndtri(1.0 - alpha / 2.0) / np.sqrt(t))))


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
        new = edge * NODES
        density = (density @ norm.pdf(new[None, :], grid[:, None], step)) * WEIGHTS * edge
        grid = new
    return found
