"""Joint lending: a platform and a bank fund each loan together, in stated shares, under caps.

What a loan of size T does: the platform puts up its share c T, the bank (1 - c) T, and each owns its part of the loss. The platform may
promise to bear the first losses of the bank's part, and earns a fee on it.
The bank pays with new deposits. The platform borrows a stated part of its share from the banks that already lend to it,
and the rest outside. Borrowers repay through the platform, which holds some days of repayments before it passes them on:
a claim of the bank on the platform, which keeps it as cash. So both channels of contagion between platforms and banks are there: banks fund
platforms, and banks' money is in platforms' hands.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.sparse import csr_array

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, Reading, by_institution, cut, over, read_deals, without_figure
from poundlock.measures.measure import Line, Measure, Share, Terms
from poundlock.measures.premium import pool_layer, pool_loss
from poundlock.problems import Problem
from poundlock.reading import Table
from poundlock.rules import Fact
from poundlock.system.balance import Floats, System
from poundlock.system.covers import Cover

FUNDING_LAYER = "platform funding"
REPAYMENT_LAYER = "repayments in transit"


class Limits(Terms):
    """One setting of the rules for joint lending. Leave a cap out to mean none."""

    platform_share: Share
    """What the platform puts up of every loan, as a fraction."""
    partner_cap: Annotated[float, Field(ge=0.0)] | None = None
    """A bank's balance with one platform, at most this fraction of its Tier 1 capital."""
    total_cap: Annotated[float, Field(ge=0.0)] | None = None
    """A bank's joint loans with all platforms, at most this fraction of its total loans."""
    home_region_only: bool = False
    """Local banks lend only in their own region."""
    first_loss: Share = 0.0
    """The platform promises to bear the bank's losses on each pool up to this fraction of the bank's part."""
    fee: Share = 0.0
    """What the bank pays the platform a year, as a fraction of the bank's part."""


class JointLending(Measure):
    """Joint lending by platforms and banks."""

    kind: Literal["joint-lending"]
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

    GRANTED: ClassVar[str] = "joint loans"


def read(asked: Reading, declared: JointLending, problems: list[Problem]) -> Deals | None:
    """Read the table of wished-for loans; adds every Problem, returns None if there was one."""
    found = read_deals(asked, declared, "loans", ("bank", "platform"), problems)
    if found is None:
        return None
    (deals, table), system = found, asked.system
    before = len(problems)
    settings = [limits for limits in (declared.today, declared.before) if limits is not None]
    capped = "partner_cap" in asked.searched or any(limits.partner_cap is not None for limits in settings)
    total = "total_cap" in asked.searched or any(limits.total_cap is not None for limits in settings)
    if asked.amounts_known and declared.platform_funded_by_banks > 0:
        problems.extend(_unfunded(table, deals, system))
    if capped and asked.amounts_known:
        problems.extend(without_figure(table, deals["bank"], system, system.tier1_capital, "tier1_capital"))
    if total and asked.amounts_known:
        problems.extend(without_figure(table, deals["bank"], system, system.loans, "loans"))
    return deals if len(problems) == before else None


def _unfunded(table: Table, deals: Deals, system: System) -> Iterator[Problem]:
    """Platforms that are to borrow from the banks that lend to them already, where no bank does; each at its first row."""
    lent, platforms = np.asarray(_lent_already(system).sum(axis=0)).ravel(), deals["platform"]
    for row in sorted(np.unique(platforms, return_index=True)[1]):
        if lent[platforms[row]] <= 0:
            found = f"platform '{system.ids[platforms[row]]}', to which no bank lends in layer '{FUNDING_LAYER}'"
            expected = "exposures of banks to it, since platform_funded_by_banks is above 0"
            yield table.problem(int(row), found, expected, "add those exposures or set platform_funded_by_banks to 0")


def opened(declared: JointLending, deals: Deals, system: System) -> System:
    """Joint loans are made to the system's own pools: no further asset class."""
    return system


def unlimited(limits: Limits) -> Limits:
    """The same without any cap."""
    return limits.model_copy(update={"partner_cap": None, "total_cap": None, "home_region_only": False})


def granted(declared: JointLending, limits: Limits, loans: Deals, system: System) -> Floats:
    """Total size of each loan entry that the limits leave; every cap cuts a bank's entries in proportion. Shape as loans.amount."""
    size, bank = loans.amount.copy(), loans["bank"]
    if limits.home_region_only:
        local = np.isin(np.array(system.kinds), declared.local_kinds)[bank]
        size[local & _away(loans, system)] = 0.0
    n, bank_share = len(system), 1.0 - limits.platform_share
    if limits.partner_cap is not None:
        size *= cut(bank * n + loans["platform"], bank_share * size, limits.partner_cap * system.tier1_capital[bank])
    if limits.total_cap is not None:
        size *= cut(bank, bank_share * size, limits.total_cap * system.loans[bank])
    return size


def _away(loans: Deals, system: System) -> Floats:
    """Entries outside the bank's own region, as a mask."""
    pool_region = np.array([p.region for p in system.asset_classes])[loans.pool]
    return np.asarray(np.array(system.regions)[loans["bank"]] != pool_region)


def apply(declared: JointLending, limits: Limits, loans: Deals, system: System) -> System:
    """The system as it would be with these joint loans on its books. Equity of nobody changes on the first day.

    Size zero leaves the system as it was. Raises ValueError when banks are to fund a platform that no bank lends to.
    """
    size, n = granted(declared, limits, loans, system), len(system)
    bank, platform = loans["bank"], loans["platform"]
    bank_part, platform_part = (1.0 - limits.platform_share) * size, limits.platform_share * size
    transit = bank_part * np.minimum(1.0, declared.days_in_transit / loans.life)
    books = Books(system)
    books.hold(bank, loans.pool, bank_part - transit)
    books.hold(platform, loans.pool, platform_part)
    books.lend(REPAYMENT_LAYER, bank, platform, transit)
    books.safe += by_institution(platform, transit, n)
    own_part = by_institution(platform, platform_part, n)
    funding = _bank_funding(system, loans.joined, declared.platform_funded_by_banks * own_part)
    books.layers[FUNDING_LAYER] = funding
    books.owed += by_institution(bank, bank_part, n) + own_part
    books.owed += np.asarray(funding.sum(axis=1)).ravel() - np.asarray(funding.sum(axis=0)).ravel()
    books.pay(bank, platform, limits.fee * bank_part)
    if limits.first_loss > 0.0:
        covered = bank_part - transit
        books.covers += [
            Cover(int(j), int(i), int(k), float(x), limit=limits.first_loss * float(x))
            for i, j, k, x in zip(bank, platform, loans.pool, covered, strict=True)
            if x > 0.0
        ]
    return books.written()


def value(declared: JointLending, limits: Limits, loans: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any failure: interest after costs, losses, fees and first loss."""
    size = granted(declared, limits, loans, system)
    pools = [system.asset_classes[k] for k in loans.pool]
    margin, loss = np.array([p.net_margin for p in pools]), np.array([pool_loss(p) for p in pools])
    promised = np.array([pool_layer(p, limit=limits.first_loss) for p in pools])
    share = limits.platform_share
    covered = (1.0 - share) * size * (1.0 - np.minimum(1.0, declared.days_in_transit / loans.life))
    return (
        Line("banks", "margin on their part", float((1.0 - share) * margin @ size)),
        Line("banks", "expected loss on their part", -float((1.0 - share) * loss @ size), loss=True),
        Line("platforms", "margin on their part", float(share * margin @ size)),
        Line("platforms", "expected loss on their part", -float(share * loss @ size), loss=True),
        Line("banks", "fees", -float(limits.fee * (1.0 - share) * size.sum())),
        Line("platforms", "fees", float(limits.fee * (1.0 - share) * size.sum())),
        Line("banks", "first loss promised by platforms", float(promised @ covered)),
        Line("platforms", "first loss promised to banks", -float(promised @ covered)),
    )


def facts(declared: JointLending, limits: Limits, loans: Deals, system: System) -> Iterator[Fact]:
    """What rules on joint lending limit: the partner's share, balances over Tier 1 and total loans, lending away from home."""
    size = granted(declared, limits, loans, system)
    bank, platform, n = loans["bank"], loans["platform"], len(system)
    part = (1.0 - limits.platform_share) * size
    pairs = np.bincount(bank * n + platform, weights=part, minlength=n * n).reshape(n, n)
    away = by_institution(bank, part * _away(loans, system), n)
    for i in np.flatnonzero(pairs.sum(axis=1) > 0.0):
        who, kind = system.ids[i], system.kinds[i]
        for j in np.flatnonzero(pairs[i] > 0.0):
            yield Fact("partner-contribution-share", who, kind, limits.platform_share, system.ids[j])
            part_of = over(pairs[i, j], system.tier1_capital[i])
            yield Fact("joint-loans-with-one-partner-over-tier1", who, kind, part_of, system.ids[j])
        yield Fact("joint-loans-over-total-loans", who, kind, over(pairs[i].sum(), system.loans[i]))
        yield Fact("joint-loans-outside-home-region", who, kind, float(away[i]))


def _lent_already(system: System) -> csr_array:
    n = len(system)
    nothing = csr_array((n, n), dtype=np.float64)
    return next((layer.amounts for layer in system.layers if layer.name == FUNDING_LAYER), nothing)


def _bank_funding(system: System, joined: NDArray[np.bool_], wanted: Floats) -> csr_array:
    """New lending by banks that have joined to platforms, spread like what they lend to them already in the funding layer; the rest of
    what is wanted is borrowed outside. (n, n)."""
    n = len(system)
    if not wanted.any():
        return csr_array((n, n), dtype=np.float64)
    present = _lent_already(system)
    total = np.asarray(present.sum(axis=0)).ravel()
    if np.any((wanted > 0) & (total <= 0)):
        unfunded = system.ids[int(np.flatnonzero((wanted > 0) & (total <= 0))[0])]
        raise ValueError(f"'{unfunded}' is to be funded by banks, but no bank lends to it in layer '{FUNDING_LAYER}'")
    each = np.divide(wanted, total, out=np.zeros(n), where=total > 0)
    return csr_array(present.multiply(each[None, :]).multiply(joined[:, None].astype(np.float64)))
