"""The commands on a register, one after another as an office would give them."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from conftest import edit
from poundlock.cli import app, at_register
from poundlock.reading import InputFile, combined_digest
from poundlock.register import filing
from poundlock.register.clerk import opened
from poundlock.rollout.signing import new_key, public_of

DECLARATION = "\n".join(
    ["kind: product"]
    + [
        f"{name}: as the plan says"
        for name in [
            "title",
            "technology",
            "function",
            "expected_effect",
            "scale",
            "risks_and_controls",
            "compensation",
            "exit_plan",
            "emergency_plan",
            "complaints",
        ]
    ]
)
PEOPLE = {
    "ada": ("bureau", ["administrator"]),
    "olu": ("bureau", ["officer", "approver"]),
    "ana": ("bureau", ["approver"]),
    "aki": ("commission", ["approver"]),
    "rio": ("commission", ["risk"]),
    "dee": ("bureau", ["duty officer"]),
    "aud": ("bureau", ["auditor"]),
    "eva": ("bank", ["institution"]),
}


class Office:
    """A folder with everybody's keys and a register, and a day."""

    def __init__(self, folder: Path, plan: Path) -> None:
        self.folder, self.plan, self.day = folder, plan, dt.date(2019, 6, 1)
        for name in PEOPLE:
            (folder / f"{name}.key").write_text(new_key())
        (folder / "declaration.yaml").write_text(DECLARATION)

    def run(self, *words: str, who: str = "", code: int = 0) -> Result:
        """A command; fails unless it ends with `code`."""
        signed = ["--as", who, "--key", str(self.folder / f"{who}.key")] if who else []
        noted = words[0] == "stage" and words[1] in ("propose", "approve", "resume", "rollback") and "--sign" in words
        signed += ["--interests", "none"] if noted and "--interests" not in words else []
        done = CliRunner().invoke(app, [*words, "--database", str(self.folder / "r.sqlite3"), *signed])
        assert done.exit_code == code, f"{done.exit_code}: {done.output}{done.exception!r}"
        return done

    def told(self, *words: str, who: str = "", code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", who=who, code=code).stdout)

    def state(self) -> str:
        return str(self.told("stage", "status")["runs"][-1]["state"])

    def key(self, name: str) -> str:
        return public_of((self.folder / f"{name}.key").read_text())

    def founded(self) -> Office:
        self.run("register", "init", "pilot", "--agency", "bureau", "--mandate", "technology-innovation", who="ada")
        self.run("register", "agency", "commission", "--mandate", "social-responsibility", who="ada")
        for name, (agency, roles) in PEOPLE.items():
            if name != "ada":
                as_roles = [word for role in roles for word in ("--role", role)]
                home = ["--institution", "bank-1"] if "institution" in roles else []
                self.run(
                    "register",
                    "enrol",
                    name,
                    "--public",
                    self.key(name),
                    "--agency",
                    agency,
                    *as_roles,
                    *home,
                    who="ada",
                )
        return self

    def approved(self) -> Office:
        self.founded()
        self.run(
            "programme", "declare", str(self.plan), "--declaration", str(self.folder / "declaration.yaml"), who="eva"
        )
        for verb, who in (("submit", "eva"), ("accept", "olu"), ("publish", "olu")):
            self.run("programme", verb, who=who)
        self.day += dt.timedelta(31)
        self.decide("approve")
        self.run("register", "consent", "--stage", "region-a", "--stage", "region-b", who="eva")
        return self

    def running(self, **found: str) -> Office:
        self.approved()
        self.day = dt.date(2020, 1, 1)
        self.run("stage", "open", "region-a", who="olu")
        self.judge()
        self.decide("start")
        return self

    def decide(self, matter: str, *more: str) -> None:
        made = self.run(
            "stage",
            "propose",
            matter,
            "--why",
            "it is due",
            "--decision",
            f"d-{matter}-{self.day}",
            *more,
            "--sign",
            who="olu",
        )
        assert "Entry" in made.stdout
        for who in ("ana", "aki"):
            self.run("stage", "approve", f"d-{matter}-{self.day}", "--sign", who=who)

    def judge(self, **found: str) -> None:
        """A result.json as `run` writes it, with scripted findings."""
        gates = ("local-banks", "failures", "controllable", "rules", "effect", "for-whom")
        digest = hashlib.sha256(self.plan.read_bytes()).hexdigest()
        result = {
            "gates": [
                {"id": g, "finding": found.get(g.replace("-", "_"), "pass"), "why": "scripted", "limit": "none"}
                for g in gates
            ],
            "provenance": {
                "inputs": [{"file": "plan.yaml", "sha256": digest}],
                "digest": combined_digest([InputFile("plan.yaml", digest)]),
            },
        }
        (self.folder / "result.json").write_text(json.dumps(result))
        self.run("stage", "judge", str(self.folder / "result.json"), who="olu")


@pytest.fixture
def office(tmp_path: Path, starter: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office(tmp_path, starter / "plan.yaml")

    class Clock:
        @staticmethod
        def now(zone: dt.tzinfo) -> dt.datetime:
            return dt.datetime.combine(made.day, dt.time(12), zone)

    monkeypatch.setattr(at_register, "datetime", Clock)
    for name in ("POUNDLOCK_DATABASE_URL", "POUNDLOCK_REGISTER_KEY", "POUNDLOCK_PERSON", "POUNDLOCK_KEY"):
        monkeypatch.delenv(name, raising=False)
    return made


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


def test_mistakes_in_the_call_end_with_two(office: Office, tmp_path: Path) -> None:
    assert "expected a register. Cure" in office.run("stage", "status", code=2).stderr
    office.founded()
    key = tmp_path / "bad.key"
    key.write_text("no key")
    done = CliRunner().invoke(
        app, ["register", "leave", "aud", "--as", "ada", "--key", str(key), "--database", str(tmp_path / "r.sqlite3")]
    )
    assert done.exit_code == 2
    office.run(
        "programme", "declare", str(office.plan), "--declaration", str(office.folder / "declaration.yaml"), who="eva"
    )
    bad = office.run("stage", "propose", "resume", "--why", "hope", "--waive", "57-growth", who="olu", code=2)
    assert "expected METRIC:UNTIL or CHECK:METRIC:UNTIL" in bad.stderr
    assert (
        "expected a day as 2026-03-31"
        in office.run("stage", "judge", "x.json", "--as-of", "soon", who="olu", code=2).stderr
    )
    assert "1 problem" in office.run("stage", "judge", "x.json", who="olu", code=2).stderr
    assert (
        "register is founded"
        not in office.run("register", "init", "again", "--agency", "bureau", who="ada", code=2).stdout
    )


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


def test_log_erase_checkpoint_and_pack(office: Office, tmp_path: Path) -> None:
    office.founded()
    office.run("register", "describe", "olu", "Olu Adeyemi, room 12", who="ada")
    log = office.run("register", "log").stdout
    assert "Olu Adeyemi" in log
    number = len(log.splitlines())
    office.run("register", "erase", str(number), "--why", "asked for", who="ada")
    assert "Olu Adeyemi" not in office.run("register", "log").stdout
    office.run("register", "checkpoint", "--to", str(tmp_path / "kept"))
    held = next((tmp_path / "kept").iterdir())
    assert office.told("register", "check", "--held", str(held))["ok"]
    office.run(
        "programme", "declare", str(office.plan), "--declaration", str(office.folder / "declaration.yaml"), who="eva"
    )
    office.run("register", "pack", str(tmp_path / "evidence.zip"))
    key = public_of((tmp_path / "r.sqlite3.key").read_text())
    verify = ["verify", str(tmp_path / "evidence.zip"), "--key", key, "--checkpoint", str(held)]
    assert CliRunner().invoke(app, verify).exit_code == 0
    refused = office.run("register", "erase", "1", "--why", "asked for", who="ada", code=1)
    assert "removed" in refused.stderr


def test_people_are_listed_and_roles_lent(office: Office) -> None:
    office.founded()
    office.run("register", "delegate", "olu", "--role", "duty officer", "--until", "2019-06-30", who="dee")
    people = office.told("register", "users")
    assert {p["person"] for p in people["people"]} == set(PEOPLE)
    assert people["delegations"] == [{"by": "dee", "to": "olu", "role": "duty officer", "until": "2019-06-30"}]
    office.day = dt.date(2019, 7, 1)
    assert office.told("register", "users")["delegations"] == []
    office.run("register", "leave", "aud", who="ada")
    assert next(p for p in office.told("register", "users")["people"] if p["person"] == "aud")["left"] == "2019-07-01"


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


def test_nobodys_words_look_like_another_entry(office: Office) -> None:
    office.running()
    forged = "we doubt\n   99  2020-01-01 12:00  ana (approver)  approve \x1b[2J\u202e"
    office.run("stage", "propose", "roll-back", "--why", forged, "--decision", "x", "--sign", who="olu")
    for said in (office.run("register", "log").stdout, office.run("stage", "status").stdout):
        assert "we doubt\\n   99" in said
        assert "\x1b" not in said
        assert "\u202e" not in said


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


def test_removals_are_signed_by_somebody_known_and_their_reasons_stay(office: Office) -> None:
    office.founded()
    office.run("register", "describe", "olu", "Olu Adeyemi", who="ada")
    number = len(office.run("register", "log").stdout.splitlines())
    (office.folder / "eve.key").write_text(new_key())
    unknown = office.run("register", "erase", str(number), "--why", "asked for", who="eve", code=1)
    assert "nobody is enrolled as 'eve'" in unknown.stderr
    key = office.key("olu")
    office.run(
        "register",
        "enrol",
        "olu",
        "--public",
        key,
        "--agency",
        "bureau",
        "--role",
        "approver",
        "--role",
        "officer",
        who="ada",
    )
    office.run("register", "erase", str(number), "--why", "asked for", who="olu")
    gone = office.run("register", "erase", str(number + 2), "--why", "to hide it", who="ada", code=1)
    assert "the reason of a removal stays" in gone.stderr


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


def test_a_programme_that_is_not_there_has_no_log_and_no_pack(office: Office, tmp_path: Path) -> None:
    office.running()
    for words in (("register", "log"), ("register", "pack", str(tmp_path / "p.zip"))):
        assert "no programme 'nope'" in office.run(*words, "--programme", "nope", code=1).stderr
    assert not (tmp_path / "p.zip").exists()
    assert "found --act 'nope'" in office.run("register", "log", "--act", "nope", code=2).stderr


@pytest.mark.parametrize("first", [10, 18])
def test_a_pack_that_leaves_out_what_rules_rest_on_does_not_verify(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    from poundlock.register import packing

    office.running()
    whole, words = packing._of_programme, packing.decisions

    def short(register: Any, programme: str) -> Any:
        for entry, text, salt in whole(register, programme):
            yield (entry, None, "") if entry.number >= first else (entry, text, salt)

    with monkeypatch.context() as patched:
        patched.setattr(packing, "_of_programme", short)
        patched.setattr(packing, "decisions", lambda records, _: words(_without(records, first), ""))
        office.run("register", "pack", str(tmp_path / "short.zip"))
    found = packing.verified(tmp_path / "short.zip")
    assert not found.ok
    assert any(f"the first entry {first} (" in str(broken.found) for broken in found.findings)


def _without(records: Any, first: int) -> Any:
    return ((entry, None if entry.number >= first else text, salt) for entry, text, salt in records)


def test_a_long_list_against_going_on_is_cut_for_the_screen(office: Office) -> None:
    office.running()
    office.day = dt.date(2027, 12, 30)
    against = office.told("stage", "status")["runs"][-1]["against"]
    lines = [
        line for line in office.run("stage", "status").stdout.splitlines() if line.startswith("  against going on")
    ]
    assert len(lines) == 21
    assert lines[-1] == f"  against going on: {len(against) - 20} more; --json lists all"


def test_the_log_follows_the_calendar_once_a_day(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from poundlock.register import telling

    office.running()
    days: list[dt.date] = []
    on = telling.deadlines.on

    def counted(programme: Any, day: dt.date) -> Any:
        days.append(day)
        return on(programme, day)

    monkeypatch.setattr(telling, "deadlines", type("Counted", (), {"on": staticmethod(counted)}))
    office.run("register", "log")
    assert sorted(days) == sorted(set(days))


def test_withdrawing_from_one_stage_alone_is_refused(office: Office) -> None:
    office.running()
    mixed = office.run("register", "consent", "--stage", "region-b", "--withdraw", "we leave", who="eva", code=2)
    assert "withdrawing is from every stage" in mixed.stderr


def test_a_key_that_is_none_is_told_as_such(office: Office, tmp_path: Path) -> None:
    office.running()
    office.run("register", "pack", str(tmp_path / "p.zip"))
    (tmp_path / "odd.pub").write_bytes(b"\xff\xfe\x00")
    for key in ("x" * 5000, str(tmp_path / "odd.pub")):
        done = CliRunner().invoke(app, ["verify", str(tmp_path / "p.zip"), "--key", key])
        assert done.exit_code == 2
        assert "found public key" in done.stderr


def test_the_result_behind_a_check_is_kept_to_the_byte(office: Office) -> None:
    office.running()
    kept = [json.loads(line) for line in office.run("register", "log", "--act", "judge", "--json").stdout.splitlines()]
    register = opened(str(office.folder / "r.sqlite3"))
    assert register.file(kept[-1]["body"]["verdict"]) == (office.folder / "result.json").read_bytes()
    register.close()


def test_mistakes_of_a_declaration_and_of_its_plan_are_told_at_once(office: Office) -> None:
    office.founded()
    edit(office.folder / "declaration.yaml", "kind: product", "kind: gadget")
    edit(office.plan, "gate: effect, kind: success", "gate: effects, kind: success")
    both = ("programme", "declare", str(office.plan), "--declaration", str(office.folder / "declaration.yaml"))
    said = office.run(*both, who="eva", code=2).stderr
    assert "3 problems" in said
    for part in ("'gadget'", "'effects', which is not among the gates", "no metric for gate 'effect'"):
        assert part in said


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


def test_every_command_that_writes_has_the_same_options() -> None:
    groups = get_command(app).commands  # type: ignore[attr-defined]
    shared = {"who": ["--as"], "key": ["--key"], "database": ["--database"], "register_key": ["--register-key"]}
    writing = 0
    for group in ("register", "programme", "stage", "returns"):
        for command in groups[group].commands.values():
            found = {p.name: p.opts for p in command.params}
            if "who" in found and command.name != "init":
                writing += 1
                assert {name: found[name] for name in shared} == shared, command.name
            assert command.help, command.name
    assert writing == 31
