"""The command line: one face of the desk. Progress and tables go to the screen, `--json` to standard output.

The rooms behind a command are opened when it runs, so that `--help` is quick and an interrupt is heard from the start.
"""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from typing import Annotated, NoReturn

import typer

from poundlock.cli import people  # noqa: F401 - its commands join those of the register
from poundlock.cli.contagion import contagion_command
from poundlock.cli.packs import reproduce_command, verify_command
from poundlock.cli.payments import payments_app
from poundlock.cli.plans import check_command, evaluate_command, init_command, run_command, schema_command
from poundlock.cli.programmes import programme_app
from poundlock.cli.registers import register_app
from poundlock.cli.returns import returns_app
from poundlock.cli.rules import rules_command
from poundlock.cli.screen import interrupt, quiet
from poundlock.cli.stages import stage_app
from poundlock.version import VERSION

__all__ = ["app", "main"]

app = typer.Typer(
    name="poundlock",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Progressive delivery for financial measures.

A plan (one YAML file beside its tables) says what is tried, on which system, under which limits, and by which evidence
it is judged. Poundlock answers: how far could losses spread, can they be held, did it work, for whom, may we go on.

**First steps**: `poundlock init my-plan` writes a plan that runs as it is; `poundlock run my-plan/plan.yaml --out report`
answers it; `poundlock check` finds everything that is wrong with a plan without running it.

**A register** keeps who decided what, on which evidence: `poundlock register`, `programme`, `stage`, `returns`; `poundlock verify` and
`poundlock reproduce` check what it hands out.

**Exit status**: 0 the command did its work, whatever the verdict; 1 the register's rules refuse it, or a pack does not verify; 2 the plan, a
table or the call is wrong; 130 interrupted. Unless it is 0, nothing was written; only `payments ingest` takes the days that are right, and says so.
""",
)
for name, command in (
    ("run", run_command),
    ("evaluate", evaluate_command),
    ("check", check_command),
    ("contagion", contagion_command),
    ("rules", rules_command),
    ("init", init_command),
    ("schema", schema_command),
    ("verify", verify_command),
    ("reproduce", reproduce_command),
):
    app.command(name)(command)
for name, group in (
    ("programme", programme_app),
    ("stage", stage_app),
    ("register", register_app),
    ("returns", returns_app),
    ("payments", payments_app),
):
    app.add_typer(group, name=name)


def main() -> NoReturn:
    """Entry point: SIGTERM ends like Ctrl-C, so that half-written files are removed on the way out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    sys.unraisablehook = quiet
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # words of a plan that this terminal cannot show
    app()
    sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"poundlock {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass
