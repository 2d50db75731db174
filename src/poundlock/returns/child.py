"""The process in which a filed file is opened: bound by the kernel, told what to read by its first argument, gone afterwards.

It reads the file from its standard input, writes canonical rows to a descriptor that it was given and one verdict to its
standard output. Started by `poundlock.returns.intake` only.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
from dataclasses import dataclass
from typing import Any, BinaryIO

from poundlock.problems import ProblemsFound
from poundlock.returns.cells import Mistakes, RawRows, gather, refusal
from poundlock.returns.checks import check_together
from poundlock.returns.filed import Row
from poundlock.returns.forms import Form, form_of
from poundlock.returns.limits import Limits
from poundlock.returns.rows import checked_rows, totals_of
from poundlock.returns.schemas import SCHEMAS, Schema

VERDICT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What to read and as what. file: its name for messages; size: its bytes; rows: descriptor for canonical rows."""

    kind: str
    institution: str
    period: str
    file: str
    size: int
    rows: int
    limits: Limits

    @staticmethod
    def from_text(text: str) -> Request:
        """The request as `intake` wrote it."""
        given: dict[str, Any] = json.loads(text)
        return Request(**{**given, "limits": Limits(**given["limits"])})


def confine(limits: Limits) -> None:
    """Bounds that the kernel keeps, whatever the libraries do; a bound that is tighter already stays."""
    for what, value in (
        (resource.RLIMIT_AS, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.rows_bytes + VERDICT_BYTES),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (bound, bound))


def answered(request: Request, source: BinaryIO, rows: BinaryIO) -> dict[str, Any]:
    """The verdict on one file: its form, its rows, its totals and what is wrong. Rows are written as JSON arrays."""
    schema = SCHEMAS[request.kind]
    verdict: dict[str, Any] = {"form": "", "rows": 0, "totals": {}, "problems": []}
    no_memory = _told(
        _beyond(request, f"more than {request.limits.memory_bytes:,} bytes of memory")
    )  # made while there is
    try:
        form = form_of(source, request.file, request.size, request.limits)
        verdict["form"] = form.name
        table = _checked(request, schema, source, form, verdict)
        verdict["totals"] = totals_of((row for _, row in table), schema)
        _write(table, schema, rows, request)
    except ProblemsFound as told:
        verdict["problems"] = _told(told)
    except MemoryError:
        verdict["problems"] = no_memory
    except Exception as error:  # a library that a hostile file has confused; the process ends here in any case
        found = f"a file that cannot be read ({type(error).__name__})"
        verdict["problems"] = _told(refusal(request.file, None, found, "a return", "make it anew from the template"))
    return verdict


def _checked(
    request: Request, schema: Schema, source: BinaryIO, form: Form, verdict: dict[str, Any]
) -> list[tuple[int, Row]]:
    """Sound rows with their lines, or ProblemsFound with everything that is wrong."""
    mistakes = Mistakes(request.file, request.limits)
    raw: RawRows = form.rows(source, request.kind, request.file, request.size, request.limits)
    most = request.limits.workbook_cells if form.name == "XLSX" else request.limits.cells
    gathered = gather(raw, schema, mistakes, request.limits, request.size, most)
    verdict["rows"] = len(gathered.rows)
    table = list(checked_rows(gathered, schema, (request.institution, request.period), mistakes, request.limits))
    check_together(table, schema, request.institution, request.period, mistakes)
    mistakes.stop_if_any()
    verdict["rows"] = len(table)  # without rows of nothing but spaces
    return table


def _write(table: list[tuple[int, Row]], schema: Schema, rows: BinaryIO, request: Request) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    left = request.limits.rows_bytes
    for _, row in table:
        line = encode([row[name] for name in schema.names]).encode() + b"\n"
        left -= len(line)
        if left < 0:
            raise _beyond(request, f"more than {request.limits.rows_bytes:,} bytes of rows")
        rows.write(line)
    rows.flush()


def _beyond(request: Request, found: str) -> ProblemsFound:
    return refusal(request.file, None, f"a file that takes {found}", "a return within the limits", "split the return")


def _told(told: ProblemsFound) -> list[list[Any]]:
    """Problems without their file, each part of bounded length."""
    return [[p.line, p.found[:500], p.expected[:500], p.cure[:500]] for p in told.problems]


def main() -> None:
    """Read, answer, leave."""
    request = Request.from_text(sys.argv[1])
    confine(request.limits)
    gc.disable()  # rows hold no cycles, and looking for them took half the time
    with open(0, "rb", closefd=False) as source, open(request.rows, "wb") as rows:
        verdict = answered(request, source, rows)
    sys.stdout.buffer.write(json.dumps(verdict).encode())
    sys.stdout.flush()
    os._exit(0)  # nothing that a library left behind may run or wait


if __name__ == "__main__":
    main()
