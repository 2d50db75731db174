"""The lower storey: sweeps over one block of scenarios until claims and equity agree. Arrays are made elsewhere; loops only.

A sweep visits each institution in turn, gathers what it lost on all claims, and raises the share that its own creditors lose;
in place, so that later ones see it in the same sweep. The map is monotone, so the shares rise to the least solution, which is
the greatest of the values. A lane (one scenario) never looks at its neighbours: same scenario, same bits.

Extrapolation. Call r(k) the rises of sweep k. Where every valuation is concave in equity above its floor, r(k+1) >= c r(k)
in all slots implies r(k+2) >= c r(k+1), and so on: a concave monotone map gains at least as much on each further equal step.
All that is to come is then at least c / (1 - c) r(k+1), and adding it never passes the solution, as long as no share
passes its ceiling. A jump at default (default costs, default only) in sweep k + 1 breaks the argument; such lanes wait.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from poundlock.contagion.compiled import inlined, inner
from poundlock.contagion.flat import BEFORE, BIGGEST, GAP, LOWEST, OPEN, PACE, ROOM, STEP
from poundlock.contagion.lanes import COUNT, any_above, below, gather, load, most, store
from poundlock.contagion.promised import promised, promised_by_rank, share_with_promises
from poundlock.contagion.valuation import (
    CLEARING,
    DEFAULT_COSTS,
    DEFAULT_ONLY,
    EXPONENTIAL_DEBTRANK,
    LINEAR_DEBTRANK,
    MERTON,
    clearing,
    default_costs,
    default_only,
    exponential_debtrank,
    linear_debtrank,
    merton,
)

PLAIN, KEEP, MEASURE = 0, 1, 2
SLOW = 0.5  # pace from which on an extrapolation is worth the sweeps that it takes to measure
CROWD = 4  # one in so many that move is a crowd
CYCLE = 6  # sweeps from one extrapolation to the next; the last two are kept and measured


@inlined
def gather_row(starts, slot, amount, i, lost, row):
    """Fill row with what i loses on its claims, in every lane, in the order in which `gather` adds it up."""
    for lane in range(len(row)):
        row[lane] = 0.0
    for k in range(starts[i], starts[i + 1]):
        for lane in range(len(row)):
            row[lane] += amount[k] * lost[slot[k], lane]


@inner
def share_lost(code, i, row, base, scale, junior, initial, owed, beyond, first, second, own, share):
    """Fill share with what creditors lose on i at the equity in row, in every lane; parameters as in Network."""
    if code == CLEARING:
        for lane in range(len(row)):
            share[lane] = clearing(row[lane], junior, scale)
    elif code == LINEAR_DEBTRANK:
        for lane in range(len(row)):
            share[lane] = linear_debtrank(row[lane], initial, scale)
    elif code == DEFAULT_COSTS:
        for lane in range(len(row)):
            share[lane] = default_costs(row[lane], junior, scale, owed, base[i, lane] + beyond, first, second)
    elif code == DEFAULT_ONLY:
        for lane in range(len(row)):
            share[lane] = default_only(row[lane])
    elif code == EXPONENTIAL_DEBTRANK:
        for lane in range(len(row)):
            share[lane] = exponential_debtrank(row[lane], initial, scale, first)
    elif code == MERTON:
        for lane in range(len(row)):
            share[lane] = merton(row[lane], base[i, lane] + beyond, scale)
    else:
        for lane in range(len(row)):
            share[lane] = 1.0 - min(1.0, max(0.0, own(row[lane], scale, owed, base[i, lane] + beyond)))


@inlined
def share_lost_lanes(code, i, worth, base, scale, junior, initial, owed, beyond, first, second):
    """The same on one Lanes value, for the valuations that take it."""
    if code == CLEARING:
        return clearing(worth, junior, scale)
    if code == LINEAR_DEBTRANK:
        return linear_debtrank(worth, initial, scale)
    if code == DEFAULT_COSTS:
        return default_costs(worth, junior, scale, owed, load(base, i) + beyond, first, second)
    return default_only(worth)


@inner
def _raise(lost, q, share, marks, rising):
    """Move slot q towards share, never back, in the open lanes; share holds the rise afterwards. True if any lane moved."""
    moved = 0
    for lane in range(len(share)):
        before = lost[q, lane]
        ahead = max(before, share[lane]) if rising else min(before, share[lane])
        after = before if marks[OPEN, lane] < 0.5 else ahead
        lost[q, lane] = after
        rise = abs(after - before)
        share[lane] = rise
        marks[BIGGEST, lane] = max(marks[BIGGEST, lane], rise)
        moved |= rise > 0.0
    return moved > 0


@inner
def _note(rise, lost, q, share, marks, kind, jumps, floor):
    """Keep the rises of slot q; when measuring, also the smallest ratio to the rise before and the room to the ceiling."""
    for lane in range(len(share)):
        old, new = rise[q, lane], share[lane]
        rise[q, lane] = new
        if kind == MEASURE:
            if old > floor:
                marks[LOWEST, lane] = min(marks[LOWEST, lane], new / old)
            elif jumps and new > 0.0:
                marks[LOWEST, lane] = 0.0
            if new > 0.0:
                marks[ROOM, lane] = min(marks[ROOM, lane], (1.0 - lost[q, lane]) / new)


@inner
def _stays(rise, marks, i, groups, kind, floor):
    """What is kept of an institution that nothing moved: where it rose before, the ratio is nought."""
    for q in range(i * groups, (i + 1) * groups):
        for lane in range(rise.shape[1]):
            if kind == MEASURE and rise[q, lane] > floor:
                marks[LOWEST, lane] = 0.0
            rise[q, lane] = 0.0


@inner
def _sweep_lanes(network, block, kind, tell, floor):
    """Visit everybody whose equity may have changed; a block of whole Lanes, towards the greatest values. tell: note who is
    concerned by each change; else everybody has to be visited, now and next time. Returns how many institutions moved."""
    starts, slot, amount, told_starts, told = network[:5]
    code, first, second, owed, beyond = network.code, network.first, network.second, network.owed, network.beyond
    junior, scale, initial = network.junior, network.scale, network.initial
    base, lost, marks, todo = block.base, block.lost, block.marks, block.todo
    groups, still, biggest, count = len(code), load(marks, OPEN), load(marks, BIGGEST), 0
    for i in range(len(starts) - 1):
        concerned, todo[i] = todo[i], 0
        if not concerned:
            if kind != PLAIN:
                _stays(block.rise, marks, i, groups, kind, floor)
            continue
        equity = load(base, i) - gather(starts, slot, amount, i, lost)
        moved = False
        for g in range(groups):
            q = i * groups + g
            here = (scale[i, g], junior[i, g], initial[i], owed[i], beyond[i], first[g], second[g])
            before = load(lost, q)
            after = below(still, 0.5, before, most(before, share_lost_lanes(code[g], i, equity, base, *here)))
            store(lost, q, after)
            rise = after - before
            biggest = most(biggest, rise)
            moved |= any_above(rise, 0.0)
            if kind != PLAIN:
                store(block.extra, 0, rise)
                jumps = code[g] in (DEFAULT_COSTS, DEFAULT_ONLY)
                _note(block.rise, lost, q, block.extra[0], marks, kind, jumps, floor)
        count += moved
        if moved and tell:
            for k in range(told_starts[i], told_starts[i + 1]):
                todo[told[k]] = 1
    store(marks, BIGGEST, biggest)
    return count


@inner
def _sweep(network, promises, block, settings, kind, tell, floor):
    """The same for every valuation, with promises, and for any number of lanes, one number at a time."""
    starts, slot, amount, told_starts, told = network[:5]
    code, first, second, owed, beyond = network.code, network.first, network.second, network.owed, network.beyond
    junior, scale, initial = network.junior, network.scale, network.initial
    base, lost, marks, todo, row, share = block.base, block.lost, block.marks, block.todo, block.row, block.share
    groups, bound, count = len(code), len(promises.kind) > 0, 0
    for i in range(len(starts) - 1):
        concerned, todo[i] = todo[i], 0
        if not concerned:
            if kind != PLAIN:
                _stays(block.rise, marks, i, groups, kind, floor)
            continue
        gather_row(starts, slot, amount, i, lost, row)
        for lane in range(len(row)):
            row[lane] = base[i, lane] - row[lane]
        if bound:
            promised(network, promises, i, block, row)
        pays = bound and promises.payer_starts[i + 1] > promises.payer_starts[i]
        if pays:
            promised_by_rank(network, promises, i, block)
        moved = False
        for g in range(groups):
            if pays and code[g] in (CLEARING, DEFAULT_COSTS):
                share_with_promises(network, promises, i, g, block, share)
            else:
                here = (scale[i, g], junior[i, g], initial[i], owed[i], beyond[i], first[g], second[g])
                share_lost(code[g], i, row, base, *here, settings.own, share)
            moved |= _raise(lost, i * groups + g, share, marks, settings.rising)
            if kind != PLAIN:
                jumps = code[g] in (DEFAULT_COSTS, DEFAULT_ONLY)
                _note(block.rise, lost, i * groups + g, share, marks, kind, jumps, floor)
        count += moved
        if moved and tell:
            for k in range(told_starts[i], told_starts[i + 1]):
                todo[told[k]] = 1
    return count


@inner
def _close(marks, rounds, tolerance):
    """End of a sweep: the gap of each open lane, its count of rounds, and whether it is done. Returns the lanes still open.

    gap: what the last sweeps say is still to come, big * pace / (1 - pace), with the larger of the last two paces; unknown in
    the first sweep after a jump.
    """
    still = 0
    for lane in range(len(rounds)):
        if marks[OPEN, lane] == 0.0:
            continue
        rounds[lane] += 1
        big, before, pace = marks[BIGGEST, lane], marks[BEFORE, lane], marks[PACE, lane]
        if big == 0.0:
            marks[GAP, lane] = 0.0
        elif before == 0.0:
            marks[GAP, lane] = np.inf
        else:
            marks[PACE, lane] = big / before
            slower = max(pace, marks[PACE, lane])
            marks[GAP, lane] = big * max(1.0, slower / (1.0 - slower)) if slower < 1.0 else np.inf
        marks[BEFORE, lane] = big
        if marks[GAP, lane] <= tolerance:
            marks[OPEN, lane] = 0.0
        else:
            still += 1
    return still


@inner
def _slow(marks):
    """Mark the lanes that come down slowly enough for a jump to be worth it. Whether any did; a lane's ratio of rises is never
    above its pace, so where none did nothing need be measured."""
    any_lane = False
    for lane in range(marks.shape[1]):
        slow = marks[OPEN, lane] == 1.0 and marks[PACE, lane] >= SLOW
        marks[STEP, lane] = 1.0 if slow else 0.0
        any_lane |= slow
    return any_lane


@inner
def _extrapolate(told_starts, told, lost, rise, marks, todo, groups):
    """Add to every slot of a lane what is at least still to come; those lanes then need a new pace."""
    width = marks.shape[1]
    wanted = False
    for lane in range(width):
        ratio, slow = marks[LOWEST, lane] * (1.0 - 1e-9), marks[STEP, lane] == 1.0
        marks[STEP, lane] = 0.0
        if slow and marks[OPEN, lane] == 1.0 and SLOW <= ratio < 1.0:
            marks[STEP, lane] = min(ratio / (1.0 - ratio), marks[ROOM, lane])
            marks[BEFORE, lane] = 0.0
            wanted |= marks[STEP, lane] > 0.0
    if not wanted:
        return
    for i in range(len(todo)):
        moved = 0
        for q in range(i * groups, (i + 1) * groups):
            for lane in range(width):
                more = rise[q, lane] * marks[STEP, lane]
                lost[q, lane] = min(1.0, lost[q, lane] + more)
                moved |= more > 0.0
        if moved > 0:
            for k in range(told_starts[i], told_starts[i + 1]):
                todo[told[k]] = 1


@inner
def in_lanes(code, promises, base):
    """Whether a block can be worked on in whole Lanes: no promises, a width that fits, valuations that take them."""
    fits = len(promises) == 0 and base.shape[1] == COUNT
    for g in range(len(code)):
        fits &= code[g] in (CLEARING, LINEAR_DEBTRANK, DEFAULT_COSTS, DEFAULT_ONLY)
    return fits


@inner
def settle(network, promises, block, settings):
    """Sweep until every open lane has met the tolerance or the bound on rounds. Lanes that end are closed."""
    marks, groups = block.marks, len(network.code)
    whole = settings.rising and in_lanes(network.code, promises.kind, block.base)
    tell, worth = True, False
    for sweep in range(settings.max_rounds):
        kind = max(PLAIN, sweep % CYCLE - (CYCLE - 3)) if settings.extrapolate else PLAIN
        if kind == KEEP:
            worth = _slow(marks)
        if not worth:
            kind = PLAIN
        for lane in range(marks.shape[1]):
            marks[BIGGEST, lane], marks[LOWEST, lane], marks[ROOM, lane] = 0.0, np.inf, np.inf
        if whole:
            moved = _sweep_lanes(network, block, kind, tell, 1e-6 * settings.tolerance)
        else:
            moved = _sweep(network, promises, block, settings, kind, tell, 1e-6 * settings.tolerance)
        before, tell = tell, CROWD * moved < len(block.todo)  # telling a crowd costs more than visiting all
        if not (before and tell):
            visit_all(block.todo)
        if _close(marks, block.rounds, settings.tolerance) == 0:
            break
        if kind == MEASURE:
            _extrapolate(network.told_starts, network.told, block.lost, block.rise, marks, block.todo, groups)


@inner
def visit_all(todo):
    """Note that everybody is to be visited."""
    for i in range(len(todo)):
        todo[i] = 1


@inner
def find_equity(network, promises, block, start, end):
    """Equity of institutions start to end from the present values of claims and nothing else, so that all parts add up to the
    last bit that they can."""
    starts, slot, amount, lost = network.starts, network.slot, network.amount, block.lost
    base, equity, row = block.base, block.equity, block.row
    if len(promises.kind) == 0 and base.shape[1] == COUNT:
        for i in range(start, end):
            store(equity, i, load(base, i) - gather(starts, slot, amount, i, lost))
        return
    for i in range(start, end):
        gather_row(starts, slot, amount, i, lost, row)
        for lane in range(len(row)):
            row[lane] = base[i, lane] - row[lane]
        if len(promises.kind):
            promised(network, promises, i, block, row)
        for lane in range(len(row)):
            equity[i, lane] = row[lane]
