"""A programme as it stands: the records that the replay of the register's entries leaves."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final, Literal, TypeVar

from poundlock.rollout.gate import Kind
from poundlock.rollout.machine.life import Life
from poundlock.rollout.machine.people import Role
from poundlock.rollout.machine.periods import Every
from poundlock.rollout.machine.run import EXPOSING, OVER, State
from poundlock.rollout.machine.terms import ReturnKind, Terms
from poundlock.rollout.refusal import Refused

Severity = Literal["minor", "major", "critical"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a check found of one metric."""

    metric: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Check:
    """A verdict that was entered. entry: number of the entry. by: who entered it. as_of: the day that its evidence speaks of. plan, evidence,
    verdict: digests of the plan, of the inputs and of the findings."""

    entry: int
    by: str
    as_of: dt.date
    plan: str
    evidence: str
    verdict: str
    findings: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Waiver:
    """Two people let a stage go on although one metric of one check says nothing, until a day, that day included. check: number of
    its entry; 0 for a return that is overdue."""

    check: int
    metric: str
    until: dt.date


@dataclass(frozen=True, slots=True)
class Filings:
    """What one institution owes of one return. first: number of the first period owed. through: all up to this one were filed. beyond:
    later ones that were. stops: number of the last period owed where the institution left, or None."""

    kind: ReturnKind
    every: Every
    due_days: int
    institution: str
    first: int
    through: int
    beyond: tuple[int, ...] = ()
    stops: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One try of a stage. since: day on which its state began. opened, started: days. began: entry that started it. decide_on: from this day it may be decided on.
    ends: on this day it is over. filed: entry of the last return of the window. waivers: as decided. changed: entry of
    the last change of anything that a decision would rest on. why: of the state, in words."""

    stage: str
    number: int
    state: State
    since: dt.date
    opened: dt.date
    ends: dt.date
    started: dt.date | None = None
    began: int = 0
    decide_on: dt.date | None = None
    check: Check | None = None
    waivers: tuple[Waiver, ...] = ()
    filings: tuple[Filings, ...] = ()
    filed: int = 0
    changed: int = 0
    why: str = ""

    @property
    def id(self) -> str:
        """Stage and number, as delta/2."""
        return f"{self.stage}/{self.number}"


@dataclass(frozen=True, slots=True)
class Details:
    """What a decision says beside its matter. why: the reason. decide_on, ends: of an extension. waivers: of a resumption. unwind: of a
    revised plan to unwind, its digest."""

    why: str
    decide_on: dt.date | None = None
    ends: dt.date | None = None
    waivers: tuple[Waiver, ...] = ()
    unwind: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody's signature under a decision. role: in which they signed. interests: their note on conflicts of interest. lent_by: whose role
    it is, where it was delegated."""

    person: str
    agency: str
    role: Role
    interests: str
    lent_by: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A decision that waits for signatures. run: its id; empty where the programme is decided on. stands: what it rests
    on, as it was: state, since when, last change. void: why it can no longer be signed."""

    id: str
    matter: str
    run: str
    details: Details
    stands: str
    signed: tuple[Signed, ...]
    void: str = ""

    @property
    def by(self) -> str:
        """Who proposed it."""
        return self.signed[0].person


@dataclass(frozen=True, slots=True)
class Consent:
    """An institution takes part in stages, of its own will, from a day until a day."""

    institution: str
    stages: tuple[str, ...]
    since: dt.date
    until: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """entry: number of the entry that reported it."""

    entry: int
    institution: str
    kind: Literal["cyber", "data", "outage", "conduct"]
    severity: Severity
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A plan that was written and not yet decided on."""

    plan: str
    terms: Terms
    editor: str


@dataclass(frozen=True, slots=True)
class Programme:
    """Everything that the rules need to know. at: the day as of which it stands; the calendar was followed up to it. plan: digest of the plan that holds. editor: who wrote it last. draft: a change of it that
    waits. notice_until: last day for comments. changed: entry of the last change of what a decision on the programme would rest on."""

    id: str
    at: dt.date
    life: Life
    since: dt.date
    applicant: str
    plan: str
    terms: Terms
    editor: str
    changed: int
    notice_until: dt.date | None = None
    draft: Draft | None = None
    consents: tuple[Consent, ...] = ()
    runs: tuple[Run, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    incidents: tuple[Incident, ...] = ()
    decided: tuple[str, ...] = field(default=())
    """Ids that are taken: of decisions that took effect, and of those that have been void for long."""


def run_of(programme: Programme, id: str) -> Run:
    """A run by its id, or the newest of a stage. Raises Refused."""
    found = [r for r in programme.runs if id in (r.id, r.stage)]
    if not found:
        known = ", ".join(r.id for r in programme.runs) or "none was opened yet"
        raise Refused(f"refused: no run '{id}' in programme {programme.id}; there are: {known}")
    return found[-1]


_HELD: Final = {kind: attrgetter(*kind.__slots__) for kind in (Run, Programme)}
_PLACE: Final = {kind: {name: k for k, name in enumerate(kind.__slots__)} for kind in (Run, Programme)}
R = TypeVar("R", Run, Programme)


def renewed(record: R, **changes: object) -> R:
    """`dataclasses.replace` in less than half of its time, for what every filing changes."""
    kind = type(record)
    values = list(_HELD[kind](record))
    for name, value in changes.items():
        values[_PLACE[kind][name]] = value
    return kind(*values)


def with_run(programme: Programme, run: Run) -> Programme:
    """The programme with this run in place of its older self."""
    place = next(k for k, r in enumerate(programme.runs) if r.number == run.number and r.stage == run.stage)
    return renewed(programme, runs=(*programme.runs[:place], run, *programme.runs[place + 1 :]))


def exposing(programme: Programme) -> tuple[Run, ...]:
    """Runs under which institutions bear risk."""
    return tuple(r for r in programme.runs if r.state in EXPOSING)


def unfinished(programme: Programme) -> tuple[Run, ...]:
    """Runs that still may move."""
    return tuple(r for r in programme.runs if r.state not in OVER)


def participants(programme: Programme, stage: str, day: dt.date) -> tuple[str, ...]:
    """Institutions that take part in a stage on a day."""
    return tuple(
        c.institution
        for c in programme.consents
        if stage in c.stages and c.since <= day and (c.until is None or day < c.until)
    )
