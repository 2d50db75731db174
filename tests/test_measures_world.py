"""One small world for the tests of measures: seven institutions, two pools, a measure of each kind on them; and what all kinds promise."""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy.sparse import csr_array

from poundlock.contagion import Propagation, prepare
from poundlock.measures import AnyMeasure, Deals, Moment, Reading, apply, facts, granted, opened, read, unlimited, value
from poundlock.risk.scenarios import EMPTY, Shocks
from poundlock.risk.tolerances import spread_of
from poundlock.system import AssetClass, Layer, System, equity, system_from_arrays

DAY = dt.date(2024, 1, 1)
BANK_A, BANK_B, PLATFORM, INVESTOR, INSURER, REINSURER, SUBSIDIARY = range(7)
IDS = ("bank-a", "bank-b", "platform", "investor", "insurer", "reinsurer", "subsidiary")
ALL = "institution,joined,withdrawn\n" + "".join(f"{name},2020-01-01,\n" for name in IDS)
NAN = np.nan


def world() -> System:
    """Equity 100, 50, 30, 40, 60, 80, 20; bank-a lends 50 to the platform and 20 to bank-b."""
    funding, interbank = np.zeros((7, 7)), np.zeros((7, 7))
    funding[BANK_A, PLATFORM], interbank[BANK_A, BANK_B] = 50.0, 20.0
    return system_from_arrays(
        [Layer("platform funding", csr_array(funding)), Layer("interbank", csr_array(interbank))],
        [1000.0, 500.0, 200.0, 100.0, 200.0, 300.0, 80.0],
        [970.0, 430.0, 120.0, 60.0, 140.0, 220.0, 60.0],
        holdings=[[30.0, 0.0], [0.0, 20.0], *[[0.0, 0.0]] * 5],
        asset_classes=(
            AssetClass("firms-a", "A", "tech", 0.04, 0.5, 0.15, 0.02),
            AssetClass("firms-b", "B", "tech", 0.06, 0.4, 0.20, 0.03),
        ),
        names=IDS,
        kinds=("bank", "bank", "platform", "investor", "insurer", "insurer", "investor"),
        regions=("A", "B", "A", "A", "A", "N", "A"),
        safe_assets=[100.0, 50.0, 20.0, 60.0, 50.0, 100.0, 30.0],
        tier1_capital=[90.0, 45.0, NAN, NAN, NAN, NAN, 20.0],
        loans=[600.0, 300.0, NAN, NAN, NAN, NAN, NAN],
    )


MAKE: TypeAdapter[Any] = TypeAdapter(AnyMeasure)
EQUITY = {"volatility": 0.5, "expected_return": 0.05, "correlation": 0.4}
DECLARED: dict[str, dict[str, Any]] = {
    "joint-lending": {
        "loans": "t.csv",
        "platform_funded_by_banks": 0.4,
        "days_in_transit": 5,
        "local_kinds": ("bank",),
        "today": {"platform_share": 0.3, "partner_cap": 0.5, "first_loss": 0.05, "fee": 0.01},
    },
    "loan-with-investment": {
        "loans": "t.csv",
        "equity": EQUITY,
        "today": {
            "investment_per_loan": 0.4,
            "warrant_share": 0.3,
            "strike": 1.1,
            "investor_debt": 0.5,
            "debt_from_bank": 0.6,
            "bank_cap": 0.8,
        },
    },
    "group-linkage": {
        "deals": "t.csv",
        "equity": EQUITY,
        "today": {"own_funds_only": False, "single_firm_cap": 0.2, "group_cap": 0.9, "support": 0.2},
    },
    "pledged-loans": {
        "loans": "t.csv",
        "today": {
            "cover_share": 0.8,
            "deductible": 0.01,
            "limit": 0.3,
            "premium_rate": 0.02,
            "premium_subsidy": 0.5,
            "insurer_cap": 2.0,
            "reinsured": 0.3,
        },
    },
    "equipment-insurance": {
        "policies": "t.csv",
        "claims": {"frequency": 0.05, "severity": 0.4, "spread": 1.2, "correlation": 0.1},
        "today": {
            "cover_share": 0.9,
            "deductible": 0.05,
            "limit": 0.8,
            "premium_rate": 0.03,
            "premium_subsidy": 0.8,
            "insurer_cap": 5.0,
            "reinsured": 0.4,
        },
    },
    "payment-service": {
        "service": "t.csv",
        "runnable": 0.3,
        "today": {"reserve_cover": 0.5, "settlement_days": 2.0, "fee": 0.001},
    },
    "custom": {"exposures": "e.csv", "holdings": "h.csv", "dependences": "d.csv", "pools": "p.csv", "today": {}},
}
TABLES: dict[str, dict[str, str]] = {
    "joint-lending": {
        "t.csv": "bank,platform,pool,amount\nbank-a,platform,firms-a,40\nbank-a,platform,firms-b,30\nbank-b,platform,firms-b,20\n"
    },
    "loan-with-investment": {
        "t.csv": "bank,investor,pool,amount\nbank-a,investor,firms-a,50\nbank-b,investor,firms-b,25\n"
    },
    "group-linkage": {
        "t.csv": "bank,subsidiary,pool,amount,form,subsidiary_amount,largest_firm\n"
        "bank-a,subsidiary,firms-a,50,equity,20,0.3\nbank-a,subsidiary,firms-b,40,lease,25,0.1\n"
    },
    "pledged-loans": {
        "t.csv": "bank,insurer,pool,amount,reinsurer\nbank-a,insurer,firms-a,90,reinsurer\nbank-b,insurer,firms-b,60,reinsurer\n"
    },
    "equipment-insurance": {
        "t.csv": "insurer,region,sector,amount,policies,reinsurer\ninsurer,A,tech,100,20,reinsurer\ninsurer,B,tech,150,12,reinsurer\n"
    },
    "payment-service": {
        "t.csv": "bank,platform,amount,daily_flow,daily_margin\nbank-a,platform,60,4,0.5\nbank-b,platform,30,2,0.4\n"
    },
    "custom": {
        "e.csv": "layer,creditor,debtor,amount\nnew lending,bank-a,investor,15\ninterbank,bank-b,bank-a,10\n",
        "h.csv": "institution,pool,amount\nbank-a,firms-a,20\nplatform,firms-c,10\n",
        "d.csv": "dependent,provider,amount,daily_flow\nbank-b,platform,0.3,5\n",
        "p.csv": "id,region,sector,default_probability,loss_given_default,correlation,net_margin\nfirms-c,A,new,0.1,0.6,0.3,0.04\n",
    },
}
KINDS = tuple(DECLARED)


def declared(kind: str, today: dict[str, Any] | None = None, **changes: Any) -> Any:
    """A measure of a kind with the world's settings, but for changes of its terms and of its other keys."""
    parts = DECLARED[kind] | changes
    terms = DECLARED[kind]["today"] | (today or {})
    return MAKE.validate_python({"kind": kind, "id": kind, "consents": "c.csv", **parts, "today": terms})


def dealt(
    measure: Any,
    tables: dict[str, str] | None = None,
    *,
    consents: str = ALL,
    at: Moment | None = None,
    system: System | None = None,
) -> Deals:
    """The measure's business, read from tables."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**(tables or TABLES[measure.kind]), "c.csv": consents}.items():
            (Path(folder) / name).write_text(text, encoding="utf-8")
        problems: list[Any] = []
        asked = Reading(Path(folder), system or world(), at or Moment(DAY), lambda *_: ("plan.yaml", 1))
        found = read(asked, measure, problems)
    assert not problems, [str(p) for p in problems]
    assert found is not None
    return found


def booked(kind: str, tables: str | None = None, today: dict[str, Any] | None = None, **changes: Any) -> Any:
    """Measure, deals, the opened world, and the world with the measure on its books."""
    measure = declared(kind, today, **changes)
    deals = dealt(measure, None if tables is None else {"t.csv": tables})
    before = opened(measure, deals, world())
    return measure, deals, before, apply(measure, measure.today, deals, before)


def books(system: System) -> dict[str, Any]:
    """Every amount on balance sheets and off them, dense, by name."""
    n = len(system)
    nothing = csr_array((n, n), dtype=np.float64)
    depends = system.dependences
    found = {
        name: getattr(system, name)
        for name in ("external_assets", "external_liabilities", "holdings", "safe_assets", "tier1_capital", "loans")
    }
    for name, shape in (("income", n), ("runnable", n), ("commitments", (n, len(system.asset_classes)))):
        known = getattr(system, name)
        found[name] = np.zeros(shape) if known is None else known
    found |= {f"layer {layer.name}": layer.amounts.toarray() for layer in system.layers}
    found["margin"] = (nothing if depends is None else depends.daily_margin).toarray()
    found["flow"] = (nothing if depends is None else depends.daily_flow).toarray()
    return found


def differences(after: System, before: System) -> list[str]:
    """Names of what is not the same to the last bit, promises included."""
    a, b = books(after), books(before)
    found = [name for name in a.keys() | b.keys() if name not in b or not np.array_equal(a[name], b[name], True)]
    found += ["covers"] if after.covers != before.covers else []
    return found + (["guarantees"] if after.guarantees != before.guarantees else [])


def layer(system: System, name: str) -> np.ndarray:
    """A layer, dense."""
    return next(one.amounts.toarray() for one in system.layers if one.name == name)


def a_year(
    system: System,
    pools: dict[str, float] | None = None,
    others: dict[int, float] | None = None,
    outages: dict[int, float] | None = None,
) -> Propagation:
    """One scenario, by clearing. pools: share of asset classes that is lost before margin; others: share that institutions lose of what they hold
    besides; outages: days."""
    classes, n = system.asset_classes, len(system)
    lost, own, days = np.zeros((1, len(classes))), np.zeros((1, n)), np.zeros((1, n))
    for k, one in enumerate(classes):
        lost[0, k] = (pools or {}).get(one.id, 0.0) - one.net_margin
    for i, x in (others or {}).items():
        own[0, i] = x
    for i, x in (outages or {}).items():
        days[0, i] = x
    block = Shocks(own, lost, days if outages else EMPTY, EMPTY, np.ones(1), np.zeros((1, 1)), 0, 0)
    return spread_of(prepare(system, valuation="clearing"), block)


def lines(measure: Any, deals: Deals, system: System) -> dict[tuple[str, str], float]:
    """Lines of the expected year by party and words."""
    return {(line.party, line.what): line.amount for line in value(measure, measure.today, deals, system)}


def figures(measure: Any, deals: Deals, system: System) -> dict[tuple[str, str, str], float]:
    """Facts by quantity, who and against whom."""
    return {(f.quantity, f.who, f.against): f.value for f in facts(measure, measure.today, deals, system)}


def test_the_world_adds_up():
    np.testing.assert_allclose(equity(world()), [100.0, 50.0, 30.0, 40.0, 60.0, 80.0, 20.0])


@pytest.mark.parametrize("kind", KINDS)
def test_equity_of_nobody_changes_on_the_first_day(kind: str):
    _, _, before, after = booked(kind)
    np.testing.assert_allclose(equity(after), equity(before), atol=1e-9)
    assert differences(after, before), "something is on the books"


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_wished_for_is_nothing_changed(kind: str):
    measure, deals, before, _ = booked(kind)
    assert differences(apply(measure, measure.today, deals.scaled(0.0), before), before) == []


@pytest.mark.parametrize("kind", KINDS)
def test_opening_a_measure_changes_no_books(kind: str):
    measure = declared(kind)
    after, before = opened(measure, dealt(measure), world()), world()
    k = len(before.asset_classes)
    assert after.asset_classes[:k] == before.asset_classes
    assert not after.holdings[:, k:].any()
    same = replace(after, asset_classes=before.asset_classes, holdings=after.holdings[:, :k])
    assert differences(same, before) == []


@pytest.mark.parametrize("kind", KINDS)
def test_caps_never_grant_more_than_is_there_and_lifting_them_never_less(kind: str):
    measure, deals, before, _ = booked(kind)
    capped = granted(measure, measure.today, deals, before)
    free = granted(measure, unlimited(measure, measure.today), deals, before)
    assert np.all(capped >= 0.0)
    assert np.all(capped <= free + 1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_measure_is_applied_twice_as_large_by_two_halves(kind: str):
    """Without caps and with enough cash; the halves add up to the whole on every book."""
    measure, deals, before, _ = booked(kind)
    terms = unlimited(measure, measure.today)
    half = deals.scaled(0.05)
    twice = apply(measure, terms, half, apply(measure, terms, half, before))
    once = apply(measure, terms, deals.scaled(0.1), before)
    a, b = books(twice), books(once)
    if kind == "joint-lending":  # what is lent to the platform spreads as it does already
        assert a.keys() == b.keys()
    for name in b:
        np.testing.assert_allclose(a[name], b[name], atol=1e-9, err_msg=name)
