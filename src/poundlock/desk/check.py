"""The verb `check`: read the plan and every table it names; everything that is wrong, at once."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poundlock.desk.consistency import plan_against_itself, rules_in_force
from poundlock.desk.fit import (
    behaviour_against_system,
    named_against_system,
    networks_against_system,
    plan_against_system,
)
from poundlock.desk.moment import moment_of
from poundlock.desk.payments import PaymentsRead, gates_against_payments, read_payments
from poundlock.desk.pilot_fit import pilot_against_itself, plan_against_panel
from poundlock.desk.plan_file import PlanFile
from poundlock.desk.roll_out import programme_against_plan
from poundlock.desk.shocks import Scenarios, table_of_scenarios
from poundlock.measures import Deals, Moment, Reading, opened
from poundlock.measures import read as read_measure
from poundlock.pilots import Panel, read_pilot
from poundlock.problems import Place, Problem, ProblemsFound, Where
from poundlock.reading import Document, InputFile, read_document
from poundlock.reading.files import read_file
from poundlock.risk.controls import ON_MEASURES, term_of
from poundlock.rollout.plan import PaymentsGate
from poundlock.rules import Rule, read_rules, rules
from poundlock.system import System
from poundlock.system.tables import ReadSystem, read_system


@dataclass(frozen=True)
class CheckedPlan:
    """A plan with its tables read and found consistent. system: as read, with the asset classes of all measures, which nobody holds yet.
    deals: by measure id. moment: the day and the place that it is judged at. rules: of its own files. named: losses that are stated.
    inputs: by their names relative to the plan. networks_at: where the plan asks for networks."""

    plan: PlanFile
    read: ReadSystem
    system: System
    deals: dict[str, Deals] = field(repr=False)
    moment: Moment
    rules: tuple[Rule, ...] = field(repr=False)
    named: Scenarios | None = field(repr=False)
    payments: PaymentsRead | None = field(repr=False)
    panel: Panel | None = field(repr=False)
    inputs: tuple[InputFile, ...] = field(repr=False)
    networks_at: Place = field(repr=False)


def check(path: str | Path, *, on: dt.date | None = None) -> CheckedPlan:
    """Read a plan and its tables. on: look at consents and stages of another day than the plan's own. Raises ProblemsFound with every Problem; what stands behind a mistake is still checked."""
    path = Path(path)
    problems: list[Problem] = []
    document = read_document(path, PlanFile, problems)
    if document is None:
        raise ProblemsFound(problems)
    folder, sections = path.parent, document.sections
    problems.extend(plan_against_itself(document))
    problems.extend(pilot_against_itself(document))
    problems.extend(programme_against_plan(document))
    read, deals, system, named, panel = None, dict[str, Deals](), None, None, None
    payments = _payments(folder, document, problems)
    own_rules = _rules(folder, document, problems)
    problems.extend(rules_in_force(document, own_rules))
    if sections.get("system") is not None:
        read = read_system(folder, sections["system"], problems, where=_where(document, "system"))
    if read is not None:
        problems.extend(plan_against_system(document, read.system, read.sound))
        problems.extend(networks_against_system(document, read))
        problems.extend(behaviour_against_system(document, read.system) if read.sound else ())
    if read is not None and read.whole:
        deals, system = _deals(folder, document, read, on, problems)
        named = _named(folder, document, read, problems)
    if (pilot := sections.get("pilot")) is not None:
        panel = read_pilot(folder, pilot, problems, where=_where(document, "pilot"))
        if panel is not None:
            problems.extend(plan_against_panel(document, pilot, panel))
    if problems or document.value is None or read is None or system is None or not read.sound:
        raise ProblemsFound(problems)
    stated = (named.file,) if named and named.file else ()
    files = (
        document.file,
        *read.inputs,
        *(file for one in deals.values() for file in one.inputs),
        *own_rules.inputs,
        *stated,
        *(panel.inputs if panel else ()),
        *(payments.inputs if payments else ()),
    )
    inputs = {Path(os.path.relpath(f.name, folder)).as_posix(): f.digest for f in files}
    return CheckedPlan(
        document.value,
        read,
        system,
        deals,
        _moment(document, on),
        own_rules.rules,
        named,
        payments,
        panel,
        tuple(InputFile(name, digest) for name, digest in inputs.items()),
        _where(document, "networks")("method"),
    )


def _moment(document: Document[PlanFile], on: dt.date | None = None) -> Moment:
    return moment_of([stage for _, stage in document.entries("stages")], document.sections["system"].as_of, on)


def _classes_twice(
    measure: Any, deals: Deals, before: System, after: System, own: dict[str, str], where: Where
) -> Iterator[Problem]:
    """Pools of a custom measure that another measure brings too, or that take the name of another's class. own: such pools so far, by
    measure; added to."""
    known = {one.id: one for one in before.asset_classes}
    brought = [one.id for one in deals["classes"]] if "classes" in deals.more else []
    for name in brought:
        if name in known:
            yield Problem(*where("pools"), f"pool '{name}', which another measure brings", "a new name", "rename it")
        own.setdefault(name, measure.id)
    for one in after.asset_classes:
        if one.id in own and one.id not in brought and known.get(one.id) != one:
            found = f"an asset class '{one.id}', the name of a pool of measure '{own[one.id]}'"
            yield Problem(*where("id"), found, "names of their own", f"rename the pool in '{own[one.id]}'")


@dataclass(frozen=True)
class OwnRules:
    """Rules of the plan's own files, and these."""

    rules: tuple[Rule, ...]
    inputs: tuple[InputFile, ...]


def _rules(folder: Path, document: Document[PlanFile], problems: list[Problem]) -> OwnRules:
    section, found, files = document.sections.get("rules"), list[Rule](), list[InputFile]()
    for number, name in enumerate(section.files if section is not None else ()):
        at = _where(document, "rules")("files", number)
        read = read_rules(folder / name, problems, declared_at=at)
        file = read_file(folder / name, [], declared_at=at)
        if read is not None and file is not None:
            taken = {rule.id for rule in found} | set(rules())
            for rule in read:
                if rule.id in taken:
                    said = f"rule '{rule.id}' in '{name}', an id that there is already"
                    problems.append(Problem(*at, said, "ids of their own", "rename it in that file"))
            found.extend(read)
            files.append(InputFile(file.name, file.digest))
    return OwnRules(tuple(found), tuple(files))


def _deals(
    folder: Path, document: Document[PlanFile], read: ReadSystem, on: dt.date | None, problems: list[Problem]
) -> tuple[dict[str, Deals], System]:
    """The business of each measure that can be read, by its id; and the system with all of their asset classes."""
    deals, at, system, own = {}, _moment(document, on), read.system, dict[str, str]()
    for number, measure in document.entries("measures"):
        searched = {
            name
            for _, control in document.entries("controls")
            if isinstance(control, ON_MEASURES) and control.measure == measure.id and (name := term_of(control))
        }
        where = _where(document, "measures", number)
        asked = Reading(folder, read.system, at, where, frozenset(searched), read.sound)
        found = read_measure(asked, measure, problems)
        if found is not None:
            deals[measure.id] = found
            grown = opened(measure, found, system)
            problems.extend(_classes_twice(measure, found, system, grown, own, where))
            system = grown
    return deals, system


def _payments(folder: Path, document: Document[PlanFile], problems: list[Problem]) -> PaymentsRead | None:
    """The payment market, where the plan has one, and what its gates ask of it."""
    section, found = document.sections.get("payments"), None
    if section is not None:
        found = read_payments(folder, section, problems, where=_where(document, "payments"))
    gates = [(number, gate) for number, gate in document.entries("gates") if isinstance(gate, PaymentsGate)]
    problems.extend(gates_against_payments(gates, found, _where(document, "gates")))
    if gates and "payments" in document.sections and section is None:
        at = _where(document, "gates", gates[0][0])()
        problems.append(Problem(*at, "a gate on payments in a plan without them", "a section 'payments'", "add it"))
    return found


def _named(folder: Path, document: Document[PlanFile], read: ReadSystem, problems: list[Problem]) -> Scenarios | None:
    """The losses that the plan's table of named scenarios states."""
    model = document.sections.get("scenarios")
    if model is None or model.named is None:
        return None
    at = _where(document, "scenarios")("named")
    named = table_of_scenarios(read.system, folder / model.named, problems, declared_at=at, amounts_known=read.sound)
    if named is not None and read.sound:
        problems.extend(named_against_system(document, read.system, named))
    return named


def _where(document: Document[PlanFile], *section: str | int) -> Where:
    def place(*keys: str | int) -> Place:
        return document.file.name, document.line(*section, *keys)

    return place
