"""The commands about returns: receipts, lateness, contradictions."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clerks import Office
from conftest import edit
from poundlock.cli import app
from poundlock.register import filing
from poundlock.rollout.signing import new_key


def test_returns_are_filed_with_a_receipt(office: Office, tmp_path: Path) -> None:
    office.running()
    office.day = dt.date(2020, 5, 10)
    header = (
        office.run("returns", "template", "exposures").stdout
        if False
        else CliRunner().invoke(app, ["returns", "template", "exposures"]).stdout
    )
    file = tmp_path / "exposures.csv"
    file.write_text(header + "lent,bank-2,interbank,10,90,0.5\n")
    receipt = office.told("returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q1", who="eva")
    assert receipt["rows"] == 1
    assert receipt["days_late"] == 10
    again = office.run("returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q2", who="eva", code=2)
    assert f"the same file as for 2020-Q1, receipt {receipt['receipt']} (caution same-file)" in again.stderr
    office.day = dt.date(2020, 7, 10)
    file.write_text(header + "lent,bank-2,interbank,ten,90,1.5\nlent,bank-2,interbank,ten,90,1.5\n")
    wrong = office.run("returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q2", who="eva", code=2)
    assert "'ten'" in wrong.stderr
    assert "1.5" in wrong.stderr
    file.write_text(header + "lent,bank-2,interbank,100,90,0.5\n")
    unusual = office.run(
        "returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q2", who="eva", code=2
    )
    assert "large-change" in unusual.stderr
    done = office.told(
        "returns",
        "submit",
        str(file),
        "--kind",
        "exposures",
        "--period",
        "2020-Q2",
        "--reason",
        "large-change=a bank joined",
        who="eva",
    )
    assert [c["code"] for c in done["cautions"]] == ["large-change"]
    owed = {(o["kind"], o["period"]): o for o in office.told("returns", "status")["owed"]}
    assert owed["exposures", "2020-Q1"]["state"] == "filed"
    assert owed["exposures", "2020-Q1"]["late"] == 10


def test_two_banks_that_contradict_each_other_are_found(office: Office, tmp_path: Path) -> None:
    office.running()
    (tmp_path / "fay.key").write_text(new_key())
    office.run(
        "register",
        "enrol",
        "fay",
        "--public",
        office.key("fay"),
        "--agency",
        "bank",
        "--role",
        "institution",
        "--institution",
        "bank-2",
        who="ada",
    )
    office.run("register", "consent", "--stage", "region-a", who="fay")
    office.day = dt.date(2020, 7, 5)
    header = CliRunner().invoke(app, ["returns", "template", "exposures"]).stdout
    for who, row in (("eva", "lent,bank-2,interbank,10,90,0.5"), ("fay", "borrowed,bank-1,interbank,8,90,0.5")):
        file = tmp_path / f"{who}.csv"
        file.write_text(header + row + "\n")
        office.run("returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q2", who=who)
    found = office.told("returns", "status", "--reconcile", "2020-Q2")["mismatches"]
    assert found == ["bank-1 says 10 of interbank lent, and bank-2 8: a difference of 2"]


def test_a_return_belongs_to_the_institution_of_that_day(office: Office, tmp_path: Path) -> None:
    office.running()
    office.day = dt.date(2020, 7, 5)
    header = CliRunner().invoke(app, ["returns", "template", "exposures"]).stdout
    file = tmp_path / "exposures.csv"
    submit = ("returns", "submit", str(file), "--kind", "exposures", "--period")
    receipts = []
    for amount, quarter in ((10, "2020-Q1"), (11, "2020-Q2")):
        file.write_text(f"{header}lent,bank-2,interbank,{amount},90,0.5\n")
        receipts.append(office.told(*submit, quarter, who="eva")["receipt"])
    file.write_text(f"{header}lent,bank-2,interbank,12,90,0.5\n")
    other = office.run(*submit, "2020-Q2", "--replaces", str(receipts[0]), who="eva", code=1)
    assert f"receipt {receipts[0]} is no exposures of bank-1 for 2020-Q2" in other.stderr
    moved = ("--public", office.key("eva"), "--agency", "bank", "--role", "institution", "--institution", "bank-2")
    office.run("register", "enrol", "eva", *moved, who="ada")
    owed = office.told("returns", "status")["owed"]
    states = {(o["kind"], o["institution"], o["period"]): o["state"] for o in owed}
    assert states["exposures", "bank-1", "2020-Q1"] == states["exposures", "bank-1", "2020-Q2"] == "filed"
    assert states["balance-sheet", "bank-1", "2020-Q1"] == "overdue"
    assert "found no return for 'soon'" in office.run("returns", "status", "--reconcile", "soon", code=2).stderr


def test_an_open_grave_incident_in_a_return_asks_for_a_report(office: Office, tmp_path: Path) -> None:
    edit(
        office.plan,
        "    - { kind: exposures, every: quarter",
        "    - { kind: incidents, every: quarter, due_days: 30 }\n    - { kind: exposures, every: quarter",
    )
    office.running()
    office.day = dt.date(2020, 4, 5)
    header = CliRunner().invoke(app, ["returns", "template", "incidents"]).stdout
    file = tmp_path / "incidents.csv"
    file.write_text(
        header + "a1,cyber,critical,2020-02-01,,100,keys were stolen\na2,data,minor,2020-02-01,,1,a typing error\n"
    )
    submit = ("returns", "submit", str(file), "--kind", "incidents", "--period", "2020-Q1")
    assert (
        "1 open incident that would hold a stage (caution grave-incident)"
        in office.run(*submit, who="eva", code=2).stderr
    )
    done = office.told(*submit, "--reason", "grave-incident=reported as entry 40", who="eva")
    assert [c["code"] for c in done["cautions"]] == ["grave-incident"]


def test_a_file_that_changes_while_it_is_read_is_not_entered(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.running()
    office.day = dt.date(2020, 4, 5)
    file = tmp_path / "exposures.csv"
    file.write_text(
        CliRunner().invoke(app, ["returns", "template", "exposures"]).stdout + "lent,bank-2,interbank,10,90,0.5\n"
    )
    read = filing.read_return

    def changed(path: Path, *about: Any, **more: Any) -> Any:
        found = read(path, *about, **more)
        path.write_text("another content")
        return found

    monkeypatch.setattr(filing, "read_return", changed)
    submit = ("returns", "submit", str(file), "--kind", "exposures", "--period", "2020-Q1")
    assert "the file changed while it was read" in office.run(*submit, who="eva", code=1).stderr
