"""Synthetic control: by hand, against other solvers, and by what it promises on simulated panels; treatments as flags."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from poundlock.pilots import first_of_flags, fit_weights, synthetic_control


def test_weights_find_an_exact_mixture():
    donors = np.random.default_rng(0).normal(size=(5, 12))
    truth = np.array([0.5, 0.0, 0.3, 0.2, 0.0])
    np.testing.assert_allclose(fit_weights(truth @ donors, donors), truth, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 12), st.integers(2, 15), st.integers(0, 2**32 - 1))
def test_weights_are_as_good_as_those_of_a_general_solver(donors, periods, seed):
    draw = np.random.default_rng(seed)
    x, y = draw.normal(size=(donors, periods)), draw.normal(size=periods)
    found = fit_weights(y, x)
    assert np.all(found >= 0)
    assert found.sum() == pytest.approx(1.0)
    other = minimize(
        lambda w: np.sum((y - w @ x) ** 2),
        np.full(donors, 1 / donors),
        bounds=[(0, 1)] * donors,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    assert np.sum((y - found @ x) ** 2) <= other.fun + 1e-7


def panel(draw, units=31, periods=14):
    """Two factors with unit loadings that differ, and noise with memory: exchangeable units, no effect."""
    factors = np.cumsum(draw.normal(0, 0.3, (2, periods)), axis=1)
    noise = draw.normal(0, 0.1, (units, periods))
    for t in range(1, periods):
        noise[:, t] += 0.5 * noise[:, t - 1]
    return draw.uniform(0, 1, (units, 2)) @ factors + noise


def test_the_placebo_test_keeps_its_size_and_the_interval_its_level():
    """400 panels without any effect: p <= 0.1 in at most 10 % (and simulation error), intervals cover at their level."""
    draw = np.random.default_rng(5)
    found = [synthetic_control(panel(draw), 0, 10, level=0.9) for _ in range(400)]
    assert found[0].level == pytest.approx(1 - 3 / 31)
    error = 3 * np.sqrt(0.1 * 0.9 / 400)
    assert np.mean([e.p_value <= 0.1 for e in found]) <= 0.1 + error
    assert np.mean([e.low <= 0.0 <= e.high for e in found]) >= found[0].level - error


def test_a_large_effect_is_found_and_its_size_is_right():
    draw = np.random.default_rng(6)
    found = []
    for _ in range(60):
        y = panel(draw)
        y[0] = y[1:4].mean(axis=0) + draw.normal(0, 0.05, y.shape[1])
        y[0, 10:] += 1.0
        found.append(synthetic_control(y, 0, 10))
    assert np.mean([e.low > 0 for e in found]) > 0.8  # power
    assert np.mean([e.effect for e in found]) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("size", [0.0, 0.5, 5.0])
def test_the_interval_is_the_inverted_test(size: float):
    """Taking a supposed effect off the treated unit and testing anew: not rejected just inside, rejected just outside."""
    for seed in range(6):
        y = panel(np.random.default_rng(seed))
        y[0, 10:] += size
        e = synthetic_control(y, 0, 10, level=0.9)
        for effect, rejected in (
            (e.low + 1e-6, False),
            (e.high - 1e-6, False),
            (e.low - 1e-6, True),
            (e.high + 1e-6, True),
        ):
            if np.isfinite(effect):
                without = y.copy()
                without[0, 10:] -= effect
                assert (synthetic_control(without, 0, 10, level=0.9).p_value <= 1 - e.level + 1e-9) == rejected


def test_the_width_of_the_interval_does_not_grow_with_the_effect():
    narrow, wide = [], []
    for seed in range(40):
        y = panel(np.random.default_rng(seed))
        narrow.append(synthetic_control(y, 0, 10))
        y[0, 10:] += 10.0
        wide.append(synthetic_control(y, 0, 10))
    np.testing.assert_allclose([e.high for e in wide], [e.high + 10.0 for e in narrow], rtol=1e-9)
    np.testing.assert_allclose([e.detectable for e in wide], [e.detectable for e in narrow], rtol=1e-9)
    for e in narrow:
        told = e.effect < e.detectable[0] or e.effect > e.detectable[1]
        assert told == (not e.low <= 0.0 <= e.high), "an estimate beyond them is told from none"


def test_few_donors_lower_the_level_that_is_said():
    e = synthetic_control(panel(np.random.default_rng(1), units=6), 0, 10, level=0.95)
    assert e.level == pytest.approx(1 - 1 / 6)
    assert e.smallest_p == pytest.approx(1 / 6)


def test_in_time_placebo_sees_an_earlier_break():
    draw = np.random.default_rng(2)
    y = panel(draw)
    y[0] = y[1:4].mean(axis=0)
    y[0, 7:] += 3.0
    e = synthetic_control(y, 0, 10, in_time=7)
    assert e.in_time is not None
    assert e.in_time[1] > 0.0


def test_leaving_out_the_only_good_donor_shows():
    draw = np.random.default_rng(3)
    y = draw.normal(0, 1, (8, 14))
    y[0] = y[1] + draw.normal(0, 0.01, 14)
    (low, *_), (high, *_) = found = synthetic_control(y, 0, 10).leave_one_out
    assert high - low > 0.1
    assert 1 in {unit for _, unit, _ in found}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"outcomes": np.zeros((2, 5))}, "1 donors"),
        ({"start": 0}, "before and after"),
        ({"start": 5}, "before and after"),
        ({"treated": 9}, "one of the units"),
        ({"in_time": 3}, "in-time placebo"),
        ({"outcomes": np.where(np.eye(4, 5) > 0, np.nan, 1.0)}, "unit 0 in period 0 is missing"),
    ],
)
def test_refusals_say_why(change: dict, words: str):
    call = {"outcomes": np.arange(20.0).reshape(4, 5), "treated": 0, "start": 3} | change
    with pytest.raises(ValueError, match=words):
        synthetic_control(call.pop("outcomes"), call.pop("treated"), call.pop("start"), **call)


def test_a_constant_outcome_is_refused():
    with pytest.raises(ValueError, match="the outcome is 1 everywhere and always; expected one that differs"):
        synthetic_control(np.ones((6, 8)), 0, 5)


def test_flags_become_first_periods_and_only_those_that_stay():
    flags = np.array([[0, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])
    assert first_of_flags(flags, [2001, 2002, 2003, 2004]).tolist() == [2003, np.inf, 2001]
    with pytest.raises(
        ValueError, match="unit 0 is under treatment in period 2003 and not in 2004; expected a treatment that stays"
    ):
        first_of_flags([[0, 0, 1, 0], [0, 0, 0, 0]], [2001, 2002, 2003, 2004])
    with pytest.raises(ValueError, match="treated of unit 1 in period 2002 is 2001; expected 0 or 1, not a date"):
        first_of_flags([[0, 1], [0, 2001]], [2001, 2002])
