"""The System record and its accounting identities (METHODS: w_i = a_i + claims - obligations - b_i)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.system.contingent import Dependences, Guarantee
from poundlock.system.covers import Cover

Floats = NDArray[np.float64]
Valuation = Literal["clearing", "default-costs", "default-only", "linear-debtrank", "exponential-debtrank", "merton"]
"""Names of the ways to value a claim on a weakened debtor; see `contagion.valuation`."""
VALUATIONS: Final[tuple[str, ...]] = get_args(Valuation)


@dataclass(frozen=True)
class Layer:
    """One kind of exposure. amounts[i, j]: what institution i may lose on j; an asset of i, a liability of j; >= 0.

    kind: 'debt', or 'stake': equity of j that i holds, at book value, which j does not owe to anyone; it loses value as the
    equity falls, and gains nothing above its book value. rank: seniority of
    the debts, 1 is paid first. valuation: name of the valuation function of this layer, or None for the one of the call.
    recovery: (n, n), share of a claim that is recovered when the debtor fails, where known, in valuations that do not find
    it themselves; NaN or no entry: unknown. maturity_days: (n, n), days until a claim falls due, where known.
    """

    name: str
    amounts: csr_array = field(repr=False)
    kind: Literal["debt", "stake"] = "debt"
    rank: int = 1
    valuation: Valuation | None = None
    recovery: csr_array | None = field(default=None, repr=False)
    maturity_days: csr_array | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Equity:
    """Law of a class of shares: its value after a year is exp(log(1 + expected_return) + v x - v^2 / 2) a unit, v the volatility, x standard
    normal; `correlation` of the class is the share of x's variance that moves with its region and sector."""

    volatility: float
    expected_return: float = 0.0


@dataclass(frozen=True)
class Claims:
    """Law of a class of policies, a unit being a unit of insured value: the number of claims is Poisson, `default_probability` of the class
    their yearly frequency a policy, which moves with the factor as a pool's defaults do. policies: how many there are. severity, spread: mean
    and coefficient of variation of a lognormal claim, as a share of the value insured of one policy. deductible, share, limit:
    what the insurer pays of each, min(limit, share * max(0, claim - deductible)), the same way."""

    policies: int
    severity: float
    spread: float
    deductible: float = 0.0
    share: float = 1.0
    limit: float = float("inf")


@dataclass(frozen=True)
class AssetClass:
    """A pool of borrowers or a class of securities that several institutions hold.

    region, sector: which factors move it. default_probability, loss_given_default, correlation: parameters of the
    Vasicek loss over one year, fractions. net_margin: yearly interest less funding and fees, fraction of the amount,
    earned before losses. depth: sales, in money at the first price, that take the whole price away (linear) or leave 1 / e of
    it (exponential); None where there is no market, so that nobody can sell. floor: price, as a share of the first, below which
    it does not fall, whatever is sold. law: None for borrowers, whose losses are Vasicek's; else shares or policies.
    """

    id: str
    region: str
    sector: str
    default_probability: float
    loss_given_default: float
    correlation: float
    net_margin: float
    depth: float | None = None
    impact: Literal["linear", "exponential"] = "linear"
    floor: float = 0.0
    law: Equity | Claims | None = None


@dataclass(frozen=True)
class System:
    """Balance sheets of n institutions in one currency and unit.

    ids, names, kinds, regions: length n. external_assets: shape (n,), everything held outside the system, holdings
    included. external_liabilities: shape (n,). holdings: shape (n, k), amounts in each asset class, part of external
    assets. safe_assets: shape (n,), another part of them, which no shock touches and which meets calls (cash).
    tier1_capital, loans: shape (n,), NaN where not reported. unit: money unit of every amount, e.g. 'mn CNY'.
    external_rank: seniority of external liabilities, 1 is paid first. guarantees: contingent claims. dependences: on providers
    of services. Shape (n,) or None where not reported: runnable, balances that customers may withdraw at once, part of external
    liabilities; leverage_limit, leverage_buffer: total assets over equity at which an institution must sell, and to which
    it then returns, NaN where none binds; volatility: yearly standard deviation of the log of external assets. covers: what one owes
    another by what happens to asset classes. income: (n,), fees and premiums of a year, received less paid, money. commitments: (n, k), at
    risk in asset classes without being assets (policies written). Both None where there are none.
    risk_weighted_assets: (n,), NaN or None where not reported.
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
    external_rank: int = 1
    guarantees: tuple[Guarantee, ...] = ()
    dependences: Dependences | None = field(default=None, repr=False)
    runnable: Floats | None = field(default=None, repr=False)
    leverage_limit: Floats | None = field(default=None, repr=False)
    leverage_buffer: Floats | None = field(default=None, repr=False)
    volatility: Floats | None = field(default=None, repr=False)
    covers: tuple[Cover, ...] = field(default=(), repr=False)
    income: Floats | None = field(default=None, repr=False)
    commitments: Floats | None = field(default=None, repr=False)
    risk_weighted_assets: Floats | None = field(default=None, repr=False)

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


def network(system: System, kinds: tuple[str, ...] = ("debt", "stake")) -> csr_array:
    """All layers of these kinds added up. Entry [i, j]: what i may lose on j. Shape (n, n), sorted indices."""
    n = len(system)
    chosen = [layer.amounts for layer in system.layers if layer.kind in kinds]
    total = csr_array(chosen[0]) if chosen else csr_array((n, n), dtype=np.float64)
    for amounts in chosen[1:]:
        total = csr_array(total + amounts)
    if not total.has_sorted_indices:
        total = total.sorted_indices()
    return total


def claims(system: System) -> Floats:
    """What each institution is owed inside the system at face value, and its stakes at book value. Shape (n,)."""
    return np.asarray(network(system).sum(axis=1), dtype=np.float64)


def obligations(system: System) -> Floats:
    """What each institution owes inside the system at face value. Shape (n,)."""
    return np.asarray(network(system, ("debt",)).sum(axis=0), dtype=np.float64)


def equity(system: System) -> Floats:
    """Assets less liabilities, by the identity; may be negative. Shape (n,)."""
    return system.external_assets + claims(system) - obligations(system) - system.external_liabilities
