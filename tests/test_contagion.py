from __future__ import annotations

import numpy as np
import pytest

from poundlock.contagion import clear, debtrank, importance, propagate
from poundlock.system import equity, network, synthetic_system


def test_an_exposure_hurts_the_creditor_not_the_debtor():
    exposures = [[0.0, 10.0], [0.0, 0.0]]  # 0 may lose 10 on 1
    result = clear(exposures, [0.0, 100.0], external_assets=[50.0, 50.0], external_liabilities=[0.0, 35.0])
    assert result.equity[0, 0] < result.initial_equity[0]
    safe = clear(exposures, [60.0, 0.0], external_assets=[50.0, 50.0], external_liabilities=[0.0, 35.0])
    assert safe.equity[0, 1] == safe.initial_equity[1]


def test_two_defaulters_on_a_cycle_by_hand():
    """0 and 1 owe each other 10 and outsiders 10 each; both keep 5 outside. V solves 5 + 10 V = 20 V: V = 1/2."""
    exposures = np.array([[0.0, 10.0], [10.0, 0.0]])
    result = clear(exposures, [10.0, 10.0], external_assets=[15.0, 15.0], external_liabilities=[10.0, 10.0])
    np.testing.assert_allclose(result.value, 0.5, atol=1e-11)
    np.testing.assert_allclose(result.equity, -10.0, atol=1e-9)


def test_default_is_equity_strictly_below_zero():
    exposures = np.zeros((1, 1))
    at_zero = clear(exposures, [5.0], external_assets=[15.0], external_liabilities=[10.0])
    assert not at_zero.default.any()
    assert clear(exposures, [5.0 + 1e-9], external_assets=[15.0], external_liabilities=[10.0]).default.all()


def test_nobody_loses_more_equity_than_they_had():
    s = synthetic_system(50, 5, seed=1)
    lost = clear(s, np.tile(s.external_assets, (3, 1))).equity_lost
    assert np.all(lost <= equity(s) * (1 + 1e-12))


def test_a_bound_on_rounds_is_told_not_hidden():
    s = synthetic_system(50, 10, seed=2, equity_share=0.03)
    result = debtrank(s, np.diag(equity(s)), max_rounds=2)
    assert not result.converged.all()
    assert np.all(result.rounds[~result.converged] == 2)
    assert np.all(result.gap[~result.converged] > 1e-12)


def test_scenarios_do_not_depend_on_their_neighbours():
    """The same scenario alone, in a full block and in a block of another composition: the same bits."""
    s = synthetic_system(80, 8, seed=3, equity_share=0.04)
    losses = np.random.default_rng(0).uniform(0, 0.1, (130, 80)) * s.external_assets
    for solve in (clear, debtrank):
        whole = solve(s, losses)
        for number in (0, 63, 64, 129):
            alone = solve(s, losses[number])
            np.testing.assert_array_equal(alone.equity[0], whole.equity[number])
            assert alone.rounds[0] == whole.rounds[number]


def test_no_scenario_at_all_is_no_crash():
    s = synthetic_system(5, 2)
    assert clear(s, np.zeros((0, 5))).equity.shape == (0, 5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"exposures": [[0.0, -1.0], [0.0, 0.0]]}, "not negative"),
        ({"exposures": [[0.0, np.nan], [0.0, 0.0]]}, "finite"),
        ({"exposures": [[1.0, 0.0], [0.0, 0.0]]}, "exposure to itself"),
        ({"exposures": [[0.0, 1.0]]}, "shapes disagree"),
        ({"losses": [1.0]}, "losses have shape"),
        ({"losses": [1.0, np.inf]}, "losses[0, 1]"),
        ({"external_assets": None}, "give external_assets"),
        ({"recovery": 1.5}, "recovery"),
        ({"valuation": "guess"}, "unknown valuation"),
    ],
)
def test_bad_calls_say_what_is_wrong(change: dict, words: str):
    call = {
        "exposures": [[0.0, 1.0], [0.0, 0.0]],
        "losses": [0.0, 0.0],
        "external_assets": [5.0, 5.0],
        "external_liabilities": [1.0, 1.0],
    } | change
    with pytest.raises(ValueError, match=words.replace("[", r"\[").replace("]", r"\]")):
        propagate(call.pop("exposures"), call.pop("losses"), **call)


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
    from dataclasses import replace

    from scipy.sparse import csr_array

    from poundlock.system import Layer

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
    from dataclasses import replace

    from scipy.sparse import csr_array

    from poundlock.system import Layer

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
    from dataclasses import replace

    from scipy.sparse import csr_array

    from poundlock.system import Layer

    s = synthetic_system(2, 0)
    exposures = csr_array(np.array([[0.0, 2.0], [2.0, 0.0]]))
    s = replace(
        s, layers=(Layer("i", exposures),), external_assets=np.full(2, 10.0), external_liabilities=np.full(2, 6.0)
    )
    assert importance(s).amplification == pytest.approx(0.5)
    assert importance(s, recovery=0.5).amplification == pytest.approx(0.25)
