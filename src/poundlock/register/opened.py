"""An evidence pack from outside, opened with distrust: its members, whether every byte is as it was made, and whether the manifest tells of all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from poundlock.register.members import MANIFEST, REQUIRED, SIGNATURE, Manifest, manifest_of
from poundlock.register.plain_zip import (
    LARGEST_ZIP,
    Broken,
    Compared,
    Member,
    by_directory,
    by_headers,
    compared,
    content,
    out_of_order,
)

LARGEST_WHOLE: Final = 256 << 20
"""Bytes of a member that is read at once; entries and payloads are read line by line."""
_SAID: Final = re.compile(r"found (.*); expected (.*)", re.DOTALL)
Members = tuple[Member, ...]


class NotAPack(ValueError):  # noqa: N818 - it says what the file is
    """The file is no zip at all, or larger than any pack."""


@dataclass(frozen=True)
class OpenPack:
    """A pack as it was found. members: by name. manifest: None where it cannot be trusted or read. sha256: of every member as it is.
    broken: what is not as it should be."""

    stream: BinaryIO = field(repr=False)
    members: Mapping[str, Member] = field(repr=False)
    manifest: Manifest | None
    sha256: Mapping[str, str] = field(repr=False)
    broken: tuple[Broken, ...]

    def chunks(self, name: str) -> Iterator[bytes]:
        """Content of a member; nothing where there is none."""
        return content(self.stream, self.members[name]) if name in self.members else iter(())

    def read(self, name: str) -> bytes:
        """The same at once. Raises ValueError for one that is missing or too large for that."""
        if name not in self.members:
            raise ValueError("found no such file; expected one")
        if self.members[name].size > LARGEST_WHOLE:
            raise ValueError(f"found {self.members[name].size:,} bytes; expected at most {LARGEST_WHOLE:,}")
        return b"".join(self.chunks(name))


def broken_by(where: str, error: ValueError) -> Broken:
    """What an error says of a place, in its two parts."""
    said = _SAID.fullmatch(str(error))
    return Broken(where, said[1], said[2]) if said else Broken(where, str(error), "another content")


def opened(stream: BinaryIO) -> OpenPack:
    """Read headers, directory and manifest, and compare every byte with what they make. Raises NotAPack for a file that is none."""
    size = stream.seek(0, os.SEEK_END)
    if size > LARGEST_ZIP:
        raise NotAPack(f"found {size:,} bytes; expected an evidence pack of at most {LARGEST_ZIP:,}")
    found = (by_headers(stream, size), by_directory(stream, size))
    layouts = [layout for layout in found if not isinstance(layout, Broken)]
    if not layouts:
        stream.seek(0)
        if stream.read(4) != b"PK\3\4":
            raise NotAPack("found no zip; expected an evidence pack that `poundlock` wrote")
        return OpenPack(stream, {}, None, {}, tuple(part for part in found if isinstance(part, Broken)))
    members = next((layout for layout in layouts if _is_as_listed(stream, layout)), layouts[0])
    disorder = out_of_order(members)
    held = compared(stream, size, members)
    pack = OpenPack(stream, {m.name: m for m in members}, None, held.sha256, ())
    manifest, broken = _against_manifest(pack, held)
    return OpenPack(
        stream, pack.members, manifest, held.sha256, (*((disorder,) if disorder else ()), *held.broken, *broken)
    )


def _is_as_listed(stream: BinaryIO, members: Members) -> bool:
    """Whether the manifest lists just these members: a name or a size that was changed in one place stands right in another."""
    pack = OpenPack(stream, {m.name: m for m in members}, None, {}, ())
    try:
        listed = {f.name: f.bytes for f in manifest_of(pack.read(MANIFEST)).files}
    except ValueError:
        return False
    return (
        listed == {m.name: m.size for m in members if m.name not in (MANIFEST, SIGNATURE)} and SIGNATURE in pack.members
    )


def _against_manifest(pack: OpenPack, held: Compared) -> tuple[Manifest | None, list[Broken]]:
    broken = [
        Broken(f"'{name}'", "no such file", "this file of a pack")
        for name in (MANIFEST, SIGNATURE, *REQUIRED)
        if name not in pack.members
    ]
    if MANIFEST in held.torn or MANIFEST not in pack.members:  # then it may be wrong about the others
        return None, [*held.torn.values(), *broken]
    try:
        manifest = manifest_of(pack.read(MANIFEST))
    except ValueError as error:
        return None, [*held.torn.values(), broken_by(f"'{MANIFEST}'", error), *broken]
    listed = {f.name: f for f in manifest.files}
    for name, f in listed.items():
        if name not in pack.members:
            broken.append(Broken(f"'{name}'", "no such file", f"one of {f.bytes:,} bytes, as {MANIFEST} lists it"))
        elif f.sha256 != held.sha256[name]:
            found = f"{pack.members[name].size:,} bytes with SHA-256 {held.sha256[name]}"
            broken.append(
                Broken(f"'{name}'", found, f"{f.bytes:,} bytes with SHA-256 {f.sha256}, as {MANIFEST} lists it")
            )
    for name in pack.members:
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            broken.append(Broken(f"'{name}'", f"a file that {MANIFEST} does not list", "no such file"))
    torn = [one for name, one in held.torn.items() if name not in listed]
    return manifest, [*torn, *broken]
