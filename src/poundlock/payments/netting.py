"""Net positions, net debit through the day, and the liquidity that it takes, to the minute.

Terms of the Bank of Finland simulator and of Leinonen and Soramaki (1999): a participant's upper bound of liquidity is its peak net debit, what it needs to
settle every payment at once; turnover is value settled over liquidity used; throughput the share of a day's value settled by each hour
(CPMI-IOSCO PFMI, principle 7; BCBS 248 for the peak).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from poundlock.payments.engines import LAST_MINUTE
from poundlock.payments.ledger import SETTLED
from poundlock.payments.minutes import minutes_of_file
from poundlock.payments.partials import Partial

Integers = NDArray[np.int64]
MINUTES_A_DAY: Final = LAST_MINUTE + 1


def by_minute(ledger: Any) -> Any:
    """Settled payments by minute of the UTC day and institution: sent and received, numbers and sums."""
    settled = ledger.filter(ledger.status == SETTLED)
    out = settled.select(
        "minute", institution=settled.payer_institution, out=1, paid=settled.amount, into=0, got=settled.amount * 0
    )
    back = settled.select(
        "minute", institution=settled.payee_institution, out=0, paid=settled.amount * 0, into=1, got=settled.amount
    )
    both = out.union(back)
    return both.group_by(["minute", "institution"]).aggregate(
        payments_sent=both.out.sum(),
        value_sent=both.paid.sum(),
        payments_received=both["into"].sum(),
        value_received=both.got.sum(),
    )


def by_pair(ledger: Any) -> Any:
    """Settled value by minute, paying and receiving institution: what waits in queues where liquidity is short."""
    settled = ledger.filter(ledger.status == SETTLED)
    return settled.group_by(["minute", "payer_institution", "payee_institution"]).aggregate(value=settled.amount.sum())


MINUTES: Final = Partial(
    "minutes",
    1,
    ("institution",),
    ("payments_sent", "value_sent", "payments_received", "value_received"),
    by_minute,
    numbers=("minute",),
    kernel=minutes_of_file,
)
PAIRS: Final = Partial("pairs", 1, ("payer_institution", "payee_institution"), ("value",), by_pair, numbers=("minute",))


@dataclass(frozen=True, slots=True)
class Netting:
    """One day. names (n,). net (n,): received less sent at the end of the day, adds up to nought. sent, received (n,). peak_debit (n,): largest
    cumulated net debit of the day, at least 0; peak_minute (n,): first minute at which it stood. debit (1440,): net debits of all
    participants together after each minute. settled (1440,): value settled in each minute. Money in minor units."""

    day: dt.date
    names: tuple[str, ...]
    net: Integers = field(repr=False)
    sent: Integers = field(repr=False)
    received: Integers = field(repr=False)
    peak_debit: Integers = field(repr=False)
    peak_minute: Integers = field(repr=False)
    debit: Integers = field(repr=False)
    settled: Integers = field(repr=False)

    @property
    def liquidity_use(self) -> NDArray[np.float64]:
        """Peak net debit over value sent (n,); NaN for who sent nothing."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.sent > 0, self.peak_debit / self.sent, np.nan)

    @property
    def turnover(self) -> float:
        """Value settled over the sum of peak net debits; NaN where nobody was ever in debit."""
        peaks = int(self.peak_debit.sum())
        return int(self.sent.sum()) / peaks if peaks else float("nan")

    @property
    def throughput(self) -> NDArray[np.float64]:
        """Share of the day's value settled by the end of each hour UTC (24,); NaN on a day without payments."""
        running = np.cumsum(self.settled)[59::60].astype(np.float64)
        return running / running[-1] if running[-1] else np.full(24, np.nan)

    @property
    def liquidity_concentration(self) -> float:
        """Herfindahl-Hirschman index of peak net debits; NaN where there are none."""
        peaks = int(self.peak_debit.sum())
        return float(np.sum((self.peak_debit / peaks) ** 2)) if peaks else float("nan")


def minute_sums(table: pa.Table, names: Sequence[str]) -> tuple[Integers, Integers, Integers]:
    """One day's MINUTES as arrays (1440, n): value sent, value received, payments sent. names fixes the order; an institution of the table that
    is not among them is a ValueError."""
    minute = table.column("minute").to_numpy()
    who = pc.index_in(table.column("institution"), pa.array(names, pa.string()))
    if who.null_count:
        raise ValueError(f"an institution that is not among the {len(names)} of the market")
    sums = np.zeros((3, MINUTES_A_DAY, len(names)), dtype=np.int64)
    for k, column in enumerate(("value_sent", "value_received", "payments_sent")):
        sums[k, minute, who.to_numpy()] = table.column(column).to_numpy()
    return sums[0], sums[1], sums[2]


def netting(day: dt.date, names: tuple[str, ...], sent: Integers, received: Integers) -> Netting:
    """From value sent and received by minute and institution (1440, n)."""
    position = np.cumsum(received - sent, axis=0)
    debit = np.maximum(-position, 0)
    return Netting(
        day,
        names,
        position[-1].copy(),
        sent.sum(axis=0),
        received.sum(axis=0),
        debit.max(axis=0),
        debit.argmax(axis=0).astype(np.int64),
        debit.sum(axis=1),
        sent.sum(axis=1),
    )
