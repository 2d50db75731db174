"""A writer that is killed at any moment loses nothing that it was told is written, and leaves a register that holds."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from poundlock.register.store import POINTS
from registers import DAY, founded, place, reopened

# A warm parent forks a child a round: Python and Django start slowly. The child tells the digest of each entry when it is written.
PARENT = """
import os, random, signal, sys, time
sys.path.insert(0, sys.argv[1])
from registers import DAY, on, reopened
from poundlock.register.store import Conflict
from poundlock.rollout.refusal import Refused

def write(url, point, count):
    def at_point(name):
        nonlocal count
        if name == point:
            count -= 1
            if not count:
                os.kill(os.getpid(), signal.SIGKILL)
    register = reopened(url, at_point=at_point)
    chance = random.Random(os.getpid())
    os.write(1, b"started\\n")
    while True:
        run = chance.randrange(10**9)
        for name in ("return", "promote"):
            entry = register.append(on(name, run, amount="1"), at=DAY, files=[os.urandom(chance.randrange(20_000))])
            os.write(1, f"{entry.digest}\\n".encode())

for line in sys.stdin:
    url, point, count, delay = line.rstrip().split("\\t")
    child = os.fork()
    if not child:
        write(url, point, int(count))
    if point == "-":
        time.sleep(float(delay))
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.write(1, b"killed\\n")
"""


@contextmanager
def parent() -> Iterator[subprocess.Popen[str]]:
    started = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield started
    finally:
        started.stdin.close()
        started.wait(timeout=60)
        started.stdout.close()


def killed(writer: subprocess.Popen[str], url: str, point: str, count: int, delay: float) -> list[str]:
    """One round: what the writer had been told is written before it was killed."""
    writer.stdin.write(f"{url}\t{point}\t{count}\t{delay}\n")
    writer.stdin.flush()
    told = []
    for line in writer.stdout:
        if line == "killed\n":
            return told
        if line != "started\n":
            told.append(line.strip())
    raise AssertionError("the parent of the writers ended")


@pytest.mark.parametrize(("vendor", "at_points", "at_random"), [("sqlite", 10, 50), ("postgresql", 2, 10)])
def test_nothing_that_was_told_is_lost(vendor: str, at_points: int, at_random: int, tmp_path: Path):
    chance = random.Random(11)
    rounds = [(point, chance.randrange(1, 9), 0.0) for point in POINTS for _ in range(at_points)]
    rounds += [("-", 0, chance.uniform(0.001, 0.1)) for _ in range(at_random)]
    with place(vendor, tmp_path) as url, parent() as writer:
        founded(url).close()
        size, all_told = 1, 0
        for point, count, delay in rounds:
            told = killed(writer, url, point, count, delay)
            register = reopened(url)
            register.checkpoint(at=DAY)  # waits for what a server still commits for the one that was killed
            there = [e.digest for e in register.entries(size + 1)]
            found = register.check()
            register.close()
            assert found.flaw is None, (point, str(found.flaw))
            assert there[: len(told)] == told, (point, "an entry that was told is lost")
            # what was not told may be there, but no more than the one that was on its way
            assert len(there) - len(told) in ((1,) if point == "after commit" else (0, 1) if point == "-" else (0,))
            if point != "-":
                assert len(told) == count - 1
            size, all_told = size + len(there), all_told + len(told)
        assert all_told > len(rounds)
