"""Where importance sampling should look: for each tolerance, the shift of the shared factors under which its bad years are
common. Found by the cross-entropy method in steps (Rubinstein and Kroese 2004, The Cross-Entropy Method, section 2.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from poundlock.contagion import Propagation, prepare
from poundlock.risk.scenarios import ScenarioModel, draw_blocks, drivers, joined
from poundlock.risk.tolerances import Groups, groups_of, spread_of
from poundlock.rollout.plan import EventProbability, ExpectedShortfall, LossProbability, Tolerance
from poundlock.system.balance import Floats, System

DRAWS = 4_096
ELITE = 0.1
STEPS = 10


def shifts_for(
    system: System, model: ScenarioModel, tolerances: Sequence[Tolerance], behaviour: dict[str, Any] | None = None
) -> Floats:
    """A shift of the factors for each tolerance whose bad years can be reached, to be used together as a mixture. Shape (at most
    tolerances, factors).

    The same shifts serve every world that is compared, so that draws stay common; they may then be less than the best there, but
    estimates stay unbiased. behaviour: as for `simulate`."""
    of, groups = drivers(system, model), groups_of(system, tolerances)
    made = prepare(system, valuation=model.valuation, recovery=model.recovery, **(behaviour or {}))

    def outcomes(seed: int, shift: Floats) -> tuple[Floats, Floats, Propagation]:
        """Factors, weights and outcome of some draws around a shift."""
        few = model.model_copy(update={"count": DRAWS, "seed": seed, "draws": "importance"})
        block = joined(list(draw_blocks(of, few, shift[None, :])))
        return block.factors, block.weight, spread_of(made, block)

    seeds = np.random.SeedSequence([model.seed, 2]).generate_state(len(tolerances) * STEPS).reshape(-1, STEPS)
    found: list[Floats] = []
    for number, tolerance in enumerate(tolerances):
        shift = np.zeros(len(of.factors))
        for step in range(STEPS):
            factors, weights, result = outcomes(int(seeds[number, step]), shift)
            scores = badness(tolerance, groups, number, result)
            chosen, arrived = _elite(tolerance, scores, weights)
            weight = np.where(chosen, weights, 0.0)
            shift = weight @ factors / weight.sum()
            if arrived:
                found.append(shift)
                break
    return np.array(found).reshape(-1, len(of.factors))


def badness(tolerance: Tolerance, groups: Groups, number: int, result: Propagation) -> Floats:
    """How near each scenario comes to what the tolerance is about, (s,): the share lost; or, for an event of m failures, less the
    m-th smallest equity of the group over its first value, above nought exactly when the event happens."""
    members = groups.members[groups.of[number]]
    if not isinstance(tolerance, EventProbability):
        return np.asarray(result.equity_lost @ members / (members @ groups.initial))
    counted = np.flatnonzero((members > 0.0) & (groups.initial > 0.0))
    ratio = result.equity[:, counted] / groups.initial[counted]
    m = min(tolerance.failures_at_least, len(counted)) - 1
    return np.asarray(-np.partition(ratio, m, axis=1)[:, m])


def _elite(tolerance: Tolerance, scores: Floats, weights: Floats) -> tuple[np.ndarray, bool]:
    """The worst draws to move towards, and whether they are those that the tolerance is about."""
    step = np.quantile(scores, 1.0 - ELITE)
    if isinstance(tolerance, ExpectedShortfall):
        order = np.argsort(-scores, kind="stable")
        beyond = np.searchsorted(np.cumsum(weights[order]), (1.0 - tolerance.level) * len(scores))
        target = scores[order[min(int(beyond), len(scores) - 1)]]
    else:
        target = tolerance.loss_at_least if isinstance(tolerance, LossProbability) else 0.0
    if step >= target:
        return scores >= target, True
    return scores >= step, False
