"""DebtRank with one hit each, against a plain reading of the paper."""

from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import debtrank, prepare
from poundlock.system import Guarantee, equity, network, synthetic_system, system_from_arrays


def by_the_paper(exposures, own, first):
    """Battiston et al. 2012, Methods, with states as letters."""
    impact = np.minimum(1.0, np.divide(exposures, own[:, None], out=np.zeros_like(exposures), where=own[:, None] > 0))
    h, state = first.copy(), np.where(first > 0, "D", "U")
    while np.any(state == "D"):
        distressed = state == "D"
        new = np.minimum(1.0, h + impact[:, distressed] @ h[distressed])
        state = np.where(distressed, "I", np.where((new > 0) & (state == "U"), "D", state))
        h = new
    return h


@pytest.mark.parametrize("seed", range(6))
def test_it_follows_the_paper(seed: int):
    s = synthetic_system(25, 3, seed=seed, equity_share=0.05)
    own, draw = equity(s), np.random.default_rng(seed)
    losses = draw.uniform(0, 1.3, (12, 25)) * own * (draw.random((12, 25)) < 0.15)
    result = debtrank(s, losses, once=True)
    for k in range(12):
        expected = by_the_paper(network(s).toarray(), own, np.clip(losses[k] / own, 0, 1))
        np.testing.assert_allclose(result.equity_lost[k] / own, expected, atol=1e-12)
    assert result.converged.all()
    assert result.valuation == "debtrank, one hit each"


def test_it_never_exceeds_linear_debtrank():
    s = synthetic_system(40, 4, seed=1, equity_share=0.2)
    shocks = np.diag(equity(s))
    assert np.all(debtrank(s, shocks, once=True).equity_lost <= debtrank(s, shocks).equity_lost + 1e-12)


def test_threads_and_recovery():
    s = synthetic_system(40, 4, seed=1, equity_share=0.1)
    shocks = np.diag(equity(s))
    one, two = (debtrank(s, shocks, once=True, recovery=0.4, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.equity, two.equity)
    assert np.all(one.equity_lost <= debtrank(s, shocks, once=True).equity_lost + 1e-12)


def test_gains_are_nought_and_nobody_without_equity_is_hit():
    result = debtrank([[0.0, 1.0], [0.0, 0.0]], [-1.0, 0.5], equity=[2.0, 0.0], once=True)
    np.testing.assert_array_equal(result.equity[0], [2.0, 0.0])


def test_systems_with_more_than_debts_are_refused():
    s = system_from_arrays(np.zeros((2, 2)), [5.0, 5.0], [1.0, 1.0], guarantees=(Guarantee(0, 1, "shortfall"),))
    with pytest.raises(ValueError, match="one hit each needs debts alone"):
        debtrank(s, [1.0, 0.0], once=True)
    with pytest.raises(ValueError, match="losses have shape"):
        debtrank(prepare(synthetic_system(3, 1)), [1.0], once=True)
