"""The commands about the register itself: init, users, consent, log, checkpoint, pack, and what stands around them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from poundlock.cli.at_register import (
    EXIT_REFUSED,
    NEAR,
    As,
    AtWork,
    Database,
    Json,
    Key,
    ProgrammeId,
    RegisterKey,
    Why,
    key_beside,
    now,
    read_key,
    refusing,
    the_programme,
    to_read,
    working,
    write_key,
)
from poundlock.cli.screen import console_of_results, print_json

if TYPE_CHECKING:
    from poundlock.rollout.chain import Entry

register_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""The register: an append-only record of who did what, which nobody can change unseen.

Its address is a file (SQLite) or `postgresql://...`, by --database or POUNDLOCK_DATABASE_URL. Whoever writes says who they are (--as) and
proves it with their key (--key).
""",
)
Agency = Annotated[str, typer.Option("--agency", metavar="ID", help="Agency.", show_default=False)]
Mandates = Annotated[
    list[str] | None,
    typer.Option("--mandate", metavar="ID", help="What it signs for; may be given again.", show_default=False),
]


def say(words: str) -> None:
    """A line on the screen."""
    console_of_results().print(Text(words), soft_wrap=True)


@register_app.command("init")
@refusing
def init_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the register, one word.", show_default=False)],
    who: As,
    key: Key,
    agency: Agency,
    mandate: Mandates = None,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Found a register: its tables, its own key, one agency and its administrator.

    Example: poundlock register key ada.key; poundlock register init pilot --agency bureau --mandate innovation --as ada --key ada.key
    """
    from poundlock.register.clerk import founded
    from poundlock.rollout.signing import fingerprint, public_of

    own, place = read_key(key), key_beside(database, register_key)
    made = not place.exists()
    register_text = write_key(place) if made else read_key(place)
    try:
        register = founded(
            database,
            name=name,
            register_key=register_text,
            agency=agency,
            mandates=mandate or [],
            administrator=who,
            key=own,
            at=now(),
        )
    except BaseException:
        if made:
            place.unlink(missing_ok=True)
        raise
    public = public_of(register_text)
    beside = place.with_name(place.name.removesuffix(".key") + ".pub")
    beside.write_text(public + "\n", encoding="ascii")
    if json:
        print_json({"name": register.name, "key": str(place), "public": public, "head": register.head().digest})
        return
    say(f"Register {register.name} is founded; its key is {place}.")
    say(f"Publish where everybody sees it ({beside}): public key {public} (fingerprint {fingerprint(public)})")


@working(register_app, "consent")
def consent_command(
    at: AtWork,
    stage: Annotated[
        list[str] | None,
        typer.Option("--stage", metavar="ID", help="A stage to take part in; may be given again.", show_default=False),
    ] = None,
    withdraw: Annotated[
        str, typer.Option("--withdraw", metavar="WHY", help="Withdraw instead, with the reason.", show_default=False)
    ] = "",
    document: Annotated[
        Path | None,
        typer.Option("--document", metavar="FILE", help="What the institution signed; kept.", show_default=False),
    ] = None,
) -> None:
    """Join stages of a programme, or withdraw: an institution's own will, at any time. For institutions."""
    import hashlib

    if withdraw and stage:
        raise ValueError(
            "found --stage beside --withdraw; expected one of them. Cure: leave --stage out; withdrawing is from every stage."
        )
    if withdraw:
        at.act("withdraw-consent", {"why": withdraw}, "consent is withdrawn")
        return
    files = (document.read_bytes(),) if document else ()
    body: dict[str, Any] = {"stages": stage or []}
    if files:
        body["document"] = hashlib.sha256(files[0]).hexdigest()
    at.act("consent", body, f"consents to {', '.join(stage or [])}", files)


@register_app.command("log")
@refusing
def log_command(
    database: Database = NEAR,
    first: Annotated[int, typer.Option("--from", min=1, metavar="N", help="First entry.")] = 1,
    programme: ProgrammeId = "",
    act: Annotated[
        str, typer.Option("--act", metavar="NAME", help="Only entries of this act.", show_default=False)
    ] = "",
    json: Json = False,
) -> None:
    """Print the entries: who did what, when, in which role, and what moved because of it. With --json one entry a line, with payload and digests."""
    import sys
    from dataclasses import asdict
    from json import dumps, loads

    from poundlock.register.acts import ERASED
    from poundlock.register.clerk import shown
    from poundlock.register.telling import log, log_line
    from poundlock.rollout.machine.acts import ACTS
    from poundlock.rollout.machine.book import object_of

    def wanted(entry: Entry) -> bool:
        return entry.number >= first and entry.act == (act or entry.act) and entry.object == (about or entry.object)

    register, about = to_read(database), object_of(programme) if programme else ""
    if programme:
        shown(register, programme, now())
    if act and act not in (*ACTS, ERASED):
        raise ValueError(f"found --act {act!r}; expected one of {', '.join((*ACTS, ERASED))}. Cure: correct it.")
    for record, moves in log(register.records()):
        entry, text, salt = record
        if not wanted(entry):
            continue
        if json:
            body = loads(text) if text is not None else None
            values = asdict(entry) | {"salt": salt, "body": body, "moves": moves}
            sys.stdout.write(dumps(values, ensure_ascii=False) + "\n")
            continue
        say(log_line(record))
        for move in moves:
            say(f"       {move}")


@register_app.command("check")
@refusing
def check_command(
    database: Database = NEAR,
    held: Annotated[
        list[Path] | None,
        typer.Option(
            "--held", metavar="FILE", help="A checkpoint kept elsewhere; may be given again.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Replay every entry by the rules: chain, payloads, signatures, states and checkpoints. Exit 1 where anything is wrong."""
    register = to_read(database)
    found = register.check([path.read_text(encoding="utf-8", errors="replace") for path in held or ()])
    flaws = [str(found.flaw)] if found.flaw else []
    flaws += [
        f"guard {name} is absent or was changed: the register is open to changes from now on"
        for name in found.unguarded
    ]
    if json:
        print_json({"ok": not flaws, "entries": found.entries, "flaws": flaws})
    else:
        say("\n".join(flaws) or f"{found.entries:,} entries: chain, payloads, rules, states and checkpoints agree.")
    if flaws:
        raise typer.Exit(EXIT_REFUSED)


@register_app.command("checkpoint")
@refusing
def checkpoint_command(
    database: Database = NEAR,
    register_key: RegisterKey = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to", metavar="DIR", help="Folder that the database's administrator cannot change.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Sign what stands, and write it out. Keep it elsewhere: it is what shows later that nothing before it was changed."""
    from poundlock.figures.files import write_whole
    from poundlock.register.clerk import opened

    register = opened(database, read_key(key_beside(database, register_key)))
    note, head = register.checkpoint(at=now()), register.head()
    written = write_whole(to, {f"{register.name}-{head.number:09}.txt": note})[0] if to else None
    if json:
        print_json({"entries": head.number, "note": note, "file": str(written) if written else None})
        return
    say(f"Checkpoint: {written}" if written else note)


@register_app.command("pack")
@refusing
def pack_command(
    to: Annotated[Path, typer.Argument(metavar="PACK.zip", help="A new file.", show_default=False)],
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    run: Annotated[
        Path | None,
        typer.Option(
            "--run", metavar="DIR", help="Folder with result.json and report.html of a run.", show_default=False
        ),
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option("--plan", metavar="PLAN.yaml", help="The plan of that run; its inputs go in.", show_default=False),
    ] = None,
    without_inputs: Annotated[
        bool, typer.Option("--without-inputs", help="Leave the inputs out; their digests stand.")
    ] = False,
    licence: Annotated[str, typer.Option("--licence", help="Terms under which the pack may be used.")] = "",
    json: Json = False,
) -> None:
    """Write an evidence pack of a programme: inputs, outputs, every entry, checkpoints, decisions. `poundlock verify` needs nothing else.

    Example: poundlock register pack evidence.zip --run report --plan my-plan/plan.yaml
    """
    from poundlock.register.clerk import opened
    from poundlock.register.packing import pack_of

    key = read_key(key_beside(database, register_key))
    register = opened(database, key)
    name = the_programme(register, programme)
    made = pack_of(
        register, key, name, to, at=now(), run=run, plan=plan, with_inputs=not without_inputs, licence=licence
    )
    if json:
        print_json({"file": str(made.path), "sha256": made.sha256, "files": made.members, "bytes": made.bytes})
        return
    say(f"Evidence pack: {made.path}, {made.members} files, {made.bytes:,} bytes\n  SHA-256 {made.sha256}")


@working(register_app, "erase", of_programme=False)
def erase_command(
    at: AtWork,
    number: Annotated[int, typer.Argument(metavar="ENTRY", min=1, show_default=False)],
    why: Why,
) -> None:
    """Remove the personal data of an entry: its payload goes, its digest stays, and the removal is an entry itself."""
    from poundlock.register.clerk import Done

    done = Done(at.clerk.erase(number, why), None, None)
    at.told(done, f"the payload of entry {number} is removed; the chain holds")


@register_app.command("upgrade")
@refusing
def upgrade_command(database: Database = NEAR) -> None:
    """Bring the tables of a register that an older version made up to this one. Copy the database before."""
    from poundlock.register.store import upgrade

    upgrade(database)
    say("The tables are those of this version.")


@register_app.command("writer")
@refusing
def writer_command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Name of a PostgreSQL role.", show_default=False)],
    database: Database = NEAR,
) -> None:
    """Make a PostgreSQL role that may read and append, and can change or remove nothing that was entered."""
    from poundlock.register.clerk import opened

    opened(database).grant(role)
    say(f"Role {role} may read and append.")
