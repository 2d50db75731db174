"""Make the synthetic payment ledger of this example, and what follows from it. Same seed, same files.

Run as `python examples/zhejiang/prepare_payments.py [FOLDER]` after prepare.py. What is real: payments and value of the quarter (People's Bank of China, payment
system report of the fourth quarter of 2021) and the shares of the two large platforms (iResearch, first quarter of 2020). Everything else is an
assumption written below. The daily flows of payment_service.csv are then taken from the ledger.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from poundlock.figures.payment_tables import flow_tables
from poundlock.payments.engines import DuckDB
from poundlock.payments.indicators import from_records
from poundlock.payments.intake import ingest
from poundlock.payments.market import MarketFile, read_market
from poundlock.payments.partials import Ledger
from poundlock.payments.store import Store, open_store, read_days
from poundlock.payments.synthetic import generate
from poundlock.payments.synthetic_day import Shape

SEED = 20211001
PAYMENTS, VALUE = 278_681_000_000, 9_096_000_000_000_000  # 2,786.81 hundred million; 90.96 trillion yuan in fen
SHARES = (0.554, 0.388, 0.058)  # platform-a, platform-b, all others; of value
ROWS = 1_500  # records a day
LOCAL_SHARE = (
    93_000 / 988_700
)  # of all payments, to customers of Zhejiang's local banks: 93 billion yuan a day, assumed
AMOUNTS_SPREAD = 0.8  # sigma of the logarithm of what a record stands for
MEASURE_DAYS = ("2021-10-31", "2021-11-30", "2021-12-31")
PARTNER_SHARE, TIER1_CAP = 0.30, 0.25  # of joint loans, as the notice of 2021 asks
FEN_A_MILLION = 100_000_000


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, header: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def tables(folder: Path) -> None:
    """Participants with their equity as buffer; customers' money, all of it in reserve; joint loans within the limits of 2021."""
    banks = [row for row in rows_of(folder / "institutions.csv") if row["kind"] in ("dsib", "local-bank")]
    people = [(row["id"], row["kind"], "", round(float(row["equity"]) * FEN_A_MILLION)) for row in banks]
    write(folder / "payment_participants.csv", ("institution", "kind", "liquidity", "buffer"), people)
    funds: dict[str, float] = {}
    for row in rows_of(folder / "payment_service.csv"):
        funds[row["platform"]] = funds.get(row["platform"], 0.0) + float(row["amount"])
    money = {name: round(amount * FEN_A_MILLION) for name, amount in funds.items()}
    reserves = [(name, day, amount, amount) for name, amount in money.items() for day in MEASURE_DAYS]
    write(folder / "payment_reserves.csv", ("platform", "day", "customer_funds", "reserve_deposits"), reserves)
    sizes = {row["id"]: row for row in banks}
    wished: dict[tuple[str, str], float] = {}
    for row in rows_of(folder / "joint_loans.csv"):
        if sizes.get(row["bank"], {}).get("kind") == "local-bank":
            wished[row["bank"], row["platform"]] = wished.get((row["bank"], row["platform"]), 0.0) + float(
                row["amount"]
            )
    loans = []
    for (bank, partner), amount in wished.items():
        tier1 = float(sizes[bank]["tier1_capital"])
        part = min(amount * (1.0 - PARTNER_SHARE), TIER1_CAP * tier1)
        whole = part / (1.0 - PARTNER_SHARE)
        figures = [int(x * FEN_A_MILLION) for x in (whole, whole - part, tier1, float(sizes[bank]["loans"]))]
        figures[1] = max(figures[1], -(-figures[0] * 3 // 10))  # whole fen: never a fen below the partner's share
        loans.append((MEASURE_DAYS[-1], bank, partner, *figures))
    heads = ("day", "bank", "partner", "outstanding", "partner_funded", "bank_tier1", "bank_total_loans")
    write(folder / "payment_lending.csv", heads, loans)


def market_of(folder: Path) -> MarketFile:
    problems: list = []
    market = read_market(folder / "payments.yaml", problems)
    if market is None:
        raise SystemExit("\n".join(map(str, problems)))
    return market


def shape_of(folder: Path) -> Shape:
    """Banks by total assets, local banks together with their share; regions by output of 2020."""
    banks = [row for row in rows_of(folder / "institutions.csv") if row["kind"] in ("dsib", "local-bank")]
    size = {
        kind: sum(float(r["external_assets"]) for r in banks if r["kind"] == kind) for kind in ("dsib", "local-bank")
    }
    share = {"local-bank": LOCAL_SHARE, "dsib": 1.0 - LOCAL_SHARE}
    output = {
        row["gbt2260_code"]: float(row["gdp_100m_cny"])
        for row in rows_of(folder / "province_panel.csv")
        if row["year"] == "2020"
    }
    market = market_of(folder)
    return Shape(
        platforms=SHARES,
        institutions=tuple(share[r["kind"]] * float(r["external_assets"]) / size[r["kind"]] for r in banks),
        regions=tuple(output[code] for code in market.regions),
        channels=(0.9, 0.1),
        amount_sigma=AMOUNTS_SPREAD,
    )


def ledger(folder: Path) -> None:
    """Deliveries whose value adds up to the quarter's, taken into a store; records_stand_for so that payments do too."""
    market, shape = market_of(folder), shape_of(folder)
    first, last = market.market.first_day, market.market.last_day
    days = [first + dt.timedelta(days=k) for k in range((last - first).days + 1)]
    with tempfile.TemporaryDirectory() as place:
        plain, scaled = Path(place, "plain"), Path(place, "scaled")
        plain.mkdir()
        scaled.mkdir()
        settled = {}
        for day, path in zip(
            days, generate(market, plain, seed=SEED, rows_per_day=ROWS, days=days, shape=shape), strict=True
        ):
            settled[day] = int(
                pc.sum(pc.equal(pq.read_table(path, columns=["status"]).column("status"), "settled")).as_py()
            )
        whole = sum(settled.values())
        target = {day: VALUE * count // whole for day, count in settled.items()}
        target[last] += VALUE - sum(target.values())
        files = generate(market, scaled, seed=SEED, rows_per_day=ROWS, days=days, shape=shape, scale=target)
        yaml = folder / "payments.yaml"
        text = re.sub(
            r"records_stand_for: \d+", f"records_stand_for: {round(PAYMENTS / whole)}", yaml.read_text(encoding="utf-8")
        )
        yaml.write_text(text, encoding="utf-8")
        store = folder / "ledger"
        shutil.rmtree(store, ignore_errors=True)
        problems: list = []
        opened = open_store(store, problems, currency="CNY", minor_units=2, create=True)
        assert opened is not None, problems
        done = ingest(
            market_of(folder), opened, files, received="2022-01-10T00:00:00+00:00", today=dt.date(2022, 1, 10)
        )
        assert not done.problems, done.problems
        (store / "lock").unlink()
        (store / "incoming").rmdir()


def service(folder: Path) -> None:
    """Daily flows of the payment service, from the ledger."""
    market, store = market_of(folder), Store(folder / "ledger")
    found = from_records(market, Ledger(store, read_days(store)[0], DuckDB(store.ledger), keep=False))
    flows = {
        (r["institution"], r["platform"]): float(r["daily_flow"])
        for r in csv.DictReader(flow_tables(found)["service.csv"].splitlines())
    }
    rows = rows_of(folder / "payment_service.csv")
    margin = 0.00002  # what a day without the platform costs a bank, of the flow, as in prepare.py
    table = []
    for row in rows:
        flow = flows.get((row["bank"], row["platform"]), 0.0)
        table.append((row["bank"], row["platform"], row["amount"], round(flow, 1), round(flow * margin, 5)))
    write(folder / "payment_service.csv", ("bank", "platform", "amount", "daily_flow", "daily_margin"), table)


def main(folder: Path) -> None:
    tables(folder)
    ledger(folder)
    service(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
