"""Each measure alone, beside the rest and together; who bears it; which rules are kept."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from conftest import edit
from poundlock import check, run
from poundlock.desk import rules_check
from poundlock.desk.moment import moment_of
from poundlock.figures import report_html, result_json
from poundlock.figures.programme_charts import (
    bearers_words,
    controllable_words,
    insurance_sentence,
    interaction_sentence,
    points,
    programme_table,
)
from poundlock.rollout.plan import Stage

ZHEJIANG = Path(__file__).parent.parent / "examples" / "zhejiang" / "plan.yaml"


def stage(name: str, starts: str, status: str = "planned", region: str = "A") -> Stage:
    day = dt.date.fromisoformat(starts)
    return Stage(id=name, regions=(region,), starts=day, ends=day.replace(year=day.year + 5), status=status)


def test_a_plan_is_judged_when_its_running_stage_has_begun_and_its_balance_sheets_are_known():
    as_of = dt.date(2021, 12, 31)
    stages = [stage("one", "2022-03-18", "running"), stage("two", "2028-01-01", region="B")]
    assert moment_of(stages, as_of).on == dt.date(2022, 3, 18)
    assert moment_of(stages, as_of).regions == {"A"}
    assert moment_of(stages, dt.date(2023, 1, 1)).on == dt.date(2023, 1, 1)
    assert moment_of([stage("two", "2028-01-01", region="B")], as_of).on == dt.date(2028, 1, 1)
    assert moment_of([], as_of) == moment_of((), as_of)
    assert moment_of([], as_of).regions is None


def test_the_parts_add_up_in_every_scenario(zhejiang):
    assert zhejiang.programme.gap < 1e-9


def test_what_a_measure_adds_is_the_difference_between_worlds(zhejiang):
    """The shortfall that all measures add is that of today's world less that of the world without; the study has draws of its own."""
    today, without = zhejiang.world("today"), zhejiang.world("without")
    added = today.estimates["local-tail"].value - without.estimates["local-tail"].value
    assert zhejiang.programme.together.value == pytest.approx(added, rel=1e-9)


def test_risks_do_not_add_up(zhejiang):
    p = zhejiang.programme
    apart = sum(study.alone.value for study in p.studies)
    assert p.interaction == pytest.approx(p.together.value - apart)
    assert p.interaction > 0.0, "the payment service weakens those whom the other measures weaken too"
    assert "points more than the sum of each alone" in interaction_sentence(zhejiang)
    by_id = {study.id: study for study in p.studies}
    assert by_id["payment-service"].added.low > by_id["payment-service"].alone.high


def test_who_bears_what_follows_from_the_measure(zhejiang):
    by_id = {study.id: study for study in zhejiang.programme.studies}
    tail = {name: dict(zip(study.parties, study.tail, strict=True)) for name, study in by_id.items()}
    assert tail["joint-lending"]["insurer"] == pytest.approx(0.0, abs=1e-6)
    assert tail["loan-with-investment"]["investor"] > tail["loan-with-investment"]["local-bank"] > 0.0
    insured = tail["insured-ip-loans"]
    assert insured["insurer"] + insured["reinsurer"] > insured["local-bank"] > 0.0
    assert bearers_words(by_id["loan-with-investment"]).startswith("investor")


def test_the_fair_premium_is_that_of_the_closed_form(zhejiang):
    insurance = next(s.insurance for s in zhejiang.programme.studies if s.insurance is not None)
    assert abs(insurance.fair.value - insurance.fair_exact) < 3.0 * insurance.fair.standard_error
    assert insurance.loss_ratio.value == pytest.approx(
        insurance.fair.value / (insurance.premium / insurance.sum_insured)
    )
    said = insurance_sentence(insurance, "mn CNY")
    assert "Fair premium" in said
    assert "in nine of ten years" in said


def test_the_upside_is_told_by_pool(zhejiang):
    study = next(s for s in zhejiang.programme.studies if s.upsides)
    pays = {pool: up.pays for pool, up in study.upsides}
    assert pays == {"digital-330000": False, "manufacturing-330000": True}
    for _, up in study.upsides:
        assert up.pays == (up.upside >= up.expected_loss)


def test_the_table_is_in_report_and_json(zhejiang):
    table = programme_table(zhejiang)
    assert [row[0]["value"] for row in table["rows"]][-1] == "all together"
    html, words = report_html(zhejiang), json.loads(result_json(zhejiang))
    for study in zhejiang.programme.studies:
        assert f"<h3>{study.id}</h3>" in html
        assert controllable_words(zhejiang, study) == "controlled, in doubt", (
            "linear DebtRank breaks what clearing holds"
        )
    told = {m["id"]: m for m in words["programme"]["measures"]}
    assert told.keys() == {study.id for study in zhejiang.programme.studies}
    assert sum(p["mean"] for p in told["joint-lending"]["borne_by"]) < 0.0, "in a mean year margins pay for losses"
    assert words["programme"]["largest_gap_over_equity"] < 1e-9


def test_points_are_told_with_a_sign_and_nought_without():
    assert points(0.00123) == "+0.123"
    assert points(-0.00123) == "\u22120.123"
    assert points(-1e-9) == "0.000"


def test_rules_before_and_after_february_2021():
    """Before the notice nothing limited joint lending; after it the earlier terms breach what today's keep; two rules of it came into force later."""
    before, after, later = (
        rules_check(ZHEJIANG, day) for day in map(dt.date.fromisoformat, ("2021-01-31", "2021-02-28", "2022-03-18"))
    )
    assert not {c.rule.id for c in before.settings["before"] if c.rule.id.startswith("JL")}
    assert {c.rule.id for c in after.breaches("before")} == {"CA-04", "JL-02", "JL-03"}
    assert {c.rule.id for c in later.breaches("before")} == {"CA-04", "JL-01", "JL-02", "JL-03", "JL-04"}
    assert not later.breaches("today")
    assert all(c.excess > 0.0 for c in later.breaches("before"))
    assert {rule.id for rule, _ in later.unevaluated} >= {"CA-02", "LE-03"}, (
        "own funds are tier 1 alone; who lends to whom is rebuilt"
    )


def test_only_breaches_by_rules_that_bind_count(zhejiang):
    assert not [c for c in zhejiang.rules.found if c.rule.status == "draft" and c.binding]
    words = json.loads(result_json(zhejiang))["rules"]
    assert words["on"] == "2022-03-18"
    assert words["settings"]["today"]["breached"] == []
    assert {b["rule"] for b in words["settings"]["before"]["breached"]} >= {"JL-01", "CA-04"}


def test_who_has_not_joined_is_not_in_the_measure(starter: Path):
    """local-1 never joined; local-2 left a year before the balance sheets, and its business runs off."""
    edit(starter / "consents.csv", "local-1,2020-01-01,\n", "")
    edit(starter / "consents.csv", "local-2,2020-01-01,\n", "local-2,2020-01-01,2024-01-01\n")
    checked = check(starter / "plan.yaml")
    deals, ids = checked.deals["joint-lending"], checked.system.ids
    left = {ids[i]: float(x) for i, x in zip(deals["bank"], deals.left, strict=True)}
    assert left["local-1"] == 0.0
    assert left["local-2"] == pytest.approx(np.exp(-365 / 300))
    assert left["local-3"] == 1.0
    system = run(checked).worlds[0].system
    plain = checked.system
    assert np.array_equal(system.holdings[ids.index("local-1")], plain.holdings[ids.index("local-1")])


def test_a_plan_with_a_rule_file_of_its_own(starter: Path):
    header = "id,topic,instrument,issuer,issued,in_force_from,in_force_until,article,parameter,value,unit,operator,applies_to,binds,quantity,limit,status,source,note\n"
    row = "A-01,lending,Act of region A,A,2020-01-01,2020-02-01,,3,joint loans with one partner,20,pct,max,local banks,local-bank,joint-loans-with-one-partner-over-tier1,0.20,final,made up,\n"
    (starter / "rules.csv").write_text(header + row, encoding="utf-8")
    edit(starter / "plan.yaml", "jurisdictions: [european-union]", "files: [rules.csv]")
    edit(starter / "plan.yaml", "roles: { bank: [large-bank, local-bank] }", "roles: { local-bank: [local-bank] }")
    edit(starter / "plan.yaml", "legal_basis: EU-07", "legal_basis: A-01")
    found = rules_check(starter / "plan.yaml")
    assert {c.rule.id for c in found.breaches("today")} == {"A-01"}
    answer = run(starter / "plan.yaml")
    assert "Act of region A" in report_html(answer)
    finding = next(f for f in answer.verdict.findings if f.gate == "rules")
    assert finding.kind == answer.verdict.worst == "breach"
    assert "A-01 by " in finding.why
    assert "rules.csv" in {f.name for f in answer.provenance.inputs}


def test_the_command_prints_a_line_a_measure(starter: Path, capfd):
    from typer.testing import CliRunner

    from poundlock.cli import app

    found = CliRunner().invoke(app, ["run", str(starter / "plan.yaml")])
    assert found.exit_code == 0
    assert "Who bears its worst years" in found.output
    assert "joint-lending" in found.output
