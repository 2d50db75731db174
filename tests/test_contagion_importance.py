"""Every institution failed once: against failing them one by one, by hand, and with everything in play."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, debtrank, importance, prepare, propagate
from poundlock.contagion.importance import amplification
from poundlock.system import Layer, equity, network, synthetic_system, system_from_arrays


def test_importance_against_failing_one_by_one():
    s = synthetic_system(20, 4, seed=5)
    found = importance(s)
    own = equity(s)
    for j in (0, 7):
        shock = np.zeros(20)
        shock[j] = own[j]
        lost = debtrank(s, shock).equity_lost[0]
        others = np.arange(20) != j
        assert found.loss_to_others[j] == pytest.approx(lost[others].sum())
        assert found.importance[j] == pytest.approx(lost[others].sum() / own[others].sum())
    assert found.converged


def test_a_hub_is_the_most_important_and_its_creditors_the_most_vulnerable():
    """All lend to 0 only; then only 0's failure hurts anyone."""
    exposures = np.zeros((4, 4))
    exposures[1:, 0] = [1.0, 2.0, 3.0]
    s = synthetic_system(4, 0)
    s = replace(
        s,
        layers=(Layer("interbank", csr_array(exposures)),),
        external_assets=np.full(4, 20.0),
        external_liabilities=np.array([10.0, 17.0, 18.0, 19.0]),
    )
    found = importance(s)
    assert found.importance.argmax() == 0
    assert np.count_nonzero(found.loss_to_others) == 1
    assert found.vulnerability[0] == 0.0
    assert network(s).nnz == 3


def test_those_not_counted_pass_losses_on_but_are_not_measured():
    """0 may lose on 1, 1 on 2: with 1 not counted, 2's failure still reaches 0 through it."""
    s = synthetic_system(3, 0)
    exposures = csr_array(np.array([[0.0, 5.0, 0.0], [0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]))
    s = replace(
        s,
        layers=(Layer("interbank", exposures),),
        external_assets=np.full(3, 20.0),
        external_liabilities=np.array([15.0, 15.0, 10.0]),
    )
    found = importance(s, counted=np.array([True, False, True]))
    own = equity(s)
    assert found.loss_to_others[1] == found.vulnerability[1] == found.importance[1] == 0.0
    assert found.loss_to_others[2] == pytest.approx(5.0)  # 1 loses all of its 5, so 0's claim of 5 on it is gone
    assert found.importance[2] == pytest.approx(5.0 / own[0])
    assert found.vulnerability[0] == pytest.approx(5.0 / own[0])


def test_amplification_is_the_spectral_radius_by_hand():
    """Two banks with equity 4 and claims of 2 on each other: leverage 1/2 both ways, eigenvalues +-1/2; recovery halves it."""
    s = synthetic_system(2, 0)
    exposures = csr_array(np.array([[0.0, 2.0], [2.0, 0.0]]))
    s = replace(
        s, layers=(Layer("i", exposures),), external_assets=np.full(2, 10.0), external_liabilities=np.full(2, 6.0)
    )
    assert importance(s).amplification == pytest.approx(0.5)
    assert importance(s, recovery=0.5).amplification == pytest.approx(0.25)


def test_amplification_of_a_large_network_agrees_with_all_eigenvalues():
    s = synthetic_system(150, 6, seed=4, equity_share=0.1)
    leverage = network(s).toarray() / equity(s)[:, None]
    assert importance(s).amplification == pytest.approx(np.abs(np.linalg.eigvals(leverage)).max(), rel=1e-9)


def test_amplification_of_nothing_is_nought():
    assert amplification(prepare(synthetic_system(80, 0))) == 0.0


@pytest.mark.parametrize("valuation", ["clearing", "default-only", "exponential-debtrank"])
def test_other_valuations_agree_with_propagation(valuation: str):
    s = synthetic_system(60, 5, seed=5, equity_share=0.05)
    found, own = importance(s, valuation=valuation), equity(s)
    lost = propagate(s, np.diag(own), valuation=valuation).equity_lost
    np.fill_diagonal(lost, 0.0)
    np.testing.assert_allclose(found.loss_to_others, lost.sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(found.vulnerability, (lost / own).sum(axis=0) / 59, atol=1e-13)


def test_with_fire_sales_it_is_the_same_as_one_by_one():
    draw = np.random.default_rng(3)
    base = synthetic_system(20, 4, seed=5, equity_share=0.05)
    s = system_from_arrays(
        base.layers, base.external_assets, base.external_liabilities,
        holdings=0.1 * base.external_assets[:, None] * draw.dirichlet(np.ones(3), 20), depth=[40.0, 30.0, 20.0],
    )  # fmt: skip
    found = importance(s, sales=FireSales("target"))
    lost = propagate(s, np.diag(equity(s)), valuation="linear-debtrank", sales=FireSales("target")).equity_lost
    np.fill_diagonal(lost, 0.0)
    np.testing.assert_allclose(found.loss_to_others, lost.sum(axis=1))
    assert found.converged


def test_threads_change_no_bit_and_progress_counts_every_failure():
    s = synthetic_system(300, 6, seed=6, equity_share=0.1)
    done: list[int] = []
    one, two = importance(s, threads=1, progress=done.append), importance(s, threads=2)
    np.testing.assert_array_equal(one.loss_to_others, two.loss_to_others)
    np.testing.assert_array_equal(one.vulnerability, two.vulnerability)
    assert sum(done) == 300


def test_counted_of_another_length_is_refused():
    with pytest.raises(ValueError, match="shapes disagree: counted"):
        importance(synthetic_system(5, 2), counted=np.ones(4, dtype=bool))


def test_it_prints_its_ranking_and_converts():
    found = importance(synthetic_system(12, 3, seed=1, equity_share=0.1))
    assert "Importance by linear-debtrank: 12 failures of 12 institutions" in repr(found)
    assert "amplification" in repr(found)
    assert found.to_arrow().num_rows == len(found.to_pandas()) == 12
    assert found.chart().to_dict()["hconcat"]


def test_a_bound_on_rounds_is_told():
    s = synthetic_system(50, 6, seed=6, equity_share=0.14)
    found = importance(s, max_rounds=2)
    assert not found.converged
    assert "NOT converged" in repr(found)
    assert debtrank(s, np.zeros(50)).converged.all()
