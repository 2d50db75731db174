"""Statistics of simulated losses, each with its standard error and interval.

With importance sampling every draw counts with its weight; with Sobol points the error is the spread between independent
scramblings. Tails are exact whatever the length of the stream, see `tail`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from poundlock.risk.tail import Hits, HitsKeeper, Tail, TailKeeper
from poundlock.system.balance import Floats

CONFIDENCE = 0.95
"""Of intervals, two-sided, where nothing else is asked."""
FEWEST_TAIL_DRAWS = 50
FEWEST_UNEVEN_DRAWS = 200
"""Asked of weighted draws of an event or of a tail where these are worth less than a quarter of their number;
benchmarks/coverage.py."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """value, its standard error, and the two-sided interval low..high at confidence `level`. draws: scenarios used.
    thin: the tail rests on fewer than 50 draws that lose anything, or on too few weighted ones (see `_few`), or what is added on
    fewer than 50 draws in which it differs, so that the interval cannot be trusted.
    effective: as many plain draws would give the same standard error (NaN where that cannot be told)."""

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    draws: int
    thin: bool = False
    effective: float = np.nan


def confidence_of(looks: int) -> float:
    """Confidence of each interval when `looks` of them are looked at in turn, and the first that decides is believed: the chance
    that any one of them is wrong stays at 5 % (Bonferroni)."""
    return 1.0 - (1.0 - CONFIDENCE) / looks


def draws_needed(level: float) -> int:
    """Fewest scenarios for which the tail beyond `level` holds 50 draws."""
    return int(np.ceil(round(FEWEST_TAIL_DRAWS / (1.0 - level), 9)))


def expected_shortfall(
    losses: Floats, level: float, confidence: float = CONFIDENCE, *, weights: Floats | None = None
) -> Estimate:
    """Mean of the worst 1 - level share of the losses; the boundary draw counts with its fraction.

    losses: (s,), positive is a loss. weights: (s,), of importance sampling, with mean one in expectation. Raises ValueError when
    the tail is empty (fewer than 1 / (1 - level) draws). Acerbi and Tasche 2002, Journal of Banking and Finance 26(7), def. 2.6.
    Error by the influence function.
    """
    return shortfall(_tail(losses, level, weights), confidence)


def incremental_shortfall(
    with_measure: Floats, without: Floats, level: float, confidence: float = CONFIDENCE
) -> Estimate:
    """Expected shortfall with the measure less that without it, on common draws. Both (s,), in the same order."""
    if len(with_measure) != len(without):
        raise ValueError(f"{len(with_measure)} draws with the measure, {len(without)} without; expected the same draws")
    return shortfall_added(_tail(with_measure, level, None), _tail(without, level, None), confidence)


def event_probability(
    events: NDArray[np.bool_], confidence: float = CONFIDENCE, *, weights: Floats | None = None
) -> Estimate:
    """Share of scenarios in which the event happened, with a Wilson interval (Wilson 1927, JASA 22). events: (s,)."""
    return probability(_hits(events, weights), confidence)


def incremental_probability(
    with_measure: NDArray[np.bool_], without: NDArray[np.bool_], confidence: float = CONFIDENCE
) -> Estimate:
    """Rise of an event's probability on common draws. Both (s,), in the same order; see `probability_added`."""
    return probability_added(_hits(with_measure, None), _hits(without, None), confidence)


def shortfall(tail: Tail, confidence: float = CONFIDENCE) -> Estimate:
    """Expected shortfall of a gathered tail; see `expected_shortfall`."""
    value, boundary = _shortfall(tail)
    over = np.maximum(tail.losses - boundary, 0.0) / (1.0 - tail.level)
    found = _interval(value, tail.weights * over, tail.draws, tail.total, tail.replicates, confidence)
    plain = float(tail.weights @ over**2 / tail.total - (tail.weights @ over / tail.total) ** 2)
    if np.any(tail.weights != 1.0):
        few = _few(tail.weights)
    else:
        few = 0.0 < _worth(tail.weights) < 0.999 * min(FEWEST_TAIL_DRAWS, (1 - tail.level) * tail.total)
    error, low, high = found
    effective = plain / error**2 if error > 0.0 else np.nan
    thin = tail.nonzero < FEWEST_TAIL_DRAWS or few
    return Estimate(value, error, low, high, confidence, tail.total, thin, effective)


def shortfall_added(with_measure: Tail, without: Tail, confidence: float = CONFIDENCE) -> Estimate:
    """Rise of expected shortfall on common draws; the error is that of the difference draw by draw. Where the two differ in some draws
    of their tails, but in fewer than 50 (weighted ones: worth of 50), it is thin; where they differ in none nothing is added."""
    parts, values = [], []
    for tail, sign in ((with_measure, 1.0), (without, -1.0)):
        value, boundary = _shortfall(tail)
        values.append(value)
        parts.append(sign * tail.weights * np.maximum(tail.losses - boundary, 0.0) / (1.0 - tail.level))
    draws = np.concatenate([with_measure.draws, without.draws])
    value = values[0] - values[1]
    error, low, high = _interval(
        value, np.concatenate(parts), draws, with_measure.total, with_measure.replicates, confidence
    )
    thin = 0.0 < _worth(_differing(with_measure, without, parts)) < FEWEST_TAIL_DRAWS
    return Estimate(value, error, low, high, confidence, with_measure.total, thin)


def _differing(one: Tail, other: Tail, parts: list[Floats]) -> Floats:
    """Weights of the draws whose part in the two tails differs, beyond rounding."""
    draws, position = np.unique(np.concatenate([one.draws, other.draws]), return_inverse=True)
    net = np.bincount(position.ravel(), np.concatenate(parts), minlength=len(draws))
    weights = np.zeros(len(draws))
    weights[position.ravel()] = np.concatenate([one.weights, other.weights])
    size = max((float(np.abs(part).max(initial=0.0)) for part in parts), default=0.0)
    return np.asarray(weights[np.abs(net) > 1e-12 * size])


def probability(hits: Hits, confidence: float = CONFIDENCE) -> Estimate:
    """Probability of an event, with the Wilson interval of as many plain draws as would give the same error.

    Where the weighted draws of the event are too few (see `_few`), their spread says too little of those that were
    not seen. Then no more is claimed than for an event that was not seen at all: as many plain draws as all draws
    are worth.
    """
    n = hits.total
    share = float(hits.weights.sum() / n)
    plain = hits.replicates == 1 and bool(np.all(hits.weights == 1.0)) and hits.spread == n
    error = float(np.sqrt(share * (1.0 - share) / n)) if plain else _error(hits.weights, hits.draws, n, hits.replicates)
    effective = float(n) if plain or hits.replicates > 1 else float(n) ** 2 / hits.spread
    if not plain and error > 0.0:
        by_error = share * (1.0 - share) / error**2
        effective = min(by_error, effective if hits.replicates == 1 and _few(hits.weights) else 1e4 * n)
    low, high = _wilson(share, effective, _quantile(confidence, hits.replicates))
    return Estimate(share, error, low, high, confidence, n, False, effective)


def probability_added(with_measure: Hits, without: Hits, confidence: float = CONFIDENCE) -> Estimate:
    """Rise of an event's probability on common draws.

    The rise is the share of draws in which the event happens only with the measure, less the share in which it happens
    only without; its interval joins the Wilson intervals of the two, so that a few discordant draws, or none, are not
    taken for certainty. Zou and Donner 2008, Statistics in Medicine 27(10), eq. 4 (variance estimates recovery).
    """
    rises, falls = (
        probability(_only(one, other), confidence) for one, other in ((with_measure, without), (without, with_measure))
    )
    value = rises.value - falls.value
    low = value - float(np.hypot(rises.value - rises.low, falls.high - falls.value))
    high = value + float(np.hypot(rises.high - rises.value, falls.value - falls.low))
    total = with_measure.total
    if with_measure.replicates == 1:
        both = float((rises.standard_error**2 + falls.standard_error**2) + 2.0 * rises.value * falls.value / total)
        error = float(np.sqrt(both))
    else:
        error = float(np.hypot(rises.standard_error, falls.standard_error))
    return Estimate(value, error, low, high, confidence, total)


def _only(one: Hits, other: Hits) -> Hits:
    alone = ~np.isin(one.draws, other.draws, assume_unique=True)
    return Hits(one.total, one.weights[alone], one.draws[alone], one.replicates, one.spread)


def _tail(losses: Floats, level: float, weights: Floats | None) -> Tail:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level:g}; a level within (0, 1) is needed")
    keeper = TailKeeper(level, len(losses))
    keeper.add(np.arange(len(losses)), losses, np.ones(len(losses)) if weights is None else weights)
    return keeper.gathered()


def _hits(events: NDArray[np.bool_], weights: Floats | None) -> Hits:
    keeper = HitsKeeper(len(events))
    keeper.add(np.arange(len(events)), events, np.ones(len(events)) if weights is None else weights)
    return keeper.gathered()


def _shortfall(tail: Tail) -> tuple[float, float]:
    """Expected shortfall, and the loss at its boundary."""
    mass = round((1.0 - tail.level) * tail.total, 9)
    if mass < 1.0:
        raise ValueError(
            f"{tail.total} draws leave no tail at level {tail.level:g}; at least {draws_needed(tail.level)} are needed"
        )
    reached = np.cumsum(tail.weights)
    whole = int(
        np.searchsorted(reached, mass * (1.0 - 1e-12), side="left")
    )  # draws that lie in it with all their weight
    inside = np.minimum(whole, len(tail.losses) - 1)
    boundary = float(tail.losses[inside])
    before = float(reached[inside - 1]) if inside else 0.0
    value = float((tail.weights[:inside] @ tail.losses[:inside] + (mass - before) * boundary) / mass)
    return value, boundary


def _interval(
    value: float, influence: Floats, draws: NDArray[np.int64], total: int, replicates: int, confidence: float
) -> tuple[float, float, float]:
    """Standard error, low and high. The mean of a few large losses and many noughts is skewed, and low exactly when its error looks
    small; the normal quantiles are bent by its skewness (Hall 1992, On the removal of skewness by transformation, Journal of
    the Royal Statistical Society B 54(1)): g(T) = T + r T^2 / 3 + r^2 T^3 / 27 + r / 6 of the studentised mean T with skewness r of the
    mean is normal but for terms of the order of r^2, and rises everywhere."""
    error, skewness = _spread(influence, draws, total, replicates)
    quantile = _quantile(confidence, replicates)
    low, high = (value - error * _bent(side, skewness) for side in (quantile, -quantile))
    return error, low, high


def _bent(quantile: float, skewness: float) -> float:
    """Quantile of (mean - truth) / error where the mean has this skewness: the inverse of Hall's g."""
    if abs(skewness) < 1e-9:
        return quantile
    return 3.0 / skewness * (float(np.cbrt(1.0 + skewness * (quantile - skewness / 6.0))) - 1.0)


def _quantile(confidence: float, replicates: int) -> float:
    """How many errors lie on either side: of a normal, or of a Student t where the error is the spread of
    replicates."""
    upper = 0.5 + confidence / 2
    return float(ndtri(upper) if replicates == 1 else stdtrit(replicates - 1, upper))


def _worth(weights: Floats) -> float:
    """As many draws of equal weight have the same relative error (Kish 1965, Survey Sampling, section 11.7)."""
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0.0 else 0.0


def _few(weights: Floats) -> bool:
    """Whether weighted draws of an event or of a tail are worth fewer than 50 alike, or, where weights are very uneven, fewer
    than 200."""
    worth = _worth(weights)
    return worth < (FEWEST_UNEVEN_DRAWS if 4.0 * worth < len(weights) else FEWEST_TAIL_DRAWS)


def _error(influence: Floats, draws: NDArray[np.int64], total: int, replicates: int) -> float:
    """Standard error of sum(influence) / total, where all draws that are not listed have none; several of one draw add up."""
    return _spread(influence, draws, total, replicates)[0]


def _spread(influence: Floats, draws: NDArray[np.int64], total: int, replicates: int) -> tuple[float, float]:
    """The same, and the skewness of that mean; nought where the error is the spread between replicates."""
    if replicates > 1:
        edges = total * np.arange(replicates + 1) // replicates
        part = np.searchsorted(edges, draws, side="right") - 1
        means = np.bincount(part, influence, minlength=replicates) / np.diff(edges)
        return float(np.std(means, ddof=1) / np.sqrt(replicates)), 0.0
    _, position = np.unique(draws, return_inverse=True)
    by_draw = np.bincount(position.ravel(), influence) if len(draws) else np.zeros(0)
    mean, others = by_draw.sum() / total, total - len(by_draw)
    squares = ((by_draw - mean) ** 2).sum() + others * mean**2
    cubes = ((by_draw - mean) ** 3).sum() - others * mean**3
    skewness = float(cubes / squares**1.5) if squares > 0.0 else 0.0
    return float(np.sqrt(squares / max(total - 1, 1) / total)), skewness


def _wilson(share: float, n: float, z: float) -> tuple[float, float]:
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
    return (0.0 if share == 0.0 else low), (1.0 if share == 1.0 else high)
