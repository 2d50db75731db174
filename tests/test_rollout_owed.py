"""Returns: what is owed by whom from which period on, what is late, and the periods themselves."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office import WORDS, Office, digest, terms
from poundlock.rollout.machine import owed, periods
from poundlock.rollout.machine.periods import MONTHS
from poundlock.rollout.refusal import Refused

EVERY = st.sampled_from(sorted(MONTHS))
DAYS = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
QUARTERS = (("2026-Q1", (2026, 4, 20)), ("2026-Q2", (2026, 7, 20)), ("2026-Q3", (2026, 10, 20)))


def joined(office: Office, bank: str, day: dt.date) -> None:
    office.day = day
    office.act(bank, "consent", {"stages": ("first",)})


def left(office: Office, bank: str, day: dt.date) -> None:
    office.day = day
    office.act(bank, "withdraw-consent", {"why": WORDS})


def duties(office: Office, bank: str) -> list[tuple[str, str | None]]:
    """First and last period owed."""
    return [
        (periods.text(f.first, f.every), None if f.stops is None else periods.text(f.stops, f.every))
        for f in office.run().filings
        if f.institution == bank
    ]


# periods


@given(DAYS, EVERY)
def test_a_day_is_in_its_period_and_its_period_is_written_and_read(day, every):
    number = periods.containing(day, every)
    assert periods.first_day(number, every) <= day <= periods.last_day(number, every)
    assert periods.last_day(number, every) + dt.timedelta(1) == periods.first_day(number + 1, every)
    assert periods.index(periods.text(number, every), every) == number


@given(DAYS, EVERY)
def test_the_first_period_from_a_day_begins_then_or_next(day, every):
    first = periods.first_from(day, every)
    assert periods.first_day(first, every) >= day > periods.first_day(first - 1, every)


@given(DAYS, EVERY)
def test_the_last_period_within_a_day_has_ended(day, every):
    last = periods.last_within(day, every)
    assert periods.last_day(last, every) <= day < periods.last_day(last + 1, every)


@pytest.mark.parametrize(
    ("text", "every"), [("2026-13", "month"), ("2026-Q5", "quarter"), ("2026-01", "year"), ("2026", "quarter")]
)
def test_a_period_of_another_form_is_named(text, every):
    with pytest.raises(ValueError, match=f"period '{text}'; expected one like 2026"):
        periods.index(text, every)


def test_periods_read_like_this():
    assert [periods.text(periods.containing(dt.date(2026, 5, 9), e), e) for e in ("month", "quarter", "year")] == [
        "2026-05",
        "2026-Q2",
        "2026",
    ]


# what is owed


def test_returns_are_owed_from_the_first_period_that_begins_after_the_start():
    office = Office().running()
    assert duties(office, "first-bank") == [("2026-Q1", None)]
    joined_late = Office().approved()
    joined_late.day = dt.date(2026, 1, 2)
    joined_late.act("olu", "open", {"stage": "first"})
    joined_late.judge({"tail": "pass"}, by="oki")
    joined_late.decide("start", "first/1", "olu", "ana", "aki")
    assert duties(joined_late, "first-bank") == [("2026-Q2", None)]


def test_a_consent_is_to_stages_that_there_are_and_given_once():
    office = Office().running()
    with pytest.raises(Refused, match="no stage 'third'; there are: first, second"):
        office.act("uma", "consent", {"stages": ("third",)})
    with pytest.raises(Refused, match="second-bank has consented to stage 'first' already; leave it out"):
        office.act("uma", "consent", {"stages": ("first",)})
    left(office, "uma", office.day)
    with pytest.raises(Refused, match="second-bank takes no part; there is nothing to withdraw"):
        office.act("uma", "withdraw-consent", {"why": WORDS})
    office.act("uma", "consent", {"stages": ("second",)})
    assert duties(office, "second-bank") == [("2026-Q1", "2026-Q1")]


def test_who_leaves_owes_the_period_in_which_it_left_and_no_later():
    office = Office().running()
    left(office, "uma", dt.date(2026, 5, 5))
    assert duties(office, "second-bank") == [("2026-Q1", "2026-Q2")]
    assert duties(office, "first-bank") == [("2026-Q1", None)]
    office.day = dt.date(2026, 7, 20)
    office.file("2026-Q1", who=("uma",))
    office.file("2026-Q2", who=("uma",))
    assert [owed.due(f) for f in office.run().filings if f.institution == "second-bank"] == [None]
    with pytest.raises(
        Refused, match="owes 'outcomes' from 2026-Q1 to 2026-Q2 in stage first; 2026-Q3 is not among them"
    ):
        office.file("2026-Q3", who=("uma",))


def test_who_joins_and_leaves_within_a_period_owes_nothing():
    office = Office().running()
    left(office, "uma", dt.date(2026, 2, 1))
    joined(office, "uma", dt.date(2026, 4, 2))
    left(office, "uma", dt.date(2026, 5, 1))
    assert duties(office, "second-bank") == [("2026-Q1", "2026-Q1")]


def test_who_comes_back_owes_again_and_can_file_both():
    """With a gap, without one, and on the first day of a quarter."""
    for left_on, back_on, first in (
        ((2026, 2, 1), (2026, 7, 15), "2026-Q4"),
        ((2026, 2, 1), (2026, 2, 1), "2026-Q2"),
        ((2026, 4, 1), (2026, 4, 1), "2026-Q3"),
    ):
        office = Office().running()
        left(office, "uma", dt.date(*left_on))
        joined(office, "uma", dt.date(*back_on))
        stops = "2026-Q2" if left_on[1] == 4 else "2026-Q1"
        assert duties(office, "second-bank") == [("2026-Q1", stops), (first, None)]
        office.day = dt.date(2027, 2, 1)
        for period in ("2026-Q1", first):
            office.file(period, who=("uma",))
        assert [f.through >= f.first for f in office.run().filings if f.institution == "second-bank"] == [True, True]


def test_who_comes_back_under_another_frequency_files_in_its_form():
    office = Office().running()
    left(office, "uma", dt.date(2026, 2, 1))
    monthly = terms(returns=({"kind": "outcomes", "every": "month", "due_days": 10},))
    office.act("oki", "edit", {"plan": digest("monthly"), "terms": monthly})
    office.decide("amend", "", "olu", "ana", "aki")
    joined(office, "uma", dt.date(2026, 2, 1))
    assert duties(office, "second-bank") == [("2026-Q1", "2026-Q1"), ("2026-04", None)]
    office.day = dt.date(2026, 5, 5)
    office.file("2026-04", who=("uma",))
    with pytest.raises(Refused, match="period 'spring'; expected one like 2026-03; correct the period"):
        office.file("spring", who=("uma",))


def test_returns_come_in_any_order_and_each_counts_once():
    office = Office().running()
    office.day = dt.date(2026, 10, 20)
    for period, through in (("2026-Q3", "2025-Q4"), ("2026-Q1", "2026-Q1"), ("2026-Q2", "2026-Q3")):
        office.file(period, who=("ivo",))
        mine = next(f for f in office.run().filings if f.institution == "first-bank")
        assert periods.text(mine.through, "quarter") == through
    assert mine.beyond == ()


def test_a_return_that_was_filed_is_replaced_and_only_such_a_one():
    office = Office().running()
    office.day = dt.date(2026, 10, 20)
    office.file("2026-Q2", who=("ivo",))
    receipt = office.number
    with pytest.raises(
        Refused, match="first-bank has filed 'outcomes' for 2026-Q2; say which receipt this one replaces"
    ):
        office.file("2026-Q2", who=("ivo",))
    with pytest.raises(Refused, match="nothing was filed for 2026-Q1 yet; leave out what it replaces"):
        office.file("2026-Q1", who=("ivo",), replaces=receipt)
    office.file("2026-Q2", who=("ivo",), replaces=receipt, text="again")
    office.file("2026-Q1", who=("ivo",))
    office.file("2026-Q1", who=("ivo",), replaces=receipt, text="again")


def test_nothing_is_filed_before_its_period_has_ended():
    """Or a bank could file its whole future on the first day."""
    office = Office().running()
    office.day = dt.date(2026, 3, 30)
    for period in ("2026-Q1", "2026-Q2", "9999-Q4"):
        with pytest.raises(Refused, match=f"{period} has not ended on 2026-03-30; file 'outcomes' for it once it has"):
            office.file(period, who=("ivo",))
    office.day = dt.date(2026, 3, 31)
    office.file("2026-Q1", who=("ivo",))


def test_who_owes_nothing_files_nothing():
    office = Office().approved()
    with pytest.raises(Refused, match="no stage of programme lending runs; nothing is owed"):
        office.file("2026-Q1", who=("ivo",))
    office = Office().running(returns=())
    with pytest.raises(Refused, match="first-bank owes no return 'outcomes' in stage first"):
        office.file("2026-Q1", who=("ivo",))


def test_a_return_after_the_window_moves_nothing():
    office = Office().deciding(check_within_days=900)
    office.day = dt.date(2027, 4, 1)
    before = office.shown().runs[0]
    office.file("2027-Q1", who=("ivo",))
    after = office.run()
    assert (after.state, after.filed, after.changed) == ("deciding", before.filed, before.changed)


# what is late


def test_a_return_is_late_on_the_day_after_its_last():
    office = Office().running()
    office.day = dt.date(2026, 4, 30)
    assert owed.overdue(office.run(), office.day) == ()
    office.day = dt.date(2026, 5, 1)
    late = owed.overdue(office.run(), office.day)
    assert [owed.name(*x) for x in late] == ["outcomes/first-bank/2026-Q1", "outcomes/second-bank/2026-Q1"]


def test_the_next_late_day_passes_over_what_was_filed():
    office = Office().running()
    office.day = dt.date(2026, 10, 20)
    office.file("2026-Q2", who=("ivo",))
    mine = next(f for f in office.run().filings if f.institution == "first-bank")
    assert owed.due(mine) == (periods.index("2026-Q1", "quarter"), dt.date(2026, 4, 30))
    assert owed.late_after(mine, dt.date(2026, 1, 1)) == dt.date(2026, 5, 1)
    assert owed.late_after(mine, dt.date(2026, 5, 1)) == dt.date(2026, 10, 31)
    assert owed.overdue(office.run(), dt.date(2026, 10, 30))[0][1] == periods.index("2026-Q1", "quarter")
    left(office, "ivo", office.day)
    mine = next(f for f in office.run().filings if f.institution == "first-bank")
    assert owed.late_after(mine, dt.date(2027, 1, 30)) == dt.date(2027, 1, 31)
    assert owed.late_after(mine, dt.date(2027, 1, 31)) is None


def test_the_window_waits_for_every_return_and_for_those_who_left_only_until_then():
    office = Office().running()
    for quarter, day in QUARTERS:
        office.day = dt.date(*day)
        office.file(quarter, who=("ivo",) if quarter == "2026-Q3" else ("ivo", "uma"))
        if quarter == "2026-Q1":
            left(office, "uma", dt.date(2026, 5, 5))
    office.day = dt.date(2027, 1, 10)
    assert office.shown().runs[0].state == "active"
    office.file("2026-Q4", who=("ivo",))
    assert office.run().state == "deciding"


def test_an_overdue_return_is_waived_by_its_name_for_some_time():
    office = Office().running()
    office.day = dt.date(2026, 5, 1)
    named = [
        {"check": 0, "metric": f"outcomes/{b}-bank/2026-Q1", "until": dt.date(2026, 9, 1)} for b in ("first", "second")
    ]
    with pytest.raises(
        Refused,
        match=r"against going on stands outcomes/second-bank/2026-Q1: overdue return .file it, or waive outcomes/second",
    ):
        office.propose("resume", "first", "olu", waivers=named[:1])
    office.decide("resume", "first", "olu", "ana", "aki", waivers=named)
    assert office.run().state == "active"


def vital(needs: tuple[str, ...]) -> Office:
    """A guardrail that must not be without its returns."""
    metrics = tuple(
        m.model_copy(update={"needs": needs, "without_data": "hold critical"}) if m.gate == "arrears" else m
        for m in terms().metrics
    )
    return Office().running(metrics=metrics)


def test_a_return_that_is_overdue_holds_critically_where_a_metric_that_needs_it_says_so():
    for needs, state in (((), "held"), (("outcomes",), "held critical"), (("payments",), "held")):
        office = vital(needs)
        office.day = dt.date(2026, 4, 30)
        assert office.shown().runs[0].state == "active"
        office.day = dt.date(2026, 5, 1)
        assert office.shown().runs[0].state == state, needs


def test_three_people_waive_a_vital_return_and_filing_it_needs_no_waiver():
    office = vital(("outcomes",))
    office.day = dt.date(2026, 5, 1)
    office.file("2026-Q1", who=("ivo",))
    waiver = {"check": 0, "metric": "outcomes/second-bank/2026-Q1", "until": dt.date(2026, 6, 1)}
    office.decide("resume", "first", "olu", "ana", "aki", waivers=[waiver])
    assert office.run().state == "held critical", "nobody of the risk function"
    office.approve(office.programme.proposals[-1].id, "rio")
    assert office.run().state == "active"
    office.file("2026-Q1", who=("uma",))
    office.day = dt.date(2026, 6, 2)
    assert office.shown().runs[0].state == "active"
