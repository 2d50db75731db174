"""What must hold for any totals that some network meets, whatever the method (METHODS, section H)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from poundlock.system import ensemble
from poundlock.system.reconstruct.fitness import chances
from poundlock.system.reconstruct.given import given as facts_of
from poundlock.system.reconstruct.given import parts_of

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


@st.composite
def observed_by_block(draw):
    """The same, and some totals by block."""
    case = draw(observed())
    n, random = len(case[0]), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    blocks = draw(st.integers(1, n))
    block_of = random.integers(0, blocks, n)
    sums = np.where(random.random((n, blocks)) < draw(st.floats(0, 1)), np.nan, case[0] @ np.eye(blocks)[block_of])
    return case, block_of, sums


def with_blocks(by_block, scale=1.0):
    """What is given, maximum entropy, and a density that is possible; None where no cell is free."""
    (truth, known, allowed), block_of, sums = by_block
    options = {
        "row_totals": scale * truth.sum(axis=1),
        "column_totals": scale * truth.sum(axis=0),
        "known": scale * known,
        "allowed": allowed,
        "block_of": block_of,
        "block_totals": scale * sums,
    }
    facts, even = facts_of(**options), ensemble(**options)
    assert even.converged, even
    links = int((known > 0).sum())
    room, needed = even.amounts[0].nnz - links, 0
    if np.isfinite(sums).any():
        needed = len(parts_of(facts.lends, facts.blocks, facts.block_of, facts.free).lends)
    density = (needed + 0.6 * (room - needed) + links) / allowed.sum() if room else None
    return options, facts, even.amounts[0].toarray(), density


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(by_block=observed_by_block(), power=st.integers(-40, 40))
def test_totals_by_block_are_met_in_any_unit_of_money(by_block, power):
    (truth, known, allowed), block_of, sums = by_block
    options, _, even, density = with_blocks(by_block)
    if density is None:
        return
    found = ensemble(**options, method="fitness", count=2, redraws=2, density=density)
    assert found.converged, found
    told, is_known = np.isfinite(sums), ~np.isnan(known)
    for x in (even, *(amounts.toarray() for amounts in found.amounts)):
        np.testing.assert_allclose(x.sum(axis=1), truth.sum(axis=1), rtol=2e-9)
        np.testing.assert_allclose(x.sum(axis=0), truth.sum(axis=0), rtol=2e-9)
        np.testing.assert_allclose((x @ np.eye(sums.shape[1])[block_of])[told], sums[told], rtol=2e-9)
        np.testing.assert_array_equal(x[is_known], known[is_known])
        assert np.all(x[~allowed] == 0)
    scaled = ensemble(**with_blocks(by_block, 2.0**power)[0], method="fitness", count=2, redraws=2, density=density)
    for one, other in zip(found.amounts, scaled.amounts, strict=True):
        np.testing.assert_array_equal(other.toarray(), one.toarray() * 2.0**power)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(by_block=observed_by_block(), random=st.randoms(use_true_random=False))
def test_names_do_not_matter_to_chances_by_block(by_block, random):
    case, block_of, sums = by_block
    order, blocks = list(range(len(block_of))), list(range(sums.shape[1]))
    random.shuffle(order)
    random.shuffle(blocks)
    moved = tuple(array[np.ix_(order, order)] for array in case)
    _, facts, even, density = with_blocks(by_block)
    if density is None or not facts.by_block:
        return
    _, others, other_even, _ = with_blocks((moved, np.argsort(blocks)[block_of[order]], sums[order][:, blocks]))
    np.testing.assert_allclose(other_even, even[np.ix_(order, order)], atol=1e-6 * even.max(initial=1e-300))
    p, _ = chances(facts, density, even / facts.unit)
    q, _ = chances(others, density, even[np.ix_(order, order)] / others.unit)
    np.testing.assert_allclose(q, p[np.ix_(order, order)], rtol=1e-6, atol=1e-9)


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
