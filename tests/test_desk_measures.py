"""What measures of one plan do to each other, and what a plan says where there is nothing, or nothing left."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from conftest import EXAMPLES, edit
from poundlock import check, run
from poundlock.desk import rules_check
from poundlock.desk.moment import moment_of
from poundlock.desk.worlds import under_limits
from poundlock.figures import report_html, result_json
from poundlock.figures.report import cautions
from poundlock.measures import value
from poundlock.risk.brake import braked
from poundlock.risk.controls import Suspension
from poundlock.rollout.plan import Stage

MORE = """  - kind: custom
    id: second
    consents: consents.csv
    holdings: more.csv
    pools: risky.csv
"""
RISKY = "id,region,sector,default_probability,loss_given_default,correlation\n{},A,digital,0.30,0.90,0.2\n"


def with_more(folder: Path, measure: str, name: str = "risky", pool: str = "risky") -> None:
    """The starter's plan with one more measure, and the custom one behind it."""
    edit(folder / "plan.yaml", "# How bad years are drawn", f"{measure}{MORE}\n# How bad years are drawn")
    (folder / "more.csv").write_text(f"institution,pool,amount\nlocal-1,{pool},100\n", encoding="utf-8")
    (folder / "risky.csv").write_text(RISKY.format(name), encoding="utf-8")


FIRST = MORE.replace("second", "first").replace("more.csv", "less.csv").replace("risky.csv", "sound.csv")


def test_holdings_find_their_own_pool_whatever_other_measures_open(starter: Path):
    with_more(starter, FIRST)
    (starter / "less.csv").write_text("institution,pool,amount\nlocal-2,sound,50\n", encoding="utf-8")
    (starter / "sound.csv").write_text(RISKY.format("sound").replace("0.30", "0.01"), encoding="utf-8")
    checked = check(starter / "plan.yaml")
    system = under_limits(checked, checked.system, {m.id: m.today for m in checked.plan.measures}).system
    number = {one.id: k for k, one in enumerate(system.asset_classes)}
    assert system.holdings[system.ids.index("local-1"), number["risky"]] == 100.0
    assert system.holdings[system.ids.index("local-2"), number["sound"]] == 50.0
    second = checked.plan.measures[-1]
    lines = {line.what: line.amount for line in value(second, second.today, checked.deals["second"], checked.system)}
    assert lines["expected loss on holdings"] == pytest.approx(-27.0)


def test_two_measures_cannot_bring_one_pool(starter: Path, problems):
    with_more(starter, FIRST)
    (starter / "less.csv").write_text("institution,pool,amount\nlocal-2,risky,50\n", encoding="utf-8")
    (starter / "sound.csv").write_text(RISKY.format("risky").replace("0.30", "0.01"), encoding="utf-8")
    (told,) = problems(starter)
    assert "pool 'risky', which another measure brings" in told.found
    assert told.line is not None


def brake_of(plan: str, control: str, delay: float):
    checked = check(EXAMPLES / "measures" / plan / "plan.yaml")
    terms = {m.id: m.today for m in checked.plan.measures}
    today = under_limits(checked, checked.system, terms).system
    suspension = next(c for c in checked.plan.controls if isinstance(c, Suspension) and c.id == control)
    system, _ = braked(checked.system, checked.plan.measures, checked.deals, terms, suspension, 0.0, delay)
    return today, system


@pytest.mark.parametrize("plan", ["custom", "payment-service", "pledged-loans", "equipment-insurance"])
def test_a_brake_after_a_year_leaves_everything_as_it_is(plan: str):
    """What `granted` counts as nought, buffers and dependences, too."""
    today, late = brake_of(plan, "suspension", 365.0)
    for name in ("external_assets", "external_liabilities", "safe_assets", "holdings"):
        np.testing.assert_allclose(getattr(late, name), getattr(today, name), rtol=1e-9, atol=1e-9)
    assert (late.dependences is None) == (today.dependences is None)
    if today.dependences is not None:
        np.testing.assert_allclose(late.dependences.daily_margin.toarray(), today.dependences.daily_margin.toarray())


def test_a_brake_at_once_lets_buffers_and_dependences_run_off():
    today, early = brake_of("custom", "suspension", 0.0)
    assert early.dependences is not None
    assert 0.0 < early.dependences.daily_margin.sum() < today.dependences.daily_margin.sum()


def stage(starts: str, ends: str, status: str, region: str) -> Stage:
    days = {"starts": dt.date.fromisoformat(starts), "ends": dt.date.fromisoformat(ends)}
    return Stage(id=region.lower(), regions=(region,), status=status, **days)


def test_stages_that_are_over_or_only_planned_have_not_begun():
    first = stage("2020-01-01", "2022-06-30", "running", "A")
    second = stage("2022-10-01", "2025-01-01", "planned", "B")
    assert moment_of([first, second], dt.date(2022, 5, 1)).regions == {"A"}
    assert moment_of([first, second], dt.date(2022, 12, 31)).regions == frozenset()
    assert moment_of([second], dt.date(2022, 5, 1)).regions == {"B"}, "the day is that of its start"
    assert moment_of([first, second], dt.date(2022, 5, 1), dt.date(2019, 1, 1)).regions == frozenset()


def test_a_stage_that_runs_on_after_its_end_is_told(starter: Path, problems):
    edit(starter / "plan.yaml", "ends: 2027-12-31, shortest", "ends: 2023-12-31, shortest")
    (told,) = problems(starter)
    assert "though its last day is 2023-12-31" in told.found


def test_nothing_tried_is_nothing_learnt(starter: Path):
    """A header alone says that nobody has joined."""
    (starter / "consents.csv").write_text("institution,joined,withdrawn\n", encoding="utf-8")
    answer = run(starter / "plan.yaml")
    kinds = {f.gate: f.kind for f in answer.verdict.findings}
    assert {kinds[name] for name in ("local-banks", "failures", "controllable")} == {"inconclusive"}
    assert any("Nothing of joint-lending is on the books on 2024-12-31" in said for said in cautions(answer))
    assert answer.programme.studies[0].consented == 0.0
    assert answer.worlds[0].granted == 0.0


@pytest.mark.parametrize("plan", sorted(one.name for one in (EXAMPLES / "measures").iterdir() if one.is_dir()))
def test_business_of_nought_is_no_business(plan: str):
    """Whatever else stands in its rows: shares, names, numbers of policies."""
    from dataclasses import replace

    (deals,) = check(EXAMPLES / "measures" / plan / "plan.yaml").deals.values()
    money = ("subsidiary_amount", "daily_flow", "daily_margin", "flow")
    nothing = {name: 0.0 * of if name in money else of for name, of in deals.more.items()}
    assert not deals.idle
    assert replace(deals, wished=0.0 * deals.wished, more=nothing).idle
    assert deals.scaled(0.0).idle


def test_a_control_that_is_not_turned_on_stands_at_all_of_it(starter: Path, problems):
    more = """  - kind: suspension
    id: half
    measure: joint-lending
    tightest: 0.0
    loosest: 0.5
    yearly_cost: 0.03
    legal_basis: EU-07

# Did it work?"""
    edit(starter / "plan.yaml", "\n# Did it work?", more)
    (told,) = problems(starter)
    assert "loosest 0.5 of control 'half', which today stands at 1" in told.found


def test_no_own_funds_are_no_way_around_a_rule(starter: Path):
    edit(starter / "institutions.csv", ",188,188,1500", ",188,0,1500")
    found = [c for c in rules_check(starter / "plan.yaml").found if c.fact.who == "local-4"]
    assert {c.rule.id for c in found} >= {"EU-03", "EU-05"}
    assert all(c.standing == "breached" for c in found if c.rule.id in ("EU-03", "EU-05"))


def test_the_rules_check_of_another_day_is_of_that_day(starter: Path):
    edit(starter / "consents.csv", "local-1,2020-01-01", "local-1,2024-06-01")
    early, late = (rules_check(starter / "plan.yaml", dt.date(2024, month, 1)) for month in (5, 7))
    figures = [{(c.rule.id, c.fact.who): c.fact.value for c in one.found} for one in (early, late)]
    assert figures[0]["EU-05", "local-1"] > figures[1]["EU-05", "local-1"], "its balance sheet grew when it joined"
    assert figures[0]["EU-05", "local-2"] == figures[1]["EU-05", "local-2"]


def test_an_own_rule_takes_no_shipped_name(starter: Path, problems):
    header = "id,topic,instrument,issuer,issued,in_force_from,in_force_until,article,parameter,value,unit,operator,applies_to,binds,quantity,limit,status,source,note\n"
    row = "EU-07,l,Act,A,2020-01-01,2020-02-01,,3,lending,990,pct,max,banks,bank,exposure-to-one-client-over-tier1,9.9,final,made up,\n"
    (starter / "own.csv").write_text(header + row, encoding="utf-8")
    edit(starter / "plan.yaml", "jurisdictions: [european-union]", "files: [own.csv]")
    (told,) = problems(starter)
    assert "rule 'EU-07' in 'own.csv', an id that there is already" in told.found


def test_each_insurer_bears_its_own_claims(tmp_path: Path):
    """Many small policies of an insurer that has not joined do not even out those of another."""
    import shutil

    from poundlock.risk.scenarios import draw_blocks, drivers

    folder = Path(shutil.copytree(EXAMPLES / "measures" / "equipment-insurance", tmp_path / "plan"))
    table = folder / "policies.csv"
    header = "insurer,region,sector,amount,policies,reinsurer"
    fewer = f"{header}\ninsurer-1,330000,machine tools,800,8,reinsurer\n"
    more = f"{fewer}insurer-4,330000,machine tools,800,800,reinsurer\n"
    assert "insurer-4" not in (folder / "consents.csv").read_text(encoding="utf-8")
    spread = []
    for text in (fewer, more):
        table.write_text(text, encoding="utf-8")
        checked = check(folder / "plan.yaml")
        system = under_limits(checked, checked.system, {m.id: m.today for m in checked.plan.measures}).system
        lost = np.concatenate(
            [b.pool_loss for b in draw_blocks(drivers(system, checked.plan.scenarios), checked.plan.scenarios)]
        )
        spread.append(float((lost @ system.commitments[system.ids.index("insurer-1")]).std()))
    assert spread[1] == pytest.approx(spread[0], rel=0.1)


TERM = """  - kind: term
    id: by-term
    measure: joint-lending
    term: {term}
    tightest: {tightest}
    loosest: {loosest}
    yearly_cost: 0.03
    legal_basis: EU-07

# Did it work?"""


@pytest.mark.parametrize(
    ("term", "tightest", "loosest", "words"),
    [
        ("home_region_only", 0.0, 1.0, "home_region_only in a control on 'joint-lending'"),
        ("reserve_cover", 0.0, 1.0, "reserve_cover in a control on 'joint-lending'"),
        ("fee", 0.0, 3.0, "loosest 3 of control 'by-term', which fee cannot be"),
        ("fee", 0.5, 0.5, "tightest and loosest are both 0.5"),
        ("fee", 0.2, 0.1, "fee 0, which is 0%, outside the range of control 'by-term'"),
    ],
)
def test_terms_that_cannot_be_turned_so(term, tightest, loosest, words, starter: Path, problems):
    edit(starter / "plan.yaml", "\n# Did it work?", "\n" + TERM.format(term=term, tightest=tightest, loosest=loosest))
    (told,) = problems(starter)
    assert words in told.found


@pytest.mark.parametrize("term", ["cover_share", "deductible", "limit"])
def test_terms_that_change_what_is_drawn_cannot_be_searched(term: str, tmp_path: Path, problems):
    """A search holds all settings against the same draws; claims under other policy terms are other draws."""
    import shutil

    folder = Path(shutil.copytree(EXAMPLES / "measures" / "equipment-insurance", tmp_path / "plan"))
    more = TERM.format(term=term, tightest=0.0, loosest=1.0).replace("joint-lending", "equipment-insurance")
    edit(folder / "plan.yaml", "\ngates:", more.replace("EU-07", "SX-01").replace("\n# Did it work?", "\ngates:"))
    (told,) = problems(folder)
    assert f"{term} in a control on 'equipment-insurance'" in told.found
    assert "does not change what is drawn: premium_rate" in told.expected


@pytest.mark.parametrize(
    "plan", ["pledged-loans", "loan-with-investment", "payment-service", "group-linkage", "joint-lending"]
)
def test_a_search_sees_what_a_simulation_of_its_setting_sees(plan: str):
    """For every term that may be turned: the estimate on common draws equals that of a simulation at the same setting."""
    from poundlock.desk.consistency import _numbers_of
    from poundlock.desk.searches import limits_around, system_under
    from poundlock.desk.worlds import ground_of
    from poundlock.risk import Trials, simulate, statistic
    from poundlock.risk.controls import TermControl

    checked = check(EXAMPLES / "measures" / plan / "plan.yaml")
    ground, (measure,) = ground_of(checked), checked.plan.measures
    model = checked.plan.scenarios.model_copy(update={"count": 5000})
    tolerances = [t for t in checked.plan.tolerances if not t.added_by_measures]
    for term in _numbers_of(measure.today):
        control = TermControl(
            kind="term",
            id="t",
            measure=measure.id,
            term=term,
            tightest=0.2,
            loosest=0.8,
            legal_basis="x",
            yearly_cost=0.0,
        )
        build = system_under(ground, (control,), limits_around(checked, (control,)))
        trials = Trials(lambda setting, network, of=build: of(setting, network).system, 1, model, tolerances)
        trials.narrow((0.2,), (0.8,))
        found = trials.at((0.5,), 0)
        whole = simulate(build((0.5,), 0).system, model, tolerances)
        if found.monotone:
            for tolerance, estimate in zip(tolerances, found.estimates, strict=True):
                assert estimate.value == pytest.approx(statistic(tolerance, whole).value, rel=1e-9), (
                    term,
                    tolerance.id,
                )


@pytest.mark.parametrize(
    ("plan", "term", "taken", "words"),
    [
        ("pledged-loans", "reinsured", ("loans.csv", "reinsurer"), "but no reinsurer"),
        ("group-linkage", "support", ("institutions.csv", "tier1_capital"), "without tier1_capital"),
    ],
)
def test_what_a_turned_term_needs_must_be_there(plan, term, taken, words, tmp_path: Path, problems):
    """Even where today's terms do not need it."""
    import csv
    import shutil

    folder = Path(shutil.copytree(EXAMPLES / "measures" / plan, tmp_path / "plan"))
    name, column = taken
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    with (folder / name).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(
            stream, [key for key in rows[0] if key != column], extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(rows)
    text = (folder / "plan.yaml").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.strip().startswith((f"{term}:", "group_cap:"))]
    control = f"  - {{ kind: term, id: by-term, measure: {plan}, term: {term}, tightest: 0.0, loosest: 0.5, yearly_cost: 0.0, legal_basis: SX-01 }}"
    lines.insert(lines.index("gates:") - 1, control)
    (folder / "plan.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert any(words in p.found for p in problems(folder)), [p.found for p in problems(folder)]


def test_any_term_can_be_turned_and_more_may_be_tighter():
    """A cap on one insurer, or reinsurance from some share on, holds what today's terms do not."""
    answer = run(EXAMPLES / "measures" / "pledged-loans" / "plan.yaml")
    found = {s.control.id: s for s in answer.searches}
    cap, share = found["cap"], found["share"]
    assert (cap.today, share.today) == ((8.0,), (0.3,))
    assert cap.result.verdict == share.result.verdict == "controllable"
    assert cap.result.setting[0] < 8.0 < 12.0
    assert share.result.setting[0] > share.result.next_looser[0] > 0.3
    by_gate = {f.gate: f for f in answer.verdict.findings}
    assert "every tolerance holds up to" in by_gate["by-cap"].why
    assert "every tolerance holds from" in by_gate["by-share"].why
    low, high = by_gate["by-share"].evidence.low, by_gate["by-share"].evidence.high
    assert low < high == share.result.setting[0]


def test_a_gate_on_capital_alone(starter: Path):
    """More capital is tighter: what was found lies above what fails, and the words say so."""
    more = """  - kind: capital-add-on
    id: capital
    scope: { kinds: [local-bank] }
    tightest: 0.05
    loosest: 0.0
    resolution: 0.001
    yearly_cost: 0.08
    legal_basis: EU-01

# Did it work?"""
    edit(starter / "plan.yaml", "\n# Did it work?", "\n" + more)
    edit(
        starter / "plan.yaml",
        "  - { kind: rules,",
        "  - { kind: controllable, id: capital, control: capital, asks: How much more capital? }\n  - { kind: rules,",
    )
    edit(starter / "plan.yaml", "  metrics:\n", "  metrics:\n    - { gate: capital, kind: signal }\n")
    edit(starter / "plan.yaml", "at_most: 0.25", "at_most: 0.20")
    finding = next(f for f in run(starter / "plan.yaml").verdict.findings if f.gate == "capital")
    assert finding.kind == "fail"
    assert "not at today's setting: every tolerance holds from" in finding.why
    assert finding.evidence.low < finding.evidence.high == finding.evidence.value


def test_a_cap_that_is_left_out_is_no_cap(starter: Path):
    """Not the loosest that may be set: a gate passes on what there is, or not at all."""
    edit(starter / "plan.yaml", "      partner_cap: 0.25 # of the bank's tier 1 capital, with one platform\n", "")
    edit(starter / "plan.yaml", "    loosest: 1.0\n", "    loosest: 0.3\n")
    answer = run(starter / "plan.yaml")
    (search,) = answer.searches
    assert search.today == (np.inf,)
    assert search.result.verdict == "controllable", "it holds over the whole range, but not where things stand"
    assert search.result.setting[0] == pytest.approx(0.3)
    assert search.result.today.granted == pytest.approx(answer.worlds[0].granted)
    finding = next(f for f in answer.verdict.findings if f.gate == "controllable")
    assert finding.kind != "pass"
    assert "today, without a cap" in finding.limit
    told = json.loads(result_json(answer))["controls"][0]
    assert told["today"] == {"partner-cap": None}
    assert "no cap" in report_html(answer)
