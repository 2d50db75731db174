"""Synthetic control for one treated unit, with placebo ranks, an interval by test inversion, and its own doubts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import nnls

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """Effect on one treated unit, in units of the outcome; positive means the outcome is higher than without treatment.

    effect: mean gap after the start. low, high: interval by inverting the placebo test, assuming one constant effect,
    infinite where the test cannot bound it; its statistic is the absolute mean gap over own pre-period error plus the
    median one, so that a placebo which happens to fit perfectly does not decide alone (the added constant of Tusher,
    Tibshirani and Chu 2001, PNAS 98(9)). level: of the interval; at least what was asked, or 1 - 1 / units, the most
    that so few units can give. p_value: share of units, the treated one included, whose statistic is as large;
    smallest_p: the smallest it could be. rank, units: place of the treated unit by the ratio of root mean squared gaps
    after and before the start, 1 is the largest (Abadie, Diamond and Hainmueller 2010). pre_error: root mean squared gap
    before the start; pre_error_rank: its place among all units, 1 is the best fit. gaps: (periods,), treated less
    synthetic. synthetic, treated: (periods,). donor_gaps: (donors, periods), the placebos' gaps; donor_pre_error:
    (donors,). donors: unit numbers. weights: (donors,), sum to one. in_time: mean gap after a pretended earlier start
    with its own interval, or None. leave_one_out: smallest and largest effect when
    each donor with weight is dropped, with that donor's unit number (-1: none dropped) and the
    error before the start.
    detectable: estimates below the first and above the second of these would have been told from nought; the interval moves with the effect as a whole.
    """

    effect: float
    low: float
    high: float
    level: float
    p_value: float
    smallest_p: float
    rank: int
    units: int
    pre_error: float
    pre_error_rank: int
    detectable: tuple[float, float]
    leave_one_out: tuple[tuple[float, int, float], tuple[float, int, float]]
    in_time: tuple[float, float, float] | None
    weights: Floats = field(repr=False)
    donors: NDArray[np.int64] = field(repr=False)
    gaps: Floats = field(repr=False)
    synthetic: Floats = field(repr=False)
    treated: Floats = field(repr=False)
    donor_gaps: Floats = field(repr=False)
    donor_pre_error: Floats = field(repr=False)


def fit_weights(target: ArrayLike, donors: ArrayLike) -> Floats:
    """Weights w >= 0 with sum one that minimise the distance of w' donors to the target. target: (t,), donors: (d, t). Returns (d,).

    Exact: since the weights sum to one this is the point of least norm in the hull of the donors' differences from the
    target, which non-negative least squares finds with one added row of ones. The synthetic series is unique whenever
    the fit is not perfect; weights may not be, when donors depend on each other.
    Source: Abadie, Diamond and Hainmueller 2010, JASA 105(490), with all pre-period outcomes as predictors; hull
    argument: Lawson and Hanson 1974, Solving Least Squares Problems, ch. 23.
    """
    y, x = np.asarray(target, dtype=np.float64), np.asarray(donors, dtype=np.float64)
    difference = (x - y[None, :]).T
    scale = float(np.abs(difference).max()) or 1.0
    system = np.vstack([difference / scale, np.ones(len(x))])
    solution, _ = nnls(system, np.append(np.zeros(len(y)), 1.0), maxiter=100 * max(len(x), 10))
    return np.asarray(solution / solution.sum())


def synthetic_control(
    outcomes: ArrayLike, treated: int, start: int, *, level: float = 0.9, in_time: int | None = None
) -> Effect:
    """Estimate the effect on unit `treated` from period number `start` on.

    outcomes: (units, periods), complete and finite. start, in_time: period numbers (column indices). level: asked
    confidence. Every placebo is a donor treated as if, with all other units, the treated one included, as its donors:
    under no effect all units are then exchangeable.
    Raises ValueError when there are fewer than two donors, no period before the start or after it, or values missing.
    """
    y = np.asarray(outcomes, dtype=np.float64)
    _check(y, treated, start, in_time)
    fits = [_gap(y, unit, start) for unit in range(len(y))]
    gaps = np.array([gap for gap, _ in fits])
    own, weights = fits[treated]
    donors = np.array([u for u in range(len(y)) if u != treated], dtype=np.int64)
    pre_error = np.sqrt((gaps[:, :start] ** 2).mean(axis=1))
    smallest = 1e-12 * max(float(np.abs(y).max()), 1.0)
    post = np.sqrt((gaps[:, start:] ** 2).mean(axis=1)) / np.maximum(pre_error, smallest)
    scale = pre_error + max(float(np.median(pre_error)), smallest)
    lean = np.array([1.0 if u == treated else -fits[u][1][_place(treated, u)] for u in range(len(y))])
    test = _PlaceboTest(gaps[:, start:].mean(axis=1), lean, scale, treated, _rejected(len(y), level))
    effect = float(own[start:].mean())
    low, high = test.interval()
    return Effect(
        effect=effect,
        low=low,
        high=high,
        level=1.0 - test.rejected / len(y),
        p_value=test.p_value(0.0),
        smallest_p=1.0 / len(y),
        rank=int(np.count_nonzero(post >= post[treated])),
        units=len(y),
        pre_error=float(pre_error[treated]),
        pre_error_rank=int(np.count_nonzero(pre_error <= pre_error[treated])),
        detectable=(effect - high, effect - low),
        leave_one_out=_leave_one_out(y, treated, start, donors, weights, effect),
        in_time=_in_time(y[:, :start], treated, in_time, level),
        weights=weights,
        donors=donors,
        gaps=own,
        synthetic=y[treated] - own,
        treated=y[treated].copy(),
        donor_gaps=gaps[donors],
        donor_pre_error=pre_error[donors],
    )


def left_out_gaps(outcomes: ArrayLike, treated: int, start: int) -> Floats:
    """Gaps of one unit that may be compared before and after the start, (periods,): before it, each period's comparison is fitted without that period, since the weights follow the
    periods that they are fitted to more closely than any other. Arguments and errors as of `synthetic_control`."""
    y = np.asarray(outcomes, dtype=np.float64)
    _check(y, treated, start, None)
    donors = np.delete(y, treated, axis=0)
    gap = y[treated] - fit_weights(y[treated, :start], donors[:, :start]) @ donors
    for period in range(start) if start > 1 else ():
        kept = [t for t in range(start) if t != period]
        gap[period] = y[treated, period] - fit_weights(y[treated, kept], donors[:, kept]) @ donors[:, period]
    return np.asarray(gap)


@dataclass(frozen=True)
class _PlaceboTest:
    """The placebo test as a function of a supposed constant effect t: taking t off the treated unit moves every unit's
    mean gap by -lean t (one for the treated unit, less its weight for a placebo that leans on it), since weights are
    chosen before the start. gap, lean, scale: (units,). rejected: units that may stand in the rejection region."""

    gap: Floats
    lean: Floats
    scale: Floats
    treated: int
    rejected: int

    def statistics(self, effect: float) -> Floats:
        """|mean gap| over scale of every unit, with the supposed effect taken off. Shape (units,)."""
        return np.abs(self.gap - self.lean * effect) / self.scale

    def p_value(self, effect: float) -> float:
        """Share of units whose statistic is as large as the treated one's, itself included."""
        found = self.statistics(effect)
        return float(np.mean(found >= found[self.treated]))

    def interval(self) -> tuple[float, float]:
        """Ends of the set of effects around the estimate that the test does not reject; infinite where it never does.

        A placebo's statistic meets the treated one's at two effects at most, so the set changes at 2 (units - 1) points.
        """
        others = np.arange(len(self.gap)) != self.treated
        own_gap, own_scale = self.gap[self.treated], self.scale[self.treated]
        gap, lean, scale = self.gap[others], self.lean[others], self.scale[others]
        with np.errstate(divide="ignore", invalid="ignore"):
            meets = [(own_gap * scale - sign * gap * own_scale) / (scale - sign * lean * own_scale) for sign in (1, -1)]
        points = np.unique(np.concatenate(meets))
        points = points[np.isfinite(points)]
        return -self._end(-points[points < own_gap][::-1], -1.0), self._end(points[points > own_gap], 1.0)

    def _end(self, away: Floats, sign: float) -> float:
        """First of the ascending points beyond which the test rejects; effects are sign * point."""
        beyond = np.append(0.5 * (away[1:] + away[:-1]), 2.0 * abs(away[-1]) + 1.0) if len(away) else away
        for point, probe in zip(away, beyond, strict=True):
            if self.p_value(sign * float(probe)) * len(self.gap) <= self.rejected + 1e-9:
                return float(point)
        return np.inf


def _place(unit: int, among_others_of: int) -> int:
    """Number of `unit` among all units but one."""
    return unit - (unit > among_others_of)


def _check(y: Floats, treated: int, start: int, in_time: int | None) -> None:
    if y.ndim != 2 or not 0 <= treated < len(y):
        raise ValueError(
            f"outcomes of shape {y.shape} and treated unit {treated}; expected (units, periods) and one of the units"
        )
    if len(y) < 3:
        raise ValueError(f"{len(y) - 1} donors; expected at least two")
    if not 0 < start < y.shape[1]:
        raise ValueError(f"start at period {start} of {y.shape[1]}; expected periods before and after it")
    if in_time is not None and not 0 < in_time < start:
        raise ValueError(
            f"in-time placebo at period {in_time}; expected one between the first period and the start {start}"
        )
    if not np.isfinite(y).all():
        unit, period = np.argwhere(~np.isfinite(y))[0]
        raise ValueError(f"outcome of unit {unit} in period {period} is missing; drop the unit or the period first")
    if np.ptp(y) <= 0.0:
        raise ValueError(f"the outcome is {y[0, 0]:g} everywhere and always; expected one that differs")


def _gap(y: Floats, unit: int, start: int, without: int | None = None) -> tuple[Floats, Floats]:
    """Unit less its synthetic control in all periods, and the weights of the other units in their order."""
    others = [u for u in range(len(y)) if u not in (unit, without)]
    weights = fit_weights(y[unit, :start], y[others, :start])
    return y[unit] - weights @ y[others], weights


def _rejected(units: int, level: float) -> int:
    """How many units may stand in the rejection region: floor((1 - level) units), at least one.

    A constant effect is rejected when fewer than this many units have a statistic as large, so the half width of the
    interval is the placebo statistic of this rank, and its level is 1 - rejected / units.
    """
    return max(int(np.floor(round((1.0 - level) * units, 9))), 1)


def _leave_one_out(
    y: Floats, treated: int, start: int, donors: NDArray[np.int64], weights: Floats, effect: float
) -> tuple[tuple[float, int, float], tuple[float, int, float]]:
    """Smallest and largest effect, each with the donor whose absence gives it, -1 where that is nobody's, and the error before the start."""
    own = y[treated] - weights @ y[donors]
    effects = [(effect, -1, float(np.sqrt(np.mean(own[:start] ** 2))))]
    if len(donors) > 2:
        for donor in donors[weights > 1e-6]:
            gap = _gap(y, treated, start, without=int(donor))[0]
            effects.append((float(gap[start:].mean()), int(donor), float(np.sqrt(np.mean(gap[:start] ** 2)))))
    return min(effects), max(effects)


def _in_time(before: Floats, treated: int, start: int | None, level: float) -> tuple[float, float, float] | None:
    if start is None:
        return None
    pretended = synthetic_control(before, treated, start, level=level)
    return pretended.effect, pretended.low, pretended.high
