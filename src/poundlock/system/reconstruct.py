"""Networks from totals: iterative proportional fitting with known blocks and structural zeros."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Reconstruction:
    """amounts: shape (n, n), [i, j] is what i may lose on j. gap: largest relative miss of any total. rounds: sweeps
    done. converged: gap within the tolerance asked for. lacking: when not converged, for each row group and column that
    no network can meet, (kind, row or column, block, missing amount), by a linear programme; empty otherwise."""

    amounts: Floats = field(repr=False)
    converged: bool
    rounds: int
    gap: float
    lacking: tuple[tuple[str, int, int, float], ...] = ()


def fit_to_totals(
    row_totals: Floats,
    column_totals: Floats,
    *,
    prior: Floats | None = None,
    block_of: NDArray[np.int64] | None = None,
    block_totals: Floats | None = None,
    tolerance: float = 1e-9,
    max_rounds: int = 20_000,
) -> Reconstruction:
    """The network closest to `prior` in relative entropy that meets all totals (RAS / maximum entropy).

    row_totals, column_totals: shape (n,), amounts >= 0, what each institution lends and owes in this layer.
    prior: shape (n, n), zero where no exposure can be; default: product of the totals, no self-lending.
    block_of: shape (n,), block number of each column. block_totals: shape (n, blocks), what each row lends to each
    block, NaN where unknown (then only the row total binds what is left). The result is unique when it exists.
    Source: Upper and Worms 2004, European Economic Review 48(4), section 3; convergence: Csiszar 1975.
    """
    n = len(row_totals)
    amounts = np.outer(row_totals, column_totals) if prior is None else np.array(prior, dtype=np.float64)
    if prior is None:
        np.fill_diagonal(amounts, 0.0)
    blocks = np.zeros(n, dtype=np.int64) if block_of is None else block_of
    sums = np.full((n, 1), np.nan) if block_totals is None else np.array(block_totals, dtype=np.float64)
    membership = np.zeros((n, sums.shape[1]))
    membership[np.arange(n), blocks] = 1.0
    unknown = np.isnan(sums)
    targets = np.where(unknown, 0.0, sums)
    left_over = np.maximum(row_totals - targets.sum(axis=1), 0.0)
    gap, rounds = np.inf, 0
    while rounds < max_rounds:
        rounds += 1
        amounts *= _row_factors(amounts @ membership, targets, unknown, left_over) @ membership.T
        owed = amounts.sum(axis=0)
        gap = max(_miss(owed, column_totals), _miss(amounts.sum(axis=1), row_totals))
        if gap <= tolerance:
            break
        amounts *= np.divide(column_totals, owed, out=np.zeros(n), where=owed > 0)
    lacking: tuple[tuple[str, int, int, float], ...] = ()
    if gap > tolerance:
        allowed = ~np.eye(n, dtype=bool) if prior is None else np.asarray(prior) > 0
        lacking = _what_is_lacking(allowed, membership, targets, unknown, left_over, column_totals)
    return Reconstruction(amounts, gap <= tolerance, rounds, gap, lacking)


def _miss(met: Floats, totals: Floats) -> float:
    """Largest relative miss of positive totals; an amount where the total is zero counts as infinite."""
    relative = np.divide(np.abs(met - totals), totals, out=np.where(met > 0, np.inf, 0.0), where=totals > 0)
    return float(np.max(relative, initial=0.0))


def _row_factors(sums: Floats, targets: Floats, unknown: NDArray[np.bool_], left_over: Floats) -> Floats:
    """Factor for each (row, block): known blocks to their totals, the unknown ones together to what is left."""
    factors = np.divide(targets, sums, out=np.zeros_like(sums), where=sums > 0)
    rest = np.where(unknown, sums, 0.0).sum(axis=1)
    common = np.divide(left_over, rest, out=np.zeros_like(rest), where=rest > 0)
    return np.where(unknown, common[:, None], factors)


def _what_is_lacking(
    allowed: NDArray[np.bool_],
    membership: Floats,
    targets: Floats,
    unknown: NDArray[np.bool_],
    left_over: Floats,
    column_totals: Floats,
) -> tuple[tuple[str, int, int, float], ...]:
    """Smallest total miss over all networks on the allowed cells, by linear programming: which totals clash."""
    rows, columns = np.nonzero(allowed)
    block = membership.argmax(axis=1)[columns]
    known = ~unknown[rows, block]
    groups: dict[tuple[int, int], int] = {}
    goals: list[float] = []
    for row, group_block in np.ndindex(targets.shape):
        key = (row, group_block) if not unknown[row, group_block] else (row, -1)
        if key not in groups:
            groups[key] = len(goals)
            goals.append(float(targets[row, group_block]) if key[1] >= 0 else float(left_over[row]))
    of_cell = np.array(
        [groups[(int(r), int(b) if k else -1)] for r, b, k in zip(rows, block, known, strict=True)], dtype=np.int64
    )
    cells, count, n = len(rows), len(goals), len(column_totals)
    ones = np.ones(cells)
    by_group = coo_array((ones, (of_cell, np.arange(cells))), shape=(count, cells))
    by_column = coo_array((ones, (columns, np.arange(cells))), shape=(n, cells))
    solved = linprog(
        -ones, A_ub=vstack([by_group, by_column]), b_ub=np.concatenate([goals, column_totals]), method="highs"
    )
    if solved.x is None:
        return ()
    missing_rows = np.array(goals) - by_group @ solved.x
    missing_columns = column_totals - by_column @ solved.x
    scale = 1e-7 * max(float(np.sum(column_totals)), 1e-300)
    clashes = [
        ("lends", row, block_number, float(missing_rows[k]))
        for (row, block_number), k in groups.items()
        if missing_rows[k] > scale
    ]
    clashes += [("owes", int(j), -1, float(missing_columns[j])) for j in np.flatnonzero(missing_columns > scale)]
    return tuple(clashes)
