from __future__ import annotations

import numpy as np
import pytest

from poundlock.system import Ensemble, ensemble, fit_to_totals
from poundlock.system.reconstruct import METHODS
from poundlock.system.reconstruct.fitness import chances, scale_to_totals
from poundlock.system.reconstruct.given import given
from poundlock.system.reconstruct.mixing import effective_size, split_r_hat

LENDS, OWES = [30.0, 20, 10, 5], [10.0, 25, 20, 10]


def truth_of(n=20, density=0.28, seed=1):
    draw = np.random.default_rng(seed)
    truth = draw.lognormal(size=(n, n)) * (draw.random((n, n)) < density)
    np.fill_diagonal(truth, 0.0)
    return truth


def many(n=20, density=0.28, seed=1):
    truth = truth_of(n, density, seed)
    return truth.sum(axis=1), truth.sum(axis=0)


def by_block(truth, blocks=4):
    """Block of each, and totals by block, of which every seventh row's and a whole block are unknown."""
    block_of = np.arange(len(truth)) % blocks
    sums = truth @ np.eye(blocks)[block_of]
    sums[::7], sums[:, -1] = np.nan, np.nan
    return {"block_of": block_of, "block_totals": sums}


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
        ({"block_of": [0] * 4}, "block_of and block_totals go together"),
        ({"block_totals": LENDS, "block_of": [0] * 4}, r"block_totals has shape \(4,\)"),
        ({"block_totals": np.ones((4, 2)), "block_of": [0, 1, 2, 0]}, "block_of must be 4 whole numbers from 0 to 1"),
        ({"block_totals": np.ones((4, 2)), "block_of": [0.0] * 4}, "block_of must be 4 whole numbers"),
        ({"block_totals": np.diag([-1.0] * 4), "block_of": [0] * 4}, r"block_totals\[0, 0\] is -1"),
        (
            {"block_totals": np.ones((4, 1)), "block_of": [0] * 4, "known": np.ones((4, 4)) - np.diag([np.nan] * 4)},
            "known cells of row 0 in block 0 add up to",
        ),
        (
            {"block_totals": np.ones((4, 1)), "block_of": [0] * 4, "method": "gibbs", "density": 0.5},
            "'gibbs' cannot meet totals by block; 'maximum-entropy' and 'fitness' can",
        ),
        (
            {"block_totals": np.ones((4, 1)), "block_of": [0] * 4, "method": "minimum-density"},
            "'minimum-density' cannot meet totals by block",
        ),
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


@pytest.mark.parametrize("method", ["maximum-entropy", "fitness"])
def test_totals_by_block_are_met_and_known_cells_kept(method):
    truth = truth_of()
    blocks = by_block(truth)
    known = np.full((20, 20), np.nan)
    known[3], known[0, 1], known[:, 5] = truth[3], truth[0, 1], truth[:, 5]
    options = {} if method == "maximum-entropy" else {"density": 0.4, "count": 10}
    found = ensemble(truth.sum(axis=1), truth.sum(axis=0), method=method, known=known, **blocks, **options)
    assert found.converged, found
    for amounts in found.amounts:
        x = amounts.toarray()
        np.testing.assert_allclose(x.sum(axis=1), truth.sum(axis=1), rtol=1e-9)
        np.testing.assert_allclose(x.sum(axis=0), truth.sum(axis=0), rtol=1e-9)
        told = np.isfinite(blocks["block_totals"])
        np.testing.assert_allclose((x @ np.eye(4)[blocks["block_of"]])[told], blocks["block_totals"][told], rtol=1e-9)
        np.testing.assert_array_equal(x[np.isfinite(known)], known[np.isfinite(known)])
    if method == "maximum-entropy":
        given_blocks = (blocks["block_of"], blocks["block_totals"])
        plain = ensemble(truth.sum(axis=1), truth.sum(axis=0), **blocks).amounts[0].toarray()
        fitted = fit_to_totals(
            truth.sum(axis=1),
            truth.sum(axis=0),
            block_of=given_blocks[0],
            block_totals=given_blocks[1],
            tolerance=1e-10,
        )
        np.testing.assert_allclose(plain, fitted.amounts, rtol=1e-6, atol=1e-9)
    else:
        assert found.density == pytest.approx(0.4, abs=0.03)


def test_links_that_blocks_lack_are_drawn_or_added_and_counted():
    """As few links as the blocks need at least: columns are left without, and get theirs."""
    truth = truth_of(20, 0.5)
    options = {"method": "fitness", "count": 5, "seed": 1, "redraws": 1, **by_block(truth, 3)}
    rows, columns = truth.sum(axis=1), truth.sum(axis=0)
    with pytest.raises(ValueError, match=r"density 0\.05 is not between 0\.\d+ and 1"):
        ensemble(rows, columns, density=0.05, **options)
    found = ensemble(rows, columns, density=0.18, **options)
    assert found.converged, found
    added = sum(some for some, _ in found.repaired)
    assert added > 0
    assert f"{added} links added" in repr(found)
    assert found.density <= 0.18 + added / 5 / 380 + 0.02


def test_chances_where_blocks_must_have_a_link():
    """Two lenders, two borrowers, every amount 1 by maximum entropy: p = z / (1 + z), and z = 1 makes it p / (1 - (1 - p)^2) =
    2 / 3 that a link is there, given that its lender has one to the block."""
    allowed, block_of = np.zeros((4, 4), dtype=bool), np.array([0, 0, 1, 1])
    allowed[:2, 2:] = True
    blocks = np.array([[0.0, 2.0], [0.0, 2.0], [np.nan, np.nan], [np.nan, np.nan]])
    totals = ([2.0, 2, 0, 0], [0.0, 0, 2, 2])
    facts = given(*totals, allowed=allowed, block_of=block_of, block_totals=blocks)
    p, z = chances(facts, 2 / 3, expected=allowed / facts.unit)
    np.testing.assert_allclose(p, 2 / 3 * allowed)
    assert z == pytest.approx(1.0)


def test_links_by_block_come_as_often_as_their_chance():
    draw = np.random.default_rng(0)
    truth = draw.lognormal(0, 0.3, (12, 12))
    np.fill_diagonal(truth, 0.0)
    lends, owes, blocks = truth.sum(axis=1), truth.sum(axis=0), by_block(truth, 3)
    facts = given(lends, owes, **blocks)
    expected = ensemble(lends, owes, **blocks).amounts[0].toarray() / facts.unit
    p, _ = chances(facts, 0.6, expected)
    found = ensemble(lends, owes, method="fitness", density=0.6, count=200, seed=1, **blocks)
    assert found.converged
    often = np.mean([amounts.toarray() > 0 for amounts in found.amounts], axis=0)
    assert np.abs(often - p).max() < 4.5 * np.sqrt(0.25 / 200)
    assert found.density == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("method", ["maximum-entropy", "fitness"])
def test_blocks_that_clash_are_named(method):
    options = {"method": method, "density": 0.5, "block_of": [0, 0, 1, 1]}
    blocks = np.full((4, 2), np.nan)
    blocks[0] = 20.0, 5.0
    short = ensemble(LENDS, OWES, block_totals=blocks, **options)
    assert not short.converged
    assert "institution 0 lends 5 more than its totals by block add up to" in short.reason
    blocks[0] = 30.0, 0.0
    beyond = ensemble(LENDS, OWES, block_totals=blocks, **options)
    assert beyond.lacking[0] == ("lends", 0, 0, pytest.approx(5.0))
    assert "institution 0 lends to block 0 5 more than any network can place" in beyond.reason


def test_blocks_that_differ_from_their_totals_by_rounding_only():
    """Every row of both blocks is known and what is owed was rounded: no network meets all to the last digit."""
    truth = 1e3 * truth_of(20, 0.6)
    block_of = np.arange(20) % 2
    blocks = (truth @ np.eye(2)[block_of]) * (1.0 + np.array([4e-10, -4e-10]))
    found = ensemble(
        truth.sum(axis=1), truth.sum(axis=0), method="fitness", density=0.5, block_of=block_of, block_totals=blocks
    )
    assert found.converged, found
    assert 1e-10 < found.gap <= 1e-9


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
    assert "<td>39 (balanced groups, proven fewest)</td>" in found._repr_html_()
    for words in ("Rule: the fewest links", "Inputs: ", "Numbers: Ensemble(", "What would change it: "):
        assert words in found.explain()


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
