"""What one act writes, inside one transaction: entry, payload, files, the state that it leads to, the head, a checkpoint if due."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from poundlock.register.acts import LARGEST_FILE_BYTES, Act, Conflict, Fold, as_replayed, payload_text, stamp
from poundlock.register.database import Query, Transaction
from poundlock.register.rows import COLUMNS
from poundlock.rollout.chain import SALT_BYTES, Entry, sealed, text_digest
from poundlock.rollout.merkle import Frontier
from poundlock.rollout.signing import Checkpoint, signed_checkpoint

INSERT_ENTRY: Final = f"INSERT INTO poundlock_entry ({COLUMNS}) VALUES ({', '.join(['%s'] * 10)})"  # noqa: S608
INSERT_PAYLOAD: Final = "INSERT INTO poundlock_payload (number, salt, text) VALUES (%s, %s, %s)"
UPSERT_STATE: Final = (
    "INSERT INTO poundlock_state (object, revision, text) VALUES (%s, %s, %s)"
    " ON CONFLICT (object) DO UPDATE SET revision = excluded.revision, text = excluded.text"
)
UPDATE_HEAD: Final = "UPDATE poundlock_head SET number = %s, digest = %s, at = %s, frontier = %s WHERE id = 1"
_HEAD: Final = "SELECT number, digest, at, frontier FROM poundlock_head WHERE id = 1"


@dataclass(frozen=True, slots=True)
class Asked:
    """An act ready to be written: as the rules see it, its canonical text, that text's salt and digest, files, the time as text."""

    act: Act
    text: str
    salt: str
    digest: str
    files: tuple[bytes, ...]
    at: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the register stands: its head, with the frontier of its Merkle tree."""

    number: int
    digest: str
    at: str
    frontier: Frontier


@dataclass(frozen=True, slots=True)
class Hand:
    """Whose register is written: its rules, its name and private key. point: called at each moment that a test wants to see."""

    fold: Fold
    name: str
    key: str
    point: Callable[[str], None] | None


def asked(act: Act, at: datetime, files: Sequence[bytes], salt: str | None) -> Asked:
    """Everything that can be looked at before the transaction. Raises ValueError or TypeError for what cannot be kept."""
    text, salt = payload_text(act), salt or secrets.token_hex(SALT_BYTES)
    for content in files:
        if len(content) > LARGEST_FILE_BYTES:
            raise ValueError(
                f"found a file of {len(content):,} bytes; expected at most {LARGEST_FILE_BYTES:,}. Cure: split it."
            )
    return Asked(as_replayed(act, text), text, salt, text_digest(text, salt), tuple(files), stamp(at))


def head_query(vendor: str) -> Query:
    """Asks for the head; on PostgreSQL locks it, so that writers come one after the other."""
    return _HEAD if vendor == "sqlite" else f"{_HEAD} FOR UPDATE", ()


def states_query(fold: Fold, object: str) -> Query:
    """Asks for the states that a step on the object needs."""
    wanted = wanted_by(fold, object)
    places = ", ".join(["%s"] * len(wanted))
    return f"SELECT object, revision, text FROM poundlock_state WHERE object IN ({places})", wanted  # noqa: S608


def wanted_by(fold: Fold, object: str) -> tuple[str, ...]:
    """The object and what its rules read beside it."""
    return tuple(dict.fromkeys((object, *fold.reads(object))))


def standing(rows: Sequence[Any]) -> Standing:
    """Where the register stands, from the row of its head."""
    number, digest, at, frontier = rows[0]
    return Standing(number, digest, at, Frontier.from_text(frontier))


def stepped(fold: Fold, rows: Iterable[Any], act: Act, number: int, at: str) -> tuple[int, str]:
    """Revision and state that an act leads to. rows: of `states_query`."""
    there = {object: (revision, text) for object, revision, text in rows}
    wanted = wanted_by(fold, act.object)
    states = {object: fold.state(object, there[object][1]) if object in there else None for object in wanted}
    revision = there[act.object][0] if act.object in there else 0
    return revision + 1, fold.text(fold.step(states, act, number, at))


def put(
    transaction: Transaction, hand: Hand, asked: Asked, head: Standing, states: Sequence[Any], expected: str | None
) -> Entry:
    """Write the act after the head. states: rows of `states_query`. Raises Refused and Conflict."""
    if expected is not None and expected != head.digest:
        raise Conflict(
            f"the register went on to entry {head.number} since this was decided: read again and decide again"
        )
    act, number, at = asked.act, head.number + 1, max(asked.at, head.at)
    revision, state = stepped(hand.fold, states, act, number, at)
    if head.number and at[:10] > head.at[:10]:
        signed(transaction, hand, head, at)
    entry = sealed(number, at, act.actor, act.role, act.name, act.object, revision, asked.digest, head.digest)
    row = (number, at, act.actor, act.role, act.name, act.object, revision, asked.digest, head.digest, entry.digest)
    transaction.run((INSERT_ENTRY, row), (INSERT_PAYLOAD, (number, asked.salt, asked.text)))
    _keep(transaction, asked.files)
    reached(transaction, hand, "entry written")
    moved = Standing(number, entry.digest, at, head.frontier.appended(bytes.fromhex(entry.digest)))
    transaction.run(
        (UPSERT_STATE, (act.object, revision, state)),
        (UPDATE_HEAD, (number, entry.digest, at, moved.frontier.text())),
    )
    reached(transaction, hand, "projection written")
    if number == 1 or hand.fold.checkpoints(act):
        signed(transaction, hand, moved, at)
    return entry


def reached(transaction: Transaction, hand: Hand, point: str) -> None:
    """A moment that a test wants to see, with everything written so far at the database."""
    if hand.point is not None:
        transaction.flush()
        hand.point(point)


def signed(transaction: Transaction, hand: Hand, head: Standing, at: str) -> str:
    """The note on the entries up to the head, made where there is none."""
    there = transaction.ask("SELECT note FROM poundlock_checkpoint WHERE size = %s", (head.number,))
    if there:
        return str(there[0][0])
    root = head.frontier.root().hex()
    note = signed_checkpoint(Checkpoint(hand.name, head.number, root, (f"at {at}",)), hand.name, hand.key)
    insert = "INSERT INTO poundlock_checkpoint (size, root, note) VALUES (%s, %s, %s)"
    transaction.run((insert, (head.number, root, note)))
    return note


def _keep(transaction: Transaction, files: Sequence[bytes]) -> None:
    for content in files:
        digest = hashlib.sha256(content).hexdigest()
        if not transaction.ask("SELECT 1 FROM poundlock_file WHERE digest = %s", (digest,)):
            transaction.run(("INSERT INTO poundlock_file (digest, content) VALUES (%s, %s)", (digest, content)))
