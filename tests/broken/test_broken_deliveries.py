"""One mistake in a file of payment records; each is told once, with its place and cure, and nothing of the file is taken."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ledgers
from delivered import csv_text, records, with_column, with_value
from poundlock.payments.intake import ingest
from poundlock.payments.ledger import SCHEMA
from poundlock.payments.market import MarketFile
from poundlock.payments.store import open_store, read_days
from poundlock.problems import Problem

DAY, NEXT, LAST = ledgers.days(3)
ROWS, GROUP = 12, 5
Change = Callable[[pa.Table], pa.Table]


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> MarketFile:
    return ledgers.read(ledgers.market_in(tmp_path_factory.mktemp("market")))


@pytest.fixture
def told(market: MarketFile, tmp_path: Path) -> Callable[..., list[Problem]]:
    """Of files none of which is taken, all Problems; nothing stays behind in the store."""
    store = open_store(tmp_path / "store", [], currency="CNY", minor_units=2, create=True)
    assert store is not None

    def problems(*files: Path, today: dt.date = LAST) -> list[Problem]:
        done = ingest(market, store, files, received="2021-12-01T00:00:00+00:00", today=today)
        assert not done.days
        assert not read_days(store)[0]
        assert not [*store.incoming.iterdir(), *store.ledger.iterdir()]
        return list(done.problems)

    return problems


def nullable(table: pa.Table, name: str, row: int) -> pa.Table:
    return with_value(table, name, row, None)


def unlike(name: str, kind: pa.DataType) -> Change:
    """A column of another type."""
    return lambda t: with_column(t, name, pa.nulls(ROWS, kind))


LATER = pa.timestamp("ns", "UTC")
# how the table is changed; what is found; a part of the cure
IN_PARQUET: dict[str, tuple[Change, str, str]] = {
    "a column too few": (lambda t: t.drop_columns(["status"]), "no column 'status'", "add the column 'status'"),
    "a column of another name": (lambda t: t.rename_columns([n.replace("amount", "amounts") for n in t.column_names]), "no column 'amount'", "rename 'amounts' to 'amount'"),
    "a column too many": (lambda t: t.append_column("note", t.column("status")), "column 'note'", "remove it"),
    "a column twice": (lambda t: t.append_column("status", t.column("status")), "column 'status' 2 times", "remove or rename the second"),
    "time without a zone": (unlike("time", pa.timestamp("us")), "column 'time' of type timestamp[us], without a zone", "write time with zone UTC"),
    "time as text": (unlike("time", pa.string()), "column 'time' of type string", "write timestamps with zone UTC"),
    "time as a date": (unlike("time", pa.date32()), "column 'time' of type date32[day]", "write timestamps with zone UTC"),
    "amount as a float": (unlike("amount", pa.float64()), "column 'amount' of type double", "write whole numbers in 'amount'"),
    "amount as a decimal": (unlike("amount", pa.decimal128(18, 2)), "column 'amount' of type decimal128(18, 2)", "write whole numbers in 'amount'"),
    "record_id beyond 64 bits": (unlike("record_id", pa.uint64()), "column 'record_id' of type uint64", "write whole numbers in 'record_id'"),
    "a region as a number": (unlike("payer_region", pa.int64()), "column 'payer_region' of type int64", "write text in 'payer_region'"),
    "a status as bytes": (unlike("status", pa.binary()), "column 'status' of type binary", "write text in 'status'"),
    "a list": (unlike("platform", pa.list_(pa.string())), "column 'platform' of type list", "write text in 'platform'"),
    "no time": (lambda t: nullable(t, "time", 6), "time is empty, in record 7 (row group 2, row 2)", "fill time"),
    "no amount": (lambda t: nullable(t, "amount", 0), "amount is empty, in record 1 (row group 1, row 1)", "fill amount"),
    "no status": (lambda t: nullable(t, "status", 11), "status is empty, in record 12 (row group 3, row 2)", "fill status"),
    "an empty platform": (lambda t: with_value(t, "platform", 4, ""), "platform is empty, in record 5 (row group 1, row 5)", "fill platform"),
    "an unknown institution": (lambda t: with_value(t, "payer_institution", 5, "bank-9"), "payer_institution 'bank-9', which the market does not name, in record 6 (row group 2, row 1)", "write 'bank-"),
    "an unknown region": (lambda t: with_value(t, "payee_region", 5, "XX"), "payee_region 'XX', which the market does not name, in record 6", "add it to the market"),
    "an unknown platform": (lambda t: with_value(t, "platform", 5, "Other"), "platform 'Other', which the market does not name, in record 6", "write 'other'"),
    "an unknown channel": (lambda t: with_value(t, "channel", 5, "mobile "), "channel 'mobile ', which the market does not name, in record 6", "write 'mobile'"),
    "an unknown status": (lambda t: with_value(t, "status", 5, "setled"), "status 'setled', in record 6", "write 'settled'"),
    "a code with a zero byte": (lambda t: with_value(t, "status", 5, "a\0b"), r"status 'a\x00b', in record 6", "correct it"),
    "another currency": (lambda t: with_column(t, "currency", pa.array(["USD"] * ROWS)), "currency 'USD', in record 1 ", "another currency is another market"),
    "two currencies": (lambda t: with_value(t, "currency", 9, "USD"), "currency 'USD', in record 10 (row group 2, row 5)", "another currency is another market"),
    "a settled payment below nought": (lambda t: with_value(with_value(t, "amount", 3, -1), "status", 3, "settled"), "amount -1 of a settled record, in record 4 ", "turn payer and payee round"),
    "a record_id below nought": (lambda t: with_value(t, "record_id", 3, -1), "record_id -1, in record 4 ", "number the records"),
    "a time in nanoseconds": (lambda t: with_column(t, "time", pa.array([1_633_046_400_000_000_001] * ROWS, LATER)), "a time finer than a microsecond, in record 1 ", "write time in microseconds"),
    "a time beyond all calendars": (lambda t: with_value(t, "time", 3, 2**62), "a time outside the years 1 to 9999, in record 4 ", "correct the time"),
    "milliseconds beyond all calendars": (lambda t: with_column(t, "time", pa.array([-(2**62)] * ROWS, pa.timestamp("ms", "UTC"))), "a time outside the years 1 to 9999, in record 1 ", "correct the time"),
    "amounts that no day has": (lambda t: with_column(t, "amount", pa.array([2**60] * ROWS)), "amounts that add up to 1.38e+19 minor units", "check the unit: an amount is a whole number of 10^-2"),
    "no record": (lambda t: t.slice(0, 0), "a file without records", "deliver the day again"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_PARQUET)
def test_one_mistake_in_parquet(name: str, told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    change, found, cure = IN_PARQUET[name]
    file = tmp_path / f"{DAY}.parquet"
    pq.write_table(change(records(ROWS)), file, row_group_size=GROUP)
    problems = told(file)
    assert found in problems[0].found
    assert cure in problems[0].cure
    assert all((p.file, p.line) == (str(file), None) for p in problems)
    assert len(problems) == (ROWS if name in WHOLE_COLUMN else 1)


WHOLE_COLUMN = {"another currency", "a time in nanoseconds", "milliseconds beyond all calendars"}


def thirteenth(text: str, old: str, new: str) -> str:
    """Another cell in the record of line 8."""
    lines = text.split("\n")
    assert old in lines[7]
    return "\n".join([*lines[:7], lines[7].replace(old, new, 1), *lines[8:]])


def in_line(old: str, new: str) -> Callable[[str], bytes]:
    return lambda text: thirteenth(text, old, new).encode()


HEADER = ",".join(SCHEMA.names)
# how the text is changed; line; what is found; a part of the cure
IN_CSV: dict[str, tuple[Callable[[str], bytes], int | None, str, str]] = {
    "a column of another name": (lambda t: t.replace("amount", "amounts", 1).encode(), 1, "no column 'amount'", "rename 'amounts' to 'amount'"),
    "a column too many": (lambda t: t.replace("\n", ",x\n").encode(), 1, "column 'x'", "remove it"),
    "a column twice": (lambda t: t.replace("payee_region", "payer_region", 1).encode(), 1, "column 'payer_region' 2 times", "remove or rename"),
    "a cell too few": (in_line(",CNY", ""), 8, "10 cells", "correct the commas"),
    "a cell too many": (in_line(",CNY", ",CNY,"), 8, "12 cells", "correct the commas"),
    "a time without a zone": (in_line("Z,", ","), 8, "without a zone", "write the zone behind the time"),
    "a day that no month has": (in_line("2021-10-01T", "2021-02-30T"), 8, "time = '2021-02-30T", "correct the time"),
    "a month that no year has": (in_line("2021-10-01T", "2021-13-01T"), 8, "time = '2021-13-01T", "correct the time"),
    "a time in words": (in_line("2021-10-01T", "yesterday "), 8, "time = 'yesterday", "correct the time"),
    "a time of the year 0": (in_line("2021-10-01T", "0000-10-01T"), 8, "a time outside the years 1 to 9999", "correct the time"),
    "no time": (lambda t: "\n".join("," + line.split(",", 1)[1] if k == 7 else line for k, line in enumerate(t.split("\n"))).encode(), 8, "time is empty", "fill time"),
    "no currency": (in_line(",CNY", ","), 8, "currency is empty", "fill currency"),
    "an unknown platform": (in_line(",CNY", ",USD"), 8, "currency 'USD'", "another currency is another market"),
    "a number in words": (lambda t: t.replace(",6\n", ",six\n").encode(), 8, "record_id = 'six'", "correct record_id"),
    "a number in sixteens": (lambda t: t.replace(",6\n", ",0x6\n").encode(), 8, "record_id = '0x6'", "correct record_id"),
    "half a number": (lambda t: t.replace(",6\n", ",6.5\n").encode(), 8, "record_id = '6.5'", "correct record_id"),
    "a number beyond 64 bits": (lambda t: t.replace(",6\n", ",9223372036854775808\n").encode(), 8, "record_id = '9223372036854775808'", "correct record_id"),
    "a record_id below nought": (lambda t: t.replace(",6\n", ",-6\n").encode(), 8, "record_id -6", "number the records"),
    "a quote that is not closed": (in_line("CNY", '"CNY'), 8, "a quote that is not closed", "close the quote"),
    "a carriage return alone": (in_line("CNY", "CNY\r"), 8, "a carriage return within a line", "ordinary line ends"),
    "a zero byte": (in_line("CNY", "CN\0"), 8, "a zero byte", "save it as CSV UTF-8"),
    "UTF-16": (lambda t: t.encode("utf-16"), 1, "a zero byte", "save it as CSV UTF-8"),
    "neither encoding": (lambda t: thirteenth(t, "CNY", "CN|").encode().replace(b"|", b"\xff\xff"), 8, "byte 0xff, in text that is neither", "save it as CSV UTF-8"),
    "a line without end": (in_line("CNY", "C" * (1 << 20)), 8, "a line longer than", "a record a line"),
    "a header alone": (lambda t: HEADER.encode(), None, "a file without records", "deliver the day again"),
    "a header alone with its line end": (lambda t: f"{HEADER}\r\n".encode(), None, "a file without records", "deliver the day again"),
    "a header that cannot be read": (lambda t: t.replace("amount", '"amo"unt', 1).encode(), 1, "a header that cannot be read", "check quotes"),
    "nothing but lines": (lambda t: b"\n\r\n\n", None, "a file without records", "deliver the day again"),
    "nothing": (lambda t: b"", None, "a file without records", "deliver the day again"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_CSV)
def test_one_mistake_in_csv(name: str, told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    change, line, found, cure = IN_CSV[name]
    file = tmp_path / f"{DAY}.csv"
    file.write_bytes(change(csv_text(records(ROWS))))
    problems = told(file)
    if name == "a column twice":
        problems = [p for p in problems if p.found != "no column 'payee_region'"]
    (problem,) = problems
    assert (problem.file, problem.line) == (str(file), line)
    assert found in problem.found
    assert cure in problem.cure


def cut(data: bytes, at: int) -> bytes:
    return data[:at]


def footer_longer(data: bytes) -> bytes:
    return data[:-8] + struct.pack("<I", len(data)) + data[-4:]


def one_byte(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]


DAMAGED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut short": (lambda d: cut(d, len(d) // 2), "cut short"),
    "cut by a byte": (lambda d: cut(d, len(d) - 1), "cut short"),
    "nothing": (lambda d: b"", "nothing in it"),
    "text": (lambda d: b"time,amount\n" * 20, "cut short, or no Parquet at all"),
    "only its ends": (lambda d: b"PAR1PAR1", "cut short"),
    "encrypted": (lambda d: d[:-4] + b"PARE", "encrypted"),
    "a footer longer than the file": (footer_longer, "a footer of"),
    "an empty footer": (lambda d: d[:-8] + struct.pack("<I", 0) + d[-4:], ""),
    "its middle gone": (lambda d: d[:200] + d[400:], ""),
    "a page that was changed": (lambda d: one_byte(d, 60), "CRC"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_parquet_file(name: str, told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    change, found = DAMAGED[name]
    file = tmp_path / f"{DAY}.parquet"
    pq.write_table(records(ROWS), file, row_group_size=GROUP, write_page_checksum=True)
    file.write_bytes(change(file.read_bytes()))
    (problem,) = told(file)
    assert problem.file == str(file)
    assert problem.found.startswith("a damaged file: ")
    assert found in problem.found
    assert "write the file again" in problem.cure


def test_a_footer_that_counts_other_records(
    told: Callable[..., list[Problem]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many row groups are read as there are; that they are as many records as the footer says is checked."""
    file = tmp_path / f"{DAY}.parquet"
    pq.write_table(records(ROWS), file, row_group_size=GROUP)
    said = SimpleNamespace(num_rows=ROWS + 1, num_row_groups=-(-ROWS // GROUP))
    monkeypatch.setattr(pq.ParquetFile, "metadata", property(lambda self: said))
    (problem,) = told(file)
    assert problem.found == f"a damaged file: a footer of {ROWS + 1} records, and {ROWS} records"


def test_a_form_of_parquet_that_cannot_be_read(
    told: Callable[..., list[Problem]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*args: object, **options: object) -> None:
        raise pa.ArrowNotImplementedError("LZO codec is not built\nmore")

    file = tmp_path / f"{DAY}.parquet"
    pq.write_table(records(ROWS), file)
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", unknown)
    (problem,) = told(file)
    assert problem.found == "Parquet of a form that cannot be read here (LZO codec is not built)"


def test_indices_beyond_their_dictionary(
    told: Callable[..., list[Problem]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed byte can give them; Arrow hands them on as they are."""
    file = tmp_path / f"{DAY}.parquet"
    table = records(ROWS)
    pq.write_table(table, file)
    beyond = pa.DictionaryArray.from_arrays(pa.array([1] * ROWS, pa.int32()), pa.array(["other"]), safe=False)
    columns = {name: table.column(name).combine_chunks() for name in SCHEMA.names}
    coded = {name: c.dictionary_encode() if c.type == pa.string() else c for name, c in columns.items()}
    batch = pa.RecordBatch.from_pydict(coded | {"platform": beyond})
    monkeypatch.setattr(pq.ParquetFile, "iter_batches", lambda *args, **options: iter([batch]))
    (problem,) = told(file)
    assert problem.found.startswith("a damaged file: In column 5")


def names(folder: Path, *found: str) -> list[Path]:
    for name in found:
        pq.write_table(records(ROWS), folder / name)
    return [folder / name for name in found]


IN_NAMES = {
    "no day": (["records.parquet"], "no day in the name 'records.parquet'", "put the day into the name"),
    "a day that no month has": (["2021-02-30.parquet"], "2021-02-30, which is no date", "put the day into the name"),
    "a longer number": (["12021-10-011.parquet"], "no day in the name", "put the day into the name"),
    "a day to come": (["2021-10-04.parquet"], "2021-10-04, a day that has not begun", "correct the name"),
    "another kind of file": (["2021-10-01.xlsx"], "a file that ends in '.xlsx'", "deliver Parquet or CSV"),
    "two files of a day": (["2021-10-01.parquet", "again-2021-10-01.parquet"], "a second file of 2021-10-01", "deliver only the one"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_NAMES)
def test_one_mistake_in_a_name(name: str, told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    files, found, cure = IN_NAMES[name]
    paths = names(tmp_path, *files)
    (problem,) = told(*paths)
    assert problem.file == str(paths[-1])
    assert found in problem.found
    assert cure in problem.cure


def test_files_and_folders_that_are_not_there(told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    missing = [tmp_path / f"{DAY}.parquet", tmp_path / "empty", Path("a\0b"), tmp_path / ("x" * 300)]
    found = [p.found for p in told(*missing)]
    assert found == [
        "a folder without Parquet or CSV files",
        "no file that may be read",
        "no file that may be read",
        "no file that may be read",
    ]


def test_all_mistakes_of_all_files_in_one_go(told: Callable[..., list[Problem]], tmp_path: Path) -> None:
    first = with_value(with_value(records(ROWS), "platform", 2, "nobody"), "record_id", 7, -7)
    pq.write_table(with_value(first, "currency", 1, "USD"), tmp_path / f"{DAY}.parquet")
    (tmp_path / f"{NEXT}.csv").write_text(csv_text(with_value(records(ROWS), "amount", 3, None)))
    (tmp_path / f"{LAST}.parquet").write_bytes(b"PAR1")
    said = {(Path(p.file).name, p.line, p.found.split(",")[0]) for p in told(tmp_path)}
    assert said == {
        (f"{DAY}.parquet", None, "platform 'nobody'"),
        (f"{DAY}.parquet", None, "record_id -7"),
        (f"{DAY}.parquet", None, "currency 'USD'"),
        (f"{NEXT}.csv", 5, "amount is empty"),
        (f"{LAST}.parquet", None, "a damaged file: cut short"),
    }


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_twenty_of_a_kind_are_shown_then_how_many_more(
    form: str, told: Callable[..., list[Problem]], tmp_path: Path
) -> None:
    table = records(100)
    table = with_column(table, "platform", pa.array(["other" if k < 10 else f"p-{k}" for k in range(100)]))
    table = with_column(table, "record_id", pa.array(-np.arange(100)))
    file = tmp_path / f"{DAY}.{form}"
    if form == "csv":
        file.write_text(csv_text(table))
    else:
        pq.write_table(table, file, row_group_size=7)
    problems = told(file)
    platforms = [p for p in problems if "platform" in p.found]
    assert len(platforms) == 21
    assert "platform 'p-10'" in platforms[0].found
    assert platforms[20].found.startswith("70 more like this, the first: platform 'p-30'")
    ids = [p for p in problems if "record_id" in p.found]
    assert len(ids) == 21
    assert ids[20].found.startswith("79 more like this, the first: record_id -21")
    if form == "csv":
        assert [p.line for p in platforms] == list(range(12, 33))
