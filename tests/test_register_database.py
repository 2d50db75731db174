"""Where a register is kept: addresses, foreign files, other versions, disks and servers that fail."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from poundlock.register.store import Act, Register, Unavailable, upgrade
from registers import DAY, founded, on, place, reopened, url_of


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with place(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def register(url: str) -> Iterator[Register]:
    register = founded(url)
    yield register
    register.close()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Register]:
    register = founded(url_of(tmp_path), wait=0.05)
    yield register
    register.close()


def erasure(number: int) -> Act:
    return Act("ada", "administrator", "erased", f"entry:{number}", {"why": "asked by the person"})


def test_a_path_is_an_address_too(tmp_path: Path):
    founded(str(tmp_path / "plain %20? name.db")).close()
    assert (tmp_path / "plain %20? name.db").is_file()
    register = reopened(str(tmp_path / "plain %20? name.db"))
    assert register.head().number == 1
    register.close()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://x/y", "expected sqlite:///FILE or postgresql"),
        ("postgresql://user@host", "without a database"),
        ("sqlite:////nowhere/at/all.db", "found no file"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(url: str, said: str):
    with pytest.raises(ValueError, match=said):
        reopened(url)


def test_a_server_that_does_not_answer_is_told():
    pytest.importorskip("psycopg")
    with pytest.raises(Unavailable, match=r"no answer from the server.*see that it runs") as caught:
        reopened("postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)


def test_a_file_of_another_kind_is_told_and_left_as_it_is(tmp_path: Path):
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    text = tmp_path / "text.db"
    text.write_text("no database at all " * 100)
    before = foreign.read_bytes(), text.read_bytes()
    with pytest.raises(ValueError, match="found no register"):
        reopened(str(foreign))
    with pytest.raises(ValueError, match="tables of another program"):
        founded(str(foreign))
    for tried in (reopened, founded):
        with pytest.raises(Unavailable, match="no SQLite database in the file"):
            tried(str(text))
    assert (foreign.read_bytes(), text.read_bytes()) == before


def test_a_newer_and_an_older_schema_are_told(url: str, register: Register):
    with register._database.writing() as transaction:
        transaction.cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('poundlock_register', '0999_later', '2030-01-01')"
        )
    with pytest.raises(ValueError, match="of a newer version \\(0999_later\\)"):
        reopened(url)
    with register._database.writing() as transaction:
        transaction.cursor.execute("DELETE FROM django_migrations WHERE app = 'poundlock_register'")
    with pytest.raises(ValueError, match="of an older version"):
        reopened(url)


def test_an_upgrade_of_the_present_version_changes_nothing(url: str, register: Register):
    register.append(on("return", 1), at=DAY)
    upgrade(url)
    assert register.check().flaw is None


def test_a_register_that_was_never_founded_is_told_and_can_be_founded(tmp_path: Path):
    def cut(point: str) -> None:
        if point == "entry written":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        founded(url_of(tmp_path), at_point=cut)
    with pytest.raises(ValueError, match="never founded"):
        reopened(url_of(tmp_path))
    register = founded(url_of(tmp_path))
    assert register.check().flaw is None
    register.close()


def test_a_full_disk_is_told_and_nothing_is_lost(small: Register):
    pages = small._database.all("PRAGMA page_count")[0][0]
    small._database.all(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match=r"no space left.*Nothing was written\. Cure: make room"):
        small.append(on("return", 1), at=DAY, files=[os.urandom(100_000)])
    assert small.head().number == 1
    small._database.all("PRAGMA max_page_count = 1000000")
    small.append(on("return", 1), at=DAY)
    assert small.check().flaw is None


def test_a_file_that_another_program_holds_is_told(small: Register, tmp_path: Path):
    other = sqlite3.connect(tmp_path / "register.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match=r"another writer holds the register.*Nothing was written"):
        small.append(on("return", 1), at=DAY)
    assert small.preview(on("return", 1), at=DAY)  # reading goes on
    other.execute("ROLLBACK")
    other.close()
    assert small.append(on("return", 1), at=DAY).number == 2


def test_a_server_whose_head_another_writer_holds_is_told(tmp_path: Path):
    with place("postgresql", tmp_path) as url:
        register, other = founded(url, wait=0.1), reopened(url)
        with other._database.writing(("SELECT * FROM poundlock_head FOR UPDATE", ())):
            with pytest.raises(Unavailable, match=r"another writer holds the register.*Nothing was written"):
                register.append(on("return", 1), at=DAY)
            assert register.preview(on("return", 1), at=DAY)  # reading goes on
        assert register.append(on("return", 1), at=DAY).number == 2
        register.close()
        other.close()


def test_a_server_that_may_only_be_read_is_told(tmp_path: Path):
    with place("postgresql", tmp_path) as url:
        founded(url).close()
        register = reopened(f"{url}%20-cdefault_transaction_read_only%3Don")
        assert register.check().flaw is None
        with pytest.raises(Unavailable, match=r"it may only be read.*Nothing was written"):
            register.append(on("return", 1), at=DAY)
        register.close()


def test_a_server_that_ends_at_the_commit_leaves_it_open_whether_it_was_written(tmp_path: Path):
    with place("postgresql", tmp_path) as url:
        other = founded(url)

        def end(point: str) -> None:
            if point == "before commit":
                pid = register._database.all("SELECT pg_backend_pid()")[0][0]
                other._database.all("SELECT pg_terminate_backend(%s)", (pid,))

        register = reopened(url, at_point=end)
        with pytest.raises(Unavailable, match=r"Whether it was written is not known: look at the head"):
            register.append(on("return", 1), at=DAY)
        assert register.head().number == 1
        register.close()
        other.close()


def test_a_register_opens_where_an_event_loop_runs(small: Register):
    """As in the cells of a notebook."""

    async def cell() -> int:
        return small.append(on("return", 1), at=DAY).number

    assert asyncio.run(cell()) == 2


def test_a_site_without_the_register_is_told(tmp_path: Path):
    code = (
        "from django.conf import settings; settings.configure(INSTALLED_APPS=[])\n"
        "from poundlock.register.database import Database\n"
        "Database('x.db')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "expected 'poundlock.register' in its INSTALLED_APPS" in done.stderr


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside threads of other tests
def test_a_file_that_may_only_be_read_is_told(small: Register, tmp_path: Path):
    small.close()
    file = tmp_path / "register.db"
    file.chmod(0o444)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # the superuser may write any file, so that a child gives up the right
        said = "nothing"
        try:
            if os.geteuid() == 0:
                for folder in tmp_path.parents:
                    folder.chmod(folder.stat().st_mode | 0o011)
                tmp_path.chmod(0o777)
                os.setuid(65534)
            reader = reopened(url_of(tmp_path))
            assert reader.head().number == 1
            reader.append(on("return", 1), at=DAY)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.waitpid(child, 0)
    said = os.read(read, 10_000).decode()
    os.close(read)
    os.close(write)
    assert said.startswith("Unavailable"), said
    assert "it may only be read" in said
    assert "Nothing was written" in said
