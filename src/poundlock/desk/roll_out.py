"""From a plan and its results to what the roll-out machine takes: the terms of a programme, and a verdict as it is entered."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from poundlock.desk.consistency import at_place
from poundlock.desk.plan_file import PlanFile
from poundlock.problems import Problem, ProblemsFound
from poundlock.reading import Document, InputFile, combined_digest, read_document
from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.machine.terms import Terms


@dataclass(frozen=True)
class PlanTerms:
    """What the machine takes of a plan file. digest: SHA-256 of the file."""

    digest: str
    terms: Terms


@dataclass(frozen=True)
class Entered:
    """A verdict as it is entered. evidence: digest over all inputs. inputs: SHA-256 of each, the plan among them. verdict: SHA-256 of
    the result.json. findings: metric, kind and words of each. content: the result.json itself, which is kept."""

    evidence: str
    inputs: tuple[str, ...]
    verdict: str
    findings: tuple[dict[str, str], ...]
    content: bytes = field(repr=False)


def programme_against_plan(document: Document[PlanFile]) -> Iterator[Problem]:
    """Metrics of gates that are not there, of returns that nobody owes, gates without a metric, a programme without stages."""
    programme = document.sections.get("programme")
    if programme is None:
        return
    gates = document.ids("gates")
    for number, metric in enumerate(programme.metrics):
        if metric.gate not in gates:
            known = ", ".join(sorted(gates)) or "no gates in this plan"
            found = f"'{metric.gate}', which is not among the gates"
            yield at_place(document, "programme", "metrics", number, "gate")(
                found, known, "correct the id or declare it"
            )
        owed = {d.kind for d in programme.returns}
        for place, kind in enumerate(metric.needs):
            if kind not in owed:
                known = ", ".join(sorted(owed)) or "no return is owed"
                found = f"'{kind}', which is not among the returns of the programme"
                yield at_place(document, "programme", "metrics", number, "needs", place)(
                    found, known, "add it under returns, or leave it out"
                )
        if metric.kind == "signal" and metric.without_data != "hold":
            yield at_place(document, "programme", "metrics", number, "without_data")(
                f"without_data: {metric.without_data} of a signal", "none, since a signal moves nothing", "leave it out"
            )
    for missing in sorted(gates - {m.gate for m in programme.metrics}):
        found = f"no metric for gate '{missing}'"
        cure = "add it with its kind: limit, guardrail, success, quality or signal"
        yield at_place(document, "programme", "metrics")(found, "one metric for each gate", cure)
    if not document.sections.get("stages") and document.whole("stages"):
        yield at_place(document, "programme")(
            "a programme without stages", "at least one stage", "add stages to the plan"
        )


def terms_of(path: str | Path) -> PlanTerms:
    """The terms of a plan file's programme. Raises ProblemsFound; the tables of the plan are not read."""
    problems: list[Problem] = []
    document = read_document(Path(path), PlanFile, problems)
    if document is not None:
        problems.extend(programme_against_plan(document))
        if document.value is not None and document.value.programme is None:
            cure = "add the section; `poundlock schema plan` describes it"
            problems.append(Problem(document.file.name, None, "no section 'programme'", "one", cure))
    if problems or document is None or document.value is None or document.value.programme is None:
        raise ProblemsFound(problems)
    plan = document.value
    assert plan.programme is not None
    declared = {name: getattr(plan.programme, name) for name in type(plan.programme).model_fields}
    return PlanTerms(document.file.digest, Terms(**declared, stages=plan.stages))


def entered(path: str | Path) -> Entered:
    """The verdict of a result.json. Raises ProblemsFound where it is none of Poundlock's."""
    try:
        content = Path(path).read_bytes()
        result: Any = json.loads(content)
        findings = [_finding(gate) for gate in result["gates"]]
        inputs = [InputFile(str(i["file"]), str(i["sha256"])) for i in result["provenance"]["inputs"]]
        if result["provenance"]["digest"] != combined_digest(inputs):
            raise ValueError("the digest over its inputs is not that of the inputs that it lists")
        return _with_digests(combined_digest(inputs), [i.digest for i in inputs], findings, content)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        said = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        expected = "a result.json that `poundlock run` or `poundlock evaluate` wrote"
        cure = "name the file that stands under --out of that run"
        raise ProblemsFound([Problem(str(path), None, said, expected, cure)]) from None


def as_entered(evidence: str, inputs: Sequence[str], findings: Sequence[dict[str, str]]) -> Entered:
    """Findings of another origin, with the digest of them all. evidence: digest over all inputs; inputs: digest of each."""
    told: Json = {"evidence": evidence, "findings": list(findings)}
    return _with_digests(evidence, inputs, findings, canonical(told))


def _with_digests(evidence: str, inputs: Sequence[str], findings: Sequence[dict[str, str]], content: bytes) -> Entered:
    return Entered(evidence, tuple(inputs), hashlib.sha256(content).hexdigest(), tuple(findings), content)


def _finding(gate: Any) -> dict[str, str]:
    return {"metric": gate["id"], "kind": gate["finding"], "said": f"{gate['why']}; asked: {gate['limit']}"}
