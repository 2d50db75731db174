"""Gandy and Veraart 2017, Management Science 63(12), where the posterior can be derived on paper, listed, or integrated."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from poundlock.system import ensemble
from poundlock.system.reconstruct.mixing import effective_size

CHAINS = 4
TURN = np.array([[0.0, 1.0, -1.0], [-1.0, 0.0, 1.0], [1.0, -1.0, 0.0]])


def drawn(totals, **options):
    found = ensemble(*totals, method="gibbs", chains=CHAINS, **options)
    assert found.converged, found
    return found, np.array([amounts.toarray() for amounts in found.amounts])


def close_to(draws, exact, errors=4.0):
    """Within four Monte Carlo standard errors, by the effective size of these very draws."""
    by_chain = np.asarray(draws, dtype=float).reshape(-1, CHAINS).T
    error = by_chain.std() / np.sqrt(effective_size(by_chain))
    assert abs(by_chain.mean() - exact) <= errors * error, (by_chain.mean(), exact, error)


@pytest.mark.parametrize("flat", [True, False])
def test_three_banks_in_closed_form(flat):
    """Three banks, no lending to oneself: six cells, five totals that are independent. With t = x12 the network is
    x13 = 3 - t, x32 = 3.5 - t, x31 = 0.5 + t, x21 = 4 - t, x23 = 1 + t for lends (3, 5, 4) and owes (4.5, 3.5, 4), so that t runs from
    0, where x12 = 0, to 3, where x13 = 0. Beforehand a cell is 0 with 1 - p and has density p rate exp(-rate x) otherwise. The
    conditional law of t is, up to one factor, by the change of variables from six cells to (five totals, t) with determinant 1,

      (1 - p12) / (p12 rate12)                     at t = 0        (the density of x12 is replaced by its atom)
      exp(-s t) dt                                 for 0 < t < 3   (s = rate12 + rate23 + rate31 - rate13 - rate32 - rate21)
      (1 - p13) / (p13 rate13) exp(-3 s)           at t = 3        (that of x13 is)

    with mass (1 - exp(-3 s)) / s and mean 1 / s - 3 / (exp(3 s) - 1) inside; 3 and 3 / 2 where s = 0."""
    rate = np.ones((3, 3)) * 0.7 if flat else np.array([[1, 0.3, 0.5], [0.7, 1, 0.2], [0.4, 0.6, 1.0]])
    p = np.ones((3, 3)) * 0.6 if flat else np.array([[1, 0.6, 0.3], [0.5, 1, 0.8], [0.7, 0.4, 1.0]])
    s = float((TURN * rate).sum())
    inside, mean = (3.0, 1.5) if flat else ((1 - np.exp(-3 * s)) / s, 1 / s - 3 / (np.exp(3 * s) - 1))
    odds = (1 - p) / (p * rate)
    weights = np.array([odds[0, 1], inside, odds[0, 2] * np.exp(-3 * s)])
    weights /= weights.sum()
    _, x = drawn(([3, 5, 4], [4.5, 3.5, 4]), probability=p, rate=rate, count=4_000, seed=5)
    close_to(x[:, 0, 1] == 0, weights[0])
    close_to(x[:, 0, 2] == 0, weights[2])
    close_to(x[:, 0, 1], weights[1] * mean + weights[2] * 3.0)
    np.testing.assert_allclose(x[:, 1, 2], 1.0 + x[:, 0, 1], rtol=1e-12)


def incidence(cells, n):
    sums = np.zeros((2 * n, len(cells)))
    for k, (i, j) in enumerate(cells):
        sums[i, k] = sums[n + j, k] = 1.0
    return sums


def spanning(sums):
    """Columns of a spanning tree, or None where the links do not hold all together."""
    chosen = []
    for k in range(sums.shape[1]):
        if np.linalg.matrix_rank(sums[:, [*chosen, k]]) > len(chosen):
            chosen.append(k)
    return chosen if len(chosen) == len(sums) - 1 else None


def feasible(sums, totals):
    """Whether amounts on all these links can be positive at once."""
    count = sums.shape[1]
    system = np.hstack([sums, sums.sum(axis=1)[:, None]])
    solved = linprog([*np.zeros(count), -1.0], A_eq=system, b_eq=totals, method="highs")
    return solved.status == 0 and solved.x[-1] > 1e-9


def supports(cells, n, totals):
    found = set()
    for size in range(2 * n - 1, len(cells) + 1):
        for some in combinations(cells, size):
            sums = incidence(some, n)
            if np.linalg.matrix_rank(sums) == 2 * n - 1 and feasible(sums, totals):
                found.add(frozenset(some))
    return found


def visited(x):
    return {frozenset((int(i), int(j)) for i, j in np.argwhere(network > 0)) for network in x}


def test_every_set_of_links_is_reached_with_known_noughts():
    """Four banks; 1 does not lend to 3, nor 2 to 4. All sets of links that hold the banks together and can carry the totals."""
    lends, owes = [3.0, 4.1, 2.7, 3.9], [2.35, 3.6, 4.43, 3.32]
    known = np.full((4, 4), np.nan)
    known[0, 2] = known[1, 3] = 0.0
    cells = [(i, j) for i in range(4) for j in range(4) if i != j and (i, j) not in {(0, 2), (1, 3)}]
    expected = supports(cells, 4, np.array(lends + owes))
    _, x = drawn((lends, owes), known=known, probability=0.35, count=8_000, seed=2)
    assert len(expected) > 10
    assert visited(x) == expected


def test_sets_of_links_that_fall_apart_have_no_part():
    """3 + 2.7 = 2.3 + 3.4 on paper, though not in binary numbers: two banks could trade among themselves, but no draw says so."""
    lends, owes = [3.0, 4.1, 2.7, 3.9], [2.3, 3.6, 4.4, 3.4]
    _, x = drawn((lends, owes), probability=0.2, count=2_000, seed=2)
    cells = [(i, j) for i in range(4) for j in range(4) if i != j]
    assert visited(x) <= supports(cells, 4, np.array(lends + owes))
    assert x[x > 0].min() > 1e-12


def test_one_long_cycle_is_walked_around():
    """Links only to oneself and to the next: the one cycle has eight cells, no shorter move exists."""
    allowed = np.eye(4, dtype=bool) | np.roll(np.eye(4, dtype=bool), 1, axis=1)
    _, x = drawn(([3, 4, 5, 6.0], [3.5, 4.5, 5.5, 4.5]), allowed=allowed, probability=0.5, count=400, seed=0)
    assert len(visited(x)) == 3


def test_law_on_four_banks_by_integration():
    """Each set of links has the integral of its density over the amounts that meet the totals, here from points drawn uniformly
    in a box around the free ones (any spanning tree solves for the rest with determinant 1)."""
    draw, n = np.random.default_rng(0), 4
    totals = np.array([3.0, 4.1, 2.7, 3.9, 2.35, 3.6, 4.43, 3.32])
    cells = [(i, j) for i in range(n) for j in range(n) if i != j]
    rate, p = 0.3 + draw.random((n, n)), 0.2 + 0.6 * draw.random((n, n))
    r, q = (np.array([a[cell] for cell in cells]) for a in (rate, p))
    top = np.array([min(totals[i], totals[n + j]) for i, j in cells])
    weight, largest = np.zeros(13), 0.0
    for size in range(7, 13):
        for some in combinations(range(12), size):
            sums = incidence([cells[k] for k in some], n)
            tree = spanning(sums)
            if tree is None:
                continue
            links = np.array(some)
            rest = np.setdiff1d(np.arange(size), tree)
            x = np.zeros((1 if size == 7 else 3_000, size))
            x[:, rest] = draw.random((len(x), len(rest))) * top[links[rest]]
            x[:, tree] = (np.linalg.pinv(sums[:, tree]) @ (totals[:, None] - sums[:, rest] @ x[:, rest].T)).T
            density = np.where((x > 0).all(axis=1), np.exp(-x @ r[links]), 0.0) * np.prod(top[links[rest]])
            density *= np.prod(q[links] * r[links]) * np.prod(1 - np.delete(q, links))
            weight[size] += density.mean()
            largest += float((density * x.max(axis=1)).mean())
    found, x = drawn((totals[:4], totals[4:]), probability=p, rate=rate, count=8_000, seed=3)
    links = (x > 0).sum(axis=(1, 2))
    for size in range(7, 12):
        exact = weight[size] / weight.sum()
        assert abs((links == size).mean() - exact) <= 0.02 * exact + 4 * np.sqrt(exact / found.density_size)
    assert x.max(axis=(1, 2)).mean() == pytest.approx(largest / weight.sum(), rel=0.01)
