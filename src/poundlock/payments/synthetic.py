"""Labelled synthetic ledgers of any size, with mistakes planted in them and a key that names each: for trying out,
tests and benchmarks.

No record stands for a payment that anybody made. Same seed, same files, whatever other days are made and in how many
threads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from poundlock.payments.ledger import SCHEMA
from poundlock.payments.planted_key import KeyKind, PlantedError, add_to_key
from poundlock.payments.planting import Planted, missing, plant
from poundlock.payments.row_groups import processors
from poundlock.payments.synthetic_day import STATUSES, Records, Shape, pattern

if TYPE_CHECKING:
    from poundlock.payments.market import MarketFile

ROW_GROUP: Final = 1 << 18
NOTHING: Final = Planted()
ORDINARY: Final = Shape()
_OF_CODE: Final = {
    "payer_region": "region",
    "payee_region": "region",
    "payer_institution": "institution",
    "payee_institution": "institution",
    "platform": "platform",
    "channel": "channel",
    "status": "status",
    "currency": "currency",
}


def generate(
    market: MarketFile,
    folder: Path,
    *,
    seed: int,
    rows_per_day: int,
    days: Sequence[dt.date],
    planted: Planted = NOTHING,
    shape: Shape = ORDINARY,
    scale: Mapping[dt.date, int] | None = None,
    threads: int | None = None,
) -> tuple[Path, ...]:
    """Write one YYYY-MM-DD.parquet a day, and planted-key.json, into a folder that is there; gives the paths of the
    days, in order.

    rows_per_day: before weekday, season, festivals and noise. scale: value of all settled records that the clean day
    must have, minor units, for the days that it names; met exactly. The key is added to: it keeps what it says of
    other days. threads: days at once, each holding about 150 bytes a row; default as many as there are processors.
    Raises ValueError for counts, weights and totals that cannot be met, and where the folder's key is of another
    seed.
    """
    of = pattern(market, shape, seed, rows_per_day, scale)
    absent = missing(seed, days, planted.missing_days)
    written = [day for day in sorted(set(days)) if day not in absent]

    def one(day: dt.date) -> list[PlantedError]:
        records, errors = plant(of, day, planted, market.institutions)
        _write(records, market, folder / f"{day}.parquet")
        return errors

    with ThreadPoolExecutor(threads or processors()) as pool:
        errors = [error for found in pool.map(one, written) for error in found]
    errors += [PlantedError(day, "missing day") for day in absent]
    kinds: list[KeyKind] = [kind for kind in get_args(KeyKind) if kind != "unbalanced"]
    add_to_key(folder, seed, errors, instead=[(day, kind) for day in days for kind in kinds])
    return tuple(folder / f"{day}.parquet" for day in written)


def _write(records: Records, market: MarketFile, path: Path) -> None:
    """Whole or not at all. Codes go to the file as dictionaries, which the file gives back as text."""
    lists = {
        "region": market.regions,
        "institution": market.institutions,
        "platform": market.platforms,
        "channel": market.channels,
        "status": STATUSES,
        "currency": (market.market.currency,),
    }
    columns, schema = [], []
    for one in SCHEMA:
        if one.name in _OF_CODE:
            codes = lists[_OF_CODE[one.name]]
            numbers = getattr(records, one.name, None)
            values = _dictionary(np.zeros(len(records), dtype=np.int8) if numbers is None else numbers, codes)
        else:
            values = pa.array(getattr(records, one.name), one.type)
        columns.append(values)
        schema.append(pa.field(one.name, values.type, nullable=one.nullable))
    half = path.with_suffix(".half")
    pq.write_table(
        pa.table(columns, schema=pa.schema(schema)),
        half,
        compression="zstd",
        row_group_size=ROW_GROUP,
        use_dictionary=list(_OF_CODE),
        store_schema=False,
    )
    half.replace(path)


def _dictionary(numbers: Any, codes: Sequence[str]) -> pa.DictionaryArray:
    kind = np.int8 if len(codes) <= 127 else np.int32
    return pa.DictionaryArray.from_arrays(pa.array(numbers.astype(kind)), pa.array(list(codes), pa.string()))
