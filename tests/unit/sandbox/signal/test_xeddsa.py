"""XEdDSA signatures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.sandbox.signal.keys import KeyPair
from gateway_worker.sandbox.signal.xeddsa import sign, verify

# Known answer from the published curve25519 signature tests of the Signal protocol (Alice's
# identity key signs her ephemeral key). It pins the verifier to the real format.
IDENTITY_PUBLIC = bytes.fromhex("ab7e717d4a163b7d9a1d8071dfe9dcf8cdcd1cea3339b6356be84d887e322c64")
EPHEMERAL_PUBLIC = bytes.fromhex(
    "05edce9d9c415ca78cb7252e72c2c4a554d3eb29485a0e1d503118d1a82d99fb4a"
)
SIGNATURE = bytes.fromhex(
    "5de88ca9a89b4a115da79109c67c9c7464a3e4180274f1cb8c63c2984e286dfb"
    "ede82deb9dcd9fae0bfbb821569b3d9001bd8130cd11d486cef047bd60b86e88"
)
IDENTITY_PRIVATE = bytes.fromhex("c097248412e58bf05df487968205132794178e367637f5818f81e0e6ce73e865")


def test_the_known_signature_verifies() -> None:
    """A signature made by the reference implementation is accepted."""
    assert verify(IDENTITY_PUBLIC, EPHEMERAL_PUBLIC, SIGNATURE)
    assert KeyPair.from_private(IDENTITY_PRIVATE).public == IDENTITY_PUBLIC


@pytest.mark.parametrize("position", [0, 31, 32, 62])
def test_a_changed_known_signature_does_not_verify(position: int) -> None:
    """Flipping one bit anywhere breaks it."""
    forged = bytearray(SIGNATURE)
    forged[position] ^= 1

    assert not verify(IDENTITY_PUBLIC, EPHEMERAL_PUBLIC, bytes(forged))


@settings(max_examples=60, deadline=None)
@given(private=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200))
def test_what_a_key_signs_verifies_with_its_public_half(private: bytes, message: bytes) -> None:
    """Any 32 bytes are a usable private key, whichever sign its Edwards point has."""
    pair = KeyPair.from_private(private)

    signature = sign(private, pair.public, message)

    assert len(signature) == 64
    assert signature[63] & 0x80 == 0
    assert verify(pair.public, message, signature)
    assert not verify(pair.public, message + b"!", signature)
    assert not verify(KeyPair.generate().public, message, signature)


def test_two_signatures_of_one_message_differ() -> None:
    """The nonce is never used twice."""
    pair = KeyPair.generate()

    assert pair.sign(b"hello") != pair.sign(b"hello")


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_of_another_length_does_not_verify(length: int) -> None:
    """Wrong lengths are an answer, not an error."""
    assert not verify(KeyPair.generate().public, b"hello", bytes(length))
