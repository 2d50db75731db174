"""What each control does to a system, what it takes, and that a range must run the right way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, Funding, clear, propagate
from poundlock.measures import Deals, JointLending, Limits
from poundlock.risk.brake import braked, share_still_as_before
from poundlock.risk.controls import Control, under_controls
from poundlock.risk.scenarios import FUND, FactorShares, ScenarioModel
from poundlock.risk.tolerances import simulate, statistic
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system import AssetClass, Layer, equity, obligations, system_from_arrays

MAKE = TypeAdapter(Control)
POOL = AssetClass("firms", "ZZ", "x", 0.03, 0.5, 0.15, 0.0)


def control(kind, tightest, loosest, **more):
    return MAKE.validate_python(
        {"kind": kind, "id": kind, "tightest": tightest, "loosest": loosest, "legal_basis": "r", "yearly_cost": 1.0}
        | more
    )


def lenders():
    """Two banks and a platform; bank 0 lends 10 to bank 1 across regions."""
    lent = np.zeros((3, 3))
    lent[0, 1] = 10.0
    return system_from_arrays(
        [Layer("loans", csr_array(lent))],
        [100.0, 80.0, 20.0],
        [95.0, 60.0, 12.0],
        kinds=("bank", "bank", "platform"),
        regions=("A", "B", "B"),
        asset_classes=(POOL,),
        holdings=[[0.0], [0.0], [0.0]],
        tier1_capital=[15.0, 10.0, 8.0],
        loans=[90.0, 70.0, 0.0],
        safe_assets=[20.0, 30.0, 10.0],
    )


MEASURE = JointLending(
    kind="joint-lending", id="jl", loans="x.csv", consents="c.csv", today=Limits(platform_share=0.3, partner_cap=0.5), before=Limits(platform_share=0.02),
    average_life_days=300.0,
)  # fmt: skip
MONEY = np.array([20.0, 10.0])
LOANS = {
    "jl": Deals(
        {"bank": np.array([0, 1]), "platform": np.array([2, 2])},
        pool=np.array([0, 0]),
        wished=MONEY,
        left=np.ones(2),
        life=np.full(2, 300.0),
        joined=np.ones(3, dtype=bool),
        inputs=(),
    )
}


def under(limits=None, **settings):
    return under_controls(lenders(), [MEASURE], LOANS, {"jl": limits or MEASURE.today}, list(settings.values()))


def test_without_controls_it_is_the_measure_alone():
    """Bank 0 may hold 7.5 of 14, bank 1 5 of 7: 10.7 and 7.1 are granted."""
    found = under()
    assert found.granted == pytest.approx(7.5 / 0.7 + 5.0 / 0.7)
    assert found.cost == 0.0


@pytest.mark.parametrize(
    ("kind", "value", "left"),
    [
        ("partner-cap", 0.2, 3.0 / 0.7 + 2.0 / 0.7),
        ("total-cap", 0.05, 4.5 / 0.7 + 3.5 / 0.7),
        ("contribution-floor", 0.6, 7.5 / 0.4 + 10.0),
        ("suspension", 0.25, 5.0 + 2.5),
    ],
)
def test_controls_on_a_measure_cut_credit(kind, value, left):
    ends = (0.9, 0.3) if kind == "contribution-floor" else (0.0, 1.0)
    one = control(kind, *ends, measure="jl", yearly_cost=0.02)
    found = under(one=(one, value))
    assert found.granted == pytest.approx(left)
    wished = {"partner-cap": 30.0, "total-cap": 7.5 / 0.7 + 5.0 / 0.7, "suspension": 7.5 / 0.7 + 5.0 / 0.7}.get(kind)
    if wished is not None:
        assert found.taken[kind] == pytest.approx(wished - left)
        assert found.cost == pytest.approx(0.02 * (wished - left))


def test_capital_is_held_in_cash_and_raises_equity():
    found = under(one=(control("capital-add-on", 0.1, 0.0, scope={"kinds": ("bank",)}), 0.05))
    before = under()
    more = equity(found.system) - equity(before.system)
    np.testing.assert_allclose(more, [*(0.05 * before.system.external_assets[:2]), 0.0])
    np.testing.assert_allclose(found.system.safe_assets - before.system.safe_assets, more)
    assert found.taken["capital-add-on"] == pytest.approx(more.sum())


def test_a_fund_makes_good_what_is_missing_and_shares_what_it_has():
    """Bank 0 lacks 10 and what it loses on bank 1, bank 1 lacks 20: a fund of 12 owes each 12, and pays half of it."""
    fund = control("compensation-fund", 50.0, 0.0, scope={"kinds": ("bank",)})
    built = under_controls(lenders(), [], {}, {}, [(fund, 12.0)])
    s = built.system
    assert s.kinds[-1] == FUND
    assert built.taken["compensation-fund"] == 12.0
    own = equity(s)
    hit = np.array([own[0] + 10.0, own[1] + 20.0, 0.0, 0.0])
    found = clear(s, hit)
    support = -found.loss_by_channel["guarantees"][0]
    np.testing.assert_allclose(support, [6.0, 6.0, 0.0, -24.0], rtol=1e-9)
    whole = clear(under_controls(lenders(), [], {}, {}, [(fund, 50.0)]).system, hit)
    assert not whole.default[0, :2].any()


def test_a_line_meets_calls():
    lent = np.zeros((2, 2))
    lent[0, 1] = 10.0
    layer = Layer("funding", csr_array(lent), maturity_days=csr_array(np.where(lent > 0, 7.0, 0.0)))
    s = system_from_arrays([layer], [10.0, 50.0], [15.0, 35.0], holdings=[[0.0], [40.0]], depth=[100.0])
    line = control("liquidity-line", 0.5, 0.0)
    for value, price in ((0.0, 0.9), (0.3, 1.0)):
        made = under_controls(s, [], {}, {}, [(line, value)]).system
        np.testing.assert_allclose(equity(made), equity(s), atol=1e-12)
        found = propagate(made, [6.0, 0.0], sales=FireSales("calls", failed_sell=False), funding=Funding())
        assert found.trade.price[0, 0] == pytest.approx(price, abs=0.01)


def test_a_ring_fence_cuts_debts_between_regions_and_nobodys_equity():
    fence = control("ring-fence", 0.0, 1.0)
    built = under_controls(lenders(), [], {}, {}, [(fence, 0.25)])
    assert built.system.layers[0].amounts[0, 1] == pytest.approx(2.5)
    assert built.taken["ring-fence"] == pytest.approx(7.5)
    np.testing.assert_allclose(equity(built.system), equity(lenders()), atol=1e-12)
    np.testing.assert_allclose(obligations(built.system), [0.0, 2.5, 0.0])


def test_a_fund_leaves_all_draws_as_they_were():
    model = ScenarioModel(
        count=5_000, seed=1, volatility={"bank": 0.1, "platform": 0.2}, institutions=FactorShares(common=0.5), valuation="clearing"
    )  # fmt: skip
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)
    fund = control("compensation-fund", 50.0, 0.0)
    plain = statistic(tail, simulate(lenders(), model, [tail]))
    with_none = statistic(tail, simulate(under_controls(lenders(), [], {}, {}, [(fund, 0.0)]).system, model, [tail]))
    assert with_none == plain


def test_ranges_run_from_tight_to_loose():
    with pytest.raises(ValueError, match="tightest below loosest"):
        control("partner-cap", 1.0, 0.5, measure="jl")
    with pytest.raises(ValueError, match="tightest above loosest"):
        control("capital-add-on", 0.0, 0.1)
    with pytest.raises(ValueError, match="less than or equal to 1"):
        control("ring-fence", 0.0, 1.5)
    with pytest.raises(ValueError, match="less than 1"):
        control("contribution-floor", 1.0, 0.3, measure="jl")


def test_what_is_still_as_before_falls_with_an_earlier_decision():
    """At once, loans of 365 days' life: (1 - 1/e) of the year's balance is still there; after a year, all of it."""
    assert share_still_as_before(0.0, 365.0) == pytest.approx(1 - np.exp(-1))
    assert share_still_as_before(365.0, 30.0) == 1.0
    shares = [share_still_as_before(d, 100.0) for d in range(0, 366, 5)]
    assert shares == sorted(shares)
    assert share_still_as_before(30.0, 1e-6) == pytest.approx(30.0 / 365.0)


def test_a_brake_mixes_the_balances_before_and_after():
    stop = control("suspension", 0.0, 1.0, measure="jl")
    now = under().granted
    for delay in (0.0, 100.0, 365.0):
        _, lent = braked(lenders(), [MEASURE], LOANS, {"jl": MEASURE.today}, stop, 0.0, delay)
        assert lent == pytest.approx(share_still_as_before(delay, 300.0) * now)
    cap = control("partner-cap", 0.0, 1.0, measure="jl")
    _, lent = braked(lenders(), [MEASURE], LOANS, {"jl": MEASURE.today}, cap, 0.2, 0.0)
    still = share_still_as_before(0.0, 300.0)
    assert lent == pytest.approx(still * now + (1 - still) * 5.0 / 0.7)


def test_long_loans_brake_late():
    """Each entry runs off at its own life: 30 days for the one, 3,000 for the other."""
    stop = control("suspension", 0.0, 1.0, measure="jl")
    mixed = {"jl": replace(LOANS["jl"], life=np.array([30.0, 3_000.0]))}
    _, lent = braked(lenders(), [MEASURE], mixed, {"jl": MEASURE.today}, stop, 0.0, 10.0)
    first, second = 7.5 / 0.7, 5.0 / 0.7
    assert lent == pytest.approx(
        first * share_still_as_before(10.0, 30.0) + second * share_still_as_before(10.0, 3_000.0)
    )
    unknown = {"jl": replace(LOANS["jl"], life=np.array([MEASURE.average_life_days, 3_000.0]))}
    _, more = braked(lenders(), [MEASURE], unknown, {"jl": MEASURE.today}, stop, 0.0, 10.0)
    assert more > lent, "300 days, as the measure says"
