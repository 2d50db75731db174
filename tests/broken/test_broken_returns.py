"""Hostile files, made here: each is refused in words, in under 5 s and 50 MB of its reader, and leaves nothing behind."""

from __future__ import annotations

import gzip
import json
import os
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hostile import (
    HEADER,
    LINE,
    arrow,
    big_text_by_dictionary,
    book,
    cells,
    columns,
    damaged_pages,
    duplicate_entry,
    external_sheet,
    few_entries_stated,
    footer_length,
    its_own_entry,
    laughing,
    many_columns,
    many_entries,
    ole2,
    overlapping,
    packed,
    parquet,
    parts_by_hand,
    protected,
    raw_zip,
    rows,
    shared_strings,
    sheet,
    sound_book,
    with_macro,
    with_row_count,
    zipped,
)
from poundlock.returns import LIMITS, read_return

SECONDS, MEGABYTES = 5.0, 50.0


READER = """
import json, os, pathlib, sys, time
from poundlock.returns import read_return
def kilobytes(what):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(what))
for line in sys.stdin:
    open("/proc/self/clear_refs", "w").write("5")  # the high-water mark falls to what is held now
    before, start = kilobytes("VmRSS"), time.monotonic()
    filed = read_return(pathlib.Path(json.loads(line)), "exposures", "bank-1", "2026-09")
    print(json.dumps({
        "problems": [str(problem) for problem in filed.errors],
        "seconds": time.monotonic() - start,
        "megabytes": (kilobytes("VmHWM") - before) / 1024,
        "children": open(f"/proc/self/task/{os.getpid()}/children").read(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "rows": len(filed.table),
    }), flush=True)
"""


class Harness:
    """A fresh process that reads one file after the other and tells what each cost it."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self._process = subprocess.Popen(
            [sys.executable, "-c", READER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(temporary)},
        )

    def read(self, path: Path) -> dict:
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(10)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("memory is measured through /proc")
    made = Harness(tmp_path_factory.mktemp("temporary"))
    sound = tmp_path_factory.mktemp("sound") / "sound.csv"
    sound.write_text(HEADER + LINE)
    assert made.read(sound)["rows"] == 1  # the harness does accept a sound file
    yield made
    made.close()


# fmt: off
# what the file holds, and words of the Problem that it must be refused with
HOSTILE: dict[str, tuple[Callable[[], bytes | str], str]] = {
    "a zip bomb that says so": (lambda: raw_zip(parts_by_hand(sheet=(packed(b"\0" * 10_000_000), 4_000_000_000, 1))), "when unpacked"),
    "a zip bomb that hides its size": (lambda: raw_zip(parts_by_hand(sheet=(packed(b" " * 190_000_000), 5_000, zlib.crc32(b" " * 5_000)))), "that it states"),
    "a zip bomb of many layers": (lambda: zipped({**sound_book(), "inner": zipped({"a": b"0" * 10_000})}), "a ZIP inside the ZIP"),
    "a zip that holds itself": (its_own_entry, "a ZIP inside the ZIP"),
    "entries that overlap": (overlapping, "overlaps another"),
    "a hundred thousand entries": (many_entries, "entries"),
    "a hundred thousand entries that say seven": (few_entries_stated, "a directory of"),
    "the same entry twice": (duplicate_entry, "twice"),
    "an entry outside the zip": (lambda: zipped({**sound_book(), "../../etc/cron": b"x"}), "outside the workbook"),
    "a zip with something behind it": (lambda: book(sheet=sheet(rows())) + b"x" * 50, "behind its end"),
    "a zip cut short": (lambda: book(sheet=sheet(rows()))[:-400], "cut short"),
    "a zip of something else": (lambda: zipped({"readme.txt": b"hello"}), "a ZIP without"),
    "a zip with a password": (protected, "an encrypted entry"),
    "entities in entities": (laughing, "DOCTYPE"),
    "entities in UTF-16": (lambda: laughing("utf-16"), "UTF-16"),
    "an entity from outside": (lambda: book(sheet=sheet(rows(f"<row>{cells('&x;')}</row>"), '<!DOCTYPE z [<!ENTITY x SYSTEM "file:///etc/passwd">]>')), "DOCTYPE"),
    "a sheet from outside": (external_sheet, "without a sheet"),
    "one text in very many cells": (lambda: shared_strings(60_000, "x" * 32_000), "characters in cells"),
    "a cell in the last corner": (lambda: book(sheet=sheet(rows('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))), "16,384 cells"),
    "far cells in every row": (lambda: book(sheet=sheet(rows(*(f'<row r="{k}"><c r="XFD{k}"><v>1</v></c></row>' for k in range(2, 20_000))))), "cells"),
    "a row beyond all rows": (lambda: book(sheet=sheet(rows('<row r="99999999999"><c><v>1</v></c></row>'))), "row 99,999,999,999"),
    "a stated size that is a lie": (lambda: book(sheet=sheet('<dimension ref="A1:XFD1048576"/>' + rows(f"<row>{cells('lent')}</row>"))), "is empty"),
    "millions of empty cells": (lambda: book(sheet=sheet(rows("<row>" + "<c/>" * 6_000_000 + "</row>"))), "cells"),
    "millions of tags": (lambda: book(sheet=sheet("<a/>" * 6_000_000)), "more or longer tags"),
    "as many tags as a return has": (lambda: book(sheet=sheet("<a/>" * 2_000_000 + rows() + "<sheetData><row><c><v>x</v></c></row></sheetData>")), "cannot be read"),
    "a tag without end": (lambda: book(sheet=sheet('<a b="' + "x" * 90_000_000 + '"/>')), "unpacked"),
    "a long tag": (lambda: book(sheet=sheet('<a b="' + os.urandom(400_000).hex() + '"/>')), "more or longer tags"),
    "a comment without end": (lambda: book(sheet=sheet("<!-- " + os.urandom(400_000).hex() + " -->")), "a comment"),
    "a formula": (lambda: book(sheet=sheet(rows('<row><c><f>HYPERLINK("http://x","y")</f><v>1</v></c></row>'))), "a formula"),
    "a macro": (lambda: with_macro(entry=True), "a macro"),
    "a workbook for macros": (lambda: with_macro(entry=False), "macros"),
    "an encrypted workbook": (lambda: ole2("EncryptedPackage"), "encrypted workbook"),
    "a workbook of the old form": (lambda: ole2("Workbook"), "XLS"),
    "a number of a million digits": (lambda: book(sheet=sheet(rows(f"<row>{cells('lent', 'b', 'c')}<c><v>{'9' * 200_000}</v></c></row>"))), "characters"),
    "a number with a large exponent": (lambda: (HEADER + LINE.replace("12.5", "1e999999999")), "amount = '1e999999999'"),
    "a footer of too many rows": (lambda: with_row_count(8_000, 1), "row groups have"),
    "a footer of too many rows throughout": (lambda: with_row_count(8_000, 99), "Parquet|rows|cannot be read"),
    "a footer longer than the file": (lambda: footer_length(4_000_000_000), "cut short"),
    "a footer of nothing": (lambda: footer_length(0), "cannot be read"),
    "a footer of noise": (lambda: b"PAR1" + os.urandom(5_000) + struct.pack("<I", 4_000) + b"PAR1", "cannot be read"),
    "half a Parquet file": (lambda: parquet(columns(900))[:-60], "cut short"),
    "pages of noise": (damaged_pages, "cannot be read"),
    "a Parquet file with a key": (lambda: b"PAR1" + b"x" * 50 + b"\x09\0\0\0PARE", "encrypted"),
    "sixty gigabytes of text in a dictionary": (big_text_by_dictionary, "characters in cells"),
    "ten thousand columns": (many_columns, "footer of|10,000 columns"),
    "columns in columns": (lambda: parquet(columns(layer=[["a"]])), "of type list"),
    "numbers that are none": (lambda: parquet(columns(amount=[float("nan")])), "not finite"),
    "infinite numbers": (lambda: parquet(columns(recovery=[float("inf")])), "not finite"),
    "an Arrow file": (lambda: arrow(stream=False), "Arrow IPC file"),
    "an Arrow stream": (lambda: arrow(stream=True), "Arrow IPC stream"),
    "a Feather file": (lambda: b"FEA1" + b"x" * 100 + b"FEA1", "a Feather file"),
    "a quote that never closes": (lambda: (HEADER + LINE * 3 + 'lent,"bank-3,x,1,1,\n' + LINE * 90_000), ":5: found a quote that was opened"),
    "a quote that closes in the wrong place": (lambda: (HEADER + 'lent,"bank-3,x,1,1,\n' + LINE + 'lent,"bank 4",x,1,1,\n'), ":4: found a quote"),
    "a line of ten megabytes": (lambda: (HEADER + LINE + "x" * 10_000_000), ":3: found a line"),
    "a cell of a hundred thousand characters": (lambda: (HEADER + LINE + "lent," + "b" * 100_000 + ",c,1,1,\n"), ":3: found a cell"),
    "a zero byte": (lambda: (HEADER + LINE + LINE.replace("bank-2", "bank\0")), ":3: found a zero byte"),
    "UTF-16": (lambda: (HEADER + LINE).encode("utf-16"), "UTF-16"),
    "bytes in no encoding": (lambda: (HEADER + LINE).encode() + b"lent,\xff\x80\xff,c,1,1,\n", "neither UTF-8 nor GB18030"),
    "five million short rows": (lambda: HEADER.encode() + b"a\n" * 5_000_000, "cells"),
    "short rows": (lambda: HEADER.encode() + b"a\n" * 900_000, "1,000 mistakes"),
    "five million blank rows of commas": (lambda: HEADER.encode() + b",,,,,\n" * 5_000_000, "cells"),
    "millions of sound rows": (lambda: (HEADER + LINE * 1_000_000), "cells"),
    "a few sound rows too many": (lambda: (HEADER + LINE * 340_000), "more than 2,000,000 cells"),
    "the same row ten thousand times": (lambda: (HEADER + LINE * 10_000), "a second time"),
    "a hundred thousand columns": (lambda: (",".join(f"c{k}" for k in range(100_000)) + "\n"), "100,000 columns"),
    "nothing but commas": (lambda: b",,,,,\n" * 300_000, "no header"),
    "nothing but quotes": (lambda: b'"' * 900_000, "quote|cell"),
    "a gzip archive named CSV": (lambda: gzip.compress((HEADER + LINE).encode()), "gzip"),
    "nothing": (lambda: b"", "an empty file"),
    "a mark and nothing": (lambda: b"\xef\xbb\xbf\n\n", "an empty file"),
    "a program": (lambda: b"\x7fELF" + os.urandom(2_000), "a program"),
    "noise": (lambda: b"\x93" + bytes(range(1, 256)) * 400, "neither|cell|header|quote"),
}


def refused(harness: Harness, path: Path, words: str) -> None:
    seen = harness.read(path)
    said = "\n".join(seen["problems"])
    assert any(word in said for word in words.split("|")), said[:2_000]
    assert seen["rows"] == 0
    assert seen["seconds"] < SECONDS
    assert seen["megabytes"] < MEGABYTES
    assert seen["children"] == ""
    assert seen["descriptors"] <= 6
    assert not any(harness.temporary.iterdir())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_refused_in_words_quickly_and_in_little_memory(name: str, harness: Harness, tmp_path: Path):
    content, words = HOSTILE[name]
    path = tmp_path / "return.csv"  # the name tells nothing
    made = content()
    path.write_bytes(made if isinstance(made, bytes) else made.encode())
    refused(harness, path, words)


def test_what_is_no_file_is_not_opened(harness: Harness, tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, words in (
        ("pipe", "a pipe"),
        ("zero", "a symbolic link"),
        ("folder", "a folder"),
        ("none", "cannot be opened"),
    ):
        refused(harness, tmp_path / name, words)
    refused(harness, Path("/dev/zero"), "a device")
    refused(harness, tmp_path / ("long" * 100), "cannot be opened")


def test_ten_gigabytes_of_nothing_are_refused_by_their_size(harness: Harness, tmp_path: Path):
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(10 << 30)
    refused(harness, path, "10,737,418,240 bytes")


def test_a_file_that_grows_while_it_is_read_is_refused(harness: Harness, tmp_path: Path):
    path, enough = tmp_path / "growing.csv", threading.Event()
    path.write_text(HEADER + LINE * 500_000)

    def grow() -> None:
        with path.open("a") as file:
            for _ in range(2_000):
                file.write(LINE * 10)
                file.flush()
                if enough.wait(0.001):
                    return

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        refused(harness, path, "changed while it was read")
    finally:
        enough.set()
        writer.join()


def test_a_reader_that_is_killed_or_too_slow_is_told_and_gone(tmp_path: Path):
    path = tmp_path / "slow.csv"
    path.write_text(HEADER + "".join(LINE.replace("bank-2", f"bank-{k}") for k in range(2, 100_000)))

    def said(limits) -> str:
        return str(read_return(path, "exposures", "bank-1", "2026-09", limits=limits).errors[0])

    assert "more than 0.05 seconds" in said(replace(LIMITS, wall_seconds=0.05))
    assert "more than 60,000,000 bytes of memory" in said(replace(LIMITS, memory_bytes=60_000_000))
    assert "more than 1,000 bytes of rows" in said(replace(LIMITS, rows_bytes=1_000))
    assert "more than 20 cells" in said(replace(LIMITS, cells=20))
    slow = replace(LIMITS, cpu_seconds=1)
    path.write_text(HEADER + "".join(LINE.replace("bank-2", f"bank-{k}") for k in range(2, 330_000)))
    assert "more than 1 seconds of the processor" in said(slow)


@pytest.mark.parametrize(
    ("verdict", "row"),
    [
        ({"form": "x", "rows": 2, "totals": {}, "problems": []}, '["lent","b","x","1",0,null]'),
        ({"form": "x", "rows": 1, "totals": {}, "problems": []}, '["lent","b","x",["1"],0,null]'),
        ({"form": "x", "rows": 1, "totals": {}, "problems": []}, '{"side":"lent"}'),
        ({"form": "x", "rows": 1, "totals": {"a": "much"}, "problems": []}, '["lent","b","x","1",0,null]'),
        ({"form": "x", "rows": 1, "totals": {}, "problems": [[1]]}, ""),
        ([], ""),
        ("not even JSON", ""),
    ],
)
def test_a_reader_that_a_file_has_taken_is_not_believed(
    verdict, row: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fake = tmp_path / "python"
    text = verdict if isinstance(verdict, str) else json.dumps(verdict)
    code = f"import json, os, sys; os.write(json.loads(sys.argv[4])['rows'], {row!r}.encode()); print({text!r})"
    fake.write_text(f"#!{sys.executable}\n{code}\n")
    fake.chmod(0o755)
    (tmp_path / "sound.csv").write_text(HEADER + LINE)
    monkeypatch.setattr(sys, "executable", str(fake))
    filed = read_return(tmp_path / "sound.csv", "exposures", "bank-1", "2026-09")
    assert filed.table == ()
    assert "reader" in filed.errors[0].found
