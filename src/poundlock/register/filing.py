"""Returns in a register: one is read, held against the last and entered with a receipt; what is owed, late, or told differently by two."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from poundlock.problems import Problem, ProblemsFound
from poundlock.register.clerk import Clerk, people_of, shown
from poundlock.register.store import Register
from poundlock.returns.filed import Caution, Filed, with_cautions
from poundlock.returns.intake import read_return
from poundlock.returns.reconcile import Mismatch, between
from poundlock.rollout.chain import Entry
from poundlock.rollout.machine import book, owed, periods
from poundlock.rollout.machine.programme import Programme
from poundlock.rollout.machine.run import OVER
from poundlock.rollout.refusal import Refused


@dataclass(frozen=True)
class Receipt:
    """What a filer gets. entry: of the register, None where the filing was only tried. filed: what was read. late: days after the deadline."""

    entry: Entry | None
    filed: Filed
    late: int


@dataclass(frozen=True)
class Received:
    """A return that was entered. number: of its entry. day: on which. replaced: by a later one."""

    number: int
    day: date
    institution: str
    kind: str
    period: str
    digest: str
    rows: int
    totals: Mapping[str, str]
    replaced: bool = False


@dataclass(frozen=True)
class Owed:
    """One return of a run. state: 'filed', 'due' or 'overdue'. late: days after the deadline, on which it came or today; nought in time."""

    run: str
    institution: str
    kind: str
    period: str
    deadline: date
    state: str
    late: int
    receipt: int = 0


def file_return(
    clerk: Clerk, programme: str, path: Path, kind: str, period: str, reasons: Mapping[str, str], *, replaces: int = 0
) -> Receipt:
    """Read a file and enter it. reasons: written reasons by code of caution. replaces: number of the receipt that it takes the place of.

    Raises ProblemsFound with every mistake of the file, and with every caution that has no reason; Refused where nothing is owed, or where the
    same file was filed before.
    """
    institution = people_of(clerk.register).persons[clerk.person].institution if _known(clerk) else ""
    if not institution:
        raise Refused(
            f"refused: {clerk.person} belongs to no institution; returns are filed by an institution's own people"
        )
    filed = read_return(path, kind, institution, period)
    before = tuple(received(clerk.register, programme, kind, institution))
    last = next((r for r in reversed(before) if not r.replaced and r.period != period), None)
    filed = with_cautions(filed, last.totals if last else None)
    same = [r for r in before if r.digest == filed.digest and not r.replaced]
    if (twice := next((r for r in same if r.period == period), None)) is not None:
        raise Refused(f"refused: this file was filed already for {period} as receipt {twice.number}; file what changed")
    if same:
        found = f"the same file as for {same[-1].period}, receipt {same[-1].number}"
        caution = Caution("same-file", kind, found, "a figure that moved, or the reason why none did")
        filed = replace(filed, warnings=(*filed.warnings, caution))
    if grave := sum(row.get("severity") in ("major", "critical") and not row.get("ended") for row in filed.table):
        found = f"{grave} open {'incident' if grave == 1 else 'incidents'} that would hold a stage"
        asks = "each reported too, with `poundlock programme incident`; say under which entries"
        filed = replace(filed, warnings=(*filed.warnings, Caution("grave-incident", kind, found, asks)))
    _acceptable(path, filed, reasons)
    if replaces and not any((r.number, r.period, r.replaced) == (replaces, period, False) for r in before):
        raise Refused(
            f"refused: receipt {replaces} is no {kind} of {institution} for {period} that stands; see `poundlock returns status`"
        )
    body = {
        "kind": kind,
        "period": period,
        "digest": filed.digest,
        "rows": filed.rows,
        "totals": dict(filed.totals),
        "cautions": [w.code for w in filed.warnings],
        "reasons": [reasons[w.code] for w in filed.warnings],
        "replaces": replaces,
    }
    late = max(
        (
            o.late
            for o in owing(clerk.register, shown(clerk.register, programme, clerk.at))
            if o.kind == kind and o.institution == institution and o.period == period
        ),
        default=0,
    )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != filed.digest:
        raise Refused("refused: the file changed while it was read; file it again once nobody writes to it")
    done = clerk.act("file", body, programme, (content,))
    return Receipt(done.entry, filed, late)


def _known(clerk: Clerk) -> bool:
    return clerk.person in people_of(clerk.register).persons


def _acceptable(path: Path, filed: Filed, reasons: Mapping[str, str]) -> None:
    """Raise every mistake, and every caution without a reason."""
    raised = [w.code for w in filed.warnings]
    if not filed.errors and (unknown := sorted(set(reasons) - set(raised))):
        raise Refused(
            f"refused: no caution '{unknown[0]}' was raised; raised: {', '.join(raised) or 'none'}; leave that reason out"
        )
    unexplained = [
        Problem(
            str(path),
            None,
            f"{w.found} (caution {w.code})",
            w.asks,
            f"correct the file, or file it again with --reason {w.code}='...'",
        )
        for w in filed.warnings
        if not reasons.get(w.code)
    ]
    if filed.errors or unexplained:
        raise ProblemsFound([*filed.errors, *unexplained])


def received(register: Register, programme: str, kind: str = "", institution: str = "") -> Iterator[Received]:
    """Every return that was entered, in order."""
    homes = _homes(register)
    found: list[Received] = []
    for entry, text, _ in register.records(act="file", object=book.object_of(programme)):
        body: dict[str, Any] = json.loads(text or "{}")
        if not body or (kind and body["kind"] != kind) or (institution and homes(entry) != institution):
            continue
        if body["replaces"]:
            found = [replace(r, replaced=True) if r.number == body["replaces"] else r for r in found]
        found.append(
            Received(
                entry.number,
                date.fromisoformat(entry.at[:10]),
                homes(entry),
                body["kind"],
                body["period"],
                body["digest"],
                body["rows"],
                body["totals"],
            )
        )
    yield from found


def _homes(register: Register) -> Callable[[Entry], str]:
    """The institution of who acted, as they were enrolled at the time."""
    enrolled: dict[str, list[tuple[int, str]]] = {}
    for entry, text, _ in register.records(act="enrol", object=book.PEOPLE):
        body = json.loads(text or "{}")
        enrolled.setdefault(body["person"], []).append((entry.number, body["institution"]))
    return lambda entry: next((home for number, home in reversed(enrolled[entry.actor]) if number < entry.number), "")


def owing(register: Register, p: Programme) -> Iterator[Owed]:
    """Every return that the runs of a programme owe up to the day, filed ones with their lateness. Of a run that is over, what it owed by then."""
    first: dict[tuple[str, str, str], Received] = {}
    for r in received(register, p.id):
        first.setdefault((r.institution, r.kind, r.period), r)
    for run in p.runs:
        over = run.state in OVER
        until = run.since if over else p.at
        for f in run.filings:
            number = f.first
            while periods.first_day(number, f.every) <= min(until, run.ends) and (f.stops is None or number <= f.stops):
                period, deadline = periods.text(number, f.every), owed.last_day_for(f, number)
                came = first.get((f.institution, f.kind, period))
                number += 1
                if came is None and ((over and deadline >= until) or periods.last_day(number - 1, f.every) > run.ends):
                    continue  # it was not yet due when the run ended, or its period goes on after it
                late = max(0, ((came.day if came else until) - deadline).days)
                state = "filed" if came else "overdue" if late else "due"
                yield Owed(run.id, f.institution, f.kind, period, deadline, state, late, came.number if came else 0)


def mismatches(register: Register, programme: str, period: str) -> tuple[Mismatch, ...]:
    """Where the returns of a period contradict each other: what one says it lent, the other that it borrowed; exposures and balance sheets.
    The files are read again, each in a process of its own."""
    filings = []
    for r in received(register, programme):
        if r.period == period and not r.replaced and (content := register.file(r.digest)) is not None:
            with tempfile.NamedTemporaryFile(suffix=".return") as file:
                file.write(content)
                file.flush()
                filings.append(
                    read_return(Path(file.name), r.kind, r.institution, r.period, shown=f"receipt {r.number}")
                )
    if not filings:
        raise ValueError(
            f"found no return for {period!r}; expected a period with returns, as 2026-Q1. Cure: see `poundlock returns status`."
        )
    return between(filings)
