"""What is known of a network before it is rebuilt: totals, known cells, cells that may hold a link; checked once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.system.reconstruct.entropy import Floats, relative_miss

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Given:
    """row_totals, column_totals: (n,), as given. lends, owes: (n,), what the known cells leave, in units of `unit`, a power of
    two near the mean total, so that tolerances mean the same in any money. known: (n, n), known amounts, nought elsewhere.
    free: (n, n), cells to be filled: not known, allowed, both totals positive. cells: how many cells may hold a link, known ones
    included; density is links over cells. links: how many known cells hold one."""

    row_totals: Floats
    column_totals: Floats
    lends: Floats
    owes: Floats
    unit: float
    known: Floats = field(repr=False)
    free: Mask = field(repr=False)
    cells: int
    links: int

    def __len__(self) -> int:
        return len(self.lends)


def given(row_totals: Any, column_totals: Any, known: Any = None, allowed: Any = None) -> Given:
    """Check totals, known cells (n, n; NaN where unknown) and allowed cells (n, n; default: all but the diagonal).

    Raises ValueError for wrong shapes, amounts that are negative or not numbers, sums that differ by more than 1e-9, known
    cells that exceed a total or stand where no link is allowed.
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
    left = [_left(rows, amounts.sum(axis=1), "row"), _left(columns, amounts.sum(axis=0), "column")]
    mean = float(left[0].sum()) / max(n, 1)
    unit = 2.0 ** round(np.log2(mean)) if mean > 0.0 else 1.0
    lends, owes = left[0] / unit, left[1] / unit
    owes *= lends.sum() / owes.sum() if owes.sum() > 0.0 else 1.0
    free = may & ~is_known & (lends > 0.0)[:, None] & (owes > 0.0)
    return Given(rows, columns, lends, owes, unit, amounts, free, int(may.sum()), int((amounts > 0.0).sum()))


def whole(known: Given, amounts: Floats) -> csr_array:
    """The network of filled cells (n, n), in units of `known.unit`, and known cells, in money."""
    return csr_array(np.where(known.free, amounts * known.unit, known.known))


def largest_miss(known: Given, network: csr_array) -> float:
    """Largest relative miss of any total; infinite where money stands against a total of nought."""
    rows = np.repeat(np.arange(len(known)), np.diff(network.indptr))
    lent, owed = (np.bincount(k, network.data, len(known)) for k in (rows, network.indices))
    return max(
        relative_miss(lent.astype(np.float64), known.row_totals),
        relative_miss(owed.astype(np.float64), known.column_totals),
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


def _left(totals: Floats, known: Floats, side: str) -> Floats:
    """Totals less known cells; what is only rounding of the two is nought."""
    left = totals - known
    left[np.abs(left) <= 1e-12 * np.maximum(totals, known)] = 0.0
    if (left < 0.0).any():
        at = int(np.flatnonzero(left < 0.0)[0])
        raise ValueError(f"known cells of {side} {at} add up to {known[at]:,.12g}, its total is {totals[at]:,.12g}")
    return left
