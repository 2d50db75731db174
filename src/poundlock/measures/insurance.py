"""What insurances have in common: layer, premium, subsidy, a cap on one insurer; and reinsurance by shares, in which a reinsurer takes a share of the
premiums and owes the insurer the same share of its claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, cut
from poundlock.measures.measure import Line, Share, Terms
from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.balance import Floats, System, equity
from poundlock.system.covers import Cover


class InsuranceTerms(Terms):
    """One setting of an insurance; fractions of what is insured. Leave a cap out to mean none."""

    cover_share: Share
    """Part of a loss beyond the deductible that the insurer bears."""
    deductible: Share = 0.0
    """Loss that the insured bears first."""
    limit: Annotated[float, Field(ge=0.0)] | None = None
    """Most that the insurer pays."""
    premium_rate: Share = 0.0
    """Premium of a year."""
    premium_subsidy: Share = 0.0
    """Part of the premium that the state pays."""
    insurer_cap: Annotated[float, Field(ge=0.0)] | None = None
    """What one insurer covers, at most this multiple of its equity."""
    reinsured: Share = 0.0
    """Share of premiums and claims that the reinsurer of each row takes."""

    @property
    def most(self) -> float:
        """The limit, infinite where there is none."""
        return np.inf if self.limit is None else self.limit


def within_cap(terms: InsuranceTerms, deals: Deals, system: System) -> Floats:
    """What the cap on one insurer leaves of each entry. (entries,), money."""
    if terms.insurer_cap is None:
        return deals.amount
    own = np.maximum(equity(system), 0.0)[deals["insurer"]]
    return np.asarray(deals.amount * cut(deals["insurer"], deals.amount, terms.insurer_cap * own))


def missing_reinsurer(
    table: Table, deals: Deals, settings: Sequence[InsuranceTerms | None], searched: frozenset[str]
) -> Iterator[Problem]:
    """Rows without a reinsurer where a share is reinsured, or a control may make it so."""
    now = any(terms is not None and terms.reinsured > 0.0 for terms in settings)
    if not now and "reinsured" not in searched:
        return
    found = "reinsured above 0" if now else "reinsured turned by a control"
    there = deals["reinsurer"] if "reinsurer" in deals.roles else np.full(len(deals), -1)
    for row in np.flatnonzero(there < 0)[:1]:
        cure = "name one in the column reinsurer, or set reinsured to 0"
        yield table.problem(int(row), f"{found}, but no reinsurer", "an institution that reinsures", cure)


def insurance_lines(terms: InsuranceTerms, payer: str, premium: float, paid: float) -> tuple[Line, ...]:
    """The year of premiums and claims by party, before any failure. payer: whom the insurer covers, in words. premium, paid: in all, money."""
    state, on = terms.premium_subsidy, terms.reinsured
    return (
        Line(payer, "premiums", -(1.0 - state) * premium),
        Line(payer, "claims on insurers", paid),
        Line("state", "premiums", -state * premium),
        Line("insurers", "premiums", (1.0 - on) * premium),
        Line("insurers", "claims", -(1.0 - on) * paid),
        Line("reinsurers", "premiums", on * premium),
        Line("reinsurers", "claims", -on * paid),
    )


def passed_on(books: Books, terms: InsuranceTerms, deals: Deals, written: NDArray[np.bool_], premium: Floats) -> None:
    """Add the reinsurer's part of the premiums, and a cover of each of the insurer's covers, which must be the last in `books`."""
    if terms.reinsured <= 0.0 or not written.any():
        return
    insurer, reinsurer = deals["insurer"][written], deals["reinsurer"][written]
    books.pay(insurer, reinsurer, terms.reinsured * premium[written])
    first = len(books.covers) - len(insurer)
    books.covers += [
        Cover(int(r), int(i), -1, 0.0, terms.reinsured, of=first + number)
        for number, (i, r) in enumerate(zip(insurer, reinsurer, strict=True))
    ]
