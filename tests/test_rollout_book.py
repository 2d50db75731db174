"""The book: one act in, one state out; what is no act, no programme or no founding is refused, and a replay finds the first wrong entry."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import ValidationError

from office import DECLARATION, OBJECT, PASSING, PEOPLE, WORDS, Office, digest, key_of, terms
from poundlock.rollout import signing
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import ERASED, Entry
from poundlock.rollout.machine import acts, book
from poundlock.rollout.machine.steps import STEPS
from poundlock.rollout.machine.terms import Terms
from poundlock.rollout.refusal import Refused

AT = "2026-01-01T12:00:00.000000Z"
FOUNDING = {
    "name": "test",
    "key": signing.public_of(key_of("register")),
    "agency": "bureau",
    "administrator": "ada",
    "administrator_key": signing.public_of(key_of("ada")),
}


def refused(
    states, object="people", actor="ada", role="administrator", act="add-agency", payload=None, number=2
) -> str:
    body = {"agency": "ministry", "mandates": []} if payload is None else payload
    with pytest.raises(Refused) as no:
        book.step(states, object, actor, role, act, body, number, AT)
    assert str(no.value).startswith("refused: ")
    return str(no.value)


def entries(office: Office) -> Iterator[tuple[Entry, str | None]]:
    for number, at, actor, role, act, object, body in office.log:
        yield Entry(number, at, actor, role, act, object, 1, "", "", ""), canonical(body).decode()


def test_every_act_has_its_step_and_every_step_its_act():
    programme = {name for name, kind in acts.ACTS.items() if kind.of == "programme"}
    assert programme - {"declare"} == set(STEPS)
    assert all(kind.says and kind.by for name, kind in acts.ACTS.items() if name != "found")


def test_there_is_no_act_that_passes_the_rules_by():
    assert not {"override", "force", "skip", "promote", "set-state"} & set(acts.ACTS)


def test_a_register_begins_with_its_founding_and_is_founded_once():
    assert "begins with its founding; nothing came before this" in refused({})
    founded = Office().found().states
    assert "was founded already; found another one elsewhere" in refused(founded, act="found", payload=FOUNDING)
    assert "was founded already" in refused({}, act="found", payload=FOUNDING, number=2)
    assert "the first administrator is whoever founds it" in refused(
        {}, actor="eve", act="found", payload=FOUNDING, number=1
    )
    junk = FOUNDING | {"key": "x" * 44}
    assert "found public key" in refused({}, act="found", payload=junk, number=1)
    assert book.step({}, "people", "ada", "administrator", "found", FOUNDING, 1, AT).register == "test"


def test_what_is_no_act_is_refused_with_every_mistake():
    states = Office().found().states
    assert "there is no act 'override'; there are: found, add-agency" in refused(states, act="override")
    said = refused(states, payload={"agency": "No Such Id", "extra": 1})
    assert said.startswith("refused: this is no 'add-agency': agency: ")
    assert "mandates: it is missing" in said
    assert "extra: there is no such part" in said
    assert "$.agency: float 0.5 cannot be hashed" in refused(states, payload={"agency": 0.5})
    assert "lone surrogate" in refused(states, payload={"agency": "\ud800"})
    assert "payload: Invalid JSON" in refused(states, payload="{")


def test_an_act_is_done_to_what_it_is_of():
    states = Office().approved().states
    assert "'add-agency' is done to people, not to 'programme:lending'" in refused(states, object=OBJECT)
    assert "'submit' is done to programme, not to 'people'" in refused(states, act="submit", payload={})
    for name in ("lending", "", "programme", "programme:programme:lending"):
        said = refused(states, name, "ivo", "institution", "submit", {})
        assert "neither people nor a programme" in said or "no programme" in said


def test_a_programme_has_one_name_and_is_declared_once():
    states = Office().approved().states
    body = {"declaration": DECLARATION, "plan": digest("plan"), "terms": terms().model_dump(mode="json")}
    assert "there is a programme 'lending' already" in refused(states, OBJECT, "ivo", "institution", "declare", body)
    assert "is of programme 'lending', not of 'other'" in refused(
        states, "programme:other", "ivo", "institution", "declare", body
    )
    assert "'lending' is neither people nor a programme, as programme:lending; name one of them" in refused(
        states, "lending", "ivo", "institution", "declare", body
    )
    assert "no programme 'other'; an institution must declare it first" in refused(
        states, "programme:other", "ivo", "institution", "submit", {}
    )


def test_one_acts_in_a_role_that_the_act_asks_for_and_one_has():
    office = Office().found()
    states = office.states
    assert "aud is auditor; to add an agency takes the role administrator" in refused(states, actor="aud")
    assert "as 'officer' nobody may add an agency; the roles that may: administrator" in refused(states, role="officer")
    body = {"to": "oki", "role": "officer", "until": "2026-02-01"}
    assert "olu is officer; to delegate a role takes the role approver" in refused(
        states, actor="olu", role="approver", act="delegate", payload=body
    )


def test_a_payload_is_needed_unless_no_rule_rests_on_it():
    states = Office().approved().states
    with pytest.raises(Refused, match="the payload of a 'submit' is missing, and the rules rest on it"):
        book.step(states, OBJECT, "ivo", "institution", "submit", None, 99, AT)
    described = book.step(states, "people", "ada", "administrator", "describe", None, 99, AT)
    assert described == states["people"]
    assert [name for name in acts.ACTS if book.erasable(name)] == ["describe", "comment"]
    assert not book.erasable("nothing")


def test_what_is_read_and_signed():
    assert (book.reads("people"), book.reads(OBJECT)) == ((), ("people",))
    assert [name for name in acts.ACTS if book.signs(name)] == ["hold", "roll-back", "approve"]
    assert book.object_of("lending") == OBJECT


def test_who_may_remove_personal_data():
    people = Office().found().people
    book.may_erase(people, "ada", "administrator", AT)
    with pytest.raises(
        Refused, match="aud is auditor; to remove personal data takes the role officer or administrator"
    ):
        book.may_erase(people, "aud", "auditor", AT)


def test_the_log_from_nothing_gives_the_same_book_to_the_text():
    office = Office().deciding()
    states: dict[str, book.State | None] = {}
    for entry, text in entries(office):
        states[entry.object] = book.step(
            states, entry.object, entry.actor, entry.role, entry.act, text, entry.number, entry.at
        )
    assert {k: book.dump(v) for k, v in states.items() if v} == {k: book.dump(v) for k, v in office.states.items() if v}
    assert book.replay(entries(office)) is None


def test_a_replay_names_the_first_act_that_the_rules_do_not_allow():
    office = Office().running()
    office.order("dee", "hold")
    wrong = [(replace(e, actor="aud") if e.act == "hold" else e, t) for e, t in entries(office)]
    fault = book.replay(wrong)
    assert fault is not None
    assert str(fault) == (
        f"entry {office.number}: found 'hold' by aud (aud is auditor; to hold a stage takes the role officer, approver, "
        "risk, duty officer or machine); expected an act that the rules allow"
    )


def test_a_replay_needs_no_payloads_of_what_was_erased_or_of_programmes_left_out():
    office = Office().running()
    office.act("ada", "describe", {"about": "person ana", "text": "Ana Ananieva"}, object="people")
    found = list(entries(office))
    assert book.replay([(e, None if e.object == OBJECT or e.act == "describe" else t) for e, t in found]) is None
    erasure = replace(found[-1][0], number=office.number + 1, act=ERASED, object=f"entry:{office.number}")
    assert book.replay([*found, (erasure, canonical({"why": WORDS}).decode())]) is None
    bound = replace(erasure, object="entry:5")
    assert "'entry:5' holds what rules rest on" in str(book.replay([*found, (bound, "{}")]))
    by_nobody = replace(erasure, actor="aud", role="auditor")
    assert "to remove personal data takes the role" in str(book.replay([*found, (by_nobody, "{}")]))
    of_nobody = [
        (replace(found[0][0], number=k, act=act, object=OBJECT), None) for k, act in ((1, "declare"), (2, "comment"))
    ]
    assert "nothing was founded yet" in str(book.replay([*of_nobody, (replace(erasure, object="entry:2"), "{}")]))
    words = replace(found[-1][0], object="people")
    assert "a register begins with its founding" in str(book.replay([(words, found[-1][1])]))
    assert "the payload of a 'enrol' is missing" in str(
        book.replay([(e, None if e.act == "enrol" else t) for e, t in found])
    )


def test_states_are_written_and_read_to_the_text():
    office = Office().deciding()
    office.judge(PASSING)
    office.propose("pass", "first", "olu")
    for name, state in office.states.items():
        assert state is not None
        text = book.dump(state)
        assert book.load(name, text) == state
        assert json.loads(text)


def test_the_days_of_an_act_are_those_of_its_time():
    office = Office().approved()
    states = office.states
    after = book.step(
        states, OBJECT, "ivo", "institution", "withdraw", {"why": WORDS}, 99, "2026-03-04T23:59:59.999999Z"
    )
    assert after.at == dt.date(2026, 3, 4)
    assert set(PEOPLE) == set(office.people.persons)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": ({"gate": "tail", "kind": "limit"},) * 2}, "gate 'tail' twice under metrics"),
        ({"returns": ({"kind": "outcomes", "every": "month", "due_days": 9},) * 2}, "a return twice"),
        ({"pre_authorised": ("mood",)}, "pre_authorised 'mood'; expected a gate of metrics that is no signal"),
        ({"stages": terms().stages[:1] * 2}, "a stage twice"),
        ({"mandates": ()}, "at least 1 item"),
    ],
)
def test_terms_that_contradict_themselves_are_told(changes: dict, said: str):
    with pytest.raises(ValidationError, match=said):
        terms(**changes)


def test_stages_come_one_after_the_other():
    of: Terms = terms()
    assert [of.before(s.id) for s in of.stages] == [None, of.stages[0]]
    assert (of.stage("second"), of.stage("third")) == (of.stages[1], None)
