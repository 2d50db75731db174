"""The plan file: each room declares its own section; here they are put together."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from poundlock.desk.system_file import Behaviour
from poundlock.measures import AnyMeasure
from poundlock.payments.declared import Payments
from poundlock.pilots import Pilot
from poundlock.reading import Declared, schema_of, schema_text
from poundlock.risk.brake import Brake
from poundlock.risk.controls import Control
from poundlock.risk.scenarios import ScenarioModel
from poundlock.rollout.machine.terms import ProgrammeTerms
from poundlock.rollout.plan import Gate, Stage, Tolerance
from poundlock.system import SystemFiles

Reason = Annotated[str, Field(min_length=10)]


class LeftOut(Declared):
    """Questions that this plan does not ask, each with the reason; the report shows them as not asked, never as passed."""

    measures: Reason | None = None
    """Why nothing is tried."""
    pilot: Reason | None = None
    """Why no effect is estimated."""


class Networks(Declared):
    """Networks that fit the totals of a rebuilt layer: a verdict holds when it does in a stated share of them."""

    method: Literal["gibbs", "fitness", "minimum-density", "maximum-entropy"] = "maximum-entropy"
    """How they are made; maximum-entropy and minimum-density give one network each."""
    count: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many, beside the one of maximum entropy."""
    density: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    """Share of the possible exposures that there are; needed for gibbs and fitness."""
    share: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Share of the networks in which every tolerance must hold."""
    seed: Annotated[int, Field(ge=0)] = 1
    """Seed of the networks."""


class RulesInPlan(Declared):
    """Which rules this plan is held against, and whom they bind in its system."""

    jurisdictions: tuple[str, ...] = ()
    """Names of shipped rule files, e.g. china or european-union."""
    files: tuple[str, ...] = ()
    """Further rule files of the same form, beside the plan."""
    roles: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Whom rules bind (column binds of the rules) to kinds of institution in this system, e.g. commercial-bank: [large-bank, local-bank]."""


class PlanFile(Declared):
    """A Poundlock plan: what is tried, on which system, under which limits, judged by which evidence.

    Paths are relative to the plan file. Shares are fractions (0.25), never per cent.
    """

    format: Literal[1]
    """Version of this file format."""
    title: Annotated[str, Field(min_length=1, max_length=120)]
    """Heading of the report."""
    question: Annotated[str, Field(min_length=1)]
    """The decision that the verdict is for, as a question."""
    system: SystemFiles
    """The financial system and the tables that hold it."""
    measures: tuple[AnyMeasure, ...] = ()
    """What is tried. Empty only with a reason under left_out."""
    rules: RulesInPlan = RulesInPlan()
    """Rules that it is held against; left out: none, and only those that it cites are looked up."""
    scenarios: ScenarioModel
    """How bad years are drawn."""
    contagion: Behaviour = Behaviour()
    """How institutions behave when losses spread; left out: nobody sells, nobody withdraws."""
    tolerances: tuple[Tolerance, ...] = Field(min_length=1)
    """Statistics of the losses, each with its limit."""
    networks: Networks = Networks()
    """Other networks that fit what was reported; left out: the one that was read or rebuilt, alone."""
    controls: tuple[Control, ...] = ()
    """What may be turned to hold the risk."""
    brakes: tuple[Brake, ...] = ()
    """Controls that are put on after a shock, and how long that takes."""
    payments: Payments | None = None
    """The payment market beside the measures: its records, and over which days they are looked at. Left out: no indicator of it."""
    pilot: Pilot | None = None
    """What was tried where, and the outcomes it is judged by. Left out only with a reason under left_out."""
    stages: tuple[Stage, ...] = ()
    """The steps of the roll-out; a pass opens the first that is planned."""
    gates: tuple[Gate, ...] = Field(min_length=1)
    """The questions; the worst finding is the verdict."""
    programme: ProgrammeTerms | None = None
    """How the roll-out is run in a register: who signs, what each gate is for, what is owed. Left out where nothing is rolled out."""
    left_out: LeftOut = LeftOut()
    """Questions not asked, with the reason."""
    sources: dict[str, str] = Field(default_factory=dict)
    """Where the figures of each table come from: file name, as this plan names it, to words for the report."""

    @field_validator("format", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """`true` equals 1 in Python, but it is no version."""
        if isinstance(value, bool):
            raise ValueError("true or false; expected 1; cure write 'format: 1'")
        return value


def plan_schema() -> dict[str, Any]:
    """JSON Schema of the plan file, for editors."""
    return schema_of(PlanFile, "Poundlock plan")


def plan_schema_text() -> str:
    """The schema as it is kept in the repository."""
    return schema_text(plan_schema())
