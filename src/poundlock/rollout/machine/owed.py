"""Returns that a run's institutions owe: from the terms and the consents alone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Final

from poundlock.rollout.machine import periods
from poundlock.rollout.machine.programme import Filings, Programme, Run, participants
from poundlock.rollout.machine.terms import ReturnKind
from poundlock.rollout.refusal import Refused

DAY: Final = dt.timedelta(1)


def begun(programme: Programme, run: Run, day: dt.date) -> Run:
    """The run with what every institution that takes part owes from a day on."""
    for institution in participants(programme, run.stage, day):
        run = joined(programme, run, institution, day)
    return run


def joined(programme: Programme, run: Run, institution: str, day: dt.date) -> Run:
    """The run with what one more institution owes from a day on. Of one that left and comes back, what it owed before stays."""
    before = [f for f in run.filings if f.institution == institution and f.stops is not None]
    more = []
    for d in programme.terms.returns:
        left = [periods.last_day(f.stops, f.every) + DAY for f in before if f.kind == d.kind and f.stops is not None]
        first = periods.first_from(max([day, *left]), d.every)
        more.append(Filings(d.kind, d.every, d.due_days, institution, first, first - 1))
    return replace(run, filings=(*run.filings, *more))


def stopped(run: Run, institution: str, day: dt.date) -> Run:
    """The run after an institution left: it still owes the period in which it left, if it owed that one at all."""
    kept = []
    for f in run.filings:
        stops = periods.containing(day, f.every)
        if f.institution != institution or f.stops is not None:
            kept.append(f)
        elif stops >= f.first:
            kept.append(replace(f, stops=stops))
    return replace(run, filings=tuple(kept))


@dataclass(frozen=True, slots=True)
class Taken:
    """A return that was taken. run: with it. again: it had been filed before. counts: its period is of the window."""

    run: Run
    again: bool
    counts: bool


def filed(run: Run, institution: str, kind: ReturnKind, period: str, day: dt.date) -> Taken:
    """One more return on a day. Raises Refused where none is owed, or its period has not ended."""
    duties = [f for f in run.filings if (f.institution, f.kind) == (institution, kind)]
    if not duties:
        raise Refused(
            f"refused: {institution} owes no return '{kind}' in stage {run.stage}; see `poundlock returns status`"
        )
    owed, number = next((x for x in _read(duties, period) if _owes(*x)), (None, 0))
    if owed is None:
        said = ", ".join(_span(f) for f in duties)
        raise Refused(f"refused: {institution} owes '{kind}' {said} in stage {run.stage}; {period} is not among them")
    if number > periods.last_within(day, owed.every):
        raise Refused(f"refused: {period} has not ended on {day}; file '{kind}' for it once it has")
    counts = run.decide_on is not None and number <= periods.last_within(run.decide_on, owed.every)
    if number <= owed.through or number in owed.beyond:
        return Taken(run, True, counts)
    renewed = _with_period(owed, number)
    return Taken(replace(run, filings=tuple(renewed if f is owed else f for f in run.filings)), False, counts)


def _read(duties: list[Filings], period: str) -> list[tuple[Filings, int]]:
    """Those whose periods are written like this, with its number. Raises Refused where there is none."""
    read = []
    said = ""
    for f in duties:
        try:
            read.append((f, periods.index(period, f.every)))
        except ValueError as mistake:
            said = str(mistake)
    if not read:
        raise Refused(f"refused: {said}; correct the period")
    return read


def _owes(owed: Filings, number: int) -> bool:
    return owed.first <= number and (owed.stops is None or number <= owed.stops)


def _span(owed: Filings) -> str:
    first = periods.text(owed.first, owed.every)
    return f"from {first} on" if owed.stops is None else f"from {first} to {periods.text(owed.stops, owed.every)}"


def _with_period(owed: Filings, number: int) -> Filings:
    through, beyond = owed.through, {*owed.beyond, number}
    while through + 1 in beyond:
        through += 1
        beyond.remove(through)
    return replace(owed, through=through, beyond=tuple(sorted(beyond)))


def complete(run: Run) -> bool:
    """Whether every return of the window was filed."""
    assert run.decide_on is not None
    return all(f.through >= _last(f, periods.last_within(run.decide_on, f.every)) for f in run.filings)


def _last(owed: Filings, number: int) -> int:
    return number if owed.stops is None else min(number, owed.stops)


def due(owed: Filings) -> tuple[int, dt.date] | None:
    """The next period that was not filed, and the last day for it; None where nothing more is owed."""
    number = owed.through + 1
    if owed.stops is not None and number > owed.stops:
        return None
    return number, last_day_for(owed, number)


def late_after(owed: Filings, day: dt.date) -> dt.date | None:
    """The first day after this one on which a return that was not filed becomes overdue; None where none does."""
    number = owed.through + 1
    while owed.stops is None or number <= owed.stops:
        late = last_day_for(owed, number) + DAY
        if late > day and number not in owed.beyond:
            return late
        number += 1
    return None


def last_day_for(owed: Filings, number: int) -> dt.date:
    """The last day on which a period's return is in time."""
    return periods.last_day(number, owed.every) + dt.timedelta(owed.due_days)


def overdue(run: Run, day: dt.date) -> tuple[tuple[Filings, int], ...]:
    """Every return whose last day has passed: what, and which period."""
    late = []
    for f in run.filings:
        number = f.through + 1
        while (f.stops is None or number <= f.stops) and last_day_for(f, number) < day:
            if number not in f.beyond:
                late.append((f, number))
            number += 1
    return tuple(late)


def name(owed: Filings, number: int) -> str:
    """How a waiver and a list name one return."""
    return f"{owed.kind}/{owed.institution}/{periods.text(number, owed.every)}"
