"""One layer rebuilt from its totals table: known cells and blocks out, maximum entropy on the rest, clashes told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.balance import Floats
from poundlock.system.reconstruct import Reconstruction, fit_to_totals


def positions(names: NDArray[np.object_], index: dict[str, int]) -> NDArray[np.int64]:
    """Numbers of names that are all known."""
    return np.fromiter((index[name] for name in names), dtype=np.int64, count=len(names))


def rebuild(
    layer: str,
    totals: Table,
    blocks: Table | None,
    known: csr_array,
    institutions: Table,
    index: dict[str, int],
    problems: list[Problem],
) -> Reconstruction | None:
    """Maximum entropy on what the known cells leave; the known cells are then put back exactly."""
    n = len(institutions)
    lends, owes, line_of = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int64)
    of = np.flatnonzero(totals["layer"] == layer)
    rows = positions(totals["institution"][of], index)
    lends[rows], owes[rows], line_of[rows] = totals["lends"][of], totals["owes"][of], of
    known_cells = known.toarray()
    if not (np.isfinite(lends).all() and np.isfinite(owes).all() and np.isfinite(known_cells).all()):
        return None  # a bad cell has been told already
    sides = abs(lends.sum() - owes.sum())
    if sides > 1e-9 * max(lends.sum(), owes.sum()):
        found = f"layer '{layer}' lends {lends.sum():,.6g} and owes {owes.sum():,.6g} in all"
        problems.append(
            Problem(
                totals.file.name,
                None,
                found,
                "equal sums, since each loan has two sides",
                "correct the totals or add a 'rest' institution for what is outside",
            )
        )
        return None
    free = (known_cells == 0.0) & ~np.eye(n, dtype=bool)
    regions = {region: k for k, region in enumerate(dict.fromkeys(institutions["region"]))}
    block_of = positions(institutions["region"], regions)
    block_totals = _block_totals(layer, blocks, known_cells, block_of, index, regions)
    row_left, column_left = _left(lends, known_cells.sum(axis=1)), _left(owes, known_cells.sum(axis=0))
    prior = np.where(free, np.outer(np.maximum(row_left, 0.0), np.maximum(column_left, 0.0)), 0.0)
    result = fit_to_totals(
        np.maximum(row_left, 0.0),
        np.maximum(column_left, 0.0),
        prior=prior,
        block_of=block_of,
        block_totals=block_totals,
    )
    names = list(institutions["id"])
    negative = [(int(i), "lends", row_left[i]) for i in np.flatnonzero(row_left < -1e-9 * np.maximum(lends, 1.0))]
    negative += [(int(j), "owes", column_left[j]) for j in np.flatnonzero(column_left < -1e-9 * np.maximum(owes, 1.0))]
    for i, side, short in negative:
        problems.append(
            totals.problem(
                int(line_of[i]),
                f"'{names[i]}' {side} {-short:,.6g} less than its known exposures in layer '{layer}'",
                "a total that covers them",
                "correct the total or the exposures",
            )
        )
    if not result.converged and not negative:
        problems.extend(_clashes(result, layer, totals, line_of, names, list(regions)))
    return (
        Reconstruction(result.amounts + known_cells, result.converged, result.rounds, result.gap)
        if result.converged and not negative
        else None
    )


def _block_totals(
    layer: str,
    blocks: Table | None,
    known_cells: Floats,
    block_of: NDArray[np.int64],
    index: dict[str, int],
    regions: dict[str, int],
) -> Floats:
    """Known block sums less the known cells inside them; NaN where a block was not reported. Shape (n, regions)."""
    sums = np.full((len(block_of), len(regions)), np.nan)
    if blocks is not None:
        of = (blocks["layer"] == layer) & np.array(
            [c in index and r in regions for c, r in zip(blocks["creditor"], blocks["debtor_region"], strict=True)]
        )
        creditor, region = positions(blocks["creditor"][of], index), positions(blocks["debtor_region"][of], regions)
        inside = known_cells @ np.eye(len(regions))[block_of]
        sums[creditor, region] = np.maximum(_left(blocks["amount"][of], inside[creditor, region]), 0.0)
    return sums


def _left(totals: Floats, known: Floats) -> Floats:
    """Totals less known cells; what is only rounding of the two is nought."""
    left = totals - known
    return np.where(np.abs(left) <= 1e-12 * np.maximum(totals, known), 0.0, left)


def _clashes(
    result: Reconstruction, layer: str, totals: Table, line_of: NDArray[np.int64], names: list[str], regions: list[str]
) -> list[Problem]:
    cure = "correct these totals, or add a 'rest' institution that can take the difference"
    if not result.lacking:
        return [
            Problem(
                totals.file.name,
                None,
                f"layer '{layer}' not fitted: gap {result.gap:.2e} after {result.rounds} rounds",
                "totals met to 1e-9",
                cure,
            )
        ]
    found = []
    for side, i, block, amount in result.lacking:
        to = f" to region {regions[block]}" if block >= 0 else ""
        found.append(
            totals.problem(
                int(line_of[i]),
                f"'{names[i]}' {side}{to} {amount:,.6g} more than any network of layer '{layer}' can place",
                "totals that some network meets",
                cure,
            )
        )
    return found
