"""The lower storey of prices and funding: rounds of calls, sales and prices around the fixed point of claims. Loops only.

Order within a round, as it is written on every result: credit losses, margin and funding calls, sales, prices. Money raised
in sales is set aside for creditors: it lowers the leverage at once and is shared when claims are settled, so that nobody gets
out ahead of the others. Everything moves one way (prices fall, calls and sales grow), so the rounds end.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from poundlock.contagion.compiled import inner
from poundlock.contagion.flat import BEFORE, OPEN, PACE
from poundlock.contagion.kernels import settle


@inner
def value_of(starts, asset, amount, i, price, row):
    """Fill row with what the first holdings of i are worth at these prices."""
    for lane in range(len(row)):
        row[lane] = 0.0
    for k in range(starts[i], starts[i + 1]):
        for lane in range(len(row)):
            row[lane] += amount[k] * price[asset[k], lane]


@inner
def calls_on(markets, trading, i, lane):
    """Funding and margin called from i so far, money."""
    return trading.called[i, lane] + markets.margin * trading.price_loss[i, lane]


@inner
def unmet(markets, trading, i, lane):
    """What i was called for and has neither in liquid assets nor from sales."""
    return max(0.0, calls_on(markets, trading, i, lane) - markets.liquid[i] - trading.aside[i, lane])


@inner
def _call(markets, block, trading, initial):
    """Lenders that come under stress do not roll over; balances of institutions under stress run. Marks lanes that moved."""
    width = len(trading.alive)
    for i in range(len(markets.liquid)):
        for lane in range(width):
            if trading.alive[lane] == 0.0 or trading.stressed[i, lane]:
                continue
            short = trading.left[i, lane] <= 0.0 and unmet(markets, trading, i, lane) > 1e-12 * markets.liabilities[i]
            if block.equity[i, lane] < markets.stress_below * initial[i] or short:
                trading.stressed[i, lane] = 1
                trading.called[i, lane] += markets.run * markets.runnable[i]
                for k in range(markets.lent_starts[i], markets.lent_starts[i + 1]):
                    trading.called[markets.lent_to[k], lane] += markets.withdrawn * markets.lent[k]
                trading.moved[lane] = np.inf


@inner
def _wanted(markets, block, trading, i, lane):
    """Money that i must raise by sales now: to come back to its leverage, or to meet calls beyond its liquid assets."""
    raised, equity = trading.aside[i, lane], block.equity[i, lane]
    paid = raised + min(markets.liquid[i], calls_on(markets, trading, i, lane))
    need = unmet(markets, trading, i, lane)
    if equity < 0.0 and markets.failed_sell:
        return np.inf
    if markets.limit[i] == np.inf or equity <= 0.0:
        return need
    assets = equity + markets.liabilities[i] - paid
    if assets > markets.limit[i] * equity * (1.0 + 1e-12):
        need = max(need, assets - markets.buffer[i] * equity)
    return need


@inner
def _sell(markets, block, trading):
    """Every institution sells the same share of all that it holds, as much as it needs at present prices or all it has."""
    width = len(trading.alive)
    for i in range(len(markets.liquid)):
        if markets.starts[i] == markets.starts[i + 1]:
            continue
        any_sale = 0.0
        for lane in range(width):
            trading.selling[i, lane] = 0.0
            worth, left = trading.value[i, lane], trading.left[i, lane]
            if trading.alive[lane] == 0.0 or left <= 0.0 or worth <= 0.0:
                continue
            part = min(left, _wanted(markets, block, trading, i, lane) / worth)
            trading.selling[i, lane] = part
            trading.left[i, lane] = left - part
            any_sale += part
        if any_sale > 0.0:
            for k in range(markets.starts[i], markets.starts[i + 1]):
                for lane in range(width):
                    trading.sold[markets.asset[k], lane] += markets.amount[k] * trading.selling[i, lane]


@inner
def _price(markets, trading):
    """Prices from all that was sold so far; notes the largest fall of each lane."""
    for k in range(len(markets.depth)):
        for lane in range(len(trading.alive)):
            pressure = trading.sold[k, lane] / markets.depth[k]
            price = np.exp(-pressure) if markets.exponential[k] else 1.0 - pressure
            price = min(trading.price[k, lane], max(markets.floor[k], price))
            trading.moved[lane] = max(trading.moved[lane], (trading.price[k, lane] - price) * trading.alive[lane])
            trading.price[k, lane] = price


@inner
def _mark(markets, block, trading):
    """Mark what is left to market, and what was sold in this round by the realised part of the fall; note money raised."""
    row, width = block.row, len(trading.alive)
    for i in range(len(markets.liquid)):
        if markets.starts[i] == markets.starts[i + 1]:
            continue
        value_of(markets.starts, markets.asset, markets.amount, i, trading.price, row)
        moved = 0.0
        for lane in range(width):
            fall = trading.value[i, lane] - row[lane]
            part = trading.selling[i, lane]
            loss = (trading.left[i, lane] + markets.realised * part) * fall
            trading.aside[i, lane] += part * (trading.value[i, lane] - markets.realised * fall)
            trading.value[i, lane] = row[lane]
            trading.price_loss[i, lane] += loss
            block.base[i, lane] -= loss
            block.equity[i, lane] -= loss
            moved += loss
        if moved > 0.0 and block.todo[i] == 0:
            block.todo[i] = 1


@inner
def rounds(network, promises, markets, block, trading, initial, settings):
    """Settle claims; then, as long as prices move or calls are made, another round of calls, sales, prices and claims."""
    settle(network, promises, block, True, settings)
    for _ in range(markets.max_rounds):
        for lane in range(len(trading.moved)):
            trading.moved[lane] = 0.0
        _call(markets, block, trading, initial)
        _sell(markets, block, trading)
        _price(markets, trading)
        _mark(markets, block, trading)
        going = False
        for lane in range(len(trading.alive)):
            block.marks[OPEN, lane] = trading.alive[lane]
            if trading.alive[lane] == 1.0:
                trading.rounds[lane] += 1
                block.marks[BEFORE, lane] = block.marks[PACE, lane] = 0.0
                if trading.moved[lane] <= markets.price_tolerance:
                    trading.alive[lane] = 0.0
                else:
                    going = True
        settle(network, promises, block, True, settings)
        if not going:
            break
