"""Contagion by its definitions, as plainly as it can be written: one scenario at a time, dense, all institutions at once
(Jacobi) from every claim at face until nothing moves. Shares no code with the engine but the record of the system; it is
slow, and meant for a dozen institutions. Rounds of sales and funding around it are in `brute_markets`.

E_i = E_i(0) - shock - margin lost to outages - fall of prices - lost on claims, stakes and unsettled payments - owed under
guarantees + received under them. Each step takes what debtors fail to pay and what guarantors owe from the step before, and
what is received with it, so that everything only ever falls.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, inf, log, sqrt

import numpy as np

RANKED = ("clearing", "default-costs")
STILL = 1e-14


@dataclass
class Claims:
    """What the fixed point of claims ends with: money, and shares lost by valuation, rank and debtor. settled: nothing moves
    any more. rough: whose equity holds a product with a share lost, so that exactly nought may come out as a last bit on either
    side. margin: how near anybody's equity came to nought, over the scale; exactly nought is near only where rough."""

    equity: np.ndarray
    lost: dict[tuple, np.ndarray]
    stake_lost: np.ndarray
    loss: dict[str, np.ndarray]
    settled: bool
    rough: np.ndarray
    margin: float


def dense(matrix, n):
    return np.zeros((n, n)) if matrix is None else np.asarray(matrix.todense(), dtype=np.float64)


class Ledger:
    """The balance sheets of a System, written out, and how claims are valued."""

    def __init__(
        self,
        system,
        *,
        valuation="clearing",
        recovery=0.0,
        alpha=1.0,
        beta=1.0,
        exponent=0.0,
        horizon_days=365.0,
        stops_when_failed_days=0.0,
        sales=None,
        funding=None,
    ):
        n = len(system.ids)
        self.n, self.system, self.valuation = n, system, valuation
        self.alpha, self.beta, self.exponent, self.stops = alpha, beta, exponent, stops_when_failed_days
        self.sales, self.funding = sales, funding
        self.deviation = None if system.volatility is None else system.volatility * sqrt(horizon_days / 365.0)
        self.debts, self.stakes, self.lent = [], np.zeros((n, n)), np.zeros((n, n))
        for layer in system.layers:
            amounts = dense(layer.amounts, n)
            if layer.kind == "stake":
                self.stakes = self.stakes + amounts
                continue
            how = layer.valuation or valuation
            risk = amounts.copy()
            known = None if layer.recovery is None else dense(layer.recovery, n)
            stored = None if layer.recovery is None else stored_entries(layer.recovery, n)
            due_in = None if layer.maturity_days is None else dense(layer.maturity_days, n)
            timed = None if layer.maturity_days is None else stored_entries(layer.maturity_days, n)
            for i in range(n):
                for j in range(n):
                    if how not in RANKED:
                        own = known is not None and stored[i, j] and not np.isnan(known[i, j])
                        risk[i, j] = amounts[i, j] * (1.0 - (known[i, j] if own else recovery))
                    if (
                        funding is not None
                        and timed is not None
                        and timed[i, j]
                        and due_in[i, j] <= funding.horizon_days
                    ):
                        self.lent[i, j] += amounts[i, j]
            self.debts.append((layer.name, how, layer.rank, amounts, risk))
        face = sum((amounts for _, _, _, amounts, _ in self.debts), np.zeros((n, n)))
        self.inside = face.sum(axis=0)
        self.outside = system.external_liabilities
        self.initial = system.external_assets + (face + self.stakes).sum(axis=1) - self.inside - self.outside
        self.guarantees = list(system.guarantees)
        self.begins = [g.deductible for g in self.guarantees]
        for c, g in enumerate(self.guarantees):  # support stacks up in the order given
            for earlier in self.guarantees[:c]:
                if (
                    g.covers == earlier.covers == "shortfall"
                    and g.beneficiary == earlier.beneficiary
                    and earlier.share > 0
                ):
                    self.begins[c] += earlier.limit / earlier.share
        ranks = [
            system.external_rank,
            1,
            *(rank for _, _, rank, _, _ in self.debts),
            *(g.rank for g in self.guarantees),
        ]
        self.ranks = range(1, max(ranks) + 1)
        depends = system.dependences
        self.daily_margin = dense(depends.daily_margin if depends else None, n)
        self.daily_flow = dense(depends.daily_flow if depends else None, n)
        self.fixed = {rank: np.zeros(n) for rank in self.ranks}
        for _, _, rank, amounts, _ in self.debts:
            self.fixed[rank] = self.fixed[rank] + amounts.sum(axis=0)
        self.fixed[system.external_rank] = self.fixed[system.external_rank] + self.outside
        self.scale = max(system.external_assets.max(), face.sum(), self.outside.max(), 1e-300)

    def owed(self, j, rank, due, unsettled):
        """What j owes in this rank, guarantees called and payments not settled among it."""
        amount = self.fixed[rank][j] + sum(
            due[c] for c, g in enumerate(self.guarantees) if g.guarantor == j and g.rank == rank
        )
        return amount + (unsettled[:, j].sum() if rank == 1 else 0.0)

    def share_lost(self, how, rank, j, equity, external, due, unsettled):
        """1 - V_j(E_j) of METHODS B, without what is recovered by assumption."""
        if how in RANKED:
            owed = [self.owed(j, r, due, unsettled) for r in self.ranks]
            ours, senior, everything = owed[rank - 1], sum(owed[: rank - 1]), sum(owed)
            if equity >= 0.0 or ours <= 0.0:
                return 0.0
            available = equity + everything
            if how == "default-costs":
                from_others = available - external
                available = self.alpha * max(external, 0.0) + self.beta * (min(external, 0.0) + from_others)
            return 1.0 - min(1.0, max(0.0, (available - senior) / ours))
        if how == "default-only":
            return 1.0 if equity < 0.0 else 0.0
        if how in ("linear-debtrank", "exponential-debtrank"):
            first = self.initial[j]
            loss = 1.0 if first <= 0.0 else min(1.0, max(0.0, 1.0 - equity / first))
            return loss if how == "linear-debtrank" else loss * exp(self.exponent * (loss - 1.0))
        if how == "merton":
            return chance_of_default(equity, external, self.deviation[j])
        everything = sum(self.owed(j, r, due, unsettled) for r in self.ranks)
        return 1.0 - min(1.0, max(0.0, how(equity, self.initial[j], everything, external)))


def stored_entries(matrix, n):
    found = np.zeros((n, n), dtype=bool)
    rows = np.repeat(np.arange(n), np.diff(matrix.indptr))
    found[rows, matrix.indices] = True
    return found


def chance_of_default(equity, assets, deviation):
    """P(assets * exp(deviation * Z - deviation^2 / 2) < assets - equity) (Merton 1974)."""
    if assets <= 0.0 or deviation <= 0.0:
        return 1.0 if equity < 0.0 else 0.0
    debt = assets - equity
    if debt <= 0.0:
        return 0.0
    return 0.5 * (1.0 + erf((log(debt / assets) + 0.5 * deviation**2) / (deviation * sqrt(2.0))))


def settle(book, shock, outages, price_loss, most=20_000):
    """Greatest fixed point of claims, guarantees and services, with what prices have taken so far."""
    n, promised = book.n, book.guarantees
    outage = book.daily_margin @ outages
    start = book.initial - shock - outage - price_loss
    external = book.system.external_assets - shock - outage - price_loss
    kinds = sorted({(how, rank) for _, how, rank, _, _ in book.debts}, key=str)
    kinds += [(book.valuation, rank) for rank in book.ranks if (book.valuation, rank) not in kinds]
    lost = {kind: np.zeros(n) for kind in kinds}
    stake_lost, failed = np.zeros(n), np.zeros(n)
    due, before = np.zeros(len(promised)), start.copy()
    margin = inf
    for _ in range(most):
        on_claims = {k: risk @ lost[how, rank] for k, (_, how, rank, _, risk) in enumerate(book.debts)}
        loss = {
            "shock": shock.copy(),
            "outage": outage + book.stops * (book.daily_margin @ failed),
            "credit": sum(on_claims.values(), np.zeros(n)),
            "stakes": book.stakes @ stake_lost,
            "prices": price_loss.copy(),
            "guarantees": np.zeros(n),
        }
        unsettled = book.daily_flow * outages[None, :]
        loss["settlement"] = unsettled @ lost[book.valuation, 1]
        owing = np.zeros(len(promised))
        for after_all_else in (False, True):
            before = book.initial - sum(loss.values())
            for c, g in enumerate(promised):
                if (g.covers == "shortfall") != after_all_else:
                    continue
                i, j = g.beneficiary, g.debtor
                if g.covers == "claims":
                    suffered = sum(risk[i, j] * lost[how, rank][j] for _, how, rank, _, risk in book.debts)
                elif g.covers == "own-loss":
                    suffered = shock[i]
                else:
                    suffered = -before[i]
                owing[c] = min(g.limit, g.share * max(0.0, suffered - book.begins[c]))
                loss["guarantees"][i] -= owing[c] * (1.0 - lost[book.valuation, g.rank][g.guarantor])
        for c, g in enumerate(promised):
            loss["guarantees"][g.guarantor] += due[c]
        equity = book.initial - sum(loss.values())
        new_lost = {
            (how, rank): np.array(
                [book.share_lost(how, rank, j, equity[j], external[j], owing, unsettled) for j in range(n)]
            )
            for how, rank in kinds
        }
        new_stake = np.array(
            [book.share_lost("linear-debtrank", 0, j, equity[j], 0.0, owing, unsettled) for j in range(n)]
        )
        new_failed = np.array([1.0 if equity[j] < 0.0 else 0.0 for j in range(n)])
        rough = in_parts(book, new_lost, new_stake, unsettled) | (price_loss != 0.0)
        margin = min([margin, *(abs(e) / book.scale for e, r in zip(equity, rough, strict=True) if e != 0.0 or r)])
        moved = max(
            [
                np.abs(new_stake - stake_lost).max(),
                np.abs(new_failed - failed).max(),
                *(np.abs(new_lost[kind] - lost[kind]).max() for kind in kinds),
                *(np.abs(owing - due) / book.scale),
            ]
        )
        lost, stake_lost, failed, due = new_lost, new_stake, new_failed, owing
        if moved <= STILL:
            break
    return Claims(equity, lost, stake_lost, loss, moved <= STILL, rough, margin)


def in_parts(book, lost, stake_lost, unsettled):
    """Who has a claim, a stake, a payment under way or a promise on somebody who fails to pay a part of it, neither nothing nor all."""

    def part(share):
        return (share != 0.0) & (share != 1.0)

    found = (book.stakes @ part(stake_lost)) + unsettled @ part(lost[book.valuation, 1]) > 0.0
    for _, how, rank, _, risk in book.debts:
        found |= risk @ part(lost[how, rank]) > 0.0
    for g in book.guarantees:
        found[g.beneficiary] |= g.covers == "own-loss" or part(lost[book.valuation, g.rank])[g.guarantor]
    return found
