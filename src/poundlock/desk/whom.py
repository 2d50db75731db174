"""For whom: indices between regions over the years, their split, and what the pilot did to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from poundlock.desk.evaluation import IndexEffect, IndexStudy, OutcomeStudy, SplitYear, Whom
from poundlock.evidence import Evidence
from poundlock.pilots import Panel, Pilot
from poundlock.pilots.declared import Measured
from poundlock.pilots.incomes import Inequality, inequality, split
from poundlock.rollout.plan import InequalityGate

Floats = NDArray[np.float64]
WORDS = {
    "gini": "Gini",
    "theil": "Theil",
    "mean-log-deviation": "Mean log deviation",
    "atkinson": "Atkinson, aversion {parameter:g}",
    "top-share": "Income share of the richest {parameter:.0%}",
    "bottom-share": "Income share of the poorest {parameter:.0%}",
    "poverty": "Poverty below {parameter:g}",
}
LOOKED_AT = 41
"""Effects within the interval at which an index is looked at, since it need not rise or fall throughout."""


def whom(pilot: Pilot, panel: Panel, studies: tuple[OutcomeStudy, ...]) -> Whom | None:
    """Indices for every year in which all regions of the panel have income and residents. None where the plan does not name both."""
    if pilot.income is None or pilot.population is None:
        return None
    incomes, people = panel.values[pilot.income], panel.values[pilot.population]
    known = np.all(np.isfinite(incomes) & np.isfinite(people) & (incomes > 0) & (people > 0), axis=0).tolist()
    years = tuple(year for year, whole in zip(panel.periods, known, strict=True) if whole)
    columns = [panel.periods.index(year) for year in years]
    asked = [one for one in pilot.indices if years]
    name, steps = _income_effect(pilot, studies)
    indices = tuple(_study(one, pilot, panel, years, incomes[:, columns], people[:, columns], steps) for one in asked)
    splits: tuple[SplitYear, ...] = ()
    groups = {code: name for name, codes in pilot.groups.items() for code in codes}
    if set(panel.units) <= set(groups):
        labels = [groups[unit] for unit in panel.units]
        parts = [(year, split(incomes[:, t], labels, people[:, t])) for year, t in zip(years, columns, strict=True)]
        splits = tuple(SplitYear(year, one.whole, one.within, one.between) for year, one in parts)
    return Whom(indices, splits, len(panel.units), name)


def _income_effect(
    pilot: Pilot, studies: tuple[OutcomeStudy, ...]
) -> tuple[str, dict[int, tuple[float, float, float]]]:
    """The outcome, and its effect on log income a head of the one treated region in each year after the start, with its interval."""
    for outcome, study in zip(pilot.outcomes, studies, strict=True):
        same = outcome.column == pilot.income and outcome.per is None and outcome.transform == "log"
        if same and study.effect is not None:
            return study.id, {step.at: (step.effect, step.low, step.high) for step in study.path}
    return "", {}


def _study(
    one: Measured,
    pilot: Pilot,
    panel: Panel,
    years: tuple[int, ...],
    incomes: Floats,
    people: Floats,
    steps: dict[int, tuple[float, float, float]],
) -> IndexStudy:
    found = [_index(one, incomes[:, t], people[:, t]) for t in range(len(years))]
    label = WORDS[one.index].format(parameter=one.parameter or 0.0)
    name = one.index if one.parameter is None else f"{one.index}-{one.parameter:g}"
    if one.depth:
        name, label = f"{name}-depth-{one.depth:g}", f"{label}, depth {one.depth:g}"
    last = max((year for year in years if year in steps), default=None)
    effect = None
    if last is not None and np.isfinite(steps[last]).all():
        t, row = years.index(last), panel.units.index(pilot.treated[0])
        without = [_without(one, incomes[:, t], people[:, t], row, move) for move in _within(*steps[last])]
        actual = found[t].value
        differences = actual - np.array(without)
        effect = IndexEffect(last, actual, without[0], float(differences.min()), float(differences.max()))
    return IndexStudy(name, label, years, tuple(f.value for f in found), tuple(f.error for f in found), effect)


def _within(effect: float, low: float, high: float) -> Floats:
    """The effect, then effects from one end of its interval to the other."""
    return np.append(effect, np.linspace(low, high, LOOKED_AT))


def _without(one: Measured, income: Floats, people: Floats, row: int, effect: float) -> float:
    """The index had income of one region not been moved."""
    moved = income.copy()
    moved[row] *= np.exp(-effect)
    return _index(one, moved, people).value


def _index(one: Measured, income: Floats, people: Floats) -> Inequality:
    return inequality(income, people, index=one.index, parameter=one.parameter, depth=one.depth)


def inequality_evidence(gate: InequalityGate, found: Whom | None, digest: str) -> Evidence:
    """Change of the index between the gate's two years; no data unless both years are complete."""
    method = f"population-weighted {gate.index} between regions; exact for these figures, so without interval"
    as_of = f"{gate.from_year}/{gate.to_year}"
    index = next((one for one in found.indices if one.id == gate.index), None) if found else None
    by_year = dict(zip(index.years, index.values, strict=True)) if index else {}
    absent = [str(year) for year in (gate.from_year, gate.to_year) if year not in by_year]
    if absent:
        missing = f"income or residents of all regions are not known for {' and '.join(absent)}"
        return Evidence(gate.id, None, "index change", as_of, method, digest, missing=missing)
    change = by_year[gate.to_year] - by_year[gate.from_year]
    return Evidence(gate.id, float(change), "index change", as_of, method, digest)
