"""Records that should not be there as they are: amounts of nought or below, times outside the day, and records that came twice.

Each is a query over one day, summed by everything that an indicator may be split by, so that its effect on each indicator follows
without reading the records again.
"""

from __future__ import annotations

from typing import Any, Final

from poundlock.payments.engines import DAY_US
from poundlock.payments.ledger import COLUMNS, SETTLED
from poundlock.payments.partials import Partial

AMOUNTS: Final = ("zero", "negative")
TIMES: Final = ("late", "impossible")
COPIES: Final = ("duplicate", "conflict")
KEYS: Final = ("payer_institution", "payee_institution", "payer_region", "payee_region", "platform")
SUMS: Final = ("records", "value", "settled_records", "settled_value")
ORDER: Final = (
    "time", "amount", "payer_institution", "payee_institution", "payer_region", "payee_region", "platform", "channel", "currency", "status",
)  # fmt: skip
"""Of records with one id, the first in this order is kept as the record; the others are surplus."""


def _summed(records: Any, keys: list[str]) -> Any:
    """Sums by keys of records, each counted `times`."""
    settled = (records.status == SETTLED).cast("int64") * records.times
    marked = records.mutate(
        settled_times=settled, all_amount=records.times * records.amount, settled_amount=settled * records.amount
    )
    return marked.group_by(keys).aggregate(
        records=marked.times.sum(),
        value=marked.all_amount.sum(),
        settled_records=marked.settled_times.sum(),
        settled_value=marked.settled_amount.sum(),
    )


def odd_records(ledger: Any) -> Any:
    """Records with an amount of nought or below (`amount_kind`) or a time outside the partition's day (`time_kind`); a record may be both."""
    odd = ledger.filter((ledger.amount <= 0) | (ledger.since_us < 0) | (ledger.since_us >= DAY_US))
    kinds = odd.mutate(
        times=1,
        amount_kind=(odd.amount < 0).ifelse("negative", (odd.amount == 0).ifelse("zero", "")),
        time_kind=(odd.since_us < 0).ifelse("late", (odd.since_us >= DAY_US).ifelse("impossible", "")),
    )
    return _summed(kinds, ["minute", "amount_kind", "time_kind", *KEYS])


def copies(ledger: Any) -> Any:
    """Every surplus record of an id that came more than once in the day, with `kind` and how many `times`: duplicate where it equals one before it
    in all columns, conflict where it does not. Records that are odd by themselves count as that and are left out here."""
    sound = ledger.filter((ledger.amount > 0) & (ledger.since_us >= 0) & (ledger.since_us < DAY_US))
    counted = sound.group_by("record_id").aggregate(copies=sound.count())
    again = counted.filter(counted.copies > 1).select("record_id")
    rows = sound.semi_join(again, "record_id")
    alike = rows.group_by(["record_id", "minute", *ORDER]).aggregate(copies=rows.count())
    order = [alike[name] for name in ORDER]
    placed = alike.mutate(place=alike.copies.count().over(group_by=alike.record_id, order_by=order, rows=(None, 0)))
    twice, other = placed.filter(placed.copies > 1), placed.filter(placed.place > 1)
    names = ["record_id", "minute", *ORDER]
    duplicate, conflict = (twice.copies > 1).ifelse("duplicate", ""), (other.place > 1).ifelse("conflict", "")
    return twice.select(*names, kind=duplicate, times=twice.copies - 1).union(
        other.select(*names, kind=conflict, times=other.copies * 0 + 1)
    )


def copied_records(ledger: Any) -> Any:
    """The surplus of ids that came more than once, summed."""
    return _summed(copies(ledger), ["minute", "kind", *KEYS])


ODD: Final = Partial("odd-records", 1, ("amount_kind", "time_kind", *KEYS), SUMS, odd_records, numbers=("minute",))
EXAMPLES: Final = 3
"""Records shown of each kind."""


def examples_of(kind: str) -> Any:
    """The query for a few records of one kind in one day, in the order of their ids."""

    def some(ledger: Any) -> Any:
        if kind in COPIES:
            rows = copies(ledger)
            found = rows.filter(rows.kind == kind)
        else:
            tests = {
                "zero": ledger.amount == 0,
                "negative": ledger.amount < 0,
                "late": ledger.since_us < 0,
                "impossible": ledger.since_us >= DAY_US,
            }
            found = ledger.filter(tests[kind])
        return found.select(*(c.name for c in COLUMNS)).order_by("record_id", "time", "amount").limit(EXAMPLES)

    return some


def late_ids(ledger: Any) -> Any:
    """Late records with `days`, from the partition's UTC day to their own: -1 is the day before."""
    late = ledger.filter(ledger.since_us < 0)
    return late.select("record_id", "amount", days=(late.since_us / DAY_US).floor().cast("int64"))


def having(ids: tuple[int, ...]) -> Any:
    """The query for those of `ids` that a day holds."""

    def held(ledger: Any) -> Any:
        found = ledger.filter((ledger.record_id.isin(ids)) & (ledger.since_us >= 0) & (ledger.since_us < DAY_US))
        return found.select("record_id").distinct()

    return held
