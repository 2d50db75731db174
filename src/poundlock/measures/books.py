"""What business adds to balance sheets, and the System with it on its books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import coo_array, csr_array

from poundlock.measures.deals import Whole
from poundlock.system.balance import AssetClass, Floats, Layer, System
from poundlock.system.contingent import Dependences, Guarantee
from poundlock.system.covers import Cover

ROUNDING = 1e-12


@dataclass
class Books:
    """Additions to a System, money. holdings, commitments: (n, k). safe, owed, income: (n,), safe assets, external liabilities, yearly income.
    runnable: (n,), part of what is owed. layers: new claims by layer, (n, n). covers number their `of` within this list."""

    system: System
    holdings: Floats = field(init=False)
    commitments: Floats = field(init=False)
    safe: Floats = field(init=False)
    owed: Floats = field(init=False)
    income: Floats = field(init=False)
    runnable: Floats = field(init=False)
    layers: dict[str, csr_array] = field(default_factory=dict)
    covers: list[Cover] = field(default_factory=list)
    guarantees: list[Guarantee] = field(default_factory=list)
    margin: csr_array | None = None
    flow: csr_array | None = None

    def __post_init__(self) -> None:
        n, k = len(self.system), len(self.system.asset_classes)
        self.holdings, self.commitments = np.zeros((n, k)), np.zeros((n, k))
        self.safe, self.owed, self.income, self.runnable = (np.zeros(n) for _ in range(4))

    def hold(self, who: Whole, pool: Whole, amount: Floats) -> None:
        """Amounts in asset classes become assets of these institutions."""
        np.add.at(self.holdings, (who, pool), amount)

    def lend(self, layer: str, creditor: Whole, debtor: Whole, amount: Floats) -> None:
        """Claims of creditors on debtors."""
        n = len(self.system)
        new = csr_array(coo_array((amount, (creditor, debtor)), shape=(n, n)))
        self.layers[layer] = csr_array(self.layers[layer] + new) if layer in self.layers else new

    def pay(self, payer: Whole | None, payee: Whole | None, amount: Floats) -> None:
        """Money that passes every year; None: someone outside."""
        if payer is not None:
            np.add.at(self.income, payer, -amount)
        if payee is not None:
            np.add.at(self.income, payee, amount)

    def written(self) -> System:
        """The System with all of it on its books. New holdings weigh in full in risk-weighted assets, as loans to firms without a rating do
        (Basel framework, CRE20)."""
        s = self.system
        depends = _depends(s.dependences, self.margin, self.flow, len(s))
        before = len(s.covers)
        covers = (replace(c, of=c.of + before) if c.of >= 0 else c for c in self.covers)
        runnable, weighted = s.runnable, s.risk_weighted_assets
        if self.runnable.any():
            runnable = (np.zeros(len(s)) if runnable is None else runnable) + self.runnable
        safe = s.safe_assets + self.safe
        spent = np.abs(safe) <= ROUNDING * (s.safe_assets + np.abs(self.safe))  # all of it, but for rounding
        return replace(
            s,
            holdings=s.holdings + self.holdings,
            safe_assets=np.where(spent, 0.0, safe),
            external_assets=s.external_assets + self.holdings.sum(axis=1) + self.safe,
            external_liabilities=s.external_liabilities + self.owed,
            layers=_grown(s.layers, self.layers),
            covers=(*s.covers, *covers),
            guarantees=(*s.guarantees, *self.guarantees),
            income=_more(s.income, self.income),
            risk_weighted_assets=None if weighted is None else weighted + self.holdings.sum(axis=1),
            commitments=_more(s.commitments, self.commitments),
            dependences=depends,
            runnable=runnable,
        )


def _more(before: Floats | None, new: Floats) -> Floats | None:
    if not new.any():
        return before
    return new if before is None else before + new


def _depends(
    before: Dependences | None, margin: csr_array | None, flow: csr_array | None, n: int
) -> Dependences | None:
    if margin is None and flow is None:
        return before
    nothing = csr_array((n, n), dtype=np.float64)
    old = before or Dependences(nothing, nothing)
    return Dependences(
        csr_array(old.daily_margin + (nothing if margin is None else margin)),
        csr_array(old.daily_flow + (nothing if flow is None else flow)),
    )


def _grown(layers: tuple[Layer, ...], new: Mapping[str, csr_array]) -> tuple[Layer, ...]:
    grown = tuple(
        replace(layer, amounts=csr_array(layer.amounts + new[layer.name])) if layer.name in new else layer
        for layer in layers
    )
    present = {layer.name for layer in layers}
    return grown + tuple(
        Layer(name, amounts)
        for name, amounts in new.items()
        if name not in present and amounts.nnz and amounts.data.any()
    )


def opened_with(system: System, classes: Sequence[AssetClass]) -> System:
    """The system with further asset classes that nobody holds yet; of a name that there is already, the law changes alone."""
    given = {one.id: one for one in classes}
    kept = tuple(given.pop(one.id, one) for one in system.asset_classes)
    n, added = len(system), len(given)
    if not added:
        return replace(system, asset_classes=kept)
    empty = np.zeros((n, added))
    return replace(
        system,
        asset_classes=(*kept, *given.values()),
        holdings=np.hstack([system.holdings, empty]),
        commitments=None if system.commitments is None else np.hstack([system.commitments, empty]),
    )


def class_numbers(system: System) -> dict[str, int]:
    """Number of each asset class by its id."""
    return {one.id: k for k, one in enumerate(system.asset_classes)}
