"""The equity of the firms behind a pool of borrowers, as an asset class of its own that moves with the pool's factor."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from poundlock.measures.books import class_numbers, opened_with
from poundlock.measures.deals import Whole
from poundlock.measures.measure import Share
from poundlock.reading import Declared
from poundlock.system.balance import AssetClass, Equity, System


class FirmEquity(Declared):
    """How the equity of the firms moves."""

    volatility: Annotated[float, Field(gt=0.0, le=5.0)]
    """Yearly standard deviation of the log of its value."""
    expected_return: Annotated[float, Field(gt=-1.0, le=5.0)] = 0.0
    """Mean gain of a year, as a fraction."""
    correlation: Share = 0.5
    """Share of the variance that moves with the factor of the firms' region and sector, as defaults of the pool do."""


def equity_id(pool: str) -> str:
    """Name of the asset class."""
    return f"{pool} equity"


def opened_shares(system: System, pools: Whole, of: FirmEquity) -> System:
    """The system with the equity of the firms behind these pools as asset classes that nobody holds yet."""
    classes = [system.asset_classes[k] for k in np.unique(pools[pools >= 0])]
    law = Equity(of.volatility, of.expected_return)
    return opened_with(
        system,
        [AssetClass(equity_id(c.id), c.region, c.sector, 0.0, 0.0, of.correlation, 0.0, law=law) for c in classes],
    )


def shares_of(system: System, pools: Whole) -> Whole:
    """Number of the equity class of each pool."""
    number = class_numbers(system)
    return np.array([number[equity_id(system.asset_classes[k].id)] for k in pools], dtype=np.int64)
