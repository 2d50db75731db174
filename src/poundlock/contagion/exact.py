"""Exact finish: the linear system of those that fail, solved again as long as the set changes (fictitious default).

Where each valuation is linear in pieces, the solution is linear once it is known who fails, who pays nothing and who pays in
full. Starting from an iterate that lies above the solution, each round's linear system again lies above it (the map is
concave there), so the sets only grow and at most as many rounds as institutions are needed. Eisenberg and Noe 2001,
section 3.1; with default costs Rogers and Veraart 2013, definition 3.6.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from poundlock.contagion.flat import Floats
from poundlock.contagion.model import Model
from poundlock.contagion.outcome import Propagation
from poundlock.contagion.valuation import CLEARING, DEFAULT_COSTS, DEFAULT_ONLY, LINEAR_DEBTRANK, LINEAR_IN_PIECES

DENSE = 200  # up to here a dense solver is quicker
NOTHING, PART, ALL = 0, 1, 2


class Pieces(NamedTuple):
    """Share lost = constant + slope (pivot - equity) on the piece where each slot is now; share: that, within [0, 1].
    All (n * groups,)."""

    constant: Floats
    slope: Floats
    pivot: Floats
    piece: NDArray[np.int64]
    share: Floats


def finish_exactly(found: Propagation) -> Propagation:
    """The same with values to machine precision, scenario by scenario; `gap` becomes the largest residual.

    Raises ValueError for valuations that are not linear in pieces, and where guarantees, prices or calls are in play.
    """
    model = found.model
    if (
        any(g.code not in LINEAR_IN_PIECES for g in model.groups)
        or len(model.promises.kind)
        or model.markets is not None
    ):
        raise ValueError(
            "an exact finish needs claims alone, valued by clearing, default costs, default only or linear DebtRank"
        )
    equity, lost, gap = found.equity.copy(), found.lost.copy(), found.gap.copy()
    rounds = found.rounds.copy()
    outage = found.outage_loss if len(found.outage_loss) else np.zeros((1, 1))
    for s in range(len(lost)):
        base = model.initial - found.direct_loss[s] - outage[min(s, len(outage) - 1)]
        equity[s], lost[s], gap[s], more = _finish(model, base, lost[s])
        rounds[s] += more
    return replace(found, equity=equity, lost=lost, gap=gap, rounds=rounds)


def _finish(model: Model, base: Floats, lost: Floats) -> tuple[Floats, Floats, float, int]:
    """Equity, shares lost, residual and rounds of one scenario. What does not lower the residual is not taken."""
    equity: Floats = base - model.at_risk @ lost
    now = _pieces(model, base, equity)
    residual = float(np.abs(now.share - lost).max(initial=0.0))
    piece = now.piece
    number = 0
    while number <= len(base):
        number += 1
        tried = _solve(model, base, now, piece)
        tried_equity = base - model.at_risk @ tried
        after = _pieces(model, base, tried_equity)
        missed = float(np.abs(after.share - tried).max(initial=0.0))
        if not missed < max(residual, 1e-15) and np.array_equal(after.piece, piece):
            break
        lost, equity, now, residual = tried, tried_equity, after, missed
        if np.array_equal(now.piece, piece):
            break
        piece = np.maximum(now.piece, piece)  # sets only grow; rounding must not bring anybody back
    return equity, lost, residual, number


def _pieces(model: Model, base: Floats, equity: Floats) -> Pieces:
    network, shape = model.network, (len(base), len(model.groups))
    constant, slope, pivot, share = np.zeros(shape), np.zeros(shape), np.zeros(shape), np.zeros(shape)
    for g, group in enumerate(model.groups):
        scale, junior = network.scale[:, g], network.junior[:, g]
        if group.code == CLEARING:
            slope[:, g], pivot[:, g] = scale, -junior
        elif group.code == LINEAR_DEBTRANK:
            slope[:, g], pivot[:, g] = scale, network.initial
        elif group.code == DEFAULT_COSTS:
            assets = np.maximum(0.0, base + network.beyond)
            kept = group.second * network.owed + (group.first - group.second) * assets
            constant[:, g], slope[:, g] = (network.owed - junior - kept) * scale, group.second * scale
        share[:, g] = constant[:, g] + slope[:, g] * (pivot[:, g] - equity)
        if group.code in (DEFAULT_COSTS, DEFAULT_ONLY):
            share[:, g] = np.where(equity >= 0.0, 0.0, 1.0 if group.code == DEFAULT_ONLY else share[:, g])
    piece = np.where(share <= 0.0, NOTHING, np.where(share >= 1.0, ALL, PART))
    return Pieces(constant.ravel(), slope.ravel(), pivot.ravel(), piece.ravel(), np.clip(share, 0.0, 1.0).ravel())


def _solve(model: Model, base: Floats, now: Pieces, piece: NDArray[np.int64]) -> Floats:
    """Shares lost when every slot stays on its piece."""
    lost: Floats = np.where(piece == ALL, 1.0, 0.0)
    part = np.flatnonzero(piece == PART)
    if not len(part):
        return lost
    rows: csr_array = model.at_risk[part // len(model.groups)]
    known = base[part // len(model.groups)] - rows @ lost
    matrix = eye_array(len(part), format="csr") - rows[:, part].multiply(now.slope[part][:, None])
    right = now.constant[part] + now.slope[part] * (now.pivot[part] - known)
    try:
        solved = (
            np.linalg.solve(matrix.toarray(), right) if len(part) <= DENSE else splu(csc_array(matrix)).solve(right)
        )
    except (np.linalg.LinAlgError, RuntimeError):  # no outlet at all: any share would do, the iterate stays
        solved = now.share[part]
    lost[part] = np.clip(solved, 0.0, 1.0)
    return lost
