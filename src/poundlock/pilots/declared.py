"""What a plan declares of its pilot: the panel, what was tried where, by what it is judged, for whom, and where it may go next. Records only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from poundlock.pilots.incomes import NEEDS, Index
from poundlock.reading import Declared
from poundlock.rollout.plan import Id


class Outcome(Declared):
    """One outcome of the pilot: a column of the panel, per resident or not, in logs or not, over a window."""

    id: Id
    """Name for gates and results."""
    label: str
    """What it is, in words for the report."""
    column: str
    """Column that holds the outcome."""
    per: str | None = None
    """Column to divide by, such as the number of residents."""
    transform: Literal["log", "none"] = "log"
    since: int
    """First period used."""
    until: int
    """Last period used."""
    largest_pre_error: Annotated[float, Field(gt=0.0)]
    """Largest root mean squared gap before the start at which the comparison still counts, in units of the outcome
    (for logs, 0.05 is about 5 per cent)."""
    fewest_post_periods: Annotated[int, Field(ge=1)] = 3
    """With fewer periods after the start the window is short and the outcome cannot decide."""
    in_time_placebo: int | None = None
    """A pretended earlier start; an effect there speaks against the comparison."""
    harm: Literal["up", "down", "both"] = "both"
    """Which way a change would be harm, for looks in every period."""
    season: Annotated[int, Field(ge=2)] | None = None
    """Periods after which the seasons return, for looks in every period: 52 weeks, 12 months, 4 quarters."""
    looks: Annotated[int, Field(ge=1)] = 52
    """How many periods after the start are to be looked at; the bounds are narrowest after half of them."""
    note: str = ""
    """What a reader must know of this column."""


class PilotTable(Declared):
    """One table of the panel; tables are joined on unit and period."""

    file: str
    unit: str
    """Column with the unit's code."""
    period: str
    """Column with the period, a whole number."""
    name: str | None = None
    """Column with the unit's name."""


class Measured(Declared):
    """An index of inequality between regions, or of poverty."""

    index: Index
    """Which."""
    parameter: float | None = None
    """Aversion of 'atkinson', share of people of 'top-share' and 'bottom-share', line of 'poverty'."""
    depth: Annotated[float, Field(ge=0.0)] = 0.0
    """Of poverty: 0 counts heads, 1 the mean gap, 2 the squared one."""

    @model_validator(mode="after")
    def _complete(self) -> Measured:
        wrong = self.parameter is not None and (
            self.parameter <= 0.0 or (self.index.endswith("share") and self.parameter >= 1.0)
        )
        if self.index in NEEDS and wrong:
            raise ValueError(
                f"index '{self.index}' with parameter {self.parameter:g}; expected {NEEDS[self.index]}; cure correct it"
            )
        if self.index in NEEDS and self.parameter is None:
            raise ValueError(
                f"index '{self.index}' without a parameter; expected {NEEDS[self.index]}; cure add 'parameter:'"
            )
        return self


class Baseline(Declared):
    """A characteristic of regions from before the start: how typical is the site, and how like it are others?"""

    id: Id
    """Name."""
    label: str
    """What it is, in words for the report."""
    column: str
    """Column that holds it."""
    per: str | None = None
    """Column to divide by."""
    transform: Literal["log", "none"] = "log"
    at: int
    """Its period, before the start."""


class Elsewhere(Declared):
    """How far the effect of few sites may be carried to other regions."""

    differs_by: dict[Id, Annotated[float, Field(ge=0.0)]]
    """Outcome to how much its effect may differ, up or down, for each standard deviation that a region lies from the site; in units of the outcome. What few
    sites cannot tell; a judgement. Only these outcomes are carried."""
    farthest: Annotated[float, Field(gt=0.0)] = 2.0
    """Beyond so many standard deviations (root mean square over the baselines) nothing is carried: the region lies outside what the site can tell of."""
    why: Annotated[str, Field(min_length=10)]
    """Where these two come from."""


class NextStage(Declared):
    """Where the measure may go next: who consents, what it would take, how strong places are."""

    consented: Annotated[tuple[str, ...], Field(min_length=1)]
    """Codes of regions that consent to a next stage."""
    strength: Id
    """Baseline by which regions are weak or strong, such as income a head; a second stage must hold a weak one."""
    risk_by: str | None = None
    """Column by whose size a region adds risk, against the pilot's region; with it, what the measures add today is scaled to each candidate."""
    tolerance: Id | None = None
    """Tolerance (on what measures add) whose room the next stage may use."""
    outcome: Id
    """Outcome whose effect is to be learnt."""
    effects_differ_by: Annotated[float, Field(gt=0.0)]
    """Standard deviation of the effect among regions, in units of the outcome; a judgement until several regions have been tried."""
    regions: Annotated[int, Field(ge=1)] = 3
    """How many the next stage may hold."""
    second: bool = True
    """Whether one of them must be weak on purpose, as where a single stage has run so far."""
    choose_by: Literal["learning", "k-median"] = "learning"
    """By what regions would teach of the rest, or as the sites nearest to all."""
    waves: Annotated[int, Field(ge=1)] = 3
    """Waves over which all that consent could start."""
    exceed: Annotated[float, Field(gt=0.0, lt=0.5)] = 0.05
    """Chance that the room for risk is exceeded, at most."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of the order among equals."""


class Pilot(Declared):
    """What was tried where, since when, and by which outcomes it is judged."""

    tables: Annotated[tuple[PilotTable, ...], Field(min_length=1)]
    """The panel: regions by periods, in one or more tables."""
    treated: Annotated[tuple[str, ...], Field(min_length=1)]
    """Codes of the regions under treatment. One is held against a synthetic control, several by difference in differences."""
    start: int
    """First period under treatment."""
    starts: dict[str, int] = Field(default_factory=dict)
    """First period of regions that started in another: code to period."""
    outcomes: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    """What the pilot is judged by, agreed beforehand."""
    population: str | None = None
    """Column of residents, for inequality between regions."""
    income: str | None = None
    """Column of income a head, for inequality between regions."""
    weights: Literal["alike", "population"] = "alike"
    """Whether several treated regions count alike, or by residents in the last period before the first start."""
    not_donors: tuple[str, ...] = ()
    """Regions that must not serve as comparison, with the reason in a comment."""
    neighbours: tuple[str, ...] = ()
    """Regions near enough to be touched by the pilot; not compared with, and what they would change is shown."""
    anticipation: Annotated[int, Field(ge=0)] = 0
    """Periods before the start in which regions may already have reacted; not used for the comparison."""
    level: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.9
    """Confidence level of effect intervals; with few regions only some levels can be reached."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Of placebo draws, and of ties in ranks."""
    indices: tuple[Measured, ...] = (Measured(index="gini"), Measured(index="theil"))
    """Who gained: indices between regions, by residents."""
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Groups of regions, such as coast and inland, between and within which inequality is split: name to codes."""
    baselines: tuple[Baseline, ...] = ()
    """How typical the site was before the start; shown before any effect."""
    elsewhere: Elsewhere | None = None
    """How far the effect may be carried."""
    tiles: str | None = None
    """Table with a tile for each region, to draw a map: region, name, column, row."""
    next: NextStage | None = None
    """Where next."""
    caveat: str = ""
    """What the effect is an effect of; shown beside every figure."""

    def first(self, code: str) -> float:
        """First period of a region under treatment; infinite for never."""
        return float(self.starts.get(code, self.start)) if code in self.treated else float("inf")
