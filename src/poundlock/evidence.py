"""Evidence: one measured number with everything needed to judge it. The narrow waist between measuring and judging."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a number cannot decide by itself, and what would lift the doubt. Both without a final full stop."""

    reason: str
    cure: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that was observed or estimated.

    metric: what was measured, by the id that the plan gives it.
    value: the estimate; None when there is none (then `missing` says why).
    low, high: interval at confidence `level`; None for exact descriptive figures.
    unit: unit of value, low and high (shares are fractions, not per cent).
    as_of: ISO 8601 date or period that the number speaks of.
    method: name of the method and its source.
    inputs: digest over every input file that the number depends on.
    seed, draws: of the simulation, or None.
    converged: False when any iteration behind the number stopped at its bound.
    doubts: why the number cannot decide anything by itself; any doubt makes a finding inconclusive.
    missing: why there is no number. error: what went wrong while computing it.
    """

    metric: str
    value: float | None
    unit: str
    as_of: str
    method: str
    inputs: str
    low: float | None = None
    high: float | None = None
    level: float | None = None
    seed: int | None = None
    draws: int | None = None
    converged: bool = True
    doubts: tuple[Doubt, ...] = ()
    missing: str = ""
    error: str = ""

    def __post_init__(self) -> None:
        if self.value is None and not (self.missing or self.error):
            raise ValueError(f"evidence '{self.metric}' has no value and does not say why")
        numbers = [x for x in (self.value, self.low, self.high) if x is not None]
        if not all(math.isfinite(x) for x in numbers):
            raise ValueError(f"evidence '{self.metric}' is not finite: {numbers}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"evidence '{self.metric}': interval upside down, {self.low} > {self.high}")
