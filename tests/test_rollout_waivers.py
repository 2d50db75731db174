"""What two people may waive, and for how long; extensions, changed plans, revised ways to unwind."""

from __future__ import annotations

import datetime as dt

import pytest

from office import WORDS, Office, digest, terms
from poundlock.rollout.refusal import Refused
from test_rollout_decisions import QUIET, held, waiver

# waivers


def test_a_waiver_is_of_one_check_one_metric_and_until_a_day():
    office = held()
    office.decide("resume", "first", "olu", "ana", "aki", waivers=(waiver(office, until=dt.date(2026, 3, 31)),))
    assert office.run().state == "active"
    office.day = dt.date(2026, 3, 31)
    assert office.shown().runs[0].state == "active"
    office.day = dt.date(2026, 4, 1)
    assert office.shown().runs[0].state == "held"


def test_a_newer_check_is_not_waived_by_the_waiver_of_an_older():
    office = held()
    office.decide("resume", "first", "olu", "ana", "aki", waivers=(waiver(office),))
    office.judge({"tail": "inconclusive", "arrears": "pass"})
    assert office.run().state == "held"
    older = office.run().waivers[0]
    with pytest.raises(
        Refused, match=f"nothing stands against going on as tail of check {older.check}; leave that waiver"
    ):
        office.propose("resume", "first", "olu", waivers=(waiver(office, check=older.check),))
    with pytest.raises(Refused, match="against going on stands tail: inconclusive"):
        office.propose("resume", "first", "olu")


def test_only_what_says_nothing_can_be_waived():
    for kind in ("inconclusive", "no data", "error"):
        office = held(kind)
        office.decide("resume", "first", "olu", "ana", "aki", waivers=(waiver(office),))
        assert office.run().state == "active"
    office = held("fail")
    with pytest.raises(Refused, match=r"tail: fail .* cannot be waived"):
        office.propose("resume", "first", "olu", waivers=(waiver(office),))


def test_a_waiver_ends_between_today_and_the_end_of_the_stage():
    office = held()
    office.day = dt.date(2026, 2, 1)
    with pytest.raises(Refused, match="the waiver for tail ended on 2026-01-31; name a later day"):
        office.propose("resume", "first", "olu", waivers=(waiver(office, until=dt.date(2026, 1, 31)),))
    for until in (office.run().ends, dt.date(9999, 12, 31)):
        with pytest.raises(Refused, match="the stage ends on 2027-12-31; name a day before"):
            office.propose("resume", "first", "olu", waivers=(waiver(office, until=until),))


def test_waivers_that_ended_are_dropped_and_the_others_stay():
    office = held()
    office.decide("resume", "first", "olu", "ana", "aki", waivers=(waiver(office, until=dt.date(2026, 2, 1)),))
    office.day = dt.date(2026, 2, 2)
    again = waiver(office, until=dt.date(2026, 4, 30))
    office.decide("resume", "first", "olu", "ana", "aki", waivers=(again,))
    office.order("dee", "hold")
    office.decide("resume", "first", "olu", "ana", "aki")
    assert [w.until for w in office.run().waivers] == [dt.date(2026, 4, 30)]


def test_an_incident_cannot_be_waived_and_is_closed_instead():
    office = Office().running()
    office.act("ivo", "report", QUIET | {"severity": "major"})
    number = office.number
    assert office.run().state == "held"
    with pytest.raises(Refused, match=r"incident .* cannot be waived, .* or close the incident"):
        office.propose("resume", "first", "olu", waivers=(waiver(office, f"incident {number}", check=number),))
    office.act("olu", "close-incident", {"incident": number, "remedy": WORDS})
    office.decide("resume", "first", "olu", "ana", "aki")
    assert office.run().state == "active"


# extensions, revisions, amendments


def test_an_extension_names_a_later_day_and_an_end_after_it():
    office = Office().deciding()
    for day in (None, dt.date(2027, 1, 1), office.day):
        with pytest.raises(Refused, match="an extension names a later day to decide on than 2027-01-20"):
            office.propose("extend", "first", "olu", decide_on=day)
    for days in (
        {"decide_on": dt.date(2027, 12, 31)},
        {"decide_on": dt.date(2027, 6, 1), "ends": dt.date(2027, 7, 1)},
        {"decide_on": dt.date(2028, 6, 1), "ends": dt.date(2028, 6, 1)},
    ):
        with pytest.raises(Refused, match="the stage ends on 2027-12-31; name the same or a later end, and one after"):
            office.propose("extend", "first", "olu", **days)
    days = {"decide_on": dt.date(2028, 6, 1), "ends": dt.date(2028, 9, 1)}
    office.decide("extend", "first", "olu", "ana", "aki", **days)
    assert (office.run().decide_on, office.run().ends) == (days["decide_on"], days["ends"])


def amended(office: Office, ends: dt.date) -> Office:
    stage = terms().stages[0].model_copy(update={"ends": ends})
    office.act("oki", "edit", {"plan": digest(str(ends)), "terms": terms(stages=(stage, terms().stages[1]))})
    office.decide("amend", "", "olu", "ana", "aki")
    return office


def test_a_changed_plan_ends_a_run_sooner_and_never_later():
    assert amended(Office().running(), dt.date(2027, 6, 1)).run().ends == dt.date(2027, 6, 1)
    assert amended(Office().running(), dt.date(2028, 6, 1)).run().ends == dt.date(2027, 12, 31)
    office = Office().approved()
    office.act("olu", "open", {"stage": "first"})
    assert amended(office, dt.date(2028, 6, 1)).run().ends == dt.date(2028, 6, 1)


def test_an_extension_stands_under_a_changed_plan_that_does_not_speak_of_it():
    office = Office().deciding()
    office.decide("extend", "first", "olu", "ana", "aki", decide_on=dt.date(2028, 1, 1), ends=dt.date(2028, 6, 1))
    assert amended(office, dt.date(2027, 12, 31)).run().ends == dt.date(2028, 6, 1)
    assert amended(office, dt.date(2027, 11, 30)).run().ends == dt.date(2027, 11, 30)


def test_a_plan_in_force_keeps_the_stages_of_what_is_not_over():
    office = Office().running()
    without = terms(stages=terms().stages[1:])
    with pytest.raises(Refused, match="stage 'first' has a run that is not over and is not in the new plan; keep it"):
        office.act("oki", "edit", {"plan": digest("short"), "terms": without})
    office = Office().approved()
    office.act("oki", "edit", {"plan": digest("short"), "terms": without})
    office.act("olu", "open", {"stage": "first"})
    with pytest.raises(Refused, match="stage 'first' has a run that is not over"):
        office.propose("amend", "", "olu")


def test_a_locked_plan_is_changed_by_officers_and_by_whom_they_lent_their_role():
    office = Office().running()
    with pytest.raises(Refused, match="an officer may draft a change, which two other people must sign"):
        office.act("ivo", "edit", {"plan": digest("mine"), "terms": terms()})
    office.act("olu", "delegate", {"to": "ana", "role": "officer", "until": office.day}, object="people")
    office.act("ana", "edit", {"plan": digest("lent"), "terms": terms()}, role="officer")
    assert office.programme.draft is not None
    assert office.programme.draft.editor == "ana"


def test_a_revised_way_to_unwind_is_named():
    office = Office().running()
    office.decide("roll-back", "first", "olu", "ana")
    office.act("olu", "cannot-unwind", {"run": "first", "why": WORDS})
    with pytest.raises(Refused, match="a revised plan to unwind is named by its digest; give its file"):
        office.propose("revise", "first", "olu")
