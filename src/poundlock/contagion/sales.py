"""The lower storey of prices and funding: rounds of calls, sales and prices around the fixed point of claims. Loops only.

Order within a round, as it is written on every result: credit losses, margin and funding calls, sales, prices. Money raised
in sales is set aside for creditors: it lowers the leverage at once and is shared when claims are settled, so that nobody gets
out ahead of the others. Prices only fall, calls and sales only grow, so the rounds end. Blocks are whole
Lanes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from poundlock.contagion.compiled import inlined, inner
from poundlock.contagion.flat import ALIVE, BEFORE, MOVED, ON_CLAIMS, ON_SHORTFALL, OPEN
from poundlock.contagion.kernels import find_equity, settle, visit_all
from poundlock.contagion.lanes import any_above, below, gather, least, load, most, store
from poundlock.contagion.valuation import DEFAULT_COSTS

ALL_OF_IT = 1e300  # more money than anybody has; a call that moves a lane into another round


@inlined
def unmet(markets, trading, i):
    """What i was called for in funding and margin and has neither in liquid assets nor from sales: Lanes."""
    calls = load(trading.called, i) + markets.margin * load(trading.price_loss, i)
    return most(0.0, calls - markets.liquid[i] - load(trading.aside, i))


@inner
def _call(markets, block, trading, initial):
    """Lenders that come under stress do not roll over; balances of institutions under stress run. Who comes under stress is
    found for all before anybody calls, so that it does not depend on their order."""
    alive, moved, anybody = load(trading.pace, ALIVE), load(trading.pace, MOVED), False
    for i in range(len(initial)):
        weak = below(load(block.equity, i), markets.stress_below * initial[i], 1.0, 0.0)
        dry = below(0.0 - unmet(markets, trading, i), -1e-12 * markets.liabilities[i], 1.0, 0.0)
        short = below(0.0 - load(trading.left, i), 0.0, 0.0, dry)
        before = load(trading.stressed, i)
        fresh = most(0.0, most(weak, short) - before) * alive
        store(trading.selling, i, fresh)
        store(trading.stressed, i, before + fresh)
        anybody |= any_above(fresh, 0.0)
    if not anybody:
        return
    for i in range(len(initial)):
        fresh = load(trading.selling, i)
        if not any_above(fresh, 0.0):
            continue
        store(trading.called, i, load(trading.called, i) + markets.run * markets.runnable[i] * fresh)
        for k in range(markets.lent_starts[i], markets.lent_starts[i + 1]):
            to = markets.lent_to[k]
            store(trading.called, to, load(trading.called, to) + markets.withdrawn * markets.lent[k] * fresh)
        moved = most(moved, ALL_OF_IT * fresh)
    store(trading.pace, MOVED, moved)


@inlined
def _wanted(markets, block, trading, i):
    """Money that i must raise by sales now, Lanes: to come back to its leverage, to meet calls beyond its liquid assets."""
    equity, raised = load(block.equity, i), load(trading.aside, i)
    calls = load(trading.called, i) + markets.margin * load(trading.price_loss, i)
    need = most(0.0, calls - markets.liquid[i] - raised)
    if markets.limit[i] < np.inf:
        paid = raised + least(markets.liquid[i], calls)
        assets = equity + markets.liabilities[i] - paid
        over = assets - markets.limit[i] * (1.0 + 1e-12) * equity
        back = below(0.0 - over, 0.0, most(need, assets - markets.buffer[i] * equity), need)
        need = below(equity, 0.0, need, back)
    if markets.failed_sell:
        need = below(equity, 0.0, ALL_OF_IT, need)
    return need


@inner
def _sell(markets, block, trading):
    """Every institution sells the same share of all that it holds, as much as it needs at present prices or all it has.
    Returns whether anything was sold."""
    alive, anything = load(trading.pace, ALIVE), False
    for i in range(len(markets.liquid)):
        if markets.starts[i] == markets.starts[i + 1]:
            continue
        worth, left = load(trading.value, i), load(trading.left, i)
        part = least(left, _wanted(markets, block, trading, i) / worth)
        part = below(0.0 - worth, 0.0, part, 0.0) * alive
        store(trading.selling, i, part)
        if any_above(part, 0.0):
            anything = True
            store(trading.left, i, left - part)
            for k in range(markets.starts[i], markets.starts[i + 1]):
                asset = markets.asset[k]
                store(trading.sold, asset, load(trading.sold, asset) + markets.amount[k] * part)
    return anything


@inner
def _price(markets, trading):
    """Prices from all that was sold so far; notes the largest fall of each lane."""
    for k in range(len(markets.depth)):
        for lane in range(trading.pace.shape[1]):
            pressure = trading.sold[k, lane] / markets.depth[k]
            price = np.exp(-pressure) if markets.exponential[k] else 1.0 - pressure
            price = min(trading.price[k, lane], max(markets.floor[k], price))
            fall = (trading.price[k, lane] - price) * trading.pace[ALIVE, lane]
            trading.pace[MOVED, lane] = max(trading.pace[MOVED, lane], fall)
            trading.price[k, lane] = price


@inner
def _mark(markets, block, trading):
    """Mark what is left to market, and what was sold in this round by the realised part of the fall; note money raised."""
    for i in range(len(markets.liquid)):
        if markets.starts[i] == markets.starts[i + 1]:
            continue
        before, part = load(trading.value, i), load(trading.selling, i)
        after = gather(markets.starts, markets.asset, markets.amount, i, trading.price)
        fall = before - after
        loss = (load(trading.left, i) + markets.realised * part) * fall
        store(trading.aside, i, load(trading.aside, i) + part * (before - markets.realised * fall))
        store(trading.value, i, after)
        store(trading.price_loss, i, load(trading.price_loss, i) + loss)
        store(block.base, i, load(block.base, i) - loss)


@inner
def _may_rise(network, promises):
    """Whether claims may be worth more after a fall of prices: support replaces assets that would have been realised at a cost
    by money that is not (alpha < beta). The greatest values are then not to be found from those of the round before."""
    costs, supported = False, False
    for g in range(len(network.code)):
        costs |= network.code[g] == DEFAULT_COSTS and network.first[g] < network.second[g]
    for c in range(len(promises.kind)):
        supported |= promises.kind[c] == ON_SHORTFALL
    return costs and supported


@inner
def _from_face(promises, block):
    """Claims at face and nothing called, in the open lanes."""
    for lane in range(block.marks.shape[1]):
        if block.marks[OPEN, lane] == 1.0:
            for q in range(len(block.lost)):
                block.lost[q, lane] = 0.0
            for c in range(len(promises.kind)):
                if promises.kind[c] in (ON_CLAIMS, ON_SHORTFALL):
                    block.due[c, lane] = 0.0


@inner
def rounds(network, promises, markets, block, trading, initial, settings):
    """Settle claims; then, as long as prices move or calls are made, another round of calls, sales, prices and claims."""
    settle(network, promises, block, settings)
    afresh = _may_rise(network, promises)
    for _ in range(markets.max_rounds):
        for lane in range(trading.pace.shape[1]):
            trading.pace[MOVED, lane] = 0.0
        find_equity(network, promises, block, 0, len(initial))
        _call(markets, block, trading, initial)
        if _sell(markets, block, trading):
            _price(markets, trading)
            _mark(markets, block, trading)
        going = False
        for lane in range(trading.pace.shape[1]):
            block.marks[OPEN, lane] = trading.pace[ALIVE, lane]
            if trading.pace[ALIVE, lane] == 1.0:
                trading.rounds[lane] += 1
                block.marks[BEFORE, lane] = 0.0
                trading.pace[ALIVE, lane] = 1.0 if trading.pace[MOVED, lane] > markets.price_tolerance else 0.0
                going |= trading.pace[ALIVE, lane] == 1.0
        if afresh:
            _from_face(promises, block)
        visit_all(block.todo)
        settle(network, promises, block, settings)
        if not going:
            break
