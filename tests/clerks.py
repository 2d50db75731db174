"""An office at the command line: a folder with everybody's keys, a register, and a day."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from poundlock.cli import app, at_register
from poundlock.reading import InputFile, combined_digest
from poundlock.rollout.signing import new_key, public_of

DECLARATION = "\n".join(
    ["kind: product"]
    + [
        f"{name}: as the plan says"
        for name in [
            "title",
            "technology",
            "function",
            "expected_effect",
            "scale",
            "risks_and_controls",
            "compensation",
            "exit_plan",
            "emergency_plan",
            "complaints",
        ]
    ]
)


PEOPLE = {
    "ada": ("bureau", ["administrator"]),
    "olu": ("bureau", ["officer", "approver"]),
    "ana": ("bureau", ["approver"]),
    "aki": ("commission", ["approver"]),
    "rio": ("commission", ["risk"]),
    "dee": ("bureau", ["duty officer"]),
    "aud": ("bureau", ["auditor"]),
    "eva": ("bank", ["institution"]),
}


class Office:
    """A folder with everybody's keys and a register, and a day."""

    def __init__(self, folder: Path, plan: Path) -> None:
        self.folder, self.plan, self.day = folder, plan, dt.date(2019, 6, 1)
        for name in PEOPLE:
            (folder / f"{name}.key").write_text(new_key())
        (folder / "declaration.yaml").write_text(DECLARATION)

    def run(self, *words: str, who: str = "", code: int = 0) -> Result:
        """A command; fails unless it ends with `code`."""
        signed = ["--as", who, "--key", str(self.folder / f"{who}.key")] if who else []
        noted = words[0] == "stage" and words[1] in ("propose", "approve", "resume", "rollback") and "--sign" in words
        signed += ["--interests", "none"] if noted and "--interests" not in words else []
        done = CliRunner().invoke(app, [*words, "--database", str(self.folder / "r.sqlite3"), *signed])
        assert done.exit_code == code, f"{done.exit_code}: {done.output}{done.exception!r}"
        return done

    def told(self, *words: str, who: str = "", code: int = 0) -> Any:
        return json.loads(self.run(*words, "--json", who=who, code=code).stdout)

    def state(self) -> str:
        return str(self.told("stage", "status")["runs"][-1]["state"])

    def key(self, name: str) -> str:
        return public_of((self.folder / f"{name}.key").read_text())

    def founded(self) -> Office:
        self.run("register", "init", "pilot", "--agency", "bureau", "--mandate", "technology-innovation", who="ada")
        self.run("register", "agency", "commission", "--mandate", "social-responsibility", who="ada")
        for name, (agency, roles) in PEOPLE.items():
            if name != "ada":
                as_roles = [word for role in roles for word in ("--role", role)]
                home = ["--institution", "bank-1"] if "institution" in roles else []
                self.run(
                    "register",
                    "enrol",
                    name,
                    "--public",
                    self.key(name),
                    "--agency",
                    agency,
                    *as_roles,
                    *home,
                    who="ada",
                )
        return self

    def approved(self) -> Office:
        self.founded()
        self.run(
            "programme", "declare", str(self.plan), "--declaration", str(self.folder / "declaration.yaml"), who="eva"
        )
        for verb, who in (("submit", "eva"), ("accept", "olu"), ("publish", "olu")):
            self.run("programme", verb, who=who)
        self.day += dt.timedelta(31)
        self.decide("approve")
        self.run("register", "consent", "--stage", "region-a", "--stage", "region-b", who="eva")
        return self

    def running(self, **found: str) -> Office:
        self.approved()
        self.day = dt.date(2020, 1, 1)
        self.run("stage", "open", "region-a", who="olu")
        self.judge()
        self.decide("start")
        return self

    def decide(self, matter: str, *more: str) -> None:
        made = self.run(
            "stage",
            "propose",
            matter,
            "--why",
            "it is due",
            "--decision",
            f"d-{matter}-{self.day}",
            *more,
            "--sign",
            who="olu",
        )
        assert "Entry" in made.stdout
        for who in ("ana", "aki"):
            self.run("stage", "approve", f"d-{matter}-{self.day}", "--sign", who=who)

    def judge(self, **found: str) -> None:
        """A result.json as `run` writes it, with scripted findings."""
        gates = ("local-banks", "failures", "controllable", "rules", "effect", "for-whom")
        digest = hashlib.sha256(self.plan.read_bytes()).hexdigest()
        result = {
            "gates": [
                {"id": g, "finding": found.get(g.replace("-", "_"), "pass"), "why": "scripted", "limit": "none"}
                for g in gates
            ],
            "provenance": {
                "inputs": [{"file": "plan.yaml", "sha256": digest}],
                "digest": combined_digest([InputFile("plan.yaml", digest)]),
            },
        }
        (self.folder / "result.json").write_text(json.dumps(result))
        self.run("stage", "judge", str(self.folder / "result.json"), who="olu")


def at_the_clock(made: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """The office, with the day that it says for every command, and no setting of whoever runs the tests."""

    class Clock:
        @staticmethod
        def now(zone: dt.tzinfo) -> dt.datetime:
            return dt.datetime.combine(made.day, dt.time(12), zone)

    monkeypatch.setattr(at_register, "datetime", Clock)
    for name in ("POUNDLOCK_DATABASE_URL", "POUNDLOCK_REGISTER_KEY", "POUNDLOCK_PERSON", "POUNDLOCK_KEY"):
        monkeypatch.delenv(name, raising=False)
    return made
