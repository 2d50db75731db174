"""The lower storey's doors: one thread's blocks of scenarios, one after the other, in scratch that it was given.

A block fills only its own rows of the outputs, and thread t of T takes blocks t, t + T, ...: nothing depends on T.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from poundlock.contagion.compiled import door, inner
from poundlock.contagion.flat import ALIVE, BEFORE, GAP, MOVED, ON_OWN_LOSS, OPEN, STATED, UNSETTLED
from poundlock.contagion.kernels import find_equity, in_lanes, settle, share_lost, share_lost_lanes
from poundlock.contagion.lanes import any_above, gather, load, most, store
from poundlock.contagion.sales import ALL_OF_IT, rounds, unmet

TILE = 64


@inner
def _clear(block, lanes):
    """Every lane as if nothing had happened yet; spare lanes stay closed."""
    for lane in range(len(block.rounds)):
        for mark in range(len(block.marks)):
            block.marks[mark, lane] = 0.0
        block.marks[OPEN, lane] = 1.0 if lane < lanes else 0.0
        block.marks[GAP, lane] = np.inf
        block.rounds[lane] = 0
    for i in range(len(block.todo)):
        block.todo[i] = 0


@inner
def _fill_base(initial, losses, order, first, lanes, base, start, end):
    """Equity after the direct loss of institutions start to end; spare lanes repeat the unshocked system."""
    for i in range(start, end):
        for lane in range(lanes):
            base[i, lane] = initial[i] - losses[order[first + lane], i]
        for lane in range(lanes, base.shape[1]):
            base[i, lane] = initial[i]


@inner
def _fixed_dues(promises, direct, stopped, stated, order, first, lanes, due):
    """Promises that depend on the scenario alone: on own direct losses, payments that an outage keeps from settling, and covers."""
    for c in range(len(promises.kind)):
        for lane in range(due.shape[1]):
            due[c, lane] = 0.0
    for i in range(len(promises.payee_starts) - 1):
        for c in range(promises.payee_starts[i], promises.payee_starts[i + 1]):
            for lane in range(lanes):
                s = order[first + lane]
                if promises.kind[c] == ON_OWN_LOSS:
                    over = max(0.0, direct[s, i] - promises.deductible[c])
                    due[c, lane] = min(promises.limit[c], promises.share[c] * over)
                elif (
                    promises.kind[c] == UNSETTLED and len(stopped) > 0
                ):  # else nobody stops, and there is nothing to read
                    due[c, lane] = promises.share[c] * stopped[s, promises.payer[c]]
                elif promises.kind[c] == STATED:
                    due[c, lane] = stated[s, promises.column[c]]


@inner
def _start_lanes(network, block, start, end):
    """As `_start`, on a block of whole Lanes."""
    base, lost, marks = block.base, block.lost, block.marks
    code, scale, junior, first, second = network.code, network.scale, network.junior, network.first, network.second
    largest = load(marks, BEFORE)
    for i in range(start, end):
        moved = False
        worth = load(base, i)
        for g in range(len(code)):
            here = (scale[i, g], junior[i, g], network.initial[i], network.owed[i], network.beyond[i])
            share = share_lost_lanes(code[g], i, worth, base, *here, first[g], second[g])
            store(lost, i * len(code) + g, share)
            largest = most(largest, share)
            moved |= any_above(share, 0.0)
        if moved:
            for k in range(network.told_starts[i], network.told_starts[i + 1]):
                block.todo[network.told[k]] = 1
    store(marks, BEFORE, largest)


@inner
def _start(network, promises, block, settings, start, end):
    """First values of claims on institutions start to end, from base; whoever holds a claim that lost something is to be
    visited. What depends on promises, made or received, depends on more than base: claims on those start without a loss."""
    groups, width = len(network.code), len(block.row)
    for i in range(start, end):
        bound = len(promises.kind) > 0 and (
            promises.payer_starts[i] < promises.payer_starts[i + 1]
            or promises.payee_starts[i] < promises.payee_starts[i + 1]
        )
        if bound or not settings.rising:
            block.todo[i] = 1
        for lane in range(width):
            block.row[lane] = block.base[i, lane]
        moved = 0.0
        for g in range(groups):
            if settings.rising and not bound:
                here = (network.scale[i, g], network.junior[i, g], network.initial[i], network.owed[i])
                more = (network.beyond[i], network.first[g], network.second[g], settings.own, block.share)
                share_lost(network.code[g], i, block.row, block.base, *here, *more)
            else:
                for lane in range(width):
                    block.share[lane] = 0.0 if settings.rising else 1.0
            for lane in range(width):
                block.lost[i * groups + g, lane] = block.share[lane]
                block.marks[BEFORE, lane] = max(block.marks[BEFORE, lane], block.share[lane])
                moved = max(moved, block.share[lane])
        if moved > 0.0:
            for k in range(network.told_starts[i], network.told_starts[i + 1]):
                block.todo[network.told[k]] = 1


@inner
def _begin(network, promises, block, settings, initial, losses, order, first, lanes):
    """Base and first values of all, in tiles that stay in the cache from the one to the other."""
    whole = settings.rising and in_lanes(network.code, promises.kind, block.base)
    for start in range(0, len(initial), TILE):
        end = min(start + TILE, len(initial))
        _fill_base(initial, losses, order, first, lanes, block.base, start, end)
        if whole:
            _start_lanes(network, block, start, end)
        else:
            _start(network, promises, block, settings, start, end)


@inner
def _write(rows, order, first, lanes, out, start, end):
    """Rows start to end of node-major scratch to where their scenarios belong."""
    for i in range(start, end):
        for lane in range(lanes):
            out[order[first + lane], i] = rows[i, lane]


@inner
def _finish(network, promises, block, order, first, lanes, equity, lost, due, sweeps, gap):
    """Close all lanes and write out, in tiles that stay in the cache from the one to the other."""
    groups, n = len(network.code), len(network.starts) - 1
    for lane in range(len(block.rounds)):
        block.marks[OPEN, lane] = 0.0
        if lane < lanes:
            sweeps[order[first + lane]] = block.rounds[lane]
            gap[order[first + lane]] = block.marks[GAP, lane]
    for start in range(0, n, TILE):
        end = min(start + TILE, n)
        find_equity(network, promises, block, start, end)
        _write(block.equity, order, first, lanes, equity, start, end)
        _write(block.lost, order, first, lanes, lost, start * groups, end * groups)
    _write(block.due, order, first, lanes, due, 0, len(promises.kind))


@inner
def _open_markets(markets, trading, runs, order, first, lanes):
    """First prices, holdings and calls of every lane; spare lanes take no part."""
    for lane in range(trading.pace.shape[1]):
        trading.pace[MOVED, lane] = 0.0
        trading.pace[ALIVE, lane] = 1.0 if lane < lanes else 0.0
        trading.rounds[lane] = 0
        for k in range(len(markets.depth)):
            trading.price[k, lane], trading.sold[k, lane] = 1.0, 0.0
    nothing = load(trading.pace, MOVED)
    for i in range(len(markets.liquid)):
        store(trading.value, i, gather(markets.starts, markets.asset, markets.amount, i, trading.price))
        store(trading.left, i, nothing + (1.0 if markets.starts[i] < markets.starts[i + 1] else 0.0))
        for state in (trading.selling, trading.aside, trading.price_loss, trading.called, trading.stressed):
            store(state, i, nothing)
    for lane in range(lanes if len(runs) else 0):
        for i in range(len(markets.liquid)):
            trading.called[i, lane] = runs[order[first + lane], i] * markets.runnable[i]


@door
def solve_blocks(
    network,
    promises,
    initial,
    losses,
    direct,
    stopped,
    stated,
    order,
    settings,
    block,
    thread,
    threads,
    equity,
    lost,
    due,
    sweeps,
    gap,
):
    """Claims alone. losses (s, n): before anything spreads; direct (s, n): the part that insurance of own losses covers; stopped
    (s, n): days of outage, or empty; stated (s, m): what falls due under covers, by pair; order (s): scenarios as they are put into blocks. Outputs: equity (s, n), lost (s, n * g), due (s, c), sweeps, gap (s)."""
    count, width = len(order), len(block.row)
    for first in range(thread * width, count, threads * width):
        lanes = min(width, count - first)
        _clear(block, lanes)
        _fixed_dues(promises, direct, stopped, stated, order, first, lanes, block.due)
        _begin(network, promises, block, settings, initial, losses, order, first, lanes)
        settle(network, promises, block, settings)
        _finish(network, promises, block, order, first, lanes, equity, lost, due, sweeps, gap)


@door
def trade_blocks(
    network,
    promises,
    markets,
    initial,
    losses,
    direct,
    stopped,
    stated,
    runs,
    order,
    settings,
    block,
    trading,
    thread,
    threads,
    equity,
    lost,
    due,
    sweeps,
    gap,
    price_loss,
    short,
    price,
    price_gap,
    price_rounds,
):
    """As solve_blocks, with prices and funding. runs (s, n): share of runnable balances withdrawn from outside, or empty.

    More outputs: price_loss, short (s, n): calls that could not be met; price (s, k); price_gap (infinite
    where new calls were made last), price_rounds (s).
    """
    count, width = len(order), len(block.row)
    for first in range(thread * width, count, threads * width):
        lanes = min(width, count - first)
        _clear(block, lanes)
        _fixed_dues(promises, direct, stopped, stated, order, first, lanes, block.due)
        _open_markets(markets, trading, runs, order, first, lanes)
        _begin(network, promises, block, settings, initial, losses, order, first, lanes)
        rounds(network, promises, markets, block, trading, initial, settings)
        for lane in range(lanes):
            s = order[first + lane]
            moved = trading.pace[MOVED, lane]
            price_gap[s], price_rounds[s] = moved if moved < ALL_OF_IT else np.inf, trading.rounds[lane]
        for i in range(len(initial)):
            store(trading.selling, i, unmet(markets, trading, i))
        _write(trading.selling, order, first, lanes, short, 0, len(initial))
        _write(trading.price, order, first, lanes, price, 0, len(markets.depth))
        _write(trading.price_loss, order, first, lanes, price_loss, 0, len(initial))
        _finish(network, promises, block, order, first, lanes, equity, lost, due, sweeps, gap)


@door
def fail_blocks(
    network, promises, initial, failed, members, settings, block, thread, threads, to_others, relative, sweeps, gap
):
    """Claims alone, one institution failed in each scenario; nothing of size scenarios x institutions is kept.

    failed (s): who fails, by the loss of all its equity; members (n): whose losses count. Outputs: to_others (s), equity
    lost by other members; relative (threads, n): sum over the thread's scenarios of own equity lost, as a share; sweeps, gap.
    """
    count, width = len(failed), len(block.row)
    for first in range(thread * width, count, threads * width):
        lanes = min(width, count - first)
        _clear(block, lanes)
        for i in range(len(initial)):
            for lane in range(width):
                block.base[i, lane] = initial[i]
        for lane in range(lanes):
            block.base[failed[first + lane], lane] = 0.0
        for c in range(len(promises.kind)):
            for lane in range(width):
                block.due[c, lane] = 0.0
        if in_lanes(network.code, promises.kind, block.base):
            _start_lanes(network, block, 0, len(initial))
        else:
            _start(network, promises, block, settings, 0, len(initial))
        settle(network, promises, block, settings)
        for lane in range(width):
            block.marks[OPEN, lane] = 0.0
        find_equity(network, promises, block, 0, len(initial))
        for i in range(len(initial)):
            if not members[i] or initial[i] <= 0.0:
                continue
            for lane in range(lanes):
                if failed[first + lane] != i:
                    lost = min(max(initial[i] - block.equity[i, lane], 0.0), initial[i])
                    to_others[first + lane] += lost
                    relative[first // width, i] += lost / initial[i]
        for lane in range(lanes):
            sweeps[first + lane], gap[first + lane] = block.rounds[lane], block.marks[GAP, lane]
