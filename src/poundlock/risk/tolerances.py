"""From a system and a scenario model to the statistic that a tolerance names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from poundlock.contagion import Propagation, prepare, propagate
from poundlock.contagion.model import Model
from poundlock.risk.draws import REPLICATES, pieces
from poundlock.risk.gathering import Curve, Gathering
from poundlock.risk.scenarios import EMPTY, FUND, ScenarioModel, Shocks, draw_blocks, drivers, shock, with_funds
from poundlock.risk.statistics import CONFIDENCE, Estimate, probability, probability_added, shortfall, shortfall_added
from poundlock.risk.tail import Hits, Tail
from poundlock.rollout.plan import EventProbability, LossProbability, Scope, Tolerance
from poundlock.system.balance import Floats, System, Valuation, equity
from poundlock.system.covers import dues_by_pair
from poundlock.version import VERSION

PIECES_BETWEEN_SAVES = 64


@dataclass(frozen=True)
class Outcome:
    """What groups of institutions lost over s scenarios; no larger than the tails that tolerances look at.

    found, at_once: by tolerance id, the part of the losses that its statistic rests on, in all and by the shock alone.
    curves: by scope, how likely each share of the group's equity is lost. scopes, equity (g,): the groups and their initial
    equity. mean_lost, failure_share: (n,), by institution over all scenarios. converged: every scenario reached its
    tolerance; rounds, gap: the worst of them.
    """

    found: dict[str, Tail | Hits] = field(repr=False)
    at_once: dict[str, Tail | Hits] = field(repr=False)
    curves: tuple[Curve, ...] = field(repr=False)
    scopes: tuple[Scope, ...]
    equity: Floats
    mean_lost: Floats = field(repr=False)
    failure_share: Floats = field(repr=False)
    draws: int
    converged: bool
    rounds: int
    gap: float
    valuation: str

    def curve(self, scope: Scope) -> Curve:
        """How likely each share of the group's equity is lost."""
        return self.curves[self.scopes.index(scope)]

    def before_contagion(self) -> Outcome:
        """The same scenarios with the shock alone, as if nothing spread."""
        return replace(self, found=self.at_once)


@dataclass(frozen=True)
class Groups:
    """Who counts for each tolerance. members: (g, n), ones and noughts. initial: (n,), equity where it is above nought. of: by
    tolerance, the number of its scope."""

    scopes: tuple[Scope, ...]
    members: Floats = field(repr=False)
    initial: Floats = field(repr=False)
    of: tuple[int, ...]


def groups_of(system: System, tolerances: Sequence[Tolerance]) -> Groups:
    """All institutions first, then each scope once; compensation funds do not count. Raises ValueError for a scope without equity."""
    scopes = tuple(dict.fromkeys([Scope(), *(t.scope for t in tolerances)]))
    counted = np.array([kind != FUND for kind in system.kinds])
    members = np.array([system.members(s.kinds, s.regions) & counted for s in scopes], dtype=np.float64)
    initial = np.maximum(equity(system), 0.0)
    if np.any(members @ initial <= 0.0):
        raise ValueError(f"no institution with equity in scope {scopes[int(np.argmin(members @ initial))]}")
    return Groups(scopes, members, initial, tuple(scopes.index(t.scope) for t in tolerances))


def simulate(
    system: System,
    model: ScenarioModel,
    tolerances: Sequence[Tolerance],
    *,
    valuation: Valuation | None = None,
    shifts: Floats = EMPTY,
    behaviour: dict[str, Any] | None = None,
    keep: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Draw, shock and propagate every scenario, piece by piece.

    shifts: (m, f), of importance sampling, see `importance_sampling`. behaviour: more of what `contagion.prepare` takes (sales,
    funding). keep: file to which what is finished is written now and then and at the end, and from which another call goes on;
    whoever named it removes it. progress: called with the size of each finished piece. Raises ValueError for a scope without equity.
    """
    chosen = valuation or model.valuation
    made = prepare(system, valuation=chosen, recovery=model.recovery, **(behaviour or {}))
    groups = groups_of(system, tolerances)
    replicates = REPLICATES if model.draws == "sobol" else 1
    digest = _digest(made, model, tolerances, shifts) if keep else ""
    sums = Gathering(tolerances, len(groups.scopes), len(system), model.count, replicates, digest)
    begin = sums.resume(keep) if keep else 0
    plan = pieces(model.count, model.draws)
    if progress and begin:
        progress(sum(piece.size for piece in plan[:begin]))
    for number, block in enumerate(draw_blocks(drivers(system, model), model, shifts, begin), begin):
        _gather(sums, groups, tolerances, block, spread_of(made, block))
        if keep and number % PIECES_BETWEEN_SAVES == PIECES_BETWEEN_SAVES - 1:
            sums.save(keep, number + 1)
        if progress:
            progress(len(block.weight))
    if keep:
        sums.save(keep, len(plan))
    found, at_once = sums.found()
    return Outcome(
        found,
        at_once,
        sums.curves(),
        groups.scopes,
        groups.members @ groups.initial,
        sums.mean_lost,
        sums.failed,
        model.count,
        sums.converged,
        sums.rounds,
        sums.gap,
        chosen,
    )


def _digest(made: Model, model: ScenarioModel, tolerances: Sequence[Tolerance], shifts: Floats) -> str:
    """Of all that a simulation depends on: every figure of the system, how scenarios are drawn, how losses spread."""
    known = hashlib.sha256(model.model_dump_json().encode())
    _take_in(known, (VERSION, made.mechanism, *tolerances, shifts, made.system, drivers(made.system, model)))
    return known.hexdigest()


def _take_in(known: Any, value: Any) -> None:
    """Records, sequences and sparse matrices by their parts, arrays by their bytes, the rest by its words."""
    if is_dataclass(value):
        for one in fields(value):
            _take_in(known, (one.name, getattr(value, one.name)))
    elif isinstance(value, csr_array):
        _take_in(known, (value.shape, value.indptr, value.indices, value.data))
    elif isinstance(value, np.ndarray):
        known.update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif isinstance(value, tuple | list):
        known.update(f"{len(value)} parts".encode())
        for one in value:
            _take_in(known, one)
    else:
        known.update(repr(value).encode())


def spread_of(made: Model, block: Shocks) -> Propagation:
    """One piece of scenarios through the system."""
    system = made.system
    losses = shock(system, block.asset_loss, block.pool_loss)
    outages = with_funds(block.outages, system) if len(block.outages) and system.dependences is not None else None
    may_run = system.runnable is not None and made.mechanism.funding is not None
    runs = with_funds(block.runs, system) if len(block.runs) and may_run else None
    dues = None
    if system.covers:
        margins = np.array([c.net_margin for c in system.asset_classes])
        dues = dues_by_pair(system.covers, block.pool_loss + margins)
    return propagate(made, losses, outages=outages, runs=runs, dues=dues)


def measured(tolerances: Sequence[Tolerance], groups: Groups, lost: Floats, failed: NDArray[np.bool_]) -> list[Floats]:
    """What each tolerance looks at, (s,) each: the share of equity lost, or whether the event happened, one or nought. lost: (s, n),
    equity lost, money; failed: (s, n)."""
    total = groups.members @ groups.initial
    shares = np.einsum("si,gi->sg", lost, groups.members) / total
    failures = np.einsum("si,gi->sg", failed.astype(np.float64), groups.members)
    found = []
    for tolerance, g in zip(tolerances, groups.of, strict=True):
        if isinstance(tolerance, EventProbability):
            found.append((failures[:, g] >= tolerance.failures_at_least).astype(np.float64))
        elif isinstance(tolerance, LossProbability):
            found.append((shares[:, g] >= tolerance.loss_at_least).astype(np.float64))
        else:
            found.append(shares[:, g])
    return found


def _gather(
    sums: Gathering, groups: Groups, tolerances: Sequence[Tolerance], block: Shocks, result: Propagation
) -> None:
    failed_at_once = result.initial_equity - result.direct_loss < 0.0
    found = measured(tolerances, groups, result.equity_lost, result.default)
    at_once = measured(tolerances, groups, result.equity_lost_to_shock, failed_at_once)
    draws = block.first + np.arange(len(block.weight))
    sums.add(draws, found, at_once, block.weight)
    share = np.einsum("si,gi->sg", result.equity_lost, groups.members) / (groups.members @ groups.initial)
    sums.add_all(share, result, block.weight)


def statistic(
    tolerance: Tolerance, outcome: Outcome, without: Outcome | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """The statistic that `tolerance` limits. without: the same draws without any measure, for 'added' tolerances.

    Raises ValueError when 'added' is asked without a comparison, or the tail holds no draw.
    """
    base = without.found[tolerance.id] if without else None
    return estimate(tolerance, outcome.found[tolerance.id], base, confidence)


def estimate(
    tolerance: Tolerance, found: Tail | Hits, without: Tail | Hits | None, confidence: float = CONFIDENCE
) -> Estimate:
    """The same from what was gathered for this tolerance."""
    if tolerance.added_by_measures and without is None:
        raise ValueError(f"tolerance '{tolerance.id}' asks what measures add, but there is no run without them")
    base = without if tolerance.added_by_measures else None
    if isinstance(found, Tail):
        return shortfall_added(found, base, confidence) if isinstance(base, Tail) else shortfall(found, confidence)
    return probability_added(found, base, confidence) if isinstance(base, Hits) else probability(found, confidence)
