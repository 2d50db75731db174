"""Who keeps and who breaches which rule on a day: the plan's system and measures against the rules that it is held against."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from poundlock.desk.check import CheckedPlan, check
from poundlock.desk.payments import returned_facts
from poundlock.evidence import Evidence
from poundlock.measures import apply, facts
from poundlock.measures.deals import over
from poundlock.rules import Compliance, Fact, Rule, evaluate, of_jurisdiction, unevaluated
from poundlock.system import System
from poundlock.system.balance import claims, network

BANKS = ("bank", "commercial-bank", "local-bank", "systemically-important-bank", "other-bank")
"""Roles that make an institution a bank."""


@dataclass(frozen=True)
class RulesCheck:
    """on: the day. settings: by name of the measures' terms ('today', 'before', or 'without measures'), every comparison, breaches first.
    unevaluated: rules in force that were compared with nothing, each with the reason."""

    on: dt.date
    settings: dict[str, tuple[Compliance, ...]] = field(repr=False)
    unevaluated: tuple[tuple[Rule, str], ...] = field(repr=False)

    @property
    def found(self) -> tuple[Compliance, ...]:
        """Of the first setting."""
        return next(iter(self.settings.values()), ())

    def breaches(self, setting: str) -> tuple[Compliance, ...]:
        """What is breached under a setting by rules that bind."""
        return tuple(c for c in self.settings.get(setting, ()) if c.binding and c.standing == "breached")


def rules_check(path: str | Path, on: dt.date | None = None) -> RulesCheck:
    """The rules check of a plan file; on: the day whose consents, stages and rules count; default
    that of the plan. Raises ProblemsFound for a plan that does not
    check."""
    checked = check(path, on=on)
    return compliance(checked, checked.moment.on)


def rules_of(checked: CheckedPlan) -> tuple[Rule, ...]:
    """The rules that a plan is held against: of the jurisdictions and files that it names."""
    shipped = (rule for name in checked.plan.rules.jurisdictions for rule in of_jurisdiction(name))
    return (*shipped, *checked.rules)


def compliance(checked: CheckedPlan, on: dt.date) -> RulesCheck:
    """Every figure that a rule limits, under today's terms and the earlier ones, with the business that consents leave; under today's also those that
    the payment market returned."""
    plan, held = checked.plan, rules_of(checked)
    roles = plan.rules.roles
    settings: dict[str, dict[str, Any]] = {"today": {m.id: m.today for m in plan.measures}}
    if any(m.before for m in plan.measures):
        settings["before"] = {m.id: m.before or m.today for m in plan.measures}
    found, all_facts = dict[str, tuple[Compliance, ...]](), list[Fact]()
    for name, terms in settings.items():
        figures = list(_facts(checked, terms))
        if name == "today" and checked.payments is not None:
            kinds = dict(zip(checked.system.ids, checked.system.kinds, strict=True))
            figures += returned_facts(checked.payments.market, kinds, on)
        all_facts += figures
        compared = evaluate(figures, on, held, roles)
        order = sorted(compared, key=lambda c: (c.standing != "breached", not c.binding, c.rule.id, -c.excess))
        found[name] = tuple(order)
    return RulesCheck(on, found, unevaluated(all_facts, on, held, roles))


def rules_evidence(checked: CheckedPlan, kept: RulesCheck, digest: str) -> Evidence:
    """The number of comparisons under today's terms in which a rule that binds is breached."""
    binding = [c for c in kept.found if c.binding]
    return Evidence(
        metric="rules",
        value=float(len(kept.breaches("today"))) if binding else None,
        unit="in breach",
        as_of=kept.on.isoformat(),
        method=f"{len(binding)} figures against the rules in force",
        inputs=digest,
        missing="" if binding else "no figure of this plan is limited by a rule in force",
    )


def breaches_words(kept: RulesCheck) -> str:
    """Which rules that bind are breached under today's terms, and by how many."""
    by_rule: dict[str, set[str]] = {}
    for c in kept.breaches("today"):
        by_rule.setdefault(c.rule.id, set()).add(c.fact.who)
    said = (
        f"{name} by {len(who)} {'institution' if len(who) == 1 else 'institutions'}" for name, who in by_rule.items()
    )
    return ", ".join(said)


def _facts(checked: CheckedPlan, terms: dict[str, Any]) -> Iterator[Fact]:
    """Of the measures one after the other, then of the system with all of them on its books."""
    system = checked.system
    for measure in checked.plan.measures:
        deals = checked.deals[measure.id]
        yield from facts(measure, terms[measure.id], deals, system)
        system = apply(measure, terms[measure.id], deals, system)
    banks = {kind for role in BANKS for kind in checked.plan.rules.roles.get(role, ())}
    yield from system_facts(system, banks, set(checked.read.rebuilt))


def system_facts(system: System, banks: set[str], rebuilt: set[str]) -> Iterator[Fact]:
    """What rules on capital and large exposures limit, of institutions that report Tier 1 capital. banks: kinds that are banks. rebuilt:
    layers known by totals only, in which nobody can be told who lends to whom. Exposures are claims and stakes inside the system; Tier 1 over total assets stands for the leverage ratio, whose measure of exposure also has items off balance
    sheet."""
    weighted = system.risk_weighted_assets
    exposures = network(replace(system, layers=tuple(one for one in system.layers if one.name not in rebuilt)))
    assets = system.external_assets + claims(system)
    for i in np.flatnonzero(~np.isnan(system.tier1_capital)):
        who, kind, tier1 = system.ids[i], system.kinds[i], float(system.tier1_capital[i])
        words = "tier 1 over total assets"
        yield Fact("leverage-ratio", who, kind, float(tier1 / assets[i]) if assets[i] > 0.0 else 0.0, words=words)
        if weighted is not None and weighted[i] > 0.0:
            words = "tier 1 over risk-weighted assets, new business weighed in full"
            yield Fact("tier1-ratio", who, kind, float(tier1 / weighted[i]), words=words)
        row = slice(exposures.indptr[i], exposures.indptr[i + 1])
        for j, amount in zip(exposures.indices[row], exposures.data[row], strict=True):
            if amount > 0.0:
                part, against = over(amount, tier1), system.ids[j]
                is_bank = system.kinds[j] in banks
                quantity = "exposure-to-one-bank-over-tier1" if is_bank else "exposure-to-one-nonbank-over-tier1"
                yield Fact(quantity, who, kind, part, against)
                yield Fact("exposure-to-one-client-over-tier1", who, kind, part, against)
