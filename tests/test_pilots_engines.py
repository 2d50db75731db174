"""Two engines: they agree where they should, and what is known to be wrong in the package cannot be reached."""

from __future__ import annotations

import csv
import warnings

import numpy as np
import pytest

from poundlock.pilots import by_diff_diff, group_time, impute, synthetic_control
from poundlock.pilots.by_diff_diff import Other
from poundlock.pilots.engines import Agreement, of_group_time, of_imputation, of_synthetic_control


def staggered(seed: int, units: int = 60, periods: int = 12):
    """Two groups of starts, effects that grow, weights that differ."""
    draw = np.random.default_rng(seed)
    first = np.array([6.0] * 15 + [9.0] * 15 + [np.inf] * (units - 30))
    t = np.arange(1, periods + 1)
    y = draw.normal(size=(units, 1)) + 0.1 * t + draw.normal(0, 0.3, (units, periods))
    y += np.where(t >= first[:, None], 0.2 * (t - np.where(np.isfinite(first), first, 0)[:, None] + 1), 0.0)
    return y, first, t, draw.uniform(0.5, 3.0, units)


@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("controls", ["never-treated", "not-yet-treated"])
def test_group_time_effects_agree(anticipation, weighted, controls):
    y, first, t, people = staggered(1)
    w = people if weighted else None
    found = group_time(y, first, t, weights=w, controls=controls, anticipation=anticipation)
    one = of_group_time(y, t, found, weights=w, anticipation=anticipation)
    assert one.agree, repr(one)


@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("weighted", [False, True])
def test_imputed_effects_agree(anticipation, weighted):
    y, first, t, people = staggered(2)
    w = people if weighted else None
    found = impute(y, first, t, weights=w, anticipation=anticipation)
    one = of_imputation(y, first, t, found, weights=w, anticipation=anticipation)
    assert one.agree, repr(one)


@pytest.mark.parametrize("seed", range(5))
def test_synthetic_controls_agree(seed):
    draw = np.random.default_rng(seed)
    y = np.cumsum(draw.normal(size=(20, 14)), axis=1)
    found = synthetic_control(y, 3, 9)
    assert of_synthetic_control(y, 3, 9, found.effect, found.pre_error).agree


def test_answers_that_part_do_not_agree():
    ours, other = Other(0.1, 0.02), Other(0.1 + 1e-7, 0.02)
    assert not Agreement("imputation", ours, other, 1e-8, 1e-6).agree
    assert not Agreement("imputation", ours, Other(0.1, 0.02 + 1e-5), 1e-8, 1e-6).agree
    assert Agreement("imputation", ours, Other(0.1, 0.02), 1e-8, 1e-6).agree
    assert "DISAGREE" in repr(Agreement("imputation", ours, other, 1e-8, 1e-6))


def test_a_bootstrap_of_one_treated_unit_is_refused():
    y, first, t, _ = staggered(3)
    first[1:30] = np.inf
    with pytest.raises(ValueError, match="a bootstrap of 1 treated unit; expected 10 at least: use placebos"):
        by_diff_diff.bootstrap_error(y, first, t)


def test_a_bootstrap_of_many_is_near_the_analytic_error():
    y, first, t, _ = staggered(4)
    drawn = by_diff_diff.bootstrap_error(y, first, t, draws=399)
    assert drawn.error == pytest.approx(group_time(y, first, t).aggregate().overall_error, rel=0.15)


def test_placebos_need_more_donors_than_treated_units():
    y, *_ = staggered(5, units=31)
    with pytest.raises(ValueError, match="1 donors for 30 treated units"):
        by_diff_diff.synthetic_did(y, np.arange(30), 6)


def test_synthetic_did_of_a_known_effect_and_the_same_bits_again():
    draw = np.random.default_rng(6)
    y = np.cumsum(draw.normal(0, 0.2, (30, 15)), axis=1)
    y[0, 10:] += 2.0
    one, two = (by_diff_diff.synthetic_did(y, [0], 10, draws=60, seed=4) for _ in range(2))
    assert one == two
    assert one.low < 2.0 < one.high
    assert one.error > 0.05


def test_static_two_way_effects_are_split_into_their_comparisons():
    y, first, t, _ = staggered(7)
    found = by_diff_diff.two_way(y, first, t)
    assert sum(weight for _, weight, _ in found.parts) == pytest.approx(1.0)
    assert sum(weight * effect for _, weight, effect in found.parts) == pytest.approx(found.effect)
    assert 0.0 < found.share_forbidden < 0.5
    treated = (t >= first[:, None]).astype(float)
    dummies = [np.kron(np.eye(60), np.ones(12)).T, np.kron(np.ones(60), np.eye(12)).T]
    left = np.linalg.lstsq(np.hstack([treated.reshape(-1, 1), *dummies]), y.ravel(), rcond=None)[0]
    assert found.effect == pytest.approx(left[0], abs=1e-9)


def test_the_package_does_not_speak_to_the_reader():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        y, first, t, _ = staggered(8)
        by_diff_diff.group_time(y, first, t)


def test_published_cases(golden_folder):
    """Proposition 99: synthetic difference in differences -15.604 (Arkhangelsky et al. 2021, table 1); counties: two-way fixed effects -0.036549."""
    with (golden_folder / "prop99.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    states, years = sorted({r["unit"] for r in rows}), sorted({int(r["year"]) for r in rows})
    packs = np.full((len(states), len(years)), np.nan)
    for r in rows:
        packs[states.index(r["unit"]), years.index(int(r["year"]))] = float(r["packs"])
    found = by_diff_diff.synthetic_did(packs, [states.index("California")], years.index(1989))
    assert found.effect == pytest.approx(-15.604, abs=5e-4)
    assert 7.6 <= found.error <= 10.95
    with (golden_folder / "mpdta.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    units, periods = sorted({r["unit"] for r in rows}), sorted({int(r["year"]) for r in rows})
    y, first = np.full((len(units), len(periods)), np.nan), np.zeros(len(units))
    for r in rows:
        k = units.index(r["unit"])
        y[k, periods.index(int(r["year"]))], first[k] = float(r["lemp"]), float(r["g"]) or np.inf
    assert by_diff_diff.two_way(y, first, periods).effect == pytest.approx(-0.036549, abs=5e-7)
