"""Every planted fault is found, none is invented, and its effect on each figure is what leaving it out does."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import ledgers
from poundlock.payments.engines import DuckDB
from poundlock.payments.gaps import LEAST, silent_hours
from poundlock.payments.indicators import Indicators, from_records
from poundlock.payments.market import MarketFile
from poundlock.payments.partials import Ledger
from poundlock.payments.planted_key import Key, read_key
from poundlock.payments.planting import Planted
from poundlock.payments.store import missing_days, read_days
from poundlock.payments.synthetic import generate
from poundlock.payments.synthetic_returns import generate_returns

FAULTS = Planted(
    duplicates=4,
    conflicting=3,
    late=6,
    late_duplicates=2,
    impossible=2,
    zero=5,
    negative=6,
    silent=1,
    missing_days=1,
    unbalanced=2,
)


def found_in(
    folder: Path, planted: Planted, *, rows: int = 12_000, count: int = 5
) -> tuple[MarketFile, Indicators, Key]:
    path = ledgers.market_in(folder, count, more="returns: returns.csv\n")
    (folder / "returns.csv").write_text(
        "day,institution,region,platform,side,payments,value\n2021-10-01,bank-1,310000,other,sent,1,1\n"
    )
    bare = ledgers.read(path)
    (folder / "files").mkdir()
    asked = {"seed": 3, "rows_per_day": rows, "days": ledgers.days(count), "planted": planted}
    files = generate(bare, folder / "files", **asked)  # type: ignore[arg-type]
    generate_returns(bare, folder / "returns.csv", **asked)  # type: ignore[arg-type]
    market = ledgers.read(path)
    store = ledgers.stored(market, files, folder / "store")
    days = read_days(store)[0]
    engine = DuckDB(store.ledger)
    absent = missing_days(days, market.market.first_day, market.market.last_day)
    found = from_records(market, Ledger(store, days, engine, keep=False), missing=absent)
    engine.close()
    planted_key = read_key(folder / "files")
    told = read_key(folder / "planted-key.json").planted if (folder / "planted-key.json").exists() else ()
    return market, found, Key(3, (*planted_key.planted, *told))


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[MarketFile, Indicators, Key]:
    return found_in(tmp_path_factory.mktemp("planted"), FAULTS)


def test_every_planted_record_is_found_and_no_other(planted: tuple[MarketFile, Indicators, Key]) -> None:
    _, found, key = planted
    assert found.records is not None
    quality = found.records.quality
    for kind in ("duplicate", "conflict", "late duplicate", "impossible", "zero", "negative"):
        one = quality.fault(kind)  # type: ignore[arg-type]
        wanted = key.of_kind(kind)  # type: ignore[arg-type]
        assert one.count == len(wanted) > 0, kind
        assert one.value == sum(e.amount or 0 for e in wanted), kind
        assert one.days == len({e.day for e in wanted}), kind
    late = key.of_kind("late", "late duplicate")
    assert quality.fault("late").count == len(late)
    assert quality.fault("late").value == sum(e.amount or 0 for e in late)


def test_gaps_missing_days_and_unbalanced_totals(planted: tuple[MarketFile, Indicators, Key]) -> None:
    _, found, key = planted
    assert found.records is not None
    quality = found.records.quality
    assert {(s.day, s.institution, s.hour) for s in quality.silences} == {
        (e.day, e.institution, e.hour) for e in key.of_kind("gap")
    }
    assert quality.silences
    assert quality.missing
    assert set(quality.missing) == {e.day for e in key.of_kind("missing day")}
    silent = {e.day for e in key.of_kind("gap")}
    quiet = {(e.day, e.institution) for e in key.of_kind("gap")}
    comparable = {
        (e.day, e.institution, e.side)
        for e in key.of_kind("unbalanced")
        if e.day not in quality.missing
        and not (e.day in silent and (e.side == "received" or (e.day, e.institution) in quiet))
    }
    assert {(d.day, d.institution, d.side) for d in quality.differences} == comparable
    assert comparable


def test_examples_are_records_of_the_key(planted: tuple[MarketFile, Indicators, Key]) -> None:
    _, found, key = planted
    assert found.records is not None
    for kind in ("duplicate", "conflict", "zero", "negative", "impossible"):
        shown = found.records.quality.fault(kind).examples  # type: ignore[arg-type]
        ids = {(str(e.day), str(e.record_id)) for e in key.of_kind(kind)}  # type: ignore[arg-type]
        assert shown
        assert {(s["day"], s["record_id"]) for s in shown} <= ids


def test_effects_are_what_the_clean_ledger_shows(tmp_path: Path) -> None:
    faults = replace(FAULTS, silent=0, missing_days=0, unbalanced=0)
    _, dirty, _ = found_in(tmp_path / "dirty", faults, rows=3_000, count=3)
    _, clean, _ = found_in(tmp_path / "clean", Planted(), rows=3_000, count=3)
    assert dirty.records is not None
    assert clean.records is not None
    without = {e.indicator: e.without for e in dirty.records.effects if e.kind == "all of them"}
    assert clean.records.effects == ()
    assert clean.records.quality.clean
    peaks = sum(int(n.peak_debit.sum()) for n in clean.records.netting)
    value = clean.by_platform.value
    assert without["volume"] == clean.by_platform.payments.sum()
    assert without["value"] == value.sum()
    assert without["HHI of platforms"] == pytest.approx(
        float(np.sum((value.sum(axis=0) / value.sum()) ** 2)), abs=1e-15
    )
    assert without["liquidity to settle at once"] == peaks
    assert without["largest net position of an institution"] == np.abs(clean.records.flows.net).max()
    assert any(e.as_read != e.without for e in dirty.records.effects)


def test_silence_needs_an_hour_that_usually_speaks() -> None:
    hours = np.full((5, 24, 2), LEAST)
    hours[2, 7, 1] = 0
    hours[:, 3, 0] = LEAST - 1
    hours[1, 3, 0] = 0
    days = [dt.date(2021, 1, k + 1) for k in range(5)]
    found = silent_hours(days, hours, ("a", "b"))
    assert [(s.day, s.institution, s.hour) for s in found] == [(days[2], "b", 7)]
    assert silent_hours(days[:2], hours[:2], ("a", "b")) == ()


def test_late_records_do_not_hide_a_silent_first_hour(tmp_path: Path) -> None:
    market = ledgers.read(ledgers.market_in(tmp_path, 3))
    (tmp_path / "files").mkdir()
    files = generate(
        market, tmp_path / "files", seed=1, rows_per_day=12_000, days=ledgers.days(3), planted=Planted(late=40)
    )
    table = pq.read_table(files[1])
    first_hour = pc.less(table.column("time"), pa.scalar(dt.datetime(2021, 10, 2, 1, tzinfo=dt.UTC)))
    own_day = pc.greater_equal(table.column("time"), pa.scalar(dt.datetime(2021, 10, 2, tzinfo=dt.UTC)))
    silenced = pc.and_(pc.and_(first_hour, own_day), pc.equal(table.column("payer_institution"), "bank-1"))
    late = pc.and_(pc.invert(own_day), pc.equal(table.column("payer_institution"), "bank-1"))
    assert pc.any(late).as_py()
    pq.write_table(table.filter(pc.invert(silenced)), files[1])
    store = ledgers.stored(market, files, tmp_path / "store")
    found = from_records(market, Ledger(store, read_days(store)[0], DuckDB(store.ledger), keep=False))
    assert found.records is not None
    assert [(s.day, s.institution, s.hour) for s in found.records.quality.silences] == [
        (dt.date(2021, 10, 2), "bank-1", 0)
    ]
