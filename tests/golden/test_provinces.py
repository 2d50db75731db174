"""Inequality between China's provinces, by the definition, from the table that the example ships."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from conftest import EXAMPLES


def test_gini_of_provinces_in_2022(zhejiang):
    with (EXAMPLES / "zhejiang" / "province_panel.csv").open(encoding="utf-8") as stream:
        rows = [r for r in csv.DictReader(stream) if r["year"] == "2022"]
    income = np.array([float(r["disposable_income_all_cny"]) for r in rows])
    people = np.array([float(r["population_yearend_10k"]) for r in rows])
    share = people / people.sum()
    pairs = float(share @ np.abs(income[:, None] - income[None, :]) @ share)
    gini = zhejiang.pilot.whom.index("gini")
    assert len(rows) == zhejiang.pilot.whom.regions == 31
    assert gini.values[gini.years.index(2022)] == pytest.approx(pairs / (2 * float(share @ income)))


def test_a_year_with_missing_provinces_is_left_out(zhejiang):
    assert zhejiang.pilot.whom.index("gini").years[-1] == 2022
