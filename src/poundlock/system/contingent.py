"""What is owed only if something happens: guarantees, insurance, group support; and dependence on providers of services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import groupby
from math import inf
from typing import Final, Literal

from scipy.sparse import csr_array

Covers = Literal["claims", "own-loss", "shortfall"]
COVERS: Final[tuple[Covers, ...]] = ("claims", "own-loss", "shortfall")


@dataclass(frozen=True)
class Guarantee:
    """The guarantor owes the beneficiary min(limit, share * max(0, loss - deductible)), and pays what it can.

    guarantor, beneficiary, debtor: institution numbers. covers: 'claims', loss of the beneficiary on its debts from `debtor`
    (guarantee, first loss); 'own-loss', its direct loss in the scenario, not by outages (insurance); 'shortfall', its
    equity below zero before what it owes under guarantees of its own (group support). Several for one loss are called in the tuple's order; a shortfall that an earlier one promised to cover is not
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
    return [guarantee for _, guarantee in _towers(guarantees)]


def covered_too_often(guarantees: Iterable[Guarantee]) -> list[tuple[int, float]]:
    """Numbers of guarantees from which on more than each further unit of one loss is promised, and the sum of the shares there.

    Cover of more than the loss would let a beneficiary gain from a failure; then there need not be any greatest solution
    (Schuldenzucker, Seuken and Battiston 2020, Management Science 66(5))."""
    found = []
    ordered = sorted(_towers(guarantees), key=lambda one: _loss(one[1]))
    for _, group in groupby(ordered, key=lambda one: _loss(one[1])):
        members = list(group)
        for number, one in members:
            at = one.deductible
            here = (g for _, g in members if g.share > 0.0 and g.deductible <= at < g.deductible + g.limit / g.share)
            total = sum(g.share for g in here)
            if total > 1.0 + 1e-12:
                found.append((number, round(total, 12)))
                break
    return found


def _loss(guarantee: Guarantee) -> tuple[int, str, int]:
    """What guarantees of one loss have in common."""
    return guarantee.beneficiary, guarantee.covers, guarantee.debtor if guarantee.covers == "claims" else -1


def _towers(guarantees: Iterable[Guarantee]) -> Iterator[tuple[int, Guarantee]]:
    """With the number of each in the order given."""
    by_beneficiary = sorted(enumerate(guarantees), key=lambda one: (one[1].beneficiary, COVERS.index(one[1].covers)))
    below, before = 0.0, (-1, "")
    for number, guarantee in by_beneficiary:
        if (guarantee.beneficiary, guarantee.covers) != before:
            below, before = 0.0, (guarantee.beneficiary, guarantee.covers)
        if guarantee.covers == "shortfall":
            yield number, replace(guarantee, deductible=guarantee.deductible + below)
            below += guarantee.limit / guarantee.share if guarantee.share > 0.0 else 0.0
        else:
            yield number, guarantee
