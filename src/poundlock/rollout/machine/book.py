"""The book of a register: people and programmes as the replay of its entries leaves them. One act in, one new state out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.chain import ERASED, Entry, Fault
from poundlock.rollout.machine import acts, steps
from poundlock.rollout.machine.decisions import act_on_people, proven
from poundlock.rollout.machine.moment import Moment
from poundlock.rollout.machine.people import People, must_have, person
from poundlock.rollout.machine.programme import Programme
from poundlock.rollout.machine.registry import REGISTRY, founded
from poundlock.rollout.refusal import Refused

PEOPLE: Final = "people"
SIGNED: Final = ("add-agency", "enrol", "leave", "delegate")
"""Acts on people that are signed by who does them."""
State = People | Programme
_PEOPLE: Final = TypeAdapter(People)
_PROGRAMME: Final = TypeAdapter(Programme)
_ERASABLE: Final = tuple(name for name, kind in acts.ACTS.items() if kind.erasable)


_day: Final = lru_cache(maxsize=64)(dt.date.fromisoformat)


def object_of(programme: str) -> str:
    """Name of a programme among the objects of a register."""
    return f"programme:{programme}"


def reads(object: str) -> tuple[str, ...]:
    """Objects whose states a step needs beside its own."""
    return () if object == PEOPLE else (PEOPLE,)


def load(object: str, text: str) -> State:
    """A state from its text."""
    return _PEOPLE.validate_json(text) if object == PEOPLE else _PROGRAMME.validate_json(text)


def dump(state: State) -> str:
    """A state's text."""
    adapter: TypeAdapter[Any] = _PEOPLE if isinstance(state, People) else _PROGRAMME
    return adapter.dump_json(state).decode()


def signs(act: str) -> bool:
    """Whether an act is a decision or an order, after which a checkpoint is due."""
    return act in ("approve", "hold", "roll-back")


def erasable(act: str) -> bool:
    """Whether the payload may be removed: it holds words about persons, and no rule rests on it."""
    return act in acts.ACTS and acts.ACTS[act].erasable


def may_erase(people: People, actor: str, role: str, at: str) -> None:
    """Refuse whoever may not remove personal data."""
    kind = acts.Act(acts.Because, "people", ("officer", "administrator"), "remove personal data")
    _role(people, actor, role, kind, dt.date.fromisoformat(at[:10]))


def body_of(act: str, payload: Mapping[str, Json] | str | None) -> Any:
    """The payload as a record; None where it was removed. Raises Refused with every mistake."""
    kind = acts.ACTS.get(act)
    if kind is None:
        raise Refused(f"refused: there is no act '{act}'; there are: {', '.join(acts.ACTS)}")
    if payload is None:
        if kind.erasable:
            return None
        raise Refused(f"refused: the payload of a '{act}' is missing, and the rules rest on it")
    try:
        return kind.body.model_validate_json(payload if isinstance(payload, str) else canonical(payload))
    except (TypeError, ValueError) as error:
        if not isinstance(error, ValidationError):
            raise Refused(f"refused: this is no '{act}': {error}") from None
        told = (f"{'.'.join(str(x) for x in e['loc']) or 'payload'}: {plainly(e)}" for e in error.errors())
        raise Refused(f"refused: this is no '{act}': {'; '.join(told)}") from None


def plainly(error: Any) -> str:
    """A library's complaint of one part of a record, in words for people."""
    limits = error.get("ctx", {})
    words = {
        "string_too_short": "too short; give it in words",
        "string_too_long": f"too long; at most {limits.get('max_length')} characters",
        "too_short": "none is given; give at least one",
        "missing": "it is missing",
        "extra_forbidden": "there is no such part",
        "string_pattern_mismatch": f"'{error['input']}' has signs that a name cannot have, or is too long",
        "literal_error": f"'{error['input']}'; expected {limits.get('expected')}",
    }
    return words.get(error["type"], str(error["msg"]).removeprefix("Value error, "))


def step(
    states: Mapping[str, State | None],
    object: str,
    actor: str,
    role: str,
    act: str,
    payload: Mapping[str, Json] | str | None,
    number: int,
    at: str,
) -> State:
    """The new state of an object. role: as which the actor acts; they must have it, by right or by delegation. at: UTC, ISO 8601.
    Raises Refused."""
    body, kind = body_of(act, payload), acts.ACTS[act]
    if kind.of != (PEOPLE if object == PEOPLE else "programme"):
        raise Refused(f"refused: '{act}' is done to {kind.of}, not to '{object}'")
    if object not in (PEOPLE, object_of(object.removeprefix("programme:"))):
        raise Refused(
            f"refused: '{object}' is neither people nor a programme, as {object_of('lending')}; name one of them"
        )
    people, day = states.get(PEOPLE), _day(at[:10])
    if people is None or act == "found":
        return _founded(people, object, actor, number, act, body)
    assert isinstance(people, People)
    _role(people, actor, role, kind, day)
    if object == PEOPLE:
        if act in SIGNED:
            said = act_on_people(people, act, body.model_dump(mode="json"), actor)
            proven(people, people.persons[actor], said, body.signature)
            people = replace(people, acts=people.acts + 1)
        return REGISTRY[act](people, actor, day, body)
    moment = Moment(people, person(people, actor, day), day, number)
    name, programme = object.removeprefix("programme:"), states.get(object)
    if act == "declare":
        if programme is not None:
            raise Refused(f"refused: there is a programme '{name}' already; give this one another id")
        return steps.declared(moment, name, body)
    if programme is None:
        raise Refused(f"refused: no programme '{name}'; an institution must declare it first")
    assert isinstance(programme, Programme)
    return steps.stepped(moment, programme, act, body)


def _founded(people: State | None, object: str, actor: str, number: int, act: str, body: Any) -> People:
    if act != "found":
        raise Refused("refused: a register begins with its founding; nothing came before this")
    if people is not None or number != 1 or object != PEOPLE:
        raise Refused("refused: the register was founded already; found another one elsewhere")
    if actor != body.administrator:
        raise Refused(f"refused: {actor} founds the register; the first administrator is whoever founds it")
    return founded(body)


def _role(people: People, actor: str, role: str, kind: acts.Act, day: dt.date) -> None:
    known = people.persons.get(actor)
    if known is not None and known.left is None and role in kind.by and role in known.roles:
        return
    who = must_have(people, actor, kind.by, day, kind.says)
    allowed = [r for r in kind.by if r == role]
    if not allowed:
        raise Refused(f"refused: as '{role}' nobody may {kind.says}; the roles that may: {', '.join(kind.by)}")
    must_have(people, who.id, (allowed[0],), day, kind.says)


def replay(pairs: Iterable[tuple[Entry, str | None]]) -> Fault | None:
    """Every act again, by the rules and with its signature; the first that they refuse, or None. pairs: each entry with the text of its payload.

    A programme whose payloads were left out is not judged; without those of the people nothing can be.
    """
    states: dict[str, State | None] = {}
    apart: set[str] = set()
    words: set[int] = set()
    for entry, text in pairs:
        object = entry.object
        if erasable(entry.act):
            words.add(entry.number)
        if object in apart:
            continue
        if text is None and entry.act not in (ERASED, *_ERASABLE) and object.startswith("programme:"):
            apart.add(object)
            continue
        try:
            if entry.act == ERASED:
                _erasure(states, entry, words)
            else:
                states[object] = step(states, object, entry.actor, entry.role, entry.act, text, entry.number, entry.at)
        except Refused as no:
            return Fault(
                entry.number,
                f"'{entry.act}' by {entry.actor} ({str(no).removeprefix('refused: ')})",
                "an act that the rules allow",
            )
    return None


def _erasure(states: Mapping[str, State | None], entry: Entry, words: Container[int]) -> None:
    number = entry.object.removeprefix("entry:")
    if not number.isdecimal() or int(number) not in words:
        raise Refused(f"refused: '{entry.object}' holds what rules rest on; only words about persons can be removed")
    people = states.get(PEOPLE)
    if not isinstance(people, People):
        raise Refused("refused: nothing was founded yet")
    may_erase(people, entry.actor, entry.role, entry.at)
