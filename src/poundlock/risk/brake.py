"""Brake distance: how much is lost between a shock and the moment when a control decided at its detection has taken effect.

The shock comes at day 0. It is detected after d days, decided on after k more; until then new business replaces what runs off, from
then on existing loans run off, each at a rate of one over its average life, towards what the control still allows. The losses of
the year fall evenly on its days, each on the balance of that day, so that the year's loss is that of the mean balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from poundlock.measures import SMALL, Deals, apply, granted, unlimited
from poundlock.reading import Declared
from poundlock.risk.controls import limited
from poundlock.rollout.plan import Id
from poundlock.system.balance import System

YEAR = 365.0


class Brake(Declared):
    """A control that is put on after a shock, and how long that takes."""

    id: Id
    """Name for gates and results."""
    control: Id
    """The control, one that caps or suspends a measure."""
    to: Annotated[float, Field(ge=0.0)] | None = None
    """What it is set to; left out: its tightest."""
    detection_days: Annotated[float, Field(ge=0.0, le=365.0)]
    """Days until the shock is seen: the reporting lag."""
    decision_days: Annotated[float, Field(ge=0.0, le=365.0)] = 0.0
    """Days from then to the decision."""

    @property
    def delay(self) -> float:
        """Days from the shock to the decision, at most a year."""
        return min(self.detection_days + self.decision_days, YEAR)


def share_still_as_before(delay_days: float, life_days: ArrayLike) -> Any:
    """Part of the year's mean balance that is as if the control had never been set: all of it until the decision, then what has not
    run off of loans of this average life (one or many). Within [0, 1]; 1 for a delay of a year."""
    life = np.asarray(life_days, dtype=np.float64)
    return (delay_days + life * (1.0 - np.exp(-(YEAR - delay_days) / life))) / YEAR


def braked(
    base: System,
    measures: Sequence[Any],
    deals: Mapping[str, Deals],
    terms: Mapping[str, Any],
    control: Any,
    value: float,
    delay_days: float,
) -> tuple[System, float]:
    """The system with the mean balances of the year in which the control is set to value after so many days, and the credit by measures in it,
    money. terms: before the decision."""
    system, total = base, 0.0
    for measure in measures:
        now, wished = terms[measure.id], deals[measure.id]
        part = np.ones(len(wished))
        if measure.id == control.measure:
            then, asked = limited(now, wished, [(control, value)])
            size = granted(measure, now, wished, system)
            share = share_still_as_before(delay_days, wished.life)
            mean = share * size + (1.0 - share) * granted(measure, then, asked, system)
            now = unlimited(measure, now)
            whole = granted(measure, now, wished.scaled(SMALL), system) / SMALL  # no one's cash binds what is so small
            kept = np.divide(asked.left, wished.left, out=np.ones(len(wished)), where=wished.left > 0)
            part = np.divide(mean, whole, out=share + (1.0 - share) * kept, where=whole > 0)
        on_books = wished.scaled(part)
        total += float(granted(measure, now, on_books, system).sum()) if measure.CREDIT else 0.0
        system = apply(measure, now, on_books, system)
    return system, total
