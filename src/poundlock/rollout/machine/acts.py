"""What can be done, and by whom: the payload of every kind of entry."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from poundlock import reading
from poundlock.rollout.gate import Kind
from poundlock.rollout.machine.people import PROPOSING, Role
from poundlock.rollout.machine.programme import Severity
from poundlock.rollout.machine.terms import ReturnKind, Terms
from poundlock.rollout.plan import Id

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Words = Annotated[str, Field(min_length=3, max_length=4000, pattern=r"\S")]
Key = Annotated[str, Field(min_length=44, max_length=44)]
Signature = Annotated[str, Field(max_length=100)]


class Body(BaseModel):
    """A payload: frozen, no unknown keys; dates as ISO 8601."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Founded(Body):
    """The first entry. name: of the register. key: public key of its checkpoints."""

    name: Name
    key: Key
    agency: Id
    mandates: tuple[Id, ...] = ()
    administrator: Name
    administrator_key: Key


class AgencyAdded(Body):
    """An agency, or new mandates of one."""

    agency: Id
    mandates: tuple[Id, ...]
    signature: Signature = ""


class Enrolled(Body):
    """Somebody who may act; a later one for the same person replaces roles, key and ties."""

    person: Name
    agency: Id
    roles: tuple[Role, ...] = Field(min_length=1)
    key: Key
    institution: str = ""
    ties: tuple[str, ...] = ()
    signature: Signature = ""


class Left(Body):
    """Somebody left."""

    person: Name
    signature: Signature = ""


class Delegated(Body):
    """A role lent to somebody of the same agency until a day, that day included."""

    to: Name
    role: Role
    until: dt.date
    signature: Signature = ""


class Described(Body):
    """Words about somebody or something, e.g. a full name: personal, so it may be removed."""

    about: Words
    text: Words


class Declaration(reading.Declared):
    """What an institution declares of an innovation before anybody assesses it."""

    kind: Literal["product", "service", "process", "organisation"]
    """What it is."""
    title: Words
    """Its name."""
    technology: Words
    """On what it rests."""
    function: Words
    """What it does, for whom."""
    expected_effect: Words
    """What should become better, by how much."""
    scale: Words
    """How many customers, how much money, where."""
    risks_and_controls: Words
    """Each point of risk with what is done about it."""
    compensation: Words
    """How customers who come to harm are made whole."""
    exit_plan: Words
    """How it is ended in order."""
    emergency_plan: Words
    """What is done when something goes wrong."""
    complaints: Words
    """Where customers complain, and who answers by when."""


class Declared(Body):
    """A new programme: what is declared, the digest of its plan, and what the machine needs of it."""

    declaration: Declaration
    plan: Digest
    terms: Terms


class Edited(Body):
    """A plan written anew."""

    plan: Digest
    terms: Terms


class Because(Body):
    """The reason."""

    why: Words


class Nothing(Body):
    """No more than that it was done."""


class Commented(Body):
    """A comment of the public."""

    by: Annotated[str, Field(min_length=1, max_length=200)]
    text: Words


class Consented(Body):
    """An institution joins stages of its own will. document: digest of what it signed, if it is kept."""

    stages: tuple[Id, ...] = Field(min_length=1)
    document: Digest | None = None


class Opened(Body):
    """A new run of a stage."""

    stage: Id


class OfRun(Body):
    """Something about a run, with the reason."""

    run: str
    why: Words


class Ordered(Body):
    """One person's order, signed."""

    run: str
    why: Words
    signature: Signature


class FindingEntered(Body):
    """What was found of one metric. said: its number and limit in words, for the record."""

    metric: Id
    kind: Kind
    said: str = ""


class Judged(Body):
    """A verdict: what was found of each metric, and by which evidence."""

    run: str
    as_of: dt.date
    plan: Digest
    evidence: Digest
    verdict: Digest
    findings: tuple[FindingEntered, ...] = Field(min_length=1)


class Unwound(Body):
    """Nothing is left. evidence: digest of what shows it."""

    run: str
    evidence: Digest


class WaiverAsked(Body):
    """One check, one metric, a last day."""

    check: Annotated[int, Field(ge=0)]
    metric: str
    until: dt.date


class DetailsAsked(Body):
    """What a decision says beside its matter."""

    why: Words
    decide_on: dt.date | None = None
    ends: dt.date | None = None
    waivers: tuple[WaiverAsked, ...] = ()
    unwind: Digest | Literal[""] = ""


class Proposed(Body):
    """A decision, signed by who proposes it."""

    decision: Id
    matter: str
    run: str = ""
    details: DetailsAsked
    interests: Words
    signature: Signature


class Approved(Body):
    """One more signature."""

    decision: Id
    interests: Words
    signature: Signature


class Retracted(Body):
    """Taken back by who proposed it."""

    decision: Id


class Reported(Body):
    """An incident."""

    kind: Literal["cyber", "data", "outage", "conduct"]
    severity: Severity
    institution: str
    what: Words


class Closed(Body):
    """An incident is over, and what was done about it."""

    incident: int
    remedy: Words


class Filed(Body):
    """A return that was received. digest: of the file. replaces: number of the receipt that it replaces, 0 for a first one. reasons:
    written reasons for each caution."""

    kind: ReturnKind
    period: str
    digest: Digest
    rows: Annotated[int, Field(ge=0)]
    totals: dict[str, str] = {}
    cautions: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    replaces: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True, slots=True)
class Act:
    """A kind of entry. of: what it changes. by: roles that may, none for whoever is enrolled. says: what it is, for refusals."""

    body: type[Body]
    of: Literal["people", "programme"]
    by: tuple[Role, ...]
    says: str
    erasable: bool = False


_INSTITUTION: Final[tuple[Role, ...]] = ("institution",)
_OFFICER: Final[tuple[Role, ...]] = ("officer",)
_ADMIN: Final[tuple[Role, ...]] = ("administrator",)
ACTS: Final[dict[str, Act]] = {
    "found": Act(Founded, "people", (), "found a register"),
    "add-agency": Act(AgencyAdded, "people", _ADMIN, "add an agency"),
    "enrol": Act(Enrolled, "people", _ADMIN, "enrol somebody"),
    "leave": Act(Left, "people", _ADMIN, "note that somebody left"),
    "delegate": Act(Delegated, "people", PROPOSING, "delegate a role"),
    "describe": Act(Described, "people", _ADMIN, "describe somebody", erasable=True),
    "declare": Act(Declared, "programme", _INSTITUTION, "declare an innovation"),
    "edit": Act(Edited, "programme", ("institution", "officer"), "edit a plan"),
    "submit": Act(Nothing, "programme", _INSTITUTION, "submit a programme"),
    "withdraw": Act(Because, "programme", _INSTITUTION, "withdraw a programme"),
    "return": Act(Because, "programme", _OFFICER, "return a programme"),
    "accept": Act(Nothing, "programme", _OFFICER, "accept a programme for assessment"),
    "publish": Act(Nothing, "programme", _OFFICER, "publish a notice"),
    "comment": Act(Commented, "programme", _OFFICER, "enter a comment", erasable=True),
    "consent": Act(Consented, "programme", _INSTITUTION, "consent"),
    "withdraw-consent": Act(Because, "programme", _INSTITUTION, "withdraw consent"),
    "open": Act(Opened, "programme", _OFFICER, "open a run of a stage"),
    "cancel": Act(OfRun, "programme", _OFFICER, "cancel a run"),
    "judge": Act(Judged, "programme", ("officer", "risk", "machine"), "enter a check"),
    "hold": Act(Ordered, "programme", (*PROPOSING, "machine"), "hold a stage"),
    "roll-back": Act(Ordered, "programme", ("duty officer",), "roll back alone"),
    "unwound": Act(Unwound, "programme", _OFFICER, "verify that all is unwound"),
    "cannot-unwind": Act(OfRun, "programme", _OFFICER, "note that unwinding is stuck"),
    "propose": Act(Proposed, "programme", PROPOSING, "propose a decision"),
    "approve": Act(Approved, "programme", ("approver", "risk"), "sign a decision"),
    "retract": Act(Retracted, "programme", PROPOSING, "retract a decision"),
    "report": Act(Reported, "programme", ("institution", "officer", "duty officer"), "report an incident"),
    "close-incident": Act(Closed, "programme", _OFFICER, "close an incident"),
    "file": Act(Filed, "programme", _INSTITUTION, "file a return"),
    "review": Act(Nothing, "programme", _OFFICER, "begin the exit review"),
    "close": Act(Because, "programme", _OFFICER, "close a programme"),
}
