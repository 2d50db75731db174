"""A store: a folder with one Parquet file a day, and one manifest a day that says which file counts.

STORE/market.json names the currency. STORE/days/2021-10-01.json is the only truth about its day: it is replaced in one
step, after the file that it names is safely on disk, so that a day is the old or the new one at every moment, never
half of one and never two. STORE/ledger holds the files, STORE/partials what was computed from them, STORE/incoming what
is being written.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from poundlock.problems import Problem

Outcome = Literal["new", "same", "corrected"]
FORMAT: Final = 1
_FOLDERS: Final = ("ledger", "days", "incoming")
_NAMED: Final = len("2021-10-01-") + 12
"""Of a file's name, what says its day and the digest that it stands for."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day as the store has it. path: of its Parquet file; digest: SHA-256 of the file as it was delivered; rows;
    bytes: of the Parquet file; source: name as delivered; received: when, ISO 8601; replaced: digests of what was there
    before, oldest first."""

    day: dt.date
    path: Path
    digest: str
    rows: int
    bytes: int
    source: str
    received: str
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """root: its folder."""

    root: Path

    @property
    def ledger(self) -> Path:
        """Folder of the days' files."""
        return self.root / "ledger"

    @property
    def incoming(self) -> Path:
        """Folder of what is being written."""
        return self.root / "incoming"


class Busy(Exception):  # noqa: N818 - it is a state, not an error
    """Another writer has the store."""


def open_store(
    root: Path,
    problems: list[Problem],
    *,
    currency: str | None = None,
    minor_units: int | None = None,
    create: bool = False,
    declared_at: tuple[str, int | None] | None = None,
) -> Store | None:
    """A store that is there, or with `create` a new one for this currency, in a folder that is empty or not there;
    None, with a Problem, where it cannot be used. currency, minor_units: those of the market, which must be the
    store's. Raises OSError where nothing can be written."""
    place = declared_at or (str(root), None)
    told = root / "market.json"
    if create and currency is not None and not told.exists():
        if not _may_become_store(root):
            found, cure = (
                f"'{root}', which holds other things, and no market.json",
                "name a new folder, or one that is empty",
            )
            problems.append(Problem(*place, found, "a store, or room for one", cure))
            return None
        for name in _FOLDERS:
            (root / name).mkdir(parents=True, exist_ok=True)
        write_text(told, json.dumps({"format": FORMAT, "currency": currency, "minor_units": minor_units}) + "\n")
    if (held := _held(root, place, problems)) is None:
        return None
    asked = (FORMAT, currency or held[1], held[2] if minor_units is None else minor_units)
    if held != asked:
        said, wanted = (f"format {f}, {c} with {m} decimal places" for f, c, m in (held, asked))
        problems.append(Problem(*place, f"a store of {said}", wanted, "a store holds one market; name another folder"))
        return None
    return Store(root)


def _held(root: Path, place: tuple[str, int | None], problems: list[Problem]) -> tuple[int, str, int] | None:
    """Format, currency and decimal places of a store."""
    told = root / "market.json"
    try:
        known = json.loads(told.read_text(encoding="utf-8"))
        return known["format"], known["currency"], known["minor_units"]
    except FileNotFoundError:
        cure = "name a folder that `poundlock payments ingest` filled, or ingest records first"
        problems.append(Problem(*place, f"'{root}', which is no store of payment records", "a store", cure))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        expected = "the format, currency and minor_units of the store"
        cure = "put the file back from a copy, or ingest all days into a new folder"
        problems.append(Problem(*place, f"'{told}', which cannot be read", expected, cure))
    return None


def read_days(store: Store) -> tuple[tuple[Day, ...], tuple[Problem, ...]]:
    """The days that may be read, ascending; and a Problem for each whose manifest or file is damaged. Those that may be
    read stay usable."""
    days, problems = [], []
    for path in sorted((store.root / "days").glob("*.json")):
        found = _day(store, path)
        if isinstance(found, Day):
            days.append(found)
        else:
            problems.append(Problem(str(path), None, found, "a whole day", f"ingest the file of {path.stem} again"))
    return tuple(days), tuple(problems)


def missing_days(days: tuple[Day, ...], first: dt.date, last: dt.date) -> tuple[dt.date, ...]:
    """Days from first to last that are not among them."""
    have = {day.day for day in days}
    all_days = (first + dt.timedelta(days=k) for k in range((last - first).days + 1))
    return tuple(day for day in all_days if day not in have)


def day_of_store(store: Store, day: dt.date) -> Day | None:
    """One day, or None where there is none that may be read."""
    path = manifest_of(store, day)
    found = _day(store, path) if path.exists() else None
    return found if isinstance(found, Day) else None


def put(
    store: Store, day: dt.date, written: Path, *, digest: str, rows: int, source: str, received: str
) -> tuple[Outcome, Day, Day | None]:
    """Make a finished Parquet file, made in `store.incoming`, the file of its day. Returns what that was, the day now,
    and before. Under `locked`."""
    before = day_of_store(store, day)
    if before is not None and before.digest == digest:
        written.unlink()
        return "same", before, before
    place = store.ledger / _file_name(day, digest)
    size = written.stat().st_size
    _synced(written)
    os.replace(written, place)
    _synced(store.ledger)
    replaced = (*before.replaced, before.digest) if before is not None else ()
    now = Day(day, place, digest, rows, size, source, received, replaced)
    write_text(manifest_of(store, day), json.dumps(_manifest(now), indent=2) + "\n", through=store.incoming)
    if before is not None and before.path != place:
        before.path.unlink(missing_ok=True)
    return ("new" if before is None else "corrected"), now, before


@contextmanager
def locked(store: Store, seconds: float) -> Iterator[None]:
    """Hold the store as its only writer, and sweep what an interrupted one left. Raises Busy after so many seconds of
    waiting."""
    for name in _FOLDERS:  # those that are empty get lost where folders are copied
        (store.root / name).mkdir(exist_ok=True)
    with (store.root / "lock").open("w") as stream:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise Busy from None
                time.sleep(0.05)
        _swept(store)
        yield


def manifest_of(store: Store, day: dt.date) -> Path:
    """Where the manifest of a day is."""
    return store.root / "days" / f"{day}.json"


def write_text(path: Path, text: str, *, through: Path | None = None) -> None:
    """Whole or not at all, and on disk when this returns. through: folder on the same disk for the half-written
    file."""
    half = (through or path.parent) / f".{path.name}.{os.getpid()}.half"
    with half.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(half, path)
    _synced(path.parent)


def _synced(path: Path) -> None:
    """Everything of a file or folder is on disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _swept(store: Store) -> None:
    """Remove what no manifest names: half-written files, files of days that were replaced, partials of those. What may
    belong to a day whose manifest cannot be read stays, for somebody to look at."""
    days, _ = read_days(store)
    kept = {f"{day.day}-{day.digest[:12]}" for day in days}
    unclear = {path.stem for path in (store.root / "days").glob("*.json")} - {f"{day.day}" for day in days}
    named = [*store.ledger.iterdir(), *(store.root / "partials").glob("*/*")]
    old = [path for path in named if path.name[:_NAMED] not in kept and path.name[: len("2021-10-01")] not in unclear]
    for path in (*store.incoming.iterdir(), *old):
        if not path.is_dir():
            path.unlink(missing_ok=True)


def _may_become_store(root: Path) -> bool:
    """Whether a folder is not there, empty, or a store that somebody began to make."""
    if not root.exists():
        return True
    if not root.is_dir() or any((root / "days").glob("*.json")):
        return False
    names = {path.name for path in root.iterdir() if not path.name.startswith(".market.json.")}
    return names <= {*_FOLDERS, "lock"}


def _manifest(day: Day) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "day": day.day.isoformat(),
        "file": day.path.name,
        "digest": day.digest,
        "rows": day.rows,
        "bytes": day.bytes,
        "source": day.source,
        "received": day.received,
        "replaced": list(day.replaced),
    }


def _day(store: Store, path: Path) -> Day | str:
    """The day of a manifest, or what is wrong with it. A file that was replaced between two looks is looked for
    again."""
    before, text = None, _text(path)
    while True:
        found = _checked(store, path, text)
        before, text = text, _text(path)
        if isinstance(found, Day) or text == before:
            return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _checked(store: Store, path: Path, text: str) -> Day | str:
    """The day that a manifest's text tells of, if its file is there."""
    try:
        known = json.loads(text)
        day, digest = dt.date.fromisoformat(known["day"]), str(known["digest"])
        replaced = tuple(str(one) for one in known["replaced"])
        source, received = str(known["source"]), str(known["received"])
        file, rows, size = store.ledger / str(known["file"]), int(known["rows"]), int(known["bytes"])
        sound = known["format"] == FORMAT and file.name == str(known["file"]) == _file_name(day, digest)
    except (ValueError, KeyError, TypeError, RecursionError):
        return "a manifest that cannot be read"
    if path.stem != day.isoformat():
        return f"a manifest of {day} under another day's name"
    if not sound:
        return f"a manifest of format {known['format']} that names '{str(known['file'])[:80]}'"
    try:
        there = file.stat().st_size
    except OSError:
        return f"a manifest whose file '{file.name}' is not there"
    if there != size:
        return f"a file of {there:,} bytes where {size:,} were written"
    return Day(day, file, digest, rows, size, source, received, replaced)


def _file_name(day: dt.date, digest: str) -> str:
    return f"{day}-{digest[:12]}.parquet"
