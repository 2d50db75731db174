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
    Database,
    Json,
    Key,
    ProgrammeId,
    RegisterKey,
    Why,
    at_work,
    key_beside,
    now,
    read_key,
    refusing,
    the_programme,
    to_read,
    told,
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


def _say(words: str) -> None:
    console_of_results().print(Text(words), soft_wrap=True)


@register_app.command("key")
@refusing
def key_command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A new file; only its owner may read it.", show_default=False)
    ],
    json: Json = False,
) -> None:
    """Make a key pair for a person. The file stays with them; the public key, which is printed, goes to the administrator."""
    from poundlock.rollout.signing import fingerprint, public_of

    public = public_of(write_key(file))
    if json:
        print_json({"public": public, "fingerprint": fingerprint(public)})
        return
    _say(f"Private key: {file} (keep it to yourself)\nPublic key:  {public}\nFingerprint: {fingerprint(public)}")


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
    if json:
        print_json({"name": register.name, "key": str(place), "public": public, "head": register.head().digest})
        return
    _say(f"Register {register.name} is founded; its key is {place}.")
    _say(f"Publish where everybody sees it: public key {public} (fingerprint {fingerprint(public)})")


@register_app.command("agency")
@refusing
def agency_command(
    agency: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    who: As,
    key: Key,
    mandate: Mandates = None,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Add an agency with its mandates, or change them. For the administrator."""
    clerk = at_work(database, register_key, who, key)
    told(clerk.act("add-agency", {"agency": agency, "mandates": mandate or []}), json, f"agency {agency}")


@register_app.command("enrol")
@refusing
def enrol_command(
    person: Annotated[
        str, typer.Argument(metavar="PERSON", help="A short name without personal data.", show_default=False)
    ],
    public: Annotated[str, typer.Option("--public", metavar="KEY", help="Their public key.", show_default=False)],
    agency: Agency,
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="officer, approver, duty officer, risk, auditor, administrator, machine or institution; may be given again.",
            show_default=False,
        ),
    ],
    who: As,
    key: Key,
    institution: Annotated[
        str,
        typer.Option("--institution", metavar="ID", help="Of somebody with the role institution.", show_default=False),
    ] = "",
    tie: Annotated[
        list[str] | None,
        typer.Option(
            "--tie", metavar="INSTITUTION", help="Where they have an interest; may be given again.", show_default=False
        ),
    ] = None,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Enrol somebody, or change their roles. For the administrator."""
    clerk = at_work(database, register_key, who, key)
    body = {
        "person": person,
        "agency": agency,
        "roles": role,
        "key": public,
        "institution": institution,
        "ties": tie or [],
    }
    told(clerk.act("enrol", body), json, f"{person} is enrolled")


@register_app.command("leave")
@refusing
def leave_command(
    person: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Note that somebody left: from today on they can do nothing. For the administrator."""
    told(at_work(database, register_key, who, key).act("leave", {"person": person}), json, f"{person} has left")


@register_app.command("delegate")
@refusing
def delegate_command(
    to: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
    role: Annotated[str, typer.Option("--role", help="A role of your own.", show_default=False)],
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="The last day.", show_default=False)],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Lend a role of yours to somebody of your agency, until a day."""
    clerk = at_work(database, register_key, who, key)
    told(clerk.act("delegate", {"to": to, "role": role, "until": until}), json, f"{to} may act as {role} until {until}")


@register_app.command("users")
@refusing
def users_command(database: Database = NEAR, json: Json = False) -> None:
    """List agencies, people, their roles and delegations."""
    from poundlock.register.clerk import people_of
    from poundlock.register.telling import plain
    from poundlock.rollout.machine.people import lenders
    from poundlock.rollout.signing import fingerprint

    people, day = people_of(to_read(database)), now().date()
    persons = [
        {
            "person": p.id,
            "agency": p.agency,
            "institution": p.institution,
            "roles": list(p.roles),
            "ties": list(p.ties),
            "fingerprint": fingerprint(p.key),
            "left": p.left.isoformat() if p.left else None,
        }
        for p in people.persons.values()
    ]
    lent = [
        {"by": d.by, "to": d.to, "role": d.role, "until": d.until.isoformat()}
        for d in people.delegations
        if d.by in lenders(people, d.to, d.role, day)
    ]
    agencies = [{"agency": a.id, "mandates": list(a.mandates)} for a in people.agencies.values()]
    if json:
        print_json({"agencies": agencies, "people": persons, "delegations": lent})
        return
    for a in agencies:
        _say(f"{a['agency']}: {', '.join(str(m) for m in a['mandates']) or 'no mandate'}")
    for p in persons:
        gone = f", left {p['left']}" if p["left"] else ""
        home, ties = p["institution"] or p["agency"], ", ".join(str(t) for t in p["ties"] or ())
        tied = f", with an interest in {ties}" if ties else ""
        said = f"{p['person']}: {', '.join(str(r) for r in p['roles'] or ())} of {home}{tied}, key {p['fingerprint']}{gone}"
        _say(f"  {plain(said)}")
    for d in lent:
        _say(f"  {d['to']} acts as {d['role']} for {d['by']} until {d['until']}")


@register_app.command("consent")
@refusing
def consent_command(
    who: As,
    key: Key,
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
    database: Database = NEAR,
    register_key: RegisterKey = None,
    programme: ProgrammeId = "",
    json: Json = False,
) -> None:
    """Join stages of a programme, or withdraw: an institution's own will, at any time. For institutions."""
    import hashlib

    if withdraw and stage:
        raise ValueError(
            "found --stage beside --withdraw; expected one of them. Cure: leave --stage out; withdrawing is from every stage."
        )
    clerk = at_work(database, register_key, who, key)
    name = the_programme(clerk.register, programme)
    if withdraw:
        told(clerk.act("withdraw-consent", {"why": withdraw}, name), json, "consent is withdrawn")
        return
    files = (document.read_bytes(),) if document else ()
    body: dict[str, Any] = {"stages": stage or []}
    if files:
        body["document"] = hashlib.sha256(files[0]).hexdigest()
    told(clerk.act("consent", body, name, files), json, f"consents to {', '.join(stage or [])}")


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
        _say(log_line(record))
        for move in moves:
            _say(f"       {move}")


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
        _say("\n".join(flaws) or f"{found.entries:,} entries: chain, payloads, rules, states and checkpoints agree.")
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
    _say(f"Checkpoint: {written}" if written else note)


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
    _say(f"Evidence pack: {made.path}, {made.members} files, {made.bytes:,} bytes\n  SHA-256 {made.sha256}")


@register_app.command("describe")
@refusing
def describe_command(
    about: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
    text: Annotated[
        str, typer.Argument(metavar="WORDS", help="E.g. a full name; it can be removed later.", show_default=False)
    ],
    who: As,
    key: Key,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Note personal data apart from everything that rules rest on. For the administrator."""
    clerk = at_work(database, register_key, who, key)
    told(clerk.act("describe", {"about": about, "text": text}), json, f"{about} is described")


@register_app.command("erase")
@refusing
def erase_command(
    number: Annotated[int, typer.Argument(metavar="ENTRY", min=1, show_default=False)],
    who: As,
    key: Key,
    why: Why,
    database: Database = NEAR,
    register_key: RegisterKey = None,
    json: Json = False,
) -> None:
    """Remove the personal data of an entry: its payload goes, its digest stays, and the removal is an entry itself."""
    clerk = at_work(database, register_key, who, key)
    entry = clerk.erase(number, why)
    if json:
        print_json({"ok": True, "entry": {"number": entry.number, "digest": entry.digest, "at": entry.at}})
        return
    _say(f"Entry {entry.number}: the payload of entry {number} is removed; the chain holds.")


@register_app.command("upgrade")
@refusing
def upgrade_command(database: Database = NEAR) -> None:
    """Bring the tables of a register that an older version made up to this one. Copy the database before."""
    from poundlock.register.store import upgrade

    upgrade(database)
    _say("The tables are those of this version.")


@register_app.command("writer")
@refusing
def writer_command(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Name of a PostgreSQL role.", show_default=False)],
    database: Database = NEAR,
) -> None:
    """Make a PostgreSQL role that may read and append, and can change or remove nothing that was entered."""
    from poundlock.register.clerk import opened

    opened(database).grant(role)
    _say(f"Role {role} may read and append.")
