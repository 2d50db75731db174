"""The metadata of an evidence pack as an RO-Crate 1.2, and its README: what every file is, for programs and for people."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

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
)

SPECIFICATION: Final = "https://w3id.org/ro/crate/1.2"
PROJECT: Final = "urn:software:poundlock"
NO_LICENCE: Final = "Not stated: ask the authority that keeps the register."
_DER_OF_ED25519: Final = bytes.fromhex("302a300506032b6570032100")
_FORMATS: Final = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".html": "text/html",
    ".csv": "text/csv",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
    ".txt": "text/plain",
    ".sig": "text/plain",
    ".md": "text/markdown",
}
_NAMES: Final = {
    README: "What this pack is, and how to verify it",
    DECISIONS: "The decisions, with what was signed and by whom",
    ENTRIES: "Every entry of the register from the first, one a line",
    ENVIRONMENT: "Versions, seed and number of scenarios of the run",
    KEYS: "The key that signs checkpoints and packs",
    LOCK: "The packages that the run was made with",
    MANIFEST: "Digest of every other file",
    PAYLOADS: "What was done in detail, one payload a line",
    SIGNATURE: "Signed note over the manifest",
}
_FOLDERS: Final = {
    "inputs/": "An input of the run",
    "outputs/": "What the run wrote",
    CHECKPOINTS: "Signed note on the register as it was",
}


def crate_text(
    register: str,
    programme: str,
    made_at: str,
    licence: str,
    version: str,
    files: Sequence[Listed],
    inputs: Sequence[Input],
) -> bytes:
    """ro-crate-metadata.json. version: of the Poundlock that made the run. files: those that the manifest lists beside this one."""
    of = f"programme {programme} of the register {register}" if programme else f"the register {register}"
    parts = [*files, *(Listed(name, 0, "") for name in (MANIFEST, SIGNATURE))]
    graph = [
        {"@id": CRATE, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": SPECIFICATION}},
        {
            "@id": "./",
            "@type": "Dataset",
            "name": f"Evidence pack of {of}",
            "description": f"Inputs, outputs, entries and signatures of {of}. README.txt says how to verify them.",
            "datePublished": made_at,
            "license": {"@id": licence} if _is_address(licence) else licence or NO_LICENCE,
            "hasPart": [{"@id": _id(f.name)} for f in parts],
            "author": {"@id": "#register"},
            "publisher": {"@id": "#register"},
        }
        | ({"mentions": {"@id": "#run"}} if any(f.name.startswith("outputs/") for f in files) else {}),
        {"@id": "#register", "@type": "Organization", "name": register},
        *([{"@id": licence, "@type": "CreativeWork", "name": licence}] if _is_address(licence) else []),
        *_run(version, files, inputs),
        *(_file(f) for f in parts),
    ]
    said = {"@context": f"{SPECIFICATION}/context", "@graph": graph}
    return (json.dumps(said, indent=1, ensure_ascii=False) + "\n").encode()


def _run(version: str, files: Sequence[Listed], inputs: Sequence[Input]) -> list[dict[str, Any]]:
    """The action that made the outputs from the inputs."""
    outputs = [{"@id": _id(f.name)} for f in files if f.name.startswith("outputs/")]
    if not outputs:
        return []
    absent = [i for i in inputs if i.member is None]
    return [
        {
            "@id": "#run",
            "@type": "CreateAction",
            "name": "Run of the plan",
            "instrument": {"@id": "#poundlock"},
            "agent": {"@id": "#register"},
            "object": _one_or_all([{"@id": _id(i.member) if i.member else _absent(i)} for i in inputs]),
            "result": _one_or_all(outputs),
        },
        {
            "@id": "#poundlock",
            "@type": "SoftwareApplication",
            "name": f"Poundlock {version}",
            "version": version,
            "url": PROJECT,
            "softwareRequirements": {"@id": LOCK},
        },
        *(
            {
                "@id": _absent(i),
                "@type": "CreativeWork",
                "name": i.name,
                "description": "An input that is not in the pack; its SHA-256 is its identifier.",
                "identifier": f"sha256:{i.sha256}",
            }
            for i in absent
        ),
    ]


def _id(name: str) -> str:
    """A path as the crate names it: what no address may hold is escaped, other letters stay."""
    return "".join(quote(c) if c.isascii() else c for c in name)


def _absent(i: Input) -> str:
    return f"#absent/{_id(i.name)}"


def _file(f: Listed) -> dict[str, Any]:
    ending = f.name[f.name.rfind(".") :]
    folder = next((words for start, words in _FOLDERS.items() if f.name.startswith(start)), f.name)
    said: dict[str, Any] = {
        "@id": _id(f.name),
        "@type": "File",
        "name": f.name,
        "description": _NAMES.get(f.name, folder),
    }
    said["encodingFormat"] = _FORMATS.get(ending, "application/octet-stream")
    return said | ({"contentSize": str(f.bytes), "sha256": f.sha256} if f.sha256 else {})


def _one_or_all(parts: list[dict[str, str]]) -> list[dict[str, str]] | dict[str, str]:
    return parts[0] if len(parts) == 1 else parts


def _is_address(licence: str) -> bool:
    return licence.startswith(("https://", "http://"))


def readme_text(
    register: str, programme: str, made_at: str, public: str, fingerprint: str, sha256: Mapping[str, str]
) -> bytes:
    """README.txt. sha256: of the files that it lists by name, so that `sha256sum --check README.txt` finds them."""
    pem = base64.b64encode(_DER_OF_ED25519 + base64.b64decode(public)).decode()
    lines = "\n".join(f"{digest}  {name}" for name, digest in sorted(sha256.items()))
    return _README.format(
        register=register,
        of=f"programme {programme}" if programme else "the whole register",
        made_at=made_at,
        fingerprint=fingerprint,
        pem=pem,
        lines=lines,
    ).encode()


_README: Final = """\
Evidence pack of the register {register}: {of}, made at {made_at}

What it is
  The inputs and outputs of a run, every entry of the register from the first, and the signatures under them, so that
  you can prove on your own machine that nothing was changed. It is an RO-Crate 1.2 (ro-crate-metadata.json).

With Poundlock
  poundlock verify PACK.zip --key KEY --checkpoint NOTE.txt
  poundlock reproduce PACK.zip
  KEY and NOTE.txt must come to you by another way than this pack: the key of the register has the fingerprint
    {fingerprint}
  and a checkpoint that you kept shows that no entry was left out since.

Without Poundlock
  1. sha256sum --check README.txt       (lines that are no digests are passed over)
  2. sha256sum manifest.json            must be the third line of manifest.sig, which has it in base64:
     sed -n 3p manifest.sig | base64 -d | od -An -tx1 | tr -d ' \\n'
  3. the signature of manifest.sig, by OpenSSL 3, with the key below as key.pem:
     head -n 3 manifest.sig > note; tail -n 1 manifest.sig | cut -d' ' -f3 | base64 -d | tail -c 64 > signature
     openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in note -sigfile signature
  Checkpoints are signed notes of the same form (C2SP signed-note and tlog-checkpoint).

-----BEGIN PUBLIC KEY-----
{pem}
-----END PUBLIC KEY-----

The rules of the digests (SHA-256, hexadecimal; JSON is canonical by RFC 8785)
  1. manifest.json lists every other file but manifest.sig, each with its size and digest.
  2. A line of register/entries.jsonl is an entry. Its "digest" is that of the text "poundlock entry 1", a line end, and
     the canonical JSON of the entry without "digest".
  3. Its "previous" is the digest of the entry before; of entry 1, 64 zeros. Numbers have no gap.
  4. Its "payload" is the digest of the text "poundlock payload 1", a line end, the 16 bytes of the salt, and the payload's
     text, both from the line of the same number in register/payloads.jsonl; null there was removed or left out.
  5. A checkpoint has the name of the register, the number n of entries, and in base64 the root of their Merkle tree by
     RFC 9162, section 2.1.1, over the first n entries.
  6. A leaf of the tree is the 32 bytes of an entry's digest.
  7. What people signed, and with which key, stands in the payloads; decisions.json repeats it for reading.
  8. Every input of the run stands in outputs/result.json under provenance, with its digest.
  9. The zip itself has one form: members in order, stored, dated 1980-01-01; equal contents make equal bytes.

Digests of the files
{lines}
"""
