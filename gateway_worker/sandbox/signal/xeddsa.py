"""XEdDSA: signatures made and checked with Curve25519 keys.

A Montgomery key and an Edwards key are two views of one secret number, so a signature can be made
with the first and checked by an ordinary Ed25519 verifier with the second. Only the map between
the two views needs arithmetic here: `y = (u - 1) / (u + 1)`. The map loses the sign of the Edwards
point, which is why the signature is made for the positive point: if the secret belongs to the
negative one, it is negated first (`_positive_scalar` finds out which by trying).

The nonce point comes from an Ed25519 key whose seed hashes secret, message and fresh randomness.
Its scalar is clamped, which costs one bit of nonce entropy against the published construction:
fine for throw-away keys of a sandbox, not for anything that matters.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_BYTES: Final = 64
_FIELD: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_NONCE_DOMAIN: Final = b"\xfe" + b"\xff" * 31


def sign(private: bytes, public: bytes, message: bytes) -> bytes:
    """Sign `message`; the result's top bit is 0, which every XEdDSA verifier accepts.

    Args:
        private: 32 bytes, clamped or not.
        public: its raw Curve25519 public key.
        message: what to sign.

    Returns:
        64 bytes, different at every call.
    """
    return _sign(_positive_scalar(private, public), _edwards(public), message)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Tell whether `signature` is one over `message` by the owner of a raw Curve25519 key."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    sign_bit = signature[63] & 0x80
    edwards = bytearray(_edwards(public))
    edwards[31] |= sign_bit
    plain = signature[:63] + bytes([signature[63] & 0x7F])
    try:
        Ed25519PublicKey.from_public_bytes(bytes(edwards)).verify(plain, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _edwards(public: bytes) -> bytes:
    u = int.from_bytes(public, "little") & (2**255 - 1)
    y = (u - 1) * pow(u + 1, _FIELD - 2, _FIELD) % _FIELD
    return y.to_bytes(32, "little")


def _clamped(private: bytes) -> int:
    scalar = int.from_bytes(private, "little")
    return scalar & ~7 & (2**255 - 1) & ~(1 << 255) | 1 << 254


@lru_cache(maxsize=256)
def _positive_scalar(private: bytes, public: bytes) -> int:
    scalar = _clamped(private) % _ORDER
    probe = b"which of the two points"
    if verify(public, probe, _sign(scalar, _edwards(public), probe)):
        return scalar
    return _ORDER - scalar


def _sign(scalar: int, edwards: bytes, message: bytes) -> bytes:
    seed = hashlib.sha512(
        _NONCE_DOMAIN + scalar.to_bytes(32, "little") + message + secrets.token_bytes(64)
    ).digest()[:32]
    nonce = _clamped(hashlib.sha512(seed).digest()[:32]) % _ORDER
    point = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    challenge = int.from_bytes(hashlib.sha512(point + edwards + message).digest(), "little")
    response = (nonce + challenge * scalar) % _ORDER
    return point + response.to_bytes(32, "little")
