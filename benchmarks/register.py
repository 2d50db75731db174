"""The register: appends a second by several processes, beside a bare loop of one insert a transaction; and its check replayed.

Run as `python benchmarks/register.py [--entries 1000000] [--postgresql URL]`. The database of the URL should be empty; a schema is
made in it and dropped. Every append is on the disk before it is counted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from poundlock.register import rows
from poundlock.register.database import Database
from poundlock.register.store import Act, Register
from poundlock.rollout.chain import sealed, text_digest
from poundlock.rollout.merkle import Frontier
from poundlock.rollout.signing import new_key

WRITERS, APPENDS, RUNS = 8, 500, 3
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
FOUNDER = Act("ada", "administrator", "found", "people", {"who": "ada"})
PAYLOAD = {
    "period": "2026-Q1",
    "amount_mn_cny": "1234.56",
    "defaults": "0.0123",
    "filed_by": "the bank",
    "digest": "0" * 64,
}
KEY = new_key()


class Count:
    """The lightest rules: a number for each object."""

    def reads(self, object: str) -> tuple[str, ...]:
        return ()

    def state(self, object: str, text: str) -> str:
        return text

    def text(self, state: str) -> str:
        return state

    def step(self, states: Mapping[str, str | None], act: Act, number: int, at: str) -> str:
        return str(int(states[act.object] or "0") + 1)

    def checkpoints(self, act: Act) -> bool:
        return False


def append(url: str, which: int, start: object) -> None:
    register = Register.open(url, Count(), key=KEY)
    register.head()
    start.wait()
    for k in range(APPENDS):
        register.append(Act("olu", "institution", "return", f"run:{which}-{k % 10}", PAYLOAD), at=AT)
    register.close()


def insert(path: str, which: int, start: object) -> None:
    """The bare loop: the same waiting, the same settings, one insert of as many bytes a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0)) as raw:
        raw.execute("PRAGMA synchronous = FULL")
        text = json.dumps(PAYLOAD) + "x" * 400
        start.wait()
        for _ in range(APPENDS):
            while True:
                try:
                    raw.execute("BEGIN IMMEDIATE")
                    break
                except sqlite3.OperationalError:
                    time.sleep(0.0005)
            raw.execute("INSERT INTO plain (text) VALUES (?)", (text,))
            raw.execute("COMMIT")


def rate(work: Callable[[str, int, object], None], where: str) -> float:
    """Writes a second of all processes together, counted from when all are ready."""
    start = multiprocessing.Barrier(WRITERS + 1)
    processes = [multiprocessing.Process(target=work, args=(where, k, start)) for k in range(WRITERS)]
    for process in processes:
        process.start()
    start.wait()
    began = time.perf_counter()
    for process in processes:
        process.join()
    assert all(process.exitcode == 0 for process in processes)
    return WRITERS * APPENDS / (time.perf_counter() - began)


def appends(url: str) -> list[float]:
    Register.create(url, "bench", Count(), key=KEY, founder=FOUNDER, at=AT).close()
    rates = [rate(append, url) for _ in range(RUNS)]
    register = Register.open(url, Count())
    found = register.check()
    register.close()
    assert found.flaw is None
    assert found.entries == 1 + RUNS * WRITERS * APPENDS
    return rates


def bare(folder: str) -> list[float]:
    path = f"{folder}/bare.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE plain (number INTEGER PRIMARY KEY, text TEXT)")
    return [rate(insert, path) for _ in range(RUNS)]


@contextmanager
def schema(server: str) -> Iterator[str]:
    import psycopg

    name = f"bench_{secrets.token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {name}")
        try:
            yield f"{server}?options=-csearch_path%3D{name}"
        finally:
            admin.execute(f"DROP SCHEMA {name} CASCADE")


def fill(url: str, count: int) -> None:
    """So many entries at once, chained as the register would have."""
    register = Register.create(url, "bench", Count(), key=KEY, founder=FOUNDER, at=AT)
    (first,) = register.entries()
    register.close()
    database, text = Database(url), json.dumps(PAYLOAD, separators=(",", ":"), sort_keys=True)
    previous, frontier = first.digest, Frontier(0, ()).appended(bytes.fromhex(first.digest))
    revisions: dict[str, int] = {}
    with database.writing() as transaction:
        cursor = transaction.cursor
        for begin in range(2, count + 1, 10_000):
            entries, payloads = [], []
            for number in range(begin, min(begin + 10_000, count + 1)):
                object_, salt = f"run:{number % 10_000}", f"{number:032x}"
                revisions[object_] = revisions.get(object_, 0) + 1
                digest = text_digest(text, salt)
                e = sealed(
                    number, first.at, "olu", "institution", "return", object_, revisions[object_], digest, previous
                )
                entries.append(
                    (number, first.at, e.actor, e.role, e.act, object_, e.revision, digest, previous, e.digest)
                )
                payloads.append((number, salt, text))
                previous, frontier = e.digest, frontier.appended(bytes.fromhex(e.digest))
            cursor.executemany(
                f"INSERT INTO poundlock_entry ({rows.COLUMNS}) VALUES ({', '.join(['%s'] * 10)})", entries
            )
            cursor.executemany("INSERT INTO poundlock_payload (number, salt, text) VALUES (%s, %s, %s)", payloads)
        states = [(name, n, str(n)) for name, n in revisions.items()]
        cursor.executemany("INSERT INTO poundlock_state (object, revision, text) VALUES (%s, %s, %s)", states)
        cursor.execute(
            "UPDATE poundlock_head SET number = %s, digest = %s, frontier = %s", (count, previous, frontier.text())
        )
    database.close()


def check(url: str, count: int, told: object) -> None:
    """In a process of its own, so that the memory is the check's."""
    register = Register.open(url, Count())
    before, began = peak_memory(), time.perf_counter()
    found = register.check()
    taken = time.perf_counter() - began
    register.close()
    assert found.flaw is None, str(found.flaw)
    assert found.entries == count
    told.put((taken, before, peak_memory()))


def peak_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def checks(url: str, count: int) -> str:

    process = multiprocessing.get_context("spawn").Process
    runs = []
    for _ in range(RUNS):
        told = multiprocessing.get_context("spawn").Queue()
        child = process(target=check, args=(url, count, told))
        child.start()
        runs.append(told.get(timeout=600))
        child.join()
    seconds = sorted(run[0] for run in runs)
    return f"{seconds[RUNS // 2]:.1f} s ({seconds[0]:.1f} to {seconds[-1]:.1f}), memory {runs[-1][1] / 2**20:.0f} -> {runs[-1][2] / 2**20:.0f} MiB"


def shown(rates: list[float]) -> str:
    return f"{sorted(rates)[RUNS // 2]:,.0f} a second ({min(rates):,.0f} to {max(rates):,.0f})"


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--entries", type=int, default=1_000_000)
    asked.add_argument("--postgresql", default="")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        ours, plain = appends(f"{folder}/appends.db"), bare(folder)
        ratio = sorted(ours)[RUNS // 2] / sorted(plain)[RUNS // 2]
        print(f"SQLite, synchronous full, {WRITERS} processes: {shown(ours)}")
        print(
            f"bare loop of one insert a transaction, the same settings: {shown(plain)}; the register has {ratio:.2f} of it"
        )
        if options.postgresql:
            with schema(options.postgresql) as url:
                print(f"PostgreSQL, {WRITERS} processes: {shown(appends(url))}")
        url = str(Path(folder) / "long.db")
        fill(url, options.entries)
        size = Path(url).stat().st_size / 2**20
        print(f"check of {options.entries:,} entries on SQLite ({size:,.0f} MiB): {checks(url, options.entries)}")
        if options.postgresql:
            with schema(options.postgresql) as url:
                fill(url, options.entries)
                print(f"check of {options.entries:,} entries on PostgreSQL: {checks(url, options.entries)}")


if __name__ == "__main__":
    main()
