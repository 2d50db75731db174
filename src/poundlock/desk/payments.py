"""The payment market of a plan: its records and totals read, its indicators computed, each gate's figure as Evidence."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from poundlock.evidence import Doubt, Evidence
from poundlock.payments.cover import covers, facts, partnerships
from poundlock.payments.declared import Payments
from poundlock.payments.engines import DuckDB, Engine, EngineName, Spark
from poundlock.payments.indicators import Indicators, Progress, from_records, from_returns
from poundlock.payments.market import MarketFile, read_market
from poundlock.payments.partials import Ledger
from poundlock.payments.readings import INDICATORS, reading
from poundlock.payments.store import Day, Store, missing_days, open_store, read_days
from poundlock.problems import Problem, Where
from poundlock.reading import InputFile
from poundlock.rollout.plan import PaymentsGate
from poundlock.rules import Fact


@dataclass(frozen=True)
class PaymentsRead:
    """The market and the days of records that count. store: None where only totals were sent in. missing: expected days without records."""

    declared: Payments
    market: MarketFile = field(repr=False)
    store: Store | None = field(repr=False)
    days: tuple[Day, ...] = field(repr=False)
    missing: tuple[dt.date, ...]
    inputs: tuple[InputFile, ...] = field(repr=False)


def read_payments(folder: Path, declared: Payments, problems: list[Problem], *, where: Where) -> PaymentsRead | None:
    """Read the market file, its tables and the store's list of days; adds every Problem, returns None if there was one."""
    before = len(problems)
    market = read_market(folder / declared.market, problems, declared_at=where("market"))
    if declared.store is None:
        if market is not None and market.returns is None:
            found = "a market without records and without totals"
            problems.append(Problem(*where("market"), found, "a store, or returns in the market file", "name either"))
        return (
            None
            if market is None or len(problems) > before
            else PaymentsRead(declared, market, None, (), (), market.inputs)
        )
    if market is None:
        return None
    currency, places = market.market.currency, market.market.minor_units
    at = where("store")
    store = open_store(folder / declared.store, problems, currency=currency, minor_units=places, declared_at=at)
    if store is None:
        return None
    first, last = declared.first_day or market.market.first_day, declared.last_day or market.market.last_day
    all_days, broken = read_days(store)
    problems.extend(broken)
    days = tuple(day for day in all_days if first <= day.day <= last)
    if not days and not broken:
        found = f"no day of records from {first} to {last}"
        problems.append(Problem(*where("store"), found, "at least one", "ingest records, or correct the days"))
    if len(problems) > before:
        return None
    missing = tuple(missing_days(days, first, last))
    return PaymentsRead(declared, market, store, days, missing, (*market.inputs, *_digested(store, days)))


def _digested(store: Store, days: tuple[Day, ...]) -> Iterator[InputFile]:
    """Each file of the store that the days stand on, as it is on disk."""
    manifests = [store.root / "days" / f"{day.day}.json" for day in days]
    for path in (store.root / "market.json", *manifests, *(day.path for day in days)):
        with path.open("rb") as stream:
            yield InputFile(os.fspath(path), hashlib.file_digest(stream, "sha256").hexdigest())


def indicators_of(
    read: PaymentsRead,
    *,
    engine: EngineName = "duckdb",
    master: str = "local[*]",
    keep: bool = False,
    progress: Progress | None = None,
) -> Indicators:
    """Every indicator of the days. master: of Spark. keep: partials in the store, for the next time; without it nothing is written anywhere."""
    period, missing = read.declared.period, read.missing
    if read.store is None:
        return from_returns(read.market, period=period, missing=missing)
    runs: Engine = DuckDB(read.store.root / "ledger") if engine == "duckdb" else Spark(master)
    try:
        ledger = Ledger(read.store, read.days, runs, keep=keep)
        return from_records(read.market, ledger, period=period, missing=missing, progress=progress)
    finally:
        runs.close()


def payments_evidence(gate: PaymentsGate, found: Indicators, digest: str) -> Evidence:
    """The figure that a gate asks for. Whatever is wrong with the records of these days is a doubt of every figure."""
    asked = reading(found, gate.indicator, gate.of)
    return Evidence(
        metric=gate.indicator + (f" of {asked.of}" if asked.of else ""),
        value=asked.value,
        unit=asked.unit,
        as_of=asked.as_of,
        method=method_words(found),
        inputs=digest,
        doubts=() if gate.indicator == "faults" else doubts(found),
        missing=asked.missing,
    )


def method_words(found: Indicators) -> str:
    """How the figures were made."""
    if found.records is None:
        return f"totals sent in for {len(found.days):,} days"
    return f"payment records of {len(found.days):,} days, added up day by day on {found.records.engine}"


def doubts(found: Indicators) -> tuple[Doubt, ...]:
    """One for each kind of fault that was found."""
    said = []
    if found.missing:
        said.append(
            Doubt(f"{_counted(len(found.missing), 'expected day')} without figures", "the days that are missing")
        )
    if found.sides:
        on = _counted(len(found.sides), "day")
        reason = f"on {on} what institutions returned as sent is not what they returned as received"
        said.append(Doubt(reason, f"corrected totals of {on}"))
    for fault in found.records.quality.faults if found.records is not None else ():
        if fault.count and fault.kind != "missing day":
            what = _counted(fault.count, *WORDS[fault.kind])
            said.append(Doubt(f"{what} among the records", f"corrected files of {_counted(fault.days, 'day')}"))
    return tuple(said)


def _counted(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


WORDS = {
    "gap": (
        "hour without records of an institution that always has some",
        "hours without records of institutions that always have some",
    ),
    "duplicate": ("duplicate",),
    "conflict": ("id used for two different records", "ids used for different records"),
    "late duplicate": ("late duplicate",),
    "zero": ("amount of nought", "amounts of nought"),
    "negative": ("amount below nought", "amounts below nought"),
    "late": ("late record",),
    "impossible": ("impossible time",),
    "unbalanced": ("total that does not agree", "totals that do not agree"),
}


def returned_facts(market: MarketFile, kinds: dict[str, str], on: dt.date) -> Iterator[Fact]:
    """What rules limit of the market's tables, as last returned on or before a day: reserve cover, and partners' parts of joint loans. kinds: of
    institutions and platforms, by id."""
    cover = covers(market.reserves) if market.reserves is not None else ()
    lent = partnerships(market.lending) if market.lending is not None else ()
    yield from facts(cover, lent, kinds, on)


def gates_against_payments(
    gates: Iterable[tuple[int, PaymentsGate]], read: PaymentsRead | None, where: Where
) -> Iterator[Problem]:
    """Indicators that there are not, or that are asked of what the market does not name."""
    for number, gate in gates:
        if gate.indicator not in INDICATORS:
            known = ", ".join(sorted(INDICATORS))
            yield Problem(
                *where(number, "indicator"), f"unknown indicator '{gate.indicator}'", known, "name one of these"
            )
        elif read is not None and gate.of is not None:
            asked = INDICATORS[gate.indicator].of
            names = {
                "platform": read.market.platforms,
                "institution": read.market.institutions,
                "region": read.market.regions,
            }
            if not asked or gate.of not in names[asked]:
                expected = f"one of the market's {asked}s" if asked else "no 'of': it speaks of the whole market"
                yield Problem(*where(number, "of"), f"'{gate.of}'", expected, "correct it or leave it out")
