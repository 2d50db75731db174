"""Elsewhere: how unusual a site was, weights that meet a target, effects that are carried to it."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots.transport import audit, calibrate, transport


def test_an_unusual_place_is_called_so():
    x = np.random.default_rng(1).normal(size=(31, 2))
    x[7] = 4.0, -3.0
    found = audit(x, ("income", "patents"), 7)
    assert found.rank == 1
    assert (found.baselines[0].percentile, found.baselines[1].percentile) == (1.0, 0.0)
    assert found.baselines[0].distance > 3.0
    usual = audit(x, ("income", "patents"), int(np.argmin(np.abs(x).sum(axis=1))))
    assert usual.rank > 20
    assert "rank 1 of 31" in repr(found)


def test_a_place_like_the_mean_is_at_no_distance():
    x = np.vstack([np.random.default_rng(2).normal(size=(20, 3)), np.zeros((1, 3))])
    x[-1] = x[:-1].mean(axis=0)
    assert audit(x, ("a", "b", "c"), 20).distance == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_weights_meet_the_target(seed: int):
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(40, 3)) * (1.0, 100.0, 1e-3)
    goal = draw.dirichlet(np.full(40, 0.5)) @ x
    found = calibrate(x, goal)
    np.testing.assert_allclose((found.weights @ x - goal) / np.ptp(x, axis=0), 0.0, atol=1e-8)
    assert found.weights.min() > 0.0
    assert found.weights.sum() == pytest.approx(1.0)
    assert 1.0 <= found.effective <= 40.0
    assert calibrate(x, x.mean(axis=0)).effective == pytest.approx(40.0)


def test_weights_are_those_nearest_to_equal():
    """Tilted in the characteristics: logs of weights are linear in them."""
    x = np.random.default_rng(4).normal(size=(30, 1))
    logs = np.log(calibrate(x, [0.5]).weights)
    fit = np.polyfit(x[:, 0], logs, 1)
    np.testing.assert_allclose(logs, np.polyval(fit, x[:, 0]), atol=1e-9)


def test_carried_effects_cover_the_truth_at_the_target():
    """Effects grow with a characteristic of which sites have more than the target; 400 times, 30 sites."""
    holds, naive = 0, 0
    for seed in range(400):
        draw = np.random.default_rng(seed)
        x = draw.normal(1.0, 1.0, size=(30, 1))
        y = 0.5 + 0.8 * x[:, 0] + draw.normal(0.0, 0.5, 30)
        found = transport(y, np.full(30, 0.2), x, [0.5])
        holds += found.low <= 0.5 + 0.4 <= found.high
        naive += abs(y.mean() - 0.9) <= 1.96 * y.std(ddof=1) / np.sqrt(30)
    assert 0.90 <= holds / 400 <= 0.985
    assert naive / 400 < 0.5, "the mean of the sites is not that of the target"


def test_an_effect_that_is_the_same_everywhere_stays():
    x = np.random.default_rng(5).normal(size=(20, 2))
    found = transport(np.full(20, 0.3), np.full(20, 0.1), x, [0.2, -0.1])
    assert found.effect == pytest.approx(0.3)
    assert found.error == pytest.approx(0.1 / np.sqrt(found.effective))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda x: audit(x, ("a",), 0), "one of the places"),
        (lambda x: audit(np.where(x == x[0, 0], np.nan, x), ("a", "b"), 3), "a of place 0 is missing"),
        (lambda x: audit(x[:4], ("a", "b"), 0), "expected 5 at least"),
        (lambda x: audit(np.column_stack([x[:, 0], np.ones(20)]), ("a", "b"), 0), "b is the same"),
        (lambda x: calibrate(x, [9.0, 0.0]), "characteristic 0 is 9"),
        (lambda x: calibrate(np.abs(x) * (x.sum(axis=1) > 0)[:, None], [0.0, 5.0]), "expected a target within"),
        (lambda x: transport([0.1], [0.1], x[:1], [0.0, 0.0]), "fewer cannot be reweighted"),
        (lambda x: transport(np.ones(20), np.ones(20), x, np.sort(x, axis=0)[-2]), "expected"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(ValueError, match=words):
        call(np.random.default_rng(6).normal(size=(20, 2)))
