"""Canonical JSON (RFC 8785) of what is hashed and signed. No floats: their text differs between languages, so numbers with a fraction are strings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Json = Any
"""None, bool, int, str, and lists, tuples and mappings of them with str keys."""

LARGEST_INTEGER = 2**53 - 1


def canonical(value: Json) -> bytes:
    """One byte string for equal values: keys sorted by UTF-16 code units, no white space, UTF-8 (RFC 8785, section 3.2).

    Raises TypeError for floats and other types, ValueError for integers beyond 2^53 - 1 and for lone surrogates; both name the place.
    """
    return _text(_checked(value, "$")).encode()


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _checked(value: Json, place: str) -> Json:
    """The value with its keys in order."""
    kind = type(value)
    if kind is str:
        return _encodable(value, place)
    if value is None or kind is bool:
        return value
    if kind is int:
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"{place}: integer {_shown(value)} is beyond 2^53 - 1; write it as a string")
        return value
    if kind is list or kind is tuple:
        return [_checked(inner, f"{place}[{k}]") for k, inner in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if type(key) is not str:
                raise TypeError(f"{place}: key {key!r} is no string")
        keys = sorted(value, key=_utf16)
        return {_encodable(key, place): _checked(value[key], f"{place}.{key}") for key in keys}
    raise TypeError(f"{place}: {kind.__name__} {value!r} cannot be hashed; write it as a string")


def _shown(value: int) -> str:
    # Python refuses to write integers of thousands of digits
    return str(value) if value.bit_length() < 1000 else f"of {value.bit_length()} bits"


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _encodable(text: str, place: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{place}: {text!r} holds a lone surrogate, which has no UTF-8") from None
    return text
