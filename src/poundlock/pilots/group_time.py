"""Group-time difference in differences for staggered starts, with influence functions (Callaway and Sant'Anna 2021, Journal of
Econometrics 225(2); Sant'Anna and Zhao 2020, Journal of Econometrics 219(1))."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Controls = Literal["never-treated", "not-yet-treated"]
Method = Literal["doubly-robust", "weighting", "outcome-regression"]
Over = Literal["all", "event", "group", "period"]
MOST_STEPS: Final = 50
OVERLAP: Final = 0.995
"""A control whose chance of treatment is above this counts nothing, as in the authors' software."""


class Cell(NamedTuple):
    """group: first period under treatment. period. effect: mean effect on the group in that period, in units of the outcome. error: standard error.
    treated, controls: units behind it."""

    group: int
    period: int
    effect: float
    error: float
    treated: int
    controls: int


@dataclass(frozen=True)
class Aggregate:
    """at: event time, group or period, 0 for the mean over all. effect, error: (m,). overall: mean of them, with overall_error. influence (u, m) and
    overall_influence (u,): of each unit, so that error = sqrt(mean(influence^2) / u)."""

    over: Over
    at: tuple[int, ...]
    effect: Floats
    error: Floats
    overall: float
    overall_error: float
    influence: Floats = field(repr=False)
    overall_influence: Floats = field(repr=False)


@dataclass(frozen=True)
class GroupTime:
    """Effects by group and period. cells: by group, then period. influence: (u, c). share: (c,), of the population in each cell's group.
    weight, first (u,): of units. cluster: (u,), None where units are independent. earliest: first period of the panel."""

    cells: tuple[Cell, ...]
    influence: Floats = field(repr=False)
    share: Floats = field(repr=False)
    weight: Floats = field(repr=False)
    first: Floats = field(repr=False)
    cluster: NDArray[np.int64] | None = field(repr=False)
    controls: Controls
    method: Method
    earliest: int

    def aggregate(self, over: Over = "all") -> Aggregate:
        """Mean effects after the start, groups by their size: over all cells, by time since the start, by group, or by period. Raises ValueError where
        no cell lies after a start. Source: Callaway and Sant'Anna 2021, table 1; the error counts that group sizes are estimated."""
        chosen = [k for k, c in enumerate(self.cells) if over == "event" or c.period >= c.group]
        at = tuple(sorted({_place(self.cells[k], over) for k in chosen}))
        if not any(c.period >= c.group for c in self.cells):
            raise ValueError("no period after any start; expected at least one")
        starts, code = np.unique(self.first, return_inverse=True)
        effect, rows = np.empty(len(at)), np.empty((len(at), len(code)))
        for number, one in enumerate(at):
            mine = [k for k in chosen if _place(self.cells[k], over) == one]
            effect[number] = self._mean(mine, starts, code, rows[number])
        influence = rows.T
        after = np.array([over != "event" or one >= 0 for one in at])
        overall, whole = self._overall(over, at, effect, influence, after)
        error = np.array([standard_error(column, self.cluster) for column in influence.T])
        return Aggregate(over, at, effect, error, overall, standard_error(whole, self.cluster), influence, whole)

    def _mean(self, chosen: list[int], starts: Floats, code: NDArray[np.int64], influence: Floats) -> float:
        """Mean of cells by the sizes of their groups; its influence function is filled in. starts: of groups, rising; code (u,): of each unit."""
        effects = np.array([self.cells[k].effect for k in chosen])
        share = self.share[chosen]
        mean = float(share @ effects / share.sum())
        by_group = np.zeros(len(starts))  # what one more unit of a group moves the mean by
        np.add.at(by_group, np.searchsorted(starts, [self.cells[k].group for k in chosen]), effects - mean)
        np.dot(share / share.sum(), self.influence.T[chosen], out=influence)
        influence += self.weight * (by_group / share.sum())[code]
        return mean

    def _overall(
        self, over: Over, at: tuple[int, ...], effect: Floats, influence: Floats, after: Mask
    ) -> tuple[float, Floats]:
        """Mean over event times or periods alike; over groups by their size."""
        if over != "group":
            return float(effect[after].mean()), influence[:, after].mean(axis=1)
        share = np.array([np.mean(self.weight * (self.first == g)) for g in at])
        moved = self.weight[:, None] * (self.first[:, None] == np.array(at)) - share
        by_size = moved @ (effect / share.sum()) - moved.sum(axis=1) * float(share @ effect) / share.sum() ** 2
        return float(share @ effect / share.sum()), influence @ (share / share.sum()) + by_size

    def __repr__(self) -> str:
        mean = self.aggregate()
        said = f"{len(self.cells)} group-time effects, {self.controls} controls, {self.method}"
        return f"{said}; mean {mean.overall:+.4g} (standard error {mean.overall_error:.3g})"


def group_time(
    outcome: ArrayLike,
    first: ArrayLike,
    periods: ArrayLike,
    *,
    covariates: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    controls: Controls = "never-treated",
    method: Method = "doubly-robust",
    anticipation: int = 0,
) -> GroupTime:
    """Mean effect on each group of units that start together, in each period, against controls that have not started.

    outcome: (u, t), every unit in every period. first: (u,), first period under treatment, infinite for never. periods: (t,), rising whole
    numbers. covariates: (u, k), from before any start. weights: (u,), such as population, positive. cluster: (u,), units of one cluster share
    shocks. anticipation: periods before the start in which units may already react.

    After the start the comparison is with the last period before it (less anticipation), before it with the period before. Raises ValueError for
    shapes that disagree, gaps in the panel, no control, no period before the first start, a group too small for its covariates.
    """
    y, g, t = checked_panel(outcome, first, periods)
    x, w, c = _beside(len(y), covariates, weights, cluster)
    by_period = np.ascontiguousarray(y.T)
    cells, rows = list[Cell](), np.empty((len(np.unique(g[np.isfinite(g)])) * (len(t) - 1), len(g)))
    for group in np.unique(g[np.isfinite(g)]):
        before = np.flatnonzero(t < group - anticipation)
        if not len(before):
            continue  # nothing to compare with: treated from the first period on
        compared: dict[bytes, _Compared] = {}
        for number in range(1, len(t)):
            base = int(before[-1]) if t[number] >= group - anticipation else number - 1
            against = _against(g, float(group), max(t[number], t[base]) + anticipation, controls, t[number])
            known = against.tobytes()
            if known not in compared:
                compared[known] = _compared(g == group, against, x, w, method)
            change, at = by_period[number] - by_period[base], (int(group), int(t[number]))
            cells.append(_cell(change, compared[known], c, at, rows[len(cells)]))
    if not cells:
        raise ValueError("every treated unit is treated from the first period on; expected a period before the start")
    share = np.array([np.mean(w * (g == cell.group)) for cell in cells])
    return GroupTime(tuple(cells), rows[: len(cells)].T, share, w, g, c, controls, method, int(t[0]))


def _place(cell: Cell, over: Over) -> int:
    """Where a cell belongs in a mean over event times, groups or periods."""
    return {"all": 0, "event": cell.period - cell.group, "group": cell.group, "period": cell.period}[over]


def standard_error(influence: Floats, cluster: NDArray[np.int64] | None) -> float:
    """From an influence function, (u,); of clusters, from the sums within each."""
    units = len(influence)
    if cluster is None:
        return float(np.sqrt(influence @ influence)) / units
    sums = np.bincount(cluster, weights=influence)
    return float(np.sqrt(np.sum(sums**2)) / units)


def simultaneous_bands(
    found: Aggregate, *, level: float = 0.95, draws: int = 999, seed: int = 1, cluster: NDArray[np.int64] | None = None
) -> Floats:
    """Bands that hold the whole path with this chance, (m, 2): multiplier bootstrap of the largest t statistic, Rademacher weights by unit or
    cluster. Raises ValueError where fewer than ten units or clusters are treated independently, so that it would mean nothing."""
    number = len(found.influence) if cluster is None else int(cluster.max()) + 1
    sums = found.influence
    if cluster is not None:
        sums = np.stack(
            [np.bincount(cluster, weights=column, minlength=number) for column in found.influence.T], axis=1
        )
    moving = int(np.count_nonzero(np.abs(sums).sum(axis=1) > 0.0))
    if moving < 10:
        raise ValueError(f"{moving} units or clusters move these effects; expected ten at least for a bootstrap")
    generator = np.random.default_rng(seed)
    signs = generator.choice(np.array([-1.0, 1.0]), size=(draws, number))
    drawn = signs @ sums / len(found.influence)
    sure = found.error > 0.0
    largest = np.max(np.abs(drawn[:, sure]) / found.error[sure], axis=1)
    wide = float(np.quantile(largest, level)) * found.error
    return np.column_stack([found.effect - wide, found.effect + wide])


def checked_panel(outcome: ArrayLike, first: ArrayLike, periods: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Outcome (u, t), first period under treatment (u,), infinite beyond the panel, and periods (t,). Raises ValueError, see `group_time`."""
    y, g, t = (np.asarray(v, dtype=np.float64) for v in (outcome, first, periods))
    if y.ndim != 2 or g.shape != (len(y),) or t.shape != (y.shape[1],):
        raise ValueError(f"shapes disagree: outcome {y.shape}, first {g.shape}, periods {t.shape}")
    if np.any(np.diff(t) <= 0) or np.any(t != np.round(t)):
        raise ValueError("periods do not rise by whole numbers; expected rising whole numbers, each once")
    gaps = np.argwhere(~np.isfinite(y))
    if len(gaps):
        i, k = gaps[0]
        more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        raise ValueError(f"no outcome of unit {i} in period {t[k]:g}{more}; expected every unit in every period")
    if np.any(np.isnan(g)):
        raise ValueError(
            f"first of unit {int(np.flatnonzero(np.isnan(g))[0])} is missing; expected a period, or infinity for never"
        )
    if np.ptp(y) <= 0.0:
        raise ValueError(f"the outcome is {y[0, 0]:g} everywhere and always; expected one that differs")
    flags = np.unique(g[np.isfinite(g)])
    if len(flags) and np.all(np.isin(flags, (0.0, 1.0))) and not np.all(np.isin(flags, t)):
        raise ValueError(
            "first holds 0 and 1; expected the first period under treatment, infinity for never, not a flag"
        )
    g = np.where(g > t[-1], np.inf, g)
    if not np.isfinite(g).any():
        raise ValueError("no unit starts within the panel; expected one at least")
    return y, g, t


def _beside(
    units: int, covariates: ArrayLike | None, weights: ArrayLike | None, cluster: ArrayLike | None
) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
    """Covariates with a constant, weights with mean one, clusters as numbers."""
    ones = np.ones((units, 1))
    x = ones if covariates is None else np.hstack([ones, np.asarray(covariates, dtype=np.float64).reshape(units, -1)])
    if not np.isfinite(x).all():
        i, k = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"covariate {k - 1} of unit {i} is missing; expected a number")
    w = np.ones(units) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (units,) or not (np.isfinite(w).all() and (w > 0.0).all()):
        raise ValueError("weights missing, not positive or of another length; expected one positive number a unit")
    numbers = None if cluster is None else np.unique(np.asarray(cluster), return_inverse=True)[1].astype(np.int64)
    return x, w / w.mean(), numbers


class _Compared(NamedTuple):
    """One group and its controls: inside (u,), and of those d, covariates x, weights w. The chance of treatment and the influence of each unit on
    its coefficients, the gram matrix of controls; None where the method has no use for them. on_treated, on_controls (u,): without covariates, what one
    unit counts in either mean, times all units."""

    inside: Mask
    d: Mask
    x: Floats
    w: Floats
    chance: Floats | None
    on_logit: Floats | None
    gram: Floats | None
    on_treated: Floats
    on_controls: Floats


def _against(g: Floats, group: float, latest: float, controls: Controls, period: float) -> Mask:
    """Who is a control. (u,)."""
    against = ~np.isfinite(g) if controls == "never-treated" else (g > latest) & (g != group)
    if not against.any():
        raise ValueError(f"no {controls} unit in period {period:g}; expected controls that have not started")
    return np.asarray(against)


def _compared(treated: Mask, against: Mask, x: Floats, w: Floats, method: Method) -> _Compared:
    """What does not hang on the period, done once."""
    inside = treated | against
    d, own_x, own_w = treated[inside], x[inside], w[inside]
    few = min(int(treated.sum()), int(against.sum()))
    if few < x.shape[1]:
        found = f"{few} units in a group or its controls, {x.shape[1] - 1} covariates"
        raise ValueError(f"{found}; expected more units than covariates")
    chance = on_logit = gram = None
    if x.shape[1] > 1 and method != "outcome-regression":
        chance, on_logit = _propensity(d, own_x, own_w)
    if x.shape[1] > 1 and method != "weighting":
        gram = (own_x * (own_w * ~d)[:, None]).T @ own_x / len(own_x)
    of_treated, of_controls = (len(w) * w * mask / float(w[mask].sum()) for mask in (treated, against))
    return _Compared(inside, d, own_x, own_w, chance, on_logit, gram, of_treated, of_controls)


def _cell(
    change: Floats, of: _Compared, cluster: NDArray[np.int64] | None, at: tuple[int, int], influence: Floats
) -> Cell:
    """One group in one period; its influence function over all units is filled in."""
    treated = int(np.count_nonzero(of.d))
    if of.x.shape[1] == 1:  # a difference of means
        first, second = (float(part @ change) / len(change) for part in (of.on_treated, of.on_controls))
        np.multiply(of.on_treated, change - first, out=influence)
        influence -= of.on_controls * (change - second)
        effect = first - second
    else:
        effect, own = _effect(change[of.inside], of)
        influence[:] = 0.0
        influence[of.inside] = own * (len(change) / len(own))
    return Cell(*at, effect, standard_error(influence, cluster), treated, len(of.d) - treated)


def _effect(change: Floats, of: _Compared) -> tuple[float, Floats]:
    """Mean change of the treated less what their controls tell of it, and the influence of each unit (Sant'Anna and Zhao 2020, eq. 3.1, and the
    appendix for the influence functions)."""
    d, x, w = of.d, of.x, of.w
    own = w * d
    mean = float(own.mean())
    beside = (
        np.where((of.chance < OVERLAP) & ~d, w * of.chance / (1.0 - of.chance), 0.0)
        if of.chance is not None
        else w * ~d
    )
    if of.gram is None:  # weights alone
        foretold, on_beta = np.zeros(len(change)), None
    else:
        foretold, on_beta = _regression(change, d, x, w, of.gram)
    left = change - foretold
    first = float((own * left).sum() / own.sum())
    if of.gram is not None and of.chance is None:  # regression alone
        influence = own * (left - first) - _along(on_beta, own, x)
        return first, np.asarray(influence / mean)
    second = float((beside * left).sum() / beside.sum())
    treated = own * (left - first) - _along(on_beta, own, x)
    control = beside * (left - second) - _along(on_beta, beside, x)
    if of.on_logit is not None:
        control += of.on_logit @ ((beside * (left - second)) @ x / len(x))
    return first - second, np.asarray(treated / mean - control / float(beside.mean()))


def _along(on_beta: Floats | None, weight: Floats, x: Floats) -> Floats | float:
    return 0.0 if on_beta is None else np.asarray(on_beta @ (weight @ x / len(x)))


def _regression(change: Floats, d: Mask, x: Floats, w: Floats, gram: Floats) -> tuple[Floats, Floats]:
    """Change that covariates foretell among controls, and the influence of each unit on the coefficients. (u,), (u, k)."""
    own = w * ~d
    beta = np.linalg.solve(gram, (own * change) @ x / len(x))
    foretold = x @ beta
    return foretold, (own * (change - foretold))[:, None] * np.linalg.solve(gram, x.T).T


def _propensity(d: Mask, x: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Chance of treatment by a weighted logit (Newton), and the influence of each unit on its coefficients."""
    beta = np.zeros(x.shape[1])
    for _ in range(MOST_STEPS):
        chance = expit(x @ beta)
        hessian = (x * (w * chance * (1.0 - chance))[:, None]).T @ x / len(x)
        if not np.linalg.cond(hessian) < 1e14:
            raise ValueError(
                "covariates tell treated units from controls without fail, or repeat each other; expected overlap"
            )
        step = np.linalg.solve(hessian, x.T @ (w * (d - chance)) / len(x))
        beta = beta + step
        if np.max(np.abs(step)) < 1e-10:
            break
    else:
        raise ValueError("the chance of treatment does not settle; expected overlap of covariates")
    chance = np.minimum(expit(x @ beta), 1.0 - 1e-6)
    hessian = (x * (w * chance * (1.0 - chance))[:, None]).T @ x / len(x)
    return chance, (w * (d - chance))[:, None] * np.linalg.solve(hessian, x.T).T
