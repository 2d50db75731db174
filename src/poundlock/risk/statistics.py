"""Statistics of simulated losses, each with its standard error and interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from poundlock.system.balance import Floats

FEWEST_TAIL_DRAWS = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """value, its standard error, and the two-sided interval low..high at confidence `level`. draws: scenarios used.
    thin: the tail rests on fewer than 50 draws that lose anything, so that the interval cannot be trusted."""

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    draws: int
    thin: bool = False


def draws_needed(level: float) -> int:
    """Fewest scenarios for which the tail beyond `level` holds 50 draws."""
    return int(np.ceil(round(FEWEST_TAIL_DRAWS / (1.0 - level), 9)))


def expected_shortfall(losses: Floats, level: float, confidence: float = 0.95) -> Estimate:
    """Mean of the worst 1 - level share of the losses; the boundary draw counts with its fraction.

    losses: (s,), positive is a loss. Raises ValueError when the tail is empty (fewer than 1 / (1 - level) draws).
    Acerbi and Tasche 2002, Journal of Banking and Finance 26(7), def. 2.6. Error by the influence function.
    """
    value, influence = _shortfall_influence(losses, level)
    thin = int(np.count_nonzero(losses)) < FEWEST_TAIL_DRAWS
    return replace(_normal(value, influence, confidence), thin=thin)


def incremental_shortfall(with_measure: Floats, without: Floats, level: float, confidence: float = 0.95) -> Estimate:
    """Expected shortfall with the measure less that without it, on common draws. Both (s,), in the same order."""
    if len(with_measure) != len(without):
        raise ValueError(f"{len(with_measure)} draws with the measure, {len(without)} without; expected the same draws")
    value, influence = _shortfall_influence(with_measure, level)
    base, base_influence = _shortfall_influence(without, level)
    return _normal(value - base, influence - base_influence, confidence)


def event_probability(events: NDArray[np.bool_], confidence: float = 0.95) -> Estimate:
    """Share of scenarios in which the event happened, with a Wilson interval (Wilson 1927, JASA 22). events: (s,)."""
    n, hits = len(events), int(np.count_nonzero(events))
    share = hits / n
    low, high = _wilson(hits, n, confidence)
    return Estimate(share, float(np.sqrt(share * (1 - share) / n)), low, high, confidence, n)


def incremental_probability(
    with_measure: NDArray[np.bool_], without: NDArray[np.bool_], confidence: float = 0.95
) -> Estimate:
    """Rise of an event's probability on common draws. Both (s,), in the same order.

    The rise is the share of draws in which the event happens only with the measure, less the share in which it happens
    only without; its interval joins the Wilson intervals of the two, so that a few discordant draws, or none, are not
    taken for certainty. Zou and Donner 2008, Statistics in Medicine 27(10), eq. 4 (variance estimates recovery).
    """
    n = len(with_measure)
    rises = int(np.count_nonzero(with_measure & ~without))
    falls = int(np.count_nonzero(without & ~with_measure))
    up, down = rises / n, falls / n
    (up_low, up_high), (down_low, down_high) = _wilson(rises, n, confidence), _wilson(falls, n, confidence)
    value = up - down
    low = value - float(np.hypot(up - up_low, down_high - down))
    high = value + float(np.hypot(up_high - up, down - down_low))
    return Estimate(value, float(np.sqrt((up + down - value**2) / n)), low, high, confidence, n)


def _wilson(hits: int, n: int, confidence: float) -> tuple[float, float]:
    z = float(ndtri(0.5 + confidence / 2))
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return (0.0 if hits == 0 else max(0.0, centre - half)), (1.0 if hits == n else min(1.0, centre + half))


def _shortfall_influence(losses: Floats, level: float) -> tuple[float, Floats]:
    n = len(losses)
    tail = round((1.0 - level) * n, 9)
    if not 0.0 < level < 1.0 or tail < 1.0:
        raise ValueError(
            f"{n} draws leave no tail at level {level:g}; at least {draws_needed(level) if 0 < level < 1 else 'a level within (0, 1)'} are needed"
        )
    whole = int(np.floor(tail))
    order = np.sort(losses)[::-1]
    boundary = float(order[min(whole, n - 1)])
    value = float((order[:whole].sum() + (tail - whole) * boundary) / tail)
    influence = np.maximum(losses - boundary, 0.0) / (1.0 - level)
    return value, influence - influence.mean()


def _normal(value: float, influence: Floats, confidence: float) -> Estimate:
    n = len(influence)
    error = float(np.sqrt(np.sum(influence**2) / max(n - 1, 1) / n))
    half = float(ndtri(0.5 + confidence / 2)) * error
    return Estimate(value, error, value - half, value + half, confidence, n)
