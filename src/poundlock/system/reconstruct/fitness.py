"""Networks drawn link by link: the chance of a link grows with the totals at both its ends, the density is given."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import brentq, linprog
from scipy.sparse import coo_array, csr_array, vstack

from poundlock.system.reconstruct.entropy import Floats, possible_cells, relative_miss
from poundlock.system.reconstruct.given import Given, Mask, whole

ROUNDS = 200
"""Rounds of proportional fitting before Newton's method takes over."""
STEPS = 60
"""Bound on the steps of Newton's method."""


@dataclass(frozen=True)
class Drawn:
    """networks: in money, known cells included. repaired: for each, links that were added so that the totals can be met, and
    drawn links that the totals leave without money. draws: sets of links drawn for each. z: of the chances of a link."""

    networks: tuple[csr_array, ...] = field(repr=False)
    repaired: tuple[tuple[int, int], ...] = field(repr=False)
    draws: tuple[int, ...] = field(repr=False)
    z: float


def chances(known: Given, density: float) -> tuple[Floats, float]:
    """Chance of a link in each free cell, z x_i y_j / (1 + z x_i y_j) with x and y the totals, and the z at which the expected
    number of links, known ones included, is `density` times the cells that may hold one. Returns ((n, n), z).

    Raises ValueError where fewer cells are free than the density asks for, or more links known.
    Source: Cimini, Squartini, Garlaschelli and Gabrielli 2015, Scientific Reports 5:15758.
    """
    wanted, room = density * known.cells - known.links, int(known.free.sum())
    if not 0.0 < wanted <= room:
        low, high = known.links / known.cells, (room + known.links) / known.cells
        raise ValueError(
            f"density {density:g} is not between {low:.4g} and {high:.4g}, which known and free cells allow"
        )
    if wanted == room:
        return known.free.astype(np.float64), np.inf
    pull = np.where(known.free, np.outer(known.row_totals / known.unit, known.column_totals / known.unit), 0.0)
    of_cells = pull[known.free]

    def excess(log_z: float) -> float:
        return float((1.0 / (1.0 + np.exp(-log_z) / of_cells)).sum()) - wanted

    lowest, highest = -np.log(of_cells.max()) - 60.0, -np.log(of_cells.min()) + 60.0
    z = float(np.exp(brentq(excess, lowest, highest, xtol=1e-13)))
    return z * pull / (1.0 + z * pull), z / known.unit**2


def draw_networks(known: Given, *, count: int, seed: int, density: float, redraws: int) -> Drawn:
    """`count` independent networks. Links are drawn, then amounts are fitted to the totals, starting from the expected ones of the
    paper, x_i y_j / (total p_ij). A set of links that cannot carry the totals is drawn again, `redraws` times at most; the last
    one is repaired: whoever has no link gets the likeliest, and where that is not enough, links are added as few and as likely as
    a linear programme finds. Draw k depends on seed and k alone."""
    chance, z = chances(known, density)
    found = [
        _one(known, chance, np.random.default_rng(child), redraws)
        for child in np.random.SeedSequence(seed).spawn(count)
    ]
    networks, repaired, draws = zip(*found, strict=True)
    return Drawn(networks, repaired, draws, z)


def _one(
    known: Given, chance: Floats, draw: np.random.Generator, redraws: int
) -> tuple[csr_array, tuple[int, int], int]:
    for tried in range(1, redraws + 2):
        links = draw.random(chance.shape) < chance
        if tried <= redraws and not _reaches_all(known, links):
            continue
        amounts, usable = _amounts(known, chance, links)
        if amounts is not None:
            return whole(known, amounts), (0, int((links & ~usable).sum())), tried
    repaired = links | _first_links(known, chance, links)
    amounts, usable = _amounts(known, chance, repaired)
    if amounts is None:
        repaired |= _missing_links(known, chance, repaired)
        amounts, usable = _amounts(known, chance, repaired)
    lost = int((links & ~usable).sum())
    filled = np.zeros_like(chance) if amounts is None else amounts
    return whole(known, filled), (int((repaired & ~links).sum()), lost), tried


def _reaches_all(known: Given, links: Mask) -> bool:
    """Whether everybody with a total has a link: the usual reason why a draw cannot carry the totals."""
    return bool((links.any(axis=1) | (known.lends == 0.0)).all() and (links.any(axis=0) | (known.owes == 0.0)).all())


def _amounts(known: Given, chance: Floats, links: Mask) -> tuple[Floats | None, Mask]:
    """Amounts on these links that meet the totals, and the links that can be positive; None where no amounts do."""
    start = np.divide(np.outer(known.lends, known.owes), chance, out=np.zeros_like(chance), where=links)
    amounts = scale_to_totals(start, known.lends, known.owes)
    if amounts is not None:
        return amounts, links
    clashes, usable = possible_cells(links, known.lends, known.owes)
    if clashes:
        return None, usable
    return scale_to_totals(np.where(usable, start, 0.0), known.lends, known.owes), usable


def scale_to_totals(start: Floats, lends: Floats, owes: Floats, tolerance: float = 1e-11) -> Floats | None:
    """The network (n, n) with the links of `start` that is closest to it in relative entropy and meets the totals; None where
    neither rounds of proportional fitting nor Newton's method get there, as where totals force a link to nought.

    Newton's method minimises sum start exp(u_i + v_j) - lends u - owes v, whose slope is the miss of the totals.
    """
    i, j = np.nonzero(start)
    n, prior = len(lends), start[i, j]
    wanted = np.concatenate([lends, owes])
    factors = np.zeros(2 * n)
    rows, columns = np.ones(n), np.ones(n)
    for _ in range(ROUNDS):
        lent = np.bincount(i, prior * columns[j], n)
        rows = np.divide(lends, lent, out=np.zeros(n), where=lent > 0.0)
        owed = np.bincount(j, prior * rows[i], n)
        if relative_miss(owed * columns, owes) <= tolerance:
            return _placed(i, j, prior * rows[i] * columns[j], n)
        columns = np.divide(owes, owed, out=np.zeros(n), where=owed > 0.0)
    if (rows[lends > 0.0] == 0.0).any() or (columns[owes > 0.0] == 0.0).any():
        return None
    prior = prior * rows[i] * columns[j]
    for _ in range(STEPS):
        amounts = prior * np.exp(factors[i] + factors[n + j])
        met = np.concatenate([np.bincount(i, amounts, n), np.bincount(j, amounts, n)])
        if relative_miss(met, wanted) <= tolerance:
            return _placed(i, j, amounts, n)
        step = _newton_step(i, j, amounts, met, wanted)
        if step is None or not np.isfinite(step).all() or np.abs(factors + step).max() > 200.0:
            return None
        factors = factors + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
    return None


def _newton_step(
    i: NDArray[np.int64], j: NDArray[np.int64], amounts: Floats, met: Floats, wanted: Floats
) -> Floats | None:
    n = len(met) // 2
    curve = np.diag(met * (1.0 + 1e-10) + np.where(met > 0.0, 0.0, 1.0))
    curve[i, n + j] = amounts
    curve[n + j, i] = amounts
    try:
        return np.asarray(cho_solve(cho_factor(curve), wanted - met), dtype=np.float64)
    except LinAlgError:
        return None


def _placed(i: NDArray[np.int64], j: NDArray[np.int64], amounts: Floats, n: int) -> Floats:
    placed = np.zeros((n, n))
    placed[i, j] = amounts
    return placed


def _first_links(known: Given, chance: Floats, links: Mask) -> Mask:
    """The likeliest link of each institution that has a total and no link."""
    lenders = np.flatnonzero(~links.any(axis=1) & known.free.any(axis=1))
    added = np.zeros_like(links)
    added[lenders, chance[lenders].argmax(axis=1)] = True
    borrowers = np.flatnonzero(~(links | added).any(axis=0) & known.free.any(axis=0))
    added[chance[:, borrowers].argmax(axis=0), borrowers] = True
    return added


def _missing_links(known: Given, chance: Floats, links: Mask) -> Mask:
    """Links that make the totals possible, with the least money on them, each unit dearer the less likely its link. Sought at
    the institutions that fall short; everywhere, if there are none such."""
    clashes, _ = possible_cells(links, known.lends, known.owes)
    near = np.zeros_like(links)
    for side, k, _, _ in clashes:
        near[(k, slice(None)) if side == "lends" else (slice(None), k)] = True
    for candidates in (links | (near & known.free), known.free):
        i, j = np.nonzero(candidates)
        price = np.where(links[i, j], 0.0, 1.0 - np.log(chance[i, j]))
        n, cells = len(known), len(i)
        sums = vstack([coo_array((np.ones(cells), (k, np.arange(cells))), shape=(n, cells)) for k in (i, j)])
        solved = linprog(price, A_eq=sums, b_eq=np.concatenate([known.lends, known.owes]), method="highs")
        if solved.x is not None:
            used = solved.x > 1e-10
            added = np.zeros_like(links)
            added[i[used], j[used]] = True
            return added & ~links
    return np.zeros_like(links)
