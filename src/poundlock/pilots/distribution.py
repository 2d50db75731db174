"""Inequality between regions, with population weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def gini(income: ArrayLike, population: ArrayLike) -> float:
    """Population-weighted Gini index: half the mean absolute difference over the mean, 0 (equal) to 1.

    income: (n,), mean of each region, > 0. population: (n,), weights > 0. People inside a region count as equal, so this
    is inequality between regions only. Raises ValueError for values that are not positive and finite.
    Source: Lerman and Yitzhaki 1989, Journal of Econometrics 42(1), eq. 6.
    """
    x, w = _checked(income, population)
    order = np.argsort(x, kind="stable")
    x, w = x[order], w[order] / w.sum()
    middle_rank = np.cumsum(w) - w / 2
    mean = float(np.sum(w * x))
    return float(2.0 * np.sum(w * x * (middle_rank - 0.5)) / mean)


def theil(income: ArrayLike, population: ArrayLike) -> float:
    """Population-weighted Theil T index between regions: mean of (x/m) ln(x/m), 0 (equal) to ln(population / smallest).

    Arguments and errors as for `gini`. Source: Theil 1967, Economics and Information Theory, ch. 4.
    """
    x, w = _checked(income, population)
    share = w / w.sum()
    relative = x / np.sum(share * x)
    return float(np.sum(share * relative * np.log(relative)))


def _checked(income: ArrayLike, population: ArrayLike) -> tuple[Floats, Floats]:
    x, w = np.asarray(income, dtype=np.float64), np.asarray(population, dtype=np.float64)
    if x.shape != w.shape or x.ndim != 1 or len(x) == 0:
        raise ValueError(f"income {x.shape} and population {w.shape}; expected two arrays of one length")
    for name, values in (("income", x), ("population", w)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise ValueError(f"{name} must be positive and finite in every region")
    return x, w
