"""What an evaluation of a pilot leaves behind: records only."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import NamedTuple

from poundlock.desk.plan_file import PlanFile
from poundlock.evidence import Evidence
from poundlock.pilots import Audit, Effect, Panel
from poundlock.pilots.by_diff_diff import TwoWay
from poundlock.pilots.engines import Agreement
from poundlock.pilots.honest import HonestBound
from poundlock.pilots.robustness import Robustness
from poundlock.pilots.sequential import Placebos, Watch
from poundlock.pilots.transport import Carried
from poundlock.reading import InputFile
from poundlock.rollout.gate import Verdict
from poundlock.rollout.next_stage import Proposal


class Step(NamedTuple):
    """Effect in one period (of one region), or by time since the start (of several), with its interval; infinite ends where nothing bounds it."""

    at: int
    effect: float
    low: float
    high: float


class Beside(NamedTuple):
    """Another answer to the same question: another estimator, or the same one on other terms. low, high: None where it has no interval. missing: why there is
    none."""

    what: str
    effect: float | None
    low: float | None
    high: float | None
    says: str = ""


@dataclass(frozen=True)
class Doubted:
    """How far the effect leans on what cannot be seen. magnitudes: intervals if the trend's violation after the start is at most so many times the largest before it.
    smooth: (bend, low, high), if it bends by that much at most a period. robustness: strength of an unseen cause that would explain the effect away.
    missing: why there are none."""

    magnitudes: tuple[HonestBound, ...] = ()
    smooth: tuple[tuple[float, float, float], ...] = ()
    robustness: Robustness | None = None
    mean: float | None = None
    error: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class OutcomeStudy:
    """One outcome of the pilot. effect: of one treated region; None where several are treated, or nothing could be estimated (then `evidence.missing` says why).
    units: names in the order of the estimate, treated: those under treatment. dropped: regions left out for missing values, by name. method: that leads. detectable: of one treated region, estimates
    below the first and above the second would have been told from none; of several, effects of this size would be found with 80 % chance. path: by period, at path_level. agreement: of the two engines. beside: other estimators; what_if: the leading one on other terms. watch: looks in every period, or
    why there are none. placebos: the same by comparison with other regions, where there are a hundred."""

    id: str
    evidence: Evidence
    effect: Effect | None = field(repr=False)
    periods: tuple[int, ...]
    start: int
    units: tuple[str, ...] = field(repr=False)
    dropped: tuple[str, ...]
    treated: tuple[str, ...] = ()
    method: str = ""
    pre_error: float | None = None
    detectable: tuple[float, float] | None = None
    path: tuple[Step, ...] = ()
    path_level: float = 0.9
    path_p: float | None = None
    agreement: tuple[Agreement, ...] = ()
    beside: tuple[Beside, ...] = ()
    what_if: tuple[Beside, ...] = ()
    doubted: Doubted = Doubted()
    two_way: TwoWay | None = None
    watch: Watch | None = field(default=None, repr=False)
    watch_missing: str = ""
    placebos: Placebos | None = field(default=None, repr=False)


class IndexEffect(NamedTuple):
    """What the pilot did to an index in one year: as it was, as it would have been without the effect on the treated regions, and the difference with its interval."""

    year: int
    actual: float
    without: float
    low: float
    high: float


@dataclass(frozen=True)
class IndexStudy:
    """An index between regions by year, with its sampling error as if regions were drawn, and the pilot's effect on it, None where that was not estimated."""

    id: str
    label: str
    years: tuple[int, ...]
    values: tuple[float, ...]
    errors: tuple[float, ...]
    effect: IndexEffect | None


class SplitYear(NamedTuple):
    """Theil index of one year within groups of regions and between them."""

    year: int
    whole: float
    within: float
    between: float


@dataclass(frozen=True)
class Whom:
    """For whom: indices over years in which all regions are known, and their split; regions: how many. income_outcome: id of the outcome whose effect moves them, empty
    without."""

    indices: tuple[IndexStudy, ...]
    splits: tuple[SplitYear, ...]
    regions: int
    income_outcome: str = ""

    def index(self, name: str) -> IndexStudy:
        """By its id."""
        return next(one for one in self.indices if one.id == name)


class CarriedTo(NamedTuple):
    """The effect on one outcome in another region; carried is None where the site says nothing of it, then `why` says why."""

    region: str
    name: str
    carried: Carried | None
    why: str


@dataclass(frozen=True)
class Places:
    """Elsewhere and next. audit: how typical the site was, or why that cannot be said. carried: by outcome, for every other region. proposal: of the next
    stage, None where none was asked for, then or where it cannot be had `no_proposal` says why."""

    audit: tuple[tuple[str, Audit], ...]
    audit_missing: str
    carried: dict[str, tuple[CarriedTo, ...]]
    carried_how: str
    proposal: Proposal | None
    no_proposal: str


@dataclass(frozen=True)
class PilotStudy:
    """Did it work, for whom, will it elsewhere, and where next. panel: what it was found in. seed: of placebo draws and ties."""

    panel: Panel = field(repr=False)
    seed: int
    outcomes: tuple[OutcomeStudy, ...]
    whom: Whom | None
    places: Places

    def outcome(self, name: str) -> OutcomeStudy:
        """By its id."""
        return next(one for one in self.outcomes if one.id == name)


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The answer to what a plan asks of its pilot alone. methods: how, in words. digest: over all inputs."""

    plan: PlanFile
    verdict: Verdict
    pilot: PilotStudy
    version: str
    inputs: tuple[InputFile, ...] = field(repr=False)
    digest: str = ""
    methods: tuple[tuple[str, str], ...] = ()

    def explain(self) -> str:
        """Every finding with its rule, inputs, numbers and what would change it."""
        return "\n".join([self.plan.title, self.verdict.explain()])

    def __repr__(self) -> str:
        return f"{self.plan.title}\n{self.verdict!r}"

    def _repr_html_(self) -> str:
        return f"<h3>{escape(self.plan.title)}</h3>{self.verdict._repr_html_()}"
