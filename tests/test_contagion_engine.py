from __future__ import annotations

import re

import numpy as np
import pytest

from poundlock.contagion import FireSales, Funding, cascade, clear, debtrank, prepare, propagate
from poundlock.contagion import engine as engine_module
from poundlock.system import Guarantee, Layer, equity, synthetic_system, system_from_arrays


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
        (
            {"exposures": [[0.0, -1.0], [0.0, 0.0]]},
            "exposures of layer 'exposures'[0, 1] ('0' on '1') is -1; expected finite",
        ),
        ({"exposures": [[0.0, np.nan], [0.0, 0.0]]}, "is nan; expected finite amounts, not negative"),
        ({"exposures": [[1.0, 0.0], [0.0, 0.0]]}, "'0' has an exposure to itself"),
        ({"exposures": [[0.0, 1.0]]}, "shapes disagree: exposures (1, 2)"),
        ({"losses": [1.0]}, "losses have shape (1, 1); expected (scenarios, 2)"),
        ({"losses": [1.0, np.inf]}, "losses[0, 1] is inf"),
        ({"external_assets": None}, "give external_assets and external_liabilities"),
        ({"external_assets": [-1.0, 5.0]}, "external_assets of '0' is -1"),
        ({"external_liabilities": [1.0, np.nan]}, "external_liabilities of '1' is nan"),
        ({"obligations": [0.0, 2.0]}, "obligations without claims: 1 owes 2, claims on it are 1"),
        ({"obligations": [0.0]}, "shapes disagree: obligations (1,)"),
        ({"recovery": 1.5}, "recovery is 1.5; expected a share within [0, 1]"),
        ({"alpha": -0.1}, "alpha is -0.1"),
        ({"exponent": -1.0}, "exponent is -1"),
        ({"valuation": "guess"}, "unknown valuation 'guess'; known: clearing, default-costs"),
        ({"valuation": "merton"}, "'merton' needs the volatility"),
        ({"tolerance": 0.0}, "tolerance 0, max_rounds 10000"),
        ({"external_rank": 3}, "seniority with gaps: ranks 1, 3, none at 2"),
        ({"outages": [1.0, 0.0]}, "nobody in the system depends on a provider; expected dependences"),
        ({"runs": [1.0, 0.0]}, "no runnable balances or no funding; expected runnable"),
        ({"sales": FireSales()}, "fire sales need asset classes with a market depth"),
        (
            {"equity": [1.0, 1.0]},
            "with a plain matrix, give external_assets and external_liabilities (or equity alone)",
        ),
        ({"exact": True, "valuation": "exponential-debtrank"}, "an exact finish needs claims alone"),
        ({"bracket": True, "funding": Funding()}, "a bracket needs claims alone"),
        ({"safe_assets": [9.0, 0.0]}, "'0' holds 9 in asset classes and safe assets, its external assets are 5"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "-".join(value),
)
def test_bad_calls_say_what_is_wrong(change: dict, words: str):
    call = {
        "exposures": [[0.0, 1.0], [0.0, 0.0]],
        "losses": [0.0, 0.0],
        "external_assets": [5.0, 5.0],
        "external_liabilities": [1.0, 1.0],
    } | change
    with pytest.raises(ValueError, match=re.escape(words)):
        propagate(call.pop("exposures"), call.pop("losses"), **call)


def test_every_mistake_of_a_system_is_told_at_once():
    with pytest.raises(ValueError, match="external_assets") as caught:
        clear([[0.0, -1.0], [0.0, 2.0]], [0.0, 0.0], external_assets=[-1.0, 1.0], external_liabilities=[np.nan, 0.0])
    assert len(str(caught.value).splitlines()) == 4


def test_an_empty_system_is_refused():
    with pytest.raises(ValueError, match="an empty system; expected at least one institution"):
        clear(np.zeros((0, 0)), np.zeros((1, 0)), external_assets=[], external_liabilities=[])


def test_arguments_beside_a_system_are_refused():
    with pytest.raises(ValueError, match="external_assets given beside a System"):
        clear(synthetic_system(3, 1), np.zeros(3), external_assets=[1.0, 1.0, 1.0])


def test_equity_alone_is_enough_where_nothing_else_is_asked():
    found = cascade([[0.0, 3.0], [0.0, 0.0]], [0.0, 2.5], equity=[4.0, 2.0])
    np.testing.assert_array_equal(found.equity[0], [1.0, -0.5])
    with pytest.raises(ValueError, match="'clearing' needs external_assets and external_liabilities, not equity alone"):
        clear([[0.0, 3.0], [0.0, 0.0]], [0.0, 2.5], equity=[4.0, 2.0])
    with pytest.raises(ValueError, match=re.escape("shapes disagree: exposures (2, 2), equity (3,)")):
        cascade(np.zeros((2, 2)), [0.0, 0.0], equity=[1.0, 1.0, 1.0])


def test_more_scenarios_than_memory_are_refused_before_they_are_touched():
    s = synthetic_system(1000, 2)
    huge = np.broadcast_to(0.0, (2_000_000_000, 1000))
    with pytest.raises(ValueError, match="stream them: call this with"):
        clear(s, huge)


def test_scenarios_that_disagree_are_refused():
    s = system_from_arrays(np.zeros((2, 2)), [5.0, 5.0], [1.0, 1.0], runnable=[1.0, 1.0])
    with pytest.raises(ValueError, match=re.escape("shapes disagree: losses (2, 2), runs (1, 2)")):
        propagate(s, np.zeros((2, 2)), runs=[0.5, 0.5], funding=Funding())
    with pytest.raises(ValueError, match=re.escape("runs[0, 1] is 2; expected a share within [0, 1]")):
        propagate(s, runs=[0.5, 2.0], funding=Funding())


def test_scipy_matrices_of_every_format_are_taken():
    from scipy.sparse import coo_array, csc_matrix, csr_matrix

    dense = np.array([[0.0, 8.0, 0.0], [0.0, 0.0, 10.0], [0.0, 0.0, 0.0]])
    given = {"external_assets": [1.0, 2.0, 10.0], "external_liabilities": [0.0, 0.0, 0.0]}
    for made in (dense.tolist(), csr_matrix(dense), csc_matrix(dense), coo_array(dense), dense.astype(np.float32)):
        np.testing.assert_allclose(clear(made, [0.0, 0.0, 6.0], **given).value[0], [1.0, 0.75, 0.4])


def test_a_model_serves_many_calls_and_other_mechanisms():
    s = synthetic_system(30, 4, seed=1, equity_share=0.04)
    model, loss = prepare(s), 0.1 * s.external_assets
    np.testing.assert_array_equal(clear(model, loss).equity, clear(s, loss).equity)
    np.testing.assert_array_equal(debtrank(model, loss).equity, debtrank(s, loss).equity)
    assert model.like() is model
    assert model.like(valuation="clearing") is model


def test_inputs_are_left_as_they_were():
    s = synthetic_system(40, 5, seed=2, equity_share=0.03)
    matrix = s.layers[0].amounts
    before = (matrix.data.copy(), matrix.indices.copy(), matrix.indptr.copy())
    losses = 0.1 * s.external_assets
    kept = losses.copy()
    found = clear(s, losses, exact=True, bracket=True)
    found.claims_lost(), found.loss_by_channel, found.between("kind"), found.to_arrow()
    for array, copy in zip((matrix.data, matrix.indices, matrix.indptr, losses), (*before, kept), strict=True):
        np.testing.assert_array_equal(array, copy)


def test_guarantees_need_a_lender_that_is_covered_once():
    layers = [Layer("i", system_from_arrays([[0.0, 1.0], [0.0, 0.0]], [1.0, 1.0], [0.0, 0.0]).layers[0].amounts)]
    twice = (Guarantee(1, 0, "own-loss", share=0.7), Guarantee(1, 0, "own-loss", share=0.7))
    with pytest.raises(ValueError, match=re.escape("promise 1.4 of one loss (own-loss); expected at most the loss")):
        clear(system_from_arrays(layers, [5.0, 5.0], [0.0, 0.0], guarantees=twice), [0.0, 0.0])


def test_memory_is_told_in_the_message(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(engine_module, "physical_memory", lambda: 10_000)
    with pytest.raises(
        ValueError, match=r"1,000 scenarios of 3 institutions need 0.0 GB, this machine has 0.0; .* 27 at a time"
    ):
        clear(np.zeros((3, 3)), np.zeros((1000, 3)), external_assets=np.ones(3), external_liabilities=np.zeros(3))
