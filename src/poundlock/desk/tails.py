"""Who bears the tail of today's world, and what would lower it."""

from __future__ import annotations

from collections.abc import Sequence

from poundlock.desk.assessment import TailStudy, World
from poundlock.desk.worlds import Ground
from poundlock.risk import sensitivity
from poundlock.risk.allocation import allocate, tail_shocks
from poundlock.risk.scenarios import shock
from poundlock.risk.tail import Tail
from poundlock.risk.tolerances import groups_of
from poundlock.rollout.plan import ExpectedShortfall


def tail_studies(ground: Ground, worlds: Sequence[World]) -> tuple[TailStudy, ...]:
    """For each expected shortfall that is limited as a whole, in each of these worlds: its parts, and its derivatives where they are
    defined."""
    plan = ground.checked.plan
    chosen = [t for t in plan.tolerances if isinstance(t, ExpectedShortfall) and not t.added_by_measures]
    return tuple(_study(ground, world, tolerance) for tolerance in chosen for world in worlds)


def _study(ground: Ground, world: World, tolerance: ExpectedShortfall) -> TailStudy:
    model, tail = ground.checked.plan.scenarios, world.outcome.found[tolerance.id]
    model = model.model_copy(update={"valuation": world.outcome.valuation})
    system, valued = world.system, world.outcome.valuation
    assert isinstance(tail, Tail)
    parts = allocate(system, model, tolerance, tail, shifts=ground.shifts, behaviour=ground.behaviour)
    if tail.nonzero == 0:
        return TailStudy(tolerance, valued, parts, None, "nothing is lost in any scenario")
    shocks, counts = tail_shocks(system, model, tail, ground.shifts)
    members = groups_of(system, [tolerance]).members[-1] > 0.0
    losses = shock(system, shocks.asset_loss, shocks.pool_loss)
    try:
        found = sensitivity(
            system,
            losses,
            counts=counts,
            members=members,
            valuation=model.valuation,
            recovery=model.recovery,
            **ground.behaviour,
        )
    except ValueError as undefined:
        return TailStudy(tolerance, valued, parts, None, str(undefined))
    return TailStudy(tolerance, valued, parts, found, "")
