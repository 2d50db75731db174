"""Bytes of an input file, bounded and digested; refuses what no reader could make sense of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from poundlock.problems import Problem

LONGEST_LINE_BYTES = 1 << 20
LARGEST_TABLE_BYTES = 8 << 30
_CHUNK_BYTES = 1 << 18
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class InputFile:
    """An input as it was read. name: path that was opened; digest: SHA-256 of the bytes on disk, hexadecimal."""

    name: str
    digest: str
    content: bytes = field(repr=False, default=b"")


def combined_digest(files: Iterable[InputFile]) -> str:
    """SHA-256 over the sorted (name, digest) pairs: one digest for a set of inputs."""
    lines = sorted({f"{f.digest}  {f.name}\n" for f in files})
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read_file(
    path: Path, problems: list[Problem], *, declared_at: tuple[str, int | None] | None = None
) -> InputFile | None:
    """Read a UTF-8 text file whole, or add Problems and return None.

    Memory stays bounded by the file itself: reading stops at the first line above 1 MiB. A leading byte-order mark is
    dropped from `content` and kept in `digest`. `declared_at` is the (file, line) that named this path, for the message.
    """
    shown = str(path)
    try:
        regular, there = path.is_file(), path.exists()
    except (OSError, ValueError):  # a name too long, a folder that may not be entered, a zero byte in the name
        regular = there = False
    if not regular:
        file, line = declared_at or (shown, None)
        found = f"'{shown[:200]}' is not a regular file" if there else f"no file '{shown[:200]}' that may be read"
        problems.append(
            Problem(
                file, line, found, "a readable file", "correct the path (it is relative to the plan) or add the file"
            )
        )
        return None
    if path.stat().st_size > LARGEST_TABLE_BYTES:
        problems.append(
            Problem(
                shown,
                None,
                f"{path.stat().st_size:,} bytes",
                f"at most {LARGEST_TABLE_BYTES:,} bytes",
                "split the file",
            )
        )
        return None
    raw = _read_bounded(path, shown, problems)
    if raw is None:
        return None
    if not raw.removeprefix(_UTF8_MARK).strip():
        problems.append(
            Problem(
                shown, None, "an empty file", "at least one line of content", "fill the file or remove it from the plan"
            )
        )
        return None
    if problem := _encoding_problem(raw, shown):
        problems.append(problem)
        return None
    return InputFile(shown, hashlib.sha256(raw).hexdigest(), raw.removeprefix(_UTF8_MARK))


def _read_bounded(path: Path, shown: str, problems: list[Problem]) -> bytes | None:
    chunks: list[bytes] = []
    line, length = 1, 0
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                chunks.append(chunk)
                first = chunk.find(b"\n")
                # a chunk is shorter than the bound, so only a line that began in an earlier chunk can break it
                length = length + (len(chunk) if first < 0 else first)
                if length > LONGEST_LINE_BYTES:
                    problems.append(
                        Problem(
                            shown,
                            line,
                            f"a line longer than {LONGEST_LINE_BYTES:,} bytes",
                            "lines of ordinary length",
                            "check that the file is a table or a plan in plain text",
                        )
                    )
                    return None
                if first >= 0:
                    line += chunk.count(b"\n")
                    length = len(chunk) - chunk.rfind(b"\n") - 1
    except OSError as error:
        problems.append(
            Problem(
                shown,
                None,
                f"a file that cannot be read ({error.strerror})",
                "a readable file",
                "check its permissions",
            )
        )
        return None
    return b"".join(chunks)


def _encoding_problem(raw: bytes, shown: str) -> Problem | None:
    zero = raw.find(b"\0")
    if zero >= 0:
        line = raw.count(b"\n", 0, zero) + 1
        return Problem(
            shown, line, "a zero byte", "plain UTF-8 text", "save the file as UTF-8 text (not UTF-16, not a workbook)"
        )
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Problem(
            shown,
            line,
            f"byte 0x{raw[error.start]:02x}, which is not UTF-8",
            "UTF-8 text",
            "save the file as UTF-8 (a common cause is GB18030 or Windows-1252)",
        )
    return None
