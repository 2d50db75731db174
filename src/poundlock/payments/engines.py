"""Where a query over one day of the ledger runs: DuckDB in this process, or Spark, here or on a cluster. One expression serves both.

An expression is compiled once into the SQL of an engine, and that text is what runs, day by day, with the day's file in the place of the table
"ledger". That table has the columns of the ledger and two that are derived from `time` in whole numbers, so that both engines agree to the last
microsecond:
since_us: microseconds since 00:00 UTC of the partition's day; below 0 for late records. minute: since_us in minutes, held within 0 to 1439.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import warnings
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import duckdb
import pyarrow as pa

from poundlock.payments.ledger import COLUMNS

EngineName = Literal["duckdb", "spark"]
Expression = Callable[[Any], Any]
"""From the ledger, an Ibis table, to an Ibis table: one row a group, sums as whole numbers."""

EPOCH: Final = dt.date(1970, 1, 1)
DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
LAST_MINUTE: Final = 1439
_TYPES: Final = {"time": "timestamp", "code": "string", "integer": "int64"}


class EngineFailed(Exception):  # noqa: N818 - it carries words for the user
    """An engine could not start or run a query. found: what happened; cure: what to do; both without a final full stop."""

    def __init__(self, found: str, cure: str) -> None:
        self.found, self.cure = found, cure
        super().__init__(f"{found}. Cure: {cure}.")


class Engine(Protocol):
    """One place to run queries. name: as on the command line. dialect: of its SQL. local: files are read by this process, so that a
    kernel over Arrow batches may stand in for a query. abreast: days that are worked on at once; `rows` may be called from as many threads."""

    name: EngineName
    dialect: str
    local: bool
    abreast: int

    def rows(self, sql: str, path: Path, day: dt.date) -> pa.Table:
        """The answer of one query over one day's file. Whole numbers may come as decimals: the caller casts, exactly or with an error."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


@lru_cache(maxsize=256)
def compiled(expression: Expression, dialect: str, order: tuple[str, ...] = ()) -> str:
    """The SQL that runs for an expression in one dialect, 'duckdb' or 'pyspark', its rows in the order of some columns."""
    import ibis

    ledger = ibis.table(
        {c.name: _TYPES[c.type] for c in COLUMNS} | {"since_us": "int64", "minute": "int64"}, name="ledger"
    )
    asked = expression(ledger)
    return str(ibis.to_sql(asked.order_by(*order) if order else asked, dialect=dialect))


def on_day(sql: str, path: Path, day: dt.date, dialect: str) -> str:
    """A compiled query with one day's file in the place of the ledger; the derived columns only where it asks for them."""
    duck = dialect == "duckdb"
    file = str(path).replace("'", "''") if duck else str(path).replace("`", "``")
    source = f"read_parquet('{file}')" if duck else f"parquet.`{file}`"
    since = f"({'epoch_us' if duck else 'unix_micros'}(time) - {(day - EPOCH).days * DAY_US})"
    if duck:
        minute = f"least(greatest({since} // {MINUTE_US}, 0), {LAST_MINUTE})"
    else:
        minute = f"least(greatest({since} div {MINUTE_US}, 0L), {LAST_MINUTE}L)"
    if "since_us" in sql or "minute" in sql:
        source = f"(SELECT *, {since} AS since_us, {minute} AS minute FROM {source})"  # noqa: S608 - quoted above
    return sql.replace('"ledger"' if duck else "`ledger`", source)


class DuckDB:
    """DuckDB in this process, closed to the outside: it may read the ledger's folder, and nothing else."""

    name: EngineName = "duckdb"
    dialect = "duckdb"
    local = True
    abreast = 3  # other days fill the pauses of the first

    def __init__(self, folder: Path, *, threads: int = 0, memory_mb: int = 512) -> None:
        """folder: of the ledger's files. threads: 0 for as many as there are processors. memory_mb: bound on what a query holds; beyond
        it, DuckDB refuses with an error rather than spill to disk."""
        self._connection = duckdb.connect()
        inside = str(folder.resolve()).replace("'", "''")
        for setting in (
            f"SET memory_limit = '{memory_mb}MB'",
            "SET TimeZone = 'UTC'",
            "SET temp_directory = ''",
            *([f"SET threads = {threads}"] if threads else []),
            f"SET allowed_directories = ['{inside}/']",
            "SET enable_external_access = false",
            "SET lock_configuration = true",
        ):
            self._connection.execute(setting)

    def rows(self, sql: str, path: Path, day: dt.date) -> pa.Table:
        """See Engine."""
        try:
            with self._connection.cursor() as cursor:
                # a relation, since rows of `execute` may come out of order (DuckDB 2.0.1)
                return cursor.sql(on_day(sql, path.resolve(), day, self.dialect)).to_arrow_table()
        except duckdb.OutOfMemoryException as error:
            cure = "split the market, or use Spark"
            raise EngineFailed(f"{day} needs more memory than DuckDB was given: {first_line(error)}", cure) from error
        except duckdb.Error as error:
            cure = "ingest the file of that day again"
            raise EngineFailed(f"DuckDB cannot read {day}: {first_line(error)}", cure) from error

    def close(self) -> None:
        """See Engine."""
        self._connection.close()


class Spark:
    """Spark 4: a session of our own on `master`, e.g. local[2] or spark://host:7077. Workers must see the ledger's folder at the same path."""

    name: EngineName = "spark"
    dialect = "pyspark"
    local = False
    abreast = 2

    def __init__(self, master: str = "local[*]", *, settings: tuple[tuple[str, str], ...] = ()) -> None:
        """settings: further Spark settings, by name. Raises ModuleNotFoundError where PySpark is not installed."""
        from pyspark.sql import SparkSession

        asked = {
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.ansi.enabled": "true",  # a sum beyond 64 bits is an error, not a wrong number
            "spark.sql.parquet.filterPushdown": "true",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": "false",
            "spark.log.level": "ERROR",
        } | dict(settings)
        if master.startswith("local"):
            asked = {
                "spark.driver.bindAddress": "127.0.0.1",
                "spark.driver.host": "127.0.0.1",
                "spark.sql.shuffle.partitions": "2",
            } | asked
        builder = SparkSession.builder.master(master).appName("poundlock")
        for name, value in asked.items():
            builder = builder.config(name, value)
        try:
            self._session = builder.getOrCreate()
        except Exception as error:
            cure = "check that Java 17 or newer is installed (JAVA_HOME) and that the master can be reached"
            raise EngineFailed(f"Spark does not start on '{master}': {first_line(error)}", cure) from error

    def rows(self, sql: str, path: Path, day: dt.date) -> pa.Table:
        """See Engine."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PySpark's word on pandas 3, which is not used here
            try:
                return self._session.sql(on_day(sql, path.resolve(), day, self.dialect)).toArrow()
            except Exception as error:
                cure = "check that every worker sees the store at this path"
                raise EngineFailed(f"Spark cannot read {day}: {first_line(error)}", cure) from error

    def close(self) -> None:
        """See Engine."""
        self._session.stop()


def first_line(error: Exception) -> str:
    """Of what an error says."""
    return str(error).strip().splitlines()[0][:300].rstrip(".") if str(error).strip() else type(error).__name__


def spark_installed() -> bool:
    """Whether PySpark can be imported; Java is found out when a session starts."""
    return importlib.util.find_spec("pyspark") is not None
