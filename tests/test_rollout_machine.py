"""The table of a run, walked exhaustively: what can be reached, by whom, and what cannot be done at all."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import get_args

import pytest

from office import WORDS, Office, digest, terms
from poundlock.rollout.machine import deadlines, signing_off
from poundlock.rollout.machine.decisions import MATTERS
from poundlock.rollout.machine.run import EDGES, EXPOSING, EXPOSURE, OVER, State, causes, edge

STATES: tuple[State, ...] = get_args(State)
LESS_AND_LESS = ("carried by the next stage", "as agreed", "frozen", "no new business", "shrinking", "none")


def reachable(start: State, by: tuple[str, ...] = ()) -> set[str]:
    found, edge_of = {start}, [e for e in EDGES if not by or e.by in by]
    while more := {e.target for e in edge_of if e.source in found} - found:
        found |= more
    return found


def test_every_state_can_be_reached_and_has_an_exposure():
    assert reachable("pending") == set(STATES) == set(EXPOSURE)
    assert set(STATES) == {"pending"} | EXPOSING | OVER


def test_a_state_and_a_cause_lead_to_one_place_only():
    assert max(Counter((e.source, e.cause) for e in EDGES).values()) == 1
    for e in EDGES:
        assert edge(e.source, e.cause) is e
        assert e in causes(e.source)
        assert e.source != e.target
    assert edge("pending", "pass") is None


@pytest.mark.parametrize("state", sorted(EXPOSING))
def test_from_every_exposing_state_one_can_roll_back(state: State):
    assert "rolling back" in reachable(state)
    assert "rolled back" in reachable(state)


@pytest.mark.parametrize("state", sorted(EXPOSING - {"rolling back", "stuck"}))
def test_the_end_date_alone_stops_whatever_still_goes_on(state: State):
    assert edge(state, "end date") is not None


@pytest.mark.parametrize("state", sorted(EXPOSING - {"rolling back", "stuck", "held critical"}))
def test_a_breach_acts_in_every_state_that_goes_on_and_in_those_that_wait(state: State):
    found = edge(state, "breach")
    assert found is not None
    assert (found.target, found.by) == ("held critical", "machine")


def test_one_edge_leads_into_passed_and_two_people_stand_on_it():
    assert [(e.source, e.by) for e in EDGES if e.target == "passed"] == [("deciding", "two people")]


def test_exposure_begins_by_two_people_and_in_one_place():
    assert [e.by for e in EDGES if e.source == "pending" and e.target in EXPOSING] == ["two people"]


@pytest.mark.parametrize("state", sorted(OVER))
def test_nothing_leads_out_of_what_is_over(state: State):
    assert causes(state) == ()


def test_neither_machine_nor_calendar_ever_raises_exposure():
    for e in EDGES:
        if e.by in ("machine", "calendar"):
            assert LESS_AND_LESS.index(EXPOSURE[e.target]) >= LESS_AND_LESS.index(EXPOSURE[e.source]), e
            assert e.target not in OVER, e


def test_what_happens_by_itself_comes_to_an_end():
    """No circle of edges of the machine and the calendar, or a day would never be over."""
    for state in STATES:
        onward = {e.target for e in EDGES if e.source == state and e.by in ("machine", "calendar")}
        assert all(state not in reachable(t, ("machine", "calendar")) for t in onward), state


def test_one_person_alone_may_only_lower_exposure():
    for e in EDGES:
        if e.by in ("officer", "duty officer") and e.source != "pending":
            assert LESS_AND_LESS.index(EXPOSURE[e.target]) >= LESS_AND_LESS.index(EXPOSURE[e.source]), e


def test_held_critical_goes_on_only_by_three_people():
    assert [e.by for e in EDGES if e.source == "held critical" and e.target in ("active", "deciding")] == [
        "three people"
    ]


def test_every_decision_on_a_run_takes_an_edge_of_two_or_three_people_or_of_the_duty_officer():
    signed = {e.cause for e in EDGES if e.by in ("two people", "three people", "duty officer")}
    assert {m.cause for m in MATTERS.values() if m.of == "run"} == signed


# every edge, taken


def cancelled() -> None:
    office = Office().approved()
    office.act("olu", "open", {"stage": "first"})
    office.act("olu", "cancel", {"run": "first/1", "why": WORDS})


def passed() -> None:
    office = Office().deciding()
    office.judge({"tail": "pass", "arrears": "pass", "growth": "pass"})
    office.decide("pass", "first", "olu", "ana", "aki")


def held_of_every_kind_and_resumed() -> None:
    office = Office().running()
    office.order("dee", "hold")
    office.decide("resume", "first/1", "olu", "ana", "aki")
    office.judge({"tail": "pass", "arrears": "fail"})
    office.judge({"tail": "pass", "arrears": "pass"})
    office.decide("resume", "first/1", "olu", "ana", "aki")
    office.day = dt.date(2026, 5, 1)
    assert office.shown().runs[0].state == "held"
    office.judge({"tail": "breach"})
    office.decide("roll-back", "first/1", "olu", "ana")
    office = Office().running()
    office.order("dee", "hold")
    office.decide("roll-back", "first/1", "olu", "ana")


def held_critical_and_resumed() -> None:
    office = Office().running()
    office.judge({"tail": "breach"})
    office.judge({"tail": "pass", "arrears": "pass"})
    office.decide("resume", "first/1", "olu", "ana", "aki", "rio")
    office.judge({"arrears": "breach"})
    assert office.run().state == "rolling back"


def rolled_back_alone_and_stuck_twice() -> None:
    office = Office().running()
    office.judge({"tail": "breach"})
    office.order("dee", "roll-back")
    office.act("olu", "cannot-unwind", {"run": "first/1", "why": WORDS})
    office.decide("revise", "first/1", "olu", "ana", unwind=digest("other way"))
    office.day += dt.timedelta(181)
    assert office.shown().runs[0].state == "stuck"
    office.decide("revise", "first/1", "olu", "ana", unwind=digest("third way"))
    office.act("olu", "unwound", {"run": "first/1", "evidence": digest("none left")})


def active_to_the_end() -> None:
    office = Office().running()
    office.decide("roll-back", "first/1", "olu", "ana")
    for until in ({}, {"tail": "breach"}, {"tail": "inconclusive"}):
        office = Office().running(returns=(), check_within_days=3000)
        if until:
            office.judge(until)
        office.day = dt.date(2027, 12, 31)
        assert office.shown().runs[0].state == "rolling back"
    late = {"kind": "outcomes", "every": "year", "due_days": 366}
    office = Office().running(returns=(late,), check_within_days=3000)
    office.day = dt.date(2027, 12, 31)
    assert office.shown().runs[0].state == "rolling back"


def decided_on_in_every_way() -> None:
    for matter in ("finish", "roll-back", "extend"):
        office = Office().deciding()
        later = {"decide_on": dt.date(2027, 7, 1)} if matter == "extend" else {}
        office.decide(matter, "first", "olu", "ana", *(["aki"] if later else []), **later)
    for why in ({"tail": "error"}, {"tail": "breach"}):
        office = Office().deciding()
        office.judge(why)
    office = Office().deciding()
    office.order("dee", "hold")
    office = Office().deciding(check_within_days=3000)
    office.file("2026-Q4", who=("ivo",), replaces=3, text="again")
    office = Office().deciding(check_within_days=3000)
    office.act("oki", "edit", {"plan": digest("other"), "terms": terms()})
    office.decide("amend", "", "olu", "ana", "aki")
    office = Office().deciding(check_within_days=3000, decide_within_days=30)
    office.day = dt.date(2027, 2, 20)
    assert office.shown().runs[0].state == "held"
    office = Office().deciding(check_within_days=3000, decide_within_days=3000)
    for quarter, day in (("2027-Q1", (4, 20)), ("2027-Q2", (7, 20)), ("2027-Q3", (10, 20))):
        office.day = dt.date(2027, *day)
        office.file(quarter)
    office.day = dt.date(2027, 12, 31)
    assert office.shown().runs[0].state == "rolling back"


def test_every_edge_of_the_table_is_taken_in_one_of_these_lives(monkeypatch: pytest.MonkeyPatch):
    taken: set[tuple[str, str]] = set()
    move = deadlines.moved

    def seen(run, cause, why, **rest):
        taken.add((run.state, cause))
        return move(run, cause, why, **rest)

    monkeypatch.setattr(deadlines, "moved", seen)
    for life in (
        cancelled,
        passed,
        held_of_every_kind_and_resumed,
        held_critical_and_resumed,
        rolled_back_alone_and_stuck_twice,
        active_to_the_end,
        decided_on_in_every_way,
    ):
        life()
    assert {(e.source, e.cause) for e in EDGES} - taken == set()


def test_there_is_no_act_or_decision_that_passes_the_table_by():
    """Every effect of a decision is one edge of a table, or a change of the plan."""
    assert set(MATTERS) == set(signing_off._EFFECTS)
