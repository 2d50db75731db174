"""Does a plan fit the system that it names? Each function yields every Problem it finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from poundlock.contagion.markets import short_term
from poundlock.desk.consistency import Problems, at_place
from poundlock.desk.moment import moment_of
from poundlock.desk.plan_file import PlanFile
from poundlock.desk.shocks import Scenarios
from poundlock.measures import Custom, JointLending, PaymentService
from poundlock.reading import Document
from poundlock.risk.scenarios import ScenarioModel, clashing_pair, correlation_of, factors_of
from poundlock.risk.statistics import draws_needed
from poundlock.rollout.plan import ExpectedShortfall
from poundlock.system import System, equity
from poundlock.system.reconstruct import BY_BLOCK
from poundlock.system.tables import ReadSystem


def plan_against_system(document: Document[PlanFile], system: System, sound: bool) -> Problems:
    """Kinds, regions and scopes that the system's tables do not have; draws too few for a tolerance.

    sound: whether the system's amounts can be relied on, or only its names.
    """
    kinds = set(system.kinds)
    model = document.sections.get("scenarios")
    if model is not None:
        for kind in sorted(kinds - set(model.volatility)):
            found, cure = f"no volatility for kind '{kind}'", f"add '{kind}:' with a yearly volatility"
            yield at_place(document, "scenarios", "volatility")(
                found, "one for every kind of the institutions table", cure
            )
        for kind in sorted(set(model.volatility) - kinds):
            at = at_place(document, "scenarios", "volatility", kind)
            yield at(
                f"volatility of kind '{kind}', which no institution has",
                ", ".join(sorted(kinds)),
                "correct the kind or remove it",
            )
    if (model := document.sections.get("scenarios")) is not None:
        yield from _events(document, model, system)
        yield from _correlations(document, model, system)
    for number, tolerance in document.entries("tolerances"):
        yield from _scope(document, number, tolerance, system, sound)
        yield from _draws(document, number, tolerance)
    yield from _roles(document, kinds)
    for number, measure in document.entries("measures"):
        if not isinstance(measure, JointLending):
            continue
        at = at_place(document, "measures", number, "local_kinds")
        for name in sorted(set(measure.local_kinds) - kinds):
            yield at(f"kind '{name}', which no institution has", ", ".join(sorted(kinds)), "correct the kind")
        if not measure.local_kinds and any(s and s.home_region_only for s in (measure.today, measure.before)):
            yield at("home_region_only without local_kinds", "the kinds that count as local banks", "add local_kinds")
    yield from _stages_that_are_over(document)
    regions = set(system.regions) | {pool.region for pool in system.asset_classes}
    for number, stage in document.entries("stages"):
        for region in sorted(set(stage.regions) - regions):
            found = f"region '{region}', where the system has neither institution nor pool"
            yield at_place(document, "stages", number, "regions")(
                found, "a region of the system's tables", "correct the code"
            )


def _stages_that_are_over(document: Document[PlanFile]) -> Problems:
    """Stages that run on after their last day."""
    files = document.sections.get("system")
    if files is None:
        return
    day = moment_of([stage for _, stage in document.entries("stages")], files.as_of).on
    for number, stage in document.entries("stages"):
        if stage.status == "running" and stage.ends <= day:
            found = f"stage '{stage.id}', running on {day}, though its last day is {stage.ends}"
            at = at_place(document, "stages", number, "ends")
            yield at(found, "a later end, if it was extended", "extend it, or take it out")


def _roles(document: Document[PlanFile], kinds: set[str]) -> Problems:
    section = document.sections.get("rules")
    for role, named in section.roles.items() if section is not None else ():
        for name in sorted(set(named) - kinds):
            at = at_place(document, "rules", "roles", role)
            yield at(f"kind '{name}', which no institution has", ", ".join(sorted(kinds)), "correct the kind")


def _brings(document: Document[PlanFile], what: str) -> bool:
    """Whether a measure of the plan brings dependences on a provider, or balances that can be withdrawn."""
    for _, measure in document.entries("measures"):
        if isinstance(measure, PaymentService) and (what == "dependences" or measure.runnable > 0.0):
            return True
        if isinstance(measure, Custom) and what == "dependences" and measure.dependences is not None:
            return True
    return False


def behaviour_against_system(document: Document[PlanFile], system: System) -> Problems:
    """Sales without a market or a leverage to hold, funding that nobody can withdraw or call."""
    behaviour = document.sections.get("contagion")
    if behaviour is None:
        return
    sales, funding = behaviour.sales, behaviour.funding
    if sales is not None and all(pool.depth is None for pool in system.asset_classes):
        found, expected = "sales, but no asset class has a market depth", "a depth for those that can be sold"
        cure = "add the column depth to the asset classes, or remove contagion.sales"
        yield at_place(document, "contagion", "sales")(found, expected, cure)
    if sales is not None and sales.rule == "threshold" and sales.limit is None and system.leverage_limit is None:
        found, expected = "sales above a threshold, but no limit of leverage", "assets over equity, above 1"
        cure = "give contagion.sales.limit, or a column leverage_limit of the institutions"
        yield at_place(document, "contagion", "sales")(found, expected, cure)
    calls = funding is not None and funding.margin > 0.0 and sales is not None
    runs = system.runnable is not None or _brings(document, "runnable")
    if funding and not calls and not runs and not short_term(system, funding.horizon_days).nnz:
        found = "funding, but nothing can be withdrawn"
        expected = f"a column runnable of the institutions, or debts due within {funding.horizon_days:g} days"
        yield at_place(document, "contagion", "funding")(found, expected, "add one, or remove contagion.funding")


def networks_against_system(document: Document[PlanFile], read: ReadSystem) -> Problems:
    """An ensemble needs layers given by totals, a density, and where totals by region are known a method that meets them."""
    asked = document.sections.get("networks")
    if asked is None or asked.method == "maximum-entropy":
        return
    at = at_place(document, "networks", "method")
    if not read.totals:
        yield at(f"networks by {asked.method} without a layer given by totals", "a totals table", "remove the section")
    for layer, facts in read.totals.items():
        if asked.method not in BY_BLOCK and np.isfinite(facts.blocks).any():
            found = f"networks by {asked.method} for layer '{layer}', of which totals by region are known"
            yield at(
                found, "totals by institution alone", f"use {' or '.join(BY_BLOCK)}, or leave out the totals by region"
            )
    if asked.method in ("gibbs", "fitness") and asked.density is None:
        yield at(f"networks by {asked.method} without a density", "a share within (0, 1]", "give networks.density")


def named_against_system(document: Document[PlanFile], system: System, named: Scenarios) -> Problems:
    """Outages and runs that the system and the plan's contagion cannot follow."""
    at, contagion = at_place(document, "scenarios", "named"), document.sections.get("contagion")
    if named.outages is not None and system.dependences is None:
        found, expected = "named scenarios with outages, where nobody depends on a provider", "a table of dependences"
        yield at(found, expected, "add system.dependences, or take out outage_days")
    if named.runs is not None and system.runnable is None:
        found, expected = (
            "named scenarios with runs, where no balance is runnable",
            "a column runnable of the institutions",
        )
        yield at(found, expected, "add the column, or take out run")
    elif named.runs is not None and contagion is not None and contagion.funding is None:
        found, expected = "named scenarios with runs in a plan without contagion.funding", "how funding is withdrawn"
        yield at(found, expected, "add contagion.funding, or take out run")


def _events(document: Document[PlanFile], model: ScenarioModel, system: System) -> Problems:
    """Outages and runs of kinds that nobody has, or that can do nothing in this system."""
    kinds = set(system.kinds)
    for section in ("outages", "runs"):
        for number, events in enumerate(getattr(model, section)):
            for name in sorted(set(events.kinds) - kinds):
                at = at_place(document, "scenarios", section, number, "kinds")
                yield at(f"kind '{name}', which no institution has", ", ".join(sorted(kinds)), "correct the kind")
    if model.outages and system.dependences is None and not _brings(document, "dependences"):
        at = at_place(document, "scenarios", "outages")
        yield at("outages, but nobody depends on a provider", "a dependences table", "add it, or remove the outages")
    behaviour = document.sections.get("contagion")
    runnable = system.runnable is not None or _brings(document, "runnable")
    if model.runs and (not runnable or behaviour is None or behaviour.funding is None):
        found, expected = "runs without runnable balances or without contagion.funding", "both"
        yield at_place(document, "scenarios", "runs")(found, expected, "add them, or remove the runs")


def _correlations(document: Document[PlanFile], model: ScenarioModel, system: System) -> Problems:
    """Factors that there are not, and correlations that no factors can have."""
    names, known = factors_of(system, model), True
    for number, one in enumerate(model.correlations):
        for name in sorted(set(one.between) - set(names)):
            known = False
            at = at_place(document, "scenarios", "correlations", number, "between")
            yield at(f"factor '{name}', which moves nobody", ", ".join(names[:12]), "correct the name")
    if not model.correlations or not known:
        return
    matrix = correlation_of(names, model)
    smallest = float(np.linalg.eigvalsh(matrix)[0])
    if smallest < -1e-10:
        i, j = clashing_pair(matrix)
        found = (
            f"correlations that no factors can have together, above all {matrix[i, j]:g} of {names[i]} and {names[j]}"
        )
        expected = f"a positive semi-definite matrix (its smallest eigenvalue is {smallest:.3g})"
        yield at_place(document, "scenarios", "correlations")(
            found, expected, "bring that correlation nearer to the others"
        )


def _scope(document: Document[PlanFile], number: int, tolerance: Any, system: System, sound: bool) -> Problems:
    at, scope = at_place(document, "tolerances", number, "scope"), tolerance.scope
    unknown = [("kind", name, set(system.kinds)) for name in sorted(set(scope.kinds) - set(system.kinds))]
    unknown += [("region", name, set(system.regions)) for name in sorted(set(scope.regions) - set(system.regions))]
    for what, name, known in unknown:
        yield at(f"scope {what} '{name}', which no institution has", ", ".join(sorted(known)[:8]), "correct the scope")
    members = system.members(scope.kinds, scope.regions)
    if not unknown and not members.any():
        yield at("a scope that holds no institution", "at least one", "widen the scope")
    elif not unknown and sound and equity(system)[members].clip(min=0.0).sum() <= 0.0:
        yield at("a scope without any equity to lose", "institutions with equity", "widen the scope")
    needed = getattr(tolerance, "failures_at_least", 1)
    if not unknown and 0 < members.sum() < needed:
        at = at_place(document, "tolerances", number, "failures_at_least")
        yield at(
            f"{needed} failures among {members.sum()} institutions",
            f"at most {members.sum()}",
            "lower it or widen the scope",
        )


def _draws(document: Document[PlanFile], number: int, tolerance: Any) -> Problems:
    model = document.sections.get("scenarios")
    if isinstance(tolerance, ExpectedShortfall) and model is not None and model.count < draws_needed(tolerance.level):
        found = f"{model.count:,} scenarios for level {tolerance.level:g}"
        expected = f"at least {draws_needed(tolerance.level):,}, so that the tail holds 50"
        yield at_place(document, "scenarios", "count")(found, expected, "raise scenarios.count or lower the level")
    if tolerance.added_by_measures and document.whole("measures") and not document.sections["measures"]:
        at = at_place(document, "tolerances", number, "added_by_measures")
        yield at("added_by_measures in a plan without measures", "a measure", "remove the key or add a measure")
