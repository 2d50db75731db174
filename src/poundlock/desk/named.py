"""Named scenarios, whose losses somebody states: how far each spreads through today's system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from poundlock.contagion import prepare, propagate
from poundlock.desk.assessment import NamedStudy, World
from poundlock.desk.shocks import Scenarios
from poundlock.desk.worlds import Ground
from poundlock.risk.scenarios import with_funds
from poundlock.risk.tolerances import groups_of
from poundlock.system.balance import Floats


def named_studies(ground: Ground, worlds: Sequence[World]) -> tuple[NamedStudy, ...]:
    """The plan's named scenarios in each of these worlds; empty where it has none."""
    stated = ground.checked.named
    return () if stated is None else tuple(_study(ground, stated, world) for world in worlds)


def _study(ground: Ground, stated: Scenarios, world: World) -> NamedStudy:
    plan, system, valuation = ground.checked.plan, world.system, world.outcome.valuation
    made = prepare(system, valuation=valuation, recovery=plan.scenarios.recovery, **ground.behaviour)
    outages, runs = (None if given is None else with_funds(given, system) for given in (stated.outages, stated.runs))
    result = propagate(made, with_funds(stated.losses, system), outages=outages, runs=runs)
    groups = groups_of(system, plan.tolerances)

    def by_group(of: NDArray[Any]) -> Floats:
        return np.asarray(np.einsum("si,gi->sg", of.astype(np.float64), groups.members))

    failed_at_once = result.initial_equity - result.direct_loss < 0.0
    return NamedStudy(
        valuation=valuation,
        labels=stated.labels,
        scopes=groups.scopes,
        equity=groups.members @ groups.initial,
        lost=by_group(result.equity_lost),
        by_shock=by_group(result.equity_lost_to_shock),
        failures=by_group(result.default).astype(np.int64),
        failures_by_shock=by_group(failed_at_once).astype(np.int64),
        converged=result.converged,
        rounds=result.rounds,
        gap=result.gap,
    )
