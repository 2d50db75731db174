"""The cells of one sheet while its XML goes by: values as text, formulas and errors as what they are."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from poundlock.returns.cells import Cell, Wrong

MOST_ROWS, MOST_COLUMNS = 1_048_576, 16_384
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_FORMULA = Wrong("a formula", "a value", "replace the formula by its value (copy, then paste as values)")
_ERROR = Wrong("an error of the spreadsheet", "a value", "mend the cell")
_NO_NUMBER = Wrong("a number that cannot be read", "a number", "type it again")
_FIRST_DAY, _LEAP_DAY = dt.date(1899, 12, 31), 60


def unescaped(text: str) -> str:
    """Text of a cell without the _x000D_ by which workbooks write characters that XML cannot hold."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text


class Sheet:
    """Handlers of a sheet's XML. Rows that are ready are taken in between; more than `most` cells raise ValueError."""

    def __init__(self, strings: list[str], dates: set[str], first_day: dt.date | None, most: int) -> None:
        self._strings, self._dates, self._first_day, self._most = strings, dates, first_day, most
        self._ready: list[tuple[int, list[Cell]]] = []
        self._row, self._cells, self._width, self._count = 0, dict[int, Cell](), 0, 0
        self._column, self._type, self._style, self._formula = 0, "n", "", False
        self._inside, self._phonetic, self._text = False, False, list[str]()

        self.starts = {
            "row": self._start_row,
            "c": self._start_cell,
            "v": self._start_text,
            "t": self._start_text,
            "f": self._start_formula,
            "rPh": self._start_reading,
        }
        self.ends = {
            "row": self._end_row,
            "c": self._end_cell,
            "v": self._end_text,
            "t": self._end_text,
            "rPh": self._end_reading,
        }

    def taken(self) -> list[tuple[int, list[Cell]]]:
        """Rows that were finished since last time, as wide as the header."""
        ready, self._ready = self._ready, []
        return ready

    def _start_row(self, attributes: dict[str, str]) -> None:
        self._row = int(attributes.get("r", self._row + 1))
        self._column, self._cells = 0, {}
        if not 0 < self._row <= MOST_ROWS:
            raise ValueError(f"row {self._row:,}")

    def _start_text(self, _: dict[str, str]) -> None:
        self._inside = not self._phonetic

    def _end_text(self) -> None:
        self._inside = False

    def _start_formula(self, _: dict[str, str]) -> None:
        self._formula = True

    def _start_reading(self, _: dict[str, str]) -> None:
        self._phonetic = True

    def _end_reading(self) -> None:
        self._phonetic = False

    def _start_cell(self, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > self._most:
            raise ValueError(f"more than {self._most:,} cells")
        self._column += 1
        if reference := attributes.get("r"):
            found = _REFERENCE.fullmatch(reference)
            if not found or int(found[2]) != self._row:
                raise ValueError(f"cell {reference[:20]!r} in row {self._row:,}")
            self._column = 0
            for letter in found[1]:
                self._column = self._column * 26 + ord(letter) - 64
        if self._column > MOST_COLUMNS or self._column in self._cells:
            raise ValueError(f"column {self._column:,} a second time, or beyond {MOST_COLUMNS:,}")
        self._type, self._style = attributes.get("t", "n"), attributes.get("s", "")
        self._formula = False
        self._text.clear()

    def text(self, piece: str) -> None:
        """Characters between tags."""
        if self._inside:
            self._text.append(piece)

    def _end_cell(self) -> None:
        self._cells[self._column] = self._value("".join(self._text))

    def _end_row(self) -> None:
        """Empty cells behind the last value are none, unless the header has columns there."""
        last = max((column for column, cell in self._cells.items() if cell not in (None, "")), default=0)
        if last:
            self._width = self._width or last
            wide = max(last, self._width)
            self._count += wide - len(self._cells) if wide > len(self._cells) else 0
            if self._count > self._most:
                raise ValueError(f"more than {self._most:,} cells")
            self._ready.append((self._row, [self._cells.get(column + 1) for column in range(wide)]))
        self._cells = {}

    def _value(self, text: str) -> Cell:
        if self._formula:
            return _FORMULA
        if not text or self._type == "e":
            return _ERROR if text else None
        if self._type == "s":
            at = int(text)
            if at < 0:
                raise ValueError(f"text number {at}")
            return self._strings[at]
        if self._type in ("str", "inlineStr"):
            return unescaped(text)
        if self._type == "b":
            return "true" if text.strip() == "1" else "false"
        return text if self._type == "d" else self._number(text.strip())

    def _number(self, text: str) -> Cell:
        """A spreadsheet holds binary numbers and writes 17 digits: the shortest decimal that gives the same one is what was typed."""
        if self._style in self._dates:
            return self._date(text)
        if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
            return text
        try:
            number = float(text)
            return format(Decimal(repr(number)), "f") if abs(number) < 1e300 else _NO_NUMBER
        except ValueError:
            return _NO_NUMBER

    def _date(self, text: str) -> Cell:
        """The day of a serial number; spreadsheets count a 29 February 1900 that never was."""
        try:
            serial = float(text)
            days = int(serial)
            if self._first_day is None:
                day = _FIRST_DAY + dt.timedelta(days=days - (days >= _LEAP_DAY))
            else:
                day = self._first_day + dt.timedelta(days=days)
        except (ValueError, OverflowError):
            return _NO_NUMBER
        seconds = round((serial - days) * 86_400)
        return (
            day.isoformat()
            if not seconds
            else (dt.datetime.combine(day, dt.time()) + dt.timedelta(seconds=seconds)).isoformat()
        )
