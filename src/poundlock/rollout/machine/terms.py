"""What a plan declares of its programme: who signs, what each gate is for, what is owed, how long things may take."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from poundlock.reading import Declared
from poundlock.rollout.machine.periods import Every
from poundlock.rollout.plan import Id, Stage

ReturnKind = Literal["exposures", "balance-sheet", "outcomes", "payments", "incidents"]
Days = Annotated[int, Field(ge=1, le=3660)]


class Metric(Declared):
    """What a gate is for in the life of a stage. Its direction and its limit are the gate's own."""

    gate: Id
    """Id of the gate."""
    kind: Literal["limit", "guardrail", "signal", "success", "quality"]
    """limit: must hold before the start and always; guardrail: must hold while the stage runs; success: must be shown before the next
    stage; quality: of the data; signal: is watched, moves nothing."""
    needs: tuple[ReturnKind, ...] = ()
    """Returns without which it cannot be judged; each must be among those that are owed. While one is overdue there is no evidence."""
    without_data: Literal["hold", "hold critical"] = "hold"
    """What happens where there is no evidence, of a check or for want of a return; it is never a pass."""


class ReturnDuty(Declared):
    """What every participating institution files."""

    kind: ReturnKind
    """Which return."""
    every: Every
    """How often."""
    due_days: Annotated[int, Field(ge=1, le=366)]
    """Days after the end of the period until which it must be filed."""


class ProgrammeTerms(Declared):
    """The section `programme` of a plan."""

    id: Id
    """Name of the programme in the register."""
    mandates: tuple[Id, ...] = Field(min_length=1)
    """Mandates that it touches: an agency with each must be among those who sign for going on."""
    metrics: tuple[Metric, ...] = Field(min_length=1)
    """What each gate is for."""
    pre_authorised: tuple[Id, ...] = ()
    """Gates whose breach rolls a stage back at once, without another signature."""
    returns: tuple[ReturnDuty, ...] = ()
    """What participating institutions file."""
    comment_days: Days = 30
    """How long the public may comment before anybody decides."""
    decide_within_days: Days = 90
    """How long a decision may wait before the stage is held."""
    check_within_days: Days = 400
    """How old the last check of a running stage may become before the stage is held."""
    unwind_within_days: Days = 180
    """How long rolling back may take before it counts as stuck."""

    @model_validator(mode="after")
    def _known_gates(self) -> Self:
        gates = [m.gate for m in self.metrics]
        if len(set(gates)) < len(gates):
            twice = sorted({g for g in gates if gates.count(g) > 1})
            raise ValueError(f"gate '{twice[0]}' twice under metrics; expected one metric a gate; cure keep one")
        kinds = [d.kind for d in self.returns]
        if len(set(kinds)) < len(kinds):
            raise ValueError("a return twice; expected each kind of return once; cure keep one")
        moving = {m.gate for m in self.metrics if m.kind != "signal"}
        if unknown := sorted(set(self.pre_authorised) - moving):
            raise ValueError(
                f"pre_authorised '{unknown[0]}'; expected a gate of metrics that is no signal; cure correct the id"
            )
        return self


class Terms(ProgrammeTerms):
    """The same with the stages of the plan: all that the machine needs to know of a plan."""

    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _different_stages(self) -> Self:
        ids = [s.id for s in self.stages]
        if len(set(ids)) < len(ids):
            raise ValueError("a stage twice; expected a different id for each; cure rename one")
        return self

    def stage(self, id: str) -> Stage | None:
        """The stage of that id."""
        return next((s for s in self.stages if s.id == id), None)

    def before(self, id: str) -> Stage | None:
        """The stage that must be passed first; None for the first."""
        ids = [s.id for s in self.stages]
        place = ids.index(id)
        return self.stages[place - 1] if place else None


LONGEST: Final = 100 * 366
"""Days beyond which no stay is counted: no date lies so far."""


def window_end(stage: Stage, started: dt.date) -> dt.date:
    """The day from which a stage may be decided on: its shortest stay after the start."""
    left = (stage.ends - started).days
    return started + dt.timedelta(min(stage.shortest_stay_days, left))
