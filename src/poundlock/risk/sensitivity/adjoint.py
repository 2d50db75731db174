"""The transposed system at the fixed point, compiled: what a unit of equity missing at each institution adds to a mean
of losses.

At the fixed point E = base - A f(E, p), with A what is at risk by slot and f the share lost on each slot, every small
change obeys dE = (I - A S)^-1 (dbase - dA f - A f_p dp), S the slopes of f in -E on the pieces where E lies. For a
mean loss whose derivative in -E is `goal`, the weights w = (I - A S)^-T goal >= 0 give all derivatives at once: -w_i
for base, w_i f_q for A_iq, and (A^T w)_q f_p for a parameter p of the valuation of slot q. One transposed solve a
scenario (METHODS G; Barucca et al. 2020, eq. 2).

Sweeps in place, as in `contagion.kernels`, over the slots that are on a slope. The system is linear and the sweeps'
matrix has no negative entry, so slow lanes are helped on by the ratio of two successive changes (Aitken 1926). Each
block of 32 scenarios has sums of its own, which `transposed` adds up in the order of blocks: no bit depends on the
threads. Ledger, Scenarios and Block are described there too.
"""

# mypy: disable-error-code="no-untyped-def, untyped-decorator"

from __future__ import annotations

from math import exp, log, pi, sqrt
from pathlib import Path
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

from poundlock.contagion import compiled
from poundlock.contagion.compiled import door, inner
from poundlock.contagion.lanes import COUNT, LanesType, below, gather, least, load, most, store
from poundlock.contagion.valuation import (
    CLEARING,
    DEFAULT_COSTS,
    EXPONENTIAL_DEBTRANK,
    LINEAR_DEBTRANK,
    MERTON,
    exponential_debtrank,
    merton,
)

JUNIOR, RANK_OWED, OWED, INITIAL, ASSETS = range(5)
"""Rows of slot sums: by the parameters of a valuation, as in Network; ASSETS: external assets after the shock."""
EQUITY, CAP = range(2)
"""Rows of node sums: the weights; derivative of the capped losses in initial equity at fixed equity."""
OPEN, CHANCE, NEAR, TOP, BIGGEST, BEFORE, PACE, GAP, PRODUCT, SQUARE, STEP = range(11)
MARKS: Final = STEP + 1
SLOW: Final = 0.3  # pace from which on a step ahead is worth the sweeps that it takes to measure
CYCLE: Final = 5  # sweeps from one step ahead to the next


def _forget_stale_kernels(stamp: Path, beneath: Path) -> None:
    """Remove this file's kernels if those beneath have changed: numba itself looks at this file alone."""
    try:
        now = beneath.read_text(encoding="ascii")
        if stamp.is_file() and stamp.read_text(encoding="ascii") == now:
            return
        for kernel in stamp.parent.glob("adjoint.*.nb[ic]"):
            kernel.unlink(missing_ok=True)
        stamp.write_text(now, encoding="ascii")
    except OSError:
        pass


_forget_stale_kernels(
    Path(__file__).parent / "__pycache__" / "adjoint.sha256",
    Path(compiled.__file__).parent / "__pycache__" / "kernels.sha256",
)


def added_up(value: Any) -> Any:
    """Sum over the lanes, half onto half, so that the order is the same everywhere."""
    while len(value) > 1:
        value = value[: len(value) // 2] + value[len(value) // 2 :]
    return value[0]


@intrinsic
def _added_up(typing_context, value):
    def build(context, builder, signature, args):
        total, width = args[0], COUNT
        while width > 1:
            width //= 2
            halves = [
                builder.shuffle_vector(
                    total, total, ir.Constant(ir.VectorType(ir.IntType(32), width), list(range(k, k + width)))
                )
                for k in (0, width)
            ]
            total = builder.fadd(*halves)
        return builder.extract_element(total, ir.IntType(32)(0))

    return types.float64(value), build


@overload(added_up, jit_options={"forceinline": True, "_nrt": False, "error_model": "numpy"})
def _overload_added_up(value):
    return (lambda value: _added_up(value)) if isinstance(value, LanesType) else None  # noqa: PLW0108


@inner
def _fill(ledger, scenarios, block, first, lanes):
    """Equity and assets of every lane, what each weighs, and what its losses lose by a unit of equity; spare lanes
    weigh nought."""
    order, equity, losses, chance = scenarios
    for lane in range(COUNT):
        for mark in range(len(block.marks)):
            block.marks[mark, lane] = 0.0
        block.marks[OPEN, lane] = 1.0 if lane < lanes else 0.0
        block.marks[CHANCE, lane] = chance[order[first + lane]] if lane < lanes else 0.0
        block.rounds[lane] = 0
    weighs, near = load(block.marks, CHANCE), load(block.marks, NEAR)
    for i in range(len(ledger.book)):
        book, counts, close = ledger.book[i], ledger.weight[i], ledger.near[i]
        for lane in range(COUNT):
            s = order[first + min(lane, lanes - 1)]
            block.equity[i, lane] = equity[s, i]
            block.assets[i, lane] = ledger.external[i] - losses[s, i]
        if counts <= 0.0 or book <= 0.0:
            store(block.goal, i, weighs * 0.0)
            continue
        worth = load(block.equity, i)
        inside = below(worth, book, below(0.0 - worth, 0.0, weighs * counts, 0.0), 0.0)
        store(block.goal, i, inside)
        gains = below(ledger.external[i] - load(block.assets, i), 0.0, 1.0, 0.0)
        near = most(near, most(_within(worth, close), _within(worth - book, close) * gains))
    store(block.marks, NEAR, near)


@inner
def _within(distance, close):
    return below(most(distance, 0.0 - distance), close, 1.0, 0.0)


@inner
def _linear(network, ledger, block, i, g, q):
    """Share lost and slope of a slot whose valuation is linear in pieces: a part of `money` over `span`, within [0,
    1]."""
    code, worth, close = network.code[g], load(block.equity, i), ledger.near[i]
    junior, scale, span, part, gate = network.junior[i, g], network.scale[i, g], network.rank_owed[i, g], 1.0, 2.0
    money = (0.0 - junior) - worth
    first = _within(money, close)
    if code == LINEAR_DEBTRANK:
        span, money = network.initial[i], network.initial[i] - worth
        first = _within(money, close) * below(ledger.external[i] - load(block.assets, i), 0.0, 1.0, 0.0)
    elif code == DEFAULT_COSTS:
        part, gate = network.second[g], 0.0
        realised = part * (worth + network.owed[i]) + (network.first[g] - part) * most(0.0, load(block.assets, i))
        money = (network.owed[i] - junior) - realised
        first = _within(money, close)
    failed = below(worth, 0.0, 1.0, 0.0) if gate == 0.0 else worth * 0.0 + 1.0
    piece = money * scale
    share = least(1.0, most(0.0, piece)) if scale > 0.0 else below(0.0 - money, 0.0, 1.0, 0.0)
    slope = below(piece, 1.0, below(0.0 - piece, 0.0, part * scale, 0.0), 0.0)
    store(block.share, q, share * failed)
    store(block.slope, q, slope * failed)
    bends = most(first, _within(money - span, close)) * failed
    if gate == 0.0:
        bends = most(bends, _within(worth, close))
    store(block.marks, NEAR, most(load(block.marks, NEAR), bends))


@inner
def _curved(network, ledger, block, i, g, q):
    """The same for default only, which has no slope but a jump, exponential DebtRank and Merton."""
    code, scale, worth = network.code[g], network.scale[i, g], load(block.equity, i)
    store(block.share, q, below(worth, 0.0, 1.0, 0.0))
    store(block.slope, q, worth * 0.0)
    if code == EXPONENTIAL_DEBTRANK:
        initial, exponent = network.initial[i], network.first[g]
        for lane in range(COUNT):
            loss = (initial - block.equity[i, lane]) * scale
            block.share[q, lane] = exponential_debtrank(block.equity[i, lane], initial, scale, exponent)
            if 0.0 < loss < 1.0:
                block.slope[q, lane] = scale * exp(exponent * (loss - 1.0)) * (1.0 + exponent * loss)
    elif code == MERTON:
        for lane in range(COUNT):
            equity, assets = block.equity[i, lane], block.assets[i, lane]
            block.share[q, lane] = merton(equity, assets, scale)
            if assets > 0.0 and scale > 0.0 and equity < assets:
                distance = (0.5 * scale * scale + log(1.0 - equity / assets)) / scale
                block.slope[q, lane] = exp(-0.5 * distance * distance) / (sqrt(2.0 * pi) * scale * (assets - equity))
        return
    bends = _within(worth, ledger.near[i])
    if code == EXPONENTIAL_DEBTRANK:
        gains = below(ledger.external[i] - load(block.assets, i), 0.0, 1.0, 0.0)
        bends = most(bends, _within(network.initial[i] - worth, ledger.near[i]) * gains)
    store(block.marks, NEAR, most(load(block.marks, NEAR), bends))


@inner
def _lay_out(network, ledger, block):
    """Share and slope of every slot on which anybody has a claim. Returns how many institutions have one on a slope."""
    groups, count = len(network.code), 0
    for i in range(len(ledger.book)):
        any_live = 0
        for g in range(groups):
            q = i * groups + g
            block.live[q] = block.felt[q] = 0
            if ledger.starts[q] == ledger.starts[q + 1]:
                continue
            if network.code[g] in (CLEARING, DEFAULT_COSTS, LINEAR_DEBTRANK):
                _linear(network, ledger, block, i, g, q)
            else:
                _curved(network, ledger, block, i, g, q)
            for lane in range(COUNT):
                block.live[q] |= block.slope[q, lane] > 0.0
                block.felt[q] |= block.share[q, lane] > 0.0
            any_live |= block.live[q]
        if any_live:
            block.active[count] = i
            count += 1
    return count


@inner
def _sweep(ledger, block, groups, count):
    """New weights of all institutions with a slot on a slope, in place, in the open lanes."""
    starts, creditor, amount = ledger.starts, ledger.creditor, ledger.amount
    marks, weight, rise, slope, live = block.marks, block.weight, block.rise, block.slope, block.live
    still, top = load(marks, OPEN), load(marks, TOP)
    biggest = product = square = still * 0.0
    for a in range(count):
        j = block.active[a]
        after, before, old = load(block.goal, j), load(weight, j), load(rise, j)
        for q in range(j * groups, (j + 1) * groups):
            if live[q]:
                after = after + load(slope, q) * gather(starts, creditor, amount, q, weight)
        after = below(still, 0.5, before, after)
        change = after - before
        store(weight, j, after)
        store(rise, j, change)
        top, biggest = most(top, after), most(biggest, most(change, 0.0 - change))
        product, square = product + change * old, square + old * old
    store(marks, TOP, top)
    store(marks, BIGGEST, biggest)
    store(marks, PRODUCT, product)
    store(marks, SQUARE, square)


@inner
def _close(marks, rounds, tolerance, ahead):
    """End of a sweep: gap, count and whether it is done, of each open lane, as in `contagion.kernels`; where the sweep
    ends a cycle, the step ahead of those that come down slowly. Returns the lanes still open."""
    still = 0
    for lane in range(COUNT):
        marks[STEP, lane] = 0.0
        if marks[OPEN, lane] == 0.0:
            continue
        rounds[lane] += 1
        big, before, pace = marks[BIGGEST, lane], marks[BEFORE, lane], marks[PACE, lane]
        largest = marks[TOP, lane]
        marks[GAP, lane] = 0.0 if big == 0.0 else np.inf
        if big > 0.0 and before > 0.0:
            marks[PACE, lane] = big / before
            slower = max(pace, marks[PACE, lane])
            if slower < 1.0:
                marks[GAP, lane] = big * max(1.0, slower / (1.0 - slower)) / largest
        marks[BEFORE, lane] = big
        if marks[GAP, lane] <= tolerance:
            marks[OPEN, lane] = 0.0
            continue
        still += 1
        ratio = marks[PRODUCT, lane] / marks[SQUARE, lane] if marks[SQUARE, lane] > 0.0 else 0.0
        if ahead and SLOW <= ratio < 1.0:
            marks[STEP, lane] = ratio / (1.0 - ratio)
            marks[BEFORE, lane] = marks[PACE, lane] = 0.0
    return still


@inner
def _settle(ledger, block, groups, count, tolerance, max_rounds):
    """Sweep until every open lane has met the tolerance or the bound on rounds."""
    top = load(block.marks, TOP)
    for i in range(len(ledger.book)):
        store(block.weight, i, load(block.goal, i))
        store(block.rise, i, top * 0.0)
        top = most(top, load(block.goal, i))
    store(block.marks, TOP, top)
    for sweep in range(max_rounds):
        _sweep(ledger, block, groups, count)
        if _close(block.marks, block.rounds, tolerance, sweep % CYCLE == CYCLE - 1) == 0:
            break
        if sweep % CYCLE == CYCLE - 1:
            step = load(block.marks, STEP)
            for a in range(count):
                j = block.active[a]
                store(block.weight, j, load(block.weight, j) + step * load(block.rise, j))


@inner
def _add_parameters(network, ledger, block, i, g, q, slot):
    """What the parameters of a slot's valuation do, each lane on its piece, added up."""
    code, worth, share, assets = network.code[g], load(block.equity, i), load(block.share, q), load(block.assets, i)
    at_stake = gather(ledger.starts, ledger.creditor, ledger.amount, q, block.weight)
    moved = at_stake * load(block.slope, q)
    if code == CLEARING:
        slot[JUNIOR, q] = -added_up(moved)
        slot[RANK_OWED, q] = -added_up(moved * share)
    elif code == DEFAULT_COSTS:
        first, second, scale = network.first[g], network.second[g], network.scale[i, g]
        on = below(worth, 0.0, below(share, 1.0, below(0.0 - share, 0.0, scale, 0.0), 0.0), 0.0) * at_stake
        slot[JUNIOR, q] = -added_up(on)
        slot[RANK_OWED, q] = -added_up(on * share)
        slot[OWED, q] = (1.0 - second) * added_up(on)
        slot[ASSETS, q] = (second - first) * added_up(on * below(0.0 - assets, 0.0, 1.0, 0.0))
    elif code == LINEAR_DEBTRANK:
        slot[INITIAL, q] = added_up(moved * (1.0 - share))
    elif code == EXPONENTIAL_DEBTRANK:
        slot[INITIAL, q] = added_up(moved * (worth * network.scale[i, g]))
    elif code == MERTON:
        slot[ASSETS, q] = added_up(moved * worth / below(assets, 1e-300, 1.0, assets))


@inner
def _add(network, ledger, block, claim, node, slot):
    """One block's sums over its lanes."""
    groups, weighs = len(network.code), load(block.marks, CHANCE)
    for i in range(len(ledger.book)):
        node[EQUITY, i] = added_up(load(block.weight, i))
        node[CAP, i] = 0.0
        if ledger.book[i] > 0.0:
            node[CAP, i] = added_up(below(load(block.equity, i), ledger.book[i], weighs * ledger.weight[i], 0.0))
        for g in range(groups):
            q = i * groups + g
            if not block.felt[q]:
                continue
            if block.live[q] or network.code[g] == DEFAULT_COSTS:
                _add_parameters(network, ledger, block, i, g, q, slot)
            share = load(block.share, q)
            for k in range(ledger.starts[q], ledger.starts[q + 1]):
                claim[k] = added_up(share * load(block.weight, ledger.creditor[k]))


@door
def adjoint_blocks(
    network, ledger, scenarios, given, settings, block, thread, threads, claim, node, slot, near, rounds, gap
):
    """One thread's blocks. given (k, n): weights that are known already, or empty. settings: tolerance, bound on
    rounds, whether lanes that did not end count. Outputs: claim (b, k), node (b, 2, n), slot (b, 5, n * g), sums of
    each block; near, rounds, gap (k), in that order."""
    tolerance, max_rounds, all_count = settings
    count, groups = len(scenarios.order), len(network.code)
    for first in range(thread * COUNT, count, threads * COUNT):
        lanes, number = min(COUNT, count - first), first // COUNT
        _fill(ledger, scenarios, block, first, lanes)
        active = _lay_out(network, ledger, block)
        if len(given):
            for i in range(len(ledger.book)):
                for lane in range(lanes):
                    block.weight[i, lane] = given[first + lane, i]
                for lane in range(lanes, COUNT):
                    block.weight[i, lane] = 0.0
        else:
            _settle(ledger, block, groups, active, tolerance, max_rounds)
        for lane in range(lanes):
            near[first + lane], rounds[first + lane] = block.marks[NEAR, lane], block.rounds[lane]
            gap[first + lane] = block.marks[GAP, lane]
            if block.marks[GAP, lane] > tolerance and not all_count:
                block.marks[CHANCE, lane] = 0.0
                for i in range(len(ledger.book)):
                    block.weight[i, lane] = 0.0
        _add(network, ledger, block, claim[number], node[number], slot[number])


@door
def lay_out_blocks(network, ledger, scenarios, block, slope, goal):
    """What a direct solution needs: slopes (k, n * g) and goals (k, n)."""
    for first in range(0, len(scenarios.order), COUNT):
        lanes = min(COUNT, len(scenarios.order) - first)
        _fill(ledger, scenarios, block, first, lanes)
        _lay_out(network, ledger, block)
        for lane in range(lanes):
            for q in range(len(block.live)):
                slope[first + lane, q] = block.slope[q, lane] if block.live[q] else 0.0
            for i in range(len(ledger.book)):
                goal[first + lane, i] = block.goal[i, lane]
