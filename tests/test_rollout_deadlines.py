"""What the calendar does by itself: on the day and not before, whatever day of the week, and the same however often one asks."""

from __future__ import annotations

import datetime as dt
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from office import PASSING, WORDS, Office, digest, terms
from poundlock.rollout.machine import book, deadlines, doubts, owed
from poundlock.rollout.machine.programme import Programme, with_run
from poundlock.rollout.refusal import Refused

FIRST, LAST = dt.date(2026, 1, 1), dt.date(2029, 6, 30)


def state_on(office: Office, *day: int) -> str:
    return deadlines.on(office.programme, dt.date(*day)).runs[-1].state


def waived(kind: str = "inconclusive", until: dt.date = dt.date(2026, 3, 31), **changes: object) -> Office:
    """Running under a waiver for the tail."""
    office = Office().running(**changes)
    office.judge({"tail": kind, "arrears": "pass"})
    assert office.run().check is not None
    waiver = {"check": office.run().check.entry, "metric": "tail", "until": until}
    critical = office.run().state == "held critical"
    office.decide("resume", "first", "olu", "ana", "aki", *(["rio"] if critical else []), waivers=(waiver,))
    return office


def one_return_waived() -> Office:
    office = Office().running()
    office.day = dt.date(2026, 5, 1)
    names = [f"outcomes/{b}-bank/2026-Q1" for b in ("first", "second")]
    waivers = [{"check": 0, "metric": n, "until": dt.date(2026, 12, 31)} for n in names]
    office.decide("resume", "first", "olu", "ana", "aki", waivers=waivers)
    return office


def rolling_back() -> Office:
    office = Office().running()
    office.decide("roll-back", "first", "olu", "ana")
    return office


@cache
def stands() -> tuple[Programme, ...]:
    """Programmes in every state of a run, and after every act that led there."""
    critical = tuple(m.model_copy(update={"without_data": "hold critical"}) for m in terms().metrics)
    lives = [
        Office().deciding(),
        Office().deciding(check_within_days=900),
        waived(),
        waived("no data", metrics=critical),
        one_return_waived(),
        rolling_back(),
    ]
    decided = Office().deciding()
    decided.judge(PASSING)
    decided.decide("pass", "first", "olu", "ana", "aki")
    decided.act("olu", "open", {"stage": "second"})
    held = Office().running()
    held.judge({"tail": "breach"})
    notice = Office().found()
    lives += [decided, held, notice]
    found: list[Programme] = []
    for office in lives:
        again = Office(number=0)
        for _, at, actor, role, act, object, body in office.log:
            again.day = dt.date.fromisoformat(at[:10])
            again.act(actor, act, body_of(act, body), object=object, role=role)
            if object != "people":
                found.append(again.programme)
    return tuple({book.dump(p): p for p in found if p.runs or p.life == "public notice"}.values())


def body_of(act: str, body: dict) -> dict:
    """A payload as it was given: tuples and days, as JSON has neither."""
    return dict(book.body_of(act, body))


@settings(max_examples=400, deadline=None)
@given(st.data(), st.dates(FIRST, LAST), st.dates(FIRST, LAST))
def test_to_ask_on_the_way_changes_nothing(data, one, other):
    p = data.draw(st.sampled_from(stands()))
    early, late = sorted((max(one, p.at), max(other, p.at)))
    assert deadlines.on(deadlines.on(p, early), late) == deadlines.on(p, late)
    assert deadlines.on(deadlines.on(p, late), late) == deadlines.on(p, late)
    assert deadlines.on(deadlines.on(p, late), early) == deadlines.on(p, late)


def test_to_ask_every_day_changes_nothing():
    """Compared about each day on which something happens by itself: a day too soon or too late would show."""
    for p in stands():
        daily, happened = p, {p.at}
        by_day = {p.at: p}
        while daily.at < p.at + dt.timedelta(750):
            before, daily = daily, deadlines.on(daily, daily.at + dt.timedelta(1))
            by_day[daily.at] = daily
            if [r.since for r in daily.runs] != [r.since for r in before.runs]:
                happened.add(daily.at)
        for day in happened:
            for near in (day - dt.timedelta(1), day, day + dt.timedelta(1)):
                assert near < p.at or deadlines.on(p, near) == by_day[near], near


def test_these_are_programmes_in_every_state_that_time_can_change():
    seen = {r.state for p in stands() for r in p.runs} | {
        deadlines.on(p, LAST).runs[-1].state for p in stands() if p.runs
    }
    assert seen >= {"pending", "active", "deciding", "held", "held critical", "rolling back", "stuck", "passed"}


def test_the_window_closes_on_its_day_though_it_is_a_holiday_or_a_sunday():
    office = Office().running(returns=())
    assert office.run().decide_on == dt.date(2027, 1, 1)
    assert (state_on(office, 2026, 12, 31), state_on(office, 2027, 1, 1)) == ("active", "deciding")
    stage = terms().stages[0].model_copy(update={"shortest_stay_days": 367})
    office = Office().running(returns=(), stages=(stage, terms().stages[1]))
    sunday = office.run().decide_on
    assert sunday is not None
    assert sunday.isoweekday() == 7
    assert deadlines.on(office.programme, sunday).runs[0].since == sunday


def test_a_return_that_is_overdue_holds():
    office = Office().running()
    assert (state_on(office, 2026, 4, 30), state_on(office, 2026, 5, 1)) == ("active", "held")
    held = deadlines.on(office.programme, dt.date(2026, 8, 1)).runs[0]
    assert held.since == dt.date(2026, 5, 1)
    assert held.why == "outcomes/first-bank/2026-Q1: overdue return; outcomes/second-bank/2026-Q1: overdue return"


def test_the_next_return_holds_though_the_one_before_was_waived():
    office = one_return_waived()
    assert (state_on(office, 2026, 7, 30), state_on(office, 2026, 7, 31)) == ("active", "held")


def test_a_check_grows_stale():
    office = Office().running(returns=())
    assert (state_on(office, 2027, 2, 5), state_on(office, 2027, 2, 6)) == ("deciding", "held")
    office.day = dt.date(2026, 6, 1)
    office.judge({"tail": "pass", "arrears": "pass"})
    assert state_on(office, 2027, 2, 6) == "deciding"
    for days, state in ((400, "active"), (401, "held")):
        short = Office().running(returns=(), stages=(terms().stages[0].model_copy(update={"shortest_stay_days": 600}),))
        assert deadlines.on(short.programme, FIRST + dt.timedelta(days)).runs[0].state == state


def test_a_waiver_runs_out():
    office = waived()
    assert (state_on(office, 2026, 3, 31), state_on(office, 2026, 4, 1)) == ("active", "held")


def test_a_waiver_of_missing_data_that_holds_critically_runs_out_into_held_critical():
    critical = tuple(m.model_copy(update={"without_data": "hold critical"}) for m in terms().metrics)
    office = waived("no data", metrics=critical)
    assert (state_on(office, 2026, 3, 31), state_on(office, 2026, 4, 1)) == ("active", "held critical")


def test_a_decision_waits_only_so_long():
    office = Office().deciding(check_within_days=900)
    for period, day in (("2027-Q1", (2027, 4, 15)),):
        office.day = dt.date(*day)
        office.file(period)
    assert (state_on(office, 2027, 4, 20), state_on(office, 2027, 4, 21)) == ("deciding", "held")
    assert deadlines.on(office.programme, dt.date(2027, 4, 21)).runs[0].why == "not decided within 90 days"


def test_the_end_date_rolls_back():
    office = Office().running()
    assert (state_on(office, 2027, 12, 30), state_on(office, 2027, 12, 31)) == ("held", "rolling back")


def test_the_end_date_of_what_is_held_critical_rolls_back_too():
    office = Office().running()
    office.judge({"tail": "breach"})
    assert (state_on(office, 2027, 12, 30), state_on(office, 2027, 12, 31)) == ("held critical", "rolling back")


def test_unwinding_that_is_too_slow_is_stuck():
    office = rolling_back()
    assert (state_on(office, 2026, 6, 30), state_on(office, 2026, 7, 1)) == ("rolling back", "stuck")


def test_what_is_pending_or_over_waits_for_ever():
    office = Office().approved()
    office.act("olu", "open", {"stage": "first"})
    assert state_on(office, 2030, 1, 1) == "pending"
    office.act("olu", "cancel", {"run": "first", "why": WORDS})
    assert state_on(office, 2030, 1, 1) == "cancelled"


def test_a_breach_that_the_plan_lets_roll_back_does_so_at_once_and_another_waits_for_people():
    office = Office().running()
    office.judge({"arrears": "breach"})
    assert (office.run().state, office.run().why) == (
        "rolling back",
        "the plan allows immediate roll-back on this breach",
    )
    office = Office().running(pre_authorised=())
    office.judge({"arrears": "breach"})
    assert state_on(office, 2027, 12, 30) == "held critical"


@pytest.mark.parametrize("severity", ["minor", "major", "critical"])
def test_an_incident_holds_by_its_severity(severity: str):
    office = Office().running()
    office.act("dee", "report", {"kind": "outage", "severity": severity, "institution": "first-bank", "what": WORDS})
    assert office.run().state == {"minor": "active", "major": "held", "critical": "held critical"}[severity]


def test_success_that_cannot_be_shown_yet_does_not_hold_but_failure_does():
    office = Office().running()
    office.judge({"tail": "pass", "arrears": "pass", "growth": "inconclusive"})
    assert office.run().state == "active"
    office.judge({"tail": "pass", "arrears": "pass", "growth": "fail"})
    assert office.run().state == "held"


def test_a_guardrail_that_nobody_looked_at_after_the_start_is_no_data():
    office = Office().running()
    office.judge({"tail": "pass"})
    assert (office.run().state, office.run().why[:16]) == ("held", "arrears: no data")


def test_against_a_run_that_nobody_checked_stands_nothing_yet():
    office = Office().approved()
    office.act("olu", "open", {"stage": "first"})
    assert doubts.standing(office.programme, office.run(), office.day) == ()


def test_a_run_that_left_the_calendar_no_way_is_a_mistake_of_ours():
    run = Office().running().run()
    with pytest.raises(AssertionError, match="no way out of active on pass"):
        deadlines.moved(run, "pass", "", day=run.since, entry=1)


@pytest.mark.parametrize("stay", [729, 10**12])
def test_a_stage_that_could_only_end_by_its_end_date_is_not_started(stay):
    stage = terms().stages[0].model_copy(update={"shortest_stay_days": stay})
    with pytest.raises(Refused, match=f"ends on 2027-12-31, and its shortest stay is {stay} days; put a plan"):
        Office().running(returns=(), stages=(stage, terms().stages[1]))


def test_the_past_is_as_it_was():
    p = Office().running().programme
    assert deadlines.on(p, dt.date(2020, 1, 1)) == p
    assert with_run(p, p.runs[0]) == p
    assert owed.complete(p.runs[0]) is False
    assert digest("a") != digest("b")
