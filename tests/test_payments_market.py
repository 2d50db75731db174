"""A market file with its tables: read whole, or every Problem at once, with line and cure."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

import ledgers
from poundlock.payments.market import UNLIMITED, Market, read_market
from poundlock.problems import Problem

RETURNS = """\
day,institution,region,platform,side,payments,value
2021-10-01,bank-1,310000,platform-a,sent,3,900
2021-10-01,bank-1,310000,platform-a,received,2,500
2021-10-02,bank-2,320000,other,sent,1,7
"""
RESERVES = """\
platform,day,customer_funds,reserve_deposits
platform-a,2021-10-01,1000,1000
platform-b,2021-10-01,9007199254740993,9007199254740992
"""
LENDING = """\
day,bank,partner,outstanding,partner_funded,bank_tier1,bank_total_loans
2021-10-01,bank-1,lender,1000,300,5000,90000
2021-10-01,bank-1,other lender,200,70,5000,90000
2021-10-01,bank-2,lender,10,3,-5,70
"""
TABLES = {"returns": RETURNS, "reserves": RESERVES, "lending": LENDING}


def described(folder: Path, **tables: str) -> Path:
    """A market whose file names these tables."""
    path = ledgers.market_in(folder, more="".join(f"{name}: {name}.csv\n" for name in tables))
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return path


def problems_of(path: Path) -> list[Problem]:
    problems: list[Problem] = []
    assert read_market(path, problems) is None
    assert problems
    return problems


def test_a_market_is_read_in_declared_order(tmp_path: Path) -> None:
    market = ledgers.read(described(tmp_path, **TABLES))
    assert market.institutions == ledgers.INSTITUTIONS
    assert market.regions == ("310000", "320000", "330000", "340000")
    assert market.platforms == ("platform-a", "platform-b", "other")
    assert market.channels == ("mobile", "online")
    assert market.folder == tmp_path
    assert market.liquidity is None
    assert market.buffers.tolist() == [1_000_000] * 6
    assert [Path(file.name).name for file in market.inputs] == [
        "market.yaml", "participants.csv", "returns.csv", "reserves.csv", "lending.csv"
    ]  # fmt: skip
    assert all(len(file.digest) == 64 and not file.content for file in market.inputs)


def test_tables_are_arrays_of_whole_numbers_and_dates(tmp_path: Path) -> None:
    market = ledgers.read(described(tmp_path, **TABLES))
    returns, reserves, lending = market.returns, market.reserves, market.lending
    assert returns is not None
    assert len(returns) == 3
    assert returns.day.tolist() == [dt.date(2021, 10, 1), dt.date(2021, 10, 1), dt.date(2021, 10, 2)]
    assert returns.side.tolist() == ["sent", "received", "sent"]
    assert returns.value.tolist() == [900, 500, 7]
    assert returns.payments.dtype == np.int64
    assert reserves is not None
    assert reserves.customer_funds.tolist() == [1000, 9007199254740993], "above 2^53, where floats have gaps"
    assert lending is not None
    assert lending.bank_tier1.tolist() == [5000, 5000, -5]
    assert lending.partner.tolist() == ["lender", "other lender", "lender"]


def test_liquidity_left_blank_is_without_limit(tmp_path: Path) -> None:
    market = ledgers.read(ledgers.market_in(tmp_path, liquidity=["", "7", "0", "", "", ""]))
    assert market.participants[0].liquidity is None
    assert market.participants[2].liquidity == 0
    assert market.liquidity is not None
    assert market.liquidity.tolist() == [UNLIMITED, 7, 0, *[UNLIMITED] * 3]


def test_participants_need_neither_liquidity_nor_buffer(tmp_path: Path) -> None:
    path = ledgers.market_in(tmp_path)
    (tmp_path / "participants.csv").write_text("institution,kind\nbank-1,bank\n")
    market = ledgers.read(path)
    assert market.liquidity is None
    assert market.buffers.tolist() == [0]


def test_every_field_has_words_for_its_schema() -> None:
    assert all(info.description for info in Market.model_fields.values())


# what stands in market.yaml; what stands there instead; part of what is found; part of the cure
IN_MARKET = {
    "days that run backwards": ("last_day: 2021-10-03", "last_day: 2021-09-03", "last_day 2021-09-03", "correct one"),
    "a region twice": ('"320000"', '"310000"', "'310000' a second time", "take one out"),
    "a platform with a blank before it": ("[platform-a", '[" platform-a"', "' platform-a'", "take them out"),
    "a number for a region": ('"320000"', "320000", "regions.1 = 320000", "correct the value"),
    "a currency in small letters": ("currency: CNY", "currency: cny", "'cny'", "write e.g. CNY"),
    "an unknown key": ("channels:", "chanels:", "unknown key 'chanels'", "rename it to 'channels'"),
    "another format": ("format: 1", "format: 2", "format = 2", "use one of these"),
    "no platform": ("[platform-a, platform-b, other]", "[]", "platforms = a list", "correct the value"),
    "half a place": ("minor_units: 2", "minor_units: 2.5", "minor_units = 2.5", "correct the value"),
    "an origin that there is not": ("origin: synthetic", "origin: guessed", "origin = 'guessed'", "use one of these"),
    "a table that is not there": ("participants.csv", "partners.csv", "no file", "correct the path"),
}
# the table; what stands there; what stands there instead; line; part of what is found; part of the cure
IN_TABLES = {
    "an unknown institution": ("returns", "bank-2,320000", "bank-9,320000", 4, "institution 'bank-9'", "write 'bank-"),
    "an unknown region": ("returns", "bank-2,320000", "bank-2,999", 4, "region '999'", "add it to the market"),
    "an unknown platform": ("returns", "other,sent", "othr,sent", 4, "platform 'othr'", "write 'other'"),
    "an unknown side": ("returns", "other,sent", "other,paid", 4, "side = 'paid'", "correct side"),
    "a total below nought": ("returns", "sent,1,7", "sent,1,-7", 4, "value = -7", "correct value"),
    "half a payment": ("returns", "sent,1,7", "sent,1.5,7", 4, "payments = '1.5'", "correct payments"),
    "a day that is none": ("returns", "2021-10-02", "2021-02-30", 4, "day = '2021-02-30'", "YYYY-MM-DD"),
    "a day in another form": ("returns", "2021-10-02", "20211002", 4, "day = '20211002'", "YYYY-MM-DD"),
    "a total twice": ("returns", "received,2,500", "sent,2,500", 3, "a second time (first in line 2)", "remove one"),
    "a reserve twice": ("reserves", "platform-b", "platform-a", 3, "a second time (first in line 2)", "remove one"),
    "a reserve of no platform": ("reserves", "platform-b", "platform-c", 3, "platform 'platform-c'", "write 'platform-"),
    "funds below nought": ("reserves", "1000,1000", "-1,1000", 2, "customer_funds = -1", "correct customer_funds"),
    "more than the whole": ("lending", "1000,300", "1000,1300", 2, "partner_funded 1,300 of 1,000", "correct one of"),
    "two tier 1 capitals": ("lending", "70,5000,9", "70,5001,9", 3, "5,001 of bank 'bank-1', and 5,000", "correct one of"),
    "a bank that takes no part": ("lending", "bank-2", "bank-22", 4, "bank 'bank-22'", "write 'bank-2'"),
    "a partner twice": ("lending", "other lender", "lender", 3, "a second time (first in line 2)", "remove one of"),
    "a column too few": ("lending", "bank_tier1,", "tier1,", 1, "no column 'bank_tier1'", "rename 'tier1'"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_MARKET)
def test_one_mistake_in_the_market_is_told_once(name: str, tmp_path: Path) -> None:
    old, new, found, cure = IN_MARKET[name]
    path = ledgers.market_in(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    told = [p for p in problems_of(path) if p.found != "no key 'channels'"]
    assert len(told) == 1, told
    line = next((k for k, words in enumerate(path.read_text().splitlines(), 1) if new in words), None)
    assert found in told[0].found
    assert cure in told[0].cure
    assert told[0].line == (1 if name == "days that run backwards" else line)


@pytest.mark.parametrize("name", IN_TABLES)
def test_one_mistake_in_a_table_is_told_once_with_its_line(name: str, tmp_path: Path) -> None:
    table, old, new, line, found, cure = IN_TABLES[name]
    path = described(tmp_path, **TABLES)
    file = tmp_path / f"{table}.csv"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new, 1))
    told = [p for p in problems_of(path) if p.cure != "remove it or correct its name"]
    assert len(told) == 1, told
    assert (told[0].file, told[0].line) == (str(file), line)
    assert found in told[0].found
    assert cure in told[0].cure


def test_participants_each_once(tmp_path: Path) -> None:
    path = ledgers.market_in(tmp_path)
    file = tmp_path / "participants.csv"
    file.write_text(file.read_text().replace("bank-4", "bank-1").replace("bank-6,bank,,1000000", "bank-6,bank,1.5,-3"))
    told = sorted(problems_of(path))
    assert [(p.line, p.found.split(" (")[0]) for p in told] == [
        (5, "institution 'bank-1' a second time"),
        (7, "buffer = -3"),
        (7, "liquidity = '1.5'"),
    ]


def test_all_tables_are_told_in_one_go(tmp_path: Path) -> None:
    path = described(tmp_path, **{name: text.replace("2021-10-01", "1st", 1) for name, text in TABLES.items()})
    assert {Path(p.file).name for p in problems_of(path)} == {"returns.csv", "reserves.csv", "lending.csv"}


def test_of_many_mistakes_of_one_kind_twenty_are_shown(tmp_path: Path) -> None:
    rows = "".join(f"2021-10-01,bank-{k},310000,other,sent,1,1\n" for k in range(1, 31))
    path = described(tmp_path, returns=RETURNS.split("\n", 1)[0] + "\n" + rows)
    told = problems_of(path)
    assert len(told) == 21
    assert [p.line for p in told[:20]] == list(range(8, 28))
    assert told[20].line == 28
    assert told[20].found.startswith("4 more like this, the first: institution 'bank-27'")


def test_the_place_that_named_a_file_that_is_not_there(tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert read_market(tmp_path / "no.yaml", problems, declared_at=("plan.yaml", 7)) is None
    assert [(p.file, p.line) for p in problems] == [("plan.yaml", 7)]
