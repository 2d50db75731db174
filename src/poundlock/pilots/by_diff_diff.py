"""The other engine: estimates of the same things by the diff-diff package, pinned, and what only it has.

Loaded when first asked for. Known faults are kept out: relative-magnitude honest bounds and the bootstrap or jackknife of one treated unit are never called,
and nothing but the period of the start, or a flag made here, is passed on.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

Floats = NDArray[np.float64]
PINNED: Final = "3.13.0"
FEWEST_FOR_BOOTSTRAP: Final = 10


class Other(NamedTuple):
    """effect and its standard error, NaN where the method has none."""

    effect: float
    error: float


@dataclass(frozen=True)
class SyntheticDiD:
    """effect; error: of placebos; low, high: at level. draws, seed: of the placebos."""

    effect: float
    error: float
    low: float
    high: float
    level: float
    draws: int
    seed: int


@dataclass(frozen=True)
class TwoWay:
    """Static two-way fixed effects, a diagnostic only. effect. share_forbidden: weight of comparisons with units that were treated before, which static
    regressions use and should not. parts: kind of comparison, its weight and its mean effect (Goodman-Bacon 2021, Journal of Econometrics 225(2))."""

    effect: float
    share_forbidden: float
    parts: tuple[tuple[str, float, float], ...] = field(repr=False)


@contextmanager
def _package() -> Iterator[ModuleType]:
    """The package, its warnings kept from the reader: what it warns of is checked here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import diff_diff  # noqa: PLC0415

        if diff_diff.__version__ != PINNED:
            raise ImportError(
                f"diff-diff {diff_diff.__version__}; expected {PINNED}, the version whose faults are known"
            )
        yield diff_diff


def _long(outcome: ArrayLike, periods: ArrayLike, first: ArrayLike, weights: ArrayLike | None) -> Any:
    """A row for each unit and period: unit, period, y, first (0 for never), weight."""
    import pandas  # noqa: PLC0415

    y, t, g = np.asarray(outcome, dtype=np.float64), np.asarray(periods), np.asarray(first, dtype=np.float64)
    units = np.repeat(np.arange(len(y)), len(t))
    started = np.where(np.isfinite(g) & (g <= t[-1]), g, 0.0).astype(np.int64)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    columns = {"unit": units, "period": np.tile(t.astype(np.int64), len(y)), "y": y.ravel(), "first": started[units]}
    return pandas.DataFrame(columns | {"weight": (w / w.mean())[units]})


def group_time(
    outcome: ArrayLike,
    first: ArrayLike,
    periods: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    not_yet_treated: bool = False,
) -> Other:
    """Mean over all group-time cells after the start. Arguments as of `poundlock.pilots.group_time`."""
    with _package() as package:
        against = "not_yet_treated" if not_yet_treated else "never_treated"
        estimator = package.CallawaySantAnna(control_group=against)
        found = estimator.fit(_long(outcome, periods, first, weights), **_named(package, weights))
    return Other(float(found.overall_att), float(found.overall_se))


def impute(outcome: ArrayLike, first: ArrayLike, periods: ArrayLike, *, weights: ArrayLike | None = None) -> Other:
    """Mean imputed effect on treated observations. Arguments as of `poundlock.pilots.impute`."""
    with _package() as package:
        found = package.ImputationDiD().fit(_long(outcome, periods, first, weights), **_named(package, weights))
    return Other(float(found.overall_att), float(found.overall_se))


def _named(package: ModuleType, weights: ArrayLike | None) -> dict[str, Any]:
    named: dict[str, Any] = {"outcome": "y", "unit": "unit", "time": "period", "first_treat": "first"}
    if weights is not None:
        named["survey_design"] = package.SurveyDesign(weights="weight", weight_type="pweight")
    return named


def synthetic_control(outcomes: ArrayLike, treated: int, start: int) -> Other:
    """Mean gap of one treated unit after the start; all outcomes before it count alike. outcomes (u, t); treated, start: row and column."""
    y = np.asarray(outcomes, dtype=np.float64)
    with _package() as package:
        table = _long(y, np.arange(y.shape[1]), np.where(np.arange(len(y)) == treated, start, np.inf), None)
        table["flag"] = ((table["unit"] == treated) & (table["period"] >= start)).astype(int)
        estimator = package.SyntheticControl(v_method="custom", custom_v=np.ones(start), standardize="none")
        found = estimator.fit(
            table, outcome="y", treatment="flag", unit="unit", time="period", pre_period_outcomes="all"
        )
    return Other(float(found.att), float("nan"))


def synthetic_did(
    outcomes: ArrayLike, treated: ArrayLike, start: int, *, level: float = 0.9, draws: int = 200, seed: int = 1
) -> SyntheticDiD:
    """Synthetic difference in differences with placebo errors only (Arkhangelsky et al. 2021, American Economic Review 111(12), algorithm 4).

    outcomes: (u, t), complete. treated: rows that start together at column start. Raises ValueError where placebos are fewer than treated units need.
    """
    y, rows = np.asarray(outcomes, dtype=np.float64), np.atleast_1d(np.asarray(treated))
    if len(y) < 2 * len(rows) + 1:
        found = f"{len(y) - len(rows)} donors for {len(rows)} treated units"
        raise ValueError(f"{found}; expected more donors than treated units, for placebos")
    with _package() as package:
        table = _long(y, np.arange(y.shape[1]), np.full(len(y), np.inf), None)
        table["ever"] = table["unit"].isin(rows).astype(int)
        estimator = package.SyntheticDiD(variance_method="placebo", n_bootstrap=draws, seed=seed)
        after = list(range(start, y.shape[1]))
        found = estimator.fit(table, outcome="y", treatment="ever", unit="unit", time="period", post_periods=after)
    effect, error = float(found.att), float(found.se)
    wide = float(norm.ppf(0.5 + level / 2.0)) * error
    return SyntheticDiD(effect, error, effect - wide, effect + wide, level, draws, seed)


def two_way(outcome: ArrayLike, first: ArrayLike, periods: ArrayLike) -> TwoWay:
    """Static two-way fixed effects and what it averages over; never a verdict: where effects grow, it may have the wrong sign."""
    with _package() as package:
        found = package.BaconDecomposition().fit(_long(outcome, periods, first, None), **_named(package, None))
    parts: dict[str, list[tuple[float, float]]] = {}
    for one in found.comparisons:
        parts.setdefault(str(one.comparison_type), []).append((float(one.weight), float(one.estimate)))
    said = tuple(
        (kind.replace("_", " "), sum(w for w, _ in own), sum(w * e for w, e in own) / sum(w for w, _ in own))
        for kind, own in sorted(parts.items())
        if sum(w for w, _ in own) > 0.0
    )
    forbidden = sum(weight for kind, weight, _ in said if kind == "later vs earlier")
    return TwoWay(float(found.twfe_estimate), forbidden, said)


def bootstrap_error(
    outcome: ArrayLike, first: ArrayLike, periods: ArrayLike, *, draws: int = 999, seed: int = 1
) -> Other:
    """Group-time mean with a multiplier-bootstrap error. Raises ValueError where fewer than ten units are treated: of one, the package's error is three
    times too small."""
    starts = np.asarray(first, dtype=np.float64)
    count = int(np.count_nonzero(starts <= np.asarray(periods)[-1]))
    if count < FEWEST_FOR_BOOTSTRAP:
        said = f"a bootstrap of {count} treated {'unit' if count == 1 else 'units'}"
        raise ValueError(f"{said}; expected {FEWEST_FOR_BOOTSTRAP} at least: use placebos, as for a synthetic control")
    with _package() as package:
        estimator = package.CallawaySantAnna(n_bootstrap=draws, seed=seed)
        found = estimator.fit(_long(outcome, periods, first, None), **_named(package, None))
    return Other(float(found.overall_att), float(found.overall_se))
