"""The upper storey: checks, coerces, allocates, calls the kernel, returns a frozen record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csc_array

from poundlock.contagion.kernels import sweep_blocks
from poundlock.contagion.valuation import VALUATIONS
from poundlock.system.balance import Floats, System, equity, network

Valuation = Literal["clearing", "linear-debtrank"]


@dataclass(frozen=True)
class Propagation:
    """Outcome of contagion in s scenarios for n institutions.

    equity: (s, n), money, may be negative. value: (s, n), share of a claim on j that creditors can count on, 0 to 1
    (for clearing: the paid share). initial_equity: (n,). direct_loss: (s, n), the shock, money, negative for a gain.
    rounds, gap, converged: (s,), sweeps done, largest fall in value in the last sweep, gap within tolerance.
    """

    equity: Floats = field(repr=False)
    value: Floats = field(repr=False)
    initial_equity: Floats = field(repr=False)
    direct_loss: Floats = field(repr=False)
    rounds: NDArray[np.int64] = field(repr=False)
    gap: Floats = field(repr=False)
    converged: NDArray[np.bool_] = field(repr=False)
    valuation: str

    @property
    def default(self) -> NDArray[np.bool_]:
        """Equity strictly below zero. Shape (s, n)."""
        return self.equity < 0.0

    @property
    def equity_lost(self) -> Floats:
        """Loss of equity holders, within [0, initial equity]: nobody loses more than they had. Shape (s, n)."""
        return _lost(self.initial_equity, self.equity)

    @property
    def equity_lost_to_shock(self) -> Floats:
        """The part that the shock alone takes, before any contagion. Shape (s, n)."""
        return _lost(self.initial_equity, self.initial_equity - self.direct_loss)


def _lost(initial: Floats, final: Floats) -> Floats:
    return np.asarray(np.clip(initial - final, 0.0, np.maximum(initial, 0.0)))


def propagate(
    system: System | ArrayLike | csc_array,
    losses: ArrayLike,
    *,
    external_assets: ArrayLike | None = None,
    external_liabilities: ArrayLike | None = None,
    valuation: Valuation = "clearing",
    recovery: float = 0.0,
    tolerance: float = 1e-12,
    max_rounds: int = 10_000,
) -> Propagation:
    """Greatest fixed point of E = E(0) - loss - sum_j X_ij (1 - V_j(E_j)), for every scenario.

    system: a System, or the exposure matrix X (n, n) dense or scipy sparse with X[i, j] what i may lose on j; then
    external_assets and external_liabilities, shape (n,), are required. losses: (s, n) or (n,), loss on external assets
    in money, negative for a gain. recovery: share of a claim on a defaulter that linear DebtRank leaves, 0 to 1; clearing
    finds its own and ignores it. Starts from V = 1 and sweeps in place; the map is monotone, so the sweeps fall to the
    greatest solution. Stops when no value fell by more than `tolerance` in a sweep, or at `max_rounds`: then
    `converged` is False for that scenario and its numbers are an upper bound of equity.
    Raises ValueError for shapes that disagree, amounts that are negative or not finite, and self-exposures.
    Source: Barucca et al. 2020, Mathematical Finance 30(4), eq. 2 and theorem 1.
    """
    if valuation not in VALUATIONS:
        raise ValueError(f"unknown valuation '{valuation}'; known: {', '.join(VALUATIONS)}")
    if not 0.0 <= recovery <= 1.0:
        raise ValueError(f"recovery is {recovery:g}; expected a share within [0, 1]")
    exposures, initial, owed = _balance(system, external_assets, external_liabilities)
    direct = np.ascontiguousarray(np.atleast_2d(np.asarray(losses, dtype=np.float64)))
    n = exposures.shape[0]
    if direct.ndim != 2 or direct.shape[1] != n:
        raise ValueError(f"losses have shape {direct.shape}; expected (scenarios, {n})")
    if not np.isfinite(direct).all():
        where = np.argwhere(~np.isfinite(direct))[0]
        raise ValueError(f"losses[{where[0]}, {where[1]}] is {direct[tuple(where)]}; expected finite amounts")
    scenarios = len(direct)
    out_equity, out_value = np.empty((scenarios, n)), np.empty((scenarios, n))
    rounds, gap = np.empty(scenarios, dtype=np.int64), np.empty(scenarios)
    sweep_blocks(
        VALUATIONS[valuation],
        recovery,
        exposures.indptr,
        exposures.indices,
        exposures.data,
        initial,
        owed,
        direct,
        tolerance,
        max_rounds,
        out_equity,
        out_value,
        rounds,
        gap,
    )
    return Propagation(out_equity, out_value, initial, direct, rounds, gap, gap <= tolerance, valuation)


def clear(system: Any, losses: ArrayLike, **options: Any) -> Propagation:
    """`propagate` with clearing (Eisenberg and Noe 2001): a defaulter pays all creditors, external ones too, pro rata."""
    return propagate(system, losses, valuation="clearing", **options)


def debtrank(system: Any, losses: ArrayLike, **options: Any) -> Propagation:
    """`propagate` with linear DebtRank (Bardoscia et al. 2015): claims lose value as the debtor's equity falls."""
    return propagate(system, losses, valuation="linear-debtrank", **options)


def _balance(
    system: System | ArrayLike | csc_array, external_assets: ArrayLike | None, external_liabilities: ArrayLike | None
) -> tuple[csc_array, Floats, Floats]:
    """Network by debtor, initial equity and all obligations; raises ValueError on what no system can be."""
    if isinstance(system, System):
        exposures = csc_array(network(system))
        initial, outside = equity(system), system.external_liabilities
    else:
        if external_assets is None or external_liabilities is None:
            raise ValueError("with a plain matrix, give external_assets and external_liabilities too")
        exposures = csc_array(system, dtype=np.float64)
        assets, outside = (
            np.asarray(external_assets, dtype=np.float64),
            np.asarray(external_liabilities, dtype=np.float64),
        )
        n = exposures.shape[0]
        if exposures.shape != (n, n) or assets.shape != (n,) or outside.shape != (n,):
            raise ValueError(
                f"shapes disagree: exposures {exposures.shape}, external_assets {assets.shape}, external_liabilities {outside.shape}"
            )
        initial = assets + np.asarray(exposures.sum(axis=1)) - np.asarray(exposures.sum(axis=0)) - outside
        if not (np.isfinite(assets).all() and np.isfinite(outside).all()):
            raise ValueError("external_assets and external_liabilities must be finite")
    if exposures.nnz and not (np.isfinite(exposures.data).all() and exposures.data.min() >= 0):
        raise ValueError("exposures must be finite and not negative")
    if np.any(exposures.diagonal() != 0):
        raise ValueError(f"institution {int(np.flatnonzero(exposures.diagonal())[0])} has an exposure to itself")
    exposures.sort_indices()
    owed = np.asarray(exposures.sum(axis=0), dtype=np.float64) + outside
    return exposures, np.ascontiguousarray(initial, dtype=np.float64), np.ascontiguousarray(owed)
