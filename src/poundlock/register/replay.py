"""The register replayed from its entries: what they come to, and the first thing that is not as it should be."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from poundlock.register.acts import ERASED, Act, Fold, read
from poundlock.register.rows import Record
from poundlock.rollout.chain import GENESIS, Entry, fault, text_digest
from poundlock.rollout.merkle import EMPTY, Frontier
from poundlock.rollout.refusal import Refused


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that is not as it should be. place: e.g. 'entry 17', 'checkpoint 20', 'state run:3'. number: of an entry, where one is meant.
    found, expected: in words."""

    place: str
    number: int | None
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.place}: found {self.found}; expected {self.expected}"


@dataclass(slots=True)
class Replay:
    """What the entries so far come to. states: by object, its revision and state. due: sizes at which a checkpoint was due.
    roots: by size, where asked for. absent: entries without a payload. erasures: by entry, the entry that tells of its erasure."""

    number: int = 0
    digest: str = GENESIS
    at: str = ""
    frontier: Frontier = EMPTY
    states: dict[str, tuple[int, Any]] = field(default_factory=dict)
    due: set[int] = field(default_factory=set)
    roots: dict[int, str] = field(default_factory=dict)
    absent: set[int] = field(default_factory=set)
    erasures: dict[int, int] = field(default_factory=dict)


def go_on(
    replay: Replay, page: Sequence[Record], fold: Fold, asked: Container[int] = (), without: int = 0
) -> Flaw | None:
    """Replay a page; stops before its first flaw. asked: sizes whose roots are wanted. without: an entry that is taken as if it had no
    payload."""
    try:
        broken = fault((record[0] for record in page), replay.number + 1, replay.digest, replay.at)
    except (TypeError, ValueError):
        broken = None
        if len(page) == 1:  # bytes that are no text, a number where text should be
            return Flaw(f"entry {replay.number + 1}", replay.number + 1, "damaged content", "what was written")
        return next((flaw for record in page if (flaw := go_on(replay, [record], fold, asked, without))), None)
    for record in page:
        if broken is not None and replay.number + 1 == broken.number:
            return Flaw(f"entry {broken.number}", broken.number, broken.found, broken.expected)
        flaw = _stepped(replay, record, fold, without)
        if flaw is not None:
            return flaw
        if replay.number in asked:
            replay.roots[replay.number] = replay.frontier.root().hex()
    return None


def _stepped(replay: Replay, record: Record, fold: Fold, without: int) -> Flaw | None:
    entry, text, salt = record
    number, object = entry.number, entry.object
    flaw = _payload_flaw(entry, text, salt)
    if flaw is not None:
        return flaw
    if text is None or number == without:
        replay.absent.add(number)
        text = None
    revision, old = replay.states.get(object, (0, None))
    if entry.revision != revision + 1:
        return _flaw(number, f"revision {entry.revision} of {object}", f"{revision + 1}")
    states: dict[str, Any] = {object: old}
    for other in fold.reads(object):
        states[other] = replay.states.get(other, (0, None))[1]
    try:
        act = Act(entry.actor, entry.role, entry.act, object, None if text is None else read(text), text or "")
        new = fold.step(states, act, number, entry.at)
        if number == 1 or fold.checkpoints(act):
            replay.due.add(number)
    except Refused as refused:
        return _flaw(number, f"an act against the rules{_bare(text)} ({refused})", "one that they allow")
    except Exception as error:  # an audit ends with a finding, whatever a forged payload does to the rules
        return _flaw(number, f"an act{_bare(text)} that no state comes of ({error!r})", "one that the rules know")
    if number > 1 and entry.at[:10] > replay.at[:10]:
        replay.due.add(number - 1)
    if entry.act == ERASED:
        replay.erasures[erased_number(object)] = number
    replay.states[object] = revision + 1, new
    replay.frontier = replay.frontier.appended(bytes.fromhex(entry.digest))
    replay.number, replay.digest, replay.at = number, entry.digest, entry.at
    return None


def texts(replay: Replay, fold: Fold) -> dict[str, tuple[int, str]]:
    """Revision and text of every state that the entries come to."""
    return {object: (revision, fold.text(state)) for object, (revision, state) in replay.states.items()}


def erased_number(object: str) -> int:
    """Number of the entry whose payload an act removes; 0 where the object names none."""
    digits = object.removeprefix("entry:")
    return int(digits) if object.startswith("entry:") and digits.isascii() and digits.isdigit() else 0


def _payload_flaw(entry: Entry, text: str | None, salt: str) -> Flaw | None:
    if text is None:
        return None
    try:
        found = text_digest(text, salt) if salt == salt.lower() else ""
    except (TypeError, ValueError, AttributeError):
        found = ""
    return (
        None
        if found == entry.payload
        else _flaw(entry.number, "a payload or salt that was changed", "that of its digest")
    )


def _bare(text: str | None) -> str:
    return " without its payload" if text is None else ""


def _flaw(number: int, found: str, expected: str) -> Flaw:
    return Flaw(f"entry {number}", number, found, expected)
