"""Decisions: signed statements over what was known. Who may sign, how many must, and when a signature no longer counts."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from poundlock.rollout.canonical import Json, canonical
from poundlock.rollout.machine.people import PROPOSING, People, Person, Role, gone, has_role, lenders, must_have
from poundlock.rollout.machine.programme import Programme, Proposal, Run, Signed
from poundlock.rollout.refusal import Refused
from poundlock.rollout.signing import verified

Subject = Literal["programme", "run"]
_DECISION: Final = b"poundlock decision 1\n"
_ORDER: Final = b"poundlock order 1\n"
_ACT: Final = b"poundlock act 1\n"


@dataclass(frozen=True, slots=True)
class Matter:
    """What can be decided. of: what it is about. cause: of the edge that it takes; empty for a change of the plan. mandates: an agency
    with each mandate of the programme must be among the signers."""

    of: Subject
    cause: str
    mandates: bool
    asks: str


MATTERS: Final[dict[str, Matter]] = {
    "approve": Matter("programme", "approve", True, "approve the programme and lock its plan"),
    "reject": Matter("programme", "reject", False, "reject the programme"),
    "amend": Matter("programme", "", True, "put a changed plan in force"),
    "adopt": Matter("programme", "adopt", True, "adopt the measure for good"),
    "wind-down": Matter("programme", "wind down", False, "wind the measure down"),
    "start": Matter("run", "start", True, "start the stage"),
    "pass": Matter("run", "pass", True, "pass the stage, so that the next may open"),
    "extend": Matter("run", "extend", True, "extend the stage"),
    "finish": Matter("run", "finish", False, "finish the stage without going on"),
    "roll-back": Matter("run", "roll back", False, "roll the stage back"),
    "resume": Matter("run", "resume", True, "let the stage go on"),
    "revise": Matter("run", "revise", False, "unwind by a revised plan"),
}


def matter_of(name: str) -> Matter:
    """What is decided. Raises Refused."""
    found = MATTERS.get(name)
    if found is None:
        raise Refused(f"refused: there is no decision '{name}'; there are: {', '.join(MATTERS)}")
    return found


def people_needed(matter: str, run: Run | None) -> int:
    """How many must sign: two, and three to resume what was held critical."""
    return 3 if matter == "resume" and run is not None and run.state == "held critical" else 2


def stands(programme: Programme, run: Run | None) -> str:
    """What a decision rests on, as it is now; a signature counts only while this is the same."""
    if run is None:
        draft = f", draft {programme.draft.plan}" if programme.draft else ""
        return f"{programme.life} since {programme.since}, entry {programme.changed}, plan {programme.plan}{draft}"
    return f"{run.state} since {run.since}, entry {run.changed}, plan {programme.plan}"


def statement(
    people: People, programme: Programme, proposal: Proposal, run: Run | None, person: str, interests: str
) -> bytes:
    """What somebody signs: the decision, what it rests on by digest, who signs, and their note on conflicts of interest."""
    check = run.check if run else None
    d = proposal.details
    details: Json = {
        "why": d.why,
        "decide_on": d.decide_on.isoformat() if d.decide_on else None,
        "ends": d.ends.isoformat() if d.ends else None,
        "waivers": [{"check": w.check, "metric": w.metric, "until": w.until.isoformat()} for w in d.waivers],
        "unwind": d.unwind,
    }
    return _DECISION + canonical(
        {
            "register": people.register,
            "key": people.key,
            "programme": programme.id,
            "decision": proposal.id,
            "matter": proposal.matter,
            "run": proposal.run,
            "details": details,
            "stands": proposal.stands,
            "plan": programme.draft.plan if proposal.matter == "amend" and programme.draft else programme.plan,
            "terms": _terms(programme, proposal.matter),
            "evidence": check.evidence if check else "",
            "verdict": check.verdict if check else "",
            "signer": person,
            "interests": interests,
        }
    )


def _terms(programme: Programme, matter: str) -> str:
    """Digest of the terms that the machine goes by: what a plan's digest alone would let somebody else declare."""
    terms = programme.draft.terms if matter == "amend" and programme.draft else programme.terms
    return hashlib.sha256(canonical(terms.model_dump(mode="json"))).hexdigest()


def order(people: People, programme: Programme, run: Run, what: str, why: str, person: str) -> bytes:
    """What one person signs who holds a stage, or rolls back what is held critical."""
    return _ORDER + canonical(
        {
            "register": people.register,
            "key": people.key,
            "programme": programme.id,
            "order": what,
            "run": run.id,
            "stands": stands(programme, run),
            "why": why,
            "signer": person,
        }
    )


def act_on_people(people: People, act: str, body: Mapping[str, Json], person: str) -> bytes:
    """What an administrator signs who enrols somebody, and anybody who lends a role. body: the payload; its signature is left out."""
    said = {name: value for name, value in body.items() if name != "signature"}
    statement = {"register": people.register, "key": people.key, "acts": people.acts, "act": act, "signer": person}
    return _ACT + canonical({**statement, "body": said})


def lapsed(people: People, programme: Programme, proposal: Proposal, day: dt.date) -> str:
    """The first who signed and may no longer sign: they left, have another key, agency or role, an interest, or a role whose lender took it
    back or may not sign either. Empty where every signature still counts."""
    barred = _institutions(programme)
    for s in proposal.signed:
        who, by = people.persons[s.person], people.persons.get(s.lent_by)
        held = (
            s.role in who.roles
            if by is None
            else by.id in lenders(people, who.id, s.role, day) and not set(by.ties) & barred
        )
        if gone(who, day) or who.key != s.key or who.agency != s.agency or not held or set(who.ties) & barred:
            return s.person
    return ""


def signer(people: People, programme: Programme, proposal: Proposal, id: str, day: dt.date) -> tuple[Person, Role, str]:
    """Somebody who may sign this next, the role in which they do, and who lent it to them, if anybody. Raises Refused, which says why not
    and what to do."""
    first = not proposal.signed
    what = "propose a decision" if first else "sign a decision"
    run = next((r for r in programme.runs if r.id == proposal.run), None)
    roles: tuple[Role, ...] = PROPOSING if first else ("approver",)
    if people_needed(proposal.matter, run) == 3:
        roles = ("risk", *(r for r in roles if r != "risk"))
    who = must_have(people, id, roles, day, what)
    able = [r for r in roles if has_role(people, who, r, day)]
    role = next((r for r in able if r in who.roles), able[0])
    if any(s.person == id for s in proposal.signed):
        did = "proposed" if proposal.by == id else "already signed"
        raise Refused(f"refused: you {did} this change; another person must approve it")
    if id in _editors(programme, proposal):
        raise Refused("refused: you were the last to edit the plan that this rests on; another person must sign")
    if set(who.ties) & _institutions(programme):
        tied = ", ".join(sorted(set(who.ties) & _institutions(programme)))
        raise Refused(f"refused: you have an interest in {tied}, which takes part; another person must sign")
    if not first and run is not None and run.check is not None and run.check.by == who.id:
        raise Refused("refused: you entered the check that this rests on; another person must approve it")
    return who, role, _lender(people, programme, proposal, who, role, day)


def _editors(programme: Programme, proposal: Proposal) -> set[str]:
    draft = programme.draft
    return {draft.editor} if proposal.matter == "amend" and draft else {programme.editor}


def _institutions(programme: Programme) -> set[str]:
    return {programme.applicant, *(c.institution for c in programme.consents)}


def _lender(people: People, programme: Programme, proposal: Proposal, who: Person, role: Role, day: dt.date) -> str:
    """Who lent the role; empty where it is the person's own. Nobody counts twice, by their own name and by what they lent."""
    for s in proposal.signed:
        if s.lent_by == who.id:
            raise Refused(f"refused: {s.person} signed this with a role that you lent; another person must approve it")
    if role in who.roles:
        return ""
    lent = lenders(people, who.id, role, day)
    spent = {x for s in proposal.signed for x in (s.person, s.lent_by)}
    barred = {by for by in lent if set(people.persons[by].ties) & _institutions(programme)} | _editors(
        programme, proposal
    )
    free = [by for by in lent if by not in spent | barred]
    if not free and lent[0] in barred:
        raise Refused(
            f"refused: your role '{role}' was delegated by {lent[0]}, who may not sign this; another person must approve it"
        )
    if not free:
        raise Refused(
            f"refused: your role '{role}' was delegated by {lent[0]}, who signed this; another person must approve it"
        )
    return free[0]


def proven(people: People, who: Person, data: bytes, signature: str) -> None:
    """Refuse what this person did not sign."""
    if not verified(who.key, signature, data):
        raise Refused(
            f"refused: the signature is not {who.id}'s over this decision as it stands; sign it again with the key that is enrolled"
        )


def with_signature(proposal: Proposal, who: Person, role: Role, interests: str, lent_by: str = "") -> Proposal:
    """The proposal with one more name under it."""
    return replace(proposal, signed=(*proposal.signed, Signed(who.id, who.agency, role, interests, lent_by, who.key)))


def missing(people: People, programme: Programme, proposal: Proposal, run: Run | None) -> str:
    """What is still missing for it to take effect, in words; empty where nothing is."""
    needed, matter = people_needed(proposal.matter, run), MATTERS[proposal.matter]
    short = needed - len(proposal.signed)
    said = [f"{short} more {'person' if short == 1 else 'people'}"] if short > 0 else []
    if needed == 3 and not any(s.role == "risk" for s in proposal.signed):
        said.append("one of the risk function")
    if matter.mandates:
        present = {m for s in proposal.signed for m in people.agencies[s.agency].mandates}
        said += [f"an agency with the mandate '{m}'" for m in programme.terms.mandates if m not in present]
    return ", ".join(said)
