"""The rules of the roll-out machine told a second time, naively and day by day: what a random walk of the machine is compared with.

Nothing here asks the machine. Quarters are the only period, and one stage runs at a time.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from office import PEOPLE
from witnessed import Run, quarter_end, quarters

DAY = dt.timedelta(1)
MANDATES = {"bureau": "innovation", "commission": "responsibility"}
GOING_ON = ("start", "pass", "extend", "resume", "amend", "adopt")
SAYS_NOTHING = ("inconclusive", "no data", "error")
RUNS = ("active", "deciding", "held", "held critical")
CAUSES = {
    "start": "active",
    "pass": "passed",
    "extend": "active",
    "finish": "finished",
    "roll-back": "rolling back",
    "resume": "active",
    "revise": "rolling back",
}


@dataclass
class Witness:
    """Sees every entry that was accepted, and says what must be true now."""

    day: dt.date
    life: str = ""
    plan: str = ""
    terms: dict[str, Any] = field(default_factory=dict)
    editor: str = ""
    draft: tuple[str, dict[str, Any], str] | None = None
    runs: list[Run] = field(default_factory=list)
    consents: set[tuple[str, str]] = field(default_factory=set)
    incidents: dict[int, dict[str, Any]] = field(default_factory=dict)
    waiting: dict[str, dict[str, Any]] = field(default_factory=dict)
    lent: list[tuple[str, str, str, dt.date]] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)

    def see(self, number: int, at: str, actor: str, role: str, act: str, object: str, body: dict[str, Any]) -> None:
        day = dt.date.fromisoformat(at[:10])
        self.until(day)
        seen = getattr(self, "_" + act.replace("-", "_"), None)
        if seen is not None:
            seen(number, actor, body)
        self.settle()

    # the calendar

    def until(self, day: dt.date) -> None:
        while self.day < day:
            self.day += DAY
            self.settle()

    def settle(self) -> None:
        for run in self.runs:
            while (to := self._by_itself(run)) is not None:
                self._to(run, to)

    def _to(self, run: Run, state: str) -> None:
        run.state, run.since = state, self.day
        self.reached.append(state)

    def _by_itself(self, run: Run) -> str | None:
        if run.state == "rolling back" and self.day > run.since + dt.timedelta(180):
            return "stuck"
        if run.state not in RUNS:
            return None
        against = self.against(run)
        if run.state == "held critical" and "arrears" in self.terms["pre_authorised"]:
            assert run.check
            if run.check["found"].get("arrears") == "breach":
                return "rolling back"
        if self.day >= run.ends:
            return "rolling back"
        if "critical" in against.values() and run.state != "held critical":
            return "held critical"
        if against and run.state in ("active", "deciding"):
            return "held"
        if run.state == "active" and self._complete(run):
            return "deciding"
        if run.state == "deciding" and self.day > run.since + dt.timedelta(90):
            return "held"
        return None

    def _complete(self, run: Run) -> bool:
        assert run.decide_on is not None
        window = {(who, q) for who, q in run.owed(run.decide_on) if quarter_end(*q) <= run.decide_on}
        return self.day >= run.decide_on and window <= run.filed

    # what speaks against going on

    def against(self, run: Run, waived: bool = True) -> dict[tuple[int, str], str]:
        """(check, what) of everything against going on: 'critical', 'harm', 'nothing known' or 'late'."""
        found: dict[tuple[int, str], str] = {}
        check = run.check
        if check is not None:
            for metric, kind in self.findings(run).items():
                without = self._metric(metric)["without_data"]
                critical = kind == "breach" or (kind == "no data" and without == "hold critical")
                found[check["entry"], metric] = (
                    "critical" if critical else "nothing known" if kind in SAYS_NOTHING else "harm"
                )
        if run.started is not None:
            seen = max(run.started, check["as_of"]) if check else run.started
            if self.day > seen + dt.timedelta(400):
                found[0, "check"] = "stale"
        for who, (y, q) in run.owed(self.day) - run.filed:
            if self.day > quarter_end(y, q) + dt.timedelta(30):
                found[0, f"outcomes/{who}/{y}-Q{q}"] = "late"
        for number, incident in self.incidents.items():
            if incident["severity"] != "minor":
                found[number, f"incident {number}"] = "critical" if incident["severity"] == "critical" else "harm"
        if not waived:
            return found
        kept = {(c, m) for c, m, until in run.waivers if self.day <= until}
        return {k: v for k, v in found.items() if k not in kept or not self.may_waive(run, k)}

    def may_waive(self, run: Run, doubt: tuple[int, str]) -> bool:
        if doubt[1].startswith("outcomes/"):
            return True
        return run.check is not None and self.findings(run).get(doubt[1]) in SAYS_NOTHING

    def findings(self, run: Run) -> dict[str, str]:
        """What the last check says against going on, metric by metric."""
        assert run.check is not None
        said: dict[str, str] = {}
        after_start = run.started is not None and run.check["entry"] > run.began
        for metric in self.terms["metrics"]:
            kind = run.check["found"].get(metric["gate"], "no data")
            if metric["kind"] == "signal" or kind == "pass":
                continue
            if not after_start and metric["kind"] == "success":
                continue
            if not after_start and metric["kind"] == "guardrail" and kind in SAYS_NOTHING:
                continue
            early = run.decide_on is not None and run.check["as_of"] < run.decide_on
            if metric["kind"] == "success" and kind in SAYS_NOTHING and early:
                continue
            said[metric["gate"]] = kind
        return said

    def _metric(self, gate: str) -> dict[str, Any]:
        return next(m for m in self.terms["metrics"] if m["gate"] == gate)

    def stage(self, id: str) -> dict[str, Any]:
        return next(s for s in self.terms["stages"] if s["id"] == id)

    def run(self, id: str) -> Run:
        return next(r for r in reversed(self.runs) if id in (r.id, r.stage))

    @property
    def last(self) -> Run | None:
        return self.runs[-1] if self.runs else None

    # acts

    def _declare(self, number: int, actor: str, body: dict[str, Any]) -> None:
        self.life, self.plan, self.terms, self.editor = "draft", body["plan"], body["terms"], actor

    def _publish(self, number: int, actor: str, body: dict[str, Any]) -> None:
        self.life = "decision"

    def _review(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert all(r.state in ("passed", "finished", "rolled back", "cancelled") for r in self.runs)
        self.life = "exit review"

    def _edit(self, number: int, actor: str, body: dict[str, Any]) -> None:
        self.draft = (body["plan"], body["terms"], actor)

    def _consent(self, number: int, actor: str, body: dict[str, Any]) -> None:
        bank = PEOPLE[actor][0]
        self.consents |= {(bank, s) for s in body["stages"]}
        for run in self.runs:
            if run.stage in body["stages"] and run.state in (*RUNS, "rolling back", "stuck"):
                run.joined.append([bank, self.day, None])

    def _withdraw_consent(self, number: int, actor: str, body: dict[str, Any]) -> None:
        bank = PEOPLE[actor][0]
        self.consents = {c for c in self.consents if c[0] != bank}
        for run in self.runs:
            for joined in run.joined:
                if joined[0] == bank and joined[2] is None and run.state in (*RUNS, "rolling back", "stuck"):
                    joined[2] = self.day
            run.joined = [j for j in run.joined if j[2] is None or quarters(j[1], j[2])]

    def _open(self, number: int, actor: str, body: dict[str, Any]) -> None:
        tries = sum(r.stage == body["stage"] for r in self.runs)
        assert all(r.state in ("passed", "finished", "rolled back", "cancelled") for r in self.runs)
        if body["stage"] != self.terms["stages"][0]["id"]:
            assert any(r.state == "passed" and r.stage == self.terms["stages"][0]["id"] for r in self.runs)
        ends = dt.date.fromisoformat(self.stage(body["stage"])["ends"])
        self.runs.append(Run(body["stage"], f"{body['stage']}/{tries + 1}", "pending", self.day, ends))

    def _cancel(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert self.run(body["run"]).state == "pending"
        self._to(self.run(body["run"]), "cancelled")

    def _judge(self, number: int, actor: str, body: dict[str, Any]) -> None:
        run = self.run(body["run"])
        assert body["plan"] == self.plan
        found = {f["metric"]: f["kind"] for f in body["findings"]}
        as_of = dt.date.fromisoformat(body["as_of"])
        run.check = {"entry": number, "by": actor, "as_of": as_of, "found": found, "plan": self.plan}
        if run.state in RUNS and "breach" in self.findings(run).values():
            run.breached = number

    def _hold(self, number: int, actor: str, body: dict[str, Any]) -> None:
        run = self.run(body["run"])
        assert run.state in ("active", "deciding")
        self._to(run, "held")

    def _roll_back(self, number: int, actor: str, body: dict[str, Any]) -> None:
        run = self.run(body["run"])
        assert run.state == "held critical"
        assert self._may(actor, ("duty officer",))
        self._to(run, "rolling back")

    def _unwound(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert self.run(body["run"]).state == "rolling back"
        self._to(self.run(body["run"]), "rolled back")

    def _cannot_unwind(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert self.run(body["run"]).state == "rolling back"
        self._to(self.run(body["run"]), "stuck")

    def _report(self, number: int, actor: str, body: dict[str, Any]) -> None:
        self.incidents[number] = body

    def _close_incident(self, number: int, actor: str, body: dict[str, Any]) -> None:
        del self.incidents[body["incident"]]

    def _file(self, number: int, actor: str, body: dict[str, Any]) -> None:
        run = next(r for r in self.runs if r.state in (*RUNS, "rolling back", "stuck"))
        year, quarter = int(body["period"][:4]), int(body["period"][-1])
        end = quarter_end(year, quarter)
        assert end <= self.day, "a return of a quarter that goes on"
        assert (PEOPLE[actor][0], (year, quarter)) in run.owed(self.day)
        run.filed.add((PEOPLE[actor][0], (year, quarter)))
        if run.decide_on is not None and end <= run.decide_on:
            run.last_filed = number
            if run.state == "deciding":
                self._to(run, "held")

    def _delegate(self, number: int, actor: str, body: dict[str, Any]) -> None:
        self.lent.append((actor, body["to"], body["role"], dt.date.fromisoformat(body["until"])))

    # decisions

    def _may(self, person: str, roles: tuple[str, ...]) -> bool:
        """By right, or lent."""
        lent = any(to == person and role in roles and self.day <= until for _, to, role, until in self.lent)
        return bool(set(PEOPLE[person][1]) & set(roles)) or lent

    def subject(self, run: str) -> tuple[Any, ...]:
        """Everything that a decision rests on."""
        grave = sorted(self.incidents)
        if not run:
            return self.life, self.plan, self.draft
        of = self.run(run)
        check = of.check["entry"] if of.check else 0
        takes_part = sorted(c for c in self.consents if c[1] == of.stage)
        return of.state, of.since, check, self.plan, grave, takes_part, of.ends, of.decide_on

    def _propose(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert self._may(actor, ("officer", "approver", "risk", "duty officer"))
        subject = self.subject(body["run"])
        self.waiting[body["decision"]] = {**body, "signers": [actor], "subject": subject}

    def _approve(self, number: int, actor: str, body: dict[str, Any]) -> None:
        decision = self.waiting[body["decision"]]
        run = self.run(decision["run"]) if decision["run"] else None
        decision["signers"].append(actor)
        three = decision["matter"] == "resume" and run is not None and run.state == "held critical"
        assert self._may(actor, ("approver", "risk") if three else ("approver",))
        signers = decision["signers"]
        assert len(set(signers)) == len(signers), "the same person twice"
        editor = self.draft[2] if decision["matter"] == "amend" and self.draft else self.editor
        assert editor not in signers, "the last editor signed"
        assert run is None or run.check is None or run.check["by"] != actor, "who made the check approved"
        assert decision["subject"] == self.subject(decision["run"]), "the subject changed"
        for signer in signers:
            lenders = {by for by, to, _, until in self.lent if to == signer and until >= self.day}
            own = set(PEOPLE[signer][1]) & {"officer", "approver", "risk", "duty officer"}
            assert own or lenders - set(signers), "one person signed twice, by another's hand"
        if len(signers) < (3 if three else 2):
            return
        if decision["matter"] in (*GOING_ON, "approve"):
            present = {MANDATES[PEOPLE[s][0]] for s in signers}
            if not set(self.terms["mandates"]) <= present:
                return
        if three and not any(self._may(s, ("risk",)) for s in signers):
            return
        del self.waiting[body["decision"]]
        self._decided(decision, run, number)

    def _retract(self, number: int, actor: str, body: dict[str, Any]) -> None:
        assert self.waiting[body["decision"]]["signers"][0] == actor
        del self.waiting[body["decision"]]

    def _decided(self, decision: dict[str, Any], run: Run | None, number: int) -> None:
        matter, details = decision["matter"], decision["details"]
        self.reached.append(f"decided: {matter}")
        if run is None:
            self._decided_on_programme(matter)
            return
        if matter == "start":
            self._starts(run, number)
        elif matter == "pass":
            self._passes(run)
        elif matter == "resume":
            self._resumes(run, details)
        elif matter == "extend":
            assert run.state == "deciding"
            run.decide_on = dt.date.fromisoformat(details["decide_on"])
            run.ends = dt.date.fromisoformat(details["ends"]) if details["ends"] else run.ends
        elif matter == "finish":
            assert run.state == "deciding"
        elif matter == "revise":
            assert run.state == "stuck"
        else:
            assert run.state in RUNS
        self._to(run, CAUSES[matter])

    def _decided_on_programme(self, matter: str) -> None:
        if matter == "approve":
            assert self.life == "decision"
            self.life = "approved"
        elif matter == "amend":
            self._amends()
        elif matter == "adopt":
            assert self.life == "exit review"
            assert any(r.state == "passed" and r.stage == self.terms["stages"][-1]["id"] for r in self.runs)
            self.life = "adopted"
        else:
            assert (matter, self.life) == ("wind-down", "exit review")
            self.life = "winding down"

    def _amends(self) -> None:
        assert self.life in ("approved", "running")
        assert self.draft is not None
        was = {s["id"]: s["ends"] for s in self.terms["stages"]}
        self.plan, self.terms, self.editor = self.draft
        self.draft = None
        for run in self.runs:
            ends = self.stage(run.stage)["ends"]
            if run.state == "pending":
                run.ends = dt.date.fromisoformat(ends)
            elif ends < was[run.stage] and run.state in (*RUNS, "rolling back", "stuck"):
                run.ends = min(run.ends, dt.date.fromisoformat(ends))
            if run.state == "deciding":
                self._to(run, "held")

    def _starts(self, run: Run, number: int) -> None:
        assert run.state == "pending"
        assert run.check is not None, "no evidence is a pass"
        assert run.check["plan"] == self.plan
        for metric in self.terms["metrics"]:
            if metric["kind"] in ("limit", "quality"):
                assert run.check["found"].get(metric["gate"]) == "pass", metric
            if metric["kind"] == "guardrail":
                assert run.check["found"].get(metric["gate"]) not in ("breach", "fail"), metric
        assert all(i["severity"] == "minor" for i in self.incidents.values())
        stage = self.stage(run.stage)
        starts, ends = (dt.date.fromisoformat(stage[k]) for k in ("starts", "ends"))
        assert starts <= self.day < ends
        run.started, run.began, run.ends = self.day, number, ends
        run.decide_on = min(self.day + dt.timedelta(stage["shortest_stay_days"]), ends)
        run.joined = [[bank, self.day, None] for bank, of in sorted(self.consents) if of == run.stage]
        assert run.joined, "nobody takes part"
        self.life = "running"

    def _passes(self, run: Run) -> None:
        assert run.state == "deciding"
        assert run.check is not None
        assert run.decide_on is not None
        assert run.check["plan"] == self.plan
        assert run.check["entry"] > max(run.began, run.last_filed)
        assert run.check["as_of"] >= run.decide_on
        for metric in self.terms["metrics"]:
            if metric["kind"] != "signal":
                assert run.check["found"].get(metric["gate"]) == "pass", metric
        assert not self.against(run, waived=False)

    def _resumes(self, run: Run, details: dict[str, Any]) -> None:
        assert run.state in ("held", "held critical")
        assert run.check is not None
        assert run.check["plan"] == self.plan
        assert "breach" not in self.findings(run).values()
        assert run.check["entry"] > run.breached or not run.breached, "a breach, and no newer check"
        run.waivers += [(w["check"], w["metric"], dt.date.fromisoformat(w["until"])) for w in details["waivers"]]
        assert not self.against(run), "something stands against it that nobody waived"
        if details["waivers"]:
            self.reached.append("waived")
