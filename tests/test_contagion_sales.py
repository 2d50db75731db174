"""Prices and funding: monotone, bounded, and what each setting does, on cases small enough to follow."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, Funding, propagate
from poundlock.system import AssetClass, Guarantee, Layer, System, system_from_arrays


def holders(depth: float = 200.0, **options: object) -> System:
    """Two banks, one asset class: bank 0 with leverage 10, bank 1 with leverage 5."""
    return system_from_arrays(
        np.zeros((2, 2)), [100.0, 100.0], [90.0, 80.0], holdings=[[50.0], [50.0]], depth=[depth], **options
    )


def test_below_the_limit_nobody_sells():
    found = propagate(holders(), [0.5, 0.0], sales=FireSales(limit=12.0))
    assert found.trade.price[0, 0] == 1.0
    assert found.loss_by_channel["prices"].sum() == 0.0
    assert found.converged.all()


def test_deeper_markets_never_lose_more():
    losses = [found_loss(depth) for depth in (100.0, 200.0, 400.0, 1e6, 1e12)]
    assert all(a >= b - 1e-12 for a, b in pairwise(losses))
    assert losses[-1] == pytest.approx(0.0, abs=1e-7)


def found_loss(depth: float) -> float:
    return float(propagate(holders(depth), [3.0, 0.0], sales=FireSales("target")).loss_by_channel["prices"].sum())


def test_a_tighter_limit_sells_at_least_as_much():
    prices = [
        propagate(holders(), [3.0, 0.0], sales=FireSales(limit=x)).trade.price[0, 0] for x in (9.5, 11.0, 13.0, 20.0)
    ]
    assert prices == sorted(prices)


def test_a_leverage_limit_of_its_own_and_a_missing_one():
    s = holders(leverage_limit=[11.0, np.nan], leverage_buffer=[10.0, np.nan])
    found = propagate(s, [2.0, 5.0], sales=FireSales(max_rounds=1))
    assert found.trade.price[0, 0] == pytest.approx(1.0 - (98.0 - 10.0 * 8.0) / 200.0), "bank 0 alone sells"
    with pytest.raises(ValueError, match="need a leverage limit"):
        propagate(holders(), [2.0, 0.0], sales=FireSales())


def test_who_has_failed_sells_all_unless_told_not_to():
    sold = propagate(holders(1000.0), [11.0, 0.0], sales=FireSales("calls"))
    assert sold.trade.price[0, 0] == pytest.approx(1.0 - 50.0 / 1000.0)
    kept = propagate(holders(1000.0), [11.0, 0.0], sales=FireSales("calls", failed_sell=False))
    assert kept.trade.price[0, 0] == 1.0


def test_prices_stop_at_their_floor():
    s = holders(30.0)
    s = system_from_arrays(
        s.layers, s.external_assets, s.external_liabilities, holdings=s.holdings, depth=[30.0],
        asset_classes=(AssetClass("a", "", "", 0, 0, 0, 0, depth=30.0, floor=0.4),),
    )  # fmt: skip
    found = propagate(s, [11.0, 0.0], sales=FireSales("target"))
    assert found.trade.price[0, 0] == 0.4


def test_exponential_impact():
    s = holders()
    classes = (AssetClass("a", "", "", 0, 0, 0, 0, depth=200.0, impact="exponential"),)
    s = system_from_arrays(
        s.layers, s.external_assets, s.external_liabilities, holdings=s.holdings, depth=[200.0], asset_classes=classes
    )
    found = propagate(s, [11.0, 0.0], sales=FireSales("calls"))
    assert found.trade.price[0, 0] == pytest.approx(np.exp(-50.0 / 200.0))


@pytest.mark.parametrize("realised", [0.0, 0.5, 1.0])
def test_units_sold_bear_the_realised_part_of_the_fall(realised: float):
    """Bank 0 sells 20 of 50 units in one round; the price falls by 20 / 200."""
    found = propagate(
        holders(), [2.0, 0.0], sales=FireSales("target", realised=realised, failed_sell=False, max_rounds=1)
    )
    sold, fall = 9.0 * 2.0, 18.0 / 200.0
    assert found.loss_by_channel["prices"][0, 0] == pytest.approx((50.0 - sold + realised * sold) * fall)
    assert not found.converged.any(), "prices had not come to rest"
    assert "NOT converged" in repr(found)


def ring(**options: object) -> System:
    lent = csr_array(np.array([[0.0, 20.0, 0.0], [0.0, 0.0, 20.0], [20.0, 0.0, 0.0]]))
    days = csr_array((np.array([7.0, 7.0, 90.0]), lent.indices, lent.indptr), shape=lent.shape)
    return system_from_arrays([Layer("i", lent, maturity_days=days)], [80.0] * 3, [70.0] * 3, **options)


def test_only_short_lending_can_be_called():
    """Bank 0 fails; its week-long loan to 1 is called; 1 is short and calls 2; what 2 lends to 0 runs for 90 days."""
    s = ring(safe_assets=[5.0, 5.0, 5.0])
    short = propagate(s, [11.0, 0.0, 0.0], funding=Funding()).trade.short[0]
    np.testing.assert_allclose(short, [0.0, 15.0, 15.0])
    longer = propagate(s, [11.0, 0.0, 0.0], funding=Funding(horizon_days=90.0)).trade.short[0]
    np.testing.assert_allclose(longer, [15.0, 15.0, 15.0])


def test_illiquid_is_not_failed():
    found = propagate(ring(safe_assets=[5.0] * 3), [11.0, 0.0, 0.0], funding=Funding())
    np.testing.assert_array_equal(found.illiquid[0], [False, True, True])
    np.testing.assert_array_equal(found.default[0], [True, False, False])
    assert "illiquid     2 at most" in repr(found)


def test_liquid_assets_meet_calls():
    found = propagate(ring(safe_assets=[5.0, 20.0, 5.0]), [11.0, 0.0, 0.0], funding=Funding())
    assert not found.illiquid.any()


def test_customers_run_from_a_bank_under_stress():
    s = ring(safe_assets=[5.0] * 3, runnable=[40.0, 40.0, 40.0])
    found = propagate(s, [6.0, 0.0, 0.0], funding=Funding(withdrawn=0.0, run=0.5, stress_below=0.5))
    np.testing.assert_allclose(found.trade.short[0], [15.0, 0.0, 0.0])


def test_margin_is_called_on_falling_prices():
    """Bank 1 fails and sells; bank 0 loses 12.5 on its holdings, half of which its lenders call."""
    s = holders(200.0)
    found = propagate(
        s, [0.0, 21.0], sales=FireSales("calls", max_rounds=50), funding=Funding(margin=0.5, withdrawn=0.0)
    )
    assert found.trade.price[0, 0] < 0.75, "bank 0 has to sell too"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FireSales(realised=1.5), "realised is 1.5"),
        (lambda: FireSales(limit=0.5), "leverage limit is 0.5"),
        (lambda: FireSales(limit=5.0, buffer=6.0), "leverage buffer is 6"),
        (lambda: FireSales(max_rounds=0), "at least one round"),
        (lambda: Funding(withdrawn=2.0), "withdrawn is 2"),
        (lambda: Funding(horizon_days=-1.0), "horizon_days is -1"),
    ],
)
def test_rules_that_cannot_be_are_refused(make, words: str):
    with pytest.raises(ValueError, match=words):
        make()


def test_calls_that_still_move_things_at_the_bound_are_not_at_rest():
    s = ring(safe_assets=[5.0] * 3, holdings=[[10.0]] * 3, depth=[100.0])
    found = propagate(s, [11.0, 0.0, 0.0], funding=Funding(), sales=FireSales("calls", max_rounds=1))
    assert not found.converged.any()
    assert np.isinf(found.trade.price_gap[0])


def test_who_calls_first_does_not_hang_on_the_numbering():
    """A chain of lenders, each under stress once it is called: numbered forwards and backwards."""
    n = 5
    found = []
    for order in (np.arange(n), np.arange(n)[::-1]):
        lent = np.zeros((n, n))
        for i in range(n - 1):
            lent[order[i], order[i + 1]] = 10.0
        layer = Layer("funding", csr_array(lent), maturity_days=csr_array(np.where(lent > 0, 7.0, 0.0)))
        held = [[4.0]] * n
        s = system_from_arrays([layer], [12.0] * n, [10.0] * n, holdings=held, depth=[60.0])
        losses = np.zeros(n)
        losses[order[0]] = 11.0
        found.append(propagate(s, losses, sales=FireSales("calls"), funding=Funding(withdrawn=0.5)))
    np.testing.assert_array_equal(found[0].trade.rounds, found[1].trade.rounds)
    np.testing.assert_allclose(found[0].trade.price, found[1].trade.price, rtol=1e-12)
    np.testing.assert_allclose(found[0].equity[0], found[1].equity[0, ::-1], rtol=1e-12, atol=1e-12)


def test_support_that_replaces_what_would_be_realised_at_a_cost_raises_the_value_of_claims():
    """A failed institution's assets fall in price; support makes up for most of it, at no cost of default (alpha < beta). What
    comes out is what the same fall makes of claims at face, not what was left of them in an earlier round."""
    lent = np.zeros((3, 3))
    lent[0, 1] = 30.0
    s = system_from_arrays(lent, [10.0, 32.0, 100.0], [0.0, 0.0, 0.0], holdings=[[0.0], [30.0], [0.0]], depth=[300.0])
    s = replace(s, guarantees=(Guarantee(2, 1, "shortfall", share=0.9),))
    costs = {"valuation": "default-costs", "alpha": 0.5, "beta": 1.0}
    losses = np.array([0.0, 12.0, 0.0])
    found = propagate(s, losses, sales=FireSales("calls", failed_sell=True), **costs)
    fall = found.loss_by_channel["prices"][0]
    assert fall[1] > 1.0
    at_once = propagate(s, losses + fall, **costs)
    np.testing.assert_allclose(found.equity, at_once.equity, rtol=1e-12)
    assert found.equity[0, 0] > propagate(s, losses, **costs).equity[0, 0] + 0.5, "the creditor gains"
