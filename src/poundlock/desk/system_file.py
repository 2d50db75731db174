"""A file that holds a financial system alone, for `contagion`: the section `system` of a plan, and how losses spread in it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, model_validator

from poundlock.contagion import FireSales, Funding
from poundlock.reading import Declared, schema_of, schema_text
from poundlock.system import SystemFiles
from poundlock.system.balance import Valuation

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Sales(Declared):
    """Sales of pools that have a market depth."""

    rule: Literal["threshold", "target", "calls"] = "threshold"
    """Sell above a leverage limit; back to the first leverage; or for funding calls only."""
    limit: Annotated[float, Field(gt=1.0)] | None = None
    """Leverage above which an institution sells, the same for all; left out: each institution's own."""
    buffer: Annotated[float, Field(ge=1.0)] | None = None
    """Leverage to which it then returns."""
    failed_sell: bool = True
    """Institutions with equity below zero sell all they have."""
    realised: Share = 0.5
    """Share of the fall in price during a round that the units sold in it bear."""
    max_rounds: Annotated[int, Field(ge=1)] = 1000
    """Bound on rounds."""

    @model_validator(mode="after")
    def _in_order(self) -> Sales:
        if self.buffer is not None and self.limit is not None and self.buffer > self.limit:
            raise ValueError(
                f"buffer {self.buffer:g} above limit {self.limit:g}; expected a buffer of at most the limit; cure exchange the two"
            )
        return self


class Withdrawals(Declared):
    """Withdrawal of short-term funding by and from institutions under stress."""

    withdrawn: Share = 1.0
    """Share of its short-term lending that a lender under stress does not roll over."""
    run: Share = 0.0
    """Share of runnable balances that customers withdraw from an institution under stress."""
    stress_below: Share = 0.0
    """Equity over its first value below which an institution is under stress."""
    margin: Share = 0.0
    """Share of the loss on pools that lenders call in cash."""
    horizon_days: Annotated[float, Field(ge=0.0)] = 30.0
    """Longest maturity of short-term lending."""


class Behaviour(Declared):
    """How institutions behave under stress."""

    stops_when_failed_days: Annotated[float, Field(ge=0.0)] = 0.0
    """For how long a failed provider of services stops."""
    sales: Sales | None = None
    """Fire sales; left out: nobody sells."""
    funding: Withdrawals | None = None
    """Funding withdrawals; left out: nobody withdraws."""

    def mechanism(self) -> dict[str, Any]:
        """As arguments of `contagion.prepare`."""
        plain = {name: getattr(self, name) for name in type(self).model_fields if name not in ("sales", "funding")}
        sales = FireSales(**self.sales.model_dump()) if self.sales else None
        funding = Funding(**self.funding.model_dump()) if self.funding else None
        return {**plain, "sales": sales, "funding": funding}


class Spread(Behaviour):
    """How losses spread: the valuation of claims, and how institutions behave."""

    valuation: Valuation = "clearing"
    """How claims on weakened institutions are valued, where their layer does not say."""
    recovery: Share = 0.0
    """Share of a claim that a failed debtor leaves, where the exposure does not say; clearing finds its own."""
    alpha: Share = 1.0
    """What a defaulter realises of its external assets; for default-costs."""
    beta: Share = 1.0
    """What it realises of what it recovers from others; for default-costs."""
    exponent: Annotated[float, Field(ge=0.0)] = 0.0
    """Of exponential DebtRank: 0 is linear; large values wait for default."""
    horizon_days: Annotated[float, Field(ge=0.0)] = 365.0
    """Time to maturity, for merton."""


class SystemFile(Declared):
    """A financial system, and how losses spread in it."""

    format: Literal[1]
    """Version of this file format."""
    title: Annotated[str, Field(min_length=1, max_length=120)]
    """Heading of what is printed."""
    system: SystemFiles
    """The tables that hold the system, as in a plan."""
    contagion: Spread = Spread()
    """How losses spread; left out: clearing alone."""


class PlanAsSystem(SystemFile):
    """A plan, of which only the system is read, and the recovery of its scenarios."""

    model_config = ConfigDict(extra="ignore")

    scenarios: dict[str, Any] = Field(default_factory=dict)


def system_schema_text() -> str:
    """JSON Schema of system files, as it is kept in the repository."""
    return schema_text(schema_of(SystemFile, "Poundlock system"))
