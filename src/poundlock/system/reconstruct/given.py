"""What is known of a network before it is rebuilt: totals, known cells, cells that may hold a link; checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from poundlock.system.reconstruct.entropy import Floats, relative_miss

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Given:
    """row_totals, column_totals: (n,), as given. lends, owes: (n,), what the known cells leave, in units of `unit`, a
    power of two near the mean total, so that tolerances mean the same in any money. known: (n, n), known amounts,
    nought elsewhere. free: (n, n), cells to be filled: not known, allowed, all totals positive. cells: how many may hold
    a link, known ones included; density is links over cells. links: how many known cells hold one.

    block_of: (n,), block of each borrower. block_totals: (n, blocks), as given, NaN where unknown. blocks: (n, blocks),
    what the known cells leave of them, in units; nought where unknown and the others leave nothing for it."""

    row_totals: Floats
    column_totals: Floats
    lends: Floats
    owes: Floats
    unit: float
    known: Floats = field(repr=False)
    free: Mask = field(repr=False)
    cells: int
    links: int
    block_of: Ints = field(repr=False)
    block_totals: Floats = field(repr=False)
    blocks: Floats = field(repr=False)

    def __len__(self) -> int:
        return len(self.lends)

    @property
    def by_block(self) -> bool:
        """Whether any total by block is known."""
        return bool(np.isfinite(self.block_totals).any())


@dataclass(frozen=True)
class Parts:
    """Rows cut into what has a total of its own: what one lends to each block where that is known, and to all others
    together. row_of: (m,), row of each part. lends: (m,), units, positive. free: (m, n), its cells to be filled; each
    is in one part."""

    row_of: Ints
    lends: Floats
    free: Mask = field(repr=False)

    def split(self, cells: NDArray[Any]) -> NDArray[Any]:
        """(n, n) to (m, n), nought outside the part."""
        return np.where(self.free, cells[self.row_of], np.zeros((), dtype=cells.dtype))

    def joined(self, cells: Floats) -> Floats:
        """(m, n) to (n, n)."""
        whole_rows = np.zeros((cells.shape[1],) * 2)
        np.add.at(whole_rows, self.row_of, cells)
        return whole_rows


def parts_of(lends: Floats, blocks: Floats, block_of: Ints, free: Mask) -> Parts:
    """The parts of all rows. lends: (n,). blocks: (n, blocks). block_of: (n,). free: (n, n)."""
    rest = np.where(np.isnan(blocks).any(axis=1), lends - np.nansum(blocks, axis=1), 0.0)
    amounts = np.column_stack([np.nan_to_num(blocks), rest])
    part = np.where(np.isnan(blocks)[:, block_of], blocks.shape[1], block_of)
    rows, numbers = np.nonzero(amounts > 0.0)
    return Parts(rows, amounts[rows, numbers], free[rows] & (part[rows] == numbers[:, None]))


def given(
    row_totals: Any,
    column_totals: Any,
    known: Any = None,
    allowed: Any = None,
    block_of: Any = None,
    block_totals: Any = None,
) -> Given:
    """Check totals, known cells (n, n; NaN where unknown), allowed cells (n, n; default: all but the diagonal), and
    totals by block: block_of, (n,), and block_totals, (n, blocks), NaN where unknown; known cells are part of them.

    Raises ValueError for wrong shapes, amounts that are negative or not numbers, sums that differ by more than 1e-9,
    known cells that exceed a total or stand where no link is allowed.
    """
    rows, columns = _totals(row_totals, "row_totals"), _totals(column_totals, "column_totals")
    n = len(rows)
    if len(columns) != n:
        raise ValueError(f"row_totals has {n} entries and column_totals {len(columns)}: one each for every institution")
    lent, owed = float(rows.sum()), float(columns.sum())
    if abs(lent - owed) > 1e-9 * max(lent, owed):
        raise ValueError(
            f"row_totals add up to {lent:,.12g} and column_totals to {owed:,.12g}: each loan has two sides"
        )
    may = ~np.eye(n, dtype=bool) if allowed is None else _square(allowed, n, "allowed").astype(bool)
    cells = np.full((n, n), np.nan) if known is None else _square(known, n, "known").astype(np.float64)
    is_known, amounts = _known(cells, may)
    numbers, sums = _by_block(block_of, block_totals, n)
    left = [_left(rows, amounts.sum(axis=1), "row"), _left(columns, amounts.sum(axis=0), "column")]
    mean = float(left[0].sum()) / max(n, 1)
    unit = 2.0 ** round(np.log2(mean)) if mean > 0.0 else 1.0
    lends, owes = left[0] / unit, left[1] / unit
    owes *= lends.sum() / owes.sum() if owes.sum() > 0.0 else 1.0
    blocks = _blocks_left(sums, amounts @ np.eye(sums.shape[1])[numbers], lends, unit)
    free = may & ~is_known & (lends > 0.0)[:, None] & (owes > 0.0) & ~(blocks <= 0.0)[:, numbers]
    if np.isfinite(sums).any():
        owes = _balanced(parts_of(lends, blocks, numbers, free), owes)
    links = int((amounts > 0.0).sum())
    return Given(rows, columns, lends, owes, unit, amounts, free, int(may.sum()), links, numbers, sums, blocks)


def whole(known: Given, amounts: Floats) -> csr_array:
    """The network of filled cells (n, n), in units of `known.unit`, and known cells, in money."""
    return csr_array(np.where(known.free, amounts * known.unit, known.known))


def largest_miss(known: Given, network: csr_array) -> float:
    """Largest relative miss of any total; infinite where money stands against a total of nought."""
    rows = np.repeat(np.arange(len(known)), np.diff(network.indptr))
    lent, owed = (np.bincount(k, network.data, len(known)) for k in (rows, network.indices))
    by_block = np.zeros(known.block_totals.shape)
    np.add.at(by_block, (rows, known.block_of[network.indices]), network.data)
    by_block[np.isnan(known.block_totals)] = 0.0
    return max(
        relative_miss(lent.astype(np.float64), known.row_totals),
        relative_miss(owed.astype(np.float64), known.column_totals),
        relative_miss(by_block, np.nan_to_num(known.block_totals)),
    )


def _totals(values: Any, name: str) -> Floats:
    totals = np.asarray(values, dtype=np.float64)
    if totals.ndim != 1 or len(totals) == 0:
        raise ValueError(f"{name} has shape {totals.shape}: one amount for each institution is needed, (n,)")
    if not np.isfinite(totals).all() or (totals < 0.0).any():
        at = int(np.flatnonzero(~(np.isfinite(totals) & (totals >= 0.0)))[0])
        raise ValueError(f"{name}[{at}] is {totals[at]}: totals are finite and not negative")
    return totals


def _square(values: Any, n: int, name: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.shape != (n, n):
        raise ValueError(f"{name} has shape {array.shape}: {(n, n)} is needed, lenders by borrowers")
    return array


def _known(cells: Floats, may: Mask) -> tuple[Mask, Floats]:
    is_known = ~np.isnan(cells)
    amounts = np.where(is_known, cells, 0.0)
    for wrong, said in (
        (~np.isfinite(amounts) | (amounts < 0.0), "known amounts are finite and not negative, NaN where unknown"),
        ((amounts > 0.0) & ~may, "no link is allowed there"),
    ):
        if wrong.any():
            i, j = (int(k) for k in np.argwhere(wrong)[0])
            raise ValueError(f"known[{i}, {j}] is {amounts[i, j]}: {said}")
    return is_known, amounts


def _by_block(block_of: Any, block_totals: Any, n: int) -> tuple[Ints, Floats]:
    """Block of each borrower and totals by block, (n, blocks); one block of unknown totals where there are none."""
    if (block_of is None) != (block_totals is None):
        raise ValueError("block_of and block_totals go together: one of them is missing")
    if block_of is None:
        return np.zeros(n, dtype=np.int64), np.full((n, 1), np.nan)
    numbers, sums = np.asarray(block_of), np.array(block_totals, dtype=np.float64)
    if sums.ndim != 2 or len(sums) != n:
        raise ValueError(f"block_totals has shape {sums.shape}: one row for each institution is needed, (n, blocks)")
    most = sums.shape[1] - 1
    if numbers.shape != (n,) or numbers.dtype.kind not in "iu" or (numbers < 0).any() or (numbers > most).any():
        raise ValueError(f"block_of must be {n} whole numbers from 0 to {most}, the block of each borrower")
    if (np.isinf(sums) | (sums < 0.0)).any():
        i, b = (int(k) for k in np.argwhere(np.isinf(sums) | (sums < 0.0))[0])
        raise ValueError(f"block_totals[{i}, {b}] is {sums[i, b]}: finite and not negative, NaN where unknown")
    return numbers.astype(np.int64), sums


def _blocks_left(sums: Floats, known: Floats, lends: Floats, unit: float) -> Floats:
    """Totals by block less known cells, (n, blocks), in units. Where they differ from what their row lends by rounding
    only, they are scaled to it, and nought where unknown."""
    left = sums - known
    left[np.abs(left) <= 1e-12 * np.maximum(sums, known)] = 0.0
    if (left < 0.0).any():
        i, b = (int(k) for k in np.argwhere(left < 0.0)[0])
        raise ValueError(
            f"known cells of row {i} in block {b} add up to {known[i, b]:,.12g}, its total is {sums[i, b]:,.12g}"
        )
    left /= unit
    total = np.nansum(left, axis=1)
    filled = (np.abs(total - lends) <= 1e-9 * lends) & np.isfinite(left).any(axis=1)
    factor = np.divide(lends, total, out=np.ones_like(total), where=total > 0.0)
    left[filled] = np.nan_to_num(left[filled]) * factor[filled, None]
    return left


def _balanced(parts: Parts, owes: Floats) -> Floats:
    """What is owed, (n,), scaled so that both sides of cells that hang together add up alike; where they differ by more
    than rounding, as it was."""
    part, column = np.nonzero(parts.free)
    m, n = parts.free.shape
    graph = coo_array((np.ones(len(part)), (part, m + column)), shape=(m + n, m + n))
    groups, group = connected_components(graph, directed=False)
    lent, owed = np.bincount(group[:m], parts.lends, groups), np.bincount(group[m:], owes, groups)
    alike = (np.abs(lent - owed) <= 1e-9 * lent) & (owed > 0.0)
    factors = np.divide(lent, owed, out=np.ones(groups), where=alike)
    return np.asarray(owes * factors[group[m:]], dtype=np.float64)


def _left(totals: Floats, known: Floats, side: str) -> Floats:
    """Totals less known cells; what is only rounding of the two is nought."""
    left = totals - known
    left[np.abs(left) <= 1e-12 * np.maximum(totals, known)] = 0.0
    if (left < 0.0).any():
        at = int(np.flatnonzero(left < 0.0)[0])
        raise ValueError(f"known cells of {side} {at} add up to {known[at]:,.12g}, its total is {totals[at]:,.12g}")
    return left
