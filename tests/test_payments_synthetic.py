"""Synthetic ledgers: alike by seed, shaped as declared, and every planted error in the key, held against plain SQL."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from poundlock.payments.ledger import SCHEMA
from poundlock.payments.market import MarketFile, read_market
from poundlock.payments.planted_key import KEY_NAME, Key, read_key
from poundlock.payments.planting import Planted
from poundlock.payments.synthetic import generate
from poundlock.payments.synthetic_day import Shape
from poundlock.payments.synthetic_returns import generate_returns
from poundlock.problems import Problem

DAYS = tuple(dt.date(2021, 10, 4) + dt.timedelta(days=k) for k in range(6))
ROWS = 5_000
EVERYTHING = Planted(
    duplicates=7, conflicting=5, late=11, late_duplicates=4, impossible=5, zero=3, negative=2, silent=2, missing_days=1
)


@cache
def market(institutions: int = 4, stands_for: int = 1) -> MarketFile:
    lines = [
        "format: 1",
        "name: a market",
        "origin: synthetic",
        "note: made up",
        "currency: CNY",
        f"records_stand_for: {stands_for}",
        f"first_day: {DAYS[0]}",
        f"last_day: {DAYS[-1]}",
        "regions: [CN-33, CN-31, CN-32]",
        "platforms: [pay-a, pay-b]",
        "channels: [mobile, till]",
        "participants: participants.csv",
    ]
    problems: list[Problem] = []
    with TemporaryDirectory() as where:
        people = ["institution,kind", *(f"bank-{k},bank" for k in range(institutions))]
        (Path(where) / "participants.csv").write_text("\n".join(people) + "\n", encoding="utf-8")
        (Path(where) / "market.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        read = read_market(Path(where) / "market.yaml", problems)
    assert read is not None, problems
    return read


def folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def digests(paths: tuple[Path, ...]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The six days without a mistake."""
    where = tmp_path_factory.mktemp("clean")
    generate(market(), where, seed=7, rows_per_day=ROWS, days=DAYS)
    return where


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Key]:
    """The same days with mistakes of every kind."""
    where = tmp_path_factory.mktemp("planted")
    generate(market(), where, seed=7, rows_per_day=ROWS, days=DAYS, planted=EVERYTHING)
    return where, read_key(where)


def present(where: Path) -> list[dt.date]:
    return [dt.date.fromisoformat(path.stem) for path in sorted(where.glob("*.parquet"))]


def sql(query: str, where: Path, day: dt.date) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE VIEW ledger AS SELECT * FROM read_parquet('{where}/{day}.parquet')")
        return connection.execute(query).fetchall()


def test_a_clean_day_is_a_ledger(clean: Path):
    for day in DAYS:
        file = pq.ParquetFile(clean / f"{day}.parquet")
        assert file.schema_arrow.equals(SCHEMA)
        assert {file.metadata.row_group(0).column(k).compression for k in range(len(SCHEMA))} == {"ZSTD"}
        table = file.read()
        since = pc.subtract(table.column("time").cast(pa.int64()), (day - dt.date(1970, 1, 1)).days * 86_400_000_000)
        assert 0 <= pc.min(since).as_py() <= pc.max(since).as_py() < 86_400_000_000
        assert (np.diff(since.to_numpy()) >= 0).all()
        ids = table.column("record_id").to_numpy()
        assert len(set(ids.tolist())) == len(ids)
        assert ids.min() >= 0
        assert (np.abs(np.diff(np.argsort(ids))) > 1).mean() > 0.99, "ids follow the order of time"
        assert pc.min(table.column("amount")).as_py() >= 1
        assert set(table.column("currency").to_pylist()) == {"CNY"}
        assert set(table.column("payee_institution").to_pylist()) <= set(market().institutions)
    assert read_key(clean).planted == ()


def test_a_day_is_the_same_whatever_else_is_made_and_in_how_many_threads(tmp_path: Path, planted: tuple[Path, Key]):
    days = [DAYS[3], DAYS[5]]
    alone = replace(EVERYTHING, missing_days=0)
    where = folder(tmp_path, "alone")
    made = generate(market(), where, seed=7, rows_per_day=ROWS, days=days, planted=alone, threads=1)
    others = digests(tuple(planted[0].glob("*.parquet")))
    both = {name: digest for name, digest in digests(made).items() if name in others}
    assert both
    assert both == {name: others[name] for name in both}


def test_another_seed_is_another_ledger(tmp_path: Path, clean: Path):
    made = generate(market(), folder(tmp_path, "other"), seed=8, rows_per_day=ROWS, days=DAYS[:1])
    assert digests(made)[made[0].name] != digests((clean / made[0].name,))[made[0].name]


def test_every_copy_is_in_the_key_and_nothing_else_came_twice(planted: tuple[Path, Key]):
    where, key = planted
    for day in present(where):
        names = ", ".join(SCHEMA.names)
        same = sql(f"SELECT record_id FROM ledger GROUP BY {names} HAVING count(*) = 2", where, day)
        other = sql("SELECT record_id FROM ledger GROUP BY record_id HAVING count(DISTINCT amount) = 2", where, day)
        again = sql("SELECT record_id FROM ledger GROUP BY record_id HAVING count(*) > 1", where, day)
        told = {kind: {e.record_id for e in key.of_kind(kind) if e.day == day} for kind in ("duplicate", "conflict")}
        assert len(told["duplicate"]) == EVERYTHING.duplicates
        assert len(told["conflict"]) == EVERYTHING.conflicting
        assert {one for (one,) in same} == told["duplicate"]
        assert {one for (one,) in other} == told["conflict"]
        assert {one for (one,) in again} == told["duplicate"] | told["conflict"]


def test_rows_and_amounts_of_the_key_are_those_of_the_file(planted: tuple[Path, Key]):
    where, key = planted
    for day in present(where):
        table = pq.read_table(where / f"{day}.parquet")
        for one in (e for e in key.planted if e.day == day and e.rows):
            rows = table.take(list(one.rows))
            assert set(rows.column("record_id").to_pylist()) == {one.record_id}
            assert rows.column("amount")[-1].as_py() == one.amount
            if one.kind == "conflict":
                assert rows.column("amount")[0].as_py() == one.true_value
                assert one.amount is not None
                assert one.true_value is not None
                assert one.amount > one.true_value


def test_odd_times_and_amounts_are_in_the_key(planted: tuple[Path, Key]):
    where, key = planted
    for day in present(where):
        for kinds, condition in (
            (("late", "late duplicate"), f"time < TIMESTAMPTZ '{day} 00:00:00+00'"),
            (("impossible",), f"time >= TIMESTAMPTZ '{day + dt.timedelta(days=1)} 00:00:00+00'"),
            (("zero",), "amount = 0 AND status = 'settled'"),
            (("negative",), "amount < 0 AND status = 'reversed'"),
        ):
            found = sql(f"SELECT record_id, amount FROM ledger WHERE {condition}", where, day)
            told = [(e.record_id, e.amount) for e in key.of_kind(*kinds) if e.day == day]
            assert Counter(found) == Counter(told), (day, kinds)
        assert len([e for e in key.of_kind("late", "late duplicate") if e.day == day]) == EVERYTHING.late
        assert sql(
            "SELECT count(*) FROM ledger WHERE amount <= 0 AND status NOT IN ('settled', 'reversed')", where, day
        ) == [(0,)]


def test_late_copies_are_records_of_their_own_day_and_other_late_ones_are_not(planted: tuple[Path, Key]):
    where, key = planted
    known = {day: pq.read_table(where / f"{day}.parquet") for day in present(where)}
    late = key.of_kind("late", "late duplicate")
    fresh = [(e.own_day, e.record_id) for e in late if e.copy_of is None]
    assert len(set(fresh)) == len(fresh), "two files hold the same late record"
    copies = [e for e in late if e.copy_of is not None]
    assert len(copies) == EVERYTHING.late_duplicates * len(known)
    assert {e.kind for e in copies} == {"late", "late duplicate"}, "some of their own days are not there"
    for one in late:
        row = known[one.day].slice(one.rows[0], 1)
        assert row.column("time")[0].as_py().date() == one.own_day
        assert one.own_day is not None
        assert 1 <= (one.day - one.own_day).days <= 3
        own = known.get(one.own_day)
        if own is None:
            assert one.kind == "late"
            continue
        held = own.filter(pc.equal(own.column("record_id"), one.record_id))
        assert (held.num_rows > 0) == (one.kind == "late duplicate")
        if held.num_rows:
            assert row.to_pylist() == held.to_pylist()


def test_what_a_later_day_holds_again_is_neither_silenced_nor_copied_in_its_own_day(tmp_path: Path):
    asked = Planted(late=60, late_duplicates=60, duplicates=2_000, silent=8)
    made = generate(market(), tmp_path, seed=7, rows_per_day=ROWS, days=DAYS[:4], planted=asked)
    ids = pq.read_table(made[-1]).column("record_id").to_pylist()
    known = {path.stem: Counter(pq.read_table(path).column("record_id").to_pylist()) for path in made[:3]}
    again = [e for e in read_key(tmp_path).of_kind("late", "late duplicate") if e.day == DAYS[3]]
    assert {e.kind for e in again} == {"late duplicate"}
    assert [known[f"{e.copy_of}"][e.record_id] for e in again if e.record_id in ids] == [1] * 60


def test_a_gap_is_an_hour_without_a_record_that_had_many(planted: tuple[Path, Key], clean: Path):
    where, key = planted
    for one in key.of_kind("gap"):
        cell = (
            f"payer_institution = '{one.institution}' AND hour(time) = {one.hour} AND CAST(time AS DATE) = '{one.day}'"
        )
        assert sql(f"SELECT count(*) FROM ledger WHERE {cell}", where, one.day) == [(0,)]
        assert sql(f"SELECT count(*) FROM ledger WHERE {cell}", clean, one.day) == [(one.removed,)]
        assert one.removed is not None
        assert one.removed > 50
    assert Counter(e.day for e in key.of_kind("gap")) == dict.fromkeys(present(where), EVERYTHING.silent)


def test_a_missing_day_is_not_written(planted: tuple[Path, Key]):
    where, key = planted
    (gone,) = key.of_kind("missing day")
    assert set(present(where)) == set(DAYS) - {gone.day}
    assert DAYS[0] < gone.day < DAYS[-1]


def test_without_the_planted_rows_a_day_is_the_clean_day(tmp_path: Path, clean: Path):
    where, day = folder(tmp_path, "planted"), DAYS[4]
    asked = Planted(duplicates=9, conflicting=8, late=6, late_duplicates=3, impossible=4, zero=5, negative=5)
    (path,) = generate(market(), where, seed=7, rows_per_day=ROWS, days=[day], planted=asked)
    table = pq.read_table(path)
    keep = np.ones(table.num_rows, dtype=bool)
    keep[[one.rows[-1] for one in read_key(where).planted]] = False
    assert (~keep).sum() == 9 + 8 + 6 + 4 + 5 + 5
    assert table.filter(pa.array(keep)).equals(pq.read_table(clean / path.name))


def test_a_total_is_met_to_the_last_unit(tmp_path: Path):
    totals = {DAYS[0]: 123_456_789_012_345_678, DAYS[2]: 5_000}
    made = generate(market(), folder(tmp_path, "scaled"), seed=3, rows_per_day=ROWS, days=DAYS[:3], scale=totals)
    for path in made:
        table = pq.read_table(path)
        settled = table.filter(pc.equal(table.column("status"), "settled")).column("amount").to_pylist()
        assert min(settled) >= 1
        assert sum(settled) == totals.get(dt.date.fromisoformat(path.stem), sum(settled))
        assert len(set(settled)) > 1


def test_a_total_below_one_unit_a_record_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="records of at least 1 each"):
        generate(market(), tmp_path, seed=3, rows_per_day=ROWS, days=DAYS[:1], scale={DAYS[0]: 100})


def test_shares_are_the_declared_ones(tmp_path: Path):
    shape = Shape(platforms=(3.0, 1.0), institutions=(0.0, 1.0, 1.0, 2.0), same_region=0.5, regions=(2.0, 1.0, 1.0))
    (path,) = generate(market(), tmp_path, seed=5, rows_per_day=40_000, days=DAYS[:1], shape=shape)
    table = pq.read_table(path)

    def share(column: str, code: str) -> float:
        return float(pc.mean(pc.equal(table.column(column), code).cast(pa.float64())).as_py())

    assert share("platform", "pay-a") == pytest.approx(0.75, abs=0.01)
    assert share("payer_institution", "bank-0") == 0.0
    assert share("payee_institution", "bank-3") == pytest.approx(0.5, abs=0.01)
    assert share("payer_region", "CN-33") == pytest.approx(0.5, abs=0.01)
    assert share("status", "settled") == pytest.approx(0.97, abs=0.005)
    same = pc.mean(pc.equal(table.column("payer_region"), table.column("payee_region")).cast(pa.float64())).as_py()
    assert same == pytest.approx(0.5 + 0.5 * (0.5**2 + 2 * 0.25**2), abs=0.01)


def test_the_busiest_hours_are_local(tmp_path: Path):
    shape = Shape(peaks=((12.0, 1.0, 1.0), (20.0, 1.0, 2.0)), night=0.01, utc_offset_hours=8.0)
    (path,) = generate(market(), tmp_path, seed=5, rows_per_day=20_000, days=DAYS[:1], shape=shape)
    hours = Counter(time.hour for time in pq.read_table(path).column("time").to_pylist())
    busiest = [hour for hour, _ in hours.most_common(4)]
    assert set(busiest[:2]) == {11, 12}, "20:00 local is 12:00 UTC"
    assert set(busiest[2:]) == {3, 4}, "12:00 local is 04:00 UTC"
    assert hours[20] < hours[12] / 20


def test_festivals_and_weekdays_move_the_volume(tmp_path: Path):
    flat = {"week": (1.0,) * 7, "year_swing": 0.0, "noise": 0.0}
    shape = Shape(**flat, festivals=((10, 5, 2.5),))
    made = generate(market(), tmp_path, seed=5, rows_per_day=1_000, days=DAYS[:2], shape=shape)
    assert [pq.read_metadata(path).num_rows for path in made] == [1_000, 2_500]
    other = folder(tmp_path, "week")
    shape = Shape(**flat | {"week": (0.5, 1, 1, 1, 1, 1, 1)}, festivals=())
    made = generate(market(), other, seed=5, rows_per_day=1_000, days=DAYS[:2], shape=shape)
    assert [pq.read_metadata(path).num_rows for path in made] == [500, 1_000], "the first day is a Monday"


def test_the_key_grows_with_the_ledger(tmp_path: Path):
    asked = Planted(late=3, late_duplicates=3)
    generate(market(), tmp_path, seed=7, rows_per_day=ROWS, days=[DAYS[5]], planted=asked)
    assert [e.kind for e in read_key(tmp_path).planted] == ["late"] * 3, (
        "the days that they are copies of are not there"
    )
    generate(market(), tmp_path, seed=7, rows_per_day=ROWS, days=DAYS[2:5], planted=asked)
    key = read_key(tmp_path)
    assert [e.kind for e in key.planted if e.day == DAYS[5]] == ["late duplicate"] * 3
    assert len(key.planted) == 4 * 3
    generate(market(), tmp_path, seed=7, rows_per_day=ROWS, days=[DAYS[5]], planted=asked)
    assert read_key(tmp_path / KEY_NAME) == key
    with pytest.raises(ValueError, match="of seed 7, not 8"):
        generate(market(), tmp_path, seed=8, rows_per_day=ROWS, days=[DAYS[5]])


def test_a_file_that_is_no_key_is_refused(tmp_path: Path):
    (tmp_path / KEY_NAME).write_text('{"format": 2}', encoding="utf-8")
    with pytest.raises(ValueError, match="no key of planted errors in format 1"):
        read_key(tmp_path)


@pytest.mark.parametrize(
    ("asked", "rows", "said"),
    [
        (Planted(silent=90), ROWS, "hours in which an institution usually pays"),
        (Planted(missing_days=5), ROWS, "5 missing days among 4"),
        (Planted(late=90, late_duplicates=90), 100, "records that a later day may hold again"),
        (Planted(duplicates=100), 60, "records to choose from"),
        (Planted(zero=5_000), 100, "too few to plant"),
    ],
)
def test_more_than_a_ledger_can_hold_is_refused(tmp_path: Path, asked: Planted, rows: int, said: str):
    with pytest.raises(ValueError, match=said):
        generate(market(), tmp_path, seed=7, rows_per_day=rows, days=DAYS, planted=asked)


@pytest.mark.parametrize("weights", [(1.0,), (1.0, -1.0), (0.0, 0.0), (1.0, float("nan"))])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, weights: tuple[float, ...]):
    with pytest.raises(ValueError, match="weights of platform"):
        generate(market(), tmp_path, seed=7, rows_per_day=9, days=DAYS[:1], shape=Shape(platforms=weights))


def test_counts_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="among late"):
        Planted(late=1, late_duplicates=2)
    with pytest.raises(ValueError, match="at least 0"):
        Planted(zero=-1)


def test_the_smallest_ledgers(tmp_path: Path):
    (path,) = generate(market(1), tmp_path, seed=7, rows_per_day=1, days=DAYS[:1])
    table = pq.read_table(path)
    assert table.num_rows == 1
    assert table.column("payer_institution").to_pylist() == table.column("payee_institution").to_pylist() == ["bank-0"]


def test_returns_are_the_totals_of_the_clean_ledger_but_for_altered_rows(tmp_path: Path, clean: Path):
    path = generate_returns(
        market(stands_for=10),
        tmp_path / "returns.csv",
        seed=7,
        rows_per_day=ROWS,
        days=DAYS,
        planted=Planted(unbalanced=3),
    )
    altered = {
        (e.day, e.institution, e.region, e.platform, e.side): e for e in read_key(tmp_path).of_kind("unbalanced")
    }
    assert len(altered) == 3 * len(DAYS)
    assert len({(e.day, e.institution, e.side) for e in altered.values()}) == 3 * len(DAYS)
    seen = duckdb.sql(
        f"SELECT day, institution, region, platform, side, payments, value FROM read_csv('{path}')"
    ).fetchall()
    told = {row[:5]: row[5:] for row in seen}
    assert len(told) == len(seen)
    for day in DAYS:
        sides = [
            f"SELECT {who}_institution, {who}_region, platform, '{side}', count(*), sum(amount) FROM ledger "
            f"WHERE status = 'settled' GROUP BY ALL"
            for who, side in (("payer", "sent"), ("payee", "received"))
        ]
        for *key, payments, value in sql(" UNION ALL ".join(sides), clean, day):
            said_payments, said_value = told.pop((day, *key))
            assert said_payments == 10 * int(str(payments))
            one = altered.pop((day, *key), None)  # type: ignore[arg-type]
            assert said_value == (value if one is None else one.altered_value)
            if one is not None:
                assert one.true_value == value != said_value
    assert not told
    assert not altered


def test_more_altered_rows_than_institutions_and_sides_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="were to be altered"):
        generate_returns(
            market(2), tmp_path / "r.csv", seed=7, rows_per_day=99, days=DAYS[:1], planted=Planted(unbalanced=5)
        )
