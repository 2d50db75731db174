"""Joint lending: a platform and a bank fund each loan together, in stated shares, under caps.

What a loan of size T does: the platform puts up its share c T, the bank (1 - c) T, and each owns its part of the loss.
The bank pays with new deposits. The platform borrows a stated part of its share from the banks that already lend to it,
and the rest outside. Borrowers repay through the platform, which holds some days of repayments before it passes them on:
a claim of the bank on the platform, which keeps it as cash. So both channels of contagion between platforms and banks are there: banks fund
platforms, and banks' money is in platforms' hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import coo_array, csr_array

from poundlock.problems import Problem, Where, nowhere
from poundlock.reading import Column, Declared, InputFile, Table, read_table
from poundlock.rollout.plan import Id
from poundlock.system.balance import Floats, Layer, System

FUNDING_LAYER = "platform funding"
REPAYMENT_LAYER = "repayments in transit"
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Limits(Declared):
    """One setting of the rules for joint lending. Leave a cap out to mean none."""

    platform_share: Annotated[float, Field(ge=0.0, lt=1.0)]
    """What the platform puts up of every loan, as a fraction."""
    partner_cap: Annotated[float, Field(ge=0.0)] | None = None
    """A bank's balance with one platform, at most this fraction of its Tier 1 capital."""
    total_cap: Annotated[float, Field(ge=0.0)] | None = None
    """A bank's joint loans with all platforms, at most this fraction of its total loans."""
    home_region_only: bool = False
    """Local banks lend only in their own region."""
    legal_basis: tuple[str, ...] = ()
    """Ids of the rules behind this setting, as listed in the package's rules."""


class JointLending(Declared):
    """Joint lending by platforms and banks."""

    kind: Literal["joint-lending"]
    id: Id
    """Name for controls and results."""
    loans: str
    """CSV: bank, platform, pool, amount [, average_life_days]. Total loans that borrowers ask for and both sides are willing to
    make."""
    today: Limits
    """The rules that the verdict is about."""
    before: Limits | None = None
    """An earlier or other setting to compare with."""
    local_kinds: tuple[str, ...] = ()
    """Kinds of institution that count as local banks."""
    platform_funded_by_banks: Share = 0.0
    """Part of the platform's share that it borrows from the banks that lend to it already."""
    days_in_transit: Annotated[float, Field(ge=0.0, le=365.0)] = 0.0
    """Days that repayments stay with the platform before the bank has them."""
    average_life_days: Annotated[float, Field(gt=0.0)] = 365.0
    """Average life of a loan, where its row gives none; with days_in_transit it gives the bank's claim on the platform."""


@dataclass(frozen=True)
class JointLoans:
    """Wished-for joint loans, one entry a row. bank, platform: institution numbers. pool: asset class number.
    amount: total size of the loans, money, before any limit. life: (entries,), average life in days, None: all as declared. file: where
    they were read."""

    bank: NDArray[np.int64] = field(repr=False)
    platform: NDArray[np.int64] = field(repr=False)
    pool: NDArray[np.int64] = field(repr=False)
    amount: Floats = field(repr=False)
    file: InputFile
    life: Floats | None = field(default=None, repr=False)


def read_joint_loans(
    folder: Path,
    declared: JointLending,
    system: System,
    problems: list[Problem],
    *,
    where: Where = nowhere,
    searched: frozenset[str] = frozenset(),
    amounts_known: bool = True,
) -> JointLoans | None:
    """Read the table of wished-for loans against a system; adds every Problem, returns None if there was one.

    searched: limits that controls will set, so that what they are shares of is needed whatever they are today.
    amounts_known: False behind a Problem in the system's tables; then missing capital is not told a second time.
    """
    before = len(problems)
    life = Column("average_life_days", "number", optional=True, blank=True, minimum=1)
    columns = (Column("bank"), Column("platform"), Column("pool"), Column("amount", "number", minimum=0), life)
    table = read_table(folder / declared.loans, columns, problems, declared_at=where("loans"))
    if table is None:
        return None
    institutions = {name: i for i, name in enumerate(system.ids)}
    pools = {pool.id: k for k, pool in enumerate(system.asset_classes)}
    numbers = {
        column: _numbers(table, column, known, problems)
        for column, known in (("bank", institutions), ("platform", institutions), ("pool", pools))
    }
    settings = [limits for limits in (declared.today, declared.before) if limits is not None]
    capped = "partner_cap" in searched or any(limits.partner_cap is not None for limits in settings)
    total = "total_cap" in searched or any(limits.total_cap is not None for limits in settings)
    for row in np.flatnonzero((numbers["bank"] == numbers["platform"]) & (numbers["bank"] >= 0)):
        found = f"'{table['bank'][row]}' as bank and as platform"
        problems.append(table.problem(int(row), found, "two institutions", "correct one of the two"))
    if amounts_known and declared.platform_funded_by_banks > 0:
        problems.extend(_unfunded(table, numbers["platform"], system))
    if capped and amounts_known:
        problems.extend(_banks_without(table, numbers["bank"], system, system.tier1_capital, "tier1_capital"))
    if total and amounts_known:
        problems.extend(_banks_without(table, numbers["bank"], system, system.loans, "loans"))
    if len(problems) > before:
        return None
    lives = table["average_life_days"] if "average_life_days" in table else None
    return JointLoans(numbers["bank"], numbers["platform"], numbers["pool"], table["amount"], table.file, lives)


def _banks_without(
    table: Table, banks: NDArray[np.int64], system: System, amounts: Floats, what: str
) -> Iterator[Problem]:
    """Banks of the table whose amount, of which a cap is a share, is not reported; each once, at its first row."""
    first = np.unique(banks, return_index=True)[1]
    for row in sorted(first):
        if banks[row] >= 0 and np.isnan(amounts[banks[row]]):
            expected = f"{what} in the institutions table, since a cap is a share of it"
            found = f"bank '{system.ids[banks[row]]}' without {what}"
            yield table.problem(int(row), found, expected, f"fill {what} of this bank")


def _unfunded(table: Table, platforms: NDArray[np.int64], system: System) -> Iterator[Problem]:
    """Platforms that are to borrow from the banks that lend to them already, where no bank does; each at its first row."""
    lent = sum(
        (layer.amounts.sum(axis=0) for layer in system.layers if layer.name == FUNDING_LAYER), np.zeros(len(system))
    )
    for row in sorted(np.unique(platforms, return_index=True)[1]):
        same = table["bank"][row] == table["platform"][row]  # told already
        if platforms[row] >= 0 and not same and lent[platforms[row]] <= 0:
            found = f"platform '{system.ids[platforms[row]]}', to which no bank lends in layer '{FUNDING_LAYER}'"
            expected = "exposures of banks to it, since platform_funded_by_banks is above 0"
            yield table.problem(int(row), found, expected, "add those exposures or set platform_funded_by_banks to 0")


def _numbers(table: Table, column: str, known: dict[str, int], problems: list[Problem]) -> NDArray[np.int64]:
    found = np.array([known.get(name, -1) for name in table[column]], dtype=np.int64)
    for row in np.flatnonzero(found < 0):
        problems.append(
            table.problem(
                int(row),
                f"unknown {column} '{table[column][row]}'",
                "a name of the system's tables",
                "correct the name or add it there",
            )
        )
    return found


def granted(declared: JointLending, limits: Limits, loans: JointLoans, system: System) -> Floats:
    """Total size of each loan entry that the limits leave; every cap cuts a bank's entries in proportion. Shape as loans.amount."""
    size = loans.amount.copy()
    if limits.home_region_only:
        local = np.isin(np.array(system.kinds), declared.local_kinds)[loans.bank]
        regions = np.array(system.regions)
        away = regions[loans.bank] != np.array([p.region for p in system.asset_classes])[loans.pool]
        size[local & away] = 0.0
    n, bank_share = len(system), 1.0 - limits.platform_share
    if limits.partner_cap is not None:
        pair = loans.bank * n + loans.platform
        size *= _cut(pair, bank_share * size, limits.partner_cap * system.tier1_capital[loans.bank])
    if limits.total_cap is not None:
        size *= _cut(loans.bank, bank_share * size, limits.total_cap * system.loans[loans.bank])
    return size


def _cut(group: NDArray[np.int64], amount: Floats, cap: Floats) -> Floats:
    """Factor at most one for each entry, so that its group's sum of amounts does not exceed the cap of that group."""
    _, inverse = np.unique(group, return_inverse=True)
    held = np.bincount(inverse, weights=amount)[inverse]
    return np.divide(np.minimum(held, cap), held, out=np.ones_like(amount), where=held > 0)


def apply(declared: JointLending, limits: Limits, loans: JointLoans, system: System) -> System:
    """The system as it would be with these joint loans on its books. Equity of nobody changes on the first day.

    Size zero leaves the system as it was. Raises ValueError when banks are to fund a platform that no bank lends to.
    """
    size = granted(declared, limits, loans, system)
    n, k = len(system), len(system.asset_classes)
    bank_part, platform_part = (1.0 - limits.platform_share) * size, limits.platform_share * size
    holdings = system.holdings.copy()
    transit = bank_part * np.minimum(1.0, declared.days_in_transit / lives(declared, loans))
    for holder, part in ((loans.bank, bank_part - transit), (loans.platform, platform_part)):
        holdings += coo_array((part, (holder, loans.pool)), shape=(n, k)).toarray()
    in_transit = csr_array((transit, (loans.bank, loans.platform)), shape=(n, n))
    own_part = np.bincount(loans.platform, weights=platform_part, minlength=n)
    funding = _bank_funding(system, np.asarray(declared.platform_funded_by_banks * own_part, dtype=np.float64))
    lent_to_platforms = np.asarray(funding.sum(axis=1)).ravel()
    borrowed = np.asarray(funding.sum(axis=0)).ravel()
    deposits = np.bincount(loans.bank, weights=bank_part, minlength=n)
    cash = np.asarray(in_transit.sum(axis=0)).ravel()
    added_holdings = holdings.sum(axis=1) - system.holdings.sum(axis=1)
    return replace(
        system,
        holdings=holdings,
        safe_assets=system.safe_assets + cash,
        external_assets=system.external_assets + added_holdings + cash,
        external_liabilities=system.external_liabilities + deposits + lent_to_platforms + own_part - borrowed,
        layers=_added(system.layers, {FUNDING_LAYER: funding, REPAYMENT_LAYER: in_transit}),
    )


def lives(declared: JointLending, loans: JointLoans) -> Floats:
    """Average life of each entry in days, as its row or else the measure says. Shape as loans.amount."""
    declared_life = np.full(len(loans.amount), declared.average_life_days)
    return declared_life if loans.life is None else np.where(np.isnan(loans.life), declared_life, loans.life)


def _bank_funding(system: System, wanted: Floats) -> csr_array:
    """New lending by banks to platforms, spread like what they lend to them already in the funding layer. (n, n)."""
    n = len(system)
    if not wanted.any():
        return csr_array((n, n), dtype=np.float64)
    present = next(
        (layer.amounts for layer in system.layers if layer.name == FUNDING_LAYER), csr_array((n, n), dtype=np.float64)
    )
    total = np.asarray(present.sum(axis=0)).ravel()
    if np.any((wanted > 0) & (total <= 0)):
        unfunded = system.ids[int(np.flatnonzero((wanted > 0) & (total <= 0))[0])]
        raise ValueError(f"'{unfunded}' is to be funded by banks, but no bank lends to it in layer '{FUNDING_LAYER}'")
    return csr_array(present.multiply(np.divide(wanted, total, out=np.zeros(n), where=total > 0)[None, :]))


def _added(layers: tuple[Layer, ...], new: dict[str, csr_array]) -> tuple[Layer, ...]:
    grown = tuple(
        replace(layer, amounts=csr_array(layer.amounts + new[layer.name])) if layer.name in new else layer
        for layer in layers
    )
    present = {layer.name for layer in layers}
    return grown + tuple(
        Layer(name, amounts)
        for name, amounts in new.items()
        if name not in present and amounts.nnz and amounts.data.any()
    )
