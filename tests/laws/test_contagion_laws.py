"""What must hold for any network and any shock (METHODS, relations of the valuation fixed point)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from poundlock.contagion import cascade, clear, debtrank, propagate
from poundlock.system import Guarantee, Layer, system_from_arrays


@st.composite
def networks(draw):
    n, seed = draw(st.integers(1, 20)), draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    exposures = random.lognormal(0, 1, (n, n)) * (random.random((n, n)) < draw(st.floats(0, 1)))
    np.fill_diagonal(exposures, 0.0)
    capital = random.uniform(0.01, 3.0, n)
    outside = random.uniform(0.0, 5.0, n)
    assets = capital + outside + exposures.sum(axis=0) - exposures.sum(axis=1)
    short = np.maximum(-assets, 0.0)
    losses = random.uniform(0, draw(st.floats(0, 1.5)), n) * np.maximum(assets + short, 0.0)
    return exposures, assets + short, outside + short, losses


def both(network, **options):
    exposures, assets, outside, losses = network
    return [
        solve(exposures, losses, external_assets=assets, external_liabilities=outside, **options)
        for solve in (clear, debtrank)
    ]


@settings(max_examples=200, deadline=None)
@given(networks())
def test_clearing_never_loses_more_than_debtrank_and_never_less_than_the_shock(network):
    cleared, ranked = both(network)
    none = cleared.initial_equity - network[3]
    slack = 1e-9 * (1 + np.abs(cleared.initial_equity))
    assert np.all(cleared.equity[0] <= none + slack)
    assert np.all(ranked.equity[0] <= cleared.equity[0] + slack)


@settings(max_examples=100, deadline=None)
@given(networks())
def test_no_shock_no_loss(network):
    exposures, assets, outside, _ = network
    for result in both((exposures, assets, outside, np.zeros(len(assets)))):
        np.testing.assert_allclose(result.equity_lost, 0.0, atol=1e-12 * (1 + assets.max()))
        assert not result.default.any()


@settings(max_examples=100, deadline=None)
@given(networks(), st.floats(0.0, 2.0))
def test_more_external_assets_never_lower_anyones_equity(network, more):
    exposures, assets, outside, losses = network
    before = clear(exposures, losses, external_assets=assets, external_liabilities=outside).equity
    richer = assets.copy()
    richer[0] += more
    after = clear(exposures, losses, external_assets=richer, external_liabilities=outside).equity
    assert np.all(after >= before - 1e-9 * (1 + assets.max()))


@settings(max_examples=100, deadline=None)
@given(networks(), st.randoms(use_true_random=False))
def test_permuting_names_permutes_results(network, random):
    exposures, assets, outside, losses = network
    order = list(range(len(assets)))
    random.shuffle(order)
    for plain, moved in zip(
        both(network),
        both((exposures[np.ix_(order, order)], assets[order], outside[order], losses[order])),
        strict=True,
    ):
        np.testing.assert_allclose(moved.equity[0], plain.equity[0, order], rtol=1e-7, atol=1e-7)


@settings(max_examples=100, deadline=None)
@given(networks(), st.sampled_from([1e-6, 1e-2, 1e3, 1e9]))
def test_scaling_all_money_scales_all_losses(network, factor):
    for plain, scaled in zip(both(network), both(tuple(factor * part for part in network)), strict=True):
        np.testing.assert_allclose(scaled.equity, factor * plain.equity, rtol=1e-7, atol=1e-7 * factor)


@settings(max_examples=200, deadline=None)
@given(networks())
def test_value_is_conserved_in_clearing(network):
    """What remains outside is what shareholders keep plus what outside creditors are paid."""
    exposures, assets, outside, losses = network
    result = clear(exposures, losses, external_assets=assets, external_liabilities=outside)
    kept = np.maximum(result.equity[0], 0.0).sum()
    paid = (result.value[0] * outside).sum()
    available = (assets - losses).sum()
    if np.all(assets - losses >= 0):
        np.testing.assert_allclose(kept + paid, available, rtol=1e-8, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(networks())
def test_full_recovery_is_no_contagion(network):
    exposures, assets, outside, losses = network
    result = debtrank(exposures, losses, external_assets=assets, external_liabilities=outside, recovery=1.0)
    np.testing.assert_allclose(result.equity[0], result.initial_equity - losses, rtol=1e-12, atol=1e-12)


def solved(network, valuation, **options):
    exposures, assets, outside, losses = network
    return propagate(
        exposures, losses, external_assets=assets, external_liabilities=outside, valuation=valuation, **options
    )


@settings(max_examples=200, deadline=None)
@given(networks(), st.floats(0, 1), st.floats(0, 1))
def test_a_valuation_that_is_lower_everywhere_never_gives_smaller_losses(network, alpha, beta):
    """No contagion, clearing, clearing with default costs, default only without recovery, linear DebtRank; in this order."""
    none = solved(network, "default-only", recovery=1.0)
    order = [
        none,
        solved(network, "clearing"),
        solved(network, "default-costs", alpha=alpha, beta=beta),
        solved(network, "default-only"),
        solved(network, "linear-debtrank"),
    ]
    slack = 1e-9 * (1 + np.abs(none.initial_equity))
    for better, worse in pairwise(order):
        assert np.all(worse.equity[0] <= better.equity[0] + slack), (better.valuation, worse.valuation)


@settings(max_examples=150, deadline=None)
@given(networks())
def test_default_costs_with_nothing_lost_are_clearing(network):
    costs = solved(network, "default-costs", alpha=1.0, beta=1.0)
    np.testing.assert_allclose(costs.equity, solved(network, "clearing").equity, rtol=1e-9, atol=1e-9)


@settings(max_examples=100, deadline=None)
@given(networks())
def test_default_only_with_full_recovery_is_no_contagion(network):
    result = solved(network, "default-only", recovery=1.0)
    np.testing.assert_array_equal(result.equity[0], result.initial_equity - network[3])


@settings(max_examples=100, deadline=None)
@given(networks(), st.floats(0.0, 30.0), st.floats(0.0, 30.0))
def test_a_larger_exponent_never_loses_more(network, one, other):
    exposures, assets, outside, losses = network
    low, high = (
        debtrank(exposures, losses, external_assets=assets, external_liabilities=outside, exponent=x).equity
        for x in sorted((one, other))
    )
    assert np.all(low <= high + 1e-9 * (1 + np.abs(assets)))


@settings(max_examples=100, deadline=None)
@given(
    networks(), st.sampled_from(["clearing", "default-costs", "default-only", "linear-debtrank"]), st.floats(0.0, 2.0)
)
def test_more_external_assets_never_hurt_under_any_valuation(network, valuation, more):
    exposures, assets, outside, losses = network
    before = solved(network, valuation, alpha=0.7, beta=0.8).equity
    gained = losses.copy()
    gained[0] -= more  # a gain: DebtRank measures against equity before it
    after = solved((exposures, assets, outside, gained), valuation, alpha=0.7, beta=0.8).equity
    assert np.all(after >= before - 1e-9 * (1 + assets.max()))


@settings(max_examples=100, deadline=None)
@given(networks(), st.floats(0, 1), st.floats(0, 1))
def test_more_recovery_never_hurts(network, one, other):
    exposures, assets, outside, losses = network
    given_ = {"external_assets": assets, "external_liabilities": outside}
    low, high = (cascade(exposures, losses, recovery=x, **given_).equity for x in sorted((one, other)))
    assert np.all(high >= low - 1e-9 * (1 + assets.max()))


@settings(max_examples=100, deadline=None)
@given(networks())
def test_the_least_solution_lies_below_the_greatest(network):
    exposures, assets, outside, losses = network
    result = clear(
        exposures, losses, external_assets=assets, external_liabilities=outside, alpha=0.6, beta=0.7, bracket=True
    )
    assert np.all(result.least.value <= result.value + 1e-9)
    regular = clear(exposures, losses, external_assets=assets + 1.0, external_liabilities=outside + 1.0, bracket=True)
    if np.all(assets + 1.0 - losses > 0):  # every institution has something to pay with: Eisenberg and Noe, theorem 2
        np.testing.assert_allclose(regular.least.value, regular.value, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(networks(), st.integers(1, 4))
def test_a_later_rank_never_gains_from_being_later(network, seed):
    """The same debts, half of them in a later rank: the first rank is paid at least as much as the later one."""
    exposures, assets, outside, losses = network
    n = len(assets)
    chosen = np.random.default_rng(seed).random((n, n)) < 0.5
    layers = [
        Layer("first", csr_array(np.where(chosen, exposures, 0.0))),
        Layer("second", csr_array(np.where(chosen, 0.0, exposures)), rank=2),
    ]
    result = clear(system_from_arrays(layers, assets, outside), losses)
    owes = (np.where(chosen, exposures, 0.0).sum(axis=0) > 0) & (np.where(chosen, 0.0, exposures).sum(axis=0) > 0)
    assert np.all(result.value_in("second")[0, owes] <= result.value_in("first")[0, owes] + 1e-9)


@settings(max_examples=60, deadline=None)
@given(networks(), st.floats(0.1, 1.0))
def test_a_guarantee_by_who_can_pay_never_hurts_the_beneficiary(network, share):
    exposures, assets, outside, losses = network
    n = len(assets)
    debtors = np.flatnonzero(exposures[0])
    if not len(debtors):
        return
    grown = np.zeros((n + 1, n + 1))
    grown[:n, :n] = exposures
    richer, more = np.append(assets, 1e6), np.append(outside, 0.0)
    before = clear(system_from_arrays(grown, richer, more), np.append(losses, 0.0))
    promise = Guarantee(n, 0, "claims", int(debtors[0]), share)
    after = clear(system_from_arrays(grown, richer, more, guarantees=(promise,)), np.append(losses, 0.0))
    assert np.all(after.equity[0, :n] >= before.equity[0, :n] - 1e-9 * (1 + assets.max()))
    np.testing.assert_allclose(sum(after.loss_by_channel["guarantees"][0]), 0.0, atol=1e-6)
