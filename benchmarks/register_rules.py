"""The replay of a register under the real rules: a programme with its people, decisions and signatures, then as many filings as asked.

Run as `python benchmarks/register_rules.py [--entries 1000000]`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from office import OBJECT, Office, key_of
from poundlock.register import rows
from poundlock.register.acts import Act
from poundlock.register.clerk import opened
from poundlock.register.database import Database
from poundlock.register.rules import Rules
from poundlock.register.store import Register
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import sealed, text_digest
from poundlock.rollout.machine import book
from poundlock.rollout.merkle import EMPTY

Told = tuple[str, str, str, str, str, dict[str, Any]]


def told(count: int) -> Iterator[Told]:
    """Every act: (at, actor, role, act, object, payload). A filing replaces the one before it, so that they never run out."""
    office = Office().running()
    for _, at, actor, role, act, object, payload in office.log:
        yield at, actor, role, act, object, payload
    first = office.number + 1
    for k in range(count - office.number):
        digest = hashlib.sha256(str(k).encode()).hexdigest()
        at = f"{dt.date(2026, 4, 10) + dt.timedelta(k * 200 // count)}T12:00:00.000000Z"
        payload = {"kind": "outcomes", "period": "2026-Q1", "digest": digest, "rows": 12, "totals": {"rows": "12"}}
        payload |= {"cautions": [], "reasons": [], "replaces": first if k >= 2 else 0}
        yield at, ("ivo", "uma")[k % 2], "institution", "file", OBJECT, payload


def fill(url: str, count: int) -> None:
    """So many entries at once, chained and stepped as the register would have."""
    acts = told(count)
    at, actor, role, name, object, payload = next(acts)
    founder = Act(actor, role, name, object, payload)
    register = Register.create(
        url, "test", Rules(), key=key_of("register"), founder=founder, at=dt.datetime.fromisoformat(at)
    )
    (first,) = register.entries()
    states: dict[str, book.State | None] = {object: book.load(object, register.state(object) or "")}
    revisions, previous, frontier = {object: 1}, first.digest, EMPTY.appended(bytes.fromhex(first.digest))
    register.close()
    database = Database(url)
    with database.writing() as transaction:
        entries, payloads = [], []
        for number, (at, actor, role, name, object, payload) in enumerate(acts, 2):
            text, salt = canonical(payload).decode(), f"{number:032x}"
            states[object] = book.step(states, object, actor, role, name, text, number, at)
            revisions[object] = revisions.get(object, 0) + 1
            e = sealed(number, at, actor, role, name, object, revisions[object], text_digest(text, salt), previous)
            entries.append((number, at, actor, role, name, object, e.revision, e.payload, previous, e.digest))
            payloads.append((number, salt, text))
            previous, frontier = e.digest, frontier.appended(bytes.fromhex(e.digest))
            if len(entries) == 10_000 or number == count:
                _insert(transaction.cursor, entries, payloads)
                entries, payloads = [], []
        kept = [(name, revisions[name], book.dump(state)) for name, state in states.items() if state is not None]
        transaction.cursor.executemany(
            "INSERT INTO poundlock_state (object, revision, text) VALUES (%s, %s, %s)"
            " ON CONFLICT (object) DO UPDATE SET revision = excluded.revision, text = excluded.text",
            kept,
        )
        transaction.cursor.execute(
            "UPDATE poundlock_head SET number = %s, digest = %s, at = %s, frontier = %s",
            (count, previous, at, frontier.text()),
        )
    database.close()


def _insert(cursor: Any, entries: list[Any], payloads: list[Any]) -> None:
    cursor.executemany(f"INSERT INTO poundlock_entry ({rows.COLUMNS}) VALUES ({', '.join(['%s'] * 10)})", entries)
    cursor.executemany("INSERT INTO poundlock_payload (number, salt, text) VALUES (%s, %s, %s)", payloads)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=1_000_000)
    count = parser.parse_args().entries
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/register.db"
        fill(url, count)
        register = opened(url)
        for _ in range(3):
            began = time.perf_counter()
            found = register.check()
            taken = time.perf_counter() - began
            # checkpoints of days and decisions were never made here; everything before them in the check agrees
            assert found.entries == count
            assert found.flaw is None or found.flaw.place.startswith("checkpoint"), found.flaw
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{count:,} entries under the rules: {taken:.1f} s, {taken / count * 1e6:.1f} us an entry, {memory:.0f} MiB"
            )


if __name__ == "__main__":
    main()
