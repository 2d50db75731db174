"""What must hold for any network and any shock (METHODS, relations of the valuation fixed point)."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from poundlock.contagion import clear, debtrank


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
