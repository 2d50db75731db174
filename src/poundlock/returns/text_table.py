"""CSV of unknown encoding into raw rows, line by line, each line and cell bounded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import BinaryIO

from poundlock.returns.cells import RawRows, refusal
from poundlock.returns.limits import Limits
from poundlock.returns.safe_text import restored_cell

_PIECE = 1 << 20
_ENDS_A_CELL = 2  # commas and line ends inside quotes are none of a cell
_UTF8_MARK = b"\xef\xbb\xbf"
_ENCODINGS = {"utf-8-sig": "CSV (UTF-8)", "gb18030": "CSV (GB18030)"}


def text_form(source: BinaryIO, name: str, limits: Limits) -> tuple[str, str]:
    """Encoding and form of the text. Raises ProblemsFound for zero bytes, overlong lines and text in neither encoding."""
    _check_bytes(source, name, limits)
    for encoding, form in _ENCODINGS.items():
        source.seek(0)
        text = io.TextIOWrapper(source, encoding, newline="")
        try:
            while text.read(_PIECE):
                pass
        except UnicodeDecodeError:
            continue
        else:
            return encoding, form
        finally:
            text.detach()
    found = "text that is neither UTF-8 nor GB18030"
    raise refusal(name, None, found, "text in one of the two", "save it as CSV UTF-8")


def _check_bytes(source: BinaryIO, name: str, limits: Limits) -> None:
    source.seek(0)
    line, length, ends = 1, 0, 0
    while piece := source.read(_PIECE // 2):
        zero = piece.find(b"\0")
        if zero >= 0:
            at = line + piece.count(b"\n", 0, zero)
            raise refusal(name, at, "a zero byte", "plain text", "save it as CSV UTF-8 (not UTF-16, not a workbook)")
        ends += piece.count(b"\n") + piece.count(b",")
        if ends > _ENDS_A_CELL * limits.cells:
            found, expected = f"far more than {limits.cells:,} cells", f"at most {limits.cells:,} cells"
            raise refusal(name, None, found, expected, "split the return, or look for lines of nothing but commas")
        first = piece.find(b"\n")
        length += len(piece) if first < 0 else first
        if length > limits.line_bytes:
            expected = f"lines of at most {limits.line_bytes:,} bytes"
            raise refusal(
                name, line, "a line that is longer", expected, "check that the file is a table with a row a line"
            )
        if first >= 0:
            line, length = line + piece.count(b"\n"), len(piece) - piece.rfind(b"\n") - 1


def text_rows(source: BinaryIO, encoding: str, name: str, limits: Limits) -> RawRows:
    """Rows of a CSV, numbered by the line on which they begin; empty lines are left out. Raises ProblemsFound."""
    source.seek(0)
    csv.field_size_limit(limits.cell_characters)
    lines = _Lines(io.TextIOWrapper(source, encoding, newline=""))
    table = csv.reader(lines, strict=True)
    while True:
        begins = lines.restart()
        try:
            row = next(table)
        except StopIteration:
            return
        except csv.Error as error:
            raise _unreadable(error, lines, begins, name, limits) from None
        if row:
            guarded = any("'" in line for line in lines.kept)
            yield begins, [restored_cell(cell) for cell in row] if guarded else row


class _Lines(Iterator[str]):
    """Lines of text, keeping those of the row that is being read."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text, self._number, self.kept = text, 0, list[str]()

    def restart(self) -> int:
        """A new row begins; its line number."""
        self.kept.clear()
        return self._number + 1

    def __next__(self) -> str:
        line = self._text.readline()
        if not line:
            raise StopIteration
        self._number += 1
        self.kept.append(line)
        return line


def _unreadable(error: csv.Error, lines: _Lines, begins: int, name: str, limits: Limits) -> Exception:
    inside, opened = False, begins
    for number, line in enumerate(lines.kept, begins):
        for _ in range(line.count('"')):
            inside = not inside
            opened = number if inside else opened
    said = str(error)
    if "field larger" in said and not inside:
        return refusal(
            name, begins, f"a cell of more than {limits.cell_characters:,} characters", "ordinary cells", "shorten it"
        )
    if "expected after" in said:
        found = "a quote that ends before the cell does, or one that was opened and never closed"
        return refusal(name, opened, found, "quotes around whole cells, doubled inside", "mend the quotes of this row")
    found = "a quote that was opened here and never closed"
    return refusal(name, opened, found, "quotes around whole cells, doubled inside", "close the quote or remove it")
