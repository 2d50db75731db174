"""Text of a cell into its one canonical form; numbers are decimal text all the way and never pass through a float."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from decimal import Decimal

MOST_DIGITS = 18
"""Digits before the point, and after it."""

CODE = r"^\w[\w.:/\-]*$"
"""Letters of any script, digits, and _ . : / - inside."""

_NUMBER = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}(\.[0-9]{{1,{MOST_DIGITS}}})?")
_CANONICAL = re.compile(
    rf"0|-?[1-9][0-9]{{0,{MOST_DIGITS - 1}}}(\.[0-9]{{0,{MOST_DIGITS - 1}}}[1-9])?|-?0\.[0-9]{{0,{MOST_DIGITS - 1}}}[1-9]"
)
_WHOLE = re.compile(rf"[+-]?[0-9]{{1,{MOST_DIGITS}}}(\.0+)?")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD = re.compile(r"(?P<year>[0-9]{4})(-(?:Q(?P<quarter>[1-4])|H(?P<half>[12])|(?P<month>[0-9]{2})))?")


def plain(value: Decimal) -> str:
    """Decimal text without exponent, trailing zeros or a sign of nought: one text for equal numbers."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def number_of(text: str, low: Decimal | None = None, high: Decimal | None = None) -> str:
    """A number within bounds as people write it in a table: no exponent, no thousands separator. Raises ValueError."""
    canonical = _CANONICAL.fullmatch(text)
    if not canonical and not _NUMBER.fullmatch(text := text.strip()):
        raise ValueError(f"{text[:40]!r} is no plain number")
    value = Decimal(text)
    if (low is not None and value < low) or (high is not None and value > high):
        raise ValueError(f"{text[:40]!r} is out of bounds")
    return text if canonical else plain(value)


def whole_of(text: object) -> int:
    """A whole number; `12.0` is one, since spreadsheets write it. Raises ValueError."""
    if not isinstance(text, str) or not _WHOLE.fullmatch(text := text.strip()):
        raise ValueError(f"{str(text)[:40]!r} is no whole number")
    return int(text.partition(".")[0])


def text_of(text: str) -> str:
    """Text as it stands, its line ends \\n. Raises ValueError for control characters and for nothing but spaces."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ValueError("blank")
    if bad := _CONTROL.search(text):
        raise ValueError(f"control character U+{ord(bad.group()):04X}")
    return text


def date_of(text: str) -> str:
    """A day, ISO 8601. Raises ValueError."""
    text = text.strip()
    if not _DATE.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no date")
    return dt.date.fromisoformat(text).isoformat()


def period_of(text: str) -> str:
    """A day, month, quarter, half or year. Raises ValueError."""
    text = text.strip()
    days_of(text)
    return text


def days_of(period: str) -> tuple[dt.date, dt.date]:
    """First and last day of 2026, 2026-H1, 2026-Q3, 2026-09 or 2026-09-30. Raises ValueError."""
    if _DATE.fullmatch(period):
        day = dt.date.fromisoformat(period)
        return day, day
    if not (found := _PERIOD.fullmatch(period)):
        raise ValueError(
            f"found period {period[:40]!r}; expected one such as 2026-03, 2026-Q1 or 2026. Cure: correct it."
        )
    year, months = int(found["year"]), (1, 12)
    for name, length in (("half", 6), ("quarter", 3), ("month", 1)):
        if found[name]:
            months = ((int(found[name]) - 1) * length + 1, int(found[name]) * length)
    last = calendar.monthrange(year, months[1])[1]
    return dt.date(year, months[0], 1), dt.date(year, months[1], last)
