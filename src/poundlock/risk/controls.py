"""What a plan may turn to hold the risk: a control, its range, its legal basis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from poundlock.reading import Declared
from poundlock.rollout.plan import Id


class PartnerCap(Declared):
    """Cap on a bank's joint-lending balance with one platform, as a fraction of its Tier 1 capital."""

    kind: Literal["partner-cap"]
    id: Id
    """Name for gates and results."""
    measure: Id
    """The joint-lending measure that it caps."""
    tightest: Annotated[float, Field(ge=0.0, le=1000.0)]
    """The tightest setting that may be made, a fraction of Tier 1 capital."""
    loosest: Annotated[float, Field(gt=0.0, le=1000.0)]
    """The loosest one."""
    resolution: Annotated[float, Field(ge=1e-6)] = 0.01
    """The search stops when the cap is known this closely."""
    others: Literal["today", "before"] = "today"
    """Setting of all other limits while this one is searched: today's, or the earlier ones (then the cap works alone)."""
    legal_basis: Annotated[str, Field(min_length=1)]
    """Id of the rule that permits this control."""

    @model_validator(mode="after")
    def _in_order(self) -> PartnerCap:
        if self.tightest >= self.loosest:
            raise ValueError(
                f"range upside down, tightest {self.tightest:g} and loosest {self.loosest:g}; expected tightest below loosest; cure exchange the two"
            )
        return self


Control = PartnerCap
