"""Cont, R. and Schaanning, E. (2017), Fire sales, indirect contagion and systemic stress testing, Norges Bank Working
Paper 2/2017, section 2.

A bank sells only when assets / equity is above a limit, and then just enough to return to a buffer below it: assets -
buffer * equity, at present prices. All holders mark to market; what is sold in a round bears half of its fall (realised
= 1/2).
Numbers derived here. The paper's exponential impact has a floor B_k, 1 - (1 - B/S) (1 - exp(-q / D)), here B = 0.
"""

from __future__ import annotations

from dataclasses import replace
from math import exp

import numpy as np
import pytest

from poundlock.contagion import FireSales, propagate
from poundlock.system import system_from_arrays

RULE = FireSales(rule="threshold", limit=25.0, buffer=20.0, realised=0.5)


def two_banks(impact="linear", depth=1000.0):
    """0: loans 56, securities 25, debt 77, equity 4, leverage 81/4 = 20.25. 1: loans 90.2, securities 40, debt 124.4,
    equity 5.8, leverage 130.2/5.8 = 22.4. Both below 25."""
    system = system_from_arrays(
        np.zeros((2, 2)), [81.0, 130.2], [77.0, 124.4], holdings=[[25.0], [40.0]], depth=[depth]
    )
    return replace(system, asset_classes=(replace(system.asset_classes[0], impact=impact),))


def test_two_rounds_by_hand():
    """0 loses 1 on loans: assets 80, equity 3, 26.7 > 25.
    Round 1: 0 sells 80 - 20 * 3 = 20 of 25. Price 1 - 20/1000 = 0.98. 0 loses (5 + 20/2) 0.02 = 0.3: equity 2.7, assets
    55 + 4.9 = 59.9, 22.2 <= 25. 1 loses 40 * 0.02 = 0.8: equity 5, assets 129.4, 25.88 > 25.
    Round 2: 1 sells 129.4 - 100 = 29.4, at 0.98 that is 30 of 40 units. Price 1 - 50/1000 = 0.95. 1 loses (10 + 30/2)
    0.03 = 0.75: equity 4.25, assets 90.2 + 9.5 = 99.7, 23.5 <= 25. 0 loses 5 * 0.03 = 0.15: equity 2.55, assets 59.75,
    23.4 <= 25.
    Round 3: nobody sells."""
    found = propagate(two_banks(), [1.0, 0.0], sales=RULE)
    np.testing.assert_allclose(found.trade.price[0], [0.95], atol=1e-12)
    np.testing.assert_allclose(found.loss_by_channel["prices"][0], [0.45, 1.55], atol=1e-11)
    np.testing.assert_allclose(found.equity[0], [2.55, 4.25], atol=1e-11)
    assert found.trade.rounds[0] == 3
    assert found.converged[0]


def test_the_first_round_alone():
    found = propagate(two_banks(), [1.0, 0.0], sales=replace(RULE, max_rounds=1))
    np.testing.assert_allclose(found.trade.price[0], [0.98], atol=1e-14)
    np.testing.assert_allclose(found.equity[0], [2.7, 5.0], atol=1e-12)
    assert not found.converged[0]


def test_below_the_limit_nobody_sells():
    """A loss of 0.7 leaves 0 with 80.3 / 3.3 = 24.3: above the buffer, below the limit, so no sale, unlike leverage
    targeting.
    With 0.8 it is 80.2 / 3.2 = 25.06."""
    found = propagate(two_banks(), [[0.7, 0.0], [0.8, 0.0]], sales=RULE)
    assert found.trade.price[0, 0] == 1.0
    np.testing.assert_allclose(found.equity[0], [3.3, 5.8], atol=1e-12)
    assert found.trade.price[1, 0] < 1.0
    target = propagate(two_banks(), [0.7, 0.0], sales=FireSales(rule="target"))
    assert target.trade.price[0, 0] < 1.0


@pytest.mark.parametrize(("realised", "loss"), [(0.0, 0.1), (0.5, 0.3), (1.0, 0.5)])
def test_the_price_at_which_the_seller_sells(realised, loss):
    """Round 1 as above: 5 units kept bear all of 0.02, the 20 sold bear none, half or all of it."""
    found = propagate(two_banks(), [1.0, 0.0], sales=replace(RULE, realised=realised, max_rounds=1))
    np.testing.assert_allclose(found.equity[0], [3 - loss, 5.0], atol=1e-12)


def test_two_rounds_with_exponential_impact():
    """Depth 1000, price exp(-units / 1000). Round 1: 20 sold, p = exp(-0.02). 0 loses 15 (1 - p); 1 loses l = 40 (1 -
    p) = 0.792, so equity 5.008, assets 129.408, 25.84 > 25. Round 2: 1 sells (130.2 - l) - 20 (5.8 - l) = 14.2 + 19 l,
    which is u = (14.2 + 19 l) / p = 29.84 units. q = exp(-(20 + u) / 1000). 1 loses (40 - u / 2) (p - q), 0 loses 5 (p
    - q)."""
    p = exp(-0.02)
    first = 40 * (1 - p)
    units = (14.2 + 19 * first) / p
    q = exp(-(20 + units) / 1000)
    found = propagate(two_banks("exponential"), [1.0, 0.0], sales=RULE)
    np.testing.assert_allclose(found.trade.price[0], [q], atol=1e-12)
    equity = [3 - 15 * (1 - p) - 5 * (p - q), 5.8 - first - (40 - units / 2) * (p - q)]
    np.testing.assert_allclose(found.equity[0], equity, atol=1e-11)
    assert found.trade.rounds[0] == 3


def test_an_insolvent_bank_sells_everything():
    """0 loses 5 of equity 4. It sells 25: price 0.975, its loss half of 25 * 0.025. 1 loses 1: equity 4.8, assets
    129.2, 26.9 > 25, so it sells 129.2 - 96 = 33.2, at 0.975 34.05 units; price 1 - (25 + 33.2 / 0.975) / 1000."""
    found = propagate(two_banks(), [5.0, 0.0], sales=RULE)
    units = 33.2 / 0.975
    last = 1 - (25 + units) / 1000
    np.testing.assert_allclose(found.equity[0, 0], -1 - 0.3125, atol=1e-12)
    np.testing.assert_allclose(found.equity[0, 1], 4.8 - (40 - units / 2) * (0.975 - last), atol=1e-11)
    np.testing.assert_allclose(found.trade.price[0], [last], atol=1e-12)
