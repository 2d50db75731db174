"""Who pays whom: matrices by institution and by region, net positions, and the settlement layer that the contagion engine takes.

F[i, j] is what customers of i paid to customers of j. Until it is settled i owes it to j: an asset of j, a liability of i. In the layer, X[i, j] is
what i may lose on j, as everywhere in the house, so that X is F transposed, gross or net of what goes the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from poundlock.payments.ledger import SETTLED
from poundlock.payments.partials import Partial

Integers = NDArray[np.int64]


def region_flows(ledger: Any) -> Any:
    """Settled payments by paying and receiving region."""
    settled = ledger.filter(ledger.status == SETTLED)
    return settled.group_by(["payer_region", "payee_region"]).aggregate(
        payments=settled.count(), value=settled.amount.sum()
    )


def institution_flows(ledger: Any) -> Any:
    """Settled payments by paying and receiving institution."""
    settled = ledger.filter(ledger.status == SETTLED)
    return settled.group_by(["payer_institution", "payee_institution"]).aggregate(
        payments=settled.count(), value=settled.amount.sum()
    )


REGION_FLOWS: Final = Partial("region-flows", 1, ("payer_region", "payee_region"), ("payments", "value"), region_flows)
INSTITUTION_FLOWS: Final = Partial(
    "institution-flows", 1, ("payer_institution", "payee_institution"), ("payments", "value"), institution_flows
)


@dataclass(frozen=True, slots=True)
class Flows:
    """names (n,). payments, value (n, n): from row to column; the diagonal is paid within one institution or region. Value in minor units."""

    names: tuple[str, ...]
    payments: Integers = field(repr=False)
    value: Integers = field(repr=False)

    @property
    def net(self) -> Integers:
        """Multilateral net position (n,): received less paid. Adds up to nought."""
        return np.asarray(self.value.sum(axis=0) - self.value.sum(axis=1))


def matrix(table: pa.Table, names: Sequence[str], *, stands_for: int = 1) -> Flows:
    """Add up a table of a flow partial; names fixes the order, and whatever the table names must be among them (KeyError)."""
    number = {name: k for k, name in enumerate(names)}
    payer, payee = (c for c in table.column_names if c.startswith(("payer_", "payee_")))
    rows = np.array([number[name] for name in table.column(payer).to_pylist()], dtype=np.intp)
    cols = np.array([number[name] for name in table.column(payee).to_pylist()], dtype=np.intp)
    payments, value = np.zeros((2, len(names), len(names)), dtype=np.int64)
    np.add.at(payments, (rows, cols), table.column("payments").to_numpy() * stands_for)
    np.add.at(value, (rows, cols), table.column("value").to_numpy())
    return Flows(tuple(names), payments, value)


def settlement_layer(
    days: Sequence[Flows],
    *,
    basis: Literal["gross", "bilateral net"] = "bilateral net",
    over: Literal["mean", "maximum"] = "maximum",
) -> NDArray[np.float64]:
    """What is owed between institutions when a day's payments wait for settlement: X[i, j] (n, n), minor units, no diagonal.

    days: one Flows a day, of the same names. basis: all that was paid, or only what is left after the other way is set off, pair by pair.
    over: of the days, their mean or each pair's largest. Raises ValueError without days or where names differ.
    """
    if not days or any(day.names != days[0].names for day in days):
        raise ValueError("a settlement layer needs at least one day, and the same names on every day")
    owed = np.stack([day.value.T for day in days]).astype(np.float64)
    if basis == "bilateral net":
        owed = np.maximum(owed - owed.transpose(0, 2, 1), 0.0)
    layer: NDArray[np.float64] = owed.mean(axis=0) if over == "mean" else owed.max(axis=0)
    np.fill_diagonal(layer, 0.0)
    return layer
