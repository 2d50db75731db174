"""Honest bounds: refusals, what is known in closed form, coverage, and the named vertices against the linear programmes that they stand for."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import linprog
from scipy.stats import norm

from poundlock.pilots import honest
from poundlock.pilots.honest import HonestBound, breakdown, relative_magnitudes

Floats = NDArray[np.float64]


def serial(before: int, after: int, error: float, persistence: float) -> Floats:
    """Covariance of an event study whose periods have errors of this size, each kept in the next by this much."""
    at = np.array([*range(-before, 0), *range(1, after + 1)], dtype=np.float64)
    far = persistence ** np.abs(at)
    return error**2 * (persistence ** np.abs(at[:, None] - at) - far[:, None] - far + 1.0)


def drawn(before: int, after: int, seed: int) -> tuple[Floats, Floats]:
    draw = np.random.default_rng(seed)
    root = draw.normal(size=(before + after, before + after + 3))
    return draw.normal(size=before + after), root @ root.T / 10.0


GOOD = np.eye(4) + 0.5
UNEVEN = GOOD + np.triu(np.full((4, 4), 0.1), 1)
HOLE = np.where(np.eye(4) > 0, np.nan, GOOD)


@pytest.mark.parametrize(
    ("effects", "covariance", "before", "more", "words"),
    [
        (np.ones(4), GOOD, 0, {}, "0 effects before the start; expected one at least"),
        (np.ones(4), GOOD, 4, {}, "4 effects, 4 before the start; expected one at least after"),
        (np.ones(4), GOOD[:3], 2, {}, r"covariance \(3, 4\); expected"),
        (np.ones((4, 1)), GOOD, 2, {}, r"effects \(4, 1\)"),
        (np.ones(4), UNEVEN, 2, {}, "differs from its transpose by 0.1; expected a symmetric"),
        (np.ones(4), GOOD - 2.0 * np.eye(4), 2, {}, "eigenvalue of -1; expected none below zero"),
        (np.array([1.0, np.nan, 1.0, 1.0]), GOOD, 2, {}, "missing or infinite"),
        (np.ones(4), HOLE, 2, {}, "missing or infinite"),
        (np.ones(4), np.diag([1.0, 1.0, 0.0, 0.0]), 2, {}, "without an error"),
        (np.ones(4), GOOD, 2, {"bounds": (0.5, -0.1)}, "expected one at least, none negative"),
        (np.ones(4), GOOD, 2, {"bounds": ()}, "expected one at least, none negative"),
        (np.ones(4), GOOD, 2, {"bounds": (np.inf,)}, "none negative or missing"),
        (np.ones(4), GOOD, 2, {"weights": [1.0]}, "expected 2, one a period after"),
        (np.ones(4), GOOD, 2, {"weights": [0.0, 0.0]}, "missing or all zero"),
        (np.ones(4), GOOD, 2, {"level": 95.0}, "level 95; expected between 0 and 1"),
        (np.ones(4), GOOD, 2, {"draws": 100}, "1000 at least"),
        (np.ones(4), GOOD, 2, {"points": 3}, "11 at least"),
    ],
)
def test_refusals(effects, covariance, before, more, words):
    with pytest.raises(ValueError, match=words):
        relative_magnitudes(effects, covariance, before, **more)


@pytest.mark.parametrize(
    ("before", "after", "weights"), [(1, 1, None), (3, 4, None), (10, 4, None), (2, 3, [2, 0, -1])]
)
def test_a_bound_of_zero_gives_the_usual_interval(before: int, after: int, weights):
    effects, covariance = drawn(before, after, 7)
    (found,) = relative_magnitudes(effects, covariance, before, bounds=(0.0,), weights=weights)
    own = np.full(after, 1.0 / after) if weights is None else np.array(weights)
    middle, error = own @ effects[before:], np.sqrt(own @ covariance[before:, before:] @ own)
    assert found.low == pytest.approx(middle - 1.96 * error, abs=0.03 * error)
    assert found.high == pytest.approx(middle + 1.96 * error, abs=0.03 * error)
    assert (found.bound, found.level) == (0.0, 0.95)


@pytest.mark.parametrize("seed", range(6))
def test_intervals_widen_with_the_bound_and_hold_the_estimate(seed: int):
    effects, covariance = drawn(3, 3, seed)
    found = relative_magnitudes(effects, covariance, 3)
    middle = effects[3:].mean()
    assert [f.bound for f in found] == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert all(a.low > b.low and a.high < b.high for a, b in pairwise(found))
    assert all(f.low < middle < f.high for f in found)


@pytest.mark.parametrize(("before", "after"), [(1, 1), (3, 2), (6, 4)])
def test_effects_with_the_other_sign_mirror_the_interval(before: int, after: int):
    effects, covariance = drawn(before, after, 11)
    found = relative_magnitudes(effects, covariance, before)
    mirrored = relative_magnitudes(-effects, covariance, before)
    np.testing.assert_allclose([(f.low, f.high) for f in found], [(-m.high, -m.low) for m in mirrored], rtol=1e-7)


def test_the_unit_does_not_matter():
    effects, covariance = drawn(3, 2, 3)
    for size in (1e-6, 1e6):
        found = relative_magnitudes(effects, covariance, 3)
        other = relative_magnitudes(size * effects, size**2 * covariance, 3)
        np.testing.assert_allclose([(f.low, f.high) for f in found], [(o.low / size, o.high / size) for o in other])


def test_the_seed_hardly_matters_and_tells_all():
    effects, covariance = drawn(4, 3, 5)
    error = np.sqrt(covariance[4:, 4:].mean())
    found = [relative_magnitudes(effects, covariance, 4, bounds=(1.0,), seed=seed)[0] for seed in (1, 1, 2, 3)]
    assert found[0] == found[1]
    ends = np.array([(f.low, f.high) for f in found])
    assert np.ptp(ends, axis=0).max() < 0.05 * error


def test_a_change_that_is_known_moves_each_end_by_what_it_allows():
    """With no error before the start and a large change in it, the test at each end is one-sided. The effect in the last of two periods may hide twice
    the change; the first stage costs a little."""
    error = 0.1
    covariance = np.diag([0.0, error**2, error**2])
    (found,) = relative_magnitudes([-1.5, 0.2, 4.0], covariance, 1, bounds=(0.5,), weights=[0.0, 1.0])
    wide = 2 * 0.5 * 1.5 + norm.ppf(0.95) * error
    assert found.low == pytest.approx(4.0 - wide, abs=0.06 * error)
    assert found.high == pytest.approx(4.0 + wide, abs=0.06 * error)


def test_effects_that_move_as_one_are_no_trouble():
    covariance = np.full((5, 5), 0.01) + np.diag([0.0, 0.0, 0.0, 0.02, 0.02])
    found = relative_magnitudes([0.1, 0.2, 0.1, 1.0, 1.2], covariance, 3)
    assert np.isfinite([(f.low, f.high) for f in found]).all()
    assert found[0].low > 0.8
    far = relative_magnitudes([1e5, -1e5, 0.0, 1.0, 2.0], np.eye(5), 3, bounds=(1.0,))[0]
    assert far.high == pytest.approx(3e5, rel=1e-3)


@pytest.mark.parametrize("changes", [(0.5, 0.0, 0.0, 0.5, 0.5), (1.0, -0.5, 0.5, -1.0, -1.0)])
def test_the_truth_is_held_as_often_as_said(changes: tuple[float, ...]):
    """The violation goes on by as much as its largest change before the start, the worst that a bound of one allows; no true effect. 300 draws."""
    path = np.cumsum((0.0, *changes))
    violation = np.delete(path - path[3], 3)
    draw = np.random.default_rng(17)
    covariance = serial(3, 2, 0.2, 0.3)
    held, usual = 0, 0
    for _ in range(300):
        effects = draw.multivariate_normal(violation, covariance)
        naive, found = relative_magnitudes(effects, covariance, 3, bounds=(0.0, 1.0), draws=2_000, points=101)
        held += found.low <= 0.0 <= found.high
        usual += naive.low <= 0.0 <= naive.high
    assert held / 300 >= 0.95 - 2.33 * np.sqrt(0.95 * 0.05 / 300)
    assert usual / 300 < 0.4


def by_programme(study, bound: float, period: int, sign: float, effect: float, first: float) -> tuple[float, float]:
    """The statistic of one cone and its chance beyond, by linear programmes alone: all moments after the start, with all effects but the one tested
    free; limits by bisection on the dual, as in appendix D of Andrews, Roth and Pakes 2023."""
    before, weights = study.before, study.weights
    largest = sign * study.changes[period]
    rows = np.vstack([study.changes[before:] - bound * largest, -study.changes[before:] - bound * largest])
    y = rows @ study.effects - rows[:, before:] @ (weights / (weights @ weights)) * effect
    cover = rows @ study.covariance @ rows.T
    wide = np.column_stack([np.sqrt(np.diag(cover)), rows[:, before:] @ null_space(weights[None, :])])
    one = np.append(1.0, np.zeros(wide.shape[1] - 1))
    solved = linprog(one, A_ub=-wide, b_ub=-y, bounds=(None, None), method="highs-ds")
    top, dual = solved.fun, -solved.ineqlin.marginals
    deviation = np.sqrt(dual @ cover @ dual)
    along = cover @ dual / deviation**2
    rest = y - along * top

    def limit(far: float) -> float:
        inside, outside = top, far
        for _ in range(36):
            middle = (inside + outside) / 2.0
            best = -linprog(-(rest + along * middle), A_eq=wide.T, b_eq=one, bounds=(0.0, None)).fun
            inside, outside = (middle, outside) if best - middle < 1e-7 else (inside, middle)
        return inside

    low, high = limit(top - 50.0) / deviation, min(limit(top + 50.0), first) / deviation
    beyond = (norm.cdf(high) - norm.cdf(top / deviation)) / (norm.cdf(high) - norm.cdf(low))
    return top, float(beyond)


@pytest.mark.parametrize(
    ("before", "after", "weights"), [(2, 3, None), (1, 1, None), (2, 2, [1.0, -2.0]), (1, 3, [1, 0, 0])]
)
def test_the_vertices_are_those_of_the_linear_programme(before: int, after: int, weights):
    effects, covariance = drawn(before, after, 23)
    study = honest._study(effects, covariance, before, weights, 1_000, 1)
    cones = honest._cones(study, 0.8, 0.05)
    draw = np.random.default_rng(29)
    tested = 0
    for number, cone in enumerate(cones):
        within = honest._range(cone)
        for effect in draw.uniform(*within, size=2) if within else ():
            period, sign = number // 2, (1.0, -1.0)[number % 2]
            top, beyond = by_programme(study, 0.8, period, sign, float(effect), cone.first)
            assert np.max(cone.at - cone.slope * effect) == pytest.approx(top, abs=1e-9)
            accepted = top <= 0.0 or beyond >= 0.045 / 0.995
            assert honest._accepted(cone, np.array([effect]), 0.05)[0] == accepted
            tested += 1
    assert tested >= 2


def test_breakdown_is_the_last_bound_before_the_null_is_reached():
    found = tuple(HonestBound(b, low, 2.0, 0.95) for b, low in ((1.0, 0.1), (0.0, 0.5), (2.0, -0.5), (3.0, 0.2)))
    assert breakdown(found) == 1.0
    assert breakdown(found[:2]) == 1.0
    assert breakdown(found, null=0.3) == 0.0
    assert breakdown(found, null=1.0) is None
    assert breakdown(found, null=5.0) == 3.0
    with pytest.raises(ValueError, match="expected one at least"):
        breakdown(())
