"""Rounds of calls, sales and prices by their definitions, around `brute_force.settle`: one scenario, one institution after
the other, everybody deciding on what the round before has left. See the explanation of contagion, "Prices and funding"."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf

import numpy as np

from parity.brute_force import Claims, Ledger, settle


@dataclass
class Market:
    """How one scenario of prices and funding went. short: calls not met, money. rounds: of sales. margin: how near anybody came
    to a threshold of behaviour, relative."""

    claims: Claims
    price: np.ndarray
    price_loss: np.ndarray
    short: np.ndarray
    rounds: int
    margin: float


class Books:
    """What institutions hold, raised and were called for, in one scenario."""

    def __init__(self, ledger: Ledger, runs: np.ndarray):
        system, n = ledger.system, ledger.n
        self.sold_by_market = ledger.sales is not None
        traded = [k for k, c in enumerate(system.asset_classes) if c.depth is not None] if self.sold_by_market else []
        self.classes = [system.asset_classes[k] for k in traded]
        self.held = system.holdings[:, traded]
        self.price, self.units_sold = np.ones(len(traded)), np.zeros(len(traded))
        self.unsold = (self.held.sum(axis=1) > 0.0).astype(float)
        self.raised, self.price_loss, self.stressed = np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool)
        self.runnable = np.zeros(n) if system.runnable is None else system.runnable
        self.called = runs * self.runnable
        self.liabilities = ledger.inside + ledger.outside

    def calls(self, ledger: Ledger) -> np.ndarray:
        return self.called + (ledger.funding.margin * self.price_loss if ledger.funding else 0.0)

    def short(self, ledger: Ledger) -> np.ndarray:
        return np.maximum(0.0, self.calls(ledger) - ledger.system.safe_assets - self.raised)


def leverage_rule(ledger: Ledger, i: int) -> tuple[float, float]:
    """Limit and buffer of i."""
    sales, system, first = ledger.sales, ledger.system, ledger.initial[i]
    if sales is None or sales.rule == "calls":
        return inf, inf
    if sales.rule == "target":
        at_first = (first + ledger.inside[i] + ledger.outside[i]) / first if first > 0.0 else inf
        return at_first, at_first
    limit = sales.limit if sales.limit is not None else system.leverage_limit[i]
    limit = inf if np.isnan(limit) else limit
    own = None if system.leverage_buffer is None else system.leverage_buffer[i]
    buffer = sales.buffer if sales.buffer is not None else own
    return limit, limit if buffer is None or np.isnan(buffer) else min(limit, buffer)


def wanted(ledger: Ledger, books: Books, i: int, equity: float) -> tuple[float, float]:
    """Money that i has to raise, and how near it is to its limit."""
    calls, liquid = books.calls(ledger)[i], ledger.system.safe_assets[i]
    need = max(0.0, calls - liquid - books.raised[i])
    near = inf
    limit, buffer = leverage_rule(ledger, i)
    if equity >= 0.0 and limit < inf:
        assets = equity + books.liabilities[i] - books.raised[i] - min(liquid, calls)
        over = assets - limit * (1.0 + 1e-12) * equity
        near = abs(over) / ledger.scale
        if over > 0.0:
            need = max(need, assets - buffer * equity)
    if ledger.sales.failed_sell and equity < 0.0:
        need = inf
    return need, near


def one_round(ledger: Ledger, books: Books, claims: Claims) -> tuple[float, float]:
    """Calls, sales, prices. Returns the largest fall of a price (infinite where anybody came under stress) and the margin."""
    funding, margin, moved, equity = ledger.funding, inf, 0.0, claims.equity
    if funding is not None:
        short = books.short(ledger)
        above = equity - funding.stress_below * ledger.initial
        weak = equity < funding.stress_below * ledger.initial
        margin = min([inf, *(abs(x) / ledger.scale for x, r in zip(above, claims.rough, strict=True) if x or r)])
        dry = (short > 1e-12 * books.liabilities) & (books.unsold <= 0.0)
        fresh = (weak | dry) & ~books.stressed
        books.stressed |= fresh
        books.called = books.called + funding.run * books.runnable * fresh
        books.called = books.called + funding.withdrawn * (ledger.lent.T @ fresh)
        moved = inf if fresh.any() else 0.0
    part = np.zeros(ledger.n)
    worth = books.held @ books.price
    for i in range(ledger.n):
        if worth[i] > 0.0:
            need, near = wanted(ledger, books, i, equity[i])
            part[i], margin = min(books.unsold[i], need / worth[i]), min(margin, near)
    books.unsold = books.unsold - part
    books.units_sold = books.units_sold + books.held.T @ part
    before = books.price
    pressure = [sold / c.depth for sold, c in zip(books.units_sold, books.classes, strict=True)]
    raw = [exp(-x) if c.impact == "exponential" else 1.0 - x for x, c in zip(pressure, books.classes, strict=True)]
    floor = np.array([c.floor for c in books.classes])
    books.price = np.minimum(before, np.maximum(floor, np.array(raw).reshape(len(before))))
    realised = ledger.sales.realised if ledger.sales else 1.0
    fall = books.held @ (before - books.price)
    books.price_loss = books.price_loss + (books.unsold + realised * part) * fall
    books.raised = books.raised + part * (worth - realised * fall)
    return max(moved, *(before - books.price), 0.0), margin


def trade(ledger: Ledger, shock: np.ndarray, outages: np.ndarray, runs: np.ndarray) -> Market:
    """Claims settled, then rounds until prices rest and nobody newly comes under stress."""
    books, rounds = Books(ledger, runs), 0
    claims = settle(ledger, shock, outages, books.price_loss)
    margin = claims.margin
    while True:
        rounds += 1
        moved, near = one_round(ledger, books, claims)
        claims = settle(ledger, shock, outages, books.price_loss)
        margin = min(margin, near, claims.margin)
        if moved <= (ledger.sales.tolerance if ledger.sales else 1e-9) or rounds > 2_000:
            return Market(claims, books.price, books.price_loss, books.short(ledger), rounds, margin)
