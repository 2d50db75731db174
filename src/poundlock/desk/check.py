"""The verb `check`: read the plan and every table it names; everything that is wrong, at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from poundlock.desk.plan_file import PlanFile
from poundlock.measures import JointLending, JointLoans, read_joint_loans
from poundlock.pilots import Panel, Pilot, read_pilot
from poundlock.problems import Problem, ProblemsFound
from poundlock.reading import Document, InputFile, read_document
from poundlock.risk.statistics import draws_needed
from poundlock.rollout.plan import ControlGate, EffectGate, ExpectedShortfall, InequalityGate, ToleranceGate
from poundlock.rules import rules
from poundlock.system import System
from poundlock.system.tables import ReadSystem, SystemFiles, read_system


@dataclass(frozen=True)
class CheckedPlan:
    """A plan with its tables read and found consistent. loans: by measure id. inputs: named relative to the plan."""

    plan: PlanFile
    read: ReadSystem
    loans: dict[str, JointLoans] = field(repr=False)
    panel: Panel | None = field(repr=False)
    inputs: tuple[InputFile, ...] = field(repr=False)


def check(path: str | Path) -> CheckedPlan:
    """Read a plan and its tables. Raises ProblemsFound with every Problem; sections behind a mistake are still checked."""
    path = Path(path)
    problems: list[Problem] = []
    document = read_document(path, PlanFile, problems)
    if document is None:
        raise ProblemsFound(problems)
    folder, sections = path.parent, document.sections
    files: SystemFiles | None = sections.get("system")
    read = read_system(folder, files, problems, plan=_at(document, "system")) if files else None
    loans: dict[str, JointLoans] = {}
    if read is not None:
        for number, measure in enumerate(sections.get("measures", ())):
            found = read_joint_loans(
                folder, measure, read.system, problems, plan=_at(document, "measures", number, "loans")
            )
            if found is not None:
                loans[measure.id] = found
    pilot: Pilot | None = sections.get("pilot")
    panel = read_pilot(folder, pilot, problems, plan=_at(document, "pilot")) if pilot else None
    _check_references(document, problems)
    if read is not None:
        _check_against_system(document, read.system, problems)
    if pilot is not None and panel is not None:
        _check_against_panel(document, pilot, panel, problems)
    if problems or document.value is None or read is None:
        raise ProblemsFound(problems)
    files_read = (
        document.file,
        *read.inputs,
        *(loan.file for loan in loans.values()),
        *(panel.inputs if panel else ()),
    )
    inputs = tuple(InputFile(Path(os.path.relpath(f.name, folder)).as_posix(), f.digest) for f in files_read)
    return CheckedPlan(document.value, read, loans, panel, inputs)


def _at(document: Document[PlanFile], *location: str | int) -> tuple[str, int | None]:
    return document.file.name, document.line(*location)


def _check_references(document: Document[PlanFile], problems: list[Problem]) -> None:
    """Ids that are used twice or point to nothing, and rules that nobody knows."""
    sections = document.sections
    ids: dict[str, set[str]] = {}
    for section in ("measures", "tolerances", "controls", "gates", "stages"):
        entries = sections.get(section, ())
        ids[section] = {entry.id for entry in entries}
        seen: set[str] = set()
        for number, entry in enumerate(entries):
            if entry.id in seen:
                problems.append(
                    Problem(
                        *_at(document, section, number, "id"),
                        f"{section} id '{entry.id}' a second time",
                        "each id once",
                        "rename one of the two",
                    )
                )
            seen.add(entry.id)
    pilot = sections.get("pilot")
    ids["outcomes"] = {o.id for o in pilot.outcomes} if pilot else set()
    pointers: list[tuple[tuple[str | int, ...], str, str]] = []
    for number, gate in enumerate(sections.get("gates", ())):
        if isinstance(gate, ToleranceGate):
            pointers.append((("gates", number, "tolerance"), gate.tolerance, "tolerances"))
        elif isinstance(gate, ControlGate):
            pointers.append((("gates", number, "control"), gate.control, "controls"))
        elif isinstance(gate, EffectGate):
            pointers.append((("gates", number, "outcome"), gate.outcome, "outcomes"))
    pointers += [
        (("controls", number, "measure"), control.measure, "measures")
        for number, control in enumerate(sections.get("controls", ()))
    ]
    for location, name, target in pointers:
        readable = target in sections or (target == "outcomes" and "pilot" in sections)
        if readable and name not in ids[target]:
            known = ", ".join(sorted(ids[target])) or f"no {target} in this plan"
            problems.append(
                Problem(
                    *_at(document, *location),
                    f"'{name}', which is not among the {target}",
                    known,
                    "correct the id or declare it",
                )
            )
    problems.extend(_unknown_rules(document))
    problems.extend(_not_explained(document))


def _unknown_rules(document: Document[PlanFile]) -> Iterable[Problem]:
    cited: list[tuple[tuple[str | int, ...], str]] = []
    for number, measure in enumerate(document.sections.get("measures", ())):
        for role in ("today", "before"):
            limits = getattr(measure, role)
            cited += [
                (("measures", number, role, "legal_basis", k), rule)
                for k, rule in enumerate(limits.legal_basis if limits else ())
            ]
    cited += [
        (("controls", number, "legal_basis"), control.legal_basis)
        for number, control in enumerate(document.sections.get("controls", ()))
    ]
    for location, rule in cited:
        if rule not in rules():
            yield Problem(
                *_at(document, *location),
                f"unknown rule '{rule}'",
                f"one of {', '.join(sorted(rules())[:6])}, ...",
                "cite a rule of the package's rules",
            )


def _not_explained(document: Document[PlanFile]) -> Iterable[Problem]:
    sections = document.sections
    left_out = sections.get("left_out")
    for section in ("measures", "pilot"):
        if section in sections and left_out is not None:
            reason = getattr(left_out, section)
            if not sections[section] and reason is None:
                yield Problem(
                    *_at(document),
                    f"a plan without {section}",
                    f"{section}, or the reason under left_out.{section}",
                    f"add {section}, or say why there is none",
                )
            if sections[section] and reason is not None:
                yield Problem(
                    *_at(document, "left_out", section),
                    f"left_out.{section} beside {section}",
                    "one of the two",
                    "remove the reason or the section",
                )


def _check_against_system(document: Document[PlanFile], system: System, problems: list[Problem]) -> None:
    sections = document.sections
    model = sections.get("scenarios")
    kinds, regions = set(system.kinds), set(system.regions) | {p.region for p in system.asset_classes}
    if model is not None:
        for kind in sorted(kinds - set(model.volatility)):
            problems.append(
                Problem(
                    *_at(document, "scenarios", "volatility"),
                    f"no volatility for kind '{kind}'",
                    "one for every kind of the institutions table",
                    f"add '{kind}:' with a yearly volatility",
                )
            )
    for number, tolerance in enumerate(sections.get("tolerances", ())):
        at = _at(document, "tolerances", number, "scope")
        for what, asked, known in (
            ("kind", tolerance.scope.kinds, kinds),
            ("region", tolerance.scope.regions, set(system.regions)),
        ):
            for name in sorted(set(asked) - known):
                problems.append(
                    Problem(
                        *at,
                        f"scope {what} '{name}', which no institution has",
                        ", ".join(sorted(known)[:8]),
                        "correct the scope",
                    )
                )
        if (
            set(tolerance.scope.kinds) <= kinds
            and not system.members(tolerance.scope.kinds, tolerance.scope.regions).any()
        ):
            problems.append(Problem(*at, "a scope that holds no institution", "at least one", "widen the scope"))
        problems.extend(_tolerance_needs(document, number, tolerance))
    for number, measure in enumerate(sections.get("measures", ())):
        problems.extend(_measure_needs(document, number, measure, kinds))
    for number, stage in enumerate(sections.get("stages", ())):
        for region in sorted(set(stage.regions) - regions):
            problems.append(
                Problem(
                    *_at(document, "stages", number, "regions"),
                    f"region '{region}', where the system has neither institution nor pool",
                    "a region of the system's tables",
                    "correct the code",
                )
            )


def _tolerance_needs(document: Document[PlanFile], number: int, tolerance: Any) -> Iterable[Problem]:
    model = document.sections.get("scenarios")
    if isinstance(tolerance, ExpectedShortfall) and model is not None and model.count < draws_needed(tolerance.level):
        found = f"{model.count:,} scenarios for level {tolerance.level:g}"
        yield Problem(
            *_at(document, "scenarios", "count"),
            found,
            f"at least {draws_needed(tolerance.level):,}, so that the tail holds 50",
            "raise scenarios.count or lower the level",
        )
    if tolerance.added_by_measures and "measures" in document.sections and not document.sections["measures"]:
        yield Problem(
            *_at(document, "tolerances", number, "added_by_measures"),
            "added_by_measures in a plan without measures",
            "a measure",
            "remove the key or add a measure",
        )


def _measure_needs(
    document: Document[PlanFile], number: int, measure: JointLending, kinds: set[str]
) -> Iterable[Problem]:
    for name in sorted(set(measure.local_kinds) - kinds):
        yield Problem(
            *_at(document, "measures", number, "local_kinds"),
            f"kind '{name}', which no institution has",
            ", ".join(sorted(kinds)),
            "correct the kind",
        )
    home = any(limits is not None and limits.home_region_only for limits in (measure.today, measure.before))
    if home and not measure.local_kinds:
        yield Problem(
            *_at(document, "measures", number),
            "home_region_only without local_kinds",
            "the kinds that count as local banks",
            "add local_kinds",
        )


def _check_against_panel(document: Document[PlanFile], pilot: Pilot, panel: Panel, problems: list[Problem]) -> None:
    for number, gate in enumerate(document.sections.get("gates", ())):
        if isinstance(gate, InequalityGate):
            at = _at(document, "gates", number)
            if pilot.income is None or pilot.population is None:
                problems.append(
                    Problem(
                        *at,
                        "an inequality gate without pilot.income and pilot.population",
                        "both columns",
                        "name them in the pilot section",
                    )
                )
                continue
            for year in (gate.from_year, gate.to_year):
                if (
                    year not in panel.periods
                    or not np.isfinite(panel.values[pilot.income][:, panel.periods.index(year)]).any()
                ):
                    problems.append(
                        Problem(
                            *at,
                            f"year {year}, for which the panel has no income",
                            "a year with income in the panel",
                            "correct the year",
                        )
                    )
    for number, outcome in enumerate(pilot.outcomes):
        for key in ("since", "until"):
            year = getattr(outcome, key)
            if year not in panel.periods:
                found = f"{key} {year} of outcome '{outcome.id}', outside the panel, which runs {panel.periods[0]} to {panel.periods[-1]}"
                problems.append(
                    Problem(
                        *_at(document, "pilot", "outcomes", number, key),
                        found,
                        "a period of the panel",
                        "correct the window",
                    )
                )
