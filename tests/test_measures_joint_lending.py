from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from poundlock.measures import Deals, JointLending, Limits, apply, facts, granted, unlimited, value, vasicek_layer
from poundlock.measures.joint_lending import FUNDING_LAYER, REPAYMENT_LAYER
from poundlock.system import AssetClass, Layer, System, claims, equity, network, obligations
from poundlock.system.covers import Cover

NAN = np.nan


def base() -> System:
    """Two local banks in H and A, one large bank, one platform that the large bank funds; pools in H and A."""
    funding = csr_array(([100.0], ([2], [3])), shape=(4, 4))
    return System(
        ids=("h", "a", "large", "p"),
        names=("h", "a", "large", "p"),
        kinds=("local", "local", "large", "platform"),
        regions=("H", "A", "N", "H"),
        external_assets=np.array([1000.0, 1000.0, 9900.0, 400.0]),
        external_liabilities=np.array([920.0, 920.0, 9300.0, 200.0]),
        layers=(Layer(FUNDING_LAYER, funding),),
        asset_classes=(
            AssetClass("ph", "H", "x", 0.03, 0.5, 0.1, 0.0),
            AssetClass("pa", "A", "x", 0.03, 0.5, 0.1, 0.0),
        ),
        holdings=np.zeros((4, 2)),
        safe_assets=np.zeros(4),
        tier1_capital=np.array([80.0, 80.0, 700.0, NAN]),
        loans=np.array([600.0, 600.0, 6000.0, NAN]),
        unit="mn",
    )


def loans(*rows: tuple[int, int, int, float], life: float = 365.0) -> Deals:
    bank, platform, pool, amount = zip(*rows, strict=True)
    money, n = np.array(amount, dtype=float), len(rows)
    roles = {"bank": np.array(bank), "platform": np.array(platform)}
    return Deals(roles, np.array(pool), money, np.ones(n), np.full(n, life), np.ones(4, dtype=bool), ())


def declared(**options) -> JointLending:
    today = Limits(platform_share=0.3)
    return JointLending(
        kind="joint-lending", id="j", loans="l", consents="c.csv", today=today, local_kinds=("local",), **options
    )


def test_each_owns_its_part_and_pays_for_it():
    after = apply(declared(), Limits(platform_share=0.3), loans((0, 3, 0, 100.0)), base())
    assert after.holdings[0, 0] == pytest.approx(70.0)
    assert after.holdings[3, 0] == pytest.approx(30.0)
    assert after.external_liabilities[0] == pytest.approx(920.0 + 70.0)
    np.testing.assert_allclose(equity(after), equity(base()))


def test_banks_fund_the_platform_and_wait_for_repayments():
    measure = declared(platform_funded_by_banks=0.5, days_in_transit=30)
    after = apply(measure, Limits(platform_share=0.3), loans((0, 3, 0, 100.0), life=300.0), base())
    layers = {layer.name: layer.amounts.toarray() for layer in after.layers}
    assert layers[FUNDING_LAYER][2, 3] == pytest.approx(100.0 + 15.0)
    assert layers[REPAYMENT_LAYER][0, 3] == pytest.approx(7.0)
    assert after.holdings[0, 0] == pytest.approx(63.0)
    np.testing.assert_allclose(equity(after), equity(base()), atol=1e-9)


def test_partner_cap_is_a_share_of_tier_one():
    limits = Limits(platform_share=0.3, partner_cap=0.25)
    size = granted(declared(), limits, loans((0, 3, 0, 30.0), (0, 3, 1, 70.0)), base())
    assert 0.7 * size.sum() == pytest.approx(0.25 * 80.0)
    assert size[1] / size[0] == pytest.approx(70 / 30)  # cut in proportion


def test_total_cap_is_a_share_of_loans():
    size = granted(declared(), Limits(platform_share=0.0, total_cap=0.5), loans((0, 3, 0, 500.0)), base())
    assert size.sum() == pytest.approx(300.0)


def test_local_banks_stay_at_home_large_ones_need_not():
    limits = Limits(platform_share=0.3, home_region_only=True)
    size = granted(declared(), limits, loans((0, 3, 0, 10.0), (0, 3, 1, 10.0), (2, 3, 1, 10.0)), base())
    assert size.tolist() == [10.0, 0.0, 10.0]


def test_a_cap_of_nought_or_no_wish_changes_nothing():
    for limits, wished in ((Limits(platform_share=0.3, partner_cap=0.0), 50.0), (Limits(platform_share=0.3), 0.0)):
        after = apply(
            declared(platform_funded_by_banks=0.5, days_in_transit=9), limits, loans((0, 3, 0, wished)), base()
        )
        np.testing.assert_array_equal(after.holdings, base().holdings)
        np.testing.assert_array_equal(after.external_liabilities, base().external_liabilities)
        np.testing.assert_array_equal(network(after).toarray(), network(base()).toarray())
        assert len(after.layers) == 1


def test_a_platform_that_no_bank_funds_is_named():
    alone = replace(base(), layers=())
    with pytest.raises(ValueError, match="'p' is to be funded by banks"):
        apply(declared(platform_funded_by_banks=0.5), Limits(platform_share=0.3), loans((0, 3, 0, 10.0)), alone)


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0, 0.99),
    st.one_of(st.none(), st.floats(0, 3)),
    st.one_of(st.none(), st.floats(0, 1)),
    st.booleans(),
    st.floats(0, 1),
    st.floats(0, 365),
    st.lists(st.tuples(st.integers(0, 2), st.just(3), st.integers(0, 1), st.floats(0, 1e6)), min_size=1, max_size=8),
)
def test_books_balance_and_caps_hold_whatever_the_limits(share, partner, total, home, funded, days, rows):
    limits = Limits(platform_share=share, partner_cap=partner, total_cap=total, home_region_only=home)
    wished, start = loans(*rows), base()
    size = granted(declared(), limits, wished, start)
    after = apply(declared(platform_funded_by_banks=funded, days_in_transit=days), limits, wished, start)
    scale = 1.0 + size.sum()
    np.testing.assert_allclose(equity(after), equity(start), atol=1e-9 * scale)
    assert claims(after).sum() == pytest.approx(obligations(after).sum())
    assert np.all(size <= wished.amount * (1 + 1e-12))
    held = np.bincount(wished["bank"], weights=(1 - share) * size, minlength=4)[:3]
    if partner is not None:
        assert np.all(held <= partner * start.tier1_capital[:3] * (1 + 1e-9) + 1e-9)
    if total is not None:
        assert np.all(held <= total * start.loans[:3] * (1 + 1e-9) + 1e-9)
    in_transit = claims(after).sum() - claims(start).sum() - funded * share * size.sum()
    lent = after.holdings.sum() + in_transit
    assert lent == pytest.approx(size.sum(), rel=1e-9, abs=1e-6)  # every yuan lent is on somebody's books once
    assert np.all(after.holdings.sum(axis=1) <= after.external_assets - start.external_assets + 1e-9 * scale)


def test_a_first_loss_and_a_fee_pass_between_bank_and_platform():
    """Of 100 lent, 70 by the bank: the platform bears its losses up to 7, and has 0.7 a year for it."""
    limits = Limits(platform_share=0.3, first_loss=0.1, fee=0.01)
    after = apply(declared(), limits, loans((0, 3, 0, 100.0)), base())
    assert after.covers == (Cover(3, 0, 0, pytest.approx(70.0), limit=pytest.approx(7.0)),)
    np.testing.assert_allclose(after.income, [-0.7, 0.0, 0.0, 0.7])
    np.testing.assert_allclose(equity(after), equity(base()))


def test_the_year_that_is_expected():
    limits = Limits(platform_share=0.3, first_loss=0.1, fee=0.01)
    found = {(x.party, x.what): x.amount for x in value(declared(), limits, loans((0, 3, 0, 100.0)), base())}
    promised = 70.0 * vasicek_layer(0.03, 0.5, 0.1, limit=0.1)
    assert found == pytest.approx(
        {
            ("banks", "margin on their part"): 0.0,
            ("banks", "expected loss on their part"): -70.0 * 0.015,
            ("platforms", "margin on their part"): 0.0,
            ("platforms", "expected loss on their part"): -30.0 * 0.015,
            ("banks", "fees"): -0.7,
            ("platforms", "fees"): 0.7,
            ("banks", "first loss promised by platforms"): promised,
            ("platforms", "first loss promised to banks"): -promised,
        }
    )
    assert sum(found.values()) == pytest.approx(-1.5)


def test_figures_that_rules_limit():
    wished = loans((0, 3, 0, 100.0), (0, 3, 1, 50.0), (2, 3, 1, 0.0))
    found = {
        (f.quantity, f.who, f.against): f.value for f in facts(declared(), Limits(platform_share=0.3), wished, base())
    }
    assert found == pytest.approx(
        {
            ("partner-contribution-share", "h", "p"): 0.3,
            ("joint-loans-with-one-partner-over-tier1", "h", "p"): 105.0 / 80.0,
            ("joint-loans-over-total-loans", "h", ""): 105.0 / 600.0,
            ("joint-loans-outside-home-region", "h", ""): 35.0,
        }
    )


def test_lifting_the_limits_leaves_the_terms():
    limits = Limits(platform_share=0.3, partner_cap=0.1, total_cap=0.2, home_region_only=True, fee=0.02)
    assert unlimited(declared(), limits) == Limits(platform_share=0.3, fee=0.02)
