"""What must hold for any totals that some network meets, whatever the method (METHODS, section H)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poundlock.system import ensemble

QUICK = {
    "least_effective": 20.0,
    "r_hat_at_most": 10.0,
    "max_sweeps": 500,
    "chains": 2,
    "time_limit": 1.0,
    "redraws": 2,
}
OPTIONS = {
    "maximum-entropy": {},
    "minimum-density": {},
    "fitness": {"count": 2},
    "gibbs": {"count": 2, "probability": 0.4},
}


@st.composite
def observed(draw):
    """Totals of a network that exists, some of its cells known, and where links may be."""
    n, seed = draw(st.integers(2, 7)), draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    truth = random.lognormal(0, 1, (n, n)) * (random.random((n, n)) < draw(st.floats(0.3, 1)))
    np.fill_diagonal(truth, 0.0)
    known = np.where(random.random((n, n)) < draw(st.floats(0, 0.4)), truth, np.nan)
    allowed = (truth > 0) | (random.random((n, n)) < 0.8) & ~np.eye(n, dtype=bool)
    return truth, known, allowed


def rebuilt(case, method, scale=1.0):
    truth, known, allowed = case
    options = dict(OPTIONS[method])
    if method == "fitness":
        free = np.isnan(known) & allowed & (truth.sum(axis=1) > 0)[:, None] & (truth.sum(axis=0) > 0)
        left = np.where(np.isnan(known), truth, 0.0)
        free &= (left.sum(axis=1) > 0)[:, None] & (left.sum(axis=0) > 0)
        if not free.any():
            return None
        options["density"] = (0.6 * free.sum() + (known > 0).sum()) / allowed.sum()
    rows, columns = scale * truth.sum(axis=1), scale * truth.sum(axis=0)
    return ensemble(rows, columns, method=method, known=scale * known, allowed=allowed, **options, **QUICK)


@pytest.mark.parametrize("method", list(OPTIONS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=observed())
def test_totals_are_met_and_what_is_known_is_kept(method, case):
    truth, known, allowed = case
    found = rebuilt(case, method)
    if found is None:
        return
    assert found.lacking == ()
    for amounts in found.amounts:
        x = amounts.toarray()
        np.testing.assert_allclose(x.sum(axis=1), truth.sum(axis=1), rtol=2e-9)
        np.testing.assert_allclose(x.sum(axis=0), truth.sum(axis=0), rtol=2e-9)
        np.testing.assert_array_equal(x[~np.isnan(known)], known[~np.isnan(known)])
        assert np.all(x[~allowed] == 0)
        assert np.all(amounts.data > 0)
    if method != "gibbs":
        assert found.converged
    if found.at_least:
        assert found.at_least <= found.amounts[0].nnz


@pytest.mark.parametrize("method", list(OPTIONS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=observed(), power=st.integers(-40, 40))
def test_the_unit_of_money_does_not_matter(method, case, power):
    """By powers of two, so that not a bit may differ."""
    plain, scaled = rebuilt(case, method), rebuilt(case, method, 2.0**power)
    if plain is None:
        return
    assert plain.reason == scaled.reason
    for one, other in zip(plain.amounts, scaled.amounts, strict=True):
        np.testing.assert_array_equal(other.toarray(), one.toarray() * 2.0**power)


@settings(max_examples=30, deadline=None)
@given(case=observed(), random=st.randoms(use_true_random=False))
def test_names_do_not_matter(case, random):
    order = list(range(len(case[0])))
    random.shuffle(order)
    moved = tuple(array[np.ix_(order, order)] for array in case)
    one, other = rebuilt(case, "maximum-entropy"), rebuilt(moved, "maximum-entropy")
    x = one.amounts[0].toarray()
    np.testing.assert_allclose(other.amounts[0].toarray(), x[np.ix_(order, order)], atol=1e-6 * x.max(initial=1e-300))
    few, others = rebuilt(case, "minimum-density"), rebuilt(moved, "minimum-density")
    assert few.at_least <= others.amounts[0].nnz
    assert others.at_least <= few.amounts[0].nnz
