"""From a draft to the end of a programme, and one stage after the other."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import pytest

from office import DECLARATION, OBJECT, PASSING, WORDS, Office, digest, terms
from poundlock.rollout.machine.life import EDITABLE, ENDED, LIFE_EDGES, Life, life_edge
from poundlock.rollout.refusal import Refused

WHY = {"why": WORDS}


def declared() -> Office:
    office = Office().found()
    office.act("ivo", "declare", {"declaration": DECLARATION, "plan": digest("plan"), "terms": terms()})
    return office


def decision() -> Office:
    office = declared()
    for actor, act in (("ivo", "submit"), ("olu", "accept"), ("olu", "publish")):
        office.act(actor, act)
    office.day += dt.timedelta(31)
    return office


def passed_once() -> Office:
    office = Office().deciding()
    office.judge(PASSING)
    office.decide("pass", "first", "olu", "ana", "aki")
    return office


def all_passed() -> Office:
    """One stage only, and it was passed."""
    office = Office().deciding(stages=terms().stages[:1])
    office.judge(PASSING)
    office.decide("pass", "first", "olu", "ana", "aki")
    office.act("olu", "review")
    return office


def test_every_part_of_the_life_can_be_reached_and_nothing_leads_out_of_its_end():
    found = {"draft"}
    while more := {e.target for e in LIFE_EDGES if e.source in found} - found:
        found |= more
    assert found == set(get_args(Life))
    assert {e.source for e in LIFE_EDGES} == found - ENDED
    assert len({(e.source, e.cause) for e in LIFE_EDGES}) == len(LIFE_EDGES)
    assert all(life_edge(e.source, e.cause) is e for e in LIFE_EDGES)


def test_going_on_takes_two_people_everywhere():
    going_on = {(e.cause, e.by) for e in LIFE_EDGES if e.target in ("approved", "running", "adopted")}
    assert going_on == {("approve", "two people"), ("start", "two people"), ("adopt", "two people")}


def test_comments_are_taken_until_the_notice_is_over_and_the_decision_follows_by_the_calendar():
    office = declared()
    office.act("ivo", "submit")
    office.act("olu", "accept")
    with pytest.raises(Refused, match="comments are taken during the public notice"):
        office.act("olu", "comment", {"by": "someone", "text": WORDS})
    office.act("olu", "publish")
    office.act("olu", "comment", {"by": "someone", "text": WORDS})
    office.day += dt.timedelta(30)
    assert office.shown().life == "public notice"
    office.day += dt.timedelta(1)
    assert (office.shown().life, office.shown().since) == ("decision", office.day)


def test_nobody_decides_during_the_notice():
    office = declared()
    for actor, act in (("ivo", "submit"), ("olu", "accept"), ("olu", "publish")):
        office.act(actor, act)
    with pytest.raises(Refused, match="the public may comment until 2025-10-31; nobody can decide before"):
        office.propose("approve", "", "olu")


def test_the_applicant_edits_while_it_may_and_nobody_else():
    office = declared()
    office.act("ivo", "edit", {"plan": digest("plan 2"), "terms": terms()})
    assert office.programme.plan == digest("plan 2")
    with pytest.raises(Refused, match="programme lending is first-bank's; only its people may do this"):
        office.act("uma", "edit", {"plan": digest("plan 3"), "terms": terms()})
    with pytest.raises(Refused, match="is first-bank's"):
        office.act("uma", "submit")
    with pytest.raises(Refused, match="is of programme 'other', not of 'lending'"):
        office.act("ivo", "edit", {"plan": digest("plan 3"), "terms": terms(id="other")})
    office.act("ivo", "submit")
    with pytest.raises(Refused, match="locked while the programme is 'submitted'; what leads on: accept, return"):
        office.act("ivo", "edit", {"plan": digest("plan 3"), "terms": terms()})
    assert office.programme.life not in EDITABLE


def test_a_returned_programme_is_submitted_anew():
    office = decision()
    office.act("olu", "return", WHY)
    assert office.programme.life == "returned"
    office.act("ivo", "submit")
    assert office.programme.life == "submitted"


def test_rejecting_takes_two_people_and_ends_it():
    office = decision()
    office.decide("reject", "", "olu", "ana")
    assert office.programme.life == "rejected"
    with pytest.raises(Refused, match="is 'rejected'; nothing can be done in it any more"):
        office.act("ivo", "submit")


def test_the_applicant_may_withdraw_until_a_stage_runs():
    office = Office().approved()
    office.act("olu", "open", {"stage": "first"})
    with pytest.raises(Refused, match="run first/1 is not over; an officer must cancel it first"):
        office.act("ivo", "withdraw", WHY)
    office.act("olu", "cancel", {"run": "first", "why": WORDS})
    office.act("ivo", "withdraw", WHY)
    assert office.programme.life == "withdrawn"
    running = Office().running()
    running.decide("roll-back", "first", "olu", "ana")
    running.act("olu", "unwound", {"run": "first", "evidence": digest("none left")})
    with pytest.raises(Refused, match=r"'withdraw' does not lead on from there; what does: start|review"):
        running.act("ivo", "withdraw", WHY)


def test_a_stage_is_opened_after_the_one_before_was_passed_and_once_at_a_time():
    office = declared()
    with pytest.raises(Refused, match="is 'draft'; a stage may be opened once it is approved"):
        office.act("olu", "open", {"stage": "first"})
    office = Office().approved()
    with pytest.raises(Refused, match="stage 'first' was not passed; it comes before 'second'"):
        office.act("olu", "open", {"stage": "second"})
    with pytest.raises(Refused, match="no stage 'third'; there are: first, second"):
        office.act("olu", "open", {"stage": "third"})
    office.act("olu", "open", {"stage": "first"})
    with pytest.raises(Refused, match="run first/1 is 'pending'; one run at a time"):
        office.act("olu", "open", {"stage": "first"})
    office = passed_once()
    with pytest.raises(Refused, match="stage 'first' was passed already; open the next one"):
        office.act("olu", "open", {"stage": "first"})
    office.act("olu", "open", {"stage": "second"})
    assert office.run().id == "second/1"
    office.judge({"tail": "pass"}, by="oki")
    office.decide("start", "second", "olu", "ana", "aki")
    assert (office.programme.life, office.run().state) == ("running", "active")


def test_a_new_try_is_a_new_run():
    office = Office().running()
    office.decide("roll-back", "first", "olu", "ana")
    office.act("olu", "unwound", {"run": "first", "evidence": digest("none left")})
    office.act("olu", "open", {"stage": "first"})
    assert [(r.id, r.state) for r in office.programme.runs] == [("first/1", "rolled back"), ("first/2", "pending")]
    assert office.run("first").id == "first/2"
    with pytest.raises(Refused, match="no run 'third' in programme lending; there are: first/1, first/2"):
        office.judge({"tail": "pass"}, run="third")


def test_a_stage_starts_between_its_days_on_fresh_evidence_of_its_limits():
    office = Office().approved(check_within_days=100)
    office.act("olu", "open", {"stage": "first"})
    with pytest.raises(Refused, match="starts on 2026-01-01 at the earliest; propose it then"):
        office.propose("start", "first", "olu")
    office.day = dt.date(2026, 1, 1)
    with pytest.raises(Refused, match="no evidence is never a pass; enter a check"):
        office.propose("start", "first", "olu")
    office.judge({"mood": "pass"})
    with pytest.raises(Refused, match=r"against it stands tail: no data .*to start takes evidence that passes"):
        office.propose("start", "first", "olu")
    office.judge({"tail": "pass", "arrears": "breach"})
    with pytest.raises(Refused, match="arrears: breach"):
        office.propose("start", "first", "olu")
    office.judge({"tail": "pass", "arrears": "no data"})
    office.propose("start", "first", "olu", id="kept")
    office.day += dt.timedelta(101)
    with pytest.raises(Refused, match="speaks of 2026-01-01, more than 100 days ago; enter a newer one"):
        office.approve("kept", "ana")
    office.day = dt.date(2027, 12, 31)
    with pytest.raises(Refused, match="ended on 2027-12-31; put a changed plan in force first"):
        office.approve("kept", "ana")


def test_a_check_made_before_the_start_cannot_pass_a_stage_even_of_no_length():
    at_once = terms().stages[0].model_copy(update={"shortest_stay_days": 0})
    office = Office().running(returns=(), stages=(at_once, terms().stages[1]))
    assert office.run().state == "deciding"
    with pytest.raises(Refused, match="no check of run first/1 was made after its start"):
        office.propose("pass", "first", "olu")


def test_the_exit_review_waits_for_every_run_and_adopts_only_what_was_passed():
    office = Office().running()
    with pytest.raises(Refused, match="every run must be over before the exit review"):
        office.act("olu", "review")
    office = passed_once()
    office.act("olu", "review")
    with pytest.raises(Refused, match=r"stage 'second' was not passed; .* wind it down"):
        office.propose("adopt", "", "olu")
    office.decide("wind-down", "", "olu", "ana")
    office.act("olu", "close", WHY)
    assert office.programme.life == "closed"


def test_what_was_passed_is_adopted_unless_an_incident_is_open():
    office = all_passed()
    office.act("olu", "report", {"kind": "cyber", "severity": "minor", "institution": "first-bank", "what": WORDS})
    office.act("olu", "report", {"kind": "cyber", "severity": "major", "institution": "first-bank", "what": WORDS})
    incident = office.number
    with pytest.raises(Refused, match=f"incident {incident} is open; an officer must close it"):
        office.propose("adopt", "", "olu")
    office.act("olu", "close-incident", {"incident": incident, "remedy": WORDS})
    office.decide("adopt", "", "olu", "ana", "aki")
    assert office.programme.life == "adopted"
    office.act("olu", "close", WHY)


def test_a_draft_of_a_plan_cannot_come_into_force_in_the_exit_review():
    """Or the stages that were not passed could be struck out first."""
    office = passed_once()
    office.act("oki", "edit", {"plan": digest("short"), "terms": terms(stages=terms().stages[:1])})
    office.act("olu", "review")
    with pytest.raises(Refused, match="is 'exit review'; its plan may be changed only once approved or while running"):
        office.propose("amend", "", "olu")


def test_time_does_not_go_back():
    office = Office().running()
    office.day -= dt.timedelta(1)
    with pytest.raises(Refused, match="stands as of 2026-01-01, and this is of 2025-12-31; correct the clock"):
        office.act("olu", "review")
    assert OBJECT in office.states
