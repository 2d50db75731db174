"""The ZIP that a workbook is: every entry held against the limits before anything in it is read."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from poundlock.problems import ProblemsFound
from poundlock.returns.cells import refusal
from poundlock.returns.limits import Limits

_PIECE = 1 << 16
_DIRECTORY_BYTES = 1 << 20
_END_BYTES = 22
_SAVE = "save it again as XLSX, with nothing but its cells"
_EXPECTED = "a workbook (XLSX) as a spreadsheet saves it"


class Package:
    """A checked ZIP. names: its entries; `pieces` inflates one of them."""

    def __init__(self, source: BinaryIO, name: str, size: int, limits: Limits) -> None:
        self._source, self._name, self._limits = source, name, limits
        _check_end(source, name, size, limits)
        source.seek(0)
        try:
            entries = zipfile.ZipFile(source).infolist()
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError):
            raise refusal(
                name, None, "a ZIP whose directory cannot be read", _EXPECTED, "send the file again"
            ) from None
        self._entries = {entry.filename: entry for entry in entries}
        self._starts = _check_entries(entries, source, name, size, limits)
        self.names = frozenset(self._entries)

    def pieces(self, entry: str) -> Iterator[bytes]:
        """What the entry holds, piece by piece, counted while it is inflated; its stated size and check sum must hold."""
        info = self._entries[entry]
        inflate = zlib.decompressobj(-15) if info.compress_type == zipfile.ZIP_DEFLATED else None
        total = check = 0
        for packed in self._packed(entry, info.compress_size):
            for piece in (packed,) if inflate is None else self._inflated(inflate, packed, entry):
                total, check = total + len(piece), zlib.crc32(piece, check)
                if total > info.file_size:
                    raise self._refused(f"entry {entry!r} of more than the {info.file_size:,} bytes that it states")
                yield piece
        if (
            total != info.file_size
            or check != info.CRC
            or (inflate is not None and (not inflate.eof or inflate.unused_data))
        ):
            raise self._refused(f"entry {entry!r} that is not what the ZIP's directory states")

    def _packed(self, entry: str, left: int) -> Iterator[bytes]:
        at = self._starts[entry]
        while left > 0:
            self._source.seek(at)
            packed = self._source.read(min(_PIECE, left))
            if not packed:
                raise self._refused(f"entry {entry!r} that was cut short")
            at, left = at + len(packed), left - len(packed)
            yield packed

    def _inflated(self, inflate: zlib._Decompress, packed: bytes, entry: str) -> Iterator[bytes]:
        """Bounded pieces; the inflater may hold some back until it is asked again."""
        if inflate.eof:
            raise self._refused(f"entry {entry!r} with something behind its end")
        try:
            while piece := inflate.decompress(packed, _PIECE * 4):
                packed = inflate.unconsumed_tail
                yield piece
        except zlib.error:
            raise self._refused(f"entry {entry!r} that cannot be inflated") from None

    def _refused(self, found: str) -> ProblemsFound:
        return refusal(self._name, None, found[:200], _EXPECTED, _SAVE)


def _check_end(source: BinaryIO, name: str, size: int, limits: Limits) -> None:
    """The end record, before anybody builds a list of what the directory claims."""
    source.seek(max(size - _END_BYTES, 0))
    end = source.read(_END_BYTES)
    if not end.startswith(b"PK\5\6") or len(end) < _END_BYTES:
        raise refusal(name, None, "a ZIP with something behind its end, or cut short", _EXPECTED, "send the file again")
    entries, length = int.from_bytes(end[10:12], "little"), int.from_bytes(end[12:16], "little")
    if entries > limits.entries or length > _DIRECTORY_BYTES:
        found = f"a ZIP of {entries:,} entries and a directory of {length:,} bytes"
        raise refusal(name, None, found, f"at most {limits.entries:,} entries", _SAVE)


def _check_entries(
    entries: list[zipfile.ZipInfo], source: BinaryIO, name: str, size: int, limits: Limits
) -> dict[str, int]:
    """Where each entry's bytes begin; refuses what no spreadsheet writes."""
    starts: dict[str, int] = {}
    seen: set[str] = set()
    reached = 0
    for entry in sorted(entries, key=lambda e: e.header_offset):
        if (found := _odd(entry, seen)) is not None:
            raise refusal(name, None, found, _EXPECTED, _SAVE)
        seen.add(entry.filename.lower())
        source.seek(entry.header_offset)
        header = source.read(30)
        start = (
            entry.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        )
        if not header.startswith(b"PK\3\4") or entry.header_offset < reached or start + entry.compress_size > size:
            raise refusal(name, None, f"entry {entry.filename[:60]!r} that overlaps another", _EXPECTED, _SAVE)
        if entry.filename.lower().endswith((".zip", ".xlsx", ".xlsm", ".docx")):
            raise refusal(name, None, f"a ZIP inside the ZIP, {entry.filename[:60]!r}", _EXPECTED, _SAVE)
        starts[entry.filename], reached = start, start + entry.compress_size
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > min(limits.unpacked_bytes, limits.ratio * size):
        expected = f"at most {limits.unpacked_bytes:,} bytes, and {limits.ratio} times the file"
        raise refusal(name, None, f"{unpacked:,} bytes when unpacked", expected, "split the return, or send it as CSV")
    return starts


def _odd(entry: zipfile.ZipInfo, seen: set[str]) -> str | None:
    """What is wrong with an entry by its name and numbers alone."""
    shown, name = entry.filename[:60], entry.filename.lower()
    stored = entry.compress_type == zipfile.ZIP_STORED
    tests = (
        (name in seen, f"entry {shown!r} twice"),
        (name.startswith("/") or "\\" in name or ".." in name.split("/"), f"entry {shown!r} outside the workbook"),
        (bool(entry.flag_bits & 0x41), f"an encrypted entry {shown!r}"),
        (not stored and entry.compress_type != zipfile.ZIP_DEFLATED, f"entry {shown!r} packed as no spreadsheet does"),
        (stored and entry.compress_size != entry.file_size, f"entry {shown!r} of two different sizes"),
        (name.endswith("vbaproject.bin") or "/macrosheets/" in name, "a macro"),
    )
    return next((found for wrong, found in tests if wrong), None)
