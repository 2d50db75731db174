"""The address of a database, and what its driver says when something is wrong, in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from poundlock.register.acts import Unavailable

_FAULTS: Final = (
    (("database is locked", "lock timeout", "database table is locked"), "another writer holds the register for too long", "end the program that holds it, or try again"),
    (("disk is full", "no space left", "disk full"), "no space left for it", "make room on the disk and try again"),
    (("readonly", "read-only"), "it may only be read", "see who may write the file and its folder, or whether the server is a stand-by"),
    (("not a database",), "no SQLite database in the file", "correct the path; a register that was one is restored from its backup"),
    (("malformed", "disk i/o error", "decode to utf-8"), "damage in the file, or a disk that fails", "check the disk, then restore the register from its backup"),
    (("unable to open",), "a file that cannot be opened", "see who may read the file and write its folder"),
    (("permission denied", "password", "authentication", "no pg_hba"), "an account that may not do this", "correct the account in the address, or let its owner grant the right"),
    (("connection refused", "could not translate", "no such file", "closed", "terminating", "name or service", "timeout expired", "failed"), "no answer from the server", "see that it runs and that the address is right"),
)  # fmt: skip


def parsed(url: str, make: bool, wait: float) -> tuple[str, str, dict[str, Any]]:
    """Vendor, address without a password, and Django's settings. Raises ValueError for an address of another kind."""
    if url.startswith(("postgresql://", "postgres://")):
        return _postgresql(url, wait)
    if "://" in url and not url.startswith("sqlite:///"):
        raise ValueError(
            f"found address {url.split('://', 1)[0]}://...; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE. Cure: correct it."
        )
    path = Path(unquote(url.removeprefix("sqlite:///")) if "://" in url else url).absolute()
    options = {
        "timeout": wait,
        # every commit is on the disk before it is told of (journal mode WAL is set when a register is made); what is removed is overwritten
        "init_command": "PRAGMA synchronous = FULL; PRAGMA fullfsync = 1; PRAGMA secure_delete = 1",
    }
    name = f"{path.as_uri()}?mode={'rwc' if make else 'rw'}"  # rw: no file is made by looking for one
    return (
        "sqlite",
        str(path),
        {"ENGINE": "django.db.backends.sqlite3", "NAME": name, "CONN_MAX_AGE": None, "OPTIONS": options},
    )


def _postgresql(url: str, wait: float) -> tuple[str, str, dict[str, Any]]:
    parts = urlsplit(url)
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    options["options"] = f"-c lock_timeout={int(wait * 1000)} {options.get('options', '')}".strip()
    options.setdefault("connect_timeout", 10)
    options.setdefault("application_name", "poundlock")
    name = unquote(parts.path.lstrip("/"))
    if not name:
        raise ValueError(
            "found a PostgreSQL address without a database; expected postgresql://USER@HOST/DATABASE. Cure: add it."
        )
    settings = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or options.pop("host", "")),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": None,
        "OPTIONS": options,
    }
    return "postgresql", f"postgresql://{settings['HOST']}/{name}", settings


def told(shown: str, error: BaseException, written: str) -> Unavailable | None:
    """What is wrong with the storage and what became of what was asked, or None where the fault is not the storage's."""
    said = " ".join(str(error).split())
    for signs, found, cure in _FAULTS:
        if any(sign in said.lower() for sign in signs):
            return Unavailable(f"{shown}: found {found} ({said:.200}). {written} Cure: {cure}.")
    return None
