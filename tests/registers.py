"""A register for tests: rules small enough to see through, people, runs of which each is decided once, and where it is kept."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from poundlock.register.store import ERASED, Act, Register
from poundlock.rollout.refusal import Refused

DAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NAME = "turnstile"
NAMES = ("ana", "aki", "olu")


class Turnstile:
    """Who is among the people may act on a run. A run counts its returns until it is decided, and it is decided once."""

    def reads(self, object: str) -> tuple[str, ...]:
        return ("people",) if object.startswith("run:") else ()

    def state(self, object: str, text: str) -> str:
        return text

    def text(self, state: str) -> str:
        return state

    def step(self, states: Mapping[str, str | None], act: Act, number: int, at: str) -> str:
        old = json.loads(states[act.object] or "{}")
        if act.name == ERASED:
            return '"removed"'
        if act.object == "people":
            who = [] if act.payload is None else act.payload["who"]
            return json.dumps({"people": old.get("people", []) + list(who)})
        if act.actor not in json.loads(states["people"] or '{"people": []}')["people"]:
            raise Refused(f"{act.actor} is not among the people; add them first")
        if "decided" in old:
            raise Refused(f"{act.object} was decided: {old['decided']}; open another run")
        if act.name == "return":
            return json.dumps({"returns": old.get("returns", 0) + 1})
        return json.dumps({"returns": old.get("returns", 0), "decided": act.name, "by": act.actor})

    def checkpoints(self, act: Act) -> bool:
        return act.name in ("promote", "hold")


@cache
def key() -> str:
    """The same in every process."""
    private = Ed25519PrivateKey.from_private_bytes(b"turnstile".ljust(32))
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'register.db'}"


def founded(url: str, **options: Any) -> Register:
    founder = Act("ada", "administrator", "join", "people", {"who": list(NAMES)})
    return Register.create(url, NAME, Turnstile(), key=key(), founder=founder, at=DAY, **options)


def reopened(url: str, **options: Any) -> Register:
    return Register.open(url, Turnstile(), **{"key": key()} | options)


def on(name: str, run: object, actor: str = "ana", **payload: Any) -> Act:
    return Act(actor, "officer", name, f"run:{run}", payload or {"note": "as planned"})


def filled(register: Register, runs: int = 6) -> None:
    """Three returns and a decision for each run, over several days, with a file for each."""
    for run in range(runs):
        day = DAY + timedelta(days=run // 2)
        for k in range(3):
            register.append(on("return", run, "olu", amount=str(k)), at=day, files=[f"return {run}, {k}".encode()])
        register.append(on("promote" if run % 2 else "hold", run), at=day)


@contextmanager
def postgresql() -> Iterator[str]:
    """Address of an empty schema on the server that POUNDLOCK_TEST_POSTGRESQL names; it is dropped afterwards."""
    from conftest import require  # only here: a writer of its own starts without it, and sooner

    server = os.environ.get("POUNDLOCK_TEST_POSTGRESQL", "")
    require(bool(server), "a PostgreSQL server (its address in POUNDLOCK_TEST_POSTGRESQL)")
    import psycopg

    schema = f"poundlock_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {schema}")
        try:
            yield f"{server}?options=-csearch_path%3D{schema}"
        finally:
            admin.execute(f"DROP SCHEMA {schema} CASCADE")


@contextmanager
def place(vendor: str, folder: Path) -> Iterator[str]:
    """Address of an empty place of either kind."""
    if vendor == "sqlite":
        yield url_of(folder)
    else:
        with postgresql() as url:
            yield url
