"""Who may sign what, what a signature is over, when it no longer counts, and what no number of signatures can do."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from office import PASSING, WORDS, Office, digest, key_of, terms
from poundlock.rollout import signing
from poundlock.rollout.machine import acts, decisions, signing_off
from poundlock.rollout.machine.decisions import missing
from poundlock.rollout.machine.programme import run_of
from poundlock.rollout.refusal import Refused

QUIET = {"kind": "cyber", "severity": "minor", "institution": "first-bank", "what": WORDS}


def to_pass() -> Office:
    office = Office().deciding()
    office.judge(PASSING)
    return office


def held_critical() -> Office:
    office = Office().running()
    office.judge({"tail": "breach"})
    office.judge({"tail": "pass", "arrears": "pass"})
    return office


def held(kind: str = "inconclusive") -> Office:
    office = Office().running()
    office.judge({"tail": kind, "arrears": "pass"})
    return office


def waiver(office: Office, metric: str = "tail", until: dt.date = dt.date(2026, 6, 30), check: int = -1) -> dict:
    found = office.run().check
    assert found is not None
    return {"check": found.entry if check < 0 else check, "metric": metric, "until": until}


def enrolled(office: Office, person: str, **changes: object) -> None:
    now = office.people.persons[person]
    body = {"person": person, "agency": now.agency, "roles": now.roles, "key": now.key, "institution": now.institution}
    office.act("ada", "enrol", body | changes, object="people")


# who


def test_two_people_of_every_mandate_pass_a_stage():
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    office.approve(id, "ana")
    shown = office.shown()
    assert (
        missing(office.people, shown, shown.proposals[0], shown.runs[0])
        == "an agency with the mandate 'responsibility'"
    )
    assert office.run().state == "deciding"
    office.approve(id, "aki")
    assert office.run().state == "passed"
    assert office.programme.decided[-1] == id
    with pytest.raises(Refused, match="was taken already, or has long been void; it needs no more"):
        office.approve(id, "aki")


def test_what_lowers_exposure_takes_two_people_of_whatever_agency():
    office = Office().running()
    office.decide("roll-back", "first", "olu", "ana")
    assert office.run().state == "rolling back"


@pytest.mark.parametrize("person", ["ada", "aud", "bot", "ivo"])
def test_who_judges_audits_administers_or_takes_part_proposes_nothing(person: str):
    with pytest.raises(
        Refused, match=f"{person} is .*; to propose a decision takes the role officer, approver, risk or"
    ):
        to_pass().propose("pass", "first", person)


@pytest.mark.parametrize("person", ["oki", "dee", "rio"])
def test_who_is_no_approver_signs_no_second_time(person: str):
    office = to_pass()
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match="takes the role approver"):
        office.approve(id, person)


def test_nobody_signs_twice():
    office = to_pass()
    id = office.propose("pass", "first", "ana")
    with pytest.raises(Refused, match="you proposed this change; another person must approve it"):
        office.approve(id, "ana")
    office = held_critical()
    id = office.propose("resume", "first", "olu")
    office.approve(id, "aki")
    with pytest.raises(Refused, match="you already signed this change"):
        office.approve(id, "aki")


def test_who_entered_the_check_does_not_approve_what_rests_on_it_but_may_propose():
    office = Office().deciding()
    enrolled(office, "ana", roles=("officer", "approver"))
    office.judge(PASSING, by="ana")
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match="you entered the check that this rests on"):
        office.approve(id, "ana")
    office.act("olu", "retract", {"decision": id})
    office.propose("pass", "first", "ana")


def test_the_last_editor_of_the_plan_signs_nothing_that_rests_on_it():
    office = Office().deciding()
    enrolled(office, "oki", roles=("officer", "approver"))
    office.act("oki", "edit", {"plan": digest("plan 2"), "terms": terms()})
    with pytest.raises(Refused, match="you were the last to edit the plan"):
        office.propose("amend", "", "oki")
    id = office.propose("amend", "", "olu")
    with pytest.raises(Refused, match="you were the last to edit the plan"):
        office.approve(id, "oki")
    office.approve(id, "ana")
    office.approve(id, "aki")
    assert (office.programme.plan, office.programme.editor) == (digest("plan 2"), "oki")
    assert office.run().state == "held"
    with pytest.raises(Refused, match="you were the last to edit"):
        office.propose("roll-back", "first", "oki")


def test_who_has_an_interest_in_an_institution_that_takes_part_does_not_sign():
    office = to_pass()
    enrolled(office, "aki", ties=("second-bank", "elsewhere"))
    id = office.propose("pass", "first", "olu")
    with pytest.raises(
        Refused, match="you have an interest in second-bank, which takes part; another person must sign"
    ):
        office.approve(id, "aki")


def test_each_signature_brings_a_note_on_conflicts_of_interest():
    office = to_pass()
    id = office.propose("pass", "first", "olu", interests="my aunt banks there")
    assert [s.interests for s in office.programme.proposals[0].signed] == ["my aunt banks there"]
    for silence in ("", "    "):
        with pytest.raises(ValueError, match="interests"):
            office.approve(id, "ana", interests=silence)


# three people


def test_held_critical_goes_on_by_three_people_and_one_of_them_of_risk():
    office = held_critical()
    id = office.propose("resume", "first", "olu")
    office.approve(id, "ana")
    office.approve(id, "aki")
    shown = office.shown()
    assert missing(office.people, shown, shown.proposals[0], shown.runs[0]) == "one of the risk function"
    assert office.run().state == "held critical"
    office.approve(id, "rio")
    assert office.run().state == "active"


def test_two_people_are_not_enough_though_one_is_of_risk():
    office = held_critical()
    id = office.propose("resume", "first", "rio")
    office.approve(id, "ana")
    shown = office.shown()
    assert missing(office.people, shown, shown.proposals[0], shown.runs[0]) == "1 more person"
    assert office.run().state == "held critical"


def test_only_who_signs_as_risk_counts_as_risk():
    """A role that is given after the signature does not reach back to it."""
    office = held_critical()
    id = office.propose("resume", "first", "olu")
    office.approve(id, "ana")
    office.approve(id, "aki")
    enrolled(office, "aki", roles=("approver", "risk"))
    shown = office.shown()
    assert missing(office.people, shown, shown.proposals[0], shown.runs[0]) == "one of the risk function"


def test_after_a_breach_a_newer_check_without_it_is_needed_whoever_signs():
    office = Office().running()
    office.judge({"tail": "breach"})
    with pytest.raises(Refused, match="against going on stands tail: breach"):
        office.propose("resume", "first", "olu")
    with pytest.raises(Refused, match=r"tail: breach .* cannot be waived, only what says nothing can"):
        office.propose("resume", "first", "olu", waivers=(waiver(office),))


def test_a_plan_without_the_metric_does_not_stand_for_the_newer_check():
    office = Office().running()
    office.judge({"tail": "breach"})
    office.act("oki", "edit", {"plan": digest("blind"), "terms": terms(metrics=terms().metrics[1:])})
    office.decide("amend", "", "olu", "ana", "aki")
    with pytest.raises(Refused, match="was made under another plan; enter a check under the plan in force"):
        office.propose("resume", "first", "olu")


# what is signed


@pytest.mark.parametrize("part", ["why", "run", "interests", "id", "matter", "register"])
def test_a_signature_over_anything_else_is_refused(part: str):
    office = held_critical()
    id = office.propose("resume", "first", "olu")
    shown, people = office.shown(), office.people
    proposal, run, note = shown.proposals[0], shown.runs[0], "none"
    if part == "why":
        proposal = decisions.replace(proposal, details=decisions.replace(proposal.details, why="other words"))
    elif part == "register":
        people = decisions.replace(people, register="another")
    elif part == "interests":
        note = "many"
    else:
        proposal = decisions.replace(proposal, **{part: "extend"})
    data = decisions.statement(people, shown, proposal, run, "ana", note)
    body = {"decision": id, "interests": "none", "signature": signing.signature(key_of("ana"), data)}
    with pytest.raises(Refused, match="signature is not ana's over this decision as it stands; sign it again"):
        office.act("ana", "approve", body)


def test_a_signature_with_another_key_is_refused():
    office = to_pass()
    with pytest.raises(Refused, match="the signature is not olu's"):
        office.propose("pass", "first", "olu", key="oki")
    id = office.propose("pass", "first", "olu")
    with pytest.raises(Refused, match="the signature is not ana's"):
        office.approve(id, "ana", key="aki")


def test_an_order_is_signed_and_counts_once():
    office = Office().running()
    with pytest.raises(Refused, match="the signature is not dee's"):
        office.order("dee", "hold", key="olu")
    shown = office.shown()
    data = decisions.order(office.people, shown, run_of(shown, "first/1"), "hold", WORDS, "dee")
    body = {"run": "first/1", "why": WORDS, "signature": signing.signature(key_of("dee"), data)}
    office.act("dee", "hold", body)
    office.decide("resume", "first", "olu", "ana", "aki")
    with pytest.raises(Refused, match="the signature is not dee's"):
        office.act("dee", "hold", body)


def test_a_duty_officer_alone_rolls_back_what_is_held_critical_and_nothing_else():
    office = Office().running()
    with pytest.raises(Refused, match="is 'active'; alone you may roll back only what is held critical"):
        office.order("dee", "roll-back")
    office.judge({"tail": "breach"})
    with pytest.raises(Refused, match="the signature is not dee's"):
        office.order("dee", "roll-back", key="ana")
    with pytest.raises(Refused, match="takes the role duty officer"):
        office.order("ana", "roll-back")
    office.order("dee", "roll-back")
    assert office.run().state == "rolling back"
    with pytest.raises(Refused, match="is 'rolling back'; alone"):
        office.order("dee", "roll-back")


def test_two_people_may_roll_back_what_is_held_critical_too():
    office = held_critical()
    office.decide("roll-back", "first", "olu", "ana")
    assert office.run().state == "rolling back"


def test_a_machine_may_hold():
    office = Office().running()
    office.order("bot", "hold")
    assert office.run().state == "held"


# passing


def test_passing_takes_a_check_of_the_window_and_after_the_last_return():
    office = Office().deciding()
    early = office.run().decide_on - dt.timedelta(1)
    office.judge(PASSING, as_of=early)
    with pytest.raises(Refused, match=r"no check .* speaks of 2027-01-01 or later, when its window closed"):
        office.propose("pass", "first", "olu")
    office = Office().running()
    office.day = dt.date(2027, 1, 1)
    for quarter in ("2026-Q1", "2026-Q2", "2026-Q3"):
        office.file(quarter)
    office.judge(PASSING)
    office.file("2026-Q4")
    assert office.run().state == "held"


def test_a_return_after_the_check_asks_for_a_newer_one():
    office = Office().running(check_within_days=900)
    for quarter, day in (
        ("2026-Q1", dt.date(2026, 4, 20)),
        ("2026-Q2", dt.date(2026, 7, 20)),
        ("2026-Q3", dt.date(2026, 10, 20)),
    ):
        office.day = day
        office.file(quarter)
    office.day = dt.date(2027, 1, 10)
    office.judge(PASSING)
    office.act("oki", "edit", {"plan": digest("plan 2"), "terms": terms(check_within_days=900)})
    office.decide("amend", "", "olu", "ana", "aki")
    office.file("2026-Q4")
    assert office.run().state == "deciding"
    with pytest.raises(Refused, match="made under another plan"):
        office.propose("pass", "first", "olu")
    office = Office().running()
    for quarter, day in (
        ("2026-Q1", dt.date(2026, 4, 20)),
        ("2026-Q2", dt.date(2026, 7, 20)),
        ("2026-Q3", dt.date(2026, 10, 20)),
    ):
        office.day = day
        office.file(quarter)
    office.day = dt.date(2027, 1, 10)
    office.judge(PASSING)
    office.file("2026-Q4")
    with pytest.raises(Refused, match=r"returns came in \(entry \d+\) after check \d+; enter a newer check"):
        office.propose("pass", "first", "olu")


@pytest.mark.parametrize("metric", ["tail", "arrears", "growth"])
@pytest.mark.parametrize("kind", ["inconclusive", "no data", "error", "fail", "breach"])
def test_nothing_but_a_pass_of_every_metric_that_counts_passes(metric: str, kind: str):
    office = Office().deciding()
    office.judge(PASSING | {metric: kind})
    assert office.run().state in ("held", "held critical", "rolling back")
    with pytest.raises(Refused, match="'pass' does not lead out of it"):
        office.propose("pass", "first", "olu")


def test_a_waived_metric_lets_a_stage_go_on_but_never_pass():
    office = Office().deciding()
    office.judge(PASSING | {"growth": "inconclusive"})
    w = waiver(office, "growth", dt.date(2027, 3, 1))
    office.decide("resume", "first", "olu", "ana", "aki", waivers=(w,))
    assert office.run().state == "deciding"
    with pytest.raises(Refused, match=r"against it stands growth: inconclusive .* and no waiver stands for it"):
        office.propose("pass", "first", "olu")
    later = dt.date(2027, 6, 30)
    office.decide("extend", "first", "olu", "ana", "aki", decide_on=later)
    assert (office.run().state, office.run().decide_on) == ("active", later)


def test_what_a_signal_says_moves_nothing():
    office = Office().deciding()
    office.judge(PASSING | {"mood": "breach"})
    office.decide("pass", "first", "olu", "ana", "aki")
    assert office.run().state == "passed"


def test_a_stage_that_nobody_takes_part_in_is_not_started() -> None:
    office = Office().approved()
    office.day = dt.date(2026, 1, 1)
    for actor in ("ivo", "uma"):
        office.act(actor, "withdraw-consent", {"why": WORDS})
    office.act("olu", "open", {"stage": "first"})
    office.judge({"tail": "pass"}, by="oki")
    with pytest.raises(Refused, match="no institution takes part in stage 'first'; one must consent"):
        office.propose("start", "first/1", "olu")


def test_a_signature_is_over_the_terms_too() -> None:
    office = Office().running()
    p, run = office.programme, office.run()
    proposal = signing_off.drafted(p, "x", "roll-back", run.id, acts.DetailsAsked(why=WORDS))
    other = replace(p, terms=terms(decide_within_days=1))
    assert decisions.statement(office.people, p, proposal, run, "olu", "none") != decisions.statement(
        office.people, other, proposal, run, "olu", "none"
    )
