"""From a proposal to a decision: signatures one by one, what makes them void, and what a decision does when the last one is there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from poundlock.rollout.machine import acts, doubts, owed
from poundlock.rollout.machine.decisions import (
    MATTERS,
    Matter,
    lapsed,
    matter_of,
    missing,
    proven,
    signer,
    stands,
    statement,
    with_signature,
)
from poundlock.rollout.machine.life import Life
from poundlock.rollout.machine.moment import Moment, live, take
from poundlock.rollout.machine.programme import (
    Details,
    Programme,
    Proposal,
    Run,
    Waiver,
    participants,
    run_of,
    unfinished,
    with_run,
)
from poundlock.rollout.machine.run import edge
from poundlock.rollout.machine.terms import LONGEST, Terms, window_end
from poundlock.rollout.plan import Stage
from poundlock.rollout.refusal import Refused

_KEPT_VOID: Final = 20
CHANGEABLE: Final[frozenset[Life]] = frozenset(("approved", "running"))
"""The plan is in force; an officer may draft a change, and two other people put it in force."""


def drafted(p: Programme, id: str, matter: str, run: str, asked: acts.DetailsAsked) -> Proposal:
    """A proposal before anybody signed it, as its statement is made of it. Raises Refused."""
    of = _run(p, matter_of(matter), run)
    _of_use(matter, asked)
    waivers = tuple(Waiver(w.check, w.metric, w.until) for w in asked.waivers)
    details = Details(asked.why, asked.decide_on, asked.ends, waivers, asked.unwind)
    return Proposal(id, matter, of.id if of else "", details, stands(p, of), ())


def _of_use(matter: str, asked: acts.DetailsAsked) -> None:
    """Refuse words that this decision does not have, lest somebody sign what they do not mean."""
    given = {
        "extend": asked.decide_on is not None or asked.ends is not None,
        "resume": bool(asked.waivers),
        "revise": bool(asked.unwind),
    }
    for other, there in given.items():
        if there and matter != other:
            what = {"extend": "another day", "resume": "a waiver", "revise": "a plan to unwind"}[other]
            raise Refused(f"refused: '{matter}' takes {what} from nobody, only '{other}' does; leave it out")


def _run(p: Programme, matter: Matter, run: str) -> Run | None:
    if matter.of == "run":
        if not run:
            raise Refused("refused: this decision is on a run of a stage; name it, as delta/1")
        return run_of(p, run)
    if run:
        raise Refused("refused: this decision is on the programme; leave the run out")
    return None


def proposed(at: Moment, p: Programme, body: acts.Proposed) -> Programme:
    """One more proposal, signed by who proposes it."""
    if any(x.id == body.decision for x in p.proposals) or body.decision in p.decided:
        raise Refused(f"refused: there is a decision '{body.decision}' already; give this one another name")
    proposal = drafted(p, body.decision, body.matter, body.run, body.details)
    open_one = next(
        (x for x in p.proposals if not x.void and (x.matter, x.run) == (proposal.matter, proposal.run)), None
    )
    if open_one is not None:
        raise Refused(
            f"refused: decision '{open_one.id}' asks the same; sign that one, or let {open_one.by} retract it"
        )
    _possible(at, p, proposal)
    proposal = _signed(at, p, proposal, body.interests, body.signature)
    return replace(p, proposals=(*p.proposals, proposal))


def approved(at: Moment, p: Programme, body: acts.Approved) -> Programme:
    """One more signature; the last that is needed makes it a decision, and it takes effect at once."""
    proposal = waiting(p, body.decision)
    _possible(at, p, proposal)
    proposal = _signed(at, p, proposal, body.interests, body.signature)
    run = _run(p, MATTERS[proposal.matter], proposal.run)
    if who := lapsed(at.people, p, proposal, at.day):
        raise Refused(
            f"refused: {who}, who signed '{proposal.id}', may no longer sign it; let it be retracted, and propose it again"
        )
    if missing(at.people, p, proposal, run):
        return replace(p, proposals=tuple(proposal if x.id == proposal.id else x for x in p.proposals))
    p = replace(p, proposals=tuple(x for x in p.proposals if x.id != proposal.id), decided=(*p.decided, proposal.id))
    return _EFFECTS[proposal.matter](at, p, proposal)


def waiting(p: Programme, id: str) -> Proposal:
    """A proposal that can still be signed. Raises Refused."""
    found = next((x for x in p.proposals if x.id == id), None)
    if found is None:
        if id in p.decided:
            raise Refused(
                f"refused: decision '{id}' was taken already, or has long been void; it needs no more signatures"
            )
        known = ", ".join(x.id for x in p.proposals if not x.void) or "none"
        raise Refused(f"refused: no decision '{id}' waits; waiting are: {known}")
    if found.void:
        raise Refused(f"refused: decision '{id}' is void, {found.void}; look at what changed and propose it again")
    return found


def _signed(at: Moment, p: Programme, proposal: Proposal, interests: str, signature: str) -> Proposal:
    who, role, lent_by = signer(at.people, p, proposal, at.who.id, at.day)
    run = _run(p, MATTERS[proposal.matter], proposal.run)
    proven(at.people, who, statement(at.people, p, proposal, run, who.id, interests), signature)
    return with_signature(proposal, who, role, interests, lent_by)


def retracted(at: Moment, p: Programme, body: acts.Retracted) -> Programme:
    """Whoever proposed it takes it back; anybody who may propose does where somebody who signed may no longer sign."""
    proposal = waiting(p, body.decision)
    if proposal.by != at.who.id and not lapsed(at.people, p, proposal, at.day):
        raise Refused(f"refused: {proposal.by} proposed it, and only they can retract it; you may leave it unsigned")
    back = replace(proposal, void=f"retracted by {at.who.id}")
    return replace(p, proposals=tuple(back if x.id == back.id else x for x in p.proposals))


def voided(p: Programme) -> Programme:
    """Proposals whose subject changed lose their signatures' force."""
    if not p.proposals:
        return p
    marked = tuple(_as_it_stands(p, x) for x in p.proposals)
    old = [x.id for x in marked if x.void][:-_KEPT_VOID]
    return replace(p, proposals=tuple(x for x in marked if x.id not in old), decided=(*p.decided, *old))


def _as_it_stands(p: Programme, proposal: Proposal) -> Proposal:
    run = next((r for r in p.runs if r.id == proposal.run), None)
    now = stands(p, run)
    if proposal.void or now == proposal.stands:
        return proposal
    entry = run.changed if run is not None else p.changed
    return replace(proposal, void=f"because what it rests on changed (entry {entry}; {now.split(',')[0]})")


def _possible(at: Moment, p: Programme, proposal: Proposal) -> None:
    """Refuse, before anybody signs in vain, what could not take effect."""
    matter = MATTERS[proposal.matter]
    run = _run(p, matter, proposal.run)
    if run is None:
        if proposal.matter == "amend":
            _may_amend(p)
        else:
            live(p, matter.cause, at)
        if proposal.matter == "adopt":
            _may_adopt(p)
        return
    take(run, matter.cause, "", at)
    found = edge(run.state, matter.cause)
    assert found is not None
    if found.by == "duty officer":
        return
    if (check := _CHECKS.get(proposal.matter)) is not None:
        check(at, p, run, proposal.details)


def _may_amend(p: Programme) -> None:
    if p.life not in CHANGEABLE:
        raise Refused(
            f"refused: the programme is '{p.life}'; its plan may be changed only once approved or while running"
        )
    if p.draft is None:
        raise Refused("refused: no changed plan waits; an officer must enter one first")
    keeps_stages(p, p.draft.terms)


def keeps_stages(p: Programme, terms: Terms) -> None:
    """Refuse a plan without a stage that has a run which is not over."""
    if lost := sorted({r.stage for r in unfinished(p)} - {s.id for s in terms.stages}):
        raise Refused(
            f"refused: stage '{lost[0]}' has a run that is not over and is not in the new plan; keep it there"
        )


def _may_adopt(p: Programme) -> None:
    last = p.terms.stages[-1].id
    if not any(r.stage == last and r.state == "passed" for r in p.runs):
        raise Refused(
            f"refused: stage '{last}' was not passed; a measure is adopted after its last stage; wind it down"
        )
    if against := doubts.of_incidents(p):
        raise Refused(f"refused: {against[0].metric} is open; an officer must close it before the measure is adopted")


def _may_start(at: Moment, p: Programme, run: Run, details: Details) -> None:
    stage = _stage(p, run)
    if at.day < stage.starts:
        raise Refused(f"refused: stage '{stage.id}' starts on {stage.starts} at the earliest; propose it then")
    if at.day >= stage.ends:
        raise Refused(f"refused: stage '{stage.id}' ended on {stage.ends}; put a changed plan in force first")
    if at.day + dt.timedelta(min(stage.shortest_stay_days, LONGEST)) >= stage.ends:
        raise Refused(
            f"refused: stage '{stage.id}' ends on {stage.ends}, and its shortest stay is {stage.shortest_stay_days} days; "
            "put a plan with a later end in force first"
        )
    if not participants(p, stage.id, at.day):
        raise Refused(f"refused: no institution takes part in stage '{stage.id}'; one must consent to it first")
    if run.check is None:
        raise Refused(f"refused: run {run.id} was not checked; no evidence is never a pass; enter a check")
    _check_in_force(p, run)
    if at.day > run.check.as_of + dt.timedelta(p.terms.check_within_days):
        raise Refused(
            f"refused: check {run.check.entry} speaks of {run.check.as_of}, more than {p.terms.check_within_days} days ago; enter a newer one"
        )
    _no_doubts(p, run, at.day, "start")


def _check_in_force(p: Programme, run: Run) -> None:
    assert run.check is not None
    if run.check.plan != p.plan:
        raise Refused(
            f"refused: check {run.check.entry} was made under another plan; enter a check under the plan in force"
        )


def _stage(p: Programme, run: Run) -> Stage:
    found = p.terms.stage(run.stage)
    assert found is not None
    return found


def _no_doubts(p: Programme, run: Run, day: dt.date, what: str) -> None:
    against = doubts.standing(p, run, day)
    if against:
        said = "; ".join(str(d) for d in against)
        raise Refused(
            f"refused: against it stands {said}; to {what} takes evidence that passes, and no waiver stands for it"
        )


def _may_pass(at: Moment, p: Programme, run: Run, details: Details) -> None:
    check = run.check
    assert check is not None
    assert run.decide_on is not None
    if check.entry < run.began or check.as_of < run.decide_on:
        raise Refused(
            f"refused: no check of run {run.id} was made after its start and speaks of {run.decide_on} or later, when its window closed; enter one"
        )
    _check_in_force(p, run)
    if check.entry < run.filed:
        raise Refused(f"refused: returns came in (entry {run.filed}) after check {check.entry}; enter a newer check")
    _no_doubts(p, run, at.day, "pass")


def _may_extend(at: Moment, p: Programme, run: Run, details: Details) -> None:
    until, ends = details.decide_on, details.ends or run.ends
    assert run.decide_on is not None
    if until is None or until <= max(run.decide_on, at.day):
        raise Refused(f"refused: an extension names a later day to decide on than {max(run.decide_on, at.day)}")
    if ends < run.ends or until >= ends:
        raise Refused(f"refused: the stage ends on {run.ends}; name the same or a later end, and one after {until}")


def _may_resume(at: Moment, p: Programme, run: Run, details: Details) -> None:
    _check_in_force(p, run)
    for w in details.waivers:
        if w.until < at.day:
            raise Refused(f"refused: the waiver for {w.metric} ended on {w.until}; name a later day")
        if w.until >= run.ends:
            raise Refused(
                f"refused: the waiver for {w.metric} is until {w.until}, the stage ends on {run.ends}; name a day before"
            )
        match = next((d for d in doubts.standing(p, run, at.day) if (d.check, d.metric) == (w.check, w.metric)), None)
        if match is None:
            raise Refused(
                f"refused: nothing stands against going on as {w.metric} of check {w.check}; leave that waiver out"
            )
        if not match.waivable:
            raise Refused(
                f"refused: {match} cannot be waived, only what says nothing can; enter a newer check, or close the incident"
            )
    left = doubts.open_doubts(p, replace(run, waivers=(*run.waivers, *details.waivers)), at.day)
    if left:
        said = "; ".join(f"{d} ({d.cure})" for d in left)
        raise Refused(f"refused: against going on stands {said}")


def obstacle(at: Moment, p: Programme, run: Run) -> tuple[str, str] | None:
    """The decision that would take a run on, and what stands against it now: empty where nothing does. None where none would."""
    matter = {"pending": "start", "deciding": "pass", "held": "resume", "held critical": "resume"}.get(run.state)
    if matter is None:
        return None
    try:
        _CHECKS[matter](at, p, run, Details(""))
    except Refused as no:
        return matter, str(no).removeprefix("refused: ")
    return matter, ""


def _may_revise(at: Moment, p: Programme, run: Run, details: Details) -> None:
    if not details.unwind:
        raise Refused("refused: a revised plan to unwind is named by its digest; give its file")


_CHECKS: Final[dict[str, Callable[[Moment, Programme, Run, Details], None]]] = {
    "start": _may_start,
    "pass": _may_pass,
    "extend": _may_extend,
    "resume": _may_resume,
    "revise": _may_revise,
}


def _ran(at: Moment, p: Programme, proposal: Proposal) -> Run:
    run = run_of(p, proposal.run)
    names = ", ".join(s.person for s in proposal.signed)
    return take(
        run, MATTERS[proposal.matter].cause, f"decision {proposal.id}, signed by {names}: {proposal.details.why}", at
    )


def _moved_run(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    return with_run(p, _ran(at, p, proposal))


def _started(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    run, stage = _ran(at, p, proposal), _stage(p, run_of(p, proposal.run))
    if p.life == "approved":
        p = live(p, "start", at)
    run = replace(run, started=at.day, began=at.entry, decide_on=window_end(stage, at.day), ends=stage.ends)
    return with_run(p, owed.begun(p, run, at.day))


def _extended(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    d = proposal.details
    run = _ran(at, p, proposal)
    return with_run(p, replace(run, decide_on=d.decide_on, ends=d.ends or run.ends))


def _resumed(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    run = _ran(at, p, proposal)
    kept = tuple(w for w in run.waivers if w.until >= at.day)
    return with_run(p, replace(run, waivers=(*kept, *proposal.details.waivers)))


def _lived(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    return live(p, MATTERS[proposal.matter].cause, at)


def _amended(at: Moment, p: Programme, proposal: Proposal) -> Programme:
    draft, before = p.draft, p.terms
    assert draft is not None
    p = replace(p, plan=draft.plan, terms=draft.terms, editor=draft.editor, draft=None, changed=at.entry)
    for run in unfinished(p):
        p = with_run(p, _under(p, before, run, at))
    return p


def _under(p: Programme, before: Terms, run: Run, at: Moment) -> Run:
    """A run under a changed plan: its end comes earlier where the plan's does, never later; what was decided on is judged anew."""
    ends, was = _stage(p, run).ends, before.stage(run.stage)
    assert was is not None
    if run.state == "pending":
        return replace(run, ends=ends, changed=at.entry)
    if run.state == "deciding":
        run = take(run, "changed plan", "the plan was changed while a decision on it waited", at)
    # an extension that two people signed stands while the plan's own end does
    return replace(run, ends=min(run.ends, ends) if ends < was.ends else run.ends, changed=at.entry)


_EFFECTS: Final[dict[str, Callable[[Moment, Programme, Proposal], Programme]]] = {
    "approve": _lived,
    "reject": _lived,
    "adopt": _lived,
    "wind-down": _lived,
    "amend": _amended,
    "start": _started,
    "pass": _moved_run,
    "extend": _extended,
    "finish": _moved_run,
    "roll-back": _moved_run,
    "resume": _resumed,
    "revise": _moved_run,
}
