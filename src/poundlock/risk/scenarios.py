"""Scenario blocks: one-year shocks to institutions and borrower pools from common, regional and sectoral factors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator
from scipy.special import ndtr, ndtri

from poundlock.reading import Declared
from poundlock.system.balance import Floats, System

BLOCK = 1024
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class FactorShares(Declared):
    """Shares of variance; together at most one, the rest is each institution's own."""

    common: Share
    """Of the one factor that moves everything."""
    region: Share = 0.0
    """Of the factor of the region."""
    sector: Share = 0.0
    """Of the factor of the kind of institution, or of the sector of a pool."""

    @model_validator(mode="after")
    def _within_one(self) -> FactorShares:
        total = self.common + self.region + self.sector
        if total > 1.0 + 1e-12:
            raise ValueError(
                f"shares add up to {total:g}; expected at most 1; cure lower one of common, region, sector"
            )
        return self


class ScenarioModel(Declared):
    """How one-year shocks are drawn."""

    count: Annotated[int, Field(ge=1_000, le=10_000_000)]
    """Number of scenarios; the plan's tolerances say how many they need at least."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of all draws: same seed, same numbers to the last bit."""
    volatility: dict[str, Annotated[float, Field(ge=0.0, le=5.0)]]
    """Yearly standard deviation of the log value of external assets outside pools, by kind of institution."""
    institutions: FactorShares
    """What moves institutions; 'sector' is the factor of their kind."""
    pools: FactorShares = FactorShares(common=1.0)
    """What moves the systematic factor of borrower pools; the shares are scaled to one."""
    valuation: Literal["clearing", "linear-debtrank"]
    """How claims on weakened institutions are valued when losses spread. The gates use this one; the other is reported."""
    bracket: bool = True
    """Let a tolerance pass only if it is not broken under the other valuation either; else it is inconclusive."""
    recovery: Share = 0.0
    """Share of a claim on a failed institution that linear DebtRank leaves; clearing finds its own."""

    @model_validator(mode="after")
    def _pools_move(self) -> ScenarioModel:
        if self.pools.common + self.pools.region + self.pools.sector <= 0:
            raise ValueError("pools with no factor at all; expected shares above 0; cure give common, region or sector")
        return self


@dataclass(frozen=True)
class Drivers:
    """What the draws need to know of a system, the same with and without a measure, so that draws are common.

    loadings: (n + k, f) on the f shared factors, rows of institutions first, then pools. own: (n,) weight of each
    institution's own draw. volatility: (n,). pools: (k, 4): default probability, loss given default, correlation, margin.
    """

    loadings: Floats = field(repr=False)
    own: Floats = field(repr=False)
    volatility: Floats = field(repr=False)
    pools: Floats = field(repr=False)
    factors: tuple[str, ...]


def drivers(system: System, model: ScenarioModel) -> Drivers:
    """Loadings of every institution and pool. Raises KeyError naming a kind without volatility."""
    names: dict[str, int] = {"common": 0}
    rows: list[dict[str, float]] = []
    for region, kind in zip(system.regions, system.kinds, strict=True):
        rows.append(
            {
                "common": model.institutions.common,
                f"region {region}": model.institutions.region,
                f"kind {kind}": model.institutions.sector,
            }
        )
    pool_total = model.pools.common + model.pools.region + model.pools.sector
    for pool in system.asset_classes:
        shares = {
            "common": model.pools.common,
            f"region {pool.region}": model.pools.region,
            f"sector {pool.sector}": model.pools.sector,
        }
        rows.append({name: share / pool_total for name, share in shares.items()})
    for row in rows:
        for name in row:
            names.setdefault(name, len(names))
    loadings = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for name, share in row.items():
            loadings[i, names[name]] = np.sqrt(share)
    n = len(system)
    own = np.sqrt(np.maximum(0.0, 1.0 - (loadings[:n] ** 2).sum(axis=1)))
    volatility = np.array([model.volatility[kind] for kind in system.kinds])
    pools = np.array(
        [[p.default_probability, p.loss_given_default, p.correlation, p.net_margin] for p in system.asset_classes]
    ).reshape(-1, 4)
    return Drivers(loadings, own, volatility, pools, tuple(names))


def draw_blocks(of: Drivers, model: ScenarioModel) -> Iterator[tuple[Floats, Floats]]:
    """Blocks of (asset loss, pool loss): shapes (b, n) and (b, k), fractions of the amount held, negative for a gain.

    Every block of 1,024 scenarios has a generator of its own, spawned from the seed, so that blocks can be made in any
    order and place. Asset value after a year is lognormal with mean one: loss = 1 - exp(v x - v^2 / 2), x standard
    normal. Pool loss is Vasicek's (2002, Risk 15(12)): LGD N((N^-1(PD) - sqrt(rho) z) / sqrt(1 - rho)) - margin.
    """
    n = len(of.own)
    probability, given_default, correlation, margin = of.pools.T
    threshold = ndtri(probability)
    blocks = -(-model.count // BLOCK)
    for number, child in enumerate(np.random.SeedSequence(model.seed).spawn(blocks)):
        size = min(BLOCK, model.count - number * BLOCK)
        generator = np.random.Generator(np.random.PCG64DXSM(child))
        normal = generator.standard_normal((BLOCK, len(of.factors) + n))[:size]
        systematic = np.einsum("sf,if->si", normal[:, : len(of.factors)], of.loadings)
        x = systematic[:, :n] + of.own * normal[:, len(of.factors) :]
        asset_loss = 1.0 - np.exp(of.volatility * x - 0.5 * of.volatility**2)
        z = systematic[:, n:]
        pool_loss = given_default * ndtr((threshold - np.sqrt(correlation) * z) / np.sqrt(1.0 - correlation)) - margin
        yield asset_loss, pool_loss


def shock(system: System, asset_loss: Floats, pool_loss: Floats) -> Floats:
    """Money lost on external assets by each institution. Shape (b, n); negative for a gain."""
    outside_pools = system.external_assets - system.safe_assets - system.holdings.sum(axis=1)
    return np.asarray(outside_pools * asset_loss + np.einsum("sk,ik->si", pool_loss, system.holdings))
