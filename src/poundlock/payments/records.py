"""Records as they were delivered, a batch at a time, held against the market: whole numbers and codes as the ledger has
them, or Problems."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from poundlock.payments.ledger import COLUMNS, SETTLED, STATUSES
from poundlock.payments.market import UNLIMITED, MarketFile
from poundlock.payments.mistakes import Mistakes
from poundlock.payments.tables import stranger
from poundlock.problems import Problem

Column = NDArray[np.int64] | NDArray[np.int32]
Bools = NDArray[np.bool_]
FIRST_US: Final = -62_135_596_800_000_000
LAST_US: Final = 253_402_300_799_999_999
"""The first and the last microsecond of the years 1 to 9999, since 1970."""
_STRANGE, _EMPTY = -1, -2
_NAMES: Final = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class Batch:
    """Some records of a file. codes: by column, dictionary arrays of text; numbers: by column, int64 arrays, time in
    microseconds since 1970. told: by column, cells (n,) whose mistake has been told; they are empty. place: line of a
    record, and words that say where it is."""

    codes: dict[str, pa.DictionaryArray] = field(repr=False)
    numbers: dict[str, pa.Int64Array] = field(repr=False)
    place: Callable[[int], tuple[int | None, str]] = field(repr=False)
    told: dict[str, Bools] = field(default_factory=dict, repr=False)

    def problem(self, file: str, row: int, found: str, expected: str, cure: str) -> Problem:
        """A Problem that points at a record of this batch."""
        line, words = self.place(row)
        return Problem(file, line, f"{found}{words}", expected, cure)


def lists_of(market: MarketFile) -> dict[str, tuple[str, ...]]:
    """By column, the codes that it may hold, in the order of their numbers."""
    lists = {"platform": market.platforms, "channel": market.channels, "status": STATUSES}
    lists |= {f"{side}_region": market.regions for side in ("payer", "payee")}
    lists |= {f"{side}_institution": market.institutions for side in ("payer", "payee")}
    lists["currency"] = (market.market.currency,)
    return {column.name: lists[column.name] for column in COLUMNS if column.type == "code"}


def check_names(names: Sequence[str], file: str, line: int | None, problems: list[Problem]) -> bool:
    """Whether a file has each column of the ledger once, and no other; adds a Problem for each that it lacks or has too
    much."""
    before, extra = len(problems), [name for name in dict.fromkeys(names) if name not in _NAMES]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            found = f"column '{name[:60]}' {names.count(name)} times"
            problems.append(Problem(file, line, found, "each column once", "remove or rename the second one"))
    renamed = set[str]()
    for name in _NAMES:
        if name not in names:
            near = difflib.get_close_matches(name, [one for one in extra if one not in renamed], n=1)
            renamed |= set(near)
            cure = f"rename '{near[0]}' to '{name}'" if near else f"add the column '{name}'"
            problems.append(Problem(file, line, f"no column '{name}'", f"columns {', '.join(_NAMES)}", cure))
    for name in extra:
        if name not in renamed:
            expected = f"columns {', '.join(_NAMES)}"
            problems.append(Problem(file, line, f"column '{name[:60]}'", expected, "remove it; a ledger has no others"))
    return len(problems) == before


class Check:
    """Holds the batches of one file against a market. ok: whether nothing was wrong so far. rows: records so far."""

    def __init__(self, market: MarketFile, file: str, mistakes: Mistakes) -> None:
        self.lists = lists_of(market)
        self.ok, self.rows = True, 0
        self._file, self._mistakes = file, mistakes
        self._numbers = {name: {c.encode(): k for k, c in enumerate(codes)} for name, codes in self.lists.items()}
        self._minor_units = market.market.minor_units
        self._absolute = 0.0

    def columns(self, batch: Batch) -> dict[str, Column]:
        """Columns of the ledger: codes as int32 indices into `lists`, the rest int64. Only where `ok` stays true do
        they all mean something."""
        found: dict[str, Column] = {}
        for name, codes in batch.codes.items():
            found[name] = self._coded(batch, name, codes)
        for name, values in batch.numbers.items():
            self._empty(batch, name, values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None)
            found[name] = values.fill_null(0).to_numpy()
        self._amounts(batch, found["amount"], found["status"])
        ids, times = found["record_id"], found["time"]
        self._wrong(
            batch,
            "record_id",
            ids < 0,
            lambda row: (f"record_id {ids[row]}", "at least 0", "number the records from 0 or 1"),
        )
        outside = (times < FIRST_US) | (times > LAST_US)
        said = (
            "a time outside the years 1 to 9999",
            "a time near the day of the file",
            "correct the time of this record",
        )
        self._wrong(batch, "time", outside, lambda row: said)
        self.rows += len(ids)
        return found

    def total(self) -> Problem | None:
        """What is wrong with the file as a whole, once all of it was seen."""
        if self.rows == 0:
            return Problem(
                self._file,
                None,
                "a file without records",
                "the records of a day",
                "deliver the day again, or leave the file out",
            )
        if self._absolute > UNLIMITED:
            found = f"amounts that add up to {self._absolute:.3g} minor units"
            expected = f"at most {UNLIMITED:.0e} in a day"
            unit = f"check the unit: an amount is a whole number of 10^-{self._minor_units} of the currency"
            return Problem(self._file, None, found, expected, unit)
        return None

    def _coded(self, batch: Batch, name: str, codes: pa.DictionaryArray) -> NDArray[np.int32]:
        texts = codes.dictionary.cast(pa.binary()).to_pylist()
        known = self._numbers[name]
        of_text = [_EMPTY if not text else known.get(text, _STRANGE) for text in texts]
        number = np.array([*of_text, _EMPTY], dtype=np.int32)
        at = codes.indices.fill_null(len(texts)) if codes.indices.null_count else codes.indices
        found: NDArray[np.int32] = number[at.to_numpy()]
        if codes.indices.null_count or min(of_text, default=0) < 0:
            self._empty(batch, name, found == _EMPTY)

            def told(row: int) -> tuple[str, str, str]:
                text = texts[codes.indices[row].as_py()].decode(errors="backslashreplace")
                return self._strange(name, text)

            self._wrong(batch, name, found == _STRANGE, told)
        return found

    def _strange(self, name: str, text: str) -> tuple[str, str, str]:
        shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:40])
        if name == "currency":
            own = self.lists[name][0]
            cure = f"deliver only records in {own}; another currency is another market, with a store of its own"
            return f"currency '{shown}'", f"{own}, the currency of the market", cure
        found, expected, cure = stranger(name, shown, self.lists[name])
        if name == "status":
            return f"status '{shown}'", f"one of {', '.join(STATUSES)}", cure.partition(", or add")[0]
        return found, expected, cure

    def _amounts(self, batch: Batch, amount: Any, status: Any) -> None:
        self._absolute += float(np.abs(amount.astype(np.float64)).sum())
        below = amount < 0
        if below.any():
            settled = below & (status == self.lists["status"].index(SETTLED))
            cure = "turn payer and payee round, or give it the status reversed"
            self._wrong(
                batch, "amount", settled, lambda row: (f"amount {amount[row]} of a settled record", "at least 0", cure)
            )

    def _empty(self, batch: Batch, name: str, empty: Bools | None) -> None:
        if empty is not None:
            told = batch.told.get(name)
            said = f"{name} is empty", "a value in every record", f"fill {name} in this record, or take the record out"
            self._wrong(batch, f"{name} empty", empty if told is None else empty & ~told, lambda row: said)
            self.ok = self.ok and not empty.any()

    def _wrong(self, batch: Batch, kind: str, where: Bools, told: Callable[[int], tuple[str, str, str]]) -> None:
        if where.any():
            self.ok = False
            rows = [int(row) for row in np.flatnonzero(where)]
            self._mistakes.add(kind, rows, lambda row: batch.problem(self._file, row, *told(row)))
