"""A database: one connection for each thread of each process, and its transactions."""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, Error, IntegrityError, InterfaceError, OperationalError, connections

from poundlock.register.acts import Unavailable
from poundlock.register.address import parsed, told
from poundlock.register.settings import ready

WAIT_SECONDS: Final = 30.0
"""How long a writer waits for its turn."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.0005, 0.01
_UNASKED: Final = "Nothing was written."
_UNSURE: Final = "Whether it was written is not known: look at the head before you try again."
Query = tuple[str, Sequence[object]]
"""A statement and the values of its places."""
_serial = itertools.count(1)
_aliases = threading.Lock()


@dataclass(slots=True)
class Transaction:
    """A transaction that was begun. together: whether statements wait for each other, to go to the server in one message. answers: rows
    of each query that it began with."""

    cursor: Any
    together: bool
    answers: list[list[Any]]
    waiting: list[Query] = field(default_factory=list)

    def run(self, *statements: Query) -> None:
        """Run statements, or let them wait for what comes next."""
        self.waiting.extend(statements)
        if not self.together:
            self.flush()

    def flush(self) -> None:
        """Run what waits."""
        waiting, self.waiting = self.waiting, []
        for statement in [_joined(waiting)] if self.together and waiting else waiting:
            self.cursor.execute(*statement)

    def ask(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Every row of a query."""
        self.flush()
        self.cursor.execute(query, values)
        rows: list[Any] = self.cursor.fetchall()
        return rows


class Database:
    """A database that was found. vendor: 'sqlite' or 'postgresql'. shown: its address without an account."""

    def __init__(self, url: str, *, make: bool = False, wait: float = WAIT_SECONDS) -> None:
        ready()
        self.wait = wait
        self.vendor, self.shown, self._settings = parsed(url, make, wait)
        if self.vendor == "sqlite" and not make and not Path(self.shown).is_file():
            raise ValueError(
                f"found no file {self.shown}; expected a register. Cure: correct the path, or make a register there."
            )
        self._serial = next(_serial)
        self._process, self._alias = 0, ""
        self._closers: list[Any] = []
        self._closed = False

    def connection(self) -> Any:
        """This thread's connection, as Django wraps it."""
        if self._closed:
            raise ValueError(f"found register {self.shown} closed; expected it open. Cure: open it again.")
        if self._process != os.getpid():
            self._name_anew()
        wrapper = connections[self._alias]
        if wrapper.connection is not None and self.vendor == "postgresql" and wrapper.connection.closed:
            wrapper.close()
        if wrapper.connection is None:
            wrapper.ensure_connection()
            # a thread that ends leaves its connection behind: it is closed together with what wraps it
            closer = weakref.finalize(wrapper, _close, wrapper.connection, os.getpid())
            with _aliases:
                self._closers = [c for c in self._closers if c.alive] + [closer]
        return wrapper

    def _name_anew(self) -> None:
        """A connection may not cross a fork: a child opens its own, under another name."""
        with _aliases:
            if self._process != os.getpid():
                alias = f"poundlock-{self._serial}-{os.getpid()}"
                settings = connections.configure_settings({"default": {}, alias: dict(self._settings)})
                connections.settings = {**connections.settings, alias: settings[alias]}
                self._alias, self._process, self._closers = alias, os.getpid(), []

    def all(self, query: str, values: Sequence[object] = ()) -> list[Any]:
        """Every row of a query, outside of a transaction."""
        with self.telling(_UNASKED):
            rows: list[Any] = self._first(query, values).fetchall()
            return rows

    @contextmanager
    def writing(self, *asked: Query) -> Iterator[Transaction]:
        """A transaction, alone on SQLite; what is raised inside undoes it. asked: its first queries, see its `answers`."""
        with self.telling(_UNASKED):
            transaction = self._begun(asked)
            with self._undone(transaction.cursor):
                yield transaction
        with self.telling(_UNSURE), self._undone(transaction.cursor):
            transaction.run(("COMMIT", ()))
            transaction.flush()

    def _begun(self, asked: Sequence[Query]) -> Transaction:
        if self.vendor == "sqlite":
            transaction = Transaction(self._alone(), False, [])
            with self._undone(transaction.cursor):
                transaction.answers.extend(transaction.ask(*query) for query in asked)
            return transaction
        queries, values = _joined(
            [("BEGIN", ()), *asked]
        )  # each sees what stands when its turn comes, so after the lock of the first
        transaction = Transaction(self._first(queries, values), True, [])
        while transaction.cursor.nextset():
            transaction.answers.append(transaction.cursor.fetchall())
        return transaction

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """A transaction that sees one moment and keeps no writer waiting. It is always undone."""
        with self.telling(_UNASKED):
            moment = "BEGIN" if self.vendor == "sqlite" else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            transaction = Transaction(self._first(moment), self.vendor == "postgresql", [])
            try:
                yield transaction
            finally:
                self._undo(transaction.cursor)

    def sweep(self) -> None:
        """On SQLite, empty the log beside the file, where older pages still hold what was removed from it."""
        if self.vendor == "sqlite":
            self.all("PRAGMA wal_checkpoint(TRUNCATE)")

    def _first(self, query: str, values: Sequence[object] = ()) -> Any:
        """Run the first statement of something; once more where the server had closed a connection that was long unused."""
        cursor = self.connection().cursor()
        raw = cursor.connection
        try:
            with self._undone(cursor):  # one message may begin a transaction and fail after that
                cursor.execute(query, values)
        except (OperationalError, InterfaceError):
            if self.vendor == "sqlite" or not raw.closed:
                raise
            cursor = self.connection().cursor()
            with self._undone(cursor):
                cursor.execute(query, values)
        return cursor

    def _alone(self) -> Any:
        """SQLite's own waiting sleeps longer each time, so that some of many writers starve: ask often instead, below Django, which
        would spend most of the wait on errors."""
        cursor = self.connection().cursor()
        raw = cursor.connection
        end, pause = time.monotonic() + self.wait, _SHORTEST_PAUSE
        raw.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    raw.execute("BEGIN IMMEDIATE")
                    return cursor
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > end:
                        raise OperationalError(str(error)) from error
                time.sleep(pause)
                pause = min(pause * 1.02, _LONGEST_PAUSE)
        finally:
            raw.execute(f"PRAGMA busy_timeout = {int(self.wait * 1000)}")

    @contextmanager
    def _undone(self, cursor: Any) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._undo(cursor)
            raise

    def _undo(self, cursor: Any) -> None:
        try:
            if self.vendor == "postgresql" or cursor.connection.in_transaction:
                cursor.execute("ROLLBACK")
        except Error:  # the connection is broken, and the transaction has gone with it
            connections[self._alias].close()

    @contextmanager
    def telling(self, written: str) -> Iterator[None]:
        """Faults of the storage in plain words. written: what became of what was asked."""
        try:
            yield
        except ImproperlyConfigured as error:
            raise Unavailable("found no driver for PostgreSQL. Cure: pip install 'poundlock[postgresql]'.") from error
        except (DatabaseError, InterfaceError) as error:
            if written == _UNSURE and (self.vendor == "sqlite" or connections[self._alias].connection is not None):
                written = _UNASKED  # a server that answers with an error has undone everything; one that is gone may have done it
            plain = told(self.shown, error, written)
            if plain is None or isinstance(error, IntegrityError):
                raise
            raise plain from error

    def close(self) -> None:
        """Close the connections of every thread of this process."""
        self._closed = True
        if self._process == os.getpid():
            with _aliases:
                for closer in self._closers:
                    closer()
                connections.settings = {k: v for k, v in connections.settings.items() if k != self._alias}
            if hasattr(connections._connections, self._alias):
                del connections[self._alias]


def _joined(statements: Sequence[Query]) -> Query:
    return "; ".join(query for query, _ in statements), [value for _, values in statements for value in values]


def _close(connection: Any, process: int) -> None:
    if process == os.getpid():  # what a parent opened is not its child's to close
        connection.close()
