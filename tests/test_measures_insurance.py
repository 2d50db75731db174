"""Insurance of pledged loans and of equipment: covers, premiums, subsidy, reinsurance, and an insurer that fails."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.measures import apply, granted, insured, lognormal_layer, vasicek_layer
from poundlock.system.balance import Claims
from poundlock.system.covers import Cover
from test_measures_world import (
    BANK_A,
    BANK_B,
    INSURER,
    REINSURER,
    a_year,
    booked,
    books,
    dealt,
    declared,
    figures,
    lines,
    world,
)

PLEDGED, EQUIPMENT = "pledged-loans", "equipment-insurance"
FREE = {"insurer_cap": None}
PAID = {
    "firms-a": vasicek_layer(0.04, 0.5, 0.15, share=0.8, deductible=0.01, limit=0.3),
    "firms-b": vasicek_layer(0.06, 0.4, 0.20, share=0.8, deductible=0.01, limit=0.3),
}
LAYER = 0.05 * lognormal_layer(0.4, 1.2, share=0.9, deductible=0.05, limit=0.8)


def test_loans_covers_and_premiums():
    """Loans of 90 and 60; a premium of 3, of which the state pays half and the reinsurer takes 0.3."""
    _, _, before, after = booked(PLEDGED, today=FREE)
    assert (after.holdings[BANK_A, 0], after.holdings[BANK_B, 1]) == pytest.approx((30.0 + 90.0, 20.0 + 60.0))
    owed = after.external_liabilities - before.external_liabilities
    np.testing.assert_allclose(owed[[BANK_A, BANK_B, INSURER]], [90.0, 60.0, 0.0])
    assert after.income is not None
    np.testing.assert_allclose(after.income[[BANK_A, BANK_B, INSURER, REINSURER]], [-0.9, -0.6, 2.1, 0.9])
    assert after.covers == (
        Cover(INSURER, BANK_A, 0, 90.0, 0.8, pytest.approx(0.9), pytest.approx(27.0)),
        Cover(INSURER, BANK_B, 1, 60.0, 0.8, pytest.approx(0.6), pytest.approx(18.0)),
        Cover(REINSURER, INSURER, -1, 0.0, 0.3, of=0),
        Cover(REINSURER, INSURER, -1, 0.0, 0.3, of=1),
    )


def test_an_insurer_covers_a_multiple_of_its_equity():
    measure, deals, before, _ = booked(PLEDGED, today={"insurer_cap": 2.0})
    np.testing.assert_allclose(granted(measure, measure.today, deals, before), [72.0, 48.0])
    equipment, policies, there, _ = booked(EQUIPMENT, today={"insurer_cap": 2.0})
    np.testing.assert_allclose(granted(equipment, equipment.today, policies, there), [48.0, 72.0])


def test_the_insurer_pays_its_layer_and_the_reinsurer_its_share():
    """A fifth of firms-a is lost, 18 of 90: 0.8 (18 - 0.9) = 13.68, of which the reinsurer bears 4.104."""
    _, _, _, after = booked(PLEDGED, today=FREE)
    found = a_year(after, {"firms-a": 0.2}).equity[0]
    assert found[BANK_A] == pytest.approx(100.0 - 0.18 * 120.0 - 0.9 + 13.68)
    assert found[BANK_B] == pytest.approx(50.0 + 0.03 * 80.0 - 0.6)
    assert found[INSURER] == pytest.approx(60.0 + 2.1 - 13.68 + 4.104)
    assert found[REINSURER] == pytest.approx(80.0 + 0.9 - 4.104)
    most = a_year(after, {"firms-a": 0.9}).equity[0]
    assert most[INSURER] == pytest.approx(60.0 + 2.1 - 0.7 * 27.0)


def test_an_insurer_that_fails_pays_less():
    """It loses half of its 150 of other assets too: what is missing is shared by the bank and its policyholders outside."""
    _, _, _, after = booked(PLEDGED, today=FREE)
    found = a_year(after, {"firms-a": 0.2}, {INSURER: 0.5}).equity[0]
    missing = -(60.0 + 2.1 - 13.68 + 4.104 - 75.0)
    assert found[INSURER] == pytest.approx(-missing)
    got = 13.68 * (1.0 - missing / (140.0 + 13.68))
    assert found[BANK_A] == pytest.approx(100.0 - 0.18 * 120.0 - 0.9 + got)


def test_a_reinsurer_that_fails_pays_the_insurer_less():
    _, _, _, after = booked(PLEDGED, today=FREE)
    found = a_year(after, {"firms-a": 0.2}, {REINSURER: 0.5}).equity[0]
    missing = -(80.0 + 0.9 - 4.104 - 100.0)
    assert found[REINSURER] == pytest.approx(-missing)
    assert found[INSURER] == pytest.approx(60.0 + 2.1 - 13.68 + 4.104 * (1.0 - missing / (220.0 + 4.104)))


def test_no_cover_no_promise():
    _, _, _, after = booked(PLEDGED, today=FREE | {"cover_share": 0.0})
    assert after.covers == ()
    assert after.holdings[BANK_A, 0] == pytest.approx(120.0)


def test_the_year_that_is_expected_of_pledged_loans():
    measure, deals, before, _ = booked(PLEDGED, today=FREE)
    found = lines(measure, deals, before)
    paid = 90.0 * PAID["firms-a"] + 60.0 * PAID["firms-b"]
    assert found == pytest.approx(
        {
            ("banks", "margin on loans"): 90.0 * 0.02 + 60.0 * 0.03,
            ("banks", "expected loss on loans"): -90.0 * 0.02 - 60.0 * 0.024,
            ("banks", "premiums"): -1.5,
            ("banks", "claims on insurers"): paid,
            ("state", "premiums"): -1.5,
            ("insurers", "premiums"): 2.1,
            ("insurers", "claims"): -0.7 * paid,
            ("reinsurers", "premiums"): 0.9,
            ("reinsurers", "claims"): -0.3 * paid,
        }
    )
    assert sum(found.values()) == pytest.approx(3.6 - 3.24)  # premiums and claims pass between them
    assert figures(measure, deals, before) == {}


def test_claims_premiums_and_the_fair_rate_of_pledged_loans():
    measure, deals, before, _ = booked(PLEDGED, today=FREE)
    found = insured(measure, measure.today, deals, before, np.array([[0.2, 0.0], [0.9, 0.9]]))
    assert found is not None
    claims, premium, total, fair = found
    np.testing.assert_allclose(claims, [13.68, 27.0 + 18.0])
    assert (premium, total) == pytest.approx((3.0, 150.0))
    assert fair == pytest.approx((90.0 * PAID["firms-a"] + 60.0 * PAID["firms-b"]) / 150.0)
    nothing = insured(measure, measure.today, deals.scaled(0.0), before, np.array([[0.2, 0.0]]))
    assert nothing is not None
    assert (nothing[0].tolist(), nothing[1:]) == ([0.0], (0.0, 0.0, 0.0))
    joint = declared("joint-lending")
    assert insured(joint, joint.today, dealt(joint), world(), np.zeros((1, 2))) is None


def test_policies_are_commitments_and_change_no_balance_sheet():
    _, _, before, after = booked(EQUIPMENT)
    assert [one.id for one in after.asset_classes[2:]] == [
        "equipment-insurance of insurer, tech-A",
        "equipment-insurance of insurer, tech-B",
    ]
    assert after.asset_classes[2].law == Claims(20, 0.4, 1.2, 0.05, 0.9, 0.8)
    assert after.asset_classes[3].law == Claims(12, 0.4, 1.2, 0.05, 0.9, 0.8)
    assert (after.asset_classes[3].region, after.asset_classes[3].default_probability) == ("B", 0.05)
    assert after.commitments is not None
    np.testing.assert_allclose(after.commitments[INSURER], [0.0, 0.0, 100.0, 150.0])
    assert after.commitments.sum() == pytest.approx(250.0)
    assert after.income is not None
    np.testing.assert_allclose(after.income[[INSURER, REINSURER]], [4.5, 3.0])
    a, b = books(after), books(before)
    for name in a.keys() - {"income", "commitments"}:
        np.testing.assert_array_equal(a[name], b[name], name)


def test_claims_on_equipment_are_the_insurers_loss_less_what_is_reinsured():
    """A tenth of the value in A is claimed, 10; the reinsurer bears 4."""
    _, _, _, after = booked(EQUIPMENT)
    found = a_year(after, {"equipment-insurance of insurer, tech-A": 0.1}).equity[0]
    assert found[INSURER] == pytest.approx(60.0 + 4.5 - 10.0 + 4.0)
    assert found[REINSURER] == pytest.approx(80.0 + 3.0 - 4.0)
    _, _, _, alone = booked(EQUIPMENT, today={"reinsured": 0.0})
    assert a_year(alone, {"equipment-insurance of insurer, tech-A": 0.1}).equity[0, INSURER] == pytest.approx(
        60.0 + 7.5 - 10.0
    )


def test_each_insurer_has_a_class_of_its_own_for_a_region_and_sector():
    table = "insurer,region,sector,amount,policies\ninsurer,A,tech,10,3\ninsurer,A,tech,30,2\nreinsurer,A,tech,20,4\n"
    _, _, _, after = booked(EQUIPMENT, table, today={"reinsured": 0.0})
    laws = [one.law for one in after.asset_classes[2:]]
    assert [law.policies for law in laws if isinstance(law, Claims)] == [5, 4]
    assert after.commitments is not None
    np.testing.assert_allclose(after.commitments[[INSURER, REINSURER], 2:], [[40.0, 0.0], [0.0, 20.0]])


def test_other_terms_change_what_is_paid_of_each_claim():
    measure, deals, before, _ = booked(EQUIPMENT)
    other = measure.today.model_copy(update={"deductible": 0.2, "limit": None})
    after = apply(measure, other, deals, before)
    assert after.asset_classes[2].law == Claims(20, 0.4, 1.2, 0.2, 0.9, np.inf)
    assert before.asset_classes[2].law == Claims(20, 0.4, 1.2, 0.05, 0.9, 0.8)


def test_the_year_that_is_expected_of_equipment():
    measure, deals, before, _ = booked(EQUIPMENT)
    found = lines(measure, deals, before)
    assert found == pytest.approx(
        {
            ("firms", "loss of equipment"): -0.05 * 0.4 * 250.0,
            ("firms", "claims on insurers"): 250.0 * LAYER,
            ("firms", "premiums"): -0.2 * 7.5,
            ("state", "premiums"): -0.8 * 7.5,
            ("insurers", "premiums"): 4.5,
            ("insurers", "claims"): -0.6 * 250.0 * LAYER,
            ("reinsurers", "premiums"): 3.0,
            ("reinsurers", "claims"): -0.4 * 250.0 * LAYER,
        }
    )
    assert sum(found.values()) == pytest.approx(-5.0)
    assert figures(measure, deals, before) == pytest.approx(
        {("subsidised-premium-rate", "insurer", ""): 0.03, ("premium-subsidy-share", "insurer", ""): 0.8}
    )
    unsubsidised = booked(EQUIPMENT, today={"premium_subsidy": 0.0})
    assert figures(*unsubsidised[:3]) == {("premium-subsidy-share", "insurer", ""): 0.0}


def test_claims_premiums_and_the_fair_rate_of_equipment():
    measure, deals, before, _ = booked(EQUIPMENT)
    lost = np.array([[0.3, 0.3, 0.1, 0.0], [0.0, 0.0, 0.0, 0.2]])
    found = insured(measure, measure.today, deals, before, lost)
    assert found is not None
    np.testing.assert_allclose(found[0], [10.0, 30.0])
    assert found[1:] == pytest.approx((7.5, 250.0, LAYER))
