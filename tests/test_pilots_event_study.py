"""Event studies against one reference period."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots import group_time
from poundlock.pilots.event_study import EventStudy, band, of_groups, of_one


def test_one_group_is_the_difference_of_means_from_the_reference_period():
    draw = np.random.default_rng(0)
    y, first = draw.normal(size=(40, 7)), np.array([5.0] * 15 + [np.inf] * 25)
    found = of_groups(group_time(y, first, np.arange(1, 8)))
    off = y - y[:, [3]]
    by_hand = off[:15].mean(axis=0) - off[15:].mean(axis=0)
    assert found.at == (-4, -3, -2, 0, 1, 2)
    assert found.before == 3
    np.testing.assert_allclose(found.effect, np.delete(by_hand, 3), atol=1e-12)
    spread = np.cov(off[:15].T, ddof=0) / 15 + np.cov(off[15:].T, ddof=0) / 25
    keep = [0, 1, 2, 4, 5, 6]
    np.testing.assert_allclose(found.covariance, spread[np.ix_(keep, keep)], atol=1e-12)


def test_periods_need_not_follow_each_other():
    draw = np.random.default_rng(1)
    y, first = draw.normal(size=(30, 5)), np.array([9.0] * 10 + [np.inf] * 20)
    found = of_groups(group_time(y, first, [1, 4, 8, 9, 15]))
    assert found.at == (-8, -5, 0, 6)


def test_anticipated_periods_are_in_neither_part():
    draw = np.random.default_rng(2)
    y, first = draw.normal(size=(30, 8)), np.array([6.0] * 10 + [np.inf] * 20)
    found = of_groups(group_time(y, first, np.arange(1, 9), anticipation=1), 1)
    assert found.at == (-5, -4, -3, 0, 1, 2)
    off = y - y[:, [3]]
    assert found.effect[3] == pytest.approx(off[:10, 5].mean() - off[10:, 5].mean())


def test_one_region_among_many_keeps_its_level():
    """The mean effect of nothing, over its error, is beyond the 95 % point of Student's t in 5 % of panels."""
    hits = []
    for seed in range(600):
        y = np.cumsum(np.random.default_rng(seed).normal(size=(25, 8)), axis=1)
        found = of_one(y, 4, 5)
        hits.append(abs(found.mean / found.mean_error) > 2.069)  # 23 degrees
    assert np.mean(hits) == pytest.approx(0.05, abs=0.027)


def test_too_few_donors_are_refused():
    with pytest.raises(ValueError, match="5 donors for 8 periods; expected 9 donors at least"):
        of_one(np.random.default_rng(3).normal(size=(6, 8)), 0, 5)


def test_a_band_of_one_effect_is_student_s_interval_and_one_unit_has_none():
    one = EventStudy((0,), np.array([1.0]), np.array([[0.04]]), 0, 10)
    assert band(one, 12.0, level=0.9) == pytest.approx(1.7959 * np.sqrt(12 / 11), rel=0.02)  # t of 11 degrees
    with pytest.raises(ValueError, match="1 treated units; expected more than one"):
        band(one, 1.0)
