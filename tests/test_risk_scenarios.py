from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poundlock.reading import Declared
from poundlock.risk.scenarios import BLOCK, FactorShares, ScenarioModel, draw_blocks, drivers, shock
from poundlock.risk.tolerances import simulate, statistic
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, Scope
from poundlock.system import AssetClass, synthetic_system

MODEL = ScenarioModel(
    count=60_000,
    seed=4,
    volatility={"bank": 0.05},
    institutions=FactorShares(common=0.3, region=0.2),
    pools=FactorShares(common=0.5, region=0.5),
    valuation="clearing",
)
POOLS = (AssetClass("a", "ZZ", "x", 0.03, 0.5, 0.15, 0.0), AssetClass("b", "Y", "x", 0.05, 0.6, 0.2, 0.01))


def draws(model: ScenarioModel = MODEL):
    system = replace(
        synthetic_system(4, 2), asset_classes=POOLS, holdings=np.full((4, 2), 0.1), regions=("ZZ", "ZZ", "Y", "Y")
    )
    blocks = list(draw_blocks(drivers(system, model), model))
    return system, np.concatenate([b[0] for b in blocks]), np.concatenate([b[1] for b in blocks])


def test_declared_moments_are_drawn():
    _, assets, pools = draws()
    values = np.log(1.0 - assets)
    np.testing.assert_allclose(assets.mean(axis=0), 0.0, atol=4 * 0.05 / np.sqrt(60_000))
    np.testing.assert_allclose(values.std(axis=0), 0.05, rtol=0.02)
    correlation = np.corrcoef(values.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.02)  # same region
    assert correlation[0, 2] == pytest.approx(0.3, abs=0.02)  # common only
    np.testing.assert_allclose(pools.mean(axis=0), [0.03 * 0.5, 0.05 * 0.6 - 0.01], rtol=0.03)


def test_pool_tail_is_vasicek():
    """Vasicek 2002, Risk 15(12): the q-quantile of the default share is N((N^-1(p) + sqrt(r) N^-1(q)) / sqrt(1 - r))."""
    from scipy.stats import norm

    _, _, pools = draws()
    expected = 0.5 * norm.cdf((norm.ppf(0.03) + np.sqrt(0.15) * norm.ppf(0.99)) / np.sqrt(0.85))
    assert np.quantile(pools[:, 0], 0.99) == pytest.approx(expected, rel=0.03)


def test_pools_and_institutions_of_a_region_fall_together():
    _, assets, pools = draws()
    assert np.corrcoef(assets[:, 0], pools[:, 0])[0, 1] > 0.3


def test_more_scenarios_begin_with_the_same_ones():
    _, few, few_pools = draws(MODEL.model_copy(update={"count": BLOCK + 100}))
    _, many, many_pools = draws(MODEL.model_copy(update={"count": 3 * BLOCK}))
    np.testing.assert_array_equal(few, many[: BLOCK + 100])
    np.testing.assert_array_equal(few_pools, many_pools[: BLOCK + 100])


def test_the_shock_is_money_and_counts_holdings_once():
    system, assets, pools = draws()
    lost = shock(system, assets[:5], pools[:5])
    expected = (system.external_assets - 0.2) * assets[:5] + 0.1 * pools[:5].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(lost, expected)


def test_statistics_of_a_simulation_against_a_direct_count():
    system = synthetic_system(30, 4, seed=1, equity_share=0.05)
    model = MODEL.model_copy(update={"count": 6_000})
    from poundlock.contagion import clear

    some = Scope(regions=("ZZ",))
    outcome = simulate(system, model, [Scope(), some])
    lost, failed = [], []
    for assets, pools in draw_blocks(drivers(system, model), model):
        result = clear(system, shock(system, assets, pools))
        lost.append(result.equity_lost.sum(axis=1))
        failed.append(result.default.sum(axis=1))
    share = np.concatenate(lost) / outcome.equity[0]
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)
    count = EventProbability(
        id="c", label="c", statistic="failure-probability", failures_at_least=2, at_most=0.5, scope=some
    )
    assert statistic(tail, outcome).value == pytest.approx(np.sort(share)[-60:].mean())
    assert statistic(count, outcome).value == pytest.approx(np.mean(np.concatenate(failed) >= 2))


def test_an_added_statistic_needs_a_comparison():
    outcome = simulate(synthetic_system(5, 2), MODEL.model_copy(update={"count": 5_000}), [Scope()])
    added = ExpectedShortfall(
        id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5, added_by_measures=True
    )
    with pytest.raises(ValueError, match="no run without"):
        statistic(added, outcome)


def test_declarations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"add up to 1\.2"):
        FactorShares(common=0.7, region=0.5)
    with pytest.raises(ValueError, match="no factor at all"):
        ScenarioModel(**{**MODEL.model_dump(), "institutions": MODEL.institutions, "pools": FactorShares(common=0.0)})
    assert issubclass(ScenarioModel, Declared)
