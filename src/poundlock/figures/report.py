"""The report: one HTML file, readable offline, on paper, in light and dark; and its machine-readable twin."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import normpath
from pathlib import Path, PurePath
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from poundlock.desk.assessment import Assessment
from poundlock.desk.evaluation import Evaluation
from poundlock.desk.plan_file import PlanFile
from poundlock.desk.rules_kept import breaches_words
from poundlock.desk.worlds import VALUATION_WORDS, term_words
from poundlock.evidence import Evidence
from poundlock.figure import Figure
from poundlock.figures.control_charts import (
    around_words,
    brake_figure,
    control_sentence,
    frontier_figure,
    network_figure,
)
from poundlock.figures.files import write_whole
from poundlock.figures.named_charts import named_figure
from poundlock.figures.payment_charts import payments_content
from poundlock.figures.payment_words import rules_held
from poundlock.figures.pilot_report import drawn, pilot_content
from poundlock.figures.programme_charts import (
    KIND_WORDS,
    bearers_figure,
    contradicted,
    measure_words,
    programme_table,
    rules_table,
)
from poundlock.figures.result import evaluation_text, result_text
from poundlock.figures.risk_charts import importance_figure, loss_figures
from poundlock.figures.tail_charts import allocation_figure, changes_figure
from poundlock.reading import InputFile, combined_digest
from poundlock.risk import Estimate
from poundlock.risk.controllability import standing
from poundlock.rollout.gate import Finding
from poundlock.rollout.plan import ExpectedShortfall, RulesGate, Tolerance
from poundlock.rollout.wording import interval, shown
from poundlock.rules import Rule, rules

MARKS = {"pass": "✓", "inconclusive": "?", "no data": "∅", "error": "!", "fail": "✗", "breach": "✗✗"}
STANDING_WORDS = {"holds": "holds", "straddles": "undecided", "broken": "broken"}
ORIGIN_WORDS = {
    "synthetic": "Synthetic banking layer",
    "reconstructed": "Partly reconstructed system",
    "reported": "Reported figures",
}


def report_html(a: Assessment) -> str:
    """The whole report as one self-contained page: no script, no outside request. The same bytes for the same inputs."""
    return _environment().get_template("report.html").render(**_content(a))


def evaluation_html(a: Evaluation) -> str:
    """The report of an evaluation alone, as one self-contained page."""
    content = {
        "a": a,
        "plan": a.plan,
        "gates": [_gate(f) for f in a.verdict.findings],
        "pilot": pilot_content(a.plan, a.pilot, a.verdict.worst),
        "inputs": input_rows(a.plan, a.inputs),
    }
    return _environment().get_template("evaluation.html").render(**content)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("poundlock.figures"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "mark": MARKS.__getitem__,
        "kind": lambda kind: kind.replace(" ", "-"),
        "sentence": lambda words: words[:1].upper() + words[1:],
        "css": css_string,
        "whole": lambda words: words.replace(" %", "\u00a0%"),  # a number stays on one line with its sign
    }
    return environment


def result_json(a: Assessment | Evaluation) -> str:
    """The machine-readable form, as text."""
    return result_text(a) if isinstance(a, Assessment) else evaluation_text(a)


def write_report(a: Assessment | Evaluation, folder: Path) -> tuple[Path, Path]:
    """Write report.html and result.json into `folder`, each whole or not at all. Returns their paths."""
    page = report_html(a) if isinstance(a, Assessment) else evaluation_html(a)
    result, report = write_whole(folder, {"result.json": result_json(a), "report.html": page})
    return report, result


def cautions(a: Assessment) -> list[str]:
    """What a reader of the verdict must know before anything else, one sentence each."""
    said = []
    other, today, changed = a.other_valuation, a.worlds[0], [t.label for t in contradicted(a)]
    if changed and not a.plan.scenarios.bracket:
        said.append(
            f"The gates value claims by {VALUATION_WORDS[today.outcome.valuation]}. Under {VALUATION_WORDS[other.outcome.valuation]}, {len(changed)} of {len(a.plan.tolerances)} tolerances would be broken: "
            + "; ".join(label for label in changed)
            + "."
        )
    if a.idle:
        said.append(
            f"Nothing of {' and '.join(a.idle)} is on the books on {a.rules.on}: nobody in it has joined, no stage has begun there, or nothing is wished for."
        )
    if a.rules.breaches("today") and not any(isinstance(g, RulesGate) for g in a.plan.gates):
        said.append(
            f"No gate asks whether rules are kept, and rules that bind are breached: {breaches_words(a.rules)}."
        )
    if a.plan.pilot is not None and a.plan.pilot.caveat:
        said.append(a.plan.pilot.caveat)
    return said


def behaviour_words(a: Assessment) -> str:
    """Whether runs and forced sales are in the numbers, in words."""
    behaviour = a.plan.contagion
    counted = [
        word for word, there in (("runs", behaviour.funding), ("forced sales", behaviour.sales)) if there is not None
    ]
    left = [word for word in ("runs", "forced sales") if word not in counted]
    if not counted:
        return "runs and forced sales are in neither."
    both = " and ".join(counted)
    others = f", {left[0]} in neither" if left else ""
    return f"{both}, as the plan states them, are in both{others}."


def css_string(words: str) -> Markup:
    """Words as the inside of a CSS string: whatever is no plain letter, digit or space is escaped by its number."""
    safe = (c if c.isascii() and (c.isalnum() or c in " .,:;()-%") else f"\\{ord(c):06x}" for c in words)
    return Markup("".join(safe))  # noqa: S704 - every other character is escaped above


def _content(a: Assessment) -> dict[str, Any]:
    figures: dict[str, list[dict[str, Any]]] = {
        "spread": [
            drawn(f)
            for f in (*loss_figures(a), named_figure(a), *_tail_figures(a), network_figure(a), importance_figure(a))
            if f
        ],
        "hold": [
            drawn(f)
            for f in (
                *(frontier_figure(a, s) for s in a.searches),
                *(brake_figure(a, b) for b in a.brakes),
            )
        ],
        "together": [drawn(f) for f in (bearers_figure(a),) if f is not None],
    }
    return {
        "a": a,
        "plan": a.plan,
        "valuation": VALUATION_WORDS[a.plan.scenarios.valuation],
        "origin": ORIGIN_WORDS[a.plan.system.origin],
        "cautions": cautions(a),
        "gates": [_gate(f) for f in a.verdict.findings],
        "worlds": _world_table(a),
        "spread": _spread(a),
        "behaviour": behaviour_words(a),
        "lifted": _lifted_table(a),
        "searches": [(around_words(s), control_sentence(a, s)) for s in a.searches],
        "legal_bases": list(dict.fromkeys(_rule(a, c.legal_basis).cited() for s in a.searches for c in s.controls)),
        "measures": [_measure(a, number) for number in range(len(a.plan.measures))],
        "payments": payments_content(a.payments, rules_held(a), a.rules.on),
        "pilot": pilot_content(a.plan, a.pilot, a.verdict.worst),
        "inputs": input_rows(a.plan, a.provenance.inputs),
        "figures": figures,
        "programme": programme_table(a),
        "kept": rules_table(a),
    }


def input_rows(plan: PlanFile, inputs: Sequence[InputFile]) -> list[tuple[str, str, str]]:
    """Name, source and digest of every input; the files of the payments' store are one row, with one digest over all of them."""
    store = plan.payments.store if plan.payments is not None else None
    held = {f.name: f for f in inputs if store is not None and _in_store(PurePath(f.name), PurePath(normpath(store)))}
    rows = []
    for k, f in enumerate(inputs):
        if f.name not in held:
            rows.append((f.name, plan.sources.get(f.name, "this plan" if k == 0 else "not stated"), f.digest))
        elif f.name == next(iter(held)):
            source = plan.sources.get(store or "", "not stated")
            rows.append((f"{normpath(store or '')}/ ({len(held):,} files)", source, combined_digest(held.values())))
    return rows


def _in_store(name: PurePath, store: PurePath) -> bool:
    """Whether an input, named from the plan's folder, lies in the store: beside its market.json, or in a folder of it."""
    root = name.parent if name.name == "market.json" else name.parent.parent
    if root is not name.parent and name.parent.name not in ("days", "ledger"):
        return False
    tail = tuple(part for part in root.parts if part != "..")
    return store.parts[len(store.parts) - len(tail) :] == tail if store.is_absolute() else root == store


def _tail_figures(a: Assessment) -> list[Figure]:
    pairs = [(allocation_figure(study), changes_figure(a, study)) for study in a.tails]
    return [figure for pair in pairs for figure in pair if figure is not None]


def number(evidence: Evidence) -> str:
    """The value of a gate with its unit; at the end of a search's range it is a bound."""
    text = shown(evidence.value, evidence.unit)
    if evidence.value and evidence.unit.startswith("of ") and evidence.high is None:
        return f"≥ {text}"
    return f"{text} log points" if evidence.value is not None and evidence.unit == "log points" else text


def _gate(finding: Finding) -> dict[str, Any]:
    return {"finding": finding, "value": number(finding.evidence), "interval": interval(finding.evidence)}


def _world_table(a: Assessment) -> dict[str, Any]:
    """Each tolerance in each world and valuation, and for the shock alone: estimate, interval, whether it holds."""
    today, other = a.worlds[0], a.other_valuation
    columns = [(f"{today.label}: shock alone, nothing spreads", today.by_shock)]
    columns += [(w.label, w.estimates) for w in a.worlds]
    columns.append((f"{other.label}, {VALUATION_WORDS[other.outcome.valuation]}", other.estimates))
    rows = []
    for tolerance in a.plan.tolerances:
        found = [estimates.get(tolerance.id) for _, estimates in columns]
        cells = [None if estimate is None else _cell(tolerance, estimate) for estimate in found]
        rows.append({"tolerance": tolerance, "limit": shown(tolerance.at_most, "share"), "cells": cells})
    return {"columns": [label for label, _ in columns], "rows": rows}


def _cell(tolerance: Tolerance, estimate: Estimate) -> dict[str, str]:
    bounds = {name: shown(getattr(estimate, name), "share") for name in ("value", "low", "high")}
    return {**bounds, "standing": STANDING_WORDS[standing(tolerance, estimate)]}


def _spread(a: Assessment) -> str:
    """What contagion adds to the first tail of the plan, in points, by either valuation."""
    tails = [t for t in a.plan.tolerances if isinstance(t, ExpectedShortfall) and not t.added_by_measures]
    if not tails:
        return ""
    said = [
        f"{100 * (w.estimates[tails[0].id].value - w.by_shock[tails[0].id].value):.2f} points "
        f"by {VALUATION_WORDS[w.outcome.valuation]}"
        for w in (a.worlds[0], a.other_valuation)
    ]
    alone = a.worlds[0].by_shock[tails[0].id].value
    label = tails[0].label[0].lower() + tails[0].label[1:] if tails[0].label[1:2].islower() else tails[0].label
    spreads = (
        "spreading, less what insurance, warrants and promises bring," if a.worlds[0].system.covers else "spreading"
    )
    return f"Of the {label}, the shock alone takes {alone:.2%}; {spreads} adds {' and '.join(said)}."


def _lifted_table(a: Assessment) -> list[tuple[str, str, list[dict[str, str]]]]:
    """Today, and today with one limit at a time as before: credit granted and each tolerance."""
    rows = []
    for world in (a.worlds[0], *a.lifted) if a.lifted else ():
        found = [(t, world.estimates[t.id]) for t in a.plan.tolerances]
        cells = [_cell(t, e) for t, e in found]
        rows.append(
            (world.label if world.id.startswith("lifted") else "today's limits", f"{world.granted:,.0f}", cells)
        )
    return rows


def _measure(a: Assessment, number: int) -> dict[str, Any]:
    """The settings of a measure side by side, and the rules behind today's."""
    measure = a.plan.measures[number]
    settings = [("today", measure.today), *([("earlier", measure.before)] if measure.before else [])]
    given = type(measure.today).model_fields
    names = [
        name
        for name in given
        if name != "legal_basis"
        and any(getattr(terms, name) or getattr(terms, name) != given[name].default for _, terms in settings)
    ]
    rows = [(term_words(name), [_setting(name, getattr(terms, name)) for _, terms in settings]) for name in names]
    if a.programme is not None:
        study = a.programme.studies[number]
        rows.append((f"{study.what} on the books, {a.plan.system.unit}", [f"{study.granted:,.0f}"]))
        rows.append((f"{study.what} wished for without caps, {a.plan.system.unit}", [f"{study.wished:,.0f}"]))
        rows.append(("part of it that consents and stages leave", [f"{study.consented:.0%}"]))
    for row in rows:
        row[1].extend([""] * (len(settings) - len(row[1])))
    return {
        "measure": measure,
        "heads": [head for head, _ in settings],
        "says": KIND_WORDS[measure.kind],
        "rows": rows,
        **measure_words(a, number),
        "rules": [_rule(a, r).cited() for r in measure.today.legal_basis],
    }


def _rule(a: Assessment, name: str) -> Rule:
    return next((rule for rule in a.own_rules if rule.id == name), None) or rules()[name]


def _setting(name: str, value: object) -> str:
    if value is None:
        return "no cap"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in ("strike", "settlement_days") or not isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, int | float) else str(value)
    said = f"{value:.1%}" if round(100 * value) != 100 * value else f"{value:.0%}"
    return f"at most {said}" if name.endswith("_cap") else said
