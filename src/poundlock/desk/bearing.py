"""What is known of each measure of a programme: records only."""

from __future__ import annotations

from dataclasses import dataclass, field

from poundlock.measures import Line, Upside
from poundlock.risk import Estimate
from poundlock.rollout.plan import Scope
from poundlock.system.balance import Floats


@dataclass(frozen=True)
class Insurance:
    """What insurance of a measure costs. sum_insured, premium: money a year. fair: of the premium, as a fraction of the sum insured, with its interval.
    fair_exact: the same in closed form. loss_ratio: mean of claims over premiums; low, high: 5 and 95 % of years; beyond: chance that
    claims are more than premiums."""

    sum_insured: float
    premium: float
    fair: Estimate
    fair_exact: float
    loss_ratio: Estimate
    low: float
    high: float
    beyond: float


@dataclass(frozen=True)
class MeasureStudy:
    """One measure. granted, wished: money, with and without its caps. consented: part of what is wished that consents and the stage leave.
    lines: the year that is expected before any failure. parties: who bears it, see `risk.bearers`. own_tail: what those who lose by it
    lose in the 1 % of years in which that is most, money, gains of others not taken off. expected, tail: (p,) mean loss of each party by the measure
    alone, over all scenarios and over those years, money, negative for a gain. alone, added: what it adds to the
    shortfall of those in the programme's scope without any other measure, and beside all others, shares of their equity."""

    id: str
    what: str
    credit: bool
    granted: float
    wished: float
    consented: float
    lines: tuple[Line, ...]
    parties: tuple[str, ...]
    expected: Floats = field(repr=False)
    tail: Floats = field(repr=False)
    own_tail: Estimate
    alone: Estimate
    added: Estimate
    insurance: Insurance | None
    upsides: tuple[tuple[str, Upside], ...]

    @property
    def expected_loss(self) -> float:
        """Of a mean year, before margins, covers and failures, money: on loans, leases and insured equipment."""
        return -sum(line.amount for line in self.lines if line.loss)


@dataclass(frozen=True)
class Programme:
    """All measures of a plan. together: what they add to the shortfall. interaction: that less the sum of each alone, a share. scope, level:
    whose shortfall, and beyond what. equity: theirs, money. draws: scenarios. gap: largest difference between what is lost and what the parties
    bear in any scenario, over the equity of all."""

    studies: tuple[MeasureStudy, ...]
    together: Estimate
    interaction: float
    scope: Scope
    level: float
    equity: float
    draws: int
    gap: float
