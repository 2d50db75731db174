"""A store: a day is what its manifest says, whole or not there; damage to one day leaves the others."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import ledgers
from poundlock.payments.store import (
    Busy,
    Day,
    Store,
    day_of_store,
    locked,
    manifest_of,
    missing_days,
    open_store,
    put,
    read_days,
)
from poundlock.problems import Problem

DAY, NEXT = ledgers.days(2)


def new_store(root: Path, currency: str = "CNY", minor_units: int = 2) -> Store:
    problems: list[Problem] = []
    store = open_store(root, problems, currency=currency, minor_units=minor_units, create=True)
    assert store is not None, problems
    return store


def refused(root: Path, **asked: object) -> Problem:
    problems: list[Problem] = []
    assert open_store(root, problems, **asked) is None  # type: ignore[arg-type]
    (problem,) = problems
    return problem


def placed(store: Store, day: dt.date, content: bytes, *, rows: int = 1) -> tuple[str, Day, Day | None]:
    written = store.incoming / "written"
    written.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return put(store, day, written, digest=digest, rows=rows, source=f"{day}.csv", received="2021-12-01T00:00:00+00:00")


def test_a_day_is_put_once_and_read_as_it_was_told(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        outcome, day, before = placed(store, DAY, b"one", rows=3)
        assert (outcome, before) == ("new", None)
        assert placed(store, DAY, b"one")[0] == "same"
        placed(store, NEXT, b"two")
    days, damaged = read_days(store)
    assert not damaged
    assert [d.day for d in days] == [DAY, NEXT]
    assert days[0] == day == day_of_store(store, DAY)
    assert (day.rows, day.bytes, day.source, day.received) == (3, 3, f"{DAY}.csv", "2021-12-01T00:00:00+00:00")
    assert day.path.read_bytes() == b"one"
    assert day.path.name == f"{DAY}-{day.digest[:12]}.parquet"
    assert not list(store.incoming.iterdir())


def test_a_corrected_day_says_what_it_replaced(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        first, second = placed(store, DAY, b"one")[1], placed(store, DAY, b"two")
        assert (second[0], second[2]) == ("corrected", first)
        assert second[1].replaced == (first.digest,)
        assert not first.path.exists()
        third = placed(store, DAY, b"one")[1]
    assert third.replaced == (first.digest, second[1].digest)
    assert [path.name for path in store.ledger.iterdir()] == [third.path.name]


def test_days_that_are_missing(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        placed(store, DAY, b"one")
    first, last = DAY - dt.timedelta(days=1), DAY + dt.timedelta(days=1)
    assert missing_days(read_days(store)[0], first, last) == (first, last)
    assert missing_days((), last, first) == ()


def changed(**keys: object) -> Callable[[str], bytes]:
    """A manifest with other values; None takes a key out."""

    def text(manifest: str) -> bytes:
        told = json.loads(manifest) | keys
        return json.dumps({k: v for k, v in told.items() if v is not None}).encode()

    return text


UNREADABLE = "a manifest that cannot be read"
# what the manifest becomes; what is found
DAMAGE: dict[str, tuple[Callable[[str], bytes], str]] = {
    "not JSON": (lambda text: text[:-20].encode(), UNREADABLE),
    "nothing in it": (lambda text: b"", UNREADABLE),
    "not UTF-8": (lambda text: b"\xff\xfe", UNREADABLE),
    "a list": (lambda text: b"[1]", UNREADABLE),
    "nested beyond reason": (lambda text: b"[" * 100_000, UNREADABLE),
    "a key short": (changed(rows=None), UNREADABLE),
    "rows in words": (changed(rows="many"), UNREADABLE),
    "another day": (changed(day="2021-10-09"), "a manifest of 2021-10-09 under another day's name"),
    "a file elsewhere": (changed(file="../market.json"), "a manifest of format 1 that names '../market.json'"),
    "another digest": (changed(digest="0" * 64), "a manifest of format 1 that names"),
    "another format": (changed(format=2), "a manifest of format 2"),
    "a file that is not there": (lambda text: text.encode(), "is not there"),
    "a longer file": (lambda text: text.encode(), "a file of 18 bytes where 3 were written"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_day_is_told_and_the_others_stay(name: str, tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        day, other = placed(store, DAY, b"one")[1], placed(store, NEXT, b"two")[1]
    damaged, found = DAMAGE[name]
    manifest = manifest_of(store, DAY)
    manifest.write_bytes(damaged(manifest.read_text()))
    if name == "a file that is not there":
        day.path.unlink()
    if name == "a longer file":
        day.path.write_bytes(b"longer than it was")
    days, (problem,) = read_days(store)
    assert days == (other,)
    assert problem.file == str(manifest)
    assert found in problem.found
    assert f"ingest the file of {DAY} again" in problem.cure
    with locked(store, 0.0):
        assert day.path.exists() == (name != "a file that is not there"), "what may be of use is not swept"
        assert placed(store, DAY, b"one")[0] == "new"
    assert [d.day for d in read_days(store)[0]] == [DAY, NEXT]
    assert not read_days(store)[1]


def test_a_day_replaced_between_two_looks_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        placed(store, DAY, b"one")
    loads = json.loads

    def late(text: str) -> object:
        monkeypatch.undo()
        known = loads(text)
        placed(store, DAY, b"another")
        return known

    monkeypatch.setattr(json, "loads", late)
    days, damaged = read_days(store)
    assert not damaged
    assert days[0].bytes == len(b"another")


def test_leftovers_are_swept_by_the_next_writer(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        day = placed(store, DAY, b"one")[1]
    folder = store.root / "partials" / "activity"
    folder.mkdir(parents=True)
    kept = [folder / f"{DAY}-{day.digest[:12]}-1.parquet", day.path]
    old = [
        folder / f"{DAY}-{'0' * 12}-1.parquet",
        folder / f"{NEXT}-{'0' * 12}-1.parquet",
        store.ledger / f"{NEXT}-{'0' * 12}.parquet",
        store.incoming / f"{NEXT}.half",
    ]
    for path in (*kept, *old):
        path.touch()
    with locked(store, 0.0):
        assert all(path.exists() for path in kept)
        assert not any(path.exists() for path in old)


def test_a_second_writer_waits_and_is_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with (store.root / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(Busy), locked(store, 0.1):
            pass
    with locked(store, 0.0):
        pass


def test_a_store_is_for_one_market(tmp_path: Path) -> None:
    root = tmp_path / "store"
    new_store(root)
    assert open_store(root, []) == Store(root)
    other = refused(root, currency="USD", minor_units=2, create=True)
    assert other.found == "a store of format 1, CNY with 2 decimal places"
    assert "name another folder" in other.cure
    assert "with 0 decimal places" in refused(root, currency="CNY", minor_units=0).expected


def test_what_is_no_store_is_told_where_it_was_named(tmp_path: Path) -> None:
    problem = refused(tmp_path / "nothing", declared_at=("plan.yaml", 4))
    assert (problem.file, problem.line) == ("plan.yaml", 4)
    assert "ingest" in problem.cure
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1, "currency": "CNY"}'])
def test_a_store_whose_market_cannot_be_read(text: str, tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    (store.root / "market.json").write_text(text)
    assert "cannot be read" in refused(store.root).found
    assert "cannot be read" in refused(store.root, currency="CNY", minor_units=2, create=True).found


def test_no_store_is_made_among_other_things(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear to somebody")
    problem = refused(tmp_path, currency="CNY", minor_units=2, create=True)
    assert "holds other things" in problem.found
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_days_without_their_market_do_not_become_another_markets(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    with locked(store, 0.0):
        placed(store, DAY, b"one")
    (store.root / "market.json").unlink()
    assert "no market.json" in refused(store.root, currency="USD", minor_units=2, create=True).found


def test_a_store_that_was_half_made_is_made(tmp_path: Path) -> None:
    root = tmp_path / "store"
    for name in ("days", "ledger"):
        (root / name).mkdir(parents=True)
    (root / ".market.json.17.half").write_text("{")
    assert new_store(root) == Store(root)


def test_folders_that_were_empty_may_be_gone(tmp_path: Path) -> None:
    store = new_store(tmp_path / "store")
    for name in ("incoming", "ledger", "days"):
        (store.root / name).rmdir()
    with locked(store, 0.0):
        assert placed(store, DAY, b"one")[0] == "new"
