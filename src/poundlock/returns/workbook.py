"""A workbook (XLSX) into raw rows: its XML is streamed, bounded and never built into a tree."""

from __future__ import annotations

import datetime as dt
import posixpath
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO
from xml.parsers import expat

from poundlock.problems import ProblemsFound
from poundlock.returns.cells import RawRows, refusal
from poundlock.returns.limits import Limits
from poundlock.returns.package import Package
from poundlock.returns.sheet import Sheet, unescaped

_TAGS_A_CELL = 8
_TAGS_BESIDES = 200_000
_LONGEST_TAG = 1 << 18
_BUILT_INS = frozenset(str(k) for k in (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_NOT_IN_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_EXPECTED = "a workbook (XLSX) as a spreadsheet saves it"
_SAVE = "save it again as XLSX, or send it as CSV"

Attributes = dict[str, str]
Starts = dict[str, Callable[[Attributes], None]]
Ends = dict[str, Callable[[], None]]
Text = Callable[[str], None]


class _Reader:
    """XML parts of one package, with one allowance of tags for all of them."""

    def __init__(self, package: Package, name: str, limits: Limits) -> None:
        self.package, self.name = package, name
        self._left = _TAGS_A_CELL * limits.workbook_cells + _TAGS_BESIDES

    def refused(self, found: str) -> ProblemsFound:
        return refusal(self.name, None, found[:200], _EXPECTED, _SAVE)

    def parse(self, part: str, starts: Starts, ends: Ends | None = None, text: Text | None = None) -> Iterator[None]:
        """Feeds a part to handlers by tag, yielding after every piece; other tags, and other prefixes than the root's, pass by."""
        if part not in self.package.names:
            raise self.refused(f"a ZIP without {part!r}")
        parser = expat.ParserCreate()
        parser.CharacterDataHandler = text
        parser.StartDoctypeDeclHandler = self._doctype

        def root(name: str, attributes: Attributes) -> None:
            prefix = name.rpartition(":")[0] + ":" if ":" in name else ""
            handlers = {prefix + tag: handler for tag, handler in starts.items()}
            parser.StartElementHandler = lambda tag, given: found(given) if (found := handlers.get(tag)) else None
            if ends is not None:
                closing = {prefix + tag: handler for tag, handler in ends.items()}
                parser.EndElementHandler = lambda tag: found() if (found := closing.get(tag)) else None

        parser.StartElementHandler = root
        try:
            for piece in self._bounded(part):
                parser.Parse(piece)
                yield
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise self.refused(f"{part!r}, which is no XML ({expat.errors.messages[error.code]})") from None
        yield

    def _doctype(self, *_: object) -> None:
        raise self.refused("XML with a DOCTYPE, which may hold entities")

    def _bounded(self, part: str) -> Iterator[bytes]:
        """Pieces of a part in which a parser cannot be made to look twice: no long tags, comments or further declarations."""
        behind, gap, first = b"", 0, True
        for piece in self.package.pieces(part):
            seen = behind + piece
            if b"\0" in piece:
                raise self.refused(f"{part!r} in UTF-16 or with a zero byte")
            for mark, what in (
                (b"<!DOCTYPE", "a DOCTYPE"),
                (b"<!ENTITY", "an entity"),
                (b"<!--", "a comment"),
                (b"<![", "a CDATA section"),
            ):
                if mark in seen:
                    raise self.refused(f"{part!r} with {what}")
            if seen.count(b"<?") > (1 if first else 0):
                raise self.refused(f"{part!r} with a processing instruction")
            self._left -= piece.count(b"<") + piece.count(b"/>")
            gap = _longest_gap(piece, gap)
            if self._left < 0 or gap < 0:
                raise self.refused(f"{part!r} with more or longer tags than a return has")
            yield piece
            behind, first = (seen[-10:] if not first or b"<?" not in seen[-10:] else b""), False


def _longest_gap(piece: bytes, before: int) -> int:
    """Bytes since the last tag began, counting `before`; -1 when a tag and its text were too long."""
    at = piece.find(b"<")
    if at < 0:
        return before + len(piece) if before + len(piece) <= _LONGEST_TAG else -1
    if before + at > _LONGEST_TAG:
        return -1
    return len(piece) - piece.rfind(b"<")


def workbook_rows(source: BinaryIO, kind: str, name: str, size: int, limits: Limits) -> RawRows:
    """Rows of the sheet named like the kind of return, or else of the first one, numbered as the spreadsheet does."""
    package = Package(source, name, size, limits)
    reader = _Reader(package, name, limits)
    _check_content(package, reader)
    book = _related(reader, "", ("officeDocument",)).get("officeDocument", ["xl/workbook.xml"])[0]
    sheet, by_1904 = _sheet_of(reader, book, kind)
    parts = _related(reader, book, ("worksheet", "sharedStrings", "styles"), sheet)
    strings = [text for part in parts.get("sharedStrings", ()) for text in _strings(reader, part, limits)]
    dates = {k for part in parts.get("styles", ()) for k in _date_styles(reader, part)}
    if not parts.get("worksheet"):
        raise reader.refused("a workbook without a sheet of cells")
    state = Sheet(strings, dates, dt.date(1904, 1, 1) if by_1904 else None, limits.workbook_cells)
    return _sheet_rows(reader, parts["worksheet"][0], state)


def _sheet_rows(reader: _Reader, part: str, state: Sheet) -> RawRows:
    try:
        for _ in reader.parse(part, state.starts, state.ends, state.text):
            yield from state.taken()
    except (ValueError, IndexError, KeyError, OverflowError) as error:
        raise reader.refused(f"a sheet whose cells cannot be read ({error})") from None


def _check_content(package: Package, reader: _Reader) -> None:
    """Every entry is what the directory says; none is a program or declares entities."""
    for entry in sorted(package.names):
        behind = b""
        markup = entry.lower().endswith((".xml", ".rels", ".vml"))
        for piece in package.pieces(entry):
            seen = behind + piece
            if not behind and seen.startswith(b"PK\3\4"):
                raise reader.refused(f"a ZIP inside the ZIP, {entry!r}")
            if markup and (b"<!DOCTYPE" in seen or b"<!ENTITY" in seen):
                raise reader.refused(f"{entry!r} with a DOCTYPE, which may hold entities")
            if entry == "[Content_Types].xml" and (b"macroEnabled" in seen or b"vbaProject" in seen):
                raise reader.refused("a workbook with macros (XLSM)")
            behind = seen[-16:]


def _related(reader: _Reader, part: str, wanted: tuple[str, ...], sheet: str | None = None) -> dict[str, list[str]]:
    """Parts that `part` points to by kind of relation; of sheets only the one with the id `sheet`."""
    folder, name = posixpath.split(part)
    found: dict[str, list[str]] = {}

    def relationship(attributes: Attributes) -> None:
        kind = attributes.get("Type", "").rpartition("/")[2]
        if kind not in wanted or attributes.get("TargetMode") == "External":
            return
        if kind != "worksheet" or sheet is None or attributes.get("Id") == sheet:
            found.setdefault(kind, []).append(
                posixpath.normpath(posixpath.join("/", folder, attributes["Target"])).lstrip("/")
            )

    for _ in reader.parse(posixpath.join(folder, "_rels", f"{name}.rels"), {"Relationship": relationship}):
        pass
    return found


def _sheet_of(reader: _Reader, part: str, kind: str) -> tuple[str | None, bool]:
    """Relation id of the sheet to read, and whether dates count from 1904."""
    sheets: list[tuple[str, str | None]] = []
    by_1904 = [False]

    def listed(attributes: Attributes) -> None:
        relation = next((v for k, v in attributes.items() if k.endswith(":id")), None)
        sheets.append((attributes.get("name", ""), relation))

    def properties(attributes: Attributes) -> None:
        by_1904[0] = attributes.get("date1904") in ("1", "true")

    for _ in reader.parse(part, {"sheet": listed, "workbookPr": properties}):
        pass
    named = [relation for name, relation in sheets if name.strip().lower() == kind]
    return (named or [relation for _, relation in sheets] or [None])[0], by_1904[0]


class _Texts:
    """The strings that cells share, without phonetic readings."""

    def __init__(self) -> None:
        self.strings, self._parts = list[str](), list[str]()
        self._inside = self._phonetic = False
        self.starts: Starts = {"t": lambda _: self._in_text(True), "rPh": lambda _: self._in_reading(True)}
        self.ends: Ends = {
            "t": lambda: self._in_text(False),
            "rPh": lambda: self._in_reading(False),
            "si": self._string,
        }

    def _in_text(self, now: bool) -> None:
        self._inside = now

    def _in_reading(self, now: bool) -> None:
        self._phonetic = now

    def _string(self) -> None:
        self.strings.append(unescaped("".join(self._parts)))
        self._parts.clear()

    def text(self, piece: str) -> None:
        """Characters between tags."""
        if self._inside and not self._phonetic:
            self._parts.append(piece)


def _strings(reader: _Reader, part: str, limits: Limits) -> list[str]:
    texts = _Texts()
    for _ in reader.parse(part, texts.starts, texts.ends, texts.text):
        if len(texts.strings) > limits.workbook_cells:
            raise reader.refused(f"more than {limits.workbook_cells:,} texts")
    return texts.strings


def _date_styles(reader: _Reader, part: str) -> set[str]:
    """Numbers of the cell styles that show a date, as text."""
    codes: dict[str, str] = {}
    formats: list[list[str]] = [[], []]  # of what is no cell's style, and of cells
    cells = [0]

    def code(attributes: Attributes) -> None:
        codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")

    def style(attributes: Attributes) -> None:
        formats[cells[0]].append(attributes.get("numFmtId", "0"))

    starts: Starts = {"numFmt": code, "cellXfs": lambda _: cells.__setitem__(0, 1), "xf": style}
    for _ in reader.parse(part, starts, {"cellXfs": lambda: cells.__setitem__(0, 0)}):
        pass
    dates = {key for key, code in codes.items() if re.search("[ymdhs]", _NOT_IN_CODE.sub("", code), re.IGNORECASE)}
    dates = {key for key in dates if codes[key].lower() != "general"}
    return {str(k) for k, key in enumerate(formats[1]) if key in dates or (key not in codes and key in _BUILT_INS)}
