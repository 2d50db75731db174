"""Thirty-two lanes at once against the same functions on numpy arrays, which stand in where nothing is compiled."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from poundlock.contagion import lanes
from poundlock.contagion.lanes import AHEAD, COUNT, any_above, below, gather, least, load, most, store


def some(seed: int, rows: int = 3) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(rows, COUNT))
    values[0, :4] = [0.0, -0.0, np.inf, 1e-300]
    return values


@njit
def _arithmetic(a, b, out):
    x, y = load(a, 0), load(b, 0)
    store(out, 0, x + y)
    store(out, 1, x - 2.0)
    store(out, 2, 3.0 * y)
    store(out, 3, x / 4.0)
    store(out, 4, least(x, y))
    store(out, 5, most(0.0, x))
    store(out, 6, below(x, 0.5, y, 7.0))


def test_arithmetic_has_the_bits_of_numpy():
    a, b, out = some(1), some(2), np.zeros((7, COUNT))
    _arithmetic(a, b, out)
    x, y = a[0], b[0]
    expected = [x + y, x - 2.0, 3.0 * y, x / 4.0, np.minimum(x, y), np.maximum(0.0, x), np.where(x < 0.5, y, 7.0)]
    np.testing.assert_array_equal(out, np.array(expected))


@njit
def _gather(starts, slot, amount, lost, out):
    for i in range(len(starts) - 1):
        store(out, i, gather(starts, slot, amount, i, lost))


def test_gather_adds_up_in_the_order_of_the_claims():
    draw = np.random.default_rng(3)
    starts, amount, lost = np.array([0, 0, 1, 40, 45]), draw.lognormal(size=45), draw.random((10, COUNT))
    slot = np.concatenate([draw.integers(0, 10, 45), np.zeros(AHEAD, dtype=np.int64)]).astype(np.int32)
    out, expected = np.full((4, COUNT), np.nan), np.zeros((4, COUNT))
    _gather(starts, slot, amount, lost, out)
    for i in range(4):
        for k in range(starts[i], starts[i + 1]):
            expected[i] += amount[k] * lost[slot[k]]
    np.testing.assert_array_equal(out, expected)
    for i in range(4):
        np.testing.assert_array_equal(gather(starts, slot, amount, i, lost), expected[i])


@njit
def _any(a, bound):
    return any_above(load(a, 0), bound)


@pytest.mark.parametrize("lane", [0, 5, 17, COUNT - 1])
def test_any_above_sees_every_lane(lane: int):
    values = np.zeros((1, COUNT))
    assert not _any(values, 0.0)
    values[0, lane] = 1e-300
    assert _any(values, 0.0)
    assert any_above(values[0], 0.0)


@njit
def _numbers(a, b):
    return least(a, b), most(a, b), below(a, b, 1.0, 2.0)


def test_numbers_are_taken_as_well():
    assert _numbers(1.0, 2.0) == (1.0, 2.0, 1.0)
    assert _numbers(2.0, 2.0) == (2.0, 2.0, 2.0)
    assert (lanes.least(1.0, 2.0), lanes.most(1.0, 2.0), float(lanes.below(3.0, 2.0, 1.0, 0.0))) == (1.0, 2.0, 0.0)


def test_without_compilation_they_work_on_arrays():
    array = np.arange(2.0 * COUNT).reshape(2, COUNT)
    store(array, 1, load(array, 0) + 1.0)
    np.testing.assert_array_equal(array[1], np.arange(COUNT) + 1.0)
