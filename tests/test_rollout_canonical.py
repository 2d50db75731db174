"""Canonical JSON: the examples of RFC 8785, and laws over any value."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poundlock.rollout.canonical import LARGEST_INTEGER, canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers(-LARGEST_INTEGER, LARGEST_INTEGER) | TEXTS
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4))


def test_keys_stand_in_the_order_of_rfc_8785():
    """RFC 8785, section 3.2.3: sorted by UTF-16 code units, where the emoji's surrogates come before U+FB33."""
    given_order = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical(given_order)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


def test_strings_are_escaped_as_in_rfc_8785():
    """RFC 8785, sections 3.2.2 to 3.2.4: the member `string` of the example and its bytes."""
    assert canonical("\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/") == bytes.fromhex(
        "22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c 5c 5c 5c 22 2f 22"
    )


def test_control_characters_have_short_escapes_or_lower_case_hexadecimal():
    """RFC 8785, section 3.2.2.2."""
    assert canonical("\b\t\n\f\r\x00\x1f\x7f\u2028") == '"\\b\\t\\n\\f\\r\\u0000\\u001f\x7f\u2028"'.encode()


def test_literals_have_no_white_space():
    """RFC 8785, section 3.2.4: the member `literals` of the example."""
    assert canonical({"literals": [None, True, False]}) == b'{"literals":[null,true,false]}'


@given(VALUES)
def test_reading_it_again_gives_the_same_value(value):
    assert json.loads(canonical(value)) == value


@given(VALUES, st.randoms())
def test_equal_values_have_equal_bytes_whatever_the_order_of_their_keys(value, chance):
    assert canonical(_shuffled(value, chance)) == canonical(value)


def _shuffled(value, chance: random.Random):
    if isinstance(value, dict):
        items = [(key, _shuffled(inner, chance)) for key, inner in value.items()]
        chance.shuffle(items)
        return dict(items)
    return tuple(_shuffled(inner, chance) for inner in value) if isinstance(value, list) else value


@given(VALUES, VALUES)
def test_different_values_have_different_bytes(one, other):
    assert (canonical(one) == canonical(other)) == (
        json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    )


@pytest.mark.parametrize("value", [1.5, 1.0, math.nan, math.inf, -0.0, b"x", {1, 2}, object()])
def test_what_has_no_single_text_is_refused_with_its_place(value):
    with pytest.raises(TypeError, match=r"\$\.stages\[1\]\.cap: .* write it as a string"):
        canonical({"stages": [{}, {"cap": value}]})


@pytest.mark.parametrize("key", [1, None, True, 1.5])
def test_a_key_that_is_no_string_is_refused(key):
    with pytest.raises(TypeError, match=r"\$\.a: key .* is no string"):
        canonical({"a": {key: 1}})


@pytest.mark.parametrize("value", [2**53, -(2**53), 10**5000], ids=["above", "below", "huge"])
def test_an_integer_that_other_languages_round_is_refused_with_its_place(value):
    with pytest.raises(ValueError, match=r"\$\[0\]: integer .* is beyond 2\^53 - 1; write it as a string"):
        canonical([value])


def test_the_largest_integers_stand():
    assert canonical([2**53 - 1, -(2**53 - 1)]) == b"[9007199254740991,-9007199254740991]"


@pytest.mark.parametrize("value", [["\ud800"], [{"\udfff": 1}], [{"a": "x\ud83d"}]])
def test_a_lone_surrogate_is_refused(value):
    with pytest.raises(ValueError, match=r"^\$\[0\].* holds a lone surrogate"):
        canonical(value)
