"""A signature counts while what it rests on is the same; then it is void, taken back, or used up."""

from __future__ import annotations

import datetime as dt

import pytest

from office import PASSING, WORDS, Office, digest, terms
from poundlock.rollout.machine.decisions import MATTERS
from poundlock.rollout.refusal import Refused
from test_rollout_decisions import QUIET, to_pass


def changes_of_a_decision() -> list:
    file_again = lambda o: o.file("2026-Q4", who=("ivo",), replaces=7, text="again")  # noqa: E731
    return [
        ("a check", lambda o: o.judge(PASSING)),
        ("a return", file_again),
        ("an incident", lambda o: o.act("olu", "report", QUIET)),
        ("a consent that ends", lambda o: o.act("uma", "withdraw-consent", {"why": WORDS})),
        ("an order", lambda o: o.order("dee", "hold")),
        ("the calendar", lambda o: setattr(o, "day", dt.date(2027, 4, 30))),
    ]


@pytest.mark.parametrize("change", changes_of_a_decision(), ids=lambda c: c[0])
def test_whatever_changes_under_a_decision_voids_its_signatures(change):
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    office.approve(id, "ana")
    change[1](office)
    with pytest.raises(
        Refused, match=rf"decision '{id}' is void, because what it rests on changed \(entry \d+; .*propose"
    ):
        office.approve(id, "aki")


def test_a_change_of_the_plan_voids_what_was_signed_of_a_run():
    office = Office().running()
    office.act("oki", "edit", {"plan": digest("plan 2"), "terms": terms()})
    id = office.propose("roll-back", "first", "olu")
    office.decide("amend", "", "olu", "ana", "aki")
    with pytest.raises(Refused, match="is void"):
        office.approve(id, "ana")


def test_what_the_calendar_did_since_voids_even_what_could_still_be_done():
    """Roll back was proposed of an active run; it is held when the second person signs."""
    office = Office().running()
    id = office.propose("roll-back", "first", "olu")
    office.day = dt.date(2026, 5, 1)
    with pytest.raises(Refused, match=r"is void, because what it rests on changed .*held since 2026-05-01"):
        office.approve(id, "ana")
    assert office.shown().runs[0].state == "held"


def test_what_changes_before_the_start_voids_the_start():
    for actor, act, body in (("uma", "withdraw-consent", {"why": WORDS}), ("olu", "report", QUIET)):
        office = Office().approved()
        office.day = dt.date(2026, 1, 1)
        office.act("olu", "open", {"stage": "first"})
        office.judge({"tail": "pass"}, by="oki")
        id = office.propose("start", "first", "olu")
        office.act(actor, act, body)
        with pytest.raises(Refused, match="is void"):
            office.approve(id, "ana")


def test_another_draft_voids_what_was_signed_of_the_first():
    office = Office().running()
    office.act("oki", "edit", {"plan": digest("plan 2"), "terms": terms()})
    id = office.propose("amend", "", "olu")
    office.act("oki", "edit", {"plan": digest("plan 3"), "terms": terms()})
    with pytest.raises(Refused, match=rf"'{id}' is void, because what it rests on changed \(entry \d+; running since"):
        office.approve(id, "ana")


def test_a_void_decision_is_proposed_anew_and_the_oldest_are_forgotten():
    office = to_pass()
    ids = []
    for _ in range(22):
        ids.append(office.propose("pass", "first", "olu"))
        office.judge(PASSING)
    office.propose("pass", "first", "olu")
    assert len(office.programme.proposals) == 21
    with pytest.raises(Refused, match=r"no decision 'pass-.*' waits; waiting are: pass-"):
        office.approve(ids[0], "ana")
    with pytest.raises(Refused, match="is void"):
        office.approve(ids[-1], "ana")


def test_a_proposal_is_retracted_by_who_made_it_or_by_anybody_once_they_left():
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match=f"decision '{id}' asks the same; sign that one, or let olu retract it"):
        office.propose("pass", "first", "ana")
    with pytest.raises(Refused, match="olu proposed it, and only they can retract it"):
        office.act("ana", "retract", {"decision": id})
    office.act("ada", "leave", {"person": "olu"}, object="people")
    office.act("ana", "retract", {"decision": id})
    with pytest.raises(Refused, match=f"'{id}' is void, retracted by ana"):
        office.approve(id, "aki")
    office.decide("pass", "first", "oki", "ana", "aki")
    assert office.run().state == "passed"


def test_the_name_of_a_decision_is_used_once():
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match=r"there is a decision .* already; give this one another name"):
        office.propose("extend", "first", "olu", id=id, decide_on=dt.date(2027, 6, 1))
    taken = office.programme.decided[-1]
    with pytest.raises(Refused, match="already"):
        office.propose("extend", "first", "olu", id=taken, decide_on=dt.date(2027, 6, 1))


def test_a_decision_is_one_of_those_that_there_are_and_on_what_it_is_of():
    office = to_pass()
    with pytest.raises(Refused, match="there is no decision 'skip'; there are: approve, reject"):
        office.propose("skip", "first", "olu")
    with pytest.raises(Refused, match="on a run of a stage; name it, as delta/1"):
        office.propose("pass", "", "olu")
    with pytest.raises(Refused, match="on the programme; leave the run out"):
        office.propose("amend", "first", "olu")
    with pytest.raises(Refused, match="no changed plan waits"):
        office.propose("amend", "", "olu")
    with pytest.raises(Refused, match="'start' does not lead out of it; what does: pass, extend, finish"):
        office.propose("start", "first", "olu")
    assert all(m.asks for m in MATTERS.values())
