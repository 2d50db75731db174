"""A signature counts while what it rests on is the same; then it is void, taken back, or used up."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from office import PASSING, WORDS, Office, digest, key_of, terms
from poundlock.rollout import signing
from poundlock.rollout.machine import signing_off
from poundlock.rollout.machine.decisions import MATTERS
from poundlock.rollout.machine.moment import Moment
from poundlock.rollout.refusal import Refused
from test_rollout_decisions import QUIET, to_pass


def changes_of_a_decision() -> list:
    file_again = lambda o: o.file("2026-Q4", who=("ivo",), replaces=7, text="again")  # noqa: E731
    return [
        ("a check", lambda o: o.judge(PASSING)),
        ("a return", file_again),
        ("an incident", lambda o: o.act("olu", "report", QUIET | {"severity": "major"})),
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
    for actor, act, body in (
        ("uma", "withdraw-consent", {"why": WORDS}),
        ("olu", "report", QUIET | {"severity": "major"}),
    ):
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
    with pytest.raises(Refused, match="was taken already, or has long been void"):
        office.approve(ids[0], "ana")
    with pytest.raises(Refused, match=r"there is a decision .* already"):
        office.propose("pass", "first", "olu", id=ids[0])
    with pytest.raises(Refused, match="no decision 'other' waits; waiting are: pass-"):
        office.approve("other", "ana")
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


def test_a_minor_incident_voids_nothing():
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    office.act("olu", "report", QUIET)
    office.approve(id, "ana")
    office.approve(id, "aki")
    assert office.run().state == "passed"


@pytest.mark.parametrize("change", ["leaves", "has another key", "has an interest", "has another role"])
def test_who_may_no_longer_sign_does_not_count_any_more(change):
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    same = {"person": "olu", "agency": "bureau", "roles": ("officer",), "key": office.people.persons["olu"].key}
    if change == "leaves":
        office.act("ada", "leave", {"person": "olu"}, object="people")
    elif change == "has another key":
        office.act("ada", "enrol", same | {"key": signing.public_of(key_of("olu anew"))}, object="people")
    elif change == "has an interest":
        office.act("ada", "enrol", same | {"ties": ("first-bank",)}, object="people")
    else:
        office.act("ada", "enrol", same | {"roles": ("approver",)}, object="people")
    with pytest.raises(Refused, match=f"olu, who signed '{id}', may no longer sign it; let it be retracted"):
        office.approve(id, "ana")


def test_a_signature_counts_in_one_register_and_once():
    office, twin = Office().running(), Office().running()
    twin.states["people"] = replace(twin.people, key=signing.public_of(key_of("another register")))
    twin.propose("roll-back", "first", "olu", id="back")
    with pytest.raises(Refused, match="the signature is not olu's"):
        office.act("olu", "propose", twin.log[-1][-1])
    lent = {"to": "oki", "role": "officer", "until": dt.date(2026, 3, 1)}
    office.act("olu", "delegate", lent, object="people")
    with pytest.raises(Refused, match="the signature is not olu's"):
        office.act("olu", "delegate", office.log[-1][-1], object="people")


def test_nobody_is_enrolled_by_who_has_not_the_administrator_s_key():
    office = Office().found()
    body = {"person": "new", "agency": "bureau", "roles": ("approver",), "key": signing.public_of(key_of("new"))}
    with pytest.raises(Refused, match="the signature is not ada's"):
        office.act("ada", "enrol", body | {"signature": "A" * 88}, object="people")
    own = body | {"key": office.people.key}
    with pytest.raises(Refused, match="the register itself is enrolled with the same key"):
        office.act("ada", "enrol", own, object="people")


@pytest.mark.parametrize(
    ("matter", "details"),
    [
        ("roll-back", {"waivers": [{"check": 1, "metric": "tail", "until": "2026-02-01"}]}),
        ("finish", {"ends": "2027-01-01"}),
        ("roll-back", {"decide_on": "2027-01-01"}),
        ("resume", {"unwind": "0" * 64}),
    ],
)
def test_a_decision_says_nothing_that_it_does_not_mean(matter, details):
    office = Office().running()
    with pytest.raises(Refused, match=f"'{matter}' takes .* from nobody"):
        office.propose(matter, "first", "olu", **details)


def test_what_is_next_is_told_with_what_stands_against_it():
    office = Office().approved()
    office.day = dt.date(2026, 1, 1)
    office.act("olu", "open", {"stage": "first"})
    at = Moment(office.people, office.people.persons["olu"], office.day, 0)
    assert signing_off.obstacle(at, office.programme, office.run()) == (
        "start",
        "run first/1 was not checked; no evidence is never a pass; enter a check",
    )
    office.judge({"tail": "pass"}, by="oki")
    assert signing_off.obstacle(at, office.programme, office.run()) == ("start", "")
    office.decide("start", "first", "olu", "ana", "aki")
    assert signing_off.obstacle(at, office.programme, office.run()) is None


def test_the_same_evidence_is_no_newer_check_after_returns_came_in():
    office = Office().deciding()
    office.judge(PASSING, evidence="panel")
    office.file("2026-Q4", who=("ivo",), replaces=7, text="again")
    with pytest.raises(Refused, match="this is the same evidence; run it again on all of it"):
        office.judge(PASSING, evidence="panel")
    office.judge(PASSING, evidence="panel with the return")


def test_a_role_lent_by_who_may_not_sign_does_not_count():
    office = to_pass()
    tied = {"person": "aki", "agency": "commission", "roles": ("approver",), "key": office.people.persons["aki"].key}
    office.act("ada", "enrol", tied | {"ties": ("first-bank",)}, object="people")
    office.act("aki", "delegate", {"to": "rio", "role": "approver", "until": office.day}, object="people")
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match="was delegated by aki, who may not sign this; another person must"):
        office.approve(id, "rio")


def test_a_refusal_says_what_lifts_each_thing_that_stands_against_it():
    office = Office().running()
    office.act("ivo", "report", QUIET | {"severity": "major"})
    number = office.number
    with pytest.raises(Refused, match=rf"against going on stands incident {number} is open \(close the incident\)"):
        office.propose("resume", "first", "olu")
    stale = Office().running(check_within_days=30, returns=())
    stale.day += dt.timedelta(31)
    with pytest.raises(Refused, match=r"check: stale \(enter a new check\)"):
        stale.propose("resume", "first", "olu")


def test_an_incident_is_at_an_institution_that_takes_part():
    office = Office().running()
    with pytest.raises(Refused, match="rival takes no part in programme lending; there are: first-bank, second-bank"):
        office.act("olu", "report", QUIET | {"institution": "rival"})


def test_a_decision_before_its_time_is_told_when_it_may_be_taken():
    office = Office().running()
    with pytest.raises(Refused, match="it may be decided on from 2027-01-01, once every return until then is in"):
        office.propose("pass", "first", "olu")


def test_a_lent_role_counts_while_its_lender_lends_it():
    for change in ("leaves", "lends no more", "has an interest"):
        office = to_pass()
        until = office.day if change == "lends no more" else office.day + dt.timedelta(30)
        office.act("ana", "delegate", {"to": "dee", "role": "approver", "until": until}, object="people")
        id = office.propose("pass", "first", "olu")
        office.approve(id, "dee")
        if change == "leaves":
            office.act("ada", "leave", {"person": "ana"}, object="people")
        elif change == "lends no more":
            office.day += dt.timedelta(1)
        else:
            tied = {
                "person": "ana",
                "agency": "bureau",
                "roles": ("approver",),
                "key": office.people.persons["ana"].key,
            }
            office.act("ada", "enrol", tied | {"ties": ("first-bank",)}, object="people")
        with pytest.raises(Refused, match=f"dee, who signed '{id}', may no longer sign it; let it be retracted"):
            office.approve(id, "aki")


def test_a_decision_that_somebody_may_no_longer_sign_does_not_bar_the_way():
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    office.approve(id, "ana")
    auditor = {"person": "olu", "agency": "bureau", "roles": ("auditor",), "key": office.people.persons["olu"].key}
    office.act("ada", "enrol", auditor, object="people")
    office.act("oki", "retract", {"decision": id})
    office.decide("pass", "first", "oki", "ana", "aki")
    assert office.run().state == "passed"
