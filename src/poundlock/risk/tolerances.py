"""From a system and a scenario model to the statistic that a tolerance names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from poundlock.contagion import propagate
from poundlock.risk.scenarios import ScenarioModel, draw_blocks, drivers, shock
from poundlock.risk.statistics import (
    Estimate,
    event_probability,
    expected_shortfall,
    incremental_probability,
    incremental_shortfall,
)
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, Scope, Tolerance
from poundlock.system.balance import Floats, System, Valuation, equity


@dataclass(frozen=True)
class Outcome:
    """What groups of institutions lost over s scenarios, in the order of the draws.

    scopes: the g groups. lost, lost_to_shock: (s, g), equity lost in all and before contagion, money, >= 0.
    failures, failures_to_shock: (s, g), institutions with equity below zero, in all and before contagion. equity: (g,), initial. mean_lost, failure_share: (n,), by
    institution over all scenarios. converged: every scenario reached its tolerance; rounds, gap: the worst of them.
    """

    scopes: tuple[Scope, ...]
    lost: Floats = field(repr=False)
    lost_to_shock: Floats = field(repr=False)
    failures: NDArray[np.int64] = field(repr=False)
    failures_to_shock: NDArray[np.int64] = field(repr=False)
    equity: Floats
    mean_lost: Floats = field(repr=False)
    failure_share: Floats = field(repr=False)
    converged: bool
    rounds: int
    gap: float
    valuation: str

    def loss_share(self, scope: Scope) -> Floats:
        """Equity lost by the group over its initial equity. Shape (s,), 0 to 1."""
        group = self.scopes.index(scope)
        return np.asarray(self.lost[:, group] / self.equity[group])

    def before_contagion(self) -> Outcome:
        """The same scenarios with the shock alone, as if nothing spread."""
        return replace(self, lost=self.lost_to_shock, failures=self.failures_to_shock)


def simulate(
    system: System,
    model: ScenarioModel,
    scopes: Sequence[Scope],
    *,
    valuation: Valuation | None = None,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Draw, shock and propagate every scenario, block by block; keeps sums by scope, not whole blocks.

    progress: called with the size of each finished block. Raises ValueError for a scope without equity.
    """
    chosen, unique = valuation or model.valuation, tuple(dict.fromkeys(scopes))
    members = np.array([system.members(s.kinds, s.regions) for s in unique], dtype=np.float64).reshape(-1, len(system))
    initial = np.maximum(equity(system), 0.0)
    if np.any(members @ initial <= 0.0):
        raise ValueError(f"no institution with equity in scope {unique[int(np.argmin(members @ initial))]}")
    lost, to_shock, failures, at_once = (np.empty((model.count, len(unique))) for _ in range(4))
    mean_lost, failed = np.zeros(len(system)), np.zeros(len(system))
    at, rounds, gap, converged = 0, 0, 0.0, True
    for asset_loss, pool_loss in draw_blocks(drivers(system, model), model):
        result = propagate(system, shock(system, asset_loss, pool_loss), valuation=chosen, recovery=model.recovery)
        block = slice(at, at + len(asset_loss))
        lost[block] = np.einsum("si,gi->sg", result.equity_lost, members)
        to_shock[block] = np.einsum("si,gi->sg", result.equity_lost_to_shock, members)
        failures[block] = np.einsum("si,gi->sg", result.default.astype(np.float64), members)
        failed_at_once = (result.initial_equity - result.direct_loss < 0.0).astype(np.float64)
        at_once[block] = np.einsum("si,gi->sg", failed_at_once, members)
        mean_lost += result.equity_lost.sum(axis=0) / model.count
        failed += result.default.sum(axis=0) / model.count
        at, rounds, gap = block.stop, max(rounds, int(result.rounds.max())), max(gap, float(result.gap.max()))
        converged = converged and bool(result.converged.all())
        if progress:
            progress(len(asset_loss))
    return Outcome(
        unique,
        lost,
        to_shock,
        failures.astype(np.int64),
        at_once.astype(np.int64),
        members @ initial,
        mean_lost,
        failed,
        converged,
        rounds,
        gap,
        chosen,
    )


def statistic(tolerance: Tolerance, outcome: Outcome, without: Outcome | None = None) -> Estimate:
    """The statistic that `tolerance` limits. without: the same draws without any measure, for 'added' tolerances.

    Raises ValueError when 'added' is asked without a comparison, or the tail holds no draw.
    """
    scope = tolerance.scope
    if tolerance.added_by_measures and without is None:
        raise ValueError(f"tolerance '{tolerance.id}' asks what measures add, but there is no run without them")
    if isinstance(tolerance, ExpectedShortfall):
        losses = outcome.loss_share(scope)
        if tolerance.added_by_measures and without is not None:
            return incremental_shortfall(losses, without.loss_share(scope), tolerance.level)
        return expected_shortfall(losses, tolerance.level)
    events = _happened(tolerance, outcome)
    if tolerance.added_by_measures and without is not None:
        return incremental_probability(events, _happened(tolerance, without))
    return event_probability(events)


def _happened(tolerance: EventProbability, outcome: Outcome) -> NDArray[np.bool_]:
    return outcome.failures[:, outcome.scopes.index(tolerance.scope)] >= tolerance.failures_at_least
