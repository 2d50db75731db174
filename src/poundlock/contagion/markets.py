"""Marketable assets, leverage, liquid assets and short-term lending of a System as the flat arrays of the kernels."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from poundlock.contagion.behaviour import FireSales, Funding
from poundlock.contagion.flat import Floats, Markets
from poundlock.contagion.lanes import AHEAD
from poundlock.system.balance import System, claims, equity


def markets_of(system: System, sales: FireSales | None, funding: Funding | None) -> Markets | None:
    """None where nobody sells and nobody withdraws. Raises ValueError for sales without a market or a leverage to hold."""
    if sales is None and funding is None:
        return None
    n = len(system)
    traded = [k for k, pool in enumerate(system.asset_classes) if pool.depth is not None] if sales else []
    if sales and not traded:
        raise ValueError("fire sales need asset classes with a market depth; give depth for those that can be sold")
    held = csr_array(system.holdings[:, traded])
    classes = [system.asset_classes[k] for k in traded]
    lent = short_term(system, funding.horizon_days) if funding else csr_array((n, n), dtype=np.float64)
    limit, buffer = _leverage(system, sales)
    some = funding or Funding(withdrawn=0.0)
    return Markets(
        held.indptr.astype(np.int64),
        np.concatenate([held.indices, np.zeros(AHEAD)]).astype(np.int32),
        np.ascontiguousarray(held.data, dtype=np.float64),
        np.array([pool.depth for pool in classes], dtype=np.float64),
        np.array([pool.floor for pool in classes], dtype=np.float64),
        np.array([pool.impact == "exponential" for pool in classes], dtype=bool),
        system.external_assets + claims(system) - equity(system),
        limit,
        buffer,
        np.ascontiguousarray(system.safe_assets, dtype=np.float64),
        lent.indptr.astype(np.int64),
        lent.indices.astype(np.int32),
        np.ascontiguousarray(lent.data, dtype=np.float64),
        np.zeros(n) if system.runnable is None else np.ascontiguousarray(system.runnable, dtype=np.float64),
        sales.realised if sales else 1.0,
        bool(sales and sales.failed_sell),
        some.withdrawn,
        some.run,
        some.stress_below,
        some.margin,
        sales.tolerance if sales else 1e-9,
        sales.max_rounds if sales else n + 2,
    )


def short_term(system: System, horizon_days: float) -> csr_array:
    """What each lender may refuse to roll over: debts known to fall due within the horizon. [i, j]: lent by i to j."""
    n = len(system)
    total = csr_array((n, n), dtype=np.float64)
    for layer in system.layers:
        if layer.kind == "debt" and layer.maturity_days is not None:
            due = csr_array(layer.maturity_days, copy=True)
            due.data = (due.data <= horizon_days).astype(np.float64)
            total = csr_array(total + layer.amounts.multiply(due))
    total.eliminate_zeros()
    return total


def _leverage(system: System, sales: FireSales | None) -> tuple[Floats, Floats]:
    """Limit and buffer of each institution; infinite where none binds, or where there is no equity to hold it against."""
    n = len(system)
    none = np.full(n, np.inf)
    if sales is None or sales.rule == "calls":
        return none, none
    own = equity(system)
    first = np.divide(system.external_assets + claims(system), own, out=none.copy(), where=own > 0.0)
    if sales.rule == "target":
        return first, first
    limit = np.full(n, sales.limit) if sales.limit is not None else system.leverage_limit
    if limit is None:
        raise ValueError(
            "fire sales above a threshold need a leverage limit; give limit, or leverage_limit of the system"
        )
    limit = np.where(np.isnan(limit), np.inf, limit)
    buffer = np.full(n, sales.buffer) if sales.buffer is not None else system.leverage_buffer
    buffer = limit if buffer is None else np.where(np.isnan(buffer), limit, buffer)
    return np.ascontiguousarray(limit), np.ascontiguousarray(np.minimum(limit, buffer))
