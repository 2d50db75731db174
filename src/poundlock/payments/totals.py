"""Totals that institutions sent in, held against their records and against each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from poundlock.payments.gaps import Silence
from poundlock.payments.returns import Returns


@dataclass(frozen=True, slots=True)
class Difference:
    """Totals of one day that should be equal. institution: empty for the whole market, of which what was sent should be what was received. side: sent or
    received. returned: as sent in; recorded: as in the ledger, or of the whole market as sent in on the other side. Minor units."""

    day: dt.date
    institution: str
    side: str
    returned: int
    recorded: int


def differing(
    returns: Returns | None,
    sent: pa.Table,
    received: pa.Table,
    suspects: pa.Table,
    silent_days: set[dt.date],
    days: set[dt.date],
    silences: Sequence[Silence] = (),
) -> tuple[Difference, ...]:
    """Institutions' days whose returned total differs from their records less those in doubt, on days that both cover.

    On a day with a silent hour, records that are missing are missing on their payees' side too: there only the sent side is compared, and not
    that of the silent institution.
    """
    if returns is None:
        return ()
    quiet = {(s.day, s.institution) for s in silences}
    ledger: dict[tuple[dt.date, str, str], int] = {}
    for side, table in (("sent", sent), ("received", received)):
        for row in table.to_pylist():
            ledger[row["day"], row["institution"], side] = row["value"]
    for row in suspects.to_pylist():
        if row["kind"] != "zero":
            ledger[row["day"], row["payer_institution"], "sent"] -= row["value"]
            ledger[row["day"], row["payee_institution"], "received"] -= row["value"]
    told: dict[tuple[dt.date, str, str], int] = {}
    for day, who, side, value in zip(returns.day, returns.institution, returns.side, returns.value, strict=True):
        key = (day, str(who), str(side))
        told[key] = told.get(key, 0) + int(value)
    found = [
        Difference(day, who, side, told.get((day, who, side), 0), ledger.get((day, who, side), 0))
        for day, who, side in sorted(set(told) | set(ledger))
        if day in days
        and told.get((day, who, side), 0) != ledger.get((day, who, side), 0)
        and not (day in silent_days and (side == "received" or (day, who) in quiet))
    ]
    return tuple(found)


def unbalanced_sides(returns: Returns) -> tuple[Difference, ...]:
    """Days on which all that institutions returned as sent differs from all that they returned as received."""
    sums: dict[tuple[dt.date, str], int] = {}
    for day, side, value in zip(returns.day, returns.side, returns.value, strict=True):
        sums[day, str(side)] = sums.get((day, str(side)), 0) + int(value)
    pairs = ((day, sums.get((day, "sent"), 0), sums.get((day, "received"), 0)) for day in sorted({d for d, _ in sums}))
    return tuple(Difference(day, "", "sent", sent, received) for day, sent, received in pairs if sent != received)
