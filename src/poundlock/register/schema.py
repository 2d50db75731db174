"""The tables of a register: made by Django's migrations, and looked at when one is opened."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from typing import Any, Final

from django.db.migrations.executor import MigrationExecutor

from poundlock.register import migrations
from poundlock.register.database import Database

LABEL: Final = "poundlock_register"


def make(database: Database) -> None:
    """Make the tables. Raises ValueError where a register is there, or a file that is another program's."""
    tables = _tables(database)
    if "poundlock_name" in tables:
        nobody(database, database.all("SELECT name FROM poundlock_name"))
    elif database.vendor == "sqlite" and tables and "django_migrations" not in tables:
        raise ValueError(
            f"found {database.shown} with the tables of another program; expected a new file. Cure: choose another path."
        )
    if database.vendor == "sqlite":
        database.all("PRAGMA journal_mode = WAL")
    migrate(database)


def migrate(database: Database) -> None:
    """Bring the tables up to this version."""
    with database.telling("The register was not made."):
        executor = MigrationExecutor(database.connection())
        executor.migrate([key for key in executor.loader.graph.leaf_nodes() if key[0] == LABEL])


def nobody(database: Database, names: Sequence[Any]) -> None:
    """Raises ValueError where a register is there. names: rows of poundlock_name."""
    if names:
        raise ValueError(
            f"found register {names[0][0]} at {database.shown}; expected none. Cure: open it, or choose another place."
        )


def looked_at(database: Database) -> None:
    """Raise ValueError where no register is at all, of whatever version."""
    if "poundlock_name" not in _tables(database):
        raise ValueError(
            f"found no register at {database.shown}; expected one. Cure: correct the address, or make one with `poundlock register init`."
        )


def found(database: Database) -> tuple[str, str]:
    """Name and public key of the register that is there. Raises ValueError where there is none that this version can use."""
    looked_at(database)
    applied = {row[0] for row in database.all("SELECT name FROM django_migrations WHERE app = %s", (LABEL,))}
    known = {module.name for module in pkgutil.iter_modules(migrations.__path__)}
    if applied - known:
        raise ValueError(
            f"found a register at {database.shown} of a newer version ({max(applied - known)});"
            f" expected one up to {max(known)}. Cure: install that version of Poundlock."
        )
    if known - applied:
        raise ValueError(
            f"found a register at {database.shown} of an older version; expected {max(known)}. Cure: copy it, then upgrade it."
        )
    row = database.all("SELECT name, public FROM poundlock_name")
    if not row:
        raise ValueError(
            f"found a register at {database.shown} that was never founded; expected entry 1. Cure: make it again."
        )
    return row[0][0], row[0][1]


def _tables(database: Database) -> list[str]:
    if database.vendor == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        query = "SELECT relname FROM pg_class WHERE relkind = 'r' AND pg_table_is_visible(oid)"
    return [row[0] for row in database.all(query)]
