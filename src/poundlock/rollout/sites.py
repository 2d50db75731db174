"""Sites that stand for all places: the k-median, exact by branch and bound up to 300 places, by swaps beyond."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Numbers = NDArray[np.int64]
EXACT_UP_TO: Final = 300
MOST_ROUNDS: Final = 100
STARTS: Final = 20
"""Random choices from which swaps begin, beside the greedy one; always the same ones."""
MOST_NODES: Final = 300_000
"""Nodes times places; some seconds. No clock is read, so that an answer is the same on every machine."""
FIRST_STEPS: Final = 2_000
STEPS: Final = 60
PATIENCE: Final = 8
"""Steps without a better bound, after which strides are halved; three times as many at first."""
KEPT: Final = 0.7
"""Share of the last direction in the next (Camerini, Fratta and Maffioli 1975)."""
BEYOND: Final = 1.003
"""Prices aim so far beyond the best cost known: a bound that aims at the cost itself only creeps up to it."""
PROVED: Final = 1e-9


@dataclass(frozen=True)
class Sites:
    """chosen: places, rising. cost: mean distance of a place to its nearest site. bound: no choice costs less, 0 where swaps were used. exact: proved the best."""

    chosen: tuple[int, ...]
    cost: float
    bound: float
    exact: bool


def k_median(
    distances: ArrayLike, count: int, *, allowed: ArrayLike | None = None, fixed: tuple[int, ...] = ()
) -> Sites:
    """The `count` places whose mean distance to all places is least.

    distances: (n, n), of each place (row) to each site (column), not negative. allowed: (n,), mask of possible sites, default all. fixed: sites that there are
    already, beside the `count`. Raises ValueError for a table that is not square, negative or missing distances, and fewer possible sites than asked for.
    Source: Hakimi 1964, Operations Research 12(3); swaps: Teitz and Bart 1968, Operations Research 16(5); bounds by prices of places and branching on
    sites: Beasley 1993, European Journal of Operational Research 65(3). An integer programme for HiGHS proves the same, 300 places not within a minute.
    """
    d = np.asarray(distances, dtype=np.float64)
    if d.ndim != 2 or d.shape[0] != d.shape[1] or not (np.isfinite(d).all() and (d >= 0.0).all()):
        raise ValueError(f"distances {d.shape}; expected a square table of numbers that are not negative")
    may = np.ones(len(d), dtype=bool) if allowed is None else np.asarray(allowed, dtype=bool).copy()
    may[list(fixed)] = False
    if not 1 <= count <= int(may.sum()):
        raise ValueError(f"{count} sites among {int(may.sum())} possible ones; expected one at least and no more")
    columns = np.flatnonzero(may)
    near = d[:, list(fixed)].min(axis=1) if fixed else np.full(len(d), np.inf)
    rows = np.ascontiguousarray(np.minimum(d[:, columns], near[:, None]).T)
    chosen, bound = _swaps(rows, count), 0.0
    if len(d) <= EXACT_UP_TO:
        chosen, bound = _branched(rows, count, chosen)
    cost = _cost(rows, chosen)
    low = min(bound, cost) / len(d)
    exact = len(d) <= EXACT_UP_TO and cost - bound <= 10.0 * PROVED * cost
    return Sites(tuple(sorted(columns[chosen].tolist())), cost / len(d), low, exact)


def _cost(rows: Floats, chosen: Numbers) -> float:
    return float(rows[chosen].min(axis=0).sum())


def _swaps(rows: Floats, count: int) -> Numbers:
    """rows: (sites, places), distances to the nearer of a site and those that there are already. From greedy and from random choices, the best that swaps reach."""
    draw, chosen = np.random.default_rng(0), list[int]()
    near = rows.max(axis=0)
    for _ in range(count):
        costs = np.minimum(rows, near).sum(axis=1)
        costs[chosen] = np.inf
        chosen.append(int(np.argmin(costs)))
        near = np.minimum(near, rows[chosen[-1]])
    starts = STARTS if rows.shape[1] <= EXACT_UP_TO else 1
    begun = [np.array(chosen), *(draw.choice(len(rows), count, replace=False) for _ in range(starts))]
    reached = [_swapped(rows, one) for one in begun]
    return min(reached, key=lambda one: _cost(rows, one))


def _swapped(rows: Floats, chosen: Numbers) -> Numbers:
    """The swap that lowers the cost most, until none does."""
    count, places = len(chosen), rows.shape[1]
    chosen = np.asarray(chosen, dtype=np.int64).copy()
    for _ in range(MOST_ROUNDS if count < len(rows) else 0):
        mine = rows[chosen]
        nearest = mine.argmin(axis=0)
        first = mine[nearest, np.arange(places)]
        second = np.partition(mine, 1, axis=0)[1] if count > 1 else rows.max(axis=0)
        low = np.minimum(rows, first)
        served = np.zeros((count, places))
        served[nearest, np.arange(places)] = 1.0
        change = (low - first).sum(axis=1) + served @ (np.minimum(rows, second) - low).T
        change[:, chosen] = 0.0
        out, new = np.unravel_index(int(change.argmin()), change.shape)
        if change[out, new] >= -1e-12 * max(float(first.sum()), 1e-300):
            break
        chosen[out] = new
    return chosen


class _Node(NamedTuple):
    """taken, free: masks of sites that must be chosen, and may be. prices: (places,), what each would pay to be served."""

    taken: Mask
    free: Mask
    prices: Floats


class _Priced(NamedTuple):
    """bound: no choice within the node costs less. gains: (sites,), what all places save by each at these prices, not above 0. often: (sites,), how often each was
    among the best. chosen: cheapest choice met."""

    bound: float
    prices: Floats
    gains: Floats
    often: Floats
    chosen: Numbers


def _branched(rows: Floats, count: int, chosen: Numbers) -> tuple[Numbers, float]:
    """The best choice and what none costs less than: nodes with the lowest bound first, each split by a site that prices leave open."""
    sites, places = rows.shape
    best = _cost(rows, chosen)
    root = _Node(np.zeros(sites, dtype=bool), np.ones(sites, dtype=bool), np.full(places, best / places))
    heap, born, looked = [(0.0, 0, root)], 0, 0
    while heap and heap[0][0] < best * (1.0 - PROVED):
        if looked * places >= MOST_NODES:
            return chosen, heap[0][0]
        at, _, node = heappop(heap)
        found = _priced(rows, node, count, best, FIRST_STEPS if looked == 0 else STEPS)
        looked += 1
        met = _swapped(rows, found.chosen) if looked == 1 or _cost(rows, found.chosen) < best else found.chosen
        if _cost(rows, met) < best:
            chosen, best = met, _cost(rows, met)
        if found.bound >= best * (1.0 - PROVED):
            continue
        for child in _split(node, found, count, best):
            if child.taken.sum() == count or (child.taken | child.free).sum() == count:
                only = np.flatnonzero(child.taken if child.taken.sum() == count else child.taken | child.free)
                if _cost(rows, only) < best:
                    chosen, best = only, _cost(rows, only)
            elif (child.taken | child.free).sum() > count > child.taken.sum():
                born += 1
                heappush(heap, (max(found.bound, at), born, child))
    return chosen, best


def _priced(rows: Floats, node: _Node, count: int, best: float, steps: int) -> _Priced:
    """Lagrangian bound: places pay prices, a site gains what they save, the `count` best are chosen; prices rise where nobody serves and fall where many do."""
    taken, free = np.flatnonzero(node.taken), np.flatnonzero(node.free)
    held, left = len(taken), count - len(taken)
    index = np.concatenate([taken, free])
    mine, prices, stride, still, slope = rows[index], node.prices, 1.0, 0, np.zeros(rows.shape[1])
    patience = PATIENCE if steps == STEPS else 3 * PATIENCE
    top = _Priced(-np.inf, prices, np.zeros(len(index)), np.zeros(len(index)), index[:count])
    cheapest, reached, often = top.chosen, np.inf, np.zeros(len(index))
    for _ in range(steps):
        total = float(prices.sum())
        gains = np.minimum(mine, prices).sum(axis=1) - total
        order = (
            np.argpartition(gains[held:], left - 1)[:left] + held if left < len(free) else np.arange(held, len(index))
        )
        picked = np.concatenate([np.arange(held), order])
        bound, near = total + float(gains[picked].sum()), mine[picked]
        often *= 0.95
        often[picked] += 0.05
        cost = float(near.min(axis=0).sum())
        if cost < reached:
            reached, cheapest = cost, index[picked]
        still = 0 if bound > top.bound + 1e-5 * best else still + 1
        if bound > top.bound:
            top = top._replace(bound=bound, prices=prices, gains=gains)
        if still >= patience:
            stride, still, prices, slope = stride / 2.0, 0, top.prices, np.zeros_like(slope)
        if top.bound >= min(best, reached) * (1.0 - PROVED) or stride < 1e-3:
            break
        slope = KEPT * slope + (1.0 - (near < prices).sum(axis=0))
        if not slope.any():
            break
        prices = prices + stride * (min(best, reached) * BEYOND - bound) / float(slope @ slope) * slope
    spread = np.zeros((2, len(rows)))
    spread[:, index] = top.gains, often
    return _Priced(top.bound, top.prices, spread[0], spread[1], cheapest)


def _split(node: _Node, found: _Priced, count: int, best: float) -> list[_Node]:
    """Sites that every better choice has are taken, those that none has are left out; then with and without the one most in doubt."""
    taken, free = node.taken.copy(), node.free.copy()
    left = count - int(taken.sum())
    mine = np.flatnonzero(free)
    if left < len(mine):
        gains = found.gains[mine]
        last, following = np.partition(gains, [left - 1, left])[left - 1 : left + 1]
        enough = best * (1.0 - PROVED)
        out = mine[(gains > last) & (found.bound + gains - last >= enough)]
        into = mine[(gains < following) & (found.bound - gains + following >= enough)]
        free[out], free[into], taken[into] = False, False, True
    open_now = np.flatnonzero(free)
    if not len(open_now):
        return [_Node(taken, free, found.prices)]
    doubt = open_now[int(np.argmin(np.abs(found.often[open_now] - 0.5)))]
    with_it, rest = taken.copy(), free.copy()
    with_it[doubt], rest[doubt] = True, False
    return [_Node(taken, rest, found.prices), _Node(with_it, rest, found.prices)]
