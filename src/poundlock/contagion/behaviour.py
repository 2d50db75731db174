"""How institutions behave under stress: when they sell, and who withdraws funding. Declared by the caller, not measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class FireSales:
    """Sales of marketable assets (asset classes with a depth).

    rule: 'threshold', sell only above the leverage limit, and just enough to return to the buffer (Cont and Schaanning 2017,
    Norges Bank Working Paper 2/2017, sec. 2); 'target', sell whenever leverage is above its first value, back to it
    (Greenwood, Landier and Thesmar 2015, Journal of Financial Economics 115(3), sec. 2); 'calls', sell for funding calls only.
    Direct losses fall on other external assets and leave holdings at the first price.
    limit, buffer: total assets over equity, the same for all; None: each institution's own in the System.
    failed_sell: institutions with equity below zero sell all they have. realised: share of the fall in price during a round
    that the units sold in it bear: 0 sold at the old price, 1 at the new one, 1/2 in between (Cont and Schaanning).
    tolerance: rounds end when no price falls by more, as a share of the first price. max_rounds: bound on rounds; with 1 the
    sales follow from the first losses only, as in Greenwood, Landier and Thesmar, and the result is marked as not converged.
    """

    rule: Literal["threshold", "target", "calls"] = "threshold"
    limit: float | None = None
    buffer: float | None = None
    failed_sell: bool = True
    realised: float = 0.5
    tolerance: float = 1e-9
    max_rounds: int = 1_000

    def __post_init__(self) -> None:
        if not 0.0 <= self.realised <= 1.0:
            raise ValueError(f"realised is {self.realised:g}; expected a share within [0, 1]")
        if self.limit is not None and not self.limit > 1.0:
            raise ValueError(f"leverage limit is {self.limit:g}; expected total assets over equity, above 1")
        if self.buffer is not None and not 1.0 <= self.buffer <= (self.limit or float("inf")):
            raise ValueError(f"leverage buffer is {self.buffer:g}; expected at least 1 and at most the limit")
        if self.max_rounds < 1 or not self.tolerance > 0.0:
            raise ValueError("fire sales need a tolerance above 0 and at least one round")


@dataclass(frozen=True)
class Funding:
    """Withdrawal of short-term funding. An institution is under stress from the moment when its equity falls below
    stress_below times its first value, or when it cannot meet a call.

    withdrawn: share of its short-term lending (maturity_days of the exposures at most horizon_days) that a lender under
    stress does not roll over (Gai, Haldane and Kapadia 2011, Journal of Monetary Economics 58(5), sec. 2). run: share of
    runnable balances that customers withdraw from an institution under stress. margin: share of the loss on marketable assets
    that lenders call in cash. Calls are met from safe assets first, then from sales, not from what the institution calls in
    turn; what is withdrawn is paid out when claims
    are settled, so that nobody gets out ahead of the others.
    """

    withdrawn: float = 1.0
    run: float = 0.0
    stress_below: float = 0.0
    margin: float = 0.0
    horizon_days: float = 30.0

    def __post_init__(self) -> None:
        for name in ("withdrawn", "run", "stress_below", "margin"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name} is {getattr(self, name):g}; expected a share within [0, 1]")
        if not self.horizon_days >= 0.0:
            raise ValueError(f"horizon_days is {self.horizon_days:g}; expected 0 or more")
