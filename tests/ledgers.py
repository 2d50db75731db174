"""Small markets and stores for the tests of payments."""

import datetime as dt
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from poundlock.payments.market import MarketFile, read_market
from poundlock.payments.planting import Planted
from poundlock.payments.store import Store, locked, open_store, put
from poundlock.payments.synthetic import generate

FIRST = dt.date(2021, 10, 1)
MARKET = """\
format: 1
name: A small market
origin: synthetic
note: Made for a test.
currency: CNY
minor_units: 2
first_day: {first}
last_day: {last}
regions: ["310000", "320000", "330000", "340000"]
platforms: [platform-a, platform-b, other]
channels: [mobile, online]
participants: participants.csv
"""
INSTITUTIONS = ("bank-1", "bank-2", "bank-3", "bank-4", "bank-5", "bank-6")


def days(count: int, first: dt.date = FIRST) -> list[dt.date]:
    return [first + dt.timedelta(days=k) for k in range(count)]


def market_in(folder: Path, count: int = 3, *, more: str = "", liquidity: Sequence[str] = ()) -> Path:
    """A market file with its participants; gives its path."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = liquidity or [""] * len(INSTITUTIONS)
    rows = "\n".join(f"{name},bank,{bound},1000000" for name, bound in zip(INSTITUTIONS, bounds, strict=True))
    (folder / "participants.csv").write_text(f"institution,kind,liquidity,buffer\n{rows}\n")
    path = folder / "market.yaml"
    path.write_text(MARKET.format(first=FIRST, last=days(count)[-1]) + more)
    return path


def read(path: Path) -> MarketFile:
    problems: list = []
    market = read_market(path, problems)
    assert market is not None, problems
    return market


def stored(market: MarketFile, files: Sequence[Path], root: Path) -> Store:
    """A store with these files as they are, by the day in their names."""
    problems: list = []
    of = market.market
    store = open_store(root, problems, currency=of.currency, minor_units=of.minor_units, create=True)
    assert store is not None, problems
    with locked(store, 1.0):
        for path in files:
            written = store.incoming / path.name
            shutil.copy(path, written)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            rows = pq.read_metadata(path).num_rows
            put(
                store,
                dt.date.fromisoformat(path.stem),
                written,
                digest=digest,
                rows=rows,
                source=path.name,
                received="2021-12-01T00:00:00Z",
            )
    return store


def made(
    folder: Path, count: int = 3, *, rows: int = 2_000, seed: int = 1, planted: Planted | None = None, more: str = ""
) -> tuple[MarketFile, Store]:
    """A market with a store of so many synthetic days."""
    market = read(market_in(folder, count, more=more))
    (folder / "files").mkdir()
    files = generate(
        market, folder / "files", seed=seed, rows_per_day=rows, days=days(count), planted=planted or Planted()
    )
    return market, stored(market, files, folder / "store")
