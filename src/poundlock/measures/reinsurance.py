"""Reinsurance by shares: a reinsurer takes a share of the premiums and owes the insurer the same share of its claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals
from poundlock.measures.measure import Share, Terms
from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.balance import Floats
from poundlock.system.covers import Cover


class Reinsured(Terms):
    """Terms under which an insurer passes on a share."""

    reinsured: Share = 0.0
    """Share of premiums and claims that the reinsurer of each row takes."""


def missing_reinsurer(table: Table, deals: Deals, settings: Sequence[Reinsured | None]) -> Iterator[Problem]:
    """Rows without a reinsurer where a share is reinsured."""
    if not any(terms is not None and terms.reinsured > 0.0 for terms in settings):
        return
    there = deals["reinsurer"] if "reinsurer" in deals.roles else np.full(len(deals), -1)
    for row in np.flatnonzero(there < 0)[:1]:
        cure = "name one in the column reinsurer, or set reinsured to 0"
        yield table.problem(int(row), "reinsured above 0, but no reinsurer", "an institution that reinsures", cure)


def passed_on(books: Books, terms: Reinsured, deals: Deals, written: NDArray[np.bool_], premium: Floats) -> None:
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
