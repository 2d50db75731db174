"""A platform's payment service: customers' money, reserve, settlement, and days without it."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.measures import Moment
from poundlock.system import equity
from test_measures_world import (
    BANK_A,
    BANK_B,
    DAY,
    PLATFORM,
    a_year,
    booked,
    dealt,
    declared,
    figures,
    layer,
    lines,
)

KIND = "payment-service"


def test_who_holds_what():
    """Float of 60 and 30, half of it in reserve; flows of 4 and 2 a day, settled after two days."""
    _, _, before, after = booked(KIND)
    owed, safe = (getattr(after, x) - getattr(before, x) for x in ("external_liabilities", "safe_assets"))
    np.testing.assert_allclose(owed[[BANK_A, BANK_B, PLATFORM]], [8.0, 4.0, 45.0])
    np.testing.assert_allclose(safe[[BANK_A, BANK_B, PLATFORM]], [30.0, 15.0, 12.0])
    assert after.runnable is not None
    assert after.runnable[PLATFORM] == pytest.approx(0.5 * 27.0)
    deposits, settlement = layer(after, "platform deposits"), layer(after, "settlement")
    assert (deposits[PLATFORM, BANK_A], deposits[PLATFORM, BANK_B]) == pytest.approx((30.0, 15.0))
    assert (settlement[BANK_A, PLATFORM], settlement[BANK_B, PLATFORM]) == pytest.approx((8.0, 4.0))
    assert after.income is not None
    np.testing.assert_allclose(after.income[[BANK_A, BANK_B, PLATFORM]], [-1.46, -0.73, 2.19])
    assert after.dependences is not None
    assert after.dependences.daily_margin.toarray()[BANK_B, PLATFORM] == pytest.approx(0.4)
    assert after.dependences.daily_flow.toarray()[BANK_A, PLATFORM] == pytest.approx(4.0)


def test_all_in_reserve_places_nothing():
    _, _, before, after = booked(KIND, today={"reserve_cover": 1.0, "settlement_days": 0.0})
    assert [one.name for one in after.layers] == [one.name for one in before.layers]
    assert after.safe_assets[PLATFORM] == pytest.approx(20.0), "what is set apart for customers is on nobody's books"


def test_days_without_the_platform_cost_margin():
    _, _, _, after = booked(KIND)
    found = a_year(after, outages={PLATFORM: 5.0}).equity[0]
    margin = 0.02 * 30.0, 0.03 * 20.0
    assert found[BANK_A] == pytest.approx(100.0 + margin[0] - 1.46 - 2.5)
    assert found[BANK_B] == pytest.approx(50.0 + margin[1] - 0.73 - 2.0)
    assert found[PLATFORM] == pytest.approx(30.0 + 2.19)


def test_what_could_not_be_settled_is_lost_with_the_platform():
    """It loses half of its 180 of other assets; beside debts of 58 and 4 to banks and 165 outside stand 20 and 10 unsettled."""
    _, _, _, after = booked(KIND)
    assert equity(after)[PLATFORM] == pytest.approx(30.0)
    found = a_year(after, others={PLATFORM: 0.5}, outages={PLATFORM: 5.0})
    missing = -(30.0 + 2.19 - 90.0)
    share = missing / (58.0 + 4.0 + 165.0 + 30.0)
    assert found.equity[0, PLATFORM] == pytest.approx(-missing)
    assert found.equity[0, BANK_A] == pytest.approx(100.0 + 0.6 - 1.46 - 2.5 - (58.0 + 20.0) * share)
    assert found.equity[0, BANK_B] == pytest.approx(50.0 + 0.6 - 0.73 - 2.0 - (4.0 + 10.0) * share)
    assert found.loss_by_channel["settlement"][0, BANK_B] == pytest.approx(10.0 * share)


def test_half_the_service_is_half_of_everything():
    measure = declared(KIND)
    deals = dealt(measure)
    whole, half = (lines(measure, deals.scaled(x), booked(KIND)[2]) for x in (1.0, 0.5))
    assert whole == pytest.approx({("banks", "fees"): -2.19, ("platforms", "fees"): 2.19})
    assert half == pytest.approx({name: 0.5 * amount for name, amount in whole.items()})


def test_figures():
    assert figures(*booked(KIND)[:3]) == {("reserve-cover", "platform", ""): 0.5}


def test_a_service_by_stages_is_where_its_banks_are():
    measure = declared(KIND, regions="stage")
    found = dealt(measure, at=Moment(DAY, frozenset({"A"})))
    assert found.amount.tolist() == [60.0, 0.0]


def test_a_service_without_float_is_still_a_service():
    table = "bank,platform,amount,daily_flow,daily_margin\nbank-a,platform,0,4,0.5\n"
    _, _, _, after = booked(KIND, table)
    assert after.dependences is not None
    assert after.dependences.daily_margin.toarray()[BANK_A, PLATFORM] == pytest.approx(0.5)
