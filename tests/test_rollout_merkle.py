"""The Merkle tree: the reference trees of Certificate Transparency, and every proof of every small tree."""

from __future__ import annotations

from functools import cache

import pytest

from poundlock.rollout.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    consistent,
    included,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root,
)

REFERENCE = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
"""Leaves and roots: google/certificate-transparency, cpp/merkletree/merkle_tree_test.cc; the same in google/trillian."""
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
LEAF_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
LEAVES_2_TO_3 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"
LEAVES_4_TO_7 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"
LEAVES_4_TO_5 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"
LEAVES_6_TO_7 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"
LEAF_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"

MOST = 40
LEAVES = [b"leaf %d" % number for number in range(300)]


@cache
def tree(size: int) -> bytes:
    return root(LEAVES[:size])


def hexes(proof: tuple[bytes, ...]) -> list[str]:
    return [node.hex() for node in proof]


def changed(node: bytes) -> bytes:
    return bytes([node[0] ^ 1]) + node[1:]


def test_roots_are_those_of_the_reference_trees():
    assert root([]).hex() == NOTHING
    assert [root(REFERENCE[:size]).hex() for size in range(1, 9)] == ROOTS


def test_inclusion_proofs_are_those_of_the_reference_trees():
    """google/trillian, merkle/testonly/constants.go."""
    assert hexes(inclusion_proof(REFERENCE, 0)) == [LEAF_1, LEAVES_2_TO_3, LEAVES_4_TO_7]
    assert hexes(inclusion_proof(REFERENCE, 5)) == [LEAF_4, LEAVES_6_TO_7, ROOTS[3]]
    assert hexes(inclusion_proof(REFERENCE[:3], 2)) == [ROOTS[1]]
    assert inclusion_proof(REFERENCE[:1], 0) == ()


def test_consistency_proofs_are_those_of_the_reference_trees():
    """google/trillian, merkle/testonly/constants.go."""
    assert hexes(consistency_proof(REFERENCE, 1)) == [LEAF_1, LEAVES_2_TO_3, LEAVES_4_TO_7]
    assert hexes(consistency_proof(REFERENCE, 6)) == [LEAVES_4_TO_5, LEAVES_6_TO_7, ROOTS[3]]
    assert hexes(consistency_proof(REFERENCE[:5], 2)) == [LEAVES_2_TO_3, LEAF_4]
    assert consistency_proof(REFERENCE, 8) == ()


def test_a_node_does_not_pass_for_a_leaf():
    """RFC 9162, section 2.1.1: the prefixes give second preimage resistance."""
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert root([left + right]) != root([b"a", b"b"])


def test_a_frontier_has_the_root_of_its_leaves():
    frontier = EMPTY
    for size, leaf in enumerate(LEAVES):
        assert frontier.size == size
        assert frontier.root() == tree(size)
        frontier = frontier.appended(leaf)


def test_a_frontier_is_the_same_after_being_written_and_read():
    frontier = EMPTY
    for leaf in LEAVES[:70]:
        assert Frontier.from_text(frontier.text()) == frontier
        frontier = frontier.appended(leaf)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "00:",
        "-1:",
        "1:",
        "x:",
        "0:" + "ab" * 32,
        "3:" + "ab" * 32,
        "1:" + "AB" * 32,
        "1:" + "ab" * 31,
        "1:" + "ab" * 32 + ",",
        "1:" + "ab" * 32 + "\n",
        "1:" + "ab" * 32 + "," + "ab" * 32,
        "٣:" + "ab" * 32 + "," + "ab" * 32,
    ],
)
def test_what_is_no_frontier_is_refused(text):
    with pytest.raises(ValueError, match=r"found .* expected"):
        Frontier.from_text(text)


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_inclusion_proof_verifies_and_no_changed_one_does(size):
    for index in range(size):
        leaf, proof, top = LEAVES[index], inclusion_proof(LEAVES[:size], index), tree(size)
        assert included(leaf, index, size, proof, top)
        assert not included(leaf + b"x", index, size, proof, top)
        assert not included(leaf, index, size, proof, changed(top))
        assert not included(leaf, index, size, (*proof, top), top)
        for other in range(-1, size + 2):
            assert included(leaf, other, size, proof, top) == (other == index)
        for at in range(len(proof)):
            assert not included(leaf, index, size, (*proof[:at], changed(proof[at]), *proof[at + 1 :]), top)
            assert not included(leaf, index, size, (*proof[:at], *proof[at + 1 :]), top)


def sides(index: int, size: int) -> str:
    """The path from a leaf to the root as RFC 9162, section 2.1.3.1, defines it: on which side each sibling stands."""
    if size == 1:
        return ""
    left = 1
    while 2 * left < size:
        left *= 2
    return f"{sides(index, left)}R" if index < left else f"{sides(index - left, size - left)}L"


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_another_size_passes_only_where_the_path_is_the_same(size):
    """The size is bound by the checkpoint that signs it beside the root, not by the proof."""
    for index in range(size):
        proof = inclusion_proof(LEAVES[:size], index)
        for other in range(index + 1, MOST + 3):
            same = sides(index, other) == sides(index, size)
            assert included(LEAVES[index], index, other, proof, tree(size)) == same
        for other in range(-1, index + 1):
            assert not included(LEAVES[index], index, other, proof, tree(size))


@pytest.mark.parametrize("size", range(MOST + 1))
def test_every_consistency_proof_verifies_and_no_changed_one_does(size):
    for old in range(size + 1):
        proof, before, top = consistency_proof(LEAVES[:size], old), tree(old), tree(size)
        assert consistent(old, before, size, top, proof)
        assert not consistent(old, changed(before), size, top, proof)
        assert not consistent(old, before, size, changed(top), proof) or 0 == old < size
        assert not consistent(old, before, size, top, (*proof, top))
        for at in range(len(proof)):
            assert not consistent(old, before, size, top, (*proof[:at], changed(proof[at]), *proof[at + 1 :]))
            assert not consistent(old, before, size, top, (*proof[:at], *proof[at + 1 :]))
            assert not consistent(old, before, size, top, (*proof[:at], proof[at][:-1], *proof[at + 1 :]))


def test_another_index_and_size_pass_only_where_the_path_is_the_same():
    sizes = range(1, 14)
    for size in sizes:
        for index in range(size):
            proof = inclusion_proof(LEAVES[:size], index)
            for claim in ((i, n) for n in sizes for i in range(n)):
                same = sides(*claim) == sides(index, size)
                assert included(LEAVES[index], *claim, proof, tree(size)) == same


def shape(old: int, size: int, whole: bool = True) -> str:
    """How a consistency proof is put together by RFC 9162, section 2.1.4.1."""
    if old == size:
        return "whole" if whole else "part"
    left = 1
    while 2 * left < size:
        left *= 2
    if old <= left:
        return f"{shape(old, left, whole)}R"
    return f"{shape(old - left, size - left, False)}L"


@pytest.mark.parametrize("size", range(2, MOST + 1))
def test_other_sizes_pass_only_where_the_proof_is_put_together_in_the_same_way(size):
    for old in range(1, size):
        proof, before, top = consistency_proof(LEAVES[:size], old), tree(old), tree(size)
        claims = {(other, size) for other in range(-1, size + 2)} | {(old, other) for other in range(-1, MOST + 3)}
        for claim in claims:
            same = 0 < claim[0] <= claim[1] and shape(*claim) == shape(old, size)
            assert consistent(claim[0], before, claim[1], top, proof) == same


def test_a_log_that_was_rewritten_is_not_consistent():
    rewritten = [*LEAVES[:10], b"another", *LEAVES[11:30]]
    for old in range(1, 31):
        passes = consistent(old, tree(old), 30, root(rewritten), consistency_proof(rewritten, old))
        assert passes == (old <= 10)


def test_an_older_root_cut_short_is_refused_though_the_hashed_bytes_are_the_same():
    old, new = tree(1), tree(2)
    (beside,) = consistency_proof(LEAVES[:2], 1)
    assert consistent(1, old, 2, new, [beside])
    assert node_hash(old[:31], old[31:] + beside) == new
    assert not consistent(1, old[:31], 2, new, [old[31:] + beside])


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_a_leaf_that_is_not_there_has_no_proof(index):
    with pytest.raises(ValueError, match=f"found leaf {index}; expected 0 to 4"):
        inclusion_proof(LEAVES[:5], index)


@pytest.mark.parametrize("old", [-1, 6])
def test_a_size_beyond_the_tree_has_no_proof(old):
    with pytest.raises(ValueError, match=f"found an older size of {old}; expected 0 to 5"):
        consistency_proof(LEAVES[:5], old)
