"""A writer of a store that is killed at any moment leaves each day old or new, whole, and no day twice; the next one
finishes."""

from __future__ import annotations

import hashlib
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ledgers
from delivered import records
from poundlock.payments.store import Store, read_days

DAYS = ledgers.days(2)

# A warm parent forks a child a round: Python and Arrow start slowly. The child counts the calls that change what is on
# disk and kills itself before or after one of them; the code that is tested knows nothing of it.
PARENT = """
import datetime as dt, os, signal, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import ledgers
from poundlock.payments.intake import ingest
from poundlock.payments.store import open_store

market, calls = ledgers.read(Path(sys.argv[2])), 0

def counted(name, at, after):
    real = getattr(os, name)
    def call(*args, **options):
        global calls
        calls += 1
        if calls == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return real(*args, **options)
        finally:
            if calls == at:
                os.kill(os.getpid(), signal.SIGKILL)
    setattr(os, name, call)

def take(root, folder):
    store = open_store(Path(root), [], currency="CNY", minor_units=2, create=True)
    return ingest(market, store, [Path(folder)], received="2021-12-01T00:00:00+00:00", today=dt.date(2021, 12, 1))

for line in sys.stdin:
    root, folder, at, after, delay = line.rstrip().split("\\t")
    child = os.fork()
    if not child:
        for name in ("replace", "fsync", "unlink", "mkdir"):
            counted(name, int(at), after == "after")
        done = take(root, folder)
        os.write(1, f"{calls} calls, {len(done.problems)} problems\\n".encode())
        os._exit(0)
    if float(delay):
        time.sleep(float(delay))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.write(1, b"ended\\n")
"""


def run(
    writer: subprocess.Popen[str], root: Path, folder: Path, at: int, after: str = "before", delay: float = 0.0
) -> str:
    """What one writer said; nothing if it was killed."""
    writer.stdin.write(f"{root}\t{folder}\t{at}\t{after}\t{delay}\n")
    writer.stdin.flush()
    said = ""
    for line in writer.stdout:
        if line == "ended\n":
            return said
        said = line.strip()
    raise AssertionError("the parent of the writers ended")


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A day as it was first delivered; and corrected, with a second one."""
    root = tmp_path_factory.mktemp("deliveries")
    for k, (name, days) in enumerate({"old": DAYS[:1], "new": DAYS}.items()):
        (root / name).mkdir()
        for n, day in enumerate(days):
            pq.write_table(records(40 + n, seed=10 * k + n), root / name / f"{day}.parquet")
    return {"market": ledgers.market_in(root / "market"), "old": root / "old", "new": root / "new"}


@pytest.fixture(scope="module")
def writer(deliveries: dict[str, Path]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", PARENT, str(Path(__file__).parent), str(deliveries["market"])]
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield started
    started.stdin.close()
    started.wait(timeout=60)
    started.stdout.close()


@cache
def delivered(folder: Path) -> dict[str, tuple[str, pa.Table]]:
    """By day, the digest of its file and its records."""
    return {p.stem: (hashlib.sha256(p.read_bytes()).hexdigest(), pq.read_table(p)) for p in folder.iterdir()}


def check(store: Store, deliveries: dict[str, Path]) -> list[str]:
    """Every day is the old or the new one, whole; none is lost. By day, which."""
    old, new = delivered(deliveries["old"]), delivered(deliveries["new"])
    days, damaged = read_days(store)
    assert not damaged
    held = {day.day.isoformat(): day for day in days}
    assert len(held) == len(days)
    assert set(old) <= set(held) <= set(new)
    found = []
    for name, day in held.items():
        state = "new" if day.digest == new[name][0] else "old"
        digest, table = (new if state == "new" else old)[name]
        assert (day.digest, day.rows) == (digest, table.num_rows)
        assert pq.read_table(day.path, partitioning=None).equals(table)
        found.append(state)
    return found


def finish(writer: subprocess.Popen[str], store: Store, deliveries: dict[str, Path]) -> None:
    """The next writer completes what was begun, and leaves nothing behind."""
    assert run(writer, store.root, deliveries["new"], 0).endswith("0 problems")
    assert check(store, deliveries) == ["new"] * 2
    assert sorted(p.name for p in store.ledger.iterdir()) == [d.path.name for d in read_days(store)[0]]
    assert not list(store.incoming.iterdir())
    replaced = {d.day: d.replaced for d in read_days(store)[0]}
    first = delivered(deliveries["old"])
    assert replaced == {day: ((first[str(day)][0],) if str(day) in first else ()) for day in DAYS}


def test_killed_at_every_step_and_at_random_no_day_is_lost_or_double(
    writer: subprocess.Popen[str], deliveries: dict[str, Path], tmp_path: Path
) -> None:
    """Every step of a correction, of a new day and of clearing up, before it or after it; and moments that nobody
    chose."""
    seen: set[tuple[str, ...]] = set()
    assert run(writer, tmp_path / "before", deliveries["old"], 0).endswith("0 problems")
    shutil.copytree(tmp_path / "before", tmp_path / "whole")
    calls = int(run(writer, tmp_path / "whole", deliveries["new"], 0).split()[0])
    assert calls > 15
    chance = random.Random(1)
    rounds = [(at, chance.choice(["before", "after"]), 0.0) for at in range(1, calls + 1)]
    rounds += [(0, "before", chance.uniform(0.001, 0.06)) for _ in range(8)]
    for k, (at, after, delay) in enumerate(rounds):
        root = shutil.copytree(tmp_path / "before", tmp_path / f"round-{k}")
        said = run(writer, root, deliveries["new"], at, after, delay)
        assert not said or delay, "it was not killed"
        seen.add(tuple(check(Store(root), deliveries)))
        finish(writer, Store(root), deliveries)
    assert seen == {("old",), ("new",), ("new", "new")}


def test_killed_again_and_again_it_still_comes_to_an_end(
    writer: subprocess.Popen[str], deliveries: dict[str, Path], tmp_path: Path
) -> None:
    """Each writer is killed a little later than the one before, over what that one left."""
    root = tmp_path / "store"
    run(writer, root, deliveries["old"], 0)
    killed = 0
    for at in range(2, 60, 2):
        if run(writer, root, deliveries["new"], at, "after"):
            break
        killed += 1
        check(Store(root), deliveries)
    assert killed > 3
    finish(writer, Store(root), deliveries)


def test_killed_while_a_store_is_made(
    writer: subprocess.Popen[str], deliveries: dict[str, Path], tmp_path: Path
) -> None:
    for at in range(1, 8):
        root = tmp_path / f"store-{at}"
        assert not run(writer, root, deliveries["old"], at)
        assert run(writer, root, deliveries["old"], 0).endswith("0 problems")
        assert len(read_days(Store(root))[0]) == 1
