"""Signatures and signed checkpoints: published vectors, notes that others signed, and everything that must be refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from poundlock.rollout.signing import (
    Checkpoint,
    fingerprint,
    key_id,
    new_key,
    opened_checkpoint,
    public_of,
    signature,
    signed_checkpoint,
    verified,
)

RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
"""RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature."""

SUM_KEY = base64.b64encode(base64.b64decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8")[1:]).decode()
"""Key of Go's checksum database: sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8."""
SUM_NOTE = """go.sum database tree
6476701
mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=

— sum.golang.org Az3grsLX85Gz+s1SiTbgkuqxgItqFq7gsMUEyVnrsa9LM7Us9S+1xbFIGu95949rj4nPRYfvimWEPWL+o3GeoWwOoAw=
"""
"""A checkpoint that it signed, as in the tests of transparency-dev/formats."""
WITNESSED_NOTE = """go.sum database tree
15067302
gJyioq6dwR9n+NjEWORfYmH+ubeYm3kH42BBQ0bTpYI=

— sum.golang.org Az3grp1rvWOs5NKlr/xR4GLN/CDyzzakmt1o61uSxYKpK1SerqOP2ClbX/peKUZjYnyomH5Xz7GZG3TpB7OeKn4E2ww=
— test.example.com qTGhC/xIPQ0AXKHK6Y+9ypRfuvMZWPjRXM8NiOg5M1WREn07VQXyuIXM3NRNav3ieVFLUqDRK77PWDmL6w8w84UqeAw=
"""
"""Another, of 9 January 2023, which a witness has signed as well."""
GO_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
GO_PUBLIC = base64.b64encode(base64.b64decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")[1:]).decode()
GO_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
GO_SIGNED = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
"""Example of golang.org/x/mod/sumdb/note: PeterNeumann's keys, text and signature."""

NAME = "register.example/zhejiang"
CHECKPOINT = Checkpoint(NAME, 12345, "0123456789abcdef" * 4, ("浙江 extension",))
SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
]
"""Encodings that libsodium refuses too (ge25519_has_small_order)."""


def pem(key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def of_seed(seed: bytes) -> str:
    return pem(Ed25519PrivateKey.from_private_bytes(seed))


def text64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


KEY = of_seed(bytes(range(32)))
PUBLIC = public_of(KEY)
NOTE = signed_checkpoint(CHECKPOINT, NAME, KEY)


@pytest.mark.parametrize(("seed", "public", "message", "signed"), RFC_8032)
def test_signatures_are_those_of_rfc_8032(seed, public, message, signed):
    private, data = of_seed(bytes.fromhex(seed)), bytes.fromhex(message)
    assert base64.b64decode(public_of(private)).hex() == public
    assert base64.b64decode(signature(private, data)).hex() == signed
    assert verified(public_of(private), signature(private, data), data)
    assert not verified(public_of(private), signature(private, data), data + b"\0")


def test_a_new_key_signs_and_is_new():
    one, other = new_key(), new_key()
    assert one.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert one != other
    signed = signature(one, b"text")
    assert verified(public_of(one), signed, b"text")
    assert not verified(public_of(other), signed, b"text")


def test_a_fingerprint_is_the_beginning_of_the_keys_sha_256():
    """Of 32 bytes d75a98...: printf of the key through sha256sum."""
    key = text64(bytes.fromhex(RFC_8032[0][1]))
    assert fingerprint(key) == "21fe 31df a154 a261"
    assert fingerprint(PUBLIC) != fingerprint(key)


def secrets() -> list[tuple[str, str]]:
    encrypted = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"word")
    )
    public = Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    unreadable = "found no readable private key; expected Ed25519"
    der = bytearray(base64.b64decode("".join(KEY.splitlines()[1:-1])))
    at = der.index(bytes.fromhex("2b6570"))  # the object identifier 1.3.101.112 of Ed25519
    der[at + 2] = 0x7B
    unknown = f"-----BEGIN PRIVATE KEY-----\n{text64(bytes(der))}\n-----END PRIVATE KEY-----\n"
    return [
        (unknown, unreadable),
        (pem(rsa.generate_private_key(65537, 2048)), "kind RSA; expected Ed25519"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "expected Ed25519"),
        (pem(x25519.X25519PrivateKey.generate()), "kind X25519; expected Ed25519"),
        (encrypted.decode(), unreadable),
        (public.decode(), unreadable),
        (KEY[:60], unreadable),
        ("", unreadable),
        ("\ud800", unreadable),
    ]


def test_any_other_private_key_is_refused_and_not_repeated():
    for secret, said in secrets():
        for use in (public_of, lambda key: signature(key, b""), lambda key: signed_checkpoint(CHECKPOINT, NAME, key)):
            with pytest.raises(ValueError, match=said) as caught:
                use(secret)
            assert not any(len(line) > 20 and line in str(caught.value) for line in secret.splitlines())


@pytest.mark.parametrize(
    "public", ["", "x", text64(bytes(31)), text64(b"a" * 33), PUBLIC[:-1], PUBLIC + "\n", None, b"x"]
)
def test_what_is_no_public_key_is_refused(public):
    with pytest.raises(ValueError, match=r"found public key .* expected base64 of 32 bytes"):
        fingerprint(public)
    assert not verified(public, signature(KEY, b""), b"")


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_a_key_whose_signatures_fit_every_text_is_refused(raw):
    """With the neutral point as key, the neutral point and 0 are a signature of anything."""
    public = text64(bytes.fromhex(raw))
    forged = text64(bytes.fromhex(SMALL_ORDER[0]) + bytes(32))
    assert not verified(public, forged, b"anything")
    with pytest.raises(ValueError, match="small order"):
        fingerprint(public)


@given(
    st.text() | st.binary() | st.none(), st.text() | st.binary() | st.none() | st.integers(), st.text() | st.binary()
)
def test_garbage_is_not_verified_and_never_raises(public, signed, data):
    assert verified(public, signed, data) is False
    assert verified(PUBLIC, signed, data) is False
    assert verified(PUBLIC, signature(KEY, b"x"), data) is (data == b"x")


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=64, max_size=64), st.binary())
def test_garbage_of_the_right_length_is_not_verified(public, signed, data):
    assert verified(text64(public), text64(signed), data) is False
    assert verified(PUBLIC, text64(signed), data) is False


@given(st.binary(), st.integers(0, 87), st.sampled_from("ABCDabcd0123+/="))
def test_a_signature_with_another_character_is_not_verified(data, at, put):
    signed = signature(KEY, data)
    other = signed[:at] + put + signed[at + 1 :]
    assert verified(PUBLIC, other, data) == (other == signed)


def test_notes_are_signed_as_go_signs_them():
    """golang.org/x/mod/sumdb/note, its example."""
    key = of_seed(GO_SEED)
    assert public_of(key) == GO_PUBLIC
    assert key_id("PeterNeumann", GO_PUBLIC).hex() == "c74f20a3"
    assert text64(key_id("PeterNeumann", GO_PUBLIC) + base64.b64decode(signature(key, GO_TEXT.encode()))) == GO_SIGNED


def test_a_signed_note_that_is_no_checkpoint_is_refused_for_that():
    with pytest.raises(ValueError, match="fewer than three lines"):
        opened_checkpoint(f"{GO_TEXT}\n— PeterNeumann {GO_SIGNED}\n", "PeterNeumann", GO_PUBLIC)


def test_a_checkpoint_of_gos_checksum_database_opens():
    root = base64.b64decode("mb8QLQIs0Z0yP5Cstq6guj87oXWeC9gEM8oVikmm9Wk=").hex()
    assert opened_checkpoint(SUM_NOTE, "sum.golang.org", SUM_KEY) == Checkpoint("go.sum database tree", 6476701, root)


def test_signatures_of_unknown_witnesses_are_passed_over():
    assert opened_checkpoint(WITNESSED_NOTE, "sum.golang.org", SUM_KEY).size == 15067302


def test_a_checkpoint_that_was_signed_opens():
    assert opened_checkpoint(NOTE, NAME, PUBLIC) == CHECKPOINT
    assert NOTE.splitlines()[:5] == [NAME, "12345", text64(bytes.fromhex(CHECKPOINT.root)), "浙江 extension", ""]


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1),
    st.integers(0, 10**19 - 1),
    st.binary(min_size=32, max_size=32),
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1), max_size=3),
)
def test_any_checkpoint_that_can_be_signed_opens_as_it_was(origin, size, root, extensions):
    checkpoint = Checkpoint(origin, size, root.hex(), tuple(extensions))
    assert opened_checkpoint(signed_checkpoint(checkpoint, NAME, KEY), NAME, PUBLIC) == checkpoint


def test_a_note_with_any_bit_flipped_is_refused():
    raw = NOTE.encode()
    for at in range(len(raw)):
        for bit in range(8):
            flipped = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
            with pytest.raises(ValueError, match=r"^found "):
                opened_checkpoint(flipped.decode("utf-8", "surrogateescape"), NAME, PUBLIC)


def test_a_note_with_a_character_taken_out_or_put_in_is_refused():
    for at in range(len(NOTE) + 1):
        others = [f"{NOTE[:at]}{put}{NOTE[at:]}" for put in "\n 0A=—"] + (
            [NOTE[:at] + NOTE[at + 1 :]] if at < len(NOTE) else []
        )
        for other in others:
            with pytest.raises(ValueError, match=r"^found "):
                opened_checkpoint(other, NAME, PUBLIC)


def line_of(note: str) -> str:
    return note.rpartition("\n\n")[2]


def test_one_false_signature_of_the_known_key_refuses_the_whole_note():
    other = signed_checkpoint(Checkpoint(NAME, 12346, CHECKPOINT.root), NAME, KEY)
    with pytest.raises(ValueError, match="does not fit the text"):
        opened_checkpoint(NOTE + line_of(other), NAME, PUBLIC)
    with pytest.raises(ValueError, match="does not fit the text"):
        opened_checkpoint(NOTE.replace(line_of(NOTE), line_of(other)) + line_of(NOTE), NAME, PUBLIC)


@pytest.mark.parametrize(
    ("note", "said"),
    [
        ("", "no signature lines"),
        (NOTE.rpartition("\n\n")[0], "no signature lines"),
        (NOTE[:-1], "no signature lines"),
        (NOTE.replace("—", "-"), "found signature line '- register"),
        (f"{NOTE}\n", "no signature lines"),
        (f"{NOTE}— other\n", "a signature of other of 0 bytes"),
        (f"{NOTE}— other AAAA\n", "a signature of other of 3 bytes"),
        (NOTE + line_of(NOTE) * 100, "101 signature lines; expected at most 100"),
        (NOTE.replace("\n", "\r\n"), "control characters"),
    ],
)
def test_a_malformed_note_is_refused_with_the_reason(note, said):
    with pytest.raises(ValueError, match=said):
        opened_checkpoint(note, NAME, PUBLIC)


def test_a_note_with_sixteen_signatures_opens():
    """signed-note: verifiers must accept at least up to 16."""
    others = [line_of(signed_checkpoint(CHECKPOINT, f"witness{k}", KEY)) for k in range(15)]
    assert opened_checkpoint(NOTE + "".join(others), NAME, PUBLIC) == CHECKPOINT


def test_the_note_of_another_key_or_name_is_refused():
    stranger = public_of(new_key())
    with pytest.raises(ValueError, match=f"no signature of {NAME} with key {fingerprint(stranger)}"):
        opened_checkpoint(NOTE, NAME, stranger)
    with pytest.raises(ValueError, match="no signature of other"):
        opened_checkpoint(NOTE, "other", PUBLIC)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("a\n1\n", "fewer than three"),
        ("a\n1\n\nAA==\n", "an empty one"),
        (f"a\n01\n{'A' * 43}=\n", "found size '01'"),
        (f"a\n-1\n{'A' * 43}=\n", "found size '-1'"),
        (f"a\n١\n{'A' * 43}=\n", "found size"),
        (f"a\n{'9' * 5000}\n{'A' * 43}=\n", "found size"),
        ("a\n1\nAAAA\n", "found root 'AAAA'; expected base64 of 32 bytes"),
        (f"a\n1\n{'A' * 42}B=\n", "found root"),
    ],
)
def test_a_body_that_is_no_checkpoint_is_refused_though_it_is_signed(body, said):
    signed = text64(key_id(NAME, PUBLIC) + base64.b64decode(signature(KEY, body.encode())))
    with pytest.raises(ValueError, match=said):
        opened_checkpoint(f"{body}\n— {NAME} {signed}\n", NAME, PUBLIC)


@pytest.mark.parametrize(
    ("checkpoint", "name"),
    [
        (Checkpoint("", 1, "00" * 32), NAME),
        (Checkpoint("a\nb", 1, "00" * 32), NAME),
        (Checkpoint("a\tb", 1, "00" * 32), NAME),
        (Checkpoint("a", -1, "00" * 32), NAME),
        (Checkpoint("a", True, "00" * 32), NAME),
        (Checkpoint("a", 10**19, "00" * 32), NAME),
        (Checkpoint("a", 1, "00" * 31), NAME),
        (Checkpoint("a", 1, "AB" * 32), NAME),
        (Checkpoint("a", 1, "00" * 32, ("",)), NAME),
        (Checkpoint("a", 1, "00" * 32, ("x\n\n— y",)), NAME),
        (Checkpoint("\ud800", 1, "00" * 32), NAME),
        (CHECKPOINT, ""),
        (CHECKPOINT, "a b"),
        (CHECKPOINT, "a+b"),
        (CHECKPOINT, "a\u3000b"),
        (CHECKPOINT, "a\nb"),
    ],
)
def test_what_no_note_can_hold_is_not_signed(checkpoint, name):
    with pytest.raises(ValueError, match=r"found .* expected"):
        signed_checkpoint(checkpoint, name, KEY)
