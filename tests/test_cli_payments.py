"""The commands `payments`, from a synthetic delivery to the settlement layer."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import ledgers
from conftest import ROOT
from poundlock.cli import app
from poundlock.payments.readings import INDICATORS


def run(*words: object, code: int = 0) -> Result:
    found = CliRunner().invoke(app, ["payments", *(str(word) for word in words)])
    assert found.exit_code == code, found.output
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market with a store of five days, two duplicates of each kind a day."""
    folder = tmp_path_factory.mktemp("cli")
    market = ledgers.market_in(folder, 5)
    run("generate", market, "--out", folder / "files", "--rows", 400, "--faults", 2)
    (folder / "files" / "planted-key.json").unlink()
    told = run("ingest", market, folder / "files", "--store", folder / "store")
    assert "5 days new: 2021-10-01 to 2021-10-05" in told.stdout
    return folder


def test_the_same_again_changes_nothing_and_another_file_corrects(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "own")
    market, store, files = (tmp_path / "own" / name for name in ("market.yaml", "store", "files"))
    again = json.loads(run("ingest", market, files, "--store", store, "--json").stdout)
    assert {day["outcome"] for day in again["days"]} == {"same"}
    run(
        "generate",
        market,
        "--out",
        tmp_path / "new",
        "--rows",
        400,
        "--seed",
        2,
        "--first",
        "2021-10-03",
        "--last",
        "2021-10-03",
    )
    told = run("ingest", market, tmp_path / "new" / "2021-10-03.parquet", "--store", store)
    assert "1 day replaced by a corrected file: 2021-10-03" in told.stdout


def test_a_bad_file_is_refused_and_the_good_ones_are_taken(made: Path, tmp_path: Path) -> None:
    good, bad = tmp_path / "2021-10-02.parquet", tmp_path / "2021-10-01.csv"
    shutil.copy(made / "files" / "2021-10-02.parquet", good)
    bad.write_text("time,amount\n2021-10-01T08:00:00Z,5\n")
    refused = run("ingest", made / "market.yaml", good, bad, "--store", tmp_path / "store", code=2)
    assert "1 day new: 2021-10-02" in refused.output
    assert "payer_region" in refused.output
    assert "days that the market expects are missing" in refused.output


def test_check_names_each_kind(made: Path) -> None:
    words = run("check", made / "market.yaml", "--store", made / "store").stdout
    assert "No figure passes a gate: 10 duplicates among the records. Cure: corrected files of 5 days." in words
    assert "without the records of each kind" in words
    told = run("check", made / "market.yaml", "--store", made / "store").stdout
    for kind in ("duplicate", "conflict", "late", "impossible", "zero", "negative"):
        assert kind in told
    found = json.loads(run("check", made / "market.yaml", "--store", made / "store", "--json").stdout)
    counts = {fault["kind"]: fault["count"] for fault in found["faults"]}
    assert counts["duplicate"] == 10
    assert counts["zero"] == 10
    assert "unbalanced" in counts


def test_indicators_have_the_names_that_gates_use(made: Path) -> None:
    told = run("indicators", made / "market.yaml", "--store", made / "store").stdout
    assert all(name in told for name in INDICATORS)
    found = json.loads(
        run("indicators", made / "market.yaml", "--store", made / "store", "--period", "day", "--json").stdout
    )
    assert json.dumps(found)
    assert (made / "store" / "partials" / "activity").is_dir()


def test_the_sql_is_shown(made: Path) -> None:
    told = run("indicators", made / "market.yaml", "--store", made / "store", "--show-sql").stdout
    assert "-- activity" in told
    assert "SUM(" in told
    assert "a kernel stands in for it" in told


def test_flows_become_exposures(made: Path, tmp_path: Path) -> None:
    run("flows", made / "market.yaml", "--store", made / "store", "--out", tmp_path / "flows", "--unit", 1)
    with (tmp_path / "flows" / "settlement.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert rows
    assert {row["layer"] for row in rows} == {"settlement"}
    assert all(float(row["amount"]) > 0 and row["creditor"] != row["debtor"] for row in rows)
    with (tmp_path / "flows" / "institutions.csv").open() as stream:
        paid = sum(round(100 * float(row["value"])) for row in csv.DictReader(stream))
    with (tmp_path / "flows" / "regions.csv").open() as stream:
        assert paid == sum(round(100 * float(row["value"])) for row in csv.DictReader(stream)) > 0
    assert {p.stem for p in (tmp_path / "flows").iterdir()} == {
        "settlement",
        "institutions",
        "regions",
        "service",
        "failures",
        "outages",
    }
    with (tmp_path / "flows" / "failures.csv").open() as stream:
        failures = list(csv.DictReader(stream))
    assert {row["scenario"] for row in failures} <= {f"{name} does not settle" for name in ledgers.INSTITUTIONS}
    assert all(float(row["loss"]) > 0 for row in failures)
    with (tmp_path / "flows" / "outages.csv").open() as stream:
        assert [row["institution"] for row in csv.DictReader(stream)] == list(ledgers.INSTITUTIONS)


def test_totals_alone_are_enough_for_shares(made: Path, tmp_path: Path) -> None:
    market = ledgers.market_in(tmp_path, 1, more="returns: returns.csv\n")
    (tmp_path / "returns.csv").write_text(
        "day,institution,region,platform,side,payments,value\n2021-10-01,bank-1,310000,other,sent,2,100\n2021-10-01,bank-2,310000,other,received,2,90\n"
    )
    told = run("indicators", market).stdout
    assert "100.00 %" in told
    assert "only totals" in told
    assert "what institutions returned as sent is not what they returned as received" in run("check", market).stdout
    bare = run("check", ledgers.market_in(tmp_path / "bare", 1), code=2)
    assert "without records and without totals" in bare.output
    one_of_two = ledgers.market_in(tmp_path, 2, more="returns: returns.csv\n")
    assert "1 expected day without figures" in run("check", one_of_two).stdout
    assert (
        "no day of totals" in run("check", one_of_two, "--first", "2021-10-02", "--last", "2021-10-02", code=2).output
    )


def test_what_is_not_there_is_a_problem_with_its_cure(made: Path, tmp_path: Path) -> None:
    nowhere = run("check", made / "market.yaml", "--store", tmp_path / "nowhere", code=2)
    assert "no store of payment records" in nowhere.output
    empty = run(
        "check",
        made / "market.yaml",
        "--store",
        made / "store",
        "--first",
        "2030-01-01",
        "--last",
        "2030-02-01",
        code=2,
    )
    assert "no day of records" in empty.output
    turned = run(
        "check",
        made / "market.yaml",
        "--store",
        made / "store",
        "--first",
        "2021-10-03",
        "--last",
        "2021-10-02",
        code=2,
    )
    assert "not before" in turned.output


def test_a_day_that_cannot_be_read_is_missing_and_the_others_count(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "own")
    market, store = tmp_path / "own" / "market.yaml", tmp_path / "own" / "store"
    (store / "days" / "2021-10-03.json").write_text("{")
    told = run("check", market, "--store", store)
    assert "2021-10-03" in told.output
    assert "1 expected day without figures" in told.stdout


def test_ledgers_that_cannot_be_made_are_refused(made: Path, tmp_path: Path) -> None:
    few = run("generate", made / "market.yaml", "--out", tmp_path, "--rows", 1, "--faults", 50, code=2)
    assert "Cure" in few.output
    turned = run(
        "generate", made / "market.yaml", "--out", tmp_path, "--first", "2021-10-02", "--last", "2021-10-01", code=2
    )
    assert "lies before the first" in turned.output


def test_the_dictionary_is_the_ledger() -> None:
    rows = json.loads(run("dictionary", "--json").stdout)
    assert [row["name"] for row in rows][:2] == ["time", "payer_region"]
    assert [row["name"] for row in rows if row["key"] == "yes"] == ["record_id"]


def test_the_schema_of_market_files_is_kept() -> None:
    told = CliRunner().invoke(app, ["schema", "market"]).stdout
    assert told == (ROOT / "schema" / "market.schema.json").read_text(encoding="utf-8"), "run `make schema`"
