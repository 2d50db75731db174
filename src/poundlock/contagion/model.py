"""From a System to what the kernels read: how each claim is valued, who is told, what is promised, what can be sold."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.sparse import csc_array, csr_array, hstack

from poundlock.contagion.behaviour import FireSales, Funding
from poundlock.contagion.flat import Floats, Markets, Network, Promises
from poundlock.contagion.lanes import AHEAD
from poundlock.contagion.markets import markets_of
from poundlock.contagion.own import own_valuation
from poundlock.contagion.promises import promises_of
from poundlock.contagion.valuation import (
    BENT_ONE_WAY,
    CODES,
    DEFAULT_COSTS,
    DEFAULT_ONLY,
    EXPONENTIAL_DEBTRANK,
    LINEAR_DEBTRANK,
    MERTON,
    OWN,
    RANKED,
)
from poundlock.system.balance import VALUATIONS, Layer, System, equity, obligations
from poundlock.system.soundness import check_system

NO_RANK = 0
NO_EQUITY = 1e300  # stands for equity where there is none, so that all counts as lost


class Group(NamedTuple):
    """Claims that are valued alike. channel: 'credit', 'stakes' or 'outage', where their loss is counted."""

    code: int
    rank: int
    first: float
    second: float
    channel: str


STAKES = Group(LINEAR_DEBTRANK, NO_RANK, 0.0, 0.0, "stakes")


@dataclass(frozen=True)
class Mechanism:
    """How claims are valued where their layer does not say, and how institutions behave; see `prepare`."""

    valuation: Any = "clearing"
    recovery: float = 0.0
    alpha: float = 1.0
    beta: float = 1.0
    exponent: float = 0.0
    horizon_days: float = 365.0
    stops_when_failed_days: float = 0.0
    sales: FireSales | None = None
    funding: Funding | None = None

    def __post_init__(self) -> None:
        if isinstance(self.valuation, str) and self.valuation not in VALUATIONS:
            raise ValueError(f"unknown valuation '{self.valuation}'; known: {', '.join(VALUATIONS)}")
        for name in ("recovery", "alpha", "beta"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name):g}; expected a share within [0, 1]")
        for name in ("exponent", "horizon_days", "stops_when_failed_days"):
            if not (getattr(self, name) >= 0.0 and np.isfinite(getattr(self, name))):
                raise ValueError(f"{name} is {getattr(self, name):g}; expected 0 or more")

    @property
    def name(self) -> str:
        """Of the valuation, for results."""
        return self.valuation if isinstance(self.valuation, str) else getattr(self.valuation, "__name__", "own")


@dataclass(frozen=True)
class Model:
    """A System made ready once for any number of scenarios. groups: kinds of claim. at_risk: (n, n * groups), what each may
    lose on each slot, money. face: (n * groups,), claims on each slot at face value. initial: (n,), equity. own: compiled own
    valuation. extrapolates: the sweeps may be extrapolated (kernels).
    """

    system: System = field(repr=False)
    mechanism: Mechanism
    groups: tuple[Group, ...]
    initial: Floats = field(repr=False)
    at_risk: csr_array = field(repr=False)
    face: Floats = field(repr=False)
    network: Network = field(repr=False)
    promises: Promises = field(repr=False)
    markets: Markets | None = field(repr=False)
    own: Any = field(repr=False)
    extrapolates: bool
    MECHANISM: ClassVar[frozenset[str]] = frozenset(one.name for one in fields(Mechanism))

    def like(self, **mechanism: Any) -> Model:
        """This model, or one of the same system with parts of the mechanism changed."""
        changed = {k: v for k, v in mechanism.items() if v != getattr(self.mechanism, k)}
        return prepare(self.system, **{**_plain(self.mechanism), **changed}) if changed else self

    def group_of(self, layer: Layer) -> int:
        """Number of the group that the claims of a layer belong to."""
        if layer.kind == "stake":
            return self.groups.index(STAKES)
        return self.groups.index(_group(layer.valuation or self.mechanism.valuation, layer.rank, self.mechanism))


def prepare(system: System, **mechanism: Any) -> Model:
    """Check a System and make it ready for `propagate` and its kin; do this once when many calls follow.

    valuation: name, or an own function, of layers that name none. recovery: share of a claim that a failed debtor leaves, where
    the exposure does not say, 0 to 1; clearing finds its own. alpha, beta: what a defaulter realises of its external assets
    and of what it recovers, for 'default-costs'. exponent: of exponential DebtRank. horizon_days: time to maturity for
    'merton'. stops_when_failed_days: for how long a failed provider of services stops. sales, funding: FireSales, Funding;
    None: nobody sells, nobody withdraws. Raises ValueError for what no system can be (see `system.soundness`).
    """
    chosen = Mechanism(**mechanism)
    check_system(system)
    parts = _parts(system, chosen)
    groups = tuple(parts)
    if any(g.code == MERTON for g in groups) and system.volatility is None:
        raise ValueError("valuation 'merton' needs the volatility of external assets; give volatility, shape (n,)")
    at_risk = _by_slot([risk for risk, _ in parts.values()])
    face = np.stack([np.asarray(full.sum(axis=0)).ravel() for _, full in parts.values()], axis=1).ravel()
    initial = equity(system)
    of_rank = {rank: groups.index(_group(chosen.valuation, rank, chosen)) for rank in _promised_ranks(system)}
    credit = [g for g, group in enumerate(groups) if group.channel == "credit"]
    covered = [csc_array(risk) for risk, _ in parts.values()] if system.guarantees else []
    promises = promises_of(system, of_rank, credit, covered)
    network = _network(system, chosen, groups, initial, at_risk, promises)
    markets = markets_of(system, chosen.sales, chosen.funding)
    extrapolates = all(g.code in BENT_ONE_WAY for g in groups) and len(promises.kind) == 0
    return Model(
        system,
        chosen,
        groups,
        initial,
        at_risk,
        face,
        network,
        promises,
        markets,
        own_valuation(chosen.valuation),
        extrapolates,
    )


def _plain(mechanism: Mechanism) -> dict[str, Any]:
    return {one.name: getattr(mechanism, one.name) for one in fields(mechanism)}


Parts = dict[Group, tuple[csr_array, csr_array]]
"""Group to what is at risk and what is at face value, both (n, n)."""


def _parts(system: System, mechanism: Mechanism) -> Parts:
    """All layers, put together by how they are valued; at least one group, and one for promises."""
    found: Parts = {}
    n = len(system)
    nothing = csr_array((n, n), dtype=np.float64)

    def add(group: Group, risk: csr_array, full: csr_array) -> None:
        before = found.get(group, (nothing, nothing))
        found[group] = (csr_array(before[0] + risk), csr_array(before[1] + full)) if group in found else (risk, full)

    for layer in system.layers:
        if layer.kind == "stake":
            add(STAKES, layer.amounts, layer.amounts)
        else:
            group = _group(layer.valuation or mechanism.valuation, layer.rank, mechanism)
            risk = layer.amounts if group.code in RANKED else at_risk_of(layer, mechanism.recovery)
            add(group, csr_array(risk), csr_array(layer.amounts))
    for rank in _promised_ranks(system) if found else {1, *_promised_ranks(system)}:
        add(_group(mechanism.valuation, rank, mechanism), nothing, nothing)
    if system.dependences is not None and mechanism.stops_when_failed_days > 0.0:
        margin = csr_array(system.dependences.daily_margin * mechanism.stops_when_failed_days)
        add(Group(DEFAULT_ONLY, NO_RANK, 0.0, 0.0, "outage"), margin, nothing)
    return found


def _promised_ranks(system: System) -> set[int]:
    return (
        {g.rank for g in system.guarantees}
        | {c.rank for c in system.covers}
        | ({1} if system.dependences is not None else set())
    )


def _group(valuation: Any, rank: int, mechanism: Mechanism) -> Group:
    code = CODES[valuation] if isinstance(valuation, str) else OWN
    first, second = 0.0, 0.0
    if code == DEFAULT_COSTS:
        first, second = mechanism.alpha, mechanism.beta
    elif code == EXPONENTIAL_DEBTRANK:
        first = mechanism.exponent
    return Group(code, rank if code in RANKED else NO_RANK, first, second, "credit")


def at_risk_of(layer: Layer, recovery: float) -> csr_array:
    """Amounts less what a failed debtor leaves: each exposure's own recovery where known, else the given one. (n, n)."""
    risk = layer.amounts * (1.0 - recovery)
    if layer.recovery is None:
        return csr_array(risk)
    known = csr_array(layer.recovery, copy=True)
    unknown = np.isnan(known.data)
    known.data = np.where(unknown, 0.0, recovery - known.data)
    return csr_array(risk + layer.amounts.multiply(known))


def _by_slot(matrices: list[csr_array]) -> csr_array:
    """Columns j of all groups side by side: slot j * groups + g. (n, n * groups)."""
    if len(matrices) == 1:
        only = csr_array(matrices[0])
        return only if only.has_sorted_indices else only.sorted_indices()
    n, groups = matrices[0].shape[0], len(matrices)
    joined = csr_array(hstack(matrices, format="csr"))
    group, debtor = np.divmod(joined.indices, n)
    joined.indices = (debtor * groups + group).astype(joined.indices.dtype)
    joined.has_sorted_indices = False
    joined.sort_indices()
    return joined


def _network(
    system: System,
    mechanism: Mechanism,
    groups: tuple[Group, ...],
    initial: Floats,
    at_risk: csr_array,
    promises: Promises,
) -> Network:
    n, count = len(system), len(groups)
    owed = obligations(system) + system.external_liabilities
    by_rank = _owed_by_rank(system)
    rank_owed, junior = np.zeros((n, count)), np.zeros((n, count))
    scale = np.zeros((n, count))
    reference = np.where(initial > 0.0, initial, NO_EQUITY)
    for g, group in enumerate(groups):
        if group.code in RANKED:
            rank_owed[:, g] = by_rank[group.rank]
            junior[:, g] = sum((amount for rank, amount in by_rank.items() if rank > group.rank), np.zeros(n))
            scale[:, g] = _inverse(rank_owed[:, g])
        elif group.code in (LINEAR_DEBTRANK, EXPONENTIAL_DEBTRANK):
            scale[:, g] = 1.0 / reference
        elif group.code == MERTON and system.volatility is not None:
            scale[:, g] = system.volatility * np.sqrt(mechanism.horizon_days / 365.0)
        elif group.code == OWN:
            scale[:, g] = initial
    told_starts, told = _told(at_risk, n, count, promises)
    return Network(
        at_risk.indptr.astype(np.int64),
        np.concatenate([at_risk.indices, np.zeros(AHEAD)]).astype(np.int32),
        np.ascontiguousarray(at_risk.data, dtype=np.float64),
        told_starts,
        told,
        np.array([g.code for g in groups], dtype=np.int64),
        np.array([g.rank for g in groups], dtype=np.int64),
        np.array([g.first for g in groups]),
        np.array([g.second for g in groups]),
        np.ascontiguousarray(owed),
        rank_owed,
        junior,
        scale,
        reference,
        np.ascontiguousarray(system.external_assets - initial),
    )


def _owed_by_rank(system: System) -> dict[int, Floats]:
    """All obligations by seniority, external ones at theirs. Each (n,)."""
    n = len(system)
    promised = {g.rank for g in system.guarantees} | {c.rank for c in system.covers}
    owed = {rank: np.zeros(n) for rank in promised | {1}}
    owed[system.external_rank] = owed.get(system.external_rank, np.zeros(n)) + system.external_liabilities
    for layer in system.layers:
        if layer.kind == "debt":
            inside = np.asarray(layer.amounts.sum(axis=0)).ravel()
            owed[layer.rank] = owed.get(layer.rank, np.zeros(n)) + inside
    return owed


def _inverse(values: Floats) -> Floats:
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0.0)


def _told(at_risk: csr_array, n: int, groups: int, promises: Promises) -> tuple[Any, Any]:
    """By debtor, the creditors that hold any claim on it, under promises too. (n + 1,) and the creditors."""
    if groups == 1 and len(promises.kind) == 0:
        by_debtor = csc_array(at_risk)
        return by_debtor.indptr.astype(np.int64), by_debtor.indices.astype(np.int32)
    rows = np.repeat(np.arange(n), np.diff(at_risk.indptr))
    payee = np.repeat(np.arange(n), np.diff(promises.payee_starts))
    covering = np.repeat(payee, np.diff(promises.cover_starts))
    creditor = np.concatenate([rows, payee, covering])
    debtor = np.concatenate([at_risk.indices // groups, promises.payer, promises.cover_slot // groups])
    pairs = np.unique(debtor.astype(np.int64) * n + creditor)
    counts = np.bincount(pairs // n, minlength=n)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), (pairs % n).astype(np.int32)
