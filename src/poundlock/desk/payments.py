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
from poundlock.payments.engines import DuckDB, Engine, EngineFailed, EngineName, Spark
from poundlock.payments.indicators import Indicators, Progress, from_records, from_returns, partials_of
from poundlock.payments.market import MarketFile, read_market
from poundlock.payments.partials import Ledger, Partial, kept_at
from poundlock.payments.readings import INDICATORS, reading
from poundlock.payments.store import Day, Store, missing_days, open_store, read_days
from poundlock.problems import Problem, ProblemsFound, Where
from poundlock.reading import InputFile
from poundlock.rollout.plan import PaymentsGate
from poundlock.rules import Fact


@dataclass(frozen=True)
class PaymentsRead:
    """The market and the days that count. store, days: None and empty where only totals were sent in. first, last: of the days that are expected; missing: those without
    figures. broken: days that are there and cannot be read, which are missing too."""

    declared: Payments
    market: MarketFile = field(repr=False)
    first: dt.date
    last: dt.date
    store: Store | None = field(repr=False)
    days: tuple[Day, ...] = field(repr=False)
    missing: tuple[dt.date, ...]
    broken: tuple[Problem, ...] = ()
    inputs: tuple[InputFile, ...] = field(default=(), repr=False)


def read_payments(
    folder: Path, declared: Payments, problems: list[Problem], *, where: Where, whole: bool = True
) -> PaymentsRead | None:
    """Read the market file, its tables and the store's list of days; adds every Problem, returns None if there was one.

    whole: a day that cannot be read is a Problem, and every file is digested, as a plan needs it; otherwise such a day is only missing.
    """
    before = len(problems)
    market = read_market(folder / declared.market, problems, declared_at=where("market"))
    if market is None:
        return None
    of = market.market
    first, last = declared.first_day or of.first_day, declared.last_day or of.last_day
    if declared.store is None:
        return _totals(declared, market, first, last, problems, where)
    store = open_store(
        folder / declared.store, problems, currency=of.currency, minor_units=of.minor_units, declared_at=where("store")
    )
    if store is None:
        return None
    all_days, broken = read_days(store)
    days = tuple(day for day in all_days if first <= day.day <= last)
    if not days and not broken:
        found = f"no day of records from {first} to {last}"
        problems.append(Problem(*where("store"), found, "at least one", "ingest records, or correct the days"))
    problems.extend(broken if whole or not days else ())
    kept = partials_of(market) if declared.kept else ()
    if absent := _not_kept(store, days, kept):
        found = f"{len(absent)} days without kept partials, the first {absent[0]}"
        cure = "compute them with `poundlock payments indicators`, or leave 'kept' out"
        problems.append(Problem(*where("kept"), found, "partials of every day", cure))
    if len(problems) > before:
        return None
    inputs = (*market.inputs, *_digested(store, days, kept)) if whole else market.inputs
    return PaymentsRead(
        declared, market, first, last, store, days, tuple(missing_days(days, first, last)), broken, inputs
    )


def _totals(
    declared: Payments, market: MarketFile, first: dt.date, last: dt.date, problems: list[Problem], where: Where
) -> PaymentsRead | None:
    """A market of which only totals were sent in."""
    if market.returns is None:
        found = "a market without records and without totals"
        problems.append(Problem(*where("market"), found, "a store, or returns in the market file", "name either"))
        return None
    have = {day for day in market.returns.day if first <= day <= last}
    if not have:
        found = f"no day of totals from {first} to {last}"
        problems.append(Problem(*where("market"), found, "at least one", "add totals, or correct the days"))
        return None
    expected = (first + dt.timedelta(days=k) for k in range((last - first).days + 1))
    missing = tuple(day for day in expected if day not in have)
    return PaymentsRead(declared, market, first, last, None, (), missing, inputs=market.inputs)


def _digested(store: Store, days: tuple[Day, ...], kept: tuple[Partial, ...]) -> Iterator[InputFile]:
    """Each file of the store that the figures stand on, as it is on disk."""
    manifests = [store.root / "days" / f"{day.day}.json" for day in days]
    files = [kept_at(store, partial, day) for partial in kept for day in days] if kept else [day.path for day in days]
    for path in (store.root / "market.json", *manifests, *files):
        with path.open("rb") as stream:
            yield InputFile(os.fspath(path), hashlib.file_digest(stream, "sha256").hexdigest())


def _not_kept(store: Store, days: tuple[Day, ...], needed: tuple[Partial, ...]) -> list[dt.date]:
    """Days of which a partial is not kept."""
    return [day.day for day in days if not all(kept_at(store, partial, day).is_file() for partial in needed)]


def indicators_of(
    read: PaymentsRead,
    *,
    engine: EngineName = "duckdb",
    master: str = "local[*]",
    keep: bool = False,
    progress: Progress | None = None,
) -> Indicators:
    """Every indicator of the days. master: of Spark. keep: partials that are in the store are used, and new ones kept; without it all are computed, and
    nothing is written. Raises ProblemsFound where the engine cannot do it."""
    period, missing = read.declared.period, read.missing
    if read.store is None:
        return from_returns(read.market, read.first, read.last, period=period, missing=missing)
    runs: Engine | None = None
    try:
        runs = DuckDB(read.store.ledger) if engine == "duckdb" else Spark(master)
        ledger = Ledger(read.store, read.days, runs, keep=keep or read.declared.kept)
        return from_records(read.market, ledger, period=period, missing=missing, progress=progress)
    except EngineFailed as failed:
        expected = "an engine that reads every day of the store"
        raise ProblemsFound(
            [Problem(os.fspath(read.store.root), None, failed.found, expected, failed.cure)]
        ) from failed
    finally:
        if runs is not None:
            runs.close()


def payments_evidence(gate: PaymentsGate, found: Indicators, digest: str) -> Evidence:
    """The figure that a gate asks for. Whatever is wrong with the records of these days is a doubt of every figure that stands on them."""
    asked = reading(found, gate.indicator, gate.of)
    return Evidence(
        metric=gate.indicator + (f" of {asked.of}" if asked.of else ""),
        value=asked.value,
        unit=asked.unit,
        as_of=asked.as_of,
        method=_method(gate.indicator, found),
        inputs=digest,
        doubts=() if gate.indicator == "faults" or INDICATORS[gate.indicator].tables else doubts(found),
        missing=asked.missing,
    )


def _method(indicator: str, found: Indicators) -> str:
    """How one figure was made; of faults also which kinds could not be looked for."""
    if INDICATORS[indicator].tables:
        return "tables of the market"
    unasked = [f.kind for f in found.records.quality.faults if f.unasked] if found.records is not None else []
    lacks = f"; not looked for: {', '.join(unasked)}" if indicator == "faults" and unasked else ""
    return method_words(found) + lacks


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
