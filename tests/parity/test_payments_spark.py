"""The same expressions on Spark: every partial equal to the last bit to what DuckDB and the kernels give."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import ledgers
from conftest import require
from poundlock.payments.engines import DuckDB, EngineFailed, Spark, spark_installed
from poundlock.payments.indicators import PARTIALS, from_records
from poundlock.payments.market import MarketFile
from poundlock.payments.partials import Ledger, Partial, computed
from poundlock.payments.planting import Planted
from poundlock.payments.store import Store, read_days

FAULTS = Planted(duplicates=7, conflicting=5, late=6, late_duplicates=3, impossible=4, zero=5, negative=6)


@pytest.fixture(scope="module")
def spark() -> Iterator[Spark]:
    require(spark_installed() and _java(), "Spark (pyspark and Java 17)")
    engine = Spark("local[2]")
    yield engine
    engine.close()


def _java() -> bool:
    import shutil

    return shutil.which("java") is not None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[MarketFile, Store]:
    return ledgers.made(tmp_path_factory.mktemp("spark's"), 3, planted=FAULTS)


@pytest.mark.parametrize("partial", PARTIALS, ids=lambda p: p.name)
def test_every_partial_is_the_same(partial: Partial, spark: Spark, made: tuple[MarketFile, Store]) -> None:
    store = made[1]
    local = DuckDB(store.ledger)
    for day in read_days(store)[0]:
        wanted = computed(partial, local, day.path, day.day)
        assert wanted.num_rows > 0
        assert computed(partial, spark, day.path, day.day).equals(wanted)
    local.close()


def test_every_indicator_is_the_same(spark: Spark, made: tuple[MarketFile, Store]) -> None:
    market, store = made
    days = read_days(store)[0][:2]
    one, two = (
        from_records(market, Ledger(store, days, engine, keep=False)) for engine in (DuckDB(store.ledger), spark)
    )
    assert one.records is not None
    assert two.records is not None
    assert repr(one.records.quality) == repr(two.records.quality)
    assert one.records.effects == two.records.effects
    for name in ("by_platform", "by_institution", "by_region", "platforms", "seasonal"):
        assert repr(getattr(one, name)) == repr(getattr(two, name))
    assert (one.records.flows.value == two.records.flows.value).all()


def test_a_sum_beyond_64_bits_is_an_error_not_a_number(spark: Spark, made: tuple[MarketFile, Store]) -> None:
    day = read_days(made[1])[0][0]
    with pytest.raises(EngineFailed, match=r"(?i)overflow"):
        spark.rows("SELECT sum(amount * 0 + 9000000000000000000) AS v FROM `ledger`", day.path, day.day)


def test_a_file_that_is_not_there_is_told_with_its_cure(spark: Spark, tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="every worker sees the store"):
        spark.rows(PARTIALS[0].sql(spark), tmp_path / "2021-10-01.parquet", ledgers.FIRST)
