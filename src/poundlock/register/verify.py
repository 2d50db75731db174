"""Verify an evidence pack without the register that it came from: every byte, digest, link and signature, and that nothing was left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from poundlock.register.members import (
    CHECKPOINTS,
    DECISIONS,
    ENTRIES,
    KEYS,
    MANIFEST,
    RESULT,
    SIGNATURE,
    Manifest,
    key_of,
    result_inputs,
    signature_origin,
)
from poundlock.register.opened import NotAPack, OpenPack, broken_by, opened
from poundlock.register.plain_zip import Broken
from poundlock.register.walk import Acts, Walk, acts, of_entry, walked
from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.chain import Fault
from poundlock.rollout.signing import Checkpoint, fingerprint, opened_checkpoint

__all__ = ["Broken", "NotAPack", "Verified", "verify_pack"]

Replay = Callable[[Acts], Fault | None]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a pack. ok: nothing is broken. notes: what it does not prove. entries: how many there are. removed: numbers of those
    without payload. signatures: how many hold. key: public key that signed, base64. programme: '' for the whole register."""

    ok: bool
    findings: tuple[Broken, ...]
    notes: tuple[str, ...]
    register: str = ""
    programme: str = ""
    made_at: str = ""
    members: int = 0
    entries: int = 0
    removed: tuple[int, ...] = ()
    signatures: int = 0
    key: str = ""
    key_fingerprint: str = ""


def verify_pack(
    path: Path,
    *,
    key: str | None = None,
    replay: Replay | None = None,
    decisions: Callable[[Acts], Json] | None = None,
    checkpoints: Sequence[str] = (),
) -> Verified:
    """Whether a pack is what the register's key signed, and whole. key: public key of the register, known from elsewhere. replay: the rules; it
    returns the first entry that breaks them. decisions: what decisions.json should say. checkpoints: signed notes that were kept elsewhere.

    Raises NotAPack for a file that is no zip, OSError for one that cannot be read, ValueError for a key that is none.
    """
    if key is not None:
        fingerprint(key)
    with path.open("rb") as stream:
        pack = opened(stream)
        if pack.manifest is None:
            return Verified(False, (*pack.broken, *_of_signature(pack, None)), (), members=len(pack.members))
        return _verified(pack, pack.manifest, key, replay, decisions, checkpoints)


def _verified(
    pack: OpenPack,
    manifest: Manifest,
    key: str | None,
    replay: Replay | None,
    decisions: Callable[[Acts], Json] | None,
    elsewhere: Sequence[str],
) -> Verified:
    broken = [*pack.broken, *_of_key(pack, manifest, key), *_of_signature(pack, manifest), *_of_inputs(pack, manifest)]
    signed = not any(SIGNATURE in b.where or MANIFEST in b.where for b in broken)
    read = {f"'{n}'": partial(pack.read, n) for n in pack.members if n.startswith(CHECKPOINTS)}
    given = {f"checkpoint {k} from elsewhere": text.encode for k, text in enumerate(elsewhere, 1)}
    inside, outer = ({w: _note(w, text, manifest) for w, text in texts.items()} for texts in (read, given))
    broken.extend(note for note in (*inside.values(), *outer.values()) if isinstance(note, Broken))
    held = {w: note for w, note in (inside | outer).items() if not isinstance(note, Broken)}
    walk = walked(pack, {note.size for note in held.values()})
    broken.extend(walk.broken)
    if walk.frontier.size != manifest.entries and not walk.broken:
        said = f"{manifest.entries:,}, as {MANIFEST} says"
        broken.append(Broken(f"'{ENTRIES}'", f"{walk.frontier.size:,} entries", said))
    for where, note in held.items():
        broken.extend(_of_root(where, note, walk))
    broken_rules, unchecked = _of_rules(pack, bool(walk.broken), replay, decisions)
    broken.extend(broken_rules)
    reach = [max((note.size for w, note in held.items() if w in some), default=0) for some in (inside, outer)]
    notes = (*_key_notes(manifest, key), *_log_notes(manifest, walk, *reach), *_naming_notes(pack, walk), *unchecked)
    return Verified(
        ok=not broken,
        findings=tuple(broken),
        notes=notes,
        register=manifest.register,
        programme=manifest.programme,
        made_at=manifest.made_at,
        members=len(pack.members),
        entries=walk.frontier.size,
        removed=tuple(walk.removed),
        signatures=signed + len(held),
        key=manifest.key,
        key_fingerprint=_fingerprint(manifest.key),
    )


def _fingerprint(key: str) -> str:
    try:
        return fingerprint(key)
    except ValueError:
        return "none"


def _of_key(pack: OpenPack, manifest: Manifest, key: str | None) -> Iterator[Broken]:
    """The key in two places of the pack, and the one that is known from elsewhere."""
    try:
        if key_of(pack.read(KEYS)) != (manifest.register, manifest.key):
            yield Broken(f"'{KEYS}'", "another key or register", f"those of {MANIFEST}")
    except ValueError as error:
        yield broken_by(f"'{KEYS}'", error)
    if key is not None and key != manifest.key:
        found = f"one with fingerprint {_fingerprint(manifest.key)}"
        yield Broken("key of the pack", found, f"the one that you gave, with fingerprint {fingerprint(key)}")


def _of_signature(pack: OpenPack, manifest: Manifest | None) -> Iterator[Broken]:
    """The signed note over the manifest. manifest: None where it is not to be trusted; then the pack's own key is enough to say so."""
    where = f"'{SIGNATURE}'"
    if SIGNATURE not in pack.members or MANIFEST not in pack.members:
        return  # told already
    try:
        register, public = (manifest.register, manifest.key) if manifest else key_of(pack.read(KEYS))
        note = opened_checkpoint(_text(pack.read(SIGNATURE)), register, public)
    except ValueError as error:
        yield broken_by(where, error)
        return
    if note.origin != signature_origin(register):
        yield Broken(where, f"a note of {note.origin!r}", f"one of {signature_origin(register)!r}")
    if note.root != pack.sha256[MANIFEST]:
        yield Broken(f"'{MANIFEST}'", f"SHA-256 {pack.sha256[MANIFEST]}", f"{note.root}, which {SIGNATURE} signs")
    if manifest and note.size != manifest.entries:
        yield Broken(where, f"{note.size:,} entries", f"{manifest.entries:,}, as {MANIFEST} says")


def _of_inputs(pack: OpenPack, manifest: Manifest) -> Iterator[Broken]:
    """The inputs that the result tells of, those that the manifest tells of, and those that are there."""
    listed = {f.name: f.sha256 for f in manifest.files}
    for one in manifest.inputs:
        if one.member is not None and listed.get(one.member) != one.sha256:
            yield Broken(f"input '{one.name}'", f"another digest at '{one.member}'", f"SHA-256 {one.sha256}")
    if RESULT not in pack.members:
        return
    try:
        told = result_inputs(pack.read(RESULT))
    except ValueError as error:
        yield broken_by(f"'{RESULT}'", error)
        return
    given = {one.name: one.sha256 for one in manifest.inputs}
    for name, digest in told.items():
        if given.get(name) != digest:
            yield Broken(
                f"'{RESULT}'", f"input '{name}' with SHA-256 {digest}", str(given.get(name, f"one of {MANIFEST}"))
            )


def _note(where: str, read: Callable[[], bytes], manifest: Manifest) -> Checkpoint | Broken:
    """A checkpoint of the register whose signature holds, or what is wrong with it."""
    try:
        note = opened_checkpoint(_text(read()), manifest.register, manifest.key)
    except ValueError as error:
        return broken_by(where, error)
    if note.origin != manifest.register:
        return Broken(where, f"a note of {note.origin!r}", f"one of {manifest.register!r}")
    return note


def _of_root(where: str, checkpoint: Checkpoint, walk: Walk) -> Iterator[Broken]:
    if checkpoint.size in walk.roots:
        if walk.roots[checkpoint.size] != checkpoint.root:
            said = f"root {walk.roots[checkpoint.size][:16]}... of the first {checkpoint.size:,} entries"
            yield Broken(where, said, f"{checkpoint.root[:16]}..., which was signed: an entry is not what it was")
    elif not walk.broken:
        said = f"{walk.frontier.size:,} entries in the pack"
        yield Broken(where, said, f"at least {checkpoint.size:,}, which were signed: entries were left out")


def _of_rules(
    pack: OpenPack, unfit: bool, replay: Replay | None, decisions: Callable[[Acts], Json] | None
) -> tuple[list[Broken], list[str]]:
    """What the replay of the rules finds, and whether decisions.json says what the payloads say. unfit: the chain is broken already."""
    if unfit:
        return [], ["The rules were not replayed, as the entries are not what they were."]
    broken: list[Broken] = []
    notes: list[str] = []
    if replay is None:
        notes.append("The rules of the acts were not replayed.")
    else:
        taken = acts(pack)
        first = replay(taken)
        if first is not None:
            broken.append(of_entry(first, taken.last))
    if decisions is not None and canonical(decisions(acts(pack))) + b"\n" != b"".join(pack.chunks(DECISIONS)):
        broken.append(Broken(f"'{DECISIONS}'", "other decisions than in the payloads", "those of the payloads"))
    return broken, notes


def _key_notes(manifest: Manifest, key: str | None) -> list[str]:
    if key is not None:
        return []
    return [
        f"The key was not compared with one that you know: this proves the pack whole, not whose it is. Compare its fingerprint with the register's: {_fingerprint(manifest.key)}."
    ]


def _log_notes(manifest: Manifest, walk: Walk, covered: int, kept: int) -> list[str]:
    """What checkpoints do not reach, and what is absent. covered, kept: entries under the last one in the pack, and from elsewhere."""
    notes: list[str] = []
    count = walk.frontier.size
    if covered < count:
        notes.append(f"Entries {covered + 1:,} to {count:,} stand behind the last checkpoint in the pack.")
    if kept < count:
        since = f"after entry {kept:,}" if kept else "at the end"
        notes.append(f"No checkpoint from elsewhere shows that no entry was left out {since}: give one that you kept.")
    erased = [number for number in walk.removed if f"entry:{number}" in walk.erased]
    withheld = [number for number in walk.removed if f"entry:{number}" not in walk.erased]
    if erased:
        notes.append(
            f"Payloads removed from the register, as a later entry says: {_numbers(erased)}. Their digests stand."
        )
    if withheld:
        notes.append(
            f"Payloads that are not in the pack, and no entry says removed: {_numbers(withheld)}. Their digests stand."
        )
    if absent := [one.name for one in manifest.inputs if one.member is None]:
        notes.append(f"Inputs that are not in the pack: {len(absent)}. Their digests stand in '{MANIFEST}'.")
    return notes


def _naming_notes(pack: OpenPack, walk: Walk) -> list[str]:
    """Which entry names the result by its digest."""
    if RESULT not in pack.members or walk.broken:
        return []
    entry = walk.naming.get(RESULT)
    if entry is None:
        return [f"No payload in the pack names '{RESULT}' by its SHA-256."]
    return [f"'{RESULT}' is named by entry {entry.number:,} ({entry.act})."]


def _numbers(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown if len(numbers) <= 10 else f"{shown} and {len(numbers) - 10:,} more"


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ValueError("found bytes that are not UTF-8; expected a signed note") from None
