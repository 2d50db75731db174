"""Named scenarios in a plan: what is stated goes in, and comes out as a direct propagation of it does, by both valuations."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from conftest import EXAMPLES, edit
from poundlock import Assessment, ProblemsFound, check, run, spread
from poundlock.contagion import propagate
from poundlock.figures import report_html, result_json
from poundlock.figures.named_charts import SHOWN, named_figure
from poundlock.system import equity

STATED = """\
scenario,institution,loss,loss_share
one platform,platform-1,1200,
a bad year,kind:large-bank,,0.05
a bad year,local-4,50,
a bad year,platform-1,900,
everybody,all,,0.02
"""


def with_named(folder: Path, text: str = STATED) -> Path:
    (folder / "named.csv").write_text(text, encoding="utf-8")
    edit(folder / "plan.yaml", "count: 10000", "count: 5000\n  named: named.csv")
    edit(folder / "plan.yaml", "  panel.csv: made up", "  panel.csv: made up\n  named.csv: stated for this test")
    return folder / "plan.yaml"


@pytest.fixture(scope="module")
def found(starter_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    return run(with_named(Path(shutil.copytree(starter_source, tmp_path_factory.mktemp("named") / "plan"))))


def losses_by_hand(a: Assessment) -> np.ndarray:
    """(3, 7), from the rows above; shares are of external assets as the table has them."""
    ids = a.worlds[0].system.ids
    with (EXAMPLES.parent / "src/poundlock/starter/institutions.csv").open(encoding="utf-8") as stream:
        assets = {row["id"]: float(row["external_assets"]) for row in csv.DictReader(stream)}
    rows = (
        {"platform-1": 1200.0},
        {"bank-1": 0.05 * assets["bank-1"], "bank-2": 0.05 * assets["bank-2"], "local-4": 50.0, "platform-1": 900.0},
        {name: 0.02 * amount for name, amount in assets.items()},
    )
    return np.array([[row.get(name, 0.0) for name in ids] for row in rows])


@pytest.mark.parametrize("number", [0, 1])
def test_each_scenario_is_a_direct_propagation_through_todays_system(found: Assessment, number: int):
    study, world = found.named[number], (found.worlds[0], found.other_valuation)[number]
    assert study.valuation == ("clearing", "linear-debtrank")[number]
    direct = propagate(world.system, losses_by_hand(found), valuation=study.valuation, recovery=0.55)
    kinds = np.array(world.system.kinds)
    members = [np.ones(7, dtype=bool), kinds == "local-bank", (kinds == "local-bank") | (kinds == "large-bank")]
    assert study.labels == ("one platform", "a bad year", "everybody")
    for g, who in enumerate(members):
        np.testing.assert_allclose(study.lost[:, g], direct.equity_lost[:, who].sum(axis=1), rtol=1e-12)
        np.testing.assert_allclose(study.by_shock[:, g], direct.equity_lost_to_shock[:, who].sum(axis=1), rtol=1e-12)
        np.testing.assert_array_equal(study.failures[:, g], direct.default[:, who].sum(axis=1))
        assert study.equity[g] == pytest.approx(equity(world.system)[who].sum())
    assert study.converged.all()
    assert study.failures[0, 0] >= study.failures_by_shock[0, 0] == 1, "the platform's 1,200 is more than its 1,000"


def test_what_spreads_adds_and_the_harsher_valuation_adds_more(found: Assessment):
    clearing, debtrank = found.named
    assert np.all(clearing.lost >= clearing.by_shock - 1e-9)
    assert np.all(debtrank.lost >= clearing.lost - 1e-9)
    assert debtrank.lost[0, 0] > clearing.by_shock[0, 0]
    np.testing.assert_allclose(clearing.by_shock, debtrank.by_shock)


def test_the_reader_is_that_of_the_verb_contagion(found: Assessment, starter: Path):
    """The same table through `poundlock contagion --scenarios`, on the system without the measure."""
    (starter / "named.csv").write_text(STATED, encoding="utf-8")
    answer = spread(starter / "plan.yaml", scenarios=starter / "named.csv")
    np.testing.assert_allclose(answer.scenarios.losses, losses_by_hand(found))
    assert answer.scenarios.labels == found.named[0].labels


def test_result_json_tells_each_scenario_by_scope_and_valuation(found: Assessment):
    said = json.loads(result_json(found))
    assert [(n["scenario"], n["valuation"]) for n in said["named"]] == [
        (label, n.valuation) for n in found.named for label in n.labels
    ]
    first = said["named"][0]
    assert [scope["tolerances"] for scope in first["by_scope"]] == [[], ["local-tail"], ["any-fails"]]
    everybody = first["by_scope"][0]
    assert everybody["lost"] == found.named[0].lost[0, 0]
    assert everybody["share"] == pytest.approx(everybody["lost"] / everybody["equity"])
    assert first["converged"] is True
    assert any(words.startswith("losses as stated") for words in said["provenance"]["methods"].values())
    assert said["provenance"]["convergence"]["named scenarios (clearing)"].startswith("converged")


def test_the_table_is_an_input_with_its_digest_and_source(found: Assessment):
    entry = next(f for f in json.loads(result_json(found))["provenance"]["inputs"] if f["file"] == "named.csv")
    assert entry["source"] == "stated for this test"
    assert len(entry["sha256"]) == 64


def test_no_gate_is_touched_by_it(found: Assessment, starter: Path):
    edit(starter / "plan.yaml", "count: 10000", "count: 5000")
    without = run(starter / "plan.yaml")
    assert without.named == ()
    assert [(f.gate, f.kind, f.evidence.value) for f in without.verdict.findings] == [
        (f.gate, f.kind, f.evidence.value) for f in found.verdict.findings
    ]
    assert json.loads(result_json(without))["named"] == []
    assert named_figure(without) is None


def test_the_report_shows_them_and_says_that_they_have_no_probability(found: Assessment):
    figure = named_figure(found)
    assert len(figure.rows) == 3 * 3 * 2
    assert {len(row) for row in figure.rows} == {len(figure.header)}
    assert "no probability" in figure.summary
    assert "no gate judges it" in figure.summary
    html = report_html(found)
    spread_section = html[html.index('id="spread"') : html.index('id="hold"')]
    assert 'id="named"' in spread_section
    assert spread_section.count("one platform") >= 6


def test_of_many_the_largest_are_shown_and_words_stay_words(starter: Path):
    rows = [f"<b>number {k}</b>,platform-1,{10 * k}" for k in range(1, SHOWN + 4)]
    a = run(with_named(starter, "scenario,institution,loss\n" + "\n".join(rows) + "\n"))
    figure = named_figure(a)
    assert len(figure.rows) == SHOWN * 3 * 2
    assert f"The {SHOWN} that take most are shown" in figure.summary
    assert "<b>number 1</b>" not in {row[0] for row in figure.rows}
    assert "<b>" not in report_html(a)
    assert len(json.loads(result_json(a))["named"]) == 2 * (SHOWN + 3)


def test_runs_and_outages_reach_the_system(tmp_path: Path):
    """A plan on the system of `examples/contagion`, with its funding and dependences, and that example's own table of scenarios."""
    folder = Path(EXAMPLES / "contagion")
    text = (folder / "system.yaml").read_text(encoding="utf-8")
    for path in folder.glob("*.csv"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    section = text[text.index("system:") : text.index("contagion:")]
    kinds = sorted({row.split(",")[2] for row in (folder / "institutions.csv").read_text().splitlines()[1:]})
    (tmp_path / "plan.yaml").write_text(
        "format: 1\ntitle: named\nquestion: How far?\n"
        + section
        + "left_out: { measures: nothing is tried here, pilot: nothing is estimated }\n"
        + "contagion: { funding: { withdrawn: 0.5, run: 0.3, stress_below: 0.5 } }\n"
        + "scenarios: { count: 5000, seed: 1, volatility: {"
        + ", ".join(f"{kind}: 0.01" for kind in kinds)
        + "}, institutions: { common: 0.3 }, valuation: clearing, named: scenarios.csv }\n"
        + "tolerances: [{ statistic: expected-shortfall, id: tail, label: tail, level: 0.99, at_most: 0.9 }]\n"
        + "gates: [{ kind: tolerance, id: tail, tolerance: tail, asks: Is it held? }]\n",
        encoding="utf-8",
    )
    checked = check(tmp_path / "plan.yaml")
    a = run(checked)
    direct = propagate(
        checked.read.system,
        checked.named.losses,
        outages=checked.named.outages,
        runs=checked.named.runs,
        valuation="clearing",
        **checked.plan.contagion.mechanism(),
    )
    np.testing.assert_allclose(a.named[0].lost[:, 0], direct.equity_lost.sum(axis=1), rtol=1e-12)
    assert a.named[0].labels == checked.named.labels
    edit(tmp_path / "plan.yaml", "contagion: { funding: { withdrawn: 0.5, run: 0.3, stress_below: 0.5 } }\n", "")
    with pytest.raises(ProblemsFound, match="runs in a plan without contagion"):
        check(tmp_path / "plan.yaml")


def test_europe_carries_the_stress_test_of_2021(europe: Assessment):
    """Sums by hand from the two tables: CET1 of all fifty falls by 24.4 %, 33 of 51 banks are matched, nobody fails at once."""
    folder = EXAMPLES / "europe-2015"

    def table(name: str) -> list[dict[str, str]]:
        with (folder / name).open(encoding="utf-8") as stream:
            return list(csv.DictReader(stream))

    stress, banks = table("eba_stress_test_2021.csv"), table("eba_banks_2015.csv")
    capital = {(r["lei"], r["scenario"] + r["year_end"]): float(r["cet1_capital_mn_eur"]) for r in stress}
    known = {lei for lei, _ in capital}
    assert len({b["lei"] for b in banks} & known) == 31
    assert sum("FR" + b["lei"][:18] in known for b in banks) == 2
    own = {b["lei"]: float(b["cet1_capital_mn_eur"]) for b in banks}
    share = {lei: max(0.0, 1.0 - capital[lei, "adverse2023"] / capital[lei, "actual2020"]) for lei in known}
    of = {lei: share.get(lei, share.get("FR" + lei[:18])) for lei in own}
    matched = sum(own[lei] * s for lei, s in of.items() if s is not None)
    mean = 1.0 - sum(v for (_, k), v in capital.items() if k == "adverse2023") / sum(
        v for (_, k), v in capital.items() if k == "actual2020"
    )
    assert mean == pytest.approx(0.2443, abs=5e-5)
    filled = matched + mean * sum(own[lei] for lei, s in of.items() if s is None)
    for study in europe.named:
        np.testing.assert_allclose(study.by_shock[:, 1], [matched, filled], rtol=1e-6)
        assert study.scopes[1].kinds == ("bank",)
        assert study.failures_by_shock.sum() == 0
        assert study.converged.all()
    assert "33 of 51 banks" in europe.named[0].labels[0]
    assert "33 of 51 banks" in europe.plan.system.note
