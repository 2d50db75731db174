"""Who could hurt others most, and who would be hurt: every institution failed once, alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import ArpackNoConvergence, eigs

from poundlock.contagion.blocks import fail_blocks
from poundlock.contagion.engine import as_model, propagate
from poundlock.contagion.flat import Floats, Settings, Whole, new_block
from poundlock.contagion.model import Model
from poundlock.contagion.threads import block_width, processors, share_out

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

DENSE = 60  # up to here all eigenvalues are found at once
BLOCKS_AT_ONCE = 16  # per thread, between two calls of progress


@dataclass(frozen=True, repr=False)
class Importance:
    """importance: (n,), share of the others' equity lost when j alone loses all its equity, 0 to 1.
    loss_to_others: (n,), the same in money. vulnerability: (n,), mean share of i's own equity lost over the failures of
    all others, 0 to 1. counted: (n,), institutions that are failed and whose losses count; nought for the others.
    converged: every propagation reached its tolerance; rounds, gap: the worst of them. model: what was failed.
    """

    importance: Floats
    loss_to_others: Floats
    vulnerability: Floats
    counted: NDArray[np.bool_]
    converged: bool
    valuation: str
    rounds: int
    gap: float
    model: Model

    @cached_property
    def amplification(self) -> float:
        """Spectral radius of (1 - recovery) X_ij / E_i: above one, linear DebtRank lets almost any loss grow until institutions
        fail (Bardoscia, Battiston, Caccioli and Caldarelli 2017, Nature Communications 8:14416)."""
        return amplification(self.model)

    def __repr__(self) -> str:
        from poundlock.contagion.wording import ranking

        return ranking(self)

    def to_arrow(self) -> pa.Table:
        """A row for each institution."""
        import pyarrow as pa

        system = self.model.system
        columns: dict[str, Any] = {
            "institution": list(system.ids),
            "kind": list(system.kinds),
            "region": list(system.regions),
        }
        columns |= {k: getattr(self, k) for k in ("importance", "loss_to_others", "vulnerability", "counted")}
        return pa.table(columns)

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a data frame; needs pandas."""
        return self.to_arrow().to_pandas()

    def chart(self) -> Any:
        """An Altair chart: the ten most important and the ten most vulnerable."""
        from poundlock.contagion.charts import importance_figure
        from poundlock.figure import styled

        return styled(importance_figure(self).chart)


def importance(
    system: Any,
    *,
    counted: NDArray[np.bool_] | None = None,
    tolerance: float = 1e-12,
    max_rounds: int = 10_000,
    extrapolate: bool = True,
    threads: int | None = None,
    progress: Callable[[int], None] | None = None,
    **model: Any,
) -> Importance:
    """Fail every counted institution once, by a loss of external assets equal to its equity, and measure the others.

    system, model: as in `propagate`; valuation is linear DebtRank if not named. With it a claim on the failed one is worth
    `recovery` (nought in Battiston et al. 2012, Scientific Reports 2:541, the measure of impact, with the dynamics of Bardoscia
    et al. 2015). Institutions without equity are failed already. counted: (n,), default all; others pass losses on but are
    neither failed nor measured. progress: called with the number of failures that are done. Memory grows with the number of
    institutions and exposures, not with their product. Ends at `max_rounds` for each failure, told by `converged`.
    """
    made = as_model(system, **(model if isinstance(system, Model) else {"valuation": "linear-debtrank", **model}))
    own = np.maximum(made.initial, 0.0)
    members = np.ones(len(own), dtype=bool) if counted is None else np.asarray(counted, dtype=bool)
    if members.shape != own.shape:
        raise ValueError(f"shapes disagree: counted {members.shape}; expected ({len(own)},)")
    failed = np.flatnonzero(members).astype(np.int64)
    settings = Settings(float(tolerance), int(max_rounds), extrapolate and made.extrapolates, True, made.own)
    if made.markets is None:
        lost, relative, rounds, gap = _claims_alone(made, failed, members, settings, threads, progress)
        converged = bool((gap <= tolerance).all())
    else:
        lost, relative, rounds, gap, converged = _with_markets(made, failed, members, settings, threads, progress)
    others = np.maximum(own[members].sum() - own, 0.0)
    to_others = np.zeros_like(own)
    to_others[failed] = lost
    share = np.divide(to_others, others, out=np.zeros_like(own), where=others > 0)
    return Importance(
        share,
        to_others,
        relative / max(len(failed) - 1, 1),
        members,
        converged,
        made.mechanism.name,
        int(rounds.max(initial=0)),
        float(gap.max(initial=0.0)),
        made,
    )


def _claims_alone(
    made: Model,
    failed: Whole,
    members: NDArray[np.bool_],
    settings: Settings,
    threads: int | None,
    progress: Callable[[int], None] | None,
) -> tuple[Floats, Floats, Whole, Floats]:
    """Loss to others, own relative losses added up, rounds and gap; a few blocks at a time, added up in their order."""
    n, groups, kinds = len(made.initial), len(made.groups), len(made.promises.kind)
    width = block_width(len(failed))
    step = width * BLOCKS_AT_ONCE * (threads or processors())
    lost, gap = np.zeros(len(failed)), np.zeros(len(failed))
    rounds, total = np.zeros(len(failed), dtype=np.int64), np.zeros(n)
    for first in range(0, len(failed), step):
        some = slice(first, min(first + step, len(failed)))
        relative = np.zeros((-(-len(failed[some]) // width), n))

        def work(thread: int, of: int, some: slice = some, relative: Floats = relative) -> None:
            block = new_block(n, groups, kinds, width)
            where = (made.network, made.promises, made.initial, failed[some], members, settings, block, thread, of)
            fail_blocks(*where, lost[some], relative, rounds[some], gap[some])

        share_out(work, len(failed[some]), width, threads)
        for row in relative:
            total += row
        if progress:
            progress(len(failed[some]))
    return lost, total, rounds, gap


def _with_markets(
    made: Model,
    failed: Whole,
    members: NDArray[np.bool_],
    settings: Settings,
    threads: int | None,
    progress: Callable[[int], None] | None,
) -> tuple[Floats, Floats, Whole, Floats, bool]:
    """The same where institutions sell and withdraw: whole results, a block of failures at a time."""
    own, n = np.maximum(made.initial, 0.0), len(made.initial)
    lost, gap, rounds = np.zeros(len(failed)), np.zeros(len(failed)), np.zeros(len(failed), dtype=np.int64)
    total, converged = np.zeros(n), True
    for first in range(0, len(failed), 256):
        some = failed[first : first + 256]
        shocks = np.zeros((len(some), n))
        shocks[np.arange(len(some)), some] = made.initial[some]
        result = propagate(made, shocks, tolerance=settings.tolerance, max_rounds=settings.max_rounds, threads=threads)
        others = np.where(members, result.equity_lost, 0.0)
        others[np.arange(len(some)), some] = 0.0
        here = slice(first, first + len(some))
        lost[here], rounds[here], gap[here] = others.sum(axis=1), result.rounds, result.gap
        total += np.divide(others, own, out=np.zeros_like(others), where=own > 0).sum(axis=0)
        converged &= bool(result.converged.all())
        if progress:
            progress(len(some))
    return lost, total, rounds, gap, converged


def amplification(made: Model) -> float:
    """Largest eigenvalue of the matrix of interbank leverage, (1 - recovery) X_ij / E_i, among institutions with equity."""
    alive = np.flatnonzero(made.initial > 0)
    recovery = made.mechanism.recovery
    leverage = made.at_risk if len(made.groups) == 1 else _joined(made)
    ranked = made.groups[0].rank > 0  # there what is at risk is the face value
    inverse = diags_array((1.0 - recovery if ranked else 1.0) / made.initial[alive])
    matrix = csr_array(inverse @ leverage[alive][:, alive])
    if matrix.nnz == 0:
        return 0.0
    if len(alive) <= DENSE:
        return float(np.abs(np.linalg.eigvals(matrix.toarray())).max())
    try:
        return float(np.abs(eigs(matrix, k=1, return_eigenvectors=False, v0=np.ones(len(alive)))[0]))
    except ArpackNoConvergence as stopped:
        return float(np.abs(stopped.eigenvalues).max()) if len(stopped.eigenvalues) else float("nan")


def _joined(made: Model) -> csr_array:
    """What each institution may lose on each other, over all groups. (n, n)."""
    at_risk, n = made.at_risk, len(made.initial)
    joined = csr_array((at_risk.data, at_risk.indices // len(made.groups), at_risk.indptr), shape=(n, n), copy=True)
    joined.sum_duplicates()
    return joined
