"""Figures held against the rules that stand on a date."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from poundlock.rules.rule import Rule

ROUNDING = 1e-9
"""A limit is breached only beyond this share of it; a ban, beyond this much of the figure's own unit."""

Roles = Mapping[str, tuple[str, ...]]
"""From a rule's `binds` to the kinds of institution that are meant by it in one system."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure that a rule may limit.

    quantity: machine name, as in the rules' column of that name. who: id of the institution; kind: its kind. value: a
    fraction, or money for bans; NaN where it could not be computed. against: the partner, pool or firm that it is
    about. words: how it was computed.
    """

    quantity: str
    who: str
    kind: str
    value: float
    against: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class Compliance:
    """One figure against one rule. excess: how far beyond the limit, at least 0, in the fact's unit. binding: False for
    a draft, which is shown and never binds."""

    rule: Rule
    fact: Fact
    standing: Literal["kept", "breached"]
    excess: float
    binding: bool


def evaluate(facts: Sequence[Fact], on: date, rules: Iterable[Rule], roles: Roles) -> tuple[Compliance, ...]:
    """Every fact against every rule that limits it on that day, in the order of the rules, then of the facts.

    A rule limits a fact of its quantity about an institution whose kind is among those that it binds. Rules in force
    bind; drafts that were public on that day are evaluated without binding; others are left out, and so are facts
    without a value.
    """
    by_quantity: dict[str, list[Fact]] = {}
    for fact in facts:
        if not math.isnan(fact.value):
            by_quantity.setdefault(fact.quantity, []).append(fact)
    return tuple(
        _compare(rule, fact, rule.in_force(on))
        for rule in rules
        if rule.limit is not None and (rule.in_force(on) or rule.proposed(on))
        for fact in by_quantity.get(rule.quantity, ())
        if fact.kind in roles.get(rule.binds, ())
    )


def unevaluated(facts: Sequence[Fact], on: date, rules: Iterable[Rule], roles: Roles) -> tuple[tuple[Rule, str], ...]:
    """The rules in force on that day against which `evaluate` holds no fact, each with the reason."""
    of_quantity: dict[str, list[Fact]] = {}
    for fact in facts:
        of_quantity.setdefault(fact.quantity, []).append(fact)
    reasons = ((rule, _reason(rule, of_quantity.get(rule.quantity, []), roles)) for rule in rules if rule.in_force(on))
    return tuple((rule, reason) for rule, reason in reasons if reason)


def _reason(rule: Rule, of_quantity: Sequence[Fact], roles: Roles) -> str:
    """Why nothing is compared; empty where something is."""
    if rule.limit is None:
        return "a rule that no figure can show"
    if not roles.get(rule.binds):
        return f"binds {rule.binds}, no kind of institution is named for it"
    if not of_quantity:
        return "no figure of this kind in the plan"
    of_those_bound = [fact for fact in of_quantity if fact.kind in roles[rule.binds]]
    if not of_those_bound:
        return "no figure of this kind for those whom it binds"
    return "the figure could not be computed" if all(math.isnan(fact.value) for fact in of_those_bound) else ""


def _compare(rule: Rule, fact: Fact, binding: bool) -> Compliance:
    limit = rule.limit or 0.0
    beyond = limit - fact.value if rule.operator == "min" else fact.value - limit
    breached = beyond > (ROUNDING if rule.operator == "ban" else ROUNDING * limit)
    return Compliance(rule, fact, "breached" if breached else "kept", beyond if breached else 0.0, binding)
