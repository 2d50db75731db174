"""Statistics are tested for what they promise: the value by hand, the interval by its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from poundlock.risk.draws import REPLICATES
from poundlock.risk.statistics import (
    CONFIDENCE,
    confidence_of,
    draws_needed,
    event_probability,
    expected_shortfall,
    incremental_probability,
    incremental_shortfall,
    probability,
)
from poundlock.risk.tail import HitsKeeper


def test_the_boundary_draw_counts_with_its_fraction():
    """Ten draws 1..10 at level 0.85: the worst 1.5 draws are 10 and half of 9; (10 + 4.5) / 1.5 = 9 2/3."""
    assert expected_shortfall(np.arange(1.0, 11.0), 0.85).value == pytest.approx(29 / 3)
    assert expected_shortfall(np.arange(1.0, 11.0), 0.9).value == pytest.approx(10.0)


def test_normal_losses_have_their_closed_form():
    losses = norm.ppf((np.arange(200_000) + 0.5) / 200_000)
    assert expected_shortfall(losses, 0.99).value == pytest.approx(norm.pdf(norm.ppf(0.99)) / 0.01, rel=1e-4)


@pytest.mark.parametrize("count", [5_000, 20_000])
@pytest.mark.parametrize("name", ["normal", "student", "lognormal"])
def test_intervals_cover_at_their_level(name: str, count: int):
    """95 % nominal must land in 93 to 97 % over 1,500 samples, tail level 0.99: 50 draws in the tail, and 200."""
    draw = np.random.default_rng(11)
    sample = {
        "normal": draw.standard_normal,
        "student": lambda size: draw.standard_t(5, size),
        "lognormal": lambda size: draw.lognormal(0, 0.5, size),
    }[name]
    truth = np.mean([expected_shortfall(sample(2_000_000), 0.99).value for _ in range(5)])
    found = [expected_shortfall(sample(count), 0.99) for _ in range(1500)]
    assert 0.93 <= np.mean([e.low <= truth <= e.high for e in found]) <= 0.97
    assert np.mean([e.high < truth for e in found]) <= 0.04, "a tolerance would hold in error"


def test_a_skewed_mean_has_an_interval_that_reaches_further_up():
    """Hall's interval of one large loss among noughts, by hand: skewness of the mean (1 - 2/n) / sqrt((1 - 1/n)) at n draws."""
    n, found = 10_000, expected_shortfall(np.eye(1, 10_000)[0], 0.99)
    r = (1 - 2 / n) / np.sqrt(1 - 1 / n)
    ends = [3 / r * (np.cbrt(1 + r * (side - r / 6)) - 1) for side in (norm.ppf(0.975), norm.ppf(0.025))]
    assert [found.low, found.high] == pytest.approx(
        [found.value - found.standard_error * end for end in ends], rel=1e-9
    )
    assert found.high - found.value > found.value - found.low


def test_increments_use_common_draws():
    """The same losses twice differ by nought without error; a shift of one is found exactly."""
    losses = np.random.default_rng(0).standard_normal(5_000)
    same = incremental_shortfall(losses, losses, 0.99)
    assert (same.value, same.standard_error) == (0.0, 0.0)
    shifted = incremental_shortfall(losses + 1.0, losses, 0.99)
    assert shifted.value == pytest.approx(1.0)
    assert shifted.standard_error < 1e-12


def test_wilson_interval_against_published_values():
    """Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263 gives 0.2553 to 0.3662, 0 of 20 gives 0 to
    0.1611."""
    some = event_probability(np.arange(263) < 81)
    assert (round(some.low, 4), round(some.high, 4)) == (0.2553, 0.3662)
    none = event_probability(np.zeros(20, dtype=bool))
    assert (none.low, round(none.high, 4)) == (0.0, 0.1611)


def test_no_failures_in_the_draws_is_not_certainty():
    """No discordant draw in 1,000: the upper end is Wilson's for 0 of 1,000, and one more draw never lowers it."""
    none = incremental_probability(np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool))
    assert none.high == pytest.approx(event_probability(np.zeros(1000, dtype=bool)).high)
    one = incremental_probability(np.arange(1000) < 1, np.zeros(1000, dtype=bool))
    assert one.high > none.high


def test_looking_again_with_more_draws_is_wrong_as_seldom_as_looking_once():
    """At the limit itself any decision is wrong; three looks at 1,000, 2,000 and 4,000 draws, the first that decides is believed."""
    random, limit, times = np.random.default_rng(5), 0.1, 3_000
    wrong = {CONFIDENCE: 0, confidence_of(3): 0}
    for _ in range(times):
        events = random.random(4_000) < limit
        for confidence in wrong:
            looks = [event_probability(events[:count], confidence) for count in (1_000, 2_000, 4_000)]
            wrong[confidence] += any(not e.low <= limit <= e.high for e in looks)
    assert wrong[confidence_of(3)] / times < 0.05 + 2 * np.sqrt(0.05 * 0.95 / times)
    assert wrong[CONFIDENCE] / times > 0.08, "without it the error of three looks is far larger"


@pytest.mark.parametrize("expected", [3, 10, 100])
def test_rare_increments_are_covered_at_their_level(expected: int):
    """Discordant draws that are few: the truth lies above the upper end in at most 3.5 % of 4,000 samples of 10,000."""
    draw = np.random.default_rng(expected)
    truth = expected / 10_000
    above = 0
    for hits in draw.binomial(10_000, truth, 4_000):
        above += incremental_probability(np.arange(10_000) < hits, np.zeros(10_000, dtype=bool)).high < truth
    assert above / 4_000 <= 0.035


def test_a_few_weighted_hits_claim_no_more_than_none():
    """Half of the variance is shifted, the event is one in 10,000, and 5,000 draws see it by a few heavy weights:
    the truth lies above the upper end in at most 3.5 % of 1,000 samples (19 % before it was so). One light hit is
    no more certain than none."""
    draw, chance = np.random.default_rng(2), 1e-4
    shift, above = np.sqrt(0.5) * norm.pdf(norm.isf(chance)) / chance, 0
    for _ in range(1_000):
        x = draw.standard_normal(5_000) + shift * (draw.random(5_000) > 0.1)
        weights = 1.0 / (0.1 + 0.9 * np.exp(shift * x - 0.5 * shift**2))
        loss = np.sqrt(0.5) * (x + draw.standard_normal(5_000))
        above += event_probability(loss > norm.isf(chance), weights=weights).high < chance
    assert above / 1_000 <= 0.035
    none = event_probability(np.zeros(5_000, dtype=bool), weights=weights)
    light = event_probability(weights == weights.min(), weights=weights)
    assert light.low <= light.value
    assert light.high == pytest.approx(none.high, rel=1e-3)


def test_many_weighted_hits_keep_what_they_are_worth():
    draw, chance = np.random.default_rng(3), 1e-4
    shift = norm.isf(chance)
    x = draw.standard_normal(5_000) + shift * (draw.random(5_000) > 0.1)
    found = event_probability(x > shift, weights=1.0 / (0.1 + 0.9 * np.exp(shift * x - 0.5 * shift**2)))
    assert found.effective > 100 * 5_000
    assert found.effective == pytest.approx(found.value * (1 - found.value) / found.standard_error**2)


@pytest.mark.parametrize("chance", [0.1, 0.01])
def test_probabilities_from_sobol_points_cover_at_their_level(chance: float):
    """The error is a spread of 16 replicates, so the interval is a Student t's: 93 to 97 % of 1,500 (92 % with a
    normal's)."""
    inside, truth = 0, norm.isf(chance)
    for seed in range(1_500):
        draw = np.random.default_rng(seed)
        strata = (np.arange(512) + draw.random((REPLICATES, 512))) / 512  # as evenly spread as points in one dimension
        loss = np.sqrt(0.5) * (norm.ppf(strata) + draw.standard_normal(strata.shape))
        keeper = HitsKeeper(loss.size, REPLICATES)
        keeper.add(np.arange(loss.size), loss.ravel() > truth, np.ones(loss.size))
        found = probability(keeper.gathered())
        inside += found.low <= chance <= found.high
    assert 0.93 <= inside / 1_500 <= 0.97


def test_a_weighted_tail_of_few_is_thin_however_short_the_stream():
    """5,000 draws at 0.999 leave 5 plain ones in the tail; weighted ones must be worth 50."""
    draw = np.random.default_rng(4)
    x = draw.standard_normal(5_000) + 3.0 * (draw.random(5_000) > 0.1)
    weights = 1.0 / (0.1 + 0.9 * np.exp(3.0 * x - 4.5))
    assert not expected_shortfall(x, 0.999, weights=weights).thin
    assert expected_shortfall(0.5 * x + draw.standard_normal(5_000), 0.999, weights=weights).thin


def test_a_tail_of_a_few_losing_draws_is_called_thin():
    losses = np.zeros(10_000)
    losses[:49] = 0.5
    assert expected_shortfall(losses, 0.99).thin
    losses[:50] = 0.5
    assert not expected_shortfall(losses, 0.99).thin


def test_an_empty_tail_is_refused_with_what_is_needed():
    with pytest.raises(ValueError, match="at least 5000"):
        expected_shortfall(np.zeros(50), 0.99)
    assert draws_needed(0.99) == 5000


def test_what_is_added_in_few_scenarios_is_thin_and_what_is_added_in_none_is_not():
    """10,000 draws, a tail of 100; the measure doubles the loss of some of the worst."""
    losses = np.random.default_rng(3).exponential(1.0, 10_000)
    worst = np.argsort(-losses)
    for count, thin in ((0, False), (1, True), (20, True), (80, False)):
        more = losses.copy()
        more[worst[:count]] *= 2.0
        found = incremental_shortfall(more, losses, 0.99)
        assert found.thin == thin, count
        assert (found.value > 0.0) == (count > 0)
