"""What the commands on a register share: its address, who acts with which key, refusals, and what came of an act."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.text import Text

from poundlock.cli.screen import console_of_results, interrupted, print_json, refuse, refuse_problems
from poundlock.problems import ProblemsFound

if TYPE_CHECKING:
    from poundlock.register.clerk import Clerk, Done
    from poundlock.register.store import Register

EXIT_REFUSED = 1
NEAR = "register.sqlite3"
Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="POUNDLOCK_DATABASE_URL",
        metavar="URL",
        help="The register: a file, sqlite:///FILE or postgresql://USER@HOST/NAME.",
    ),
]
RegisterKey = Annotated[
    Path | None,
    typer.Option(
        "--register-key",
        envvar="POUNDLOCK_REGISTER_KEY",
        metavar="FILE",
        help="The register's own key, which signs checkpoints; a file's is beside it, with .key added.",
        show_default=False,
    ),
]
As = Annotated[
    str, typer.Option("--as", envvar="POUNDLOCK_PERSON", metavar="PERSON", help="Who acts.", show_default=False)
]
Key = Annotated[
    Path,
    typer.Option(
        "--key", envvar="POUNDLOCK_KEY", metavar="FILE", help="That person's private key.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the machine-readable form to standard output.")]
Sign = Annotated[bool, typer.Option("--sign", help="Sign and do it. Without this, only what would happen is said.")]
Why = Annotated[str, typer.Option("--why", metavar="WORDS", help="The reason, for the record.", show_default=False)]
ProgrammeId = Annotated[
    str,
    typer.Option(
        "--programme", "-p", metavar="ID", help="Which programme; needed where there are several.", show_default=False
    ),
]
F = TypeVar("F", bound=Callable[..., Any])


def refusing(command: F) -> F:
    """Refusals and faults of the storage as one clear sentence and an exit status, in words or as JSON."""

    @functools.wraps(command)
    def guarded(*args: Any, **options: Any) -> Any:
        from poundlock.register.acts import Conflict, Unavailable
        from poundlock.rollout.refusal import Refused

        json = bool(options.get("json"))
        try:
            return command(*args, **options)
        except (Refused, Conflict) as no:
            _told(str(no), json, "refused")
            raise typer.Exit(EXIT_REFUSED) from None
        except ProblemsFound as found:
            refuse_problems(found, "what was given", json)
        except (ValueError, Unavailable) as mistake:
            _told(str(mistake), json, "mistake")
            raise typer.Exit(2) from None
        except OSError as error:
            refuse(f"{error.filename}: {error.strerror}. Cure: correct the path.")
        except KeyboardInterrupt:
            interrupted()

    return guarded  # type: ignore[return-value]


def _told(message: str, json: bool, what: str) -> None:
    if json:
        print_json({"ok": False, what: message})
    Console(stderr=True, highlight=False).print(Text(message), soft_wrap=True)


def now() -> datetime:
    """The real clock: read on this floor alone."""
    return datetime.now(UTC)


def read_key(path: Path) -> str:
    """A private key. Raises ValueError, OSError."""
    from poundlock.rollout.signing import public_of

    text = path.read_text(encoding="ascii", errors="replace")
    try:
        public_of(text)
    except ValueError as mistake:
        raise ValueError(f"{path}: {mistake}") from None
    return text


def write_key(path: Path) -> str:
    """A new private key in a file that only its owner may read; the text. Raises OSError where there is one."""
    from poundlock.rollout.signing import new_key

    text = new_key()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ValueError(
            f"found {path}, which is there already; expected no file. Cure: choose another name."
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return text


def key_beside(database: str, register_key: Path | None) -> Path:
    """Where the register's own key is. Raises ValueError where nothing says so."""
    if register_key is not None:
        return register_key
    if database.startswith(("postgres://", "postgresql://")):
        raise ValueError("found no --register-key; expected one with PostgreSQL. Cure: name the key's file.")
    return Path(f"{database.removeprefix('sqlite:///')}.key")


def to_read(database: str) -> Register:
    """The register, to look at."""
    from poundlock.register.clerk import opened

    return opened(database)


@dataclass(frozen=True)
class AtWork:
    """What a command that writes is given. clerk: who works, with their key. asked: the programme that was named, if one was. json: how to
    tell what came of it."""

    clerk: Clerk
    asked: str
    json: bool

    @cached_property
    def programme(self) -> str:
        """The programme that is meant. Raises Refused."""
        return the_programme(self.clerk.register, self.asked)

    @property
    def signs(self) -> bool:
        """Whether it is done, and not only tried."""
        return not self.clerk.dry

    def act(self, name: str, body: dict[str, Any], said: str, files: tuple[bytes, ...] = ()) -> None:
        """One act on the programme, and what came of it."""
        self.told(self.clerk.act(name, body, self.programme, files), said)

    def told(self, done: Done, said: str) -> None:
        """What came of an act: its entry, and how programme and runs moved."""
        _tell(done, self.json, said)


def working(
    app: typer.Typer, name: str, *, tried: bool = False, of_programme: bool = True, help: str | None = None
) -> Callable[[Callable[..., None]], None]:
    """Register a command that writes. It is given an `AtWork` and its own options; those that every such command has are added here, so that
    they are the same everywhere. tried: it is only tried without --sign. of_programme: it has the option --programme."""

    def made(command: Callable[..., None]) -> None:
        def called(*, who: str, key: Path, database: str, register_key: Path | None, json: bool, **own: Any) -> None:
            dry = tried and not own.pop("sign")
            register = opened_with(database, register_key)
            clerk = clerk_of(register, who, key, dry)
            command(AtWork(clerk, own.pop("programme", ""), json), **own)

        shared: dict[str, tuple[Any, Any]] = {
            "who": (As, Parameter.empty),
            "key": (Key, Parameter.empty),
            "database": (Database, NEAR),
            "register_key": (RegisterKey, None),
        }
        if of_programme:
            shared["programme"] = (ProgrammeId, "")
        if tried:
            shared["sign"] = (Sign, False)
        shared["json"] = (Json, False)
        _, *mine = signature(command, eval_str=True).parameters.values()
        given = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in mine]
        given += [Parameter(n, Parameter.KEYWORD_ONLY, annotation=a, default=d) for n, (a, d) in shared.items()]
        called.__doc__, called.__annotations__ = command.__doc__, {p.name: p.annotation for p in given}
        called.__signature__ = Signature(given)  # type: ignore[attr-defined]
        app.command(name, help=help)(refusing(called))

    return made


def opened_with(database: str, register_key: Path | None) -> Register:
    """The register, to write to it."""
    from poundlock.register.clerk import opened

    return opened(database, read_key(key_beside(database, register_key)))


def clerk_of(register: Register, who: str, key: Path, dry: bool = False) -> Clerk:
    """Somebody at work in the register."""
    from poundlock.register.clerk import Clerk

    return Clerk(register, who, read_key(key), now(), dry)


def the_programme(register: Register, id: str) -> str:
    """The programme that is meant. Raises Refused."""
    from poundlock.register.clerk import programmes
    from poundlock.rollout.refusal import Refused

    if id:
        return id
    known = programmes(register)
    if len(known) != 1:
        raise Refused(
            f"refused: there are {len(known)} programmes ({', '.join(known) or 'none'}); name one with --programme"
        )
    return known[0]


def _tell(done: Done, json: bool, what: str) -> None:
    moves = moves_of(done)
    if json:
        entry = done.entry
        print_json(
            {
                "ok": True,
                "written": entry is not None,
                "entry": {"number": entry.number, "digest": entry.digest, "at": entry.at} if entry else None,
                "waiting": done.waiting,
                "moves": [{"what": w, "before": b, "after": a} for w, b, a in moves],
            }
        )
        return
    console = console_of_results()
    if done.entry is None:
        console.print(Text(f"Not written (dry run): {what}."), soft_wrap=True)
    else:
        console.print(Text(f"Entry {done.entry.number}: {what}."), soft_wrap=True)
    if done.waiting:
        console.print(Text(f"  {done.waiting}"), soft_wrap=True)
    for name, before, after in moves:
        console.print(Text(f"  {name}: {before} -> {after}"), soft_wrap=True)
    if done.entry is None:
        console.print(Text("  Nothing was changed. The same command with --sign signs it and does it."), soft_wrap=True)


def moves_of(done: Done) -> list[tuple[str, str, str]]:
    """Programme and runs whose state is another than before."""
    if done.before is None or done.after is None:
        return []
    old = {r.id: r.state for r in done.before.runs}
    moves: list[tuple[str, str, str]] = []
    if done.before.life != done.after.life:
        moves.append((f"programme {done.after.id}", done.before.life, done.after.life))
    moves += [(f"run {r.id}", old.get(r.id, "-"), r.state) for r in done.after.runs if old.get(r.id) != r.state]
    return moves
