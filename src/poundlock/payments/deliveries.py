"""What was delivered: files of one day each, the day in the name, e.g. 2021-10-01.parquet or records-2021-10-01.csv."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from poundlock.problems import Problem

Form = Literal["parquet", "csv"]
_FORMS: Final[dict[str, Form]] = {".parquet": "parquet", ".csv": "csv"}
_DAY: Final = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


@dataclass(frozen=True, slots=True)
class Delivery:
    """One file of records. day: the last date in its name."""

    day: dt.date
    path: Path
    form: Form


def deliveries(files: Iterable[Path], today: dt.date, problems: list[Problem]) -> tuple[Delivery, ...]:
    """Files that may hold a day each, in the order of their days; of a folder, its Parquet and CSV files. Adds a
    Problem for everything else.

    Nothing is opened. Two files of one day are both left out: it is not known which counts.
    """
    found: dict[dt.date, list[Delivery]] = {}
    for path in dict.fromkeys(_files(files, problems)):
        one = _delivery(path, today, problems)
        if one is not None:
            found.setdefault(one.day, []).append(one)
    for day, several in found.items():
        for one in several[1:]:
            said = f"{one.path.name}, a second file of {day} beside '{several[0].path}'"
            problems.append(Problem(str(one.path), None, said, "one file a day", "deliver only the one that counts"))
    return tuple(several[0] for _, several in sorted(found.items()) if len(several) == 1)


def _files(files: Iterable[Path], problems: list[Problem]) -> Iterator[Path]:
    for path in files:
        try:
            folder = path.is_dir()
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in _FORMS) if folder else []
        except (OSError, ValueError):  # a folder that may not be entered, a name that no file can have
            folder, inside = False, []
        if folder and not inside:
            found = "a folder without Parquet or CSV files"
            problems.append(Problem(str(path), None, found, "files such as 2021-10-01.parquet", "name another folder"))
        yield from inside if folder else [path]


def _delivery(path: Path, today: dt.date, problems: list[Problem]) -> Delivery | None:
    def refuse(found: str, expected: str, cure: str) -> None:
        problems.append(Problem(str(path), None, found, expected, cure))

    try:
        regular = path.is_file()
    except (OSError, ValueError):
        regular = False
    if not regular:
        refuse("no file that may be read", "a readable file", "correct the path")
        return None
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        refuse(f"a file that ends in '{path.suffix}'", ".parquet or .csv", "deliver Parquet or CSV")
        return None
    dates = _DAY.findall(path.stem)
    try:
        day = dt.date.fromisoformat(dates[-1])
    except (IndexError, ValueError):
        found = f"no day in the name '{path.name}'" if not dates else f"{dates[-1]}, which is no date, in the name"
        refuse(found, "a name such as 2021-10-01.parquet", "put the day into the name as YYYY-MM-DD")
        return None
    if day > today:
        refuse(f"{day}, a day that has not begun", f"a day up to {today}", "correct the name of the file")
        return None
    return Delivery(day, path, form)
