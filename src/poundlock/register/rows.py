"""Entries as they stand in the database, read in pages so that a long register needs no more memory than a short one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from poundlock.rollout.chain import Entry

Record = tuple[Entry, str | None, str]
"""An entry, its payload's canonical text (None where removed) and salt ('' where removed)."""
Ask = Callable[[str, Sequence[object]], list[Any]]
PAGE: Final = 2000
COLUMNS: Final = "number, at, actor, role, act, object, revision, payload, previous, digest"
_ENTRIES: Final = f"SELECT {COLUMNS} FROM poundlock_entry e"  # noqa: S608 - columns, not values
_RECORDS: Final = (
    f"SELECT {', '.join(f'e.{c}' for c in COLUMNS.split(', '))}, p.text, p.salt"  # noqa: S608
    # said of both tables: PostgreSQL does not see that the second bound follows, and would read all payloads for each page
    " FROM poundlock_entry e LEFT JOIN poundlock_payload p ON p.number = e.number AND p.number >= %s"
)


def entries(ask: Ask, first: int, last: int | None, act: str | None, object: str | None) -> Iterator[Entry]:
    """Entries of a range, in order."""
    for page in _pages(ask, _ENTRIES, first, last, act, object):
        yield from (Entry(*row) for row in page)


def records(ask: Ask, first: int, last: int | None, act: str | None, object: str | None) -> Iterator[Record]:
    """The same with their payloads."""
    for page in pages(ask, first, last, act, object):
        yield from page


def pages(
    ask: Ask, first: int, last: int | None = None, act: str | None = None, object: str | None = None
) -> Iterator[list[Record]]:
    """The same, a page at a time."""
    for page in _pages(ask, _RECORDS, first, last, act, object):
        yield [(Entry(*row[:10]), row[10], row[11] or "") for row in page]


def _pages(
    ask: Ask, query: str, first: int, last: int | None, act: str | None, object: str | None
) -> Iterator[list[Any]]:
    where, values = "e.number >= %s", []
    for column, value in (("e.number <=", last), ("e.act =", act), ("e.object =", object)):
        if value is not None:
            where += f" AND {column} %s"
            values.append(value)
    while True:
        page = ask(
            f"{query} WHERE {where} ORDER BY e.number LIMIT {PAGE}", (*[first] * (1 + query.count("%s")), *values)
        )
        if page:
            yield page
        if len(page) < PAGE:
            return
        first = page[-1][0] + 1
