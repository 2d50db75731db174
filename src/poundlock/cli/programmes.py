"""The commands about the life of a programme: declare, submit, publish, review; comments and incidents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import typer
from rich.text import Text

from poundlock.cli.at_register import NEAR, AtWork, Database, Json, Why, now, refusing, to_read, working
from poundlock.cli.screen import console_of_results, print_json

programme_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The life of a programme: declared, assessed, noticed to the public, decided on, run, reviewed.",
)
PlanFile = Annotated[
    Path, typer.Argument(metavar="PLAN.yaml", help="Its section 'programme' says the rest.", show_default=False)
]


@programme_app.command("list")
@refusing
def list_command(database: Database = NEAR, json: Json = False) -> None:
    """List the programmes of a register."""
    from poundlock.register.clerk import programmes, shown
    from poundlock.register.telling import plain

    register = to_read(database)
    found = [shown(register, id, now()) for id in programmes(register)]
    if json:
        print_json(
            [{"programme": p.id, "life": p.life, "since": p.since.isoformat(), "applicant": p.applicant} for p in found]
        )
        return
    console = console_of_results()
    for p in found:
        console.print(Text(plain(f"{p.id}: {p.life} since {p.since}, declared by {p.applicant}")), soft_wrap=True)


@programme_app.command("template")
@refusing
def template_command(
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE.yaml", help="A new file; without it, printed.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Write an empty declaration of an innovation, with what each part is about. For institutions."""
    from poundlock.rollout.machine.acts import Declaration

    lines = []
    for name, field in Declaration.model_fields.items():
        choices = ", ".join(get_args(field.annotation)) if get_origin(field.annotation) is Literal else ""
        lines.append(f"# {field.description}" + (f" One of: {choices}" if choices else "") + f"\n{name}: \n")
    text = "\n".join(lines)
    if json:
        print_json({name: field.description for name, field in Declaration.model_fields.items()})
    elif out is None:
        sys.stdout.write(text)
    else:
        with out.open("x", encoding="utf-8") as stream:
            stream.write(text)
        console_of_results().print(Text(f"Declaration to fill in: {out}"), soft_wrap=True)


@working(programme_app, "declare", of_programme=False)
def declare_command(
    at: AtWork,
    plan: PlanFile,
    declaration: Annotated[
        Path, typer.Option("--declaration", metavar="FILE.yaml", help="What is declared.", show_default=False)
    ],
) -> None:
    """Declare an innovation with its plan, as a draft. For institutions."""
    from poundlock.desk.roll_out import terms_of
    from poundlock.problems import Problem, ProblemsFound
    from poundlock.reading import read_document
    from poundlock.rollout.machine.acts import Declaration

    problems: list[Problem] = []
    read = read_document(declaration, Declaration, problems)
    try:
        found = terms_of(plan)
    except ProblemsFound as of_plan:
        problems.extend(of_plan.problems)
    if problems or read is None or read.value is None:
        raise ProblemsFound(problems)
    body = {
        "declaration": read.value.model_dump(mode="json"),
        "plan": found.digest,
        "terms": found.terms.model_dump(mode="json"),
    }
    files = (plan.read_bytes(), declaration.read_bytes())
    at.told(at.clerk.act("declare", body, found.terms.id, files), f"programme {found.terms.id} is a draft")


@working(programme_app, "edit", of_programme=False)
def edit_command(at: AtWork, plan: PlanFile) -> None:
    """Enter a changed plan: of a draft at once; of an approved programme as a draft, which two other people must put in force."""
    from poundlock.desk.roll_out import terms_of

    found = terms_of(plan)
    body = {"plan": found.digest, "terms": found.terms.model_dump(mode="json")}
    at.told(at.clerk.act("edit", body, found.terms.id, (plan.read_bytes(),)), "the changed plan is entered")


def _simple(name: str, help: str, said: str) -> None:
    def command(at: AtWork) -> None:
        at.act(name, {}, said)

    working(programme_app, name, help=help)(command)


def _with_reason(name: str, help: str, said: str) -> None:
    def command(at: AtWork, why: Why) -> None:
        at.act(name, {"why": why}, said)

    working(programme_app, name, help=help)(command)


_simple("submit", "Submit a draft. For the applicant.", "the programme is submitted")
_with_reason("return", "Return it to the applicant, with the reason.", "the programme is returned")
_simple("accept", "Accept it for assessment.", "the programme is being assessed")
_simple("publish", "Publish a notice; the public may comment until its window closes.", "the public may comment")
_with_reason("withdraw", "Withdraw a programme that does not run. For the applicant.", "the programme is withdrawn")
_simple("review", "Begin the exit review, once every run is over.", "the exit review has begun")
_with_reason("close", "Close what was adopted or wound down.", "the programme is closed")


@working(programme_app, "comment")
def comment_command(
    at: AtWork,
    by: Annotated[
        str, typer.Option("--by", metavar="NAME", help="Who commented; may be removed later.", show_default=False)
    ],
    text: Annotated[str, typer.Option("--text", metavar="WORDS", help="What they said.", show_default=False)],
) -> None:
    """Enter a comment of the public, while the notice is open."""
    at.act("comment", {"by": by, "text": text}, "the comment is entered")


@working(programme_app, "incident")
def incident_command(
    at: AtWork,
    institution: Annotated[str, typer.Option("--institution", metavar="ID", help="Where.", show_default=False)],
    kind: Annotated[Literal["cyber", "data", "outage", "conduct"], typer.Option("--kind", show_default=False)],
    severity: Annotated[Literal["minor", "major", "critical"], typer.Option("--severity", show_default=False)],
    what: Annotated[str, typer.Option("--what", metavar="WORDS", help="What happened.", show_default=False)],
) -> None:
    """Report an incident: a major one holds what runs, a critical one stops new business."""
    body = {"kind": kind, "severity": severity, "institution": institution, "what": what}
    at.act("report", body, "the incident is entered")


@working(programme_app, "close-incident")
def close_incident_command(
    at: AtWork,
    incident: Annotated[int, typer.Argument(metavar="ENTRY", help="Entry that reported it.", show_default=False)],
    remedy: Annotated[str, typer.Option("--remedy", metavar="WORDS", help="What was done.", show_default=False)],
) -> None:
    """Close an incident; what it held does not go on by itself."""
    at.act("close-incident", {"incident": incident, "remedy": remedy}, "the incident is closed")
