"""A filed file, read safely: a copy of bounded size goes to a process of its own, and only its answer is believed, within bounds."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from poundlock.problems import Problem, ProblemsFound
from poundlock.returns.filed import Filed, Row, with_cautions
from poundlock.returns.limits import LIMITS, Limits
from poundlock.returns.schemas import KINDS, SCHEMAS
from poundlock.returns.values import days_of, plain

_PIECE = 1 << 20
_VERDICT_BYTES = 8 << 20
_QUIET = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LC_ALL": "C.UTF-8",
}
"""Libraries of the child keep to one thread and take memory only as they need it."""


def read_return(
    path: Path, kind: str, institution: str, period: str, *, limits: Limits = LIMITS, shown: str | None = None
) -> Filed:
    """Read one filed file. Mistakes in it are `errors`; ValueError is for a kind or period that cannot be.

    shown: the file's name in messages, by default its own without its folder. The file itself is never trusted: see
    docs/decisions/0012.
    """
    if kind not in SCHEMAS:
        raise ValueError(f"{kind!r} is no kind of return; there are {', '.join(KINDS)}")
    days_of(period)
    name = shown or path.name
    filed = Filed(kind, institution, period, digest="", bytes=0, rows=0)
    with tempfile.TemporaryFile() as copy, tempfile.TemporaryFile() as rows, tempfile.TemporaryFile() as answer:
        try:
            digest, size = _copied(path, name, copy, limits)
            filed = replace(filed, digest=digest, bytes=size)
            request = {
                "kind": kind,
                "institution": institution,
                "period": period,
                "file": name,
                "size": size,
                "rows": rows.fileno(),
                "limits": asdict(limits),
            }
            verdict = _asked(request, copy, rows, answer, limits)
            return with_cautions(_believed(filed, verdict, name, rows, limits))
        except ProblemsFound as found:
            return replace(filed, errors=found.problems)


def _copied(path: Path, name: str, copy: IO[bytes], limits: Limits) -> tuple[str, int]:
    """Digest and size of the file as it was copied: what is read is what was digested, whatever happens to the file."""
    digest, size = hashlib.sha256(), 0
    with _opened(path, name) as file:
        before = os.fstat(file)
        if before.st_size > limits.file_bytes:
            raise _refused(
                name,
                f"{before.st_size:,} bytes",
                f"at most {limits.file_bytes:,} bytes",
                "split the return, or send it as Parquet",
            )
        while size <= before.st_size and (piece := os.read(file, _PIECE)):
            digest.update(piece)
            copy.write(piece)
            size += len(piece)
        after = os.fstat(file)
    if size != before.st_size or (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise _refused(
            name, "a file that changed while it was read", "a file at rest", "wait until it is written, then file it"
        )
    copy.flush()
    copy.seek(0)
    return digest.hexdigest(), size


@contextmanager
def _opened(path: Path, name: str) -> Iterator[int]:
    """A descriptor of a regular file; links, pipes, devices and folders are refused before and after it is opened."""
    try:
        kind = os.lstat(path).st_mode
        if not stat.S_ISREG(kind):
            raise _refused(name, _kind_in_words(kind), "a regular file", "file the table itself")
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise _refused(
            name, f"a file that cannot be opened ({said})", "a file that may be read", "check its name and permissions"
        ) from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise _refused(name, "a file that was exchanged for another", "a regular file", "file the table itself")
        yield file
    finally:
        os.close(file)


def _kind_in_words(mode: int) -> str:
    tests = (
        (stat.S_ISLNK, "a symbolic link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((words for test, words in tests if test(mode)), "a device")


def _refused(name: str, found: str, expected: str, cure: str) -> ProblemsFound:
    return ProblemsFound([Problem(name, None, found, expected, cure)])


def _asked(
    request: dict[str, Any], copy: IO[bytes], rows: IO[bytes], answer: IO[bytes], limits: Limits
) -> dict[str, Any]:
    """The child's verdict. Raises ProblemsFound when it ended without one."""
    name = str(request["file"])
    kept = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
    command = [sys.executable, "-I", "-m", "poundlock.returns.child", json.dumps(request)]
    child = subprocess.Popen(  # noqa: S603 - our own module, no shell; nothing of the file is among its arguments
        command,
        stdin=copy,
        stdout=answer,
        stderr=subprocess.DEVNULL,
        pass_fds=(rows.fileno(),),
        env={**kept, **_QUIET},
        cwd="/",
        start_new_session=True,
    )
    try:
        status = child.wait(limits.wall_seconds)
    except subprocess.TimeoutExpired:
        said = f"a file whose reading took more than {limits.wall_seconds} seconds"
        raise _refused(name, said, "a return within the limits", "split the return") from None
    finally:
        _ended(child)
    answer.seek(0)
    text = answer.read(_VERDICT_BYTES)
    if status == 0 and text:
        with suppress(ValueError):
            verdict: dict[str, Any] = json.loads(text)
            return verdict
    said = f"a file that ended its reader ({_signal(status)})"
    if status in (-signal.SIGXCPU, -signal.SIGKILL):
        said = f"a file whose reading took more than {limits.cpu_seconds} seconds of the processor, or too much memory"
    raise _refused(name, said, "a return within the limits", "make it anew from the template, or split it")


def _ended(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the child's session is left, whatever interrupted us."""
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _signal(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _believed(filed: Filed, verdict: dict[str, Any], name: str, rows: IO[bytes], limits: Limits) -> Filed:
    """The return with the child's answer in it. A hostile file may have taken the child: an answer of another shape is refused."""
    try:
        errors = tuple(
            Problem(name, line, found, expected, cure) for line, found, expected, cure in verdict["problems"]
        )
        filed = replace(filed, form=str(verdict["form"]), rows=int(verdict["rows"]), errors=errors)
        if errors:
            return filed
        totals = {str(key): plain(Decimal(value)) for key, value in verdict["totals"].items()}
        table = tuple(_rows(rows, SCHEMAS[filed.kind].names, limits))
        if len(table) != filed.rows:
            raise ValueError(f"{filed.rows:,} rows told of, {len(table):,} written")
    except (ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        said = f"a file whose reader gave no sound answer ({error})"
        raise _refused(name, said[:200], "a return", "make it anew from the template") from None
    return replace(filed, table=table, totals=totals)


def _rows(rows: IO[bytes], names: tuple[str, ...], limits: Limits) -> Iterator[Row]:
    """Rows as the child wrote them; codes that come again and again are held once."""
    rows.seek(0)
    held: dict[str, str] = {}
    while line := rows.readline(limits.columns * limits.cell_characters):
        cells = json.loads(line)
        if len(cells) != len(names) or not all(cell is None or type(cell) in (str, int) for cell in cells):
            raise ValueError("a row of another shape")
        yield {
            name: held.setdefault(cell, cell) if type(cell) is str and len(cell) <= 40 and len(held) < _PIECE else cell
            for name, cell in zip(names, cells, strict=True)
        }
