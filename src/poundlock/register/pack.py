"""Write an evidence pack: what a run read and wrote, the register that it stands in, and the signatures, in one zip that anybody can verify."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from zlib import crc32

from poundlock.register.crate import crate_text, readme_text
from poundlock.register.log_lines import entry_line, payload_line
from poundlock.register.members import (
    CHECKPOINTS,
    CRATE,
    DECISIONS,
    ENTRIES,
    ENVIRONMENT,
    KEYS,
    LOCK,
    MANIFEST,
    PAYLOADS,
    README,
    SIGNATURE,
    Input,
    Listed,
    Manifest,
    input_members,
    keys_text,
    manifest_text,
    result_inputs,
    signature_origin,
)
from poundlock.register.plain_zip import CHUNK, LARGEST_ZIP, MOST_MEMBERS, clashes, total_size, unsafe, written
from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.chain import Entry
from poundlock.rollout.signing import Checkpoint, fingerprint, opened_checkpoint, public_of, signed_checkpoint
from poundlock.version import VERSION

_OTHER_LETTERS: Final = re.compile(r"[-_.]+")
_REQUIREMENT: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)(.*)", re.DOTALL)


@dataclass(frozen=True)
class PackContent:
    """What goes into a pack. public: key of the register, base64. programme: '' for the whole register. entries: all from 1, each with its
    payload's text (None where it was removed or is left out) and salt. checkpoints: signed notes. decisions: for reading. inputs: by the names
    that the run gives them; those that are left out stand with their digests. outputs: result.json and report.html. environment: see
    `result_environment`. made_at: ISO 8601, UTC. licence: an address, or words. lock: as `lock_text` was when the run was made; None: as it is now."""

    register: str
    public: str
    programme: str
    entries: Iterable[tuple[Entry, str | None, str]]
    checkpoints: Sequence[str]
    decisions: Json
    inputs: Mapping[str, Path | bytes]
    outputs: Mapping[str, bytes]
    environment: Mapping[str, Json]
    made_at: str
    licence: str = ""
    lock: str | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """What was written. sha256: of the whole zip. members: how many. bytes: its size."""

    path: Path
    sha256: str
    members: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Kept:
    """A content, measured. source: bytes, or a file that holds them."""

    source: Path | bytes
    size: int
    crc: int
    sha256: str


def write_pack(path: Path, content: PackContent, private_pem: str, *, replace: bool = False) -> Packed:
    """Write a pack, whole or not at all. private_pem: key of the register. replace: an existing file; without it FileExistsError is raised.

    Raises ValueError for contents that contradict each other: another key, an input that is not the one the run read, names that no pack can hold.
    """
    if public_of(private_pem) != content.public:
        raise ValueError("found a private key that is not the register's; expected the one that signs its checkpoints")
    datetime.fromisoformat(content.made_at)
    if path.exists() and not replace:
        raise FileExistsError(17, "there is a file of this name", str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        kept = _signed(_gathered(content, Path(folder)), content, private_pem)
        return _zipped(path, Path(folder) / "pack.zip", kept, replace)


def lock_text(package: str = "poundlock") -> str:
    """The installed distributions that a package depends on, itself included: sorted lines of name==version."""
    found: dict[str, str] = {}
    waiting = [package]
    while waiting:
        name = _OTHER_LETTERS.sub("-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # asked for on other systems, or by an older Python
            continue
        found[name] = VERSION if name == "poundlock" else distribution.version
        asked = [match for text in distribution.requires or () if (match := _REQUIREMENT.match(text))]
        waiting.extend(match[1] for match in asked if "extra ==" not in match[2])
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def _gathered(content: PackContent, folder: Path) -> tuple[dict[str, _Kept], tuple[Input, ...], int]:
    """Every member that comes from outside, the inputs, and the number of entries."""
    count = _spooled(content, folder)
    kept = {name: _measured(folder / Path(name).name) for name in (ENTRIES, PAYLOADS)}
    for note in content.checkpoints:
        size = opened_checkpoint(note, content.register, content.public).size
        kept[f"{CHECKPOINTS}{size:010}.txt"] = _measured(note.encode())
    inputs = _inputs(content, kept)
    kept |= {f"outputs/{name}": _measured(output) for name, output in content.outputs.items()}
    lock = lock_text() if content.lock is None else content.lock
    public = content.public
    kept[LOCK] = _measured(lock.encode())
    kept[DECISIONS] = _measured(canonical(content.decisions) + b"\n")
    kept[ENVIRONMENT] = _measured(canonical(content.environment) + b"\n")
    kept[KEYS] = _measured(keys_text(content.register, public, fingerprint(public)))
    return kept, inputs, count


def _spooled(content: PackContent, folder: Path) -> int:
    """Entries and payloads into two files, one walk for both."""
    count = 0
    with (folder / Path(ENTRIES).name).open("wb") as entries, (folder / Path(PAYLOADS).name).open("wb") as payloads:
        for entry, text, salt in content.entries:
            entries.write(entry_line(entry))
            payloads.write(payload_line(entry.number, text, salt))
            count += 1
    return count


def _inputs(content: PackContent, kept: dict[str, _Kept]) -> tuple[Input, ...]:
    """The inputs with their places; those that are given are added to what is kept."""
    told = result_inputs(content.outputs.get("result.json"))
    places = input_members((*told, *content.inputs))
    for name, source in content.inputs.items():
        kept[places[name]] = one = _measured(source)
        if told.get(name, one.sha256) != one.sha256:
            raise ValueError(
                f"found input {name} with SHA-256 {one.sha256[:12]}...; expected {told[name][:12]}..., which result.json was made from. Cure: give the file of that run."
            )
    digests = told | {name: kept[places[name]].sha256 for name in content.inputs}
    return tuple(Input(n, places[n] if n in content.inputs else None, digests[n]) for n in sorted(digests))


def _signed(
    gathered: tuple[dict[str, _Kept], tuple[Input, ...], int], content: PackContent, private_pem: str
) -> dict[str, _Kept]:
    """All members: README and metadata, the manifest of all these, and its signature."""
    kept, inputs, count = gathered
    register, programme, made_at, public = content.register, content.programme, content.made_at, content.public
    digests = {name: one.sha256 for name, one in kept.items()}
    kept[README] = _measured(readme_text(register, programme, made_at, public, fingerprint(public), digests))
    version = str(content.environment.get("poundlock", VERSION))
    crate = crate_text(register, programme, made_at, content.licence, version, _listed(kept), inputs)
    kept[CRATE] = _measured(crate)
    manifest = Manifest(register, programme, made_at, public, count, _listed(kept), inputs)
    kept[MANIFEST] = one = _measured(manifest_text(manifest))
    note = signed_checkpoint(Checkpoint(signature_origin(register), count, one.sha256), register, private_pem)
    kept[SIGNATURE] = _measured(note.encode())
    return kept


def _listed(kept: Mapping[str, _Kept]) -> tuple[Listed, ...]:
    return tuple(Listed(name, one.size, one.sha256) for name, one in sorted(kept.items()))


def _measured(source: Path | bytes) -> _Kept:
    size, crc, digest = 0, 0, hashlib.sha256()
    for chunk in _chunks(source):
        size, crc = size + len(chunk), crc32(chunk, crc)
        digest.update(chunk)
    return _Kept(source, size, crc, digest.hexdigest())


def _chunks(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            yield chunk


def _zipped(path: Path, partial: Path, kept: Mapping[str, _Kept], replace: bool) -> Packed:
    names = sorted(kept)
    for name in names:
        if why := unsafe(name):
            raise ValueError(f"found {why}: {name!r}; expected a plain name. Cure: rename the file.")
    if clash := clashes(names):
        raise ValueError(
            f"found {clash!r}, which differs from another name by capitals only or is also a folder. Cure: rename it."
        )
    total = total_size((name, kept[name].size) for name in names)
    if total > LARGEST_ZIP or len(names) > MOST_MEMBERS:
        raise ValueError(
            f"found {len(names):,} files of {total:,} bytes; expected at most {MOST_MEMBERS:,} and {LARGEST_ZIP:,} bytes. Cure: leave the inputs out."
        )
    with partial.open("wb") as stream:
        written(stream, ((n, kept[n].size, kept[n].crc, _chunks(kept[n].source)) for n in names))
        stream.flush()
        os.fsync(stream.fileno())
    digest = _measured(partial).sha256
    if replace:
        os.replace(partial, path)
    else:
        _moved_where_none_is(partial, path)
    return Packed(path, digest, len(names), total)


def _moved_where_none_is(partial: Path, path: Path) -> None:
    """To its place, in one step that fails where somebody else took the name meanwhile."""
    try:
        os.link(partial, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        path.open("xb").close()
        os.replace(partial, path)
