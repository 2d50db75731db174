"""Anand, Craig and von Peter 2015, Quantitative Finance 15(4): the fewest links, where they can be counted by hand or by force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from poundlock.system import ensemble


def fewest(lends, owes, **options):
    found = ensemble(lends, owes, method="minimum-density", **options)
    assert found.converged
    return found.amounts[0].nnz, found.at_least, found.amounts[0].toarray()


def test_pairs_that_balance():
    """Three lenders, three borrowers, equal in pairs: one link each, and none could lend with less than one."""
    links, at_least, x = fewest([5, 3, 2, 0.0], [0, 2, 3, 5.0])
    assert (links, at_least) == (3, 3)
    assert (x[0, 3], x[1, 2], x[2, 1]) == (5, 3, 2)


def test_totals_of_which_no_part_balances():
    """No one or two of (10, 7, 4) equal any one or two of (9, 6.5, 5.5): all links hold together, and six institutions held together
    need five."""
    links, at_least, _ = fewest([10, 7, 4.0], [9, 6.5, 5.5])
    assert (links, at_least) == (5, 5)


def test_a_hub_that_may_not_lend_to_itself():
    """Bank 0 lends 2 and owes 2, the others 1 each: one network only, with four links, though totals pair up three times."""
    links, at_least, x = fewest([2, 1, 1.0], [2, 1, 1.0])
    assert (links, at_least) == (4, 4)
    np.testing.assert_array_equal(x, [[0, 1, 1], [1, 0, 0], [1, 0, 0]])


def by_force(lends, owes):
    n = len(lends)
    cells = [(i, j) for i in range(n) for j in range(n) if i != j]
    totals = np.concatenate([lends, owes])
    for size in range(1, 2 * n):
        for some in combinations(cells, size):
            sums = np.zeros((2 * n, size))
            for k, (i, j) in enumerate(some):
                sums[i, k] = sums[n + j, k] = 1.0
            if (sums.any(axis=1) | (totals == 0)).all():
                met = np.linalg.lstsq(sums, totals, rcond=None)[0]
                if np.abs(sums @ met - totals).max() < 1e-9:
                    solved = linprog(np.zeros(size), A_eq=sums, b_eq=totals, method="highs")
                    if solved.status == 0:
                        return size
    return None


@pytest.mark.parametrize("seed", range(4))
def test_against_all_sets_of_links(seed):
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 4, (4, 4)) * (draw.random((4, 4)) < 0.7)
    np.fill_diagonal(truth, 0)
    lends, owes = truth.sum(axis=1).astype(float), truth.sum(axis=0).astype(float)
    links, at_least, _ = fewest(lends, owes)
    assert links == at_least == by_force(lends, owes)


def test_many_banks_have_a_bound():
    draw = np.random.default_rng(0)
    truth = np.round(10 * draw.lognormal(size=(80, 80)) * (draw.random((80, 80)) < 0.3))
    np.fill_diagonal(truth, 0)
    links, at_least, _ = fewest(truth.sum(axis=1), truth.sum(axis=0))
    assert 80 <= at_least <= links < 159


def test_a_time_limit_leaves_a_network_and_a_bound():
    draw = np.random.default_rng(10)
    truth = np.round(10 * draw.lognormal(size=(10, 10)) * (draw.random((10, 10)) < 0.5))
    np.fill_diagonal(truth, 0)
    links, at_least, _ = fewest(truth.sum(axis=1), truth.sum(axis=0), time_limit=0.5)
    assert at_least <= links < 19
