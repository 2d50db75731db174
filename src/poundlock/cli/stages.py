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
    As,
    Database,
    Json,
    Key,
    ProgrammeId,
    RegisterKey,
    Sign,
    Why,
    at_work,
    now,
    refusing,
    the_programme,
    to_read,
    told,
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
Day = Annotated[str, typer.Option(metavar="YYYY-MM-DD", show_default=False)]


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


@stage_app.command("open")
@refusing
def open_command(
    stage: Annotated[str, typer.Argument(metavar="STAGE", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    json: Json = False,
) -> None:
    """Open a run of a stage; it exposes nobody before it is checked, proposed and signed."""
    clerk = at_work(database, register_key, who, key)
    told(
        clerk.act("open", {"stage": stage}, the_programme(clerk.register, programme)), json, f"a run of {stage} is open"
    )


@stage_app.command("judge")
@refusing
def judge_command(
    result: Annotated[Path, typer.Argument(metavar="RESULT.json", help="Of poundlock run.", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="YYYY-MM-DD", help="Day that the evidence speaks of; today.")
    ] = "",
    json: Json = False,
) -> None:
    """Enter a verdict as a check. It may hold a run at once; it never promotes one."""
    from poundlock.desk.roll_out import entered

    clerk = at_work(database, register_key, who, key)
    clerk_programme = the_programme(clerk.register, programme)
    day = _day(as_of, "--as-of") or clerk.at.date()
    found = entered(result)
    odd = ", ".join(f"{f['metric']}: {f['kind']}" for f in found.findings if f["kind"] != "pass")
    told(clerk.judge(clerk_programme, run, found, day), json, f"a check as of {day}: {odd or 'every finding a pass'}")


@stage_app.command("propose")
@refusing
def propose_command(
    matter: Annotated[
        str,
        typer.Argument(
            metavar="MATTER",
            help="approve, reject, amend, adopt, wind-down (programme); start, pass, extend, finish, roll-back, resume, revise (run).",
            show_default=False,
        ),
    ],
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
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
    sign: Sign = False,
    json: Json = False,
) -> None:
    """Propose a decision and sign it; another person must approve it."""
    details: dict[str, Any] = {"why": why, "waivers": [_waiver(w) for w in waive or ()]}
    details |= {"decide_on": _day(decide_on, "--decide-on"), "ends": _day(ends, "--ends")}
    details["unwind"] = hashlib.sha256(unwind.read_bytes()).hexdigest() if unwind else ""
    clerk = at_work(database, register_key, who, key, dry=not sign)
    done = clerk.propose(
        the_programme(clerk.register, programme), decision, matter, run, details, _stated(interests, sign)
    )
    told(done, json, f"{who} proposes '{matter}'")


@stage_app.command("approve")
@refusing
def approve_command(
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    interests: Interests = "",
    sign: Sign = False,
    json: Json = False,
) -> None:
    """Sign a decision that somebody else proposed; the last signature that it needs puts it into effect."""
    from poundlock.register.telling import decision_words

    clerk = at_work(database, register_key, who, key, dry=not sign)
    done = clerk.approve(the_programme(clerk.register, programme), decision, _stated(interests, sign))
    proposals = done.before.proposals if done.before else ()
    asked = next((decision_words(x) for x in proposals if x.id == decision), "")
    told(done, json, f"{who} signs '{decision}' ({asked})")


@stage_app.command("retract")
@refusing
def retract_command(
    decision: Annotated[str, typer.Argument(metavar="DECISION", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    json: Json = False,
) -> None:
    """Take back a decision that you proposed."""
    clerk = at_work(database, register_key, who, key)
    told(
        clerk.act("retract", {"decision": decision}, the_programme(clerk.register, programme)),
        json,
        f"'{decision}' is retracted",
    )


@stage_app.command("hold")
@refusing
def hold_command(
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    sign: Sign = False,
    json: Json = False,
) -> None:
    """Hold a run at once: what institutions bear is frozen. Officers, approvers, duty officers and the risk function may, each alone."""
    clerk = at_work(database, register_key, who, key, dry=not sign)
    told(clerk.order(the_programme(clerk.register, programme), "hold", run, why), json, f"{who} holds the run")


@stage_app.command("resume")
@refusing
def resume_command(
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    decision: Decision = "",
    interests: Interests = "",
    waive: Waive = None,
    sign: Sign = False,
    json: Json = False,
) -> None:
    """Propose that a held run goes on; one more person must sign, and two more, one of the risk function, if it was held critical."""
    details = {"why": why, "waivers": [_waiver(w) for w in waive or ()]}
    clerk = at_work(database, register_key, who, key, dry=not sign)
    done = clerk.propose(
        the_programme(clerk.register, programme), decision, "resume", run, details, _stated(interests, sign)
    )
    told(done, json, f"{who} proposes that the run goes on")


@stage_app.command("rollback")
@refusing
def rollback_command(
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    decision: Decision = "",
    interests: Interests = "",
    sign: Sign = False,
    json: Json = False,
) -> None:
    """Roll a run back: a duty officer alone where it is held critical, otherwise a proposal that another person must sign."""
    clerk = at_work(database, register_key, who, key, dry=not sign)
    name = the_programme(clerk.register, programme)
    if clerk.rolls_back_alone(name, run):
        told(clerk.order(name, "roll-back", run, why), json, f"{who} rolls the run back")
        return
    done = clerk.propose(name, decision, "roll-back", run, {"why": why}, _stated(interests, sign))
    told(done, json, f"{who} proposes to roll the run back")


@stage_app.command("unwound")
@refusing
def unwound_command(
    evidence: Annotated[
        Path, typer.Argument(metavar="FILE", help="What shows that nothing is left.", show_default=False)
    ],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    json: Json = False,
) -> None:
    """Verify that a run is rolled back: nothing is left. The file is kept in the register."""
    clerk = at_work(database, register_key, who, key)
    content = evidence.read_bytes()
    name = the_programme(clerk.register, programme)
    body = {"run": clerk.run_id(name, run), "evidence": hashlib.sha256(content).hexdigest()}
    told(
        clerk.act("unwound", body, name, files=(content,)),
        json,
        f"{who} states that nothing is left ({evidence.name}, SHA-256 {body['evidence'][:12]}...)",
    )


@stage_app.command("cannot-unwind")
@refusing
def stuck_command(
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    json: Json = False,
) -> None:
    """Note that rolling back is stuck; a revised plan to unwind takes two people (propose revise)."""
    _of_run(database, register_key, who, key, programme, run, "cannot-unwind", why, json)


@stage_app.command("cancel")
@refusing
def cancel_command(
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Run = "",
    json: Json = False,
) -> None:
    """Cancel a run that did not start."""
    _of_run(database, register_key, who, key, programme, run, "cancel", why, json)


def _of_run(
    database: str,
    register_key: Path | None,
    who: str,
    key: Path,
    programme: str,
    run: str,
    act: str,
    why: str,
    json: bool,
) -> None:
    clerk = at_work(database, register_key, who, key)
    name = the_programme(clerk.register, programme)
    told(clerk.act(act, {"run": clerk.run_id(name, run), "why": why}, name), json, act)


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


def _stated(interests: str, sign: bool) -> str:
    """A note on conflicts of interest is the signer's own; it is never filled in for them."""
    if sign and not interests.strip():
        raise ValueError(
            "found no --interests; expected your note on conflicts of interest. Cure: say --interests none, or describe them."
        )
    return interests.strip() or "none"
