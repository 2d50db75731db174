"""What must hold for every measure whatever its terms: nothing is lost to nobody, nobody is touched without consent, what is nought does nothing."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from poundlock.contagion import prepare
from poundlock.measures import Deals, apply, opened
from poundlock.risk.bearers import OUTSIDE, borne
from poundlock.risk.scenarios import FactorShares, Outages, ScenarioModel, Shocks, draw_blocks, drivers, rows_of
from poundlock.risk.tolerances import spread_of
from poundlock.system import System, equity
from test_measures_world import (
    ALL,
    BANK_A,
    BANK_B,
    DAY,
    DECLARED,
    IDS,
    INSURER,
    KINDS,
    PLATFORM,
    REINSURER,
    SUBSIDIARY,
    TABLES,
    books,
    dealt,
    declared,
    differences,
    world,
)

SCENARIOS = 200
BAD_YEARS = ScenarioModel(
    count=1_000,
    seed=3,
    volatility={"bank": 0.15, "platform": 0.4, "investor": 0.5, "insurer": 0.4},
    institutions=FactorShares(common=0.4, region=0.2),
    outages=(Outages(kinds=("platform",), per_year=2.0, mean_days=10.0),),
    valuation="clearing",
)  # harsh: half of the years see somebody fail
share, part = st.floats(0.0, 1.0), st.one_of(st.none(), st.floats(0.0, 2.0))
TERMS: dict[str, dict[str, Any]] = {
    "joint-lending": {
        "platform_share": share,
        "partner_cap": part,
        "total_cap": part,
        "home_region_only": st.booleans(),
        "first_loss": share,
        "fee": st.floats(0.0, 0.1),
    },
    "loan-with-investment": {
        "investment_per_loan": st.floats(0.0, 2.0),
        "warrant_share": share,
        "strike": st.floats(1.0, 2.0),
        "investor_debt": share,
        "debt_from_bank": share,
        "bank_cap": part,
    },
    "group-linkage": {
        "own_funds_only": st.booleans(),
        "single_firm_cap": part,
        "group_cap": part,
        "support": st.floats(0.0, 1.0),
    },
    "pledged-loans": {
        "cover_share": share,
        "deductible": st.floats(0.0, 0.2),
        "limit": part,
        "premium_rate": st.floats(0.0, 0.2),
        "premium_subsidy": share,
        "insurer_cap": part,
        "reinsured": share,
    },
    "equipment-insurance": {
        "cover_share": share,
        "deductible": st.floats(0.0, 0.2),
        "limit": part,
        "premium_rate": st.floats(0.0, 0.2),
        "premium_subsidy": share,
        "insurer_cap": part,
        "reinsured": share,
    },
    "payment-service": {"reserve_cover": share, "settlement_days": st.floats(0.0, 30.0), "fee": st.floats(0.0, 0.01)},
    "custom": {"size": share},
}
sized = st.floats(0.0, 5.0)


def years(system: System, seed: int = 3) -> Shocks:
    model = BAD_YEARS.model_copy(update={"seed": seed})
    return rows_of(next(iter(draw_blocks(drivers(system, model), model))), slice(0, SCENARIOS))


def parts(system: System, block: Shocks) -> Any:
    return borne(spread_of(prepare(system, valuation="clearing"), block))


def adds_up(system: System, block: Shocks) -> None:
    found = parts(system, block)
    scale = 1.0 + np.abs(found.total) + np.abs(found.loss).sum(axis=1)
    np.testing.assert_array_less(np.abs(found.loss.sum(axis=1) - found.total), 1e-9 * scale)
    assert np.all(found.loss[:, found.parties.index(OUTSIDE)] >= 0.0)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_lost_is_borne_by_somebody(kind: str, data):
    terms = {name: data.draw(one, name) for name, one in TERMS[kind].items()}
    measure = declared(kind, terms)
    deals = dealt(measure).scaled(data.draw(sized, "size"))
    before = opened(measure, deals, world())
    adds_up(apply(measure, measure.today, deals, before), years(before, data.draw(st.integers(0, 1000), "seed")))


def all_at_once(seed: int = 3) -> tuple[System, System]:
    """Without any measure, and with one of each kind."""
    measures = [declared(kind) for kind in KINDS]
    base = world()
    found = []
    for measure in measures:
        deals = dealt(measure, system=base)
        base = opened(measure, deals, base)
        found.append((measure, deals))
    after = base
    for measure, deals in found:
        after = apply(measure, measure.today, deals, after)
    return base, after


def test_what_is_lost_under_all_measures_at_once_is_borne_by_somebody():
    base, after = all_at_once()
    block = years(base)
    adds_up(after, block)
    assert np.mean(parts(after, block).loss[:, -1] > 0.0) > 0.05, "years in which creditors outside lose"


@settings(max_examples=15, deadline=None)
@given(st.sets(st.sampled_from(IDS), min_size=1, max_size=6), st.sampled_from(KINDS))
def test_without_consent_nobody_is_touched(absent: set[str], kind: str):
    consents = "institution,joined,withdrawn\n" + "".join(f"{name},2020-01-01,\n" for name in IDS if name not in absent)
    measure = declared(kind)
    deals = dealt(measure, consents=consents)
    before = opened(measure, deals, world())
    after = apply(measure, measure.today, deals, before)
    a, b = books(after), books(before)
    numbers = {IDS.index(name) for name in absent}
    for i in numbers:
        for name, now in a.items():
            then = b.get(name, np.zeros_like(now))
            np.testing.assert_array_equal(now[i], then[i], f"{name} of {IDS[i]}")
            if now.shape == (len(IDS), len(IDS)) and name not in ("holdings", "commitments"):
                np.testing.assert_array_equal(now[:, i], then[:, i], f"{name} on {IDS[i]}")
    assert not [c for c in after.covers if {c.payer, c.payee} & numbers]
    assert not [g for g in after.guarantees if {g.guarantor, g.beneficiary} & numbers]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "consents",
    [
        "institution,joined,withdrawn\n" + "".join(f"{name},2030-01-01,\n" for name in IDS),  # not yet
        "institution,joined,withdrawn\n" + "".join(f"{name},0001-01-01,0101-01-01\n" for name in IDS),  # long gone
    ],
)
def test_a_measure_that_nobody_is_in_is_no_measure(kind: str, consents: str):
    measure = declared(kind)
    deals = dealt(measure, consents=consents)
    before = opened(measure, deals, world())
    assert differences(apply(measure, measure.today, deals, before), before) == []


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_size_nought_is_no_change_whatever_the_terms(kind: str, data):
    terms = {name: data.draw(one, name) for name, one in TERMS[kind].items()}
    measure = declared(kind, terms)
    deals = dealt(measure)
    before = opened(measure, deals, world())
    after = apply(measure, measure.today, deals.scaled(0.0), before)
    assert differences(after, before) == []
    block = rows_of(years(before), slice(0, 50))
    np.testing.assert_array_equal(parts(after, block).loss, parts(before, block).loss)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_withdraws_runs_off_towards_the_system_without_it(kind: str):
    """After 25 average lives nothing that could be measured is left."""
    measure = declared(kind)
    gone = "institution,joined,withdrawn\n" + "".join(f"{name},1990-01-01,1999-01-01\n" for name in IDS)
    deals = dealt(measure, consents=gone)
    before = opened(measure, deals, world())
    after = apply(measure, measure.today, deals, before)
    a, b = books(after), books(before)
    for name, now in a.items():
        np.testing.assert_allclose(now, b.get(name, np.zeros_like(now)), atol=1e-6)
    block = years(before)
    np.testing.assert_allclose(parts(after, block).loss, parts(before, block).loss, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(sized, share, st.floats(0.0, 30.0))
def test_a_platform_that_puts_up_everything_leaves_the_bank_nothing(size: float, first: float, days: float):
    terms = {"platform_share": 1.0, "first_loss": first}
    measure = declared("joint-lending", terms, platform_funded_by_banks=0.0, days_in_transit=days)
    deals = dealt(measure).scaled(size)
    before = world()
    after = apply(measure, measure.today, deals, before)
    banks = [BANK_A, BANK_B]
    for name, now in books(after).items():
        then = books(before).get(name, np.zeros_like(now))
        np.testing.assert_array_equal(now[banks], then[banks], name)
    np.testing.assert_allclose(after.holdings[PLATFORM].sum(), deals.amount.sum())
    assert after.covers == ()


def safe_insurer(system: System) -> System:
    """Both insurers with more cash than anybody could claim."""
    more = np.zeros(len(system))
    more[[INSURER, REINSURER]] = 1e6
    return replace(system, external_assets=system.external_assets + more, safe_assets=system.safe_assets + more)


@settings(max_examples=25, deadline=None)
@given(sized, share, st.floats(0.0, 0.2), st.integers(0, 1000))
def test_full_cover_by_a_safe_insurer_leaves_the_bank_no_loss_of_the_pool(size, reinsured, premium, seed):
    terms = {
        "cover_share": 1.0,
        "deductible": 0.0,
        "limit": None,
        "insurer_cap": None,
        "reinsured": reinsured,
        "premium_rate": premium,
        "premium_subsidy": 0.0,
    }
    measure = declared("pledged-loans", terms)
    deals, before = dealt(measure).scaled(size), safe_insurer(world())
    after = apply(measure, measure.today, deals, before)
    block = years(before, seed)
    margins = np.array([before.asset_classes[k].net_margin for k in deals.pool])
    earned = np.bincount(deals["bank"], deals.amount * (margins - premium), minlength=len(before))
    a, b = (spread_of(prepare(s, valuation="clearing"), block) for s in (after, before))
    lost = a.direct_loss + a.loss_by_channel["guarantees"] - b.direct_loss  # on the loans, less what the insurer pays
    np.testing.assert_allclose(
        lost[:, [BANK_A, BANK_B]], np.broadcast_to(-earned[[BANK_A, BANK_B]], (SCENARIOS, 2)), atol=1e-8
    )
    assert not a.default[:, INSURER].any()


MONEY = ("subsidiary_amount", "daily_flow", "daily_margin", "flow")
AMOUNTS = ("external_assets", "external_liabilities", "holdings", "safe_assets", "tier1_capital", "loans")


def in_another_unit(system: System, c: float) -> System:
    layers = tuple(replace(one, amounts=csr_array(one.amounts * c)) for one in system.layers)
    return replace(system, layers=layers, **{name: c * getattr(system, name) for name in AMOUNTS})


def deals_in_another_unit(deals: Deals, c: float) -> Deals:
    more = {name: column * c if name in MONEY else column for name, column in deals.more.items()}
    return replace(deals, wished=c * deals.wished, more=more)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [1e-6, 0.01, 7.25, 1e6])
def test_another_unit_of_money_changes_no_share(kind: str, c: float):
    measure = declared(kind)
    deals = dealt(measure)
    before = opened(measure, deals, world())
    block = years(before)
    plain = parts(apply(measure, measure.today, deals, before), block)
    there = in_another_unit(before, c)
    scaled = parts(apply(measure, measure.today, deals_in_another_unit(deals, c), there), block)
    np.testing.assert_allclose(scaled.loss, c * plain.loss, rtol=1e-8, atol=1e-7 * c)
    np.testing.assert_allclose(scaled.share, plain.share, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_equity_of_nobody_changes_on_the_first_day_whatever_the_terms(kind: str, data):
    terms = {name: data.draw(one, name) for name, one in TERMS[kind].items()}
    measure = declared(kind, terms)
    deals = dealt(measure).scaled(data.draw(sized, "size"))
    before = opened(measure, deals, world())
    after = apply(measure, measure.today, deals, before)
    np.testing.assert_allclose(equity(after), equity(before), atol=1e-9 * (1.0 + deals.amount.sum()))
    assert np.all(after.safe_assets >= -1e-9), "nobody pays with cash that is not there"


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4000), st.floats(1.0, 5000.0))
def test_what_is_left_after_a_withdrawal_is_an_exponential(days: int, life: float):
    gone = DAY - dt.timedelta(days=days)
    left = ALL.replace("bank-b,2020-01-01,", f"bank-b,2010-01-01,{gone}")
    measure = declared("joint-lending", average_life_days=life)
    deals = dealt(measure, consents=left)
    np.testing.assert_allclose(deals.amount, deals.wished * np.array([1.0, 1.0, np.exp(-days / life)]))
    assert not deals.joined[BANK_B]
    assert deals.joined[BANK_A]


def test_a_parent_that_supports_bears_what_its_subsidiary_lacks():
    """More support never makes the subsidiary's creditors worse off, nor the parent better."""
    outside, parent = [], []
    for support in (0.0, 0.1, 0.5):
        measure = declared("group-linkage", {"support": support})
        deals = dealt(measure)
        before = opened(measure, deals, world())
        after = apply(measure, measure.today, deals, before)
        found = spread_of(prepare(after, valuation="clearing"), years(before))
        outside.append(np.maximum(0.0, -found.equity[:, SUBSIDIARY]))
        parent.append(found.equity[:, BANK_A])
    assert np.all(outside[1] <= outside[0] + 1e-9)
    assert np.all(outside[2] <= outside[1] + 1e-9)
    assert np.all(parent[1] <= parent[0] + 1e-9)
    assert (outside[2].sum(), parent[2].sum()) < (outside[0].sum(), parent[0].sum())


def test_every_kind_is_here():
    assert set(TERMS) == set(DECLARED) == set(TABLES)
