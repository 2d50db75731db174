"""The commands about plans: run, evaluate, check, init, schema."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poundlock.cli.screen import (
    console_of_results,
    interrupted,
    print_json,
    progress,
    refuse,
    refuse_problems,
)
from poundlock.problems import ProblemsFound

if TYPE_CHECKING:
    from poundlock.desk import Assessment, CheckedPlan, Evaluation
    from poundlock.rollout.gate import Verdict

COLOURS = {
    "pass": "green",
    "inconclusive": "yellow",
    "no data": "yellow",
    "error": "red",
    "fail": "red",
    "breach": "bold red",
}
PlanPath = Annotated[
    Path,
    typer.Argument(metavar="PLAN.yaml", help="The plan. Paths in it are relative to its folder.", show_default=False),
]
OutFolder = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Folder for report.html and result.json; made if needed. Without it nothing is written.",
        show_default=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
]


def run_command(
    plan: PlanPath,
    out: OutFolder = None,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep",
            metavar="DIR",
            help="Keep finished pieces of long simulations there; interrupted, the same command goes on from them.",
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
        assessment, written = _answered(plan, out, keep, json)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; the report could not be written. Cure: name another --out.")
    from poundlock.figures import result_json

    if json:
        sys.stdout.write(result_json(assessment))
    else:
        _print_verdict(assessment)
    _tell_written(written, json)


def _answered(
    plan: Path, out: Path | None, keep: Path | None, json: bool
) -> tuple[Assessment, tuple[Path, Path] | None]:
    from poundlock.desk import run
    from poundlock.figures import write_report

    checked = _checked(plan, json)
    _a_folder(out)
    with progress(checked.plan.title, checked.plan.scenarios.count) as report:
        try:
            assessment = run(checked, report, keep=keep)
        except ProblemsFound as found:  # networks that cannot be had
            refuse_problems(found, plan, json)
        except ValueError as mistake:
            if keep is None:
                raise
            refuse(f"{mistake}.")  # of the files under --keep
        return assessment, write_report(assessment, out) if out is not None else None


def _a_folder(out: Path | None) -> None:
    if out is not None and out.exists() and not out.is_dir():
        refuse(f"{out} is a file; --out needs a folder. Cure: name another place.")


def _tell_written(written: tuple[Path, Path] | None, json: bool) -> None:
    if written:
        console = Console(stderr=json)
        for label, path in zip(("Report", "Figures as JSON"), written, strict=True):
            console.print(Text(f"{label}: {path}"), soft_wrap=True)


def evaluate_command(
    plan: PlanPath,
    out: OutFolder = None,
    json: AsJson = False,
) -> None:
    """Evaluate a plan's pilot alone: did it work, for whom, will it elsewhere, where next.

    Nothing is simulated, so that it takes seconds. Every effect is estimated by two engines; where they part, the finding is an
    error. With --out, writes report.html and result.json as `run` does, on the pilot alone.

    Example: poundlock evaluate examples/zhejiang/plan.yaml --out build/pilot
    """
    from poundlock.desk import evaluate
    from poundlock.figures import result_json, write_report

    try:
        checked = _checked(plan, json)
        _a_folder(out)
        found = evaluate(checked)
        written = write_report(found, out) if out is not None else None
    except ProblemsFound as none:
        refuse_problems(none, plan, json)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or out}: {error.strerror}; the report could not be written. Cure: name another --out.")
    if json:
        sys.stdout.write(result_json(found))
    else:
        _print_evaluation(found)
    _tell_written(written, json)


def check_command(plan: PlanPath, json: AsJson = False) -> None:
    """Find everything that is wrong with a plan and its tables, without running it.

    Every mistake comes at once, each with its file and line, what was found, what was expected and the cure.

    Example: poundlock check my-plan/plan.yaml
    """
    checked = _checked(plan, json)
    system = checked.read.system
    if json:
        print_json(
            {"ok": True, "problems": [], "inputs": [{"file": f.name, "sha256": f.digest} for f in checked.inputs]}
        )
        return
    console = Console(highlight=False)
    console.print(Text.assemble(("✓", "green"), f" {plan}: no problem found."), soft_wrap=True)
    for name, rebuilt in checked.read.rebuilt.items():
        said = f"  layer '{name}' rebuilt from totals in {rebuilt.rounds} rounds, totals met to {rebuilt.gap:.1e}"
        console.print(Text(said), soft_wrap=True)
    counted = (
        (len(system), "institution"),
        (len(checked.system.asset_classes), "asset class"),
        (len(checked.plan.gates), "gate"),
        (len(checked.inputs), "file"),
    )
    words = (f"{n} {what}{'' if n == 1 else 'es' if what.endswith('s') else 's'}" for n, what in counted)
    console.print(Text(f"  {', '.join(words)} read"))


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
        refuse(f"{said}. Cure: name a folder that does not exist yet, in a place where you may write.")
    console = Console(highlight=False)
    console.print(Text(f"Starter plan: {plan}"), soft_wrap=True)
    console.print(Text(f"Try: poundlock run {plan} --out {folder / 'report'}"), soft_wrap=True)


def schema_command(
    of: Annotated[
        Literal["plan", "system", "market"], typer.Argument(metavar="[plan|system|market]", help="Which files.")
    ] = "plan",
) -> None:
    """Print the JSON Schema of plan files, system files or market files, for editors and for programs that write them."""
    from poundlock.desk import plan_schema_text, system_schema_text
    from poundlock.payments.market import market_schema_text

    texts = {"plan": plan_schema_text, "system": system_schema_text, "market": market_schema_text}
    sys.stdout.write(texts[of]())


def _checked(plan: Path, json: bool = False) -> CheckedPlan:
    from poundlock.desk import check

    try:
        return check(plan)
    except ProblemsFound as found:
        refuse_problems(found, plan, json)


def _print_programme(console: Console, a: Assessment) -> None:
    """A line for each measure: risks do not add up."""
    from poundlock.figures.programme_charts import bearers_words, controllable_words, points

    if a.programme is None:
        return
    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Measure", ratio=3)
    for head in ("Granted", "Expected loss", "Tail alone", "Beside the rest"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("Who bears its worst years", ratio=6)
    table.add_column("Controllable?", no_wrap=True)
    for m in a.programme.studies:
        figures = (f"{m.granted:,.0f}", f"{m.expected_loss:,.0f}", points(m.alone.value), points(m.added.value))
        table.add_row(m.id, *figures, bearers_words(m), controllable_words(a, m))
    if len(a.programme.studies) > 1:
        table.add_row("all together", "", "", points(a.programme.together.value), "", "", "")
    console.print(Text(f"\nMeasures: money in {a.plan.system.unit}, tails in points of equity", style="dim"))
    console.print(table)


def _print_evaluation(a: Evaluation) -> None:
    from poundlock.figures.pilot_report import asked
    from poundlock.figures.pilot_words import answer_sentence, engines_sentence
    from poundlock.figures.proposal_words import audit_sentence

    console = console_of_results()
    console.print(Text.assemble("\n", (a.plan.title, "bold"), "\n", a.plan.question))
    if a.plan.pilot is not None and a.plan.pilot.caveat:
        console.print(Text(a.plan.pilot.caveat, style="dim"))
    if said := audit_sentence(a.pilot.places):
        console.print(Text(said, style="dim"))
    for study in a.pilot.outcomes:
        console.print(Text.assemble("\n", (study.id, "bold"), f": {answer_sentence(study, *asked(a.plan, study.id))}"))
    console.print(Text(f"\n{engines_sentence(a.pilot.outcomes)}\n", style="dim"))
    console.print(_gates(a.verdict))
    _print_sentence(console, a.verdict)


def _print_verdict(a: Assessment) -> None:
    from poundlock.figures.report import cautions

    console = console_of_results()
    system = a.plan.system
    console.print(Text.assemble("\n", (a.plan.title, "bold"), "\n", a.plan.question))
    console.print(Text(f"{system.origin.capitalize()} system: {system.note}", style="dim"))
    console.print(_gates(a.verdict))
    _print_programme(console, a)
    _print_sentence(console, a.verdict)
    for caution in cautions(a):
        console.print(Text(f"Note: {caution}", style="dim"))


def _gates(verdict: Verdict) -> Table:
    """A line for each finding, and for each question that was not asked."""
    from poundlock.figures.report import MARKS, number
    from poundlock.rollout.wording import interval

    table = Table(show_header=True, header_style="dim", box=None, padding=(0, 1, 0, 0), expand=True)
    table.add_column("Asked", ratio=5)
    table.add_column("Number", justify="right", no_wrap=True)
    table.add_column("Interval", justify="right", ratio=3)
    table.add_column("Limit", ratio=3)
    table.add_column("Finding", no_wrap=True)
    table.add_column("What would change it", ratio=6)
    for f in verdict.findings:
        finding = Text(f"{MARKS[f.kind]} {f.kind}", style=COLOURS[f.kind])
        change = f.would_change if f.kind == "pass" else f"{f.why}; changed by: {f.would_change}"
        cells = (f.asks, number(f.evidence), interval(f.evidence), f.limit, finding, Text(change, style="dim"))
        table.add_row(*cells)
    for question, reason in verdict.absent:
        table.add_row(question, "–", "–", "–", Text("not asked", style="dim"), Text(reason, style="dim"))
    return table


def _print_sentence(console: Console, verdict: Verdict) -> None:
    colour = COLOURS[verdict.worst]
    console.print(Text.assemble(("\nVerdict: ", "bold"), (verdict.worst, colour), f". {verdict.sentence}"))
