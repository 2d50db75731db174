"""One tiny mistake in what a plan says of its pilot; each is told with its place and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import Mistake, all_told, told_once

PLAN, TREATED = "plan.yaml", "  treated: [A]\n"
BASELINE = "  baselines:\n    - { id: income, label: Income, column: income_k, at: 2019 }\n"
NEXT = "  next: { consented: [B], strength: income, outcome: output, effects_differ_by: 0.1 }\n"


def with_more(more: str) -> str:
    return TREATED + more


# fmt: off
ONE_MISTAKE: dict[str, Mistake] = {
    "unknown treated region": (PLAN, TREATED, "  treated: [Q]\n", PLAN, "treated: [Q]", "treated region 'Q' in none", "correct the code"),
    "a second treated region that there is not": (PLAN, TREATED, "  treated: [A, Q]\n", PLAN, "treated: [A", "treated region 'Q' in none", "correct the code"),
    "unknown neighbour": (PLAN, TREATED, with_more("  neighbours: [Q]\n"), PLAN, "neighbours", "region of neighbours 'Q' in none", "correct the code"),
    "treated region as a neighbour": (PLAN, TREATED, with_more("  neighbours: [A]\n"), PLAN, "neighbours", "treated region 'A' among neighbours", "take it out of neighbours"),
    "a start of a region that is not treated": (PLAN, TREATED, with_more("  starts: { B: 2021 }\n"), PLAN, "starts", "a start of region 'B', which is not treated", "add it to 'treated'"),
    "a start outside the window": (PLAN, TREATED, with_more("  starts: { A: 2030 }\n"), PLAN, "starts", "start 2030 outside the", "move the start"),
    "every region treated": (PLAN, TREATED, "  treated: [A, B, C, D, E, F, G, H, I, J, K, L, M, N]\n", PLAN, "pilot:", "every region of the panel is treated", "add regions"),
    "one donor only": (PLAN, TREATED, with_more("  not_donors: [B, C, D, E, F, G]\n  neighbours: [H, I, J, K, L, M]\n"), PLAN, "not_donors", "one donor only (N)", "not_donors and neighbours"),
    "anticipation that leaves nothing": (PLAN, TREATED, with_more("  anticipation: 9\n"), PLAN, "anticipation", "anticipation of 9 periods, which leaves outcome 'output' none", "lower it"),
    "weights without residents": (PLAN, "  population: residents_k\n", "  weights: population\n", PLAN, "weights: population", "weights by population, and no column of residents", "name the column"),
    "a number for a code": (PLAN, TREATED, with_more("  neighbours: [2020]\n"), PLAN, "neighbours", "pilot.neighbours.0 = 2020", "correct the value"),
    "a region in two groups": (PLAN, TREATED, with_more("  groups: { coast: [A, B], inland: [B] }\n"), PLAN, "groups", "region 'B' in group 'inland', and in 'coast'", "take it out of one"),
    "an index without its parameter": (PLAN, TREATED, with_more("  indices: [{ index: gini }, { index: atkinson }]\n"), PLAN, "indices", "index 'atkinson' without a parameter", "add 'parameter:'"),
    "a gate on an index that is not measured": (PLAN, TREATED, with_more("  indices: [{ index: theil }]\n"), PLAN, "index: gini", "index 'gini', which the pilot does not measure", "add it to pilot.indices"),
    "a baseline after the start": (PLAN, TREATED, with_more(BASELINE.replace("2019", "2021")), PLAN, "at: 2021", "baseline 'income' at 2021, when the pilot had started", "move it"),
    "a baseline of no column": (PLAN, TREATED, with_more(BASELINE.replace("income_k", "no_such")), PLAN, "no_such", "column 'no_such' in none of the panel's tables", "correct the column's name"),
    "a next stage without baselines": (PLAN, TREATED, with_more(NEXT), PLAN, "next:", "'next' without baselines", "add them"),
    "a next stage where the pilot runs": (PLAN, TREATED, with_more(BASELINE + NEXT.replace("[B]", "[A]")), PLAN, "next:", "region 'A', where the pilot runs already", "take it out"),
    "strength by no baseline": (PLAN, TREATED, with_more(BASELINE + NEXT.replace("strength: income", "strength: no-such")), PLAN, "next:", "'no-such', which is not among the baselines", "correct the id"),
    "risk without its tolerance": (PLAN, TREATED, with_more(BASELINE + NEXT.replace(" }", ", risk_by: residents_k }")), PLAN, "next:", "one of 'risk_by' and 'tolerance' without the other", "add the other"),
    "a treated region twice": (PLAN, TREATED, "  treated: [A, A]\n", PLAN, "treated: [A, A]", "treated region 'A' a second time", "take one out"),
    "a share above one": (PLAN, TREATED, with_more("  indices: [{ index: gini }, { index: top-share, parameter: 5 }]\n"), PLAN, "indices", "index 'top-share' with parameter 5", "correct it"),
    "room of a tolerance that counts more than the measures": (PLAN, TREATED, with_more(BASELINE + NEXT.replace(" }", ", risk_by: residents_k, tolerance: local-tail }")), PLAN, "next:", "tolerance 'local-tail', which does not count what the measures add", "name another"),
    "elsewhere for no outcome": (PLAN, TREATED, with_more(BASELINE + "  elsewhere: { differs_by: { no-such: 0.1 }, why: a judgement of this test }\n"), PLAN, "elsewhere", "'no-such', which is not among the outcomes", "correct the id"),
    "an alarm on no outcome": (PLAN, "  - { kind: rules,", "  - { kind: alarm, id: alarm, outcome: no-such, asks: Any harm? }\n  - { kind: rules,", PLAN, "no-such", "'no-such', which is not among the outcomes", "correct the id"),
    "tiles that are not there": (PLAN, TREATED, with_more("  tiles: tiles.csv\n"), PLAN, "tiles", "tiles.csv", "correct"),
}
# fmt: on
KNOWN_COMPANY = {
    "an alarm on no outcome",
    "strength by no baseline",
    "every region treated",
    "a next stage without baselines",
    "weights without residents",
}


@pytest.mark.parametrize("name", ONE_MISTAKE)
def test_one_mistake_is_told_once_with_its_place_and_cure(name: str, starter: Path, problems):
    told_once(ONE_MISTAKE[name], starter, problems, name in KNOWN_COMPANY)


def test_a_region_without_a_tile_and_two_on_one_row(starter: Path, problems):
    rows = "\n".join(f"{code},{code},{k},0" for k, code in enumerate("ABCDEFGHIJKLM"))
    (starter / "tiles.csv").write_text(f"region,name,column,row\n{rows}\n", encoding="utf-8")
    text = (starter / PLAN).read_text(encoding="utf-8")
    (starter / PLAN).write_text(text.replace(TREATED, with_more("  tiles: tiles.csv\n")), encoding="utf-8")
    (said,) = problems(starter)
    assert said.found == "no tile for N"
    (starter / "tiles.csv").write_text(f"region,name,column,row\n{rows}\nA,A,3,3\n", encoding="utf-8")
    assert any("region A a second time" in p.found and p.line == 15 for p in problems(starter))


def test_several_mistakes_come_in_one_go(starter: Path, problems):
    wrong = ["unknown treated region", "a gate on an index that is not measured"]
    mistakes = [ONE_MISTAKE[wrong[1]], (PLAN, "treated: [A]", "treated: [Q]", *ONE_MISTAKE[wrong[0]][3:])]
    all_told(mistakes, starter, problems)
