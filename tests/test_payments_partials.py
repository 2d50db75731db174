"""Every partial, by expression and by kernel, against hand-written SQL; what is kept; what is redone."""

import datetime as dt
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import ledgers
from payments_sql import BY_NAME
from poundlock.payments.engines import DuckDB, EngineFailed
from poundlock.payments.indicators import PARTIALS
from poundlock.payments.market import MarketFile
from poundlock.payments.partials import Ledger, Partial, added, computed, partials
from poundlock.payments.planting import Planted
from poundlock.payments.store import Store, read_days

FAULTS = Planted(duplicates=7, conflicting=5, late=6, late_duplicates=3, impossible=4, zero=5, negative=6)


@pytest.fixture(scope="module")
def market_and_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[MarketFile, Store]:
    return ledgers.made(tmp_path_factory.mktemp("partials"), planted=FAULTS)


def by_hand(partial: Partial, path: Path, day: dt.date) -> pa.Table:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.sql(BY_NAME[partial.name].format(file=path, day=day)).to_arrow_table()
    schema = partial.schema
    return (
        found.select(schema.names).cast(schema).sort_by([(key, "ascending") for key in partial.keys]).combine_chunks()
    )


@pytest.mark.parametrize("partial", PARTIALS, ids=lambda p: p.name)
def test_expression_and_kernel_are_the_sql(partial: Partial, market_and_store: tuple[MarketFile, Store]) -> None:
    store = market_and_store[1]
    for day in read_days(store)[0]:
        engine = DuckDB(store.ledger, threads=1)
        wanted = by_hand(partial, day.path, day.day)
        found = engine.rows(partial.sql(engine), day.path, day.day)
        expression = found.select(partial.schema.names).cast(partial.schema)
        expression = expression.sort_by([(key, "ascending") for key in partial.keys]).combine_chunks()
        assert expression.equals(wanted)
        assert computed(partial, engine, day.path, day.day).equals(wanted)
        assert wanted.num_rows > 0
        engine.close()


def test_a_corrected_day_is_redone_alone(tmp_path: Path) -> None:
    market, store = ledgers.made(tmp_path)
    engine = DuckDB(store.ledger)
    activity = next(p for p in PARTIALS if p.name == "activity")
    first = added(partials(Ledger(store, read_days(store)[0], engine), activity), activity)
    kept = {p.name: p.stat().st_mtime_ns for p in (store.root / "partials" / "activity").iterdir()}
    other = ledgers.made(tmp_path / "other", seed=2)[1]
    path = next(d.path for d in read_days(other)[0] if d.day == ledgers.days(3)[1])
    moved = tmp_path / f"{ledgers.days(3)[1]}.parquet"
    moved.write_bytes(path.read_bytes())
    store = ledgers.stored(market, [moved], store.root)
    second = added(partials(Ledger(store, read_days(store)[0], engine), activity), activity)
    now = {p.name: p.stat().st_mtime_ns for p in (store.root / "partials" / "activity").iterdir()}
    assert {name: now[name] for name in kept} == kept  # the old day's goes with the next ingest
    assert len(now) == len(kept) + 1
    same = [day for day in ledgers.days(3) if day != ledgers.days(3)[1]]
    for day in same:
        mask = pa.compute.equal(first.column("day"), pa.scalar(day))
        assert first.filter(mask).equals(second.filter(pa.compute.equal(second.column("day"), pa.scalar(day))))
    assert not first.equals(second)


def test_nothing_is_kept_where_nothing_may_be(tmp_path: Path) -> None:
    _, store = ledgers.made(tmp_path, 1, rows=50)
    engine = DuckDB(store.ledger)
    list(partials(Ledger(store, read_days(store)[0], engine, keep=False), PARTIALS[0]))
    assert not (store.root / "partials").exists()


def test_a_half_kept_partial_is_computed_again(tmp_path: Path) -> None:
    _, store = ledgers.made(tmp_path, 1, rows=50)
    ledger = Ledger(store, read_days(store)[0], DuckDB(store.ledger))
    whole = next(table for _, table in partials(ledger, PARTIALS[0]))
    path = next((store.root / "partials" / PARTIALS[0].name).iterdir())
    path.write_bytes(path.read_bytes()[:100])
    assert next(table for _, table in partials(ledger, PARTIALS[0])).equals(whole)


def test_the_engine_is_closed_to_the_outside(tmp_path: Path) -> None:
    _, store = ledgers.made(tmp_path, 1, rows=50)
    engine = DuckDB(store.ledger)
    day = read_days(store)[0][0]
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    for query in (
        f"SELECT * FROM read_csv('{secret}')",
        "SELECT * FROM '/etc/passwd'",
        f"COPY (SELECT 1) TO '{secret}'",
    ):
        with pytest.raises(EngineFailed):
            engine.rows(query, day.path, day.day)
    with pytest.raises(EngineFailed):
        engine.rows("SET enable_external_access = true", day.path, day.day)
    assert secret.read_text() == "a\n1\n"


def test_a_path_with_a_quote_is_a_path(tmp_path: Path) -> None:
    _, store = ledgers.made(tmp_path / "it's here", 1, rows=50)
    day = read_days(store)[0][0]
    engine = DuckDB(store.ledger)
    assert engine.rows('SELECT count(*) AS n FROM "ledger"', day.path, day.day).column("n").to_pylist() == [day.rows]


def test_a_damaged_file_and_a_sum_that_does_not_fit_are_told(tmp_path: Path) -> None:
    _, store = ledgers.made(tmp_path, 1, rows=50)
    day, engine = read_days(store)[0][0], DuckDB(store.ledger)
    table = pq.read_table(day.path)
    at = table.column_names.index("amount")
    huge = pa.array([2**62] * table.num_rows, pa.int64())
    pq.write_table(table.set_column(at, table.schema.field(at), huge), day.path)
    for partial in PARTIALS[:1] + tuple(p for p in PARTIALS if p.name == "minutes"):
        with pytest.raises(EngineFailed, match="larger unit of money"):
            computed(partial, engine, day.path, day.day)
    day.path.write_bytes(day.path.read_bytes()[:-200])
    for partial in PARTIALS:
        with pytest.raises(EngineFailed, match="ingest the file of that day again"):
            computed(partial, engine, day.path, day.day)


def test_rows_come_in_the_order_of_the_keys_every_time(tmp_path: Path) -> None:
    """DuckDB 2.0 loses the order of a query where its rows are fetched as a DB-API result in parallel."""
    _, store = ledgers.made(tmp_path, 1, rows=600_000)  # of several row groups
    pairs = next(p for p in PARTIALS if p.name == "pairs")
    ledger = Ledger(store, read_days(store)[0], DuckDB(store.ledger, threads=2), keep=False)
    for _ in range(8):
        for _, table in partials(ledger, pairs):
            assert table.num_rows > 10_000
            assert table.equals(table.sort_by([(key, "ascending") for key in pairs.keys]).combine_chunks())
