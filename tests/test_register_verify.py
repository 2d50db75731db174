"""Evidence packs of strangers: signatures, entries, payloads and contents that are not what they should be."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import pytest

from packs import (
    KEY,
    PLAN,
    STRANGER,
    checkpoint,
    content,
    forged,
    members_of,
    replays,
    rows,
    stored,
    where,
)
from poundlock.register.log_lines import entries_of, entry_line
from poundlock.register.members import CHECKPOINTS, ENTRIES, MANIFEST, PAYLOADS, SIGNATURE
from poundlock.register.pack import lock_text, write_pack
from poundlock.register.verify import verify_pack
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import payload_digest, sealed
from poundlock.rollout.signing import (
    fingerprint,
    public_of,
    signature,
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack.zip", content(), KEY).path


def test_a_pack_signed_by_another_key_is_found_by_who_knows_the_key(tmp_path: Path) -> None:
    path = forged(tmp_path)
    alone = verify_pack(path, replay=replays)
    assert alone.ok
    assert fingerprint(public_of(STRANGER)) in " ".join(alone.notes)
    known = verify_pack(path, key=public_of(KEY))
    assert where(known) == ["key of the pack"]
    assert fingerprint(public_of(KEY)) in known.findings[0].expected
    kept = verify_pack(path, checkpoints=[checkpoint(rows(), 4)])
    assert where(kept) == ["checkpoint 1 from elsewhere"]


def test_a_key_that_is_none_is_a_mistake_of_the_call(pack: Path) -> None:
    with pytest.raises(ValueError, match="public key"):
        verify_pack(pack, key="4f2a")


def test_changed_contents_under_the_old_signature_are_found(pack: Path) -> None:
    """Somebody changes the report and every digest that he can, but has no key."""
    inside = members_of(pack)
    changed = b"<p>REPORT</p>"
    old, new = (sha256(text).hexdigest().encode() for text in (inside["outputs/report.html"], changed))
    other = {name: text.replace(old, new) for name, text in inside.items()} | {"outputs/report.html": changed}
    for name in ("README.txt", "ro-crate-metadata.json"):  # their own digests stand in the manifest
        before, after = (sha256(text[name]).hexdigest().encode() for text in (inside, other))
        other[MANIFEST] = other[MANIFEST].replace(before, after)
        if name == "README.txt":
            other["ro-crate-metadata.json"] = other["ro-crate-metadata.json"].replace(before, after)
    stored(pack, other)
    found = verify_pack(pack)
    assert where(found) == ["'manifest.json'"]
    assert "which manifest.sig signs" in found.findings[0].expected


def test_a_file_more_or_less_than_the_manifest_lists_is_found(pack: Path) -> None:
    inside = members_of(pack)
    stored(pack, inside | {"outputs/note.txt": b"added"})
    assert where(verify_pack(pack)) == ["'outputs/note.txt'"]
    stored(pack, {name: text for name, text in inside.items() if name != "outputs/report.html"})
    assert where(verify_pack(pack)) == ["'outputs/report.html'"]
    stored(pack, {name: text for name, text in inside.items() if name != SIGNATURE})
    assert where(verify_pack(pack))[0] == "'manifest.sig'"


def test_a_checkpoint_of_the_pack_that_the_entries_do_not_fit_is_found(tmp_path: Path) -> None:
    other = rows(6, result=b"another")
    path = write_pack(tmp_path / "p.zip", content(checkpoints=[checkpoint(other, 4)]), KEY).path
    found = verify_pack(path)
    assert where(found) == [f"'{CHECKPOINTS}0000000004.txt'"]
    assert "an entry is not what it was" in found.findings[0].expected


def test_the_signed_note_of_a_pack_is_no_checkpoint(pack: Path) -> None:
    note = members_of(pack)[SIGNATURE].decode()
    found = verify_pack(pack, checkpoints=[note])
    assert where(found) == ["checkpoint 1 from elsewhere"]
    assert "evidence-pack" in found.findings[0].found


def test_a_last_entry_left_out_is_found_by_a_checkpoint_from_elsewhere_and_else_said(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "p.zip", content(rows()[:5]), KEY).path
    alone = verify_pack(path)
    assert alone.ok
    assert any("No checkpoint from elsewhere shows that no entry was left out" in note for note in alone.notes)
    kept = verify_pack(path, checkpoints=[checkpoint(rows(), 6)])
    assert [str(b) for b in kept.findings] == [
        "checkpoint 1 from elsewhere: found 5 entries in the pack; expected at least 6, which were signed: entries were left out"
    ]


def test_entries_left_out_in_the_middle_are_found(tmp_path: Path) -> None:
    of = rows()
    path = write_pack(tmp_path / "p.zip", content([*of[:2], *of[3:]], checkpoints=[]), KEY).path
    found = verify_pack(path)
    assert where(found) == ["entry 3 (promoted of programme:zhejiang)"]


@pytest.mark.parametrize(
    ("kept", "found"),
    [(slice(0, 5), "no payload"), (slice(1, 6), "payload 2"), (slice(0, 6), "payload 7")],
)
def test_there_is_one_payload_for_each_entry(pack: Path, kept: slice, found: str) -> None:
    inside = members_of(pack)
    lines = inside[PAYLOADS].splitlines(keepends=True)[kept]
    lines += [b'{"number":7,"payload":null,"salt":null}\n'] if len(lines) == 6 else []
    stored(pack, inside | {PAYLOADS: b"".join(lines)})
    last = verify_pack(pack).findings[-1]
    assert (last.where, last.found) == (f"'{PAYLOADS}'", found)


def test_lines_of_entries_are_canonical_json() -> None:
    for entry, _, _ in rows():
        strange = replace(entry, actor='银行 "\u2028\x01\U0001f512')
        assert entry_line(strange) == canonical(asdict(strange)) + b"\n"
        assert list(entries_of([entry_line(strange)])) == [strange]


def test_a_removed_payload_verifies_and_is_said(tmp_path: Path) -> None:
    of = [(e, None if e.number in (1, 3) else text, salt) for e, text, salt in rows()]
    path = write_pack(tmp_path / "p.zip", content(of), KEY).path
    found = verify_pack(path, replay=replays)
    assert found.ok
    assert found.removed == (1, 3)
    said = " ".join(found.notes)
    assert "removed from the register, as a later entry says: 1." in said
    assert "not in the pack, and no entry says removed: 3." in said
    line = members_of(path)[PAYLOADS].splitlines()[0]
    assert json.loads(line) == {"number": 1, "payload": None, "salt": None}  # with the salt, guesses could be tried


def test_the_rules_are_replayed_and_the_first_fault_is_named(tmp_path: Path) -> None:
    of = rows()
    entry, text, salt = of[2]
    said = json.loads(text or "") | {"signature": signature(STRANGER, b"promote")}
    changed = sealed(
        3, entry.at, "wei", "officer", "signed", entry.object, 3, payload_digest(said, salt), of[1][0].digest
    )
    path = write_pack(
        tmp_path / "p.zip", content([*of[:2], (changed, canonical(said).decode(), salt)], checkpoints=[]), KEY
    ).path
    assert verify_pack(path).ok
    found = verify_pack(path, replay=replays)
    assert [str(b) for b in found.findings] == [
        "entry 3 (signed of programme:zhejiang): found a signature that does not fit; expected that of the officer"
    ]


def test_decisions_must_say_what_the_payloads_say(pack: Path) -> None:
    def derived(pairs: object) -> object:
        return [{"entry": e.number} for e, _ in pairs if e.act == "promoted"]  # type: ignore[attr-defined]

    assert where(verify_pack(pack, decisions=derived)) == ["'decisions.json'"]
    same = [{"entry": 4, "signatures": [{"by": "wei"}], "statement": "promote"}]
    assert verify_pack(pack, decisions=lambda pairs: same).ok


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b'{"number":1}', b"[" * 100_000, b'{"act":"\\ud800"}', b"\xff", b'{"number":' + b"9" * 5000 + b"}"],
)
def test_lines_that_are_no_entries_are_told(pack: Path, line: bytes) -> None:
    inside = members_of(pack)
    for name in (ENTRIES, PAYLOADS):
        stored(pack, inside | {name: line + b"\n"})
        found = verify_pack(pack)
        assert f"'{name}'" in where(found)[1:], [str(b) for b in found.findings]


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"format":"poundlock pack 1"}', b"\xff"])
def test_a_manifest_that_is_none_is_told(pack: Path, text: bytes) -> None:
    stored(pack, members_of(pack) | {MANIFEST: text})
    assert "'manifest.json'" in where(verify_pack(pack))


def test_a_copy_verifies_in_an_empty_folder_without_database_and_django(pack: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(pack, alone / "copy.zip")
    program = (
        "import sys; sys.modules['django'] = None\n"
        "from pathlib import Path\n"
        "import poundlock.register\n"
        "from poundlock.register.verify import verify_pack\n"
        "print(verify_pack(Path('copy.zip')).ok)"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POUNDLOCK_")}
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=alone, env=clean, capture_output=True, text=True, check=False
    )
    assert (told.stdout, told.stderr) == ("True\n", "")


def test_no_file_is_replaced_unless_told(pack: Path) -> None:
    before = pack.read_bytes()
    with pytest.raises(FileExistsError):
        write_pack(pack, content(licence=""), KEY)
    assert pack.read_bytes() == before
    write_pack(pack, content(licence=""), KEY, replace=True)
    assert pack.read_bytes() != before
    assert verify_pack(pack).ok


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"public": public_of(STRANGER)}, "not the register's"),
        ({"made_at": "today"}, "today"),
        ({"inputs": {"plan.yaml": b"another plan"}}, "which result.json was made from"),
        ({"inputs": {"a:b.csv": b"1"}}, "other systems refuse"),
        ({"inputs": {"a.csv": b"1", "A.csv": b"1"}}, "capitals"),
        ({"outputs": {"result.json": b"{}"}}, "no provenance"),
        ({"checkpoints": ["not a note"]}, "signature lines"),
    ],
)
def test_contents_that_contradict_each_other_are_refused_and_nothing_is_left(
    tmp_path: Path, other: dict[str, object], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        write_pack(tmp_path / "new" / "p.zip", content(**other), KEY)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_an_input_that_changes_while_it_is_packed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_bytes(PLAN)
    from poundlock.register import pack as room

    measured = room._measured

    def then_changed(source: Path | bytes) -> object:
        one = measured(source)
        if source == plan:
            plan.write_bytes(PLAN + b"more")
        return one

    monkeypatch.setattr(room, "_measured", then_changed)
    with pytest.raises(ValueError, match="changed while it was packed"):
        write_pack(tmp_path / "p.zip", content(inputs={"plan.yaml": plan}), KEY)
    assert not (tmp_path / "p.zip").exists()


def test_inputs_may_be_left_out_and_their_digests_stand(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "p.zip", content(inputs={}), KEY).path
    found = verify_pack(path)
    assert found.ok
    assert "Inputs that are not in the pack: 2. Their digests stand in 'manifest.json'." in found.notes
    graph = json.loads(members_of(path)["ro-crate-metadata.json"])["@graph"]
    absent = [e for e in graph if e["@id"].startswith("#absent/")]
    assert [e["name"] for e in absent] == ["../shared/银行 1.csv", "plan.yaml"]
    assert all(e["identifier"].startswith("sha256:") for e in absent)


def test_a_pack_of_the_register_alone_has_no_run(tmp_path: Path) -> None:
    path = write_pack(tmp_path / "p.zip", content(inputs={}, outputs={}, programme="", licence=""), KEY).path
    assert verify_pack(path, key=public_of(KEY)).ok
    graph = {e["@id"]: e for e in json.loads(members_of(path)["ro-crate-metadata.json"])["@graph"]}
    assert "#run" not in graph
    assert graph["./"]["license"].startswith("Not stated")


def test_the_lock_lists_what_is_installed_and_needed() -> None:
    names = [line.split("==")[0] for line in lock_text().splitlines()]
    assert names == sorted(names)
    assert {"poundlock", "numpy", "cffi", "cryptography", "jinja2", "markupsafe"} <= set(names)
    assert "pytest" not in names
    assert "psycopg" not in names
