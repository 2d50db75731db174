"""The engine against `brute_force` and `brute_markets`, on random systems with everything in them: layers of several ranks and
valuations, stakes, guarantees, outages, sales, funding; degenerate ones among them (no debts, no equity, nobody solvent,
disconnected parts), in units from 1e-6 to 1e12. Amounts are whole numbers of a unit, so that equity of exactly nought is so in
both. Where somebody ends within 1e-9 of a threshold, either answer is right, and the case is left out.
"""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from parity.brute_force import Ledger, settle
from parity.brute_markets import trade
from poundlock.contagion import FireSales, Funding, prepare, propagate
from poundlock.system import AssetClass, Dependences, Guarantee, Layer, System, equity, system_from_arrays
from poundlock.system.balance import VALUATIONS
from poundlock.system.soundness import mistakes

UNITS = (2.0**-20, 1.0, 2.0**20, 2.0**40)


class Dice:
    """Draws that a seed decides."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)

    def one_of(self, *options):
        return options[self.random.integers(len(options))]

    def some_of(self, options, shape):
        return np.array(options, dtype=float)[self.random.integers(len(options), size=shape)]

    def matrix(self, n, most, density):
        """Whole numbers up to most off the diagonal, (n, n)."""
        amounts = self.random.integers(1, most + 1, (n, n)) * (self.random.random((n, n)) < density)
        np.fill_diagonal(amounts, 0)
        return amounts.astype(float)


def debts(dice: Dice, n: int, ranks: int) -> list[Layer]:
    layers = []
    for number in range(dice.one_of(0, 1, 1, 2, 3)):
        amounts = csr_array(dice.matrix(n, 20, dice.one_of(0.1, 0.4, 0.9)))
        recovery, maturity = amounts.copy(), amounts.copy()
        recovery.data = dice.some_of([np.nan, 0.0, 0.25, 0.5, 1.0], recovery.nnz)
        maturity.data = dice.some_of([7.0, 90.0], maturity.nnz)
        layers.append(
            Layer(
                f"layer {number}",
                amounts,
                rank=int(dice.random.integers(1, ranks + 1)),
                valuation=dice.one_of(None, None, *VALUATIONS),
                recovery=dice.one_of(None, recovery),
                maturity_days=dice.one_of(None, maturity),
            )
        )
    return layers


def stakes(dice: Dice, own: np.ndarray) -> np.ndarray:
    """Part of each institution's equity held by others; sometimes all of it, by one with a lower number."""
    n, held = len(own), np.zeros((len(own), len(own)))
    for j in range(n):
        if own[j] >= 4.0 and dice.random.random() < 0.5 and n > 1:
            i = int(dice.one_of(*(i for i in range(n) if i != j)))
            held[i, j] = own[j] if i < j and dice.one_of(True, False) else np.floor(own[j] * dice.one_of(0.25, 0.75))
    return held


def guarantees(dice: Dice, system: System) -> System:
    """As many as may be promised."""
    n = len(system)
    ranks = max([system.external_rank, 1, *(layer.rank for layer in system.layers if layer.kind == "debt")])
    for _ in range(dice.one_of(0, 0, 1, 3, 6) if n > 2 else 0):
        guarantor, beneficiary, debtor = (int(i) for i in dice.random.permutation(n)[:3])
        more = Guarantee(
            guarantor,
            beneficiary,
            dice.one_of("claims", "own-loss", "shortfall"),
            debtor,
            share=float(dice.one_of(0.25, 0.5, 1.0)),
            deductible=float(dice.one_of(0.0, 1.0)),
            limit=float(dice.one_of(2.0, 8.0, np.inf)),
            rank=int(dice.random.integers(1, ranks + 1)),
        )
        longer = replace(system, guarantees=(*system.guarantees, more))
        system = system if mistakes(longer) else longer
    return system


def markets(dice: Dice, n: int, assets: np.ndarray, outside: np.ndarray, own: np.ndarray, inside: np.ndarray):
    """Fields of System that sales and funding need."""
    k = dice.one_of(0, 1, 3)
    classes = tuple(
        AssetClass(
            f"asset {m}",
            "",
            "",
            0.0,
            0.0,
            0.0,
            0.0,
            depth=dice.one_of(None, 20.0, 200.0),
            impact=dice.one_of("linear", "exponential"),
            floor=dice.one_of(0.0, 0.4),
        )
        for m in range(k)
    )
    first = np.divide(own + inside + outside, own, out=np.full(n, np.nan), where=own > 0.0)
    limit = np.maximum(1.05, first * dice.some_of([1.01, 1.3, np.nan], n))
    return {
        "asset_classes": classes,
        "holdings": np.floor(assets[:, None] * dice.some_of([0.0, 0.125, 0.25], (n, k))),
        "safe_assets": np.floor(assets * dice.some_of([0.0, 0.125], n)),
        "runnable": np.floor(outside * dice.some_of([0.0, 0.25, 1.0], n)),
        "leverage_limit": limit,
        "leverage_buffer": dice.one_of(None, np.maximum(1.0, 0.95 * limit)),
        "volatility": dice.some_of([0.0, 0.05, 0.3], n),
    }


def in_units(system: System, unit: float) -> System:
    """The same with every amount times unit."""
    return replace(
        system,
        **{
            name: getattr(system, name) * unit
            for name in ("external_assets", "external_liabilities", "holdings", "safe_assets", "runnable")
        },
        layers=tuple(replace(layer, amounts=layer.amounts * unit) for layer in system.layers),
        asset_classes=tuple(replace(c, depth=c.depth and c.depth * unit) for c in system.asset_classes),
        guarantees=tuple(replace(g, deductible=g.deductible * unit, limit=g.limit * unit) for g in system.guarantees),
        dependences=system.dependences
        and Dependences(system.dependences.daily_margin * unit, system.dependences.daily_flow * unit),
    )


def world(dice: Dice, most: int) -> System:
    """A system with everything in it, in whole numbers."""
    n = int(dice.random.integers(1, most + 1))
    ranks = dice.one_of(1, 1, 2, 3)
    layers = debts(dice, n, ranks)
    claims = sum((layer.amounts.toarray() for layer in layers), np.zeros((n, n)))
    own = dice.some_of([0.0, 1.0, 3.0, 8.0, 20.0], n)
    if dice.one_of(True, False):
        held = stakes(dice, own)
        layers.append(Layer("stakes", csr_array(held), kind="stake"))
        claims = claims + held
        inside = claims.sum(axis=0) - held.sum(axis=0)
    else:
        inside = claims.sum(axis=0)
    outside = dice.some_of([0.0, 5.0, 30.0], n)
    assets = own + outside + inside - claims.sum(axis=1)
    short = np.maximum(-assets, 0.0) + 0.0
    assets, outside = assets + short, outside + short
    if dice.random.random() < 0.15:  # somebody insolvent from the start
        outside[0] += 2.0
    order = {r: k + 1 for k, r in enumerate(sorted({layer.rank for layer in layers if layer.kind == "debt"}))}
    layers = [replace(layer, rank=order.get(layer.rank, 1)) for layer in layers]
    external_rank = int(dice.random.integers(1, len(order) + 1)) if order else 1
    services = dice.one_of(None, Dependences(csr_array(dice.matrix(n, 3, 0.2)), csr_array(dice.matrix(n, 6, 0.2))))
    more = markets(dice, n, assets, outside, own, inside)
    return system_from_arrays(
        layers or np.zeros((n, n)), assets, outside, external_rank=external_rank, dependences=services, **more
    )


def behaviour(dice: Dice, system: System):
    """Sales and funding."""
    sales = funding = None
    if any(c.depth is not None for c in system.asset_classes) and dice.one_of(True, False):
        rule = dice.one_of("threshold", "target", "calls")
        sales = FireSales(rule, failed_sell=dice.one_of(True, False), realised=dice.one_of(0.0, 0.5, 1.0))
    if dice.one_of(True, False):
        funding = Funding(
            withdrawn=dice.one_of(0.0, 0.5, 1.0),
            run=dice.one_of(0.0, 0.5),
            stress_below=dice.one_of(0.0, 0.5),
            margin=dice.one_of(0.0, 0.5),
        )
    return {"sales": sales, "funding": funding}


def shocks(dice: Dice, system: System, funding):
    """Direct losses, gains among them; days of outage and runs where they can be."""
    n = len(system)
    losses = system.external_assets * dice.some_of([0.0, 0.0, 0.07, 0.31, 1.0, -0.05], n)
    losses[0] += np.pi / 10 * max(equity(system)[0], 0.0)
    outages = None if system.dependences is None else dice.some_of([0.0, 0.0, 1.0, 2.5], n)
    runs = None if funding is None else dice.some_of([0.0, 0.0, 0.3], n)
    return losses, outages, runs


def compare(system: System, mechanism, losses, outages, runs):
    ledger = Ledger(system, **mechanism)
    nothing = np.zeros(ledger.n)
    stopped, withdrawn = (nothing if x is None else x for x in (outages, runs))
    if mechanism["sales"] or mechanism["funding"]:
        market = trade(ledger, losses, stopped, withdrawn)
        claims, margin = market.claims, market.margin
        assume(market.rounds < 500)
    else:
        market, claims = None, settle(ledger, losses, stopped, nothing)
        margin = claims.margin
    assume(claims.settled and margin > 1e-9)
    found = propagate(prepare(system, **mechanism), losses, outages=outages, runs=runs)
    assert found.converged.all()
    close = {"rtol": 1e-7, "atol": 1e-7 * ledger.scale}
    np.testing.assert_allclose(found.equity[0], claims.equity, **close)
    for channel, loss in found.loss_by_channel.items():
        np.testing.assert_allclose(loss[0], claims.loss[channel], err_msg=channel, **close)
    np.testing.assert_array_equal(found.default[0], claims.equity < 0.0)
    on_claims = ledger.stakes * claims.stake_lost
    for _, how, rank, _, risk in ledger.debts:
        on_claims = on_claims + risk * claims.lost[how, rank]
    np.testing.assert_allclose(found.claims_lost(0).toarray(), on_claims, **close)
    if market is not None:
        np.testing.assert_allclose(found.trade.price[0], market.price, atol=1e-7)
        np.testing.assert_allclose(found.trade.short[0], market.short, **close)


def mechanism_of(dice: Dice, **behave):
    return {
        "valuation": dice.one_of("clearing", "clearing", *VALUATIONS),
        "recovery": dice.one_of(0.0, 0.4),
        "alpha": dice.one_of(1.0, 0.5),
        "beta": dice.one_of(1.0, 0.7),
        "exponent": dice.one_of(0.0, 3.0),
        "stops_when_failed_days": dice.one_of(0.0, 2.0),
        "sales": None,
        "funding": None,
        **behave,
    }


CASES = 600 if os.environ.get("POUNDLOCK_CASES", "same") == "same" else 3_000  # the same each time, or new ones
THOROUGHLY = settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


@THOROUGHLY
@given(st.integers(0, 2**32 - 1), st.sampled_from(UNITS))
def test_claims_stakes_promises_and_outages(seed, unit):
    dice = Dice(seed)
    system = in_units(guarantees(dice, world(dice, 12)), unit)
    assume(not mistakes(system))
    losses, outages, _ = shocks(dice, system, None)
    compare(system, mechanism_of(dice), losses, outages, None)


@THOROUGHLY
@given(st.integers(0, 2**32 - 1), st.sampled_from(UNITS))
def test_everything_with_sales_and_funding(seed, unit):
    dice = Dice(seed)
    system = in_units(guarantees(dice, world(dice, 8)), unit)
    assume(not mistakes(system))
    behave = behaviour(dice, system)
    losses, outages, runs = shocks(dice, system, behave["funding"])
    compare(system, mechanism_of(dice, **behave), losses, outages, runs)
