"""Loans by a bank beside investment by its own subsidiary: limits, the group's own funding, and what comes back to the parent."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.measures import Moment, Reading, apply, granted, opened, read
from poundlock.system import equity
from poundlock.system.contingent import Guarantee
from test_measures_world import (
    ALL,
    BANK_A,
    DAY,
    SUBSIDIARY,
    a_year,
    booked,
    dealt,
    declared,
    figures,
    layer,
    lines,
    world,
)

KIND = "group-linkage"
FREE = {"single_firm_cap": None, "group_cap": None}


def sizes(**today) -> list[float]:
    measure, deals, before, _ = booked(KIND, today=FREE | today)
    return granted(measure, measure.today, deals, before).tolist()


def test_who_holds_what():
    """Loans of 50 and 40; 20 of equity and a lease of 25, of which 30 are own cash and 15 are borrowed from the parent."""
    _, _, before, after = booked(KIND, today=FREE)
    assert [one.id for one in after.asset_classes] == ["firms-a", "firms-b", "firms-a equity"]
    np.testing.assert_allclose(after.holdings[BANK_A], [30.0 + 50.0, 40.0, 0.0])
    np.testing.assert_allclose(after.holdings[SUBSIDIARY], [0.0, 25.0, 20.0])
    assert after.safe_assets[SUBSIDIARY] == 0.0
    assert layer(after, "group funding")[BANK_A, SUBSIDIARY] == pytest.approx(15.0)
    assert after.external_liabilities[BANK_A] - before.external_liabilities[BANK_A] == pytest.approx(90.0 + 15.0)
    assert after.external_liabilities[SUBSIDIARY] == before.external_liabilities[SUBSIDIARY]
    assert after.guarantees == (Guarantee(BANK_A, SUBSIDIARY, "shortfall", limit=pytest.approx(18.0)),)
    assert booked(KIND, today=FREE | {"support": 0.0})[3].guarantees == ()


def test_own_funds_only_cuts_both_parts_of_every_deal():
    """30 of cash for 45 of investment: two thirds of all."""
    np.testing.assert_allclose(sizes(own_funds_only=True), [70.0 * 2 / 3, 65.0 * 2 / 3])
    _, _, _, after = booked(KIND, today=FREE | {"own_funds_only": True})
    assert after.safe_assets[SUBSIDIARY] == 0.0
    assert "group funding" not in [one.name for one in after.layers]
    assert after.holdings[SUBSIDIARY].sum() == pytest.approx(30.0)
    assert after.holdings[BANK_A, 1] == pytest.approx(40.0 * 2 / 3)


def test_one_firm_takes_at_most_a_tenth_of_own_funds():
    """Own funds 20, so 2 for a firm: of the 6 that go to one firm a third, of 2.5 four fifths."""
    np.testing.assert_allclose(sizes(single_firm_cap=0.1, own_funds_only=False), [70.0 / 3, 65.0 * 0.8])
    measure, deals, before, _ = booked(KIND, today=FREE | {"single_firm_cap": 0.1})
    found = figures(measure, deals, before)
    assert found["investment-in-one-firm-over-own-funds", "subsidiary", ""] == pytest.approx(0.1)


def test_the_group_takes_at_most_a_share_of_tier_one_in_each_pool():
    np.testing.assert_allclose(sizes(group_cap=0.5, own_funds_only=False), [45.0, 45.0])
    table = (
        "bank,subsidiary,pool,amount,form,subsidiary_amount\n"
        "bank-a,subsidiary,firms-a,30,lease,10\nbank-a,subsidiary,firms-a,30,equity,20\n"
    )
    measure, deals, before, _ = booked(KIND, table, today=FREE | {"group_cap": 0.5})
    found = granted(measure, measure.today, deals, before)
    np.testing.assert_allclose(found, [20.0, 25.0])  # 90 to one pool, cut to 45 in proportion


def test_a_loan_without_investment_is_a_loan():
    table = "bank,subsidiary,pool,amount,form,subsidiary_amount\nbank-a,subsidiary,firms-a,30,lease,0\n"
    _, _, _, after = booked(KIND, table, today=FREE | {"own_funds_only": True})
    assert after.holdings[BANK_A, 0] == pytest.approx(60.0)
    assert after.guarantees == ()


def test_support_brings_the_subsidiarys_loss_back_to_the_parent():
    """Equity of 20 is gone and 0.4 of the lease of 25, margin 0.75 earned: 9.25 missing. The parent makes it good, and loses on its own loans."""
    _, _, _, after = booked(KIND, today=FREE)
    found = a_year(after, {"firms-a equity": 1.0, "firms-b": 0.4})
    assert found.equity[0, SUBSIDIARY] == pytest.approx(0.0, abs=1e-9)
    own = 100.0 + 0.02 * 80.0 - 0.37 * 40.0
    assert found.equity[0, BANK_A] == pytest.approx(own - 9.25)
    _, _, _, alone = booked(KIND, today=FREE | {"support": 0.0})
    without = a_year(alone, {"firms-a equity": 1.0, "firms-b": 0.4})
    assert without.equity[0, SUBSIDIARY] == pytest.approx(-9.25)
    assert without.equity[0, BANK_A] == pytest.approx(own - 9.25 * 15.0 / 75.0)  # what it lent itself


def test_support_ends_at_its_limit():
    _, _, _, after = booked(KIND, today=FREE | {"support": 0.05})
    found = a_year(after, {"firms-a equity": 1.0, "firms-b": 0.4})
    assert found.equity[0, SUBSIDIARY] == pytest.approx(-9.25 + 4.5)
    own = 100.0 + 0.02 * 80.0 - 0.37 * 40.0
    assert found.equity[0, BANK_A] == pytest.approx(own - 4.5 - 4.75 * 15.0 / 75.0)


def test_a_parent_that_fails_takes_its_support_with_it():
    """Bank-a loses a tenth of its 870 of other assets, 87, and is left with almost nothing to support with."""
    _, _, _, after = booked(KIND, today=FREE | {"support": 1.0})
    found = a_year(after, {"firms-a equity": 1.0, "firms-b": 0.4}, {BANK_A: 0.2})
    assert found.default[0, BANK_A]
    assert found.default[0, SUBSIDIARY]
    paid = -found.loss_by_channel["guarantees"][0, SUBSIDIARY]
    assert 0.0 < paid < 9.25


def test_support_of_a_subsidiary_in_run_off_runs_off_too():
    gone = ALL.replace("subsidiary,2020-01-01,", "subsidiary,2020-01-01,2023-01-01")
    measure = declared(KIND, FREE)
    deals = dealt(measure, consents=gone)
    after = apply(measure, measure.today, deals, opened(measure, deals, world()))
    assert after.guarantees[0].limit == pytest.approx(18.0 * np.exp(-1.0))


def test_the_year_that_is_expected_and_its_figures():
    measure, deals, before, _ = booked(KIND, today=FREE)
    found = lines(measure, deals, before)
    assert found == pytest.approx(
        {
            ("banks", "margin on loans"): 50.0 * 0.02 + 40.0 * 0.03,
            ("banks", "expected loss on loans"): -50.0 * 0.02 - 40.0 * 0.024,
            ("subsidiaries", "expected return on equity"): 0.05 * 20.0,
            ("subsidiaries", "margin on leases"): 0.03 * 25.0,
            ("subsidiaries", "expected loss on leases"): -0.024 * 25.0,
        }
    )
    assert figures(measure, deals, before) == pytest.approx(
        {
            ("investment-in-one-firm-over-own-funds", "subsidiary", ""): 0.3,
            ("investment-funded-by-debt", "subsidiary", ""): 15.0,
        }
    )
    np.testing.assert_allclose(equity(booked(KIND, today=FREE)[3]), equity(before))


def test_a_cap_on_firms_needs_to_know_what_goes_to_one(tmp_path):
    text = "bank,subsidiary,pool,amount,form,subsidiary_amount,largest_firm\nbank-a,subsidiary,firms-a,30,lease,10,\n"
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    (tmp_path / "c.csv").write_text(ALL, encoding="utf-8")
    problems = []
    asked = Reading(tmp_path, world(), Moment(DAY), lambda *_: ("plan.yaml", 1))
    assert read(asked, declared(KIND), problems) is None
    (told,) = problems
    assert told.found == "largest_firm is empty"
    assert told.line == 2
