"""Payment service of a platform: customers' money, settlement, and those who depend on it.

Customers of the platform leave a balance with it (the float). A stated share is in reserve, set apart for them: customers are paid from it whatever
becomes of the platform, so that neither is on its books. The rest it owes them, and places with the bank of the row. Payments to the row's institution pass through the platform and are settled some days later: a claim on
the platform, which holds cash against it. When the platform stops, each institution loses its daily margin, and what it could not settle stays a
claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy.sparse import coo_array, csr_array

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, Reading, by_institution, read_deals
from poundlock.measures.measure import Line, Measure, Share, Terms
from poundlock.problems import Problem
from poundlock.reading import Column
from poundlock.rules import Fact
from poundlock.system.balance import Floats, System

DEPOSIT_LAYER = "platform deposits"
SETTLEMENT_LAYER = "settlement"
MORE = (
    Column("daily_flow", "number", minimum=0),
    Column("daily_margin", "number", minimum=0),
)


class PaymentTerms(Terms):
    """One setting of the payment service."""

    reserve_cover: Share
    """Part of the float that is in reserve, set apart for customers; the rest is placed with banks."""
    settlement_days: Annotated[float, Field(ge=0.0, le=30.0)] = 1.0
    """Days until a payment is settled."""
    fee: Share = 0.0
    """What institutions pay the platform, as a fraction of the yearly flow."""


class PaymentService(Measure):
    """Payments through a platform."""

    kind: Literal["payment-service"]
    service: str
    """CSV: bank, platform, amount, daily_flow, daily_margin. amount: customers' money with the platform that is placed with this bank so far as it is
    not in reserve; daily_flow: payments to the bank's customers through the platform; daily_margin: what the bank loses on a day without
    it."""
    runnable: Share = 0.0
    """Part of the float outside the reserve that customers may withdraw at once; the reserve pays what is in it."""
    today: PaymentTerms
    """The setting that the verdict is about."""
    before: PaymentTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "customers' money with platforms"
    CREDIT: ClassVar[bool] = False


def read(asked: Reading, declared: PaymentService, problems: list[Problem]) -> Deals | None:
    """Read the table of the service; adds every Problem, returns None if there was one."""
    found = read_deals(asked, declared, "service", ("bank", "platform"), problems, more=MORE, pools=False)
    return None if found is None else found[0]


def opened(declared: PaymentService, deals: Deals, system: System) -> System:
    """A payment service brings no asset class."""
    return system


def unlimited(terms: PaymentTerms) -> PaymentTerms:
    """There is no cap to lift."""
    return terms


def granted(declared: PaymentService, terms: PaymentTerms, deals: Deals, system: System) -> Floats:
    """Customers' money with the platforms. Shape as deals.amount."""
    return deals.amount.copy()


def apply(declared: PaymentService, terms: PaymentTerms, deals: Deals, system: System) -> System:
    """The system with float outside the reserve, deposits, settlement and dependence. Equity of nobody changes on the first day."""
    size, n = granted(declared, terms, deals, system), len(system)
    bank, platform = deals["bank"], deals["platform"]
    here = deals.left
    placed, flow = (1.0 - terms.reserve_cover) * size, here * deals["daily_flow"]
    unsettled = terms.settlement_days * flow
    books = Books(system)
    books.owed += by_institution(platform, placed, n) + by_institution(bank, unsettled, n)
    books.runnable += declared.runnable * by_institution(platform, placed, n)
    books.safe += by_institution(platform, unsettled, n) + by_institution(bank, placed, n)
    books.lend(DEPOSIT_LAYER, platform, bank, placed)
    books.lend(SETTLEMENT_LAYER, bank, platform, unsettled)
    books.pay(bank, platform, terms.fee * 365.0 * flow)
    margin = coo_array((here * deals["daily_margin"], (bank, platform)), shape=(n, n))
    if margin.data.any() or flow.any():
        books.margin = csr_array(margin)
        books.flow = csr_array(coo_array((flow, (bank, platform)), shape=(n, n)))
    return books.written()


def value(declared: PaymentService, terms: PaymentTerms, deals: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any outage or failure."""
    fee = float(terms.fee * 365.0 * (deals.left @ deals["daily_flow"]))
    return (Line("banks", "fees", -fee), Line("platforms", "fees", fee))


def facts(declared: PaymentService, terms: PaymentTerms, deals: Deals, system: System) -> Iterator[Fact]:
    """Reserve cover of customers' money."""
    size = by_institution(deals["platform"], granted(declared, terms, deals, system), len(system))
    for i in np.flatnonzero(size > 0.0):
        yield Fact("reserve-cover", system.ids[i], system.kinds[i], terms.reserve_cover)
