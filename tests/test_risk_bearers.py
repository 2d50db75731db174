"""Who bears what is lost, on balance sheets small enough to work out by hand; and that nothing is borne twice or by nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, Funding, prepare, propagate
from poundlock.risk.bearers import OUTSIDE, Borne, borne, borne_by_all
from poundlock.risk.scenarios import FactorShares, ScenarioModel
from poundlock.system import AssetClass, Dependences, Guarantee, Layer, System, system_from_arrays
from poundlock.system.covers import Cover


def found(system: System, losses, **more) -> Borne:
    return borne(propagate(prepare(system, valuation="clearing"), losses, **more))


def borne_of(of: Borne, scenario: int = 0) -> dict[str, float]:
    return dict(zip(of.parties, of.loss[scenario].tolist(), strict=True))


def pair(rank: int = 1, external_rank: int = 1, **more) -> System:
    """A bank lends 40 to a fund, which owes 40 outside too; equity 20 and 20."""
    lent = csr_array(([40.0], ([0], [1])), shape=(2, 2))
    return system_from_arrays(
        [Layer("loans", lent, rank=rank)],
        [60.0, 100.0],
        [80.0, 40.0],
        kinds=("bank", "fund"),
        external_rank=external_rank,
        **more,
    )


def test_owners_lose_first_and_creditors_what_is_beyond():
    """50 lost by the fund: its owners 20; of the 30 missing each creditor half, the bank and those outside."""
    assert borne_of(found(pair(), [0.0, 50.0])) == pytest.approx({"bank": 15.0, "fund": 20.0, OUTSIDE: 15.0})


def test_a_bank_that_fails_with_its_debtor_passes_the_rest_on():
    """80 lost by the fund: 60 missing, 30 for the bank, which has 20: 10 for its depositors."""
    of = found(pair(), [0.0, 80.0])
    assert borne_of(of) == pytest.approx({"bank": 20.0, "fund": 20.0, OUTSIDE: 40.0})
    assert of.total[0] == pytest.approx(80.0)
    assert of.share[0] == pytest.approx(1.0)


def test_junior_creditors_lose_before_those_outside():
    assert borne_of(found(pair(rank=2), [0.0, 50.0]))["bank"] == pytest.approx(20.0)
    assert borne_of(found(pair(rank=2), [0.0, 50.0]))[OUTSIDE] == pytest.approx(10.0)
    assert borne_of(found(pair(external_rank=2), [0.0, 50.0])) == pytest.approx(
        {"bank": 0.0, "fund": 20.0, OUTSIDE: 30.0}
    )


def test_gains_are_borne_as_negative_losses():
    assert borne_of(found(pair(), [-5.0, -7.0])) == pytest.approx({"bank": -5.0, "fund": -7.0, OUTSIDE: 0.0})


def test_what_assets_cannot_be_below_nought_falls_on_creditors_outside():
    """The fund loses 150 of 100: all its creditors lose all, and 50 are owed by nobody in the system."""
    of = found(pair(), [0.0, 150.0])
    assert of.loss.sum() == pytest.approx(150.0)
    assert borne_of(of) == pytest.approx({"bank": 20.0, "fund": 20.0, OUTSIDE: 20.0 + 40.0 + 50.0})


def test_a_payee_under_a_cover_stands_beside_creditors_outside():
    """The fund owes the bank 40 and outside 40, and 60 fall due to the bank: 40 missing of 140."""
    pool = AssetClass("p", "", "", 0.1, 1.0, 0.1, 0.0)
    system = pair(asset_classes=(pool,), holdings=np.zeros((2, 1)), covers=(Cover(1, 0, 0, 60.0),))
    of = found(system, [40.0, 0.0], dues=[[60.0]])
    kept = 100.0 * 100.0 / 140.0  # what the bank gets of the 100 that it is owed
    assert borne_of(of) == pytest.approx({"bank": 40.0 - (kept - 40.0), "fund": 20.0, OUTSIDE: 40.0 * 40.0 / 140.0})
    assert of.loss.sum() == pytest.approx(40.0)


def test_outages_are_borne_and_unsettled_payments_are_the_payers_lack():
    """Five days without the fund cost the bank 5; 20 unsettled stand beside the fund's 80 of debts, and 20 are missing."""
    margin, flow = csr_array(([1.0], ([0], [1])), shape=(2, 2)), csr_array(([4.0], ([0], [1])), shape=(2, 2))
    system = pair(dependences=Dependences(margin, flow))
    of = found(system, [0.0, 40.0], outages=[[0.0, 5.0]])
    lost = 20.0 / 100.0
    assert borne_of(of) == pytest.approx({"bank": 5.0 + 60.0 * lost, "fund": 20.0, OUTSIDE: 40.0 * lost})
    assert of.total[0] == pytest.approx(45.0)


def test_equity_held_inside_is_borne_by_the_holder_alone():
    """The bank owns half of the fund's equity of 20; it bears half of what the fund's owners lose."""
    stake = csr_array(([10.0], ([0], [1])), shape=(2, 2))
    system = pair()
    system = replace(
        system, layers=(*system.layers, Layer("stakes", stake, kind="stake")), external_assets=np.array([50.0, 100.0])
    )
    of = found(system, [0.0, 10.0])
    assert of.total[0] == pytest.approx(10.0)
    assert borne_of(of) == pytest.approx({"bank": 5.0, "fund": 5.0, OUTSIDE: 0.0})


def test_support_comes_out_of_the_parents_equity():
    system = pair(guarantees=(Guarantee(0, 1, "shortfall", limit=12.0),))
    of = found(system, [0.0, 30.0])
    assert borne_of(of) == pytest.approx({"bank": 10.0, "fund": 20.0, OUTSIDE: 0.0})
    more = found(system, [0.0, 50.0])  # 30 missing, 12 made good, 18 shared by both creditors
    assert borne_of(more) == pytest.approx({"bank": 12.0 + 9.0 - 1.0, "fund": 20.0, OUTSIDE: 9.0 + 1.0})


@st.composite
def systems(draw):
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 8))
    layers, stakes = [], np.zeros((n, n))
    for rank in range(1, draw(st.integers(1, 3)) + 1):
        lent = random.lognormal(0, 1, (n, n)) * (random.random((n, n)) < 0.4)
        np.fill_diagonal(lent, 0.0)
        layers.append(Layer(f"rank {rank}", csr_array(lent), rank=rank))
    whole = sum(layer.amounts.toarray() for layer in layers)
    debts = len(layers)
    capital, outside = random.uniform(0.1, 3.0, n), random.uniform(0.0, 6.0, n)
    if draw(st.booleans()):
        stakes = np.triu(random.uniform(0, 0.9 / n, (n, n)), 1) * capital
        layers.append(Layer("stakes", csr_array(stakes), kind="stake"))
    assets = capital + outside + whole.sum(axis=0) - whole.sum(axis=1) - stakes.sum(axis=1)
    short = np.maximum(-assets, 0.0)
    pool = AssetClass("p", "", "", 0.1, 1.0, 0.1, 0.0)
    covers = tuple(
        Cover(int(i), int(j), 0, float(random.uniform(0, 4)), 0.8, rank=int(random.integers(1, debts + 1)))
        for i, j in random.permutation(n)[: 2 * (n // 2)].reshape(-1, 2)
    )
    guarantees = (Guarantee(0, n - 1, "shortfall", limit=2.0),) if draw(st.booleans()) else ()
    flows = csr_array(random.uniform(0, 1, (n, n)) * (1 - np.eye(n)) * (random.random((n, n)) < 0.3))
    system = system_from_arrays(
        layers,
        assets + short,
        outside + short,
        kinds=tuple(random.choice(["bank", "fund"], n)),
        external_rank=draw(st.integers(1, debts)),
        asset_classes=(pool,),
        holdings=np.zeros((n, 1)),
        covers=covers,
        guarantees=guarantees,
        dependences=Dependences(0.1 * flows, flows) if draw(st.booleans()) else None,
    )
    losses = random.uniform(-0.2, draw(st.floats(0.1, 1.5)), (20, n)) * (assets + short)
    dues = np.array([c.amount * c.share for c in covers]) * random.random((20, len(covers)))
    outages = random.exponential(5.0, (20, n)) * (random.random((20, n)) < 0.3)
    return system, losses, dues, outages


@settings(max_examples=200, deadline=None)
@given(systems())
def test_nothing_is_borne_twice_or_by_nobody(drawn):
    system, losses, dues, outages = drawn
    more = {"outages": outages} if system.dependences is not None else {}
    of = found(system, losses, dues=dues, **more)
    scale = 1.0 + np.abs(of.loss).sum(axis=1) + np.abs(losses).sum(axis=1)
    np.testing.assert_array_less(np.abs(of.loss.sum(axis=1) - of.total), 1e-9 * scale)
    assert np.all(of.loss[:, -1] >= 0.0)
    assert np.all((of.share >= 0.0) & (of.share <= 1.0 + 1e-12))


def test_price_falls_are_borne_by_those_who_hold():
    system = system_from_arrays(
        np.zeros((2, 2)), [100.0, 100.0], [90.0, 60.0], holdings=[[40.0], [40.0]], depth=[200.0], kinds=("bank", "fund")
    )
    result = propagate(
        prepare(system, valuation="clearing", sales=FireSales("target")), [[5.0, 0.0], [12.0, 0.0], [60.0, 0.0]]
    )
    of = borne(result)
    np.testing.assert_allclose(of.loss.sum(axis=1), of.total, rtol=1e-9)
    assert np.all(of.total > [5.0, 12.0, 60.0])
    assert of.loss[0, 1] > 0.0, "the fund did not fail, but what it holds fell in price"


def test_a_run_changes_nothing_of_the_sums():
    lent = csr_array(([20.0], ([1], [0])), shape=(2, 2))
    system = system_from_arrays(
        [Layer("loans", lent)],
        [100.0, 80.0],
        [70.0, 60.0],
        holdings=[[60.0], [0.0]],
        depth=[150.0],
        kinds=("bank", "fund"),
        safe_assets=[10.0, 0.0],
        runnable=[50.0, 0.0],
    )
    made = prepare(system, valuation="clearing", sales=FireSales("calls"), funding=Funding(withdrawn=0.0))
    of = borne(propagate(made, [[0.0, 0.0], [30.0, 0.0]], runs=[[0.5, 0.0], [0.8, 0.0]]))
    np.testing.assert_allclose(of.loss.sum(axis=1), of.total, rtol=1e-9, atol=1e-9)


def test_versions_of_one_system_meet_the_same_years():
    pool = AssetClass("p", "", "", 0.1, 0.6, 0.2, 0.01)
    plain = pair(asset_classes=(pool,), holdings=[[10.0], [0.0]])
    model = ScenarioModel(
        count=3_000, seed=5, volatility={"bank": 0.2, "fund": 0.3}, institutions=FactorShares(common=0.5), valuation="clearing"
    )  # fmt: skip
    seen: list[np.ndarray] = []
    steps: list[int] = []
    both = borne_by_all(
        {"plain": plain, "again": plain, "covered": replace(plain, covers=(Cover(1, 0, 0, 10.0),))},
        model,
        {},
        look=seen.append,
        progress=steps.append,
    )
    np.testing.assert_array_equal(both["plain"].loss, both["again"].loss)
    lost = np.concatenate(seen)[:, 0]
    assert len(lost) == sum(steps) == 3_000
    assert lost.min() >= 0.0, "before margin"
    assert lost.mean() == pytest.approx(0.06, rel=0.1)
    np.testing.assert_allclose(both["covered"].loss.sum(axis=1), both["plain"].loss.sum(axis=1), atol=1e-9)
    assert both["covered"].loss[:, 0].mean() < both["plain"].loss[:, 0].mean()
