"""Several at once: whatever the order, one decision is taken, the others are told, and the record holds."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from poundlock.register.store import Act, Conflict, Register
from poundlock.rollout.chain import Entry
from poundlock.rollout.refusal import Refused
from registers import DAY, founded, on, place, reopened

HISTORIES = 500
"""Of each kind: a thousand on each database."""
Outcome = Entry | Refused | Conflict
Try = Callable[[int], Outcome]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with place(request.param, tmp_path) as url:
        yield url


def raced(
    tries: Sequence[Try], before: Callable[[int], None], after: Callable[[list[Outcome]], None], rounds: int
) -> None:
    """Every try at once, again and again, each in a thread of its own. before, after: called alone, between the rounds."""
    outcomes: list[Outcome] = [Refused()] * len(tries)
    faults: list[BaseException] = []
    rounds_done = 0

    def between() -> None:
        nonlocal rounds_done
        if rounds_done:
            after(list(outcomes))
        if rounds_done < rounds:
            before(rounds_done)
        rounds_done += 1

    barrier = threading.Barrier(len(tries), action=between, timeout=60)

    def run(place: int) -> None:
        try:
            for round_ in range(rounds):
                barrier.wait()
                outcomes[place] = tries[place](round_)
            barrier.wait()
        except BaseException as error:
            if not isinstance(error, threading.BrokenBarrierError):
                faults.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(tries))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    assert rounds_done == rounds + 1


def told(register: Register, act: Act, expected: str | None = None) -> Outcome:
    try:
        return register.append(act, at=DAY, expected=expected)
    except (Refused, Conflict) as outcome:
        return outcome


def sound(register: Register) -> None:
    found = register.check()
    assert found.flaw is None, str(found.flaw)
    assert found.entries == register.head().number


def test_of_two_approvers_at_once_one_decides(url: str):
    register = founded(url)
    won: Counter[str] = Counter()

    def after(outcomes: list[Outcome]) -> None:
        taken = [o for o in outcomes if isinstance(o, Entry)]
        assert len(taken) == 1
        assert [type(o) for o in outcomes if o is not taken[0]] == [Refused]
        won[taken[0].actor] += 1

    tries: list[Try] = [lambda k, who=who: told(register, on("promote", k, who)) for who in ("ana", "aki")]
    raced(tries, lambda k: None, after, HISTORIES)
    sound(register)
    assert register.head().number == 1 + HISTORIES
    assert len(won) == 2, won  # a race that one always wins is none
    register.close()


def test_promote_against_hold_against_a_new_return(url: str):
    """Promotion is signed on the record as it stood: what came in meanwhile, it has not seen."""
    register = founded(url)
    seen = ""
    ways: Counter[tuple[str, ...]] = Counter()

    def before(run: int) -> None:
        nonlocal seen
        seen = register.append(on("return", run, "olu"), at=DAY).digest

    def after(outcomes: list[Outcome]) -> None:
        promoted, held, returned = outcomes
        assert isinstance(promoted, Entry) != isinstance(held, Entry)  # one of them, never both
        if isinstance(promoted, Entry):
            assert promoted.previous == seen
            assert isinstance(held, Refused)
            assert isinstance(returned, Refused)
        else:
            assert isinstance(promoted, Conflict | Refused)
        ways[tuple(type(o).__name__ for o in outcomes)] += 1

    raced(
        [
            lambda k: told(register, on("promote", k), expected=seen),
            lambda k: told(register, on("hold", k, "aki")),
            lambda k: told(register, on("return", k, "olu", amount="late")),
        ],
        before,
        after,
        HISTORIES,
    )
    sound(register)
    decisions = Counter(e.object for e in register.entries() if e.act in ("promote", "hold"))
    assert set(decisions.values()) == {1}
    assert len(decisions) == HISTORIES
    assert len(ways) > 1, ways
    register.close()


WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from registers import DAY, on, reopened
register = reopened(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for k in range(100):
    print(register.append(on("return", k % 7, "olu", amount=sys.argv[3]), at=DAY).digest)
register.close()
"""


def test_several_processes_write_one_chain(url: str):
    register = founded(url)
    here = str(Path(__file__).parent)
    with ExitStack() as stack:
        command = [sys.executable, "-c", WRITER, here, url]
        writers = [
            stack.enter_context(subprocess.Popen([*command, str(k)], stdin=-1, stdout=-1, text=True)) for k in range(4)
        ]
        assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * 4
        for writer in writers:
            writer.stdin.write("\n")
            writer.stdin.flush()
        told = {digest for writer in writers for digest in writer.communicate(timeout=120)[0].split()}
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    assert told == {e.digest for e in register.entries(2)}
    assert len(told) == 400
    sound(register)
    register.close()


def test_a_check_sees_one_moment_while_others_write(url: str):
    register = founded(url)
    stop = threading.Event()

    def write() -> None:
        k = 0
        while not stop.is_set():
            register.append(on("return", k % 5, "olu"), at=DAY)
            k += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        sizes = []
        for _ in range(20):
            found = register.check()
            assert found.flaw is None, str(found.flaw)
            sizes.append(found.entries)
    finally:
        stop.set()
        writer.join()
    assert sizes[-1] > sizes[0]
    register.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside threads of other tests
def test_a_child_of_a_fork_opens_its_own_connection(url: str):
    register = founded(url)
    register.append(on("return", 1), at=DAY)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            register.append(on("return", 2), at=DAY)
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    register.append(on("return", 3), at=DAY)
    assert register.objects("run:") == ("run:1", "run:2", "run:3")
    sound(register)
    register.close()


def test_a_connection_that_the_server_ended_is_opened_again(tmp_path: Path):
    with place("postgresql", tmp_path) as url:
        register, other = founded(url), reopened(url)
        pid = register._database.all("SELECT pg_backend_pid()")[0][0]
        other._database.all("SELECT pg_terminate_backend(%s)", (pid,))
        assert register.append(on("return", 1), at=DAY).number == 2
        assert register.check().flaw is None
        register.close()
        other.close()
