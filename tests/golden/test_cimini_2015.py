"""Cimini, Squartini, Garlaschelli and Gabrielli 2015, Scientific Reports 5:15758: chances of links from totals and density."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.system import ensemble
from poundlock.system.reconstruct.fitness import chances
from poundlock.system.reconstruct.given import given


def test_equal_totals_give_every_link_the_same_chance():
    """All totals are 6: p = 36 z / (1 + 36 z) = 0.3 at z = 0.3 / 0.7 / 36."""
    p, z = chances(given([6.0] * 5, [6.0] * 5), 0.3)
    np.testing.assert_allclose(p, 0.3 * (1 - np.eye(5)), rtol=1e-9)
    assert z == pytest.approx(0.3 / 0.7 / 36)


def test_two_unknown_chances_by_hand():
    """Lenders with 1 and 4, borrower pairs with 2 and 3, four cells allowed: odds z (2, 3, 8, 12). With z = 1 / 2 the chances are
    1 / 2, 3 / 5, 4 / 5, 6 / 7, in all 193 / 70: that density gives that z back."""
    allowed = np.zeros((4, 4), dtype=bool)
    allowed[:2, 2:] = True
    p, z = chances(given([1.0, 4, 0, 0], [0, 0, 2.0, 3], allowed=allowed), 193 / 280)
    np.testing.assert_allclose(p[:2, 2:], [[1 / 2, 3 / 5], [4 / 5, 6 / 7]], rtol=1e-9)
    assert z == pytest.approx(0.5)


def test_links_come_as_often_as_their_chance():
    draw = np.random.default_rng(0)
    truth = draw.lognormal(0, 0.3, (12, 12))
    np.fill_diagonal(truth, 0.0)
    lends, owes = truth.sum(axis=1), truth.sum(axis=0)
    p, _ = chances(given(lends, owes), 0.5)
    found = ensemble(lends, owes, method="fitness", density=0.5, count=200, seed=1)
    assert found.converged
    often = np.mean([amounts.toarray() > 0 for amounts in found.amounts], axis=0)
    assert np.abs(often - p).max() < 4.5 * np.sqrt(0.25 / 200)
    assert found.density == pytest.approx(0.5, abs=0.01)
