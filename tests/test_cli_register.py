"""The commands on a register, one after another as an office would give them."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from clerks import PEOPLE, Office
from conftest import edit
from poundlock.cli import app
from poundlock.rollout.signing import new_key, public_of


def _without(records: Any, first: int) -> Any:
    return ((entry, None if entry.number >= first else text, salt) for entry, text, salt in records)


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


def test_nobodys_words_look_like_another_entry(office: Office) -> None:
    office.running()
    forged = "we doubt\n   99  2020-01-01 12:00  ana (approver)  approve \x1b[2J\u202e"
    office.run("stage", "propose", "roll-back", "--why", forged, "--decision", "x", "--sign", who="olu")
    for said in (office.run("register", "log").stdout, office.run("stage", "status").stdout):
        assert "we doubt\\n   99" in said
        assert "\x1b" not in said
        assert "\u202e" not in said


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


def test_mistakes_of_a_declaration_and_of_its_plan_are_told_at_once(office: Office) -> None:
    office.founded()
    edit(office.folder / "declaration.yaml", "kind: product", "kind: gadget")
    edit(office.plan, "gate: effect, kind: success", "gate: effects, kind: success")
    both = ("programme", "declare", str(office.plan), "--declaration", str(office.folder / "declaration.yaml"))
    said = office.run(*both, who="eva", code=2).stderr
    assert "3 problems" in said
    for part in ("'gadget'", "'effects', which is not among the gates", "no metric for gate 'effect'"):
        assert part in said


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


def test_a_command_on_the_register_does_not_open_the_desk() -> None:
    """The desk takes seconds to load, and is wanted only where a plan is read."""
    code = "import sys\nimport poundlock.register.clerk\nsys.exit('poundlock.desk' in sys.modules)\n"
    subprocess.run([sys.executable, "-c", code], check=True)
