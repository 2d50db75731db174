"""Our estimates beside other packages' on the same panels, which users never install: csdid, moderndid, pyfixest. Run by `make parity`."""

from __future__ import annotations

import csv
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from poundlock.pilots import by_diff_diff, group_time, impute

warnings.filterwarnings("ignore")
csdid = pytest.importorskip("csdid.att_gt")
moderndid = pytest.importorskip("moderndid")
pyfixest = pytest.importorskip("pyfixest")
GOLDEN = Path(os.environ.get("POUNDLOCK_GOLDEN", Path(__file__).parents[2] / "shared" / "golden"))


def long(y, first, periods, x=None, w=None) -> pd.DataFrame:
    units = np.repeat(np.arange(len(y)), len(periods))
    start = np.where(np.isfinite(first), first, 0).astype(int)
    table = pd.DataFrame({"id": units, "t": np.tile(periods, len(y)), "y": y.ravel(), "g": start[units]})
    table["d"] = ((table["g"] > 0) & (table["t"] >= table["g"])).astype(int)
    if x is not None:
        table["x"] = x[units]
    if w is not None:
        table["w"] = w[units]
    return table


def simulated(seed: int) -> tuple[Any, ...]:
    draw = np.random.default_rng(seed)
    units, t = 120, np.arange(2001, 2010)
    x = draw.normal(size=units)
    chance = 1 / (1 + np.exp(-x))
    first = np.where(draw.random(units) < chance, draw.choice([2004.0, 2006.0], units), np.inf)
    y = draw.normal(size=(units, 1)) + np.outer(1 + 0.5 * x, 0.1 * (t - 2000)) + draw.normal(0, 0.5, (units, len(t)))
    y += np.where(t >= first[:, None], 0.3, 0.0)
    return y, first, t, x, draw.uniform(0.5, 3, units)


def counties() -> tuple[Any, ...]:
    if not (GOLDEN / "mpdta.csv").is_file():
        pytest.skip("the published counties are not here; set POUNDLOCK_GOLDEN to their folder")
    with (GOLDEN / "mpdta.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    units, t = sorted({r["unit"] for r in rows}), np.array(sorted({int(r["year"]) for r in rows}))
    y, first, x = np.full((len(units), len(t)), np.nan), np.zeros(len(units)), np.zeros(len(units))
    for r in rows:
        k = units.index(r["unit"])
        y[k, int(r["year"]) - t[0]] = float(r["lemp"])
        first[k], x[k] = float(r["g"]) or np.inf, float(r["lpop"])
    return y, first, t, x, np.exp(x)


CASES = {"counties": counties, "simulated 1": lambda: simulated(1), "simulated 2": lambda: simulated(2)}
OVER = {"all": "simple", "event": "dynamic", "group": "group", "period": "calendar"}


@pytest.mark.parametrize("controls", ["never-treated", "not-yet-treated"])
@pytest.mark.parametrize("covariate", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_group_time_is_moderndid(name, covariate, controls):
    y, first, t, x, _ = CASES[name]()
    ours = group_time(y, first, t, covariates=x if covariate else None, controls=controls)
    group = "nevertreated" if controls == "never-treated" else "notyettreated"
    other = moderndid.att_gt(
        long(y, first, t, x), "y", "t", "id", "g", xformla="~ x" if covariate else None, control_group=group, boot=False
    )
    cells = {(int(g), int(p)): a for g, p, a in zip(other.groups, other.times, other.att_gt, strict=True)}
    assert max(abs(cells[c.group, c.period] - c.effect) for c in ours.cells) < 1e-8
    for over, kind in OVER.items():
        found = moderndid.aggte(other, type=kind)
        mean = ours.aggregate(over)
        assert found.overall_att == pytest.approx(mean.overall, abs=1e-8), over
        assert found.overall_se == pytest.approx(mean.overall_error, rel=2e-3), over


@pytest.mark.parametrize("covariate", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_group_time_is_csdid(name, covariate):
    y, first, t, x, _ = CASES[name]()
    ours = group_time(y, first, t, covariates=x if covariate else None)
    formula = "y ~ x" if covariate else "y ~ 1"
    table = long(y, first, t, x)
    other = csdid.ATTgt("y", "t", "id", "g", table, control_group=["nevertreated"], xformla=formula)
    fitted = other.fit(est_method="dr", bstrap=False)
    found = fitted.aggte(typec="simple", bstrap=False).atte
    mean = ours.aggregate()
    assert found["overall_att"] == pytest.approx(mean.overall, abs=1e-8)
    error = found["overall_se"]
    assert float(np.ravel(error)[0]) == pytest.approx(mean.overall_error, rel=2e-3)


@pytest.mark.parametrize("name", ["simulated 1", "simulated 2"])
def test_imputation_is_the_two_stage_estimate_of_pyfixest(name):
    """Gardner's two stages and imputation are one point without covariates; their errors differ. pyfixest demeans in steps, and stops where units are left with one
    untreated period, as some of the counties are."""
    y, first, t, *_ = CASES[name]()
    table = long(y, first, t)
    two = pyfixest.did2s(table, yname="y", first_stage="~ 0 | id + t", second_stage="~ d", treatment="d", cluster="id")
    found = impute(y, first, t)
    assert float(two.coef()["d"]) == pytest.approx(found.effect[0], abs=2e-5)
    assert float(two.se()["d"]) == pytest.approx(found.error[0], rel=0.3)


@pytest.mark.parametrize("name", CASES)
def test_static_two_way_effects_are_those_of_pyfixest(name):
    y, first, t, *_ = CASES[name]()
    found = pyfixest.feols("y ~ d | id + t", long(y, first, t))
    assert float(found.coef()["d"]) == pytest.approx(by_diff_diff.two_way(y, first, t).effect, abs=1e-7)
