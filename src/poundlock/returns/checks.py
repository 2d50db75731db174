"""What a return's rows must be together: no key twice, and what each kind owes besides."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from poundlock.returns.cells import Mistakes
from poundlock.returns.filed import Row
from poundlock.returns.schemas import REQUIRED_ITEMS, Schema
from poundlock.returns.values import days_of

ROUNDING = Decimal(1)
"""By how many units a balance sheet may fail to add up, since its items are rounded one by one."""
MOST_GROUPS = 200
"""Different values of a column by which totals are split."""

Lines = list[tuple[int, Row]]


def check_together(rows: Lines, schema: Schema, institution: str, period: str, mistakes: Mistakes) -> None:
    """Adds what only shows in several rows at once, or against the institution and period of the filing."""
    _keys(rows, schema, mistakes)
    _groups(rows, schema, mistakes)
    if check := _OF_KIND.get(schema.kind):
        check(rows, institution, period, mistakes)


def _keys(rows: Lines, schema: Schema, mistakes: Mistakes) -> None:
    first: dict[tuple[str | int | None, ...], int] = {}
    for line, row in rows:
        key = tuple(row[name] for name in schema.key)
        if (seen := first.setdefault(key, line)) != line:
            said = ", ".join(f"{name} {str(value)[:40]!r}" for name, value in zip(schema.key, key, strict=True))
            mistakes.add("rows twice", line, f"{said} a second time (first in line {seen})", "each once", "add the two up or remove one")  # fmt: skip


def _groups(rows: Lines, schema: Schema, mistakes: Mistakes) -> None:
    for name in {by for _, by in schema.totals if by}:
        groups = len({row[name] for _, row in rows})
        if groups > MOST_GROUPS:
            cure = "check that the column holds what the template says"
            mistakes.add("groups", None, f"{groups:,} different values of {name}", f"at most {MOST_GROUPS}", cure)


def _exposures(rows: Lines, institution: str, period: str, mistakes: Mistakes) -> None:
    for line, row in rows:
        if row["counterparty"] == institution:
            found = f"an exposure of {institution!r} to itself"
            mistakes.add(
                "exposures to itself", line, found, "another institution", "correct the counterparty or remove the row"
            )


def _balance_sheet(rows: Lines, institution: str, period: str, mistakes: Mistakes) -> None:
    amounts = {row["item"]: Decimal(str(row["amount"])) for _, row in rows}
    for line, row in rows:
        if row["item"] not in ("equity", "tier1-capital") and amounts[row["item"]] < 0:
            mistakes.add(
                "items below zero",
                line,
                f"{row['item']} of {row['amount']}",
                "an amount of at least 0",
                "correct its sign",
            )
    for item in REQUIRED_ITEMS:
        if rows and item not in amounts:
            mistakes.add(
                "items", None, f"no item {item!r}", f"the items {', '.join(REQUIRED_ITEMS)}", f"add a row for {item!r}"
            )
    if all(item in amounts for item in REQUIRED_ITEMS):
        assets, liabilities, equity = (amounts[item] for item in REQUIRED_ITEMS)
        if abs(assets - liabilities - equity) > ROUNDING:
            found = f"assets less liabilities of {assets - liabilities:f}, and equity of {equity:f}"
            mistakes.add("balance", None, found, "the same within 1", "correct one of the three")


def _payments(rows: Lines, institution: str, period: str, mistakes: Mistakes) -> None:
    first, last = days_of(period)
    for line, row in rows:
        written = str(row["period"])
        begins, ends = days_of(written)
        if begins < first or ends > last:
            mistakes.add(
                "periods",
                line,
                f"period {written}",
                f"a day or month within {period}",
                "move the row to the return of its period",
            )
        elif (ends - begins).days > 30:
            mistakes.add("periods", line, f"period {written}", "a day or a month", "give one row for each day or month")
        if row["count"] == 0 and Decimal(str(row["amount"])) != 0:
            mistakes.add(
                "amounts",
                line,
                f"0 payments of {row['amount']}",
                "payments for every amount",
                "correct count or amount",
            )


def _incidents(rows: Lines, institution: str, period: str, mistakes: Mistakes) -> None:
    first, last = (day.isoformat() for day in days_of(period))
    for line, row in rows:
        started, ended = str(row["started"]), row["ended"]
        if started > last:
            mistakes.add(
                "dates",
                line,
                f"an incident that started {started}",
                f"a day up to {last}",
                "move it to the return of its period",
            )
        if ended is not None and str(ended) < started:
            mistakes.add(
                "dates",
                line,
                f"an end {ended} before the start {started}",
                "an end on or after the start",
                "exchange the two",
            )
        elif ended is not None and str(ended) < first:
            mistakes.add(
                "dates",
                line,
                f"an incident that ended {ended}",
                f"one that lasted into {period}",
                "leave it to the return of its period",
            )


_OF_KIND: dict[str, Callable[[Lines, str, str, Mistakes], None]] = {
    "exposures": _exposures,
    "balance-sheet": _balance_sheet,
    "payments": _payments,
    "incidents": _incidents,
}
