"""Files of payment records as institutions would deliver them, for the tests of intake."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa

from ledgers import FIRST as DAY
from ledgers import INSTITUTIONS
from poundlock.payments.ledger import SCHEMA

MIDNIGHT = (DAY - dt.date(1970, 1, 1)).days * 86_400_000_000


def records(count: int = 12, seed: int = 0) -> pa.Table:
    """Sound records of the first day, in the ledger's schema."""
    draw = np.random.default_rng(seed)

    def some(*codes: str) -> pa.Array:
        return pa.array([codes[k] for k in draw.integers(0, len(codes), count)])

    regions, banks = ("310000", "320000", "330000"), INSTITUTIONS
    columns = {
        "time": pa.array(MIDNIGHT + np.sort(draw.integers(0, 86_400_000_000, count))).cast(SCHEMA.field("time").type),
        "payer_region": some(*regions),
        "payee_region": some(*regions),
        "payer_institution": some(*banks),
        "payee_institution": some(*banks),
        "platform": some("platform-a", "other"),
        "channel": some("mobile", "online"),
        "amount": pa.array(draw.integers(0, 10_000, count)),
        "currency": some("CNY"),
        "status": some("settled", "settled", "rejected", "pending"),
        "record_id": pa.array(np.arange(count, dtype=np.int64)),
    }
    return pa.table(columns).select(SCHEMA.names).cast(SCHEMA)


def with_value(table: pa.Table, name: str, row: int, value: object, kind: pa.DataType | None = None) -> pa.Table:
    """The table with one other cell."""
    cells = table.column(name).to_pylist()
    cells[row] = value
    return with_column(table, name, pa.array(cells, kind or SCHEMA.field(name).type))


def with_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), pa.field(name, values.type), values)


def csv_text(table: pa.Table, *, zone: str = "+00:00") -> str:
    """The table as an institution would write it, its times in a zone."""
    hours = int(zone[:3])
    rows = [",".join(table.column_names)]
    for row in table.to_pylist():
        moment = row["time"].astimezone(dt.timezone(dt.timedelta(hours=hours))).replace(tzinfo=None)
        cells = {**row, "time": f"{moment.isoformat()}{zone if hours else 'Z'}"}
        rows.append(",".join("" if cell is None else str(cell) for cell in cells.values()))
    return "\n".join(rows) + "\n"
