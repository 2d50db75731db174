"""Groups of lenders and borrowers whose totals balance among themselves, and the fewest links that they allow."""

from __future__ import annotations

from itertools import chain, combinations
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array

from poundlock.system.reconstruct.entropy import Floats
from poundlock.system.reconstruct.given import Given, Mask

Group = tuple[tuple[int, ...], tuple[int, ...]]

BALANCED = 1e-14
"""Difference of two sums of totals, over the sum of all, up to which it is rounding."""
ALL_SUBSETS = 20
"""Lenders and borrowers up to which every way to form groups is looked at."""
ALL_SUMS = 40
"""Lenders and borrowers up to which the sums of all subsets are looked at, half by half."""
MOST = 1_000_000
"""Groups of one kind that are looked at on either side."""


def balanced_groups(known: Given, lenders: list[int], borrowers: list[int], size: tuple[int, int]) -> list[Group]:
    """All groups of size[0] of these lenders and size[1] of these borrowers with equal totals."""
    if size[0] > len(lenders) or size[1] > len(borrowers):
        return []
    some, others = _parties(lenders, size[0]), _parties(borrowers, size[1])
    lent, owed = known.lends[some].sum(axis=1), known.owes[others].sum(axis=1)
    order = np.argsort(owed, kind="stable")
    slack = BALANCED * float(known.lends.sum())
    first = np.searchsorted(owed[order], lent - slack)
    last = np.searchsorted(owed[order], lent + slack, side="right")
    return [
        (tuple(some[k].tolist()), tuple(others[order[at]].tolist()))
        for k in np.flatnonzero(last > first)
        for at in range(first[k], last[k])
    ]


def _parties(members: list[int], size: int) -> NDArray[np.int64]:
    """All parties of this size, one a row."""
    each = chain.from_iterable(combinations(members, size))
    return np.fromiter(each, dtype=np.int64, count=size * comb(len(members), size)).reshape(-1, size)


def fewest(known: Given) -> int:
    """Links that any network with these totals has at least, known cells aside: the largest of what follows from single
    institutions (each needs partners whose totals can take its own) and from the most groups there can be."""
    nodes = int((known.lends > 0.0).sum() + (known.owes > 0.0).sum())
    if nodes == 0:
        return 0
    alone = max(_partners(known.lends, known.owes, known.free), _partners(known.owes, known.lends, known.free.T))
    if nodes <= ALL_SUBSETS:
        most = len(best_groups(known))
    elif nodes <= ALL_SUMS and not _some_balance(known):
        most = 1
    else:
        most = _most_groups(known, nodes)
    return max(alone, nodes - most)


def best_groups(known: Given) -> list[Group]:
    """The most groups into which everybody falls, up to ALL_SUBSETS lenders and borrowers; none where there are more.

    The most groups in a set are the most in it less one member, and one more if the set itself balances."""
    lenders, borrowers = np.flatnonzero(known.lends > 0.0), np.flatnonzero(known.owes > 0.0)
    signed = np.concatenate([known.lends[lenders], -known.owes[borrowers]])
    nodes = len(signed)
    if not 0 < nodes <= ALL_SUBSETS:
        return []
    balances = np.abs(_subset_sums(signed)) <= BALANCED * float(known.lends.sum())
    balances[0], balances[-1] = False, True
    masks = np.arange(1 << nodes)
    members = sum(((masks >> k) & 1 for k in range(nodes)), np.zeros(1, dtype=np.int64))
    most = np.zeros(1 << nodes, dtype=np.int8)
    for count in range(1, nodes + 1):
        layer = masks[members == count]
        for k in range(nodes):
            inside = layer[(layer >> k) & 1 == 1]
            most[inside] = np.maximum(most[inside], most[inside ^ (1 << k)])
        most[layer] += balances[layer]
    found, rest, group = [], (1 << nodes) - 1, 0
    while rest:
        if balances[rest] and group:
            found.append(group)
            group = 0
        left = most[rest] - balances[rest]
        k = next(k for k in range(nodes) if rest >> k & 1 and most[rest ^ (1 << k)] == left)
        group |= 1 << k
        rest ^= 1 << k
    return [_named(g, lenders, borrowers) for g in [*found, group]]


def _named(mask: int, lenders: NDArray[np.int64], borrowers: NDArray[np.int64]) -> Group:
    n = len(lenders)
    return (
        tuple(int(i) for k, i in enumerate(lenders) if mask >> k & 1),
        tuple(int(j) for k, j in enumerate(borrowers) if mask >> (n + k) & 1),
    )


def _partners(totals: Floats, others: Floats, free: Mask) -> int:
    largest = np.cumsum(-np.sort(-np.where(free, others, 0.0), axis=1), axis=1)
    return int(((largest < totals[:, None] * (1.0 - 1e-9)).sum(axis=1) + 1)[totals > 0.0].sum())


def _subset_sums(values: Floats) -> Floats:
    """Sum of each subset, by the number whose bits say who is in it."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums, sums + value])
    return sums


def _some_balance(known: Given) -> bool:
    """Whether some lenders and borrowers, not all, have equal totals: a sum of one half against the sums of the other. One
    institution is left out, since the rest of a balanced group is one too."""
    signed = np.concatenate([known.lends[known.lends > 0.0], -known.owes[known.owes > 0.0]])[1:]
    sums, ordered = _subset_sums(signed[::2]), np.sort(_subset_sums(signed[1::2]))
    slack = BALANCED * float(known.lends.sum())
    matches = np.searchsorted(ordered, slack - sums, side="right") - np.searchsorted(ordered, -slack - sums)
    return int(matches.sum()) > 1


def _most_groups(known: Given, nodes: int) -> int:
    """How many groups there can be at most: those of fewer than `size` members are listed, the others have at least `size`; the
    best mix, with parts of groups allowed, is a linear programme."""
    lenders, borrowers = np.flatnonzero(known.lends > 0.0).tolist(), np.flatnonzero(known.owes > 0.0).tolist()
    listed: list[Group] = []
    size = 2
    while size <= 8:
        kinds = [(a, size - a) for a in range(1, size)]
        if max(max(comb(len(lenders), a), comb(len(borrowers), b)) for a, b in kinds) > MOST:
            break
        more = [group for kind in kinds for group in balanced_groups(known, lenders, borrowers, kind)]
        if len(listed) + len(more) > 20_000:
            break
        listed += more
        size += 1
    if not listed:
        return max(1, nodes // size)
    n, members = len(known), [[*some, *(len(known) + j for j in others)] for some, others in listed]
    at = np.concatenate([np.full(len(group), k) for k, group in enumerate(members)])
    inside = coo_array((np.ones(len(at)), (np.concatenate(members), at)), shape=(2 * n, len(members)))
    gains = np.array([1.0 - len(group) / size for group in members])
    solved = linprog(-gains, A_ub=inside, b_ub=np.ones(2 * n), bounds=(0.0, 1.0), method="highs")
    return max(1, int(np.floor(nodes / size - solved.fun + 1e-6)))
