"""The ledger of the Zhejiang example is what its script makes, and adds up to what was published."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ruamel.yaml import YAML

from conftest import EXAMPLES, ROOT
from poundlock.payments.store import Store, read_days

ZHEJIANG = EXAMPLES / "zhejiang"


def test_the_script_makes_the_ledger_and_the_tables(tmp_path: Path) -> None:
    names = ("institutions.csv", "joint_loans.csv", "payment_service.csv", "province_panel.csv", "payments.yaml")
    for name in names:
        shutil.copy(ZHEJIANG / name, tmp_path / name)
    subprocess.run([sys.executable, ZHEJIANG / "prepare_payments.py", tmp_path], check=True)
    for name in (
        "payments.yaml",
        "payment_service.csv",
        "payment_participants.csv",
        "payment_reserves.csv",
        "payment_lending.csv",
    ):
        assert (tmp_path / name).read_bytes() == (ZHEJIANG / name).read_bytes(), name
    shipped, made = (read_days(Store(folder / "ledger"))[0] for folder in (ZHEJIANG, tmp_path))
    assert [day.day for day in shipped] == [day.day for day in made]
    for one, other in zip(shipped, made, strict=True):
        assert pq.read_table(one.path).equals(pq.read_table(other.path)), one.day


def test_number_and_value_are_those_of_the_quarter() -> None:
    days, broken = read_days(Store(ZHEJIANG / "ledger"))
    assert not broken
    assert len(days) == 92
    market = YAML(typ="safe", pure=True).load(ZHEJIANG / "payments.yaml")
    settled = value = 0
    for day in days:
        table = pq.read_table(day.path, columns=["status", "amount"])
        of_day = table.filter(pc.equal(table.column("status"), "settled"))
        settled += of_day.num_rows
        value += pc.sum(of_day.column("amount")).as_py()
    assert value == 9_096_000_000_000_000  # 90.96 trillion yuan in fen
    assert abs(settled * market["records_stand_for"] / 278_681_000_000 - 1) < 1e-6


def test_the_market_file_is_of_its_schema() -> None:
    market = YAML(typ="safe", pure=True).load(ZHEJIANG / "payments.yaml")
    schema = json.loads((ROOT / "schema" / "market.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(json.dumps(market, default=str)), schema)
