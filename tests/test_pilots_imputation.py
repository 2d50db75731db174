"""Imputation: against plain least squares, by its promises on simulated data, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.pilots import impute

NEVER = np.inf


def panel(seed: int, units: int = 150, periods: int = 8, effect: float = 0.0, spread: float = 0.0):
    """Unit and period effects, errors that follow each other within units, effects that differ by group."""
    draw = np.random.default_rng(seed)
    first = draw.choice([4.0, 6.0, NEVER], units, p=[0.3, 0.3, 0.4])
    time = np.arange(1, periods + 1)
    noise = draw.normal(size=(units, periods)) + 0.7 * draw.normal(size=(units, 1)) * np.sqrt(time)
    own = effect + spread * (first == 4.0)
    outcome = draw.normal(size=(units, 1)) + 0.3 * time + noise
    return outcome + own[:, None] * (time >= first[:, None]), first, time


def by_least_squares(outcome, first, time):
    """The same from one dense regression on dummies of what is untreated."""
    units, periods = outcome.shape
    treated = time >= np.asarray(first)[:, None]
    design = np.zeros((units * periods, units + periods))
    where = np.arange(units * periods)
    design[where, where // periods] = design[where, units + where % periods] = 1.0
    untreated = ~treated.ravel()
    beta = np.linalg.lstsq(design[untreated], outcome.ravel()[untreated], rcond=None)[0]
    return (outcome.ravel() - design @ beta).reshape(outcome.shape), treated


@pytest.mark.parametrize("seed", range(3))
def test_it_is_least_squares_on_what_is_untreated(seed: int):
    outcome, first, time = panel(seed, 40, effect=1.0)
    left, treated = by_least_squares(outcome, first, time)
    found = impute(outcome, first, time)
    np.testing.assert_allclose(found.effects[treated], left[treated], atol=1e-9)
    assert found.effect[0] == pytest.approx(left[treated].mean())
    assert np.all(np.isnan(found.effects[~treated]))
    event = impute(outcome, first, time, over="event")
    assert event.counts.sum() == treated.sum()
    assert event.effect @ event.counts / event.counts.sum() == pytest.approx(found.effect[0])


def test_the_error_is_that_of_the_weights_on_outcomes():
    """The mean is linear in outcomes: its weights, found by moving one outcome at a time, give the error of eq. 8."""
    outcome, first, time = panel(5, 12, 8)
    base, step = impute(outcome, first, time), 1e-3
    weights = np.zeros(outcome.shape)
    for i, k in np.ndindex(*outcome.shape):
        moved = outcome.copy()
        moved[i, k] += step
        weights[i, k] = (impute(moved, first, time).effect[0] - base.effect[0]) / step
    left, treated = by_least_squares(outcome, first, time)
    for group in np.unique(first[np.isfinite(first)]):
        rows = first == group
        left[rows] -= np.where(treated[rows], left[rows].mean(axis=0), 0.0)
    assert base.error[0] == pytest.approx(np.sqrt(((weights * left).sum(axis=1) ** 2).sum()), rel=1e-6)


def test_coverage():
    """400 panels with errors that follow each other: 95 % intervals hold the truth about as often as they say; never far less where effects differ."""
    same, differ = 0, 0
    for seed in range(400):
        found = impute(*panel(seed, effect=0.5))
        same += abs(found.effect[0] - 0.5) <= 1.96 * found.error[0]
        outcome, first, time = panel(seed, effect=0.5, spread=1.0)
        truth = np.nanmean(np.where(time >= first[:, None], 0.5 + (first == 4.0)[:, None], np.nan))
        found = impute(outcome, first, time)
        differ += abs(found.effect[0] - truth) <= 1.96 * found.error[0]
    assert 0.915 <= same / 400 <= 0.98
    assert differ / 400 >= 0.915


def test_weights_and_clusters():
    outcome, first, time = panel(1, 30, effect=1.0)
    heavy = impute(outcome, first, time, weights=np.where(first == 4.0, 1e9, 1.0))
    alone = dict(zip(*[(g := impute(outcome, first, time, over="group")).at, g.effect], strict=True))
    assert heavy.effect[0] == pytest.approx(alone[4], rel=1e-6)
    one = impute(outcome, first, time)
    twice = impute(np.vstack([outcome] * 2), np.tile(first, 2), time, cluster=np.tile(np.arange(30), 2))
    assert twice.effect[0] == pytest.approx(one.effect[0])
    assert twice.error[0] == pytest.approx(one.error[0])


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ([1, 3, NEVER], "unit 0 is treated in every period; expected a period before its start"),
        ([2, 3, 3], "all units are treated in period 3"),
        ([NEVER] * 3, "no unit starts within the panel"),
    ],
)
def test_refusals(first, words):
    with pytest.raises(ValueError, match=words):
        impute(np.arange(9.0).reshape(3, 3), first, [1, 2, 3])


def test_bad_weights_are_refused():
    with pytest.raises(ValueError, match="one positive number a unit"):
        impute(np.arange(9.0).reshape(3, 3), [2, 3, NEVER], [1, 2, 3], weights=[1.0, -1.0, 1.0])
