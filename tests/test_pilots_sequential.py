"""Looking again and again: published constants, false alarms under optional stopping, coverage at all times together, and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots.sequential import (
    confidence_sequence,
    group_sequential,
    mixture_width,
    rank_alarm,
    spending,
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
