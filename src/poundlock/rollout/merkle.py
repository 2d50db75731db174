"""The Merkle tree of a log (RFC 9162, section 2.1): one root for all entries, short proofs that one is in, and that a later log only grew.

A leaf is given as its bytes, for the register those of an entry's digest. Hashes are SHA-256, 32 raw bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
_FRONTIER: Final = re.compile(r"(0|[1-9][0-9]{0,18}):([0-9a-f]{64}(?:,[0-9a-f]{64})*)?")


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf. The byte before it keeps a leaf from passing for a node."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of a node from those of its two children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """What is needed to append to a tree and to know its root. size: number of leaves. peaks: roots of its perfect subtrees, largest first."""

    size: int
    peaks: tuple[bytes, ...]

    def appended(self, data: bytes) -> Frontier:
        """The frontier with one leaf more. data: the leaf's bytes."""
        node, full, peaks = sha256(b"\x00" + data).digest(), self.size, self.peaks
        kept = len(peaks)
        while full & 1:
            kept -= 1
            node = sha256(b"\x01" + peaks[kept] + node).digest()
            full >>= 1
        return Frontier(self.size + 1, (*peaks[:kept], node))

    def root(self) -> bytes:
        """Root of the tree; of no leaves, the hash of nothing."""
        return _folded(self.peaks)

    def text(self) -> str:
        """As text: size, a colon, the peaks in hexadecimal with commas between."""
        return f"{self.size}:{','.join(peak.hex() for peak in self.peaks)}"

    @staticmethod
    def from_text(text: str) -> Frontier:
        """The frontier that `text` wrote. Raises ValueError for anything else."""
        found = _FRONTIER.fullmatch(text)
        if found is None:
            raise ValueError(
                f"found {text[:40]!r}; expected a frontier: size, a colon, hashes of 64 hexadecimal digits"
            )
        size, peaks = int(found[1]), tuple(bytes.fromhex(peak) for peak in (found[2] or "").split(",") if peak)
        if len(peaks) != size.bit_count():
            raise ValueError(
                f"found a frontier of {size} leaves with {len(peaks)} hashes; expected {size.bit_count()}, one for each perfect subtree"
            )
        return Frontier(size, peaks)


EMPTY: Final = Frontier(0, ())


def root(leaves: Iterable[bytes]) -> bytes:
    """Root of the tree of these leaves."""
    peaks: list[bytes] = []
    for size, data in enumerate(leaves):
        node, full = sha256(b"\x00" + data).digest(), size
        while full & 1:
            node = sha256(b"\x01" + peaks.pop() + node).digest()
            full >>= 1
        peaks.append(node)
    return _folded(peaks)


def inclusion_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes that lead from a leaf to the root, nearest first. index: from 0. Raises ValueError where there is no such leaf."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"found leaf {index}; expected 0 to {len(leaves) - 1}, as the tree has {len(leaves)} leaves")
    proof = []
    low, high = 0, len(leaves)
    while high - low > 1:
        middle = low + _left_size(high - low)
        if index < middle:
            proof.append(root(leaves[middle:high]))
            high = middle
        else:
            proof.append(root(leaves[low:middle]))
            low = middle
    return tuple(reversed(proof))


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the proof leads from the leaf's bytes at `index` to the root of a tree of `size` leaves (RFC 9162, section 2.1.3.2).

    Size and root must come from one signed checkpoint: some sizes share a path, and the proof alone does not tell them apart.
    """
    if not 0 <= index < size:
        return False
    at, last, found = index, size - 1, leaf_hash(leaf)
    for node in proof:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = node_hash(node, found)
            at, last = _up_to_left_child(at, last)
        else:
            found = node_hash(found, node)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """The hashes that show the tree of the first `old_size` leaves to be the beginning of the whole. Raises ValueError for sizes beyond it."""
    if not 0 <= old_size <= len(leaves):
        raise ValueError(f"found an older size of {old_size}; expected 0 to {len(leaves)}, the size of the tree")
    if old_size == 0:
        return ()
    proof = []
    low, high = 0, len(leaves)
    while high != old_size:
        middle = low + _left_size(high - low)
        if old_size <= middle:
            proof.append(root(leaves[middle:high]))
            high = middle
        else:
            proof.append(root(leaves[low:middle]))
            low = middle
    if low:  # else what is left is the whole older tree, whose root is known
        proof.append(root(leaves[low:high]))
    return tuple(reversed(proof))


def consistent(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the proof shows that the newer tree begins with the older one (RFC 9162, section 2.1.4.2).

    Sizes and roots must come from signed checkpoints, as for `included`. An empty tree begins every tree, by an empty proof.
    """
    if not 0 <= old_size <= new_size or any(len(node) != HASH_BYTES for node in (old_root, new_root, *proof)):
        return False
    if old_size == 0:
        return not proof and old_root == EMPTY.root() and (new_size > 0 or new_root == old_root)
    if old_size == new_size:
        return not proof and old_root == new_root
    if not proof:
        return False
    nodes = [old_root, *proof] if old_size.bit_count() == 1 else list(proof)
    at, last = old_size - 1, new_size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old, new = nodes[0], nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            old, new = node_hash(node, old), node_hash(node, new)
            at, last = _up_to_left_child(at, last)
        else:
            new = node_hash(new, node)
        at, last = at >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _folded(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return sha256().digest()
    node = peaks[-1]
    for peak in reversed(peaks[:-1]):
        node = node_hash(peak, node)
    return node


def _left_size(size: int) -> int:
    """Leaves on the left: the largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1


def _up_to_left_child(at: int, last: int) -> tuple[int, int]:
    """Past the levels where a last node has no sibling and stands for its parent."""
    while at and not at & 1:
        at, last = at >> 1, last >> 1
    return at, last
