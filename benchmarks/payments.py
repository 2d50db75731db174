"""The ledger's indicators beside hand-written DuckDB and a bare scan of the same columns: `python benchmarks/payments.py [--rows N] [--folder DIR]`.

For every partial: seconds by hand-written SQL a day at a time and in one query over all days, seconds of ours (expression or kernel), the ratio to the better of
the two, the columns' bytes on disk, and the ratio to a bare scan that only adds those columns up. Then all indicators at once in a process of
their own: seconds and peak memory; the same with partials kept; and with one day corrected.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import ledgers
from payments_sql import BY_NAME, MINUTE
from poundlock.payments.engines import DuckDB
from poundlock.payments.indicators import PARTIALS, from_records
from poundlock.payments.intake import ingest
from poundlock.payments.market import MarketFile
from poundlock.payments.partials import Ledger, Partial, computed, partials
from poundlock.payments.store import Store, open_store, read_days
from poundlock.payments.synthetic import generate

A_DAY = 1_000_000
FIRST = dt.date(2021, 10, 1)
ALL = ("payer_institution", "payee_institution", "payer_region", "payee_region", "platform", "amount", "status")
READ = {
    "activity": ("payer_institution", "payer_region", "platform", "amount", "status"),
    "received": ("payee_institution", "payee_region", "platform", "amount", "status"),
    "region-flows": ("payer_region", "payee_region", "amount", "status"),
    "institution-flows": ("payer_institution", "payee_institution", "amount", "status"),
    "minutes": ("time", "payer_institution", "payee_institution", "amount", "status"),
    "pairs": ("time", "payer_institution", "payee_institution", "amount", "status"),
    "odd-records": ("time", "amount"),
    "copied-records": ("record_id",),
}
NUMBERS = ("amount", "record_id")
QUICK_MINUTE = "greatest(0, least(1439, (epoch_us(time) - epoch_us(TIMESTAMPTZ '{day} 00:00:00+00')) // 60000000))"
"""By hand for speed; the tests' own way of saying it is slower by a factor of six."""


def made(folder: Path, rows: int, a_day: int = A_DAY) -> tuple[MarketFile, Store]:
    """A store of so many rows, `a_day` of them a day, with 30 institutions and 31 regions; made once."""
    days = [FIRST + dt.timedelta(days=k) for k in range(max(1, rows // a_day))]
    folder.mkdir(parents=True, exist_ok=True)
    banks = "\n".join(f"bank-{k:02d},bank,," for k in range(30))
    (folder / "participants.csv").write_text(f"institution,kind,liquidity,buffer\n{banks}\n")
    regions = ", ".join(f'"{11 + k}0000"' for k in range(31))
    text = ledgers.MARKET.format(first=days[0], last=days[-1])
    text = text.replace('["310000", "320000", "330000", "340000"]', f"[{regions}]")
    (folder / "market.yaml").write_text(text)
    market = ledgers.read(folder / "market.yaml")
    problems: list = []
    store = open_store(folder / "store", problems, currency="CNY", minor_units=2, create=True)
    assert store is not None, problems
    have = {day.day for day in read_days(store)[0]}
    start, taken = time.perf_counter(), 0.0
    for day in (day for day in days if day not in have):
        (path,) = generate(market, folder, seed=1, rows_per_day=a_day, days=[day])
        before = time.perf_counter()
        done = ingest(market, store, [path], received="2023-01-01T00:00:00Z", today=dt.date(2023, 1, 1))
        taken += time.perf_counter() - before
        assert not done.problems, done.problems
        path.unlink()
    if taken:
        count = sum(day.rows for day in read_days(store)[0] if day.day not in have)
        whole = time.perf_counter() - start
        print(
            f"taken in: {count:,} rows in {taken:.1f} s, {count / taken / 1e6:.2f} million a second; made in {whole - taken:.1f} s",
            flush=True,
        )
    return market, store


def bare(columns: tuple[str, ...]) -> str:
    """A query that reads the columns and does next to nothing with them; sums, since a minimum would come from the file's statistics."""
    parts = [
        f"sum({c})" if c in NUMBERS else "sum(epoch_us(time))" if c == "time" else f"sum(strlen({c}))" for c in columns
    ]
    return f"SELECT {', '.join(parts)} FROM read_parquet({{files}})"


def in_turn(works: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Shortest of so many runs of each, run in turn, so that what else the machine does falls on all alike."""
    found: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for work, times in zip(works, found, strict=True):
            start = time.perf_counter()
            work()
            times.append(time.perf_counter() - start)
    return [min(times) for times in found]


def timed(store: Store, partial: Partial, runs: int, one_query: bool) -> tuple[float, float | None, float, float]:
    """Seconds: by hand per day, by hand in one query, a bare scan, ours."""
    days, engine = read_days(store)[0], DuckDB(store.ledger, threads=2)
    sql, scan = BY_NAME[partial.name].replace(MINUTE, QUICK_MINUTE), bare(READ[partial.name])
    files = "[" + ", ".join(f"'{day.path}'" for day in days) + "]"
    with duckdb.connect(config={"threads": 2}) as hand:
        hand.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false")
        works: list[Callable[[], object]] = [
            lambda: list(partials(Ledger(store, days, engine, keep=False), partial)),
            lambda: [hand.sql(sql.format(file=day.path, day=day.day)).to_arrow_table() for day in days],
            lambda: [hand.sql(scan.format(files=f"'{day.path}'")).fetchall() for day in days],
        ]
        if one_query and "{day}" not in sql:
            works.append(lambda: hand.sql(sql.replace("'{file}'", files)).to_arrow_table())
        if partial.name == "copied-records" and len(days) > 10:  # a second a day by hand: once is enough
            (each,), (mine, nothing), whole = in_turn(works[1:2], 1), in_turn([works[0], works[2]], runs), []
        else:
            mine, each, nothing, *whole = in_turn(works, runs)
    engine.close()
    return each, whole[0] if whole else None, nothing, mine


def sizes(path: Path, columns: tuple[str, ...]) -> int:
    """Bytes of the columns on disk."""
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    names = [group.column(c).path_in_schema for group in groups[:1] for c in range(group.num_columns)]
    return sum(group.column(names.index(name)).total_compressed_size for group in groups for name in columns)


def child(folder: Path, keep: bool) -> None:
    """All indicators; prints seconds and the peak of memory."""
    market = ledgers.read(folder / "market.yaml")
    store = Store(folder / "store")
    engine = DuckDB(store.ledger, threads=2)
    start = time.perf_counter()
    found = from_records(market, Ledger(store, read_days(store)[0], engine, keep=keep))
    took = time.perf_counter() - start
    assert found.records is not None
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024  # ru_maxrss would also tell of the process that started this one
    print(json.dumps({"seconds": took, "peak_mb": peak, "faults": sum(f.count for f in found.records.quality.faults)}))


def in_child(folder: Path, *more: str) -> dict[str, float]:
    told = subprocess.run(
        [sys.executable, __file__, "--child", "--folder", str(folder), *more],
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(told.stdout.splitlines()[-1])


def report(folder: Path, rows: int, a_day: int, runs: int, one_query: bool, only: Sequence[str]) -> dict[str, float]:
    place = folder / (f"{rows}" if a_day == A_DAY else f"{rows}-{a_day}")
    _market, store = made(place, rows, a_day)
    wanted = [partial for partial in PARTIALS if not only or partial.name in only]
    for partial in wanted:  # kernels compiled, files in the page cache
        day = read_days(store)[0][0]
        computed(partial, DuckDB(store.ledger, threads=2), day.path, day.day)
    times = {}
    days = read_days(store)[0]
    rows = sum(day.rows for day in days)
    print(f"\n{rows:,} rows in {len(days)} days; seconds, best of {runs} in turn")
    print(
        f"{'partial':20}{'by hand, a day':>16}{'one query':>12}{'ours':>10}{'ratio':>8}{'bare scan':>11}{'of bare':>9}{'MB read':>9}{'M rows/s':>10}"
    )
    for partial in wanted:
        each, whole, nothing, mine = timed(store, partial, runs, one_query)
        times[partial.name] = mine
        size = sum(sizes(day.path, READ[partial.name]) for day in days)
        better = min(each, whole) if whole is not None else each
        told = "-" if whole is None else f"{whole:.2f}"
        print(
            f"{partial.name:20}{each:16.2f}{told:>12}{mine:10.2f}{mine / better:8.2f}{nothing:11.2f}{mine / nothing:9.2f}{size / 1e6:9.0f}{rows / mine / 1e6:10.1f}",
            flush=True,
        )
    if only:
        return times | {"rows": float(rows)}
    cold, first, again = in_child(place), in_child(place, "--keep"), in_child(place, "--keep")
    print(
        f"all indicators: {cold['seconds']:.1f} s, peak {cold['peak_mb']:.0f} MB; with partials kept {first['seconds']:.1f} s, again {again['seconds']:.1f} s"
    )
    partial_bytes = sum(p.stat().st_size for p in (place / "store" / "partials").glob("*/*"))
    print(
        f"partials: {partial_bytes / len(read_days(store)[0]) / 1e6:.2f} MB a day; ledger {sum(d.bytes for d in read_days(store)[0]) / rows:.1f} bytes a row"
    )
    return times | {"all": cold["seconds"], "rows": float(rows)}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rows", type=int, nargs="*", default=[10_000_000])
    asked.add_argument("--folder", type=Path, help="keep the ledgers here, for the next time")
    asked.add_argument("--a-day", type=int, default=A_DAY, help="rows in a day's file")
    asked.add_argument("--only", nargs="*", default=[], help="names of partials")
    asked.add_argument("--runs", type=int, default=3)
    asked.add_argument(
        "--one-query", action="store_true", help="also one hand-written query over all days, which needs gigabytes"
    )
    asked.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked.add_argument("--keep", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.child:
        child(given.folder, given.keep)
        return
    with tempfile.TemporaryDirectory() as place:
        folder = given.folder or Path(place)
        found = [report(folder, rows, given.a_day, given.runs, given.one_query, given.only) for rows in given.rows]
    if len(found) > 1:
        small, large = found[0].pop("rows"), found[-1].pop("rows")
        print("\ngrowth of cost, exponent from the smallest to the largest:")
        for name, mine in found[-1].items():
            print(f"  {name:20}{math.log(mine / found[0][name]) / math.log(large / small):6.3f}")


if __name__ == "__main__":
    main()
