"""What contagion did: equity, value of claims, failures, losses by channel, and how it converged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.contagion.flat import UNSETTLED, Floats, Whole
from poundlock.contagion.model import Model

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CHANNELS = ("shock", "outage", "credit", "stakes", "settlement", "prices", "guarantees")
"""Where losses come from, in the order of a round; guarantees: paid out less received."""
Grouping = Literal["kind", "region", "id"]


class Trade(NamedTuple):
    """price_loss, short (s, n): loss on marketable assets, and calls that could not be met, money. price (s, k): last price of
    each asset class that has a market, 1 at first. price_gap (s): largest fall in the last round. rounds (s): of sales."""

    price_loss: Floats
    short: Floats
    price: Floats
    price_gap: Floats
    rounds: Whole


@dataclass(frozen=True, repr=False)
class Propagation:
    """Outcome of contagion in s scenarios for n institutions; money in the system's unit, losses positive.

    equity: (s, n), may be negative. lost: (s, n * groups), share of the amount at risk on each slot of `model` that is lost.
    due: (s, c), owed under promises. direct_loss, outage_loss: (s, n), by the shock, negative for a gain, and by outages of
    providers (empty where there are none). stopped: (s, n), days of outage. trade: prices and funding, None where nobody sells
    or withdraws. rounds, gap: (s,), sweeps done (in place, so their number depends on the numbering of institutions), and what
    is still to come in any V at the pace of the last of them.
    tolerance: that `gap` was held against. least: the same from below, where a bracket was asked for.
    """

    model: Model
    equity: Floats
    lost: Floats
    due: Floats
    direct_loss: Floats
    outage_loss: Floats
    stopped: Floats
    trade: Trade | None
    rounds: Whole
    gap: Floats
    tolerance: float
    least: Propagation | None = None
    name: str = field(default="")

    def with_least(self, least: Propagation) -> Propagation:
        """The same with the least solution beside it."""
        return replace(self, least=least)

    @property
    def valuation(self) -> str:
        """Name of the valuation of claims whose layer names none."""
        return self.name or self.model.mechanism.name

    @property
    def initial_equity(self) -> Floats:
        """Before any loss. Shape (n,)."""
        return self.model.initial

    @property
    def converged(self) -> NDArray[np.bool_]:
        """Gap within the tolerance, and prices at rest. Shape (s,)."""
        settled = self.gap <= self.tolerance
        if self.trade is None or self.model.markets is None:
            return np.asarray(settled)
        return np.asarray(settled & (self.trade.price_gap <= self.model.markets.price_tolerance))

    @property
    def value(self) -> Floats:
        """Share of all claims on j inside the system that creditors can count on; for clearing the paid share. (s, n).

        Of an institution that owes nothing inside it is what a claim would be worth; claims under promises are not counted."""
        groups = [g for g, group in enumerate(self.model.groups) if group.channel == "credit"]
        n, count = len(self.initial_equity), len(self.model.groups)
        slots = np.arange(n)[:, None] * count + np.array(groups)
        risk = np.asarray(self.model.at_risk.sum(axis=0)).ravel()[slots]
        face = self.model.face[slots].sum(axis=1)
        weight = np.divide(risk, face[:, None], out=np.zeros_like(risk), where=face[:, None] > 0.0)
        weight[face <= 0.0, 0] = 1.0
        if len(groups) == 1:
            return np.asarray(1.0 - self.lost[:, slots[:, 0]] * weight[:, 0])
        return np.asarray(1.0 - np.einsum("snk,nk->sn", self.lost[:, slots], weight))

    @property
    def default(self) -> NDArray[np.bool_]:
        """Equity strictly below zero. Shape (s, n)."""
        return np.asarray(self.equity < 0.0)

    @property
    def illiquid(self) -> NDArray[np.bool_]:
        """Called for more than liquid assets and sales could raise. Shape (s, n)."""
        if self.trade is None or self.model.markets is None:
            return np.zeros(self.equity.shape, dtype=bool)
        return np.asarray(self.trade.short > 1e-12 * self.model.markets.liabilities)

    @property
    def equity_lost(self) -> Floats:
        """Loss of equity holders, within [0, initial equity]: nobody loses more than they had. Shape (s, n)."""
        return _capped(self.initial_equity, self.initial_equity - self.equity)

    @property
    def equity_lost_to_shock(self) -> Floats:
        """The part that the shock alone takes, before any contagion. Shape (s, n)."""
        return _capped(self.initial_equity, self.direct_loss)

    @property
    def loss_by_channel(self) -> dict[str, Floats]:
        """Loss by each of CHANNELS, uncapped; they add up to initial equity less equity. Each (s, n)."""
        nothing = np.zeros(self.equity.shape)
        guarantees, settlement = _promised(self)
        outage = self.outage_loss if len(self.outage_loss) else nothing
        return {
            "shock": self.direct_loss,
            "outage": outage + self._on_claims("outage"),
            "credit": self._on_claims("credit"),
            "stakes": self._on_claims("stakes"),
            "settlement": settlement,
            "prices": nothing if self.trade is None else self.trade.price_loss,
            "guarantees": guarantees,
        }

    @property
    def equity_lost_by_channel(self) -> dict[str, Floats]:
        """`equity_lost` by channel: each takes what those before it in the order of a round have left. Each (s, n)."""
        taken, before, found = np.zeros(self.equity.shape), np.zeros(self.equity.shape), {}
        for channel, loss in self.loss_by_channel.items():
            taken = taken + loss
            after = _capped(self.initial_equity, taken)
            found[channel] = after - before
            before = after
        return found

    def _on_claims(self, channel: str) -> Floats:
        chosen = np.array([group.channel == channel for group in self.model.groups])
        if not chosen.any():
            return np.zeros(self.equity.shape)
        lost = self.lost if chosen.all() else self.lost * np.tile(chosen, len(self.initial_equity))
        return np.ascontiguousarray((self.model.at_risk @ lost.T).T)

    def claims_lost(self, scenario: int = 0) -> csr_array:
        """What each creditor lost on each debtor by its claims and stakes, money. [i, j]: i on j. Shape (n, n); guarantees are
        not taken off."""
        groups, at_risk = len(self.model.groups), self.model.at_risk
        counted = np.array([group.channel != "outage" for group in self.model.groups])
        lost = at_risk.data * self.lost[scenario, at_risk.indices] * counted[at_risk.indices % groups]
        n = len(self.initial_equity)
        found = csr_array((lost, at_risk.indices // groups, at_risk.indptr), shape=(n, n), copy=True)
        found.sum_duplicates()
        found.eliminate_zeros()
        return found

    def value_in(self, layer: str) -> Floats:
        """Share of a claim of this layer on j that creditors can count on, before what a failed debtor leaves by
        assumption. Shape (s, n). Raises KeyError for a layer that the system does not have."""
        chosen = next((one for one in self.model.system.layers if one.name == layer), None)
        if chosen is None:
            raise KeyError(f"no layer '{layer}'; layers: {', '.join(one.name for one in self.model.system.layers)}")
        return np.asarray(1.0 - self.lost[:, self.model.group_of(chosen) :: len(self.model.groups)])

    def by(self, what: Grouping) -> tuple[tuple[str, ...], Floats]:
        """Equity lost by kind or region: labels in order of first appearance, and (s, labels)."""
        labels, member = _members(self.model, what)
        return labels, np.asarray(self.equity_lost @ member)

    def between(self, what: Grouping, scenario: int | None = None) -> tuple[tuple[str, ...], Floats]:
        """Claims lost by creditors' group (rows) on debtors' group (columns); the mean over scenarios, or one. (g, g)."""
        labels, member = _members(self.model, what)
        chosen = range(len(self.equity)) if scenario is None else (scenario,)
        total = np.zeros((len(labels), len(labels)))
        for s in chosen:
            total += member.T @ (self.claims_lost(s) @ member)
        return labels, total / max(len(chosen), 1)

    def to_arrow(self) -> pa.Table:
        """A row for each scenario and institution: equity, value, default, loss by channel, rounds, gap, converged."""
        import pyarrow as pa

        count, n = self.equity.shape
        system = self.model.system
        columns: dict[str, Any] = {"scenario": np.repeat(np.arange(count), n)}
        columns |= {name: list(getattr(system, name)) * count for name in ("ids", "kinds", "regions")}
        columns |= {"equity": self.equity.ravel(), "equity_lost": self.equity_lost.ravel(), "value": self.value.ravel()}
        columns |= {"default": self.default.ravel(), "illiquid": self.illiquid.ravel()}
        columns |= {f"loss_{channel}": loss.ravel() for channel, loss in self.loss_by_channel.items()}
        columns |= {name: np.repeat(getattr(self, name), n) for name in ("rounds", "gap", "converged")}
        renamed = {"ids": "institution", "kinds": "kind", "regions": "region"}
        return pa.table({renamed.get(name, name): values for name, values in columns.items()})

    def to_pandas(self) -> pd.DataFrame:
        """`to_arrow` as a data frame; needs pandas."""
        return self.to_arrow().to_pandas()

    def chart(self) -> Any:
        """An Altair chart: one scenario, who lost how much by which channel; many, how likely a loss of at least x is."""
        from poundlock.contagion.charts import propagation_figure
        from poundlock.figure import styled

        return styled(propagation_figure(self).chart)

    def __repr__(self) -> str:
        from poundlock.contagion.wording import summary

        return summary(self)


def _capped(initial: Floats, loss: Floats) -> Floats:
    return np.asarray(np.clip(loss, 0.0, np.maximum(initial, 0.0)))


def _promised(result: Propagation) -> tuple[Floats, Floats]:
    """Guarantees, paid out less received, and payments that an outage kept from settling and were lost. Each (s, n)."""
    promises, groups = result.model.promises, len(result.model.groups)
    guarantees, settlement = np.zeros(result.equity.shape), np.zeros(result.equity.shape)
    payee = np.repeat(np.arange(len(promises.payee_starts) - 1), np.diff(promises.payee_starts))
    for c, kind in enumerate(promises.kind):
        due, paid_by = result.due[:, c], promises.payer[c]
        lost = due * result.lost[:, paid_by * groups + promises.group[c]]
        if kind == UNSETTLED:
            settlement[:, payee[c]] += lost
        else:
            guarantees[:, payee[c]] -= due - lost
            guarantees[:, paid_by] += due
    return guarantees, settlement


def _members(model: Model, what: Grouping) -> tuple[tuple[str, ...], Floats]:
    """Labels and the (n, labels) matrix of who belongs where."""
    given = {"kind": model.system.kinds, "region": model.system.regions, "id": model.system.ids}
    if what not in given:
        raise ValueError(f"grouping '{what}'; expected one of {', '.join(given)}")
    labels = tuple(dict.fromkeys(given[what]))
    number = {label: k for k, label in enumerate(labels)}
    return labels, np.eye(len(labels))[[number[label] for label in given[what]]]
