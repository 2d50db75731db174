"""Scenario blocks: one-year shocks to institutions and borrower pools from common, regional and sectoral factors, outages of
providers, and runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import ndtri, stdtr

from poundlock.reading import Declared
from poundlock.risk.draws import BLOCK, Stream, Way, draw
from poundlock.risk.laws import losses
from poundlock.system.balance import AssetClass, Floats, System

MOST_SCENARIOS = 10_000_000
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Kinds = Annotated[tuple[str, ...], Field(min_length=1)]
EMPTY = np.zeros((0, 0))
FUND = "compensation-fund"
"""Kind of an institution that a control adds: last in the system, holding cash alone; nothing is drawn for it."""


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


class Correlated(Declared):
    """Two shared factors that move together; factors that are not named are independent."""

    between: tuple[str, str]
    """Names of two factors: common, 'region X', 'kind Y' or 'sector Z'."""
    correlation: Annotated[float, Field(ge=-1.0, le=1.0)]
    """Of the two."""


class Outages(Declared):
    """Outages of providers: each of these kinds stops so often a year, each time for an exponential number of days."""

    kinds: Kinds
    """Kinds of institution, as in the institutions table."""
    per_year: Annotated[float, Field(ge=0.0, le=1000.0)]
    """Mean number of outages a year of each (Poisson)."""
    mean_days: Annotated[float, Field(gt=0.0, le=365.0)]
    """Mean duration of one."""


class Runs(Declared):
    """Runs by customers on institutions of these kinds, whatever their state."""

    kinds: Kinds
    """Kinds of institution, as in the institutions table."""
    chance: Share
    """Chance of a run within a year, for each."""
    share: Share
    """Share of the runnable balances that is withdrawn."""


class ScenarioModel(Declared):
    """How one-year shocks are drawn."""

    count: Annotated[int, Field(ge=1_000, le=MOST_SCENARIOS)]
    """Number of scenarios; the plan's tolerances say how many they need at least."""
    at_most: Annotated[int, Field(ge=1_000, le=MOST_SCENARIOS)] | None = None
    """While a tolerance or a search is undecided the number is doubled, up to this; left out: it stays as it is, or where seconds are
    given, ten million."""
    seconds: Annotated[float, Field(gt=0.0)] | None = None
    """The number is doubled no more once so many seconds are spent; how far it comes then hangs on the machine."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of all draws: same seed, same numbers to the last bit."""
    draws: Way = "plain"
    """How numbers are drawn: plain; sobol, evenly spread points for the factors; importance, more draws where tolerances are at
    stake, each with its weight."""
    degrees_of_freedom: Annotated[float, Field(gt=2.0)] | None = None
    """Of a Student t copula, in which everything falls together more often; left out: Gaussian."""
    correlations: tuple[Correlated, ...] = ()
    """Shared factors that are correlated; left out: all are independent."""
    outages: tuple[Outages, ...] = ()
    """Outages of providers; who depends on them stands in the system's dependences."""
    runs: tuple[Runs, ...] = ()
    """Runs by customers; needs runnable balances."""
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
    named: str | None = None
    """CSV: scenario, institution [, loss, loss_share, outage_days, run]. Scenarios that somebody states, each shown with what spreads
    from it; without a probability, so that no gate judges them. Institution: an id, kind:KIND, region:REGION or all. Loss in money, or
    its share of external assets as the institutions table has them."""

    @model_validator(mode="after")
    def _budget(self) -> ScenarioModel:
        if self.at_most is not None and self.at_most < self.count:
            raise ValueError(
                f"at_most {self.at_most:,} scenarios, count {self.count:,}; expected at least as many; cure raise at_most"
            )
        return self

    @property
    def bound(self) -> int:
        """The most scenarios that there may be."""
        return self.at_most or (MOST_SCENARIOS if self.seconds is not None else self.count)

    @model_validator(mode="after")
    def _pools_move(self) -> ScenarioModel:
        if self.pools.common + self.pools.region + self.pools.sector <= 0:
            raise ValueError("pools with no factor at all; expected shares above 0; cure give common, region or sector")
        return self


@dataclass(frozen=True)
class Drivers:
    """What the draws need to know of a system, the same with and without a measure, so that draws are common.

    loadings: (n + k, f) on the f shared factors, rows of institutions first, then pools. own: (n,) weight of each
    institution's own draw. volatility: (n,). classes: the k pools and other asset classes, each with its law.
    outages: (o, 3) and runs: (r, 3), for each institution concerned its number, then rate and mean days, or chance and share.
    degrees: of the t copula, infinite for the Gaussian one.
    """

    loadings: Floats = field(repr=False)
    own: Floats = field(repr=False)
    volatility: Floats = field(repr=False)
    classes: tuple[AssetClass, ...] = field(repr=False)
    factors: tuple[str, ...]
    outages: Floats = field(repr=False)
    runs: Floats = field(repr=False)
    degrees: float


class Shocks(NamedTuple):
    """One piece of b scenarios. asset_loss (b, n), pool_loss (b, k): fractions of the amount held, negative for a gain. outages
    (b, n): days; runs (b, n): share withdrawn; both empty where nothing of the kind can happen. weight (b,). factors: (b, f), the
    shared normals. first: number of the first scenario. replicate: see draws."""

    asset_loss: Floats
    pool_loss: Floats
    outages: Floats
    runs: Floats
    weight: Floats
    factors: Floats
    first: int
    replicate: int


def drivers(system: System, model: ScenarioModel) -> Drivers:
    """Loadings of every institution and pool. Raises KeyError naming a kind without volatility; ValueError for correlations that
    cannot be, or that move an institution by more than its variance."""
    names, loadings = _shared(system, model)
    kinds = [kind for kind in system.kinds if kind != FUND]
    n = len(kinds)
    if model.correlations:
        loadings = loadings @ root_of(correlation_of(names, model))
        loadings[n:] /= np.sqrt((loadings[n:] ** 2).sum(axis=1, keepdims=True))
    together = (loadings[:n] ** 2).sum(axis=1)
    if np.any(together > 1.0 + 1e-9):
        i = int(np.argmax(together))
        found = f"shared factors move '{system.ids[i]}' by {together[i]:.3f} of its variance, correlations included"
        raise ValueError(f"{found}; expected at most 1")
    own = np.sqrt(np.maximum(0.0, 1.0 - together))
    volatility = np.array([model.volatility[kind] for kind in kinds])
    outages = _by_kind(system, [(one.kinds, one.per_year, one.mean_days) for one in model.outages])
    runs = _by_kind(system, [(one.kinds, one.chance, one.share) for one in model.runs])
    degrees = np.inf if model.degrees_of_freedom is None else model.degrees_of_freedom
    return Drivers(loadings, own, volatility, system.asset_classes, names, outages, runs, degrees)


def factors_of(system: System, model: ScenarioModel) -> tuple[str, ...]:
    """Names of the shared factors, in the order in which they are drawn."""
    return _shared(system, model)[0]


def _shared(system: System, model: ScenarioModel) -> tuple[tuple[str, ...], Floats]:
    """Names of the factors, and what each moves: roots of shares of variance, institutions first, then pools. (n + k, f)."""
    rows: list[dict[str, float]] = []
    kinds = [kind for kind in system.kinds if kind != FUND]
    for region, kind in zip(system.regions, kinds, strict=False):
        parts = model.institutions
        rows.append({"common": parts.common, f"region {region}": parts.region, f"kind {kind}": parts.sector})
    total = model.pools.common + model.pools.region + model.pools.sector
    for pool in system.asset_classes:
        parts = model.pools
        row = {"common": parts.common, f"region {pool.region}": parts.region, f"sector {pool.sector}": parts.sector}
        rows.append({name: share / total for name, share in row.items()})
    names: dict[str, int] = {"common": 0}
    for row in rows:
        for name in row:
            names.setdefault(name, len(names))
    loadings = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        for name, share in row.items():
            loadings[i, names[name]] = np.sqrt(share)
    return tuple(names), loadings


def correlation_of(factors: tuple[str, ...], model: ScenarioModel) -> Floats:
    """Correlation matrix of the shared factors. Shape (f, f). Raises ValueError for a factor that there is not."""
    number, found = {name: k for k, name in enumerate(factors)}, np.eye(len(factors))
    for one in model.correlations:
        for name in one.between:
            if name not in number:
                raise ValueError(f"no factor '{name}'; factors: {', '.join(factors)}")
        i, j = (number[name] for name in one.between)
        found[i, j] = found[j, i] = one.correlation
    return found


def root_of(correlation: Floats) -> Floats:
    """Symmetric root: independent factors times it are correlated ones. Raises ValueError for what no factors can be."""
    if np.array_equal(correlation, np.eye(len(correlation))):
        return correlation
    values, vectors = np.linalg.eigh(correlation)
    if values[0] < -1e-10:
        raise ValueError(f"correlations that no factors can have: the smallest eigenvalue is {values[0]:.3g}")
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def clashing_pair(correlation: Floats) -> tuple[int, int]:
    """The pair of factors that does most to make a matrix not positive semi-definite: the entry that takes most from the quadratic
    form along the eigenvector of its smallest eigenvalue."""
    _, vectors = np.linalg.eigh(correlation)
    worst = vectors[:, 0]
    takes = np.triu(np.outer(worst, worst) * correlation, 1)
    i, j = np.unravel_index(int(np.argmin(takes)), takes.shape)
    return int(i), int(j)


def _by_kind(system: System, given: list[tuple[tuple[str, ...], float, float]]) -> Floats:
    """Number of each institution of the kinds, and the two figures. Shape (m, 3)."""
    rows = [(i, one, other) for kinds, one, other in given for i, kind in enumerate(system.kinds) if kind in kinds]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


BY_SCENARIO = ("asset_loss", "pool_loss", "outages", "runs", "weight", "factors")


def rows_of(block: Shocks, rows: NDArray[np.int64] | slice) -> Shocks:
    """Some scenarios of a piece; of a slice, views."""
    parts: dict[str, Any] = {
        name: getattr(block, name)[rows] if len(getattr(block, name)) else EMPTY for name in BY_SCENARIO
    }
    return block._replace(**parts)


def joined(blocks: Sequence[Shocks]) -> Shocks:
    """Several pieces as one; `first` and `replicate` are those of the first."""
    parts: dict[str, Any] = {name: np.concatenate([getattr(block, name) for block in blocks]) for name in BY_SCENARIO}
    return blocks[0]._replace(**parts)


def stream(of: Drivers, model: ScenarioModel, shifts: Floats = EMPTY) -> Stream:
    """What is drawn for these drivers. shifts: (m, f), of importance sampling."""
    return Stream(len(of.factors), len(of.own), model.count, model.seed, model.draws, shifts)


def draw_blocks(of: Drivers, model: ScenarioModel, shifts: Floats = EMPTY, begin: int = 0) -> Iterator[Shocks]:
    """Shocks piece by piece, from number `begin` on; every piece of 1,024 scenarios has a generator of its own.

    Asset value after a year is lognormal with mean one: loss = 1 - exp(v x - v^2 / 2), x standard normal. Pools lose by their law, see
    `laws`. With a t copula x and z are t variates that
    share one mixing variable, mapped back to normal ones (Demarta and McNeil 2005, International Statistical Review 73(1)).
    """
    n, shared = len(of.own), len(of.factors)
    for piece in draw(stream(of, model, shifts), begin):
        factors = piece.normal[:, :shared]
        systematic = np.einsum("sf,if->si", factors, of.loadings)
        x, z = systematic[:, :n] + of.own * piece.normal[:, shared:], systematic[:, n:]
        if np.isfinite(of.degrees):
            mixing = np.sqrt(piece.uniform.chisquare(of.degrees, BLOCK)[: len(x), None] / of.degrees)
            x, z = _as_normal(x / mixing, of.degrees), _as_normal(z / mixing, of.degrees)
        asset_loss = 1.0 - np.exp(of.volatility * x - 0.5 * of.volatility**2)
        outages, runs = _outages(of, piece.uniform, len(x)), _runs(of, piece.uniform, len(x))
        pool_loss = losses(of.classes, z, piece.uniform)
        yield Shocks(asset_loss, pool_loss, outages, runs, piece.weight, factors, piece.first, piece.replicate)


def _as_normal(t: Floats, degrees: float) -> Floats:
    """The standard normal of the same rank as a t variate; by the lower tail, where digits are not lost."""
    return np.asarray(-np.sign(t) * ndtri(stdtr(degrees, -np.abs(t))))


def _outages(of: Drivers, generator: np.random.Generator, size: int) -> Floats:
    if not len(of.outages):
        return EMPTY
    who, rate, days = of.outages[:, 0].astype(np.int64), of.outages[:, 1], of.outages[:, 2]
    times = generator.poisson(rate, (BLOCK, len(who)))
    lasted = generator.standard_gamma(np.maximum(times, 1)) * np.where(times > 0, days, 0.0)
    found = np.zeros((size, len(of.own)))
    for k, i in enumerate(who):
        found[:, i] += lasted[:size, k]
    return np.minimum(found, 365.0)


def _runs(of: Drivers, generator: np.random.Generator, size: int) -> Floats:
    if not len(of.runs):
        return EMPTY
    who, chance, share = of.runs[:, 0].astype(np.int64), of.runs[:, 1], of.runs[:, 2]
    withdrawn = np.where(generator.random((BLOCK, len(who))) < chance, share, 0.0)
    found = np.zeros((size, len(of.own)))
    for k, i in enumerate(who):
        found[:, i] = np.maximum(found[:, i], withdrawn[:size, k])
    return found


def shock(system: System, asset_loss: Floats, pool_loss: Floats) -> Floats:
    """Money lost on external assets and on commitments by each institution, less its fees and premiums. Shape (b, n); negative for a gain."""
    drawn = asset_loss.shape[1]
    outside_pools = system.external_assets - system.safe_assets - system.holdings.sum(axis=1)
    at_risk = system.holdings if system.commitments is None else system.holdings + system.commitments
    lost = outside_pools[:drawn] * asset_loss + np.einsum("sk,ik->si", pool_loss, at_risk[:drawn])
    if system.income is not None:
        lost -= system.income[:drawn]
    return with_funds(np.asarray(lost), system)


def with_funds(drawn: Floats, system: System) -> Floats:
    """What was drawn for institutions, with a nought for each compensation fund that controls added. Shape (b, n)."""
    missing = len(system) - drawn.shape[1]
    return drawn if missing == 0 else np.hstack([drawn, np.zeros((len(drawn), missing))])
