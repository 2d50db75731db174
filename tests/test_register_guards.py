"""What is kept for ever cannot be changed through the database, and what was changed behind its back is found and named."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from poundlock.register.guards import KEPT
from poundlock.register.store import Act, Checked, Register, Unavailable
from poundlock.rollout.chain import sealed, text_digest
from poundlock.rollout.merkle import Frontier
from poundlock.rollout.signing import Checkpoint, new_key, signed_checkpoint
from registers import DAY, NAME, Turnstile, filled, founded, key, on, place, postgresql, reopened, url_of

COLUMNS = {
    "poundlock_entry": ("number", "at", "actor", "role", "act", "object", "revision", "payload", "previous", "digest"),
    "poundlock_payload": ("number", "salt", "text"),
    "poundlock_checkpoint": ("size", "root", "note"),
    "poundlock_state": ("object", "revision", "text"),
}
KEY = {"poundlock_name": "id", "poundlock_file": "digest", "poundlock_checkpoint": "size"}
CHANGES = [
    *(
        f"UPDATE {table} SET {column} = {column}"
        for table, columns in COLUMNS.items()
        for column in columns
        if table in KEPT
    ),
    "UPDATE poundlock_file SET content = ''",
    "UPDATE poundlock_file SET digest = 'x' || digest",
    "UPDATE poundlock_name SET public = 'x'",
    *(f"DELETE FROM {table}" for table in (*KEPT, "poundlock_head")),
    "DELETE FROM poundlock_payload WHERE number = 3",
    *(
        f"INSERT INTO {table} SELECT * FROM {table} WHERE true ON CONFLICT ({KEY.get(table, 'number')}) DO UPDATE SET {KEY.get(table, 'number')} = 1"
        for table in KEPT
        if table != "poundlock_file"
    ),
]
ON_SQLITE = [
    *(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" for table in KEPT),
    "REPLACE INTO poundlock_payload VALUES (2, '00', '{}')",
    "INSERT OR REPLACE INTO poundlock_file (rowid, digest, content) VALUES (1, 'other', 'x')",
    "UPDATE OR REPLACE poundlock_entry SET number = 3 WHERE number = 2",
]
ON_POSTGRESQL = [f"TRUNCATE {table}" for table in (*KEPT, "poundlock_head")]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with 25 entries, closed, nothing left in the log beside it."""
    folder = tmp_path_factory.mktemp("full")
    register = founded(url_of(folder))
    filled(register)
    register._database.sweep()
    register.close()
    return folder / "register.db"


@pytest.fixture
def copy(full: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(full, tmp_path / "register.db"))


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Register]]:
    with postgresql() as url:
        register = founded(url)
        filled(register)
        yield url, register
        register.close()


@pytest.mark.parametrize("change", CHANGES + ON_SQLITE)
def test_sqlite_refuses_every_change(copy: Path, change: str):
    with closing(sqlite3.connect(copy)) as raw, pytest.raises(sqlite3.IntegrityError, match="kept for ever"):
        raw.execute(change)
    assert flaw(copy) is None


@pytest.mark.parametrize("change", CHANGES + ON_POSTGRESQL)
def test_postgresql_refuses_every_change(server: tuple[str, Register], change: str):
    import psycopg

    with psycopg.connect(server[0], autocommit=True) as raw:
        raw.execute("SET session_replication_role = replica")  # as a superuser may; the guards fire all the same
        with pytest.raises(psycopg.errors.RaiseException, match="kept for ever"):
            raw.execute(change)
    assert server[1].check().flaw is None


def test_a_role_of_limited_rights_appends_and_can_do_no_more(server: tuple[str, Register]):
    import psycopg

    url, owner = server
    role = "poundlock_test_clerk"
    with psycopg.connect(url, autocommit=True) as admin:
        owner.grant(role)
        owner.grant(role)  # once more changes nothing
        admin.execute(f"ALTER ROLE {role} PASSWORD 'clerk'")
        address = url.replace(urlsplit(url).netloc.rpartition("@")[0] + "@", f"{role}:clerk@")
        clerk = reopened(address)
        assert clerk.append(on("return", "clerk"), at=DAY, files=[b"by the clerk"]).actor == "ana"
        clerk.append(on("promote", "clerk"), at=DAY)  # with a checkpoint
        assert clerk.check().flaw is None
        tried = [
            *CHANGES,
            *ON_POSTGRESQL,
            "DELETE FROM poundlock_state",
            "INSERT INTO poundlock_head VALUES (2, 0, '', '', '')",
            "INSERT INTO poundlock_name VALUES (2, '', '')",
            "ALTER TABLE poundlock_entry DISABLE TRIGGER ALL",
            "DROP TRIGGER poundlock_entry_update ON poundlock_entry",
            "SET session_replication_role = replica",
            "CREATE OR REPLACE FUNCTION poundlock_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
            "DROP TABLE poundlock_payload",
        ]
        with psycopg.connect(address, autocommit=True) as raw:
            for change in tried:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    raw.execute(change)
        number = clerk.head().number
        with pytest.raises(Unavailable, match=r"may not do this.*Nothing was written"):
            clerk.erase(number, Act("ada", "administrator", "erased", f"entry:{number}", {}), at=DAY)
        clerk.close()
        admin.execute(f"DROP OWNED BY {role}")
        admin.execute(f"DROP ROLE {role}")


def test_whoever_owns_the_tables_cannot_be_limited(server: tuple[str, Register]):
    with pytest.raises(ValueError, match="rights of the owner"):
        server[1].grant(urlsplit(server[0]).username or "")


def test_a_role_is_nothing_that_sqlite_knows(copy: Path):
    register = reopened(str(copy))
    with pytest.raises(ValueError, match="expected PostgreSQL"):
        register.grant("clerk")
    register.close()


def test_a_payload_can_be_deleted_only_after_its_erasure_was_entered(copy: Path):
    register = reopened(str(copy))
    register.erase(3, Act("ada", "administrator", "erased", "entry:3", {}), at=DAY)
    register.close()
    with closing(sqlite3.connect(copy)) as raw:
        with pytest.raises(sqlite3.IntegrityError, match="kept for ever"):
            raw.execute("DELETE FROM poundlock_payload WHERE number = 4")
        raw.execute("INSERT INTO poundlock_payload VALUES (3, '00', '{}')")
        raw.commit()
    assert str(flaw(copy)).startswith("entry 3: found a payload or salt that was changed")


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_guards_that_were_taken_down_are_named(vendor: str, tmp_path: Path):
    with place(vendor, tmp_path) as url:
        register = founded(url)
        assert register.check().unguarded == ()
        on_table = "" if vendor == "sqlite" else " ON poundlock_entry"
        with register._database.writing() as transaction:
            transaction.cursor.execute(f"DROP TRIGGER poundlock_entry_update{on_table}")
        assert register.check().unguarded == ("poundlock_entry_update",)
        if vendor == "sqlite":
            hollow = "CREATE TRIGGER poundlock_entry_update BEFORE UPDATE ON poundlock_entry BEGIN SELECT 1; END"
        else:
            hollow = "ALTER TABLE poundlock_payload DISABLE TRIGGER poundlock_payload_delete"
        with register._database.writing() as transaction:
            transaction.cursor.execute(hollow)
        assert "poundlock_entry_update" in register.check().unguarded
        assert ("poundlock_payload_delete" in register.check().unguarded) == (vendor == "postgresql")
        register.close()


def checked(file: Path, **given: object) -> Checked:
    register = Register.open(str(file), Turnstile())
    try:
        return register.check(**given)
    finally:
        register.close()


def flaw(file: Path) -> object:
    return checked(file).flaw


@pytest.fixture
def bare(copy: Path) -> Iterator[sqlite3.Connection]:
    """The file without its guards."""
    with closing(unguarded(copy)) as raw:
        yield raw


def unguarded(file: Path) -> sqlite3.Connection:
    raw = sqlite3.connect(file, isolation_level=None)
    for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.execute(f"DROP TRIGGER {name}")
    return raw


def test_every_changed_byte_is_found_and_named(full: Path, tmp_path: Path):
    """1,000 single bits of a random cell: of an entry, its payload, a checkpoint, a state."""
    random_ = random.Random(7)
    bare = tmp_path / "bare.db"
    shutil.copy(full, bare)
    with closing(unguarded(bare)) as raw:
        rows = {
            table: [k for (k,) in raw.execute(f"SELECT {columns[0]} FROM {table}")]
            for table, columns in COLUMNS.items()
        }
        raw.execute("PRAGMA journal_mode = DELETE")  # one file to copy
    work = tmp_path / "work.db"
    done = 0
    while done < 1000:
        table = random_.choice(list(COLUMNS))
        row, column = random_.choice(rows[table]), random_.choice(COLUMNS[table])
        shutil.copy(bare, work)
        if not flipped(work, table, row, column, random_):
            continue
        done += 1
        found = flaw(work)
        assert found is not None, (table, row, column)
        assert names(found.place, table, row, column), (str(found), table, row, column)


def flipped(file: Path, table: str, row: object, column: str, random_: random.Random) -> bool:
    """Change one bit; False where the table cannot hold the new value."""
    first = COLUMNS[table][0]
    with closing(sqlite3.connect(file)) as raw:
        raw.execute("PRAGMA synchronous = OFF")
        old = raw.execute(
            f"SELECT CAST({column} AS BLOB), typeof({column}) FROM {table} WHERE {first} = ?", (row,)
        ).fetchone()
        cell = bytearray(old[0])
        if old[1] == "integer":
            new: object = int(cell) ^ (1 << random_.randrange(16))
        else:
            cell[random_.randrange(len(cell))] ^= 1 << random_.randrange(8)
            new = bytes(cell)
        cast = "?" if old[1] == "integer" else "CAST(? AS TEXT)"
        try:
            raw.execute(f"UPDATE {table} SET {column} = {cast} WHERE {first} = ?", (new, row))
        except sqlite3.IntegrityError:  # another row has this key
            return False
        raw.commit()
    return True


def names(place: str, table: str, row: object, column: str) -> bool:
    if table == "poundlock_state":
        return place.startswith("state ") and (column == "object" or place == f"state {row}")
    if table == "poundlock_checkpoint":
        return place.startswith("checkpoint ") and (column == "size" or place == f"checkpoint {row}")
    return place == f"entry {row}"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("UPDATE poundlock_head SET digest = '0' || substr(digest, 2) || 'x'", "head"),
        ("UPDATE poundlock_head SET frontier = upper(frontier)", "head"),
        ("UPDATE poundlock_head SET at = '2027'", "head"),
        ("UPDATE poundlock_head SET number = 24", "head"),
        ("DELETE FROM poundlock_head", "head"),
        ("DELETE FROM poundlock_entry WHERE number = 9", "entry 9"),
        ("DELETE FROM poundlock_entry WHERE number = 25", "entry 25"),
        ("DELETE FROM poundlock_payload WHERE number = 9", "entry 9"),
        ("DELETE FROM poundlock_payload WHERE number = 1", "entry 1: found no payload"),
        ("DELETE FROM poundlock_checkpoint WHERE size = 9", "checkpoint 9"),
        ("DELETE FROM poundlock_state WHERE object = 'run:2'", "state run:2"),
        ("INSERT INTO poundlock_state VALUES ('run:99', 1, '{}')", "state run:99"),
        ("INSERT INTO poundlock_payload VALUES (99, '00', '{}')", "payload 99"),
        ("INSERT INTO poundlock_entry SELECT 0, at, actor, role, act, object, 1, payload, previous, digest FROM poundlock_entry WHERE number = 1", "entry 0"),
        ("UPDATE poundlock_file SET content = content || 'x' WHERE rowid = 1", "file "),
        ("UPDATE poundlock_payload SET salt = upper(salt) WHERE number = 9", "entry 9"),
        ("UPDATE poundlock_entry SET revision = x'00' WHERE number = 9", "entry 9"),
        ("UPDATE poundlock_entry SET actor = CAST(x'ff' AS TEXT) WHERE number = 9", "entry 9"),
        ("UPDATE poundlock_name SET name = 'gate'", "checkpoint 1"),
    ],
)  # fmt: skip
def test_what_was_changed_behind_its_back_is_named(copy: Path, bare: sqlite3.Connection, change: str, place: str):
    assert bare.execute(change).rowcount == 1
    assert str(flaw(copy)).startswith(place), str(flaw(copy))


def rewritten(raw: sqlite3.Connection, actor: str) -> None:
    """Every entry from the third on anew, by another actor, with digests, head and frontier that hold."""
    rows = raw.execute("SELECT * FROM poundlock_entry ORDER BY number").fetchall()
    previous, frontier = "0" * 64, Frontier(0, ())
    for number, at, who, role, act, object_, revision, payload, _, _ in rows:
        entry = sealed(number, at, actor if number == 3 else who, role, act, object_, revision, payload, previous)
        raw.execute(
            "UPDATE poundlock_entry SET actor = ?, previous = ?, digest = ? WHERE number = ?",
            (entry.actor, previous, entry.digest, number),
        )
        previous, frontier = entry.digest, frontier.appended(bytes.fromhex(entry.digest))
    raw.execute("UPDATE poundlock_head SET digest = ?, frontier = ?", (previous, frontier.text()))


def test_a_chain_that_was_rewritten_whole_is_betrayed_by_its_checkpoints(copy: Path, bare: sqlite3.Connection):
    rewritten(bare, "aki")
    assert str(flaw(copy)).startswith("checkpoint 5: found entries of another root")
    for (size,) in bare.execute("SELECT size FROM poundlock_checkpoint WHERE size > 1").fetchall():
        note = signed_checkpoint(Checkpoint(NAME, size, "0" * 64), NAME, new_key())
        bare.execute("UPDATE poundlock_checkpoint SET note = ? WHERE size = ?", (note, size))
    assert str(flaw(copy)).startswith("checkpoint 5: found a note that does not hold")


def test_who_has_the_key_is_betrayed_by_a_note_kept_elsewhere(full: Path, copy: Path, bare: sqlite3.Connection):
    register = reopened(str(full))
    held = register.checkpoints()[-1:]
    register.close()
    assert checked(copy, held=held).flaw is None
    rewritten(bare, "aki")
    bare.execute("DELETE FROM poundlock_checkpoint WHERE size > 1")
    bare.execute("DROP TABLE poundlock_checkpoint")
    bare.execute("CREATE TABLE poundlock_checkpoint (size integer PRIMARY KEY, root text, note text)")
    frontier, leaves = Frontier(0, ()), {}
    for number, digest in bare.execute("SELECT number, digest FROM poundlock_entry ORDER BY number"):
        frontier = frontier.appended(bytes.fromhex(digest))
        leaves[number] = frontier.root().hex()
    for size in (1, 5, 9, 13, 17, 21, 25):
        note = signed_checkpoint(Checkpoint(NAME, size, leaves[size]), NAME, key())
        bare.execute("INSERT INTO poundlock_checkpoint VALUES (?, ?, ?)", (size, leaves[size], note))
    assert flaw(copy) is None  # nothing in the file tells
    assert "note of size 25 that was given: found entries of another root" in str(checked(copy, held=held).flaw)
    assert "that was given" in str(checked(copy, held=["nonsense"]).flaw) or "note 1 of those given" in str(
        checked(copy, held=["nonsense"]).flaw
    )


def test_entries_that_were_cut_off_are_missed(copy: Path, bare: sqlite3.Connection):
    """Even where head and states are cut back with them: a checkpoint stands beyond the end."""
    bare.execute("DELETE FROM poundlock_entry WHERE number > 24")
    bare.execute("DELETE FROM poundlock_payload WHERE number > 24")
    number, digest, at = bare.execute("SELECT number, digest, at FROM poundlock_entry ORDER BY number DESC").fetchone()
    frontier = Frontier(0, ())
    for (leaf,) in bare.execute("SELECT digest FROM poundlock_entry ORDER BY number"):
        frontier = frontier.appended(bytes.fromhex(leaf))
    bare.execute(
        "UPDATE poundlock_head SET number = ?, digest = ?, at = ?, frontier = ?", (number, digest, at, frontier.text())
    )
    bare.execute("""UPDATE poundlock_state SET revision = 3, text = '{"returns": 3}' WHERE object = 'run:5'""")
    assert str(flaw(copy)) == "checkpoint 25: found entries up to 24; expected 25, for so many were signed"


def test_an_entry_that_told_of_an_erasure_is_named_not_the_erased_one(copy: Path):
    register = reopened(str(copy))
    number = register.erase(3, Act("ada", "administrator", "erased", "entry:3", {}), at=DAY).number
    register.close()
    for column, value in (("act", "erasee"), ("object", "entry:2")):
        broken = copy.with_name(f"{column}.db")
        shutil.copy(copy, broken)
        with closing(unguarded(broken)) as raw:
            raw.execute(f"UPDATE poundlock_entry SET {column} = ? WHERE number = ?", (value, number))
        assert str(flaw(broken)).startswith(f"entry {number}: found digest")


@pytest.mark.parametrize(
    ("act", "run", "revision", "payload", "said"),
    [
        ("hold", "run:1", 5, "{}", "entry 26: found an act against the rules (run:1 was decided: promote"),
        ("return", "run:9", 2, "{}", "entry 26: found revision 2 of run:9; expected 1"),
        ("join", "people", 2, "{}", "entry 26: found an act that no state comes of (KeyError('who'))"),
        ("return", "run:9", 1, "no JSON", "entry 26: found an act that no state comes of"),
        ("return", "run:9", 1, "{}", "state run:9: found none"),
    ],
)
def test_an_entry_that_never_was_is_found_though_its_chain_holds(
    copy: Path, bare: sqlite3.Connection, act: str, run: str, revision: int, payload: str, said: str
):
    (number, previous, at), salt = bare.execute("SELECT number, digest, at FROM poundlock_head").fetchone(), "00" * 16
    entry = sealed(number + 1, at, "ana", "officer", act, run, revision, text_digest(payload, salt), previous)
    row = (entry.number, at, "ana", "officer", act, run, revision, entry.payload, previous, entry.digest)
    bare.execute(f"INSERT INTO poundlock_entry VALUES ({', '.join('?' * 10)})", row)
    bare.execute("INSERT INTO poundlock_payload VALUES (?, ?, ?)", (entry.number, salt, payload))
    assert said in str(flaw(copy)), str(flaw(copy))


def test_no_file_of_a_check_is_left_open(copy: Path):
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").is_dir() else 0
    for _ in range(5):
        checked(copy)
    assert not before or len(os.listdir("/proc/self/fd")) <= before
