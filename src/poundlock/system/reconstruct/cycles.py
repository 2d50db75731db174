"""The lower storey of the Gibbs sampler: moves of money around cycles of cells. Loops only.

A cycle is r1-c1-r2-c2-...-rk-ck of k lenders and k borrowers; money put on every other of its 2k cells and taken from the rest
changes no total. Along it the law of the amounts has a density inside and an atom at each end, where one cell is nought.
Amounts are whole numbers of quanta, so that totals stay exact for ever and nought is nought. One file, since numba keeps
compiled functions by file.
"""

# mypy: disable-error-code="no-untyped-def"
# mypy: disallow-untyped-decorators=False

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_compiled: Final = njit(cache=True, nogil=True, error_model="numpy")
_inlined: Final = njit(cache=True, nogil=True, error_model="numpy", forceinline=True)

SHORT: Final = 7
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
_UNIT = 1.0 / 9007199254740992.0
_TO_DOUBLE = np.uint64(11)


class Law(NamedTuple):
    """The law that is sampled. odds: (n, n), (1 - p) / (p rate) in quanta, the weight of a nought against a density; negative
    where no money may move. rate: (n, n), one over quanta. flat: whether all rates are equal, so that they cancel along any
    cycle. lengths: (k,), probability that a cycle has at most 2, 3, ... lenders. starts: nodes (lenders first, n + j for borrower
    j) where walks begin, each as often as its weight (2n,) says; larger ones more often, since what they lend and owe moves in
    small steps."""

    odds: Floats
    rate: Floats
    flat: bool
    lengths: Floats
    starts: NDArray[np.int32]
    weight: Floats


class Chain(NamedTuple):
    """One chain. amount: (n, n) int64, quanta. links: (2n, n), neighbours of each node; degree: (2n,); slot: (2, n, n), where
    in the lender's and in the borrower's list a cell stands. path, stamp: scratch. tally: (2,), links now and walks done.
    state: (4,) uint64, of the random numbers."""

    amount: NDArray[np.int64]
    links: NDArray[np.int32]
    degree: NDArray[np.int32]
    slot: NDArray[np.int32]
    path: NDArray[np.int32]
    stamp: NDArray[np.int64]
    tally: NDArray[np.int64]
    state: NDArray[np.uint64]


@_inlined
def _turned(x, k):
    return (x << np.uint64(k)) | (x >> np.uint64(64 - k))


@_inlined
def _bits(state):
    """64 random bits: xoshiro256++ (Blackman and Vigna 2021, ACM Transactions on Mathematical Software 47(4))."""
    drawn = _turned(state[0] + state[3], 23) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _turned(state[3], 45)
    return drawn


@_inlined
def _uniform(state):
    return np.float64(_bits(state) >> _TO_DOUBLE) * _UNIT


@_inlined
def _part(bits, count):
    """A whole number below count from 32 bits."""
    return np.int64((bits * np.uint64(count)) >> _HALF)


@_inlined
def _add(chain, i, j):
    n = len(chain.amount)
    for side in range(2):
        node, other = (i, j) if side == 0 else (n + j, i)
        at = chain.degree[node]
        chain.links[node, at] = other
        chain.slot[side, i, j] = at
        chain.degree[node] = at + 1
    chain.tally[0] += 1


@_inlined
def _remove(chain, i, j):
    n = len(chain.amount)
    for side in range(2):
        node = i if side == 0 else n + j
        last = chain.degree[node] - 1
        at, moved = chain.slot[side, i, j], chain.links[node, last]
        chain.links[node, at] = moved
        chain.degree[node] = last
        if side == 0:
            chain.slot[0, i, moved] = at
        else:
            chain.slot[1, moved, j] = at
    chain.tally[0] -= 1


@_compiled
def list_links(chain):
    """Fill the lists of links from the amounts."""
    chain.degree[:] = 0
    chain.tally[0] = 0
    for i in range(len(chain.amount)):
        for j in range(len(chain.amount)):
            if chain.amount[i, j] > 0:
                _add(chain, i, j)


@_inlined
def _length(law, state):
    """Nodes of the next cycle, an even number from 4."""
    u, k = _uniform(state), 0
    while u >= law.lengths[k]:
        k += 1
    return 4 + 2 * k


@_inlined
def _found(law, chain, nodes):
    """A path of `nodes` different nodes, from link to link, whose ends may be joined; into chain.path. False where the walk
    ran into itself, a dead end, or a cell that may not change.

    The first node is drawn by weight, then any link but the one walked in on: the chance of the path is, but for a constant,
    weight(first) / degree(first) times the product of 1 / (degree - 1) over the nodes between its ends."""
    n, path, stamp = len(chain.amount), chain.path, chain.stamp
    bits = _bits(chain.state)
    first = np.int64(law.starts[_part(bits & _LOW, len(law.starts))])
    at = _part(bits >> _HALF, chain.degree[first])
    walk = chain.tally[1] + 1
    chain.tally[1] = walk
    path[0] = first
    stamp[first] = walk
    node = first
    for step in range(1, nodes):
        other = np.int64(chain.links[node, at])
        if node < n:
            came, node = chain.slot[1, node, other], n + other
        else:
            came, node = chain.slot[0, other, node - n], other
        if nodes > 4 and stamp[node] == walk:
            return False
        stamp[node] = walk
        path[step] = node
        if step < nodes - 1:
            choices = chain.degree[node] - 1
            if choices == 0:
                return False
            if step & 1:
                bits = _bits(chain.state)
            at = _part(bits & _LOW if step & 1 else bits >> _HALF, choices)
            at += 1 if at >= came else 0
    return law.odds[first, node - n] >= 0.0 if first < n else law.odds[node, first - n] >= 0.0


@_inlined
def _cell(chain, k, nodes):
    """Lender and borrower of the k-th cell of the cycle, the last one joins the ends of the path."""
    n = len(chain.amount)
    one, two = np.int64(chain.path[k]), np.int64(chain.path[k + 1 if k + 1 < nodes else 0])
    return (one, two - n) if one < n else (two, one - n)


@_inlined
def _full_degree(chain, k, nodes, opening):
    """Links of the k-th node of the cycle, were all cells of the cycle links. opening: 1 where the joining cell is none."""
    at_end = opening if k == 0 or k == nodes - 1 else 0
    return np.float64(chain.degree[chain.path[k]] + at_end)


@_inlined
def _next(k, nodes):
    return k + 1 if k + 1 < nodes else 0


@_inlined
def _ways(law, chain, nodes, opening):
    """Chance that a walk finds the cycle while all its cells are links, times the product of D - 1 over its nodes, D their
    degrees then: the sum over joining cells, and over the two directions, of the chance that `_found` names."""
    found = 0.0
    for k in range(nodes):
        one, two = _full_degree(chain, k, nodes, opening), _full_degree(chain, _next(k, nodes), nodes, opening)
        starts = law.weight[chain.path[k]] / one + law.weight[chain.path[_next(k, nodes)]] / two
        found += (one - 1.0) * (two - 1.0) * starts
    return found


@_inlined
def _end(law, chain, nodes, opening, parity):
    """The end of the line at which cells k = parity, parity + 2, ... run out of money: (money to move, weight of its atom
    times the chance of finding the cycle there). No weight where two cells run out at once: a support that falls apart."""
    least, where, tie = np.int64(9223372036854775807), 0, False
    for k in range(parity, nodes, 2):
        i, j = _cell(chain, k, nodes)
        x = chain.amount[i, j]
        if x < least:
            least, where, tie = x, k, False
        elif x == least:
            tie = True
    i, j = _cell(chain, where, nodes)
    after = _next(where, nodes)
    one, two = _full_degree(chain, where, nodes, opening) - 1.0, _full_degree(chain, after, nodes, opening) - 1.0
    ways = law.weight[chain.path[where]] * two + law.weight[chain.path[after]] * one
    return least, 0.0 if tie else law.odds[i, j] * ways


@_inlined
def _slope(law, chain, nodes):
    """Fall of the log density for each quantum put on the cells 0, 2, ... of the cycle."""
    slope, sign = 0.0, 1.0
    for k in range(nodes):
        i, j = _cell(chain, k, nodes)
        slope += sign * law.rate[i, j]
        sign = -sign
    return slope


@_inlined
def _inside(slope, length, u):
    """A whole number of quanta strictly between nought and length, with density falling at `slope`, from u in [0, 1)."""
    steep, share = abs(slope * length), u
    if steep > 1e-9:
        share = -np.log1p(u * np.expm1(-steep)) / steep
        share = share if slope > 0.0 else 1.0 - share
    return np.int64(min(max(np.int64(share * length), 1), length - 1))


@_inlined
def _shift(chain, nodes, delta):
    """Put delta quanta on cells 0, 2, ... and take them from the others; links that come and go."""
    for k in range(nodes):
        i, j = _cell(chain, k, nodes)
        before = chain.amount[i, j]
        after = before + delta if k & 1 == 0 else before - delta
        chain.amount[i, j] = after
        if before == 0:
            _add(chain, i, j)
        elif after == 0:
            _remove(chain, i, j)


@_inlined
def _draw_anew(law, chain, nodes):
    """Draw the amounts on the cycle found anew. Together with `_walk` a Gibbs step on (network, cycle found), whose joint law is
    that of the network times the chance of finding the cycle in it; hence the weights in `_ways` and `_end`."""
    i, j = _cell(chain, nodes - 1, nodes)
    opening = 1 if chain.amount[i, j] == 0 else 0
    back, low = _end(law, chain, nodes, opening, 0)
    ahead, high = _end(law, chain, nodes, opening, 1)
    length = back + ahead
    slope = 0.0 if law.flat else _slope(law, chain, nodes)
    span, fall = np.float64(length), slope * length
    if abs(fall) > 1e-9:
        span = -np.expm1(-abs(fall)) / abs(slope)
        if slope > 0.0:
            high *= np.exp(-fall)
        else:
            low *= np.exp(fall)
    inside = span * _ways(law, chain, nodes, opening) if length > 1 else 0.0
    total, held = low + high + inside, high if opening else inside
    others = total - held
    moves, delta = False, 0
    if others > 0.0:
        u, v = _uniform(chain.state) * others, _uniform(chain.state)
        if u < low:
            moves, delta = v * (total - low) < others, -back
        elif opening:
            delta = _inside(slope, length, _uniform(chain.state)) - back
            moves = v * (total - inside) < others
        else:
            moves, delta = v * (total - high) < others, ahead
    if not moves:
        delta = 0 if opening else _inside(slope, length, _uniform(chain.state)) - back
    if delta != 0:
        _shift(chain, nodes, delta)


@_compiled
def walk(law, chain, stride, links, largest):
    """Advance by `stride` steps for each entry of links and largest, and write there the number of links and the largest amount.
    A step is SHORT of the shortest cycles, compiled on their own without loops, and one of a length that is drawn."""
    for t in range(len(links)):
        for _ in range(stride):
            for _ in range(SHORT):
                if _found(law, chain, 4):
                    _draw_anew(law, chain, 4)
            nodes = _length(law, chain.state)
            if _found(law, chain, nodes):
                _draw_anew(law, chain, nodes)
        links[t] = chain.tally[0]
        most = 0
        for i in range(len(chain.amount)):
            for at in range(chain.degree[i]):
                most = max(most, chain.amount[i, chain.links[i, at]])
        largest[t] = most


@_compiled
def copy_out(chain, quantum, fixed, starts, columns, amounts):
    """Write the network in rows: amounts in quanta times `quantum`, and `fixed` (n, n) where that is positive."""
    at = 0
    for i in range(len(fixed)):
        for j in range(len(fixed)):
            x = chain.amount[i, j] * quantum if chain.amount[i, j] > 0 else fixed[i, j]
            if x > 0.0:
                columns[at], amounts[at] = j, x
                at += 1
        starts[i + 1] = at
