"""Who starts when, and what could be found."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.rollout.schedule import share_started, staggered, stepped_wedge


def test_shares_of_the_best_schedule():
    """Xiong, Athey, Bayati and Imbens 2024: (2 t - 1) / (2 T)."""
    np.testing.assert_allclose(share_started(4), [1 / 8, 3 / 8, 5 / 8, 7 / 8])
    plan = staggered(8, 4)
    assert plan.sum(axis=0).tolist() == [1, 3, 5, 7]
    assert np.all(np.diff(plan.astype(int), axis=1) >= 0), "who has started goes on"


def test_it_is_better_than_halves_at_once_or_one_by_one():
    best = stepped_wedge(staggered(16, 4), within=1.0, between=0.5).error
    half = np.zeros((16, 4))
    half[:8, 2:] = 1
    late = np.zeros((16, 4))
    late[:4, 3] = 1
    assert (
        best < stepped_wedge(half, within=1.0, between=0.5).error < stepped_wedge(late, within=1.0, between=0.5).error
    )


@pytest.mark.parametrize("between", [0.0, 0.4, 2.0])
def test_the_error_is_that_of_generalised_least_squares(between: float):
    """Hussey and Hughes 2007, eq. 8, against the normal equations themselves."""
    treated, size, within = staggered(6, 5).astype(float), 10.0, 1.5
    places, periods = treated.shape
    one = between**2 * np.ones((periods, periods)) + within**2 / size * np.eye(periods)
    covariance = np.kron(np.eye(places), one)
    design = np.column_stack([np.tile(np.eye(periods), (places, 1)), treated.ravel()])
    exact = np.linalg.inv(design.T @ np.linalg.solve(covariance, design))[-1, -1]
    found = stepped_wedge(treated, within=within, between=between, size=size)
    assert found.error == pytest.approx(np.sqrt(exact))


def test_the_detectable_effect_is_found_so_often():
    found = stepped_wedge(staggered(10, 4), within=1.0, between=0.3, power=0.9)
    assert found.chance(found.detectable) == pytest.approx(0.9, abs=1e-4)
    assert found.chance(0.0) == pytest.approx(0.05)
    draws = np.random.default_rng(1).normal(found.detectable, found.error, 100_000)
    assert np.mean(np.abs(draws) > 1.959964 * found.error) == pytest.approx(0.9, abs=0.005)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: share_started(0), "one at least"),
        (lambda: staggered(1, 3), "two at least"),
        (lambda: stepped_wedge(np.ones((3, 3)), within=1.0, between=0.0), "some to start before others"),
        (lambda: stepped_wedge(np.zeros((3, 3)), within=1.0, between=0.0), "some to start before others"),
        (lambda: stepped_wedge([[0.0, 0.5]], within=1.0, between=0.0), "zeros and ones"),
        (lambda: stepped_wedge(staggered(4, 3), within=0.0, between=0.0), "expected above 0"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call()
