"""The commands about stages: propose, approve, hold, resume, rollback, status, and what stands around them."""

from __future__ import annotations

import datetime as dt
import hashlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from poundlock.cli.at_register import (
    NEAR,
    AtWork,
    Database,
    Json,
    ProgrammeId,
    Why,
    now,
    refusing,
    the_programme,
    to_read,
    working,
)
from poundlock.cli.screen import console_of_results, print_json

stage_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Move a stage: who proposed, who signed, on which evidence.

What is decided or ordered (propose, approve, hold, resume, rollback) is only tried unless `--sign` is given; the rest is done at once. Exit status: 0 done or tried, 1 refused by the rules,
2 the call is wrong; after 1 and 2 nothing was written.
""",
)
Run = Annotated[
    str,
    typer.Option("--run", metavar="RUN", help="Run of a stage, as delta/1; the newest without it.", show_default=False),
]
Interests = Annotated[
    str,
    typer.Option(
        "--interests",
        metavar="WORDS",
        help="Your note on conflicts of interest: none, or what there is. Needed with --sign.",
        show_default=False,
    ),
]
Decision = Annotated[str, typer.Option("--decision", metavar="ID", help="Name of the decision.", show_default=False)]
Waive = Annotated[
    list[str] | None,
    typer.Option(
        "--waive",
        metavar="METRIC:UNTIL",
        help="Go on although one metric of the last check says nothing, or one return is overdue, until a day. May be given again.",
        show_default=False,
    ),
]


@stage_app.command("status")
@refusing
def status_command(database: Database = NEAR, programme: ProgrammeId = "", json: Json = False) -> None:
    """Say where every run stands, what speaks against going on, and which decisions wait for whom."""
    from poundlock.register.clerk import people_of, shown
    from poundlock.register.telling import standing_values, standing_words

    register = to_read(database)
    p, people = shown(register, the_programme(register, programme), now()), people_of(register)
    if json:
        print_json(standing_values(people, p))
        return
    console = console_of_results()
    for line in standing_words(people, p):
        console.print(Text(line), soft_wrap=True)


@working(stage_app, "open")
def open_command(
    at: AtWork,
    stage: Annotated[str, typer.Argument(metavar="STAGE", show_default=False)],
) -> None:
    """Open a run of a stage; it exposes nobody before it is checked, proposed and signed."""
    at.act("open", {"stage": stage}, f"a run of {stage} is open")


@working(stage_app, "judge")
def judge_command(
    at: AtWork,
    result: Annotated[Path, typer.Argument(metavar="RESULT.json", help="Of poundlock run.", show_default=False)],
    run: Run = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="YYYY-MM-DD", help="Day that the evidence speaks of; today.")
    ] = "",
) -> None:
    """Enter a verdict as a check. It may hold a run at once; it never promotes one."""
    from poundlock.desk.roll_out import entered

    day = _day(as_of, "--as-of") or at.clerk.at.date()
    found = entered(result)
    odd = ", ".join(f"{f['metric']}: {f['kind']}" for f in found.findings if f["kind"] != "pass")
    at.told(at.clerk.judge(at.programme, run, found, day), f"a check as of {day}: {odd or 'every finding a pass'}")


@working(stage_app, "propose", tried=True)
def propose_command(
    at: AtWork,
    matter: Annotated[
        str,
        typer.Argument(
            metavar="MATTER",
            help="approve, reject, amend, adopt, wind-down (programme); start, pass, extend, finish, roll-back, resume, revise (run).",
            show_default=False,
        ),
    ],
    why: Why,
    run: Run = "",
    decision: Decision = "",
    interests: Interests = "",
    waive: Waive = None,
    decide_on: Annotated[
        str, typer.Option("--decide-on", metavar="YYYY-MM-DD", help="Of an extension.", show_default=False)
    ] = "",
    ends: Annotated[
        str, typer.Option("--ends", metavar="YYYY-MM-DD", help="Of an extension.", show_default=False)
    ] = "",
    unwind: Annotated[
        Path | None, typer.Option("--unwind", metavar="FILE", help="A revised plan to unwind.", show_default=False)
    ] = None,
) -> None:
    """Propose a decision and sign it; another person must approve it."""
    details: dict[str, Any] = {"why": why, "waivers": [_waiver(w) for w in waive or ()]}
    details |= {"decide_on": _day(decide_on, "--decide-on"), "ends": _day(ends, "--ends")}
    content = unwind.read_bytes() if unwind else b""
    details["unwind"] = hashlib.sha256(content).hexdigest() if content else ""
    _propose(at, decision, matter, run, details, interests, f"proposes '{matter}'", (content,) if content else ())


@working(stage_app, "approve", tried=True)
def approve_command(
    at: AtWork,
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    interests: Interests = "",
) -> None:
    """Sign a decision that somebody else proposed; the last signature that it needs puts it into effect."""
    from poundlock.register.telling import decision_words

    done = at.clerk.approve(at.programme, decision, _stated(interests, at))
    proposals = done.before.proposals if done.before else ()
    asked = next((decision_words(x) for x in proposals if x.id == decision), "")
    at.told(done, f"{at.clerk.person} signs '{decision}' ({asked})")


@working(stage_app, "retract")
def retract_command(
    at: AtWork,
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
) -> None:
    """Take back a decision that you proposed."""
    at.act("retract", {"decision": decision}, f"'{decision}' is retracted")


@working(stage_app, "hold", tried=True)
def hold_command(
    at: AtWork,
    why: Why,
    run: Run = "",
) -> None:
    """Hold a run at once: what institutions bear is frozen. Officers, approvers, duty officers and the risk function may, each alone."""
    at.told(at.clerk.order(at.programme, "hold", run, why), f"{at.clerk.person} holds the run")


@working(stage_app, "resume", tried=True)
def resume_command(
    at: AtWork,
    why: Why,
    run: Run = "",
    decision: Decision = "",
    interests: Interests = "",
    waive: Waive = None,
) -> None:
    """Propose that a held run goes on; one more person must sign, and two more, one of the risk function, if it was held critical."""
    details = {"why": why, "waivers": [_waiver(w) for w in waive or ()]}
    _propose(at, decision, "resume", run, details, interests, "proposes that the run goes on")


@working(stage_app, "rollback", tried=True)
def rollback_command(
    at: AtWork,
    why: Why,
    run: Run = "",
    decision: Decision = "",
    interests: Interests = "",
) -> None:
    """Roll a run back: a duty officer alone where it is held critical, otherwise a proposal that another person must sign."""
    if at.clerk.rolls_back_alone(at.programme, run):
        at.told(at.clerk.order(at.programme, "roll-back", run, why), f"{at.clerk.person} rolls the run back")
        return
    _propose(at, decision, "roll-back", run, {"why": why}, interests, "proposes to roll the run back")


@working(stage_app, "unwound")
def unwound_command(
    at: AtWork,
    evidence: Annotated[
        Path, typer.Argument(metavar="FILE", help="What shows that nothing is left.", show_default=False)
    ],
    run: Run = "",
) -> None:
    """Verify that a run is rolled back: nothing is left. The file is kept in the register."""
    content = evidence.read_bytes()
    body = {"run": at.clerk.run_id(at.programme, run), "evidence": hashlib.sha256(content).hexdigest()}
    shown = f"{evidence.name}, SHA-256 {body['evidence'][:12]}..."
    at.act("unwound", body, f"{at.clerk.person} states that nothing is left ({shown})", (content,))


@working(stage_app, "cannot-unwind")
def stuck_command(
    at: AtWork,
    why: Why,
    run: Run = "",
) -> None:
    """Note that rolling back is stuck; a revised plan to unwind takes two people (propose revise)."""
    at.act("cannot-unwind", {"run": at.clerk.run_id(at.programme, run), "why": why}, "unwinding is stuck")


@working(stage_app, "cancel")
def cancel_command(
    at: AtWork,
    why: Why,
    run: Run = "",
) -> None:
    """Cancel a run that did not start."""
    at.act("cancel", {"run": at.clerk.run_id(at.programme, run), "why": why}, "the run is cancelled")


def _propose(
    at: AtWork,
    decision: str,
    matter: str,
    run: str,
    details: dict[str, Any],
    interests: str,
    said: str,
    files: tuple[bytes, ...] = (),
) -> None:
    done = at.clerk.propose(at.programme, decision, matter, run, details, _stated(interests, at), files)
    at.told(done, f"{at.clerk.person} {said}")


def _day(text: str, option: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError(f"found {option} {text!r}; expected a day as 2026-03-31. Cure: correct it.") from None


def _waiver(text: str) -> dict[str, Any]:
    parts = text.split(":")
    if len(parts) not in (2, 3) or not all(parts) or (len(parts) == 3 and not parts[0].isdecimal()):
        raise ValueError(
            f"found --waive {text!r}; expected METRIC:UNTIL or CHECK:METRIC:UNTIL, as growth:2026-09-30. Cure: correct it."
        )
    *check, metric, until = parts
    return {"check": int(check[0]) if check else None, "metric": metric, "until": _day(until, "--waive")}


def _stated(interests: str, at: AtWork) -> str:
    """A note on conflicts of interest is the signer's own; it is never filled in for them."""
    if at.signs and not interests.strip():
        raise ValueError(
            "found no --interests; expected your note on conflicts of interest. Cure: say --interests none, or describe them."
        )
    return interests.strip() or "none"
