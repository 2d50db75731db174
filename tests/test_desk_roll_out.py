"""From a plan to the terms of its programme, and from a result to the check that is entered."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from conftest import edit
from poundlock import ProblemsFound, check
from poundlock.desk.roll_out import entered, terms_of


def told(folder: Path) -> list[str]:
    with pytest.raises(ProblemsFound) as found:
        check(folder / "plan.yaml")
    return [str(p) for p in found.value.problems]


def test_terms_are_the_plan_s(starter: Path) -> None:
    found = terms_of(starter / "plan.yaml")
    assert found.digest == hashlib.sha256((starter / "plan.yaml").read_bytes()).hexdigest()
    assert [s.id for s in found.terms.stages] == ["region-a", "region-b"]
    assert {m.gate: m.kind for m in found.terms.metrics}["effect"] == "success"
    assert found.terms.before("region-b") == found.terms.stage("region-a")
    assert found.terms.before("region-a") is None


def test_a_gate_without_metric_and_a_metric_without_gate_are_told_with_their_lines(starter: Path) -> None:
    edit(starter / "plan.yaml", "{ gate: effect, kind: success", "{ gate: effects, kind: success")
    lines = (starter / "plan.yaml").read_text(encoding="utf-8").splitlines()
    first = 1 + next(k for k, line in enumerate(lines) if "gate: effects" in line)
    said = told(starter)
    assert len(said) == 2
    assert any(f"plan.yaml:{first}: found 'effects', which is not among the gates" in s for s in said)
    assert any("no metric for gate 'effect'" in s for s in said)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("gate: rules, kind: limit", "gate: effect, kind: limit", "gate 'effect' twice under metrics"),
        ("pre_authorised: [failures]", "pre_authorised: [for-whom]", "expected a gate of metrics that is no signal"),
        ("kind: outcomes, every: year", "kind: exposures, every: year", "a return twice"),
        ("every: year, due_days: 120", "every: decade, due_days: 120", "'decade'"),
        ("mandates: [technology-innovation, social-responsibility]", "mandates: []", "mandates"),
    ],
)
def test_a_mistake_in_the_programme_is_told(starter: Path, old: str, new: str, expected: str) -> None:
    edit(starter / "plan.yaml", old, new)
    assert any(expected in s for s in told(starter))


def test_a_metric_needs_only_returns_that_are_owed_and_every_one_that_is_not_is_told(starter: Path) -> None:
    edit(starter / "plan.yaml", "    - { kind: balance-sheet, every: quarter, due_days: 30 }\n", "")
    said = told(starter)
    assert len(said) == 3
    assert all("'balance-sheet', which is not among the returns of the programme" in s for s in said)
    assert len({s.split(": found")[0] for s in said}) == 3


def test_a_signal_does_not_say_what_happens_without_data(starter: Path) -> None:
    edit(starter / "plan.yaml", "kind: signal, needs: [outcomes]", "kind: signal, without_data: hold critical")
    assert any("a signal moves nothing" in s for s in told(starter))


def test_a_programme_needs_stages(starter: Path) -> None:
    text = (starter / "plan.yaml").read_text(encoding="utf-8")
    start = text.index("stages:\n")
    end = text.index("# The questions.", start)
    (starter / "plan.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    assert any("a programme without stages" in s for s in told(starter))


def test_a_plan_without_a_programme_cannot_be_rolled_out(starter: Path) -> None:
    text = (starter / "plan.yaml").read_text(encoding="utf-8")
    start, end = text.index("programme:\n"), text.index("# Where the figures of each table")
    (starter / "plan.yaml").write_text(text[:start] + text[end:], encoding="utf-8")
    check(starter / "plan.yaml")
    with pytest.raises(ProblemsFound) as found:
        terms_of(starter / "plan.yaml")
    assert "no section 'programme'" in str(found.value)


def test_a_result_becomes_a_check(starter_run: object, tmp_path: Path, starter: Path) -> None:
    from poundlock.figures import result_json

    (tmp_path / "result.json").write_text(result_json(starter_run), encoding="utf-8")  # type: ignore[arg-type]
    found = entered(tmp_path / "result.json")
    assert terms_of(starter / "plan.yaml").digest in found.inputs
    assert found.verdict == hashlib.sha256((tmp_path / "result.json").read_bytes()).hexdigest()
    assert {f["metric"]: f["kind"] for f in found.findings} == {f.gate: f.kind for f in starter_run.verdict.findings}  # type: ignore[attr-defined]


def test_a_result_whose_inputs_were_changed_by_hand_is_refused(starter_run: object, tmp_path: Path) -> None:
    from poundlock.figures import result_json

    said = json.loads(result_json(starter_run))  # type: ignore[arg-type]
    said["provenance"]["inputs"][0]["sha256"] = "0" * 64
    (tmp_path / "result.json").write_text(json.dumps(said))
    with pytest.raises(ProblemsFound, match="the digest over its inputs is not that of the inputs that it lists"):
        entered(tmp_path / "result.json")


@pytest.mark.parametrize("content", ["", "no json", "[]", "{}", '{"gates": [{"id": 1}], "provenance": {}}'])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(ProblemsFound, match=r"expected a result\.json that"):
        entered(tmp_path / "result.json")
    with pytest.raises(ProblemsFound, match=r"No such file"):
        entered(tmp_path / "absent.json")
