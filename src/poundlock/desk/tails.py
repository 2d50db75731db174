"""Who bears the tail of today's world, and what would lower it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from poundlock.contagion import prepare
from poundlock.desk.assessment import TailStudy, World
from poundlock.desk.searches import limits_around, system_under, today_of
from poundlock.desk.worlds import Ground
from poundlock.risk import ScenarioModel, sensitivity
from poundlock.risk.allocation import allocate, mean_share, tail_shocks
from poundlock.risk.controls import ON_MEASURES
from poundlock.risk.scenarios import Shocks, shock
from poundlock.risk.tail import Tail
from poundlock.risk.tolerances import groups_of, spread_of
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system import System
from poundlock.system.balance import Floats


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
        return TailStudy(tolerance, valued, parts, None, "nothing is lost in any scenario", ())
    shocks, counts = tail_shocks(system, model, tail, ground.shifts)
    by_control = _by_control(ground, tolerance, model, shocks, counts)
    members = groups_of(system, [tolerance]).members[-1] > 0.0
    plain, losses = held_promises(ground, system, model, shocks)
    try:
        found = sensitivity(
            plain,
            losses,
            counts=counts,
            members=members,
            valuation=model.valuation,
            recovery=model.recovery,
            **ground.behaviour,
        )
    except ValueError as undefined:
        return TailStudy(tolerance, valued, parts, None, str(undefined), by_control)
    return TailStudy(tolerance, valued, parts, found, "", by_control)


def held_promises(ground: Ground, system: System, model: ScenarioModel, shocks: Shocks) -> tuple[System, Floats]:
    """A system without covers, guarantees and dependences, and losses in which what these pay and cost in each scenario is held as it is there;
    as it was, where there are none. The equilibrium is the same, but where one who owes under them fails by clearing: then its other
    creditors share with nobody under them."""
    if not (system.covers or system.guarantees or system.dependences is not None):
        return system, shock(system, shocks.asset_loss, shocks.pool_loss)
    made = prepare(system, valuation=model.valuation, recovery=model.recovery, **ground.behaviour)
    channels = spread_of(made, shocks).loss_by_channel
    held = sum(
        (channels[name] for name in ("shock", "outage", "settlement", "guarantees")), np.zeros(channels["shock"].shape)
    )
    return replace(system, covers=(), guarantees=(), dependences=None), np.asarray(held)


def _by_control(
    ground: Ground, tolerance: ExpectedShortfall, model: ScenarioModel, shocks: Shocks, counts: Floats
) -> tuple[tuple[str, float], ...]:
    """For each control on a measure, how fast the tail grows as it is loosened from where it stands, per unit of its setting: a central
    difference over the scenarios of the tail, which stay the same for a small step (envelope theorem)."""
    found = []
    for control in ground.checked.plan.controls:
        if not isinstance(control, ON_MEASURES) or control.others != "today":
            continue
        around = limits_around(ground.checked, (control,))
        build, now = system_under(ground, (control,), around), today_of(control, around)
        low, high = sorted((control.tightest, control.loosest))
        now = min(now, high)  # without a cap, from the loosest that may be set
        ends = max(low, now - control.resolution), min(high, now + control.resolution)
        below, above = (
            mean_share(build((end,), 0).system, tolerance, model, shocks, counts, ground.behaviour) for end in ends
        )
        found.append((control.id, (above - below) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0))
    return tuple(found)
