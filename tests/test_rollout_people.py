"""Agencies, people, roles and what is lent: who may do what, and no way round two people."""

from __future__ import annotations

import datetime as dt

import pytest

from office import PASSING, PEOPLE, WORDS, Office, digest, key_of
from poundlock.rollout import signing
from poundlock.rollout.machine.acts import ACTS
from poundlock.rollout.machine.people import ALONE, ROLES, has_role, lenders, must_have, person
from poundlock.rollout.refusal import Refused


def enrol(office: Office, who: str, by: str = "ada", **changes: object) -> None:
    body: dict[str, object] = {"person": who, "agency": "bureau", "roles": ("officer",)}
    body["key"] = signing.public_of(key_of(who))
    office.act(by, "enrol", body | changes, object="people")


def lend(office: Office, by: str, to: str, role: str, days: int = 30) -> None:
    body = {"to": to, "role": role, "until": office.day + dt.timedelta(days)}
    office.act(by, "delegate", body, object="people")


def to_pass() -> Office:
    office = Office().deciding()
    office.judge(PASSING)
    return office


def test_an_unknown_person_and_one_who_left_do_nothing():
    office = Office().found()
    with pytest.raises(Refused, match="nobody is enrolled as 'eve'; an administrator must enrol them first"):
        person(office.people, "eve", office.day)
    office.act("ada", "leave", {"person": "olu"}, object="people")
    with pytest.raises(Refused, match="olu left on 2025-10-01; somebody else must do this"):
        lend(office, "olu", "oki", "officer")
    assert person(office.people, "olu", office.day - dt.timedelta(1)).id == "olu"
    with pytest.raises(Refused, match="you cannot note your own leaving; another administrator must"):
        office.act("ada", "leave", {"person": "ada"}, object="people")


def test_an_administrator_does_not_become_somebody_who_decides():
    """Or a register could be left without one, and one person could be both."""
    office = Office().found()
    with pytest.raises(Refused, match="you cannot change your own roles; another administrator must enrol you anew"):
        enrol(office, "ada", roles=("approver",))
    enrol(office, "ada", roles=("administrator",), key=signing.public_of(key_of("ada's second")))
    assert office.people.persons["ada"].key == signing.public_of(key_of("ada's second"))


@pytest.mark.parametrize("alone", sorted(ALONE))
def test_some_roles_go_with_no_other(alone: str):
    office = Office().found()
    with pytest.raises(Refused, match=f"the role '{alone}' goes with no other; enrol two different people"):
        enrol(office, "new", roles=("officer", alone), institution="a-bank" if alone == "institution" else "")


def test_roles_that_decide_may_go_together():
    office = Office().found()
    enrol(office, "new", roles=tuple(r for r in ROLES if r not in ALONE))
    assert office.people.persons["new"].roles == ("officer", "approver", "duty officer", "risk")


def test_an_institution_has_people_and_an_agency_has_others():
    office = Office().found()
    with pytest.raises(Refused, match="no agency 'ministry'; there are: bureau, commission"):
        enrol(office, "new", agency="ministry")
    for roles, institution in ((("institution",), ""), (("officer",), "a-bank")):
        with pytest.raises(Refused, match="belongs to an institution, and nobody else does"):
            enrol(office, "new", roles=roles, institution=institution)
    enrol(office, "new", agency="a-bank", roles=("institution",), institution="a-bank")


def test_every_person_has_a_key_of_their_own_that_is_one():
    office = Office().found()
    with pytest.raises(Refused, match="olu is enrolled with the same key; every person has a key of their own"):
        enrol(office, "new", key=signing.public_of(key_of("olu")))
    for junk in ("x" * 44, "A" * 43 + "="):
        with pytest.raises(Refused, match=r"refused: found .*public key.*; give the public key that"):
            enrol(office, "new", key=junk)
    enrol(office, "olu")


def test_a_delegation_is_of_a_role_of_ones_own_to_a_colleague_and_ends():
    office = Office().found()
    with pytest.raises(Refused, match="you are officer; you can delegate only a role of your own"):
        lend(office, "olu", "oki", "approver")
    for to in ("olu", "aki"):
        with pytest.raises(Refused, match="a role is delegated to another person of the same agency"):
            lend(office, "olu", to, "officer")
    with pytest.raises(Refused, match="aud is auditor; such a role goes with no other"):
        lend(office, "olu", "aud", "officer")
    for days in (-1, 367):
        with pytest.raises(Refused, match="a delegation ends within 366 days, and not in the past"):
            lend(office, "olu", "oki", "officer", days)
    with pytest.raises(Refused, match="to delegate a role takes the role officer, approver, risk or duty officer"):
        lend(office, "ada", "olu", "administrator")


def test_what_is_lent_holds_until_its_day_and_while_the_lender_has_it():
    office = Office().found()
    lend(office, "ana", "olu", "approver", 10)
    until = office.day + dt.timedelta(10)
    olu = office.people.persons["olu"]
    assert has_role(office.people, olu, "approver", until)
    assert not has_role(office.people, olu, "approver", until + dt.timedelta(1))
    assert must_have(office.people, "olu", ("approver",), until, "sign") == olu
    office.act("ada", "leave", {"person": "ana"}, object="people")
    assert lenders(office.people, "olu", "approver", office.day) == ()
    with pytest.raises(Refused, match="olu is officer; to sign takes the role approver"):
        must_have(office.people, "olu", ("approver",), office.day, "sign")


def test_delegations_that_ended_are_forgotten():
    office = Office().found()
    lend(office, "ana", "olu", "approver", 10)
    office.day += dt.timedelta(11)
    lend(office, "olu", "ana", "officer", 10)
    assert [(d.by, d.to) for d in office.people.delegations] == [("olu", "ana")]


def test_what_was_lent_ends_when_either_is_enrolled_anew():
    """Or an administrator, or somebody of another agency, would go on signing with it."""
    for who, changes in (
        ("olu", {"roles": ("auditor",)}),
        ("olu", {"agency": "commission"}),
        ("ana", {"roles": ("officer",)}),
    ):
        office = Office().found()
        lend(office, "ana", "olu", "approver")
        enrol(office, who, **changes)
        assert lenders(office.people, "olu", "approver", office.day) == ()


def test_nobody_counts_twice_by_what_they_lent():
    """Both ways round: the lender first, and the lender last."""
    office = to_pass()
    lend(office, "ana", "olu", "approver")
    id = office.propose("pass", "first", "ana")
    with pytest.raises(Refused, match="your role 'approver' was delegated by ana, who signed this; another person"):
        office.approve(id, "olu")
    office = to_pass()
    lend(office, "ana", "olu", "approver")
    id = office.propose("pass", "first", "aki")
    office.approve(id, "olu")
    assert office.run().state == "passed"
    office = Office().running()
    office.judge({"tail": "breach"})
    office.judge({"tail": "pass", "arrears": "pass"})
    lend(office, "ana", "olu", "approver")
    id = office.propose("resume", "first", "rio")
    office.approve(id, "olu")
    with pytest.raises(Refused, match="olu signed this with a role that you lent; another person must approve it"):
        office.approve(id, "ana")
    office.approve(id, "aki")
    assert office.run().state == "active"


def test_who_proposes_does_so_with_a_role_of_their_own_though_another_was_lent():
    office = to_pass()
    enrol(office, "new", roles=("duty officer",))
    enrol(office, "two", roles=("officer", "approver"))
    id = office.propose("pass", "first", "new")
    office.act("new", "retract", {"decision": id})
    lend(office, "two", "new", "officer")
    id = office.propose("pass", "first", "new")
    assert [(s.person, s.role, s.lent_by) for s in office.programme.proposals[-1].signed] == [
        ("new", "duty officer", "")
    ]
    office.approve(id, "two")


def test_one_who_borrowed_from_two_counts_by_who_did_not_sign():
    office = to_pass()
    enrol(office, "amy", roles=("approver",))
    lend(office, "ana", "olu", "approver")
    lend(office, "amy", "olu", "approver")
    id = office.propose("pass", "first", "ana")
    office.approve(id, "olu")
    signed = office.programme.proposals[-1].signed[-1]
    assert (signed.person, signed.lent_by) == ("olu", "amy")


def test_an_agency_has_the_mandates_that_it_was_given_last():
    office = Office().found()
    office.act("ada", "add-agency", {"agency": "commission", "mandates": ("other",)}, object="people")
    assert office.people.agencies["commission"].mandates == ("other",)


def test_what_is_written_about_somebody_changes_no_rule():
    office = Office().found()
    before = office.people
    office.act("ada", "describe", {"about": "person ana", "text": "Ana Ananieva"}, object="people")
    assert office.people == before


@pytest.mark.parametrize("act", sorted(set(ACTS) - {"found"}))
def test_an_auditor_writes_nothing(act: str):
    assert "auditor" not in ACTS[act].by


@pytest.mark.parametrize("who", sorted(set(PEOPLE) - {"ada"}))
def test_only_an_administrator_enrols(who: str):
    office = Office().found()
    with pytest.raises(Refused, match="to enrol somebody takes the role administrator"):
        enrol(office, "new", by=who)


def test_an_institution_reports_of_itself_only():
    office = Office().running()
    body = {"kind": "data", "severity": "major", "institution": "second-bank", "what": WORDS}
    with pytest.raises(Refused, match="you report for first-bank, not for second-bank"):
        office.act("ivo", "report", body)
    office.act("uma", "report", body)
    with pytest.raises(Refused, match=rf"no open incident 1; open are: {office.number}"):
        office.act("olu", "close-incident", {"incident": 1, "remedy": WORDS})
    office.act("olu", "close-incident", {"incident": office.number, "remedy": WORDS})
    with pytest.raises(Refused, match="open are: none"):
        office.act("olu", "close-incident", {"incident": 1, "remedy": WORDS})


def test_a_check_is_of_a_run_that_goes_on_under_the_plan_in_force_and_of_its_metrics():
    office = Office().running()
    with pytest.raises(Refused, match="the check speaks of 2026-01-02, which has not come; enter it then"):
        office.judge(PASSING, as_of=dt.date(2026, 1, 2))
    with pytest.raises(Refused, match=r"was made under plan .*, in force is .*; run it again"):
        office.judge(PASSING, plan=digest("another"))
    with pytest.raises(Refused, match=r"check \d+ speaks of 2026-01-01, this one of 2025-12-31; enter newer evidence"):
        office.judge(PASSING, as_of=dt.date(2025, 12, 31))
    with pytest.raises(Refused, match="the plan in force has no metric 'tial'; it has: tail, arrears, growth, mood"):
        office.judge({"tial": "breach"})
    twice = [{"metric": "tail", "kind": "pass"}, {"metric": "tail", "kind": "breach"}]
    body = {"run": "first", "as_of": office.day, "plan": office.programme.plan, "evidence": digest("e")}
    with pytest.raises(Refused, match="two findings of one metric; enter one for each"):
        office.act("bot", "judge", body | {"verdict": digest("v"), "findings": twice})
    office.decide("roll-back", "first", "olu", "ana")
    office.judge(PASSING)
    office.act("olu", "unwound", {"run": "first", "evidence": digest("none left")})
    with pytest.raises(Refused, match="is 'rolled back'; a check is of no use there; name a run that is not over"):
        office.judge(PASSING)
