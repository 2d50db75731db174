"""Parts of a tail add up, are what they are in closed form, and their intervals cover."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from poundlock.risk.allocation import allocate, mean_share, tail_shocks
from poundlock.risk.scenarios import FactorShares, ScenarioModel
from poundlock.risk.tilting import shifts_for
from poundlock.risk.tolerances import simulate, statistic
from poundlock.rollout.plan import ExpectedShortfall, Scope
from poundlock.system import synthetic_system, system_from_arrays

MODEL = ScenarioModel(
    count=20_000, seed=4, volatility={"bank": 0.05}, institutions=FactorShares(common=0.4), valuation="clearing"
)
TAIL = ExpectedShortfall(id="tail", label="t", statistic="expected-shortfall", level=0.99, at_most=0.5)


@pytest.mark.parametrize("way", ["plain", "sobol", "importance"])
def test_parts_add_up_to_the_statistic(way):
    system = synthetic_system(20, 4, seed=1, equity_share=0.06)
    model = MODEL.model_copy(update={"draws": way})
    shifts = shifts_for(system, model, [TAIL]) if way == "importance" else np.zeros((0, 0))
    outcome = simulate(system, model, [TAIL], shifts=shifts)
    found = allocate(system, model, TAIL, outcome.found["tail"], shifts=shifts)
    assert found.value == pytest.approx(statistic(TAIL, outcome).value, rel=1e-9)
    assert sum(part.sum() for part in found.by_channel.values()) == pytest.approx(found.value, rel=1e-9)
    by_claims = found.by_channel["credit"] + found.by_channel["stakes"]
    np.testing.assert_allclose(np.asarray(found.by_exposure.sum(axis=1)).ravel(), by_claims, atol=1e-12)
    assert "Expected shortfall at 0.99" in repr(found)
    assert found.to_arrow().num_rows == 20
    assert "parts add up to the whole" in found.explain()
    assert found._repr_html_().count("<tr>") == 11


def test_only_the_group_bears():
    system = synthetic_system(10, 3, seed=1, equity_share=0.06)
    half = system.members((), ("ZZ",))
    tolerance = TAIL.model_copy(update={"scope": Scope(regions=("ZZ",))})
    outcome = simulate(system, MODEL, [tolerance])
    found = allocate(system, MODEL, tolerance, outcome.found["tail"])
    assert np.all(found.by_institution[~half] == 0.0)


def test_the_tail_is_drawn_again_as_it_was():
    system = synthetic_system(10, 3, seed=1, equity_share=0.06)
    outcome = simulate(system, MODEL, [TAIL])
    shocks, counts = tail_shocks(system, MODEL, outcome.found["tail"])
    assert counts.sum() == pytest.approx(1.0)
    assert len(shocks.asset_loss) == len(outcome.found["tail"].draws)


def two_alone(seed):
    """Two institutions without claims; losses nearly normal and independent, with deviations 1 and 2."""
    model = ScenarioModel(
        count=8_000, seed=seed, volatility={"a": 1e-3, "b": 2e-3}, institutions=FactorShares(common=0.0), valuation="clearing"
    )  # fmt: skip
    s = system_from_arrays(np.zeros((2, 2)), [1000.0, 1000.0], [0.0, 0.0], kinds=("a", "b"))
    outcome = simulate(s, model, [TAIL.model_copy(update={"level": 0.95})])
    return allocate(s, model, TAIL.model_copy(update={"level": 0.95}), outcome.found["tail"])


def test_normal_losses_bear_in_proportion_to_their_covariance_and_intervals_cover():
    """Losses of equity are capped at no gain, so the parts are found by a large direct simulation of the same losses."""
    draw = np.random.default_rng(9)
    losses = 1.0 - np.exp(np.array([1e-3, 2e-3]) * draw.standard_normal((4_000_000, 2)))
    losses = np.maximum(losses, 0.0) / 2.0
    total = losses.sum(axis=1)
    truth = losses[total >= np.quantile(total, 0.95)].mean(axis=0)
    inside = np.zeros(2)
    for seed in range(150):
        found = two_alone(seed)
        inside += (found.low <= truth) & (truth <= found.high)
    assert np.all((inside / 150 >= 0.90) & (inside / 150 <= 0.985)), inside / 150
    assert norm.ppf(0.975) == pytest.approx((found.high[0] - found.by_institution[0]) / found.error[0])


def test_the_same_scenarios_serve_a_small_change():
    """Envelope theorem: the slope over the fixed scenarios of a tail is that of the statistic."""
    system = synthetic_system(20, 4, seed=1, equity_share=0.06)
    outcome = simulate(system, MODEL, [TAIL])
    shocks, counts = tail_shocks(system, MODEL, outcome.found["tail"])

    def larger(step):
        return replace(
            system,
            external_assets=system.external_assets * (1.0 + step),
            external_liabilities=system.external_liabilities + step * system.external_assets,
        )

    assert mean_share(system, TAIL, MODEL, shocks, counts) == pytest.approx(statistic(TAIL, outcome).value, rel=1e-9)
    step = 1e-4
    fixed = [mean_share(larger(h), TAIL, MODEL, shocks, counts) for h in (-step, step)]
    drawn = [statistic(TAIL, simulate(larger(h), MODEL, [TAIL])).value for h in (-step, step)]
    assert fixed[1] - fixed[0] == pytest.approx(drawn[1] - drawn[0], rel=0.01)
