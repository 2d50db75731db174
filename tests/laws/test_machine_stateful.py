"""The roll-out machine walked at random, by legal and illegal acts of anybody, beside a naive second telling of its rules.

3,000 steps; with POUNDLOCK_SOAK=1, 100,000.
"""

from __future__ import annotations

import copy
import datetime as dt
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from office import OBJECT, PASSING, PEOPLE, PLANS, WORDS, Office, begun, digest, terms
from poundlock.rollout.machine import book, deadlines
from poundlock.rollout.machine.decisions import MATTERS
from poundlock.rollout.machine.life import ENDED
from poundlock.rollout.machine.run import OVER
from poundlock.rollout.refusal import Refused
from witness import RUNS, Witness
from witnessed import Run, quarter_end

STEPS = 50
EXAMPLES = 2000 if os.environ.get("POUNDLOCK_SOAK") else 60
SEEN: Counter[str] = Counter()
ACTORS = st.sampled_from(sorted(PEOPLE))
SIGNERS = st.sampled_from(("olu", "oki", "ana", "aki", "dee", "rio"))
BANKS = {"ivo": "first-bank", "uma": "second-bank"}
KINDS = st.sampled_from(("pass", "pass", "inconclusive", "no data", "error", "fail", "breach"))
DAYS = st.sampled_from((0, 1, 3, 14, 30, 31, 61, 90, 91, 92, 180, 181))
BODIES: dict[str, Callable[[Walk, int], dict[str, Any]]] = {
    "unwound": lambda walk, place: {"run": walk.run_id(), "evidence": digest("none left")},
    "cannot-unwind": lambda walk, place: {"run": walk.run_id(), "why": WORDS},
    "cancel": lambda walk, place: {"run": walk.run_id(), "why": WORDS},
    "open": lambda walk, place: {"stage": ("first", "first", "second", "third")[place]},
    "retract": lambda walk, place: {"decision": walk.waiting(place)},
    "close-incident": lambda walk, place: {"incident": max(walk.witness.incidents, default=0), "remedy": WORDS},
    "review": lambda walk, place: {},
    "submit": lambda walk, place: {},
    "publish": lambda walk, place: {},
    "close": lambda walk, place: {"why": WORDS},
    "withdraw": lambda walk, place: {"why": WORDS},
}


def mostly(*usual: str) -> st.SearchStrategy[str]:
    """Those who may, and in a fifth of the cases anybody."""
    return st.sampled_from((*usual * (4 * len(PEOPLE) // len(usual)), *sorted(PEOPLE)))


WAYS: list[st.SearchStrategy[tuple[str, dict[str, Any]]]] = []


def may(times: int, **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A way to go one step, tried so often; Hypothesis's own rules would leave out most of them in most of the walks."""

    def noted(way: Any) -> Any:
        WAYS.extend([st.tuples(st.just(way.__name__), st.fixed_dictionaries(drawn))] * times)
        return way

    return noted


class Walk(RuleBasedStateMachine):
    """office: the machine. witness: the second telling. Rules either try anything, or the sensible next thing, so that deep states are common."""

    office: Office
    witness: Witness

    @initialize(place=st.sampled_from(("approved", "running", "deciding", "deciding", "held critical", "rolling back")))
    def begin(self, place: str) -> None:
        known = begun(place)
        self.office = Office(known.day, dict(known.states), known.number, list(known.log))
        self.witness = Witness(dt.date(2025, 10, 1))
        self.told = 0
        self.tell()

    def tell(self) -> None:
        while self.told < len(self.office.log):
            self.witness.see(*self.office.log[self.told])
            self.told += 1
        for what in self.witness.reached:
            SEEN[what] += 1
        self.witness.reached.clear()

    def attempt(self, what: str, act: Callable[[], Any]) -> bool:
        """One act, legal or not: a refusal says what to do and changes nothing."""
        before, number = dict(self.office.states), self.office.number
        try:
            act()
        except Refused as no:
            SEEN[f"refused {what}"] += 1
            refusal = str(no)
            assert self.office.states == before
            assert self.office.number == number
            assert refusal.startswith("refused: ")
            return False
        SEEN[f"did {what}"] += 1
        self.tell()
        return True

    @property
    def last(self) -> Run | None:
        return self.witness.last

    def run_id(self) -> str:
        return self.last.id if self.last else "first/1"

    # days

    @may(3, days=DAYS)
    def wait(self, days: int) -> None:
        self.office.day += dt.timedelta(days)

    @may(4)
    def wait_for_the_window(self) -> None:
        """Filing on the way, as institutions should."""
        run = self.last
        if run is None or run.decide_on is None:
            return
        while self.office.day < run.decide_on and run.state == "active":
            self.office.day = min(self.office.day + dt.timedelta(45), run.decide_on)
            self.file_what_is_owed()
            self.witness.until(self.office.day)

    # what anybody may try

    @may(
        3,
        by=mostly("oki", "bot"),
        changed=st.sampled_from(sorted(PASSING)),
        kind=KINDS,
        back=st.sampled_from((0, 0, 0, 10)),
    )
    def judge(self, by: str, changed: str, kind: str, back: int) -> None:
        known = [m["gate"] for m in self.witness.terms["metrics"]]
        findings = {m: k for m, k in (PASSING | {changed: kind}).items() if m in known}
        as_of = self.office.day - dt.timedelta(back)
        self.attempt("judge", lambda: self.office.judge(findings, by=by, run=self.run_id(), as_of=as_of))

    @may(
        3,
        matter=st.sampled_from(sorted(MATTERS)),
        by=mostly("olu", "dee"),
        key=st.sampled_from(("", "", "", "dee")),
        more=DAYS,
    )
    def propose(self, matter: str, by: str, key: str, more: int) -> None:
        run = self.run_id() if MATTERS[matter].of == "run" else ""
        self.attempt(
            f"propose {matter}",
            lambda: self.office.propose(matter, run, by, key=key, **self.details(matter, more)),
        )

    def details(self, matter: str, more: int) -> dict[str, Any]:
        day, run = self.office.day, self.last
        if matter == "extend":
            ends = max(day + dt.timedelta(more + 60), run.ends if run else day)
            return {"decide_on": day + dt.timedelta(more), "ends": ends}
        if matter == "revise":
            return {"unwind": digest("another way")}
        if matter == "resume" and run is not None:
            self.witness.until(day)
            against = self.witness.against(run)
            asked = [(c, m) for c, m in sorted(against) if more % 3 or self.witness.may_waive(run, (c, m))]
            return {"waivers": [{"check": c, "metric": m, "until": day + dt.timedelta(more)} for c, m in asked]}
        return {}

    @may(3, by=mostly("ana", "aki", "rio"), key=st.sampled_from(("", "", "", "dee")), place=st.integers(0, 3))
    def approve(self, by: str, key: str, place: int) -> None:
        chosen = self.waiting(place)
        self.attempt("approve", lambda: self.office.approve(chosen, by, key=key))

    def waiting(self, place: int) -> str:
        """The newest decision that waits, or one before it."""
        waiting = [p.id for p in self.office.programme.proposals][-4:]
        return waiting[-1 - place % len(waiting)] if waiting else "nothing"

    @may(
        2,
        by=mostly("dee"),
        act=st.sampled_from(("hold", "roll-back", "roll-back")),
        key=st.sampled_from(("", "", "dee")),
    )
    def order(self, by: str, act: str, key: str) -> None:
        self.attempt(act, lambda: self.office.order(by, act, self.run_id(), key=key))

    @may(
        2,
        by=mostly(*BANKS),
        year=st.sampled_from((2026, 2027)),
        quarter=st.integers(1, 4),
        replaces=st.sampled_from((0, 7)),
    )
    def file(self, by: str, year: int, quarter: int, replaces: int) -> None:
        self.attempt("file", lambda: self.office.file(f"{year}-Q{quarter}", who=(by,), replaces=replaces))

    @may(2)
    def file_what_is_owed(self) -> None:
        run = self.last
        if run is None or run.state not in (*RUNS, "rolling back", "stuck"):
            return
        for bank, (year, quarter) in sorted(run.owed(self.office.day) - run.filed):
            if quarter_end(year, quarter) <= self.office.day:
                who = next(p for p, b in BANKS.items() if b == bank)
                assert self.attempt("file", lambda: self.office.file(f"{year}-Q{quarter}", who=(who,)))  # noqa: B023

    @may(
        1, by=st.sampled_from(sorted(BANKS)), act=st.sampled_from(("consent", "consent", "consent", "withdraw-consent"))
    )
    def take_part_or_not(self, by: str, act: str) -> None:
        body = {"stages": ("first", "second")} if act == "consent" else {"why": WORDS}
        self.attempt(act, lambda: self.office.act(by, act, body))

    @may(
        1,
        by=mostly("olu"),
        severity=st.sampled_from(("minor", "major", "critical")),
        bank=st.sampled_from(sorted(BANKS)),
    )
    def report(self, by: str, severity: str, bank: str) -> None:
        body = {"kind": "cyber", "severity": severity, "institution": BANKS[bank], "what": WORDS}
        self.attempt("report", lambda: self.office.act(by, "report", body))

    @may(2, by=mostly("oki"), plan=st.sampled_from(range(len(PLANS))), sooner=st.sampled_from((0, 0, 0, 200)))
    def draft(self, by: str, plan: int, sooner: int) -> None:
        changes = dict(PLANS[plan])
        if sooner:
            first, second = terms().stages
            changes["stages"] = (first.model_copy(update={"ends": first.ends - dt.timedelta(sooner)}), second)
        body = {"plan": digest(f"plan {plan}, {sooner}"), "terms": terms(**changes)}
        self.attempt("draft", lambda: self.office.act(by, "edit", body))

    @may(2, by=SIGNERS, to=SIGNERS, role=st.sampled_from(("officer", "approver", "risk")), days=DAYS)
    def delegate(self, by: str, to: str, role: str, days: int) -> None:
        body = {"to": to, "role": role, "until": self.office.day + dt.timedelta(days)}
        self.attempt("delegate", lambda: self.office.act(by, "delegate", body, object=book.PEOPLE))

    @may(4, by=mostly("olu"), act=st.sampled_from(sorted(BODIES)), place=st.integers(0, 3))
    def try_anything(self, by: str, act: str, place: int) -> None:
        """review seldom, since not much can happen afterwards."""
        if act != "review" or place == 3:
            body = BODIES[act](self, place)
            self.attempt(act, lambda: self.office.act(by, act, body))

    # the sensible next thing

    @may(2, what=st.sampled_from(("tail", "arrears", "growth")), kind=st.sampled_from(("breach", "fail", "no data")))
    def misfortune(self, what: str, kind: str) -> None:
        self.judge("bot", what, kind, 0)

    @may(
        8,
        how=st.sampled_from(
            ("extend", "finish", "roll-back", "amend", "waive", "cancel", "cannot-unwind", "late", "alone")
        ),
    )
    def go_another_way(self, how: str) -> None:
        run = self.last
        state = run.state if run else "none"
        if how == "amend":
            self.draft("oki", 1, 0)
            self.decide("amend", "")
        elif how == "alone":
            self.judge("bot", "tail", "breach", 0)
            self.order("dee", "roll-back", "")
        elif how == "late" and state == "rolling back":
            self.wait(181)
        elif how == "waive" and state in RUNS:
            self.tidy()
            self.judge("bot", "tail", "inconclusive", 0)
            self.decide("resume", self.run_id())
        elif (how, state) in (("cancel", "pending"), ("cannot-unwind", "rolling back")):
            self.act(how, {"run": self.run_id(), "why": WORDS})
        elif how in ("extend", "finish") and state in RUNS:
            if state in ("held", "held critical"):
                self.go_on()
            self.wait_for_the_window()
            self.decide(how, self.run_id())
        elif how == "roll-back" and state in RUNS:
            self.decide(how, self.run_id())

    def tidy(self) -> None:
        for incident in list(self.witness.incidents):
            self.act("close-incident", {"incident": incident, "remedy": WORDS})
        self.file_what_is_owed()

    @may(8)
    def go_on(self) -> None:
        """Close what is open, look again, and decide by whom it takes."""
        self.tidy()
        state = self.last.state if self.last else "none"
        if state in ("none", "rolled back", "cancelled", "finished"):
            self.act("open", {"stage": "first"})
        elif state == "passed":
            self.act("open", {"stage": "second"})
        elif state == "rolling back":
            self.act("unwound", {"run": self.run_id(), "evidence": digest("none left")})
        elif state == "stuck":
            self.decide("revise", self.run_id())
        elif state == "pending":
            starts = dt.date.fromisoformat(self.witness.stage(self.run_id().split("/")[0])["starts"])
            self.office.day = max(self.office.day, starts)
            self.judge("oki", "mood", "pass", 0)
            self.decide("start", self.run_id())
        elif state != "active":
            self.judge("oki", "mood", "pass", 0)
            self.decide("pass" if state == "deciding" else "resume", self.run_id())

    def act(self, act: str, body: dict[str, Any]) -> None:
        self.attempt(act, lambda: self.office.act("olu", act, body))

    def decide(self, matter: str, run: str) -> None:
        able = ("olu", "ana", "aki", "rio")
        for x in self.office.shown().proposals:
            if not x.void and (x.matter, x.run) == (matter, run):
                self.attempt("retract", lambda: self.office.act(x.by, "retract", {"decision": x.id}))  # noqa: B023
        made = f"{matter}-{self.office.number + 1}"
        if self.attempt(
            f"propose {matter}", lambda: self.office.propose(matter, run, able[0], **self.details(matter, 60))
        ):
            for who in able[1:]:
                if any(p.id == made for p in self.office.programme.proposals):
                    self.attempt("approve", lambda: self.office.approve(made, who))  # noqa: B023

    @rule(way=st.sampled_from(range(len(WAYS))).flatmap(WAYS.__getitem__))
    def step(self, way: tuple[str, dict[str, Any]]) -> None:
        name, drawn = way
        getattr(self, name)(**drawn)

    # what is always true

    @invariant()
    def both_say_the_same(self) -> None:
        if not hasattr(self, "office"):
            return
        shown = self.office.shown()
        later = copy.deepcopy(self.witness)
        later.until(self.office.day)
        assert [(r.id, r.state, r.since, r.ends, r.decide_on) for r in shown.runs] == [
            (r.id, r.state, r.since, r.ends, r.decide_on) for r in later.runs
        ]
        assert (shown.life, shown.plan, shown.editor) == (later.life, later.plan, later.editor) or shown.life in ENDED

    @invariant()
    def a_tick_repeated_changes_nothing(self) -> None:
        if not hasattr(self, "office"):
            return
        p = self.office.shown()
        assert deadlines.on(p, p.at) == p
        far = p.at + dt.timedelta(400)
        assert deadlines.on(deadlines.on(p, p.at + dt.timedelta(200)), far) == deadlines.on(p, far)

    @invariant()
    def one_run_at_a_time(self) -> None:
        if hasattr(self, "office"):
            assert sum(r.state not in OVER for r in self.office.programme.runs) <= 1

    def teardown(self) -> None:
        """The log from nothing gives the same states, to the text."""
        if not hasattr(self, "office"):
            return
        states: dict[str, book.State | None] = {}
        for number, at, actor, role, act, object, body in self.office.log:
            states[object] = book.load(object, book.dump(book.step(states, object, actor, role, act, body, number, at)))
        assert {k: book.dump(s) for k, s in states.items() if s} == {
            k: book.dump(s) for k, s in self.office.states.items() if s
        }
        assert OBJECT in states


DEEP = (
    "passed",
    "held critical",
    "stuck",
    "rolled back",
    "finished",
    "cancelled",
    "decided: extend",
    "decided: amend",
    "decided: resume",
    "decided: revise",
    "waived",
    "did roll-back",
)


def test_the_machine_and_the_second_telling_agree_wherever_a_random_walk_leads() -> None:
    SEEN.clear()
    run_state_machine_as_test(
        Walk,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    if settings().derandomize:
        assert [deep for deep in DEEP if not SEEN[deep]] == [], "the walk does not reach these"
