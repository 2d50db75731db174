"""The Zhejiang programme played through two stages in a scratch register, years in seconds: `python rehearsal.py RESULT.json FOLDER`.

What is real: the plan, the machine, the register, every signature, and the verdict in RESULT.json, which is entered first and refused.
What is made up: people, dates, returns and all later findings; each says so in the log. Nothing here is a result about Zhejiang.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from poundlock.desk.roll_out import Entered, as_entered, entered, terms_of
from poundlock.register.clerk import Clerk, founded, people_of, shown
from poundlock.register.packing import pack_of, verified
from poundlock.register.telling import log, log_line, standing_words
from poundlock.rollout import signing
from poundlock.rollout.machine import periods
from poundlock.rollout.machine.acts import Declaration
from poundlock.rollout.refusal import Refused

PLAN = Path(__file__).with_name("plan.yaml")
PROGRAMME = "zhejiang"
CENTRAL_BANK, OFFICE = "central-bank-branch", "provincial-office"
PEOPLE = {
    "admin": (CENTRAL_BANK, "administrator"),
    "officer": (CENTRAL_BANK, "officer", "approver"),
    "analyst": (CENTRAL_BANK, "machine"),
    "approver-a": (CENTRAL_BANK, "approver"),
    "approver-b": (OFFICE, "approver"),
    "duty": (CENTRAL_BANK, "duty officer"),
    "bank-1": ("local-02", "institution"),
    "bank-2": ("local-03", "institution"),
}
MADE_UP = "made up for this rehearsal"


class Rehearsal:
    """A register in a folder, everybody's keys, and the day it is in the play."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.day = folder, dt.date(2021, 11, 1)
        self.filed: set[tuple[str, str]] = set()
        self.keys = {name: signing.new_key() for name in PEOPLE}
        self.register_key = signing.new_key()
        for name, key in (*self.keys.items(), ("register.sqlite3", self.register_key)):
            (folder / f"{name}.key").write_text(key, encoding="ascii")
        self.plan = terms_of(PLAN)
        self.register = founded(
            str(folder / "register.sqlite3"),
            name="zhejiang-rehearsal",
            register_key=self.register_key,
            agency=CENTRAL_BANK,
            mandates=["technology-innovation"],
            administrator="admin",
            key=self.keys["admin"],
            at=self.now,
        )

    @property
    def now(self) -> dt.datetime:
        return dt.datetime.combine(self.day, dt.time(9), dt.UTC)

    def as_(self, who: str) -> Clerk:
        return Clerk(self.register, who, self.keys[who], self.now)

    def on(self, day: str) -> None:
        self.day = dt.date.fromisoformat(day)

    def decide(self, matter: str, why: str, **details: object) -> None:
        """Proposed by the officer, signed by one person of each agency."""
        self.as_("officer").propose(PROGRAMME, "", matter, "", {"why": why, **details}, "none")
        decision = shown(self.register, PROGRAMME, self.now).proposals[-1].id
        for who in ("approver-a", "approver-b"):
            self.as_(who).approve(PROGRAMME, decision, "none")

    def judge(self, **found: str) -> int:
        """A scripted check: a pass of every gate but those that are named. Returns its entry."""
        metrics = [m.gate for m in self.plan.terms.metrics]
        findings = [{"metric": g, "kind": found.get(g.replace("-", "_"), "pass"), "said": MADE_UP} for g in metrics]
        evidence = hashlib.sha256(f"{MADE_UP} {self.day}".encode()).hexdigest()
        return self.enter(as_entered(evidence, [self.plan.digest], findings))

    def enter(self, verdict: Entered) -> int:
        done = self.as_("analyst").judge(PROGRAMME, "", verdict, self.day)
        assert done.entry is not None
        return done.entry.number

    def run_line(self) -> str:
        """Where the newest run stands."""
        run = shown(self.register, PROGRAMME, self.now).runs[-1]
        return f"run {run.id} is {run.state}: {run.why}"

    def returns(self, until: dt.date) -> None:
        """Everything that both banks owe until a day, filed a fortnight after each period."""
        owing = shown(self.register, PROGRAMME, self.now).runs[-1].filings
        kinds = {(f.kind, f.every): f.first for f in owing}
        wanted = [
            (periods.last_day(number, every), kind, periods.text(number, every))
            for (kind, every), first in kinds.items()
            for number in range(first, periods.last_within(until, every) + 1)
        ]
        for last, kind, period in sorted(wanted):
            if (kind, period) not in self.filed:
                self.filed.add((kind, period))
                self._file(kind, period, last + dt.timedelta(14))

    def _file(self, kind: str, period: str, day: dt.date) -> None:
        self.day = max(self.day, day)
        for bank in ("bank-1", "bank-2"):
            content = f"# {MADE_UP}\n{kind},{bank},{period}\n".encode()
            body = {"kind": kind, "period": period, "digest": hashlib.sha256(content).hexdigest(), "rows": 1}
            self.as_(bank).act("file", body, PROGRAMME, (content,))


def say(line: str = "") -> None:
    print(line)


def refused(what: str, act: object) -> None:
    """Something that must not work; the play goes on with what was said."""
    assert callable(act)
    try:
        act()
    except Refused as no:
        say(f"  {what}: {no}")
    else:
        raise AssertionError(f"not refused: {what}")


def opening(play: Rehearsal) -> None:
    """People, the declaration, the public notice, the decision."""
    admin = play.as_("admin")
    admin.act("add-agency", {"agency": OFFICE, "mandates": ["social-responsibility"]})
    for name, (home, *roles) in PEOPLE.items():
        if name != "admin":
            public, institution = signing.public_of(play.keys[name]), home if "institution" in roles else ""
            admin.act(
                "enrol", {"person": name, "agency": home, "roles": roles, "key": public, "institution": institution}
            )
    words = dict.fromkeys(Declaration.model_fields, f"As in the plan; {MADE_UP}") | {"kind": "product"}
    words["title"] = "Joint lending, loans with investment and their cover"
    terms = play.plan.terms.model_dump(mode="json")
    bank = play.as_("bank-1")
    bank.act(
        "declare", {"declaration": words, "plan": play.plan.digest, "terms": terms}, PROGRAMME, (PLAN.read_bytes(),)
    )
    bank.act("submit", {}, PROGRAMME)
    play.as_("officer").act("accept", {}, PROGRAMME)
    play.as_("officer").act("publish", {}, PROGRAMME)
    play.on("2021-12-15")
    play.decide("approve", "the assessment found the plan sound")
    for name in ("bank-1", "bank-2"):
        play.as_(name).act("consent", {"stages": ["zhejiang", "delta"]}, PROGRAMME)


def first_stage(play: Rehearsal, result: Path) -> None:
    """The real verdict is refused; scripted ones start the stage, and two years later it is passed."""
    play.on("2022-03-18")
    play.as_("officer").act("open", {"stage": "zhejiang"}, PROGRAMME)
    play.enter(entered(result))
    say("The real verdict of the plan, entered before the start:")
    refused("officer proposes the start", lambda: play.decide("start", "we would like to"))
    say("\nFrom here on findings are made up. Stage zhejiang starts; two years on its window closes:")
    play.judge()
    play.decide("start", "limits hold before the start")
    play.returns(dt.date(2022, 12, 31))
    play.on("2023-03-01")
    play.judge(technology="inconclusive", patents="inconclusive")
    play.returns(dt.date(2024, 3, 17))
    play.on("2024-04-02")
    play.judge()
    officer = play.as_("officer")
    officer.propose(PROGRAMME, "pass-zhejiang", "pass", "", {"why": "every gate is passed"}, "none")
    refused("officer approves it too", lambda: officer.approve(PROGRAMME, "pass-zhejiang", "none"))
    for who in ("approver-a", "approver-b"):
        play.as_(who).approve(PROGRAMME, "pass-zhejiang", "none")
    say(f"  {play.run_line()}")


def second_stage(play: Rehearsal) -> None:
    """An inconclusive check holds, a waiver lets it go on, a breach rolls it back."""
    say("\nStage delta starts; a check leaves one question undecided:")
    play.on("2028-01-03")
    play.as_("officer").act("open", {"stage": "delta"}, PROGRAMME)
    play.judge()
    play.decide("start", "limits hold before the start")
    play.on("2028-03-01")
    check = play.judge(in_time="inconclusive")
    say(f"  {play.run_line()}")
    refused("officer proposes to go on", lambda: play.decide("resume", "it will be all right"))
    waiver = {"check": check, "metric": "in-time", "until": dt.date(2028, 9, 30)}
    play.decide("resume", "the brake is tested again by September; caps stay as they are", waivers=[waiver])
    say(f"  {play.run_line()}")
    say(
        "\nA later check finds several local banks failing; the plan allows immediate roll-back on that, and loans run off within a year:"
    )
    play.on("2028-04-10")
    play.judge(local_failures="breach")
    say(f"  {play.run_line()}")
    play.on("2029-03-01")
    content = f"nothing is left; {MADE_UP}\n".encode()
    body = {"run": "delta/1", "evidence": hashlib.sha256(content).hexdigest()}
    play.as_("officer").act("unwound", body, PROGRAMME, (content,))
    say(f"  {play.run_line()}")


def print_log(play: Rehearsal) -> None:
    """Every entry with what moved because of it; returns that follow one another on one line."""
    say("\nThe log of the scratch register:")
    for together, told in groupby(log(play.register.records()), lambda one: one[0][0].act == "file" and not one[1]):
        lines = list(told)
        first, last = lines[0][0][0], lines[-1][0][0]
        if together and first is not last:
            say(
                f"{first.number:>5}  {first.at[:10]} to {last.at[:10]}  {len(lines)} returns filed, up to entry {last.number}"
            )
            continue
        for record, moves in lines:
            say(log_line(record))
            for move in moves:
                say(f"       {move}")


def main() -> None:
    """Play, print the log, check it."""
    result, folder = Path(sys.argv[1]), Path(sys.argv[2])
    say("Rehearsal: the roll-out machine on the Zhejiang plan, with made-up people and findings\n")
    play = Rehearsal(folder)
    opening(play)
    first_stage(play, result)
    second_stage(play)
    print_log(play)
    say()
    for line in standing_words(people_of(play.register), shown(play.register, PROGRAMME, play.now)):
        say(line)
    found = play.register.check()
    assert found.flaw is None, found.flaw
    agree = f"chain, payloads, signatures, states and {found.checkpoints} checkpoints agree"
    say(f"\n{found.entries} entries replayed by the rules: {agree}.")
    say(f"Register: {folder / 'register.sqlite3'}")
    keep(play, result)


def keep(play: Rehearsal, result: Path) -> None:
    """An evidence pack with the run of the real verdict, verified on a copy that knows nothing of the register."""
    path, public = play.folder / "evidence.zip", play.register.public
    pack_of(play.register, play.register_key, PROGRAMME, path, at=play.now, run=result.parent, plan=PLAN)
    play.register.close()
    with tempfile.TemporaryDirectory() as elsewhere:
        found = verified(Path(shutil.copy(path, elsewhere)), key=public)
    assert found.ok, found.findings
    counted = f"{found.entries} entries, {found.signatures} signatures"
    say(f"Evidence pack: {path}; {counted}; verified on a copy without the register")
    say(f"  poundlock verify {path} --key {public}")
    verdict = json.loads(result.read_bytes())["verdict"]
    say(
        f"\nThe plan's own verdict stays: {verdict['worst']}. {verdict['sentence']}\nReport: {result.with_name('report.html')}"
    )


if __name__ == "__main__":
    main()
