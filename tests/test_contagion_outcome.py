"""What a result says of itself: channels that add up, groups, bilateral losses, tables, words and charts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from poundlock.contagion import CHANNELS, clear, debtrank, propagate
from poundlock.system import synthetic_system, system_from_arrays
from test_contagion_kernels import MECHANISM, every_channel


@pytest.fixture(scope="module")
def found():
    s = every_channel(seed=2)
    draw = np.random.default_rng(0)
    s = replace(s, kinds=tuple(draw.choice(["bank", "fund"], 24)), regions=tuple(draw.choice(["A", "B", "C"], 24)))
    outages = np.zeros((20, 24))
    outages[:10, 20] = 3.0
    losses = draw.uniform(-0.02, 0.14, (20, 24)) * s.external_assets
    return propagate(s, losses, outages=outages, alpha=0.8, beta=0.9, valuation="default-costs", **MECHANISM)


def test_channels_add_up_to_the_loss(found):
    total = sum(found.loss_by_channel.values())
    np.testing.assert_allclose(total, found.initial_equity - found.equity, atol=1e-9)
    assert tuple(found.loss_by_channel) == CHANNELS
    assert all(np.any(loss != 0.0) for loss in found.loss_by_channel.values()), "every channel is at work"


def test_equity_lost_by_channel_adds_up_to_what_equity_holders_lost(found):
    total = sum(found.equity_lost_by_channel.values())
    np.testing.assert_allclose(total, found.equity_lost, atol=1e-9)
    assert np.all(found.equity_lost <= np.maximum(found.initial_equity, 0.0))
    assert np.all(found.equity_lost >= 0.0)


def test_guarantees_only_move_losses_that_guarantors_can_pay():
    lent = np.zeros((3, 3))
    lent[0, 1] = 10.0
    from poundlock.system import Guarantee

    s = system_from_arrays(lent, [10.0, 12.0, 50.0], [15.0, 0.0, 2.0], guarantees=(Guarantee(2, 0, "claims", 1),))
    result = clear(s, [0.0, 8.0, 0.0])
    assert result.loss_by_channel["guarantees"][0].sum() == pytest.approx(0.0)
    np.testing.assert_allclose(result.loss_by_channel["guarantees"][0], [-6.0, 0.0, 6.0])


def test_who_lost_what_on_whom_adds_up_to_credit_and_stakes(found):
    for s in (0, 7):
        claims = found.claims_lost(s)
        expected = found.loss_by_channel["credit"][s] + found.loss_by_channel["stakes"][s]
        np.testing.assert_allclose(np.asarray(claims.sum(axis=1)).ravel(), expected, atol=1e-12)


def test_groups_add_up(found):
    for what in ("kind", "region", "id"):
        labels, lost = found.by(what)
        assert lost.shape == (20, len(labels))
        np.testing.assert_allclose(lost.sum(axis=1), found.equity_lost.sum(axis=1))
        names, between = found.between(what)
        assert names == labels
        mean = sum(found.claims_lost(s).sum() for s in range(20)) / 20
        assert between.sum() == pytest.approx(mean)
    with pytest.raises(ValueError, match="grouping 'country'; expected one of kind, region, id"):
        found.by("country")


def test_cross_border_losses_have_a_region_on_each_side():
    s = replace(system_from_arrays([[0.0, 10.0], [0.0, 0.0]], [5.0, 12.0], [0.0, 0.0]), regions=("CN-33", "CN-31"))
    labels, lost = clear(s, [0.0, 8.0]).between("region")
    assert labels == ("CN-33", "CN-31")
    np.testing.assert_allclose(lost, [[0.0, 6.0], [0.0, 0.0]])


def test_the_table_has_a_row_for_each_scenario_and_institution(found):
    frame = found.to_pandas()
    assert len(frame) == 20 * 24
    row = frame[(frame.scenario == 7) & (frame.institution == found.model.system.ids[3])].iloc[0]
    assert row.equity == found.equity[7, 3]
    assert row.loss_prices == found.loss_by_channel["prices"][7, 3]
    assert row.converged == found.converged[7]
    assert found.to_arrow().schema.names == list(frame.columns)


def test_value_by_layer_and_in_all():
    s = every_channel(seed=2)
    result = clear(s, np.full(24, 0.1) * s.external_assets)
    senior, junior = result.value_in("interbank"), result.value_in("junior")
    owing = np.arange(6, 11)  # those who owe anything in the later rank
    assert np.all(junior[0, owing] <= senior[0, owing])
    assert np.any(junior[0, owing] < senior[0, owing])
    with pytest.raises(KeyError, match="no layer 'bonds'; layers: interbank, junior, stakes"):
        result.value_in("bonds")


def test_it_prints_what_one_needs_to_know(found):
    words = repr(found)
    for part in ("20 scenarios, 24 institutions", "by channel", "sales by threshold", "converged"):
        assert part in words
    alone = debtrank(synthetic_system(5, 2, seed=1), np.ones(5), max_rounds=1)
    assert "NOT converged in 1 scenario" in repr(alone)
    assert "upper bound" in repr(alone)
    assert repr(clear(synthetic_system(5, 2), np.zeros((0, 5)))).endswith("synthetic units")


def test_charts_of_one_and_of_many(found):
    many = found.chart().to_dict()
    assert many["mark"]["type"] == "line"
    s = every_channel(seed=2)
    one = clear(s, 0.1 * s.external_assets).chart().to_dict()
    assert one["mark"]["type"] == "bar"


def test_nothing_lost_is_a_chart_too():
    assert clear(synthetic_system(5, 2), np.zeros(5)).chart().to_dict()["mark"]["type"] == "bar"


def test_negative_losses_are_gains(found):
    s = synthetic_system(5, 2, seed=1)
    result = clear(s, -np.ones(5))
    np.testing.assert_allclose(result.equity[0], result.initial_equity + 1.0)
    assert result.equity_lost.sum() == 0.0
