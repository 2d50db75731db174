"""Who could hurt others most, and who would be hurt: every institution failed once, alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigs

from poundlock.contagion.engine import Valuation, propagate
from poundlock.system.balance import Floats, System, equity, network

DENSE = 400  # up to here all eigenvalues are found at once


@dataclass(frozen=True)
class Importance:
    """importance: (n,), share of the others' equity lost when j alone loses all its equity, 0 to 1.
    loss_to_others: (n,), the same in money. vulnerability: (n,), mean share of i's own equity lost over the failures of
    all others, 0 to 1. counted: (n,), institutions that are failed and whose losses count; nought for the others.
    converged: every propagation reached its tolerance. amplification: spectral radius of (1 - recovery) X_ij / E_i, above
    one where linear DebtRank lets almost any loss grow until institutions fail (Bardoscia, Battiston, Caccioli and
    Caldarelli 2017, Nature Communications 8:14416).
    """

    importance: Floats = field(repr=False)
    loss_to_others: Floats = field(repr=False)
    vulnerability: Floats = field(repr=False)
    counted: NDArray[np.bool_] = field(repr=False)
    converged: bool
    valuation: str
    amplification: float


def importance(
    system: System,
    *,
    valuation: Valuation = "linear-debtrank",
    recovery: float = 0.0,
    counted: NDArray[np.bool_] | None = None,
) -> Importance:
    """Fail every counted institution once, by a loss of external assets equal to its equity, and measure the others.

    With linear DebtRank a claim on the failed one is worth `recovery` (nought in Battiston et al. 2012, Scientific Reports
    2:541, the measure of impact, with the dynamics of Bardoscia et al. 2015). Institutions without equity are failed
    already. counted: (n,), default all; others pass losses on but are neither failed nor measured.
    """
    own = np.maximum(equity(system), 0.0)
    members = np.ones(len(own), dtype=bool) if counted is None else np.asarray(counted, dtype=bool)
    failed = np.flatnonzero(members)
    shocks = np.zeros((len(failed), len(own)))
    shocks[np.arange(len(failed)), failed] = own[failed]
    result = propagate(system, shocks, valuation=valuation, recovery=recovery)
    lost = np.where(members, result.equity_lost, 0.0)
    lost[np.arange(len(failed)), failed] = 0.0
    others = np.maximum(own[members].sum() - own, 0.0)
    to_others = np.zeros_like(own)
    to_others[failed] = lost.sum(axis=1)
    share = np.divide(to_others, others, out=np.zeros_like(own), where=others > 0)
    relative = np.divide(lost, own, out=np.zeros_like(lost), where=own > 0)
    mean = relative.sum(axis=0) / max(len(failed) - 1, 1)
    return Importance(
        share, to_others, mean, members, bool(result.converged.all()), valuation, _amplification(system, own, recovery)
    )


def _amplification(system: System, own: Floats, recovery: float) -> float:
    """Largest eigenvalue of the matrix of interbank leverage, among institutions with equity."""
    alive = np.flatnonzero(own > 0)
    leverage = (1.0 - recovery) * network(system)[alive][:, alive].multiply(1.0 / own[alive][:, None]).tocsr()
    if leverage.nnz == 0:
        return 0.0
    if len(alive) <= DENSE:
        return float(np.abs(np.linalg.eigvals(leverage.toarray())).max())
    return float(np.abs(eigs(leverage, k=1, return_eigenvectors=False, v0=np.ones(len(alive)))[0]))
