"""Networks that fit what was reported, and how far today's answer depends on which it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

from poundlock.desk.assessment import NetworkStudy, World
from poundlock.desk.check import CheckedPlan
from poundlock.desk.plan_file import Networks
from poundlock.desk.worlds import Ground, Progress, under_limits
from poundlock.problems import Problem, ProblemsFound
from poundlock.risk import Trials
from poundlock.risk.controllability import Point, Tried, judged
from poundlock.risk.tail import Hits, Tail
from poundlock.system import Ensemble, System, ensemble
from poundlock.system.rebuild import LayerTotals, positions


def networks_of(checked: CheckedPlan) -> tuple[tuple[System, ...], dict[str, Ensemble]]:
    """The system as read, then with each network of the ensemble in its rebuilt layers; and the ensemble of each layer.

    Raises ProblemsFound where networks cannot be had: totals that clash, a sampler that has not mixed.
    """
    asked, base = checked.plan.networks, checked.system
    if not checked.read.rebuilt or asked.method == "maximum-entropy":
        return (base,), {}
    count = 1 if asked.method == "minimum-density" else asked.count
    found: dict[str, Ensemble] = {}
    for number, (layer, facts) in enumerate(checked.read.totals.items()):
        try:
            found[layer] = made = _layer_networks(facts, asked, count, asked.seed + number)
            reason = made.reason
        except ValueError as refused:
            reason = str(refused)
        if reason:
            said = f"networks of layer '{layer}' by {asked.method}: {reason}"
            cure = "another method, density or fewer networks; or totals that fit"
            raise ProblemsFound([Problem(*checked.networks_at, said, "networks that meet all totals", cure)])
    systems = [_with_layers(base, {name: made.amounts[k] for name, made in found.items()}) for k in range(count)]
    return (base, *systems), found


def _layer_networks(facts: LayerTotals, asked: Networks, count: int, seed: int) -> Ensemble:
    """Networks of one layer; known cells are part of the totals, by institution and by region."""
    by_region = bool(np.isfinite(facts.blocks).any())
    regions = {region: k for k, region in enumerate(dict.fromkeys(facts.regions))}
    return ensemble(
        facts.lends,
        facts.owes,
        method=asked.method,
        count=count,
        seed=seed,
        density=None if asked.method == "minimum-density" else asked.density,
        known=np.where(facts.is_known, facts.known, np.nan),
        block_of=positions(facts.regions, regions) if by_region else None,
        block_totals=facts.blocks if by_region else None,
    )


def _with_layers(system: System, amounts: Mapping[str, csr_array]) -> System:
    return replace(
        system,
        layers=tuple(
            replace(layer, amounts=amounts[layer.name]) if layer.name in amounts else layer for layer in system.layers
        ),
    )


def without_measures(ground: Ground, base: World, progress: Progress) -> list[dict[str, Tail | Hits]]:
    """By network, what is lost without the measures; empty where no tolerance asks for it. base: that world in the first network."""
    plan = ground.checked.plan
    if not any(t.added_by_measures for t in plan.tolerances):
        return []
    if len(ground.networks) == 1:
        return [base.outcome.found]
    trials = Trials(
        lambda setting, network: ground.networks[network],
        len(ground.networks),
        plan.scenarios,
        plan.tolerances,
        shifts=ground.shifts,
        behaviour=ground.behaviour,
        confidence=ground.confidence,
        progress=lambda done: progress("without the measure, all networks", done),
    )
    return trials.found(())


def network_study(
    ground: Ground, without: Sequence[Mapping[str, Tail | Hits]], progress: Progress
) -> NetworkStudy | None:
    """Every tolerance in every network under today's limits; None where there is one network."""
    checked, plan = ground.checked, ground.checked.plan
    if len(ground.networks) == 1:
        return None
    today = {m.id: m.today for m in plan.measures}
    trials = Trials(
        lambda setting, network: under_limits(checked, ground.networks[network], today).system,
        len(ground.networks),
        plan.scenarios,
        plan.tolerances,
        without=without,
        shifts=ground.shifts,
        behaviour=ground.behaviour,
        confidence=ground.confidence,
        progress=lambda done: progress("today's limits, all networks", done),
    )
    found, _ = trials.in_full(())
    tried = Tried(tuple(one.estimates for one in found), 0.0, 0.0, all(one.converged for one in found))
    point: Point = judged((), tried, plan.tolerances, plan.networks.share)
    return NetworkStudy(ground.ensembles, tried.estimates, point)


def ensemble_words(made: Ensemble) -> str:
    """How the networks were made and how far they can be relied on, in words."""
    how = {
        "gibbs": "Gibbs sampling (Gandy and Veraart 2017)",
        "fitness": "fitness model with calibrated density (Cimini et al. 2015)",
        "minimum-density": "fewest links (Anand, Craig and von Peter 2015)",
        "maximum-entropy": "maximum entropy (Upper and Worms 2004)",
    }[made.method]
    said = f"{len(made)} by {how}, density {made.density:.3f}, totals met to {made.gap:.0e}"
    if added := sum(some for some, _ in made.repaired):
        said += f"; {added} links added in all, without which totals could not be met"
    if made.chains:
        said += f"; {made.chains} chains, R-hat {made.r_hat:.3f}, worth {made.effective_size:.0f} independent ones"
    return said
