"""What is in an evidence pack: the names of its files, the manifest that tells of them, and where the inputs of a run stand."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from poundlock.register.log_lines import parsed
from poundlock.rollout.canonical import Json, canonical

FORMAT: Final = "poundlock pack 1"
CRATE: Final = "ro-crate-metadata.json"
DECISIONS: Final = "decisions.json"
ENTRIES: Final = "register/entries.jsonl"
ENVIRONMENT: Final = "environment.json"
KEYS: Final = "register/keys.json"
LOCK: Final = "lock.txt"
MANIFEST: Final = "manifest.json"
PAYLOADS: Final = "register/payloads.jsonl"
README: Final = "README.txt"
RESULT: Final = "outputs/result.json"
SIGNATURE: Final = "manifest.sig"
CHECKPOINTS: Final = "register/checkpoints/"
REQUIRED: Final = (README, DECISIONS, ENVIRONMENT, LOCK, ENTRIES, KEYS, PAYLOADS, CRATE)
"""Beside the manifest and its signature."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A file as the manifest tells of it. bytes: its size. sha256: hexadecimal."""

    name: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the run. name: as the run names it, relative to the plan. member: where it stands in the pack, or None where it was left out."""

    name: str
    member: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the register's key signs. entries: how many. key: public, base64. made_at: as in an entry. programme: '' for the whole register."""

    register: str
    programme: str
    made_at: str
    key: str
    entries: int
    files: tuple[Listed, ...]
    inputs: tuple[Input, ...]


def manifest_text(m: Manifest) -> bytes:
    """Canonical JSON of a manifest."""
    return canonical(
        {
            "format": FORMAT,
            "register": m.register,
            "programme": m.programme,
            "made_at": m.made_at,
            "key": m.key,
            "entries": m.entries,
            "files": [{"name": f.name, "bytes": f.bytes, "sha256": f.sha256} for f in m.files],
            "inputs": [{"name": i.name, "member": i.member, "sha256": i.sha256} for i in m.inputs],
        }
    )


def manifest_of(text: bytes) -> Manifest:
    """The manifest that `text` is. Raises ValueError where it is none."""
    said = parsed(text)
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise ValueError(f"found no '{FORMAT}'; expected a manifest of this format")
    try:
        files = tuple(Listed(f["name"], f["bytes"], f["sha256"]) for f in said["files"])
        inputs = tuple(Input(i["name"], i["member"], i["sha256"]) for i in said["inputs"])
        head = {key: said[key] for key in ("register", "programme", "made_at", "key", "entries")}
        found = Manifest(**head, files=files, inputs=inputs)
        same = manifest_text(found) == text
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            "found keys or values that do not belong in it; expected a manifest as packs have it"
        ) from None
    texts = [
        found.register,
        found.programme,
        found.made_at,
        found.key,
        *(f.name for f in files),
        *(f.sha256 for f in files),
    ]
    texts += [text for i in inputs for text in (i.name, i.sha256, i.member or "")]
    counts = [found.entries, *(f.bytes for f in files)]
    if not (same and all(isinstance(x, str) for x in texts) and all(type(n) is int and n >= 0 for n in counts)):
        raise ValueError("found other keys, another order or white space; expected canonical JSON")
    return found


def signature_origin(register: str) -> str:
    """First line of the signed note over a manifest: never that of a checkpoint of the register itself."""
    return f"{register}/evidence-pack"


def result_inputs(result: bytes | None) -> dict[str, str]:
    """SHA-256 of each input by name, as result.json has them. Raises ValueError where it has none."""
    if result is None:
        return {}
    said = parsed(result)
    try:
        return {str(one["file"]): str(one["sha256"]) for one in said["provenance"]["inputs"]}
    except (KeyError, TypeError):
        raise ValueError("found no provenance with inputs; expected a result.json of `poundlock run`") from None


def result_environment(result: bytes, python: str) -> dict[str, Json]:
    """What environment.json says of a run. python: its version. Seed and scenario count are None for an evaluation alone."""
    said = parsed(result)["provenance"]
    return {
        "python": python,
        "poundlock": said["version"],
        "seed": said.get("seed"),
        "scenarios": said.get("scenarios"),
    }


def input_members(names: Iterable[str]) -> dict[str, str]:
    """Where each input stands in the pack. A name that begins with '..' stays within `inputs/`: the plan then lies deeper."""
    plain = {name: posixpath.normpath(name) for name in names}
    depth = max((name.split("/").count("..") for name in plain.values()), default=0)
    folder = "plan"
    while any(folder in name.split("/") for name in plain.values()):
        folder += "_"
    above = ("inputs", *[folder] * depth)
    return {name: posixpath.normpath(posixpath.join(*above, path)) for name, path in plain.items()}


def keys_text(register: str, public: str, fingerprint: str) -> bytes:
    """keys.json: the key that signs checkpoints and packs."""
    key = {"name": register, "public": public, "fingerprint": fingerprint, "algorithm": "Ed25519"}
    return canonical({"checkpoint": key}) + b"\n"


def key_of(text: bytes) -> tuple[str, str]:
    """Name and public key of keys.json. Raises ValueError where it has none."""
    said = parsed(text)
    key = said.get("checkpoint") if isinstance(said, Mapping) else None
    if not isinstance(key, Mapping) or not all(isinstance(key.get(part), str) for part in ("name", "public")):
        raise ValueError("found no checkpoint key; expected its name and public key")
    return key["name"], key["public"]
