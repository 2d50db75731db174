from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.reading import Declared
from poundlock.risk.draws import BLOCK
from poundlock.risk.scenarios import (
    Correlated,
    FactorShares,
    Outages,
    Runs,
    ScenarioModel,
    clashing_pair,
    draw_blocks,
    drivers,
    root_of,
    shock,
)
from poundlock.risk.tilting import shifts_for
from poundlock.risk.tolerances import simulate, statistic
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, LossProbability, Scope
from poundlock.system import AssetClass, Dependences, synthetic_system

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
    lost, failed = [], []
    for block in draw_blocks(drivers(system, model), model):
        result = clear(system, shock(system, block.asset_loss, block.pool_loss))
        lost.append(result.equity_lost.sum(axis=1))
        failed.append(result.default.sum(axis=1))
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)
    count = EventProbability(
        id="c", label="c", statistic="failure-probability", failures_at_least=2, at_most=0.5, scope=some
    )
    outcome = simulate(system, model, [tail, count])
    share = np.concatenate(lost) / outcome.equity[0]
    assert statistic(tail, outcome).value == pytest.approx(np.sort(share)[-60:].mean())
    assert statistic(count, outcome).value == pytest.approx(np.mean(np.concatenate(failed) >= 2))


def test_an_added_statistic_needs_a_comparison():
    added = ExpectedShortfall(
        id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5, added_by_measures=True
    )
    outcome = simulate(synthetic_system(5, 2), MODEL.model_copy(update={"count": 5_000}), [added])
    with pytest.raises(ValueError, match="no run without"):
        statistic(added, outcome)


def test_declarations_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"add up to 1\.2"):
        FactorShares(common=0.7, region=0.5)
    with pytest.raises(ValueError, match="no factor at all"):
        ScenarioModel(**{**MODEL.model_dump(), "institutions": MODEL.institutions, "pools": FactorShares(common=0.0)})
    assert issubclass(ScenarioModel, Declared)


def test_a_t_copula_keeps_every_marginal_and_adds_falls_together():
    gauss, heavy = (draws(MODEL.model_copy(update={"degrees_of_freedom": degrees}))[1:] for degrees in (None, 3.0))
    for (assets, pools), (more_assets, more_pools) in ((gauss, heavy),):
        for q in (0.01, 0.5, 0.99):
            np.testing.assert_allclose(np.quantile(more_assets, q, axis=0), np.quantile(assets, q, axis=0), atol=0.005)
        np.testing.assert_allclose(more_pools.mean(axis=0), pools.mean(axis=0), atol=1e-3)

        def together(x, y):
            return np.mean((x > np.quantile(x, 0.99)) & (y > np.quantile(y, 0.99))) / 0.01

        assert together(more_assets[:, 0], more_assets[:, 2]) > 0.2 > 2 * together(assets[:, 0], assets[:, 2])


def test_outages_and_runs_come_as_often_and_last_as_long_as_declared():
    model = MODEL.model_copy(
        update={
            "outages": (Outages(kinds=("bank",), per_year=0.4, mean_days=3.0),),
            "runs": (Runs(kinds=("bank",), chance=0.05, share=0.3),),
        }
    )
    system = synthetic_system(4, 2)
    blocks = list(draw_blocks(drivers(system, model), model))
    outages, runs = (np.concatenate([getattr(b, name) for b in blocks]) for name in ("outages", "runs"))
    assert outages.shape == runs.shape == (60_000, 4)
    np.testing.assert_allclose(outages.mean(axis=0), 0.4 * 3.0, rtol=0.05)
    np.testing.assert_allclose((outages > 0).mean(axis=0), 1 - np.exp(-0.4), rtol=0.03)
    np.testing.assert_allclose((runs > 0).mean(axis=0), 0.05, rtol=0.08)
    assert set(np.unique(runs)) == {0.0, 0.3}
    plain = np.concatenate([b.asset_loss for b in draw_blocks(drivers(system, MODEL), MODEL)])
    np.testing.assert_array_equal(np.concatenate([b.asset_loss for b in blocks]), plain, "they take no other draw")


def test_outages_spread_to_those_that_depend():
    system = synthetic_system(4, 2, equity_share=0.5)
    margin = csr_array(np.array([[0, 0, 0, 0.5], [0, 0, 0, 0.5], [0, 0, 0, 0.5], [0, 0, 0, 0]]))
    depends = replace(system, dependences=Dependences(margin, csr_array((4, 4))), kinds=("bank",) * 3 + ("platform",))
    model = MODEL.model_copy(
        update={
            "count": 5_000,
            "volatility": {"bank": 0.0, "platform": 0.0},
            "outages": (Outages(kinds=("platform",), per_year=1.0, mean_days=2.0),),
        }
    )
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.9, at_most=0.5)
    assert statistic(tail, simulate(depends, model, [tail])).value > 0.0
    assert statistic(tail, simulate(system, model.model_copy(update={"outages": ()}), [tail])).value == 0.0


@pytest.mark.parametrize("way", ["plain", "sobol", "importance"])
def test_an_interrupted_run_goes_on_and_ends_the_same(way, tmp_path):
    system = synthetic_system(8, 3, seed=1, equity_share=0.05)
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)
    fails = EventProbability(id="f", label="f", statistic="failure-probability", at_most=0.5)
    model = MODEL.model_copy(update={"count": 150_000, "draws": way})
    shifts = np.ones((1, 3)) if way == "importance" else np.zeros((0, 0))
    whole = simulate(system, model, [tail, fails], shifts=shifts)
    seen, keep = [], tmp_path / "run.npz"

    def stop(done):
        seen.append(done)
        if sum(seen) > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(system, model, [tail, fails], shifts=shifts, keep=keep, progress=stop)
    again: list[int] = []
    resumed = simulate(system, model, [tail, fails], shifts=shifts, keep=keep, progress=again.append)
    assert again[0] >= 60_000, "what was saved is told at once"
    assert sum(again) == 150_000
    for tolerance in (tail, fails):
        assert statistic(tolerance, resumed) == statistic(tolerance, whole)
    np.testing.assert_array_equal(resumed.curves[0].weight, whole.curves[0].weight)
    np.testing.assert_allclose(resumed.mean_lost, whole.mean_lost, rtol=1e-12)
    again.clear()
    finished = simulate(system, model, [tail, fails], shifts=shifts, keep=keep, progress=again.append)
    assert again == [150_000], "a finished run is only read"
    assert statistic(tail, finished) == statistic(tail, whole)
    with pytest.raises(ValueError, match="was saved by another run"):
        simulate(system, model.model_copy(update={"seed": 5}), [tail, fails], shifts=shifts, keep=keep)
    keep.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match="is no saved run"):
        simulate(system, model, [tail], keep=keep)


def test_importance_sampling_looks_where_it_matters():
    """A tail chance of about one in ten thousand, to the standard error of at least fifty times as many plain draws."""
    system = synthetic_system(30, 4, seed=1, equity_share=0.09)
    model = MODEL.model_copy(update={"count": 10_000, "draws": "importance"})
    rare = LossProbability(id="l", label="l", statistic="loss-probability", loss_at_least=0.97, at_most=0.5)
    found = statistic(rare, simulate(system, model, [rare], shifts=shifts_for(system, model, [rare])))
    assert 2e-5 < found.value < 5e-4
    assert found.effective > 50 * model.count
    plain = statistic(rare, simulate(system, MODEL.model_copy(update={"count": 200_000}), [rare]))
    assert plain.low <= found.value <= plain.high


def test_factors_may_be_correlated():
    """Regions ZZ and Y with correlation 0.5: institutions of one each share common + 0.5 region."""
    pair = Correlated(between=("region ZZ", "region Y"), correlation=0.5)
    _, assets, pools = draws(MODEL.model_copy(update={"correlations": (pair,)}))
    values = np.log(1.0 - assets)
    np.testing.assert_allclose(values.std(axis=0), 0.05, rtol=0.02)
    correlation = np.corrcoef(values.T)
    assert correlation[0, 1] == pytest.approx(0.5, abs=0.02)
    assert correlation[0, 2] == pytest.approx(0.3 + 0.2 * 0.5, abs=0.02)
    np.testing.assert_allclose(pools.mean(axis=0), [0.03 * 0.5, 0.05 * 0.6 - 0.01], rtol=0.03)
    full = FactorShares(common=0.6, region=0.4)
    both = Correlated(between=("common", "region ZZ"), correlation=0.5)
    with pytest.raises(ValueError, match="of its variance, correlations included"):
        draws(MODEL.model_copy(update={"institutions": full, "correlations": (both,)}))


def test_the_pair_that_clashes_is_named():
    """Two factors that nearly move as one, and a third that goes with the one and against the other."""
    matrix = np.array([[1.0, 0.95, 0.0, 0.1], [0.95, 1.0, 0.0, -0.9], [0.0, 0.0, 1.0, 0.0], [0.1, -0.9, 0.0, 1.0]])
    assert clashing_pair(matrix) in ((0, 1), (1, 3))
    with pytest.raises(ValueError, match="no factors can have"):
        root_of(matrix)


@pytest.mark.parametrize(
    "what", ["safe assets", "a pool's chance of default", "an exposure", "a kind", "a limit", "alpha"]
)
def test_what_was_kept_is_not_taken_up_for_other_figures(what, tmp_path):
    """Every figure that a simulation depends on is in the digest of what is kept."""
    system = replace(synthetic_system(6, 2), asset_classes=POOLS, holdings=np.full((6, 2), 0.1))
    model = MODEL.model_copy(update={"count": 1_000, "volatility": {"bank": 0.05, "fund": 0.05}})
    tail = ExpectedShortfall(id="t", label="t", statistic="expected-shortfall", level=0.9, at_most=0.5)
    keep, behaviour = tmp_path / "run.npz", {}
    simulate(system, model, [tail], keep=keep)
    layer = system.layers[0]
    if what == "safe assets":
        system = replace(system, safe_assets=system.safe_assets + 0.01)
    elif what == "a pool's chance of default":
        system = replace(system, asset_classes=(replace(POOLS[0], default_probability=0.04), POOLS[1]))
    elif what == "an exposure":
        system = replace(system, layers=(replace(layer, amounts=layer.amounts * 1.0001),))
    elif what == "a kind":
        system = replace(system, kinds=("fund", *system.kinds[1:]))
    elif what == "a limit":
        tail = tail.model_copy(update={"at_most": 0.4})
    else:
        behaviour = {"alpha": 0.9}
    with pytest.raises(ValueError, match="saved by another run"):
        simulate(system, model, [tail], keep=keep, behaviour=behaviour)
