"""Networks drawn link by link: the chance of a link grows with the totals at both its ends, the density is given."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import brentq, linprog
from scipy.sparse import coo_array, csr_array, vstack

from poundlock.system.reconstruct.entropy import Floats, possible_cells, relative_miss
from poundlock.system.reconstruct.given import Given, Mask, Parts, parts_of, whole

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


@dataclass(frozen=True)
class _Law:
    """What links are drawn by, (m, n) over the parts of the rows. chance: of a link. none: logarithm of the chance of
    none, before it is asked that a part has one. amount: expected, up to a factor. owes: (n,), units. at_least_one:
    whether every part must have one. z: of the chances, one over money squared, over money where it must."""

    parts: Parts = field(repr=False)
    chance: Floats = field(repr=False)
    none: Floats = field(repr=False)
    amount: Floats = field(repr=False)
    owes: Floats = field(repr=False)
    at_least_one: bool
    z: float


def chances(known: Given, density: float, expected: Floats | None = None) -> tuple[Floats, float]:
    """Chance of a link in each free cell, and the z at which the expected number of links, known ones included, is
    `density` times the cells that may hold one. Returns ((n, n), z).

    Without `expected` it is p = z x_i y_j / (1 + z x_i y_j) with x and y the totals. expected: (n, n), units, the
    maximum-entropy amounts a, needed where totals by block are known. Then p = z a_ij / (1 + z a_ij), since a_ij knows
    what i lends to the block of j and x_i y_j does not (with totals alone both are alike, but for diagonal and known
    cells); and links are drawn with p given that each part of a row, so each positive total by block, has at least one:
    the chance is p over that of any link in the part. Else links of small blocks would be added, and density missed.

    Raises ValueError where fewer cells are free than the density asks for, or more links known or needed.
    Source: Cimini, Squartini, Garlaschelli and Gabrielli 2015, Scientific Reports 5:15758; blocks: this package.
    """
    law = _law(known, density, expected)
    return law.parts.joined(law.chance), law.z


def _law(known: Given, density: float, expected: Floats | None) -> _Law:
    free = known.free if expected is None else known.free & (expected > 0.0)
    parts = parts_of(known.lends, known.blocks, known.block_of, free)
    needed = 0 if expected is None else len(parts.lends)
    wanted, room = density * known.cells - known.links, int(free.sum())
    if not (0.0 < wanted <= room + 1e-9 and (wanted > needed + 1e-9 or wanted >= room - 1e-9)):
        low, high = (needed + known.links) / known.cells, (room + known.links) / known.cells
        raise ValueError(
            f"density {density:g} is not between {low:.4g} and {high:.4g}, which known and free cells allow"
        )
    totals = np.outer(known.row_totals / known.unit, known.column_totals / known.unit)
    pull = parts.split(totals if expected is None else expected)
    log_pull = np.log(pull, out=np.full_like(pull, -np.inf), where=parts.free)
    amount = parts.split(np.outer(known.lends, known.owes) if expected is None else expected)

    def made(log_z: float) -> tuple[Floats, Floats]:
        odds = np.exp(np.minimum(log_z + log_pull, 500.0))
        none = -np.log1p(odds)
        chance = odds / (1.0 + odds)
        return chance if expected is None else chance / -np.expm1(none.sum(axis=1, keepdims=True)), none

    if wanted >= room - 1e-9:
        none = np.where(parts.free, -np.inf, 0.0)
        return _Law(parts, parts.free.astype(np.float64), none, amount, known.owes, False, np.inf)
    lowest, highest = -log_pull.max() - 60.0, -log_pull[parts.free].min() + 60.0
    log_z = brentq(lambda log_z: float(made(log_z)[0].sum()) - wanted, lowest, highest, xtol=1e-13)
    z = float(np.exp(log_z)) / known.unit ** (2 if expected is None else 1)
    return _Law(parts, *made(log_z), amount, known.owes, expected is not None, z)


def draw_networks(
    known: Given, *, count: int, seed: int, density: float, redraws: int, expected: Floats | None = None
) -> Drawn:
    """`count` independent networks. Links are drawn with their `chances`, then amounts are fitted to totals, starting from
    the expected ones of the paper, x_i y_j / (total p_ij), or a_ij / p_ij where totals by block are known. A set of
    links that cannot carry the totals is drawn again, `redraws` times at most; the last one is repaired: whoever has no
    link gets the likeliest, and where that is not enough, links are added as few and as likely as a linear programme
    finds. Draw k depends on seed and k alone. expected: see `chances`."""
    law = _law(known, density, expected)
    found = [
        _one(known, law, np.random.default_rng(child), redraws) for child in np.random.SeedSequence(seed).spawn(count)
    ]
    networks, repaired, draws = zip(*found, strict=True)
    return Drawn(networks, repaired, draws, law.z)


def _one(known: Given, law: _Law, draw: np.random.Generator, redraws: int) -> tuple[csr_array, tuple[int, int], int]:
    for tried in range(1, redraws + 2):
        links = _links(law, draw)
        if tried <= redraws and not _reaches_all(law, links):
            continue
        amounts, usable = _amounts(law, links)
        if amounts is not None:
            return whole(known, law.parts.joined(amounts)), (0, int((links & ~usable).sum())), tried
    repaired = links | _first_links(law, links)
    amounts, usable = _amounts(law, repaired)
    if amounts is None:
        repaired |= _missing_links(law, repaired)
        amounts, usable = _amounts(law, repaired)
    lost = int((links & ~usable).sum())
    filled = np.zeros_like(law.chance) if amounts is None else amounts
    return whole(known, law.parts.joined(filled)), (int((repaired & ~links).sum()), lost), tried


def _links(law: _Law, draw: np.random.Generator) -> Mask:
    """Links, (m, n). Where each part must have one, its first is drawn, then those after it, each on its own."""
    n = len(law.owes)
    levels = draw.random((n, n))[law.parts.row_of]
    if not law.at_least_one:
        return np.asarray(levels < law.chance)
    any_yet = -np.expm1(np.cumsum(law.none, axis=1))
    first = (any_yet > draw.random((len(levels), 1)) * any_yet[:, -1:]).argmax(axis=1)[:, None]
    column = np.arange(n)
    return np.asarray(law.parts.free & ((column == first) | ((column > first) & (levels < -np.expm1(law.none)))))


def _reaches_all(law: _Law, links: Mask) -> bool:
    """Whether everybody with a total has a link: the usual reason why a draw cannot carry the totals."""
    return bool(links.any(axis=1).all() and (links.any(axis=0) | (law.owes == 0.0)).all())


def _amounts(law: _Law, links: Mask) -> tuple[Floats | None, Mask]:
    """Amounts on these links that meet the totals, and the links that can be positive; None where no amounts do."""
    lends, owes = law.parts.lends, law.owes
    start = np.divide(law.amount, law.chance, out=np.zeros_like(law.chance), where=links)
    amounts = scale_to_totals(start, lends, owes)
    if amounts is not None:
        return amounts, links
    clashes, usable = possible_cells(links, lends, owes)
    if clashes:
        return None, usable
    return scale_to_totals(np.where(usable, start, 0.0), lends, owes), usable


def scale_to_totals(start: Floats, lends: Floats, owes: Floats, tolerance: float = 1e-11) -> Floats | None:
    """The network (m, n) with the links of `start` that is closest to it in relative entropy and meets the totals, (m,)
    and (n,); None where neither rounds of proportional fitting nor Newton's method get there, as where totals force a
    link to nought.

    Newton's method minimises sum start exp(u_i + v_j) - lends u - owes v, whose slope is the miss of the totals.
    """
    i, j = np.nonzero(start)
    m, n, prior = len(lends), len(owes), start[i, j]
    wanted = np.concatenate([lends, owes])
    factors = np.zeros(m + n)
    rows, columns = np.ones(m), np.ones(n)
    for _ in range(ROUNDS):
        lent = np.bincount(i, prior * columns[j], m)
        rows = np.divide(lends, lent, out=np.zeros(m), where=lent > 0.0)
        owed = np.bincount(j, prior * rows[i], n)
        if relative_miss(owed * columns, owes) <= tolerance:
            return _placed(i, j, prior * rows[i] * columns[j], start)
        columns = np.divide(owes, owed, out=np.zeros(n), where=owed > 0.0)
        if max(rows.max(initial=0.0), columns.max(initial=0.0)) > 1e150:
            return None
    if (rows[lends > 0.0] == 0.0).any() or (columns[owes > 0.0] == 0.0).any():
        return None
    prior = prior * rows[i] * columns[j]
    for _ in range(STEPS):
        amounts = prior * np.exp(factors[i] + factors[m + j])
        met = np.concatenate([np.bincount(i, amounts, m), np.bincount(j, amounts, n)])
        if relative_miss(met, wanted) <= tolerance:
            return _placed(i, j, amounts, start)
        step = _newton_step(_placed(i, j, amounts, start), met, wanted)
        if step is None or not np.isfinite(step).all() or np.abs(factors + step).max() > 200.0:
            return None
        factors = factors + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
    return None


def _newton_step(amounts: Floats, met: Floats, wanted: Floats) -> Floats | None:
    """One step for all factors, (m + n,), rows eliminated first. amounts: (m, n). met, wanted: (m + n,)."""
    m = len(amounts)
    curve, miss = met * (1.0 + 1e-10) + np.where(met > 0.0, 0.0, 1.0), wanted - met
    shares = amounts / curve[:m, None]
    try:
        left = cho_factor(np.diag(curve[m:]) - amounts.T @ shares)
    except LinAlgError:
        return None
    columns = cho_solve(left, miss[m:] - shares.T @ miss[:m])
    return np.concatenate([(miss[:m] - amounts @ columns) / curve[:m], columns])


def _placed(i: NDArray[np.int64], j: NDArray[np.int64], amounts: Floats, like: Floats) -> Floats:
    placed = np.zeros_like(like)
    placed[i, j] = amounts
    return placed


def _first_links(law: _Law, links: Mask) -> Mask:
    """The likeliest link of each institution that has a total and no link."""
    chance, free = law.chance, law.parts.free
    lenders = np.flatnonzero(~links.any(axis=1) & free.any(axis=1))
    added = np.zeros_like(links)
    added[lenders, chance[lenders].argmax(axis=1)] = True
    borrowers = np.flatnonzero(~(links | added).any(axis=0) & free.any(axis=0))
    added[chance[:, borrowers].argmax(axis=0), borrowers] = True
    return added


def _missing_links(law: _Law, links: Mask) -> Mask:
    """Links that make the totals possible, with the least money on them, each unit dearer the less likely its link. Sought at
    the institutions that fall short; everywhere, if there are none such."""
    lends, owes = law.parts.lends, law.owes
    clashes, _ = possible_cells(links, lends, owes)
    near = np.zeros_like(links)
    for side, k, _, _ in clashes:
        near[(k, slice(None)) if side == "lends" else (slice(None), k)] = True
    for candidates in (links | (near & law.parts.free), law.parts.free):
        i, j = np.nonzero(candidates)
        price, order = np.where(links[i, j], 0.0, 1.0 - np.log(law.chance[i, j])), np.arange(len(i))
        ends = ((i, len(lends)), (j, len(owes)))
        sums = vstack([coo_array((np.ones(len(i)), (k, order)), shape=(size, len(i))) for k, size in ends])
        solved = linprog(price, A_eq=sums, b_eq=np.concatenate([lends, owes]), method="highs")
        if solved.x is not None:
            used = solved.x > 1e-10
            added = np.zeros_like(links)
            added[i[used], j[used]] = True
            return added & ~links
    return np.zeros_like(links)
