"""What each act changes of a programme. Every function refuses what the rules forbid and returns the programme after it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from poundlock.rollout.machine import acts, deadlines, owed, signing_off
from poundlock.rollout.machine.decisions import order, proven
from poundlock.rollout.machine.life import EDITABLE, ENDED, LIFE_EDGES
from poundlock.rollout.machine.moment import Moment, live, take
from poundlock.rollout.machine.people import has_role
from poundlock.rollout.machine.programme import (
    Check,
    Consent,
    Draft,
    Found,
    Incident,
    Programme,
    Run,
    exposing,
    participants,
    renewed,
    run_of,
    unfinished,
    with_run,
)
from poundlock.rollout.machine.run import EXPOSING, edge
from poundlock.rollout.refusal import Refused


def declared(at: Moment, id: str, body: acts.Declared) -> Programme:
    """A new programme, as a draft."""
    _same_id(id, body.terms.id)
    return Programme(id, at.day, "draft", at.day, at.who.institution, body.plan, body.terms, at.who.id, at.entry)


def _same_id(id: str, declared_id: str) -> None:
    if id != declared_id:
        raise Refused(f"refused: the plan is of programme '{declared_id}', not of '{id}'; name the right plan")


def _edited(at: Moment, p: Programme, body: acts.Edited) -> Programme:
    _same_id(p.id, body.terms.id)
    if p.life in EDITABLE:
        _applicant(at, p)
        return replace(p, plan=body.plan, terms=body.terms, editor=at.who.id, changed=at.entry)
    if p.life not in signing_off.CHANGEABLE:
        ways = ", ".join(e.cause for e in LIFE_EDGES if e.source == p.life)
        raise Refused(f"refused: the plan is locked while the programme is '{p.life}'; what leads on: {ways}")
    if not has_role(at.people, at.who, "officer", at.day):
        raise Refused("refused: the plan is locked; an officer may draft a change, which two other people must sign")
    signing_off.keeps_stages(p, body.terms)
    return replace(p, draft=Draft(body.plan, body.terms, at.who.id), changed=at.entry)


def _applicant(at: Moment, p: Programme) -> None:
    if at.who.institution != p.applicant:
        raise Refused(f"refused: programme {p.id} is {p.applicant}'s; only its people may do this")


def _submitted(at: Moment, p: Programme, body: acts.Nothing) -> Programme:
    _applicant(at, p)
    return live(p, "submit", at)


def _withdrawn(at: Moment, p: Programme, body: acts.Because) -> Programme:
    _applicant(at, p)
    if open_runs := unfinished(p):
        raise Refused(f"refused: run {open_runs[0].id} is not over; an officer must cancel it first")
    return live(p, "withdraw", at)


def _by_officer(cause: str) -> Callable[[Moment, Programme, Any], Programme]:
    def step(at: Moment, p: Programme, body: Any) -> Programme:
        return live(p, cause, at)

    return step


def _published(at: Moment, p: Programme, body: acts.Nothing) -> Programme:
    until = at.day + dt.timedelta(p.terms.comment_days)
    return replace(live(p, "publish", at), notice_until=until)


def _commented(at: Moment, p: Programme, body: acts.Commented | None) -> Programme:
    if p.life != "public notice":
        raise Refused(f"refused: the programme is '{p.life}'; comments are taken during the public notice")
    return p


def _reviewed(at: Moment, p: Programme, body: acts.Nothing) -> Programme:
    if still := unfinished(p):
        raise Refused(
            f"refused: run {still[0].id} is '{still[0].state}'; every run must be over before the exit review"
        )
    return live(p, "review", at)


def _consented(at: Moment, p: Programme, body: acts.Consented) -> Programme:
    institution = at.who.institution
    if unknown := sorted(set(body.stages) - {s.id for s in p.terms.stages}):
        raise Refused(f"refused: no stage '{unknown[0]}'; there are: {', '.join(s.id for s in p.terms.stages)}")
    given = {stage for stage in body.stages if institution in participants(p, stage, at.day)}
    if given:
        raise Refused(f"refused: {institution} has consented to stage '{sorted(given)[0]}' already; leave it out")
    p = replace(p, consents=(*p.consents, Consent(institution, body.stages, at.day)))
    for run in unfinished(p):
        if run.stage in body.stages:
            owing = run if run.state == "pending" else owed.joined(p, run, institution, at.day)
            p = with_run(p, replace(owing, changed=at.entry))
    return p


def _consent_withdrawn(at: Moment, p: Programme, body: acts.Because) -> Programme:
    institution = at.who.institution
    if not any(c.institution == institution and c.until is None for c in p.consents):
        raise Refused(f"refused: {institution} takes no part; there is nothing to withdraw")
    ended = tuple(
        replace(c, until=at.day) if c.institution == institution and c.until is None else c for c in p.consents
    )
    p = replace(p, consents=ended)
    for run in unfinished(p):
        p = with_run(p, replace(owed.stopped(run, institution, at.day), changed=at.entry))
    return p


def _opened(at: Moment, p: Programme, body: acts.Opened) -> Programme:
    if p.life not in ("approved", "running"):
        raise Refused(f"refused: the programme is '{p.life}'; a stage may be opened once it is approved")
    stage = p.terms.stage(body.stage)
    if stage is None:
        raise Refused(f"refused: no stage '{body.stage}'; there are: {', '.join(s.id for s in p.terms.stages)}")
    before = p.terms.before(stage.id)
    if before is not None and not any(r.stage == before.id and r.state == "passed" for r in p.runs):
        raise Refused(f"refused: stage '{before.id}' was not passed; it comes before '{stage.id}'")
    tries = [r for r in p.runs if r.stage == stage.id]
    if any(r.state == "passed" for r in tries):
        raise Refused(f"refused: stage '{stage.id}' was passed already; open the next one, or begin the exit review")
    if still := unfinished(p):
        raise Refused(
            f"refused: run {still[0].id} is '{still[0].state}'; one run at a time, and a new try once it is over"
        )
    run = Run(stage.id, len(tries) + 1, "pending", at.day, at.day, stage.ends, changed=at.entry)
    return replace(p, runs=(*p.runs, run))


def _cancelled(at: Moment, p: Programme, body: acts.OfRun) -> Programme:
    return with_run(p, take(run_of(p, body.run), "cancel", body.why, at))


def _judged(at: Moment, p: Programme, body: acts.Judged) -> Programme:
    run = run_of(p, body.run)
    if run.state != "pending" and run.state not in EXPOSING:
        raise Refused(
            f"refused: run {run.id} is '{run.state}'; a check is of no use there; name a run that is not over"
        )
    if body.as_of > at.day:
        raise Refused(f"refused: the check speaks of {body.as_of}, which has not come; enter it then")
    if body.plan != p.plan:
        raise Refused(
            f"refused: the check was made under plan {body.plan[:12]}, in force is {p.plan[:12]}; run it again"
        )
    if run.check is not None and run.filed > run.check.entry and body.evidence == run.check.evidence:
        raise Refused(
            f"refused: returns came in (entry {run.filed}) since check {run.check.entry}, and this is the same evidence; run it again on all of it"
        )
    if run.check is not None and body.as_of < run.check.as_of:
        raise Refused(
            f"refused: check {run.check.entry} speaks of {run.check.as_of}, this one of {body.as_of}; enter newer evidence"
        )
    metrics = [f.metric for f in body.findings]
    known = [m.gate for m in p.terms.metrics]
    if strange := sorted(set(metrics) - set(known)):
        raise Refused(f"refused: the plan in force has no metric '{strange[0]}'; it has: {', '.join(known)}")
    if len(set(metrics)) < len(metrics):
        raise Refused("refused: two findings of one metric; enter one for each")
    found = tuple(Found(f.metric, f.kind) for f in body.findings)
    check = Check(at.entry, at.who.id, body.as_of, body.plan, body.evidence, body.verdict, found)
    return with_run(p, replace(run, check=check, changed=at.entry))


def _held(at: Moment, p: Programme, body: acts.Ordered) -> Programme:
    run = run_of(p, body.run)
    proven(at.people, at.who, order(at.people, p, run, "hold", body.why, at.who.id), body.signature)
    return with_run(p, take(run, "hold", body.why, at))


def _rolled_back(at: Moment, p: Programme, body: acts.Ordered) -> Programme:
    run = run_of(p, body.run)
    found = edge(run.state, "roll back")
    if found is None or found.by != "duty officer":
        raise Refused(
            f"refused: run {run.id} is '{run.state}'; alone you may roll back only what is held critical; propose it while the run goes on"
        )
    proven(at.people, at.who, order(at.people, p, run, "roll back", body.why, at.who.id), body.signature)
    return with_run(p, take(run, "roll back", body.why, at))


def _unwound(at: Moment, p: Programme, body: acts.Unwound) -> Programme:
    return with_run(p, take(run_of(p, body.run), "unwound", "verified: nothing is left", at))


def _stuck(at: Moment, p: Programme, body: acts.OfRun) -> Programme:
    return with_run(p, take(run_of(p, body.run), "cannot unwind", body.why, at))


def _filed(at: Moment, p: Programme, body: acts.Filed) -> Programme:
    institution = at.who.institution
    run = next(iter(exposing(p)), None)
    if run is None:
        raise Refused(f"refused: no stage of programme {p.id} runs; nothing is owed, so there is nothing to file")
    taken = owed.filed(run, institution, body.kind, body.period, at.day)
    if taken.again and not body.replaces:
        raise Refused(
            f"refused: {institution} has filed '{body.kind}' for {body.period}; say which receipt this one replaces"
        )
    if not taken.again and body.replaces:
        raise Refused(f"refused: nothing was filed for {body.period} yet; leave out what it replaces")
    if not taken.counts:
        return with_run(p, taken.run)
    late = f"{institution} filed '{body.kind}' for {body.period} after the window had closed"
    run = renewed(taken.run, filed=at.entry)
    return with_run(p, take(run, "late return", late, at) if run.state == "deciding" else run)


def _reported(at: Moment, p: Programme, body: acts.Reported) -> Programme:
    if at.who.institution and at.who.institution != body.institution:
        raise Refused(f"refused: you report for {at.who.institution}, not for {body.institution}")
    known = sorted({p.applicant, *(c.institution for c in p.consents)})
    if body.institution not in known:
        raise Refused(f"refused: {body.institution} takes no part in programme {p.id}; there are: {', '.join(known)}")
    p = replace(p, incidents=(*p.incidents, Incident(at.entry, body.institution, body.kind, body.severity)))
    return p if body.severity == "minor" else _touched(p, at)


def _touched(p: Programme, at: Moment) -> Programme:
    for run in unfinished(p):
        p = with_run(p, replace(run, changed=at.entry))
    return p


def _incident_closed(at: Moment, p: Programme, body: acts.Closed) -> Programme:
    if not any(i.entry == body.incident and not i.closed for i in p.incidents):
        known = ", ".join(str(i.entry) for i in p.incidents if not i.closed) or "none"
        raise Refused(f"refused: no open incident {body.incident}; open are: {known}")
    done = tuple(replace(i, closed=True) if i.entry == body.incident else i for i in p.incidents)
    return _touched(replace(p, incidents=done), at)


STEPS: Final[dict[str, Callable[[Moment, Programme, Any], Programme]]] = {
    "edit": _edited,
    "submit": _submitted,
    "withdraw": _withdrawn,
    "return": _by_officer("return"),
    "accept": _by_officer("accept"),
    "publish": _published,
    "comment": _commented,
    "consent": _consented,
    "withdraw-consent": _consent_withdrawn,
    "open": _opened,
    "cancel": _cancelled,
    "judge": _judged,
    "hold": _held,
    "roll-back": _rolled_back,
    "unwound": _unwound,
    "cannot-unwind": _stuck,
    "propose": signing_off.proposed,
    "approve": signing_off.approved,
    "retract": signing_off.retracted,
    "report": _reported,
    "close-incident": _incident_closed,
    "file": _filed,
    "review": _reviewed,
    "close": _by_officer("close"),
}


def stepped(at: Moment, p: Programme, act: str, body: Any) -> Programme:
    """A programme after one act on a day: first what the calendar did until then, then the act, then what follows from it at once."""
    if at.day < p.at:
        raise Refused(f"refused: the programme stands as of {p.at}, and this is of {at.day}; correct the clock")
    if at.day > p.at:  # on one day nothing happens by itself between two acts: each leaves everything settled
        p = signing_off.voided(deadlines.on(p, at.day))
    if p.life in ENDED:
        raise Refused(f"refused: programme {p.id} is '{p.life}'; nothing can be done in it any more")
    after = STEPS[act](at, p, body)
    if act == "file" and not _may_close(after, at.day):
        return signing_off.voided(after)
    return signing_off.voided(deadlines.on(after, at.day))


def _may_close(p: Programme, day: dt.date) -> bool:
    """Whether a return can have closed a window: before the day to decide on it only takes a doubt away, and nothing moves by that."""
    return any(run.decide_on is not None and day >= run.decide_on for run in exposing(p))
