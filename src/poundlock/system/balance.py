"""The System record and its accounting identities (METHODS: w_i = a_i + claims - obligations - b_i)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Layer:
    """One kind of exposure. amounts[i, j]: what institution i may lose on j; an asset of i, a liability of j; >= 0."""

    name: str
    amounts: csr_array = field(repr=False)


@dataclass(frozen=True)
class AssetClass:
    """A pool of borrowers or securities that several institutions hold.

    region, sector: which factors move it. default_probability, loss_given_default, correlation: parameters of the
    Vasicek loss over one year, fractions. net_margin: yearly interest less funding and fees, fraction of the amount,
    earned before losses.
    """

    id: str
    region: str
    sector: str
    default_probability: float
    loss_given_default: float
    correlation: float
    net_margin: float


@dataclass(frozen=True)
class System:
    """Balance sheets of n institutions in one currency and unit.

    ids, names, kinds, regions: length n. external_assets: shape (n,), everything held outside the system, holdings
    included. external_liabilities: shape (n,). holdings: shape (n, k), amounts in each asset class, part of external
    assets. safe_assets: shape (n,), another part of them, which no shock touches (cash). tier1_capital, loans: shape (n,), NaN where not reported. unit: money unit of every amount, e.g. 'mn CNY'.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    regions: tuple[str, ...]
    external_assets: Floats = field(repr=False)
    external_liabilities: Floats = field(repr=False)
    layers: tuple[Layer, ...]
    asset_classes: tuple[AssetClass, ...]
    holdings: Floats = field(repr=False)
    safe_assets: Floats = field(repr=False)
    tier1_capital: Floats = field(repr=False)
    loans: Floats = field(repr=False)
    unit: str

    def __len__(self) -> int:
        return len(self.ids)

    def members(self, kinds: tuple[str, ...] = (), regions: tuple[str, ...] = ()) -> NDArray[np.bool_]:
        """Mask of the institutions of these kinds in these regions; an empty tuple means all. Shape (n,)."""
        return np.array(
            [
                (not kinds or kind in kinds) and (not regions or region in regions)
                for kind, region in zip(self.kinds, self.regions, strict=True)
            ],
            dtype=bool,
        )


def network(system: System) -> csr_array:
    """All layers added up. Entry [i, j]: what i may lose on j. Shape (n, n), sorted indices."""
    n = len(system)
    total = csr_array((n, n), dtype=np.float64)
    for layer in system.layers:
        total = csr_array(total + layer.amounts)
    total.sort_indices()
    return total


def claims(system: System) -> Floats:
    """What each institution is owed inside the system at face value. Shape (n,)."""
    return np.asarray(network(system).sum(axis=1), dtype=np.float64)


def obligations(system: System) -> Floats:
    """What each institution owes inside the system at face value. Shape (n,)."""
    return np.asarray(network(system).sum(axis=0), dtype=np.float64)


def equity(system: System) -> Floats:
    """Assets less liabilities, by the identity; may be negative. Shape (n,)."""
    return system.external_assets + claims(system) - obligations(system) - system.external_liabilities
