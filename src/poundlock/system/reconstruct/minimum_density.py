"""The network with the fewest links: small ones by a mixed-integer programme, large ones by balanced groups, always with a bound.

A network whose links hold k groups of lenders and borrowers apart needs at least as many links as there are lenders and borrowers
less k, and a forest has no more. So the fewest links come with the most groups whose totals balance among themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack
from scipy.sparse.csgraph import breadth_first_order, connected_components

from poundlock.system.reconstruct.entropy import Floats
from poundlock.system.reconstruct.given import Given, whole
from poundlock.system.reconstruct.groups import balanced_groups, best_groups, fewest


@dataclass(frozen=True)
class Sparsest:
    """network: in money, known cells included. links: its links. at_least: no network that meets the totals has fewer; the gap is
    (links - at_least) / links. how: what found it and what gave the bound."""

    network: csr_array = field(repr=False)
    links: int
    at_least: int
    how: str

    @property
    def gap(self) -> float:
        """Share of the links that may be too many; nought: these are the fewest."""
        return (self.links - self.at_least) / max(self.links, 1)


def fewest_links(known: Given, *, exact_up_to: int = 30, time_limit: float = 60.0) -> Sparsest | None:
    """A network with few links that meets the totals, and how few there must be; None where no network meets them.

    exact_up_to: institutions up to which the mixed-integer programme runs, for time_limit seconds at most: it is the one place
    where the time of the machine can change a result, when the limit cuts it short.
    Source: Anand, Craig and von Peter 2015, Quantitative Finance 15(4), equation 2 without the deviations from the totals.
    """
    cells = _by_groups(known)
    if cells is None:
        return None
    at_least, how = fewest(known), "balanced groups"
    if len(cells) > at_least and (grouped := _by_best_groups(known)) is not None and len(grouped) < len(cells):
        cells = grouped
    if len(cells) > at_least and len(known) <= exact_up_to:
        better, bound = _by_programme(known, len(cells), time_limit)
        at_least = max(at_least, bound)
        if better is not None and len(better) < len(cells):
            cells, how = better, "mixed-integer programme"
    amounts = np.zeros(known.free.shape)
    for i, j, x in cells:
        amounts[i, j] = x
    proof = "proven fewest" if len(cells) == at_least else "bound not reached"
    return Sparsest(whole(known, amounts), len(cells) + known.links, at_least + known.links, f"{how}, {proof}")


Cells = list[tuple[int, int, float]]


def _by_groups(known: Given) -> Cells | None:
    """Small groups with equal totals are split off, smallest first; each, and the rest, is filled as a forest."""
    lenders, borrowers = (set(np.flatnonzero(totals > 0.0).tolist()) for totals in (known.lends, known.owes))
    everybody = tuple(sorted(lenders)), tuple(sorted(borrowers))
    largest = 3 if len(lenders) + len(borrowers) <= 120 else 2 if len(lenders) + len(borrowers) <= 600 else 1
    cells: Cells = []
    for size in sorted(product(range(1, largest + 1), range(1, largest + 1)), key=sum):
        for some, others in balanced_groups(known, sorted(lenders), sorted(borrowers), size):
            if lenders.issuperset(some) and borrowers.issuperset(others):
                filled = fill_forest(known, some, others)
                if filled is not None and _possible_without(known, lenders - set(some), borrowers - set(others)):
                    cells += filled
                    lenders -= set(some)
                    borrowers -= set(others)
    rest = fill_forest(known, tuple(sorted(lenders)), tuple(sorted(borrowers)))
    if rest is None:
        return fill_forest(known, *everybody)
    return cells + rest


def _by_best_groups(known: Given) -> Cells | None:
    """The most groups, where there are few enough institutions to look at all subsets; None where one cannot be filled."""
    cells: Cells = []
    for lenders, borrowers in best_groups(known):
        filled = fill_forest(known, lenders, borrowers)
        if filled is None:
            return None
        cells += filled
    return cells or None


def _possible_without(known: Given, lenders: set[int], borrowers: set[int]) -> bool:
    """Whether what is left can still be filled, by the condition that is enough where only the diagonal is barred: nobody lends
    and owes more than all together."""
    left = np.zeros(len(known))
    left[list(lenders)] += known.lends[list(lenders)]
    total = float(left.sum())
    left[list(borrowers)] += known.owes[list(borrowers)]
    return bool((left <= total * (1.0 + 1e-12)).all()) or total == 0.0


def fill_forest(known: Given, lenders: tuple[int, ...], borrowers: tuple[int, ...]) -> Cells | None:
    """A network of these lenders and borrowers without a circle of links: greedily, else by a linear programme, whose corners are
    forests. None where there is none."""
    if not lenders and not borrowers:
        return []
    found = _greedy(known, lenders, borrowers)
    if found is None:
        found = _corner(known, lenders, borrowers)
    return found


def _greedy(known: Given, lenders: tuple[int, ...], borrowers: tuple[int, ...]) -> Cells | None:
    """Whoever lends and owes most in all settles the larger of the two with the largest partner that is allowed; each link uses
    up a total."""
    lends, owes = np.zeros(len(known)), np.zeros(len(known))
    lends[list(lenders)], owes[list(borrowers)] = known.lends[list(lenders)], known.owes[list(borrowers)]
    cells: Cells = []
    for _ in range(len(lenders) + len(borrowers)):
        if not (lends.any() or owes.any()):
            return cells
        at = int(np.argmax(lends + owes))
        if lends[at] >= owes[at]:
            i, j = at, int(np.argmax(np.where(known.free[at], owes, -1.0)))
        else:
            i, j = int(np.argmax(np.where(known.free[:, at], lends, -1.0))), at
        x = min(lends[i], owes[j])
        if x <= 0.0 or not known.free[i, j]:
            return None
        cells.append((i, j, float(x)))
        lends[i] = 0.0 if lends[i] - x <= 1e-10 * known.lends[i] else lends[i] - x
        owes[j] = 0.0 if owes[j] - x <= 1e-10 * known.owes[j] else owes[j] - x
    return cells if not (lends.any() or owes.any()) else None


def _corner(known: Given, lenders: tuple[int, ...], borrowers: tuple[int, ...]) -> Cells | None:
    among = np.zeros_like(known.free)
    among[np.ix_(lenders, borrowers)] = True
    i, j = np.nonzero(known.free & among)
    if len(i) == 0:
        return None
    prices = np.random.default_rng(len(i)).random(len(i))
    solved = linprog(prices, A_eq=_sums(i, j, len(known)), b_eq=_both(known, lenders, borrowers), method="highs-ds")
    if solved.x is None:
        return None
    used = solved.x > 0.0
    return solve_forest(i[used], j[used], _both(known, lenders, borrowers))


def _both(known: Given, lenders: tuple[int, ...], borrowers: tuple[int, ...]) -> Floats:
    n, totals = len(known), np.zeros(2 * len(known))
    totals[list(lenders)] = known.lends[list(lenders)]
    totals[[n + j for j in borrowers]] = known.owes[list(borrowers)]
    return totals


def _sums(i: NDArray[np.int64], j: NDArray[np.int64], n: int) -> csr_array:
    """Totals of cells (i, j): (2n, cells)."""
    cells = np.arange(len(i))
    return csr_array(coo_array((np.ones(2 * len(i)), (np.concatenate([i, n + j]), np.tile(cells, 2))), (2 * n, len(i))))


def solve_forest(i: NDArray[np.int64], j: NDArray[np.int64], totals: Floats) -> Cells | None:
    """The only amounts on links without a circle that meet the totals (2n,), from the leaves to the root; None where they would be
    negative, miss a total by more than 1e-10, or the links form a circle."""
    n = len(totals) // 2
    graph = coo_array((np.ones(len(i)), (i, n + j)), shape=(2 * n, 2 * n)).tocsr()
    trees, tree = connected_components(graph, directed=False)
    if len(i) != 2 * n - trees:
        return None
    left, cells = totals.copy(), []
    for root in np.unique(tree, return_index=True)[1]:
        order, parent = breadth_first_order(graph, root, directed=False)
        for node in order[:0:-1]:
            above, x = int(parent[node]), float(left[node])
            left[above] -= x
            if x < -1e-10 * totals[node]:
                return None
            if x > 1e-10 * min(totals[node], totals[above]):
                cells.append((int(node), above - n, x) if node < n else (above, int(node) - n, x))
        if abs(left[root]) > 1e-10 * totals[root]:
            return None
    return cells


def _by_programme(known: Given, best: int, time_limit: float) -> tuple[Cells | None, int]:
    """A network with fewer than `best` links, if the programme finds one, and a bound: min sum z, amounts <= z times the smaller
    total, totals met."""
    i, j = np.nonzero(known.free)
    count, n = len(i), len(known)
    sums, totals = _sums(i, j, n), np.concatenate([known.lends, known.owes])
    largest = np.minimum(known.lends[i], known.owes[j])
    nothing = csr_array(sums.shape)
    few = np.concatenate([np.zeros(count), np.ones(count)])[None, :]
    limits = [
        LinearConstraint(hstack([sums, nothing]), totals, totals),
        LinearConstraint(hstack([eye_array(count), coo_array((-largest, (np.arange(count),) * 2))]), -np.inf, 0.0),
        LinearConstraint(hstack([nothing, sums]), (totals > 0.0).astype(float), np.inf),
        LinearConstraint(few, 0.0, best - 1.0),
    ]
    bounds = Bounds(np.zeros(2 * count), np.concatenate([largest, np.ones(count)]))
    solved = milp(few[0], integrality=few[0], bounds=bounds, constraints=limits, options={"time_limit": time_limit})
    if solved.status == 2:
        return None, best
    dual = solved.mip_dual_bound
    bound = 0 if dual is None or not np.isfinite(dual) else int(np.ceil(dual - 1e-6))
    if solved.x is None:
        return None, min(bound, best)
    used = solved.x[count:] > 0.5
    return solve_forest(i[used], j[used], totals), min(bound, best)
