"""Contagion over blocks of scenarios against the vectorised scipy baseline, in one run on this machine.

Prints wall seconds (median of five), the ratio to the baseline, bytes gathered per second and their share of the copy
bandwidth measured here. The baseline is the same synchronous iteration written with a scipy sparse matrix times a dense
block; it stops by the same rule. Run as `make bench`.
"""

from __future__ import annotations

import os
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from poundlock.contagion import clear, debtrank
from poundlock.system import equity, network, obligations, synthetic_system

TOLERANCE = 1e-10
BLOCK = 64


def median_seconds(work: Callable[[], object], runs: int = 5) -> float:
    work()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def baseline(exposures: csr_array, initial: np.ndarray, owed: np.ndarray, losses: np.ndarray, kind: str) -> np.ndarray:
    """Blocks of scenarios, exposures times a dense block until nothing moves."""
    out = np.empty_like(losses)
    for first in range(0, len(losses), BLOCK):
        shocked = initial[:, None] - losses[first : first + BLOCK].T
        value = np.ones_like(shocked)
        while True:
            now = shocked - exposures @ (1.0 - value)
            if kind == "clearing":
                new = np.clip(1.0 + np.minimum(now, 0.0) / owed[:, None], 0.0, 1.0)
            else:
                new = np.clip(now / initial[:, None], 0.0, 1.0)
            moved = np.max(value - new)
            value = new
            if moved <= TOLERANCE:
                break
        out[first : first + BLOCK] = (shocked - exposures @ (1.0 - value)).T
    return out


def copy_bandwidth() -> float:
    """Bytes read and written a second by a large array copy."""
    source = np.ones(32_000_000)
    target = np.empty_like(source)
    return 2 * source.nbytes / median_seconds(lambda: np.copyto(target, source))


def report(name: str, ours: float, theirs: float, edges: int, sweeps: float, scenarios: int, bandwidth: float) -> None:
    gathered = edges * sweeps * scenarios * 16  # an equity read and written for each exposure and scenario
    print(
        f"{name:38} {ours:9.4f} s {theirs:9.3f} s {theirs / ours:7.1f} x {gathered / ours / 1e9:8.2f} GB/s {gathered / ours / bandwidth:7.0%}"
    )


def main() -> None:
    bandwidth = copy_bandwidth()
    print(f"{os.cpu_count()} processors, copy bandwidth {bandwidth / 1e9:.1f} GB/s")
    print(f"{'work':38} {'poundlock':>11} {'scipy':>11} {'ratio':>9} {'gathered':>13} {'of copy':>7}")
    system = synthetic_system(1_000, 10, seed=1)
    exposures, initial = network(system), equity(system)
    owed = obligations(system) + system.external_liabilities
    alone = np.diag(initial)
    result = debtrank(system, alone, tolerance=TOLERANCE)
    np.testing.assert_allclose(result.equity, baseline(exposures, initial, owed, alone, "debtrank"), atol=1e-7)
    ours = median_seconds(lambda: debtrank(system, alone, tolerance=TOLERANCE))
    theirs = median_seconds(lambda: baseline(exposures, initial, owed, alone, "debtrank"), 3)
    report("DebtRank, 1,000 shocks on 1,000", ours, theirs, exposures.nnz, result.rounds.mean(), 1_000, bandwidth)
    losses = np.random.default_rng(0).uniform(0.0, 0.12, (1_000, 1_000)) * system.external_assets
    result = clear(system, losses, tolerance=TOLERANCE)
    np.testing.assert_allclose(result.equity, baseline(exposures, initial, owed, losses, "clearing"), atol=1e-6)
    ours = median_seconds(lambda: clear(system, losses, tolerance=TOLERANCE))
    theirs = median_seconds(lambda: baseline(exposures, initial, owed, losses, "clearing"), 3)
    report(
        f"clearing, 1,000 scenarios, {result.default.mean():.0%} fail",
        ours,
        theirs,
        exposures.nnz,
        result.rounds.mean(),
        1_000,
        bandwidth,
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


if __name__ == "__main__":
    main()
