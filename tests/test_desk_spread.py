"""The verb `spread`: files in, an answer out; shocks in words and in tables."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import EXAMPLES, edit
from poundlock import ProblemsFound, spread
from poundlock.contagion import importance, prepare
from poundlock.desk.shocks import one_scenario
from poundlock.figures.spread_files import spread_json, write_spread
from poundlock.problems import Problem
from poundlock.system import equity, system_from_arrays


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES / "contagion", tmp_path / "contagion"))


def test_without_a_shock_everybody_is_failed_once(folder: Path):
    answer = spread(folder / "system.yaml")
    assert answer.outcome is None
    assert answer.ranking is not None
    assert answer.ranking.converged
    assert answer.ranking.valuation == "default-costs", "as the file says"


def test_the_ranking_of_a_plan_is_that_of_its_report(europe):
    answer = spread(EXAMPLES / "europe-2015" / "plan.yaml")
    np.testing.assert_allclose(answer.ranking.importance, europe.importance.importance)
    assert answer.ranking.valuation == "linear-debtrank"


def test_a_shock_in_words(folder: Path):
    answer = spread(
        folder / "system.yaml", shocks=["platform-a=25%", "bank-3=40"], outages=["clearer-1=5"], runs=["platform-a=60%"]
    )
    outcome = answer.outcome
    ids = outcome.model.system.ids
    assert outcome.direct_loss[0, ids.index("platform-a")] == 130.0
    assert outcome.direct_loss[0, ids.index("bank-3")] == 40.0
    assert outcome.outage_loss[0, ids.index("platform-a")] == 8.0
    np.testing.assert_allclose(
        sum(outcome.loss_by_channel.values()), outcome.initial_equity - outcome.equity, atol=1e-9
    )


def test_a_table_of_scenarios_agrees_with_words(folder: Path):
    table = spread(folder / "system.yaml", scenarios=folder / "scenarios.csv")
    assert len(table.scenarios.labels) == len(table.outcome.equity) == 5
    words = spread(folder / "system.yaml", shocks=["platform-a=130"], runs=["platform-a=60%"])
    second = table.scenarios.labels.index("platform A loses a quarter and customers run")
    np.testing.assert_array_equal(table.outcome.equity[second], words.outcome.equity[0])


def test_arguments_override_the_file(folder: Path):
    answer = spread(folder / "system.yaml", shocks=["bank-1=600"], valuation="clearing", sales=None, funding=None)
    assert answer.outcome.valuation == "clearing"
    assert answer.outcome.trade is None


def test_groups_of_institutions():
    s = system_from_arrays(
        np.zeros((3, 3)),
        [10.0, 20.0, 30.0],
        [5.0] * 3,
        names=("a", "b", "c"),
        kinds=("x", "x", "y"),
        regions=("R", "S", "S"),
    )
    problems: list[Problem] = []
    losses = {
        word: one_scenario(s, [word], [], [], problems).losses[0].tolist()
        for word in ("a", "kind:x", "region:S=10%", "all=1.5", "b=1e1")
    }
    assert problems == []
    assert losses == {
        "a": [5.0, 0.0, 0.0],
        "kind:x": [5.0, 15.0, 0.0],
        "region:S=10%": [0.0, 2.0, 3.0],
        "all=1.5": [1.5, 1.5, 1.5],
        "b=1e1": [0.0, 10.0, 0.0],
    }


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"shocks": ["bank-9"]}, "'bank-9' in --shock, which names no institution"),
        ({"shocks": ["bank-1=much"]}, "'much' in --shock"),
        ({"shocks": ["kind:ghost"]}, "'kind:ghost' in --shock"),
        ({"outages": ["clearer-1"]}, "an outage without a number of days"),
        ({"outages": ["clearer-1=5%"]}, "an outage without a number of days"),
        ({"runs": ["platform-a=0.5"]}, "a run without a share"),
        ({"runs": ["platform-a=150%"]}, "a run without a share up to 100 %"),
        ({"scenarios": "missing.csv"}, "no file 'missing.csv'"),
        ({"shocks": ["bank-1"], "valuation": "merton-like"}, "unknown valuation 'merton-like'"),
    ],
)
def test_what_cannot_be_asked_is_told(asked: dict, words: str):
    with pytest.raises(ProblemsFound) as caught:
        spread(EXAMPLES / "contagion" / "system.yaml", **asked)
    assert any(words in problem.found for problem in caught.value.problems), caught.value.problems


def test_a_table_and_words_together_are_refused(folder: Path):
    with pytest.raises(ProblemsFound, match="together with --shock"):
        spread(folder / "system.yaml", shocks=["bank-1"], scenarios=folder / "scenarios.csv")


def test_files_and_json_say_the_same(folder: Path, tmp_path: Path):
    answer = spread(folder / "system.yaml", scenarios=folder / "scenarios.csv")
    written = write_spread(answer, tmp_path / "out")
    assert [path.name for path in written] == ["result.json", "institutions.csv", "scenarios.csv", "contagion.svg"]
    plain = spread_json(answer)
    assert len(plain["institutions"]) == 50
    assert [row["failures"] for row in plain["scenarios"]] == answer.outcome.default.sum(axis=1).tolist()
    assert {entry["file"] for entry in plain["provenance"]["inputs"]} >= {
        "system.yaml",
        "guarantees.csv",
        "scenarios.csv",
    }
    assert plain["settings"]["sales"]["rule"] == "threshold"
    assert (tmp_path / "out" / "contagion.svg").read_text(encoding="utf-8").startswith("<svg")


def test_a_ranking_is_written_too(folder: Path, tmp_path: Path):
    written = write_spread(spread(folder / "system.yaml"), tmp_path / "out")
    assert [path.name for path in written] == ["result.json", "institutions.csv", "contagion.svg"]


def test_the_file_is_the_system_that_code_would_make(folder: Path):
    """Every table arrives where it belongs: ranks, stakes, recoveries, maturities, guarantees, dependences, markets."""
    system = spread(folder / "system.yaml").ranking.model.system
    layers = {layer.name: layer for layer in system.layers}
    assert (layers["subordinated"].rank, layers["stakes"].kind, layers["platform funding"].valuation) == (
        2,
        "stake",
        "default-only",
    )
    number = {name: i for i, name in enumerate(system.ids)}
    funding = layers["platform funding"]
    assert funding.recovery[number["bank-1"], number["platform-a"]] == 0.4
    assert layers["short-term"].maturity_days[number["bank-5"], number["bank-2"]] == 1.0
    assert [(g.covers, g.share, g.limit) for g in system.guarantees] == [
        ("claims", 0.8, 30.0),
        ("own-loss", 0.5, 40.0),
        ("shortfall", 1.0, 25.0),
    ]
    assert system.dependences.daily_flow[number["platform-a"], number["clearer-1"]] == 9.0
    assert [pool.depth for pool in system.asset_classes] == [26000.0, 4200.0, 2600.0]
    assert all(pool.impact == "exponential" for pool in system.asset_classes)
    assert np.isnan(system.leverage_limit[number["platform-a"]])
    assert equity(system)[number["leasing-1"]] == 30.0
    assert importance(prepare(system)).converged


def test_a_plan_is_read_for_its_system_alone(starter: Path):
    edit(starter / "plan.yaml", "seed: 1", "seed: -1")
    answer = spread(starter / "plan.yaml", shocks=["bank-1=5%"])
    assert answer.outcome.direct_loss.max() > 0
