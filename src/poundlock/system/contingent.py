"""What is owed only if something happens: guarantees, insurance, group support; and dependence on providers of services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import inf
from typing import Final, Literal

import numpy as np
from scipy.sparse import csr_array

Covers = Literal["claims", "own-loss", "shortfall"]
COVERS: Final[tuple[Covers, ...]] = ("claims", "own-loss", "shortfall")


@dataclass(frozen=True)
class Guarantee:
    """The guarantor owes the beneficiary min(limit, share * max(0, loss - deductible)), and pays what it can.

    guarantor, beneficiary, debtor: institution numbers. covers: 'claims', loss of the beneficiary on its debts from `debtor`
    (guarantee, first loss); 'own-loss', its direct loss in the scenario (insurance); 'shortfall', its equity below zero (group
    support). Several for one loss are called in the tuple's order; a shortfall that an earlier one promised to cover is not
    covered twice. rank: seniority among the guarantor's obligations. money: deductible, limit.
    """

    guarantor: int
    beneficiary: int
    covers: Covers
    debtor: int = -1
    share: float = 1.0
    deductible: float = 0.0
    limit: float = inf
    rank: int = 1


@dataclass(frozen=True)
class Dependences:
    """Who depends on which provider of services. daily_margin[i, p]: what i loses for each day that p stops, money.
    daily_flow[i, p]: payments to i that pass through p in a day; what is not settled stays a claim of i on p."""

    daily_margin: csr_array = field(repr=False)
    daily_flow: csr_array = field(repr=False)


def towers(guarantees: Iterable[Guarantee]) -> list[Guarantee]:
    """Sorted by beneficiary, losses before shortfalls; each further support of one shortfall begins where those before it end."""
    found: list[Guarantee] = []
    by_beneficiary = sorted(guarantees, key=lambda g: (g.beneficiary, COVERS.index(g.covers)))
    for (_, covers), group in groupby(by_beneficiary, key=lambda g: (g.beneficiary, g.covers)):
        members = list(group)
        found += _stacked(members) if covers == "shortfall" else members
    return found


def _stacked(supports: list[Guarantee]) -> Iterator[Guarantee]:
    below = 0.0
    for support in supports:
        yield replace(support, deductible=support.deductible + below)
        below += support.limit / support.share if support.share > 0.0 else 0.0


def covered_too_often(guarantees: Iterable[Guarantee]) -> list[tuple[Guarantee, float]]:
    """Guarantees after which more than each further unit of one loss is promised, with the sum of the shares there.

    Cover of more than the loss would let a beneficiary gain from a failure; then there need not be any greatest solution
    (Schuldenzucker, Seuken and Battiston 2020, Management Science 66(5))."""
    found = []
    ordered = sorted(towers(guarantees), key=lambda g: (g.beneficiary, g.covers, g.debtor))
    for _, group in groupby(ordered, key=lambda g: (g.beneficiary, g.covers, g.debtor)):
        members = list(group)
        for one in members:
            at = one.deductible
            total = sum(
                g.share for g in members if g.share > 0 and g.deductible <= at < g.deductible + g.limit / g.share
            )
            if total > 1.0 + 1e-12:
                found.append((one, float(np.round(total, 12))))
                break
    return found
