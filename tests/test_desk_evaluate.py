"""The verb `evaluate`: one site, several sites, weekly looks, many regions, for whom, elsewhere, next; and what it must say."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from poundlock import check, evaluate
from poundlock.desk import effects
from poundlock.figures import evaluation_html, result_json
from poundlock.figures.pilot_report import asked
from poundlock.figures.pilot_words import answer_sentence, engines_sentence, looks_sentence, unseen_sentence
from poundlock.figures.proposal_words import audit_sentence, proposal_sentences
from poundlock.pilots import synthetic_control
from poundlock.pilots.by_diff_diff import Other
from poundlock.pilots.sequential import watch
from poundlock.pilots.synthetic_control import left_out_gaps

OUTCOME = (
    "    - { id: output, label: Output, column: output, since: 1, until: %d, transform: none, largest_pre_error: %g }\n"
)


def plan_with(folder: Path, y: np.ndarray, pilot: str, gates: str = "", people: np.ndarray | None = None) -> Path:
    """The starter plan with another panel (a row of y for each region, periods from 1 on) and pilot section."""
    people = np.ones(y.shape) if people is None else people
    rows = [f"r{k:03},{t + 1},{people[k, t]:.6f},{y[k, t]:.12f}" for k in range(y.shape[0]) for t in range(y.shape[1])]
    (folder / "panel.csv").write_text("\n".join(["region,period,people,output", *rows]) + "\n", encoding="utf-8")
    text = (folder / "plan.yaml").read_text(encoding="utf-8")
    start, end = text.index("pilot:\n"), text.index("# Where, from when")
    table = "pilot:\n  tables:\n    - { file: panel.csv, unit: region, period: period }\n"
    gate = gates or "  - { kind: effect, id: effect, outcome: output, above: 0.0, asks: Did it rise? }\n"
    text = text[:start] + table + pilot + "\n" + text[end:]
    start, end = text.index("  - { kind: rules"), text.index("# Where the figures of each")
    rules = text[start : text.index("\n", start) + 1]
    (folder / "plan.yaml").write_text(text[:start] + rules + gate + "\n" + text[end:], encoding="utf-8")
    return folder / "plan.yaml"


def world(seed: int, units: int, periods: int, noise: float = 0.1):
    draw = np.random.default_rng(seed)
    return draw.normal(size=(units, 1)) + 0.05 * np.arange(periods) + draw.normal(0, noise, (units, periods))


def several(treated: int, start: int, until: int, more: str = "") -> str:
    codes = ", ".join(f"r{k:03}" for k in range(treated))
    return f"  treated: [{codes}]\n  start: {start}\n{more}  outcomes:\n" + OUTCOME % (until, 0.5)


@pytest.fixture(scope="module")
def provinces():
    from conftest import EXAMPLES

    return evaluate(EXAMPLES / "zhejiang" / "plan.yaml")


@pytest.mark.parametrize(("periods", "method"), [(12, "imputation"), (7, "group-time difference in differences")])
def test_several_sites_are_judged_by_what_suits_the_panel(starter: Path, periods: int, method: str):
    """Staggered starts with an effect of one half: found, by imputation in long panels, and both engines agree."""
    y = world(1, 40, periods)
    starts = np.array([5] * 6 + [6] * 6)
    y[:12] += np.where(np.arange(1, periods + 1) >= starts[:, None], 0.5, 0.0)
    later = "  starts: { " + ", ".join(f"r{k:03}: 6" for k in range(6, 12)) + " }\n"
    found = evaluate(plan_with(starter, y, several(12, 5, periods, later)))
    study = found.pilot.outcome("output")
    assert study.method == method
    assert study.evidence.low < 0.5 < study.evidence.high
    assert found.verdict.worst == "pass"
    assert all(one.agree for one in study.agreement)
    assert len(study.agreement) == (2 if periods >= 10 else 1)
    assert [step.at for step in study.path][:2] == [-5, -4]
    assert {one.what for one in study.beside} == {"imputation", "group-time difference in differences"} - {method}
    assert len(study.doubted.magnitudes) == 3
    assert study.two_way is not None
    assert "two-way fixed effects, a diagnostic only" in unseen_sentence(study)
    assert "different periods" in looks_sentence(found.plan.pilot, study)
    html = evaluation_html(found)
    assert "12 treated regions against 28 others" in html


def test_few_sites_and_an_effect_before_the_start_are_doubts(starter: Path):
    y = world(2, 30, 12)
    y[:3, 4:] += 0.6
    more = "  level: 0.9\n"
    path = plan_with(starter, y, several(3, 8, 12, more).replace("0.5 }", "0.5, in_time_placebo: 5 }"))
    finding = evaluate(path).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "3 treated regions are too few" in finding.why
    assert "a pretended start in 5 already shows" in finding.why


def test_residents_count_where_the_plan_says_so(starter: Path):
    y, people = world(3, 40, 8), np.random.default_rng(3).uniform(1, 50, (40, 1)) * np.ones((1, 8))
    y[:12, 5:] += np.linspace(0.0, 1.0, 12)[:, None]
    alike = evaluate(plan_with(starter, y, several(12, 6, 8), people=people)).pilot.outcome("output")
    more = "  population: people\n  weights: population\n"
    by_people = evaluate(plan_with(starter, y, several(12, 6, 8, more), people=people)).pilot.outcome("output")
    truth = np.average(np.linspace(0.0, 1.0, 12), weights=people[:12, 0])
    assert by_people.evidence.value == pytest.approx(truth, abs=0.1)
    assert by_people.evidence.value != pytest.approx(alike.evidence.value, abs=1e-3)
    assert all(one.agree for one in by_people.agreement)
    people[5, 4] = -1.0
    found = evaluate(plan_with(starter, y, several(12, 6, 8, more), people=people)).verdict.findings[0]
    assert found.kind == "no data"
    assert "residents of r005 in 5 are missing or not positive" in found.why


def test_engines_that_part_are_an_error_and_never_a_pass(starter: Path, monkeypatch):
    y = world(4, 40, 12)
    y[:12, 6:] += 5.0
    path = plan_with(starter, y, several(12, 7, 12))
    assert evaluate(path).verdict.worst == "pass"
    monkeypatch.setattr("poundlock.pilots.by_diff_diff.impute", lambda *_, **__: Other(5.1, 0.1))
    finding = evaluate(path).verdict.findings[0]
    assert finding.kind == "error"
    assert "two engines give two answers: imputation" in finding.why


WATCHED = "  treated: [r000]\n  start: 105\n  outcomes:\n    - { id: output, label: Output, column: output, since: 1, until: 130, transform: none, largest_pre_error: 9, harm: down }\n"
ALARM = "  - { kind: alarm, id: alarm, outcome: output, asks: Was no harm seen? }\n"


@pytest.mark.parametrize(("harm", "kind"), [(0.0, "pass"), (-1.5, "fail"), (1.5, "pass")])
def test_an_alarm_sounds_at_harm_alone(starter: Path, harm: float, kind: str):
    y = world(5, 12, 130, noise=0.5)
    y[0, 104:] += harm
    found = evaluate(plan_with(starter, y, WATCHED, ALARM))
    finding, study = found.verdict.findings[0], found.pilot.outcome("output")
    assert finding.kind == kind
    assert [look.period for look in study.watch.looks] == list(range(104, 130)), "every look is logged"
    log = json.loads(result_json(found))["pilot"]["outcomes"][0]["looks"]["log"]
    assert [row["period"] for row in log] == list(range(105, 131))
    if kind == "fail":
        assert "the alarm sounded" in finding.why
        assert "the alarm sounded first in" in looks_sentence(found.plan.pilot, study)


def test_an_alarm_near_its_limit_is_at_best_inconclusive(starter: Path):
    y = world(6, 12, 24, noise=0.5)
    pilot = WATCHED.replace("105", "16").replace("130", "24")
    finding = evaluate(plan_with(starter, y, pilot, ALARM)).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "15 periods: fewer than 20 periods before the start" in finding.why
    few = WATCHED.replace("105", "6").replace("130", "24")
    finding = evaluate(plan_with(starter, y, few, ALARM)).verdict.findings[0]
    assert finding.kind == "no data"


def test_a_hundred_regions_are_compared_look_by_look(starter: Path):
    y = world(7, 120, 40, noise=0.3)
    y[0, 30:] += 3.0
    pilot = WATCHED.replace("105", "31").replace("130", "40").replace("harm: down", "harm: both, looks: 10")
    found = evaluate(plan_with(starter, y, pilot, ALARM))
    study = found.pilot.outcome("output")
    assert study.placebos is not None
    assert study.placebos.first is not None
    assert "Among 120 regions" in looks_sentence(found.plan.pilot, study)


def test_neighbours_and_anticipated_periods_are_left_out(starter: Path):
    """A neighbour that shares the effect is no clean comparison; a reaction a year early is not part of the fit."""
    draw = np.random.default_rng(8)
    y = draw.normal(0, 1, (15, 1)) * np.linspace(0, 1, 14) + draw.normal(0, 0.05, (15, 14))
    y[0] = y[1] + draw.normal(0, 0.02, 14)
    y[:2, 9:] += 1.0
    y[0, 8] += 1.0
    pilot = WATCHED.replace("105", "10").replace("130", "14")
    near = evaluate(plan_with(starter, y, pilot)).pilot.outcome("output")
    more = pilot.replace("  outcomes", "  neighbours: [r001]\n  anticipation: 1\n  outcomes")
    clean = evaluate(plan_with(starter, y, more)).pilot.outcome("output")
    assert abs(near.evidence.value) < 0.6 < clean.evidence.value
    assert "r001" not in clean.units
    assert [one.what for one in clean.what_if] == [
        "neighbours compared with too",
        "reactions 2 periods before the start left out",
    ]
    assert 9 not in clean.periods


def test_a_level_that_so_few_regions_cannot_reach_is_told_with_the_smallest_p(starter: Path):
    pilot = WATCHED.replace("105", "10").replace("130", "14").replace("  outcomes", "  level: 0.95\n  outcomes")
    finding = evaluate(plan_with(starter, world(2, 12, 14), pilot)).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "11 regions to compare with allow a level of 91.7% at most, and 95% was asked" in finding.why
    assert "the test's p cannot be below 0.08" in finding.why
    assert "at least 19 regions to compare with" in finding.would_change


def test_a_plan_without_a_pilot_is_refused_in_words(europe_plan: Path):
    from poundlock import ProblemsFound

    with pytest.raises(ProblemsFound) as caught:
        evaluate(europe_plan)
    (problem,) = caught.value.problems
    assert problem.found == "a plan without a pilot"
    assert "poundlock run" in problem.cure


@pytest.fixture
def europe_plan() -> Path:
    from conftest import EXAMPLES

    return EXAMPLES / "europe-2015" / "plan.yaml"


def test_what_cannot_be_estimated_says_why(starter: Path):
    y = np.ones((12, 14))
    found = evaluate(plan_with(starter, y, WATCHED.replace("105", "10").replace("130", "14")))
    assert found.verdict.findings[0].kind == "no data"
    assert "the outcome is 1 everywhere and always" in found.verdict.findings[0].why
    assert "No estimate" in evaluation_html(found) or "Nothing can be said" in evaluation_html(found)


def test_zhejiang_says_what_it_can_and_cannot_show(provinces):
    said = {s.id: answer_sentence(s, *asked(provinces.plan, s.id)) for s in provinces.pilot.outcomes}
    assert said["technology-turnover"].startswith("4 periods after the start do not tell whether there was a rise")
    assert "2 periods after the start" in said["disposable-income"]
    words = evaluation_html(provinces)
    assert "This is no recommendation to go on: the verdict is inconclusive, and risk was not measured" in words
    assert "By themselves these would decide otherwise: neighbours compared with too (pass:" in words
    assert said["disposable-income"].startswith("Not decided: short window")
    assert "gives the same effects" in engines_sentence(provinces.pilot.outcomes)
    for study in provinces.pilot.outcomes:
        assert not {"Shanghai", "Jiangsu", "Anhui", "Jiangxi", "Fujian"} & set(study.units)
    assert "disposable income per resident above 93% of other regions" in audit_sentence(provinces.pilot.places)


def test_no_number_of_the_site_without_the_carried_one(provinces):
    carried = provinces.pilot.places.carried
    assert set(carried) == {s.id for s in provinces.pilot.outcomes}
    for study in provinces.pilot.outcomes:
        there = carried[study.id]
        assert len(there) == 30
        for one in there:
            if one.carried is None:
                assert "the site says nothing of it" in one.why
            else:
                assert one.carried.low <= study.evidence.low <= study.evidence.high <= one.carried.high
    assert "Tibet" in {one.name for one in carried["disposable-income"] if one.carried is None}


def test_effects_of_many_sites_are_reweighted_to_each_region(starter: Path):
    """Twelve sites whose effect is their characteristic: carried to a region, it is that region's own; anticipated years are no part of it."""
    draw = np.random.default_rng(3)
    y, people = world(11, 60, 14, noise=0.02), np.repeat(np.exp(draw.uniform(0, 1, (60, 1))), 14, axis=1)
    y[:12, 9:] += np.log(people[:12, :1])
    y[:12, 8] += 5.0
    more = (
        "  anticipation: 1\n  baselines:\n    - { id: size, label: Size, column: people, at: 5 }\n"
        "  elsewhere: { differs_by: { output: 0.1 }, why: not needed with so many sites }\n"
    )
    found = evaluate(plan_with(starter, y, several(12, 10, 14, more), people=people)).pilot.places
    assert "12 sites, reweighted" in found.carried_how
    said = [(int(one.region[1:]), one.carried) for one in found.carried["output"] if one.carried is not None]
    assert len(said) > 20
    for row, carried in said:
        assert carried.effect == pytest.approx(np.log(people[row, 0]), abs=0.1)
    outside = [one for one in found.carried["output"] if one.carried is None]
    assert all("expected a target within their range" in one.why or "rests on" in one.why for one in outside)


def test_who_gained_adds_up(provinces):
    whom = provinces.pilot.whom
    for year in whom.splits:
        assert year.within + year.between == pytest.approx(year.whole, abs=1e-12)
    theil = whom.index("theil")
    assert dict(zip(theil.years, theil.values, strict=True))[2022] == pytest.approx(whom.splits[-1].whole)
    gini = whom.index("gini").effect
    assert gini.year == 2022
    assert gini.low <= gini.actual - gini.without <= gini.high
    assert gini.actual > gini.without, "a richer rich province widens the distance between provinces"


def test_the_proposal_keeps_to_consent_and_names_a_weak_place(provinces):
    asked_for, p = provinces.plan.pilot.next, provinces.pilot.places.proposal
    names = {code: provinces.pilot.panel.name(code) for code in asked_for.consented}
    assert {one.name for one in p.chosen} <= set(names.values())
    assert any(one.weak for one in p.chosen)
    assert dict(p.passed)["Zhejiang"] == "it is tried already"
    assert "Risk is not counted: it was not measured." in proposal_sentences(p, asked_for)


def test_the_same_twice(provinces):
    from conftest import EXAMPLES

    again = evaluate(check(EXAMPLES / "zhejiang" / "plan.yaml"))
    assert result_json(again) == result_json(provinces)
    assert evaluation_html(again) == evaluation_html(provinces)


def test_an_evaluation_prints_and_explains_itself(provinces):
    assert provinces.plan.title in repr(provinces)
    assert "<table>" in provinces._repr_html_()
    assert provinces.explain().count("What would change it") == len(provinces.verdict.findings)


def test_gaps_for_looks_are_as_wide_before_the_start_as_after_it():
    """No effect, 60 regions, 20 periods before: in-sample gaps are far too narrow, and an alarm that trusts them sounds too often."""
    inside, left_out, after, alarms = [], [], [], 0
    for seed in range(120):
        y = np.random.default_rng(seed).normal(size=(60, 60))
        gap = left_out_gaps(y, 0, 20)
        inside.append(synthetic_control(y, 0, 20).pre_error)
        left_out.append(np.sqrt(np.mean(gap[:20] ** 2)))
        after.append(np.sqrt(np.mean(gap[20:] ** 2)))
        alarms += watch(gap, 20, side="down").first is not None
    assert np.median(inside) < 0.7 * np.median(after)
    assert np.median(left_out) == pytest.approx(np.median(after), rel=0.1)
    assert alarms / 120 <= 0.08


def test_one_period_before_the_start_shows_nothing_of_trends(starter: Path):
    y = world(1, 40, 12)
    y[:12] += 0.3 * np.arange(12)
    finding = evaluate(plan_with(starter, y, several(12, 2, 12))).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "fit before the start cannot be seen" in finding.why


def test_one_region_that_outweighs_all_others_is_not_twelve(starter: Path):
    y, people = world(9, 40, 12), np.ones((40, 12))
    y[:12, 6:] += 1.0
    people[0] = 100.0
    more = "  population: people\n  weights: population\n"
    finding = evaluate(plan_with(starter, y, several(12, 7, 12, more), people=people)).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "counted by residents as good as 1.2, are too few" in finding.why


def test_a_perfect_fit_is_a_doubt_and_no_error(starter: Path):
    finding = evaluate(plan_with(starter, world(1, 60, 9), several(1, 5, 9))).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "fit before the start is perfect" in finding.why


def test_an_alarm_never_passes_on_a_comparison_that_does_not_fit(starter: Path):
    y = world(3, 20, 64)
    y[0] += 50.0
    pilot = WATCHED.replace("105", "41").replace("130", "64").replace("largest_pre_error: 9", "largest_pre_error: 0.01")
    finding = evaluate(plan_with(starter, y, pilot, ALARM)).verdict.findings[0]
    assert finding.kind == "inconclusive"
    assert "fit before the start is poor" in finding.why


def test_donors_that_all_change_alike_and_anticipation_have_no_honest_bounds(starter: Path):
    y = world(3, 20, 12)
    y[1:] = 0.0
    found = evaluate(plan_with(starter, y, several(1, 7, 12)))
    assert "nothing says what chance may do" in found.pilot.outcome("output").doubted.missing
    more = evaluate(plan_with(starter, world(4, 40, 12), several(12, 7, 12, "  anticipation: 1\n")))
    assert "do not follow each other" in more.pilot.outcome("output").doubted.missing


def test_the_gate_s_alpha_is_the_one_that_is_told(starter: Path):
    y = world(5, 12, 130, noise=0.5)
    found = evaluate(plan_with(starter, y, WATCHED, ALARM.replace("outcome: output", "outcome: output, alpha: 0.2")))
    assert found.pilot.outcome("output").watch.alpha == 0.2
    assert "the alarm needs 5, which chance reaches in 20% of pilots" in looks_sentence(
        found.plan.pilot, found.pilot.outcome("output")
    )


def test_long_panels_and_enough_sites_are_said_in_one_place():
    assert (effects.LONG, effects.ENOUGH) == (10, 10)


def test_the_band_of_a_path_holds_all_of_it_as_often_as_it_says():
    """Twelve treated regions of forty, no effect: 300 panels, 90 %."""
    pilot, holds = SimpleNamespace(level=0.9, seed=1), 0
    first = np.array([6.0] * 12 + [np.inf] * 28)
    for seed in range(300):
        y = world(seed, 40, 10, noise=0.3)
        of = effects.Case(y, first, tuple(range(1, 11)), tuple(map(str, range(40))), None, 0, ())
        steps, _ = effects._path(effects.groups_of(of), of, pilot)
        holds += all(step.low <= 0.0 <= step.high for step in steps)
    assert holds / 300 >= 0.9 - 3 * np.sqrt(0.09 / 300)
