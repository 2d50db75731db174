"""The commands about the people of a register: their keys, agencies, roles and delegations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from poundlock.cli.at_register import NEAR, AtWork, Database, Json, now, refusing, to_read, working, write_key
from poundlock.cli.registers import Agency, Mandates, register_app, say
from poundlock.cli.screen import print_json


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
    say(f"Private key: {file} (keep it to yourself)\nPublic key:  {public}\nFingerprint: {fingerprint(public)}")


@working(register_app, "agency", of_programme=False)
def agency_command(
    at: AtWork,
    agency: Annotated[str, typer.Argument(metavar="ID", show_default=False)],
    mandate: Mandates = None,
) -> None:
    """Add an agency with its mandates, or change them. For the administrator."""
    at.told(at.clerk.act("add-agency", {"agency": agency, "mandates": mandate or []}), f"agency {agency}")


@working(register_app, "enrol", of_programme=False)
def enrol_command(
    at: AtWork,
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
) -> None:
    """Enrol somebody, or change their roles. For the administrator."""
    body = {
        "person": person,
        "agency": agency,
        "roles": role,
        "key": public,
        "institution": institution,
        "ties": tie or [],
    }
    at.told(at.clerk.act("enrol", body), f"{person} is enrolled")


@working(register_app, "leave", of_programme=False)
def leave_command(
    at: AtWork,
    person: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
) -> None:
    """Note that somebody left: from today on they can do nothing. For the administrator."""
    at.told(at.clerk.act("leave", {"person": person}), f"{person} has left")


@working(register_app, "delegate", of_programme=False)
def delegate_command(
    at: AtWork,
    to: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
    role: Annotated[str, typer.Option("--role", help="A role of your own.", show_default=False)],
    until: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DD", help="The last day.", show_default=False)],
) -> None:
    """Lend a role of yours to somebody of your agency, until a day."""
    at.told(at.clerk.act("delegate", {"to": to, "role": role, "until": until}), f"{to} may act as {role} until {until}")


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
        say(f"{a['agency']}: {', '.join(str(m) for m in a['mandates']) or 'no mandate'}")
    for p in persons:
        gone = f", left {p['left']}" if p["left"] else ""
        home, ties = p["institution"] or p["agency"], ", ".join(str(t) for t in p["ties"] or ())
        tied = f", with an interest in {ties}" if ties else ""
        said = f"{p['person']}: {', '.join(str(r) for r in p['roles'] or ())} of {home}{tied}, key {p['fingerprint']}{gone}"
        say(f"  {plain(said)}")
    for d in lent:
        say(f"  {d['to']} acts as {d['role']} for {d['by']} until {d['until']}")


@working(register_app, "describe", of_programme=False)
def describe_command(
    at: AtWork,
    about: Annotated[str, typer.Argument(metavar="PERSON", show_default=False)],
    text: Annotated[
        str, typer.Argument(metavar="WORDS", help="E.g. a full name; it can be removed later.", show_default=False)
    ],
) -> None:
    """Note personal data apart from everything that rules rest on. For the administrator."""
    at.told(at.clerk.act("describe", {"about": about, "text": text}), f"{about} is described")
