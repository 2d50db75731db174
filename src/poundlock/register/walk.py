"""One walk over the entries of a pack: the chain, every payload against its digest, and the roots that were signed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from poundlock.register.log_lines import entries_of, payloads_of
from poundlock.register.members import ENTRIES, PAYLOADS
from poundlock.register.opened import OpenPack, broken_by
from poundlock.register.plain_zip import Broken
from poundlock.rollout.chain import ERASED, Entry, Fault, fault, text_digest
from poundlock.rollout.merkle import EMPTY, Frontier

MOST_TOLD: Final = 20
"""Payloads that are told one by one when they do not fit."""
Acts = Iterable[tuple[Entry, str | None]]
T = TypeVar("T")


@dataclass
class Walk:
    """What a walk has seen. frontier: of the entries that hold. roots: of the Merkle tree at the sizes that were asked for, hexadecimal.
    removed: numbers of payloads that are absent. erased: objects of the acts that remove. naming: entries that name outputs by their digest."""

    frontier: Frontier = EMPTY
    roots: dict[int, str] = field(default_factory=dict)
    removed: list[int] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    naming: dict[str, Entry] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    wrong: int = 0
    last: Entry | None = None


@dataclass
class Taken:
    """Entries with their payloads, and the last one that was taken."""

    pairs: Iterator[tuple[Entry, str | None]]
    last: Entry | None = None

    def __iter__(self) -> Iterator[tuple[Entry, str | None]]:
        for pair in self.pairs:
            self.last = pair[0]
            yield pair


class _Misread(ValueError):  # noqa: N818 - it names the file
    def __init__(self, member: str, said: str) -> None:
        super().__init__(said)
        self.member = member


def acts(pack: OpenPack) -> Taken:
    """Every entry with the text of its payload, for a replay."""
    texts = (text for _, text, _ in payloads_of(pack.chunks(PAYLOADS)))
    return Taken(zip(entries_of(pack.chunks(ENTRIES)), texts, strict=True))


def of_entry(found: Fault, entry: Entry | None) -> Broken:
    """A fault with the name of the act that stands there."""
    act = f" ({entry.act} of {entry.object})" if entry is not None else ""
    return Broken(f"entry {found.number}{act}", found.found, found.expected)


def walked(pack: OpenPack, sizes: set[int]) -> Walk:
    """The walk. sizes: numbers of entries whose root is wanted."""
    walk = Walk(roots={0: EMPTY.root().hex()} if 0 in sizes else {})
    payloads = _of_member(pack, PAYLOADS, payloads_of)
    try:
        first = fault(_taken(pack, walk, payloads, sizes))
        if first is not None:
            walk.broken.append(of_entry(first, walk.last))
        elif (surplus := next(payloads, None)) is not None:
            walk.broken.append(Broken(f"'{PAYLOADS}'", f"payload {surplus[0]}", "none behind the last entry"))
    except _Misread as error:
        walk.broken.append(broken_by(f"'{error.member}'", error))
    if walk.wrong > MOST_TOLD:
        walk.broken.append(Broken(f"'{PAYLOADS}'", f"{walk.wrong:,} payloads with another digest", "none"))
    return walk


def _taken(
    pack: OpenPack, walk: Walk, payloads: Iterator[tuple[int, str | None, str]], sizes: set[int]
) -> Iterator[Entry]:
    """The entries one by one; what follows an entry is done when the chain has taken it."""
    outputs = {pack.sha256[name]: name for name in pack.members if name.startswith("outputs/")}
    for entry in _of_member(pack, ENTRIES, entries_of):
        walk.last = entry
        yield entry
        walk.frontier = walk.frontier.appended(bytes.fromhex(entry.digest))
        if entry.number in sizes:
            walk.roots[entry.number] = walk.frontier.root().hex()
        if entry.act == ERASED:
            walk.erased.add(entry.object)
        number, text, salt = next(payloads, (None, None, ""))
        if number != entry.number:
            said = "no payload" if number is None else f"payload {number}"
            raise _Misread(PAYLOADS, f"found {said}; expected {entry.number}, one for each entry")
        if text is None:
            walk.removed.append(entry.number)
        elif _digest(text, salt) == entry.payload:
            walk.naming.update({name: entry for digest, name in outputs.items() if digest in text})
        else:
            walk.wrong += 1
            if walk.wrong <= MOST_TOLD:
                where = f"payload of entry {entry.number} ({entry.act} of {entry.object})"
                walk.broken.append(
                    Broken(where, "a text with another digest", f"{entry.payload[:16]}..., in the entry")
                )


def _digest(text: str, salt: str) -> str:
    try:
        return text_digest(text, salt)
    except UnicodeEncodeError:
        return ""


def _of_member(pack: OpenPack, name: str, parse: Callable[[Iterable[bytes]], Iterator[T]]) -> Iterator[T]:
    try:
        yield from parse(pack.chunks(name))
    except ValueError as error:
        raise _Misread(name, str(error)) from None
