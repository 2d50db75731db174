"""Agencies, people, roles and delegations: who may do what, on which day."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Final, Literal

from poundlock.rollout.refusal import Refused

Role = Literal["institution", "officer", "approver", "duty officer", "risk", "auditor", "administrator", "machine"]
ROLES: Final[tuple[Role, ...]] = (
    "institution",
    "officer",
    "approver",
    "duty officer",
    "risk",
    "auditor",
    "administrator",
    "machine",
)
PROPOSING: Final[tuple[Role, ...]] = ("officer", "approver", "risk", "duty officer")
ALONE: Final[frozenset[Role]] = frozenset(("institution", "auditor", "administrator", "machine"))
"""Roles that go with no other: an auditor writes nothing, an administrator decides nothing, an institution is not its own supervisor, a
machine judges and never signs."""


@dataclass(frozen=True, slots=True)
class Agency:
    """mandates: what it signs for."""

    id: str
    mandates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """key: public key of signatures, base64. institution: of a person with the role 'institution'. ties: institutions in which the person
    has an interest. left: day of leaving, or None."""

    id: str
    agency: str
    roles: tuple[Role, ...]
    key: str
    institution: str = ""
    ties: tuple[str, ...] = ()
    left: dt.date | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """by lets `to` act in a role until a day, that day included."""

    by: str
    to: str
    role: Role
    until: dt.date


@dataclass(frozen=True, slots=True)
class People:
    """Everybody whom the register knows. register, key: its name and public key; what is signed holds both, so that a signature counts in one
    register only. acts: how many signed acts on people there were; what is signed holds it, so that it counts once."""

    register: str
    key: str = ""
    acts: int = 0
    agencies: dict[str, Agency] = field(default_factory=dict)
    persons: dict[str, Person] = field(default_factory=dict)
    delegations: tuple[Delegation, ...] = ()


def person(people: People, id: str, day: dt.date) -> Person:
    """Who acts. Raises Refused for somebody unknown or gone."""
    found = people.persons.get(id)
    if found is None:
        raise Refused(f"refused: nobody is enrolled as '{id}'; an administrator must enrol them first")
    if gone(found, day):
        raise Refused(f"refused: {id} left on {found.left}; somebody else must do this")
    return found


def gone(who: Person, day: dt.date) -> bool:
    """Whether somebody has left."""
    return who.left is not None and day >= who.left


def lenders(people: People, id: str, role: Role, day: dt.date) -> tuple[str, ...]:
    """Who has lent a role to somebody, as it stands on a day: of those who have it themselves and are still there."""
    lent = (d for d in people.delegations if d.to == id and d.role == role and day <= d.until)
    return tuple(d.by for d in lent if role in people.persons[d.by].roles and not gone(people.persons[d.by], day))


def has_role(people: People, who: Person, role: Role, day: dt.date) -> bool:
    """By right or by delegation."""
    return role in who.roles or bool(lenders(people, who.id, role, day))


def must_have(people: People, id: str, roles: tuple[Role, ...], day: dt.date, what: str) -> Person:
    """The person who acts, if they have one of the roles. Raises Refused."""
    who = person(people, id, day)
    if not any(has_role(people, who, role, day) for role in roles):
        have = ", ".join(who.roles)
        needs = roles[0] if len(roles) == 1 else f"{', '.join(roles[:-1])} or {roles[-1]}"
        raise Refused(f"refused: {id} is {have}; to {what} takes the role {needs}")
    return who
