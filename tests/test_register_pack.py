"""Evidence packs: what is in one, and that every byte of it counts."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from packs import (
    KEY,
    NAME,
    PLAN,
    RESULT_TEXT,
    checkpoint,
    content,
    members_of,
    rebuilt,
    replays,
    rows,
    stored,
    where,
)
from poundlock.register.members import MANIFEST, RESULT
from poundlock.register.opened import NotAPack
from poundlock.register.pack import write_pack
from poundlock.register.plain_zip import unsafe
from poundlock.register.verify import verify_pack
from poundlock.rollout.signing import (
    fingerprint,
    public_of,
)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack.zip", content(), KEY).path


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
