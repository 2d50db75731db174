"""Derivatives of the tail against central differences of whole re-runs, which know nothing of slopes; and what they
refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

from poundlock.contagion import FireSales, prepare, propagate
from poundlock.risk.sensitivity.sensitivity import sensitivity
from poundlock.risk.statistics import expected_shortfall
from poundlock.system import AssetClass, Guarantee, Layer, equity, synthetic_system, system_from_arrays

STEP = 1e-5
VALUATIONS = {
    "clearing": {},
    "default-costs": {"alpha": 0.8, "beta": 0.7},
    "default-only": {"recovery": 0.3},
    "linear-debtrank": {"recovery": 0.2},
    "exponential-debtrank": {"recovery": 0.2, "exponent": 1.5},
    "merton": {"recovery": 0.2},
}


def banks(seed, *, strong=1.0, outside_rank=1, of_second=None, n=7):
    """Two ranks of debt, one with recoveries of its own, and stakes; between hardly any and a good deal of
    contagion."""
    draw = np.random.default_rng(seed)

    def net(chance, size):
        amounts = size * draw.lognormal(0.0, 1.0, (n, n)) * (draw.random((n, n)) < chance)
        np.fill_diagonal(amounts, 0.0)
        return amounts

    first, second, stakes = net(0.5, 0.7), net(0.4, 0.5), net(0.3, 0.1)
    capital = strong * draw.uniform(1.0, 3.0, n) + stakes.sum(axis=0)
    outside = draw.uniform(0.2, 2.0, n)
    assets = capital + outside + (first + second).sum(axis=0) - (first + second + stakes).sum(axis=1)
    short = np.maximum(1.0 - assets, 0.0)
    known = draw.uniform(0.0, 0.5, (n, n)) * (draw.random((n, n)) < 0.5)
    known[draw.random((n, n)) < 0.2] = np.nan
    layers = (
        Layer("first", csr_array(first), recovery=csr_array(known)),
        Layer("second", csr_array(second), rank=2, valuation=of_second),
        Layer("stakes", csr_array(stakes), kind="stake"),
    )
    system = system_from_arrays(
        layers, assets + short, outside + short, volatility=draw.uniform(0.1, 0.4, n), external_rank=outside_rank
    )
    return system, draw


def shocks(system, draw, size, count=20):
    return draw.uniform(0.0, size, (count, 1)) * draw.random((count, len(system))) ** 2 * equity(system)


def shortfall(system, losses, level, **options):
    lost = propagate(system, losses, tolerance=1e-15, **options).equity_lost.sum(axis=1)
    share = lost / np.maximum(equity(system), 0.0).sum()
    return share.mean() if level == 0.0 else expected_shortfall(share, level).value


def with_amount(system, number, i, j, more, *, cash=True):
    layer = system.layers[number]
    amounts, assets = layer.amounts.toarray(), system.external_assets.copy()
    amounts[i, j] += more
    assets[i] -= more * cash
    assets[j] += more * (cash and layer.kind == "debt")
    layers = tuple(replace(x, amounts=csr_array(amounts)) if x is layer else x for x in system.layers)
    return replace(system, layers=layers, external_assets=assets)


def with_more(system, name, i, more):
    values = getattr(system, name).copy()
    values[i] += more
    return replace(system, **{name: values})


def slope(value, change):
    return (value(change(STEP)) - value(change(-STEP))) / (2.0 * STEP)


def close(found, expected):
    scale = max(np.abs(expected).max(initial=0.0), 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7 * scale)


def differences(system, value):
    """By exposure of each layer in cash, by external assets, by external liabilities."""
    exposures = []
    for number, layer in enumerate(system.layers):
        listed = csr_array(layer.amounts).tocoo()
        pairs = zip(listed.row, listed.col, strict=True)
        exposures.append(
            [slope(value, lambda h, k=number, a=i, b=j: with_amount(system, k, a, b, h)) for i, j in pairs]
        )
    nodes = [
        np.array([slope(value, lambda h, a=i, f=name: with_more(system, f, a, h)) for i in range(len(system))])
        for name in ("external_assets", "external_liabilities")
    ]
    return exposures, *nodes


STRONG = {"default-only": 2.0, "linear-debtrank": 4.0, "exponential-debtrank": 3.0, "merton": 4.0}
"""How much capital it takes for some to stand and some to fall."""


def compare(system, losses, level, options):
    found = sensitivity(system, losses, level=level, kink=3e-5, **options)
    value = lambda changed: shortfall(changed, losses, level, **options)  # noqa: E731
    assert found.converged
    assert found.value == pytest.approx(value(system), rel=1e-12)
    assert 0.02 < found.value < 0.98
    if found.near_kink > 0.0 or found.boundary < 1e-4:
        return False
    exposures, buffer, outside = differences(system, value)
    close(found.by_buffer, buffer)
    close(found.by_outside, outside)
    for by, expected in zip(found.by_exposure, exposures, strict=True):
        close(by.data, np.array(expected))
    return True


@pytest.mark.parametrize("valuation", VALUATIONS)
def test_every_derivative_agrees_with_central_differences(valuation):
    compared = 0
    for seed, level in enumerate((0.77, 0.0, 0.6)):
        system, draw = banks(seed, strong=STRONG.get(valuation, 1.0), outside_rank=1 + seed % 2)
        losses = shocks(system, draw, 2.0)
        compared += compare(system, losses, level, {"valuation": valuation, **VALUATIONS[valuation]})
    assert compared == 3


@pytest.mark.parametrize("second", ["default-costs", "linear-debtrank", "merton"])
def test_layers_with_valuations_of_their_own(second):
    system, draw = banks(11, of_second=second)
    options = {"valuation": "clearing", "alpha": 0.9, "beta": 0.6, "recovery": 0.1}
    assert compare(system, shocks(system, draw, 1.5), 0.5, options)


@pytest.mark.parametrize("valuation", VALUATIONS)
def test_directions_agree_with_central_differences(valuation):
    system, draw = banks(5, strong=STRONG.get(valuation, 1.0))
    losses, options = shocks(system, draw, 2.0), {"valuation": valuation, **VALUATIONS[valuation]}
    found = sensitivity(system, losses, level=0.6, kink=3e-5, **options)
    value = lambda changed: shortfall(changed, losses, 0.6, **options)  # noqa: E731
    assert found.near_kink == 0.0
    more = draw.uniform(-1.0, 1.0, len(system))

    def scaled(h):
        layers = tuple(replace(x, amounts=csr_array(x.amounts * (1.0 + h))) for x in system.layers)
        return replace(system, layers=layers, external_assets=system.external_assets + h * more)

    expected = slope(value, scaled)
    moved = {layer.name: layer.amounts for layer in system.layers}
    close(found.along(moved, more, cash=False), expected)
    close(found.toward(scaled(1.0)), expected)
    close(found.through(lambda setting: scaled(setting - 3.0), 3.0, 0.1), expected)
    i, j = (int(k[0]) for k in system.layers[0].amounts.nonzero())
    close(found.at_face("first")[i, j], slope(value, lambda h: with_amount(system, 0, i, j, h, cash=False)))
    one = csr_array(([1.0], ([i], [j])), shape=(len(system),) * 2)
    assert found.along({"first": one}) == pytest.approx(found.by_exposure[0][i, j], rel=1e-12)


def test_weights_of_ones_own():
    system, draw = banks(3)
    losses, weights = shocks(system, draw, 2.0), draw.uniform(0.0, 2.0, len(system))
    found = sensitivity(system, losses, level=0.5, weights=weights, kink=3e-5)

    def value(changed):
        return expected_shortfall(propagate(changed, losses, tolerance=1e-15).equity_lost @ weights, 0.5).value

    assert found.value == pytest.approx(value(system), rel=1e-12)
    close(
        found.by_buffer,
        np.array([slope(value, lambda h, a=i: with_more(system, "external_assets", a, h)) for i in range(7)]),
    )


def test_members_alone_count_and_others_still_pass_losses_on():
    system, draw = banks(3)
    losses, members = shocks(system, draw, 2.0), np.arange(7) < 3
    found = sensitivity(system, losses, level=0.5, members=members)
    lost = propagate(system, losses).equity_lost[:, members].sum(axis=1) / equity(system)[members].sum()
    assert found.value == pytest.approx(expected_shortfall(lost, 0.5).value, rel=1e-12)
    assert np.abs(found.by_buffer[3:]).max() > 0.0
    assert "3 institutions" in found.statistic


def test_a_pair_that_has_no_exposure_yet_has_a_derivative_where_a_nought_is_stored():
    """Also where the debtor owes nothing in that rank, so that the first unit there is lost whole when it fails."""
    system = system_from_arrays(
        (
            Layer("loans", csr_array(np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]]))),
            Layer("late", csr_array(([0.0, 1.0], ([0, 0], [1, 2])), shape=(3, 3)), rank=2),
        ),
        [5.0, 9.0, 4.0],
        [2.0, 1.0, 1.0],
    )
    losses = np.array([[0.0, 4.0, 0.0]])
    found = sensitivity(system, losses, level=0.0)
    value = lambda changed: shortfall(changed, losses, 0.0)  # noqa: E731
    forward = (value(with_amount(system, 1, 0, 1, STEP)) - value(system)) / STEP
    assert found.by_exposure[1].nnz == 2
    assert found.by_exposure[1][0, 1] == pytest.approx(forward, rel=1e-4)
    assert forward > 0.0


def test_nothing_moves_where_nobody_fails():
    system, draw = banks(2)
    losses = 1e-3 * shocks(system, draw, 1.0)
    for valuation in ("clearing", "default-costs", "default-only"):
        plain = replace(system, layers=system.layers[:2])  # stakes lose with every loss
        weighted = sensitivity(plain, losses, level=0.5, weights=np.ones(7), valuation=valuation)
        share = sensitivity(plain, losses, level=0.5, valuation=valuation)
        assert not weighted.by_buffer.any()
        np.testing.assert_allclose(share.by_buffer, -share.value / equity(plain).sum(), rtol=1e-12)
        assert not any(by.data.any() for by in (*weighted.by_exposure, *share.by_exposure))
        assert weighted.converged


def test_no_bit_depends_on_the_threads():
    system = synthetic_system(60, 6, seed=2)
    losses = np.random.default_rng(0).random((300, 60)) * 0.12 * system.external_assets
    for valuation in ("clearing", "linear-debtrank"):
        made = prepare(system, valuation=valuation)
        one, *more = (sensitivity(made, losses, level=0.3, threads=threads) for threads in (1, 2, 3, 7))
        for other in more:
            assert one.value == other.value
            np.testing.assert_array_equal(one.by_buffer, other.by_buffer)
            np.testing.assert_array_equal(one.by_exposure[0].data, other.by_exposure[0].data)


def test_direct_systems_where_sweeps_end_early():
    system = synthetic_system(60, 6, seed=2, equity_share=0.12)
    losses = np.random.default_rng(0).random((40, 60)) * 0.01 * system.external_assets
    swept = sensitivity(system, losses, level=0.5, valuation="linear-debtrank")
    direct = sensitivity(system, losses, level=0.5, valuation="linear-debtrank", max_rounds=2)
    assert (swept.direct, direct.direct) == (0, 20)
    assert swept.converged
    assert direct.converged
    np.testing.assert_allclose(direct.by_buffer, swept.by_buffer, rtol=1e-8)
    np.testing.assert_allclose(direct.by_exposure[0].data, swept.by_exposure[0].data, rtol=1e-8, atol=1e-15)


def test_a_draw_on_a_kink_is_told():
    system = system_from_arrays([[0.0, 4.0], [0.0, 0.0]], [5.0, 9.0], [2.0, 1.0])
    at_default = np.array([0.0, equity(system)[1]])
    found = sensitivity(system, np.stack([at_default, 0.5 * at_default]), level=0.0)
    assert found.near_kink == 0.5
    tied = sensitivity(system, np.stack([at_default, at_default]), level=0.5)
    assert tied.boundary == 0.0
    assert "one-sided" in repr(tied)


def test_what_cannot_be_derived_is_refused():
    system, _ = banks(0)
    guaranteed = replace(system, guarantees=(Guarantee(0, 1, "claims", 2),))
    pool = AssetClass("pool", "", "", 0.0, 0.0, 0.0, 0.0, depth=1.0)
    selling = replace(system, asset_classes=(pool,), holdings=np.full((7, 1), 0.1))
    losses = np.zeros((10, 7))
    for refused, options, said in (
        (guaranteed, {}, "guarantees"),
        (selling, {"sales": FireSales()}, "sales"),
        (system, {"valuation": lambda equity, initial, owed, assets: 1.0}, "own valuation"),
        (system, {"level": 1.0}, "no tail"),
        (system, {"level": 0.95}, "no tail"),
        (system, {"weights": -np.ones(7)}, "negative"),
        (system, {"weights": np.ones(3)}, "shapes"),
        (system, {"members": np.ones(3, dtype=bool)}, "shapes"),
        (system, {"members": np.zeros(7, dtype=bool)}, "equity"),
        (system, {"members": np.ones(7, dtype=bool), "weights": np.ones(7)}, "one of them"),
    ):
        with pytest.raises(ValueError, match=said):
            sensitivity(refused, losses, **{"level": 0.5, **options})
    with pytest.raises(ValueError, match="losses have shape"):
        sensitivity(system, np.zeros((10, 3)))


def test_directions_that_are_not_there_are_refused():
    system, draw = banks(0)
    found = sensitivity(system, shocks(system, draw, 1.0), level=0.5)
    with pytest.raises(KeyError, match="first, second, stakes"):
        found.along({"third": np.zeros((7, 7))})
    with pytest.raises(ValueError, match="store a nought"):
        found.along({"first": np.ones((7, 7))})
    with pytest.raises(ValueError, match="shapes"):
        found.along({"first": np.ones((3, 3))})
    with pytest.raises(ValueError, match="shapes"):
        found.along(d_external_assets=np.ones(3))
    with pytest.raises(ValueError, match="other amounts"):
        found.toward(replace(system, layers=system.layers[:1]))
    with pytest.raises(ValueError, match="step"):
        found.through(lambda setting: system, 1.0, 0.0)


def test_what_it_says():
    system, draw = banks(1)
    found = sensitivity(system, shocks(system, draw, 2.0), level=0.5, valuation="default-costs", alpha=0.8, beta=0.7)
    changes = found.largest(4)
    assert len(changes) == 4
    assert [c.lowers for c in changes] == sorted((c.lowers for c in changes), reverse=True)
    best = max(-found.by_buffer.min(), *(by.data.max() for by in found.by_exposure))
    assert changes[0].lowers == best
    assert "expected shortfall at 0.5" in repr(found)
    for said in ("Rule:", "Inputs:", "What would change it:", "Jump:"):
        assert said in found.explain()
    assert found._repr_html_().count("<tr>") == 1 + len(found.largest())
    entries = sum(layer.amounts.nnz for layer in system.layers)
    assert found.to_arrow().num_rows == entries + 2 * len(system)
    frame = found.to_pandas()
    row = frame[(frame.what == "exposure") & (frame.layer == "second")].iloc[0]
    i, j = int(row.creditor), int(row.debtor)
    assert (row.amount, row.derivative) == (system.layers[1].amounts[i, j], found.by_exposure[1][i, j])
    assert found.chart().to_dict()["mark"]["type"] == "bar"
