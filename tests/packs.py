"""Evidence packs for tests: a chain with signatures, and packs that were made or changed by hand."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from poundlock.register.pack import PackContent, write_pack
from poundlock.register.verify import Verified, verify_pack
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import GENESIS, Entry, Fault, payload_digest, sealed
from poundlock.rollout.merkle import root
from poundlock.rollout.signing import (
    Checkpoint,
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


def forged(tmp_path: Path, key: str = STRANGER) -> Path:
    """A pack of other entries, signed and whole in itself."""
    other = rows(5)
    return write_pack(tmp_path / "forged.zip", content(other, key), key).path


def stored(pack: Path, inside: dict[str, bytes]) -> None:
    """A zip in the form of packs, of any members."""
    from zlib import crc32

    from poundlock.register.plain_zip import written

    out = io.BytesIO()
    written(out, ((name, len(text), crc32(text), [text]) for name, text in sorted(inside.items())))
    pack.write_bytes(out.getvalue())
