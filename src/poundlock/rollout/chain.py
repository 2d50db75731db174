"""The chain of entries: each holds the digest of the one before it, so that no entry can be changed, moved or left out unseen.

A payload stands apart from its entry, which holds its salted digest: personal data can be removed and the chain still holds, and
nobody can guess a removed payload from its digest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Final

from poundlock.rollout.canonical import Json, canonical

GENESIS: Final = "0" * 64
"""What the first entry holds in place of a digest before it."""
SALT_BYTES: Final = 16
ERASED: Final = "erased"
"""Name of the act that removes the payload of an entry. Its object is `entry:` and the number of that entry."""
_ENTRY: Final = b"poundlock entry 1\n"
_PAYLOAD: Final = b"poundlock payload 1\n"
_TEXT: Final = {str}
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z").fullmatch
_quoted = encode_basestring  # JSON text of a string, not escaped beyond need: that of RFC 8785


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. number: from 1, without gaps. at: UTC, as 2026-11-26T21:04:05.123456Z. actor, role: who, and as what.
    act: name of what was done. object: to what, e.g. programme:zhejiang. revision: how often that object was changed, this time included.
    payload: salted digest of what was done in detail. previous: digest of the entry before. digest: of all of this; hexadecimal SHA-256.
    """

    number: int
    at: str
    actor: str
    role: str
    act: str
    object: str
    revision: int
    payload: str
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that is not what it was. number: of that entry. found, expected: in words."""

    number: int
    found: str
    expected: str

    def __str__(self) -> str:
        return f"entry {self.number}: found {self.found}; expected {self.expected}"


def payload_digest(payload: Json, salt: str) -> str:
    """Salted SHA-256 of a payload. salt: 16 random bytes, hexadecimal."""
    return text_digest(canonical(payload).decode(), salt)


def text_digest(text: str, salt: str) -> str:
    """The same from the payload's canonical text. Raises ValueError for a salt of another length: the text's beginning could pass for its end."""
    raw = bytes.fromhex(salt)
    if len(raw) != SALT_BYTES:
        raise ValueError(f"found a salt of {len(raw)} bytes; expected {SALT_BYTES}")
    return hashlib.sha256(_PAYLOAD + raw + text.encode()).hexdigest()


def entry_digest(
    number: int, at: str, actor: str, role: str, act: str, object: str, revision: int, payload: str, previous: str
) -> str:
    """SHA-256 over the canonical JSON of an entry without its digest."""
    # the keys stand in canonical order, and integers and strings have one text each: this is RFC 8785 (tested against `canonical`)
    text = (
        f'{{"act":{_quoted(act)},"actor":{_quoted(actor)},"at":{_quoted(at)},"number":{number},"object":{_quoted(object)},'
        f'"payload":{_quoted(payload)},"previous":{_quoted(previous)},"revision":{revision},"role":{_quoted(role)}}}'
    )
    return hashlib.sha256(_ENTRY + text.encode()).hexdigest()


def sealed(
    number: int, at: str, actor: str, role: str, act: str, object: str, revision: int, payload: str, previous: str
) -> Entry:
    """An entry with its digest."""
    digest = entry_digest(number, at, actor, role, act, object, revision, payload, previous)
    return Entry(number, at, actor, role, act, object, revision, payload, previous, digest)


def fault(entries: Iterable[Entry], number: int = 1, previous: str = GENESIS, at: str = "") -> Fault | None:
    """The first entry that breaks the chain, or None. number, previous: what the first entry given should hold. at: no entry is earlier."""
    for e in entries:
        if (odd := _unlike_an_entry(e)) is not None:
            return Fault(number, *odd)
        if e.number != number:
            return Fault(number, f"number {e.number}", f"number {number}: an entry is missing or was moved")
        if e.previous != previous:
            return Fault(
                number, f"previous digest {_short(e.previous)}", f"{_short(previous)}, that of the entry before"
            )
        found = entry_digest(e.number, e.at, e.actor, e.role, e.act, e.object, e.revision, e.payload, e.previous)
        if e.digest != found:
            return Fault(number, f"digest {_short(e.digest)}", f"{_short(found)}, that of its content")
        if e.at < at:
            return Fault(number, f"time {e.at}", f"no time before {at}, that of the entry before")
        number, previous, at = number + 1, e.digest, e.at
    return None


def _unlike_an_entry(e: Entry) -> tuple[str, str] | None:
    """What no entry has, found and expected: read from a file, true passes for 1, and times compare as text in one form only."""
    texts = (e.at, e.actor, e.role, e.act, e.object, e.payload, e.previous, e.digest)
    if type(e.number) is not int or type(e.revision) is not int or set(map(type, texts)) != _TEXT:
        return "a field of another type", "whole numbers for number and revision, text for all else"
    if not _MOMENT(e.at):
        return f"time {e.at!r}", "a time such as 2026-11-26T21:04:05.123456Z"
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return "text with a lone surrogate", "text that has UTF-8"
    return None


def _short(digest: str) -> str:
    return f"{digest[:12]}..." if len(digest) > 15 else repr(digest)
