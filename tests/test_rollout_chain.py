"""The chain of entries: whatever is done to one of them, the first bad number is named."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.rollout import merkle
from poundlock.rollout.canonical import canonical
from poundlock.rollout.chain import GENESIS, Entry, entry_digest, fault, payload_digest, sealed, text_digest

SALT = "00112233445566778899aabbccddeeff"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
NUMBERS = st.integers(1, 2**53 - 1)
LENGTH = 6


def resealed(entry: Entry, **changes: object) -> Entry:
    changed = replace(entry, **changes)
    said = {name: getattr(changed, name) for name in Entry.__slots__[:-1]}
    text = json.dumps(
        said, sort_keys=True, ensure_ascii=False, separators=(",", ":")
    )  # takes what `sealed` refuses, too
    return replace(changed, digest=sha256(b"poundlock entry 1\n" + text.encode("utf-8", "surrogatepass")).hexdigest())


def chain(length: int = LENGTH) -> list[Entry]:
    entries: list[Entry] = []
    for number in range(1, length + 1):
        payload = payload_digest({"stage": number}, SALT)
        previous = entries[-1].digest if entries else GENESIS
        at = f"2026-11-26T21:04:0{number}.000000Z"
        entries.append(
            sealed(number, at, "zhang", "editor", "submitted", "programme:zhejiang", number, payload, previous)
        )
    return entries


CHANGES = {
    "number": 99,
    "at": "2026-11-26T21:04:09.000000Z",
    "actor": "li",
    "role": "approver",
    "act": "withdrawn",
    "object": "programme:hubei",
    "revision": 99,
    "payload": "ab" * 32,
    "previous": "cd" * 32,
    "digest": "ef" * 32,
}


@given(NUMBERS, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, NUMBERS, TEXTS, TEXTS)
def test_an_entry_is_hashed_as_its_canonical_json(number, at, actor, role, act, object, revision, payload, previous):
    plain = {
        "number": number,
        "at": at,
        "actor": actor,
        "role": role,
        "act": act,
        "object": object,
        "revision": revision,
        "payload": payload,
        "previous": previous,
    }
    wanted = hashlib.sha256(b"poundlock entry 1\n" + canonical(plain)).hexdigest()
    assert entry_digest(number, at, actor, role, act, object, revision, payload, previous) == wanted


def test_the_digest_of_an_entry_stays_what_other_languages_compute():
    """Worked by hand: the text that is hashed is written out, keys in order, no white space."""
    text = (
        '{"act":"submitted","actor":"张","at":"2026-11-26T21:04:05.123456Z","number":1,"object":"programme:zhejiang",'
        f'"payload":"{"ab" * 32}","previous":"{"0" * 64}","revision":1,"role":"editor"}}'
    )
    at = "2026-11-26T21:04:05.123456Z"
    entry = sealed(1, at, "张", "editor", "submitted", "programme:zhejiang", 1, "ab" * 32, GENESIS)
    assert entry.digest == hashlib.sha256(b"poundlock entry 1\n" + text.encode()).hexdigest()
    assert fault([entry]) is None


def test_a_payload_is_hashed_with_its_salt_before_its_canonical_text():
    wanted = hashlib.sha256(b"poundlock payload 1\n" + bytes.fromhex(SALT) + b'{"a":1,"b":[]}').hexdigest()
    assert payload_digest({"b": [], "a": 1}, SALT) == text_digest('{"a":1,"b":[]}', SALT) == wanted
    assert payload_digest({"b": [], "a": 1}, SALT.replace("0", "1")) != wanted


@pytest.mark.parametrize("salt", ["", SALT[:-2], f"{SALT}31"])
def test_a_salt_of_another_length_is_refused_as_it_could_take_over_the_beginning_of_the_text(salt):
    with pytest.raises(ValueError, match=r"found a salt of [0-9]+ bytes; expected 16"):
        text_digest("12", salt)


def test_a_whole_chain_and_an_empty_one_hold():
    assert fault(chain()) is None
    assert fault([]) is None


def test_the_rest_of_a_chain_holds_from_where_it_was_last_read():
    entries = chain()
    third = entries[2]
    assert fault(entries[3:], 4, third.digest, third.at) is None
    assert fault(entries[3:]).number == 1
    assert fault(entries[3:], 4, entries[1].digest, third.at).number == 4


@pytest.mark.parametrize("at", range(LENGTH))
@pytest.mark.parametrize("field", CHANGES)
def test_a_changed_field_is_found_at_its_entry(field, at):
    entries = chain()
    entries[at] = replace(entries[at], **{field: CHANGES[field]})
    assert fault(entries).number == at + 1


@pytest.mark.parametrize("at", range(LENGTH - 1))
@pytest.mark.parametrize("field", sorted(CHANGES.keys() - {"digest", "number", "previous", "at"}))
def test_a_changed_entry_with_a_new_digest_is_found_at_the_next(field, at):
    entries = chain()
    entries[at] = resealed(entries[at], **{field: CHANGES[field]})
    found = fault(entries)
    assert (found.number, found.found.split()[0]) == (at + 2, "previous")


def test_a_changed_last_entry_with_a_new_digest_is_left_to_the_checkpoint():
    entries = chain()
    root = merkle.root(bytes.fromhex(e.digest) for e in entries)
    entries[-1] = resealed(entries[-1], actor="li")
    assert fault(entries) is None
    assert merkle.root(bytes.fromhex(e.digest) for e in entries) != root


@pytest.mark.parametrize("at", range(LENGTH - 1))
def test_a_missing_entry_is_named(at):
    entries = chain()
    del entries[at]
    assert fault(entries).number == at + 1


@pytest.mark.parametrize("at", range(LENGTH - 1))
def test_two_entries_that_changed_places_are_found_at_the_first(at):
    entries = chain()
    entries[at], entries[at + 1] = entries[at + 1], entries[at]
    assert fault(entries).number == at + 1


@pytest.mark.parametrize("at", range(LENGTH))
def test_an_entry_put_in_is_found(at):
    entries = chain()
    entries.insert(at, entries[at])
    assert fault(entries).number == at + 2
    entries = chain()
    put_in = resealed(entries[at], actor="li")
    entries.insert(at, put_in)
    assert fault(entries).number == at + 2


@pytest.mark.parametrize("at", range(1, LENGTH))
def test_time_that_goes_backwards_is_found_though_every_digest_fits(at):
    entries = chain()
    entries[at] = resealed(entries[at], at="2026-11-26T21:04:00.000000Z")
    for later in range(at + 1, LENGTH):
        entries[later] = resealed(entries[later], previous=entries[later - 1].digest)
    found = fault(entries)
    assert (found.number, found.found) == (at + 1, "time 2026-11-26T21:04:00.000000Z")


def test_two_entries_of_one_moment_hold():
    first = chain(1)[0]
    second = resealed(first, number=2, previous=first.digest)
    assert fault([first, second]) is None


@pytest.mark.parametrize("at", ["", "2026-11-26", "2026-11-26T21:04:05Z", "2026-11-26T21:04:05.123456+08:00", "٢٠٢٦"])
def test_a_time_in_another_form_is_found_as_it_cannot_be_compared(at):
    found = fault([resealed(chain(1)[0], at=at)])
    assert (found.number, found.found) == (1, f"time {at!r}")


@pytest.mark.parametrize(
    "changes", [{"number": True}, {"revision": 1.0}, {"actor": None}, {"payload": 7}, {"actor": "\ud800"}]
)
def test_what_no_entry_can_hold_is_a_fault_and_no_crash(changes):
    first = chain(1)[0]
    assert fault([replace(first, **changes)]).number == 1
    if "\ud800" not in changes.values():
        assert fault([resealed(first, **changes)]).number == 1


def test_a_fault_says_what_was_found_and_expected():
    entries = chain(2)
    assert str(fault(entries[1:])) == "entry 1: found number 2; expected number 1: an entry is missing or was moved"
