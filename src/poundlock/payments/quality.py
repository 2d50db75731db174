"""What is wrong with the records of a period, kind by kind: how many, how much, for example which, and what each does to every indicator.

A figure on bad data is never passed: whatever is found here is a doubt of every figure of the same days.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.duplicates import copied_of_file
from poundlock.payments.engines import Engine, compiled
from poundlock.payments.gaps import LEAST, Silence, silent_hours, unasked
from poundlock.payments.partials import Ledger, Partial, added, partials
from poundlock.payments.returns import Returns
from poundlock.payments.store import Day
from poundlock.payments.suspects import (
    AMOUNTS,
    COPIES,
    KEYS,
    ODD,
    SUMS,
    TIMES,
    copied_records,
    examples_of,
    having,
    late_ids,
)
from poundlock.payments.totals import Difference, differing

Kind = Literal[
    "missing day",
    "gap",
    "duplicate",
    "conflict",
    "late duplicate",
    "zero",
    "negative",
    "late",
    "impossible",
    "unbalanced",
]
KINDS: Final[dict[Kind, str]] = {
    "missing day": "a day of the period of which there is no file",
    "gap": "an hour in which an institution sent nothing, though at least half of the days have {least} records there or more",
    "duplicate": "a record that came again in the same day, alike in every column",
    "conflict": "a record whose id came already in the same day with other contents",
    "late duplicate": "a late record whose own day holds its id already; it is among the late ones too",
    "zero": "a record of the amount nought",
    "negative": "a record of an amount below nought",
    "late": "a record whose time lies before the day of its file",
    "impossible": "a record whose time lies after the day of its file",
    "unbalanced": "an institution's day in which the totals it sent in differ from its records",
}
COPIED: Final = Partial(
    "copied-records", 1, ("kind", *KEYS), SUMS, copied_records, numbers=("minute",), kernel=copied_of_file
)
"""Surplus copies by kind."""
_IDS_A_QUERY: Final = 5_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind over all days. count: records, days, hours or cells. value: what they add up to in minor units, absolute differences for unbalanced;
    None where it cannot be known. days: on how many days. examples: a few, as texts by column. unasked: why this could not be looked for, in words;
    then nothing is known of it."""

    kind: Kind
    count: int
    value: int | None
    days: int
    examples: tuple[dict[str, str], ...] = field(default=(), repr=False)
    unasked: str = ""


@dataclass(frozen=True)
class Quality:
    """faults: of every kind, also those of which there is none. suspects: settled records in doubt, summed, with `day` and `kind` (duplicate,
    conflict, late, impossible, zero; a late duplicate is late): table of day, kind, minute, payer_institution, payee_institution, payer_region,
    payee_region, platform, payments, value."""

    faults: tuple[Fault, ...]
    silences: tuple[Silence, ...]
    differences: tuple[Difference, ...]
    missing: tuple[dt.date, ...]
    suspects: pa.Table = field(repr=False)

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return all(fault.count == 0 for fault in self.faults)

    def fault(self, kind: Kind) -> Fault:
        """What was found of one kind."""
        return next(f for f in self.faults if f.kind == kind)


def quality(
    ledger: Ledger,
    *,
    copied: pa.Table,
    hours: NDArray[np.int64],
    institutions: Sequence[str],
    sent: pa.Table,
    received: pa.Table,
    missing: Sequence[dt.date] = (),
    returns: Returns | None = None,
    least: int = LEAST,
) -> Quality:
    """Look for every kind of fault. copied: COPIED of all days. hours (days, 24, n): records sent by day, hour and institution. sent, received: day,
    institution, value of settled records. missing: days of the period without a file. returns: totals that institutions sent in."""
    odd = added(partials(ledger, ODD), ODD)
    by_kind = {**_odd_faults(odd), **_copy_faults(copied)}
    faults: dict[Kind, Fault] = {}
    for kind in (*AMOUNTS, *TIMES, *COPIES):
        count, value, on = by_kind[kind]
        faults[kind] = Fault(kind, count, value, len(on), _examples(ledger, kind, on))
    faults["late duplicate"] = _late_duplicates(ledger, faults["late"], odd)
    suspects = _settled(odd, copied)
    hours = hours - _by_hour(suspects, [day.day for day in ledger.days], institutions)
    silences = silent_hours([day.day for day in ledger.days], hours, institutions, least)
    faults["gap"] = Fault(
        "gap", len(silences), None, len({s.day for s in silences}), tuple(_words(silences)), unasked(hours, least)
    )
    faults["missing day"] = Fault(
        "missing day", len(missing), None, len(missing), tuple({"day": f"{d}"} for d in missing[:3])
    )
    differences = differing(
        returns, sent, received, suspects, {s.day for s in silences}, {d.day for d in ledger.days}, silences
    )
    faults["unbalanced"] = Fault(
        "unbalanced",
        len(differences),
        sum(abs(d.returned - d.recorded) for d in differences),
        len({d.day for d in differences}),
        tuple(_words(differences)),
        "" if returns is not None else "institutions sent in no totals to hold the records against",
    )
    return Quality(tuple(faults[k] for k in KINDS), silences, differences, tuple(missing), suspects)


def _odd_faults(odd: pa.Table) -> dict[str, tuple[int, int, list[dt.date]]]:
    return {
        kind: _counted(odd.filter(pc.equal(odd.column(column), kind)))
        for column, kinds in (("amount_kind", AMOUNTS), ("time_kind", TIMES))
        for kind in kinds
    }


def _copy_faults(copied: pa.Table) -> dict[str, tuple[int, int, list[dt.date]]]:
    return {kind: _counted(copied.filter(pc.equal(copied.column("kind"), kind))) for kind in COPIES}


def _counted(rows: pa.Table) -> tuple[int, int, list[dt.date]]:
    on = sorted(set(rows.column("day").to_pylist()))
    return pc.sum(rows.column("records")).as_py() or 0, pc.sum(rows.column("value")).as_py() or 0, on


def _examples(ledger: Ledger, kind: Kind, on: Sequence[dt.date]) -> tuple[dict[str, str], ...]:
    """A few records of the first day that has the kind."""
    first = next((day for day in ledger.days if on and day.day == on[0]), None)
    if first is None:
        return ()
    found = ledger.engine.rows(compiled(examples_of(kind), ledger.engine.dialect), first.path, first.day)
    return tuple({"day": f"{first.day}", **{k: f"{v}" for k, v in row.items()}} for row in found.to_pylist())


def _late_duplicates(ledger: Ledger, late: Fault, odd: pa.Table) -> Fault:
    """Late records whose own day holds their id already."""
    late_on = set(odd.filter(pc.equal(odd.column("time_kind"), "late")).column("day").to_pylist())
    engine, held, of_day = (
        ledger.engine,
        {day.day: day for day in ledger.days},
        dict[dt.date, list[tuple[int, int, dt.date]]](),
    )
    for day in ledger.days:
        if day.day in late_on:
            rows = engine.rows(compiled(late_ids, engine.dialect), day.path, day.day).to_pylist()
            for row in rows:
                own = day.day + dt.timedelta(days=int(row["days"]))
                of_day.setdefault(own, []).append((int(row["record_id"]), int(row["amount"]), day.day))
    twice: list[tuple[int, int, dt.date]] = []
    for own, rows in of_day.items():
        if own in held:
            known = _known(held[own], engine, sorted({one for one, _, _ in rows}))
            twice += [row for row in rows if row[0] in known]
    shown = tuple(
        {"record_id": f"{one}", "amount": f"{amount}", "day": f"{on}"} for one, amount, on in sorted(twice)[:3]
    )
    return Fault("late duplicate", len(twice), sum(a for _, a, _ in twice), len({on for _, _, on in twice}), shown)


def _known(day: Day, engine: Engine, ids: Sequence[int]) -> set[int]:
    """Those of the ids that a day holds."""
    known: set[int] = set()
    for start in range(0, len(ids), _IDS_A_QUERY):
        query = having(tuple(ids[start : start + _IDS_A_QUERY]))
        known |= set(engine.rows(compiled(query, engine.dialect), day.path, day.day).column("record_id").to_pylist())
    return known


def _settled(odd: pa.Table, copied: pa.Table) -> pa.Table:
    """Settled records in doubt, each under one kind: its time before its amount; copies are none of these already."""
    kind = pc.if_else(pc.equal(odd.column("time_kind"), ""), odd.column("amount_kind"), odd.column("time_kind"))
    both = [odd.append_column("kind", kind), copied]
    names = [
        "day",
        "kind",
        "minute",
        "payer_institution",
        "payee_institution",
        "payer_region",
        "payee_region",
        "platform",
    ]
    tables = [t.select([*names, "settled_records", "settled_value"]) for t in both]
    joined = pa.concat_tables(tables).rename_columns([*names, "payments", "value"])
    return joined.filter(pc.greater(joined.column("payments"), 0))


def _by_hour(suspects: pa.Table, days: Sequence[dt.date], institutions: Sequence[str]) -> NDArray[np.int64]:
    """Records in doubt by day, hour and paying institution (days, 24, n): late ones stand in the first minute, and would hide a silent hour."""
    counts = np.zeros((len(days), 24, len(institutions)), dtype=np.int64)
    day = pc.index_in(suspects.column("day"), pa.array(days, pa.date32())).to_numpy()
    who = pc.index_in(suspects.column("payer_institution"), pa.array(institutions, pa.string())).to_numpy()
    np.add.at(counts, (day, suspects.column("minute").to_numpy() // 60, who), suspects.column("payments").to_numpy())
    return counts


def _words(found: Iterable[Silence | Difference]) -> list[dict[str, str]]:
    some = list(found)[:3]
    return [{name: f"{getattr(one, name)}" for name in one.__slots__} for one in some]
