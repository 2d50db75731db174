"""The command `rules`, as a user meets it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner, Result

from poundlock import ProblemsFound, desk
from poundlock.cli import app
from poundlock.problems import Problem
from poundlock.rules import Fact, evaluate, of_jurisdiction, unevaluated

DAY = date(2022, 6, 30)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments])


def test_without_a_day_every_rule_is_listed_with_its_dates():
    done = command()
    assert done.exit_code == 0
    assert "china: 52 of 52 rules" in done.stdout
    assert "european-union: 8 of 8 rules" in done.stdout
    assert "from 2014-01-01 to 2021-06-27" in done.stdout
    assert "draft, never binds" in done.stdout


def test_on_a_day_only_what_stands_and_drafts():
    done = command("--on", "2021-12-31", "--jurisdiction", "china")
    assert "JL-02" in done.stdout
    assert "JL-01" not in done.stdout
    assert "PD-01" in done.stdout
    assert "EU-02" not in done.stdout
    everything = command("--on", "2021-12-31", "--jurisdiction", "china", "--all").stdout
    assert "JL-01" in everything
    assert "final, not on this day" in everything


def test_the_list_as_json():
    said = json.loads(command("--on", "2022-01-01", "--json").stdout)
    assert said["on"] == "2022-01-01"
    by_id = {r["id"]: r for r in said["rules"]}
    assert (by_id["JL-01"]["limit"], by_id["JL-01"]["binds_on_the_day"]) == (0.3, True)
    assert (by_id["PD-01"]["status"], by_id["PD-01"]["binds_on_the_day"]) == ("draft", False)
    assert "EU-06" not in by_id  # until June 2021
    assert "binds_on_the_day" not in json.loads(command("--json").stdout)["rules"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--on", "2022"), "Cure: write a day such as 2022-01-01"),
        (("--on", "30.6.2022"), "is no date"),
        (("--jurisdiction", "atlantis"), "name one of china, european-union, or a table FILE.csv"),
        (("plan.yaml", "--jurisdiction", "own.csv"), "name one of china, european-union."),
    ],
)
def test_a_wrong_call_is_refused_with_its_cure(arguments: tuple[str, ...], said: str):
    done = command(*arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stdout == ""


def test_a_table_of_ones_own_is_listed_or_told_what_is_wrong(tmp_path: Path):
    own = tmp_path / "own.csv"
    with (Path(desk.__file__).parent.parent / "rules" / "european-union.csv").open(encoding="utf-8") as shipped:
        text = shipped.read()
    own.write_text(text, encoding="utf-8")
    assert "8 of 8 rules" in command("--jurisdiction", str(own)).stdout
    own.write_text(text.replace("2021-06-28", "soon"), encoding="utf-8")
    done = command("--jurisdiction", str(own), "--json")
    assert done.exit_code == 2
    assert [p["line"] for p in json.loads(done.stdout)["problems"]] == [6, 8, 9]
    assert "in_force_from = 'soon'" in done.stderr


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put facts in the place of what the desk finds in a plan."""

    def put(facts: list[Fact], named: bool = True) -> None:
        group = of_jurisdiction("china")
        roles = {"commercial-bank": ("bank",), "local-bank": ("bank",), "non-bank-payment-institution": ("platform",)}

        def rules_check(plan: Path, on: date | None) -> SimpleNamespace:
            found = evaluate(facts, on or DAY, group, roles)
            silent = unevaluated(facts, on or DAY, group, roles)
            settings = {"today": found, "before": ()} if named else {}
            return SimpleNamespace(on=on or DAY, found=found, unevaluated=silent, settings=settings)

        monkeypatch.setattr(desk, "rules_check", rules_check, raising=False)

    return put


def test_a_plan_is_held_against_the_rules(answer: Callable[..., None]):
    answer(
        [
            Fact("partner-contribution-share", "kept-bank", "bank", 0.4, "p1"),
            Fact("joint-loans-outside-home-region", "far-bank", "bank", 1250.0),
            Fact("payment-share-of-one", "big-platform", "platform", 0.5),
            Fact("joint-loans-with-one-partner-over-tier1", "full-bank", "bank", 0.31, "p1"),
        ]
    )
    done = command("plan.yaml")
    assert done.exit_code == 0
    assert "Terms: today: 4 comparisons on 2022-06-30, 2 binding breaches" in done.stdout
    assert "Terms: before: 0 comparisons on 2022-06-30, 0 binding breaches" in done.stdout
    order = [done.stdout.rindex(who) for who in ("kept-bank", "full-bank", "far-bank", "big-platform")]
    assert order == sorted(order)
    line = [x for x in done.stdout.splitlines() if "full-bank" in x][-1]
    assert line.split()[-6:] == ["p1", "31%", "max", "25%", "breached", "6%"]
    assert "1,250" in done.stdout
    assert "breached (draft, never binds)" in done.stdout
    assert "Not evaluated" in done.stdout
    assert "a rule that no figure can show" in done.stdout
    assert command("plan.yaml", "--jurisdiction", "european-union").stdout.count("0 comparisons") == 2


def test_thirty_rows_then_a_count(answer: Callable[..., None]):
    answer([Fact("partner-contribution-share", f"bank-{k:03}", "bank", 0.1) for k in range(45)], named=False)
    done = command("plan.yaml", "--on", "2022-01-01")
    assert "45 comparisons on 2022-01-01, 45 binding breaches" in done.stdout
    assert done.stdout.count("bank-0") == 1 + 30, "the worst in the line of its rule, then one by one"
    assert "... and 15 more; --all prints them." in done.stdout
    assert command("plan.yaml", "--all").stdout.count("bank-0") == 1 + 45


def test_a_plan_as_json(answer: Callable[..., None]):
    answer([Fact("joint-loans-over-total-loans", "b1", "bank", math.inf, words="over nothing")])
    done = command("plan.yaml", "--json")
    said = json.loads(done.stdout, parse_constant=pytest.fail)
    assert said["on"] == "2022-06-30"
    (found,) = said["settings"]["today"]
    assert (found["rule"], found["value"], found["limit"], found["standing"]) == ("JL-03", None, 0.5, "breached")
    assert found["words"] == "over nothing"
    assert said["settings"]["before"] == []
    assert {"rule": "JL-05", "why": "a rule that no figure can show"} in said["unevaluated"]


def test_rules_of_a_plan_s_own_table_are_not_left_out(monkeypatch: pytest.MonkeyPatch):
    own = replace(of_jurisdiction("china")[2], id="OWN-01")
    facts = [Fact("partner-contribution-share", "b1", "bank", 0.1)]
    found = evaluate(facts, DAY, [own], {"commercial-bank": ("bank",)})

    def rules_check(plan: Path, on: date | None) -> SimpleNamespace:
        return SimpleNamespace(on=DAY, found=found, unevaluated=(), settings={"today": found})

    monkeypatch.setattr(desk, "rules_check", rules_check, raising=False)
    assert "OWN-01" in command("plan.yaml").stdout
    none = command("plan.yaml", "--jurisdiction", "china").stdout
    assert "OWN-01" not in none
    assert "None of the rules that were asked for stands on 2022-06-30" in none


def test_problems_of_a_plan_are_told(monkeypatch: pytest.MonkeyPatch):
    def rules_check(plan: Path, on: date | None) -> None:
        raise ProblemsFound([Problem("plan.yaml", 3, "this", "that", "mend it")])

    monkeypatch.setattr(desk, "rules_check", rules_check, raising=False)
    done = command("plan.yaml")
    assert done.exit_code == 2
    assert "plan.yaml:3" in done.stderr
