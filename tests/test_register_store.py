"""The register: what is appended is kept, read back, replayed, removed where the law asks; what is wrong is told in plain words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from poundlock.register.store import Act, Conflict, Register
from poundlock.rollout.chain import fault, payload_digest
from poundlock.rollout.merkle import root
from poundlock.rollout.refusal import Refused
from poundlock.rollout.signing import new_key, opened_checkpoint, public_of
from registers import DAY, NAME, Turnstile, filled, founded, key, on, place, reopened, url_of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with place(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def register(url: str) -> Iterator[Register]:
    register = founded(url)
    yield register
    register.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Register]:
    register = founded(url_of(tmp_path), wait=0.05)
    yield register
    register.close()


def erasure(number: int) -> Act:
    return Act("ada", "administrator", "erased", f"entry:{number}", {"why": "asked by the person"})


def test_what_was_appended_is_read_back_after_it_was_closed(url: str, register: Register):
    entry = register.append(on("return", 7, amount="1.5"), at=DAY, files=[b"a table"])
    register.close()
    again = reopened(url)
    assert again.head().digest == entry.digest
    assert again.state("run:7") == '{"returns": 1}'
    assert again.state("run:8") is None
    assert list(again.entries())[-1] == entry
    ((_, text, salt),) = again.records(2)
    assert json.loads(text) == {"amount": "1.5"}
    assert entry.payload == payload_digest({"amount": "1.5"}, salt)
    assert again.file("0" * 64) is None
    again.close()


def test_files_are_kept_once_by_their_digest(register: Register):
    import hashlib

    for run in (1, 2):
        register.append(on("return", run), at=DAY, files=[b"the same table", b"the same table"])
    assert register.file(hashlib.sha256(b"the same table").hexdigest()) == b"the same table"
    assert register.check().files == 1


def test_the_chain_and_everything_beside_it_hold(register: Register):
    filled(register)
    found = register.check()
    assert found.flaw is None, str(found.flaw)
    assert found.unguarded == ()
    assert found.entries == register.head().number == 25
    assert fault(register.entries()) is None


def test_a_checkpoint_is_signed_at_the_start_after_decisions_and_before_each_new_day(register: Register):
    register.append(on("return", 1), at=DAY)
    register.append(on("return", 1), at=DAY + timedelta(days=1))  # signs what stood before: two entries
    register.append(on("promote", 1), at=DAY + timedelta(days=1))
    register.append(on("return", 2), at=DAY + timedelta(days=2))  # signed already, after the promotion
    notes = [opened_checkpoint(note, NAME, public_of(key())) for note in register.checkpoints()]
    assert [note.size for note in notes] == [1, 2, 4]
    leaves = [bytes.fromhex(entry.digest) for entry in register.entries()]
    assert [note.root for note in notes] == [root(leaves[: note.size]).hex() for note in notes]
    assert register.checkpoint(at=DAY) == register.checkpoint(at=DAY + timedelta(days=9)) == register.checkpoints()[-1]
    assert opened_checkpoint(register.checkpoints()[-1], NAME, register.public).size == 5


def test_time_never_goes_backwards(register: Register):
    later = register.append(on("return", 1), at=DAY + timedelta(hours=1))
    earlier = register.append(on("return", 1), at=DAY)
    assert earlier.at == later.at == "2026-03-02T10:00:00.000000Z"
    with pytest.raises(ValueError, match="without a zone"):
        register.append(on("return", 1), at=datetime(2026, 3, 2))


def test_a_refusal_writes_nothing(register: Register):
    register.append(on("promote", 1), at=DAY)
    before = register.head()
    with pytest.raises(Refused, match="was decided: promote"):
        register.append(on("hold", 1), at=DAY, files=[b"never kept"])
    with pytest.raises(Refused, match="bob is not among the people"):
        register.append(on("hold", 2, "bob"), at=DAY)
    assert register.head() == before
    assert register.check().files == 0


def test_whoever_decides_on_an_older_head_is_told(register: Register):
    head = register.head().digest
    register.append(on("return", 1), at=DAY, expected=head)
    with pytest.raises(Conflict, match="went on to entry 2"):
        register.append(on("promote", 1), at=DAY, expected=head)
    assert register.head().number == 2


def test_a_preview_shows_the_state_and_writes_nothing(register: Register):
    before = register.head()
    assert json.loads(register.preview(on("promote", 1), at=DAY))["decided"] == "promote"
    assert register.head() == before
    assert register.state("run:1") is None
    register.append(on("promote", 1), at=DAY)
    with pytest.raises(Refused):
        register.preview(on("hold", 1), at=DAY)


def test_entries_are_found_by_range_act_and_object(register: Register):
    filled(register)
    assert [e.number for e in register.entries(3, 5)] == [3, 4, 5]
    assert {e.act for e in register.entries(act="hold")} == {"hold"}
    assert [e.revision for e in register.entries(object="run:3")] == [1, 2, 3, 4]
    assert [e.number for e, _, _ in register.records(act="promote", object="run:1")] == [9]
    assert register.objects("run:") == tuple(f"run:{k}" for k in range(6))
    assert register.objects("RUN:") == ()
    assert register.objects("run_") == ()


def test_more_entries_than_a_page_come_once_each(small: Register, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("poundlock.register.rows.PAGE", 4)
    filled(small, 4)
    assert [e.number for e in small.entries()] == list(range(1, 18))
    assert [e.number for e in small.entries(object="people")] == [1]
    assert small.check().flaw is None


def test_a_payload_is_removed_and_the_chain_still_holds(url: str, register: Register):
    secret = "Zhang Wei, 13 Lake Street"
    number = register.append(on("return", 1, who=secret), at=DAY).number
    register.append(on("promote", 1), at=DAY)
    entry = register.erase(number, erasure(number), at=DAY)
    assert (entry.act, entry.object) == ("erased", f"entry:{number}")
    assert [(text, salt) for _, text, salt in register.records(number, number)] == [(None, "")]
    found = register.check()
    assert (found.flaw, found.removed) == (None, 1)
    with pytest.raises(Refused, match="removed before"):
        register.erase(number, erasure(number), at=DAY)
    assert register.head().number == entry.number
    if url.startswith("sqlite"):
        file = Path(url.removeprefix("sqlite:///"))
        left = file.read_bytes() + file.with_name(file.name + "-wal").read_bytes()
        assert secret.encode() not in left


def test_a_state_forgets_what_was_removed(register: Register):
    number = register.append(Act("ada", "administrator", "join", "people", {"who": ["zhang"]}), at=DAY).number
    assert "zhang" in (register.state("people") or "")
    register.erase(number, erasure(number), at=DAY)
    assert "zhang" not in (register.state("people") or "")
    assert "ana" in (register.state("people") or "")
    assert register.check().flaw is None


def test_a_payload_on_which_a_later_act_rests_stays(register: Register):
    number = register.append(Act("ada", "administrator", "join", "people", {"who": ["zhang"]}), at=DAY).number
    register.append(on("return", 1, "zhang"), at=DAY)
    with pytest.raises(Refused, match=r"cannot be removed: entry 3: found an act against the rules"):
        register.erase(number, erasure(number), at=DAY)
    assert "zhang" in (register.state("people") or "")
    assert register.head().number == 3


def test_an_erasure_says_so_and_names_its_entry(small: Register):
    with pytest.raises(ValueError, match="expected 'erased' on 'entry:1'"):
        small.erase(1, erasure(2), at=DAY)
    with pytest.raises(ValueError, match="call erase"):
        small.append(erasure(1), at=DAY)
    with pytest.raises(Refused, match="no such entry"):
        small.erase(9, erasure(9), at=DAY)
    assert small.head().number == 1


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (Act("", "officer", "return", "run:1", {}), "found actor ''"),
        (Act("ana", "off\0icer", "return", "run:1", {}), "control character"),
        (Act("ana", "officer", "x" * 501, "run:1", {}), "1 to 500 characters"),
        (Act("ana", "officer", "return", "run:\ud800", {}), "lone surrogate"),
        (Act("ana", "officer", "return", "run:1", {"rate": 0.5}), "float 0.5"),
        (Act("ana", "officer", "return", "run:1", None), "expected a mapping"),
        (Act("ana", "officer", "return", "run:1", {"x": "y" * (8 << 20)}), "keep it as a file"),
    ],
)
def test_an_act_that_cannot_be_kept_is_told(small: Register, act: Act, said: str):
    with pytest.raises((ValueError, TypeError), match=said):
        small.append(act, at=DAY)
    assert small.head().number == 1


def test_rules_see_an_act_now_as_every_replay_sees_it(small: Register, monkeypatch: pytest.MonkeyPatch):
    seen = []
    step = Turnstile.step
    monkeypatch.setattr(Turnstile, "step", lambda *given: seen.append(given[2].payload) or step(*given))
    small.append(on("return", 1, amounts=("1", "2")), at=DAY)
    assert small.check().flaw is None
    assert seen[0] == seen[-1] == {"amounts": ["1", "2"]}


def test_a_register_opened_without_its_key_is_only_read(url: str, register: Register):
    reader = reopened(url, key=None)
    assert reader.check().flaw is None
    with pytest.raises(ValueError, match="without its key"):
        reader.append(on("return", 1), at=DAY)
    with pytest.raises(ValueError, match="without its key"):
        reader.checkpoint(at=DAY)
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.head()
    with pytest.raises(ValueError, match="key of another register"):
        reopened(url, key=new_key())


def test_a_second_register_is_not_made_where_one_is(url: str, register: Register):
    with pytest.raises(ValueError, match=f"found register {NAME}"):
        founded(url)
    assert register.check().flaw is None


def test_two_registers_in_one_process_know_nothing_of_each_other(tmp_path: Path):
    (tmp_path / "b").mkdir()
    one, other = founded(url_of(tmp_path)), founded(url_of(tmp_path / "b"))
    one.append(on("return", 1), at=DAY)
    other.append(on("return", 2), at=DAY)
    assert (one.objects("run:"), other.objects("run:")) == (("run:1",), ("run:2",))
    one.close()
    assert other.check().flaw is None
    other.close()


def test_what_cannot_be_founded_leaves_no_file(tmp_path: Path):
    founder = Act("ada", "administrator", "join", "people", {"who": []})
    with pytest.raises(ValueError, match="without spaces"):
        Register.create(url_of(tmp_path), "two words", Turnstile(), key=key(), founder=founder, at=DAY)
    with pytest.raises(Refused):
        Register.create(url_of(tmp_path), NAME, Turnstile(), key=key(), founder=on("return", 1), at=DAY)
    assert not (tmp_path / "register.db").exists()


def test_a_fault_in_the_rules_undoes_everything(small: Register, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Turnstile, "checkpoints", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        small.append(on("promote", 1), at=DAY)
    monkeypatch.undo()
    assert small.state("run:1") is None
    assert small.append(on("promote", 1), at=DAY).number == 2


def test_the_tables_are_those_of_the_models():
    from django.core.management import call_command

    out = StringIO()
    call_command("makemigrations", "poundlock_register", check=True, dry_run=True, stdout=out)
    assert "No changes" in out.getvalue()


def test_the_models_read_what_the_store_wrote(small: Register):
    from poundlock.register.models import Entry, State

    small.append(on("return", 1), at=DAY)
    alias = small._database.connection().alias
    assert Entry.objects.using(alias).get(number=2).object == "run:1"
    assert State.objects.using(alias).get(object="run:1").text == '{"returns": 1}'


def test_times_of_other_zones_are_kept_as_utc(small: Register):
    from zoneinfo import ZoneInfo

    entry = small.append(on("return", 1), at=datetime(2026, 3, 3, 8, 0, tzinfo=ZoneInfo("Asia/Shanghai")))
    assert entry.at == datetime(2026, 3, 3, tzinfo=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
