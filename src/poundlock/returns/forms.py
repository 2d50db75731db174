"""Which form a file has, by its content and never by its name, and the reader that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from poundlock.returns.cells import RawRows, refusal
from poundlock.returns.limits import Limits
from poundlock.returns.text_table import text_form, text_rows

Reader = Callable[[BinaryIO, str, str, int, Limits], RawRows]
"""From file, kind of return, name for messages, size and limits to rows."""

_EXPECTED = "CSV, a workbook (XLSX) or Parquet"
_REFUSED: tuple[tuple[bytes, str, str], ...] = (
    (b"ARROW1", "an Arrow IPC file", "write it as Parquet"),
    (b"FEA1", "a Feather file", "write it as Parquet"),
    (b"\xff\xff\xff\xff", "an Arrow IPC stream", "write it as Parquet"),
    (b"PARE", "an encrypted Parquet file", "write it without encryption"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"BZh", "a bzip2 archive", "unpack it first"),
    (b"\xfd7zXZ\0", "an xz archive", "unpack it first"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"PK\5\6", "an empty ZIP", "fill the template"),
    (b"%PDF", "a PDF", "send the table itself"),
    (b"<?xml", "an XML document", "save it as XLSX or CSV"),
    (b"<html", "a web page", "save it as XLSX or CSV"),
    (b"SQLite format 3\0", "a database", "send the table itself"),
    (b"\xff\xfe", "text in UTF-16", "save it as CSV UTF-8"),
    (b"\xfe\xff", "text in UTF-16", "save it as CSV UTF-8"),
    (b"\x7fELF", "a program", "send the table itself"),
    (b"MZ", "a program", "send the table itself"),
)
_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True, slots=True)
class Form:
    """A form of file. name: as it is shown; rows: its reader."""

    name: str
    rows: Reader


def form_of(source: BinaryIO, name: str, size: int, limits: Limits) -> Form:
    """The form of a file. Raises ProblemsFound for a form that is not read, and for what no form could be."""
    source.seek(0)
    head = source.read(16)
    if not head.strip(b"\xef\xbb\xbf \r\n\t"):
        source.seek(0)
        if size < limits.line_bytes and not source.read().removeprefix(b"\xef\xbb\xbf").strip():
            raise refusal(
                name, None, "an empty file", _EXPECTED, "fill the template; a return of nothing still has its header"
            )
    if head.startswith(_OLE2):
        source.seek(0)
        locked = _ENCRYPTED in source.read(1 << 20)
        found, cure = (
            ("an encrypted workbook", "save it without a password")
            if locked
            else ("a workbook of the old form (XLS)", "save it as XLSX")
        )
        raise refusal(name, None, found, _EXPECTED, cure)
    for magic, found, cure in _REFUSED:
        if head.startswith(magic):
            raise refusal(name, None, found, _EXPECTED, cure)
    if head.startswith(b"PK\3\4"):
        return Form("XLSX", _workbook)
    if head.startswith(b"PAR1"):
        return Form("Parquet", _parquet)
    encoding, form = text_form(source, name, limits)
    return Form(form, lambda file, kind, name, size, limits: text_rows(file, encoding, name, limits))


def _workbook(source: BinaryIO, kind: str, name: str, size: int, limits: Limits) -> RawRows:
    from poundlock.returns.workbook import workbook_rows  # noqa: PLC0415 - each reader is loaded for its own files only

    return workbook_rows(source, kind, name, size, limits)


def _parquet(source: BinaryIO, kind: str, name: str, size: int, limits: Limits) -> RawRows:
    from poundlock.returns.parquet import parquet_rows  # noqa: PLC0415 - as above: Arrow takes its time to load

    return parquet_rows(source, name, size, limits)
