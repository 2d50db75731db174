"""Reporting periods: 2026-03, 2026-Q1, 2026; as whole numbers that count up, and as texts."""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final, Literal

Every = Literal["month", "quarter", "year"]
MONTHS: Final[dict[Every, int]] = {"month": 1, "quarter": 3, "year": 12}
_FORM: Final[dict[Every, re.Pattern[str]]] = {
    "month": re.compile(r"(\d{4})-(0[1-9]|1[0-2])"),
    "quarter": re.compile(r"(\d{4})-Q([1-4])"),
    "year": re.compile(r"(\d{4})()"),
}
_SHOWN: Final[dict[Every, str]] = {"month": "2026-03", "quarter": "2026-Q1", "year": "2026"}


@lru_cache(maxsize=4096)  # what every filing asks again
def index(text: str, every: Every) -> int:
    """Number of a period, 0 for the first of the year 0. Raises ValueError for another form."""
    found = _FORM[every].fullmatch(text)
    if found is None:
        raise ValueError(f"period '{text}'; expected one like {_SHOWN[every]}")
    year, part = found.groups()
    return int(year) * 12 // MONTHS[every] + (int(part) - 1 if part else 0)


def text(number: int, every: Every) -> str:
    """Text of a period's number."""
    year, part = divmod(number, 12 // MONTHS[every])
    return {"month": f"{year:04d}-{part + 1:02d}", "quarter": f"{year:04d}-Q{part + 1}", "year": f"{year:04d}"}[every]


def first_day(number: int, every: Every) -> dt.date:
    """First day of a period."""
    year, month = divmod(number * MONTHS[every], 12)
    return dt.date(year, month + 1, 1)


@lru_cache(maxsize=4096)
def last_day(number: int, every: Every) -> dt.date:
    """Last day of a period."""
    return first_day(number + 1, every) - dt.timedelta(1)


def containing(day: dt.date, every: Every) -> int:
    """The period of a day."""
    return (day.year * 12 + day.month - 1) // MONTHS[every]


def first_from(day: dt.date, every: Every) -> int:
    """The first period that begins on or after a day."""
    number = containing(day, every)
    return number if first_day(number, every) == day else number + 1


@lru_cache(maxsize=4096)
def last_within(day: dt.date, every: Every) -> int:
    """The last period that has ended on or before a day."""
    return containing(day + dt.timedelta(1), every) - 1
