"""The commands about the people of a register: their keys, agencies, roles and delegations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from poundlock.cli.at_register import (
    NEAR,
    As,
    Database,
    Json,
    Key,
    RegisterKey,
    at_work,
    now,
    refusing,
    to_read,
    told,
    write_key,
)
from poundlock.cli.screen import print_json

if TYPE_CHECKING:
    pass


from poundlock.cli.registers import Agency, Mandates, register_app, say


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
        say(f"{a['agency']}: {', '.join(str(m) for m in a['mandates']) or 'no mandate'}")
    for p in persons:
        gone = f", left {p['left']}" if p["left"] else ""
        home, ties = p["institution"] or p["agency"], ", ".join(str(t) for t in p["ties"] or ())
        tied = f", with an interest in {ties}" if ties else ""
        said = f"{p['person']}: {', '.join(str(r) for r in p['roles'] or ())} of {home}{tied}, key {p['fingerprint']}{gone}"
        say(f"  {plain(said)}")
    for d in lent:
        say(f"  {d['to']} acts as {d['role']} for {d['by']} until {d['until']}")


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
