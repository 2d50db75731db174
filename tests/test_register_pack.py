"""Evidence packs: whatever is changed in one is found and located; what is whole verifies anywhere, without the register."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from poundlock.register.log_lines import entries_of, entry_line
from poundlock.register.members import CHECKPOINTS, ENTRIES, MANIFEST, PAYLOADS, RESULT, SIGNATURE
from poundlock.register.opened import NotAPack
from poundlock.register.pack import PackContent, lock_text, write_pack
from poundlock.register.plain_zip import unsafe
from poundlock.register.verify import Verified, verify_pack
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import GENESIS, Entry, Fault, payload_digest, sealed
from poundlock.rollout.merkle import root
from poundlock.rollout.signing import (
    Checkpoint,
    fingerprint,
    public_of,
    signature,
    signed_checkpoint,
    verified,
)

NAME = "example.org/register"


def pem(seed: int) -> str:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


KEY, OFFICER, STRANGER = pem(1), pem(2), pem(3)
PLAN = b"title: made up\n"
RESULT_TEXT = json.dumps(
    {
        "worlds": [],
        "provenance": {
            "version": "0.1.0",
            "inputs": [
                {"file": "plan.yaml", "sha256": sha256(PLAN).hexdigest()},
                {"file": "../shared/银行 1.csv", "sha256": sha256(b"id\n1\n").hexdigest()},
            ],
        },
    }
).encode()
ACTS = ("registered", "assessed", "signed", "promoted", "erased", "halted")
Rows = list[tuple[Entry, str | None, str]]


def rows(count: int = len(ACTS), result: bytes = RESULT_TEXT) -> Rows:
    """A chain of entries. The second names the result, the third holds a signature of an officer."""
    digest = sha256(result).hexdigest()
    made: Rows = []
    previous = GENESIS
    for number in range(1, count + 1):
        act = ACTS[(number - 1) % len(ACTS)]
        payload = {"number": number, "words": f"what was done, {number}"}
        payload |= {"result": digest} if act == "assessed" else {}
        payload |= {"signature": signature(OFFICER, b"promote"), "key": public_of(OFFICER)} if act == "signed" else {}
        salt = f"{number:032x}"
        of = "entry:1" if act == "erased" else "programme:zhejiang"
        at = f"2026-11-26T10:00:{number % 60:02}.000000Z" if count < 60 else "2026-11-26T10:00:00.000000Z"
        entry = sealed(number, at, "wei", "officer", act, of, number, payload_digest(payload, salt), previous)
        made.append((entry, canonical(payload).decode(), salt))
        previous = entry.digest
    return made


def checkpoint(of: Rows, size: int, key: str = KEY) -> str:
    leaves = [bytes.fromhex(entry.digest) for entry, _, _ in of[:size]]
    return signed_checkpoint(Checkpoint(NAME, size, root(leaves).hex()), NAME, key)


def content(of: Rows | None = None, key: str = KEY, covered: tuple[int, ...] = (0, 4), **other: object) -> PackContent:
    of = rows() if of is None else of
    whole = PackContent(
        register=NAME,
        public=public_of(key),
        programme="zhejiang",
        entries=of,
        checkpoints=[checkpoint(of, size, key) for size in covered],
        decisions=[{"entry": 4, "statement": "promote", "signatures": [{"by": "wei"}]}],
        inputs={"plan.yaml": PLAN, "../shared/银行 1.csv": b"id\n1\n"},
        outputs={"result.json": RESULT_TEXT, "report.html": b"<p>report</p>"},
        environment={"python": "3.11.7", "poundlock": "0.1.0", "seed": 1, "scenarios": 1000},
        made_at="2026-11-26T21:04:05Z",
        licence="https://creativecommons.org/licenses/by/4.0/",
        lock="numpy==2.4.6\n",
    )
    return replace(whole, **other)  # type: ignore[arg-type]


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack.zip", content(), KEY).path


def replays(pairs: object) -> Fault | None:
    """Stands for the rules: what an officer signed must be signed by the key beside it."""
    for entry, text in pairs:  # type: ignore[attr-defined]
        said = json.loads(text or "{}")
        if "signature" in said and not verified(said["key"], said["signature"], b"promote"):
            return Fault(entry.number, "a signature that does not fit", "that of the officer")
    return None


def members_of(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as z:
        return {info.filename: z.read(info) for info in z.infolist()}


def where(found: Verified) -> list[str]:
    return [broken.where for broken in found.findings]


def test_a_pack_is_whole_and_verifies_with_key_and_checkpoint(pack: Path) -> None:
    found = verify_pack(pack, key=public_of(KEY), replay=replays, checkpoints=[checkpoint(rows(), 6)])
    assert found.findings == ()
    assert found.ok
    assert (found.register, found.programme, found.entries, found.removed) == (NAME, "zhejiang", 6, ())
    assert found.signatures == 4  # manifest, two checkpoints inside, one from elsewhere
    assert found.key_fingerprint == fingerprint(public_of(KEY))
    assert found.notes == (
        "Entries 5 to 6 stand behind the last checkpoint in the pack.",
        "'outputs/result.json' is named by entry 2 (assessed).",
    )


def test_without_key_and_checkpoint_it_says_what_it_does_not_prove(pack: Path) -> None:
    found = verify_pack(pack)
    assert found.ok
    said = " ".join(found.notes)
    assert f"not whose it is. Compare its fingerprint with the register's: {fingerprint(public_of(KEY))}" in said
    assert "No checkpoint from elsewhere" in said
    assert "were not replayed" in said


def test_any_zip_tool_reads_it_and_sha256sum_agrees(pack: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(pack) as z:
        assert z.testzip() is None
        assert z.namelist() == sorted(z.namelist())
        assert {info.compress_type for info in z.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in z.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        z.extractall(tmp_path / "out")
    assert (tmp_path / "out/inputs/shared/银行 1.csv").read_bytes() == b"id\n1\n"
    assert (tmp_path / "out/inputs/plan/plan.yaml").read_bytes() == PLAN
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is absent")
    checked = subprocess.run(
        ["sha256sum", "--check", "README.txt"], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == len(members_of(pack)) - 4  # README, metadata, manifest, signature


def test_the_readme_tells_how_openssl_verifies_the_signature(pack: Path, tmp_path: Path) -> None:
    if shutil.which("openssl") is None or shutil.which("bash") is None:
        pytest.skip("openssl or bash is absent")
    with zipfile.ZipFile(pack) as z:
        z.extractall(tmp_path / "out")
    readme = (tmp_path / "out/README.txt").read_text(encoding="utf-8")
    public = readme[readme.index("-----BEGIN") : readme.index("\n\nThe rules")]
    (tmp_path / "out/key.pem").write_text(public + "\n")
    steps = [line.strip() for line in readme.splitlines() if line.startswith("     ")]
    told = subprocess.run(
        ["bash", "-ec", "\n".join(steps)], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    if "rawin" in told.stderr:
        pytest.skip("openssl is older than 3")
    digest = sha256(members_of(pack)[MANIFEST]).hexdigest()
    assert told.stdout.startswith(digest), told
    assert "Verified Successfully" in told.stdout


def test_its_metadata_is_a_flat_crate_that_describes_every_file(pack: Path) -> None:
    inside = members_of(pack)
    said = json.loads(inside["ro-crate-metadata.json"])
    assert said["@context"] == "https://w3id.org/ro/crate/1.2/context"
    graph = {entity["@id"]: entity for entity in said["@graph"]}
    assert len(graph) == len(said["@graph"])
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.2"}
    parts = {part["@id"] for part in graph["./"]["hasPart"]}
    assert len(parts) == len(inside) - 1
    assert "inputs/shared/银行%201.csv" in parts
    assert graph[RESULT]["sha256"] == sha256(RESULT_TEXT).hexdigest()
    assert graph[RESULT]["contentSize"] == str(len(RESULT_TEXT))
    assert graph["./"]["datePublished"] == "2026-11-26T21:04:05Z"
    assert graph["#run"]["@type"] == "CreateAction"
    assert graph[graph["#run"]["instrument"]["@id"]]["version"] == "0.1.0"

    def references(value: object) -> list[str]:
        if isinstance(value, list):
            return [r for one in value for r in references(one)]
        if isinstance(value, dict):
            return (
                [str(value["@id"])] if set(value) == {"@id"} else [r for one in value.values() for r in references(one)]
            )
        return []

    named = {r for entity in graph.values() for r in references(list(entity.values()))}
    assert named - set(graph) == {"https://w3id.org/ro/crate/1.2"}


def test_same_content_makes_same_bytes(pack: Path, tmp_path: Path) -> None:
    again = write_pack(tmp_path / "again.zip", content(), KEY)
    assert again.path.read_bytes() == pack.read_bytes()
    assert again.sha256 == sha256(pack.read_bytes()).hexdigest()
    assert (again.members, again.bytes) == (len(members_of(pack)), pack.stat().st_size)
    later = write_pack(tmp_path / "later.zip", content(made_at="2026-11-26T21:04:06Z"), KEY)
    assert later.sha256 != again.sha256


def test_the_name_of_a_member_is_what_a_pack_may_hold() -> None:
    assert unsafe("inputs/shared/银行 1.csv") == ""
    for name in (
        "",
        "/etc/passwd",
        "../a",
        "a/../b",
        "a//b",
        "./a",
        "C:/a",
        "a\\b",
        "a\nb",
        "a/b ",
        "a/b.",
        "x" * 501,
        "a/",
    ):
        assert unsafe(name), name


def test_of_a_thousand_changed_bytes_each_is_found_in_its_place(pack: Path) -> None:
    whole = pack.read_bytes()
    places = {}
    with zipfile.ZipFile(pack) as z:
        start = z.start_dir
        infos = z.infolist()
        for info, following in zip(infos, [*(i.header_offset for i in infos[1:]), start], strict=True):
            places[info.filename] = range(info.header_offset, following)
    chance = random.Random(984)
    touched = set()
    for _ in range(1000):
        at, bit = chance.randrange(len(whole)), chance.randrange(8)
        changed = bytearray(whole)
        changed[at] ^= 1 << bit
        pack.write_bytes(changed)
        found = verify_pack(pack, replay=replays)
        assert not found.ok, (at, bit)
        name = next((name for name, place in places.items() if at in place), "directory of the zip")
        assert name in found.findings[0].where, (at, bit, name, [str(b) for b in found.findings])
        touched.add(name)
    assert len(touched) > len(places) - 3


def test_every_byte_of_headers_and_directory_matters(pack: Path) -> None:
    whole = pack.read_bytes()
    with zipfile.ZipFile(pack) as z:
        start = z.start_dir
        heads = [(i.filename, k) for i in z.infolist() for k in range(i.header_offset, i.header_offset + 30)]
    for name, at in [*heads, *(("directory of the zip", k) for k in range(start, len(whole)))]:
        changed = bytearray(whole)
        changed[at] ^= 0xFF
        pack.write_bytes(changed)
        found = verify_pack(pack)
        assert not found.ok, (name, at)
        assert name in found.findings[0].where, (name, at, [str(b) for b in found.findings])


def test_a_byte_of_an_entry_names_the_entry_and_its_act(pack: Path) -> None:
    whole = pack.read_bytes()
    pack.write_bytes(
        whole.replace(b'"actor":"wei","at":"2026-11-26T10:00:03', b'"actor":"wey","at":"2026-11-26T10:00:03')
    )
    found = verify_pack(pack)
    assert where(found) == ["'register/entries.jsonl'", "entry 3 (signed of programme:zhejiang)"]
    pack.write_bytes(whole.replace(b"what was done, 4", b"what was done, 5"))
    assert where(verify_pack(pack)) == [
        "'register/payloads.jsonl'",
        "payload of entry 4 (promoted of programme:zhejiang)",
    ]


@pytest.mark.parametrize("cut", [1, 21, 22, 500, 3000])
def test_a_truncated_pack_is_found(pack: Path, cut: int) -> None:
    pack.write_bytes(pack.read_bytes()[:-cut])
    found = verify_pack(pack)
    assert not found.ok
    assert "directory of the zip" in where(found)[-1] or "directory of the zip" in where(found)[0]


def test_what_was_appended_is_found(pack: Path) -> None:
    size = pack.stat().st_size
    pack.write_bytes(pack.read_bytes() + b"\0" * 7)
    found = verify_pack(pack)
    assert [str(b) for b in found.findings] == [
        f"directory of the zip, byte {size:,}: found 7 bytes after the end; expected none"
    ]


def rebuilt(
    pack: Path, change: Callable[[list[tuple[str, bytes]]], None], method: int = zipfile.ZIP_STORED
) -> Verified:
    """The pack as another zip tool would write its changed members."""
    inside = list(members_of(pack).items())
    change(inside)
    with zipfile.ZipFile(pack, "w", method) as z:
        for name, text in inside:
            info = zipfile.ZipInfo(name)
            info.compress_type, info.create_system, info.external_attr = method, 3, 0o100644 << 16
            z.writestr(info, text)
    return verify_pack(pack)


def test_members_in_another_order_are_found(pack: Path) -> None:
    found = rebuilt(pack, lambda inside: inside.reverse())
    assert "expected each name once, in order" in str(found.findings[0])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_found(pack: Path) -> None:
    found = rebuilt(pack, lambda inside: inside.insert(1, inside[0]))
    assert "README.txt" in where(found)[0]
    assert "each name once" in found.findings[0].expected


def test_compressed_members_are_found_and_never_unpacked(pack: Path) -> None:
    bomb = ("outputs/bomb.html", bytes(300_000_000))
    found = rebuilt(pack, lambda inside: inside.insert(8, bomb), zipfile.ZIP_DEFLATED)
    assert not found.ok
    assert "compression method 0x8" in found.findings[0].found
    assert "compression method 0x0" in found.findings[0].expected


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "outputs/../../evil", "C:evil", "a\\..\\evil", "outputs/\u202eevil"]
)
def test_names_that_leave_the_pack_are_found(pack: Path, name: str) -> None:
    found = rebuilt(pack, lambda inside: inside.append((name, b"evil")))
    assert not found.ok
    assert any("a name" in b.found for b in found.findings)


def test_a_folder_and_a_file_of_one_name_are_found(pack: Path) -> None:
    inside = members_of(pack)
    stored(pack, inside | {"readme.TXT": b""})
    assert where(verify_pack(pack))[0] == "'readme.TXT'"
    stored(pack, inside | {"lock.txt/a": b""})
    assert where(verify_pack(pack))[0] == "'lock.txt/a'"


def test_a_zip_that_counts_its_bytes_twice_is_refused(pack: Path) -> None:
    """Records of the directory that all point to one large member."""
    whole = pack.read_bytes()
    with zipfile.ZipFile(pack) as z:
        start, first = z.start_dir, z.infolist()[0]
    record = whole[start : start + 46 + len(first.filename)]
    end = bytearray(whole[-22:])
    end[8:12] = (5000).to_bytes(2, "little") * 2
    end[12:16] = (5000 * len(record)).to_bytes(4, "little")
    pack.write_bytes(whole[:start] + record * 5000 + end)
    found = verify_pack(pack)
    assert not found.ok
    assert "directory of the zip" in where(found)[0]


def test_what_is_no_zip_is_no_pack(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a table, not a zip")
    with pytest.raises(NotAPack, match="found no zip"):
        verify_pack(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(NotAPack, match="found no zip"):
        verify_pack(tmp_path / "a")


def test_a_zip_that_is_no_pack_says_what_is_missing(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as z:
        z.writestr("a.txt", "a")
    found = verify_pack(tmp_path / "a.zip")
    assert not found.ok
    assert "'manifest.json': found no such file; expected this file of a pack" in [str(b) for b in found.findings]


def forged(tmp_path: Path, key: str = STRANGER) -> Path:
    """A pack of other entries, signed and whole in itself."""
    other = rows(5)
    return write_pack(tmp_path / "forged.zip", content(other, key), key).path


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


def stored(pack: Path, inside: dict[str, bytes]) -> None:
    """A zip in the form of packs, of any members."""
    from zlib import crc32

    from poundlock.register.plain_zip import written

    out = io.BytesIO()
    written(out, ((name, len(text), crc32(text), [text]) for name, text in sorted(inside.items())))
    pack.write_bytes(out.getvalue())


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
