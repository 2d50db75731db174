"""A person at work in a register: reads it as of a day, prepares what they sign, enters what they do."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from poundlock.problems import ProblemsFound
from poundlock.register.acts import ERASED, Act
from poundlock.register.rules import Rules
from poundlock.register.store import Register
from poundlock.register.telling import waits
from poundlock.rollout import signing
from poundlock.rollout.canonical import Json
from poundlock.rollout.chain import Entry
from poundlock.rollout.machine import book, deadlines, decisions, signing_off
from poundlock.rollout.machine.acts import ACTS, Because, DetailsAsked
from poundlock.rollout.machine.people import People, Role, has_role, must_have, person
from poundlock.rollout.machine.programme import Programme, run_of
from poundlock.rollout.machine.run import edge
from poundlock.rollout.refusal import Refused

if TYPE_CHECKING:
    from poundlock.desk.roll_out import Entered

B = TypeVar("B", bound=BaseModel)
_ERASING: Final[tuple[Role, ...]] = ("officer", "administrator")


@dataclass(frozen=True)
class Done:
    """What came of an act. entry: None where it was only tried. before, after: the programme on the day, None for acts on people."""

    entry: Entry | None
    before: Programme | None
    after: Programme | None
    waiting: str = ""
    """Of a proposal or a signature: what the decision is called, and what it still needs."""


@dataclass(frozen=True)
class Clerk:
    """Who works, with the key that proves it, at a moment. dry: only try. at: now; no clock is read here."""

    register: Register
    person: str
    key: str
    at: datetime
    dry: bool = False

    def act(self, name: str, payload: Mapping[str, Json], programme: str = "", files: Sequence[bytes] = ()) -> Done:
        """One act, in the first of the roles that it asks for and the person has. Raises Refused."""
        object = book.object_of(programme) if programme else book.PEOPLE
        before = shown(self.register, programme, self.at) if programme and name != "declare" else None
        body = book.body_of(name, payload).model_dump(mode="json")
        if name in book.SIGNED:
            said = decisions.act_on_people(people_of(self.register), name, body, self.person)
            body["signature"] = signing.signature(self.key, said)
        act = Act(self.person, self._role(name), name, object, body)
        self._proven()
        if self.dry:
            text, entry = self.register.preview(act, at=self.at), None
        else:
            entry = self.register.append(act, at=self.at, files=files)
            text = self.register.state(object) or ""
        after = book.load(object, text)
        if not isinstance(after, Programme):
            return Done(entry, before, None)
        after = deadlines.on(after, self.at.date())
        return Done(entry, before, after, _still_waits(people_of(self.register), before, after, name, body))

    def propose(
        self,
        programme: str,
        decision: str,
        matter: str,
        run: str,
        details: Mapping[str, Any],
        interests: str,
        files: Sequence[bytes] = (),
    ) -> Done:
        """A decision, proposed and signed. decision: its name, empty for the next that is free. run: the newest where it is empty and the
        matter is a run's. files: what it names by digest. Raises Refused."""
        p, people = shown(self.register, programme, self.at), people_of(self.register)
        if decisions.matter_of(matter).of == "run":
            run = self.run_id(programme, run)
        _plan_says(self.register, p, matter)
        decision, asked = decision or _free(p, matter), _valid(DetailsAsked, _with_checks(p, run, details))
        draft = signing_off.drafted(p, decision, matter, run, asked)
        data = decisions.statement(people, p, draft, run_of(p, run) if run else None, self.person, interests)
        body = {
            "decision": decision,
            "matter": matter,
            "run": draft.run,
            "details": asked.model_dump(mode="json"),
            "interests": interests,
            "signature": signing.signature(self.key, data),
        }
        return self.act("propose", body, programme, files)

    def approve(self, programme: str, decision: str, interests: str) -> Done:
        """One more signature under a decision. Raises Refused."""
        p, people = shown(self.register, programme, self.at), people_of(self.register)
        proposal = signing_off.waiting(p, decision)
        _plan_says(self.register, p, proposal.matter)
        run = run_of(p, proposal.run) if proposal.run else None
        data = decisions.statement(people, p, proposal, run, self.person, interests)
        body = {"decision": decision, "interests": interests, "signature": signing.signature(self.key, data)}
        return self.act("approve", body, programme)

    def order(self, programme: str, name: str, run: str, why: str) -> Done:
        """Hold a run, or roll back one that is held critical: one person's signed order. Raises Refused."""
        p, people = shown(self.register, programme, self.at), people_of(self.register)
        of = run_of(p, self.run_id(programme, run))
        data = decisions.order(people, p, of, name.replace("-", " "), why, self.person)
        return self.act(name, {"run": of.id, "why": why, "signature": signing.signature(self.key, data)}, programme)

    def judge(self, programme: str, run: str, found: Entered, day: date) -> Done:
        """Enter a verdict as a check of a run; its file is kept. Raises Refused where it was made under another plan than the one in force."""
        p = shown(self.register, programme, self.at)
        if p.plan not in found.inputs:
            raise Refused(
                f"refused: the result was not made with the plan in force ({p.plan[:12]}...); run that plan, or amend it first"
            )
        body = {
            "run": self.run_id(programme, run),
            "as_of": day.isoformat(),
            "plan": p.plan,
            "evidence": found.evidence,
            "verdict": found.verdict,
            "findings": list(found.findings),
        }
        return self.act("judge", body, programme, (found.content,))

    def run_id(self, programme: str, run: str) -> str:
        """Id of a run, of the newest where none is named. Raises Refused."""
        p = shown(self.register, programme, self.at)
        return run_of(p, run or (p.runs[-1].id if p.runs else "")).id

    def rolls_back_alone(self, programme: str, run: str) -> bool:
        """Whether one duty officer's order is enough, and this person is one."""
        p, people = shown(self.register, programme, self.at), people_of(self.register)
        way = edge(run_of(p, self.run_id(programme, run)).state, "roll back")
        who, day = person(people, self.person, self.at.date()), self.at.date()
        return way is not None and way.by == "duty officer" and has_role(people, who, "duty officer", day)

    def erase(self, number: int, why: str) -> Entry:
        """Remove the payload of an entry, which is an entry too. Raises Refused."""
        people, day = people_of(self.register), self.at.date()
        who = person(people, self.person, day)
        self._proven()
        role = next((r for r in _ERASING if has_role(people, who, r, day)), who.roles[0])
        body = _valid(Because, {"why": why}).model_dump(mode="json")
        return self.register.erase(number, Act(self.person, role, ERASED, f"entry:{number}", body), at=self.at)

    def _role(self, name: str) -> Role:
        people, day = people_of(self.register), self.at.date()
        who = person(people, self.person, day)
        must_have(people, who.id, ACTS[name].by, day, ACTS[name].says)
        able = [r for r in ACTS[name].by if has_role(people, who, r, day)]
        return next((r for r in able if r in who.roles), able[0])

    def _proven(self) -> None:
        """The key is the one that is enrolled."""
        enrolled = people_of(self.register).persons[self.person].key
        if signing.public_of(self.key) != enrolled:
            raise Refused(
                f"refused: this key is not {self.person}'s; enrolled is {signing.fingerprint(enrolled)}; give the right key"
            )


def _valid(kind: type[B], given: Mapping[str, Any]) -> B:
    """What was given as a record. Raises Refused with every mistake."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        told = (f"{'.'.join(str(x) for x in e['loc'])}: {book.plainly(e)}" for e in error.errors())
        raise Refused(f"refused: this is not complete or not right: {'; '.join(told)}") from None


def _free(p: Programme, matter: str) -> str:
    """The next name of a decision that no other has."""
    taken = {*(x.id for x in p.proposals), *p.decided}
    return next(name for n in itertools.count(len(taken) + 1) if (name := f"{matter}-{n}") not in taken)


def _plan_says(register: Register, p: Programme, matter: str) -> None:
    """Refuse to sign a plan into force whose file is not kept, or says something else than the rules were told: who signs reads the file."""
    if matter not in ("approve", "amend"):
        return
    plan, terms = (p.draft.plan, p.draft.terms) if matter == "amend" and p.draft else (p.plan, p.terms)
    content = register.file(plan)
    if content is None:
        raise Refused(
            f"refused: the file of plan {plan[:12]}... is not in the register; it must be entered with its file"
        )
    from poundlock.desk.roll_out import terms_of  # noqa: PLC0415 - opened for this alone: it brings the whole desk

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "plan.yaml"
        path.write_bytes(content)
        try:
            said = terms_of(path).terms.model_dump()
        except ProblemsFound:
            said = {}
    if said != terms.model_dump():
        other = ", ".join(sorted(k for k, v in terms.model_dump().items() if said.get(k) != v))
        raise Refused(
            f"refused: plan {plan[:12]}... says something else than was entered of it ({other}); it must be entered again"
        )


def _still_waits(people: People, before: Programme | None, after: Programme, act: str, body: Mapping[str, Json]) -> str:
    """What a decision is called and what it still needs, after a proposal or a signature."""
    if act not in ("propose", "approve"):
        return ""
    found = next((x for x in after.proposals if x.id == body["decision"]), None)
    if found is None:
        return f"decision {body['decision']} is taken"
    return f"decision {found.id}: {waits(people, after, found)}"


def _with_checks(p: Programme, run: str, details: Mapping[str, Any]) -> Mapping[str, Any]:
    """Waivers without a check are of the run's last one; those of overdue returns, which are named with strokes, of none."""
    check = run_of(p, run).check if run else None
    last = check.entry if check else 0
    given = details.get("waivers", ())
    waivers = [
        {**w, "check": (0 if "/" in w["metric"] else last) if w.get("check") is None else w["check"]} for w in given
    ]
    return {**details, "waivers": waivers}


def people_of(register: Register) -> People:
    """Everybody whom the register knows."""
    text = register.state(book.PEOPLE)
    assert text is not None
    found = book.load(book.PEOPLE, text)
    assert isinstance(found, People)
    return found


def shown(register: Register, programme: str, at: datetime) -> Programme:
    """A programme as it stands on a day. Raises Refused where there is none."""
    text = register.state(book.object_of(programme))
    if text is None:
        known = ", ".join(programmes(register)) or "none yet"
        raise Refused(f"refused: no programme '{programme}' in this register; there are: {known}")
    found = book.load(book.object_of(programme), text)
    assert isinstance(found, Programme)
    return signing_off.voided(deadlines.on(found, at.date()))


def programmes(register: Register) -> tuple[str, ...]:
    """Ids of every programme."""
    return tuple(name.removeprefix("programme:") for name in register.objects("programme:"))


def founded(
    url: str,
    *,
    name: str,
    register_key: str,
    agency: str,
    mandates: Sequence[str],
    administrator: str,
    key: str,
    at: datetime,
) -> Register:
    """A new register with one agency and its administrator. register_key, key: private keys, PEM. Raises ValueError."""
    payload = {
        "name": name,
        "key": signing.public_of(register_key),
        "agency": agency,
        "mandates": list(mandates),
        "administrator": administrator,
        "administrator_key": signing.public_of(key),
    }
    founder = Act(administrator, "administrator", "found", book.PEOPLE, payload)
    return Register.create(url, name, Rules(), key=register_key, founder=founder, at=at)


def opened(url: str, register_key: str | None = None) -> Register:
    """A register that is there; without its key, to read. Raises ValueError."""
    return Register.open(url, Rules(), key=register_key)
