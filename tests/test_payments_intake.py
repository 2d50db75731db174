"""Days of records into a store: what is taken is what was delivered; what is refused is told, all of it, with place and
cure."""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ledgers
from delivered import csv_text, records, with_column, with_value
from poundlock.payments import day_file, intake, parquet_ledger
from poundlock.payments.intake import Ingested, ingest
from poundlock.payments.ledger import COLUMNS, SCHEMA
from poundlock.payments.market import MarketFile
from poundlock.payments.store import Store, manifest_of, open_store, read_days
from poundlock.problems import Problem

DAY, NEXT, LAST = ledgers.days(3)
NAMES = tuple(SCHEMA.names)
CODES = tuple(c.name for c in COLUMNS if c.type == "code")


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> MarketFile:
    return ledgers.read(ledgers.market_in(tmp_path_factory.mktemp("market")))


@pytest.fixture
def store(tmp_path: Path, market: MarketFile) -> Store:
    store = open_store(tmp_path / "store", [], currency="CNY", minor_units=2, create=True)
    assert store is not None
    return store


def parquet(path: Path, table: pa.Table, **options: object) -> Path:
    pq.write_table(table, path, **options)
    return path


def taken(market: MarketFile, store: Store, *files: Path, today: dt.date = LAST) -> Ingested:
    return ingest(market, store, files, received="2021-12-01T00:00:00+00:00", today=today, wait_seconds=0.1)


def held(store: Store, day: dt.date = DAY) -> pa.Table:
    found = next(d for d in read_days(store)[0] if d.day == day)
    return pq.read_table(found.path, partitioning=None)


def problems_of(market: MarketFile, store: Store, *files: Path) -> tuple[Problem, ...]:
    """Of files none of which is taken; nothing of them stays behind."""
    done = taken(market, store, *files)
    assert not done.days
    assert done.problems
    assert not read_days(store)[0]
    assert not [*store.incoming.iterdir(), *store.ledger.iterdir()]
    return done.problems


def test_what_is_held_is_what_was_delivered(market: MarketFile, store: Store, tmp_path: Path) -> None:
    table = records(500)
    file = parquet(tmp_path / f"{DAY}.parquet", table)
    done = taken(market, store, file)
    assert [(t.day, t.file, t.outcome, t.rows, t.replaced) for t in done.days] == [(DAY, str(file), "new", 500, None)]
    assert not done.problems
    assert done.missing == (NEXT,), "the last day has not ended"
    assert held(store).equals(table)
    (day,) = read_days(store)[0]
    assert day.digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert (day.source, day.rows, day.bytes) == (file.name, 500, day.path.stat().st_size)


def test_a_day_is_written_for_fast_reading(
    market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(day_file, "ROW_GROUP", 100)
    monkeypatch.setattr(parquet_ledger, "BATCH", 64)
    table = records(250)
    taken(market, store, parquet(tmp_path / f"{DAY}.parquet", table, row_group_size=70))
    assert held(store).equals(table)
    footer = pq.read_metadata(read_days(store)[0][0].path)
    assert footer.schema.to_arrow_schema().equals(SCHEMA, check_metadata=True)
    assert [footer.row_group(k).num_rows for k in range(footer.num_row_groups)] == [100, 100, 50]
    for chunk in (footer.row_group(0).column(k) for k in range(len(NAMES))):
        packed = "RLE_DICTIONARY" if chunk.path_in_schema in CODES else "DELTA_BINARY_PACKED"
        assert packed in chunk.encodings
        assert chunk.compression == "ZSTD"
        assert chunk.statistics.has_min_max


def test_late_and_impossible_times_are_kept(market: MarketFile, store: Store, tmp_path: Path) -> None:
    before, after = (dt.datetime(2021, 10, d, 12, tzinfo=dt.UTC) - dt.timedelta(days=k) for d, k in ((1, 3), (4, 0)))
    table = with_value(with_value(records(), "time", 0, before), "time", 11, after).cast(SCHEMA)
    done = taken(market, store, parquet(tmp_path / f"{DAY}.parquet", table))
    assert [t.outcome for t in done.days] == ["new"]
    assert held(store).equals(table)


def test_a_negative_amount_of_a_payment_that_was_not_settled_is_kept(
    market: MarketFile, store: Store, tmp_path: Path
) -> None:
    table = with_value(with_value(records(), "amount", 3, -5), "status", 3, "reversed")
    assert taken(market, store, parquet(tmp_path / f"{DAY}.parquet", table)).days[0].outcome == "new"
    assert held(store).column("amount")[3].as_py() == -5


@pytest.mark.parametrize(
    "name", [f"{DAY}.parquet", f"bank-{DAY}.parquet", f"{LAST}-of-{DAY}.parquet", f"x_{DAY}_v2.parquet"]
)
def test_the_last_date_of_a_name_counts(name: str, market: MarketFile, store: Store, tmp_path: Path) -> None:
    done = taken(market, store, parquet(tmp_path / name, records()))
    assert [t.day for t in done.days] == [DAY]


AS_DELIVERED: dict[str, Callable[[pa.Table], pa.Table]] = {
    "dictionaries": lambda t: with_column(t, "status", t.column("status").combine_chunks().dictionary_encode()),
    "large text": lambda t: with_column(t, "platform", t.column("platform").cast(pa.large_string())),
    "milliseconds": lambda t: with_column(t, "time", t.column("time").cast(pa.timestamp("ms", "UTC"), safe=False)),
    "nanoseconds": lambda t: with_column(t, "time", t.column("time").cast(pa.timestamp("ns", "UTC"))),
    "another zone": lambda t: with_column(t, "time", t.column("time").cast(pa.timestamp("us", "Asia/Shanghai"))),
    "32 bits": lambda t: with_column(t, "amount", t.column("amount").cast(pa.int32())),
    "16 bits without a sign": lambda t: with_column(t, "record_id", t.column("record_id").cast(pa.uint16())),
    "another order": lambda t: t.select(sorted(NAMES)),
}


@pytest.mark.parametrize("form", AS_DELIVERED)
def test_types_that_lose_nothing_are_taken(form: str, market: MarketFile, store: Store, tmp_path: Path) -> None:
    table = records()
    whole = pc.floor_temporal(table.column("time"), unit="millisecond")
    table = with_column(table, "time", whole).cast(SCHEMA)
    done = taken(market, store, parquet(tmp_path / f"{DAY}.parquet", AS_DELIVERED[form](table)))
    assert not done.problems
    assert held(store).equals(table)


@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY", "PLAIN"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_text_in_any_encoding(
    encoding: str, version: str, market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrow makes no dictionaries of some of them, and says so only when it comes to one."""
    monkeypatch.setattr(parquet_ledger, "BATCH", 64)
    table = records(300)
    file = tmp_path / f"{DAY}.parquet"
    options = {"use_dictionary": False, "data_page_version": version, "row_group_size": 70}
    pq.write_table(table, file, column_encoding={"status": encoding, "platform": encoding}, **options)
    assert not taken(market, store, file).problems
    assert held(store).equals(table)


def test_text_that_changes_its_encoding_midway(
    market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before is not read twice."""
    table = records(300)
    file = parquet(tmp_path / f"{DAY}.parquet", table)
    monkeypatch.setattr(parquet_ledger, "BATCH", 64)
    batches = pq.ParquetFile.iter_batches

    def midway(self: pq.ParquetFile, **options: object) -> Iterator[pa.RecordBatch]:
        for k, batch in enumerate(batches(self, **options)):
            if k == 2 and pa.types.is_dictionary(batch.schema.field("status").type):
                raise pa.ArrowNotImplementedError("DecodeArrow of DictAccumulator for DeltaByteArrayDecoder")
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", midway)
    assert not taken(market, store, file).problems
    assert held(store).equals(table)


def test_codes_of_a_dictionary_that_no_record_has_are_no_mistake(
    market: MarketFile, store: Store, tmp_path: Path
) -> None:
    codes = pa.DictionaryArray.from_arrays(pa.array([1] * 12), pa.array(["nobody", "other"]))
    done = taken(market, store, parquet(tmp_path / f"{DAY}.parquet", with_column(records(), "platform", codes)))
    assert not done.problems
    assert set(held(store).column("platform").to_pylist()) == {"other"}


CSV_FORMS: dict[str, Callable[[pa.Table], bytes]] = {
    "UTF-8": lambda t: csv_text(t).encode(),
    "with a mark": lambda t: csv_text(t).encode("utf-8-sig"),
    "GB18030": lambda t: csv_text(t).encode("gb18030"),
    "another zone": lambda t: csv_text(t, zone="+08:00").encode(),
    "Windows line ends": lambda t: csv_text(t).replace("\n", "\r\n").encode(),
    "quoted, with blanks": lambda t: csv_text(t).replace(",CNY,", ' ,"CNY", ').encode(),
    "another order": lambda t: csv_text(t.select(sorted(NAMES))).encode(),
    "lines without text": lambda t: ("\n\n" + csv_text(t).replace("\n", "\n\n,,,,,,,,,,\n")).encode(),
    "no last line end": lambda t: csv_text(t)[:-1].encode(),
}  # fmt: skip


@pytest.mark.parametrize("form", CSV_FORMS)
def test_csv_is_what_parquet_is(form: str, store: Store, tmp_path: Path) -> None:
    path = ledgers.market_in(tmp_path / "market")
    path.write_text(path.read_text().replace("online", "网上"), encoding="utf-8")
    table = records()
    online = pc.replace_substring(table.column("channel"), "online", "网上")
    table = with_column(table, "channel", online).cast(SCHEMA)
    assert "网上" in online.to_pylist()
    file = tmp_path / f"{DAY}.csv"
    file.write_bytes(CSV_FORMS[form](table))
    done = taken(ledgers.read(path), store, file)
    assert not done.problems
    assert held(store).equals(table)


def test_csv_comes_in_many_blocks(
    market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("poundlock.payments.csv_ledger.BLOCK", 1_000)
    monkeypatch.setattr("poundlock.payments.csv_text._PIECE", 70)
    table = records(200)
    lines = csv_text(table).splitlines()
    lines.insert(50, "")
    lines.insert(100, "too,few")
    lines[150] = lines[150].replace("CNY", "USD")
    lines[180] = lines[180].replace("Z,", "Q,", 1)
    file = tmp_path / f"{DAY}.csv"
    file.write_text("\n".join(lines))
    told = problems_of(market, store, file)
    assert sorted((p.line, p.found.split("'")[0]) for p in told) == [
        (101, "2 cells"),
        (151, "currency "),
        (181, "time = "),
    ]
    file.write_text(csv_text(table))
    assert not taken(market, store, file).problems
    assert held(store).equals(table)


def test_the_same_file_again_changes_nothing(market: MarketFile, store: Store, tmp_path: Path) -> None:
    file = parquet(tmp_path / f"{DAY}.parquet", records())
    taken(market, store, file)
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.name != "lock"}
    again = taken(market, store, shutil.copy(file, tmp_path / f"sent-again-{DAY}.parquet"))
    assert [(t.outcome, t.rows) for t in again.days] == [("same", 12)]
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*") if path.name != "lock"} == before


def test_another_file_for_a_day_corrects_it(market: MarketFile, store: Store, tmp_path: Path) -> None:
    file = parquet(tmp_path / f"{DAY}.parquet", records())
    taken(market, store, file)
    first = read_days(store)[0][0]
    better = records(20, seed=1)
    (one,) = taken(market, store, parquet(file, better)).days
    assert (one.outcome, one.rows) == ("corrected", 20)
    assert one.replaced is not None
    assert (one.replaced.digest, one.replaced.rows) == (first.digest, 12)
    assert str(one.replaced) == f"12 records of {first.digest}"
    assert held(store).equals(better)
    assert [path.name for path in store.ledger.iterdir()] == [read_days(store)[0][0].path.name]


def test_a_wrong_correction_leaves_the_day_as_it_was(market: MarketFile, store: Store, tmp_path: Path) -> None:
    table = records()
    file = parquet(tmp_path / f"{DAY}.parquet", table)
    taken(market, store, file)
    done = taken(market, store, parquet(file, with_value(table, "record_id", 5, -1)))
    assert len(done.problems) == 1
    assert held(store).equals(table)


def test_a_folder_is_its_files_and_the_good_ones_are_taken(market: MarketFile, store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "deliveries"
    folder.mkdir()
    parquet(folder / f"{DAY}.parquet", records())
    parquet(folder / f"{NEXT}.parquet", with_value(records(), "platform", 0, "nobody"))
    (folder / f"{LAST}.csv").write_text(csv_text(records()))
    (folder / "planted-key.json").write_text("{}")
    done = taken(market, store, folder, folder / f"{DAY}.parquet")
    assert [(t.day, t.outcome) for t in done.days] == [(DAY, "new"), (LAST, "new")]
    assert [Path(p.file).name for p in done.problems] == [f"{NEXT}.parquet"]
    assert done.missing == (NEXT,)


def test_a_damaged_day_is_told_until_it_is_ingested_again(market: MarketFile, store: Store, tmp_path: Path) -> None:
    files = [parquet(tmp_path / f"{day}.parquet", records(seed=k)) for k, day in enumerate((DAY, NEXT))]
    taken(market, store, *files)
    manifest_of(store, DAY).write_text("{")
    done = taken(market, store, files[1])
    assert [t.outcome for t in done.days] == ["same"]
    assert [p.file for p in done.problems] == [str(manifest_of(store, DAY))]
    assert done.missing == (DAY,)
    done = taken(market, store, files[0])
    assert [t.outcome for t in done.days] == ["new"]
    assert not done.problems
    assert len(read_days(store)[0]) == len(list(store.ledger.iterdir())) == 2


def test_a_store_of_another_market_takes_nothing(market: MarketFile, tmp_path: Path) -> None:
    other = open_store(tmp_path / "store", [], currency="USD", minor_units=2, create=True)
    assert other is not None
    assert (
        "a store of format 1, USD"
        in problems_of(market, other, parquet(tmp_path / f"{DAY}.parquet", records()))[0].found
    )


def test_a_second_writer_is_refused(market: MarketFile, store: Store, tmp_path: Path) -> None:
    file = parquet(tmp_path / f"{DAY}.parquet", records())
    with (store.root / "lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        (problem,) = problems_of(market, store, file)
    assert "another writer" in problem.found
    assert "ingest again" in problem.cure


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_a_file_that_changes_while_it_is_read(
    form: str, market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{DAY}.{form}"
    if form == "csv":
        file.write_text(csv_text(records()))
    else:
        parquet(file, records())
    looked, fstat = [], os.fstat

    def meddled(number: int) -> os.stat_result:
        state = fstat(number)
        if state.st_ino == file.stat().st_ino and not looked:
            looked.append(state)
            file.write_bytes(file.read_bytes() + b"\n")
        return state

    monkeypatch.setattr(intake.os, "fstat", meddled)
    (problem,) = problems_of(market, store, file)
    assert "changed while it was read" in problem.found


def test_a_correction_that_changes_while_it_is_read_is_told_once_and_not_taken(
    market: MarketFile, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / f"{DAY}.csv"
    file.write_text(csv_text(records()))
    taken(market, store, file)
    file.write_text(csv_text(records(20, seed=1)))
    fstat = os.fstat

    def meddled(number: int) -> os.stat_result:
        state = fstat(number)
        if state.st_ino == file.stat().st_ino:
            monkeypatch.undo()
            file.write_bytes(file.read_bytes() + b"\n")
        return state

    monkeypatch.setattr(intake.os, "fstat", meddled)
    done = taken(market, store, file)
    assert not done.days
    assert ["changed while it was read" in p.found for p in done.problems] == [True]
    assert held(store).equals(records())
    assert [t.outcome for t in taken(market, store, file).days] == ["corrected"]


def test_memory_does_not_grow_with_a_row_group(market: MarketFile, store: Store, tmp_path: Path) -> None:
    """All records in one row group, which Arrow would read whole: eight times the records, and the pool holds about as
    much."""
    pool = pa.default_memory_pool()
    most = []
    for k, count in enumerate((50_000, 400_000)):
        table = records(1_000).take(pa.array(np.arange(count) % 1_000))
        unlike = pa.array(np.random.default_rng(k).integers(0, 1 << 40, count))
        file = parquet(tmp_path / f"{DAY}.parquet", with_column(table, "record_id", unlike), row_group_size=count)
        del table, unlike
        seen: list[int] = []
        check = intake.Check.columns

        def watched(self: intake.Check, batch: object, check: object = check, seen: list[int] = seen) -> object:
            seen.append(pool.bytes_allocated())
            return check(self, batch)  # type: ignore[operator]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(intake.Check, "columns", watched)
            before = pool.bytes_allocated()
            assert not taken(market, store, file).problems
        most.append(max(seen) - before)
    assert most[1] < 2 * most[0] + (8 << 20), most
