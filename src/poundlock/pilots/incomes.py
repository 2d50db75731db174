"""Who gained: indices of inequality and poverty of a sample or of regions, with weights, linearised errors, and their split between groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
Index = Literal["gini", "theil", "mean-log-deviation", "atkinson", "top-share", "bottom-share", "poverty"]
NEEDS: Final = {
    "atkinson": "aversion above 0",
    "top-share": "a share within (0, 1)",
    "bottom-share": "a share within (0, 1)",
    "poverty": "a line above 0",
}
"""What the parameter of an index is."""


@dataclass(frozen=True)
class Inequality:
    """value, its standard error and interval at `level`; influence (n,): of each row, with weighted mean nought. The error is that of independent rows drawn
    from a larger population; of a full count it is none."""

    index: str
    value: float
    error: float
    low: float
    high: float
    level: float
    influence: Floats = field(repr=False)


class Split(NamedTuple):
    """An index as what lies within groups and between their means; the two add up to the whole. by_group: each group's own index."""

    whole: float
    within: float
    between: float
    by_group: dict[str, float]


def inequality(
    income: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    index: Index = "gini",
    parameter: float | None = None,
    depth: float = 0.0,
    level: float = 0.95,
) -> Inequality:
    """An index with its linearised standard error.

    income: (n,), positive. weights: (n,), positive, such as residents; default alike. parameter: aversion of 'atkinson'; share of people of 'top-share' and
    'bottom-share'; line of 'poverty'. depth: of poverty, 0 its headcount, 1 the mean gap, 2 the squared one (Foster, Greer and Thorbecke 1984,
    Econometrica 52). Raises ValueError for values that are not positive and finite, and parameters outside their range.
    Source of the influence functions: Cowell and Flachaire 2015, Handbook of Income Distribution 2A, ch. 6.
    """
    x, w = _checked(income, weights)
    if index in NEEDS and (parameter is None or parameter <= 0.0 or (index.endswith("share") and parameter >= 1.0)):
        raise ValueError(f"{index} with parameter {parameter}; expected {NEEDS[index]}")
    value, influence = _of(index, x, w, parameter or 0.0, depth)
    error = float(np.sqrt(np.sum((w * influence) ** 2)))
    wide = float(norm.ppf(0.5 + level / 2.0)) * error
    return Inequality(index, value, error, value - wide, value + wide, level, influence)


def split(
    income: ArrayLike,
    groups: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    index: Literal["theil", "mean-log-deviation"] = "theil",
) -> Split:
    """Exact split of an index within and between groups, such as town and country or provinces. groups: (n,), labels. Source: Shorrocks 1980,
    Econometrica 48(3)."""
    x, w = _checked(income, weights)
    labels, code = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    if len(code) != len(x):
        raise ValueError(f"{len(code)} groups for {len(x)} incomes; expected one each")
    people = np.bincount(code, weights=w).astype(np.float64)
    means = np.bincount(code, weights=w * x) / people
    own = [_of(index, x[code == k], w[code == k] / people[k], 0.0, 0.0)[0] for k in range(len(labels))]
    counted = people * means / float(w @ x) if index == "theil" else people
    between = _of(index, means, people, 0.0, 0.0)[0]
    within = float(counted @ np.array(own))
    return Split(_of(index, x, w, 0.0, 0.0)[0], within, between, dict(zip(labels.tolist(), own, strict=True)))


def ratio_of_means(
    income: ArrayLike, in_first: ArrayLike, weights: ArrayLike | None = None, *, level: float = 0.95
) -> Inequality:
    """Mean income of one group over that of the other, such as town over country. in_first: (n,), mask. Raises ValueError for an empty group."""
    x, w = _checked(income, weights)
    first = np.asarray(in_first, dtype=bool)
    if first.shape != x.shape or first.all() or not first.any():
        raise ValueError("one of the two groups is empty; expected incomes in both")
    shares = float(w[first].sum()), float(w[~first].sum())
    means = float(w[first] @ x[first]) / shares[0], float(w[~first] @ x[~first]) / shares[1]
    value = means[0] / means[1]
    moved = np.where(first, (x - means[0]) / shares[0], -value * (x - means[1]) / shares[1]) / means[1]
    error = float(np.sqrt(np.sum((w * moved) ** 2)))
    wide = float(norm.ppf(0.5 + level / 2.0)) * error
    return Inequality("ratio of means", value, error, value - wide, value + wide, level, moved)


def _of(index: str, x: Floats, w: Floats, parameter: float, depth: float) -> tuple[float, Floats]:
    """Value and influence of each row; w adds up to one."""
    mean = float(w @ x)
    off = x - mean
    if index == "gini":
        return _gini(x, w, mean)
    if index == "theil":
        middle = float(w @ (x * np.log(x)))
        return middle / mean - np.log(mean), (x * np.log(x) - middle) / mean - (middle / mean**2 + 1.0 / mean) * off
    if index == "mean-log-deviation":
        logs = np.log(x)
        return float(np.log(mean) - w @ logs), off / mean - (logs - w @ logs)
    if index == "atkinson":
        return _atkinson(x, w, mean, parameter)
    if index == "poverty":
        poor = np.where(x < parameter, ((parameter - x).clip(min=0.0) / parameter) ** depth, 0.0)
        value = float(w @ poor)
        return value, poor - value
    return _share(index, x, w, mean, parameter)


def _gini(x: Floats, w: Floats, mean: float) -> tuple[float, Floats]:
    order = np.argsort(x, kind="stable")
    by, weight = x[order], w[order]
    below, held = np.cumsum(weight), np.cumsum(weight * by)
    distance = np.empty(len(x))  # mean distance of each from all
    distance[order] = by * (2.0 * below - 1.0) - 2.0 * held + mean
    whole = float(w @ distance)
    value = whole / (2.0 * mean)
    return value, (distance - whole) / mean - value * (x - mean) / mean


def _atkinson(x: Floats, w: Floats, mean: float, aversion: float) -> tuple[float, Floats]:
    if aversion == 1.0:
        logs = np.log(x)
        middle = float(w @ logs)
        same = float(np.exp(middle))
        moved = same * (logs - middle)
    else:
        power = x ** (1.0 - aversion)
        middle = float(w @ power)
        same = middle ** (1.0 / (1.0 - aversion))
        moved = same / (middle * (1.0 - aversion)) * (power - middle)
    return 1.0 - same / mean, -(moved / mean - same / mean**2 * (x - mean))


def _share(index: str, x: Floats, w: Floats, mean: float, share: float) -> tuple[float, Floats]:
    """Share of income of the richest or the poorest; the row at the boundary counts with its fraction."""
    sign = -1.0 if index == "top-share" else 1.0
    order = np.argsort(sign * x, kind="stable")
    below = np.cumsum(w[order])
    edge = float(x[order][int(np.searchsorted(below, share - 1e-15))])
    beyond = np.where(sign * x < sign * edge, x - edge, 0.0)
    value = (float(w @ beyond) + edge * share) / mean
    return value, (beyond - float(w @ beyond)) / mean - value * (x - mean) / mean


def _checked(income: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats]:
    x = np.asarray(income, dtype=np.float64)
    w = np.ones(x.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 1 or x.shape != w.shape or not len(x):
        raise ValueError(f"income {x.shape} and weights {w.shape}; expected two arrays of one length")
    for name, values in (("income", x), ("weights", w)):
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        if len(wrong):
            raise ValueError(f"{name}[{wrong[0]}] is {values[wrong[0]]:g}; expected positive and finite numbers")
    return x, w / w.sum()
