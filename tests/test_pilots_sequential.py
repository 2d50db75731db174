"""Looking again and again: published constants, false alarms under optional stopping, coverage at all times together, placebo regions, the log, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots.sequential import (
    POWERS,
    alarm_power,
    confidence_sequence,
    group_sequential,
    mixture_width,
    placebo_spending,
    rank_alarm,
    scores,
    spending,
    watch,
    whiten,
)

RUNS, BEFORE, AFTER = 400, 52, 52


def gaps(seed: int, effect: float, follows: float) -> np.ndarray:
    """Weekly gaps that follow each other, a year before the start and a year after; the effect lifts all from the start on."""
    draw = np.random.default_rng(seed).normal(size=50 + BEFORE + AFTER)
    for k in range(1, len(draw)):
        draw[k] += follows * draw[k - 1]
    found = draw[50:]
    found[BEFORE:] += effect
    return found


@pytest.mark.parametrize("follows", [0.0, 0.6])
def test_false_alarms_in_fifty_two_looks(follows: float):
    """At most 5 %, where ordinary tests would give 32 and 75 % (see the test below)."""
    alarms = sum(rank_alarm(whiten(gaps(s, 0.0, follows), BEFORE), seed=s).first is not None for s in range(RUNS))
    assert alarms / RUNS <= 0.05


@pytest.mark.parametrize(("follows", "due"), [(0.0, 0.32), (0.6, 0.75)])
def test_ordinary_tests_would_cry_wolf(follows: float, due: float):
    """A z test every week on the mean since the start, with the known deviation and mean of a single week."""
    spread, alarms = 1.0 / np.sqrt(1.0 - follows**2), 0
    for seed in range(RUNS):
        mean = np.cumsum(gaps(seed, 0.0, follows)[BEFORE:]) / np.arange(1, AFTER + 1)
        alarms += bool(np.any(np.abs(mean) * np.sqrt(np.arange(1, AFTER + 1)) > 1.96 * spread))
    assert alarms / RUNS == pytest.approx(due, abs=0.08)


@pytest.mark.parametrize("follows", [0.0, 0.6])
@pytest.mark.parametrize("effect", [0.0, 1.0, 2.0])
def test_a_sequence_holds_the_effect_in_all_weeks_together(effect: float, follows: float):
    missed = 0
    for seed in range(RUNS):
        low, high = confidence_sequence(whiten(gaps(seed, effect, follows), BEFORE))[BEFORE + 1 :].T
        missed += bool(np.any((low > effect) | (high < effect)))
    assert missed / RUNS <= 0.075


def test_a_large_effect_is_seen_in_time():
    found = [rank_alarm(whiten(gaps(s, 2.0, 0.0), BEFORE), side="up", seed=s).first for s in range(50)]
    assert all(one is not None for one in found)
    assert np.median([one - BEFORE for one in found]) < 26


def test_an_alarm_to_one_side_does_not_hear_the_other():
    fall = whiten(gaps(3, -3.0, 0.0), BEFORE)
    assert rank_alarm(fall, side="down").first is not None
    assert rank_alarm(fall, side="up").first is None


def test_evidence_before_the_start_is_one_and_the_seed_is_kept():
    of = whiten(np.round(gaps(1, 1.0, 0.3), 1), BEFORE)
    one, same = rank_alarm(of, seed=7), rank_alarm(of, seed=7)
    assert np.all(one.evidence[:BEFORE] == 1.0)
    np.testing.assert_array_equal(one.evidence, same.evidence)


def test_the_mixture_is_about_half_wider_than_one_look():
    """About 1.56 times the fixed-week interval at week 52 (Waudby-Smith et al.)."""
    assert mixture_width(52) / (1.959964 / np.sqrt(52)) == pytest.approx(1.56, abs=0.02)


def test_bounds_of_five_looks():
    """Jennison and Turnbull 2000, tables 2.1 and 2.3: constants 2.413 and 2.040."""
    assert group_sequential(5, "pocock")[-1] == pytest.approx(2.413, abs=5e-4)
    assert group_sequential(5)[-1] == pytest.approx(2.040, abs=5e-4)
    np.testing.assert_allclose(group_sequential(5), group_sequential(5)[-1] * np.sqrt(5 / np.arange(1, 6)))
    assert group_sequential(1)[0] == pytest.approx(1.959964, abs=1e-5)


def test_bounds_spend_what_they_say():
    """Simulated: five looks at uneven times cross with chance 5 %."""
    times = [0.15, 0.4, 0.55, 0.8, 1.0]
    draw = np.random.default_rng(1).normal(size=(200_000, 5)) * np.sqrt(np.diff([0.0, *times]))
    z = np.cumsum(draw, axis=1) / np.sqrt(times)
    for bounds in (spending(times), group_sequential(times), group_sequential(times, "pocock")):
        assert np.mean(np.any(np.abs(z) > bounds, axis=1)) == pytest.approx(0.05, abs=0.0015)
    assert np.all(np.diff(spending(times)) < 0.0)


def following(seed: int, rows: int, length: int, follows: float, law: str = "normal") -> np.ndarray:
    """Gaps of standard deviation one, (rows, length), that follow each other."""
    draw = np.random.default_rng(seed)
    size = (rows, length + 50)
    found = draw.standard_t(3, size) / np.sqrt(3.0) if law == "heavy" else draw.normal(size=size)
    for k in range(1, found.shape[1]):
        found[:, k] = follows * found[:, k - 1] + np.sqrt(1.0 - follows**2) * found[:, k]
    return found[:, 50:]


def waves(length: int, season: int) -> np.ndarray:
    """A pattern that comes again, as large as the noise and half as large at half the length."""
    at = 2.0 * np.pi * np.arange(length) / season
    return np.sqrt(2.0) * (np.cos(at + 1.0) + 0.5 * np.cos(2.0 * at + 2.0))


@pytest.mark.parametrize("follows", [0.0, 0.6])
@pytest.mark.parametrize(
    ("law", "before", "season"),
    [
        ("normal", 20, None),
        ("heavy", 20, None),
        ("heavy", 52, None),
        ("heavy", 104, None),
        ("normal", 20, 10),
        ("normal", 52, 13),
        ("heavy", 52, 26),
        ("normal", 104, 52),
    ],
)
def test_levels_hold_under_correlation_heavy_tails_and_a_season(
    law: str, before: int, season: int | None, follows: float
):
    """Level 5 %, at most 8 % in 52 looks: the alarm, the sequence, and a board that meets four times. Seasons have been told."""
    board = (13, 26, 39, 52)
    series = following(before + round(10 * follows), RUNS, before + AFTER, follows, law)
    series += 0.0 if season is None else waves(before + AFTER, season)
    times = scores(whiten(series[0], before, season=season), board)[1]
    bounds = np.array([group_sequential(times), group_sequential(times, "pocock"), spending(times)])
    found = np.zeros(5)
    for seed, gap in enumerate(series):
        of = whiten(gap, before, season=season)
        low, high = confidence_sequence(of)[before + 1 :].T
        crossed = np.any(np.abs(scores(of, board)[0]) > bounds, axis=1)
        found += [rank_alarm(of, seed=seed).first is not None, np.any((low > 0.0) | (high < 0.0)), *crossed]
    assert np.all(found / RUNS <= 0.08), found / RUNS


def test_a_season_that_is_not_told_makes_the_alarm_deaf_not_false():
    told, untold, false = 0, 0, 0
    for seed, gap in enumerate(following(8, 100, 156, 0.3) + waves(156, 52)):
        later = gap + np.where(np.arange(156) >= 104, 1.0, 0.0)
        false += rank_alarm(whiten(gap, 104), seed=seed).first is not None
        untold += rank_alarm(whiten(later, 104), seed=seed).first is not None
        told += rank_alarm(whiten(later, 104, season=52), seed=seed).first is not None
    assert false <= 5
    assert untold <= 20
    assert told >= 50


@pytest.mark.parametrize("season", [2, 3, 4, 13])
def test_a_season_leaves_nothing_of_its_profile(season: int):
    gap = following(3, 1, 90, 0.4)[0]
    plain, seasonal = (whiten(y, 40, season=season) for y in (gap, gap + 5.0 * waves(90, season)))
    np.testing.assert_allclose(plain.residual[1:], seasonal.residual[1:], atol=1e-9)
    assert plain.slope == pytest.approx(seasonal.slope)


@pytest.mark.parametrize(("before", "season"), [(20, None), (52, None), (52, 13), (104, 52)])
def test_slopes_of_short_series_are_corrected(before: int, season: int | None):
    found = [whiten(gap, before, season=season).slope for gap in following(4, 1500, before + 1, 0.6)]
    assert np.mean(found) == pytest.approx(0.6, abs=0.04)


def one_by_one(residual: np.ndarray, before: int, seed: int) -> np.ndarray:
    """Evidence to both sides as the definition has it, a period at a time."""
    chance, logs, found = np.random.default_rng(seed).random(len(residual)), np.zeros((2, len(POWERS))), []
    for k in range(before - 1, len(residual)):
        above, ties = np.sum(residual[:k] > residual[k]), np.sum(residual[:k] == residual[k])
        upward = (above + chance[k] * (ties + 1.0)) / (k + 1.0)
        for row, p in enumerate((upward, 1.0 - upward)):
            logs[row] += np.log(POWERS * p ** (POWERS - 1.0))
        found.append(np.exp(logs).mean())
    return np.array(found)


def test_the_alarm_is_the_bets_on_ranks():
    of = whiten(gaps(5, 1.0, 0.3), BEFORE)
    np.testing.assert_allclose(rank_alarm(of, seed=4).evidence[BEFORE:], one_by_one(of.residual[1:], BEFORE, 4))


def test_evidence_beyond_all_numbers_stays_a_number():
    series = np.arange(3000.0) ** 3
    series[:12] = np.random.default_rng(1).normal(size=12)
    assert np.all(np.isfinite(rank_alarm(whiten(series, 12)).evidence))


def test_power_against_one_standard_deviation():
    """In 82 of 100 years without correlation, 25 at 0.6; what is found where nothing happened is false."""
    assert alarm_power(1.0, 0.0, 52, 52) == pytest.approx(0.82, abs=0.03)
    assert alarm_power(1.0, 0.6, 52, 52) == pytest.approx(0.25, abs=0.03)
    assert alarm_power(1.0, 0.6, 52, 52, side="up") > alarm_power(1.0, 0.6, 52, 52) > alarm_power(0.5, 0.6, 52, 52)
    assert alarm_power(1.0, 0.3, 104, 52, season=52) == pytest.approx(0.68, abs=0.04)
    assert max(alarm_power(0.0, follows, 20, 52) for follows in (0.0, 0.3, 0.6)) <= 0.06
    assert alarm_power(1.0, 0.2, 52, 26, seed=3) == alarm_power(1.0, 0.2, 52, 26, seed=3)


def test_power_refuses_what_is_no_correlation():
    with pytest.raises(ValueError, match="expected between -1 and 1"):
        alarm_power(1.0, 1.0, 52, 52)
    with pytest.raises(ValueError, match="expected 10 at least"):
        alarm_power(1.0, 0.0, 9, 52)


def test_scores_grow_with_the_effect_and_stay_when_more_comes():
    gap = gaps(2, 2.0, 0.3)
    z, times = scores(whiten(gap, BEFORE), (13, 26, 39, 52))
    assert z[-1] > 3.0
    assert times[-1] == 1.0
    assert np.all(np.diff(times) > 0.0)
    soon, at = scores(whiten(gap[: BEFORE + 26], BEFORE), (13, 26), planned=52)
    np.testing.assert_allclose(soon, z[:2])
    np.testing.assert_allclose(at, times[:2])
    np.testing.assert_allclose(scores(whiten(-gap, BEFORE), (13, 26, 39, 52))[0], -z)


@pytest.mark.parametrize("looks", [(), (1, 13), (13, 13), (13, 53)])
def test_scores_need_looks_that_can_be(looks: tuple[int, ...]):
    with pytest.raises(ValueError, match="expected rising from 2"):
        scores(whiten(gaps(1, 0.0, 0.0), BEFORE), looks)


@pytest.mark.parametrize("looks", [None, (13, 26, 39, 52)])
def test_of_a_hundred_regions_five_cross_whoever_is_treated(looks: tuple[int, ...] | None):
    """Exactly, in every table: so a treated region that is one among them crosses with chance 5 % at most."""
    table = following(6, 100, 104, 0.6) * np.linspace(0.5, 3.0, 100)[:, None]
    found = [placebo_spending(table, k, 52, planned=52, looks=looks) for k in range(100)]
    assert sum(one.first is not None for one in found) == 5
    for one in found:
        assert np.all(one.share <= one.spent + 1e-12)
        assert one.spent[-1] == pytest.approx(0.05)
        assert (one.first is not None) == bool(np.any(one.statistic > one.thresholds))


def test_false_alarms_of_placebo_spending():
    """100 regions of unlike size with a common cause, correlation 0.6, 52 looks."""
    alarms, runs = 0, 400
    for seed in range(runs):
        table = following(seed, 101, 104, 0.6, "heavy" if seed % 2 else "normal")
        table = (table[1:] + table[:1]) * np.random.default_rng(seed).lognormal(0.0, 0.5, (100, 1))
        alarms += placebo_spending(table, 0, 52, planned=52).first is not None
    assert alarms / runs <= 0.08


def test_a_treated_region_stands_out_only_to_its_side():
    table = following(7, 120, 104, 0.3)
    table[5, 52:] += 3.0
    found = placebo_spending(table, 5, 52, planned=52, side="up")
    assert 52 < found.first < 104
    k = found.first - 52
    assert found.statistic[k] > found.thresholds[k]
    assert np.isinf(found.thresholds[0])
    assert placebo_spending(table, 5, 52, planned=52).first is not None
    assert placebo_spending(table, 5, 52, planned=52, side="down").first is None
    early = placebo_spending(table, 5, 52, planned=52, spent=lambda t: 0.05 * t)
    assert early.first < found.first


def test_placebo_looks_stay_when_more_comes():
    table = following(9, 100, 104, 0.3)
    table[0, 52:] += 2.0
    whole, half = placebo_spending(table, 0, 52, planned=52), placebo_spending(table[:, :92], 0, 52, planned=52)
    np.testing.assert_array_equal(whole.thresholds[:40], half.thresholds)
    np.testing.assert_array_equal(whole.statistic[:40], half.statistic)


def test_ties_go_against_the_treated_region():
    table = np.tile(following(1, 1, 104, 0.0), (100, 1))
    assert placebo_spending(table, 0, 52, planned=52).first is None


@pytest.mark.parametrize(
    ("regions", "treated", "before", "options", "words"),
    [
        (99, 0, 52, {}, "99 regions.*expected 100"),
        (100, 100, 52, {}, "treated 100"),
        (100, -1, 52, {}, "treated -1"),
        (100, 0, 52, {"alpha": 0.005}, "1 / alpha at least"),
        (100, 0, 9, {}, "expected 10 at least"),
        (100, 0, 52, {"planned": 51}, "up to 1"),
        (100, 0, 52, {"looks": (13, 53), "planned": 60}, "expected none after 52"),
        (100, 0, 52, {"looks": (26, 13)}, "rising shares"),
    ],
)
def test_placebo_refusals(regions: int, treated: int, before: int, options: dict, words: str):
    with pytest.raises(ValueError, match=words):
        placebo_spending(following(1, regions, 104, 0.0), treated, before, **{"planned": 52, **options})


def test_placebo_regions_must_move_and_be_whole():
    with pytest.raises(ValueError, match="a number for every region and period"):
        placebo_spending(np.full((100, 104), np.nan), 0, 52, planned=52)
    with pytest.raises(ValueError, match="never move before the start"):
        placebo_spending(np.zeros((100, 104)), 0, 52, planned=52)


def test_the_log_has_every_look_and_stays_when_more_comes():
    gap = gaps(11, 3.0, 0.3)
    whole, half = watch(gap, BEFORE, seed=5), watch(gap[: BEFORE + 26], BEFORE, seed=5)
    assert [look.period for look in whole.looks] == list(range(BEFORE, BEFORE + AFTER))
    assert whole.looks[:26] == half.looks
    assert whole.near_limit == half.near_limit == ()
    assert [look.alarm for look in whole.looks] == [look.period >= whole.first for look in whole.looks]
    assert whole.first is not None
    of = whiten(gap, BEFORE)
    np.testing.assert_array_equal([look.evidence for look in whole.looks], rank_alarm(of, seed=5).evidence[BEFORE:])
    np.testing.assert_array_equal([[x.low, x.high] for x in whole.looks], confidence_sequence(of)[BEFORE:])
    assert np.isinf(whole.looks[0].low)
    assert whole.looks[0].mean == whole.looks[0].residual
    assert all(look.low < look.mean < look.high for look in whole.looks)
    assert whole.looks[-1].mean == pytest.approx(3.0, abs=0.8)


def test_a_watch_without_an_alarm_and_with_a_season():
    gap = following(12, 1, 156, 0.3)[0] + 3.0 * waves(156, 52)
    found = watch(gap, 104, season=52, side="down", looks=26)
    assert found.first is None
    assert not any(look.alarm for look in found.looks)
    assert found.slope == whiten(gap, 104, season=52).slope


@pytest.mark.parametrize(
    ("follows", "before", "words"),
    [
        (0.0, 52, ()),
        (0.5, 20, ()),
        (0.0, 19, ("19 periods: fewer than 20 periods before the start",)),
        (0.9, 200, ("correlation 0.8 and above",)),
        (0.95, 19, ("correlation 0.8 and above", "fewer than 20 periods before the start")),
    ],
)
def test_near_its_limit_it_says_so(follows: float, before: int, words: tuple[str, ...]):
    found = watch(following(20, 1, before + 10, follows)[0], before).near_limit
    assert len(found) == len(words)
    assert all(word in said for word, said in zip(words, found, strict=True))


@pytest.mark.parametrize(("before", "season"), [(52, 27), (52, 1), (12, 52)])
def test_a_season_must_have_come_twice(before: int, season: int):
    with pytest.raises(ValueError, match="expected 2 or more, and two seasons"):
        whiten(following(1, 1, 60, 0.0)[0], before, season=season)


def test_a_gap_that_is_all_season_never_moves():
    with pytest.raises(ValueError, match="never moves before the start"):
        whiten(waves(60, 13), 52, season=13)


@pytest.mark.parametrize(
    ("gap", "before", "words"),
    [
        (np.arange(30.0), 9, "expected 10 at least"),
        (np.arange(30.0), 30, "and one after"),
        (np.append(np.nan, np.arange(30.0)), 12, "a number for every period"),
        (np.append(np.zeros(20), 1.0), 20, "never moves before the start"),
    ],
)
def test_refusals(gap, before, words):
    with pytest.raises(ValueError, match=words):
        whiten(gap, before)


@pytest.mark.parametrize("times", [[], [0.0, 1.0], [0.5, 0.5], [0.5, 1.2]])
def test_times_of_looks_must_rise(times):
    with pytest.raises(ValueError, match="rising shares of all information"):
        spending(times)
