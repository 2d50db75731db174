"""Group-time difference in differences: by hand, by its promises on simulated data, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.pilots import group_time, simultaneous_bands

NEVER = np.inf
PERIODS = [1, 2, 3, 4]
HAND = np.array([[1.0, 2.0, 5.0, 6.0], [2.0, 2.0, 4.0, 8.0], [0.0, 1.0, 2.0, 3.0], [3.0, 3.0, 4.0, 6.0]])
STARTS = [3, 3, NEVER, NEVER]


def panel(seed: int, units: int = 200, effect: float = 0.0, periods: int = 6):
    """Parallel trends, errors that follow each other, three groups; the covariate shifts trends and starts alike."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=units)
    chance = 1.0 / (1.0 + np.exp(-0.8 * x))
    first = np.where(draw.random(units) < chance, draw.choice([3.0, 5.0], units), NEVER)
    noise = np.cumsum(draw.normal(size=(units, periods)), axis=1)
    time = np.arange(1, periods + 1)
    outcome = draw.normal(size=(units, 1)) + 0.3 * time + 0.2 * x[:, None] * time + noise
    return outcome + effect * (time >= first[:, None]), first, time, x


def test_by_hand():
    """Group 3 in period 4: changes from period 2 are 4 and 6, those of controls 2 and 3."""
    found = {(c.group, c.period): c for c in group_time(HAND, STARTS, PERIODS).cells}
    assert found[3, 3].effect == pytest.approx((3.0 + 2.0) / 2 - 1.0)
    assert found[3, 4].effect == pytest.approx(5.0 - 2.5)
    assert found[3, 2].effect == pytest.approx(0.5 - 0.5), "before the start, with the period before"
    assert found[3, 4].error == pytest.approx(np.sqrt((1.0 + 1.0) / 4 + (0.25 + 0.25) / 4))
    assert (found[3, 3].treated, found[3, 3].controls) == (2, 2)


def test_anticipation_moves_what_is_compared_with():
    found = {(c.group, c.period): c for c in group_time(HAND, STARTS, PERIODS, anticipation=1).cells}
    assert found[3, 4].effect == pytest.approx(5.5 - 3.0), "with period 1"


def test_population_weights_count():
    heavy = group_time(HAND, STARTS, PERIODS, weights=[3.0, 1.0, 1.0, 1.0])
    assert {(c.group, c.period): c.effect for c in heavy.cells}[3, 4] == pytest.approx(0.75 * 4.0 + 0.25 * 6.0 - 2.5)


def test_units_doubled_in_one_cluster_bring_no_news():
    one = group_time(HAND, STARTS, PERIODS).aggregate()
    twice = group_time(np.vstack([HAND, HAND]), STARTS * 2, PERIODS, cluster=[0, 1, 2, 3] * 2).aggregate()
    assert twice.overall == pytest.approx(one.overall)
    assert twice.overall_error == pytest.approx(one.overall_error)


@settings(deadline=None)
@given(st.floats(-5.0, 5.0), st.floats(0.1, 10.0), st.integers(0, 3))
def test_shifts_of_periods_and_units_move_nothing_and_scale_scales(shift: float, scale: float, seed: int):
    outcome, first, time, _ = panel(seed, 60)
    moved = scale * outcome + shift * np.arange(60)[:, None] + shift**2 * time
    one, other = (group_time(y, first, time).aggregate("event") for y in (outcome, moved))
    np.testing.assert_allclose(other.effect, scale * one.effect, atol=1e-7 * scale + 1e-6)
    np.testing.assert_allclose(other.error, scale * one.error, rtol=1e-6)


@pytest.mark.parametrize("method", ["doubly-robust", "weighting", "outcome-regression"])
def test_coverage_and_false_alarms(method: str):
    """400 panels of 200 units: the 95 % interval holds the truth, and finds nothing where there is nothing, as often as it says."""
    holds, size = 0, 400
    for seed in range(size):
        outcome, first, time, x = panel(seed, effect=0.5)
        mean = group_time(outcome, first, time, covariates=x, method=method).aggregate()
        holds += abs(mean.overall - 0.5) <= 1.96 * mean.overall_error
    assert 0.915 <= holds / size <= 0.98


def test_without_the_covariate_the_answer_is_wrong():
    """Treated units grow faster by themselves: the covariate is what tells."""
    far = [group_time(*panel(seed)[:3]).aggregate().overall for seed in range(40)]
    near = [group_time(*panel(seed)[:3], covariates=panel(seed)[3]).aggregate().overall for seed in range(40)]
    assert np.mean(far) > 0.3
    assert abs(np.mean(near)) < 0.1


def test_bands_hold_the_whole_path():
    """200 panels: the true path of noughts lies in the 90 % band as a whole at least about nine times in ten; single intervals hold it less often."""
    band, single = 0, 0
    for seed in range(200):
        outcome, first, time, x = panel(seed, 300)
        found = group_time(outcome, first, time, covariates=x).aggregate("event")
        low, high = simultaneous_bands(found, level=0.9, draws=300, seed=seed).T
        band += bool(np.all((low <= 0.0) & (high >= 0.0)))
        single += bool(np.all(np.abs(found.effect) <= 1.645 * found.error))
    assert 0.84 <= band / 200 <= 0.96
    assert single < band


def test_not_yet_treated_units_are_controls_too():
    outcome, first, time, _ = panel(1)
    never, not_yet = (group_time(outcome, first, time, controls=kind) for kind in ("never-treated", "not-yet-treated"))
    at = {(c.group, c.period): c for c in not_yet.cells}
    assert at[3, 4].controls == int(np.sum(~np.isfinite(first)) + np.sum(first == 5))
    assert all(c.controls == int(np.sum(~np.isfinite(first))) for c in never.cells)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first": [3, 3, 3, 3]}, "expected controls that have not started"),
        ({"first": [1, 1, NEVER, NEVER]}, "expected a period before the start"),
        ({"first": [NEVER] * 4}, "no unit starts within the panel"),
        ({"first": [1, 0, 0, 0], "periods": [2003, 2004, 2005, 2006]}, "not a flag"),
        ({"periods": [1, 2, 2, 4]}, "each once"),
        ({"weights": [1.0, 1.0, 0.0, 1.0]}, "one positive number a unit"),
        ({"covariates": [1.0, np.nan, 0.0, 1.0]}, "covariate 0 of unit 1 is missing"),
        ({"covariates": np.eye(4)[:, :3]}, "expected more units than covariates"),
    ],
)
def test_refusals(changes, words):
    given_all = {"first": STARTS, "periods": PERIODS, **changes}
    with pytest.raises(ValueError, match=words):
        group_time(HAND, **given_all)


def test_a_gap_in_the_panel_is_named():
    broken = HAND.copy()
    broken[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"no outcome of unit 2 in period 2; expected every unit in every period"):
        group_time(broken, STARTS, PERIODS)


def test_one_treated_unit_gets_no_bootstrap():
    found = group_time(HAND, [3, NEVER, NEVER, NEVER], PERIODS).aggregate("event")
    with pytest.raises(ValueError, match="expected ten at least for a bootstrap"):
        simultaneous_bands(found)


def test_covariates_that_tell_without_fail_are_refused():
    outcome, first, time, _ = panel(3, 60)
    with pytest.raises(ValueError, match="expected overlap"):
        group_time(outcome, first, time, covariates=np.isfinite(first).astype(float))
