"""An act at its moment, and the two ways in which it can move something: along an edge of a life, or of a run."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

from poundlock.rollout.machine import deadlines
from poundlock.rollout.machine.life import LIFE_EDGES, Life, life_edge
from poundlock.rollout.machine.people import People, Person
from poundlock.rollout.machine.programme import Programme, Run
from poundlock.rollout.machine.run import causes, edge
from poundlock.rollout.refusal import Refused


@dataclass(frozen=True, slots=True)
class Moment:
    """Who acts, when, and under which entry's number."""

    people: People
    who: Person
    day: dt.date
    entry: int


def live(p: Programme, cause: str, at: Moment) -> Programme:
    """The programme after one edge of its life. Raises Refused where there is none."""
    found = life_edge(p.life, cause)
    if found is None:
        if p.life == "public notice":
            raise Refused(
                f"refused: the public may comment until {p.notice_until}; nobody can decide before the day after"
            )
        ways = ", ".join(e.cause for e in LIFE_EDGES if e.source == p.life) or "none, it is over"
        raise Refused(f"refused: the programme is '{p.life}'; '{cause}' does not lead on from there; what does: {ways}")
    target: Life = found.target
    return replace(p, life=target, since=at.day, changed=at.entry)


def take(run: Run, cause: str, why: str, at: Moment) -> Run:
    """The run after one edge. Raises Refused where its state has none on that cause."""
    if edge(run.state, cause) is None:
        if run.state == "active" and edge("deciding", cause) is not None:
            raise Refused(
                f"refused: run {run.id} is 'active'; it may be decided on from {run.decide_on}, once every return until then is in"
            )
        by_people = (e.cause for e in causes(run.state) if e.by not in ("calendar", "machine"))
        ways = ", ".join(dict.fromkeys(by_people)) or "none, it is over"
        raise Refused(f"refused: run {run.id} is '{run.state}'; '{cause}' does not lead out of it; what does: {ways}")
    return deadlines.moved(run, cause, why, day=at.day, entry=at.entry)
