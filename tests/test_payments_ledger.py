"""The ledger's declaration: one list from which schema, data dictionary and checks follow."""

import pyarrow as pa

from poundlock.payments.ledger import COLUMNS, RETURN_COLUMNS, SCHEMA, SETTLED, SIDES, STATUSES, data_dictionary


def test_the_schema_is_the_declared_columns() -> None:
    kinds = {"time": pa.timestamp("us", "UTC"), "code": pa.string(), "integer": pa.int64()}
    assert [(f.name, f.type, f.nullable) for f in SCHEMA] == [(c.name, kinds[c.type], False) for c in COLUMNS]
    assert [c.name for c in COLUMNS if c.key] == ["record_id"]


def test_the_data_dictionary_says_every_column_in_words() -> None:
    rows = data_dictionary()
    assert [row["name"] for row in rows] == SCHEMA.names
    assert all(set(row) == {"name", "type", "unit", "key", "meaning"} and row["meaning"].endswith(".") for row in rows)
    assert {row["name"]: row["unit"] for row in rows if row["unit"]} == {"time": "UTC", "amount": "minor units"}
    assert {row["name"] for row in rows if row["key"] == "yes"} == {"record_id"}


def test_statuses_and_sides_are_what_the_rooms_agree_on() -> None:
    assert STATUSES == ("settled", "rejected", "reversed", "pending")
    assert STATUSES[0] == SETTLED
    assert SIDES == ("sent", "received")
    assert RETURN_COLUMNS == ("day", "institution", "region", "platform", "side", "payments", "value")
