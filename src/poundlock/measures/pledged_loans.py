"""Loans against pledged intellectual property, insured: a bank lends, an insurer covers part of its losses.

Of the bank's yearly loss on each entry the insurer owes min(limit, share * max(0, loss - deductible)), all three as fractions of the loan. It
earns the premium, of which the state may pay a part, and passes a share of premium and claims to a reinsurer. The insurer is an
institution that can fail, and its own assets move with the factors that move the pool (wrong-way risk): where it fails, the bank gets what is
left.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, Reading, by_institution, read_deals
from poundlock.measures.insurance import InsuranceTerms, insurance_lines, missing_reinsurer, passed_on, within_cap
from poundlock.measures.measure import Line, Measure
from poundlock.measures.premium import pool_layer, pool_loss
from poundlock.problems import Problem
from poundlock.rules import Fact
from poundlock.system.balance import AssetClass, Floats, System
from poundlock.system.covers import Cover


class CoverTerms(InsuranceTerms):
    """One setting of the insurance of loans: fractions of the loan, loss and limit those of a year."""


class PledgedLoans(Measure):
    """Bank loans against pledged intellectual property, with credit insurance."""

    kind: Literal["pledged-loans"]
    loans: str
    """CSV: bank, insurer, pool, amount [, reinsurer, average_life_days]. Loans that firms ask for."""
    today: CoverTerms
    """The setting that the verdict is about."""
    before: CoverTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "loans against intellectual property"


def read(asked: Reading, declared: PledgedLoans, problems: list[Problem]) -> Deals | None:
    """Read the table of loans; adds every Problem, returns None if there was one."""
    found = read_deals(asked, declared, "loans", ("bank", "insurer"), problems, optional_roles=("reinsurer",))
    if found is None:
        return None
    deals, table = found
    before = len(problems)
    problems.extend(missing_reinsurer(table, deals, (declared.today, declared.before), asked.searched))
    return deals if len(problems) == before else None


def opened(declared: PledgedLoans, deals: Deals, system: System) -> System:
    """Loans are made to the system's own pools: no further asset class."""
    return system


def unlimited(terms: CoverTerms) -> CoverTerms:
    """The same without the cap."""
    return terms.model_copy(update={"insurer_cap": None})


def granted(declared: PledgedLoans, terms: CoverTerms, loans: Deals, system: System) -> Floats:
    """Loans that the insurers' cap leaves. Shape as loans.amount."""
    return within_cap(terms, loans, system)


def apply(declared: PledgedLoans, terms: CoverTerms, loans: Deals, system: System) -> System:
    """The system with loans, covers, premiums and reinsurance on its books. Equity of nobody changes on the first day."""
    size, n = granted(declared, terms, loans, system), len(system)
    bank, insurer = loans["bank"], loans["insurer"]
    books = Books(system)
    books.hold(bank, loans.pool, size)
    books.owed += by_institution(bank, size, n)
    premium = terms.premium_rate * size
    books.pay(bank, insurer, (1.0 - terms.premium_subsidy) * premium)
    books.pay(None, insurer, terms.premium_subsidy * premium)
    written = size > 0.0 if terms.cover_share > 0.0 else np.zeros(len(size), dtype=bool)
    books.covers += [
        Cover(int(j), int(i), int(k), float(x), terms.cover_share, terms.deductible * float(x), terms.most * float(x))
        for i, j, k, x in zip(bank[written], insurer[written], loans.pool[written], size[written], strict=True)
    ]
    passed_on(books, terms, loans, written, premium)
    return books.written()


def fair_rate(terms: CoverTerms, pool: AssetClass) -> float:
    """Mean yearly payment of the insurer, a unit of loan: premium at which it neither gains nor loses."""
    return pool_layer(pool, share=terms.cover_share, deductible=terms.deductible, limit=terms.most)


def insured(
    declared: PledgedLoans, terms: CoverTerms, loans: Deals, system: System, lost: Floats
) -> tuple[Floats, float, float, float]:
    """Claims on the insurers in each scenario, the premiums and the loans covered, money, and the fair rate. lost: (s, k), share of each asset class
    that is lost before margin. Claims (s,)."""
    size = granted(declared, terms, loans, system)
    rate = np.minimum(terms.most, terms.cover_share * np.maximum(0.0, lost[:, loans.pool] - terms.deductible))
    fair = float(np.array([fair_rate(terms, system.asset_classes[k]) for k in loans.pool]) @ size)
    total = float(size.sum())
    return rate @ size, terms.premium_rate * total, total, fair / total if total > 0.0 else 0.0


def value(declared: PledgedLoans, terms: CoverTerms, loans: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any failure."""
    size = granted(declared, terms, loans, system)
    pools = [system.asset_classes[k] for k in loans.pool]
    margin, loss = np.array([p.net_margin for p in pools]), np.array([pool_loss(p) for p in pools])
    paid = float(np.array([fair_rate(terms, p) for p in pools]) @ size)
    return (
        Line("banks", "margin on loans", float(margin @ size)),
        Line("banks", "expected loss on loans", -float(loss @ size), loss=True),
        *insurance_lines(terms, "banks", terms.premium_rate * float(size.sum()), paid),
    )


def facts(declared: PledgedLoans, terms: CoverTerms, loans: Deals, system: System) -> Iterator[Fact]:
    """No shipped rule limits credit insurance of pledged loans."""
    return iter(())
