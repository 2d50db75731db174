"""NetworkRiskMeasures (R package, 0.1.x) on the seven banks of Anand, Craig and von Peter 2015, Quantitative Finance 15(4), p. 628.

Its output as printed in its README and asserted in tests/testthat/test_2_matrix_est.R (commit 419e339f), made by
    A <- c(7, 5, 3, 1, 3, 0, 1); L <- c(4, 5, 5, 0, 0, 2, 4)
    round(matrix_estimation(A, L, method = "me"), 2)
    set.seed(192); matrix_estimation(A, L, method = "md")
"""

from __future__ import annotations

import numpy as np

from poundlock.system import ensemble

LENDS, OWES = [7.0, 5, 3, 1, 3, 0, 1], [4.0, 5, 5, 0, 0, 2, 4]
MAXIMUM_ENTROPY = [
    [0, 2.53, 2.18, 0, 0, 0.74, 1.55],
    [1.72, 0, 1.60, 0, 0, 0.54, 1.14],
    [0.98, 1.06, 0, 0, 0, 0.31, 0.65],
    [0.25, 0.27, 0.23, 0, 0, 0.08, 0.17],
    [0.75, 0.81, 0.70, 0, 0, 0.24, 0.50],
    [0, 0, 0, 0, 0, 0, 0],
    [0.30, 0.32, 0.28, 0, 0, 0.09, 0],
]
MINIMUM_DENSITY = [
    [0, 3, 0, 0, 0, 0, 4],
    [3, 0, 2, 0, 0, 0, 0],
    [0, 2, 0, 0, 0, 1, 0],
    [0, 0, 0, 0, 0, 1, 0],
    [0, 0, 3, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 0],
    [1, 0, 0, 0, 0, 0, 0],
]


def test_maximum_entropy_to_the_last_printed_digit():
    """Its own stop rule leaves an error of 3e-4, so that a value in the middle between two digits may fall on either side."""
    found = ensemble(LENDS, OWES, method="maximum-entropy").amounts[0].toarray()
    np.testing.assert_allclose(found, MAXIMUM_ENTROPY, atol=0.0053)


def test_minimum_density_needs_no_more_links_than_its_heuristic():
    """Links are found by search there and by a mixed-integer programme here; both meet all totals."""
    theirs = np.array(MINIMUM_DENSITY, dtype=float)
    np.testing.assert_array_equal([theirs.sum(axis=1), theirs.sum(axis=0)], [LENDS, OWES])
    found = ensemble(LENDS, OWES, method="minimum-density")
    ours = found.amounts[0]
    assert found.converged
    assert ours.nnz == found.at_least, "proved to be the fewest"
    assert ours.nnz <= np.count_nonzero(theirs) == 9
    np.testing.assert_allclose([ours.sum(axis=1), ours.sum(axis=0)], [LENDS, OWES], atol=1e-9)
