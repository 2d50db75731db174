"""Networks from totals: iterative proportional fitting with known blocks and structural zeros."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack
from scipy.sparse.csgraph import connected_components

Floats = NDArray[np.float64]
Clash = tuple[str, int, int, float]


@dataclass(frozen=True)
class Reconstruction:
    """amounts: shape (n, n), [i, j] is what i may lose on j. gap: largest relative miss of any row, column or block
    total. rounds: sweeps done. converged: gap within the tolerance asked for. lacking: when not converged, what no
    network can meet, as (side, row or column, block or -1, missing amount): side 'lends' for a row or its block, 'owes'
    for a column, 'blocks' for a row whose known blocks disagree with its total; empty when some network would do."""

    amounts: Floats = field(repr=False)
    converged: bool
    rounds: int
    gap: float
    lacking: tuple[Clash, ...] = ()


@dataclass(frozen=True)
class _Totals:
    """What must be met. targets: (n, blocks), nought where unknown. left_over: (n,), for a row's unknown blocks."""

    rows: Floats
    columns: Floats
    membership: Floats
    targets: Floats
    unknown: NDArray[np.bool_]
    left_over: Floats


def fit_to_totals(
    row_totals: Floats,
    column_totals: Floats,
    *,
    prior: Floats | None = None,
    block_of: NDArray[np.int64] | None = None,
    block_totals: Floats | None = None,
    tolerance: float = 1e-9,
    max_rounds: int = 5_000,
) -> Reconstruction:
    """The network closest to `prior` in relative entropy that meets all totals (RAS / maximum entropy).

    row_totals, column_totals: shape (n,), amounts >= 0, what each institution lends and owes in this layer.
    prior: shape (n, n), zero where no exposure can be; default: product of the totals, no self-lending.
    block_of: shape (n,), block number of each column. block_totals: shape (n, blocks), what each row lends to each
    block, NaN where unknown (then only the row total binds what is left). The result is unique when it exists. Where
    totals force cells to nought that the prior allows, plain fitting creeps; those cells are then found by a linear
    programme and the residual graph of its solution, and the fit is done without them.
    Source: Upper and Worms 2004, European Economic Review 48(4), section 3; convergence: Csiszar 1975, Annals of
    Probability 3(1).
    """
    start = np.outer(row_totals, column_totals) if prior is None else np.array(prior, dtype=np.float64)
    if prior is None:
        np.fill_diagonal(start, 0.0)
    totals = _totals(row_totals, column_totals, block_of, block_totals)
    if clashes := _blocks_against_rows(totals):
        return Reconstruction(start, False, 0, np.inf, clashes)
    amounts, rounds, gap = _fit(start, totals, tolerance, max_rounds)
    if gap <= tolerance:
        return Reconstruction(amounts, True, rounds, gap)
    allowed = start > 0 if prior is not None else ~np.eye(len(row_totals), dtype=bool)
    clashes, possible = _by_linear_programme(allowed, totals)
    if clashes:
        return Reconstruction(amounts, False, rounds, gap, clashes)
    amounts, more, gap = _fit(np.where(possible, start, 0.0), totals, tolerance, max_rounds)
    return Reconstruction(amounts, gap <= tolerance, rounds + more, gap)


def _totals(rows: Floats, columns: Floats, block_of: NDArray[np.int64] | None, blocks: Floats | None) -> _Totals:
    sums = np.full((len(rows), 1), np.nan) if blocks is None else np.array(blocks, dtype=np.float64)
    membership = np.zeros((len(columns), sums.shape[1]))
    membership[np.arange(len(columns)), 0 if block_of is None else block_of] = 1.0
    unknown = np.isnan(sums)
    targets = np.where(unknown, 0.0, sums)
    left_over = rows - targets.sum(axis=1)
    rounding = 1e-12 * np.maximum(rows, targets.sum(axis=1))
    return _Totals(rows, columns, membership, targets, unknown, np.where(np.abs(left_over) <= rounding, 0.0, left_over))


def _blocks_against_rows(totals: _Totals) -> tuple[Clash, ...]:
    """Rows whose known blocks exceed the row total, or fall short of it with no unknown block to take the rest."""
    slack = 1e-9 * np.maximum(totals.rows, 1e-300)
    short = (totals.left_over < -slack) | ((totals.left_over > slack) & ~totals.unknown.any(axis=1))
    return tuple(("blocks", int(i), -1, float(totals.left_over[i])) for i in np.flatnonzero(short))


def _fit(start: Floats, totals: _Totals, tolerance: float, max_rounds: int) -> tuple[Floats, int, float]:
    amounts, gap = start.copy(), np.inf
    for done in range(1, max_rounds + 1):
        amounts *= _row_factors(amounts @ totals.membership, totals) @ totals.membership.T
        owed = amounts.sum(axis=0)
        gap = max(
            relative_miss(owed, totals.columns),
            relative_miss(amounts.sum(axis=1), totals.rows),
            relative_miss(np.where(totals.unknown, 0.0, amounts @ totals.membership), totals.targets),
        )
        if gap <= tolerance:
            return amounts, done, gap
        amounts *= np.divide(totals.columns, owed, out=np.zeros_like(owed), where=owed > 0)
    return amounts, max_rounds, gap


def relative_miss(met: Floats, wanted: Floats) -> float:
    """Largest relative miss of positive totals, of any shape; an amount where the total is zero counts as infinite."""
    relative = np.divide(np.abs(met - wanted), wanted, out=np.where(met > 0, np.inf, 0.0), where=wanted > 0)
    return float(np.max(relative, initial=0.0))


def _row_factors(sums: Floats, totals: _Totals) -> Floats:
    """Factor for each (row, block): known blocks to their totals, the unknown ones together to what is left."""
    factors = np.divide(totals.targets, sums, out=np.zeros_like(sums), where=sums > 0)
    rest = np.where(totals.unknown, sums, 0.0).sum(axis=1)
    common = np.divide(totals.left_over, rest, out=np.zeros_like(rest), where=rest > 0)
    return np.where(totals.unknown, common[:, None], factors)


def possible_cells(
    allowed: NDArray[np.bool_], lends: Floats, owes: Floats
) -> tuple[tuple[Clash, ...], NDArray[np.bool_]]:
    """Which of the allowed cells (m, n) can be positive with these totals, (m,) and (n,), or the totals that clash."""
    return _by_linear_programme(allowed, _totals(lends, owes, None, None))


def _by_linear_programme(allowed: NDArray[np.bool_], totals: _Totals) -> tuple[tuple[Clash, ...], NDArray[np.bool_]]:
    """The largest network within all totals. What it misses are the clashes; when it misses nothing, a cell can be
    positive exactly if both its ends lie in one strong component of the residual graph. Returns (clashes, (n, n) mask)."""
    rows, columns = np.nonzero(allowed)
    block = totals.membership.argmax(axis=1)[columns]
    block = np.where(totals.unknown[rows, block], -1, block)
    keys, group = np.unique(np.stack([rows, block], axis=1), axis=0, return_inverse=True)
    group = group.ravel()
    goals = np.where(keys[:, 1] < 0, totals.left_over[keys[:, 0]], totals.targets[keys[:, 0], keys[:, 1]])
    cells, n = len(rows), len(totals.columns)
    by_group = coo_array((np.ones(cells), (group, np.arange(cells))), shape=(len(goals), cells))
    by_column = coo_array((np.ones(cells), (columns, np.arange(cells))), shape=(n, cells))
    limits = np.concatenate([goals, totals.columns])
    sums = vstack([by_group, by_column])
    placed_in = linprog(-np.ones(cells), A_ub=sums, b_ub=limits, method="highs").x if cells else np.zeros(0)
    if placed_in is None:
        return (), allowed
    scale = 1e-7 * max(float(totals.columns.sum()), 1e-300)
    short, over = goals - by_group @ placed_in, totals.columns - by_column @ placed_in
    clashes = [("lends", int(keys[k, 0]), int(keys[k, 1]), float(short[k])) for k in np.flatnonzero(short > scale)]
    clashes += [("owes", int(j), -1, float(over[j])) for j in np.flatnonzero(over > scale)]
    placed = {(int(row), int(number)) for row, number in keys}
    wanted = [(int(i), int(b), float(totals.targets[i, b])) for i, b in np.argwhere(totals.targets > scale)]
    wanted += [(int(i), -1, float(totals.left_over[i])) for i in np.flatnonzero(totals.left_over > scale)]
    clashes += [("lends", i, b, amount) for i, b, amount in wanted if (i, b) not in placed]
    used = placed_in > scale * 1e-3
    ends = np.concatenate([group, len(goals) + columns[used]]), np.concatenate([len(goals) + columns, group[used]])
    graph = coo_array((np.ones(len(ends[0])), ends), shape=(len(goals) + n, len(goals) + n))
    _, component = connected_components(graph, directed=True, connection="strong")
    possible = np.zeros_like(allowed)
    possible[rows, columns] = component[group] == component[len(goals) + columns]
    return tuple(clashes), possible
