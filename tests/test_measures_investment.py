"""Loans beside outside investment: who holds what, what cuts it, and when the upside pays for the loss."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import prepare
from poundlock.measures import Moment, Reading, apply, granted, read, upside, warrant_value
from poundlock.problems import nowhere
from poundlock.system import equity
from poundlock.system.balance import Equity
from poundlock.system.covers import Cover
from test_measures_world import (
    ALL,
    BANK_A,
    BANK_B,
    DAY,
    INVESTOR,
    a_year,
    booked,
    dealt,
    declared,
    figures,
    layer,
    lines,
    world,
)

KIND = "loan-with-investment"
VALUE = warrant_value(0.5, 0.05, 1.1)


def test_who_holds_what():
    """Loans of 50 and 25; 20 and 10 invested, half of it borrowed, 6 and 3 of that from the banks."""
    _, _, before, after = booked(KIND)
    ids = [one.id for one in after.asset_classes]
    assert ids == ["firms-a", "firms-b", "firms-a equity", "firms-b equity"]
    assert after.asset_classes[2].law == Equity(0.5, 0.05)
    assert (after.asset_classes[3].region, after.asset_classes[3].sector) == ("B", "tech")
    np.testing.assert_allclose(after.holdings[BANK_A], [30.0 + 50.0, 0.0, 0.0, 0.0])
    np.testing.assert_allclose(after.holdings[BANK_B], [0.0, 20.0 + 25.0, 0.0, 0.0])
    np.testing.assert_allclose(after.holdings[INVESTOR], [0.0, 0.0, 20.0, 10.0])
    assert after.safe_assets[INVESTOR] == pytest.approx(60.0 - 15.0)
    lent = layer(after, "fund lending")
    assert (lent[BANK_A, INVESTOR], lent[BANK_B, INVESTOR]) == pytest.approx((6.0, 3.0))
    owed = after.external_liabilities - before.external_liabilities
    np.testing.assert_allclose(owed[[BANK_A, BANK_B, INVESTOR]], [56.0, 28.0, 6.0])
    assert after.covers == (
        Cover(INVESTOR, BANK_A, 2, 20.0, 0.3, pytest.approx(2.0), on="gain"),
        Cover(INVESTOR, BANK_B, 3, 10.0, 0.3, pytest.approx(1.0), on="gain"),
    )


def test_the_cap_is_a_share_of_tier_one():
    measure, deals, before, _ = booked(KIND, today={"bank_cap": 0.5})
    np.testing.assert_allclose(granted(measure, measure.today, deals, before), [45.0, 22.5])


def test_an_investor_invests_no_cash_that_it_does_not_have():
    """Twice the loans from own cash would be 150; it has 60."""
    own = {"investment_per_loan": 2.0, "investor_debt": 0.0, "bank_cap": None}
    measure, deals, before, after = booked(KIND, today=own)
    np.testing.assert_allclose(granted(measure, measure.today, deals, before), [20.0, 10.0])
    assert after.safe_assets[INVESTOR] == 0.0
    borrowed = declared(KIND, own | {"investor_debt": 1.0})
    np.testing.assert_allclose(granted(borrowed, borrowed.today, deals, before), [50.0, 25.0])


def test_cash_that_is_spent_to_the_last_leaves_no_debt_of_rounding():
    """1.875 a unit of loan: sums of the parts may be beyond the 60 by a last bit."""
    for beside in np.linspace(1.0, 3.0, 80):
        _, _, _, after = booked(
            KIND, today={"investment_per_loan": float(beside), "investor_debt": 0.0, "bank_cap": None}
        )
        assert after.safe_assets[INVESTOR] == 0.0
        prepare(after, valuation="clearing")


def test_a_gain_is_shared_with_the_bank():
    """The equity of firms-a rises by 60 %: on 20 the bank is owed 0.3 (12 - 2) = 3."""
    _, _, _, after = booked(KIND)
    found = a_year(after, {"firms-a equity": -0.6})
    assert found.equity[0, INVESTOR] == pytest.approx(40.0 + 12.0 - 3.0)
    assert found.equity[0, BANK_A] == pytest.approx(100.0 + 0.02 * 80.0 + 3.0)


def test_an_investor_that_fails_takes_its_debts_to_the_bank_along():
    """All equity is lost, 30, and half of its 40 of other assets: 10 missing of 6 + 3 + 66 owed."""
    _, _, _, after = booked(KIND)
    assert equity(after)[INVESTOR] == pytest.approx(40.0)
    found = a_year(after, {"firms-a equity": 1.0, "firms-b equity": 1.0}, {INVESTOR: 0.5})
    assert found.equity[0, INVESTOR] == pytest.approx(-10.0)
    assert found.equity[0, BANK_A] == pytest.approx(100.0 + 0.02 * 80.0 - 6.0 * 10.0 / 75.0)
    assert found.equity[0, BANK_B] == pytest.approx(50.0 + 0.03 * 45.0 - 3.0 * 10.0 / 75.0)


def test_the_year_that_is_expected():
    measure, deals, before, _ = booked(KIND)
    found = lines(measure, deals, before)
    assert found == pytest.approx(
        {
            ("banks", "margin on loans"): 50.0 * 0.02 + 25.0 * 0.03,
            ("banks", "expected loss on loans"): -50.0 * 0.02 - 25.0 * 0.024,
            ("banks", "warrants"): 0.3 * 30.0 * VALUE,
            ("investors", "expected return on equity"): 1.5,
            ("investors", "warrants"): -0.3 * 30.0 * VALUE,
        }
    )
    assert sum(found.values()) == pytest.approx(1.75 - 1.6 + 1.5)
    assert figures(measure, deals, before) == {}


def test_when_the_upside_pays_for_the_loss():
    measure = declared(KIND)
    found = upside(measure, measure.today, 0.04, 0.5)
    assert (found.expected_loss, found.upside) == pytest.approx((0.02, 0.3 * 0.4 * VALUE))
    assert found.share_that_pays == pytest.approx(0.02 / (0.4 * VALUE))
    assert found.pays == (found.upside >= 0.02)
    just = measure.today.model_copy(update={"warrant_share": found.share_that_pays})
    assert upside(measure, just, 0.04, 0.5).pays
    short = measure.today.model_copy(update={"warrant_share": found.share_that_pays - 1e-6})
    assert not upside(measure, short, 0.04, 0.5).pays
    assert upside(measure, measure.today, 0.9, 1.0).share_that_pays is None
    nothing = measure.today.model_copy(update={"investment_per_loan": 0.0})
    assert upside(measure, nothing, 0.04, 0.5).share_that_pays is None
    assert not upside(measure, nothing, 0.04, 0.5).pays


def test_a_strike_below_todays_value_can_be_simulated():
    measure = declared(KIND, {"strike": 0.9})
    deals = dealt(measure)
    before = booked(KIND)[2]
    found = a_year(apply(measure, measure.today, deals, before), {"firms-a equity": 0.0})
    assert found.equity[0, INVESTOR] == pytest.approx(40.0 - 0.3 * 0.1 * 30.0)


def test_a_cap_needs_the_capital_that_it_is_a_share_of(tmp_path):
    (tmp_path / "t.csv").write_text(
        "bank,investor,pool,amount\nsubsidiary,investor,firms-a,5\ninsurer,investor,firms-a,5\n"
    )
    (tmp_path / "c.csv").write_text(ALL, encoding="utf-8")
    for amounts_known, count in ((True, 1), (False, 0)):
        problems = []
        asked = Reading(tmp_path, world(), Moment(DAY), nowhere, amounts_known=amounts_known)
        read(asked, declared(KIND), problems)
        assert [(p.line, p.found) for p in problems] == [(3, "'insurer' without tier1_capital")][:count]


def test_nothing_is_held_of_what_is_not_opened():
    measure = declared(KIND)
    with pytest.raises(KeyError, match="firms-a equity"):
        apply(measure, measure.today, dealt(measure), world())
