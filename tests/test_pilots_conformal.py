"""Intervals by period: by brute force, by what they promise, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots import fit_weights
from poundlock.pilots.conformal import conformal


def panel(draw, units=12, periods=24):
    factor = np.cumsum(draw.normal(0, 0.5, periods))
    return draw.uniform(0.5, 1.5, (units, 1)) * factor + draw.normal(0, 0.5, (units, periods))


def test_ends_are_where_the_test_begins_to_reject():
    y = panel(np.random.default_rng(0))
    found = conformal(y, 0, 19, level=0.9)
    donors = y[1:]
    for at, low, high in zip(range(19, 24), found.low, found.high, strict=True):
        columns = np.append(np.arange(19), at)

        def p(effect: float, columns=columns) -> float:
            target = y[0, columns].copy()
            target[-1] -= effect
            left = np.abs(target - fit_weights(target, donors[:, columns]) @ donors[:, columns])
            return float(np.mean(left >= left[-1] - 1e-9))

        assert p(low + 1e-6) > 0.1 >= p(low - 1e-5)
        assert p(high - 1e-6) > 0.1 >= p(high + 1e-5)


def test_intervals_hold_the_effect_as_often_as_they_say():
    hits, ps = [], []
    for seed in range(150):
        y = panel(np.random.default_rng(seed), units=8, periods=21)
        y[0, 19:] += 1.0
        found = conformal(y, 0, 19, level=0.9)
        hits += list((found.low <= 1.0) & (found.high >= 1.0))
        none = y.copy()
        none[0, 19:] -= 1.0
        ps.append(conformal(none, 0, 19).p_value)
    assert np.mean(hits) >= 0.9 - 3 * np.sqrt(0.09 / len(hits))
    assert np.mean(np.array(ps) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / len(ps))


def test_a_large_effect_is_seen_in_every_period():
    y = panel(np.random.default_rng(2))
    y[0, 19:] += 10.0
    found = conformal(y, 0, 19, level=0.9)
    assert (found.low > 5.0).all()
    assert found.p_value <= 0.25  # 24 shifts, a block of five


def test_few_periods_lower_the_level_that_is_said():
    found = conformal(panel(np.random.default_rng(1), periods=6), 0, 4, level=0.95)
    assert found.level == pytest.approx(1 - 1 / 5)
    assert found.smallest_p == pytest.approx(1 / 6)


@pytest.mark.parametrize(
    ("y", "start", "words"),
    [
        (np.where(np.eye(4, 6) > 0, np.nan, 1.0), 3, "gaps"),
        (np.ones((4, 6)), 1, "two periods before it"),
        (np.ones((4, 6)), 6, "two periods before it and one after"),
    ],
)
def test_refusals_say_why(y, start, words):
    with pytest.raises(ValueError, match=words):
        conformal(y, 0, start)
