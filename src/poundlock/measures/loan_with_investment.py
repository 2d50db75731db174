"""Loan with external direct investment: a bank lends to firms in which an outside investment institution takes equity beside it.

Beside each loan of size T the investor puts e T into the firms' equity: part from its own cash, part borrowed outside or from the bank. A
warrant passes part of the gain to the bank: a year on, the investor owes the bank w max(0, V - K) on what it invested, V the value of a unit
of equity. The pool's defaults and the equity's value move with one factor: the upside is gone when the losses come, and an investor that
falls takes its debts to the bank along.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, Reading, by_institution, cut, read_deals, without_figure
from poundlock.measures.measure import Line, Measure, Share, Terms
from poundlock.measures.premium import pool_loss, warrant_value
from poundlock.measures.shares import FirmEquity, opened_shares, shares_of
from poundlock.problems import Problem
from poundlock.rules import Fact
from poundlock.system.balance import Floats, System
from poundlock.system.covers import Cover

FUNDING_LAYER = "fund lending"


class InvestmentTerms(Terms):
    """One setting of loans with investment. Leave a cap out to mean none."""

    investment_per_loan: Annotated[float, Field(ge=0.0, le=10.0)]
    """Equity that the investor takes beside each unit of loan."""
    warrant_share: Share = 0.0
    """Part of the gain above the strike that the investor passes to the bank."""
    strike: Annotated[float, Field(ge=0.0)] = 1.0
    """Value of a unit of equity above which the warrant pays; 1 is today's."""
    investor_debt: Share = 0.0
    """Part of its investment that the investor borrows; the rest is its own cash."""
    debt_from_bank: Share = 0.0
    """Part of that debt that it owes to the bank that lends beside it; the rest is owed outside."""
    bank_cap: Annotated[float, Field(ge=0.0)] | None = None
    """A bank's loans of this kind, at most this fraction of its Tier 1 capital."""


class LoanWithInvestment(Measure):
    """Loans by banks beside equity or warrants of outside investment institutions."""

    kind: Literal["loan-with-investment"]
    loans: str
    """CSV: bank, investor, pool, amount [, average_life_days]. Loans that firms ask for; the investment comes on top."""
    equity: FirmEquity
    """How the equity of the firms moves."""
    today: InvestmentTerms
    """The setting that the verdict is about."""
    before: InvestmentTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "loans with investment"


def read(asked: Reading, declared: LoanWithInvestment, problems: list[Problem]) -> Deals | None:
    """Read the table of loans; adds every Problem, returns None if there was one."""
    found = read_deals(asked, declared, "loans", ("bank", "investor"), problems)
    if found is None:
        return None
    (deals, table), system = found, asked.system
    before = len(problems)
    settings = [terms for terms in (declared.today, declared.before) if terms is not None]
    if asked.amounts_known and ("bank_cap" in asked.searched or any(t.bank_cap is not None for t in settings)):
        problems.extend(without_figure(table, deals["bank"], system, system.tier1_capital, "tier1_capital"))
    turned = asked.searched & {"investment_per_loan", "investor_debt"}
    if asked.amounts_known and (turned or any(t.investment_per_loan * (1.0 - t.investor_debt) > 0.0 for t in settings)):
        for row in sorted(np.unique(deals["investor"], return_index=True)[1]):
            if system.safe_assets[deals["investor"][row]] <= 0.0:
                said = f"investor '{system.ids[deals['investor'][row]]}' without cash to invest"
                cure = "fill the column safe_assets of the institutions, or set investor_debt to 1"
                problems.append(table.problem(int(row), said, "safe assets above 0", cure))
    return deals if len(problems) == before else None


def opened(declared: LoanWithInvestment, deals: Deals, system: System) -> System:
    """The equity of the firms becomes an asset class for each pool."""
    return opened_shares(system, deals.pool, declared.equity)


def unlimited(terms: InvestmentTerms) -> InvestmentTerms:
    """The same without the cap."""
    return terms.model_copy(update={"bank_cap": None})


def granted(declared: LoanWithInvestment, terms: InvestmentTerms, loans: Deals, system: System) -> Floats:
    """Loans that the cap and the investors' own cash leave; each cuts entries in proportion. Shape as loans.amount."""
    size, bank, investor = loans.amount.copy(), loans["bank"], loans["investor"]
    if terms.bank_cap is not None:
        size *= cut(bank, size, terms.bank_cap * system.tier1_capital[bank])
    own = terms.investment_per_loan * (1.0 - terms.investor_debt)
    return np.asarray(size * cut(investor, own * size, system.safe_assets[investor]))


def apply(declared: LoanWithInvestment, terms: InvestmentTerms, loans: Deals, system: System) -> System:
    """The system with loans, investments and warrants on its books. Equity of nobody changes on the first day."""
    size, n = granted(declared, terms, loans, system), len(system)
    bank, investor = loans["bank"], loans["investor"]
    invested = terms.investment_per_loan * size
    borrowed = terms.investor_debt * invested
    from_bank = terms.debt_from_bank * borrowed
    shares = shares_of(system, loans.pool)
    books = Books(system)
    books.hold(bank, loans.pool, size)
    books.hold(investor, shares, invested)
    books.safe -= by_institution(investor, invested - borrowed, n)
    books.lend(FUNDING_LAYER, bank, investor, from_bank)
    books.owed += by_institution(bank, size + from_bank, n) + by_institution(investor, borrowed - from_bank, n)
    if terms.warrant_share > 0.0:
        books.covers += [
            Cover(int(j), int(i), int(k), float(x), terms.warrant_share, float(x * (terms.strike - 1.0)), on="gain")
            for i, j, k, x in zip(bank, investor, shares, invested, strict=True)
            if x > 0.0
        ]
    return books.written()


@dataclass(frozen=True, slots=True)
class Upside:
    """When the upside pays for the expected loss. expected_loss, upside: a unit of loan and year, the warrant as it stands. pays: whether the
    upside is at least the loss. share_that_pays: share of the gain at which they are equal, None where not even all of it is enough."""

    expected_loss: float
    upside: float
    pays: bool
    share_that_pays: float | None


def upside(declared: LoanWithInvestment, terms: InvestmentTerms, probability: float, given_default: float) -> Upside:
    """Expected loss of a loan against the mean payoff of its warrant, a unit of loan, a year, before the investor may fail."""
    loss = probability * given_default
    whole = terms.investment_per_loan * warrant_value(
        declared.equity.volatility, declared.equity.expected_return, terms.strike
    )
    share = loss / whole if whole > 0.0 else np.inf
    return Upside(loss, terms.warrant_share * whole, terms.warrant_share >= share, share if share <= 1.0 else None)


def value(declared: LoanWithInvestment, terms: InvestmentTerms, loans: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any failure."""
    size = granted(declared, terms, loans, system)
    pools = [system.asset_classes[k] for k in loans.pool]
    margin, loss = np.array([p.net_margin for p in pools]), np.array([pool_loss(p) for p in pools])
    invested = float(terms.investment_per_loan * size.sum())
    passed = terms.warrant_share * invested
    passed *= warrant_value(declared.equity.volatility, declared.equity.expected_return, terms.strike)
    return (
        Line("banks", "margin on loans", float(margin @ size)),
        Line("banks", "expected loss on loans", -float(loss @ size), loss=True),
        Line("banks", "warrants", passed),
        Line("investors", "expected return on equity", declared.equity.expected_return * invested),
        Line("investors", "warrants", -passed),
    )


def facts(declared: LoanWithInvestment, terms: InvestmentTerms, loans: Deals, system: System) -> Iterator[Fact]:
    """No shipped rule limits outside investment beside loans; what banks lend to investors is in their exposures."""
    return iter(())
