"""Estimates on large panels: ours, diff-diff, and csdid and moderndid where they are installed (`make parity` makes such an environment).

python benchmarks/pilots.py [--units 100000] [--draws 999]

Group-time effects of 50 periods, five cohorts, never-treated controls, no covariates, unit influence functions; then event means. Everything from arrays, or from a
table for packages that take tables; reading is not counted. Peak memory is that of a process of its own for each.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

PERIODS, COHORTS = 50, 5
CONTENDERS = (
    "ours",
    "ours, imputation",
    "diff-diff",
    "diff-diff, bootstrap",
    "diff-diff, imputation",
    "csdid",
    "moderndid",
)
NEEDS = {"csdid": "csdid", "moderndid": "moderndid"}
SLOW = 20_000
"""Units at which packages are timed that would take minutes at full size."""


def panel(units: int):
    draw = np.random.default_rng(1)
    t = np.arange(1, PERIODS + 1)
    first = np.where(draw.random(units) < 0.5, draw.choice([10.0, 18.0, 26.0, 34.0, 42.0], units), np.inf)
    y = draw.normal(size=(units, 1)) + 0.01 * t + draw.normal(size=(units, PERIODS))
    y += np.where(t >= first[:, None], 0.2, 0.0)
    return y, first, t


def long(y, first, t):
    import pandas as pd

    units = np.repeat(np.arange(len(y)), len(t))
    start = np.where(np.isfinite(first), first, 0).astype(int)
    return pd.DataFrame({"id": units, "t": np.tile(t, len(y)), "y": y.ravel(), "g": start[units]})


def estimate(name: str, y, first, t, draws: int):
    """Mean effect and its error, with the seconds that they took."""
    from poundlock.pilots import by_diff_diff, group_time, impute

    table = long(y, first, t) if not name.startswith("ours") else None
    by_diff_diff.two_way(*panel_small())  # the package is loaded before the clock starts
    began = time.perf_counter()
    if name == "ours":
        found = group_time(y, first, t)
        found.aggregate("event")
        mean = found.aggregate()
        said = mean.overall, mean.overall_error
    elif name == "ours, imputation":
        found = impute(y, first, t)
        said = float(found.effect[0]), float(found.error[0])
    elif name.startswith("diff-diff"):
        import diff_diff

        names = {"outcome": "y", "unit": "id", "time": "t", "first_treat": "g"}
        if name.endswith("imputation"):
            fitted = diff_diff.ImputationDiD().fit(table, **names)
        else:
            fitted = diff_diff.CallawaySantAnna(n_bootstrap=draws if "bootstrap" in name else 0, seed=1).fit(
                table, **names
            )
            fitted.aggregate("event_study")
        said = fitted.overall_att, fitted.overall_se
    elif name == "csdid":
        from csdid.att_gt import ATTgt

        fitted = ATTgt("y", "t", "id", "g", table, control_group=["nevertreated"], xformla="y ~ 1")
        found = fitted.fit(est_method="reg", bstrap=False).aggte(typec="simple", bstrap=False).atte
        said = float(found["overall_att"]), float(np.ravel(found["overall_se"])[0])
    else:
        import moderndid

        fitted = moderndid.att_gt(table, "y", "t", "id", "g", est_method="reg", boot=False)
        found = moderndid.aggte(fitted, type="simple")
        said = found.overall_att, found.overall_se
    return (*said, time.perf_counter() - began)


def panel_small():
    y, first, t = panel(60)
    return y[:, :20], np.where(first > 20, np.inf, first), t[:20]


def one(name: str, units: int, draws: int) -> None:
    """In a process of its own: print the estimate, seconds and peak memory."""
    warnings.simplefilter("ignore")
    effect, error, seconds = estimate(name, *panel(units), draws)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name:24} {units:>9,} {effect:+.6f} {error:.6f} {seconds:9.2f} {peak:8.1f}", flush=True)


def placebos() -> None:
    from poundlock.pilots import synthetic_control

    draw = np.random.default_rng(2)
    y = draw.uniform(0, 1, (300, 3)) @ np.cumsum(draw.normal(0, 0.3, (3, 50)), axis=1) + draw.normal(0, 0.1, (300, 50))
    synthetic_control(y[:20], 0, 40)
    times = []
    for _ in range(3):
        began = time.perf_counter()
        synthetic_control(y, 0, 40)
        times.append(time.perf_counter() - began)
    print(
        f"\nSynthetic control with placebos over 300 regions x 50 periods, drop-one-donor with it: {np.median(times):.2f} s"
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--units", type=int, default=100_000)
    options.add_argument("--draws", type=int, default=999)
    options.add_argument("--only")
    given = options.parse_args()
    if given.only:
        one(given.only, given.units, given.draws)
        return
    from machine import describe

    print(describe())
    print(f"\n{'':24} {'units':>9} {'effect':>9} {'error':>8} {'seconds':>9} {'GiB':>8}")
    for name in CONTENDERS:
        if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
            print(f"{name:24} not installed here")
            continue
        for units in (
            dict.fromkeys((min(SLOW, given.units), given.units)) if name != "csdid" else (min(SLOW, given.units),)
        ):
            call = [sys.executable, __file__, "--only", name, "--units", str(units), "--draws", str(given.draws)]
            done = subprocess.run(call, check=False, capture_output=True, text=True)
            last = done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"status {done.returncode}"
            print(done.stdout.rstrip() if done.returncode == 0 else f"{name:24} {units:>9,} failed: {last}")
    placebos()


if __name__ == "__main__":
    main()
