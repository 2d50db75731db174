"""Simulated yearly losses of asset classes against their closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import multivariate_normal

from poundlock.measures import lognormal_layer, warrant_value
from poundlock.measures.premium import vasicek_tail
from poundlock.risk.draws import BLOCK
from poundlock.risk.laws import conditional_frequency, losses
from poundlock.risk.scenarios import FactorShares, ScenarioModel, draw_blocks, drivers
from poundlock.system import AssetClass, system_from_arrays
from poundlock.system.balance import Claims, Equity
from poundlock.system.covers import Cover, due_under

PIECES = 300
DRAWS = PIECES * BLOCK
POOL = AssetClass("firms", "A", "tech", 0.04, 0.5, 0.15, 0.02)


def shares(correlation: float = 0.4, volatility: float = 0.5, expected_return: float = 0.05) -> AssetClass:
    return AssetClass("firms equity", "A", "tech", 0.0, 0.0, correlation, 0.0, law=Equity(volatility, expected_return))


def policies(frequency: float, law: Claims, correlation: float = 0.1) -> AssetClass:
    return AssetClass("policies", "A", "tech", frequency, 0.0, correlation, 0.0, law=law)


def simulated(*classes: AssetClass, seed: int = 7) -> np.ndarray:
    """Losses of many years; all classes on one factor."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(PIECES):
        z = np.repeat(generator.standard_normal((BLOCK, 1)), len(classes), axis=1)
        found.append(losses(classes, z, generator))
    return np.concatenate(found)


def near(sample: np.ndarray, expected: float, errors: float = 4.0) -> None:
    assert abs(sample.mean() - expected) <= errors * sample.std() / np.sqrt(len(sample))


def test_pool_losses_have_the_vasicek_distribution():
    lost = np.sort(simulated(POOL)[:, 0] + POOL.net_margin)
    given = POOL.default_probability, POOL.loss_given_default, POOL.correlation
    exact = np.array([1.0 - vasicek_tail(float(x), *given) for x in lost[:: len(lost) // 4000]])
    steps = np.arange(len(lost))[:: len(lost) // 4000] / len(lost)
    assert np.max(np.abs(exact - steps)) < 1.95 / np.sqrt(len(lost)) + 1.0 / len(lost)  # 0.1 % of Kolmogorov's law
    near(lost, 0.02)


def test_defaults_come_with_bad_factors():
    z = np.array([-3.0, 0.0, 3.0])
    rate = conditional_frequency(0.04, 0.15, z)
    assert rate[0] > rate[1] > rate[2]
    assert rate[1] == pytest.approx(ndtr(ndtri(0.04) / np.sqrt(0.85)))
    np.testing.assert_allclose(conditional_frequency(0.04, 0.0, z), 0.04)


def test_shares_have_the_mean_and_the_spread_of_their_law():
    value = 1.0 - simulated(shares())[:, 0]
    near(value, 1.05)
    near(np.log(value), np.log(1.05) - 0.125)
    assert np.log(value).std() == pytest.approx(0.5, rel=4.0 / np.sqrt(2.0 * DRAWS))
    near(np.maximum(value - 1.1, 0.0), warrant_value(0.5, 0.05, 1.1))


def test_a_cover_of_gains_is_a_warrant():
    """The investor owes 0.3 of what 40 invested gain above 10 %."""
    cover = Cover(0, 1, 0, 40.0, share=0.3, deductible=40.0 * 0.1, on="gain")
    paid = due_under([cover], simulated(shares()))[:, 0]
    assert np.all(paid >= 0.0)
    near(paid, 0.3 * 40.0 * warrant_value(0.5, 0.05, 1.1))


@pytest.mark.parametrize("strike", [0.5, 0.9])
def test_a_strike_below_today_pays_for_part_of_a_loss_too(strike: float):
    cover = Cover(0, 1, 0, 10.0, deductible=10.0 * (strike - 1.0), on="gain")
    near(due_under([cover], simulated(shares()))[:, 0], 10.0 * warrant_value(0.5, 0.05, strike))


def test_defaults_and_the_value_of_shares_move_against_each_other():
    """The correlation of the two normals behind is minus the root of both correlations, 0.15 and 0.4; the covariance of the default
    rate and the log of the value follows: Cov(D, X) = -sqrt(rho_D rho_X) v phi(N^-1(p))."""
    sample = simulated(POOL, shares())
    rate, log_value = (sample[:, 0] + 0.02) / 0.5, np.log(1.0 - sample[:, 1])
    exact = -np.sqrt(0.15 * 0.4) * 0.5 * np.exp(-(ndtri(0.04) ** 2) / 2.0) / np.sqrt(2.0 * np.pi)
    products = (rate - rate.mean()) * (log_value - log_value.mean())
    near(products, exact)
    below = log_value < np.quantile(log_value, 0.05)
    assert rate[below].mean() > 1.4 * rate.mean()
    pair = multivariate_normal([0.0, 0.0], [[1.0, np.sqrt(0.06)], [np.sqrt(0.06), 1.0]])
    near(rate * below, float(pair.cdf([ndtri(0.04), ndtri(0.05)])), 5.0)  # both at once: default and the worst 5 %


@pytest.mark.parametrize(
    ("frequency", "number", "correlation"), [(0.05, 20, 0.1), (0.05, 20, 0.0), (0.3, 4, 0.3), (0.001, 1, 0.2)]
)
@pytest.mark.parametrize(
    ("severity", "spread", "deductible", "share", "limit"),
    [(0.4, 1.2, 0.05, 0.9, 0.8), (0.4, 0.0, 0.1, 1.0, float("inf")), (1.5, 0.5, 0.0, 0.5, 0.3)],
)
def test_claims_have_the_mean_of_frequency_times_layer(
    frequency, number, correlation, severity, spread, deductible, share, limit
):
    law = Claims(number, severity, spread, deductible, share, limit)
    sample = simulated(policies(frequency, law, correlation))[:, 0]
    near(sample, frequency * lognormal_layer(severity, spread, share=share, deductible=deductible, limit=limit))
    assert sample.max() > sample.min() >= 0.0


def test_claims_without_a_factor_have_the_variance_of_a_compound_poisson():
    """Variance: frequency times the second moment of a claim, over the number of policies."""
    sample = simulated(policies(0.2, Claims(10, 0.5, 1.0), 0.0))[:, 0]
    assert sample.var() == pytest.approx(0.2 * 0.5**2 * 2.0 / 10, rel=0.03)


def test_more_is_claimed_where_the_factor_is_bad():
    law, z = Claims(1000, 0.4, 0.5), np.linspace(-3.0, 3.0, BLOCK)[:, None]
    found = losses([policies(0.05, law, 0.3)], z, np.random.default_rng(1))[:, 0]
    assert found[: BLOCK // 2].mean() > 3.0 * found[BLOCK // 2 :].mean()


def test_nothing_insured_loses_nothing():
    z = np.zeros((BLOCK, 1))
    found = losses([policies(1e-12, Claims(1, 0.4, 0.5))], z, np.random.default_rng(1))
    np.testing.assert_array_equal(found, 0.0)
    share = losses([policies(0.5, Claims(5, 0.4, 0.5, share=0.0))], z, np.random.default_rng(1))
    np.testing.assert_array_equal(share, 0.0)


def test_shares_that_move_with_the_factor_alone():
    """Correlation 1 is allowed: the value is then a function of the factor."""
    z = np.linspace(-2.0, 2.0, BLOCK)[:, None]
    found = 1.0 - losses([shares(1.0)], z, np.random.default_rng(1))[:, 0]
    np.testing.assert_allclose(found, 1.05 * np.exp(0.5 * z[:, 0] - 0.125))


def test_terms_of_policies_leave_the_number_of_claims_as_it_was():
    """Common draws: a higher share pays the same claims, so that every year costs in proportion."""
    z = np.random.default_rng(2).standard_normal((BLOCK, 2))
    first, second = (
        losses([policies(0.1, Claims(9, 0.4, 0.9, share=share)), shares()], z, np.random.default_rng(1))
        for share in (0.25, 0.75)
    )
    np.testing.assert_allclose(second[:, 0], 3.0 * first[:, 0])
    np.testing.assert_array_equal(second[:, 1], first[:, 1])


def test_asset_classes_that_nobody_holds_leave_pools_and_institutions_as_they_were():
    """Classes of measures draw behind everything else."""
    model = ScenarioModel(
        count=2_000, seed=4, volatility={"bank": 0.1}, institutions=FactorShares(common=0.5), valuation="clearing"
    )

    def drawn(*more: AssetClass):
        s = system_from_arrays(
            [], [100.0], [90.0], kinds=("bank",), asset_classes=(POOL, *more), holdings=np.zeros((1, 1 + len(more)))
        )
        return list(draw_blocks(drivers(s, model), model))

    for one, other in zip(drawn(), drawn(shares(), policies(0.1, Claims(3, 0.4, 0.5))), strict=True):
        np.testing.assert_array_equal(one.asset_loss, other.asset_loss)
        np.testing.assert_array_equal(one.pool_loss[:, 0], other.pool_loss[:, 0])
