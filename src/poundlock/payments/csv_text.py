"""What a CSV file is made of, before anything reads it as a table: its encoding, its lines, its header."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from poundlock.problems import Problem, ProblemsFound
from poundlock.reading.files import LONGEST_LINE_BYTES

Integers = NDArray[np.int64]
MOST_EMPTY_LINES: Final = 1_000_000
ENCODINGS: Final = ("utf-8", "gb18030")
_PIECE: Final = 1 << 20
_LINE_FEED, _RETURN, _QUOTE = b'\n\r"'


@dataclass(frozen=True, slots=True)
class Text:
    """encoding: utf-8 or gb18030. header: cells of the first line that is not empty; header_line: its number; rows:
    lines with text below it; empty: numbers of the lines without a character, ascending. Lines count from 1."""

    encoding: str
    header: tuple[str, ...]
    header_line: int
    rows: int
    empty: Integers = field(repr=False)


def text_of(path: Path, file: str, problems: list[Problem]) -> Text | None:
    """Look through a file once or twice, in bounded memory; adds a Problem, and returns None, where no reader could
    make sense of it.

    Refused are zero bytes, text that is neither UTF-8 nor GB18030, lines above 1 MiB or with a quote that is not
    closed, and bare carriage returns: after that, a line is a row. file: as it is named in Problems.
    """
    lines = _Lines(file)
    try:
        for piece in _pieces(path):
            lines.add(piece)
        lines.end()
        encoding = _encoding(path, file)
        if lines.header is None:
            raise _refusal(
                file,
                None,
                "a file without records",
                "the records of a day",
                "deliver the day again, or leave the file out",
            )
        names = _cells(lines.header.decode(encoding).removeprefix("\ufeff"), file, lines.header_line)
    except ProblemsFound as found:
        problems += found.problems
        return None
    empty = np.concatenate([np.zeros(0, dtype=np.int64), *lines.empty])
    return Text(encoding, names, lines.header_line, lines.done - len(empty) - 1, empty)


class _Lines:
    """Where the lines of a file are, piece by piece; raises ProblemsFound for one that cannot be a row."""

    def __init__(self, file: str) -> None:
        self._file = file
        self.done = 0
        """Lines that ended."""
        self._open = b""
        """The line that has not ended, from the pieces so far."""
        self.header: bytes | None = None
        self.header_line = 0
        self.empty: list[Integers] = []
        self._empties = 0

    def add(self, piece: bytes) -> None:
        """The bytes that follow."""
        text = self._open + piece
        last = text.rfind(b"\n") + 1
        if last:
            self._whole(text[:last])
        self._open = text[last:]
        if len(self._open) > LONGEST_LINE_BYTES:
            raise self._long(self.done + 1)

    def end(self) -> None:
        """The last line may lack its end."""
        if self._open:
            self._whole(self._open + b"\n")

    def _whole(self, text: bytes) -> None:
        """Lines that have ended."""
        raw = np.frombuffer(text, dtype=np.uint8)
        ends = np.flatnonzero(raw == _LINE_FEED)
        starts = np.concatenate([[0], ends[:-1] + 1])
        size = ends - starts
        if size.max() > LONGEST_LINE_BYTES:
            raise self._long(self.done + 1 + int(np.argmax(size > LONGEST_LINE_BYTES)))
        self._check(text, raw, ends)
        empty = np.flatnonzero((size == 0) | ((size == 1) & (raw[starts] == _RETURN)))
        self._keep_empty(empty + self.done + 1)
        if self.header is None and len(empty) < len(ends):
            first = int(np.setdiff1d(np.arange(len(empty) + 1), empty)[0])
            self.header = text[starts[first] : ends[first]].rstrip(b"\r")
            self.header_line = self.done + 1 + first
        self.done += len(ends)

    def _check(self, text: bytes, raw: NDArray[np.uint8], ends: Integers) -> None:
        if (zero := text.find(b"\0")) >= 0:
            cure = "save it as CSV UTF-8 (not UTF-16, not a workbook)"
            raise _refusal(self._file, self._line(zero, ends), "a zero byte", "plain text", cure)
        returns = np.flatnonzero(raw == _RETURN)
        bare = returns[raw[returns + 1] != _LINE_FEED]  # the text ends in a line feed
        if len(bare):
            cure = "save the file with ordinary line ends"
            found = "a carriage return within a line"
            raise _refusal(self._file, self._line(int(bare[0]), ends), found, "lines that end in \\n or \\r\\n", cure)
        quotes = np.flatnonzero(raw == _QUOTE)
        odd = np.bincount(np.searchsorted(ends, quotes), minlength=1) % 2
        if odd.any():
            line = self.done + 1 + int(np.argmax(odd))
            expected = "quotes around whole cells, closed in their line"
            raise _refusal(self._file, line, "a quote that is not closed", expected, "close the quote or remove it")

    def _line(self, at: int, ends: Integers) -> int:
        return self.done + 1 + int(np.searchsorted(ends, at))

    def _keep_empty(self, lines: Integers) -> None:
        self._empties += len(lines)
        if self._empties > MOST_EMPTY_LINES:
            found = f"more than {MOST_EMPTY_LINES:,} empty lines"
            raise _refusal(self._file, int(lines[-1]), found, "a record a line", "take the empty lines out")
        if len(lines):
            self.empty.append(lines)

    def _long(self, line: int) -> ProblemsFound:
        found, cure = f"a line longer than {LONGEST_LINE_BYTES:,} bytes", "check that the file has a record a line"
        return _refusal(self._file, line, found, "lines of ordinary length", cure)


def _encoding(path: Path, file: str) -> str:
    """The first in which the whole file can be read."""
    stopped: list[tuple[int, int]] = []
    for encoding in ENCODINGS:
        decoder, line = codecs.getincrementaldecoder(encoding)(), 1
        try:
            for piece in _pieces(path):
                decoder.decode(piece)
                line += piece.count(b"\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            raw = bytes(error.object)
            stopped.append((line + raw.count(b"\n", 0, error.start), raw[error.start]))
        else:
            return encoding
    line, byte = stopped[0]
    found = f"byte 0x{byte:02x}, in text that is neither UTF-8 nor GB18030"
    raise _refusal(file, line, found, "text in one of the two", "save it as CSV UTF-8")


def _cells(header: str, file: str, line: int) -> tuple[str, ...]:
    try:
        return tuple(next(csv.reader([header], strict=True)))
    except csv.Error as error:
        raise _refusal(
            file, line, f"a header that cannot be read ({error})", "names of columns", "check quotes and commas"
        ) from None


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _refusal(file: str, line: int | None, found: str, expected: str, cure: str) -> ProblemsFound:
    return ProblemsFound([Problem(file, line, found, expected, cure)])
