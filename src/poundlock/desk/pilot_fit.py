"""Does the plan's pilot agree with itself and with its panel? Each function yields every Problem it finds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from poundlock.desk.consistency import Problems, at_place
from poundlock.desk.plan_file import PlanFile
from poundlock.pilots import Panel, Pilot
from poundlock.reading import Document
from poundlock.rollout.plan import InequalityGate


def pilot_against_itself(document: Document[PlanFile]) -> Problems:
    """Windows that do not hold the start, groups that overlap, indices and baselines that other parts need."""
    pilot: Pilot | None = document.sections.get("pilot")
    yield from _inequality_gates(document, pilot)
    if pilot is None:
        return
    yield from _windows(document, pilot)
    yield from _baselines(document, pilot)
    seen: dict[str, str] = {}
    for group, codes in pilot.groups.items():
        for number, code in enumerate(codes):
            if code in seen:
                found = f"region '{code}' in group '{group}', and in '{seen[code]}'"
                at = at_place(document, "pilot", "groups", group, number)
                yield at(found, "each region in one group", "take it out of one")
            seen.setdefault(code, group)


def _inequality_gates(document: Document[PlanFile], pilot: Pilot | None) -> Problems:
    named = pilot is not None and pilot.income is not None and pilot.population is not None
    for number, gate in document.entries("gates"):
        if not isinstance(gate, InequalityGate) or "pilot" not in document.sections:
            continue
        if not named:
            found = "an inequality gate without pilot.income and pilot.population"
            expected = "both columns, and the panel that holds them"
            yield at_place(document, "gates", number)(found, expected, "name them in the pilot section")
        elif pilot is not None and gate.index not in {one.index for one in pilot.indices}:
            found, expected = f"index '{gate.index}', which the pilot does not measure", "one of pilot.indices"
            yield at_place(document, "gates", number, "index")(found, expected, "add it to pilot.indices")


def _windows(document: Document[PlanFile], pilot: Pilot) -> Problems:
    """Each outcome's window holds every start and what may be anticipated, and its pretended start lies before that."""
    starts = {(): pilot.start} | {(code,): year for code, year in pilot.starts.items()}
    if pilot.starts and set(pilot.treated) <= set(pilot.starts):
        del starts[()]  # every region has its own
    for number, o in enumerate(pilot.outcomes):
        outside = [(place, year) for place, year in starts.items() if not o.since < year <= o.until]
        for place, year in outside:
            found = f"start {year} outside the window {o.since} to {o.until} of outcome '{o.id}'"
            at = at_place(document, "pilot", "starts", *place) if place else at_place(document, "pilot", "start")
            yield at(found, "since < start <= until", "move the start or the window")
        first = min(starts.values()) - pilot.anticipation
        if outside:
            continue
        if o.since >= first:
            found = f"anticipation of {pilot.anticipation} periods, which leaves outcome '{o.id}' none before the start"
            yield at_place(document, "pilot", "anticipation")(found, "a period before it", "lower it")
        elif o.in_time_placebo is not None and not o.since < o.in_time_placebo < first:
            found = f"in_time_placebo {o.in_time_placebo} of outcome '{o.id}'"
            at = at_place(document, "pilot", "outcomes", number, "in_time_placebo")
            yield at(found, f"a period between {o.since} and {first}", "move it")


def _baselines(document: Document[PlanFile], pilot: Pilot) -> Problems:
    first = min(pilot.first(code) for code in pilot.treated)
    for number, one in enumerate(pilot.baselines):
        if one.at >= first:
            found = f"baseline '{one.id}' at {one.at}, when the pilot had started"
            at = at_place(document, "pilot", "baselines", number, "at")
            yield at(found, f"a period before {first:g}", "move it")
    for key in ("elsewhere", "next"):
        if getattr(pilot, key) is not None and not pilot.baselines:
            found, expected = f"'{key}' without baselines", "pilot.baselines, by which regions are alike or not"
            yield at_place(document, "pilot", key)(found, expected, "add them")
    asked = pilot.next.tolerance if pilot.next is not None else None
    for _, tolerance in document.entries("tolerances"):
        if tolerance.id == asked and not tolerance.added_by_measures:
            found, expected = (
                f"tolerance '{asked}', which does not count what the measures add",
                "one with added_by_measures",
            )
            at = at_place(document, "pilot", "next", "tolerance")
            yield at(found, expected, "name another: its room is what regions add to")
    if pilot.next is not None and (pilot.next.risk_by is None) != (pilot.next.tolerance is None):
        found = "one of 'risk_by' and 'tolerance' without the other"
        expected = "both, or neither: what a region adds, and the room that it may use"
        yield at_place(document, "pilot", "next")(found, expected, "add the other")


def plan_against_panel(document: Document[PlanFile], pilot: Pilot, panel: Panel) -> Problems:
    """Windows and years that the panel does not have, regions without a tile."""
    runs = f"which runs {panel.periods[0]} to {panel.periods[-1]}"
    for place, label, year in _years(pilot):
        if year not in panel.periods:
            found, cure = f"{label}, outside the panel, {runs}", "correct the window"
            if panel.periods[0] < year <= panel.periods[-1]:
                found, cure = f"{label}, a period for which the panel has no row", "add the period or move the date"
            elif place[-1] in ("start", "in_time_placebo") or place[0] == "starts":
                continue  # told with the window, or with the panel
            yield at_place(document, "pilot", *place)(found, "a period of the panel", cure)
    for number, gate in document.entries("gates"):
        if isinstance(gate, InequalityGate) and pilot.income is not None and pilot.population is not None:
            for key in ("from_year", "to_year"):
                year = getattr(gate, key)
                known = year in panel.periods
                if not known or not np.isfinite(panel.values[pilot.income][:, panel.periods.index(year)]).any():
                    found = f"year {year}, for which the panel has no income"
                    yield at_place(document, "gates", number, key)(
                        found, "a year with income in the panel", "correct the year"
                    )
    if panel.tiles:
        absent = [unit for unit in panel.units if unit not in panel.tiles]
        if absent:
            some = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
            at = at_place(document, "pilot", "tiles")
            yield at(f"no tile for {some}", "one for each region of the panel", "add rows to the table of tiles")


def _years(pilot: Pilot) -> Iterator[tuple[tuple[str | int, ...], str, int]]:
    """Every period that the pilot names: where, as what, which."""
    yield ("start",), f"start {pilot.start}", pilot.start
    for code, year in pilot.starts.items():
        yield ("starts", code), f"start {year} of region '{code}'", year
    for number, o in enumerate(pilot.outcomes):
        for key in ("since", "until"):
            yield ("outcomes", number, key), f"{key} {getattr(o, key)} of outcome '{o.id}'", getattr(o, key)
        if o.in_time_placebo is not None:
            place = ("outcomes", number, "in_time_placebo")
            yield place, f"in_time_placebo {o.in_time_placebo} of outcome '{o.id}'", o.in_time_placebo
    for number, one in enumerate(pilot.baselines):
        yield ("baselines", number, "at"), f"baseline '{one.id}' at {one.at}", one.at
