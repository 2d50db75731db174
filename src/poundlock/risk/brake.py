"""Brake distance: how much is lost between a shock and the moment when a control decided at its detection has taken effect.

The shock comes at day 0. It is detected after d days, decided on after k more; until then new business replaces what runs off, from
then on existing loans run off, each at a rate of one over its average life, towards what the control still allows. The losses of
the year fall evenly on its days, each on the balance of that day, so that the year's loss is that of the mean balance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from poundlock.measures import JointLending, JointLoans, Limits, apply, granted, lives
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
    measures: Sequence[JointLending],
    loans: Mapping[str, JointLoans],
    limits: Mapping[str, Limits],
    control: Any,
    value: float,
    delay_days: float,
) -> tuple[System, float]:
    """The system with the mean balances of the year in which the control is set to value after so many days, and the joint loans in it,
    money. limits: before the decision."""
    system, total = base, 0.0
    for measure in measures:
        now, wished = limits[measure.id], loans[measure.id]
        size = granted(measure, now, wished, base)
        if measure.id == control.measure:
            then, asked = limited(now, wished, [(control, value)])
            share = share_still_as_before(delay_days, lives(measure, wished))
            size = share * size + (1.0 - share) * granted(measure, then, asked, base)
        on_books = replace(wished, amount=size)
        system = apply(measure, Limits(platform_share=now.platform_share), on_books, system)
        total += float(size.sum())
    return system, total
