"""Key derivations of the Signal protocol, version 3: the chains of a ratchet, and of a group."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Final

from gateway_worker.sandbox.hkdf import hkdf

_HASH: Final = "sha256"
_MESSAGE_KEY_BYTES: Final = 80
_GROUP_KEY_BYTES: Final = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageKeys:
    """What encrypts and authenticates exactly one message."""

    cipher_key: bytes = field(repr=False)
    mac_key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @staticmethod
    def from_seed(seed: bytes) -> MessageKeys:
        """Expand a chain's 32-byte message seed."""
        keys = hkdf(secret=seed, info=b"WhisperMessageKeys", length=_MESSAGE_KEY_BYTES)
        return MessageKeys(cipher_key=keys[:32], mac_key=keys[32:64], iv=keys[64:])


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMessageKeys:
    """What encrypts exactly one message for a group; a signature takes the place of a MAC."""

    cipher_key: bytes = field(repr=False)
    iv: bytes = field(repr=False)

    @staticmethod
    def from_seed(seed: bytes) -> GroupMessageKeys:
        """Expand a chain's 32-byte message seed."""
        keys = hkdf(secret=seed, info=b"WhisperGroup", length=_GROUP_KEY_BYTES)
        return GroupMessageKeys(iv=keys[:16], cipher_key=keys[16:])


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainKey:
    """One step of a symmetric chain: `index` messages came before."""

    key: bytes = field(repr=False)
    index: int = 0

    def message_seed(self) -> bytes:
        """Return the seed of this step's message keys."""
        return hmac.digest(self.key, b"\x01", _HASH)

    def following(self) -> ChainKey:
        """Return the next step; this one cannot be found from it."""
        return ChainKey(key=hmac.digest(self.key, b"\x02", _HASH), index=self.index + 1)


def split_secret(secret: bytes) -> tuple[bytes, ChainKey]:
    """Turn the key agreement's secret into the first root key and chain."""
    keys = hkdf(secret=secret, info=b"WhisperText", length=64)
    return keys[:32], ChainKey(key=keys[32:])


def ratchet_root(root_key: bytes, secret: bytes) -> tuple[bytes, ChainKey]:
    """Mix a Diffie-Hellman secret into the root; returns the new root key and a fresh chain."""
    keys = hkdf(secret=secret, salt=root_key, info=b"WhisperRatchet", length=64)
    return keys[:32], ChainKey(key=keys[32:])
