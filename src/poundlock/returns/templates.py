"""Templates that a filer fills, and any table as CSV or a workbook that no spreadsheet will run."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from openpyxl import Workbook  # type: ignore[import-untyped]
from openpyxl.cell import WriteOnlyCell  # type: ignore[import-untyped]
from openpyxl.worksheet.datavalidation import DataValidation  # type: ignore[import-untyped]

from poundlock.returns.safe_text import safe_cell
from poundlock.returns.schemas import DICTIONARY_HEADER, SCHEMAS, Schema, data_dictionary

Value = str | int | Decimal | None
DICTIONARY_SHEET = "data dictionary"
_FORM_ROWS = 10_000
_MOMENT = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_NO_XML = re.compile("[\x00-\x08\x0b-\x1f\ud800-\udfff\ufffe\uffff]")


def csv_template(kind: str) -> str:
    """The header of a return, to be written as UTF-8."""
    return csv_text(SCHEMAS[kind].names, ())


def xlsx_template(kind: str) -> bytes:
    """A workbook with the header, lists of the choices, and the data dictionary on a second sheet."""
    book = Workbook(write_only=True)
    schema = SCHEMAS[kind]
    sheet = _sheet(book, kind, schema.names, ())
    _as_form(sheet, schema)
    rows = [tuple(row.values()) for row in data_dictionary((kind,))]
    _sheet(book, DICTIONARY_SHEET, DICTIONARY_HEADER, rows)
    return _bytes(book)


def csv_text(header: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """Any table as CSV. Text that a spreadsheet could run stands behind an apostrophe; write it as utf-8-sig for Excel."""
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    for row in (header, *rows):
        cells = [safe_cell(cell) if isinstance(cell, str) else _number(cell) for cell in row]
        table.writerow(cells)
    return text.getvalue()


def xlsx_bytes(header: Sequence[str], rows: Iterable[Sequence[Value]], *, sheet: str = "table") -> bytes:
    """Any table as a workbook; text is text even when it looks like a formula, and equal tables give equal bytes.

    Raises ValueError for characters that a workbook cannot hold.
    """
    table = [[_storable(value) for value in row] for row in rows]
    book = Workbook(write_only=True)
    _sheet(book, sheet, header, table)
    return _bytes(book)


def _storable(value: Value) -> Value:
    """The value, its line ends as XML keeps them; found out before a sheet is begun that could not be finished."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if bad := _NO_XML.search(value):
        raise ValueError(f"character U+{ord(bad.group()):04X}, which a workbook cannot hold")
    return value


def _number(cell: int | Decimal | None) -> str:
    return "" if cell is None else format(cell, "f") if isinstance(cell, Decimal) else str(cell)


def _sheet(book: Any, name: str, header: Sequence[str], rows: Iterable[Sequence[Value]]) -> Any:
    sheet = book.create_sheet(name)
    sheet.freeze_panes = "A2"
    for row in (header, *rows):
        sheet.append([_cell(sheet, value) for value in row])
    return sheet


def _cell(sheet: Any, value: Value) -> Any:
    """A cell whose type is set by hand, since openpyxl makes a formula of text that begins with `=`."""
    if not isinstance(value, str):
        return WriteOnlyCell(sheet, value)
    cell = WriteOnlyCell(sheet, "")
    cell.value = _LOOKS_ESCAPED.sub("_x005F_", value)
    cell.data_type = "s"
    if safe_cell(value) != value:
        cell.quotePrefix = True  # or editing the cell would bring the formula to life
    return cell


def _as_form(sheet: Any, schema: Schema) -> None:
    """Lists to choose from, and columns of text, so that 2026-09 stays what was typed."""
    for number, field in enumerate(schema.fields):
        letter = chr(ord("A") + number)
        if field.type in ("code", "text", "date", "period"):
            sheet.column_dimensions[letter].number_format = "@"
        sheet.column_dimensions[letter].width = max(14, len(field.name) + 2)
        if field.choices:
            choice = DataValidation(
                type="list", formula1='"' + ",".join(field.choices) + '"', allow_blank=not field.required
            )
            choice.add(f"{letter}2:{letter}{_FORM_ROWS}")
            sheet.data_validations.append(choice)


def _bytes(book: Any) -> bytes:
    """The workbook without the moment at which it was made."""
    saved, out = io.BytesIO(), io.BytesIO()
    book.save(saved)
    with zipfile.ZipFile(saved) as parts, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as kept:
        for name in sorted(parts.namelist()):
            part = parts.read(name)
            if name == "docProps/core.xml":
                part = _MOMENT.sub(rb"\g<1>2000-01-01T00:00:00Z", part)
            kept.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()
