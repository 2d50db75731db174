"""One layer rebuilt from its totals table: known cells and blocks out, maximum entropy on the rest, clashes told."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.balance import Floats
from poundlock.system.reconstruct import Reconstruction, fit_to_totals

CURE = "correct these totals, or add a 'rest' institution that can take the difference"


@dataclass(frozen=True)
class LayerTotals:
    """What is known of one layer. names, regions: (n,), of the institutions. lends, owes: (n,). line_of: (n,), row of
    the totals table. known: (n, n), amounts known one by one; is_known: (n, n), where, zeros included. blocks: (n,
    regions), NaN where not reported; block_row: (n, regions), row of the blocks table."""

    layer: str
    table: Table = field(repr=False)
    names: tuple[str, ...]
    regions: tuple[str, ...]
    lends: Floats
    owes: Floats
    line_of: NDArray[np.int64]
    known: Floats
    is_known: NDArray[np.bool_]
    blocks: Floats
    block_row: NDArray[np.int64]
    block_table: Table | None = field(repr=False)


def rebuild(given: LayerTotals, problems: list[Problem]) -> Reconstruction | None:
    """Maximum entropy on what the known cells leave; the known cells are then put back exactly. None, with Problems,
    when no network can be; None alone when a bad cell has been told already."""
    if not (np.isfinite(given.lends).all() and np.isfinite(given.owes).all() and np.isfinite(given.known).all()):
        return None
    codes = {region: k for k, region in enumerate(dict.fromkeys(given.regions))}
    block_of = positions(given.regions, codes)
    inside = given.known @ np.eye(len(codes))[block_of]
    rows, columns = _left(given.lends, given.known.sum(axis=1)), _left(given.owes, given.known.sum(axis=0))
    blocks = _left(given.blocks, inside)
    if found := [*_two_sides(given), *_less_than_known(given, rows, columns, blocks, list(codes))]:
        problems.extend(found)
        return None
    free = ~given.is_known & ~np.eye(len(rows), dtype=bool)
    prior = np.where(free, np.outer(rows, columns), 0.0)
    result = fit_to_totals(rows, columns, prior=prior, block_of=block_of, block_totals=blocks)
    if not result.converged:
        problems.extend(_clashes(result, given, list(codes)))
        return None
    return Reconstruction(result.amounts + given.known, True, result.rounds, result.gap)


def positions(names: tuple[str, ...] | NDArray[np.object_], index: dict[str, int]) -> NDArray[np.int64]:
    """Numbers of names that are all known."""
    return np.fromiter((index[name] for name in names), dtype=np.int64, count=len(names))


def _left(totals: Floats, known: Floats) -> Floats:
    """Totals less known cells; what is only rounding of the two is nought."""
    left = totals - known
    return np.where(np.abs(left) <= 1e-12 * np.maximum(totals, known), 0.0, left)


def _two_sides(given: LayerTotals) -> list[Problem]:
    lends, owes = float(given.lends.sum()), float(given.owes.sum())
    if abs(lends - owes) <= 1e-9 * max(lends, owes):
        return []
    found = f"layer '{given.layer}' lends {lends:,.6g} and owes {owes:,.6g} in all"
    cure = "correct the totals or add a 'rest' institution for what is outside"
    return [Problem(given.table.file.name, None, found, "equal sums, since each loan has two sides", cure)]


def _less_than_known(
    given: LayerTotals, rows: Floats, columns: Floats, blocks: Floats, regions: list[str]
) -> list[Problem]:
    """Totals and blocks that do not even cover the exposures known one by one, or blocks that exceed their row."""
    found = []
    for side, left, total in (("lends", rows, given.lends), ("owes", columns, given.owes)):
        for i in np.flatnonzero(left < -1e-9 * np.maximum(total, 1e-300)):
            said = f"'{given.names[i]}' {side} {-left[i]:,.6g} less than its known exposures in layer '{given.layer}'"
            found.append(
                given.table.problem(
                    int(given.line_of[i]), said, "a total that covers them", "correct the total or the exposures"
                )
            )
    for i, k in np.argwhere(blocks < 0.0):
        if given.block_table is not None:
            said = (
                f"'{given.names[i]}' to region {regions[k]}: {-blocks[i, k]:,.6g} less than its known exposures there"
            )
            row = int(given.block_row[i, k])
            found.append(
                given.block_table.problem(row, said, "a block that covers them", "correct the block or the exposures")
            )
    return found


def _clashes(result: Reconstruction, given: LayerTotals, regions: list[str]) -> list[Problem]:
    if not result.lacking:
        found = f"layer '{given.layer}' not fitted: gap {result.gap:.2e} after {result.rounds} rounds"
        return [Problem(given.table.file.name, None, found, "totals met to 1e-9", CURE)]
    said = []
    for side, i, block, amount in result.lacking:
        name, row = given.names[i], int(given.line_of[i])
        if side == "blocks":
            more = "less" if amount > 0 else "more"
            found = (
                f"'{name}' with blocks that add up to {abs(amount):,.6g} {more} than it lends in layer '{given.layer}'"
            )
            said.append(
                given.table.problem(row, found, "blocks that add up to the total", "correct the total or the blocks")
            )
            continue
        to = f" to region {regions[block]}" if block >= 0 else ""
        found = f"'{name}' {side}{to} {amount:,.6g} more than any network of layer '{given.layer}' can place"
        said.append(given.table.problem(row, found, "totals that some network meets", CURE))
    return said
