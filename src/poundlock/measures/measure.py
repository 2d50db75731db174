"""What every measure declares, and the records of what it brings: lines of yearly value, figures that rules limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from poundlock.reading import Declared
from poundlock.rollout.plan import Id

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Terms(Declared):
    """One setting of a measure."""

    legal_basis: tuple[str, ...] = ()
    """Ids of the rules behind this setting, as listed in the package's rules."""

    DRAWN: ClassVar[tuple[str, ...]] = ()
    """Terms that change what is drawn, so that a search on common draws cannot turn them; today and before can differ in them."""


class Measure(Declared):
    """What all measures declare."""

    id: Id
    """Name for controls and results."""
    consents: str
    """CSV: institution, joined [, withdrawn]. Dates on which an institution joined of its own will, and left. Who is not in it, is not in
    the measure; after a withdrawal no new business is written, and the rest runs off at its average life."""
    regions: Literal["all", "stage"] = "all"
    """Where: everywhere, or in the regions of the stages that have begun only."""
    average_life_days: Annotated[float, Field(gt=0.0)] = 365.0
    """Average life of an entry, where its row gives none."""

    GRANTED: ClassVar[str] = "granted"
    """What the sizes of entries are, in words."""
    CREDIT: ClassVar[bool] = True
    """Whether they are credit to borrowers or money for firms."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a measure's year, before any scenario: who receives it (kind of party, in words), for what, how much, money; negative: pays. loss: whether
    it is an expected loss on what was granted."""

    party: str
    what: str
    amount: float
    loss: bool = False
