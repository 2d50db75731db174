"""What is kept beside the entries, held against their replay: states, head, checkpoints, files, the guards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import OperationalError

from poundlock.register import guards
from poundlock.register.acts import ERASED, Fold
from poundlock.register.replay import Flaw, Replay, erased_number, go_on, texts
from poundlock.register.rows import pages
from poundlock.rollout.signing import Checkpoint, opened_checkpoint


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. entries, checkpoints, files, removed (payloads): how many there are. flaw: the first, or None.
    unguarded: triggers that are absent or changed, so that the register could be changed from now on; the entries may be sound."""

    entries: int
    checkpoints: int
    files: int
    removed: int
    flaw: Flaw | None
    unguarded: tuple[str, ...] = ()


@dataclass(slots=True)
class Moment:
    """One moment of a register that is being checked. asks: runs a query. held: notes that somebody kept elsewhere."""

    cursor: Any
    vendor: str
    name: str
    public: str
    held: Sequence[str] = ()
    notes: list[tuple[int, str, str]] = field(default_factory=list)

    def ask(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Every row of a query; text that is none comes as it is, for the check to name its entry."""
        try:
            self.cursor.execute(query, values)
            rows: list[Any] = self.cursor.fetchall()
        except OperationalError as error:
            if "decode" not in str(error).lower():
                raise
            self.cursor.connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            self.cursor.execute(query, values)
            rows = self.cursor.fetchall()
        finally:
            if self.vendor == "sqlite":
                self.cursor.connection.text_factory = str
        return rows


def checked(moment: Moment, fold: Fold) -> Checked:
    """Replay every entry, then hold everything else against it."""
    moment.notes = moment.ask("SELECT size, root, note FROM poundlock_checkpoint ORDER BY size")
    held, flaw = _held(moment)
    replay = Replay()
    if flaw is None:
        sizes = {size for size, _, _ in moment.notes} | {size for size, _ in held}
        for page in pages(moment.ask, 1):
            flaw = go_on(replay, page, fold, sizes)
            if flaw is not None:
                flaw = _earlier(moment, replay, flaw)
                break
    if flaw is None:
        replay.states = texts(replay, fold)
        files = [row[0] for row in moment.ask("SELECT digest FROM poundlock_file ORDER BY digest")]
        flaw = next(_flaws(moment, replay, held, files), None)
    else:
        files = []
    unguarded = guards.missing(moment.cursor, moment.vendor)
    return Checked(replay.number, len(moment.notes), len(files), len(replay.absent), flaw, unguarded)


def _held(moment: Moment) -> tuple[list[tuple[int, str]], Flaw | None]:
    """Size and root of each note that was kept elsewhere."""
    found = []
    for place, note in enumerate(moment.held, 1):
        try:
            checkpoint = opened_checkpoint(note, moment.name, moment.public)
        except ValueError as error:
            said = str(error).removeprefix("found ").partition("; expected")[0]
            return [], Flaw(f"note {place} of those given", None, said, f"a checkpoint of {moment.name}")
        found.append((checkpoint.size, checkpoint.root))
    return found, None


def _flaws(moment: Moment, replay: Replay, held: Sequence[tuple[int, str]], files: Sequence[str]) -> Iterator[Flaw]:
    yield from _strays(moment, replay)
    yield from _payloads(moment, replay)
    yield from _checkpoints(moment, replay, held)
    yield from _states(moment, replay)
    yield from _head(moment, replay)
    for digest in files:
        content = moment.ask("SELECT content FROM poundlock_file WHERE digest = %s", (digest,))
        kept = content[0][0] if content else None
        if not isinstance(kept, bytes | memoryview) or hashlib.sha256(kept).hexdigest() != digest:
            yield Flaw(f"file {digest:.12}", None, "other content", "that of its digest")


def _earlier(moment: Moment, replay: Replay, flaw: Flaw) -> Flaw:
    """A payload that is gone and should not be comes before what follows from that; unless the flawed entry may tell of its erasure."""
    claimed = {
        erased_number(row[0]) for row in moment.ask("SELECT object FROM poundlock_entry WHERE act = %s", (ERASED,))
    }
    gone = sorted(replay.absent - claimed)
    there = moment.ask("SELECT act, object FROM poundlock_entry WHERE number = %s", (flaw.number,))
    tells = not there or there[0][0] == ERASED or str(there[0][1]).startswith("entry:")
    return flaw if tells or not gone else _absent(gone[0])


def _absent(number: int) -> Flaw:
    return Flaw(f"entry {number}", number, "no payload", "its payload, as no entry says that it was removed")


def _strays(moment: Moment, replay: Replay) -> Iterator[Flaw]:
    for (number,) in moment.ask("SELECT number FROM poundlock_entry WHERE number < 1"):
        yield Flaw(f"entry {number}", number, "an entry", "none below 1")
    for number, digest in moment.ask("SELECT number, digest FROM poundlock_head WHERE id = 1"):
        if number > replay.number and digest != replay.digest:
            yield Flaw(
                f"entry {replay.number + 1}", replay.number + 1, "none", f"entries up to {number}, as the head says"
            )


def _payloads(moment: Moment, replay: Replay) -> Iterator[Flaw]:
    for number in sorted(replay.absent - replay.erasures.keys()):
        yield _absent(number)
    for number in sorted(replay.erasures.keys() - replay.absent):
        yield Flaw(
            f"entry {number}", number, "a payload", f"none: entry {replay.erasures[number]} says that it was removed"
        )
    strays = moment.ask("SELECT number FROM poundlock_payload WHERE number < 1 OR number > %s", (replay.number,))
    for (number,) in strays:
        yield Flaw(f"payload {number}", None, "a payload", f"none: the last entry is {replay.number}")


def _checkpoints(moment: Moment, replay: Replay, held: Sequence[tuple[int, str]]) -> Iterator[Flaw]:
    for size, root, note in moment.notes:
        place = f"checkpoint {size}"
        try:
            signed = opened_checkpoint(note, moment.name, moment.public)
        except (TypeError, ValueError, AttributeError) as error:
            yield Flaw(place, None, f"a note that does not hold ({error})", "the note that was signed")
            continue
        if (signed.origin, signed.size, signed.root) != (moment.name, size, root):
            yield Flaw(place, None, "a row that differs from its note", "what was signed")
        yield from _root(place, replay, signed)
    for size in sorted(replay.due - {size for size, _, _ in moment.notes}):
        yield Flaw(f"checkpoint {size}", None, "none", "one, which was due after this entry")
    for size, root in held:
        yield from _root(f"note of size {size} that was given", replay, Checkpoint(moment.name, size, root))


def _root(place: str, replay: Replay, signed: Checkpoint) -> Iterator[Flaw]:
    if signed.size > replay.number:
        yield Flaw(place, None, f"entries up to {replay.number}", f"{signed.size}, for so many were signed")
    elif replay.roots.get(signed.size) != signed.root:
        yield Flaw(place, None, "entries of another root", "those that were signed: one up to it was rewritten")


def _states(moment: Moment, replay: Replay) -> Iterator[Flaw]:
    there = {row[0]: (row[1], row[2]) for row in moment.ask("SELECT object, revision, text FROM poundlock_state")}
    for object in sorted(there.keys() | replay.states.keys()):
        if object not in replay.states:
            yield Flaw(f"state {_shown(object)}", None, "a state", "none: no entry is about it")
        elif object not in there:
            yield Flaw(f"state {_shown(object)}", None, "none", "what its entries come to")
        elif there[object] != replay.states[object]:
            yield Flaw(f"state {_shown(object)}", None, "another state", "what its entries come to")


def _head(moment: Moment, replay: Replay) -> Iterator[Flaw]:
    rows = moment.ask("SELECT id, number, digest, at, frontier FROM poundlock_head")
    if rows != [(1, replay.number, replay.digest, replay.at, replay.frontier.text())]:
        yield Flaw("head", None, f"head {rows!r:.100}", f"number {replay.number} and its digest, time and frontier")


def _shown(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
