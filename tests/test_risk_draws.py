"""Streams of random numbers: order, moments, weights, and that any piece can be made alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from poundlock.risk.draws import BLOCK, DEFENSIVE, REPLICATES, Stream, draw, pieces

FAR = np.array([[2.5, 0.0], [0.0, -2.0]])


def everything(stream: Stream, begin: int = 0):
    found = list(draw(stream, begin))
    return np.concatenate([d.normal for d in found]), np.concatenate([d.weight for d in found]), found


@pytest.mark.parametrize("way", ["plain", "sobol", "importance"])
def test_every_draw_is_made_once_and_any_piece_alone(way):
    stream = Stream(2, 3, 20_000, 5, way, FAR if way == "importance" else np.zeros((0, 2)))
    normal, weight, found = everything(stream)
    assert normal.shape == (20_000, 5)
    assert [d.first for d in found] == [p.first for p in pieces(20_000, way)]
    for begin in (1, 7, len(found) - 1):
        later, weights, _ = everything(stream, begin)
        np.testing.assert_array_equal(later, normal[found[begin].first :])
        np.testing.assert_array_equal(weights, weight[found[begin].first :])


def test_more_plain_draws_begin_with_the_same_ones():
    few, _, _ = everything(Stream(2, 3, BLOCK + 10, 5))
    many, _, _ = everything(Stream(2, 3, 5 * BLOCK, 5))
    np.testing.assert_array_equal(few, many[: BLOCK + 10])


def test_scrambled_points_are_normal_and_evener_than_plain_ones():
    """The mean of a smooth function of the factors has a much smaller error (Owen 1997)."""
    count, truth = REPLICATES * 1024, ndtr(0.5 / np.sqrt(2.0))  # E[N(0.5 + z)] = N(0.5 / sqrt 2)
    errors = {"plain": [], "sobol": []}
    for way, found in errors.items():
        for seed in range(20):
            normal, _, _ = everything(Stream(2, 1, count, seed, way))
            found.append(ndtr(0.5 + normal[:, :2] @ [0.6, 0.8]).mean() - truth)
    assert np.std(errors["sobol"]) < 0.05 * np.std(errors["plain"])
    normal, _, _ = everything(Stream(2, 1, count, 1, "sobol"))
    assert np.abs(np.cov(normal.T) - np.eye(3)).max() < 0.03


def test_weights_undo_the_shift():
    """Any expectation comes out as without it; no weight is above one over the unshifted share."""
    normal, weight, _ = everything(Stream(2, 1, 400_000, 3, "importance", FAR))
    assert weight.max() <= 1.0 / DEFENSIVE + 1e-9
    for values, truth in (
        (np.ones(len(weight)), 1.0),
        (normal[:, 0], 0.0),
        (normal[:, 1] ** 2, 1.0),
        (normal[:, 2], 0.0),
        (normal[:, 0] > 3.0, ndtr(-3.0)),
        (normal[:, 1] < -3.0, ndtr(-3.0)),
    ):
        terms = weight * values
        assert abs(terms.mean() - truth) < 4 * terms.std() / np.sqrt(len(terms))
    rare = weight * (normal[:, 0] > 4.0)
    plain_error = np.sqrt(ndtr(-4.0) / len(rare))
    assert rare.std() / np.sqrt(len(rare)) < 0.02 * plain_error * 10
    assert rare.mean() == pytest.approx(ndtr(-4.0), rel=0.05)
