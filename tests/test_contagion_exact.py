"""The exact finish: machine precision, the same sets, and what it is refused for."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import cascade, clear, debtrank, propagate
from poundlock.system import Guarantee, equity, synthetic_system, system_from_arrays


@pytest.mark.parametrize("costs", [(1.0, 1.0), (0.6, 0.8), (0.5, 0.9)])
def test_it_is_exact_to_machine_precision(costs: tuple[float, float]):
    s = synthetic_system(150, 8, seed=3, equity_share=0.04, external_multiple=1.0)
    losses = np.random.default_rng(0).uniform(0, 0.1, (5, 150)) * s.external_assets
    rough = clear(s, losses, alpha=costs[0], beta=costs[1], tolerance=1e-4)
    fine = clear(s, losses, alpha=costs[0], beta=costs[1], tolerance=1e-4, exact=True)
    best = clear(s, losses, alpha=costs[0], beta=costs[1], tolerance=1e-15)
    assert np.abs(rough.lost - best.lost).max() > 1e-9
    np.testing.assert_allclose(fine.lost, best.lost, atol=1e-13)
    assert np.all(fine.gap < 1e-14)
    assert fine.converged.all()


def test_debtrank_close_to_one_is_finished_exactly():
    """One mutual exposure: h = h0 / (1 - leverage), by hand."""
    leverage = 1.0 - 1e-7
    ring = [[0.0, leverage], [leverage, 0.0]]
    result = debtrank(ring, [3e-8, 3e-8], equity=[1.0, 1.0], exact=True, max_rounds=50)
    np.testing.assert_allclose(result.equity_lost[0], 0.3, rtol=1e-8)


def test_a_wave_of_failures_that_the_start_does_not_show():
    """Each failure brings down the next only when it is solved for: 60 rounds of a chain, from a first iterate of one sweep."""
    n = 60
    chain = np.diag(np.full(n - 1, 10.0), k=1)
    assets = np.full(n, 2.0)
    assets[-1] = 10.0
    result = clear(
        chain, np.eye(n)[-1] * 9.0, external_assets=assets, external_liabilities=np.zeros(n), exact=True, max_rounds=1
    )
    best = clear(chain, np.eye(n)[-1] * 9.0, external_assets=assets, external_liabilities=np.zeros(n))
    np.testing.assert_allclose(result.value, best.value, atol=1e-14)


def test_no_outlet_at_all_keeps_the_greatest_solution():
    result = clear(
        [[0.0, 1.0], [1.0, 0.0]], [0.0, 0.0], external_assets=[0.0, 0.0], external_liabilities=[0.0, 0.0], exact=True
    )
    np.testing.assert_array_equal(result.value, 1.0)


def test_an_unstable_network_is_not_made_worse():
    s = synthetic_system(60, 6, seed=2, equity_share=0.05)
    shocks = np.diag(equity(s))
    np.testing.assert_allclose(debtrank(s, shocks, exact=True).lost, debtrank(s, shocks).lost, atol=1e-12)


def test_default_only_is_exact_already():
    s = synthetic_system(60, 6, seed=2, equity_share=0.05)
    shocks = 1.001 * np.diag(equity(s))
    np.testing.assert_array_equal(cascade(s, shocks, exact=True).lost, cascade(s, shocks).lost)


def test_guarantees_have_no_exact_finish():
    s = system_from_arrays(np.zeros((2, 2)), [5.0, 5.0], [1.0, 1.0], guarantees=(Guarantee(0, 1, "shortfall"),))
    with pytest.raises(ValueError, match="an exact finish needs claims alone"):
        propagate(s, [0.0, 6.0], exact=True)
