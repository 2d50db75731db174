"""The baseline that the engine is held against: the same valuations by scipy, a sparse matrix times a dense block.

Synchronous iteration from face value, stopped when no value falls by more than the tolerance. Two ways to write it: all scenarios
in one dense block, as one would, and in blocks of 64 that stay in the cache, the best that could be made of it here.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array


def iterate(
    exposures: csr_array,
    initial: np.ndarray,
    owed: np.ndarray,
    losses: np.ndarray,
    kind: str,
    *,
    block: int,
    tolerance: float,
    costs: tuple[float, float] = (1.0, 1.0),
    external: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """Equity (s, n), and the mean number of rounds. kind: 'clearing', 'costs' or 'debtrank'."""
    out, rounds, blocks = np.empty_like(losses), 0, 0
    for first in range(0, len(losses), block):
        loss = losses[first : first + block].T
        shocked = initial[:, None] - loss
        value = np.ones_like(shocked)
        blocks += 1
        while True:
            rounds += 1
            now = shocked - exposures @ (1.0 - value)
            if kind == "clearing":
                new = np.clip(1.0 + np.minimum(now, 0.0) / owed[:, None], 0.0, 1.0)
            elif kind == "debtrank":
                new = np.clip(now / initial[:, None], 0.0, 1.0)
            else:
                assets = np.maximum(external[:, None] - loss, 0.0)
                realised = costs[1] * (now + owed[:, None]) + (costs[0] - costs[1]) * assets
                new = np.where(now < 0.0, np.clip(realised / owed[:, None], 0.0, 1.0), 1.0)
            moved = np.max(value - new)
            value = new
            if moved <= tolerance:
                break
        out[first : first + block] = (shocked - exposures @ (1.0 - value)).T
    return out, rounds / blocks
