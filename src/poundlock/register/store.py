"""A register: acts are appended, each in one transaction with its entry, payload, files and the state that it leads to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

from poundlock.register import guards, rows, schema
from poundlock.register.acts import ERASED, Act, Conflict, Fold, Unavailable, stamp
from poundlock.register.checking import Checked, Moment, checked
from poundlock.register.database import WAIT_SECONDS, Database, Query, Transaction
from poundlock.register.replay import Flaw, Replay, go_on, texts
from poundlock.register.writing import (
    UPSERT_STATE,
    Hand,
    Standing,
    asked,
    head_query,
    put,
    reached,
    signed,
    standing,
    states_query,
    stepped,
)
from poundlock.rollout.chain import GENESIS, Entry
from poundlock.rollout.merkle import EMPTY
from poundlock.rollout.refusal import Refused
from poundlock.rollout.signing import Checkpoint, public_of, signed_checkpoint

__all__ = ["ERASED", "Act", "Checked", "Conflict", "Flaw", "Fold", "Head", "Register", "Unavailable", "upgrade"]
POINTS: Final = ("begun", "entry written", "projection written", "before commit", "after commit")
"""Moments of an append at which `at_point` is called, for tests that end the process there."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry: its number, digest and time."""

    number: int
    digest: str
    at: str


class Register:
    """An open register. name: of it and of the key of its checkpoints. public: that key, in base64."""

    def __init__(
        self,
        database: Database,
        fold: Fold,
        name: str,
        public: str,
        key: str | None,
        at_point: Callable[[str], None] | None,
    ) -> None:
        self.name, self.public = name, public
        self._database, self._fold, self._key = database, fold, key
        self._point = at_point

    @classmethod
    def create(
        cls,
        url: str,
        name: str,
        fold: Fold,
        *,
        key: str,
        founder: Act,
        at: datetime,
        salt: str | None = None,
        wait: float = WAIT_SECONDS,
        at_point: Callable[[str], None] | None = None,
    ) -> Self:
        """Make a register, with entry 1 and a checkpoint. name: one word. key: private, PEM. founder: the first act.

        Raises ValueError where the name or the act cannot be kept or a register is there, Refused where the rules refuse the act.
        """
        ready = asked(founder, at, (), salt)
        # what cannot be is told before anything is made: a name that no note can hold, a founder whom the rules refuse
        signed_checkpoint(Checkpoint(name, 0, EMPTY.root().hex()), name, key)
        stepped(fold, (), ready.act, 1, ready.at)
        database = Database(url, make=True, wait=wait)
        register = cls(database, fold, name, public_of(key), key, at_point)
        try:
            schema.make(database)
            names: Query = ("SELECT name FROM poundlock_name", ())
            with database.writing(names) as transaction:
                schema.nobody(database, transaction.answers[0])
                transaction.run(
                    ("INSERT INTO poundlock_name (id, name, public) VALUES (1, %s, %s)", (name, register.public)),
                    ("INSERT INTO poundlock_head VALUES (1, 0, %s, '', %s)", (GENESIS, EMPTY.text())),
                )
                put(transaction, register._hand(), ready, Standing(0, GENESIS, "", EMPTY), (), None)
        except BaseException:
            register.close()
            raise
        return register

    @classmethod
    def open(
        cls,
        url: str,
        fold: Fold,
        *,
        key: str | None = None,
        wait: float = WAIT_SECONDS,
        at_point: Callable[[str], None] | None = None,
    ) -> Self:
        """Open a register that is there. key: its private key; without it the register may only be read.

        Raises ValueError where there is none, where another version of Poundlock made it, and where the key is another's.
        """
        database = Database(url, wait=wait)
        try:
            name, public = schema.found(database)
            if key is not None and public_of(key) != public:
                raise ValueError(
                    f"found the key of another register; expected that of {name}. Cure: give the key it was made with."
                )
        except BaseException:
            database.close()
            raise
        return cls(database, fold, name, public, key, at_point)

    def append(
        self,
        act: Act,
        *,
        at: datetime,
        expected: str | None = None,
        files: Sequence[bytes] = (),
        salt: str | None = None,
    ) -> Entry:
        """Write an act. expected: digest of the head that it was decided on; None for whatever head there is. files: kept by their SHA-256.

        It is on the disk when this returns. A time before the head's becomes the head's. Raises Refused where the rules refuse it,
        Conflict where the head is another than expected, Unavailable where the storage cannot; then nothing was written.
        """
        if act.name == ERASED:
            raise ValueError(
                f"found act {ERASED!r} to append; expected another. Cure: call erase, which removes the payload too."
            )
        ready, hand = asked(act, at, files, salt), self._hand()
        queries = head_query(self._database.vendor), states_query(self._fold, act.object)
        with self._database.writing(*queries) as transaction:
            reached(transaction, hand, "begun")
            head, states = transaction.answers
            entry = put(transaction, hand, ready, standing(head), states, expected)
            reached(transaction, hand, "before commit")
        reached(transaction, hand, "after commit")
        return entry

    def preview(self, act: Act, *, at: datetime) -> str:
        """The state that the act would lead to now; writes nothing. Raises what `append` would raise."""
        ready = asked(act, at, (), None)
        with self._database.reading() as transaction:
            head = standing(transaction.ask(*head_query("sqlite")))
            states = transaction.ask(*states_query(self._fold, act.object))
            return stepped(self._fold, states, ready.act, head.number + 1, max(ready.at, head.at))[1]

    def head(self) -> Head:
        """The last entry."""
        return Head(*self._database.all("SELECT number, digest, at FROM poundlock_head")[0])

    def state(self, object: str) -> str | None:
        """State of an object, None where nothing was done to it."""
        found = self._database.all("SELECT text FROM poundlock_state WHERE object = %s", (object,))
        return found[0][0] if found else None

    def objects(self, prefix: str = "") -> tuple[str, ...]:
        """Objects whose names begin so, in order."""
        query = "SELECT object FROM poundlock_state WHERE substr(object, 1, %s) = %s"
        return tuple(sorted(row[0] for row in self._database.all(query, (len(prefix), prefix))))

    def entries(
        self, first: int = 1, last: int | None = None, *, act: str | None = None, object: str | None = None
    ) -> Iterator[Entry]:
        """Entries in order, a page at a time; those that are appended meanwhile come too."""
        return rows.entries(self._database.all, first, last, act, object)

    def records(
        self, first: int = 1, last: int | None = None, *, act: str | None = None, object: str | None = None
    ) -> Iterator[rows.Record]:
        """The same with payload and salt: (entry, canonical text or None where removed, salt or '' where removed)."""
        return rows.records(self._database.all, first, last, act, object)

    def file(self, digest: str) -> bytes | None:
        """Content of a file by its SHA-256."""
        found = self._database.all("SELECT content FROM poundlock_file WHERE digest = %s", (digest,))
        return bytes(found[0][0]) if found else None

    def checkpoint(self, *, at: datetime) -> str:
        """The signed note on every entry so far: made now, or the one that is there."""
        hand = self._hand()
        with self._database.writing(head_query(self._database.vendor)) as transaction:
            return signed(transaction, hand, standing(transaction.answers[0]), stamp(at))

    def checkpoints(self) -> tuple[str, ...]:
        """Every signed note, by size."""
        return tuple(row[0] for row in self._database.all("SELECT note FROM poundlock_checkpoint ORDER BY size"))

    def erase(self, number: int, act: Act, *, at: datetime, salt: str | None = None) -> Entry:
        """Remove the payload of an entry; that is an entry too. act: 'erased', its object 'entry:' and the number.

        The register is replayed without that payload, so that no state holds what it held. Raises Refused where a rule stands against
        it, or where it was removed already.
        """
        if (act.name, act.object) != (ERASED, f"entry:{number}"):
            raise ValueError(f"found act {act.name!r} on {act.object!r}; expected {ERASED!r} on 'entry:{number}'")
        ready, hand, replay = asked(act, at, (), salt), self._hand(), Replay()
        with self._database.reading() as transaction:
            self._replayed(transaction, replay, number)
        with self._database.writing(head_query(self._database.vendor)) as transaction:
            reached(transaction, hand, "begun")
            if not transaction.ask("SELECT 1 FROM poundlock_payload WHERE number = %s", (number,)):
                raise Refused(
                    f"entry {number} has no payload to remove: it was removed before, or there is no such entry"
                )
            self._replayed(transaction, replay, number)  # what was appended meanwhile
            _restate(transaction, replay, self._fold)
            states = transaction.ask(*states_query(self._fold, act.object))
            entry = put(transaction, hand, ready, standing(transaction.answers[0]), states, None)
            transaction.run(("DELETE FROM poundlock_payload WHERE number = %s", (number,)))
            reached(transaction, hand, "before commit")
        reached(transaction, hand, "after commit")
        self._database.sweep()
        return entry

    def check(self, held: Sequence[str] = ()) -> Checked:
        """Replay everything from the entries and hold all else against it. held: notes that somebody kept elsewhere, which the entries
        must still come to: only they tell when a register was replaced whole by one who has its key."""
        with self._database.reading() as transaction:
            return checked(Moment(transaction.cursor, self._database.vendor, self.name, self.public, held), self._fold)

    def grant(self, role: str) -> None:
        """Make a role of the PostgreSQL server, if it is not there, that may append and read and no more; the owner of the tables calls
        it, gives the role its password, and stays the only one who can remove a payload.

        Raises ValueError on SQLite, and for a role that has the owner's rights already.
        """
        if self._database.vendor == "sqlite":
            raise ValueError(
                "found a register on SQLite, which knows no roles; expected PostgreSQL. Cure: see who may write the file."
            )
        with self._database.writing() as transaction:
            guards.grant(transaction.cursor, role)

    def close(self) -> None:
        """Close every connection; the register cannot be used any more."""
        self._database.close()

    def _hand(self) -> Hand:
        if self._key is None:
            raise ValueError(
                f"found register {self.name} opened without its key; expected the key. Cure: open it with the key to write."
            )
        return Hand(self._fold, self.name, self._key, self._point)

    def _replayed(self, transaction: Transaction, replay: Replay, without: int) -> None:
        moment = Moment(transaction.cursor, self._database.vendor, self.name, self.public)
        for page in rows.pages(moment.ask, replay.number + 1):
            flaw = go_on(replay, page, self._fold, without=without)
            if flaw is not None:
                raise Refused(f"the payload of entry {without} cannot be removed: {flaw}")


def _restate(transaction: Transaction, replay: Replay, fold: Fold) -> None:
    """Write the states that differ from those of the replay."""
    there = {row[0]: (row[1], row[2]) for row in transaction.ask("SELECT object, revision, text FROM poundlock_state")}
    for object, now in texts(replay, fold).items():
        if there.get(object) != now:
            transaction.run((UPSERT_STATE, (object, *now)))


def upgrade(url: str) -> None:
    """Bring a register that an older version made up to this one. Copy it before."""
    database = Database(url)
    try:
        schema.looked_at(database)
        schema.migrate(database)
    finally:
        database.close()
