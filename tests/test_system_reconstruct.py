from __future__ import annotations

import numpy as np
import pytest

from poundlock.system import Ensemble, ensemble, fit_to_totals
from poundlock.system.reconstruct import METHODS
from poundlock.system.reconstruct.fitness import scale_to_totals
from poundlock.system.reconstruct.mixing import effective_size, split_r_hat

LENDS, OWES = [30.0, 20, 10, 5], [10.0, 25, 20, 10]


def many(n=20, density=0.28, seed=1):
    draw = np.random.default_rng(seed)
    truth = draw.lognormal(size=(n, n)) * (draw.random((n, n)) < density)
    np.fill_diagonal(truth, 0.0)
    return truth.sum(axis=1), truth.sum(axis=0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"method": "magic"}, "method 'magic' is unknown; there are 'maximum-entropy', 'minimum-density'"),
        ({"row_totals": [1.0, 2]}, "row_totals has 2 entries and column_totals 4"),
        ({"row_totals": [[1.0]]}, r"row_totals has shape \(1, 1\)"),
        ({"column_totals": [10.0, 25, -1, 10]}, r"column_totals\[2\] is -1"),
        ({"row_totals": [10.0, np.nan, 1, 10]}, r"row_totals\[1\] is nan"),
        ({"row_totals": [30.0, 20, 10, 6]}, "row_totals add up to 66 and column_totals to 65"),
        ({"known": np.ones((3, 4))}, r"known has shape \(3, 4\): \(4, 4\) is needed"),
        ({"allowed": np.ones(4)}, r"allowed has shape \(4,\)"),
        ({"known": np.diag([np.nan] * 4) - 1.0}, r"known\[0, 1\] is -1"),
        ({"known": np.eye(4)}, r"known\[0, 0\] is 1.0: no link is allowed there"),
        ({"known": np.full((4, 4), 9.0) - np.diag([9.0] * 4)}, "known cells of row 1 add up to 27, its total is 20"),
        ({"count": 0}, "count is 0"),
        ({"count": 2}, "count is 2: it is 1 for 'maximum-entropy'"),
        ({"method": "fitness"}, "'fitness' needs a density"),
        ({"method": "fitness", "density": 1.5}, "density is 1.5"),
        ({"method": "gibbs"}, "'gibbs' needs either a density or a probability"),
        ({"method": "gibbs", "density": 0.5, "probability": 0.5}, "'gibbs' needs either"),
        ({"method": "gibbs", "probability": 1.5}, "probability must be from 0 to 1"),
        ({"method": "gibbs", "probability": 0.5, "rate": 0.0}, "rate must be positive"),
        ({"method": "gibbs", "probability": [0.5, 0.5]}, r"probability has shape \(2,\)"),
        ({"method": "gibbs", "density": 0.5, "chains": 1}, "chains is 1"),
    ],
)
def test_what_cannot_be_meant_is_refused(options, said):
    with pytest.raises(ValueError, match=said):
        ensemble(**{"row_totals": LENDS, "column_totals": OWES, **options})


@pytest.mark.parametrize("method", METHODS)
def test_every_method_meets_the_totals(method):
    lends, owes = many()
    options = {} if method in METHODS[:2] else {"density": 0.3, "count": 20}
    found = ensemble(lends, owes, method=method, seed=4, **options)
    assert found.converged, found
    assert found.reason == ""
    assert len(found) == options.get("count", 1)
    assert found.gap <= 1e-9
    for amounts in found.amounts:
        np.testing.assert_allclose(amounts.sum(axis=1), lends, rtol=1e-9)
        np.testing.assert_allclose(amounts.sum(axis=0), owes, rtol=1e-9)
        assert np.all(amounts.diagonal() == 0)
        assert amounts.has_sorted_indices
    assert found.density == np.mean([amounts.nnz for amounts in found.amounts]) / 380


@pytest.mark.parametrize("method", METHODS)
def test_totals_that_clash_are_named_by_every_method(method):
    """Bank 0 lends 5 and owes 5 of 7 in all: it would have to lend 3 to itself."""
    options = {} if method in METHODS[:2] else {"density": 0.5}
    found = ensemble([5.0, 1, 1], [5.0, 1, 1], method=method, **options)
    assert not found.converged
    assert len(found) == 0
    assert found.lacking[0] == ("lends", 0, -1, pytest.approx(3.0))
    assert "totals clash: institution 0 lends 3 more than any network can place" in found.reason


@pytest.mark.parametrize("method", METHODS)
def test_the_only_network_there_is(method):
    """A hub that lends and owes as much as all others together; and known cells that leave nothing to find."""
    options = {} if method in METHODS[:2] else {"density": 4 / 6, "count": 3}
    found = ensemble([2.0, 1, 1], [2.0, 1, 1], method=method, **options)
    assert found.converged, found
    for amounts in found.amounts:
        np.testing.assert_allclose(amounts.toarray(), [[0, 1, 1], [1, 0, 0], [1, 0, 0]], atol=1e-9)


def test_maximum_entropy_is_the_fit():
    found = ensemble(LENDS, OWES)
    np.testing.assert_allclose(found.amounts[0].toarray(), fit_to_totals(np.array(LENDS), np.array(OWES)).amounts)


@pytest.mark.parametrize("method", METHODS[2:])
def test_same_seed_same_bits(method):
    lends, owes = many()
    runs = [ensemble(lends, owes, method=method, density=0.3, count=5, seed=s) for s in (1, 1, 2)]
    alike = [(one.toarray(), other.toarray()) for one, other in zip(runs[0].amounts, runs[1].amounts, strict=True)]
    assert all(np.array_equal(one, other) for one, other in alike)
    assert not np.array_equal(runs[0].amounts[0].toarray(), runs[2].amounts[0].toarray())


def test_a_longer_ensemble_by_fitness_begins_with_the_shorter_one():
    lends, owes = many()
    short, long = (ensemble(lends, owes, method="fitness", density=0.3, count=k) for k in (2, 4))
    for one, other in zip(short.amounts, long.amounts[:2], strict=True):
        np.testing.assert_array_equal(one.toarray(), other.toarray())


def test_links_too_few_to_carry_the_totals_are_added_and_counted():
    lends, owes = many(12, 0.6)
    found = ensemble(lends, owes, method="fitness", density=0.12, count=5, redraws=0)
    assert found.converged, found
    assert sum(added for added, _ in found.repaired) > 0
    assert f"{sum(added for added, _ in found.repaired)} links added" in repr(found)


def test_a_density_that_no_network_has_is_refused():
    lends, owes = many(12, 0.6)
    found = ensemble(lends, owes, method="gibbs", density=0.05)
    assert not found.converged
    assert found.reason == "densities from 0.1742 to 1 are possible with these totals"
    with pytest.raises(ValueError, match=r"density 0\.9 is not between"):
        ensemble([3.0, 0, 0], [0.0, 1, 2], method="fitness", density=0.9)


def test_the_sampler_reaches_the_density_asked_for():
    lends, owes = many()
    for density in (0.15, 0.5, 0.95, 1.0):
        found = ensemble(lends, owes, method="gibbs", density=density, count=200)
        assert found.converged, found
        assert found.density == pytest.approx(density, rel=0.04)
        assert found.effective_size <= 200 <= found.density_size


def test_the_sampler_does_not_speak_before_it_has_mixed():
    lends, owes = many()
    found = ensemble(lends, owes, method="gibbs", density=0.3, max_sweeps=5)
    assert not found.converged
    assert "effective size of density" in found.reason
    assert "not converged" in repr(found)


def test_known_cells_in_the_sampler():
    lends, owes = many()
    known = np.full((20, 20), np.nan)
    known[0, 1], known[3, 4] = 0.5 * min(lends[0], owes[1]), 0.0
    found = ensemble(lends, owes, method="gibbs", density=0.3, known=known, count=8)
    assert found.converged
    assert all(amounts[0, 1] == known[0, 1] and amounts[3, 4] == 0.0 for amounts in found.amounts)


def test_nothing_to_rebuild():
    for method in METHODS[:2]:
        found = ensemble([0.0, 0], [0.0, 0], method=method)
        assert found.converged
        assert found.amounts[0].nnz == 0


def test_it_says_what_it_is():
    lends, owes = many()
    found = ensemble(lends, owes, method="minimum-density")
    assert isinstance(found, Ensemble)
    assert repr(found).startswith("Ensemble(1 network of 20 institutions by minimum-density, seed 0; density 0.103; ")
    assert "at least 39 links are needed (balanced groups, proven fewest); converged)" in repr(found)


def test_newton_finishes_where_proportional_fitting_creeps():
    """A chain of links along which each institution passes on almost all that it gets."""
    n = 30
    links = np.eye(n) + np.roll(np.eye(n), 1, axis=1)
    truth = links * np.where(np.eye(n) > 0, 1.0, 1e-6)
    amounts = scale_to_totals(links, truth.sum(axis=1), truth.sum(axis=0))
    assert amounts is not None
    np.testing.assert_allclose(amounts.sum(axis=0), truth.sum(axis=0), rtol=1e-10)


def test_effective_size_of_an_autoregression():
    """With coefficient a it is (1 - a) / (1 + a) of the length."""
    draw = np.random.default_rng(0)
    for a in (0.0, 0.5, 0.9):
        noise = draw.standard_normal((4, 20_000))
        for t in range(1, 20_000):
            noise[:, t] += a * noise[:, t - 1]
        assert effective_size(noise) == pytest.approx(80_000 * (1 - a) / (1 + a), rel=0.12)
        assert split_r_hat(noise) < 1.01


def test_chains_that_disagree_are_seen():
    draw = np.random.default_rng(0)
    apart = draw.standard_normal((4, 1_000)) + np.array([0.0, 0, 0, 2])[:, None]
    assert split_r_hat(apart) > 1.2
    assert effective_size(apart) < 20
    assert split_r_hat(np.arange(4.0)[:, None] * np.ones(100)) == np.inf
    assert effective_size(np.arange(4.0)[:, None] * np.ones(100)) == 0.0
    assert (split_r_hat(np.ones((4, 100))), effective_size(np.ones((4, 100)))) == (1.0, 400.0)
