"""Partials: what one day of the ledger adds to an indicator. Computed a day at a time, kept, and added up.

Memory is bounded by the few days that are worked on at once, whatever the length of the ledger; a new day costs one day; a corrected day is redone alone, since its partial is
kept under the digest of its file. All engines give the same partial to the last bit: whole numbers, in one order.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import get_ident

import pyarrow as pa
import pyarrow.parquet as pq

from poundlock.payments.engines import Engine, EngineFailed, Expression, compiled, first_line
from poundlock.payments.store import Day, Store

Kernel = Callable[[Path, dt.date], pa.Table]
"""From one day's file to the partial's table: the fast way over Arrow batches, where a query is slow."""


@dataclass(frozen=True, slots=True)
class Partial:
    """name: of its folder. version: raise it when the numbers change meaning, so that what is kept is computed anew. texts, numbers: the
    columns that name a group, text and whole numbers. sums: whole numbers that add up over days. kernel: stands in for the expression where
    files are local; the expression is its oracle in the tests."""

    name: str
    version: int
    texts: tuple[str, ...]
    sums: tuple[str, ...]
    expression: Expression = field(repr=False)
    numbers: tuple[str, ...] = ()
    kernel: Kernel | None = field(default=None, repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """Columns that name a group, whole numbers first."""
        return (*self.numbers, *self.texts)

    @property
    def schema(self) -> pa.Schema:
        """Of its table."""
        whole = [(name, pa.int64()) for name in self.numbers]
        return pa.schema(
            [*whole, *((name, pa.string()) for name in self.texts), *((name, pa.int64()) for name in self.sums)]
        )

    def sql(self, engine: Engine) -> str:
        """What runs on an engine; for a kernel, the query that it stands in for."""
        return compiled(self.expression, engine.dialect, self.keys)


@dataclass(frozen=True)
class Ledger:
    """Days of a store, as one engine reads them. days: ascending. keep: partials that the store has are used, and new ones are kept there; without it
    all are computed from the records, and nothing is written."""

    store: Store
    days: tuple[Day, ...]
    engine: Engine
    keep: bool = True


def computed(partial: Partial, engine: Engine, path: Path, day: dt.date) -> pa.Table:
    """The partial of one day's file, in the order of its keys. Raises EngineFailed where the file cannot be read, or a sum does not fit 64 bits."""
    schema = partial.schema
    try:
        if partial.kernel is None or not engine.local:
            return engine.rows(partial.sql(engine), path, day).select(schema.names).cast(schema).combine_chunks()
        found = partial.kernel(path, day).select(schema.names).cast(schema)
    except (pa.ArrowInvalid, OverflowError, OSError) as error:
        cure = "ingest the file of that day again; if sums are too large, use a larger unit of money"
        raise EngineFailed(f"'{partial.name}' of {day} cannot be computed: {first_line(error)}", cure) from error
    return found.sort_by([(key, "ascending") for key in partial.keys]).combine_chunks()


def kept_at(store: Store, partial: Partial, day: Day) -> Path:
    """Where the partial of a day is kept: under the digest of the day's file, so that a corrected day has none yet."""
    return store.root / "partials" / partial.name / f"{day.day}-{day.digest[:12]}-{partial.version}.parquet"


def partials(ledger: Ledger, partial: Partial, days: Sequence[Day] | None = None) -> Iterator[tuple[Day, pa.Table]]:
    """Each day with its partial, in order, from what is kept or computed now; as many days at once as the engine works on. days: only these."""

    def one(day: Day) -> pa.Table:
        kept = kept_at(ledger.store, partial, day)
        table = _read(kept, partial.schema) if ledger.keep else None
        if table is None:
            table = computed(partial, ledger.engine, day.path, day.day)
            if ledger.keep:
                _keep(kept, table)
        return table

    waiting: deque[tuple[Day, Future[pa.Table]]] = deque()
    with ThreadPoolExecutor(ledger.engine.abreast) as pool:
        for day in ledger.days if days is None else days:
            waiting.append((day, pool.submit(one, day)))
            if len(waiting) > ledger.engine.abreast:
                first, table = waiting.popleft()
                yield first, table.result()
        for day, table in waiting:
            yield day, table.result()


def added(parts: Iterator[tuple[Day, pa.Table]], partial: Partial) -> pa.Table:
    """All days below each other, with a first column `day` (date32)."""
    tables = [
        table.add_column(0, pa.field("day", pa.date32()), pa.array([day.day] * table.num_rows, pa.date32()))
        for day, table in parts
    ]
    schema = pa.schema([pa.field("day", pa.date32()), *partial.schema])
    return pa.concat_tables(tables) if tables else schema.empty_table()


def _read(path: Path, schema: pa.Schema) -> pa.Table | None:
    """What is kept; None where there is nothing whole."""
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid):
        return None
    return table.cast(schema) if table.schema.names == schema.names else None


def _keep(path: Path, table: pa.Table) -> None:
    """Whole or not at all; what is lost here is only computed again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(f".{os.getpid()}-{get_ident()}.half")
    pq.write_table(table, half, compression="zstd")
    half.replace(path)
