"""What each act changes of the people whom the register knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from poundlock.rollout.machine import acts
from poundlock.rollout.machine.people import ALONE, Agency, Delegation, People, Person, person
from poundlock.rollout.refusal import Refused
from poundlock.rollout.signing import fingerprint

LONGEST_DELEGATION_DAYS: Final = 366


def founded(body: acts.Founded) -> People:
    """The first people: one agency and its administrator. Raises Refused for what is no key."""
    _public_key(body.key)
    _public_key(body.administrator_key)
    agency = Agency(body.agency, body.mandates)
    first = Person(body.administrator, body.agency, ("administrator",), body.administrator_key)
    return People(body.name, body.key, 0, {agency.id: agency}, {first.id: first})


def _agency_added(people: People, by: str, day: dt.date, body: acts.AgencyAdded) -> People:
    return replace(people, agencies={**people.agencies, body.agency: Agency(body.agency, body.mandates)})


def _enrolled(people: People, by: str, day: dt.date, body: acts.Enrolled) -> People:
    if body.agency not in people.agencies and not body.institution:
        raise Refused(f"refused: no agency '{body.agency}'; there are: {', '.join(people.agencies)}")
    if len(body.roles) > 1 and (alone := sorted(ALONE & set(body.roles))):
        raise Refused(f"refused: the role '{alone[0]}' goes with no other; enrol two different people")
    if ("institution" in body.roles) != bool(body.institution):
        raise Refused("refused: somebody with the role 'institution' belongs to an institution, and nobody else does")
    if (other := _holder(people, body)) is not None:
        raise Refused(f"refused: {other} is enrolled with the same key; every person has a key of their own")
    if body.person == by and body.roles != people.persons[by].roles:
        raise Refused("refused: you cannot change your own roles; another administrator must enrol you anew")
    _public_key(body.key)
    made = Person(body.person, body.agency, body.roles, body.key, body.institution, body.ties)
    # what was lent to or by the person as they were ends: with other roles, or at another agency, it might go round a rule
    kept = tuple(d for d in people.delegations if made.id not in (d.by, d.to))
    return replace(people, persons={**people.persons, made.id: made}, delegations=kept)


def _public_key(key: str) -> None:
    try:
        fingerprint(key)
    except ValueError as mistake:
        raise Refused(
            f"refused: {mistake}; give the public key that `poundlock` showed when the key was made"
        ) from None


def _holder(people: People, body: acts.Enrolled) -> str | None:
    if body.key == people.key:
        return "the register itself"
    return next((p.id for p in people.persons.values() if p.key == body.key and p.id != body.person), None)


def _left(people: People, by: str, day: dt.date, body: acts.Left) -> People:
    who = person(people, body.person, day)
    if who.id == by:
        raise Refused("refused: you cannot note your own leaving; another administrator must")
    return replace(people, persons={**people.persons, who.id: replace(who, left=day)})


def _delegated(people: People, by: str, day: dt.date, body: acts.Delegated) -> People:
    giver, taker = person(people, by, day), person(people, body.to, day)
    if body.role not in giver.roles:
        raise Refused(f"refused: you are {', '.join(giver.roles)}; you can delegate only a role of your own")
    if taker.id == giver.id or taker.agency != giver.agency:
        raise Refused("refused: a role is delegated to another person of the same agency")
    if ALONE & {*taker.roles, body.role}:
        raise Refused(f"refused: {taker.id} is {', '.join(taker.roles)}; such a role goes with no other")
    if not day <= body.until <= day + dt.timedelta(LONGEST_DELEGATION_DAYS):
        raise Refused(
            f"refused: until {body.until}; a delegation ends within {LONGEST_DELEGATION_DAYS} days, and not in the past"
        )
    kept = tuple(d for d in people.delegations if d.until >= day)
    return replace(people, delegations=(*kept, Delegation(by, body.to, body.role, body.until)))


def _unchanged(people: People, by: str, day: dt.date, body: Any) -> People:
    return people


REGISTRY: Final[dict[str, Callable[[People, str, dt.date, Any], People]]] = {
    "add-agency": _agency_added,
    "enrol": _enrolled,
    "leave": _left,
    "delegate": _delegated,
    "describe": _unchanged,
}
