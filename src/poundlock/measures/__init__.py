"""Measures: each a declared change of the financial system, one file a kind, all with the same few functions.

read: the table of wished-for business against a system. opened: the system with the measure's own asset classes, which nobody holds yet, so
that draws are common with and without it. granted: what a setting leaves of each entry. unlimited: a setting without caps. apply: the system
with the business on its books. value: the year that is expected, by party. facts: figures that rules limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Annotated, Any

from pydantic import Field

from poundlock.measures import (
    custom,
    equipment_insurance,
    group_linkage,
    joint_lending,
    loan_with_investment,
    payment_service,
    pledged_loans,
)
from poundlock.measures.consents import Consents, read_consents
from poundlock.measures.custom import Custom, CustomTerms
from poundlock.measures.deals import Deals, Moment, Reading
from poundlock.measures.equipment_insurance import ClaimsModel, EquipmentInsurance, PolicyTerms
from poundlock.measures.group_linkage import GroupLinkage, LinkageTerms
from poundlock.measures.joint_lending import JointLending, Limits
from poundlock.measures.loan_with_investment import InvestmentTerms, LoanWithInvestment, Upside, upside
from poundlock.measures.measure import Line, Measure, Terms
from poundlock.measures.payment_service import PaymentService, PaymentTerms
from poundlock.measures.pledged_loans import CoverTerms, PledgedLoans
from poundlock.measures.premium import lognormal_layer, vasicek_layer, warrant_value
from poundlock.measures.shares import FirmEquity
from poundlock.problems import Problem
from poundlock.rules import Fact
from poundlock.system.balance import Floats, System

__all__ = [
    "SMALL",
    "AnyMeasure",
    "ClaimsModel",
    "Consents",
    "CoverTerms",
    "Custom",
    "CustomTerms",
    "Deals",
    "EquipmentInsurance",
    "FirmEquity",
    "GroupLinkage",
    "InvestmentTerms",
    "JointLending",
    "Limits",
    "Line",
    "LinkageTerms",
    "LoanWithInvestment",
    "Measure",
    "Moment",
    "PaymentService",
    "PaymentTerms",
    "PledgedLoans",
    "PolicyTerms",
    "Reading",
    "Terms",
    "Upside",
    "apply",
    "asked_for",
    "facts",
    "granted",
    "insured",
    "lognormal_layer",
    "opened",
    "read",
    "read_consents",
    "unlimited",
    "upside",
    "value",
    "vasicek_layer",
    "warrant_value",
]

AnyMeasure = Annotated[
    JointLending | LoanWithInvestment | GroupLinkage | PledgedLoans | EquipmentInsurance | PaymentService | Custom,
    Field(discriminator="kind"),
]
SMALL = 2.0**-40
"""A part of business so small that nobody's cash binds it; a power of two, so that nothing is lost in rounding."""
_ROOMS: dict[type, ModuleType] = {
    JointLending: joint_lending,
    LoanWithInvestment: loan_with_investment,
    GroupLinkage: group_linkage,
    PledgedLoans: pledged_loans,
    EquipmentInsurance: equipment_insurance,
    PaymentService: payment_service,
    Custom: custom,
}


def read(asked: Reading, declared: Any, problems: list[Problem]) -> Deals | None:
    """The wished-for business of a measure, with what consents and the stage leave of it; adds every Problem, None if there was one."""
    found: Deals | None = _ROOMS[type(declared)].read(asked, declared, problems)
    return found


def opened(declared: Any, deals: Deals, system: System) -> System:
    """The system with the measure's own asset classes, which nobody holds yet."""
    found: System = _ROOMS[type(declared)].opened(declared, deals, system)
    return found


def granted(declared: Any, terms: Any, deals: Deals, system: System) -> Floats:
    """What a setting leaves of each entry, money. (entries,)."""
    found: Floats = _ROOMS[type(declared)].granted(declared, terms, deals, system)
    return found


def unlimited(declared: Any, terms: Any) -> Any:
    """The setting without its caps."""
    return _ROOMS[type(declared)].unlimited(terms)


def asked_for(declared: Any, terms: Any, deals: Deals, system: System) -> float:
    """Sum of all entries before any cap and before anyone's cash binds, money."""
    return float(granted(declared, unlimited(declared, terms), deals.scaled(SMALL), system).sum() / SMALL)


def apply(declared: Any, terms: Any, deals: Deals, system: System) -> System:
    """The system, opened for the measure, with its business on the books."""
    found: System = _ROOMS[type(declared)].apply(declared, terms, deals, system)
    return found


def value(declared: Any, terms: Any, deals: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected before any failure, by party, money."""
    found: tuple[Line, ...] = _ROOMS[type(declared)].value(declared, terms, deals, system)
    return found


def insured(
    declared: Any, terms: Any, deals: Deals, system: System, lost: Floats
) -> tuple[Floats, float, float, float] | None:
    """Of a measure with insurance, claims in each scenario (s,), premiums and the sum insured, money, and the fair rate; else None."""
    room = _ROOMS[type(declared)]
    if not hasattr(room, "insured"):
        return None
    found: tuple[Floats, float, float, float] = room.insured(declared, terms, deals, system, lost)
    return found


def facts(declared: Any, terms: Any, deals: Deals, system: System) -> Iterator[Fact]:
    """Figures that rules limit."""
    found: Iterator[Fact] = _ROOMS[type(declared)].facts(declared, terms, deals, system)
    return found
