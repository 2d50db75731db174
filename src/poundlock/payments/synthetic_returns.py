"""Totals by institution, as institutions would send them in of a synthetic ledger, some of them altered."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from poundlock.payments.ledger import RETURN_COLUMNS
from poundlock.payments.planted_key import PlantedError, add_to_key
from poundlock.payments.planting import Planted
from poundlock.payments.synthetic import NOTHING, ORDINARY
from poundlock.payments.synthetic_day import SETTLED, Integers, Pattern, Records, Shape, clean_day, generator, pattern

if TYPE_CHECKING:
    from poundlock.payments.market import MarketFile

SIDES: Final = ("sent", "received")
LARGEST_CHANGE: Final = 0.2
_RETURNS: Final = 20


def generate_returns(
    market: MarketFile,
    path: Path,
    *,
    seed: int,
    rows_per_day: int,
    days: Sequence[dt.date],
    planted: Planted = NOTHING,
    shape: Shape = ORDINARY,
    scale: Mapping[dt.date, int] | None = None,
) -> Path:
    """Write the totals of the settled records of the clean days as CSV; arguments as for `generate`.

    payments: records times what a record of the market stands for. `planted.unbalanced` rows a day, each of another
    institution and side, have a value altered by up to a fifth; planted-key.json beside the file names them. Missing
    days have returns too. A ledger less its planted records agrees with the rest, but for gaps.
    """
    of = pattern(market, shape, seed, rows_per_day, scale)
    errors: list[PlantedError] = []
    half = path.with_suffix(".half")
    with half.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(RETURN_COLUMNS)
        for day in sorted(set(days)):
            code, payments, value = _totals(clean_day(of, day)[0], market)
            told = _altered(of, day, code, value, planted.unbalanced)
            payments = payments * market.market.records_stand_for
            names = _names(market, code)
            for name, count, said in zip(names, payments.tolist(), told.tolist(), strict=True):
                table.writerow([day, *name, count, said])
            for k in np.flatnonzero(told != value):
                institution, region, platform, side = names[k]
                about = {"institution": institution, "region": region, "platform": platform, "side": side}
                values = {"true_value": int(value[k]), "altered_value": int(told[k])}
                errors.append(PlantedError(day, "unbalanced", **about, **values))  # type: ignore[arg-type]
    half.replace(path)
    add_to_key(path.parent, seed, errors, instead=[(day, "unbalanced") for day in days])
    return path


def _totals(records: Records, market: MarketFile) -> tuple[NDArray[np.int64], Integers, Integers]:
    """Rows with any payment: (m, 4) numbers of institution, region, platform and side; payments and value (m,)."""
    shape = (len(market.institutions), len(market.regions), len(market.platforms), len(SIDES))
    settled = records.status == SETTLED
    payments, value = np.zeros((2, *shape), dtype=np.int64)
    for side, who in enumerate(("payer", "payee")):
        place = (getattr(records, f"{who}_institution"), getattr(records, f"{who}_region"), records.platform)
        at = tuple(codes[settled].astype(np.intp) for codes in place)
        np.add.at(payments[..., side], at, 1)
        np.add.at(value[..., side], at, records.amount[settled])
    code = np.argwhere(payments > 0)
    return code, payments[payments > 0], value[payments > 0]


def _altered(of: Pattern, day: dt.date, code: NDArray[np.int64], value: Integers, count: int) -> Integers:
    """Values as they are told: `count` of them changed, each of another institution and side."""
    draw = generator(of.seed, day, _RETURNS)
    shuffled = draw.permutation(len(code))
    _, first = np.unique(code[shuffled][:, [0, 3]], axis=0, return_index=True)
    if len(first) < count:
        raise ValueError(f"{day}: {len(first)} institutions and sides in the returns; {count} rows were to be altered")
    chosen = shuffled[draw.permutation(np.sort(first))[:count]]
    change = 1 + np.floor(value[chosen] * LARGEST_CHANGE * draw.random(count)).astype(np.int64)
    down = (draw.random(count) < 0.5) & (change < value[chosen])
    told = value.copy()
    told[chosen] += np.where(down, -change, change)
    return told


def _names(market: MarketFile, code: NDArray[np.int64]) -> list[tuple[str, str, str, str]]:
    lists = (market.institutions, market.regions, market.platforms, SIDES)
    columns = [[codes[k] for k in column] for codes, column in zip(lists, code.T.tolist(), strict=True)]
    return list(zip(*columns, strict=True))
