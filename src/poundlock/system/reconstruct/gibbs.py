"""Networks drawn from a posterior: every cell nought or exponential beforehand, totals and known cells given.

Where a cell is nought with probability 1 - p and exponential with its rate otherwise, the law given the totals has a density
on each set of links that holds all institutions together: the product of p rate exp(-rate x) over the links and of 1 - p over the
noughts. (Sets of links that fall apart into groups with equal totals have no part in it: with totals that are real numbers they
never occur, and where totals force groups apart, each group is one of its own.)
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree

from poundlock.system.reconstruct.cycles import SHORT, Chain, Law, copy_out, list_links, walk
from poundlock.system.reconstruct.entropy import Floats
from poundlock.system.reconstruct.given import Given, whole
from poundlock.system.reconstruct.mixing import effective_size, split_r_hat

ROUNDS = (10, 10, 20, 40)
"""Sweeps of the rounds that bring the chains from the dense start to where they belong."""
LAST = 120
"""Sweeps of the one after them, more in small networks. It sets the probability where a density is asked for, and tells how fast
the chains mix."""


@dataclass(frozen=True)
class Bounds:
    """When a sample may speak. least_effective: smallest effective size of density and of largest amount. r_hat_at_most: largest
    split R-hat of either. max_sweeps: bound on the sweeps of a chain; a sweep is as many steps as there are links."""

    least_effective: float = 400.0
    r_hat_at_most: float = 1.01
    max_sweeps: int = 200_000


@dataclass(frozen=True)
class Mixing:
    """chains, sweeps of each in the last round. density: mean along all chains. density_size, largest_size: effective sizes of
    density and of the largest amount. density_r_hat, largest_r_hat: split R-hat of both. probability: p, where it was set so as
    to reach a density; NaN where it was given."""

    chains: int
    sweeps: int
    density: float
    density_size: float
    largest_size: float
    density_r_hat: float
    largest_r_hat: float
    probability: float


@dataclass(frozen=True)
class Posterior:
    """networks: in money, known cells included. mixing: None where there is but one network. reason: why it may not speak, or
    empty."""

    networks: tuple[csr_array, ...] = field(repr=False)
    mixing: Mixing | None
    reason: str


@dataclass(frozen=True)
class _Chains:
    """The chains as the lower storey knows them. quantum: units of money a quantum. sweep: steps of the kernel a sweep."""

    law: Law
    chains: tuple[Chain, ...]
    quantum: float
    sweep: int


def sample(
    known: Given,
    start: Floats,
    *,
    count: int,
    seed: int,
    density: float | None,
    probability: Floats | float | None,
    rate: Floats | float | None,
    chains: int,
    bounds: Bounds,
) -> Posterior:
    """`count` networks from the posterior, evenly spaced along `chains` chains.

    start: (n, n), units, positive wherever an amount can be. probability: p of a link beforehand, one or (n, n); default: the one
    p at which the mean density comes to `density`. rate: of the amount of a link, one over money, one or (n, n); default: so that
    the expected sum is the sum of the totals. With one p and one rate only (1 - p) / (p rate) matters.
    Source: Gandy and Veraart 2017, Management Science 63(12), section 3; p from a density: Gandy and Veraart 2019, Journal of
    Multivariate Analysis 172.
    """
    quanta, quantum, needed = _whole_quanta(known, start)
    possible = int((quanta > 0).sum())
    wanted = np.nan if density is None else density * known.cells - known.links
    if probability is None and not needed <= wanted <= possible:
        low, high = (needed + known.links) / known.cells, (possible + known.links) / known.cells
        return Posterior((), None, f"densities from {low:.4g} to {high:.4g} are possible with these totals")
    probability = 1.0 if probability is None and wanted == possible else probability
    if possible == needed:
        return Posterior((whole(known, quanta.astype(np.float64) * quantum),) * count, None, "")
    share = wanted / possible
    law = _law(known, quanta, quantum, share if probability is None else probability, rate)
    made = _chains(law, quanta, quantum, chains, seed)
    made, p, links, largest = _warmed(made, wanted if probability is None else None, share)
    first = _judge(known, made, links, largest, p)
    mixing, networks = _until_mixed(known, made, first, count, bounds)
    return Posterior(networks, mixing, _doubts(mixing, bounds, density if probability is None else None))


def _whole_quanta(known: Given, start: Floats) -> tuple[NDArray[np.int64], float, int]:
    """The start in whole quanta that meet all totals exactly, units a quantum, and the links that any network needs so as to
    hold together what can be held together. What rounding leaves is carried along a tree of the largest amounts."""
    n = len(known)
    if not start.any():
        return np.zeros((n, n), dtype=np.int64), 1.0, 0
    cells = coo_array(start)
    lender, borrower = cells.coords[0], cells.coords[1] + n
    graph = csr_array((-cells.data, (lender, borrower)), shape=(2 * n, 2 * n))
    groups, group = connected_components(graph, directed=False)
    totals, quantum = _counted(known)
    alone, side = np.bincount(group) == 1, np.repeat([1, -1], n)
    uneven = np.zeros(groups, dtype=np.int64)
    np.add.at(uneven, group, side * totals)
    for g in np.flatnonzero((uneven != 0) & ~alone):
        largest = int(np.argmax(np.where((group == g) & (side < 0), totals, -1)))
        totals[largest] += uneven[g]
    quanta = np.zeros((n, n), dtype=np.int64)
    quanta[lender, borrower - n] = np.floor(cells.data / quantum).astype(np.int64)
    left = totals - np.concatenate([quanta.sum(axis=1), quanta.sum(axis=0)])
    tree = minimum_spanning_tree(graph)
    for root in np.unique(group, return_index=True)[1]:
        order, parent = breadth_first_order(tree, root, directed=False)
        for node in order[:0:-1]:
            i, j = (node, parent[node] - n) if node < n else (parent[node], node - n)
            quanta[i, j] += left[node]
            left[parent[node]] -= left[node]
    return quanta, quantum, 2 * n - groups


def _counted(known: Given) -> tuple[NDArray[np.int64], float]:
    """Totals in whole quanta (2n,), and units a quantum. Where all are round decimal numbers so are the quanta, so that sums of
    totals that are equal on paper stay equal."""
    totals = np.concatenate([known.lends, known.owes])
    for places in range(7):
        scaled = totals * known.unit * 10.0**places
        off = np.abs(scaled - np.rint(scaled))
        if scaled.max() < 2.0**40 and (off <= np.minimum(1e-6, 1e-10 * scaled)).all():
            whole_part = np.rint(scaled).astype(np.int64)
            finer = 61 - int(np.ceil(np.log2(float(known.lends.sum()) * known.unit * 10.0**places)))
            return whole_part << finer, 10.0**-places / 2.0**finer / known.unit
    quantum = 2.0 ** (np.ceil(np.log2(float(known.lends.sum()))) - 61.0)
    return np.rint(totals / quantum).astype(np.int64), float(quantum)


def _law(
    known: Given, quanta: NDArray[np.int64], quantum: float, p: Floats | float, rate: Floats | float | None
) -> Law:
    """The law in quanta; rates as given in one over money."""
    possible, n = quanta > 0, len(known)
    chance = np.where(possible, p, 1.0)
    if rate is None:
        rates = np.full((n, n), float(chance[possible].sum()) / float(known.lends.sum()) * quantum)
    else:
        rates = np.broadcast_to(np.asarray(rate, dtype=np.float64) * (known.unit * quantum), (n, n)).copy()
    odds = np.where(possible, (1.0 - chance) / (chance * rates), -1.0)
    longest = max(2, min(int(possible.any(axis=1).sum()), int(possible.any(axis=0).sum())))
    lengths = 1.0 - (2.0 / np.arange(3, longest + 2)) ** 3
    lengths[-1] = 1.0
    flat = bool(np.ptp(rates[possible]) == 0.0)
    return Law(odds, rates, flat, lengths, *_starts(quanta))


def _starts(quanta: NDArray[np.int64]) -> tuple[NDArray[np.int32], Floats]:
    """One walk in five begins anywhere, the others where the money is."""
    totals = np.concatenate([quanta.sum(axis=1), quanta.sum(axis=0)]).astype(np.float64)
    weight = np.where(totals > 0.0, 2.0 + np.rint(8.0 * totals / totals[totals > 0.0].mean()), 0.0)
    return np.repeat(np.arange(len(totals)), weight.astype(np.int64)).astype(np.int32), weight


def _chains(law: Law, quanta: NDArray[np.int64], quantum: float, count: int, seed: int) -> _Chains:
    n = len(quanta)
    made = []
    for child in np.random.SeedSequence(seed).spawn(count):
        small = np.zeros((2 * n, n), np.int32), np.zeros(2 * n, np.int32), np.zeros((2, n, n), np.int32)
        scratch = np.zeros(2 * n, np.int32), np.zeros(2 * n, np.int64), np.zeros(2, np.int64)
        made.append(Chain(quanta.copy(), *small, *scratch, child.generate_state(4, np.uint64).astype(np.uint64)))
        list_links(made[-1])
    return _Chains(law, tuple(made), quantum, -(-int((quanta > 0).sum()) // (SHORT + 1)))


def _advance(made: _Chains, sweeps: int) -> tuple[Floats, Floats]:
    """All chains on by so many sweeps: links and largest amounts in units after each, (chains, sweeps)."""
    links, largest = np.zeros((2, len(made.chains), sweeps), dtype=np.int64)
    with ThreadPoolExecutor(len(made.chains)) as pool:
        list(pool.map(lambda c: walk(made.law, made.chains[c], made.sweep, links[c], largest[c]), range(len(links))))
    return links.astype(np.float64), largest.astype(np.float64) * made.quantum


def _shorter(made: _Chains) -> _Chains:
    """A sweep is as many steps as there are links by now."""
    links = sum(int(chain.tally[0]) for chain in made.chains) / len(made.chains)
    return replace(made, sweep=max(1, round(links / (SHORT + 1))))


def _warmed(made: _Chains, wanted: float | None, share: float) -> tuple[_Chains, float, Floats, Floats]:
    """The chains where they belong, p, and links and largest amounts along the last round. Where a number of links is wanted, p is
    set so that it is their mean: the law is an exponential family in log((1 - p) / p), so that the mean falls by the variance
    for each unit of it, which gives Newton's steps."""
    log_odds = first = 0.0 if wanted is None else float(np.log1p(-share) - np.log(share))
    unit = np.where(made.law.odds >= 0.0, made.law.odds * np.exp(-first), -1.0)
    links = largest = np.zeros((len(made.chains), 0))
    for sweeps in (*ROUNDS, round(LAST * float(np.clip(1_000.0 / max(wanted or 1_000.0, 1.0), 1.0, 5.0)))):
        links, largest = _advance(made, sweeps)
        if wanted is not None:
            late = links[:, sweeps // 4 :] if sweeps >= LAST else links[:, sweeps // 2 :]
            log_odds += float(np.clip((float(late.mean()) - wanted) / max(float(late.var()), 1.0), -1.0, 1.0))
            odds = np.where(unit >= 0.0, unit * np.exp(log_odds), -1.0)
            made = replace(made, law=made.law._replace(odds=odds))
        made = _shorter(made)
    return made, np.nan if wanted is None else float(1.0 / (1.0 + np.exp(log_odds))), links, largest


def _until_mixed(
    known: Given, made: _Chains, mixing: Mixing, count: int, bounds: Bounds
) -> tuple[Mixing, tuple[csr_array, ...]]:
    """Rounds, each as long as the one before says is needed, until the bounds are kept or no sweeps are left."""
    length, spent = mixing.sweeps, mixing.sweeps + sum(ROUNDS)
    while True:
        wanted = max(bounds.least_effective, float(count))
        few = min(mixing.density_size / wanted, mixing.largest_size / bounds.least_effective)
        longer = length * float(np.clip(1.2 / max(few, 1e-3), 0.5, 20.0))
        if mixing.density_r_hat > 1.1 or mixing.largest_r_hat > 1.1:
            longer = max(longer, 2.0 * length)
        length = max(4, min(int(longer), bounds.max_sweeps - spent))
        links, largest, networks = _collect(known, made, length, count)
        mixing = _judge(known, made, links, largest, mixing.probability)
        spent += length
        if not _doubts(mixing, bounds) or spent + length > bounds.max_sweeps:
            return mixing, networks


def _judge(known: Given, made: _Chains, links: Floats, largest: Floats, p: float) -> Mixing:
    return Mixing(
        chains=len(links),
        sweeps=links.shape[1],
        density=(float(links.mean()) + known.links) / known.cells,
        density_size=effective_size(links),
        largest_size=effective_size(largest),
        density_r_hat=split_r_hat(links),
        largest_r_hat=split_r_hat(largest),
        probability=p,
    )


def _collect(known: Given, made: _Chains, sweeps: int, count: int) -> tuple[Floats, Floats, tuple[csr_array, ...]]:
    """As `_advance`, and the networks at evenly spaced times."""
    chains, n = len(made.chains), len(known)
    each = -(-count // chains)
    sweeps = max(sweeps, each)
    links, largest = np.zeros((2, chains, sweeps), dtype=np.int64)
    times = np.linspace(0, sweeps, each + 1).astype(np.int64)

    def run(c: int) -> list[csr_array]:
        room = int((made.law.odds >= 0.0).sum()) + known.links
        starts, columns, amounts = np.zeros(n + 1, np.int32), np.empty(room, np.int32), np.empty(room)
        found = []
        for begin, end in pairwise(times):
            walk(made.law, made.chains[c], made.sweep, links[c, begin:end], largest[c, begin:end])
            copy_out(made.chains[c], made.quantum * known.unit, known.known, starts, columns, amounts)
            filled = slice(0, int(starts[n]))
            found.append(csr_array((amounts[filled].copy(), columns[filled].copy(), starts.copy()), shape=(n, n)))
        return found

    with ThreadPoolExecutor(chains) as pool:
        found = list(pool.map(run, range(chains)))
    networks = tuple(found[k % chains][k // chains] for k in range(count))
    return links.astype(np.float64), largest.astype(np.float64) * made.quantum, networks


def _doubts(mixing: Mixing, bounds: Bounds, density: float | None = None) -> str:
    """Why a sample may not speak; empty where it may."""
    said = []
    for name, size, r_hat in (
        ("density", mixing.density_size, mixing.density_r_hat),
        ("largest amount", mixing.largest_size, mixing.largest_r_hat),
    ):
        if size < bounds.least_effective:
            said.append(f"effective size of {name} {size:.0f}, at least {bounds.least_effective:g} is asked for")
        if r_hat > bounds.r_hat_at_most:
            said.append(f"R-hat of {name} {r_hat:.3f}, at most {bounds.r_hat_at_most:g} is asked for")
    if density is not None and abs(mixing.density - density) > 0.02 * density:
        said.append(f"mean density {mixing.density:.4g} where {density:.4g} is asked for")
    return "; ".join(said)
