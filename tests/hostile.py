"""Files that no institution files in good faith, made by hand."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pyarrow as pa
import pyarrow.parquet as pq

from poundlock.returns import SCHEMAS
from poundlock.returns.templates import xlsx_bytes

NAMES = SCHEMAS["exposures"].names
HEADER = ",".join(NAMES) + "\n"
ROW = ("lent", "bank-2", "interbank", "12.5", "30", "0.4")
LINE = ",".join(ROW) + "\n"
SHEET = "xl/worksheets/sheet1.xml"


def sound_book(rows: tuple[tuple[str, ...], ...] = (ROW,)) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(xlsx_bytes(NAMES, rows))) as book:
        return {name: book.read(name) for name in book.namelist()}


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, part in parts.items():
            book.writestr(name, part)
    return out.getvalue()


def book(**changed: bytes) -> bytes:
    """A sound workbook with another sheet."""
    return zipped({**sound_book(), **{SHEET: changed["sheet"]}})


def sheet(inside: str, before: str = "") -> bytes:
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return f'<?xml version="1.0"?>{before}<worksheet xmlns="{main}">{inside}</worksheet>'.encode()


def cells(*values: str) -> str:
    return "".join(f'<c t="inlineStr"><is><t>{value}</t></is></c>' for value in values)


def rows(*inside: str) -> str:
    return f"<sheetData><row>{cells(*NAMES)}</row>{''.join(inside)}</sheetData>"


def raw_zip(entries: list[tuple[str, bytes, int, int]], offsets: list[int] | None = None) -> bytes:
    """A ZIP by hand: name, packed bytes, stated size and check sum of each; `offsets` lets entries overlap."""
    body, directory = bytearray(), bytearray()
    for k, (name, packed, size, check) in enumerate(entries):
        at = len(body) if offsets is None else offsets[k]
        if offsets is None or k == 0:
            body += struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 8, 0, 33, check, len(packed), size, len(name), 0)
            body += name.encode() + packed
        directory += struct.pack(
            "<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 8, 0, 33, check, len(packed), size, len(name), 0, 0, 0, 0, 0, at
        )  # fmt: skip
        directory += name.encode()
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def packed(content: bytes) -> bytes:
    made = zlib.compressobj(9, zlib.DEFLATED, -15)
    return made.compress(content) + made.flush()


def parts_by_hand(**changed: tuple[bytes, int, int]) -> list[tuple[str, bytes, int, int]]:
    made = [(name, packed(part), len(part), zlib.crc32(part)) for name, part in sound_book().items()]
    return [(name, *changed["sheet"]) if name == SHEET else (name, *rest) for name, *rest in made]


def parquet(table: pa.Table, **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


def columns(count: int = 1, **changed: object) -> pa.Table:
    return pa.table({name: changed.get(name, [value] * count) for name, value in zip(NAMES, ROW, strict=True)})


def varint(number: int) -> bytes:
    number, out = number << 1, bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def with_row_count(claimed: int, places: int) -> bytes:
    """A Parquet file of 300 rows whose footer claims another count of the same length, in the file or in its row group too."""
    made = parquet(columns(300))
    true = b"\x16" + varint(300)
    footer = len(made) - 8 - int.from_bytes(made[-8:-4], "little")
    assert made.count(true, footer) >= 2
    return made[:footer] + made[footer:].replace(true, b"\x16" + varint(claimed), places)


def many_entries() -> bytes:
    empty = packed(b"")
    return raw_zip([(f"xl/{k}.xml", empty, 0, 0) for k in range(100_000)])


def few_entries_stated() -> bytes:
    """A directory of a hundred thousand entries behind an end record that states seven."""
    made = bytearray(many_entries())
    struct.pack_into("<HH", made, len(made) - 14, 7, 7)
    return bytes(made)


def overlapping() -> bytes:
    """Many entries that all unpack the same bytes, as in the better bombs."""
    content = packed(b"\0" * 1_000_000)
    names = ["a.xml", *(f"{k}.xml" for k in range(300))]
    entries = [(name, content, 100, zlib.crc32(b"\0" * 1_000_000)) for name in names]
    return raw_zip(entries, [0] * len(entries))


def its_own_entry() -> bytes:
    inner = zipped({"r/r.zip": b"PK\3\4" + b"r" * 100})
    return zipped({**sound_book(), "r/r": inner})


def laughing(sheet_encoding: str = "utf-8") -> bytes:
    lines = "".join(f'<!ENTITY l{k} "{f"&l{k - 1};" * 10}">' for k in range(1, 10))
    text = sheet(rows(f"<row>{cells('&l9;')}</row>"), f'<!DOCTYPE z [<!ENTITY l0 "ha">{lines}]>').decode()
    if sheet_encoding == "utf-16":
        text = text.replace('version="1.0"', 'version="1.0" encoding="UTF-16"')
    return book(sheet=text.encode(sheet_encoding))


def shared_strings(count: int, text: str) -> bytes:
    """One long text that very many cells share."""
    parts = sound_book()
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="x"><si><t>{text}</t></si></sst>'.encode()
    relations = parts["xl/_rels/workbook.xml.rels"].decode()
    if "sharedStrings" not in relations:
        more = '<Relationship Id="s" Type="http://x/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
        parts["xl/_rels/workbook.xml.rels"] = relations.replace("</Relationships>", more).encode()
    row = '<row><c t="s"><v>0</v></c></row>'
    parts[SHEET] = sheet(rows(row * count))
    return zipped(parts)


def with_macro(entry: bool) -> bytes:
    parts = sound_book()
    if entry:
        parts["xl/vbaProject.bin"] = b"\xd0\xcf\x11\xe0 a program"
    else:
        kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
        parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
            kind, b"application/vnd.ms-excel.sheet.macroEnabled.main+xml"
        )
    return zipped(parts)


def protected() -> bytes:
    made = bytearray(book(sheet=sheet(rows())))
    at = made.index(b"PK\1\2")
    made[at + 8] |= 1
    return bytes(made)


def ole2(stream: str) -> bytes:
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 1016 + stream.encode("utf-16-le") + b"\0" * 4096


def external_sheet() -> bytes:
    parts = sound_book()
    name = "xl/_rels/workbook.xml.rels"
    parts[name] = parts[name].replace(
        b'Target="/xl/worksheets/sheet1.xml"', b'Target="file:///etc/hostname" TargetMode="External"'
    )
    return zipped(parts)


def duplicate_entry() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name, part in sound_book().items():
            made.writestr(name, part)
        made.writestr(SHEET.replace("sheet1", "Sheet1"), sheet(rows()))
    return out.getvalue()


def big_text_by_dictionary() -> bytes:
    """A few bytes that stand for 60 GB of text."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 250_000, pa.int8()), pa.array(["x" * 240_000]))
    return parquet(columns(250_000, layer=text), compression="zstd")


def many_columns() -> bytes:
    return parquet(pa.table({f"column {k}": ["1"] for k in range(10_000)}))


def damaged_pages() -> bytes:
    made = bytearray(
        parquet(
            columns(5_000, counterparty=[f"b{k}" for k in range(5_000)]), compression="snappy", use_dictionary=False
        )
    )
    for at in range(200, 3_000, 7):
        made[at] ^= 0x5A
    return bytes(made)


def footer_length(length: int) -> bytes:
    made = parquet(columns())
    return made[:-8] + struct.pack("<I", length) + b"PAR1"


def arrow(stream: bool) -> bytes:
    out, table = io.BytesIO(), columns()
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()
