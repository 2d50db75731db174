"""A register in words: where a programme stands, what waits, and its log."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any, Final

from poundlock.register.acts import ERASED
from poundlock.register.rows import Record
from poundlock.rollout.machine import book, deadlines, doubts, owed, periods, signing_off
from poundlock.rollout.machine.decisions import MATTERS, missing
from poundlock.rollout.machine.life import ENDED
from poundlock.rollout.machine.moment import Moment
from poundlock.rollout.machine.people import People
from poundlock.rollout.machine.programme import Programme, Proposal, Run, run_of
from poundlock.rollout.machine.run import EXPOSURE, OVER

_MOST_TOLD, _LONGEST_WHY = 20, 500
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction in which text is shown."""


def plain(text: str) -> str:
    """Text in one line as it is: what would end a line, move the cursor or turn the text around is shown as its escape, so that nobody's words
    can look like another entry."""
    odd = (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in _TURNING for c in text)
    return "".join(c.encode("unicode_escape").decode() if bad else c for c, bad in zip(text, odd, strict=True))


def standing_words(people: People, p: Programme) -> Iterator[str]:
    """Lines for the screen."""
    yield from map(plain, _standing(people, p))


def _standing(people: People, p: Programme) -> Iterator[str]:
    yield f"Programme {p.id}: {p.life} since {p.since}, plan {p.plan[:12]}..., as of {p.at}"
    if p.notice_until and p.life == "public notice":
        yield f"  comments until {p.notice_until}"
    for run in p.runs:
        yield from _run_words(people, p, run)
    if not p.runs and p.life not in ENDED:
        yield "  no stage was opened yet"
    for incident in p.incidents:
        if not incident.closed:
            yield f"  incident {incident.entry}: {incident.severity}, {incident.kind}, at {incident.institution}, open"
    for proposal in p.proposals:
        if not proposal.void:
            yield f"  decision {proposal.id}: {waits(people, p, proposal)}"
            yield f"    {decision_words(proposal)}"
    if void := sum(bool(x.void) for x in p.proposals):
        yield f"  {void} void {'decision' if void == 1 else 'decisions'}; --json lists all"


def _run_words(people: People, p: Programme, run: Run) -> Iterator[str]:
    yield f"Run {run.id}: {run.state} since {run.since}; exposure {EXPOSURE[run.state]}" + (
        f"; {_short(run.why)}" if run.why else ""
    )
    if run.state in OVER:
        return
    if run.started is not None:
        yield f"  started {run.started}; may be decided on from {run.decide_on}; ends on {run.ends}"
    against = doubts.standing(p, run, p.at)
    for doubt in against[:_MOST_TOLD]:
        said = ", waived" if doubts.waived(run, doubt, p.at) else ""
        yield f"  against going on: {doubt}{said}"
    if len(against) > _MOST_TOLD:
        yield f"  against going on: {len(against) - _MOST_TOLD:,} more; --json lists all"
    soon = [(late, f, number) for f in run.filings if (found := owed.due(f)) for number, late in [found]]
    for late, f, number in sorted(soon, key=lambda x: (x[0], x[1].institution))[:3]:
        when = f"by {late}" if late >= p.at else f"overdue by {(p.at - late).days} days"
        yield f"  next return: {f.kind} of {f.institution} for {periods.text(number, f.every)}, {when}"
    if run.check is not None:
        yield f"  last check: entry {run.check.entry}, of {run.check.as_of}"
    somebody = next(iter(people.persons.values()))
    if (next_step := signing_off.obstacle(Moment(people, somebody, p.at, 0), p, run)) is not None:
        matter, against_it = next_step
        yield f"  to {matter}: {_short(against_it) or 'nothing stands against it; it may be proposed'}"


def _short(why: str) -> str:
    return why if len(why) <= _LONGEST_WHY else f"{why[:_LONGEST_WHY]}..."


def decision_words(proposal: Proposal) -> str:
    """What a signature under it says yes to, beside its matter."""
    about = f"{proposal.matter} {proposal.run}".strip()
    return plain("; ".join((about, *_details(asdict(proposal.details)))))


def _details(details: Mapping[str, Any]) -> Iterator[str]:
    for w in details["waivers"]:
        of = f" of check {w['check']}" if w["check"] else ", overdue,"
        yield f"waives {w['metric']}{of} until {w['until']}"
    if details["decide_on"]:
        yield f"may be decided on from {details['decide_on']}"
    if details["ends"]:
        yield f"ends on {details['ends']}"
    if details["unwind"]:
        yield f"unwinds by the plan of SHA-256 {details['unwind']}"
    yield details["why"]


def waits(people: People, p: Programme, proposal: Proposal) -> str:
    """What a decision is on, who signed it, and what it still needs."""
    asks = MATTERS[proposal.matter].asks
    signed = ", ".join(s.person for s in proposal.signed)
    if proposal.void:
        return f"{asks}; void, {proposal.void}"
    run = run_of(p, proposal.run) if proposal.run else None
    return f"{asks}; signed by {signed}; still needs {missing(people, p, proposal, run) or 'one more signature'}"


def standing_values(people: People, p: Programme) -> dict[str, Any]:
    """The same as JSON values."""
    return {
        "programme": p.id,
        "life": p.life,
        "since": p.since.isoformat(),
        "as_of": p.at.isoformat(),
        "plan": p.plan,
        "runs": [_run_values(p, r) for r in p.runs],
        "incidents": [
            {"entry": i.entry, "institution": i.institution, "kind": i.kind, "severity": i.severity, "closed": i.closed}
            for i in p.incidents
        ],
        "decisions": [
            {
                "id": x.id,
                "matter": x.matter,
                "run": x.run,
                "details": json.loads(json.dumps(asdict(x.details), default=str)),
                "signed": [s.person for s in x.signed],
                "void": x.void,
            }
            for x in p.proposals
        ],
    }


def _run_values(p: Programme, run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "exposure": EXPOSURE[run.state],
        "since": run.since.isoformat(),
        "why": run.why,
        "decide_on": run.decide_on.isoformat() if run.decide_on else None,
        "ends": run.ends.isoformat(),
        "check": run.check.entry if run.check else None,
        "against": [
            {
                "check": d.check,
                "metric": d.metric,
                "kind": d.kind,
                "critical": d.critical,
                "waived": doubts.waived(run, d, p.at),
            }
            for d in (doubts.standing(p, run, p.at) if run.state not in OVER else ())
        ],
    }


def log(records: Iterable[Record]) -> Iterator[tuple[Record, tuple[str, ...]]]:
    """Every record with what moved because of it, in words: first what the calendar did until then. records: from the first on. A programme
    whose payloads were left out is told without."""
    states: dict[str, book.State | None] = {}
    apart: set[str] = set()
    for record in records:
        entry, text, _ = record
        before = states.get(entry.object)
        if text is None and not book.erasable(entry.act):
            apart.add(entry.object)
        if entry.act != ERASED and entry.object not in apart:
            states[entry.object] = book.step(
                states, entry.object, entry.actor, entry.role, entry.act, text, entry.number, entry.at
            )
        after = states.get(entry.object)
        moves: list[str] = []
        if isinstance(before, Programme) and isinstance(after, Programme):
            # on one day each act leaves everything settled: nothing comes by itself between two of them
            waited = deadlines.on(before, after.at) if after.at > before.at else before
            moves = [f"by the calendar, {m}" for m in _moves(before, waited)] + _moves(waited, after)
        yield record, tuple(moves)


def _moves(before: Programme, after: Programme) -> list[str]:
    old = {r.id: r.state for r in before.runs}
    lived = [f"programme {after.id}: {before.life} -> {after.life}"] if before.life != after.life else []
    ran = [r for r in after.runs if old.get(r.id, "pending") != r.state]
    return lived + [f"run {r.id}: {old.get(r.id, 'pending')} -> {r.state} (since {r.since})" for r in ran]


def log_line(record: Record) -> str:
    """An entry in one line: number, time, who, what, to what, and the gist of it."""
    entry, text, _ = record
    gist = _gist(entry.act, json.loads(text)) if text is not None else "(removed)"
    return plain(
        f"{entry.number:>5}  {entry.at[:16].replace('T', ' ')}  {entry.actor} ({entry.role})  {_did(entry.act, entry.object)}: {gist}"
    ).rstrip(": ")


def _did(act: str, object: str) -> str:
    """What was done, in words."""
    of = "" if object == book.PEOPLE else f" {object.removeprefix('programme:')}"
    return _DONE.get(act, act) + ("" if act in _OF_ITSELF else of)


def _gist(act: str, body: dict[str, Any]) -> str:
    """What an entry says, in a few words."""
    if (told := _GISTS.get(act)) is not None:
        return told(body)
    said = {k: v for k, v in body.items() if k in _TOLD and v}
    return "; ".join(", ".join(v) if isinstance(v, list) else str(v) for v in said.values())


def _judged(body: dict[str, Any]) -> str:
    odd = [f"{f['metric']}: {f['kind']}" for f in body["findings"] if f["kind"] != "pass"]
    return f"run {body['run']} as of {body['as_of']}, {', '.join(odd) or 'every finding a pass'}"


def _filed(body: dict[str, Any]) -> str:
    again = f", replaces receipt {body['replaces']}" if body["replaces"] else ""
    return f"{body['kind']} for {body['period']}, {body['rows']:,} {'row' if body['rows'] == 1 else 'rows'}{again}"


_GISTS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "judge": _judged,
    "file": _filed,
    "propose": lambda b: "; ".join((f"{b['decision']}: {b['matter']} {b['run']}".strip(), *_details(b["details"]))),
    "report": lambda b: f"{b['severity']}, {b['kind']}, at {b['institution']}, {b['what']}",
    "declare": lambda b: f"{b['declaration']['title']}, plan {b['plan'][:12]}...",
    "enrol": lambda b: f"{b['person']} as {', '.join(b['roles'])} of {b['institution'] or b['agency']}",
}
_DONE: Final = {
    "found": "founded the register",
    "add-agency": "added an agency",
    "enrol": "enrolled",
    "leave": "noted as gone",
    "delegate": "lent a role",
    "describe": "described",
    "declare": "declared",
    "edit": "entered a changed plan of",
    "submit": "submitted",
    "withdraw": "withdrew",
    "return": "returned",
    "accept": "accepted for assessment",
    "publish": "published a notice on",
    "comment": "entered a comment on",
    "consent": "consented to",
    "withdraw-consent": "withdrew consent to",
    "open": "opened a run of",
    "cancel": "cancelled a run of",
    "judge": "entered a check of",
    "hold": "held",
    "roll-back": "rolled back",
    "unwound": "stated that nothing is left of",
    "cannot-unwind": "noted that unwinding is stuck in",
    "propose": "proposed in",
    "approve": "signed in",
    "retract": "took back in",
    "report": "reported an incident in",
    "close-incident": "closed an incident in",
    "file": "filed in",
    "review": "began the exit review of",
    "close": "closed",
    ERASED: "removed the payload of",
}
_OF_ITSELF: Final = ("found", "add-agency", "enrol", "leave", "delegate", "describe")
_TOLD = (
    "person",
    "about",
    "agency",
    "decision",
    "run",
    "stage",
    "stages",
    "to",
    "role",
    "until",
    "severity",
    "what",
    "incident",
    "by",
    "text",
    "why",
)
