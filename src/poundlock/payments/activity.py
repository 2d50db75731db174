"""Volume, value and average ticket: settled payments by day, paying institution, paying region and platform, and sums of them.

Terms as in the CPMI Red Book: volume is a number of payments, value their sum. A payment counts once, on its payer's side.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.ledger import SETTLED
from poundlock.payments.partials import Partial

Period = Literal["day", "week", "month", "quarter", "year"]
By = Literal["institution", "region", "platform"]
COLUMN_OF: Final[dict[By, str]] = {"institution": "payer_institution", "region": "payer_region", "platform": "platform"}


def activity(ledger: Any) -> Any:
    """Settled payments by paying institution, paying region and platform: how many, and their sum in minor units."""
    settled = ledger.filter(ledger.status == SETTLED)
    return settled.group_by(["payer_institution", "payer_region", "platform"]).aggregate(
        payments=settled.count(), value=settled.amount.sum()
    )


def received(ledger: Any) -> Any:
    """Settled payments by receiving institution, receiving region and platform."""
    settled = ledger.filter(ledger.status == SETTLED)
    return settled.group_by(["payee_institution", "payee_region", "platform"]).aggregate(
        payments=settled.count(), value=settled.amount.sum()
    )


ACTIVITY: Final = Partial(
    "activity", 1, ("payer_institution", "payer_region", "platform"), ("payments", "value"), activity
)
RECEIVED: Final = Partial(
    "received", 1, ("payee_institution", "payee_region", "platform"), ("payments", "value"), received
)


@dataclass(frozen=True, slots=True)
class Volumes:
    """Settled payments by period and group. periods (p,): ISO 8601 names, in order. groups (g,): names, one tuple of texts each. payments,
    value (p, g): whole numbers, value in minor units."""

    period: Period
    by: tuple[By, ...]
    periods: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    payments: NDArray[np.int64] = field(repr=False)
    value: NDArray[np.int64] = field(repr=False)

    @property
    def ticket(self) -> NDArray[np.float64]:
        """Average payment in minor units (p, g); NaN where there was none."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.payments > 0, self.value / self.payments, np.nan)


def period_of(day: dt.date, period: Period) -> str:
    """The ISO 8601 name of the period that holds a day: 2021-10-01, 2021-W39, 2021-10, 2021-Q4, 2021."""
    year, week, _ = day.isocalendar()
    names = {
        "day": day.isoformat(),
        "week": f"{year}-W{week:02d}",
        "month": f"{day:%Y-%m}",
        "quarter": f"{day.year}-Q{(day.month + 2) // 3}",
        "year": f"{day.year}",
    }
    return names[period]


def days_in(day: dt.date, period: Period) -> int:
    """Days of the period that holds a day."""
    name, count = period_of(day, period), 1
    for step in (dt.timedelta(days=-1), dt.timedelta(days=1)):
        other = day + step
        while period_of(other, period) == name:
            count, other = count + 1, other + step
    return count


def volumes(table: pa.Table, period: Period, by: Sequence[By], *, stands_for: int = 1) -> Volumes:
    """Add up a table of ACTIVITY (day, payer_institution, payer_region, platform, payments, value).

    stands_for: payments that one record stands for; only the counts are multiplied. Groups are in the order of their names.
    """
    days = table.column("day").combine_chunks()
    shown = pc.dictionary_encode(days)
    names = pa.array([period_of(day, period) for day in shown.dictionary.to_pylist()], pa.string())
    keyed = table.append_column("period", names.take(shown.indices))
    columns = [COLUMN_OF[one] for one in by]
    sums = keyed.group_by(["period", *columns]).aggregate([("payments", "sum"), ("value", "sum")])
    periods = sorted(set(sums.column("period").to_pylist()))
    texts = [sums.column(c).to_pylist() for c in columns]
    of_row = list(zip(*texts, strict=True)) if columns else [()] * sums.num_rows
    groups = sorted(set(of_row))
    at, where = {p: k for k, p in enumerate(periods)}, {g: k for k, g in enumerate(groups)}
    payments, value = np.zeros((2, len(periods), len(groups)), dtype=np.int64)
    rows = np.array([at[p] for p in sums.column("period").to_pylist()], dtype=np.intp)
    cols = np.array([where[g] for g in of_row], dtype=np.intp)
    payments[rows, cols] = sums.column("payments_sum").to_numpy() * stands_for
    value[rows, cols] = sums.column("value_sum").to_numpy()
    return Volumes(period, tuple(by), tuple(periods), tuple(groups), payments, value)
