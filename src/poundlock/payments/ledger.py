"""The ledger: one row a payment, one file a UTC day. Declared once; the data dictionary, the files and the queries follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

SETTLED: Final = "settled"
STATUSES: Final = (SETTLED, "rejected", "reversed", "pending")

RETURN_COLUMNS: Final = ("day", "institution", "region", "platform", "side", "payments", "value")
"""Of totals that institutions send in; all but the last two are the key."""
SIDES: Final = ("sent", "received")


@dataclass(frozen=True, slots=True)
class LedgerColumn:
    """type: time (an instant, to the microsecond), code (text from the market's lists) or integer (64 bits). key: no two records of a day share it."""

    name: str
    type: Literal["time", "code", "integer"]
    meaning: str
    unit: str = ""
    key: bool = False


COLUMNS: Final = (
    LedgerColumn("time", "time", "When the payment was accepted.", "UTC"),
    LedgerColumn("payer_region", "code", "Region of the payer, ISO 3166-2 or GB/T 2260."),
    LedgerColumn("payee_region", "code", "Region of the payee."),
    LedgerColumn("payer_institution", "code", "Institution that pays, by LEI or local id."),
    LedgerColumn("payee_institution", "code", "Institution that receives."),
    LedgerColumn("platform", "code", "Platform that carried the payment."),
    LedgerColumn("channel", "code", "How it was given: mobile, online, at a till."),
    LedgerColumn("amount", "integer", "What was paid; below nought only where it was not settled.", "minor units"),
    LedgerColumn("currency", "code", "ISO 4217; one in a store."),
    LedgerColumn("status", "code", f"One of {', '.join(STATUSES)}; only settled payments count as volume and value."),
    LedgerColumn("record_id", "integer", "Number of the record, at least 0, of its own within one UTC day.", key=True),
)
_TYPES: Final = {"time": pa.timestamp("us", "UTC"), "code": pa.string(), "integer": pa.int64()}
SCHEMA: Final = pa.schema([pa.field(c.name, _TYPES[c.type], nullable=False) for c in COLUMNS])
"""Of every file in a store; times are instants in UTC."""


def data_dictionary() -> tuple[dict[str, str], ...]:
    """Every column as a row of words: name, type, unit, key, meaning."""
    return tuple(
        {"name": c.name, "type": c.type, "unit": c.unit, "key": "yes" if c.key else "no", "meaning": c.meaning}
        for c in COLUMNS
    )
