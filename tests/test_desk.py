"""The verbs, end to end: what goes in is what is judged, and the same inputs give the same answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import EXAMPLES, ROOT, edit
from poundlock import ProblemsFound, check, run
from poundlock.desk import plan_schema_text, system_schema_text
from poundlock.figures import report_html, result_json
from poundlock.rollout.gate import WORST_FIRST


def test_the_published_schema_is_that_of_the_code():
    assert (ROOT / "schema" / "plan.schema.json").read_text(encoding="utf-8") == plan_schema_text(), "run `make schema`"


FILES = sorted([*EXAMPLES.rglob("plan.yaml"), *EXAMPLES.rglob("system.yaml")])


@pytest.mark.parametrize("plan", FILES, ids=lambda p: p.parent.name)
def test_examples_name_their_schema_and_validate_against_it(plan: Path):
    import jsonschema
    from ruamel.yaml import YAML

    first = plan.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (plan.parent / first.split("=")[1]).resolve() == ROOT / "schema" / f"{plan.stem}.schema.json"
    value = json.loads(json.dumps(YAML(typ="safe", pure=True).load(plan), default=str))
    jsonschema.validate(value, json.loads(plan_schema_text() if plan.stem == "plan" else system_schema_text()))


@pytest.mark.parametrize("example", ["zhejiang", "europe-2015", "contagion"])
def test_shipped_tables_are_those_that_the_script_makes(example: str, tmp_path: Path):
    subprocess.run([sys.executable, EXAMPLES / example / "prepare.py", tmp_path], check=True)
    made = sorted(tmp_path.iterdir())
    assert made
    for path in made:
        if path.name == "payment_service.csv":
            continue  # its daily flows come from the ledger: test_examples_ledger.py
        assert path.read_bytes() == (EXAMPLES / example / path.name).read_bytes(), path.name


def test_the_starter_runs_as_it_is(starter_run):
    assert starter_run.verdict.worst == "pass"
    assert starter_run.plan.scenarios.bracket
    assert [f.gate for f in starter_run.verdict.findings] == [
        "local-banks",
        "failures",
        "controllable",
        "rules",
        "effect",
        "for-whom",
    ]


def test_an_assessment_prints_short_and_explains_itself(starter_run):
    said, html = repr(starter_run), starter_run._repr_html_()
    assert said.splitlines()[:2] == [starter_run.plan.title, starter_run.plan.question]
    assert len(said) < 3_000
    assert html.count("<tr>") == 1 + len(starter_run.plan.gates)
    assert starter_run.explain().count("What would change it") == len(starter_run.plan.gates)


def test_the_worst_finding_is_the_verdict(zhejiang):
    kinds = [f.kind for f in zhejiang.verdict.findings]
    assert zhejiang.verdict.worst == min(kinds, key=WORST_FIRST.index)


def test_zhejiang_says_what_its_data_can_and_cannot_show(zhejiang):
    by_gate = {f.gate: f for f in zhejiang.verdict.findings}
    assert by_gate["income"].kind == "inconclusive"
    assert "short window: 2 periods" in by_gate["income"].why
    assert by_gate["technology"].kind == "inconclusive"
    assert "the interval holds 0" in by_gate["technology"].why
    turnover = next(s for s in zhejiang.studies if s.id == "technology-turnover")
    assert turnover.dropped == ("Tibet",)
    assert "zone as a whole" in zhejiang.plan.pilot.caveat


def test_the_next_stage_uses_the_room_for_risk_that_was_measured(zhejiang):
    added, limit = zhejiang.worlds[0].estimates["added-tail"], 0.025
    p = zhejiang.pilot.places.proposal
    assert p.room == pytest.approx(
        next(t.at_most for t in zhejiang.plan.tolerances if t.id == "added-tail") - added.high
    )
    assert p.exceeds is not None
    assert p.exceeds <= zhejiang.plan.pilot.next.exceed
    assert limit > 0


def test_the_limits_of_2021_lower_the_tail(zhejiang):
    today, before, without = (zhejiang.world(name) for name in ("today", "before", "without"))
    tail = [w.estimates["local-tail"] for w in (without, today, before)]
    assert tail[0].value < tail[1].value < tail[2].value
    assert tail[1].high < 0.235 < tail[2].low


def test_a_search_ends_with_a_setting_that_holds_beside_one_that_does_not(zhejiang):
    alone = next(s.result for s in zhejiang.searches if s.control.id == "partner-cap-alone")
    points = {p.setting: p for p in alone.points}
    assert points[alone.setting].holds
    assert not points[alone.next_looser].holds
    assert 0 < alone.next_looser[0] - alone.setting[0] <= 0.01


def test_spread_is_kept_apart_from_the_shock(zhejiang, europe):
    """By clearing hardly anything spreads; by linear DebtRank much does; and without covers that bring money in, neither is below the
    shock alone."""
    for a in (zhejiang, europe):
        for world in (w for w in (*a.worlds, a.other_valuation) if not w.system.covers):
            for name, alone in world.by_shock.items():
                if not next(t for t in a.plan.tolerances if t.id == name).added_by_measures:
                    assert world.estimates[name].value >= alone.value - 1e-12
    assert europe.other_valuation.estimates["tail"].value > europe.other_valuation.by_shock["tail"].value + 0.1


def test_a_network_on_which_the_model_is_unstable_is_called_so(zhejiang, europe):
    from poundlock.figures.risk_charts import amplification_sentence

    assert zhejiang.importance.amplification < 1.0 < europe.importance.amplification
    assert "instability of the model" in amplification_sentence(europe)


def test_europe_does_not_ask_what_it_cannot_answer(europe):
    assert [question for question, _ in europe.verdict.absent] == [
        "What is tried, and can it be held?",
        "Did it work, and for whom?",
    ]
    assert {f.evidence.metric for f in europe.verdict.findings} == {"tail", "any-bank", "five-banks"}


def test_a_bracket_lets_nothing_pass_that_the_other_valuation_breaks(europe):
    assert {f.kind for f in europe.verdict.findings} == {"inconclusive"}
    assert all("linear DebtRank" in f.why for f in europe.verdict.findings)


def test_every_number_carries_its_provenance(starter_run):
    for finding in starter_run.verdict.findings:
        e = finding.evidence
        assert e.inputs == starter_run.provenance.digest
        assert e.method
        assert e.as_of
    names = [f.name for f in starter_run.provenance.inputs]
    assert names[0] == "plan.yaml"
    assert len(names) == len(set(names)) == 8


def test_the_digest_follows_every_input(starter: Path):
    before = check(starter / "plan.yaml").inputs
    edit(starter / "panel.csv", "Region A (made up)", "Region A (changed)")
    after = check(starter / "plan.yaml").inputs
    assert {f.name for f in before} == {f.name for f in after}
    assert {f.name for f, g in zip(before, after, strict=True) if f.digest != g.digest} == {"panel.csv"}


def test_same_inputs_same_bytes_whatever_the_number_of_threads(starter: Path):
    """In new processes with one and with two processors, as many threads; and another seed gives other numbers."""
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []

    def output(threads: int) -> bytes:
        command = [sys.executable, "-m", "poundlock", "run", "plan.yaml", "--json"]
        if processors:
            pin = f"import os, runpy, sys; os.sched_setaffinity(0, {set(processors[:threads])}); sys.argv = sys.argv[1:]; runpy.run_module('poundlock', run_name='__main__')"
            command = [sys.executable, "-c", pin, "poundlock", *command[3:]]
        return subprocess.run(command, check=True, capture_output=True, cwd=starter).stdout

    one, two = output(1), output(2)
    assert one == two
    edit(starter / "plan.yaml", "seed: 1", "seed: 2")
    assert json.loads(one)["gates"][0]["evidence"]["value"] != json.loads(output(2))["gates"][0]["evidence"]["value"]


def test_a_missing_year_of_the_treated_region_is_no_data(starter: Path):
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    rows = (starter / "panel.csv").read_text(encoding="utf-8").splitlines()
    at = next(k for k, row in enumerate(rows) if row.startswith("A,") and ",2022," in row)
    rows[at] = rows[at].rsplit(",", 1)[0] + ","
    (starter / "panel.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    found = {f.gate: f for f in run(starter / "plan.yaml").verdict.findings}["effect"]
    assert found.kind == "no data"
    assert "2022" in found.why


def test_a_poor_fit_is_inconclusive_whatever_the_interval(starter: Path):
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    edit(starter / "plan.yaml", "largest_pre_error: 0.05", "largest_pre_error: 0.0001")
    found = {f.gate: f for f in run(starter / "plan.yaml").verdict.findings}["effect"]
    assert found.kind == "inconclusive"
    assert "fit before the start is poor" in found.why


def test_result_json_is_complete_and_plain(starter_run):
    said = json.loads(result_json(starter_run))
    assert [g["finding"] for g in said["gates"]] == [f.kind for f in starter_run.verdict.findings]
    assert said["provenance"]["digest"] == starter_run.provenance.digest
    assert {w["id"] for w in said["worlds"]} >= {"today", "before", "without"}
    assert sum(e["synthetic_control"]["weights"] != {} for e in said["pilot"]["outcomes"]) == 1


def test_a_figure_held_against_an_unconverged_world_never_passes(starter: Path):
    """What the measure adds hangs on the world without it, and a bracket on the other valuation: neither may be open."""
    from dataclasses import replace

    from poundlock.desk.risk_evidence import tolerance_evidence
    from poundlock.desk.worlds import ground_of, worlds

    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    checked = check(starter / "plan.yaml")
    (today, *_), other = worlds(ground_of(checked), lambda task, done: None)
    tolerance = checked.plan.tolerances[0]
    assert tolerance_evidence(checked, tolerance, today, other, "d").converged
    assert not tolerance_evidence(checked, tolerance, replace(today, converged=False), other, "d").converged
    assert not tolerance_evidence(checked, tolerance, today, replace(other, converged=False), "d").converged


def with_networks(starter: Path, method: str = "fitness", more: str = "density: 0.6") -> Path:
    section = f"networks: {{ method: {method}, count: 4, share: 0.8, {more} }}\n\n# Did it work?"
    edit(starter / "plan.yaml", "# Did it work?", section)
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    return starter / "plan.yaml"


def test_an_answer_is_held_against_every_network(starter: Path):
    found = run(with_networks(starter))
    assert len(found.networks.estimates) == 5
    tail = [estimates[0].value for estimates in found.networks.estimates]
    assert tail[0] == found.worlds[0].estimates["local-tail"].value
    assert len(set(tail)) > 1, "networks differ"
    assert all(s.result.networks == 5 for s in found.searches)
    assert 0.0 <= found.networks.point.share <= 1.0
    said = json.loads(result_json(found))
    assert said["networks"]["count"] == 5
    assert any("fitness model" in words for _, words in found.provenance.methods)


def test_what_holds_in_too_few_networks_is_in_doubt(starter: Path):
    from dataclasses import replace

    from poundlock.desk.risk_evidence import tolerance_evidence

    found = run(with_networks(starter))
    checked, today, other = check(starter / "plan.yaml"), found.worlds[0], found.other_valuation
    tolerance = checked.plan.tolerances[0]
    bad = tuple(replace(e, high=2.0) for e in found.networks.estimates[0])
    networks = replace(found.networks, estimates=(found.networks.estimates[0], *[bad] * 4))
    doubts = tolerance_evidence(checked, tolerance, today, other, "d", networks).doubts
    stuck = replace(networks, point=replace(networks.point, converged=False))
    assert tolerance_evidence(checked, tolerance, today, other, "d", networks).converged
    assert not tolerance_evidence(checked, tolerance, today, other, "d", stuck).converged
    assert any("of 5 networks that fit the totals, 80% were asked for" in d.reason for d in doubts)


def test_a_brake_is_studied_and_drawn(zhejiang):
    trivial, late = zhejiang.brakes
    assert trivial.result.today.holds
    assert not late.result.today.holds
    used = [p.estimates[0].value for p in late.curve]
    assert used == sorted(used), "a later decision never lowers the tail"
    assert next(p.setting[0] for p in late.curve) == 0.0
    assert trivial.confirmed
    assert late.result.setting is not None, "three weeks, but not the four months of the plan"
    assert late.result.setting[0] < late.brake.delay
    assert late.confirmed


def test_no_gate_of_the_bracket_passes_where_the_other_valuation_breaks_a_tolerance(zhejiang):
    """Brakes and searches too: at today's limits linear DebtRank breaks what clearing holds."""
    by_gate = {f.gate: f for f in zhejiang.verdict.findings}
    for gate in ("local-banks", "added-risk", "controllable", "in-time"):
        assert by_gate[gate].kind == "inconclusive", gate
        assert "linear DebtRank" in by_gate[gate].why


TWO_CONTROLS = """\
  - kind: capital-add-on
    id: capital
    scope: { kinds: [local-bank] }
    tightest: 0.04
    loosest: 0.0
    resolution: 0.001
    yearly_cost: 0.08
    legal_basis: EU-07
  - kind: compensation-fund
    id: fund
    scope: { kinds: [local-bank] }
    tightest: 100.0
    loosest: 0.0
    resolution: 1.0
    yearly_cost: 0.03
    legal_basis: EU-07

# Did it work?"""


def test_a_gate_may_turn_several_controls(starter: Path):
    """A tolerance that today breaks: two controls together hold it more cheaply than today's cap with capital alone."""
    edit(starter / "plan.yaml", "# Did it work?", TWO_CONTROLS)
    edit(starter / "plan.yaml", "control: partner-cap, asks", "control: partner-cap, together: [capital], asks")
    edit(starter / "plan.yaml", "at_most: 0.25", "at_most: 0.21")
    found = run(starter / "plan.yaml")
    by_ids = {search.ids: search for search in found.searches}
    both = next(search for ids, search in by_ids.items() if set(ids) == {"capital", "partner-cap"})
    assert both.result.verdict == "controllable"
    assert both.confirmed
    assert by_ids[("partner-cap",)].result.verdict == "not controllable"
    kept = next(p for p in by_ids[("partner-cap",)].result.points if p.setting == (0.25,))
    assert both.result.held.cost < kept.cost + by_ids[("capital",)].result.held.cost, "today's cap, and capital alone"
    finding = next(f for f in found.verdict.findings if f.gate == "controllable")
    assert finding.kind == "fail"
    assert (
        "not at today's setting: every tolerance holds at capital 1.50 % of external assets, partner-cap" in finding.why
    )
    assert "the cheapest setting, which costs" in finding.why
    assert finding.would_change.startswith("capital 1.50 %")
    assert "capital 0 % of external assets" in finding.limit
    assert "partner-cap 25 % of tier 1" in finding.limit
    assert finding.evidence.unit == "mn EUR a year"
    words, html = json.loads(result_json(found)), report_html(found)
    told = next(c for c in words["controls"] if len(c["controls"]) == 2)
    assert set(told["cheapest_that_holds"]) == {"capital", "partner-cap"}
    assert "turned together, all other limits as today" in html
    assert by_ids[("fund",)].result.verdict in ("controllable", "not controllable")


def test_tails_are_shared_out_and_add_up(zhejiang):
    for study in zhejiang.tails:
        assert study.allocation.by_institution.sum() == pytest.approx(study.allocation.value)
        assert study.sensitivity is not None
    clearing, debtrank = zhejiang.tails
    assert debtrank.sensitivity.value == pytest.approx(debtrank.allocation.value, rel=1e-6)
    assert clearing.sensitivity.value == pytest.approx(clearing.allocation.value, rel=1e-3), (
        "covers held; some who owe fail"
    )
    assert (clearing.valuation, debtrank.valuation) == ("clearing", "linear-debtrank")
    assert debtrank.allocation.by_channel["credit"].sum() > 10 * clearing.allocation.by_channel["credit"].sum()


def test_scenarios_grow_while_the_answer_is_undecided(starter: Path):
    """At a limit that the estimate straddles with 5,000 draws."""
    value = run(starter / "plan.yaml").worlds[0].estimates["local-tail"].value
    text = (starter / "plan.yaml").read_text(encoding="utf-8")
    (starter / "plan.yaml").write_text(
        text.replace("count: 10000", "count: 5000\n  at_most: 20000").replace("at_most: 0.25", f"at_most: {value:.4f}"),
        encoding="utf-8",
    )
    found = run(starter / "plan.yaml")
    assert found.provenance.scenarios == 20_000, "still undecided at the bound"
    assert found.plan.scenarios.count == 20_000
    levels = {e.level for e in found.worlds[0].estimates.values()}
    assert levels == {1 - 0.05 / 3}, "three looks, each claims less"
    assert {e.level for s in found.searches for e in s.result.today.estimates} == levels
    edit(starter / "plan.yaml", f"at_most: {value:.4f}", "at_most: 0.9")
    edit(starter / "plan.yaml", "at_most: 20000", "at_most: 5000")
    assert run(starter / "plan.yaml").provenance.scenarios == 5_000
    edit(starter / "plan.yaml", "at_most: 5000", "at_most: 4000")
    with pytest.raises(ProblemsFound, match="at_most 4,000 scenarios, count 5,000"):
        check(starter / "plan.yaml")


def test_scenarios_grow_until_the_seconds_are_spent(starter: Path, starter_run, monkeypatch: pytest.MonkeyPatch):
    """By a clock that is read at the start, then after each simulation: the third reading is late, so it doubles once."""
    value = starter_run.worlds[0].estimates["local-tail"].value
    edit(starter / "plan.yaml", "count: 10000", "count: 5000\n  seconds: 60")
    edit(starter / "plan.yaml", "at_most: 0.25", f"at_most: {value:.4f}")
    readings = iter([0.0, 1.0, 61.0, 62.0])
    monkeypatch.setattr("poundlock.desk.measure.monotonic", lambda: next(readings))
    found = run(starter / "plan.yaml")
    assert found.provenance.scenarios == 10_000
    assert {e.level for e in found.worlds[0].estimates.values()} == {1 - 0.05 / 12}, (
        "it could have doubled to ten million"
    )


def test_an_interrupted_run_goes_on(starter: Path, tmp_path: Path):
    """Stopped in the third simulation; the second time the first two are only read, and nothing is left behind."""
    edit(starter / "plan.yaml", "count: 10000", "count: 80000")
    told: list[tuple[str, int]] = []

    def stop(task: str, done: int) -> None:
        told.append((task, done))
        if len({name for name, _ in told}) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(starter / "plan.yaml", stop, keep=tmp_path / "pieces")
    assert len(list((tmp_path / "pieces").glob("*.npz"))) >= 2
    again: list[tuple[str, int]] = []
    resumed = run(starter / "plan.yaml", lambda task, done: again.append((task, done)), keep=tmp_path / "pieces")
    assert again[0][1] == 80_000
    assert result_json(resumed) == result_json(run(starter / "plan.yaml"))
    assert not list((tmp_path / "pieces").glob("*.npz"))
