"""Inequality and poverty: against lognormal closed forms, by coverage, by exact splits, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from poundlock.pilots import inequality, ratio_of_means, split

SIGMA = 0.7
CLOSED = {
    ("gini", None): 2.0 * ndtr(SIGMA / np.sqrt(2.0)) - 1.0,
    ("theil", None): SIGMA**2 / 2.0,
    ("mean-log-deviation", None): SIGMA**2 / 2.0,
    ("atkinson", 0.5): 1.0 - np.exp(-0.5 * SIGMA**2 / 2.0),
    ("atkinson", 1.0): 1.0 - np.exp(-(SIGMA**2) / 2.0),
    ("atkinson", 2.0): 1.0 - np.exp(-2.0 * SIGMA**2 / 2.0),
    ("top-share", 0.1): ndtr(SIGMA - ndtri(0.9)),
    ("bottom-share", 0.4): ndtr(ndtri(0.4) - SIGMA),
    ("poverty", 0.6): ndtr(np.log(0.6) / SIGMA),
}


def lognormal(seed: int, size: int) -> np.ndarray:
    return np.exp(SIGMA * np.random.default_rng(seed).normal(size=size))


@pytest.mark.parametrize(("index", "parameter"), CLOSED)
def test_lognormal_income(index: str, parameter: float | None):
    found = inequality(lognormal(1, 400_000), index=index, parameter=parameter)
    assert abs(found.value - CLOSED[index, parameter]) < 4.0 * found.error + 1e-4
    assert found.influence.mean() == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(("index", "parameter"), CLOSED)
def test_intervals_hold_the_truth(index: str, parameter: float | None):
    """500 samples of 800: 95 % intervals hold it in 91 to 98 of 100."""
    truth, holds = CLOSED[index, parameter], 0
    for seed in range(500):
        found = inequality(lognormal(seed, 800), index=index, parameter=parameter)
        holds += found.low <= truth <= found.high
    assert 0.91 <= holds / 500 <= 0.98


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 1e5), st.floats(0.1, 1e4)), min_size=2, max_size=30))
def test_gini_and_theil_against_their_definitions(rows):
    x, w = (np.array(column) for column in zip(*rows, strict=True))
    share = w / w.sum()
    mean = share @ x
    pairs = np.abs(x[:, None] - x[None, :])
    gini, theil = inequality(x, w).value, inequality(x, w, index="theil").value
    assert gini == pytest.approx(share @ pairs @ share / (2 * mean), abs=1e-10)
    assert theil == pytest.approx(float(np.sum(share * x / mean * np.log(x / mean))), abs=1e-10)
    assert inequality(1000 * x, 7 * w).value == pytest.approx(gini, abs=1e-10)
    assert -1e-12 <= gini < 1


def test_by_hand():
    assert inequality([1.0, 3.0]).value == pytest.approx(0.25)
    assert inequality([2.0, 2.0, 2.0], [1.0, 5.0, 9.0]).value == pytest.approx(0.0)
    x, w = np.array([1.0, 3.0, 4.0]), np.array([2.0, 1.0, 1.0])
    assert inequality(x, w, index="poverty", parameter=2.0).value == pytest.approx(0.5)
    assert inequality(x, w, index="poverty", parameter=2.0, depth=1.0).value == pytest.approx(0.25)
    assert inequality(x, w, index="top-share", parameter=0.25).value == pytest.approx(4.0 / 9.0)
    assert inequality(x, w, index="top-share", parameter=0.375).value == pytest.approx((4.0 + 1.5) / 9.0)
    assert inequality(x, w, index="bottom-share", parameter=0.5).value == pytest.approx(2.0 / 9.0)


@pytest.mark.parametrize(("index", "parameter"), CLOSED)
def test_a_row_of_weight_two_is_two_rows(index: str, parameter: float | None):
    x = lognormal(2, 50)
    twice = inequality(np.append(x, x[:10]), index=index, parameter=parameter).value
    assert inequality(
        x, np.where(np.arange(50) < 10, 2.0, 1.0), index=index, parameter=parameter
    ).value == pytest.approx(twice)


@pytest.mark.parametrize("index", ["theil", "mean-log-deviation"])
def test_within_and_between_add_up(index: str):
    draw = np.random.default_rng(3)
    x, w, groups = lognormal(3, 300), draw.uniform(0.5, 2.0, 300), draw.integers(0, 4, 300)
    found = split(x * (1.0 + groups), groups, w, index=index)
    assert found.within + found.between == pytest.approx(found.whole)
    assert found.whole == pytest.approx(inequality(x * (1.0 + groups), w, index=index).value)
    assert set(found.by_group) == {"0", "1", "2", "3"}
    same = split(x, np.zeros(300), w, index=index)
    assert (same.between, same.within) == pytest.approx((0.0, same.whole))


def test_town_over_country():
    holds = 0
    for seed in range(400):
        town = np.random.default_rng(seed).random(600) < 0.6
        found = ratio_of_means(lognormal(seed, 600) * np.where(town, 2.0, 1.0), town)
        holds += found.low <= 2.0 <= found.high
    assert 0.91 <= holds / 400 <= 0.98
    assert ratio_of_means([2.0, 4.0, 1.0], [True, True, False]).value == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("income", "options", "words"),
    [
        ([1.0, -2.0], {}, r"income\[1\] is -2; expected positive"),
        ([1.0, 2.0], {"weights": [1.0, 0.0]}, r"weights\[1\] is 0"),
        ([1.0, 2.0], {"weights": [1.0]}, "two arrays of one length"),
        ([1.0, 2.0], {"index": "atkinson"}, "expected aversion above 0"),
        ([1.0, 2.0], {"index": "top-share", "parameter": 1.0}, "a share within"),
        ([1.0, 2.0], {"index": "poverty"}, "a line above 0"),
    ],
)
def test_refusals(income, options, words):
    with pytest.raises(ValueError, match=words):
        inequality(income, **options)


def test_empty_groups_are_refused():
    with pytest.raises(ValueError, match="one of the two groups is empty"):
        ratio_of_means([1.0, 2.0], [True, True])
