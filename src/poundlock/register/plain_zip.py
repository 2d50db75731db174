"""Zip files with one form: members in order of their names, stored as they are, every other byte fixed, so that equal contents make equal bytes.

The standard library writes such files a little differently from version to version, and reads past bytes that it does not need; here every
byte is made anew from the members and compared.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import BinaryIO, Final
from zlib import crc32

LARGEST_ZIP: Final = 2**32 - 1
"""Bytes; beyond them the format needs extra fields."""
MOST_MEMBERS: Final = 10_000
LONGEST_NAME: Final = 500
CHUNK: Final = 1 << 18

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_DIRECTORY: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LOCAL_FIELDS: Final = (
    *(("signature", 4), ("version", 2), ("flags", 2), ("compression method", 2), ("time", 2), ("date", 2)),
    *(("CRC-32", 4), ("compressed size", 4), ("size", 4), ("length of the name", 2), ("length of extra fields", 2)),
)
_VERSION, _MADE_BY, _UTF8, _STORED, _TIME, _DATE = 20, 3 << 8 | 20, 0x0800, 0, 0, 1 << 5 | 1  # 1980-01-01, 0 o'clock
_MODE: Final = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that is not as it should be. where: member, entry or bytes. found, expected: in words, without a full stop."""

    where: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.where}: found {self.found}; expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the zip tells of it. size: bytes. crc: CRC-32 of its content. offset: where its header begins."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def start(self) -> int:
        """Where its content begins."""
        return self.offset + _LOCAL.size + len(self.name.encode())

    @property
    def end(self) -> int:
        """Where its content ends."""
        return self.start + self.size


@dataclass(frozen=True, slots=True)
class Compared:
    """A zip held against what its members make. broken: headers and directory. torn: members whose content is not what both tell of.
    sha256: of each member's content, hexadecimal."""

    broken: tuple[Broken, ...]
    torn: dict[str, Broken]
    sha256: dict[str, str]


def unsafe(name: str) -> str:
    """Why no member may have this name, or nothing."""
    parts = name.split("/")
    if not name or len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        return f"a name of {len(name)} characters"
    if any(part in ("", ".", "..") for part in parts):
        return "a name that leaves its folder, or with an empty part"
    if not name.isprintable() or any(c in name for c in '\\:*?"<>|') or any(part[-1] in ". " for part in parts):
        return "a name with characters that other systems refuse"
    return ""


def clashes(names: Iterable[str]) -> str | None:
    """The first name that stands twice (capital or small), or that is also the folder of another; None if there is none."""
    seen: set[str] = set()
    folders: set[str] = set()
    for name in names:
        parts = name.casefold().split("/")
        above = set(accumulate(parts[:-1], lambda a, b: f"{a}/{b}"))
        if "/".join(parts) in seen | folders or above & seen:
            return name
        seen.add("/".join(parts))
        folders |= above
    return None


def written(out: BinaryIO, members: Iterable[tuple[str, int, int, Iterable[bytes]]]) -> tuple[Member, ...]:
    """Write a whole zip. members: name, size, CRC-32 and content of each, in order of names. Raises ValueError where a content is not what was told of it."""
    done: list[Member] = []
    offset = 0
    for name, size, crc, content in members:
        member = Member(name, size, crc, offset)
        out.write(_local(member))
        found, length = 0, 0
        for chunk in content:
            found, length = crc32(chunk, found), length + len(chunk)
            out.write(chunk)
        if (found, length) != (crc, size):
            raise ValueError(f"{name} changed while it was packed. Cure: pack again when nobody writes to it")
        done.append(member)
        offset = member.end
    out.write(_tail(done))
    return tuple(done)


def total_size(named_sizes: Iterable[tuple[str, int]]) -> int:
    """Bytes of the zip that members of these names and sizes make."""
    return _END.size + sum(size + _LOCAL.size + _DIRECTORY.size + 2 * len(name.encode()) for name, size in named_sizes)


def content(stream: BinaryIO, member: Member) -> Iterator[bytes]:
    """The bytes of a member, chunk by chunk."""
    at, left = member.start, member.size
    while left:
        stream.seek(at)
        chunk = stream.read(min(CHUNK, left))
        if not chunk:
            return
        at, left = at + len(chunk), left - len(chunk)
        yield chunk


def by_headers(stream: BinaryIO, size: int) -> tuple[Member, ...] | Broken:
    """The members as their headers tell, one behind the other; or why that cannot be followed."""
    members: list[Member] = []
    at = 0
    while True:
        stream.seek(at)
        head = stream.read(_LOCAL.size)
        if head[:4] == b"PK\1\2" or at == size:
            return tuple(members) if members else Broken("the zip", "no members", "those of a pack")
        if len(members) == MOST_MEMBERS:
            return Broken(f"byte {at:,} of the zip", f"more than {MOST_MEMBERS:,} members", "fewer")
        member = _headed(stream, head, at, size)
        if isinstance(member, Broken):
            return member
        members.append(member)
        at = member.end


def _headed(stream: BinaryIO, head: bytes, at: int, size: int) -> Member | Broken:
    where = f"byte {at:,} of the zip"
    if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
        return Broken(where, head[:4].hex() or "nothing", "the header of a member, or the directory of the zip")
    _, _, _, method, _, _, crc, packed, plain, length, extra = _LOCAL.unpack(head)
    name = _name(stream.read(length))
    if isinstance(name, Broken):
        return Broken(where, name.found, name.expected)
    where = f"header of '{name}', byte {at:,}"
    if method != _STORED or packed != plain:
        said = f"compression method {method}, {packed:,} bytes for {plain:,}"
        return Broken(where, said, "content stored as it is (method 0)")
    if extra:
        return Broken(where, f"{extra} bytes of extra fields", "none")
    member = Member(name, plain, crc, at)
    if member.end > size:
        return Broken(
            where, f"a content up to byte {member.end:,}", f"one within the file, which ends at byte {size:,}"
        )
    return member


def by_directory(stream: BinaryIO, size: int) -> tuple[Member, ...] | Broken:
    """The members as the directory at the end tells; or why that cannot be followed."""
    where = "directory of the zip"
    if size < _END.size:
        return Broken(where, f"a file of {size} bytes", "a zip")
    stream.seek(size - _END.size)
    *_, count, length, start, _ = _END.unpack(stream.read(_END.size))
    if count > MOST_MEMBERS or start + length != size - _END.size or length > count * (_DIRECTORY.size + LONGEST_NAME):
        said = f"an end that tells of {count:,} members and {length:,} bytes from byte {start:,}"
        return Broken(where, said, f"an end that fits a file of {size:,} bytes")
    stream.seek(start)
    members = _recorded(stream.read(length), count)
    if not isinstance(members, Broken) and members[-1].end != start:
        return Broken(where, f"members up to byte {members[-1].end:,}", f"members up to byte {start:,}")
    return members


def _recorded(records: bytes, count: int) -> tuple[Member, ...] | Broken:
    where, at = "directory of the zip", 0
    members: list[Member] = []
    while at + _DIRECTORY.size <= len(records):
        *_, crc, packed, _, named, extra, comment, _, _, _, offset = _DIRECTORY.unpack_from(records, at)
        name = _name(records[at + _DIRECTORY.size : at + _DIRECTORY.size + named])
        if isinstance(name, Broken):
            return Broken(where, name.found, name.expected)
        if offset != (members[-1].end if members else 0):
            said = f"'{name}' at byte {offset:,}"
            return Broken(where, said, "each member where the one before ends, without extra fields between")
        members.append(Member(name, packed, crc, offset))
        at += _DIRECTORY.size + named + extra + comment
    if at != len(records) or len(members) != count or not members:
        return Broken(where, f"{len(members)} members in {len(records):,} bytes", f"{count} members")
    return tuple(members)


def out_of_order(members: tuple[Member, ...]) -> Broken | None:
    """The first member that does not stand in order of names, or may not stand beside the others."""
    for before, after in pairwise(members):
        if after.name <= before.name:
            return Broken(
                f"'{after.name}', byte {after.offset:,}", f"it after '{before.name}'", "each name once, in order"
            )
    name = clashes(m.name for m in members)
    return (
        Broken(f"'{name}'", "a name that is also a folder, or differs by capitals only", "names for any system")
        if name
        else None
    )


def compared(stream: BinaryIO, size: int, members: tuple[Member, ...]) -> Compared:
    """Make headers and directory anew from names and contents, and compare them with the file byte by byte."""
    stream.seek(members[-1].end)
    told = _told_by(stream.read(len(_tail(members))), members)
    broken: list[Broken] = []
    torn: dict[str, Broken] = {}
    digests: dict[str, str] = {}
    made: list[Member] = []
    for member, there in zip(members, told, strict=True):
        stream.seek(member.offset)
        head = stream.read(member.start - member.offset)
        here = int.from_bytes(head[14:18], "little")
        crc, digest = 0, hashlib.sha256()
        for chunk in content(stream, member):
            crc = crc32(chunk, crc)
            digest.update(chunk)
        digests[member.name] = digest.hexdigest()
        if crc not in (here, there):
            torn[member.name] = Broken(f"'{member.name}'", f"content of CRC-32 {crc:08x}", f"{here:08x}")
            crc = here
        made.append(Member(member.name, member.size, crc, member.offset))
        broken.extend(_header_differences(member, head, _local(made[-1])))
    broken.extend(_tail_differences(stream, size, made))
    return Compared(tuple(broken), torn, digests)


def _header_differences(member: Member, found: bytes, expected: bytes) -> Iterator[Broken]:
    """Every field of a header that is not as it should be, in one finding."""
    difference = _first_difference(found, expected)
    if difference is None:
        return
    values: list[tuple[str, int, int]] = []
    at = 0
    for name, width in (*_LOCAL_FIELDS, ("name", len(expected) - _LOCAL.size)):
        one, other = (int.from_bytes(side[at : at + width], "little") for side in (found, expected))
        values.extend([(name, one, other)] if one != other else [])
        at += width
    told = [", ".join(f"{name} 0x{v[k]:x}" for name, *v in values) for k in (0, 1)]
    yield Broken(f"header of '{member.name}', byte {member.offset + difference[0]:,}", *told)


def _tail_differences(stream: BinaryIO, size: int, members: list[Member]) -> Iterator[Broken]:
    start, tail = members[-1].end, _tail(members)
    stream.seek(start)
    if size > start + len(tail):
        surplus = size - start - len(tail)
        yield Broken(f"directory of the zip, byte {start + len(tail):,}", f"{surplus:,} bytes after the end", "none")
    if difference := _first_difference(stream.read(len(tail)), tail):
        at, record = 0, "end"
        for member in members:
            at += _DIRECTORY.size + len(member.name.encode())
            if difference[0] < at:
                record = f"record of '{member.name}'"
                break
        yield Broken(f"directory of the zip, {record}, byte {start + difference[0]:,}", *difference[1:])


def _first_difference(found: bytes, expected: bytes) -> tuple[int, str, str] | None:
    if found == expected:
        return None
    at = next(
        (k for k, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), min(len(found), len(expected))
    )
    return at, found[at : at + 1].hex() or "the end of the file", expected[at : at + 1].hex() or "the end"


def _name(raw: bytes) -> str | Broken:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return Broken("", "a name that is not UTF-8", "UTF-8")
    why = unsafe(name)
    return Broken("", f"{why}: {name[:80]!r}", "a name within the pack, such as outputs/result.json") if why else name


def _local(m: Member) -> bytes:
    name = m.name.encode()
    fixed = (b"PK\3\4", _VERSION, _UTF8, _STORED, _TIME, _DATE)
    return _LOCAL.pack(*fixed, m.crc, m.size, m.size, len(name), 0) + name


def _record(m: Member) -> bytes:
    name = m.name.encode()
    fixed = (b"PK\1\2", _MADE_BY, _VERSION, _UTF8, _STORED, _TIME, _DATE)
    return _DIRECTORY.pack(*fixed, m.crc, m.size, m.size, len(name), 0, 0, 0, 0, _MODE, m.offset) + name


def _tail(members: Iterable[Member]) -> bytes:
    members = list(members)
    records = b"".join(map(_record, members))
    start, count = members[-1].end, len(members)
    return records + _END.pack(b"PK\5\6", 0, 0, count, count, len(records), start, 0)


def _told_by(tail: bytes, members: tuple[Member, ...]) -> list[int]:
    """The CRC-32 of each member that the directory tells, if it is of the right length."""
    told, at = [], 0
    for member in members:
        told.append(int.from_bytes(tail[at + 16 : at + 20], "little"))
        at += _DIRECTORY.size + len(member.name.encode())
    return told
