"""Investment-loan linkage inside a group: a bank lends, and its own subsidiaries invest in or lease to the same firms.

The subsidiary's part is paid from its own cash or, where it is allowed, with debt to its parent. One firm may take at most a stated share of
the subsidiary's own funds; the group's exposure to a pool, the bank's and the subsidiaries' together, may be capped. The parent supports each
subsidiary up to a stated amount: a loss of the subsidiary that its equity cannot bear comes back to the bank, and a parent that fails takes
its support with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from poundlock.measures.books import Books
from poundlock.measures.deals import Deals, Reading, by_institution, cut, over, read_deals, without_figure
from poundlock.measures.measure import Line, Measure, Terms
from poundlock.measures.premium import pool_loss
from poundlock.measures.shares import FirmEquity, opened_shares, shares_of
from poundlock.problems import Problem
from poundlock.reading import Column
from poundlock.rules import Fact
from poundlock.system.balance import Floats, System, equity
from poundlock.system.contingent import Guarantee

FUNDING_LAYER = "group funding"
MORE = (
    Column("form", choices=("equity", "lease")),
    Column("subsidiary_amount", "number", minimum=0),
    Column("largest_firm", "number", optional=True, minimum=0, maximum=1),
)


class LinkageTerms(Terms):
    """One setting of the linkage. Leave a cap out to mean none."""

    own_funds_only: bool = True
    """The subsidiary pays with its own cash; else what is missing is borrowed from its parent."""
    single_firm_cap: Annotated[float, Field(ge=0.0)] | None = None
    """Investment in one firm, at most this fraction of the subsidiary's own funds."""
    group_cap: Annotated[float, Field(ge=0.0)] | None = None
    """Exposure of the whole group to one pool, at most this fraction of the parent's Tier 1 capital."""
    support: Annotated[float, Field(ge=0.0)] = 0.0
    """The parent makes good what each subsidiary lacks, up to this fraction of its own Tier 1 capital; of a subsidiary in run-off, up to as
    much of it as there is of the business that was wished for."""


class GroupLinkage(Measure):
    """Loans by a bank beside investment or leasing by its subsidiaries."""

    kind: Literal["group-linkage"]
    deals: str
    """CSV: bank, subsidiary, pool, amount, form, subsidiary_amount [, largest_firm, average_life_days]. The bank's loans, and what the
    subsidiary puts in, as equity or as a lease (which loses as loans do); largest_firm: part of it that goes to one firm."""
    equity: FirmEquity
    """How the equity of the firms moves."""
    today: LinkageTerms
    """The setting that the verdict is about."""
    before: LinkageTerms | None = None
    """An earlier or other setting to compare with."""

    GRANTED: ClassVar[str] = "loans and investments of groups"


def read(asked: Reading, declared: GroupLinkage, problems: list[Problem]) -> Deals | None:
    """Read the table of loans and investments; adds every Problem, returns None if there was one."""
    found = read_deals(asked, declared, "deals", ("bank", "subsidiary"), problems, more=MORE)
    if found is None:
        return None
    (deals, table), system = found, asked.system
    before = len(problems)
    settings = [terms for terms in (declared.today, declared.before) if terms is not None]
    needs = asked.searched & {"group_cap", "support"} or any(
        t.group_cap is not None or t.support > 0.0 for t in settings
    )
    if needs and asked.amounts_known:
        problems.extend(without_figure(table, deals["bank"], system, system.tier1_capital, "tier1_capital"))
    capped = "single_firm_cap" in asked.searched or any(t.single_firm_cap is not None for t in settings)
    if capped and "largest_firm" not in table:
        cure = "add the column, a fraction of subsidiary_amount"
        found_words, expected = "single_firm_cap without the column largest_firm", "the part that goes to one firm"
        problems.append(table.problem(0, found_words, expected, cure))
    parents: dict[int, int] = {}
    for row, (bank, sub) in enumerate(zip(deals["bank"], deals["subsidiary"], strict=True)):
        if parents.setdefault(int(sub), int(bank)) != bank:
            said = f"'{system.ids[sub]}' as subsidiary of two banks"
            problems.append(table.problem(row, said, "one parent", "correct the bank or the subsidiary"))
    return deals if len(problems) == before else None


def opened(declared: GroupLinkage, deals: Deals, system: System) -> System:
    """The equity of the firms becomes an asset class for each pool in which a subsidiary takes equity."""
    return opened_shares(system, deals.pool[deals["form"] == "equity"], declared.equity)


def unlimited(terms: LinkageTerms) -> LinkageTerms:
    """The same without any cap."""
    return terms.model_copy(update={"single_firm_cap": None, "group_cap": None})


def granted(declared: GroupLinkage, terms: LinkageTerms, deals: Deals, system: System) -> Floats:
    """The bank's loans and the subsidiary's part together that the limits leave; a firm's two parts are cut alike. Shape as deals.amount."""
    both, part = _both(deals)
    size, bank, sub = both * deals.left, deals["bank"], deals["subsidiary"]
    if terms.single_firm_cap is not None:
        own = np.maximum(equity(system), 0.0)[sub]
        one = part * size * deals["largest_firm"]
        size = size * np.divide(np.minimum(one, terms.single_firm_cap * own), one, out=np.ones_like(one), where=one > 0)
    if terms.own_funds_only:
        size = size * cut(sub, part * size, system.safe_assets[sub])
    if terms.group_cap is not None:
        pair = bank * len(system.asset_classes) + deals.pool
        size = size * cut(pair, size, terms.group_cap * system.tier1_capital[bank])
    return np.asarray(size)


def _both(deals: Deals) -> tuple[Floats, Floats]:
    """The bank's and the subsidiary's part of an entry together as wished, money, and the subsidiary's share of it."""
    both = deals.wished + deals["subsidiary_amount"]
    share = np.divide(deals["subsidiary_amount"], both, out=np.zeros(len(deals)), where=both > 0)
    return both, np.asarray(share)


def _parts(declared: GroupLinkage, terms: LinkageTerms, deals: Deals, system: System) -> tuple[Floats, Floats, Floats]:
    """Loans of the bank, investments of the subsidiary, and the part of these that it borrows from its parent; by entry."""
    size, part = granted(declared, terms, deals, system), _both(deals)[1]
    loans, placed = (1.0 - part) * size, part * size
    own = placed * cut(deals["subsidiary"], placed, system.safe_assets[deals["subsidiary"]])
    return loans, placed, placed - own


def apply(declared: GroupLinkage, terms: LinkageTerms, deals: Deals, system: System) -> System:
    """The system with loans, investments, the group's own funding and the parents' support. Equity of nobody changes on the first day."""
    loans, placed, borrowed = _parts(declared, terms, deals, system)
    bank, sub, n = deals["bank"], deals["subsidiary"], len(system)
    shares = deals["form"] == "equity"
    books = Books(system)
    books.hold(bank, deals.pool, loans)
    books.hold(sub[shares], shares_of(system, deals.pool[shares]), placed[shares])
    books.hold(sub[~shares], deals.pool[~shares], placed[~shares])
    books.safe -= by_institution(sub, placed - borrowed, n)
    books.lend(FUNDING_LAYER, bank, sub, borrowed)
    books.owed += by_institution(bank, loans + borrowed, n)
    if terms.support > 0.0:
        books.guarantees += _support(terms, deals, placed, system)
    return books.written()


def _support(terms: LinkageTerms, deals: Deals, placed: Floats, system: System) -> list[Guarantee]:
    """The parents' promises, each up to its stated amount times the part of the subsidiary's business that there still is."""
    found = []
    for j in np.unique(deals["subsidiary"][placed > 0.0]):
        mine = deals["subsidiary"] == j
        parent = int(deals["bank"][mine][0])
        both = _both(deals)[0][mine]
        left = min(1.0, float(both @ deals.left[mine] / both.sum()))
        amount = float(terms.support * system.tier1_capital[parent] * left)
        found.append(Guarantee(parent, int(j), "shortfall", limit=amount))
    return found


def value(declared: GroupLinkage, terms: LinkageTerms, deals: Deals, system: System) -> tuple[Line, ...]:
    """The year that is expected, before any failure."""
    loans, placed, _ = _parts(declared, terms, deals, system)
    pools = [system.asset_classes[k] for k in deals.pool]
    margin, loss = np.array([p.net_margin for p in pools]), np.array([pool_loss(p) for p in pools])
    shares = deals["form"] == "equity"
    return (
        Line("banks", "margin on loans", float(margin @ loans)),
        Line("banks", "expected loss on loans", -float(loss @ loans), loss=True),
        Line(
            "subsidiaries", "expected return on equity", float(declared.equity.expected_return * placed[shares].sum())
        ),
        Line("subsidiaries", "margin on leases", float((margin * placed)[~shares].sum())),
        Line("subsidiaries", "expected loss on leases", -float((loss * placed)[~shares].sum()), loss=True),
    )


def facts(declared: GroupLinkage, terms: LinkageTerms, deals: Deals, system: System) -> Iterator[Fact]:
    """Investment in one firm over the subsidiary's own funds, and what is invested with debt."""
    _, placed, borrowed = _parts(declared, terms, deals, system)
    own = equity(system)
    debt = by_institution(deals["subsidiary"], borrowed, len(system))
    for i in np.unique(deals["subsidiary"][placed > 0.0]):
        who, kind, mine = system.ids[i], system.kinds[i], (deals["subsidiary"] == i) & (placed > 0.0)
        if "largest_firm" in deals.more:
            largest = over((placed * deals["largest_firm"])[mine].max(), own[i])
            yield Fact("investment-in-one-firm-over-own-funds", who, kind, largest)
        yield Fact("investment-funded-by-debt", who, kind, float(debt[i]))
