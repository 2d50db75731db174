"""Growth, and spikes against a seasonal baseline that a few odd days cannot bend.

The baseline of a day is the median of the same weekday over the weeks before it; how far days usually lie from theirs is the median absolute
deviation of the logarithms (times 1.4826, normal consistency; Rousseeuw and Croux 1993). A day is a spike where it lies farther than
`beyond` such deviations.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
NORMAL = 1.4826
SMALLEST_DEVIATION = 0.01
"""Days whose logarithms lie closer than this are alike; a constant series has no spike of a rounding error."""


@dataclass(frozen=True, slots=True)
class Seasonal:
    """days (d,). observed, expected (d,): expected NaN where fewer than `least` earlier days of that weekday are known. deviation: usual
    distance of logarithms. score (d,): distance in deviations, signed; NaN without an expectation. spikes (d,)."""

    days: tuple[dt.date, ...]
    observed: Floats = field(repr=False)
    expected: Floats = field(repr=False)
    deviation: float
    score: Floats = field(repr=False)
    spikes: NDArray[np.bool_] = field(repr=False)


def seasonal(
    days: Sequence[dt.date], observed: Floats, *, weeks: int = 8, least: int = 3, beyond: float = 5.0
) -> Seasonal:
    """Hold each day against its baseline. days: ascending, gaps allowed. observed (d,): nought or more; a day at nought among others is a
    spike downwards, without a logarithm."""
    if list(days) != sorted(set(days)) or len(days) != len(observed):
        raise ValueError("days must ascend, each once, with one number each")
    known = {day: float(x) for day, x in zip(days, observed, strict=True)}
    expected = np.full(len(days), np.nan)
    for k, day in enumerate(days):
        before = [known[d] for w in range(1, weeks + 1) if (d := day - dt.timedelta(weeks=w)) in known]
        if len(before) >= least:
            expected[k] = float(np.median(before))
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.log(observed / expected)
    away[np.isnan(expected) | (expected <= 0.0)] = np.nan
    finite = away[np.isfinite(away)]
    spread = NORMAL * float(np.median(np.abs(finite - np.median(finite)))) if len(finite) else 0.0
    deviation = max(spread, SMALLEST_DEVIATION)
    centre = float(np.median(finite)) if len(finite) else 0.0
    score = (away - centre) / deviation
    with np.errstate(invalid="ignore"):
        spikes = np.abs(score) > beyond
    return Seasonal(tuple(days), np.asarray(observed, dtype=np.float64), expected, deviation, score, spikes)


def growth(values: Floats, lag: int = 1) -> Floats:
    """Change over the period `lag` before, as a fraction (p,); NaN for the first `lag`, and after nought."""
    found = np.full(len(values), np.nan)
    if len(values) > lag:
        before = np.asarray(values[:-lag], dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[lag:] = np.where(before > 0.0, values[lag:] / before - 1.0, np.nan)
    return found
