"""Days of records into a store: each file is copied, digested, held against the market, written anew, and put in its
place, or refused with every Problem."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from poundlock.payments.csv_ledger import csv_batches
from poundlock.payments.day_file import DayFile
from poundlock.payments.deliveries import Delivery, deliveries
from poundlock.payments.market import MarketFile
from poundlock.payments.mistakes import Mistakes
from poundlock.payments.parquet_ledger import parquet_batches
from poundlock.payments.records import Check
from poundlock.payments.store import (
    Busy,
    Outcome,
    Store,
    day_of_store,
    locked,
    missing_days,
    open_store,
    put,
    read_days,
)
from poundlock.problems import Problem

WAIT_SECONDS: Final = 10.0
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Replaced:
    """What a corrected file took the place of. digest: of the file as delivered; rows: records."""

    digest: str
    rows: int

    def __str__(self) -> str:
        return f"{self.rows:,} records of {self.digest}"


@dataclass(frozen=True, slots=True)
class Taken:
    """A file whose day is in the store. file: as given; rows: records; replaced: of a corrected day."""

    day: dt.date
    file: str
    outcome: Outcome
    rows: int
    replaced: Replaced | None = None


@dataclass(frozen=True, slots=True)
class Ingested:
    """What became of a delivery. days: by day, those that are in the store now as delivered; problems: of files that
    were not taken, and of days of the store that are damaged; missing: days that the market expects up to yesterday,
    and of which the store has none."""

    days: tuple[Taken, ...]
    problems: tuple[Problem, ...]
    missing: tuple[dt.date, ...]


def ingest(
    market: MarketFile,
    store: Store,
    files: Sequence[Path],
    *,
    received: str,
    today: dt.date,
    wait_seconds: float = WAIT_SECONDS,
) -> Ingested:
    """Take files of one day each, or folders of such, into a store. A file with any mistake is not taken, the others
    are.

    The same file again changes nothing; another file for a day that is there takes its place. received: now, ISO 8601.
    today: no later day is taken. wait_seconds: for another writer. Memory does not grow with the files. Interrupted at
    any moment, each day is the old or the new one. Raises OSError where the store cannot be written.
    """
    problems: list[Problem] = []
    of, taken = market.market, list[Taken]()
    if open_store(store.root, problems, currency=of.currency, minor_units=of.minor_units) is None:
        return Ingested((), tuple(problems), ())
    try:
        with locked(store, wait_seconds):
            for delivery in deliveries(files, today, problems):
                one = _take(market, store, delivery, received, problems)
                taken += [one] if one is not None else []
    except Busy:
        found, cure = "a store in which another writer is at work", "wait until it has finished, and ingest again"
        problems.append(Problem(str(store.root), None, found, "one writer at a time", cure))
    days, damaged = read_days(store)
    expected = missing_days(days, of.first_day, min(of.last_day, today - dt.timedelta(days=1)))
    return Ingested(tuple(taken), (*problems, *damaged), expected)


def _take(market: MarketFile, store: Store, delivery: Delivery, received: str, problems: list[Problem]) -> Taken | None:
    """Put one file in its place, or add its Problems."""
    day, file = delivery.day, str(delivery.path)
    held = day_of_store(store, day)
    if held is not None:
        again = _read(delivery.path, None, problems)
        if again is None:
            return None
        if again == held.digest:
            return Taken(day, file, "same", held.rows)
    copy, written = store.incoming / f"{day}.{delivery.form}", store.incoming / f"{day}.half"
    digest, rows = _read(delivery.path, copy, problems), None
    if digest is not None:
        rows = _convert(market, delivery, copy, written, problems)
    copy.unlink()
    if digest is None or rows is None:
        written.unlink(missing_ok=True)
        return None
    outcome, _, replaced = put(
        store, day, written, digest=digest, rows=rows, source=delivery.path.name, received=received
    )
    return Taken(
        day,
        file,
        outcome,
        rows,
        Replaced(replaced.digest, replaced.rows) if replaced and outcome == "corrected" else None,
    )


def _convert(market: MarketFile, delivery: Delivery, copy: Path, written: Path, problems: list[Problem]) -> int | None:
    """Write the records of a copy as the store has them; how many, or None, with Problems, where anything is wrong with
    them."""
    before, mistakes, file = len(problems), Mistakes(problems), str(delivery.path)
    check = Check(market, file, mistakes)
    batches = (parquet_batches if delivery.form == "parquet" else csv_batches)(copy, file, problems, mistakes)
    with DayFile(written, check.lists) as into:
        for batch in batches:
            columns = check.columns(batch)
            if check.ok and len(problems) == before:
                into.add(columns)
        into.finish()
    mistakes.rest()
    if len(problems) == before and (whole := check.total()) is not None:
        problems.append(whole)
    return check.rows if len(problems) == before else None


def _read(path: Path, copy: Path | None, problems: list[Problem]) -> str | None:
    """The SHA-256 of a file, read once, and copied where asked; None, with a Problem, where it cannot be read or
    changed meanwhile."""
    digest, size, states = hashlib.sha256(), 0, list[tuple[int, ...]]()
    with ExitStack() as opened:
        into = opened.enter_context(copy.open("wb")) if copy is not None else None
        pieces = _pieces(path, states)
        while True:
            try:
                piece = next(pieces, None)
            except OSError as error:
                found = f"a file that cannot be read ({error.strerror})"
                problems.append(Problem(str(path), None, found, "a readable file", "check its permissions"))
                return None
            if piece is None:
                break
            digest.update(piece)
            size += len(piece)
            if into is not None:
                into.write(piece)
    if len(set(states)) > 1 or size != states[0][0]:
        found, cure = "a file that changed while it was read", "wait until it is written, and ingest it again"
        problems.append(Problem(str(path), None, found, "a file that is finished", cure))
        return None
    return digest.hexdigest()


def _pieces(path: Path, states: list[tuple[int, ...]]) -> Iterator[bytes]:
    """The bytes of a file; and its size, time and place, before and after."""
    with path.open("rb") as stream:
        states.append(_state(os.fstat(stream.fileno())))
        while piece := stream.read(_PIECE):
            yield piece
        states.append(_state(os.fstat(stream.fileno())))
    states.append(_state(path.stat()))


def _state(of: os.stat_result) -> tuple[int, ...]:
    return of.st_size, of.st_mtime_ns, of.st_dev, of.st_ino
