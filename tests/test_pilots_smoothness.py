"""Intervals under a bound on how a trend may bend: the package's, what they promise, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from diff_diff.honest_did import _compute_optimal_flci

from poundlock.pilots.smoothness import smoothness


def study(seed: int, before: int, after: int):
    draw = np.random.default_rng(seed)
    root = draw.normal(size=(before + after, before + after)) * 0.1 + 0.2 * np.eye(before + after)
    return draw.normal(0, 0.2, before + after), root @ root.T


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 3), (3, 4)])
@pytest.mark.parametrize("bound", [0.0, 0.05, 0.5])
def test_it_is_the_package_s_interval(before, after, bound):
    """diff-diff 3.13.0, whose search is a hundred times slower; ours is never longer by more than its accuracy."""
    effects, covariance = study(before + 7 * after, before, after)
    low, high = smoothness(effects, covariance, before, bound, level=0.9)
    mean = np.full(after, 1.0 / after)
    other = _compute_optimal_flci(effects[:before], effects[before:], covariance, mean, before, after, bound, alpha=0.1)
    width = other[1] - other[0]
    assert (high - low) <= width * (1 + 1e-4)
    np.testing.assert_allclose((low, high), other, atol=5e-3 * width)


def test_it_holds_the_effect_under_the_worst_bend():
    """A violation that bends by the bound in every period, to the side that hurts: held at its level. The interval's centre is linear in the effects, its length does not hang on
    them."""
    before, after, bound = 4, 3, 0.05
    _, covariance = study(1, before, after)
    low, high = smoothness(np.zeros(7), covariance, before, bound, level=0.9)
    weights = np.array([np.mean(smoothness(unit, covariance, before, bound, level=0.9)) for unit in np.eye(7)])
    times = np.array([-4, -3, -2, -1, 1, 2, 3.0])
    drawn = np.linalg.cholesky(covariance) @ np.random.default_rng(2).normal(size=(7, 20_000))
    for bend in (bound, -bound):
        violation = 0.3 * times + 0.5 * bend * np.abs(times) * (np.abs(times) - 1)
        off = weights @ (drawn + violation[:, None])
        assert np.mean(np.abs(off) <= (high - low) / 2) >= 0.9 - 0.007


def test_more_may_bend_the_longer_it_is():
    effects, covariance = study(3, 4, 4)
    widths = [np.ptp(smoothness(effects, covariance, 4, bound)) for bound in (0.0, 0.01, 0.1, 1.0)]
    assert np.all(np.diff(widths) > 0)


def test_a_negative_bound_is_refused():
    with pytest.raises(ValueError, match="a bound of -1; expected 0 or more"):
        smoothness(*study(4, 2, 2), 2, -1.0)
