"""Statistics of simulated losses, each with its standard error and interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from poundlock.system.balance import Floats

FEWEST_TAIL_DRAWS = 50


@dataclass(frozen=True, slots=True)
class Estimate:
    """value, its standard error, and the two-sided interval low..high at confidence `level`. draws: scenarios used."""

    value: float
    standard_error: float
    low: float
    high: float
    level: float
    draws: int


def draws_needed(level: float) -> int:
    """Fewest scenarios for which the tail beyond `level` holds 50 draws."""
    return int(np.ceil(round(FEWEST_TAIL_DRAWS / (1.0 - level), 9)))


def expected_shortfall(losses: Floats, level: float, confidence: float = 0.95) -> Estimate:
    """Mean of the worst 1 - level share of the losses; the boundary draw counts with its fraction.

    losses: (s,), positive is a loss. Raises ValueError when the tail is empty (fewer than 1 / (1 - level) draws).
    Acerbi and Tasche 2002, Journal of Banking and Finance 26(7), def. 2.6. Error by the influence function.
    """
    value, influence = _shortfall_influence(losses, level)
    return _normal(value, influence, confidence)


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
    z = float(ndtri(0.5 + confidence / 2))
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else float(max(0.0, centre - half))
    high = 1.0 if hits == n else float(min(1.0, centre + half))
    return Estimate(share, float(np.sqrt(share * (1 - share) / n)), low, high, confidence, n)


def incremental_probability(
    with_measure: NDArray[np.bool_], without: NDArray[np.bool_], confidence: float = 0.95
) -> Estimate:
    """Rise of an event's probability on common draws; normal interval on the paired differences. Both (s,).

    With no discordant pair at all the interval is the rule of three, 3 / s on either side.
    """
    difference = with_measure.astype(np.float64) - without.astype(np.float64)
    if not difference.any():
        n = len(difference)
        return Estimate(0.0, 0.0, -3.0 / n, 3.0 / n, confidence, n)
    return _normal(float(difference.mean()), difference - difference.mean(), confidence)


def _shortfall_influence(losses: Floats, level: float) -> tuple[float, Floats]:
    n = len(losses)
    tail = (1.0 - level) * n
    if not 0.0 < level < 1.0 or tail < 1.0:
        raise ValueError(
            f"{n} draws leave no tail at level {level:g}; at least {draws_needed(level) if 0 < level < 1 else 'a level within (0, 1)'} are needed"
        )
    whole = int(np.floor(round(tail, 9)))
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
