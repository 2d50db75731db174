"""Tables of guarantees and dependences into records. Names have been checked before; what is still unknown is passed over."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.system.contingent import Covers, Dependences, Guarantee


def guarantees_of(table: Table, index: dict[str, int], problems: list[Problem]) -> tuple[Guarantee, ...]:
    """In the order of the rows. Adds a Problem where a debtor is named for what no debtor causes, or missing."""
    columns = {name: table[name] for name in ("share", "deductible", "limit", "rank") if name in table}
    found = []
    for row, (guarantor, beneficiary, covers) in enumerate(
        zip(table["guarantor"], table["beneficiary"], table["covers"], strict=True)
    ):
        debtor = str(table["debtor"][row]) if "debtor" in table else ""
        if (covers == "claims") != bool(debtor):
            said = f"covers '{covers}' with {f'debtor {debtor!r}' if debtor else 'no debtor'}"
            cure = "name the debtor" if not debtor else "leave debtor empty, or cover claims"
            problems.append(table.problem(row, said, "a debtor where claims are covered, and only there", cure))
        if guarantor not in index or beneficiary not in index or (debtor and debtor not in index):
            continue
        given = {name: float(values[row]) for name, values in columns.items() if not np.isnan(values[row])}
        rank = int(given.pop("rank", 1))
        kind: Covers = covers
        found.append(
            Guarantee(index[guarantor], index[beneficiary], kind, index[debtor] if debtor else -1, rank=rank, **given)
        )
    return tuple(found)


def dependences_of(table: Table, index: dict[str, int]) -> Dependences:
    """As matrices, rows of dependents and columns of providers."""
    n = len(index)
    known = [
        row
        for row, (one, other) in enumerate(zip(table["dependent"], table["provider"], strict=True))
        if one in index and other in index
    ]
    pairs = (
        [index[name] for name in table["dependent"][known]],
        [index[name] for name in table["provider"][known]],
    )
    flow = np.nan_to_num(table["daily_flow"]) if "daily_flow" in table else np.zeros(len(table))
    margin, flows = (csr_array((amount[known], pairs), shape=(n, n)) for amount in (table["daily_margin"], flow))
    return Dependences(margin, flows)
