"""Signatures (Ed25519, RFC 8032) and signed checkpoints of a log (C2SP signed-note and tlog-checkpoint), which other tools verify too."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
ROOT_BYTES: Final = 32
MOST_SIGNATURES: Final = 100
"""Signature lines that a note may have."""
_PRIME: Final = 2**255 - 19
_OF_ORDER_8: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_OF_SMALL_ORDER: Final = frozenset({0, 1, _PRIME - 1, _OF_ORDER_8, _PRIME - _OF_ORDER_8})
_SIZE: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log commits to. origin: name of the log. size: number of its entries. root: of their Merkle tree, hexadecimal. extensions: further lines."""

    origin: str
    size: int
    root: str
    extensions: tuple[str, ...] = ()


def new_key() -> str:
    """A new private key: PKCS 8 in PEM, not encrypted. The file that holds it must be readable by its owner only."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
    )  # fmt: skip


def public_of(private_pem: str) -> str:
    """Public key of a private one: 32 bytes in base64. Raises ValueError where it is no Ed25519 key."""
    return _base64(_private(private_pem).public_key().public_bytes_raw())


def fingerprint(public: str) -> str:
    """What two people read to each other to know that they hold the same key. Raises ValueError where it is no public key."""
    digest = hashlib.sha256(_key_bytes(public)).hexdigest()
    return " ".join(digest[at : at + 4] for at in range(0, 16, 4))


def signature(private_pem: str, data: bytes) -> str:
    """Signature of the bytes: 64 bytes in base64. Raises ValueError where it is no Ed25519 key."""
    return _base64(_private(private_pem).sign(data))


def verified(public: str, signature: str, data: bytes) -> bool:
    """Whether the key signed these bytes. False for anything malformed."""
    try:
        key, signed = _key_bytes(public), _bytes(signature, SIGNATURE_BYTES, "signature")
    except ValueError:
        return False
    return isinstance(data, bytes) and _signed_by(key, signed, data)


def signed_checkpoint(checkpoint: Checkpoint, name: str, private_pem: str) -> str:
    """Text of the signed note. name: of the key. Raises ValueError for what no note can hold."""
    if not _is_name(name):
        raise ValueError(f"found key name {name!r}; expected a word without spaces and without '+'")
    lines = (checkpoint.origin, *checkpoint.extensions)
    for line in lines:
        if not line or "\n" in line or _CONTROL.search(line) or not _has_utf8(line):
            raise ValueError(f"found line {line!r}; expected text without control characters and line ends")
    if type(checkpoint.size) is not int or not _SIZE.fullmatch(str(checkpoint.size)):
        raise ValueError(f"found size {checkpoint.size!r}; expected a whole number, 0 or more, of at most 19 digits")
    if not re.fullmatch(r"[0-9a-f]{64}", checkpoint.root):
        raise ValueError(f"found root {checkpoint.root[:70]!r}; expected 64 hexadecimal digits in lower case")
    root = _base64(bytes.fromhex(checkpoint.root))
    body = "".join(f"{line}\n" for line in (checkpoint.origin, checkpoint.size, root, *checkpoint.extensions))
    key = _private(private_pem)
    signed = key_id(name, _base64(key.public_key().public_bytes_raw())) + key.sign(body.encode())
    return f"{body}\n— {name} {_base64(signed)}\n"


def opened_checkpoint(text: str, name: str, public: str) -> Checkpoint:
    """The checkpoint of a note that the key signed under this name. Raises ValueError that says what is wrong."""
    known = key_id(name, public)
    if not _has_utf8(text) or _CONTROL.search(text):
        raise ValueError(
            "found control characters or no UTF-8 in the note; expected plain text: fetch it again, as it was"
        )
    start, blank, end = text.rpartition("\n\n")
    if not blank or not end.endswith("\n"):
        raise ValueError(
            "found no signature lines; expected text, an empty line, signature lines: fetch the whole note"
        )
    body = f"{start}\n"
    signatures = [s for who, which, s in _signatures(end) if (who, which) == (name, known)]
    if not signatures:
        raise ValueError(
            f"found no signature of {name} with key {fingerprint(public)}; expected one: is it another key's note?"
        )
    if not all(len(s) == SIGNATURE_BYTES and _signed_by(_key_bytes(public), s, body.encode()) for s in signatures):
        raise ValueError(
            f"found a signature of {name} that does not fit the text; expected that of key {fingerprint(public)}"
        )
    return _checkpoint(start.split("\n"))


def key_id(name: str, public: str) -> bytes:
    """The four bytes that say which key of this name signed (signed-note, Ed25519). Raises ValueError where it is no public key."""
    return hashlib.sha256(name.encode("utf-8", "replace") + b"\n\x01" + _key_bytes(public)).digest()[:4]


def _signatures(lines: str) -> Iterable[tuple[str, bytes, bytes]]:
    """Name, key id and signature of each line."""
    found = lines[:-1].split("\n")
    if len(found) > MOST_SIGNATURES:
        raise ValueError(f"found {len(found)} signature lines; expected at most {MOST_SIGNATURES}")
    for line in found:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash != "—" or not _is_name(name):
            raise ValueError(f"found signature line {line[:80]!r}; expected a dash (—), the key's name, base64")
        signed = _bytes(encoded, None, "signature line")
        if len(signed) < 5:
            raise ValueError(
                f"found a signature of {name} of {len(signed)} bytes; expected 4 for the key and the signature"
            )
        yield name, signed[:4], signed[4:]


def _checkpoint(lines: list[str]) -> Checkpoint:
    if len(lines) < 3 or not all(lines):
        raise ValueError("found fewer than three lines or an empty one; expected a checkpoint: origin, size, root")
    if not _SIZE.fullmatch(lines[1]):
        raise ValueError(f"found size {lines[1][:40]!r}; expected a whole number without leading zeros")
    return Checkpoint(lines[0], int(lines[1]), _bytes(lines[2], ROOT_BYTES, "root").hex(), tuple(lines[3:]))


def _private(pem: str) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem.encode("utf-8", "replace"), None)
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        # what the library says may quote the text, and the text is a secret
        raise ValueError("found no readable private key; expected Ed25519 in PEM (PKCS 8), not encrypted") from None
    if not isinstance(key, Ed25519PrivateKey):
        kind = type(key).__name__.lstrip("_").removesuffix("PrivateKey")
        raise ValueError(f"found a private key of kind {kind}; expected Ed25519: make a new key")
    return key


def _key_bytes(public: str) -> bytes:
    """Raw public key. A key of small order is none: it has signatures that fit every text, so that they bind nobody."""
    raw = _bytes(public, KEY_BYTES, "public key")
    if (int.from_bytes(raw, "little") & (1 << 255) - 1) % _PRIME in _OF_SMALL_ORDER:
        raise ValueError("found a public key of small order, whose signatures bind nobody; expected another key")
    return raw


def _signed_by(key: bytes, signed: bytes, data: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str, count: int | None, what: str) -> bytes:
    """Bytes of base64. Text that other text would stand for as well is refused, so that no character can be changed unseen."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raw = None
    if raw is None or _base64(raw) != text or (count is not None and len(raw) != count):
        found = repr(text[:60]) if isinstance(text, str) else f"of type {type(text).__name__}"
        if isinstance(text, str) and "PRIVATE" in text:
            found = "that is a private key (it is not shown)"
        raise ValueError(f"found {what} {found}; expected base64{'' if count is None else f' of {count} bytes'}")
    return raw


def _is_name(name: str) -> bool:
    return bool(name) and _has_utf8(name) and not re.search(r"[\s+\x00-\x1f]", name)


def _has_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
