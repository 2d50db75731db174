"""The commands about evidence packs: verify one, and run what it holds again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from poundlock.cli.screen import console_of_results, interrupted, print_json, progress, refuse, refuse_problems
from poundlock.problems import ProblemsFound

if TYPE_CHECKING:
    from poundlock.register.reproduce import Reproduced
    from poundlock.register.verify import Verified

EXIT_NOT_SO = 1
PackPath = Annotated[Path, typer.Argument(metavar="PACK.zip", help="The evidence pack.", show_default=False)]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the machine-readable form to standard output, and nothing else there.")
]
KnownKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY|FILE",
        help="Public key of the register in base64, or a file that holds it; from another source than the pack.",
        show_default=False,
    ),
]
KeptNotes = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="NOTE.txt",
        help="A signed checkpoint of the register that was kept elsewhere: shows that no entry was left out. May be repeated.",
        show_default=False,
    ),
]


def verify_command(
    pack: PackPath,
    key: KnownKey = None,
    checkpoint: KeptNotes = None,
    json: AsJson = False,
) -> None:
    """Verify an evidence pack: every byte, digest, link and signature. Needs no register and no network.

    Ends with 0 when the pack verifies, 1 when it does not (each finding with its place), 2 when it cannot be read or the call is wrong.

    Example: poundlock verify evidence.zip --key register.pub --checkpoint kept-in-march.txt
    """
    from poundlock.register.packing import verified

    try:
        notes = [path.read_text(encoding="utf-8") for path in checkpoint or ()]
        found = verified(pack, key=_key(key), checkpoints=notes)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or pack}: {error.strerror}. Cure: name a file that may be read.")
    except UnicodeDecodeError:
        refuse("A checkpoint is not UTF-8 text. Cure: name the signed note as it was given to you.")
    except ValueError as error:
        refuse(f"{pack}: {error}. Cure: name an evidence pack; a key is 32 bytes in base64.")
    if json:
        print_json(asdict(found))
    else:
        _print_verified(pack, found)
    if not found.ok:
        raise typer.Exit(EXIT_NOT_SO)


def reproduce_command(
    pack: PackPath,
    inputs: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the plan, where the pack leaves inputs out; their digests must be those of the pack.",
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
) -> None:
    """Run the plan of an evidence pack again, from its inputs alone, and compare the result to the byte.

    Ends with 0 when result.json comes out the same, 1 when it does not (with the values that differ), 2 when it cannot be run.

    Example: poundlock reproduce evidence.zip
    """
    try:
        found = _reproduced(pack, inputs, json)
    except ProblemsFound as none:
        refuse_problems(none, pack, json)
    except KeyboardInterrupt:
        interrupted()
    except OSError as error:
        refuse(f"{error.filename or pack}: {error.strerror}. Cure: name a file that may be read.")
    if json:
        print_json(asdict(found))
    else:
        _print_reproduced(pack, found)
    if not found.same:
        raise typer.Exit(EXIT_NOT_SO)


def _reproduced(pack: Path, inputs: Path | None, json: bool) -> Reproduced:
    from poundlock.register.opened import NotAPack
    from poundlock.register.reproduce import Unrepeatable, reproduce_pack

    try:
        return reproduce_pack(pack, inputs=inputs, watch=progress)
    except Unrepeatable as error:
        refuse(f"{pack}: {error}")
    except NotAPack as error:
        refuse(f"{pack}: {error}. Cure: name an evidence pack.")


def _key(given: str | None) -> str | None:
    """The key itself, or what stands in the file of this name."""
    try:
        if given is None or not Path(given).is_file():
            return given
    except OSError:  # too long for a path
        return given
    return Path(given).read_text(encoding="utf-8", errors="replace").strip()


def _print_verified(pack: Path, found: Verified) -> None:
    console = console_of_results()
    if found.ok:
        console.print(Text.assemble(("✓", "green"), f" {pack}: verified."), soft_wrap=True)
    else:
        count = len(found.findings)
        head = (f"✗ {count} {'finding' if count == 1 else 'findings'}", "bold red")
        console.print(Text.assemble(head, f" in {pack}; it does not verify."), soft_wrap=True)
    for broken in found.findings:
        console.print(Text.assemble("\n", (broken.where, "bold")), soft_wrap=True)
        console.print(Text(f"  found     {broken.found}\n  expected  {broken.expected}"), soft_wrap=True)
    if found.register:
        of = f"programme {found.programme} of {found.register}" if found.programme else found.register
        counted = f"{found.entries:,} entries, {found.signatures} signatures, {found.members} files"
        said = f"\n  {of}, made at {found.made_at}: {counted}\n  key {found.key_fingerprint}"
        console.print(Text(said), soft_wrap=True)
    _print_notes(console, found.notes)


def _print_reproduced(pack: Path, found: Reproduced) -> None:
    console = console_of_results()
    if found.same:
        console.print(Text.assemble(("✓", "green"), f" {pack}: result.json is the same to the byte."), soft_wrap=True)
    else:
        words = f"{found.count:,} values differ" if found.count else "the same values, written otherwise"
        largest = "" if found.largest is None else f", numbers by at most {found.largest:.1e} of the larger"
        console.print(Text.assemble(("✗ not the same", "bold red"), f": {words}{largest}."), soft_wrap=True)
    if found.differences:
        table = Table(show_header=True, header_style="dim", box=None, padding=(0, 1, 0, 0))
        for head in ("Where", "In the pack", "Now"):
            table.add_column(head, overflow="fold")
        for d in found.differences:
            table.add_row(Text(d.path), Text(str(d.packed)), Text(str(d.found)))
        console.print(table)
    if found.count > len(found.differences):
        console.print(Text(f"... and {found.count - len(found.differences):,} more"))
    _print_notes(console, found.notes)


def _print_notes(console: Console, notes: tuple[str, ...]) -> None:
    for note in notes:
        console.print(Text(f"Note: {note}", style="dim"), soft_wrap=True)
