"""Sums by minute and institution, against SQL written by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from poundlock.payments.ledger import SCHEMA, STATUSES
from poundlock.payments.minutes import SUMS, minutes_of_file, per_minute, through_the_day, to_table

DAY = dt.date(2021, 10, 5)
MIDNIGHT = dt.datetime(2021, 10, 5, tzinfo=dt.UTC)
BANKS = ("bank-a", "bank-b", "bank-c")


def written(path: Path, rows: list[dict[str, Any]], row_group: int = 100) -> Path:
    """A day's file; what a row does not say is alike for all."""
    alike = dict.fromkeys(SCHEMA.names, "x") | {
        "currency": "CNY",
        "status": "settled",
        "time": MIDNIGHT,
        "amount": 5,
    }
    full = [alike | {"record_id": k} | row for k, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(full, schema=SCHEMA), path, row_group_size=row_group)
    return path


def payment(payer: str, payee: str, amount: int, seconds: float = 0.0, status: str = "settled") -> dict[str, Any]:
    time = MIDNIGHT + dt.timedelta(seconds=seconds)
    return {"payer_institution": payer, "payee_institution": payee, "amount": amount, "time": time, "status": status}


def some_day(path: Path, seed: int, rows: int = 1_500, row_group: int = 200) -> Path:
    draw = np.random.default_rng(seed)
    return written(
        path,
        [
            payment(
                BANKS[draw.integers(0, 3)],
                BANKS[draw.integers(0, 3)],
                int(draw.integers(-5, 10**12)),
                float(draw.integers(-200, 86_600 * 1_000) / 1_000),
                STATUSES[draw.choice(4, p=(0.7, 0.1, 0.1, 0.1))],
            )
            for _ in range(rows)
        ],
        row_group,
    )


def by_hand(path: Path) -> list[tuple[Any, ...]]:
    """The same in SQL."""
    minute = "greatest(0, least(1439, date_diff('minute', TIMESTAMPTZ '2021-10-05 00:00:00+00', date_trunc('minute', time))))"
    query = f"""
        WITH settled AS (SELECT *, {minute} AS minute FROM read_parquet('{path}') WHERE status = 'settled'),
        sides AS (
            SELECT minute, payer_institution AS institution, 1 AS sent, amount AS paid, 0 AS got, 0 AS into_it FROM settled
            UNION ALL
            SELECT minute, payee_institution, 0, 0, 1, amount FROM settled
        )
        SELECT minute, institution, sum(sent), sum(paid), sum(got), sum(into_it) FROM sides GROUP BY ALL ORDER BY ALL
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("seed", range(2))
def test_the_sums_are_those_of_sql(tmp_path: Path, seed: int, threads: int):
    path = some_day(tmp_path / "d.parquet", seed)
    table = to_table(per_minute(path, DAY, threads=threads))
    assert [tuple(row.values()) for row in table.to_pylist()] == by_hand(path)
    assert table.column_names == ["minute", "institution", *SUMS]
    assert table.equals(minutes_of_file(path, DAY))


def test_an_order_that_is_given_is_kept_and_the_table_is_sorted_all_the_same(tmp_path: Path):
    path = some_day(tmp_path / "d.parquet", 5)
    order = ("bank-c", "nobody", "bank-a", "bank-b")
    found, usual = per_minute(path, DAY, order), per_minute(path, DAY)
    assert found.institutions == order
    assert usual.institutions == BANKS
    for name in SUMS:
        assert (getattr(found, name)[:, [2, 3, 0]] == getattr(usual, name)).all()
        assert not getattr(found, name)[:, 1].any()
    assert to_table(found).equals(to_table(usual))


def test_times_outside_the_day_are_held_in_it_and_counted(tmp_path: Path):
    rows = [
        payment("a", "b", 1, -0.000001),
        payment("a", "b", 2, -90_000.0),
        payment("a", "b", 4, 0.0),
        payment("a", "b", 8, 59.999999),
        payment("a", "b", 16, 60.0),
        payment("a", "b", 32, 86_399.999999),
        payment("a", "b", 64, 86_400.0),
        payment("a", "b", 128, 86_400.0, "rejected"),
    ]
    found = per_minute(written(tmp_path / "d.parquet", rows), DAY)
    assert found.outside is not None
    assert (found.outside.late, found.outside.impossible) == (2, 1)
    sent = found.value_sent[:, 0]
    assert {int(k): int(sent[k]) for k in np.flatnonzero(sent)} == {0: 1 + 2 + 4 + 8, 1: 16, 1439: 32 + 64}
    assert found.payments_received[1439].tolist() == [0, 2]


def test_a_payment_to_oneself_is_on_both_sides(tmp_path: Path):
    found = per_minute(written(tmp_path / "d.parquet", [payment("a", "a", 7, 61.0)]), DAY)
    assert to_table(found).to_pylist() == [
        {
            "minute": 1,
            "institution": "a",
            "payments_sent": 1,
            "value_sent": 7,
            "payments_received": 1,
            "value_received": 7,
        }
    ]


def test_names_that_come_late_find_room(tmp_path: Path):
    """Every row group has names that those before it did not have."""
    rows = [payment(f"bank-{k // 3:03d}", f"bank-{k % 70:03d}", k + 1, 60.0 * (k % 1440)) for k in range(600)]
    path = written(tmp_path / "d.parquet", rows, row_group=25)
    for threads in (1, 2):
        table = to_table(per_minute(path, DAY, threads=threads))
        assert [tuple(row.values()) for row in table.to_pylist()] == by_hand(path)


def test_a_day_without_settled_records(tmp_path: Path):
    for rows in ([], [payment("a", "b", 7, 0.0, "pending")]):
        path = written(tmp_path / "d.parquet", rows)
        assert minutes_of_file(path, DAY).num_rows == 0
        assert per_minute(path, DAY, ("a", "b")).value_sent.shape == (1440, 2)


def test_sums_that_would_not_fit_are_an_error(tmp_path: Path):
    path = written(tmp_path / "d.parquet", [payment("a", "b", 5 * 10**18, 60.0 * k) for k in range(2)])
    with pytest.raises(OverflowError, match="add up to 1e\\+19 minor units"):
        per_minute(path, DAY)
    path = written(tmp_path / "d.parquet", [payment("a", "b", -(2**63), 60.0 * k) for k in range(2)])
    with pytest.raises(OverflowError, match="hold below 9e\\+18"):
        per_minute(path, DAY)
    path = written(tmp_path / "d.parquet", [payment("a", "b", 4 * 10**18, 60.0 * k) for k in range(2)])
    assert int(per_minute(path, DAY).value_sent.sum()) == 8 * 10**18
    path = written(tmp_path / "d.parquet", [payment("a", "b", 5 * 10**18, 60.0, s) for s in ("settled", "rejected")])
    assert int(per_minute(path, DAY).value_received.sum()) == 5 * 10**18


def test_an_institution_that_is_not_expected_is_named(tmp_path: Path):
    path = written(tmp_path / "d.parquet", [payment("a", "z", 1), payment("y", "a", 1)])
    with pytest.raises(ValueError, match="2 institutions that are not among those given, the first 'y'"):
        per_minute(path, DAY, ("a", "b"))


def test_a_file_of_another_kind_is_refused(tmp_path: Path):
    path = tmp_path / "d.parquet"
    row = {name: ["x"] for name in ("payer_institution", "payee_institution", "status")} | {"amount": [1]}
    pq.write_table(pa.table(row), path)
    with pytest.raises(ValueError, match="column 'time' is absent"):
        per_minute(path, DAY)
    nanoseconds = pa.array([0], pa.timestamp("ns", "UTC"))
    pq.write_table(pa.table(row | {"time": nanoseconds}), path)
    with pytest.raises(ValueError, match=r"column 'time' is timestamp\[ns, tz=UTC\]"):
        per_minute(path, DAY)
    time = pa.array([0], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table(row | {"time": time, "status": pa.array([None], pa.string())}), path)
    with pytest.raises(ValueError, match="column 'status' has empty cells"):
        per_minute(path, DAY)


def test_a_table_comes_back_as_it_went(tmp_path: Path):
    found = per_minute(some_day(tmp_path / "d.parquet", 9), DAY, ("bank-b", "bank-a", "bank-c"))
    back = through_the_day(to_table(found), found.institutions)
    for name in SUMS:
        assert (getattr(back, name) == getattr(found, name)).all()
    assert back.outside is None
    twice = through_the_day(pa.concat_tables([to_table(found)] * 2), found.institutions)
    assert (twice.value_sent == 2 * found.value_sent).all()
    empty = through_the_day(to_table(found).slice(0, 0), ("bank-b",))
    assert empty.value_sent.shape == (1440, 1)


def test_a_table_of_strangers_or_of_no_day_is_refused():
    row = {"minute": [0], "institution": ["x"], **{name: [1] for name in SUMS}}
    with pytest.raises(ValueError, match="the first 'x'"):
        through_the_day(pa.table(row), ("a",))
    with pytest.raises(ValueError, match="minutes from 1440 to 1440"):
        through_the_day(pa.table(row | {"minute": [1440]}), ("x",))
