"""Insurance of first-of-its-kind equipment and of new technology: insurers cover what buyers of unproven machines may lose.

A class of policies for each insurer, region and sector: the yearly number of claims is Poisson and moves with the factor of that region and sector,
each claim is lognormal, and of each the insurer pays min(limit, share * max(0, claim - deductible)), as fractions of the value insured.
The state may pay part of the premium. The insurer passes on a share to a reinsurer; insured firms are outside the system, so that an insurer's
claims are its own loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from poundlock.measures.books import Books, class_numbers, opened_with
from poundlock.measures.deals import Deals, Reading, Whole, by_institution, read_deals
from poundlock.measures.insurance import InsuranceTerms, insurance_lines, missing_reinsurer, within_cap
from poundlock.measures.measure import Line, Measure
from poundlock.measures.premium import lognormal_layer
from poundlock.problems import Problem
from poundlock.reading import Column, Declared
from poundlock.rules import Fact
from poundlock.system.balance import AssetClass, Claims, Floats, System
from poundlock.system.covers import Cover

MORE = (Column("region"), Column("sector"), Column("policies", "integer", minimum=1))


class ClaimsModel(Declared):
    """How claims arise."""

    frequency: Annotated[float, Field(gt=0.0, lt=1.0)]
    """Mean number of claims of one policy in a year."""
    severity: Annotated[float, Field(gt=0.0, le=10.0)]
    """Mean claim, as a fraction of the value insured."""
    spread: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    """Standard deviation of a claim over its mean."""
    correlation: Annotated[float, Field(ge=0.0, le=0.999)] = 0.0
    """How far the frequency moves with the factor of region and sector, as the correlation of a pool's defaults."""


class PolicyTerms(InsuranceTerms):
    """One setting of the insurance of equipment: fractions of the value insured, deductible and limit those of one claim."""

    DRAWN: ClassVar[tuple[str, ...]] = ("cover_share", "deductible", "limit")


class EquipmentInsurance(Measure):
    """Insurance of first-of-its-kind equipment and new technology, with a subsidised premium."""

    kind: Literal["equipment-insurance"]
    policies: str
    """CSV: insurer, region, sector, amount, policies [, reinsurer, average_life_days]. Value that firms wish to insure, and in how many
    policies."""
    claims: ClaimsModel
    """How claims arise."""
    today: PolicyTerms
    """The setting that the verdict is about."""
    before: PolicyTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "value of equipment insured"
    CREDIT: ClassVar[bool] = False


def read(asked: Reading, declared: EquipmentInsurance, problems: list[Problem]) -> Deals | None:
    """Read the table of policies; adds every Problem, returns None if there was one."""
    found = read_deals(
        asked, declared, "policies", ("insurer",), problems, more=MORE, optional_roles=("reinsurer",), pools=False
    )
    if found is None:
        return None
    deals, table = found
    before = len(problems)
    problems.extend(missing_reinsurer(table, deals, (declared.today, declared.before), asked.searched))
    return deals if len(problems) == before else None


def _class_ids(declared: EquipmentInsurance, deals: Deals, system: System) -> list[str]:
    """A class for each insurer, region and sector: each bears the claims of its own policies."""
    rows = zip(deals["insurer"], deals["region"], deals["sector"], strict=True)
    return [f"{declared.id} of {system.ids[i]}, {sector}-{region}" for i, region, sector in rows]


def opened(declared: EquipmentInsurance, deals: Deals, system: System) -> System:
    """Asset classes of policies, under today's terms."""
    return _under(declared, declared.today, deals, system)


def _under(declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System) -> System:
    """The number of policies is that of all that are wished for, so that draws are common to all settings."""
    model, ids, classes = declared.claims, np.array(_class_ids(declared, deals, system), dtype=object), []
    for name in dict.fromkeys(ids):
        rows = np.flatnonzero(ids == name)
        region, sector = (str(deals[key][rows[0]]) for key in ("region", "sector"))
        number = int(deals["policies"][rows].sum())
        law = Claims(number, model.severity, model.spread, terms.deductible, terms.cover_share, terms.most)
        classes.append(AssetClass(name, region, sector, model.frequency, 0.0, model.correlation, 0.0, law=law))
    return opened_with(system, classes)


def _pools(declared: EquipmentInsurance, deals: Deals, system: System) -> Whole:
    number = class_numbers(system)
    return np.array([number[name] for name in _class_ids(declared, deals, system)], dtype=np.int64)


def unlimited(terms: PolicyTerms) -> PolicyTerms:
    """The same without the cap."""
    return terms.model_copy(update={"insurer_cap": None})


def granted(declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System) -> Floats:
    """Value insured that the insurers' cap leaves. Shape as deals.amount."""
    return within_cap(terms, deals, system)


def apply(declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System) -> System:
    """The system with the policies written: commitments of the insurers, premiums, reinsurance. No balance sheet changes on the first day."""
    size = granted(declared, terms, deals, system)
    changed = _under(declared, terms, deals, system)
    pool, books = _pools(declared, deals, changed), Books(changed)
    insurer, premium = deals["insurer"], terms.premium_rate * size
    np.add.at(books.commitments, (insurer, pool), size)
    books.pay(None, insurer, premium)
    if terms.reinsured > 0.0:
        books.pay(insurer, deals["reinsurer"], terms.reinsured * premium)
        books.covers += [
            Cover(int(r), int(i), int(k), float(x), terms.reinsured)
            for r, i, k, x in zip(deals["reinsurer"], insurer, pool, size, strict=True)
            if x > 0.0
        ]
    return books.written()


def fair_rate(declared: EquipmentInsurance, terms: PolicyTerms) -> float:
    """Mean yearly payment a unit of value insured: the frequency times the stop-loss premium of one claim."""
    layer = lognormal_layer(
        declared.claims.severity,
        declared.claims.spread,
        share=terms.cover_share,
        deductible=terms.deductible,
        limit=terms.most,
    )
    return declared.claims.frequency * layer


def insured(
    declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System, lost: Floats
) -> tuple[Floats, float, float, float]:
    """Claims on the insurers in each scenario, the premiums and the value covered, money, and the fair rate. lost: (s, k), share of each asset
    class that is lost, under these terms. Claims (s,)."""
    size = granted(declared, terms, deals, system)
    total = float(size.sum())
    claims = lost[:, _pools(declared, deals, system)] @ size
    return claims, terms.premium_rate * total, total, fair_rate(declared, terms)


def value(declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any failure."""
    total, claims = float(granted(declared, terms, deals, system).sum()), declared.claims
    return (
        Line("firms", "loss of equipment", -claims.frequency * claims.severity * total, loss=True),
        *insurance_lines(terms, "firms", terms.premium_rate * total, fair_rate(declared, terms) * total),
    )


def facts(declared: EquipmentInsurance, terms: PolicyTerms, deals: Deals, system: System) -> Iterator[Fact]:
    """The rate of premiums that the state pays part of, and the part that it pays."""
    size = by_institution(deals["insurer"], granted(declared, terms, deals, system), len(system))
    for i in np.flatnonzero(size > 0.0):
        if terms.premium_subsidy > 0.0:
            yield Fact("subsidised-premium-rate", system.ids[i], system.kinds[i], terms.premium_rate)
        yield Fact("premium-subsidy-share", system.ids[i], system.kinds[i], terms.premium_subsidy)
