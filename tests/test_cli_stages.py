"""The commands about stages: what they do, what they only try, and what they refuse."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

from clerks import DECLARATION, Office
from conftest import edit
from poundlock.register.clerk import opened
from poundlock.rollout.signing import new_key


def test_a_stage_is_started_held_resumed_and_rolled_back(office: Office) -> None:
    office.running()
    assert office.state() == "active"
    office.judge(local_banks="inconclusive")
    assert office.state() == "held"
    refused = office.run("stage", "resume", "--why", "hope", "--sign", who="olu", code=1)
    assert "refused: against going on stands local-banks: inconclusive" in refused.stderr
    check = office.told("stage", "status")["runs"][-1]["check"]
    office.run(
        "stage",
        "resume",
        "--why",
        "checked again soon",
        "--decision",
        "go",
        "--waive",
        f"{check}:local-banks:2020-03-01",
        "--sign",
        who="olu",
    )
    for who in ("ana", "aki"):
        office.run("stage", "approve", "go", "--sign", who=who)
    assert office.state() == "active"
    office.day = dt.date(2020, 3, 2)
    assert office.state() == "held", "the waiver expired"
    office.judge(failures="breach")
    assert office.state() == "rolling back", "the plan authorised it"
    (office.folder / "nothing.txt").write_text("nothing is left")
    office.run("stage", "unwound", str(office.folder / "nothing.txt"), who="olu")
    assert office.state() == "rolled back"
    office.run("stage", "open", "region-a", who="olu")
    assert office.told("stage", "status")["runs"][-1]["id"] == "region-a/2"
    assert office.told("register", "check")["ok"]


def test_nothing_is_written_without_sign(office: Office) -> None:
    office.running()
    before = len(office.run("register", "log").stdout.splitlines())
    said = office.run("stage", "hold", "--why", "we look", who="olu")
    assert "Not written (dry run)" in said.stdout
    assert "run region-a/1: active -> held" in said.stdout
    assert office.told("stage", "propose", "roll-back", "--why", "we look", who="olu")["written"] is False
    assert len(office.run("register", "log").stdout.splitlines()) == before
    assert office.told("stage", "hold", "--why", "we look", "--sign", who="olu")["written"] is True
    assert office.state() == "held"


def test_refusals_say_what_to_do(office: Office) -> None:
    office.running()
    office.run("stage", "propose", "roll-back", "--why", "we doubt", "--decision", "back", "--sign", who="olu")
    cases = [
        (("stage", "approve", "back", "--sign"), "olu", "you proposed this change; another person must approve it"),
        (("stage", "approve", "back", "--sign"), "dee", "takes the role approver"),
        (("stage", "approve", "forth", "--sign"), "ana", "no decision 'forth' waits"),
        (("stage", "open", "region-b"), "olu", "stage 'region-a' was not passed"),
        (("stage", "cancel", "--why", "we look"), "olu", "'cancel' does not lead out of it"),
        (("programme", "submit"), "aud", "aud is auditor"),
        (("register", "leave", "aud"), "olu", "takes the role administrator"),
    ]
    for words, who, said in cases:
        assert said in office.run(*words, who=who, code=1).stderr, words
    refused = office.told("stage", "approve", "back", "--sign", who="olu", code=1)
    assert refused["ok"] is False
    assert refused["refused"].startswith("refused: ")
    (office.folder / "ana.key").write_text(new_key())
    assert "this key is not ana's" in office.run("stage", "approve", "back", "--sign", who="ana", code=1).stderr


def test_duty_officer_and_three_people(office: Office) -> None:
    office.running()
    office.run(
        "programme",
        "incident",
        "--institution",
        "bank-1",
        "--kind",
        "cyber",
        "--severity",
        "critical",
        "--what",
        "keys were stolen",
        who="eva",
    )
    assert office.state() == "held critical"
    assert (
        "open incident" in office.run("programme", "close-incident", "99", "--remedy", "none", who="olu", code=1).stderr
    )
    entry = office.told("stage", "status")["incidents"][0]["entry"]
    office.run("programme", "close-incident", str(entry), "--remedy", "new keys", who="olu")
    assert office.state() == "held critical", "it does not go on by itself"
    office.run("stage", "resume", "--why", "new keys", "--decision", "go", "--sign", who="olu")
    for who in ("ana", "aki"):
        office.run("stage", "approve", "go", "--sign", who=who)
    assert office.state() == "held critical", "nobody of the risk function has signed"
    office.run("stage", "approve", "go", "--sign", who="rio")
    assert office.state() == "active"
    office.run(
        "programme",
        "incident",
        "--institution",
        "bank-1",
        "--kind",
        "outage",
        "--severity",
        "critical",
        "--what",
        "again, and worse",
        who="dee",
    )
    office.run("stage", "rollback", "--why", "enough", "--sign", who="dee")
    assert office.state() == "rolling back"


def test_what_is_signed_is_told(office: Office) -> None:
    office.running()
    office.judge(local_banks="inconclusive")
    check = office.told("stage", "status")["runs"][-1]["check"]
    waive = f"{check}:local-banks:2020-03-01"
    office.run("stage", "resume", "--why", "it is small", "--decision", "go", "--waive", waive, "--sign", who="olu")
    asked = f"resume region-a/1; waives local-banks of check {check} until 2020-03-01; it is small"
    assert asked in office.run("stage", "status").stdout
    assert asked in office.run("stage", "approve", "go", who="ana").stdout
    assert office.told("stage", "status")["decisions"][-1]["details"]["waivers"][0]["metric"] == "local-banks"


def test_an_extension_is_told_with_its_days(office: Office) -> None:
    edit(office.plan, "shortest_stay_days: 730, status", "shortest_stay_days: 1, status")
    office.running()
    office.day += dt.timedelta(2)
    days = ("--decide-on", "2022-03-01", "--ends", "2028-12-31")
    office.run("stage", "propose", "extend", "--why", "it is late", *days, "--sign", who="olu")
    asked = "may be decided on from 2022-03-01; ends on 2028-12-31; it is late"
    assert asked in office.run("stage", "status").stdout
    assert asked in office.run("register", "log").stdout


def test_reasons_that_are_none_are_refused_in_plain_words(office: Office) -> None:
    office.running()
    refused = office.run("stage", "propose", "roll-back", "--why", "", who="olu", code=1)
    assert "refused: this is not complete or not right: why: " in refused.stderr
    office.run("register", "describe", "olu", "Olu Adeyemi", who="ada")
    number = len(office.run("register", "log", "--json").stdout.splitlines())
    assert "why: " in office.run("register", "erase", str(number), "--why", "", who="ada", code=1).stderr


def test_a_decision_without_a_name_gets_one_that_is_free(office: Office) -> None:
    office.running()
    for _ in range(22):
        office.run("stage", "propose", "roll-back", "--why", "again", "--sign", who="olu")
        waiting = office.told("stage", "status")["decisions"][-1]["id"]
        office.run("stage", "retract", waiting, who="olu")


def test_a_plan_is_signed_only_as_its_file_says(office: Office) -> None:
    from poundlock.desk.roll_out import terms_of
    from poundlock.register.clerk import Clerk, opened

    office.founded()
    plan = terms_of(office.plan)
    terms = plan.terms.model_dump(mode="json") | {"comment_days": 1, "pre_authorised": []}
    words = dict(line.split(": ") for line in DECLARATION.splitlines())
    register = opened(str(office.folder / "r.sqlite3"), (office.folder / "r.sqlite3.key").read_text())
    noon = dt.datetime.combine(office.day, dt.time(12), dt.UTC)
    eva = Clerk(register, "eva", (office.folder / "eva.key").read_text(), noon)
    body = {"declaration": words, "plan": plan.digest, "terms": terms}
    eva.act("declare", body, plan.terms.id, [office.plan.read_bytes()])
    for verb, who in (("submit", "eva"), ("accept", "olu"), ("publish", "olu")):
        office.run("programme", verb, who=who)
    office.day += dt.timedelta(3)
    refused = office.run("stage", "propose", "approve", "--why", "it is due", "--sign", who="olu", code=1)
    assert "something else than was entered of it (comment_days, pre_authorised)" in refused.stderr


def test_a_long_list_against_going_on_is_cut_for_the_screen(office: Office) -> None:
    office.running()
    office.day = dt.date(2027, 12, 30)
    against = office.told("stage", "status")["runs"][-1]["against"]
    lines = [
        line for line in office.run("stage", "status").stdout.splitlines() if line.startswith("  against going on")
    ]
    assert len(lines) == 21
    assert lines[-1] == f"  against going on: {len(against) - 20} more; --json lists all"


def test_the_result_behind_a_check_is_kept_to_the_byte(office: Office) -> None:
    office.running()
    kept = [json.loads(line) for line in office.run("register", "log", "--act", "judge", "--json").stdout.splitlines()]
    register = opened(str(office.folder / "r.sqlite3"))
    assert register.file(kept[-1]["body"]["verdict"]) == (office.folder / "result.json").read_bytes()
    register.close()


def test_a_revised_plan_to_unwind_is_kept(office: Office, tmp_path: Path) -> None:
    office.running()
    office.judge(failures="breach")
    office.run("stage", "cannot-unwind", "--why", "nobody buys the loans", who="olu")
    (tmp_path / "revised.txt").write_text("sell in three parts")
    revise = ("--why", "in parts", "--decision", "parts", "--unwind", str(tmp_path / "revised.txt"))
    office.run("stage", "propose", "revise", *revise, "--sign", who="olu")
    office.run("stage", "approve", "parts", "--sign", who="ana")
    assert office.state() == "rolling back"
    register = opened(str(office.folder / "r.sqlite3"))
    assert register.file(hashlib.sha256(b"sell in three parts").hexdigest()) == b"sell in three parts"
    register.close()
