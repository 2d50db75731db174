"""Growth, and spikes against the same weekdays before."""

import datetime as dt

import numpy as np
import pytest

from poundlock.payments.baseline import growth, seasonal

START = dt.date(2021, 1, 4)


def days(count: int) -> list[dt.date]:
    return [START + dt.timedelta(days=k) for k in range(count)]


def test_a_weekly_pattern_has_no_spike_and_a_planted_one_is_found() -> None:
    rng = np.random.default_rng(1)
    pattern = np.array([100.0, 110, 105, 108, 140, 60, 50])
    series = np.tile(pattern, 20) * np.exp(rng.normal(0, 0.03, 140))
    assert not seasonal(days(140), series).spikes.any()
    series[100] *= 1.5
    series[77] *= 0.5
    found = seasonal(days(140), series)
    assert np.flatnonzero(found.spikes).tolist() == [77, 100]
    assert found.score[100] > 5
    assert found.score[77] < -5
    assert np.isnan(found.expected[:21]).all()
    assert np.isfinite(found.expected[21:]).all()


def test_the_baseline_is_the_median_of_the_same_weekdays() -> None:
    series = np.arange(1.0, 36.0)
    found = seasonal(days(35), series, weeks=3, least=3)
    assert found.expected[28] == np.median(series[[7, 14, 21]])


def test_of_plain_noise_few_days_are_spikes() -> None:
    rng = np.random.default_rng(7)
    hits = sum(int(seasonal(days(92), np.exp(rng.normal(0, 0.1, 92))).spikes.sum()) for _ in range(200))
    assert hits < 20  # 71 days with a baseline in each of 200 series; a normal deviate beyond 5 is far rarer


def test_a_day_without_payments_is_a_spike_downwards() -> None:
    series = np.full(60, 10.0)
    series[50] = 0.0
    found = seasonal(days(60), series)
    assert found.spikes[50]
    assert found.score[50] == -np.inf


def test_days_must_ascend() -> None:
    with pytest.raises(ValueError, match="ascend"):
        seasonal(list(reversed(days(3))), np.ones(3))


def test_growth() -> None:
    assert growth(np.array([100.0, 150.0, 0.0, 5.0])).tolist()[1:3] == [0.5, -1.0]
    assert np.isnan(growth(np.array([100.0, 150.0, 0.0, 5.0]))[[0, 3]]).all()
    assert np.isnan(growth(np.array([1.0]), lag=4)).all()
