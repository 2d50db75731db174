"""Elsewhere: how typical the site was, and what its effect says of other regions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from poundlock.desk.effects import case
from poundlock.desk.evaluation import CarriedTo, OutcomeStudy, Places
from poundlock.pilots import Panel, Pilot
from poundlock.pilots.panel import baseline_column
from poundlock.pilots.synthetic_control import synthetic_control
from poundlock.pilots.transport import Carried, audit, carry, transport

Floats = NDArray[np.float64]
SITES_BEYOND = 3
"""So many more sites than baselines are needed before effects are reweighted."""


def places(pilot: Pilot, panel: Panel, studies: tuple[OutcomeStudy, ...]) -> Places:
    """Audit of every site and effects carried to all other regions; the proposal of a next stage comes later, with the risk that is known."""
    if not pilot.baselines:
        return Places((), "the plan names no baselines", {}, "", None, "")
    table = np.column_stack([baseline_column(panel, one) for one in pilot.baselines])
    known = np.asarray(np.isfinite(table).all(axis=1))
    labels = tuple(one.label for one in pilot.baselines)
    sites = [panel.units.index(code) for code in pilot.treated]
    unknown = [panel.names[k] for k in sites if not known[k]]
    if unknown:
        return Places((), f"baselines of {', '.join(unknown)} are missing", {}, "", None, "")
    try:
        rows = np.flatnonzero(known)
        found = tuple((panel.names[k], audit(table[rows], labels, int(np.flatnonzero(rows == k)[0]))) for k in sites)
    except ValueError as cannot:
        return Places((), str(cannot), {}, "", None, "")
    carried, how = _carried(pilot, panel, studies, table)
    return Places(found, "", carried, how, None, "")


def _carried(
    pilot: Pilot, panel: Panel, studies: tuple[OutcomeStudy, ...], table: Floats
) -> tuple[dict[str, tuple[CarriedTo, ...]], str]:
    """Every estimated effect at every other region, by outcome, and how it was carried."""
    if pilot.elsewhere is None:
        return {}, ""
    sites = [panel.units.index(code) for code in pilot.treated]
    many = len(sites) >= table.shape[1] + SITES_BEYOND
    how = (
        f"effects of {len(sites)} sites, reweighted to each region's baselines, with a regression on them (doubly robust)"
        if many
        else f"{'One site' if len(sites) == 1 else f'{len(sites)} sites'} cannot be reweighted: the same effect is assumed elsewhere, its interval widened for each standard "
        f"deviation of distance by {_amounts(pilot.elsewhere.differs_by)}, and nothing is said beyond {pilot.elsewhere.farthest:g}. {pilot.elsewhere.why}"
    )
    found = {}
    for outcome, study in zip(pilot.outcomes, studies, strict=True):
        bounded = study.evidence.low is not None and study.evidence.high is not None
        if outcome.id not in pilot.elsewhere.differs_by or not bounded:
            continue
        by_site = _by_site(pilot, panel, study, outcome.id) if many else None
        found[outcome.id] = tuple(
            _one(pilot, panel, study, table, sites, k, by_site) for k in range(len(panel.units)) if k not in sites
        )
    return found, how


def _amounts(by: dict[str, float]) -> str:
    return ", ".join(f"{amount:g} ({outcome})" for outcome, amount in by.items())


def _by_site(pilot: Pilot, panel: Panel, study: OutcomeStudy, outcome: str) -> tuple[Floats, Floats]:
    """Effect of each site by itself against a synthetic control of regions that are not treated, and its error: the spread of placebos."""
    of = case(pilot, panel, next(one for one in pilot.outcomes if one.id == outcome))
    never = np.flatnonzero(~np.isfinite(of.first))
    effects, errors = [], []
    for row in of.treated:
        periods = np.array(of.periods)
        used = (periods < of.first[row] - of.anticipation) | (periods >= of.first[row])
        start = int(np.count_nonzero(periods < of.first[row] - of.anticipation))
        own = synthetic_control(np.vstack([of.y[row], of.y[never]])[:, used], 0, start)
        placebo = own.donor_gaps[:, start:].mean(axis=1)
        effects.append(own.effect)
        errors.append(float(np.sqrt(np.mean(placebo**2))))
    return np.array(effects), np.array(errors)


def _one(
    pilot: Pilot,
    panel: Panel,
    study: OutcomeStudy,
    table: Floats,
    sites: list[int],
    target: int,
    by_site: tuple[Floats, Floats] | None,
) -> CarriedTo:
    assert pilot.elsewhere is not None
    code, name, value = panel.units[target], panel.names[target], study.evidence.value
    low, high = study.evidence.low, study.evidence.high
    assert value is not None
    assert low is not None
    assert high is not None
    spread = np.nanstd(table, axis=0, ddof=1)
    try:
        if by_site is not None:
            found = transport(*by_site, table[sites], table[target], level=pilot.level)
            distance = float(np.sqrt(np.mean(((table[target] - table[sites].mean(axis=0)) / spread) ** 2)))
            return CarriedTo(code, name, Carried(distance, found.effect, found.low, found.high), "")
        site = table[sites].mean(axis=0)
        terms = {"differs_by": pilot.elsewhere.differs_by[study.id], "farthest": pilot.elsewhere.farthest}
        return CarriedTo(code, name, carry((value, low, high), site, table[target], spread, **terms), "")
    except ValueError as cannot:
        return CarriedTo(code, name, None, str(cannot))
