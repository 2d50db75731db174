"""One transposed solve a scenario: claims by debtor, blocks over threads, direct solutions where sweeps are too
slow."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import coo_array, csc_array, csr_array, eye_array
from scipy.sparse.linalg import splu

from poundlock.contagion.flat import Floats, Short, Whole
from poundlock.contagion.lanes import AHEAD, COUNT
from poundlock.contagion.model import Model
from poundlock.contagion.threads import share_out
from poundlock.contagion.valuation import RANKED
from poundlock.risk.sensitivity.adjoint import (
    ASSETS,
    CAP,
    EQUITY,
    INITIAL,
    JUNIOR,
    MARKS,
    OWED,
    RANK_OWED,
    adjoint_blocks,
    lay_out_blocks,
)
from poundlock.system.balance import Layer

Settings = tuple[float, int, bool]


class Ledger(NamedTuple):
    """Claims by debtor. starts (n * g + 1), creditor, amount: of each slot, money at risk, pairs with nothing at risk
    included. book, external (n): initial equity and external assets. weight (n): of each institution's capped loss.
    near (n): money within which of a kink it counts as near."""

    starts: Whole
    creditor: Short
    amount: Floats
    book: Floats
    external: Floats
    weight: Floats
    near: Floats


class Scenarios(NamedTuple):
    """Solved ones. order (k): rows as they are put into blocks. equity, losses (s, n); chance (s): weight of each in
    the mean."""

    order: Whole
    equity: Floats
    losses: Floats
    chance: Floats


class Block(NamedTuple):
    """Scratch for 32 scenarios, node-major: equity, assets (external, after the shock), goal, weight, rise (n, 32);
    share, slope (n * g, 32); live, felt (n * g): 1 where any lane is on a slope, has lost anything; active (n):
    institutions with a live slot."""

    equity: Floats
    assets: Floats
    goal: Floats
    weight: Floats
    rise: Floats
    share: Floats
    slope: Floats
    live: Any
    felt: Any
    active: Whole
    marks: Floats
    rounds: Whole


class Sums(NamedTuple):
    """Over k scenarios, each by its chance. claim: weight of the creditor times share lost, by the ledger's claims.
    node (2, n), slot (5, n * g): rows as named in `adjoint`. near (k): 1 if any institution is near a kink. rounds,
    gap (k): sweeps, and what is still to come in any weight as a share of the largest. direct: scenarios solved by
    linear systems."""

    claim: Floats
    node: Floats
    slot: Floats
    near: Floats
    rounds: Whole
    gap: Floats
    direct: int


def ledger_of(model: Model, weight: Floats, kink: float) -> Ledger:
    """Claims by debtor, those with nothing at risk included (a stored nought, full recovery), so that they have a
    derivative.

    weight: (n,), of each institution's capped loss. kink: share of an institution's size, the larger of its equity and
    obligations, within which a kink is near.
    """
    n, groups = model.at_risk.shape[0], len(model.groups)
    risk = coo_array(model.at_risk)
    rows, slots, amounts = [risk.row], [risk.col], [risk.data]
    for layer in model.system.layers:
        listed = coo_array(layer.amounts)
        rows.append(listed.row)
        slots.append(listed.col.astype(np.int64) * groups + model.group_of(layer))
        amounts.append(np.zeros(listed.nnz))
    key = np.concatenate(slots).astype(np.int64) * n + np.concatenate(rows)
    pairs, place = np.unique(key, return_inverse=True)
    slot, creditor = np.divmod(pairs, n)
    size = np.maximum(np.abs(model.initial), model.network.owed)
    return Ledger(
        np.searchsorted(slot, np.arange(n * groups + 1)).astype(np.int64),
        np.concatenate([creditor, np.zeros(AHEAD)]).astype(np.int32),
        np.asarray(np.bincount(place, weights=np.concatenate(amounts), minlength=len(pairs)), dtype=np.float64),
        np.ascontiguousarray(model.initial),
        np.ascontiguousarray(model.system.external_assets),
        np.ascontiguousarray(weight),
        kink * size,
    )


def solve_transposed(
    model: Model, ledger: Ledger, scenarios: Scenarios, tolerance: float, max_rounds: int, threads: int | None
) -> Sums:
    """Solve the transposed system of every scenario and add up what its weights say.

    tolerance: of the gap, a share of the scenario's largest weight. Scenarios that have not ended after max_rounds
    sweeps are solved by one sparse linear system each; where that has no solution of weights >= 0, the last sweep's
    count and the gap stays.
    """
    found = _in_blocks(model, ledger, scenarios, np.zeros((0, 0)), (tolerance, max_rounds, False), threads)
    late = np.flatnonzero(found.gap > tolerance)
    if not len(late):
        return found
    weights, missed = _solve_directly(model, ledger, scenarios._replace(order=scenarios.order[late]))
    solved = missed <= tolerance
    for some, given in ((solved, weights[solved]), (~solved, np.zeros((0, 0)))):
        part = scenarios._replace(order=scenarios.order[late[some]])
        more = _in_blocks(model, ledger, part, given, (tolerance, max_rounds, True), threads)
        found = found._replace(claim=found.claim + more.claim, node=found.node + more.node, slot=found.slot + more.slot)
    found.gap[late[solved]] = missed[solved]
    return found._replace(direct=int(np.count_nonzero(solved)))


def _in_blocks(
    model: Model, ledger: Ledger, scenarios: Scenarios, given: Floats, settings: Settings, threads: int | None
) -> Sums:
    """Allocate, run the kernels over all blocks, and add up their sums in order."""
    count, n, groups = len(scenarios.order), len(ledger.book), len(model.groups)
    blocks = -(-count // COUNT)
    claim, node = np.zeros((blocks, len(ledger.amount))), np.zeros((blocks, 2, n))
    slot = np.zeros((blocks, 5, n * groups))
    near, gap, rounds = np.zeros(count), np.zeros(count), np.zeros(count, dtype=np.int64)

    def work(thread: int, of: int) -> None:
        asked = (model.network, ledger, scenarios, given, settings, _new_block(n, groups), thread, of)
        adjoint_blocks(*asked, claim, node, slot, near, rounds, gap)

    share_out(work, count, COUNT, threads)
    return Sums(_in_order(claim), _in_order(node), _in_order(slot), near, rounds, gap, 0)


def _in_order(parts: Floats) -> Floats:
    total = np.zeros(parts.shape[1:])
    for part in parts:
        total += part
    return total


def _new_block(institutions: int, groups: int) -> Block:
    """Scratch that a thread uses for one block after the other."""
    by_node, by_slot = (institutions, COUNT), (institutions * groups, COUNT)
    return Block(
        equity=np.empty(by_node),
        assets=np.empty(by_node),
        goal=np.empty(by_node),
        weight=np.empty(by_node),
        rise=np.empty(by_node),
        share=np.empty(by_slot),
        slope=np.empty(by_slot),
        live=np.zeros(institutions * groups, dtype=np.uint8),
        felt=np.zeros(institutions * groups, dtype=np.uint8),
        active=np.zeros(institutions, dtype=np.int64),
        marks=np.zeros((MARKS, COUNT)),
        rounds=np.zeros(COUNT, dtype=np.int64),
    )


def _solve_directly(model: Model, ledger: Ledger, scenarios: Scenarios) -> tuple[Floats, Floats]:
    """Weights (k, n) by one sparse system a scenario, and the residual of each as a share of the largest weight;
    infinite where there is no solution of weights >= 0, since what is lost in a closed circle then has no end."""
    n, groups = len(ledger.book), len(model.groups)
    slope, goal = np.zeros((len(scenarios.order), n * groups)), np.zeros((len(scenarios.order), n))
    lay_out_blocks(model.network, ledger, scenarios, _new_block(n, groups), slope, goal)
    weights, missed, risk = np.zeros_like(goal), np.full(len(goal), np.inf), model.at_risk
    for s in range(len(goal)):
        passed_on = csr_array((risk.data * slope[s, risk.indices], risk.indices // groups, risk.indptr), (n, n))
        try:
            weights[s] = splu(csc_array(eye_array(n) - passed_on.T)).solve(goal[s])
        except RuntimeError:  # singular
            continue
        largest = max(float(np.abs(weights[s]).max()), 1e-300)
        residual = float(np.abs(weights[s] - goal[s] - passed_on.T @ weights[s]).max()) / largest
        if np.isfinite(residual) and weights[s].min() >= -1e-9 * largest:
            missed[s] = residual
    return np.maximum(weights, 0.0), missed


def added(parts: list[Sums]) -> Sums:
    """Sums of several sets of scenarios, in order."""
    ends = (np.concatenate([getattr(part, name) for part in parts]) for name in ("near", "rounds", "gap"))
    whole = (_in_order(np.stack([getattr(part, name) for part in parts])) for name in ("claim", "node", "slot"))
    claim, node, slot = whole
    near, rounds, gap = ends
    return Sums(claim, node, slot, near, rounds, gap, sum(part.direct for part in parts))


def derivatives(
    made: Model, ledger: Ledger, found: Sums, per_equity: Floats
) -> tuple[Floats, Floats, tuple[csr_array, ...]]:
    """By buffer and by external liabilities, (n,), and by exposure of each layer, (n, n). per_equity: (n,), what a
    unit of initial equity takes from the statistic as part of the whole that it is a share of."""
    n, groups = len(made.initial), len(made.groups)
    slot = found.slot.reshape(5, n, groups)
    assets = slot[ASSETS].sum(axis=1)
    more, less = found.node[CAP] + slot[INITIAL].sum(axis=1), found.node[EQUITY] + per_equity
    own = np.where(np.abs(more - less) > 1e-13 * less, more - less, 0.0)  # all else is rounding
    known = np.repeat(np.arange(n * groups), np.diff(ledger.starts)) * n + ledger.creditor[:-AHEAD]
    exposures = []
    for layer in made.system.layers:
        listed, debt, group = entries(layer.amounts), layer.kind == "debt", made.group_of(layer)
        wanted = (listed.col.astype(np.int64) * groups + group) * n + listed.row
        at = located(known, wanted)
        by = found.claim[at] * _at_risk(made, layer, listed) - assets[listed.row]
        if debt:
            by += (_owing(made, slot, layer.rank) + assets)[listed.col]
        exposures.append(csr_array(coo_array((by, (listed.row, listed.col)), shape=(n, n))))
    return own + assets, _owing(made, slot, made.system.external_rank) - own, tuple(exposures)


def _owing(made: Model, slot: Floats, rank: int) -> Floats:
    """By one more owed in a rank, at given equity: it shares with those of its rank, and stands behind those before
    it. (n,)."""
    total = slot[OWED].sum(axis=1)
    for g, group in enumerate(made.groups):
        if group.code in RANKED and group.rank == rank:
            total = total + slot[RANK_OWED, :, g]
        elif group.code in RANKED and group.rank < rank:
            total = total + slot[JUNIOR, :, g]
    return np.asarray(total)


def _at_risk(made: Model, layer: Layer, listed: coo_array) -> Floats:
    """Share of each entry that is at risk: one less what a failed debtor leaves by assumption. (k,)."""
    if layer.kind == "stake" or made.groups[made.group_of(layer)].code in RANKED:
        return np.ones(listed.nnz)
    recovery = np.full(listed.nnz, made.mechanism.recovery)
    if layer.recovery is not None:
        known = entries(layer.recovery)
        at = located(_pairs(known), _pairs(listed))
        own = known.data[at[at >= 0]]
        recovery[at >= 0] = np.where(np.isnan(own), made.mechanism.recovery, own)
    return np.asarray(1.0 - recovery)


def entries(matrix: csr_array) -> coo_array:
    """Entries in the order of rows and columns, stored noughts too."""
    found = csr_array(matrix, copy=True)
    found.sum_duplicates()
    return coo_array(found)


def _pairs(listed: coo_array) -> Whole:
    return np.asarray(listed.row.astype(np.int64) * listed.shape[1] + listed.col)


def product(by: csr_array, given: csr_array) -> tuple[float, Whole]:
    """Sum over the entries of `by` of derivative times direction, and the entries (i, j) of `given` that `by` has none
    for. (k, 2)."""
    moved, known = entries(given), entries(by)
    at = located(_pairs(known), _pairs(moved))
    here, missing = at >= 0, (at < 0) & (moved.data != 0.0)
    total = float(np.sum(known.data[at[here]] * moved.data[here]))
    return total, np.stack([moved.row[missing], moved.col[missing]], axis=1)


def located(known: Whole, wanted: Whole) -> Whole:
    """Where each of `wanted` stands in `known`, which is sorted; -1 where it does not. (k,)."""
    if not len(known):
        return np.full(len(wanted), -1)
    found = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.where(known[found] == wanted, found, -1)
