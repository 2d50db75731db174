"""Triggers that refuse to change what is kept for ever, and a role on PostgreSQL that may only add to it."""

from __future__ import annotations

from typing import Any, Final

from poundlock.register.acts import ERASED

KEPT: Final = {
    "poundlock_name": "NEW.id = id",
    "poundlock_entry": "NEW.number = number",
    "poundlock_payload": "NEW.number = number",
    "poundlock_file": "NEW.digest = digest OR NEW.rowid = rowid",
    "poundlock_checkpoint": "NEW.size = size",
}
"""Tables whose rows are never changed, and on SQLite what it is for a new row to take the place of an old one."""
_ERASURE: Final = f"EXISTS (SELECT 1 FROM poundlock_entry WHERE act = '{ERASED}' AND object = 'entry:' || OLD.number)"  # noqa: S608


def triggers(vendor: str) -> dict[str, str]:
    """Name of each trigger and the statement that makes it."""
    return _on_sqlite() if vendor == "sqlite" else _on_postgresql()


def _said(table: str) -> str:
    return f"{table} is kept for ever: rows are added, never changed"


def _on_sqlite() -> dict[str, str]:
    made = {}
    for table, same in KEPT.items():
        refuse = f"BEGIN SELECT RAISE(ABORT, '{_said(table)}'); END"
        # REPLACE deletes without firing a delete trigger, but it does fire the one before the insert
        made[f"{table}_insert"] = f"BEFORE INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE {same}) {refuse}"  # noqa: S608
        made[f"{table}_update"] = f"BEFORE UPDATE ON {table} {refuse}"
        when = f"WHEN NOT {_ERASURE} " if table == "poundlock_payload" else ""
        made[f"{table}_delete"] = f"BEFORE DELETE ON {table} {when}{refuse}"
    made["poundlock_head_delete"] = (
        f"BEFORE DELETE ON poundlock_head BEGIN SELECT RAISE(ABORT, '{_said('poundlock_head')}'); END"
    )
    return {name: f"CREATE TRIGGER {name} {body}" for name, body in made.items()}


def _on_postgresql() -> dict[str, str]:
    made = {}
    for table in (*KEPT, "poundlock_head"):
        changes = ["delete"] if table == "poundlock_head" else ["update", "delete"]
        for change in changes:
            function = "poundlock_erase" if (table, change) == ("poundlock_payload", "delete") else "poundlock_refuse"
            made[f"{table}_{change}"] = f"BEFORE {change.upper()} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()"
        made[f"{table}_truncate"] = f"BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION poundlock_refuse()"
    return {name: f"CREATE TRIGGER {name} {body}" for name, body in made.items()}


def statements(vendor: str) -> list[str]:
    """Everything that a migration runs to set the guards."""
    made = triggers(vendor)
    if vendor == "sqlite":
        return list(made.values())
    # ALWAYS: they fire for replicas too, so that the setting session_replication_role opens no door
    always = [f"ALTER TABLE {name.rsplit('_', 1)[0]} ENABLE ALWAYS TRIGGER {name}" for name in made]
    return [_REFUSE, _ERASE, *made.values(), *always]


_REFUSE: Final = """CREATE FUNCTION poundlock_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RAISE EXCEPTION '% is kept for ever: rows are added, never changed', TG_TABLE_NAME;
END $$"""
_ERASE: Final = f"""CREATE FUNCTION poundlock_erase() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  IF NOT {_ERASURE} THEN
    RAISE EXCEPTION '% is kept for ever: rows are added, never changed', TG_TABLE_NAME;
  END IF;
  RETURN OLD;
END $$"""


def missing(cursor: Any, vendor: str) -> tuple[str, ...]:
    """Names of guards that are not there, not armed, or not what they should be."""
    wanted = triggers(vendor)
    if vendor == "sqlite":
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        there = dict(cursor.fetchall())
        return tuple(name for name, statement in wanted.items() if there.get(name) != statement)
    cursor.execute(
        "SELECT t.tgname, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE t.tgenabled = 'A' AND pg_table_is_visible(t.tgrelid) AND starts_with(t.tgname, 'poundlock_')"
    )
    sources = {"poundlock_refuse": _source(_REFUSE), "poundlock_erase": _source(_ERASE)}
    there = dict(cursor.fetchall())
    return tuple(
        name
        for name, statement in wanted.items()
        if there.get(name) != sources[statement.rsplit(" ", 1)[1].removesuffix("()")]
    )


def _source(function: str) -> str:
    return function.split("$$")[1]


def grant(cursor: Any, role: str) -> None:
    """On PostgreSQL: a role that may read everything and add to the register, and no more. It is made where it is not there.

    The role cannot remove a payload: whoever owns the tables does that. Raises ValueError for a role that has the owner's rights.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,))
    if not cursor.fetchone():
        cursor.execute(f"CREATE ROLE {quoted} LOGIN")
    cursor.execute(
        "SELECT r.rolname FROM pg_roles r JOIN pg_class c ON c.oid = 'poundlock_entry'::regclass"
        " WHERE r.rolname = %s AND (r.rolsuper OR pg_has_role(r.oid, c.relowner, 'MEMBER'))",
        (role,),
    )
    if cursor.fetchone():
        raise ValueError(
            f"found role {role}, which has the rights of the owner of the tables; expected a role of its own. Cure: name another."
        )
    cursor.execute("SELECT quote_ident(current_schema())")
    schema = cursor.fetchone()[0]
    added = ", ".join(table for table in KEPT if table != "poundlock_name")
    every = ", ".join([*KEPT, "poundlock_state", "poundlock_head", "django_migrations"])
    for statement in (
        f"REVOKE ALL ON {every} FROM {quoted}",
        f"GRANT USAGE ON SCHEMA {schema} TO {quoted}",
        f"GRANT SELECT ON {every} TO {quoted}",
        f"GRANT INSERT ON {added} TO {quoted}",
        f"GRANT INSERT, UPDATE ON poundlock_state TO {quoted}",
        f"GRANT UPDATE ON poundlock_head TO {quoted}",
    ):
        cursor.execute(statement)
