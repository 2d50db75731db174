"""Who pays whom, as tables: exposures for a system, matrices by institution and by region, and flows through platforms for a payment service."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from poundlock.payments.flows import Flows, settlement_layer
from poundlock.payments.indicators import Indicators, OfRecords
from poundlock.payments.unwinding import losses

LAYER = "settlement"


def flow_tables(
    found: Indicators,
    *,
    basis: Literal["gross", "bilateral net"] = "bilateral net",
    over: Literal["mean", "maximum"] = "maximum",
    unit: int = 1_000_000,
) -> dict[str, str]:
    """CSV texts by file name. Money in `unit` major units, to the last minor unit.

    settlement.csv: layer, creditor, debtor, amount, as a system's exposures, of pairs with any. institutions.csv, regions.csv: payer, payee, payments, value over all
    days. service.csv: institution, platform, daily_flow: value received a day through each platform. failures.csv: scenario, institution, loss, as
    named scenarios of a plan: each participant fails to settle on the day of most value, and the others lose what their position was made worse by; outages.csv:
    scenario, institution, outage_days: each is still for a day. Raises ValueError where only totals were
    sent in.
    """
    records = found.records
    if records is None:
        raise ValueError("who pays whom needs single records")
    minor = unit * 10**found.market.market.minor_units
    layer = settlement_layer(records.daily, basis=basis, over=over)
    names = records.flows.names
    owed = [(LAYER, names[i], names[j], _money(layer[i, j], minor)) for i, j in np.argwhere(layer > 0.0)]
    platforms, value = records.through
    service = [
        (names[i], platforms[k], _money(value[i, k] / len(found.days), minor)) for i, k in np.argwhere(value > 0)
    ]
    return {
        "settlement.csv": _csv(("layer", "creditor", "debtor", "amount"), owed),
        "institutions.csv": _csv(("payer", "payee", "payments", "value"), _pairs(records.flows, minor)),
        "regions.csv": _csv(("payer", "payee", "payments", "value"), _pairs(records.regions, minor)),
        "service.csv": _csv(("institution", "platform", "daily_flow"), service),
        "failures.csv": _csv(("scenario", "institution", "loss"), _failures(records, minor)),
        "outages.csv": _csv(("scenario", "institution", "outage_days"), [(f"{n} stands still", n, "1") for n in names]),
    }


def _failures(records: OfRecords, minor: int) -> Iterable[tuple[str, ...]]:
    for name, one in records.failures:
        lost = losses(one)
        for k in np.flatnonzero(lost > 0.0):
            yield f"{name} does not settle", records.flows.names[k], _money(float(lost[k]), minor)


def _pairs(flows: Flows, minor: int) -> Iterable[tuple[str, ...]]:
    for i, j in np.argwhere(flows.payments > 0):
        yield flows.names[i], flows.names[j], f"{flows.payments[i, j]}", _money(float(flows.value[i, j]), minor)


def _money(value: float, minor: int) -> str:
    return f"{value / minor:.{len(str(minor)) - 1}f}".rstrip("0").rstrip(".") or "0"


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue()
