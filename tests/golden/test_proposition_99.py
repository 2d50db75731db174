"""California's tobacco programme: Abadie, Diamond and Hainmueller 2010, JASA 105(490), on outcomes alone."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from poundlock.pilots import synthetic_control


def test_effect_and_placebo_rank(golden_folder):
    with (golden_folder / "prop99.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    states, years = sorted({r["unit"] for r in rows}), sorted({int(r["year"]) for r in rows})
    packs = np.full((len(states), len(years)), np.nan)
    for r in rows:
        packs[states.index(r["unit"]), years.index(int(r["year"]))] = float(r["packs"])
    found = synthetic_control(packs, states.index("California"), years.index(1989))
    assert found.effect == pytest.approx(-19.6, abs=0.3)
    assert (found.rank, found.units) == (3, 39)
