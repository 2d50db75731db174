"""Imputation: unit and period effects are learnt from what is not yet treated, and what is treated is held against them (Borusyak, Jaravel
and Spiess 2024, Review of Economic Studies 91(6))."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from poundlock.pilots.group_time import checked_panel

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Over = Literal["all", "event", "group", "period"]


@dataclass(frozen=True)
class Imputed:
    """at: event time, group or period; 0 for the mean over all. effect, error: (m,), mean effect on treated observations, in units of the outcome, and its
    conservative standard error. effects: (u, t), outcome less what was imputed, NaN where nothing is treated. counts (m,): observations. moved (c, m): what
    each unit or cluster moved a mean by, so that error = sqrt(sum(moved^2))."""

    over: Over
    at: tuple[int, ...]
    effect: Floats
    error: Floats
    counts: NDArray[np.int64] = field(repr=False)
    effects: Floats = field(repr=False)
    moved: Floats = field(repr=False)

    def __repr__(self) -> str:
        said = ", ".join(f"{a}: {e:+.4g} ({s:.3g})" for a, e, s in zip(self.at, self.effect, self.error, strict=True))
        return f"imputation, over {self.over}: {said}"


def impute(
    outcome: ArrayLike,
    first: ArrayLike,
    periods: ArrayLike,
    *,
    over: Over = "all",
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    anticipation: int = 0,
) -> Imputed:
    """Mean effects on the treated, all observations alike or by the weights of their units, which count in the unit and period effects too.

    outcome: (u, t), every unit in every period. first: (u,), first period under treatment, infinite for never. periods: (t,). weights: (u,), positive.
    cluster: (u,). anticipation: periods before the start that teach nothing, since units may already react. The error treats effects of one group in one period as their mean (eq. 8), so that it is conservative where they differ, and adds up
    within units or clusters. Raises ValueError for what `group_time` refuses, a unit treated in every period, and a period in which all are.
    """
    y, g, t = checked_panel(outcome, first, periods)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(y),) or not (np.isfinite(w).all() and (w > 0.0).all()):
        raise ValueError("weights missing, not positive or of another length; expected one positive number a unit")
    treated = t >= g[:, None] - anticipation
    _learnable(treated, t)
    groups = _groups(g - anticipation, t, w)
    by_unit, by_period = _effects(np.where(treated, 0.0, w[:, None] * y), groups, w)
    left = y - by_unit[:, None] - by_period
    spread = np.where(treated, left - _group_means(left, groups, w**2), left)
    at, chosen = _chosen(t >= g[:, None], g, t, over)
    of_cluster = np.arange(len(y)) if cluster is None else np.unique(np.asarray(cluster), return_inverse=True)[1]
    found = [_mean(left, spread, treated, groups, w, one, of_cluster) for one in chosen]
    effect, counts, moved = (np.array(part) for part in zip(*found, strict=True))
    error = np.sqrt(np.sum(moved**2, axis=1))
    return Imputed(over, at, effect, error, counts.astype(np.int64), np.where(treated, left, np.nan), moved.T)


def _learnable(treated: Mask, t: Floats) -> None:
    always = np.flatnonzero(treated.all(axis=1))
    if len(always):
        more = f" (and {len(always) - 1} more)" if len(always) > 1 else ""
        raise ValueError(
            f"unit {always[0]}{more} is treated in every period; expected a period before its start, or leave it out"
        )
    full = np.flatnonzero(treated.all(axis=0))
    if len(full):
        raise ValueError(
            f"all units are treated in period {t[full[0]]:g}; expected one that is not, or leave the period out"
        )


class _Groups(NamedTuple):
    """Units that start together have the same untreated periods. code (u,): group of each unit. there (c, t): ones where it is untreated. size (c,): weight
    of its units."""

    code: NDArray[np.int64]
    there: Floats
    size: Floats


def _groups(g: Floats, t: Floats, w: Floats) -> _Groups:
    starts, code = np.unique(g, return_inverse=True)
    there = (t < starts[:, None]).astype(np.float64)
    return _Groups(code.astype(np.int64), there, np.bincount(code, weights=w).astype(np.float64))


def _effects(values: Floats, of: _Groups, w: Floats) -> tuple[Floats, Floats]:
    """The a_i + l_t on untreated observations whose sums by unit and by period, each unit by its weight, equal those of values, (u, t): of weighted outcomes
    with noughts elsewhere these are the least-squares effects, of weights on treated ones their multipliers. Units are eliminated, group by
    group, and a system of the periods is left, the first nought. (u,), (t,)."""
    number, rows = of.there.sum(axis=1), values.sum(axis=1)
    normal = np.diag(of.size @ of.there) - (of.there * (of.size / number)[:, None]).T @ of.there
    by_group = np.bincount(of.code, weights=rows, minlength=len(number)) / number
    right = values.sum(axis=0) - by_group @ of.there
    by_period = np.zeros(len(right))
    by_period[1:] = np.linalg.lstsq(normal[1:, 1:], right[1:], rcond=None)[0]
    by_unit = rows / (w * number[of.code]) - (of.there @ by_period / number)[of.code]
    return by_unit, by_period


def _chosen(treated: Mask, g: Floats, t: Floats, over: Over) -> tuple[tuple[int, ...], list[Mask]]:
    """Labels, and the treated observations of each."""
    if over == "all":
        return (0,), [treated]
    start = np.where(np.isfinite(g), g, 0.0)[:, None]
    label = {
        "event": t - start,
        "group": np.broadcast_to(start, treated.shape),
        "period": np.broadcast_to(t, treated.shape),
    }[over]
    at = np.unique(label[treated])
    return tuple(int(one) for one in at), [treated & (label == one) for one in at]


def _mean(
    left: Floats,
    spread: Floats,
    treated: Mask,
    groups: _Groups,
    w: Floats,
    chosen: Mask,
    cluster: NDArray[np.int64],
) -> tuple[float, int, Floats]:
    """Mean over chosen observations, their number, and what each cluster moved it by. The mean is linear in outcomes: weights on untreated ones are least squares too."""
    share = np.where(chosen, w[:, None], 0.0)
    share /= share.sum()
    unit, period = _effects(share, groups, w)
    on_untreated = np.where(treated, 0.0, -w[:, None] * (unit[:, None] + period))
    moved = np.einsum("ut,ut->u", share + on_untreated, spread)
    return float((share * left).sum()), int(chosen.sum()), np.bincount(cluster, weights=moved).astype(np.float64)


def _group_means(left: Floats, groups: _Groups, w: Floats) -> Floats:
    """Mean of each group in each period, at all of its observations; units count by the square of their weight (eq. 8). (u, t)."""
    whole = np.bincount(groups.code, weights=w)
    means = np.stack([np.bincount(groups.code, weights=w * column) / whole for column in left.T], axis=1)
    return np.asarray(means[groups.code])
