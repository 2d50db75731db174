"""The lower storey: compiled sweeps over blocks of scenarios. Checked and allocated by `engine`; loops only."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np
from numba import njit, prange

from poundlock.contagion.valuation import CLEARING, clearing, linear_debtrank

LANES = 64


@njit(inline="always")
def _revalue(code, recovery, j, equity, obligations, initial_equity, value, active, change):
    """New value of claims on j in every open lane; change holds new less old (never above nought). Returns the largest fall."""
    largest = 0.0
    for lane in range(LANES):
        if code == CLEARING:
            new = clearing(equity[j, lane], obligations[j])
        else:
            new = linear_debtrank(equity[j, lane], initial_equity[j], recovery)
        fall = min(0.0, new - value[j, lane]) * active[lane]
        value[j, lane] += fall
        change[lane] = fall
        largest = max(largest, -fall)
    return largest


@njit(inline="always")
def _sweep(
    code, recovery, starts, creditors, amounts, equity, obligations, initial_equity, value, active, change, moved
):
    """One in-place pass over all debtors; each fall in value is handed to the creditors at once."""
    moved[:] = 0.0
    for j in range(len(obligations)):
        if _revalue(code, recovery, j, equity, obligations, initial_equity, value, active, change) > 0.0:
            for lane in range(LANES):
                moved[lane] = max(moved[lane], -change[lane])
            for k in range(starts[j], starts[j + 1]):
                i, amount = creditors[k], amounts[k]
                for lane in range(LANES):
                    equity[i, lane] += amount * change[lane]


@njit(parallel=True, cache=True, nogil=True)
def sweep_blocks(
    code,
    recovery,
    starts,
    creditors,
    amounts,
    initial_equity,
    obligations,
    losses,
    tolerance,
    max_rounds,
    out_equity,
    out_value,
    out_rounds,
    out_gap,
):
    """Fill the outputs for every scenario. starts, creditors, amounts: the network by debtor (CSC). losses: (s, n).

    A lane closes when its largest fall in a sweep is at most the tolerance and is not touched again, so that a
    scenario's numbers do not depend on its neighbours, on the block size or on the number of threads.
    """
    scenarios, n = losses.shape
    for block in prange((scenarios + LANES - 1) // LANES):
        first = block * LANES
        lanes = min(LANES, scenarios - first)
        equity = np.zeros((n, LANES))
        value = np.ones((n, LANES))
        active = np.zeros(LANES)
        change = np.zeros(LANES)
        moved = np.zeros(LANES)
        active[:lanes] = 1.0
        for lane in range(lanes):
            for i in range(n):
                equity[i, lane] = initial_equity[i] - losses[first + lane, i]
            out_gap[first + lane] = np.inf
            out_rounds[first + lane] = max_rounds
        still_open = lanes
        for sweep in range(max_rounds):
            _sweep(
                code,
                recovery,
                starts,
                creditors,
                amounts,
                equity,
                obligations,
                initial_equity,
                value,
                active,
                change,
                moved,
            )
            for lane in range(lanes):
                if active[lane] == 1.0:
                    out_gap[first + lane] = moved[lane]
                    if moved[lane] <= tolerance:
                        active[lane] = 0.0
                        out_rounds[first + lane] = sweep + 1
                        still_open -= 1
            if still_open == 0:
                break
        _finish(starts, creditors, amounts, initial_equity, losses, first, lanes, value, equity, out_equity, out_value)


@njit(inline="always")
def _finish(starts, creditors, amounts, initial_equity, losses, first, lanes, value, equity, out_equity, out_value):
    """Equity once more from the final values, free of what rounding left behind in the sweeps."""
    n = len(initial_equity)
    for lane in range(lanes):
        for i in range(n):
            equity[i, lane] = initial_equity[i] - losses[first + lane, i]
    for j in range(n):
        for k in range(starts[j], starts[j + 1]):
            for lane in range(lanes):
                equity[creditors[k], lane] -= amounts[k] * (1.0 - value[j, lane])
    for lane in range(lanes):
        for i in range(n):
            out_equity[first + lane, i] = equity[i, lane]
            out_value[first + lane, i] = value[i, lane]
