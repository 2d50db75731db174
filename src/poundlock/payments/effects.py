"""What records in doubt do to the figures: each figure as read, and without the records of each kind."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.netting import netting

Integers = NDArray[np.int64]
ALL: Final = "all of them"


@dataclass(frozen=True, slots=True)
class Sums:
    """What the figures are made of, over all days. platform_payments, platform_value (platforms,). regions (r, r), institutions (n, n): value
    from row to column. peaks: peak net debits of all participants, summed over days. single (platforms,): False for those
    that stand for many small ones. Money in minor units."""

    platform_payments: Integers
    platform_value: Integers
    regions: Integers = field(repr=False)
    institutions: Integers = field(repr=False)
    peaks: int
    single: NDArray[np.bool_] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Effect:
    """One figure as read and without the records of one kind. unit: payments, minor units, share or index."""

    kind: str
    indicator: str
    unit: str
    as_read: float
    without: float


def _share(values: Integers) -> NDArray[np.float64]:
    total = values.sum()
    return values / total if total else np.zeros(len(values))


FIGURES: Final[tuple[tuple[str, str, Callable[[Sums], float]], ...]] = (
    ("volume", "payments", lambda s: float(s.platform_payments.sum())),
    ("value", "minor units", lambda s: float(s.platform_value.sum())),
    ("average ticket", "minor units", lambda s: float(s.platform_value.sum() / max(int(s.platform_payments.sum()), 1))),
    ("share of the largest platform", "share", lambda s: float(_share(s.platform_value)[s.single].max(initial=0.0))),
    ("HHI of platforms", "index", lambda s: float(np.sum(_share(s.platform_value)[s.single] ** 2))),
    ("value between regions", "share", lambda s: 1.0 - float(np.trace(s.regions)) / max(int(s.regions.sum()), 1)),
    (
        "largest net position of an institution",
        "minor units",
        lambda s: float(np.abs(s.institutions.sum(axis=0) - s.institutions.sum(axis=1)).max(initial=0)),
    ),
    ("liquidity to settle at once", "minor units", lambda s: float(s.peaks)),
)
"""Name, unit and how each figure follows from the sums."""


@dataclass(frozen=True, slots=True)
class Names:
    """The order of platforms, regions and institutions in the sums. stands_for: payments that a record stands for."""

    platforms: tuple[str, ...]
    regions: tuple[str, ...]
    institutions: tuple[str, ...]
    stands_for: int = 1


def effects(
    sums: Sums, suspects: pa.Table, names: Names, minutes: Iterable[tuple[dt.date, Integers, Integers]]
) -> tuple[Effect, ...]:
    """Every figure, for each kind of suspects and for all together, in the order of the kinds.

    suspects: as in Quality. minutes: of each day with suspects, value sent and received by minute and institution (1440, n). Kinds of which there
    is no settled record have no effect and are left out.
    """
    kinds = sorted(set(suspects.column("kind").to_pylist()))
    groups = [(kind, suspects.filter(pc.equal(suspects.column("kind"), kind))) for kind in kinds]
    if len(kinds) > 1:
        groups.append((ALL, suspects))
    less_peaks = _peaks_less([table for _, table in groups], names, minutes)
    without = [_less(sums, table, names, less) for (_, table), less in zip(groups, less_peaks, strict=True)]
    return tuple(
        Effect(kind, name, unit, figure(sums), figure(rest))
        for (kind, _), rest in zip(groups, without, strict=True)
        for name, unit, figure in FIGURES
    )


def _less(sums: Sums, table: pa.Table, names: Names, peaks: int) -> Sums:
    """The sums without the records of a table of suspects."""
    payments, value = table.column("payments").to_numpy() * names.stands_for, table.column("value").to_numpy()
    platform = _numbers(table, "platform", names.platforms)
    regions = (_numbers(table, "payer_region", names.regions), _numbers(table, "payee_region", names.regions))
    pairs = tuple(_numbers(table, f"{side}_institution", names.institutions) for side in ("payer", "payee"))
    return replace(
        sums,
        platform_payments=_subtracted(sums.platform_payments, platform, payments),
        platform_value=_subtracted(sums.platform_value, platform, value),
        regions=_subtracted(sums.regions, regions, value),
        institutions=_subtracted(sums.institutions, pairs, value),
        peaks=sums.peaks + peaks,
    )


def _subtracted(values: Integers, at: NDArray[np.intp] | tuple[NDArray[np.intp], ...], amounts: Integers) -> Integers:
    rest = values.copy()
    np.subtract.at(rest, at, amounts)
    return rest


def _numbers(table: pa.Table, column: str, names: Sequence[str]) -> NDArray[np.intp]:
    found = pc.index_in(table.column(column), pa.array(names, pa.string()))
    return np.asarray(found.to_numpy(), dtype=np.intp)


def _peaks_less(
    tables: Sequence[pa.Table], names: Names, minutes: Iterable[tuple[dt.date, Integers, Integers]]
) -> list[int]:
    """By how much the sum of peaks changes without the records of each table."""
    change = [0] * len(tables)
    for day, sent, received in minutes:
        as_read = int(netting(day, names.institutions, sent, received).peak_debit.sum())
        for k, table in enumerate(tables):
            rows = table.filter(pc.equal(table.column("day"), pa.scalar(day, pa.date32())))
            if rows.num_rows:
                minute, value = rows.column("minute").to_numpy(), rows.column("value").to_numpy()
                payer, payee = (_numbers(rows, f"{s}_institution", names.institutions) for s in ("payer", "payee"))
                less_sent = _subtracted(sent, (minute, payer), value)
                less_received = _subtracted(received, (minute, payee), value)
                rest = netting(day, names.institutions, less_sent, less_received)
                change[k] += int(rest.peak_debit.sum()) - as_read
    return change
