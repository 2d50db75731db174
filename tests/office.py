"""A small office for tests of the machine: people with keys, a programme of two stages, and acts on a book in memory."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from poundlock.rollout import signing
from poundlock.rollout.machine import acts, book, decisions, signing_off
from poundlock.rollout.machine.people import People, has_role
from poundlock.rollout.machine.programme import Programme, Run, run_of
from poundlock.rollout.machine.terms import Terms

OBJECT = "programme:lending"
PEOPLE = {
    "ada": ("bureau", ("administrator",)),
    "olu": ("bureau", ("officer",)),
    "oki": ("bureau", ("officer",)),
    "ana": ("bureau", ("approver",)),
    "aki": ("commission", ("approver",)),
    "dee": ("bureau", ("duty officer",)),
    "rio": ("commission", ("risk",)),
    "aud": ("bureau", ("auditor",)),
    "bot": ("bureau", ("machine",)),
    "ivo": ("first-bank", ("institution",)),
    "uma": ("second-bank", ("institution",)),
}
WORDS = "as the plan says"
DECLARATION = {name: WORDS for name in acts.Declaration.model_fields if name != "kind"} | {"kind": "product"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def key_of(person: str) -> str:
    return signing.new_key()


def terms(**changes: Any) -> Terms:
    """Two stages of a year's stay; a limit, a guardrail, a success, a signal; quarterly outcomes."""
    plain: dict[str, Any] = {
        "id": "lending",
        "mandates": ("innovation", "responsibility"),
        "metrics": (
            {"gate": "tail", "kind": "limit"},
            {"gate": "arrears", "kind": "guardrail"},
            {"gate": "growth", "kind": "success"},
            {"gate": "mood", "kind": "signal"},
        ),
        "pre_authorised": ("arrears",),
        "returns": ({"kind": "outcomes", "every": "quarter", "due_days": 30},),
        "stages": (
            {
                "id": "first",
                "regions": ("a",),
                "starts": dt.date(2026, 1, 1),
                "ends": dt.date(2027, 12, 31),
                "shortest_stay_days": 365,
            },
            {
                "id": "second",
                "regions": ("b",),
                "starts": dt.date(2027, 1, 1),
                "ends": dt.date(2028, 12, 31),
                "shortest_stay_days": 365,
            },
        ),
    }
    return Terms.model_validate(plain | changes)


PASSING = {"tail": "pass", "arrears": "pass", "growth": "pass", "mood": "pass"}


@dataclass
class Office:
    """States in memory. day: of the next act. log: what was done, as (number, day, actor, role, act, object, payload)."""

    day: dt.date = dt.date(2025, 10, 1)
    states: dict[str, book.State | None] = field(default_factory=dict)
    number: int = 0
    log: list[tuple[int, str, str, str, str, str, dict[str, Any]]] = field(default_factory=list)

    @property
    def programme(self) -> Programme:
        found = self.states[OBJECT]
        assert isinstance(found, Programme)
        return found

    @property
    def people(self) -> People:
        found = self.states[book.PEOPLE]
        assert isinstance(found, People)
        return found

    def run(self, id: str = "") -> Run:
        return run_of(self.programme, id) if id else self.programme.runs[-1]

    def act(
        self, actor: str, act: str, payload: Mapping[str, Any] | None = None, *, object: str = OBJECT, role: str = ""
    ) -> None:
        """One act; nothing changes if it is refused."""
        body = (
            acts.ACTS[act].body.model_validate(dict(payload or {})).model_dump(mode="json")
            if act in acts.ACTS
            else dict(payload or {})
        )
        if act in book.SIGNED and "signature" in body and not body["signature"] and actor in self.people.persons:
            said = decisions.act_on_people(self.people, act, body, actor)
            body["signature"] = signing.signature(key_of(actor), said)
        at = f"{self.day}T12:00:00.000000Z"
        role = role or self.role_for(actor, act)
        after = book.step(self.states, object, actor, role, act, body, self.number + 1, at)
        text = book.dump(after)
        again = book.load(object, text)
        assert again == after
        assert book.dump(again) == text
        self.number += 1
        self.states[object] = again
        self.log.append((self.number, at, actor, role, act, object, body))

    def role_for(self, actor: str, act: str) -> str:
        """The first role that the act asks for and the actor has, by right or lent."""
        people = self.states.get(book.PEOPLE)
        who = people.persons.get(actor) if isinstance(people, People) else None
        if not isinstance(people, People) or who is None or act not in acts.ACTS:
            return PEOPLE.get(actor, ("", ("administrator",)))[1][0]
        by = acts.ACTS[act].by
        able = [r for r in by if r in who.roles] or [r for r in by if has_role(people, who, r, self.day)]
        return able[0] if able else who.roles[0]

    def found(self) -> Office:
        """Agencies and everybody."""
        self.act(
            "ada",
            "found",
            {
                "name": "test",
                "key": signing.public_of(key_of("register")),
                "agency": "bureau",
                "mandates": ("innovation",),
                "administrator": "ada",
                "administrator_key": signing.public_of(key_of("ada")),
            },
            object="people",
        )
        self.act("ada", "add-agency", {"agency": "commission", "mandates": ("responsibility",)}, object="people")
        for name, (agency, roles) in PEOPLE.items():
            if name != "ada":
                institution = agency if "institution" in roles else ""
                self.act(
                    "ada",
                    "enrol",
                    {
                        "person": name,
                        "agency": agency,
                        "roles": roles,
                        "key": signing.public_of(key_of(name)),
                        "institution": institution,
                    },
                    object="people",
                )
        return self

    def approved(self, **changes: Any) -> Office:
        """A programme that was declared, noticed and approved; both banks consent."""
        self.found()
        self.act("ivo", "declare", {"declaration": DECLARATION, "plan": digest("plan"), "terms": terms(**changes)})
        for actor, act in (("ivo", "submit"), ("olu", "accept"), ("olu", "publish")):
            self.act(actor, act)
        self.day += dt.timedelta(31)
        self.decide("approve", "", "olu", "ana", "aki")
        for actor in ("ivo", "uma"):
            self.act(actor, "consent", {"stages": tuple(s.id for s in self.programme.terms.stages)})
        return self

    def running(self, **changes: Any) -> Office:
        """The first stage active since 1 January 2026."""
        self.approved(**changes)
        self.day = dt.date(2026, 1, 1)
        self.act("olu", "open", {"stage": "first"})
        self.judge({"tail": "pass"}, by="oki")
        self.decide("start", "first/1", "olu", "ana", "aki")
        return self

    def deciding(self, **changes: Any) -> Office:
        """The first stage's window closed, every return in, not yet checked again."""
        self.running(**changes)
        for quarter, day in (
            ("2026-Q1", (2026, 4, 20)),
            ("2026-Q2", (2026, 7, 20)),
            ("2026-Q3", (2026, 10, 20)),
            ("2026-Q4", (2027, 1, 20)),
        ):
            self.day = dt.date(*day)
            self.file(quarter)
        return self

    def file(self, period: str, *, who: tuple[str, ...] = ("ivo", "uma"), replaces: int = 0, text: str = "") -> None:
        for actor in who:
            self.act(
                actor,
                "file",
                {
                    "kind": "outcomes",
                    "period": period,
                    "digest": digest(f"{actor}{period}{text}"),
                    "rows": 1,
                    "replaces": replaces,
                },
            )

    def judge(
        self,
        findings: Mapping[str, str],
        *,
        by: str = "bot",
        run: str = "",
        evidence: str = "",
        plan: str = "",
        as_of: dt.date | None = None,
    ) -> None:
        entered = [{"metric": m, "kind": k} for m, k in findings.items()]
        self.act(
            by,
            "judge",
            {
                "run": run or self.run().id,
                "as_of": as_of or self.day,
                "plan": plan or self.programme.plan,
                "evidence": digest(evidence or f"panel of {self.number}"),
                "verdict": digest(str(entered)),
                "findings": entered,
            },
        )

    def propose(
        self, matter: str, run: str, by: str, id: str = "", interests: str = "none", key: str = "", **details: Any
    ) -> str:
        """A proposal, signed; its id."""
        id = id or f"{matter}-{self.number + 1}"
        asked = acts.DetailsAsked.model_validate({"why": WORDS} | details)
        shown = self.shown()
        draft = signing_off.drafted(shown, id, matter, run, asked)
        data = decisions.statement(self.people, shown, draft, run_of(shown, run) if run else None, by, interests)
        self.act(
            by,
            "propose",
            {
                "decision": id,
                "matter": matter,
                "run": run,
                "details": asked.model_dump(mode="json"),
                "interests": interests,
                "signature": signing.signature(key_of(key or by), data),
            },
        )
        return id

    def approve(self, id: str, by: str, interests: str = "none", key: str = "") -> None:
        shown = self.shown()
        proposal = next((p for p in shown.proposals if p.id == id), None)
        signature = ""
        if proposal is not None:
            run = run_of(shown, proposal.run) if proposal.run else None
            data = decisions.statement(self.people, shown, proposal, run, by, interests)
            signature = signing.signature(key_of(key or by), data)
        self.act(by, "approve", {"decision": id, "interests": interests, "signature": signature})

    def decide(self, matter: str, run: str, proposer: str, *approvers: str, **details: Any) -> str:
        id = self.propose(matter, run, proposer, **details)
        for who in approvers:
            self.approve(id, who)
        return id

    def order(self, who: str, act: str, run: str = "", why: str = WORDS, key: str = "") -> None:
        shown = self.shown()
        data = decisions.order(self.people, shown, run_of(shown, run or self.run().id), act.replace("-", " "), why, who)
        self.act(
            who,
            act,
            {"run": run or self.run().id, "why": why, "signature": signing.signature(key_of(key or who), data)},
        )

    def shown(self) -> Programme:
        """The programme as it stands on the day."""
        from poundlock.rollout.machine import deadlines

        return deadlines.on(self.programme, self.day)


METRICS = (
    {"gate": "tail", "kind": "limit", "without_data": "hold critical"},
    {"gate": "arrears", "kind": "guardrail"},
    {"gate": "growth", "kind": "success"},
    {"gate": "mood", "kind": "signal"},
)
PLANS: tuple[dict[str, Any], ...] = (
    {"metrics": METRICS},
    {"metrics": METRICS, "pre_authorised": ()},
    {"metrics": (METRICS[0], METRICS[2]), "pre_authorised": ()},
    {"metrics": (METRICS[0], {"gate": "arrears", "kind": "signal"}, *METRICS[2:]), "pre_authorised": ()},
)


@cache
def begun(place: str) -> Office:
    """Where a walk begins: a programme approved, running or to be decided on; a run held critical, or being rolled back."""
    made = getattr(Office(), place if place in ("approved", "running") else "deciding")(**PLANS[0])
    if place in ("held critical", "rolling back"):
        made.judge({"tail": "breach", "arrears": "breach" if place == "rolling back" else "pass"})
        assert made.run().state == place
    return made
