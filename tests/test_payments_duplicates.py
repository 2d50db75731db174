"""Copies of record ids within a day, against counting by hand and against the room's own query on DuckDB."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.payments.duplicates import copied_of_file, repeated, surplus
from poundlock.payments.engines import DuckDB, compiled
from poundlock.payments.ledger import SCHEMA, STATUSES
from poundlock.payments.suspects import KEYS, ORDER, SUMS, copied_records, copies

DAY = dt.date(2021, 10, 5)
MIDNIGHT = dt.datetime(2021, 10, 5, tzinfo=dt.UTC)


def written(path: Path, ids: Sequence[int] | np.ndarray[Any, Any], row_group: int = 100, **columns: list[Any]) -> Path:
    """A day's file with these ids; other columns are all alike unless given."""
    n = len(ids)
    alike: dict[str, Any] = {"amount": 5, "status": "settled", "time": MIDNIGHT, "currency": "CNY"}
    values = {name: columns.get(name, [alike.get(name, "x")] * n) for name in SCHEMA.names if name != "record_id"}
    table = pa.table(values | {"record_id": np.asarray(ids, dtype=np.int64)}).select(SCHEMA.names).cast(SCHEMA)
    pq.write_table(table, path, row_group_size=row_group)
    return path


def some_day(path: Path, seed: int, rows: int = 900) -> Path:
    """Many copies, some alike in every column, some odd by themselves."""
    draw = np.random.default_rng(seed)
    columns = {name: [f"{name[:6]}-{k}" for k in draw.integers(0, 2, rows)] for name in (*KEYS, "channel")} | {
        "time": [MIDNIGHT + dt.timedelta(seconds=3_600 * int(k)) for k in draw.integers(-2, 26, rows)],
        "amount": draw.integers(-1, 4, rows).tolist(),
        "status": [STATUSES[k] for k in draw.integers(0, 2, rows)],
        "currency": [("CNY", "EUR")[k] for k in draw.integers(0, 2, rows)],
    }
    order = draw.permutation(np.concatenate([np.arange(rows), draw.integers(0, rows, rows // 4)]))
    ids = draw.integers(0, 400, rows)[order]
    return written(path, ids, 128, **{name: [values[k] for k in order] for name, values in columns.items()})


def by_hand(ids: Sequence[int]) -> dict[int, int]:
    return {one: count for one, count in Counter(ids).items() if count > 1}


@settings(deadline=None, max_examples=60)  # the first case compiles
@given(st.lists(st.integers(0, 40) | st.integers(0, 2**63 - 1), max_size=60), st.integers(1, 20), st.integers(1, 3))
def test_ids_that_came_again(tmp_path_factory: pytest.TempPathFactory, ids: list[int], row_group: int, threads: int):
    path = written(tmp_path_factory.getbasetemp() / "ids.parquet", ids, row_group)
    found = repeated(path, threads=threads)
    assert dict(zip(found.ids.tolist(), found.counts.tolist(), strict=True)) == by_hand(ids)
    assert (np.diff(found.ids) > 0).all()
    assert set(found.groups) == {k // row_group for k, one in enumerate(ids) if one in by_hand(ids)}
    assert found.surplus == sum(count - 1 for count in by_hand(ids).values())
    assert found.rows == len(ids)


@pytest.mark.parametrize("range_of", [40_000, 2**62])
@pytest.mark.parametrize("again", [0, 1, 30_000])
def test_many_ids_dense_and_sparse(tmp_path: Path, range_of: int, again: int):
    draw = np.random.default_rng(3)
    ids = draw.choice(range_of, 40_000, replace=False) if range_of < 2**40 else draw.integers(0, range_of, 40_000)
    ids = draw.permutation(np.concatenate([ids, ids[:again]]))
    found = repeated(written(tmp_path / "d.parquet", ids, 7_000), threads=2)
    assert dict(zip(found.ids.tolist(), found.counts.tolist(), strict=True)) == by_hand(ids.tolist())
    assert len(found.ids) == again


def test_ids_that_share_a_place_are_told_apart(tmp_path: Path):
    """All ids fall in one place of the first look: they differ by multiples of what the first factor sends to
    nought."""
    inverse = pow(0x9E3779B97F4A7C15, -1, 2**64)
    ids = sorted(one for one in ((k * inverse) % 2**64 for k in range(100_000)) if one < 2**63)
    assert len(ids) > 40_000
    found = repeated(written(tmp_path / "d.parquet", [*ids, ids[7]], 30_000))
    assert found.ids.tolist() == [ids[7]]
    assert found.counts.tolist() == [2]


def in_order(path: Path) -> list[tuple[tuple[Any, ...], int]]:
    rows = pq.read_table(path).to_pylist()
    return sorted((tuple(row[name] for name in ("record_id", *ORDER)), k) for k, row in enumerate(rows))


@pytest.mark.parametrize("seed", range(3))
def test_surplus_is_every_row_but_the_first_in_the_order(tmp_path: Path, seed: int):
    path = some_day(tmp_path / "d.parquet", seed)
    found = surplus(path, repeated(path), threads=2)
    expected, before = [], None
    for key, row in in_order(path):
        if before is not None and key[0] == before[0]:
            expected.append((key[0], row, "duplicate" if key == before else "conflict"))
        before = key
    told = zip(*(found.column(name).to_pylist() for name in ("record_id", "row", "kind")), strict=True)
    assert list(told) == expected
    assert found.num_rows == repeated(path).surplus
    whole = pq.read_table(path)
    assert found.select(SCHEMA.names).cast(SCHEMA).equals(whole.take(found.column("row")))


@pytest.mark.parametrize("seed", range(3))
def test_surplus_of_sound_records_is_that_of_the_query(tmp_path: Path, seed: int):
    path = some_day(tmp_path / "d.parquet", seed)
    engine = DuckDB(tmp_path, threads=1)
    oracle = engine.rows(compiled(copies, "duckdb"), path, DAY).to_pylist()
    engine.close()
    found = surplus(path, repeated(path), day=DAY).to_pylist()
    names = ("record_id", *ORDER, "kind")
    times = Counter[tuple[Any, ...]]()
    for row in oracle:
        times[tuple(row[n] for n in names)] += int(row["times"])
    assert Counter(tuple(row[n] for n in names) for row in found) == times
    assert {row["kind"] for row in found} == {"duplicate", "conflict"}


@pytest.mark.parametrize("seed", range(2))
def test_sums_of_the_surplus_are_those_of_the_query(tmp_path: Path, seed: int):
    path = some_day(tmp_path / "d.parquet", seed)
    engine = DuckDB(tmp_path, threads=1)
    oracle = engine.rows(compiled(copied_records, "duckdb"), path, DAY).to_pylist()
    engine.close()
    names = ("minute", "kind", *KEYS, *SUMS)
    told = {tuple(row[n] for n in names) for row in copied_of_file(path, DAY).to_pylist()}
    assert told == {tuple(int(row[n]) if n in SUMS else row[n] for n in names) for row in oracle}
    assert told


def test_a_day_without_records(tmp_path: Path):
    path = written(tmp_path / "d.parquet", [])
    found = repeated(path)
    assert (found.ids.tolist(), found.counts.tolist(), found.groups, found.rows) == ([], [], (), 0)
    assert surplus(path, found).num_rows == 0
    assert copied_of_file(path, DAY).num_rows == 0
    assert surplus(path, found).column_names == [*SCHEMA.names, "row", "kind"]


def test_amounts_beyond_64_bits_are_an_error(tmp_path: Path):
    path = written(tmp_path / "d.parquet", [1, 1, 1], amount=[5 * 10**18] * 3)
    assert surplus(path, repeated(path)).num_rows == 2
    with pytest.raises(OverflowError, match="9e18 minor units or more"):
        copied_of_file(path, DAY)


def test_a_column_of_another_kind_is_refused(tmp_path: Path):
    path = tmp_path / "d.parquet"
    for column, said in (
        (pa.array(["1", "1"]), "'record_id' is string; expected int64"),
        (pa.array([1, None], pa.int64()), "'record_id' has empty cells"),
    ):
        pq.write_table(pa.table({"record_id": column}), path)
        with pytest.raises(ValueError, match=said):
            repeated(path)
    pq.write_table(pa.table({"id": [1, 1]}), path)
    with pytest.raises(ValueError, match="'record_id' is absent"):
        repeated(path)
