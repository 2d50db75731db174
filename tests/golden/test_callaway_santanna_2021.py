"""Minimum wage and teen employment in 500 US counties: Callaway and Sant'Anna 2021, Journal of Econometrics 225(2); figures of the did package."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from poundlock.pilots import group_time, impute


@pytest.fixture(scope="module")
def counties(golden_folder: Path):
    """Log employment (500, 5), first period under treatment, periods, log population."""
    with (golden_folder / "mpdta.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    units, periods = sorted({r["unit"] for r in rows}), sorted({int(r["year"]) for r in rows})
    number = {unit: k for k, unit in enumerate(units)}
    outcome, first, population = np.full((len(units), len(periods)), np.nan), np.zeros(len(units)), np.zeros(len(units))
    for r in rows:
        k = number[r["unit"]]
        outcome[k, periods.index(int(r["year"]))] = float(r["lemp"])
        first[k], population[k] = float(r["g"]) or np.inf, float(r["lpop"])
    return outcome, first, periods, population


def test_means_without_covariates(counties):
    outcome, first, periods, _ = counties
    found = group_time(outcome, first, periods)
    simple, event, group = (found.aggregate(over) for over in ("all", "event", "group"))
    assert simple.overall == pytest.approx(-0.03995, abs=5e-6)
    assert simple.overall_error == pytest.approx(0.01203, abs=5e-6)
    assert event.overall == pytest.approx(-0.0772, abs=5e-5)
    assert event.overall_error == pytest.approx(0.0203, rel=0.03), "the published one is bootstrapped"
    assert group.overall == pytest.approx(-0.0310, abs=5e-5)
    assert group.overall_error == pytest.approx(0.0125, rel=0.01)


def test_doubly_robust_with_population(counties):
    outcome, first, periods, population = counties
    found = group_time(outcome, first, periods, covariates=population)
    assert found.aggregate().overall == pytest.approx(-0.04175, abs=5e-6)


def test_imputation(counties):
    """Borusyak, Jaravel and Spiess on the same counties."""
    outcome, first, periods, _ = counties
    assert impute(outcome, first, periods).effect[0] == pytest.approx(-0.047710, abs=5e-7)
