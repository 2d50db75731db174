"""What a run leaves behind: records only, read by the figures, the report, the screen and the JSON form."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

import numpy as np
from numpy.typing import NDArray

from poundlock.contagion import Importance
from poundlock.desk.bearing import Programme
from poundlock.desk.evaluation import OutcomeStudy, PilotStudy
from poundlock.desk.plan_file import PlanFile
from poundlock.desk.rules_kept import RulesCheck
from poundlock.payments.indicators import Indicators
from poundlock.reading import InputFile
from poundlock.risk import ControlSearch, Estimate, Outcome, Point, Sensitivity
from poundlock.risk.allocation import Allocation
from poundlock.risk.brake import Brake
from poundlock.risk.controls import Control
from poundlock.rollout.gate import Verdict
from poundlock.rollout.plan import ExpectedShortfall, Scope
from poundlock.rules import Rule
from poundlock.system import Ensemble, Reconstruction, System
from poundlock.system.balance import Floats


@dataclass(frozen=True)
class World:
    """One version of the system, simulated. id: 'today', 'before' or 'without'. estimates: by tolerance id; a tolerance on
    what measures add is absent from the world without them. by_shock: the same for the shock alone, before contagion.
    converged: every scenario of this world, and of the world without measures that it is held against. granted: joint loans on the books, money."""

    id: str
    label: str
    system: System = field(repr=False)
    outcome: Outcome = field(repr=False)
    estimates: dict[str, Estimate]
    by_shock: dict[str, Estimate]
    granted: float
    converged: bool


@dataclass(frozen=True)
class Search:
    """The search over one or more controls, and what it started from. today: their settings. curve: of one control, points over its
    whole range, from tight to loose. wished: credit if nothing were capped, money. taken: by control, the money that the setting found
    takes. confirmed: whether it holds with all scenarios simulated there; None where no setting was found. looked_at: scenarios simulated in all."""

    controls: tuple[Control, ...]
    today: tuple[float, ...]
    result: ControlSearch
    curve: tuple[Point, ...] = field(repr=False)
    wished: float
    taken: dict[str, float]
    confirmed: bool | None
    looked_at: int

    @property
    def control(self) -> Control:
        """The last, which the search loosens as far as it goes."""
        return self.controls[-1]

    @property
    def ids(self) -> tuple[str, ...]:
        """Of all controls."""
        return tuple(control.id for control in self.controls)


@dataclass(frozen=True)
class BrakeStudy:
    """How late a control may be decided on. value: what it is set to. result: search over the delay in days; `setting` is the longest at
    which every tolerance holds, `today` the plan's own. curve: points by delay, from none to a year. confirmed: as in Search."""

    brake: Brake
    control: Control
    value: float
    result: ControlSearch
    curve: tuple[Point, ...] = field(repr=False)
    confirmed: bool | None


@dataclass(frozen=True)
class NetworkStudy:
    """How far today's answer depends on the network. ensembles: by rebuilt layer. estimates: by network, of each tolerance; the first
    network is the one as read. point: where each tolerance stands over all networks."""

    ensembles: dict[str, Ensemble] = field(repr=False)
    estimates: tuple[tuple[Estimate, ...], ...] = field(repr=False)
    point: Point


@dataclass(frozen=True)
class TailStudy:
    """Who bears a limited tail of today's system under one valuation, and what would lower it. sensitivity: None where derivatives are
    not defined, then `missing` says why. by_control: how fast the tail grows as a control on a measure is loosened, per unit of its setting."""

    tolerance: ExpectedShortfall
    valuation: str
    allocation: Allocation
    sensitivity: Sensitivity | None
    missing: str
    by_control: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class NamedStudy:
    """The plan's named scenarios in today's system under one valuation; losses that somebody states, without a probability. labels (s,).
    scopes, equity (g,): all institutions first, then those of the tolerances; what they have at first, money. lost, by_shock (s, g):
    equity lost in all, and by the shock alone, money. failures, failures_by_shock (s, g): how many, the same two ways. converged, rounds,
    gap (s,): as in Propagation; where it did not converge, more may be lost."""

    valuation: str
    labels: tuple[str, ...]
    scopes: tuple[Scope, ...]
    equity: Floats = field(repr=False)
    lost: Floats = field(repr=False)
    by_shock: Floats = field(repr=False)
    failures: NDArray[np.int64] = field(repr=False)
    failures_by_shock: NDArray[np.int64] = field(repr=False)
    converged: NDArray[np.bool_] = field(repr=False)
    rounds: NDArray[np.int64] = field(repr=False)
    gap: Floats = field(repr=False)


@dataclass(frozen=True)
class Provenance:
    """Everything needed to do it again. inputs: every file with its digest; digest: over all of them."""

    version: str
    seed: int
    scenarios: int
    inputs: tuple[InputFile, ...]
    digest: str
    methods: tuple[tuple[str, str], ...]
    convergence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, repr=False)
class Assessment:
    """The answer to a plan's question. worlds: today first. lifted: today's world with one limit
    at a time as it was before. other_valuation: today's system valued the other way.
    importance: of today's system, by institution. named: in today's system, by the gates' valuation first; empty where the
    plan names no scenarios. programme: each measure alone and all together, None without measures. rules: who keeps and who breaches which
    rule on the day. own_rules: of the plan's own files. idle:
    measures of which there is nothing on that day. payments: the market beside it; pilot: what it did, for whom, elsewhere; None without
    one."""

    plan: PlanFile
    verdict: Verdict
    worlds: tuple[World, ...]
    lifted: tuple[World, ...]
    other_valuation: World
    importance: Importance = field(repr=False)
    searches: tuple[Search, ...]
    brakes: tuple[BrakeStudy, ...]
    tails: tuple[TailStudy, ...]
    named: tuple[NamedStudy, ...]
    programme: Programme | None
    rules: RulesCheck
    own_rules: tuple[Rule, ...] = field(repr=False)
    idle: tuple[str, ...]
    networks: NetworkStudy | None
    payments: Indicators | None
    pilot: PilotStudy | None
    rebuilt: dict[str, Reconstruction] = field(repr=False)
    provenance: Provenance

    def world(self, name: str) -> World | None:
        """The world of that id, or None when the plan has none."""
        return next((w for w in self.worlds if w.id == name), None)

    @property
    def studies(self) -> tuple[OutcomeStudy, ...]:
        """Of the pilot's outcomes."""
        return self.pilot.outcomes if self.pilot is not None else ()

    def explain(self) -> str:
        """The question, then every finding with its rule, inputs, numbers and what would change it."""
        return "\n".join([*self._heading(), self.verdict.explain()])

    def _heading(self) -> list[str]:
        return [self.plan.title, self.plan.question]

    def __repr__(self) -> str:
        return "\n".join([*self._heading(), repr(self.verdict)])

    def _repr_html_(self) -> str:
        title, question = (escape(words) for words in self._heading())
        return f"<h3>{title}</h3><p>{question}</p>{self.verdict._repr_html_()}"
