"""The key of a synthetic ledger: every mistake that was planted in it, exactly. It stands beside the files, and
checks are held against it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final, Literal, get_args

KEY_NAME: Final = "planted-key.json"
KeyKind = Literal[
    "duplicate",
    "conflict",
    "late",
    "late duplicate",
    "impossible",
    "zero",
    "negative",
    "gap",
    "missing day",
    "unbalanced",
]
_FORMAT: Final = 1
_DATES: Final = ("day", "own_day", "copy_of")


@dataclass(frozen=True, slots=True)
class PlantedError:
    """One planted mistake; what does not apply to its kind is None.

    day: of the file, or of the returns. rows: rows of the file from 0; of a duplicate and a conflict first the
    record, then its copy. amount: of the record that is wrong, minor units; of a conflict the copy's, above
    `true_value`. own_day: of a late or impossible record, where its time lies. copy_of: the day that holds the
    record already, if that day is there. institution, hour (UTC), removed: of a gap, with the number of records that
    were taken out. side, region, platform, true_value, altered_value: of a row of the returns.
    """

    day: dt.date
    kind: KeyKind
    record_id: int | None = None
    rows: tuple[int, ...] = ()
    amount: int | None = None
    own_day: dt.date | None = None
    copy_of: dt.date | None = None
    institution: str | None = None
    hour: int | None = None
    removed: int | None = None
    side: str | None = None
    region: str | None = None
    platform: str | None = None
    true_value: int | None = None
    altered_value: int | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """seed: of the ledger. planted: by day and kind."""

    seed: int
    planted: tuple[PlantedError, ...]

    def of_kind(self, *kinds: KeyKind) -> tuple[PlantedError, ...]:
        """All of these kinds."""
        return tuple(one for one in self.planted if one.kind in kinds)


def read_key(path: Path) -> Key:
    """From the file, or from the folder that it stands in. Raises OSError, and ValueError for what is no key."""
    path = path / KEY_NAME if path.is_dir() else path
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"{path}: no key of planted errors in format {_FORMAT}")
    return Key(content["seed"], tuple(_read(one) for one in content["planted"]))


def add_to_key(
    folder: Path, seed: int, planted: Iterable[PlantedError], *, instead: Iterable[tuple[dt.date, KeyKind]]
) -> None:
    """Write the key anew with these errors; of the days and kinds of `instead` it keeps none that it had.

    A late copy is a late duplicate only where the folder holds the file of the day that it is a copy of. Raises
    ValueError where the key there is of another seed.
    """
    path, gone = folder / KEY_NAME, set(instead)
    before = read_key(path) if path.exists() else Key(seed, ())
    if before.seed != seed:
        raise ValueError(f"{path} is of seed {before.seed}, not {seed}; write into another folder")
    kept = [one for one in before.planted if (one.day, one.kind) not in gone]
    known = [_known(one, folder) for one in (*kept, *planted)]
    known.sort(key=lambda one: (one.day, get_args(KeyKind).index(one.kind), one.rows, one.institution or ""))
    lines = ",\n".join(json.dumps(_written(one), ensure_ascii=False) for one in known)
    half = path.with_suffix(".half")
    half.write_text(f'{{"format": {_FORMAT}, "seed": {seed}, "planted": [\n{lines}\n]}}\n', encoding="utf-8")
    half.replace(path)


def _known(one: PlantedError, folder: Path) -> PlantedError:
    if one.copy_of is None:
        return one
    there = (folder / f"{one.copy_of}.parquet").exists()
    return replace(one, kind="late duplicate" if there else "late")


def _written(one: PlantedError) -> dict[str, Any]:
    values = {f.name: getattr(one, f.name) for f in fields(PlantedError)}
    return {
        name: value.isoformat() if isinstance(value, dt.date) else value
        for name, value in values.items()
        if value not in (None, ())
    }


def _read(one: dict[str, Any]) -> PlantedError:
    dates = {name: dt.date.fromisoformat(one[name]) for name in _DATES if name in one}
    return PlantedError(**(one | dates | {"rows": tuple(one.get("rows", ()))}))
