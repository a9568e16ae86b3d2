"""Curve25519 keys and the bundle of public keys with which a session can be opened unasked."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gateway_worker.sandbox.signal.errors import MalformedMessageError, UntrustedBundleError
from gateway_worker.sandbox.signal.xeddsa import sign, verify

KEY_BYTES: Final = 32
DJB_TYPE: Final = b"\x05"
MAX_PRE_KEY_ID: Final = 0xFFFFFF


def typed(public: bytes) -> bytes:
    """Put the type byte 05 before a raw public key, as Signal messages carry it."""
    return DJB_TYPE + public


def untyped(public: bytes) -> bytes:
    """Take the type byte off a key from a Signal message.

    Raises:
        MalformedMessageError: it is not 05 and 32 bytes.
    """
    if len(public) != KEY_BYTES + 1 or public[:1] != DJB_TYPE:
        raise MalformedMessageError(f"not a typed Curve25519 key: {len(public)} bytes")
    return public[1:]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A Curve25519 key pair; `public` is the raw 32 bytes without a type byte."""

    private: bytes = field(repr=False)
    public: bytes
    _key: X25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def from_private(cls, private: bytes) -> Self:
        """Rebuild the pair from 32 private bytes."""
        key = X25519PrivateKey.from_private_bytes(private)
        return cls(private=private, public=key.public_key().public_bytes_raw(), _key=key)

    @classmethod
    def generate(cls) -> Self:
        """Draw a new pair."""
        key = X25519PrivateKey.generate()
        return cls(
            private=key.private_bytes_raw(), public=key.public_key().public_bytes_raw(), _key=key
        )

    def agree(self, public: bytes) -> bytes:
        """Return the 32-byte Diffie-Hellman secret with another raw public key.

        Raises:
            MalformedMessageError: the key has another length or lies on a small subgroup.
        """
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise MalformedMessageError("unusable Curve25519 public key") from error

    def sign(self, message: bytes) -> bytes:
        """Sign with XEdDSA; 64 bytes."""
        return sign(self.private, self.public, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreKey:
    """A one-time key; `key_id` is 24 bits."""

    key_id: int
    pair: KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPreKey:
    """The public half of a one-time key."""

    key_id: int
    public: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicSignedPreKey:
    """The public half of a medium-term key; `signature` is the identity's over its typed form."""

    key_id: int
    public: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPreKey:
    """A medium-term key, signed by the identity key over its typed form."""

    key_id: int
    pair: KeyPair
    signature: bytes

    @classmethod
    def generate(cls, *, identity: KeyPair, key_id: int) -> Self:
        """Draw a pair and sign it."""
        pair = KeyPair.generate()
        return cls(key_id=key_id, pair=pair, signature=identity.sign(typed(pair.public)))

    @property
    def published(self) -> PublicSignedPreKey:
        """What others may see of it."""
        return PublicSignedPreKey(
            key_id=self.key_id, public=self.pair.public, signature=self.signature
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PreKeyBundle:
    """What a device publishes so that a session with it can be opened while it is unavailable.

    Keys are raw (32 bytes).

    Attributes:
        registration_id: 32-bit number.
        identity: the identity key.
        signed: the current medium-term key.
        one_time: a key that nobody else gets; without one the agreement has one secret less.
    """

    registration_id: int
    identity: bytes
    signed: PublicSignedPreKey
    one_time: PublicPreKey | None = None

    def check(self) -> None:
        """Verify the signature over the signed pre-key.

        Raises:
            UntrustedBundleError: it does not verify.
        """
        if not verify(self.identity, typed(self.signed.public), self.signed.signature):
            raise UntrustedBundleError("the signed pre-key's signature does not verify")


def new_registration_id() -> int:
    """Draw a registration id in 1..16380, the range Signal uses."""
    return secrets.randbelow(16380) + 1
