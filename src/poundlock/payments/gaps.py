"""Hours in which an institution sent nothing, though it usually does: a gap in the records, or an institution that stood still."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST: Final = 50
"""Records that an hour usually has before silence in it is no chance: at half the usual rate, one such hour in 70 thousand million is silent."""
FEWEST_DAYS: Final = 3
"""With two days, one silent hour would halve the median."""


@dataclass(frozen=True, slots=True)
class Silence:
    """An hour without records of an institution that usually sends `usual` then."""

    day: dt.date
    institution: str
    hour: int
    usual: float


def silent_hours(
    days: Sequence[dt.date], hours: NDArray[np.int64], institutions: Sequence[str], least: int = LEAST
) -> tuple[Silence, ...]:
    """Hours (days, 24, n) without a record where the median of all days has at least `least`."""
    if len(days) < FEWEST_DAYS:
        return ()
    usual = np.median(hours, axis=0)
    cells = np.argwhere((hours == 0) & (usual >= least)[None])
    return tuple(Silence(days[d], institutions[i], int(h), float(usual[h, i])) for d, h, i in cells)


def unasked(hours: NDArray[np.int64], least: int = LEAST) -> str:
    """Why gaps could not be looked for, in words; empty where they could."""
    if len(hours) >= FEWEST_DAYS and bool((np.median(hours, axis=0) >= least).any()):
        return ""
    return f"no hour of any institution usually has {least} records, or fewer than {FEWEST_DAYS} days are there"
