"""Entries and payloads as lines of JSON, one each, as they stand in an evidence pack."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Final

from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.chain import SALT_BYTES, Entry

LONGEST_LINE: Final = 64 << 20
_TYPES: Final = {field.name: int if field.type == "int" else str for field in fields(Entry)}
_KEYS: Final = sorted(_TYPES)
_ordered = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_SALT: Final = re.compile(f"[0-9a-f]{{{2 * SALT_BYTES}}}")
_PAYLOAD_KEYS: Final = {"number", "payload", "salt"}


def entry_line(entry: Entry) -> bytes:
    """Canonical JSON of an entry, with a line end."""
    # as in `chain`: keys in canonical order, integers and strings alone, so that no walk over the value is needed
    return _ordered({key: getattr(entry, key) for key in _KEYS}).encode() + b"\n"


def payload_line(number: int, text: str | None, salt: str) -> bytes:
    """The same of a payload. Where it was removed its salt goes too: who knows the salt can try guesses against the digest."""
    return canonical({"number": number, "payload": text, "salt": None if text is None else salt}) + b"\n"


def entries_of(chunks: Iterable[bytes]) -> Iterator[Entry]:
    """Entries of lines. Raises ValueError with the line that is none, or not as `entry_line` writes it."""
    for number, line in enumerate(lines(chunks), 1):
        said = _object(line, number)
        if {key: type(value) for key, value in said.items()} != _TYPES:
            raise ValueError(f"line {number}: found {_shown(line)}; expected an entry with {', '.join(_TYPES)}")
        entry = Entry(**said)
        if entry_line(entry) != line + b"\n":
            raise ValueError(f"line {number}: found {_shown(line)}; expected canonical JSON")
        yield entry


def payloads_of(chunks: Iterable[bytes]) -> Iterator[tuple[int, str | None, str]]:
    """Number, text and salt of each payload. Raises ValueError with the line that is none."""
    for number, line in enumerate(lines(chunks), 1):
        said = _object(line, number)
        text, salt = said.get("payload"), said.get("salt")
        whole = isinstance(text, str) and isinstance(salt, str) and _SALT.fullmatch(salt) is not None
        if set(said) != _PAYLOAD_KEYS or type(said["number"]) is not int or not (whole or text is salt is None):
            raise ValueError(f"line {number}: found {_shown(line)}; expected number, payload and salt, or two nulls")
        yield said["number"], text, salt or ""


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Lines without their ends. Raises ValueError for one that is too long, or not ended."""
    kept, count = b"", 0
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        if whole:
            yield kept + whole[0]
            yield from whole[1:]
            count, kept = count + len(whole), rest
        else:
            kept += rest
        if len(kept) > LONGEST_LINE:
            raise ValueError(f"line {count + 1}: found more than {LONGEST_LINE:,} bytes; expected a shorter line")
    if kept:
        raise ValueError(f"line {count + 1}: found no line end; expected one")


def parsed(text: bytes) -> Json:
    """JSON of somebody else's file. Raises ValueError where it is none, whatever is wrong with it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("found JSON nested too deeply; expected a few levels") from None
    except ValueError as error:  # also of bytes that are no UTF-8, and of numbers of thousands of digits
        raise ValueError(f"found no JSON ({error}); expected JSON") from None


def _object(line: bytes, number: int) -> dict[str, Json]:
    try:
        said = parsed(line)
    except ValueError as error:
        raise ValueError(f"line {number}: {error}") from None
    if not isinstance(said, dict):
        raise ValueError(f"line {number}: found {_shown(line)}; expected an object")
    return said


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))
