"""The commands about returns: template, submit, status."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from poundlock.cli.at_register import (
    NEAR,
    AtWork,
    Database,
    Json,
    ProgrammeId,
    now,
    refusing,
    the_programme,
    to_read,
    working,
)
from poundlock.cli.screen import console_of_results, print_json

returns_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="What participating institutions file each period: templates, intake with a receipt, deadlines and contradictions.",
)
Kind = Literal["exposures", "balance-sheet", "outcomes", "payments", "incidents"]


@returns_app.command("template")
@refusing
def template_command(
    kind: Annotated[Kind, typer.Argument(show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="A .csv or .xlsx file; without it CSV is printed.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Write an empty return: CSV, or a workbook with its data dictionary. --json prints the data dictionary."""
    from poundlock.returns.schemas import data_dictionary
    from poundlock.returns.templates import csv_template, xlsx_template

    if json:
        print_json(list(data_dictionary((kind,))))
        return
    if out is None:
        sys.stdout.write(csv_template(kind))
        return
    if out.suffix not in (".csv", ".xlsx"):
        raise ValueError(f"found {out.name!r}; expected a name that ends in .csv or .xlsx. Cure: rename it.")
    with out.open("xb") as stream:
        stream.write(xlsx_template(kind) if out.suffix == ".xlsx" else csv_template(kind).encode())
    console_of_results().print(Text(f"Template: {out}"), soft_wrap=True)


@working(returns_app, "submit")
def submit_command(
    at: AtWork,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="CSV (UTF-8 or GB18030), XLSX or Parquet.", show_default=False)
    ],
    kind: Annotated[Kind, typer.Option("--kind", show_default=False)],
    period: Annotated[str, typer.Option("--period", help="As 2026-03, 2026-Q1 or 2026.", show_default=False)],
    reason: Annotated[
        list[str] | None,
        typer.Option(
            "--reason",
            metavar="CODE=WORDS",
            help="Why a caution is no mistake; may be given again.",
            show_default=False,
        ),
    ] = None,
    replaces: Annotated[
        int, typer.Option("--replaces", metavar="RECEIPT", min=0, help="Receipt that this one takes the place of.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and check it only.")] = False,
) -> None:
    """File a return. Mistakes are told all at once and nothing is entered; what is unusual needs a written reason. You get a receipt."""
    from poundlock.register.filing import file_return

    reasons = dict(_reason(r) for r in reason or ())
    clerk = replace(at.clerk, dry=dry_run)
    receipt = file_return(clerk, at.programme, file, kind, period, reasons, replaces=replaces)
    filed, entry = receipt.filed, receipt.entry
    if at.json:
        print_json(
            {
                "ok": True,
                "receipt": entry.number if entry else None,
                "at": entry.at if entry else None,
                "digest": filed.digest,
                "rows": filed.rows,
                "form": filed.form,
                "totals": dict(filed.totals),
                "cautions": [asdict(w) for w in filed.warnings],
                "days_late": receipt.late,
            }
        )
        return
    console = console_of_results()
    head = f"Receipt {entry.number} of {entry.at[:19]}Z" if entry else "Not entered (dry run)"
    console.print(
        Text(
            f"{head}: {kind} of {filed.institution} for {period}, {filed.form}, {filed.rows:,} {'row' if filed.rows == 1 else 'rows'}"
        ),
        soft_wrap=True,
    )
    console.print(Text(f"  SHA-256 {filed.digest}"), soft_wrap=True)
    for name, total in filed.totals.items():
        console.print(Text(f"  {name}: {total}"), soft_wrap=True)
    if receipt.late:
        console.print(Text(f"  {receipt.late} days after the deadline"), soft_wrap=True)


@returns_app.command("status")
@refusing
def status_command(
    database: Database = NEAR,
    programme: ProgrammeId = "",
    reconcile: Annotated[
        str,
        typer.Option(
            "--reconcile", metavar="PERIOD", help="Hold the returns of a period against each other.", show_default=False
        ),
    ] = "",
    json: Json = False,
) -> None:
    """List what is owed, filed, late; with --reconcile, where two institutions contradict each other."""
    from poundlock.register.clerk import shown
    from poundlock.register.filing import mismatches, owing
    from poundlock.register.telling import plain

    register = to_read(database)
    name = the_programme(register, programme)
    owed = list(owing(register, shown(register, name, now())))
    against = mismatches(register, name, reconcile) if reconcile else ()
    if json:
        print_json(
            {
                "owed": [asdict(o) | {"deadline": o.deadline.isoformat()} for o in owed],
                "mismatches": [str(m) for m in against],
            }
        )
        return
    console = console_of_results()
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0))
    for head in ("Run", "Institution", "Return", "Period", "Deadline", "State", "Days late", "Receipt"):
        table.add_column(head)
    for o in owed:
        table.add_row(
            *(
                Text(plain(str(x)) if x else "")
                for x in (o.run, o.institution, o.kind, o.period, o.deadline, o.state, o.late, o.receipt)
            )
        )
    console.print(table if owed else Text("No run owes a return."))
    for m in against:
        console.print(Text(str(m)), soft_wrap=True)
    if reconcile and not against:
        console.print(Text(f"The returns for {reconcile} agree with each other."))


def _reason(text: str) -> tuple[str, str]:
    code, sign, words = text.partition("=")
    if not sign or not words.strip():
        raise ValueError(
            f"found --reason {text!r}; expected CODE=WORDS, as large-change='a bank joined'. Cure: correct it."
        )
    return code.strip(), words.strip()
