"""What a plan declares of its stages, tolerances and gates. Records only."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from poundlock.reading import Declared

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]


class Scope(Declared):
    """Which institutions count; leave a key out to mean all."""

    kinds: tuple[str, ...] = ()
    """Kinds of institution, as in the institutions table."""
    regions: tuple[str, ...] = ()
    """Regions of institutions, as in the institutions table."""


class _Limit(Declared):
    id: Id
    """Name for gates and results; small letters, digits and hyphens."""
    label: str
    """What the figure is, in words for the report."""
    scope: Scope = Scope()
    """Which institutions count; all without it."""
    added_by_measures: bool = False
    """Count only what the measures add, on the same draws with and without them."""
    at_most: Annotated[float, Field(ge=0.0, le=1.0)]
    """The limit, as a fraction. It holds when the upper end of the 95 % interval is below it."""
    hard: bool = False
    """A hard limit that is broken is a breach; a soft one is a fail."""
    why: str = ""
    """Where the limit comes from."""


class ExpectedShortfall(_Limit):
    """Mean equity loss of the institutions in scope, as a share of their equity, in the worst scenarios."""

    statistic: Literal["expected-shortfall"]
    level: Annotated[float, Field(gt=0.0, lt=1.0)]
    """0.99 means the worst one per cent of scenarios."""


class EventProbability(_Limit):
    """Chance within a year that at least so many institutions in scope fail (equity below zero)."""

    statistic: Literal["failure-probability"]
    failures_at_least: Annotated[int, Field(ge=1)] = 1
    """So many failures in one year make the event."""


class LossProbability(_Limit):
    """Chance within a year that the institutions in scope together lose at least such a share of their equity."""

    statistic: Literal["loss-probability"]
    loss_at_least: Annotated[float, Field(gt=0.0, le=1.0)]
    """So large a share of their equity makes the event."""


Tolerance = Annotated[ExpectedShortfall | EventProbability | LossProbability, Field(discriminator="statistic")]


class Stage(Declared):
    """One step of the roll-out: where, from when, for how long at least and at most."""

    id: Id
    """Name of the stage."""
    regions: tuple[str, ...] = Field(min_length=1)
    """Codes as in the system's tables."""
    starts: dt.date
    """First day, or the day planned for it."""
    ends: dt.date
    """No stage runs for ever: on this day it is over unless it was extended."""
    shortest_stay_days: Annotated[int, Field(ge=0)] = 0
    status: Literal["running", "planned"] = "planned"

    @model_validator(mode="after")
    def _in_order(self) -> Stage:
        if self.ends <= self.starts:
            raise ValueError(
                f"ends {self.ends}, starts {self.starts}; expected an end after the start; cure correct one of the dates"
            )
        return self


class _Gate(Declared):
    id: Id
    """Name of the gate."""
    asks: str
    """The question in one plain sentence."""


class ToleranceGate(_Gate):
    """Does a tolerance hold under the measures as they stand?"""

    kind: Literal["tolerance"]
    tolerance: Id
    """Id of the tolerance."""


class ControlGate(_Gate):
    """Is there a setting of permitted controls at which every tolerance holds?"""

    kind: Literal["controllable"]
    control: Id
    """Id of the control."""
    together: Annotated[tuple[Id, ...], Field(max_length=3)] = ()
    """Ids of up to three more controls that may be turned at the same time; then the cheapest setting of all is sought."""

    @property
    def turned(self) -> tuple[str, ...]:
        """All controls that may be turned."""
        return (*self.together, self.control)


class BrakeGate(_Gate):
    """Does a control, decided on as late as the plan says, still hold every tolerance?"""

    kind: Literal["brake"]
    brake: Id
    """Id of the brake."""


class EffectGate(_Gate):
    """Did an outcome of the pilot move as it should?"""

    kind: Literal["effect"]
    outcome: Id
    """Id of the pilot's outcome."""
    above: float | None = None
    """Pass when the whole interval is above this; fail when it is wholly at or below."""
    below: float | None = None
    """The same for an outcome that should fall."""

    @model_validator(mode="after")
    def _one_side(self) -> EffectGate:
        if (self.above is None) == (self.below is None):
            raise ValueError(
                "neither or both of 'above' and 'below'; expected exactly one; cure keep the side that the pilot promised"
            )
        return self


class InequalityGate(_Gate):
    """Did inequality between regions rise from one year to the other?"""

    kind: Literal["inequality"]
    index: Literal["gini", "theil"]
    from_year: int
    """Year to compare with."""
    to_year: int
    """Later year."""
    change_at_most: float = 0.0
    """Largest tolerated change of the index."""

    @model_validator(mode="after")
    def _in_order(self) -> InequalityGate:
        if self.to_year <= self.from_year:
            raise ValueError(
                f"to_year {self.to_year}, from_year {self.from_year}; expected a later to_year; cure correct one of the years"
            )
        return self


class AlarmGate(_Gate):
    """Was nothing harmful seen, however often one looked since the start?"""

    kind: Literal["alarm"]
    outcome: Id
    """Id of the pilot's outcome; which way is harm, it says itself."""
    alpha: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """Chance of a false alarm over all looks together, at most."""


class RulesGate(_Gate):
    """Does today's setting keep every rule that binds on the day of the plan?"""

    kind: Literal["rules"]


class PaymentsGate(_Gate):
    """Does an indicator of the payment market stay within a limit? Records in doubt make it inconclusive, whatever the figure."""

    kind: Literal["payments"]
    indicator: str
    """Name of the indicator, e.g. largest-share, reserve-cover, unwinding-shortfall; `poundlock payments indicators` lists them."""
    of: str | None = None
    """The platform, institution or region that is meant, for an indicator of one; left out: the worst of all."""
    at_most: float | None = None
    """Pass when the figure is at most this; shares are fractions."""
    at_least: float | None = None
    """The same for a figure that should be high."""
    hard: bool = False
    """A hard limit that is broken is a breach; a soft one is a fail."""

    @model_validator(mode="after")
    def _one_side(self) -> PaymentsGate:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(
                "neither or both of 'at_most' and 'at_least'; expected exactly one; cure keep the side that harms"
            )
        return self


Gate = Annotated[
    ToleranceGate | ControlGate | BrakeGate | EffectGate | InequalityGate | AlarmGate | RulesGate | PaymentsGate,
    Field(discriminator="kind"),
]
