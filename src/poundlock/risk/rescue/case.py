"""A system under clearing as plain arrays, for the programmes that look for the least money that holds a tail limit.

Payments p of a scenario are the greatest p with p <= owed and p <= left + injected + share p (Eisenberg and Noe 2001, lemma 4).
The loss is weight' (owed - p). As it never rises with payments, any p that keeps the two rules gives at least the loss of
clearing, so a programme may choose p freely and none that it finds is too cheap: the relaxation is exact. A loss that rises
with payments (equity lost: who pays has less) would not do. The loss is convex in what is injected, because payments are
the value of a linear programme, and it falls at the rate of the multipliers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import splu

from poundlock.contagion.engine import as_model, propagate
from poundlock.contagion.model import Model
from poundlock.risk.statistics import draws_needed, expected_shortfall
from poundlock.system.balance import Floats, System, network, obligations

Measure = Literal["unpaid", "unpaid outside"]
CLOSE = 1e-9  # relative to the mean debt: what counts as held, and as a gap that is closed
SWEEPS = 2_000


@dataclass(frozen=True, repr=False)
class Case:
    """s scenarios on n institutions. model, losses (s, n): as given, money. Everything else is counted in units of `scale`, the mean
    debt, so that a solver's tolerances mean the same in any currency. share (n, n): [i, j], part of what j pays that i gets;
    share_back: its transpose. owed (n,): to all creditors. left (s, n): external assets after the shock, >= 0. weight (n,): loss
    for each unit that i leaves unpaid. cost (n,): of each unit injected. most (n,): that i may get, and never more than it could
    ever need. limit: of the mean of the worst 1 - level share of the losses.
    """

    model: Model
    losses: Floats
    scale: float
    share: csr_array
    share_back: csr_array = field(repr=False)
    owed: Floats
    left: Floats
    weight: Floats
    cost: Floats
    most: Floats
    limit: float
    level: float

    @property
    def worst(self) -> float:
        """How many scenarios make up the tail, with its fraction."""
        return (1.0 - self.level) * len(self.left)


def make_case(
    system: System | Model,
    losses: ArrayLike,
    limit: float,
    level: float,
    of: Measure | ArrayLike,
    most: ArrayLike | None = None,
    cost: ArrayLike | None = None,
) -> Case:
    """Check and make ready. losses: (s, n) or (n,), on external assets, money, negative for a gain, at most the assets. of: the
    loss by name or as weights (n,), >= 0, of what each leaves unpaid. Raises ValueError for a system with anything but debts of
    one rank under clearing, shapes that disagree, numbers out of range and a tail without a scenario."""
    made = as_model(system)
    _debts_alone(made)
    n, hit = len(made.system), _hit(made.system, losses)
    assets = made.system.external_assets
    _limits(limit, level, len(hit))
    owed = obligations(made.system) + made.system.external_liabilities
    scale = float(owed[owed > 0.0].mean()) if (owed > 0.0).any() else 1.0
    share = csr_array(network(made.system) @ diags_array(_over(np.ones(n), owed)))
    left = np.maximum(assets - hit, 0.0) / scale
    need = np.maximum(owed / scale - left.min(axis=0, initial=np.inf), 0.0)
    at_most = need if most is None else np.minimum(need, _vector("most", most, n, above=False) / scale)
    return Case(
        made,
        hit,
        scale,
        share,
        csr_array(share.T),
        owed / scale,
        left,
        _weight(made.system, owed, of),
        np.ones(n) if cost is None else _vector("cost", cost, n, above=True),
        at_most,
        float(limit) / scale,
        float(level),
    )


def _hit(system: System, losses: ArrayLike) -> Floats:
    """Losses as (s, n), checked."""
    n, assets = len(system), system.external_assets
    hit = np.atleast_2d(np.asarray(losses, dtype=np.float64))
    if hit.ndim != 2 or hit.shape[1] != n or not np.isfinite(hit).all():
        raise ValueError(f"losses have shape {hit.shape}; expected (scenarios, {n}), finite numbers")
    beyond = np.argwhere(hit > assets * (1.0 + 1e-9))
    if len(beyond):
        s, i = beyond[0]
        raise ValueError(
            f"losses[{s}, {i}] is {hit[s, i]:,.6g}, external assets of '{system.ids[i]}' are {assets[i]:,.6g}; expected no "
            "more than there is to lose (numpy.minimum of the two): beyond it the loss is not convex in what is injected"
        )
    return np.minimum(hit, assets)


def _debts_alone(made: Model) -> None:
    system = made.system
    ranks = {layer.rank for layer in system.layers if layer.kind == "debt"} | {system.external_rank}
    named = {layer.valuation for layer in system.layers} - {None, "clearing"} | ({made.mechanism.name} - {"clearing"})
    refused = {
        "stakes": any(layer.kind == "stake" and layer.amounts.nnz for layer in system.layers),
        "guarantees": len(system.guarantees) > 0,
        f"debts of {len(ranks)} ranks": len(ranks) > 1,
        f"valuation {', '.join(sorted(map(str, named)))}": len(named) > 0,
        "sales or funding withdrawals": made.markets is not None,
    }
    if found := [name for name, there in refused.items() if there]:
        raise ValueError(f"the system has {' and '.join(found)}; expected debts of one rank, under clearing")


def _limits(limit: float, level: float, count: int) -> None:
    if not (np.isfinite(limit) and limit >= 0.0):
        raise ValueError(f"limit is {limit:g}; expected money, 0 or more")
    if not 0.0 <= level < 1.0:
        raise ValueError(f"level is {level:g}; expected a share within [0, 1), 0 for the mean")
    if round((1.0 - level) * count, 9) < 1.0:
        raise ValueError(
            f"{count} scenarios leave no tail at level {level:g}; expected {int(np.ceil(round(1.0 / (1.0 - level), 9)))} or more "
            f"({draws_needed(level)} for an interval), or level 0 for the mean"
        )


def _vector(name: str, values: ArrayLike, n: int, *, above: bool) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (n,):
        raise ValueError(f"{name} has shape {found.shape}; expected ({n},)")
    if np.isnan(found).any() or (found < 0.0).any() or (above and not ((found > 0.0) & np.isfinite(found)).all()):
        raise ValueError(
            f"{name} has {found.min():g} to {found.max():g}; expected numbers {'above 0' if above else '0 or more'}"
        )
    return found


def _weight(system: System, owed: Floats, of: Measure | ArrayLike) -> Floats:
    if isinstance(of, str):
        if of == "unpaid":
            return np.ones(len(owed))
        if of == "unpaid outside":
            return _over(system.external_liabilities, owed)
        raise ValueError(f"unknown loss '{of}'; known: unpaid, unpaid outside, or weights ({len(owed)},)")
    return _vector("of", of, len(owed), above=False)


def _over(amount: Floats, owed: Floats) -> Floats:
    return np.divide(amount, owed, out=np.zeros(len(owed)), where=owed > 0.0)


def unpaid(case: Case, injected: Floats) -> Floats:
    """What each leaves unpaid when `injected`, (n,) or (s, n), is added to its external assets, by the engine. (s, n)."""
    cleared = propagate(case.model, case.losses - injected * case.scale)
    return np.asarray(np.clip(-cleared.equity / case.scale, 0.0, case.owed))


def tail_mean(losses: Floats, level: float) -> float:
    """Mean of the worst 1 - level share, the mean of all at level 0. losses: (s,)."""
    return float(losses.mean()) if level == 0.0 else expected_shortfall(losses, level).value


def statistic(case: Case, injected: Floats) -> float:
    """The limited statistic with this much injected, (n,) or (s, n), by the engine."""
    return tail_mean(unpaid(case, injected) @ case.weight, case.level)


def settled(matrix: csr_array, right: Floats, start: Floats | None = None) -> Floats:
    """x = matrix x + right, by sweeps (matrix is not negative, and money leaves it), else by a factorisation. right: (m,).

    Raises RuntimeError where no money leaves at all."""
    found = right.copy() if start is None else start
    for _ in range(SWEEPS):
        after = matrix @ found + right
        moved = float(np.abs(after - found).max(initial=0.0))
        found = after
        if moved <= 1e-14 * float(np.abs(found).max(initial=0.0)):
            return np.asarray(found)
        if not np.isfinite(moved):
            break
    return np.asarray(splu((diags_array(np.ones(len(right))) - matrix).tocsc()).solve(right))


def multipliers(case: Case, short: NDArray[np.bool_]) -> Floats:
    """By how much the loss falls for a unit given to each that is short: on them, l = weight + share' l; elsewhere nought. (s, n).

    The transposed system of clearing on its default set; any l >= 0 gives a valid cut, this one a tight one."""
    found = np.zeros(short.shape)
    for s, mask in enumerate(short):
        chosen = np.flatnonzero(mask)
        found[s, chosen] = settled(case.share_back[chosen][:, chosen], case.weight[chosen])
    return np.asarray(np.maximum(found, 0.0))


def intercepts(case: Case, price: Floats, found: Floats, left: Floats) -> Floats:
    """With l = `found` (t, n) and weights price (t,) on the losses: price * loss >= intercept - l' injected, whatever is
    injected; t scenarios with `left` (t, n). The dual of the programme of payments. (t,)."""
    full = np.maximum(price[:, None] * case.weight - found + (case.share_back @ found.T).T, 0.0)
    return np.asarray(price * (case.weight @ case.owed) - (left * found).sum(axis=1) - full @ case.owed)


def in_tail(case: Case, price: Floats) -> Floats:
    """Weights of scenarios brought into what a tail mean can have: none above total / ((1 - level) s). (s,)."""
    total = float(price.sum())
    top = total / case.worst
    over = np.maximum(price - top, 0.0).sum()
    room = np.maximum(top - price, 0.0)
    return np.asarray(np.minimum(price, top) + room * (over / room.sum() if room.sum() > 0.0 else 0.0))


def least_cost(case: Case, price: Floats, found: Floats) -> float:
    """What any injection that holds the limit costs at least, whatever price (s,) and multipliers (s, n), both >= 0, are put in:
    weak duality, so a solver's rounding cannot make it too high. The certificate of every method."""
    weights = in_tail(case, np.maximum(price, 0.0))
    held = np.maximum(found, 0.0)
    beyond = np.maximum(held.sum(axis=0) - case.cost, 0.0)
    inside = float(intercepts(case, weights, held, case.left).sum())
    return max(0.0, inside - float(weights.sum()) * case.limit - float(case.most @ beyond))


def least_fund_size(case: Case, price: Floats, found: Floats) -> float:
    """The same for a fund that pays scenario by scenario: the dearest unit of each scenario may cost one over all of them."""
    weights, held = in_tail(case, np.maximum(price, 0.0)), np.maximum(found, 0.0)
    dearest = float(held.max(axis=1, initial=0.0).sum())
    shrink = 1.0 / max(1.0, dearest)
    inside = float(intercepts(case, weights * shrink, held * shrink, case.left).sum())
    return max(0.0, inside - shrink * float(weights.sum()) * case.limit)
