"""Dated legal parameters with their sources, as data, and figures held against those that stand on a date."""

from poundlock.rules.compliance import Compliance, Fact, evaluate, unevaluated
from poundlock.rules.rule import Rule, read_rules
from poundlock.rules.shipped import jurisdictions, of_jurisdiction, rules

__all__ = [
    "Compliance",
    "Fact",
    "Rule",
    "evaluate",
    "jurisdictions",
    "of_jurisdiction",
    "read_rules",
    "rules",
    "unevaluated",
]
