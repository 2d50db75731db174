"""A measure given by tables: claims, holdings, buffers, dependences, and pools of its own."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from poundlock.measures import apply, granted, opened
from poundlock.system import equity
from test_measures_world import (
    BANK_A,
    BANK_B,
    IDS,
    INVESTOR,
    MAKE,
    PLATFORM,
    TABLES,
    a_year,
    booked,
    dealt,
    declared,
    figures,
    layer,
    lines,
    world,
)

KIND = "custom"


def test_what_the_tables_say_is_on_the_books():
    measure, deals, before, after = booked(KIND)
    assert after.asset_classes[2].id == "firms-c"
    assert layer(after, "new lending")[BANK_A, INVESTOR] == pytest.approx(15.0)
    assert layer(after, "interbank")[BANK_B, BANK_A] == pytest.approx(10.0)
    assert layer(after, "interbank")[BANK_A, BANK_B] == pytest.approx(20.0)
    np.testing.assert_allclose(after.holdings[BANK_A], [50.0, 0.0, 0.0])
    np.testing.assert_allclose(after.holdings[PLATFORM], [0.0, 0.0, 10.0])
    owed = after.external_liabilities - before.external_liabilities
    np.testing.assert_allclose(owed[[BANK_A, BANK_B, PLATFORM]], [35.0, 10.0, 10.0])
    assert (after.safe_assets[INVESTOR], after.safe_assets[BANK_A]) == pytest.approx((75.0, 110.0))
    assert after.dependences is not None
    assert after.dependences.daily_flow.toarray()[BANK_B, PLATFORM] == pytest.approx(5.0)
    np.testing.assert_allclose(granted(measure, measure.today, deals, before), [15.0, 10.0, 20.0, 10.0, 0.0])


def test_a_buffer_is_new_equity_in_cash():
    measure = declared(KIND, exposures=None, holdings=None, dependences=None, pools=None, buffers="b.csv")
    deals = dealt(measure, {"b.csv": "institution,amount\nbank-b,7\nbank-b,2\n"})
    after = apply(measure, measure.today, deals, opened(measure, deals, world()))
    more = np.zeros(len(IDS))
    more[BANK_B] = 9.0
    np.testing.assert_allclose(equity(after) - equity(world()), more)
    np.testing.assert_allclose(after.safe_assets - world().safe_assets, more)
    assert granted(measure, measure.today, deals, world()).sum() == 0.0


def test_half_of_it_is_half_of_everything():
    _, _, _, after = booked(KIND, today={"size": 0.5})
    assert layer(after, "new lending")[BANK_A, INVESTOR] == pytest.approx(7.5)
    assert after.holdings[PLATFORM, 2] == pytest.approx(5.0)
    assert after.dependences is not None
    assert after.dependences.daily_margin.toarray()[BANK_B, PLATFORM] == pytest.approx(0.15)
    assert after.dependences.daily_flow.toarray()[BANK_B, PLATFORM] == pytest.approx(2.5)


def test_a_bad_year_of_its_own_pool_and_days_without_the_provider():
    _, _, _, after = booked(KIND)
    found = a_year(after, {"firms-c": 0.5}, outages={PLATFORM: 4.0}).equity[0]
    assert found[PLATFORM] == pytest.approx(30.0 - 0.46 * 10.0)
    assert found[BANK_B] == pytest.approx(50.0 + 0.03 * 20.0 - 1.2)


def test_the_year_that_is_expected():
    measure, deals, before, _ = booked(KIND)
    assert lines(measure, deals, before) == pytest.approx(
        {
            ("institutions", "margin on holdings"): 20.0 * 0.02 + 10.0 * 0.04,
            ("institutions", "expected loss on holdings"): -20.0 * 0.02 - 10.0 * 0.06,
        }
    )
    assert figures(measure, deals, before) == {}


def test_claims_alone_have_no_line_of_value():
    measure = declared(KIND, holdings=None, dependences=None, pools=None)
    deals = dealt(measure, {"e.csv": TABLES[KIND]["e.csv"]})
    assert set(lines(measure, deals, world()).values()) == {0.0}


def test_a_measure_without_any_table_is_refused():
    with pytest.raises(ValidationError, match="no table at all"):
        MAKE.validate_python({"kind": KIND, "id": "x", "consents": "c.csv"})


def test_a_row_with_a_life_of_its_own_runs_off_at_it():
    measure = declared(KIND, exposures=None, dependences=None, pools=None, average_life_days=100.0)
    table = "institution,pool,amount,average_life_days\nbank-a,firms-a,10,\nbank-a,firms-b,10,1000\n"
    gone = "institution,joined,withdrawn\nbank-a,2020-01-01,2023-12-22\n"
    found = dealt(measure, {"h.csv": table}, consents=gone)
    np.testing.assert_allclose(found.amount, [10.0 * np.exp(-0.1), 10.0 * np.exp(-0.01)])


def test_payments_through_a_provider_whose_days_cost_nothing_still_pass_through_it():
    measure = declared(KIND, exposures=None, holdings=None, pools=None)
    deals = dealt(measure, {"d.csv": "dependent,provider,amount,daily_flow\nbank-b,platform,0,5\n"})
    after = apply(measure, measure.today, deals, world())
    assert after.dependences is not None
    assert after.dependences.daily_flow.toarray()[BANK_B, PLATFORM] == pytest.approx(5.0)
