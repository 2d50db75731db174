"""What the calendar does by itself. The state on a day is a function of the entries and of that day: asked twice, it is the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from poundlock.rollout.machine import doubts, owed
from poundlock.rollout.machine.owed import DAY
from poundlock.rollout.machine.programme import Programme, Run, unfinished, with_run
from poundlock.rollout.machine.run import OVER, State, edge


def on(programme: Programme, day: dt.date) -> Programme:
    """The programme as it stands on a day, if nothing is entered until then. on(on(p, a), b) equals on(p, b) for a before b."""
    day = max(day, programme.at)
    programme = _life(programme, day)
    for run in unfinished(programme):
        programme = _run_on(programme, run, day)
    return programme if programme.at == day else replace(programme, at=day)


def _life(programme: Programme, day: dt.date) -> Programme:
    until = programme.notice_until
    if programme.life == "public notice" and until is not None and day > until:
        return replace(programme, life="decision", since=until + DAY)
    return programme


def _run_on(programme: Programme, run: Run, day: dt.date) -> Programme:
    at = programme.at
    while True:
        programme, run = settled(programme, run, at)
        later = min((d for d in _dates(programme, run, at) if at < d <= day), default=None)
        if later is None or run.state in OVER:
            return programme
        at = later


def _dates(programme: Programme, run: Run, at: dt.date) -> Iterator[dt.date]:
    """Days on which something may change by itself, the next after `at` of each kind among them."""
    yield run.ends
    if run.state == "active":
        assert run.decide_on is not None
        yield run.decide_on
    if run.state in ("active", "deciding", "held"):
        yield from (w.until + DAY for w in run.waivers)
        yield from (late for f in run.filings if (late := owed.late_after(f, at)) is not None)
        stale = doubts.stale_on(programme, run)
        assert stale is not None
        yield stale
    if run.state == "deciding":
        yield run.since + dt.timedelta(programme.terms.decide_within_days + 1)
    if run.state == "rolling back":
        yield run.since + dt.timedelta(programme.terms.unwind_within_days + 1)


def settled(programme: Programme, run: Run, day: dt.date) -> tuple[Programme, Run]:
    """A run after everything that happens by itself on one day."""
    while (found := _next(programme, run, day)) is not None:
        run = moved(run, *found, day=day, entry=run.changed)
        programme = with_run(programme, run)
    return programme, run


def _next(programme: Programme, run: Run, day: dt.date) -> tuple[str, str] | None:
    """The one cause that acts now, and why: the worst first."""
    if run.state not in ("active", "deciding", "held", "held critical"):
        within = programme.terms.unwind_within_days
        return _late(run, within, day, "not unwound") if run.state == "rolling back" else None
    if run.state == "held critical" and doubts.pre_authorised(programme, run):
        return "pre-authorised", "the plan allows immediate roll-back on this breach"
    if day >= run.ends:
        return "end date", f"the stage ends on {run.ends}"
    found = doubts.cause(programme, run, day)
    if found is not None and edge(run.state, found[0]) is not None:
        return found
    if run.state == "active" and _window_closed(run, day):
        return "window closed", f"the window closed on {run.decide_on} and every return is in"
    return _late(run, programme.terms.decide_within_days, day, "not decided") if run.state == "deciding" else None


def _late(run: Run, within: int, day: dt.date, what: str) -> tuple[str, str] | None:
    return ("overdue", f"{what} within {within} days") if day > run.since + dt.timedelta(within) else None


def _window_closed(run: Run, day: dt.date) -> bool:
    return run.decide_on is not None and day >= run.decide_on and owed.complete(run)


def moved(run: Run, cause: str, why: str, *, day: dt.date, entry: int) -> Run:
    """The run after one edge of the table. entry: number of the entry that moved it; of the calendar's moves, that of the last change."""
    found = edge(run.state, cause)
    assert found is not None, f"no way out of {run.state} on {cause}"
    target: State = found.target
    return replace(run, state=target, since=day, why=why, changed=entry)
