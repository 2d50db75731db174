"""Who could hurt others most, and who would be hurt: every institution failed once, alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from poundlock.contagion.engine import Valuation, propagate
from poundlock.system.balance import Floats, System, equity


@dataclass(frozen=True)
class Importance:
    """importance: (n,), share of the others' equity lost when j alone loses all its equity, 0 to 1.
    loss_to_others: (n,), the same in money. vulnerability: (n,), mean share of i's own equity lost over the failures of
    all others, 0 to 1. converged: every one of the n propagations reached its tolerance."""

    importance: Floats = field(repr=False)
    loss_to_others: Floats = field(repr=False)
    vulnerability: Floats = field(repr=False)
    converged: bool
    valuation: str


def importance(system: System, *, valuation: Valuation = "linear-debtrank", recovery: float = 0.0) -> Importance:
    """Fail every institution once, by a loss of external assets equal to its equity, and measure the others.

    With linear DebtRank a claim on the failed one is worth `recovery` (nought in Battiston et al. 2012, Scientific Reports
    2:541, the measure of impact, with the dynamics of Bardoscia et al. 2015). Institutions without equity are failed already.
    """
    own = np.maximum(equity(system), 0.0)
    result = propagate(system, np.diag(own), valuation=valuation, recovery=recovery)
    lost = result.equity_lost
    np.fill_diagonal(lost, 0.0)
    others = own.sum() - own
    to_others = lost.sum(axis=1)
    share = np.divide(to_others, others, out=np.zeros_like(own), where=others > 0)
    relative = np.divide(lost, own[None, :], out=np.zeros_like(lost), where=own[None, :] > 0)
    return Importance(
        share, to_others, relative.sum(axis=0) / max(len(own) - 1, 1), bool(result.converged.all()), valuation
    )
