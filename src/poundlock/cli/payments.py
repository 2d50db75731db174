"""The commands `payments`: records into a store, what is wrong with them, indicators, and the settlement layer made of them."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poundlock.cli.screen import console_of_results, interrupted, print_json, progress, refuse, refuse_problems
from poundlock.problems import Problem, ProblemsFound

if TYPE_CHECKING:
    from poundlock.desk.payments import PaymentsRead
    from poundlock.payments.indicators import Indicators
    from poundlock.payments.intake import Ingested

NO_SPARK = "Spark is not installed. Cure: install 'poundlock[spark]' and Java 17 or newer, or use --engine duckdb."
payments_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Payment records of a market: take them in, check them, and say what they show.

A market file (YAML) names the currency, regions, platforms, participants and days; `poundlock schema market` is its form. A store is a folder that
`ingest` fills, one file a day; every other command reads it. Records stay where they are: nothing is sent anywhere.
""",
)
Market = Annotated[Path, typer.Argument(metavar="MARKET.yaml", help="The market file.", show_default=False)]
StoreFolder = Annotated[Path, typer.Option("--store", metavar="DIR", help="The store.", show_default=False)]
StoreOrTotals = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        help="The store; left out: only the totals that the market file names.",
        show_default=False,
    ),
]
EngineOption = Annotated[
    Literal["duckdb", "spark"],
    typer.Option(
        "--engine", help="duckdb: in this process. spark: Spark 4, here or on a cluster; the numbers are the same."
    ),
]
Master = Annotated[
    str,
    typer.Option(
        "--master",
        metavar="URL",
        help="Of Spark: local[*] or spark://HOST:PORT. Workers see the store at the same path.",
    ),
]
Period = Annotated[
    Literal["day", "week", "month", "quarter", "year"], typer.Option(help="By what volumes are added up.")
]
Day = Annotated[
    dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Default: the market's.", show_default=False)
]
Json = Annotated[
    bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
]
Sql = Annotated[bool, typer.Option("--show-sql", help="Print the queries that run, and stop.")]


@payments_app.command("ingest")
def ingest_command(
    market: Market,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILES",
            help="One file a day, Parquet or CSV, its day in its name; or folders of such.",
            show_default=False,
        ),
    ],
    store: StoreFolder,
    json: Json = False,
) -> None:
    """Take days of records into a store.

    The same file again changes nothing; another file for a day that is there replaces it, and the result says so. A file with any mistake is not
    taken, the others are, and exit status 2 says that there was one.

    Example: poundlock payments ingest market.yaml deliveries/ --store ledger
    """
    from poundlock.payments.intake import ingest
    from poundlock.payments.market import read_market
    from poundlock.payments.store import open_store

    problems: list[Problem] = []
    with _told(market, json), progress(f"Records of {market.name}", len(files)):
        described = read_market(market, problems)
        if described is None:
            raise ProblemsFound(problems)
        of = described.market
        into = open_store(store, problems, currency=of.currency, minor_units=of.minor_units, create=True)
        if into is None:
            raise ProblemsFound(problems)
        now = dt.datetime.now(dt.UTC)
        done = ingest(described, into, files, received=now.isoformat(timespec="seconds"), today=now.date())
    _tell_ingested(done, json)
    if done.problems:
        outcome = "files without a problem were taken, these were not"
        refuse_problems(ProblemsFound(done.problems), "the files", json=False, outcome=outcome)


@payments_app.command("check")
def check_command(
    market: Market, store: StoreOrTotals = None, engine: EngineOption = "duckdb", master: Master = "local[*]",
    first: Day = None, last: Day = None, json: Json = False,
) -> None:  # fmt: skip
    """What is wrong with the records: duplicates, gaps, late ones, odd amounts and times, totals that do not agree; and what each does to the figures."""
    from poundlock.figures.payment_values import quality_values
    from poundlock.figures.payment_words import effect_rows

    found = _found(market, store, engine, master, "month", first, last, json)
    if json:
        print_json(quality_values(found))
        return
    console = console_of_results()
    _print_faults(console, found)
    if found.records is not None and found.records.effects:
        console.print(Text("\nEach figure as read, and without the records of each kind", style="bold"))
        console.print(_table(*effect_rows(found)))


@payments_app.command("indicators")
def indicators_command(
    market: Market, store: StoreOrTotals = None, period: Period = "month", engine: EngineOption = "duckdb", master: Master = "local[*]",
    first: Day = None, last: Day = None, show_sql: Sql = False, json: Json = False,
) -> None:  # fmt: skip
    """Volumes, shares, concentration, flows, netting, liquidity, cover: every indicator of the period, with its name for gates of a plan."""
    from poundlock.figures.payment_values import payment_values
    from poundlock.figures.payment_words import indicator_rows

    if show_sql:
        _print_sql(engine)
        return
    found = _found(market, store, engine, master, period, first, last, json)
    if json:
        print_json(payment_values(found))
        return
    console = console_of_results()
    console.print(_table(*indicator_rows(found)))
    console.print()
    _print_faults(console, found)


@payments_app.command("flows")
def flows_command(
    market: Market,
    store: StoreFolder,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the tables.", show_default=False)],
    basis: Annotated[
        Literal["gross", "bilateral net"], typer.Option(help="All that was paid, or what is left pair by pair.")
    ] = "bilateral net",
    over: Annotated[
        Literal["mean", "maximum"], typer.Option(help="Of the days: their mean, or each pair's largest.")
    ] = "maximum",
    unit: Annotated[
        int, typer.Option(min=1, help="Major units in one unit of the table; 1000000 for millions.")
    ] = 1_000_000,
    engine: EngineOption = "duckdb",
    master: Master = "local[*]",
    first: Day = None,
    last: Day = None,
) -> None:
    """Write who pays whom: settlement.csv (exposures for a system file), institutions.csv, regions.csv, service.csv, failures.csv (named scenarios).

    settlement.csv has the columns layer, creditor, debtor, amount of a system's exposures: what the creditor may lose on the debtor while a day's
    payments wait for settlement.
    """
    from poundlock.figures.files import write_whole
    from poundlock.figures.payment_tables import flow_tables

    found = _found(market, store, engine, master, "month", first, last, json=False)
    try:
        written = write_whole(out, flow_tables(found, basis=basis, over=over, unit=unit))
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; nothing could be written there. Cure: name another --out.")
    for path in written:
        console_of_results().print(Text(f"Written: {path}"), soft_wrap=True)


@payments_app.command("generate")
def generate_command(
    market: Market,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the files; made if needed.", show_default=False)
    ],
    rows: Annotated[int, typer.Option(min=1, help="Records a day, before weekday and season.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same files.")] = 1,
    faults: Annotated[
        int, typer.Option(min=0, help="Faults of each kind to plant a day; planted-key.json says where.")
    ] = 0,
    first: Day = None,
    last: Day = None,
) -> None:
    """Make a synthetic ledger for the market: skewed shares, daily and yearly pattern, faults where asked for. No record is a real payment."""
    from poundlock.payments.market import read_market
    from poundlock.payments.planting import Planted
    from poundlock.payments.synthetic import generate

    problems: list[Problem] = []
    with _told(market, json=False):
        described = read_market(market, problems)
        if described is None:
            raise ProblemsFound(problems)
        start, end = (
            (first.date() if first else described.market.first_day),
            (last.date() if last else described.market.last_day),
        )
        if end < start:
            refuse(f"The last day, {end}, lies before the first, {start}. Cure: give --first and --last in order.")
        days = [start + dt.timedelta(days=k) for k in range((end - start).days + 1)]
        planted = Planted(
            duplicates=faults,
            conflicting=faults,
            late=faults,
            late_duplicates=faults // 2,
            impossible=faults,
            zero=faults,
            negative=faults,
        )
        out.mkdir(parents=True, exist_ok=True)
        with progress(f"Synthetic records of {described.market.name}", len(days)):
            try:
                written = generate(described, out, seed=seed, rows_per_day=rows, days=days, planted=planted)
            except ValueError as cannot:
                refuse(f"{cannot}. Cure: more --rows, fewer --faults, or another folder.")
    console_of_results().print(Text(f"Written: {len(written)} days in {out}"), soft_wrap=True)


@payments_app.command("dictionary")
def dictionary_command(json: Json = False) -> None:
    """The columns of a record: type, unit, key, meaning."""
    from poundlock.payments.ledger import data_dictionary

    rows = data_dictionary()
    if json:
        print_json(list(rows))
        return
    heads = ("name", "type", "unit", "key", "meaning")
    console_of_results().print(_table(heads, [tuple(row[h] for h in heads) for row in rows]))


@contextmanager
def _told(market: Path, json: bool) -> Iterator[None]:
    """Problems, interrupts and files that cannot be had, each told once."""
    try:
        yield
    except ProblemsFound as found:
        refuse_problems(found, market, json)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or market}: {error.strerror}. Cure: name a place that may be read and written.")


def _found(
    market: Path,
    store: Path | None,
    engine: Literal["duckdb", "spark"],
    master: str,
    period: Any,
    first: dt.datetime | None,
    last: dt.datetime | None,
    json: bool,
) -> Indicators:
    """The indicators of a store's days."""
    from poundlock.desk.payments import indicators_of, read_payments
    from poundlock.payments.declared import Payments
    from poundlock.payments.engines import spark_installed

    if engine == "spark" and not spark_installed():
        refuse(NO_SPARK)
    if first and last and last < first:
        refuse(
            f"--last {last.date()} lies before --first {first.date()}. Cure: give a last day that is not before the first."
        )
    problems: list[Problem] = []
    with _told(market, json):
        asked = Payments(
            market=str(market), store=None if store is None else str(store), period=period,
            first_day=first.date() if first else None, last_day=last.date() if last else None,
        )  # fmt: skip
        read: PaymentsRead | None = read_payments(
            Path(), asked, problems, where=lambda *keys: (str(market), None), whole=False
        )
        if read is None:
            raise ProblemsFound(problems)
        for broken in read.broken:
            Console(stderr=True).print(Text(f"{broken}"), soft_wrap=True)
        with progress(f"Payments of {read.market.market.name}", len(read.days)) as report:
            return indicators_of(read, engine=engine, master=master, keep=True, progress=report)


def _print_faults(console: Console, found: Indicators) -> None:
    """What was found of each kind; then every reason why no figure can pass, with its cure."""
    from poundlock.desk.payments import doubts
    from poundlock.figures.payment_words import quality_rows

    heads, rows = quality_rows(found)
    if rows:
        console.print(_table(heads, rows))
    reasons = doubts(found)
    for doubt in reasons:
        console.print(Text(f"No figure passes a gate: {doubt.reason}. Cure: {doubt.cure}."), soft_wrap=True)
    if not reasons:
        console.print(Text("Nothing was found that speaks against these figures."))


def _print_sql(engine: str) -> None:
    from poundlock.payments.engines import compiled, spark_installed
    from poundlock.payments.indicators import PARTIALS

    if engine == "spark" and not spark_installed():
        refuse(NO_SPARK)
    dialect = "duckdb" if engine == "duckdb" else "pyspark"
    for partial in PARTIALS:
        note = (
            " (on files at hand a kernel stands in for it)" if partial.kernel is not None and engine == "duckdb" else ""
        )
        sys.stdout.write(f"-- {partial.name}{note}\n{compiled(partial.expression, dialect, partial.keys)};\n\n")


def _tell_ingested(done: Ingested, json: bool) -> None:
    if json:
        print_json(
            {
                "days": [
                    {k: f"{getattr(t, k)}" for k in ("day", "file", "outcome", "rows", "replaced")} for t in done.days
                ],
                "missing": [f"{day}" for day in done.missing],
                "problems": [
                    {k: getattr(p, k) for k in ("file", "line", "found", "expected", "cure")} for p in done.problems
                ],
            }
        )
        return
    console = console_of_results()
    for word, outcome in (
        ("new", "new"),
        ("replaced by a corrected file", "corrected"),
        ("there already, unchanged", "same"),
    ):
        days = [taken for taken in done.days if taken.outcome == outcome]
        if days:
            rows = sum(taken.rows for taken in days)
            console.print(
                Text(
                    f"{len(days)} {'day' if len(days) == 1 else 'days'} {word}: {days[0].day} to {days[-1].day}, {rows:,} records"
                ),
                soft_wrap=True,
            )
    if done.missing:
        some = ", ".join(f"{day}" for day in done.missing[:5])
        more = f" and {len(done.missing) - 5} more" if len(done.missing) > 5 else ""
        Console(stderr=True).print(
            Text(f"{len(done.missing)} days that the market expects are missing: {some}{more}"), soft_wrap=True
        )


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> Table:
    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
