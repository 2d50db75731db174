"""The command line: one face of the desk. Progress and tables go to the screen, `--json` to standard output.

The rooms behind a command are opened when it runs, so that `--help` is quick and an interrupt is heard from the start.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from json import dumps
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from poundlock.problems import ProblemsFound
from poundlock.version import VERSION

if TYPE_CHECKING:
    from poundlock.desk import Assessment, CheckedPlan

COLOURS = {
    "pass": "green",
    "inconclusive": "yellow",
    "no data": "yellow",
    "error": "red",
    "fail": "red",
    "breach": "bold red",
}
EXIT_PROBLEMS, EXIT_INTERRUPTED = 2, 130
SHOWN_PROBLEMS = 50
WIDTH_OF_FILES = 200  # columns of the verdict table where there is no terminal

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

**Exit status**: 0 the command did its work, whatever the verdict; 2 the plan, a table or the call is wrong, and nothing
was written; 130 interrupted, and nothing was written.
""",
)
PlanPath = Annotated[
    Path,
    typer.Argument(metavar="PLAN.yaml", help="The plan. Paths in it are relative to its folder.", show_default=False),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
]


def main() -> NoReturn:
    """Entry point: SIGTERM ends like Ctrl-C, so that half-written files are removed on the way out."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # words of a plan that this terminal cannot show
    app()
    sys.exit(0)


_interrupted: list[int] = []
"""Signals heard. An exception raised inside a callback of a compiled library can be lost; the progress asks here too."""


def _interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.append(number)
    raise KeyboardInterrupt


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


@app.command("run")
def run_command(
    plan: PlanPath,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Folder for report.html and result.json; made if needed. Without it nothing is written.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Answer a plan's question: measure, judge, report.

    Prints the verdict with one line a gate: what was asked, the number with its interval, the limit, the finding, and
    what would change it. With --out, writes report.html (one self-contained file, readable offline) and result.json.
    The same inputs and seed give the same files to the last byte. Existing files are replaced only when the new ones are
    complete.

    Example: poundlock run examples/zhejiang/plan.yaml --out build/zhejiang
    """
    try:
        assessment, written = _answered(plan, out, json)
    except KeyboardInterrupt:
        Console(stderr=True).print("Interrupted; nothing was written.")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    except OSError as error:
        _refuse(
            f"{error.filename or out}: {error.strerror}; the report could not be written. Cure: name another --out."
        )
    from poundlock.figures import result_json

    if json:
        sys.stdout.write(result_json(assessment))
    else:
        _print_verdict(assessment)
    if written:
        console = Console(stderr=json)
        for label, path in zip(("Report", "Figures as JSON"), written, strict=True):
            console.print(Text(f"{label}: {path}"), soft_wrap=True)


def _answered(plan: Path, out: Path | None, json: bool) -> tuple[Assessment, tuple[Path, Path] | None]:
    from poundlock.desk import run
    from poundlock.figures import write_report

    checked = _checked(plan, json)
    if out is not None and out.exists() and not out.is_dir():
        _refuse(f"{out} is a file; --out needs a folder. Cure: name another place.")
    with _progress(checked) as report:
        assessment = run(checked, report)
        return assessment, write_report(assessment, out) if out is not None else None


@app.command("check")
def check_command(plan: PlanPath, json: AsJson = False) -> None:
    """Find everything that is wrong with a plan and its tables, without running it.

    Every mistake comes at once, each with its file and line, what was found, what was expected and the cure.

    Example: poundlock check my-plan/plan.yaml
    """
    checked = _checked(plan, json)
    system = checked.read.system
    if json:
        _print_json(
            {"ok": True, "problems": [], "inputs": [{"file": f.name, "sha256": f.digest} for f in checked.inputs]}
        )
        return
    console = Console(highlight=False)
    console.print(Text.assemble(("✓", "green"), f" {plan}: no problem found."), soft_wrap=True)
    for name, rebuilt in checked.read.rebuilt.items():
        said = f"  layer '{name}' rebuilt from totals in {rebuilt.rounds} rounds, totals met to {rebuilt.gap:.1e}"
        console.print(Text(said), soft_wrap=True)
    counts = f"{len(system)} institutions, {len(system.asset_classes)} pools, {len(checked.plan.gates)} gates"
    console.print(Text(f"  {counts}, {len(checked.inputs)} files read"))


@app.command("init")
def init_command(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to make; it must not exist, or be empty.", show_default=False)
    ],
) -> None:
    """Write a commented starter plan with small tables; it runs as it is.

    Example: poundlock init my-plan && poundlock run my-plan/plan.yaml --out my-plan/report
    """
    from poundlock.desk import plan_schema_text
    from poundlock.starter import write_starter

    try:
        plan = write_starter(folder, plan_schema_text())
    except OSError as error:
        said = f"{error.filename or folder}: {error.strerror}" if error.strerror else str(error)
        _refuse(f"{said}. Cure: name a folder that does not exist yet, in a place where you may write.")
    console = Console(highlight=False)
    console.print(Text(f"Starter plan: {plan}"), soft_wrap=True)
    console.print(Text(f"Try: poundlock run {plan} --out {folder / 'report'}"), soft_wrap=True)


@app.command("schema")
def schema_command() -> None:
    """Print the JSON Schema of plan files, for editors and for programs that write plans."""
    from poundlock.desk import plan_schema_text

    sys.stdout.write(plan_schema_text())


def _checked(plan: Path, json: bool = False) -> CheckedPlan:
    from poundlock.desk import check

    try:
        return check(plan)
    except ProblemsFound as found:
        if json:
            _print_json(
                {
                    "ok": False,
                    "problems": [
                        {k: getattr(p, k) for k in ("file", "line", "found", "expected", "cure")}
                        for p in found.problems
                    ],
                }
            )
        console = Console(stderr=True, highlight=False)
        count = len(found.problems)
        console.print(
            Text.assemble(
                (f"{count} {'problem' if count == 1 else 'problems'}", "bold red"),
                f" in {plan}; nothing was run or written.",
            ),
            soft_wrap=True,
        )
        for problem in found.problems[:SHOWN_PROBLEMS]:
            place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
            console.print(Text.assemble("\n", (place, "bold")), soft_wrap=True)
            console.print(
                Text.assemble(
                    f"  found     {problem.found}\n  expected  {problem.expected}\n  cure      {problem.cure}"
                ),
                soft_wrap=True,
            )
        if count > SHOWN_PROBLEMS:
            console.print(Text(f"\n... and {count - SHOWN_PROBLEMS} more; `poundlock check --json` prints them all."))
        raise typer.Exit(EXIT_PROBLEMS) from None


def _refuse(message: str) -> NoReturn:
    Console(stderr=True, highlight=False).print(Text(message), soft_wrap=True)
    raise typer.Exit(EXIT_PROBLEMS)


def _print_json(value: object) -> None:
    sys.stdout.write(dumps(value, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def _progress(checked: CheckedPlan) -> Iterator[Callable[[str, int], None]]:
    """A line for each simulation, on the error stream; removed when done."""
    count = checked.plan.scenarios.count
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as display:
        title = display.add_task(checked.plan.title, total=None)
        tasks: dict[str, tuple[TaskID, int]] = {}

        def report(task: str, done: int) -> None:
            if _interrupted:
                raise KeyboardInterrupt
            number, before = tasks.get(task) or (display.add_task(f"  {task}", total=count), 0)
            after = before + done
            if after > count:  # a search simulates anew for every setting
                after, display_total = done, count
                display.reset(number, total=display_total)
            tasks[task] = number, after
            display.update(number, completed=after)

        yield report
        display.remove_task(title)


def _print_verdict(a: Assessment) -> None:
    from poundlock.figures.report import MARKS, cautions, interval, number

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH_OF_FILES
    system = a.plan.system
    console.print(Text.assemble("\n", (a.plan.title, "bold"), "\n", a.plan.question))
    console.print(Text(f"{system.origin.capitalize()} system: {system.note}", style="dim"))
    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Asked", ratio=5)
    table.add_column("Number", justify="right", no_wrap=True)
    table.add_column("Interval", justify="right", ratio=3)
    table.add_column("Limit", ratio=3)
    table.add_column("Finding", no_wrap=True)
    table.add_column("What would change it", ratio=6)
    for f in a.verdict.findings:
        finding = Text(f"{MARKS[f.kind]} {f.kind}", style=COLOURS[f.kind])
        change = f.would_change if f.kind == "pass" else f"{f.why}; changed by: {f.would_change}"
        table.add_row(
            f.asks,
            number(f.evidence),
            interval(f.evidence),
            f.limit,
            finding,
            Text(change, style="dim"),
        )
    for question, reason in a.verdict.absent:
        table.add_row(question, "–", "–", "–", Text("not asked", style="dim"), Text(reason, style="dim"))
    console.print(table)
    colour = COLOURS[a.verdict.worst]
    console.print(Text.assemble(("\nVerdict: ", "bold"), (a.verdict.worst, colour), f". {a.verdict.sentence}"))
    for caution in cautions(a):
        console.print(Text(f"Note: {caution}", style="dim"))
