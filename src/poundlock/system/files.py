"""The financial system as a file declares it: which tables hold it, what their columns are, how its layers behave."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal

from pydantic import Field

from poundlock.reading import Column, Declared
from poundlock.system.balance import Valuation
from poundlock.system.contingent import COVERS


class LayerRule(Declared):
    """How one layer of the exposures behaves. Layers that are not listed are debts of rank 1."""

    layer: Annotated[str, Field(min_length=1)]
    """Its name in the tables."""
    kind: Literal["debt", "stake"] = "debt"
    """A debt that the debtor owes, or a stake in its equity at book value."""
    rank: Annotated[int, Field(ge=1, le=20)] = 1
    """Seniority of the debts: 1 is paid first; ranks have no gaps."""
    valuation: Valuation | None = None
    """How claims of this layer on a weakened debtor are valued; left out: as all others."""


class SystemFiles(Declared):
    """The financial system: which tables hold it, in which unit, and how real it is."""

    origin: Literal["reported", "reconstructed", "synthetic"]
    """How real the figures are; shown on every page of the report."""
    note: str
    """One or two sentences on where the figures come from and what is assumed; shown on every page of the report."""
    as_of: dt.date
    """Date of the balance sheets."""
    unit: str
    """Money unit of every amount in these tables, e.g. 'mn CNY'."""
    institutions: str
    """CSV: id, name, kind, region, external_assets, external_liabilities, equity [, tier1_capital, loans,
    safe_assets, runnable, leverage_limit, leverage_buffer, volatility, risk_weighted_assets, origin]. Safe assets are the part of external assets
    that no shock touches and that meets calls, such as cash; runnable is the part of external liabilities that customers can
    withdraw at once."""
    exposures: str | None = None
    """CSV: layer, creditor, debtor, amount [, maturity_days, recovery]. For a layer that also has totals these are known
    cells, kept exactly."""
    totals: str | None = None
    """CSV: layer, institution, lends, owes. Layers given by totals are rebuilt by maximum entropy."""
    blocks: str | None = None
    """CSV: layer, creditor, debtor_region, amount. What a creditor lends to all debtors of a region together."""
    pools: str | None = None
    """CSV: id, region, sector, default_probability, loss_given_default, correlation [, net_margin, market_depth,
    price_impact, price_floor]. A pool with a market depth can be sold."""
    holdings: str | None = None
    """CSV: institution, pool, amount. Part of the institution's external assets."""
    guarantees: str | None = None
    """CSV: guarantor, beneficiary, covers [, debtor, share, deductible, limit, rank]. Covers: claims (on the debtor),
    own-loss, or shortfall (group support, in the order of the rows)."""
    dependences: str | None = None
    """CSV: dependent, provider, daily_margin [, daily_flow]. What a day without the provider costs, and the payments to the
    dependent that pass through it in a day."""
    layers: tuple[LayerRule, ...] = ()
    """Layers that are not plain debts of rank 1."""
    external_rank: Annotated[int, Field(ge=1, le=20)] = 1
    """Seniority of external liabilities."""
    balance_tolerance: Annotated[float, Field(ge=0.0, le=0.1)] = 1e-6
    """How far reported and implied equity may differ, as a share of total assets."""


_ID = Column("id")
COLUMNS: Final[dict[str, tuple[Column, ...]]] = {
    "institutions": (
        _ID,
        Column("name"),
        Column("kind"),
        Column("region"),
        Column("external_assets", "number", minimum=0),
        Column("external_liabilities", "number", minimum=0),
        Column("equity", "number"),
        Column("tier1_capital", "number", optional=True, blank=True, minimum=0),
        Column("loans", "number", optional=True, blank=True, minimum=0),
        Column("safe_assets", "number", optional=True, minimum=0),
        Column("runnable", "number", optional=True, minimum=0),
        Column("leverage_limit", "number", optional=True, blank=True, minimum=1),
        Column("leverage_buffer", "number", optional=True, blank=True, minimum=1),
        Column("volatility", "number", optional=True, minimum=0, maximum=5),
        Column("risk_weighted_assets", "number", optional=True, blank=True, minimum=0),
        Column("origin", optional=True, blank=True),
    ),
    "exposures": (
        Column("layer"),
        Column("creditor"),
        Column("debtor"),
        Column("amount", "number", minimum=0),
        Column("maturity_days", "number", optional=True, blank=True, minimum=0),
        Column("recovery", "number", optional=True, blank=True, minimum=0, maximum=1),
    ),
    "totals": (
        Column("layer"),
        Column("institution"),
        Column("lends", "number", minimum=0),
        Column("owes", "number", minimum=0),
    ),
    "blocks": (Column("layer"), Column("creditor"), Column("debtor_region"), Column("amount", "number", minimum=0)),
    "pools": (
        _ID,
        Column("region"),
        Column("sector"),
        Column("default_probability", "number", minimum=0, maximum=1),
        Column("loss_given_default", "number", minimum=0, maximum=1),
        Column("correlation", "number", minimum=0, maximum=0.999),
        Column("net_margin", "number", optional=True, minimum=0, maximum=1),
        Column("market_depth", "number", optional=True, blank=True, minimum=1e-12),
        Column("price_impact", optional=True, blank=True, choices=("linear", "exponential")),
        Column("price_floor", "number", optional=True, blank=True, minimum=0, maximum=0.999),
    ),
    "holdings": (Column("institution"), Column("pool"), Column("amount", "number", minimum=0)),
    "guarantees": (
        Column("guarantor"),
        Column("beneficiary"),
        Column("covers", choices=COVERS),
        Column("debtor", optional=True, blank=True),
        Column("share", "number", optional=True, blank=True, minimum=0, maximum=1),
        Column("deductible", "number", optional=True, blank=True, minimum=0),
        Column("limit", "number", optional=True, blank=True, minimum=0),
        Column("rank", "number", optional=True, blank=True, minimum=1, maximum=20),
    ),
    "dependences": (
        Column("dependent"),
        Column("provider"),
        Column("daily_margin", "number", minimum=0),
        Column("daily_flow", "number", optional=True, blank=True, minimum=0),
    ),
}
KEYS: Final[dict[str, tuple[str, ...]]] = {
    "exposures": ("layer", "creditor", "debtor"),
    "totals": ("layer", "institution"),
    "blocks": ("layer", "creditor", "debtor_region"),
    "holdings": ("institution", "pool"),
    "dependences": ("dependent", "provider"),
}
"""Columns that name a row; no two rows of a table have the same."""
