"""Does a plan agree with itself, with its system and with its panel? Each function yields every Problem it finds."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from pydantic import ValidationError

from poundlock.desk.moment import moment_of
from poundlock.desk.plan_file import PlanFile
from poundlock.pilots import Pilot
from poundlock.problems import Problem
from poundlock.reading import Document
from poundlock.risk.controls import ON_MEASURES, STANDS_AT, ContributionFloor, TermControl, term_of
from poundlock.rollout.plan import (
    AlarmGate,
    BrakeGate,
    ControlGate,
    EffectGate,
    RulesGate,
    ToleranceGate,
)
from poundlock.rules import Rule, jurisdictions, rules

Problems = Iterator[Problem]
LISTS = ("measures", "tolerances", "controls", "brakes", "gates", "stages")


def plan_against_itself(document: Document[PlanFile]) -> Problems:
    """Ids used twice, ids that point to nothing, unknown rules, sections missing without a reason."""
    yield from _ids_used_twice(document)
    yield from _dangling_ids(document)
    yield from _unexplained_absence(document)
    yield from _sources(document)
    yield from _settings_outside_range(document)
    yield from _brakes(document)
    yield from _turned_together(document)
    yield from _controls_of_no_use(document)
    yield from _one_law_for_one_equity(document)
    for number, _ in [entry for entry in document.entries("measures") if entry[1].kind == "joint-lending"][1:]:
        found, expected = "a second measure of kind joint-lending", "one, since caps hold for all joint loans of a bank"
        yield at_place(document, "measures", number)(found, expected, "put all joint loans into one table")


def at_place(document: Document[PlanFile], *location: str | int) -> Any:
    """A maker of Problems at this place of the plan."""

    def problem(found: str, expected: str, cure: str) -> Problem:
        return Problem(document.file.name, document.line(*location), found, expected, cure)

    return problem


def _ids_used_twice(document: Document[PlanFile]) -> Problems:
    entries: dict[str, list[tuple[str, tuple[str | int, ...]]]] = {
        section: [(entry.id, (section, k, "id")) for k, entry in document.entries(section)] for section in LISTS
    }
    pilot = document.sections.get("pilot")
    for key in ("outcomes", "baselines"):
        listed = enumerate(getattr(pilot, key)) if pilot else ()
        entries[key] = [(one.id, ("pilot", key, k, "id")) for k, one in listed]
    for section, found in entries.items():
        seen: set[str] = set()
        for name, location in found:
            if name in seen:
                said = f"{section} id '{name}' a second time"
                yield at_place(document, *location)(said, "each id once", "rename one of the two")
            seen.add(name)


def _dangling_ids(document: Document[PlanFile]) -> Problems:
    ids = {section: document.ids(section) for section in LISTS}
    ids |= {section: document.ids("pilot", section) for section in ("outcomes", "baselines")}
    for location, name, target in _pointers(document):
        if name not in ids[target]:
            known = ", ".join(sorted(ids[target])) or f"no {target} in this plan"
            yield at_place(document, *location)(
                f"'{name}', which is not among the {target}", known, "correct the id or declare it"
            )


def _pointers(document: Document[PlanFile]) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Where one part names another: (location, id, section that must hold it)."""
    for number, gate in document.entries("gates"):
        if isinstance(gate, ToleranceGate):
            yield ("gates", number, "tolerance"), gate.tolerance, "tolerances"
        elif isinstance(gate, ControlGate):
            yield ("gates", number, "control"), gate.control, "controls"
            for place, name in enumerate(gate.together):
                yield ("gates", number, "together", place), name, "controls"
        elif isinstance(gate, BrakeGate):
            yield ("gates", number, "brake"), gate.brake, "brakes"
        elif isinstance(gate, EffectGate | AlarmGate):
            yield ("gates", number, "outcome"), gate.outcome, "outcomes"
    for number, brake in document.entries("brakes"):
        yield ("brakes", number, "control"), brake.control, "controls"
    for number, control in document.entries("controls"):
        if isinstance(control, ON_MEASURES):
            yield ("controls", number, "measure"), control.measure, "measures"
    yield from _pointers_of_pilot(document.sections.get("pilot"))


def _pointers_of_pilot(pilot: Pilot | None) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    if pilot is None:
        return
    for name in pilot.elsewhere.differs_by if pilot.elsewhere is not None else ():
        yield ("pilot", "elsewhere", "differs_by", name), name, "outcomes"
    if pilot.next is not None:
        yield ("pilot", "next", "outcome"), pilot.next.outcome, "outcomes"
        yield ("pilot", "next", "strength"), pilot.next.strength, "baselines"
        if pilot.next.tolerance is not None:
            yield ("pilot", "next", "tolerance"), pilot.next.tolerance, "tolerances"


def rules_in_force(document: Document[PlanFile], own: Any) -> Problems:
    """Cited rules that there are not, and those that are not in force on the day that the plan is judged at. own: of the plan's files."""
    known = rules() | {rule.id: rule for rule in own.rules}
    system, on = document.sections.get("system"), None
    if system is not None:
        on = moment_of([stage for _, stage in document.entries("stages")], system.as_of).on
    section = document.sections.get("rules")
    against = section is not None and (section.jurisdictions or section.files)
    for number, gate in document.entries("gates"):
        if isinstance(gate, RulesGate) and "rules" in document.sections and not against:
            at, expected = at_place(document, "gates", number), "rules.jurisdictions or rules.files"
            yield at("a gate on rules in a plan that is held against none", expected, "name them, or remove the gate")
    for number, name in enumerate(section.jurisdictions if section is not None else ()):
        if name not in jurisdictions():
            at = at_place(document, "rules", "jurisdictions", number)
            shipped = f"one of {', '.join(jurisdictions())}"
            yield at(
                f"unknown jurisdiction '{name}'", shipped, "name a shipped one, or your own file under rules.files"
            )
    for location, name in _cited(document):
        rule, at = known.get(name), at_place(document, *location)
        if rule is None:
            some = f"one of {', '.join(sorted(known)[:6])}, ..."
            yield at(f"unknown rule '{name}'", some, "cite a rule of the package's rules, or of rules.files")
        elif on is not None and location[2] != "before" and not rule.in_force(on):
            never = rule.status in ("draft", "superseded")
            cure = "cite another" if never else "cite another, or move the stage"
            yield at(f"rule '{name}', {_standing(rule)}", f"a rule in force on {on}", cure)


def _standing(rule: Rule) -> str:
    """Why a rule is not in force, in words."""
    if rule.status in ("draft", "superseded"):
        return f"which is {rule.status}"
    until = f" until {rule.in_force_until}" if rule.in_force_until else ""
    return f"in force from {rule.in_force_from}{until}"


def _cited(document: Document[PlanFile]) -> list[tuple[tuple[str | int, ...], str]]:
    cited: list[tuple[tuple[str | int, ...], str]] = []
    for number, measure in document.entries("measures"):
        for role in ("today", "before"):
            limits = getattr(measure, role)
            basis = limits.legal_basis if limits else ()
            cited += [(("measures", number, role, "legal_basis", k), rule) for k, rule in enumerate(basis)]
    cited += [
        (("controls", number, "legal_basis"), control.legal_basis) for number, control in document.entries("controls")
    ]
    return cited


def _unexplained_absence(document: Document[PlanFile]) -> Problems:
    left_out = document.sections.get("left_out")
    for section in ("measures", "pilot"):
        if left_out is None or section not in document.sections:
            continue
        reason, present = getattr(left_out, section), bool(document.sections[section]) or not document.whole(section)
        if not present and reason is None:
            expected = f"{section}, or the reason under left_out.{section}"
            yield at_place(document)(f"a plan without {section}", expected, f"add {section}, or say why there is none")
        if present and reason is not None:
            yield at_place(document, "left_out", section)(
                f"left_out.{section} beside {section}", "one of the two", "remove the reason or the section"
            )


def _settings_outside_range(document: Document[PlanFile]) -> Problems:
    """Today's limits must be ones that the control could set; 25 for 0.25 is the usual slip."""
    today = {measure.id: (number, measure.today) for number, measure in document.entries("measures")}
    for place, control in document.entries("controls"):
        name = term_of(control)
        if name is None and control.loosest != STANDS_AT[type(control)]:
            stands, at = STANDS_AT[type(control)], at_place(document, "controls", place, "loosest")
            found = f"loosest {control.loosest:g} of control '{control.id}', which today stands at {stands:g}: it is not turned on"
            yield at(found, f"loosest {stands:g}", "write it, so that the search begins where things are")
        if name is None or control.measure not in today or control.others != "today":
            continue
        number, limits = today[control.measure]
        if not hasattr(limits, name):
            continue
        value, (low, high) = getattr(limits, name), sorted((control.tightest, control.loosest))
        if value is not None and not low <= value <= high:
            found = f"{name} {value:g}, which is {value:.0%}, outside the range of control '{control.id}'"
            expected = f"a fraction within {control.tightest:g} to {control.loosest:g}"
            yield at_place(document, "measures", number, "today", name)(found, expected, f"correct {name} or the range")


def _controls_of_no_use(document: Document[PlanFile]) -> Problems:
    """Controls on a limit that the measure does not have."""
    measures = {measure.id: measure for _, measure in document.entries("measures")}
    for number, control in document.entries("controls"):
        name = term_of(control)
        measure = measures.get(control.measure) if name else None
        if measure is None:
            continue
        numbers = _numbers_of(measure.today)
        if name not in numbers:
            at = at_place(document, "controls", number, "term" if isinstance(control, TermControl) else "measure")
            found = f"{name} in a control on '{measure.id}', a measure of kind {measure.kind}"
            yield at(
                found,
                f"a number that does not change what is drawn: {', '.join(numbers)}",
                "name another term, measure or control",
            )
            continue
        for end in ("tightest", "loosest"):
            try:
                type(measure.today).model_validate({**measure.today.model_dump(), name: getattr(control, end)})
            except ValidationError as refused:
                found = f"{end} {getattr(control, end):g} of control '{control.id}', which {name} cannot be"
                expected = refused.errors()[0]["msg"].lower()
                yield at_place(document, "controls", number, end)(found, expected, f"correct {end}")


def _numbers_of(terms: Any) -> list[str]:
    """Names of the terms that are numbers and that a search can turn, caps that are left out among them."""
    found = []
    for name in (name for name in type(terms).model_fields if name not in terms.DRAWN):
        value = getattr(terms, name)
        if (isinstance(value, int | float) and not isinstance(value, bool)) or value is None:
            found.append(name)
    return found


def _one_law_for_one_equity(document: Document[PlanFile]) -> Problems:
    """Measures in the equity of the same firms must say the same of how it moves."""
    first: tuple[str, Any] | None = None
    for number, measure in document.entries("measures"):
        own = getattr(measure, "equity", None)
        if own is None:
            continue
        if first is not None and own != first[1]:
            at, found = at_place(document, "measures", number, "equity"), f"equity unlike that of measure '{first[0]}'"
            yield at(found, "one law of how the equity of the firms moves", "give both measures the same equity")
        first = first or (measure.id, own)


def _turned_together(document: Document[PlanFile]) -> Problems:
    """Controls of one gate that contradict each other: two on one limit, or on one measure with its other limits at two states."""
    controls = {control.id: control for _, control in document.entries("controls")}
    for number, gate in document.entries("gates"):
        turned = [controls[name] for name in gate.turned if name in controls] if isinstance(gate, ControlGate) else []
        at = at_place(document, "gates", number, "together")
        for one, other in combinations(turned, 2):
            both = f"controls '{one.id}' and '{other.id}' turned together"
            if one.id == other.id:
                yield at(f"control '{one.id}' turned twice", "each control once", "take one of them out")
            elif not (isinstance(one, ON_MEASURES) and isinstance(other, ON_MEASURES) and one.measure == other.measure):
                continue
            elif one.kind == other.kind and term_of(one) == term_of(other):
                yield at(f"{both}, each a {one.kind}", "one setting of each limit", "take one of them out")
            elif one.others != other.others:
                found = f"{both}, with others: {one.others} and others: {other.others}"
                yield at(found, "the same state of all other limits", "give both the same others")


def _brakes(document: Document[PlanFile]) -> Problems:
    """A brake needs a control that caps or suspends a measure, and a setting within its range."""
    controls = {control.id: control for _, control in document.entries("controls")}
    for number, brake in document.entries("brakes"):
        control = controls.get(brake.control)
        if control is None:
            continue
        if not isinstance(control, ON_MEASURES) or isinstance(control, ContributionFloor | TermControl):
            found = f"a brake by control '{control.id}', a {control.kind}"
            expected = "a control that caps or suspends a measure"
            yield at_place(document, "brakes", number, "control")(found, expected, "name another control")
        elif brake.to is not None and not control.tightest <= brake.to <= control.loosest:
            found = f"to {brake.to:g}, outside the range of control '{control.id}'"
            expected = f"{control.tightest:g} to {control.loosest:g}"
            yield at_place(document, "brakes", number, "to")(found, expected, "correct the setting")


def _sources(document: Document[PlanFile]) -> Problems:
    """Sources of tables that the plan does not name."""
    named = [document.sections.get("system"), *(measure for _, measure in document.entries("measures"))]
    files = {
        value for part in named if part is not None for value in part.model_dump().values() if isinstance(value, str)
    }
    section = document.sections.get("rules")
    files |= set(section.files) if section is not None else set()
    pilot: Pilot | None = document.sections.get("pilot")
    files |= {*(table.file for table in pilot.tables), pilot.tiles or ""} if pilot else set()
    model = document.sections.get("scenarios")
    files |= {model.named} if model is not None and model.named is not None else set()
    payments = document.sections.get("payments")
    files |= {payments.market, payments.store or ""} if payments else set()
    sections = ("system", "pilot", "scenarios", "payments")
    readable = all(section in document.sections for section in sections) and document.whole("measures")
    for name in sorted(set(document.sections.get("sources") or ()) - files) if readable else ():
        yield at_place(document, "sources", name)(
            f"source of '{name}'", "a table that this plan names", "correct the file name"
        )
