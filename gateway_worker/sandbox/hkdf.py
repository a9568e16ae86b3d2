"""HKDF-SHA256 (RFC 5869)."""

from __future__ import annotations

import hmac
from typing import Final

_HASH: Final = "sha256"
_ZERO_SALT: Final = bytes(32)


def hkdf(*, secret: bytes, salt: bytes = _ZERO_SALT, info: bytes = b"", length: int) -> bytes:
    """Derive `length` bytes; an empty salt stands for zeros."""
    pseudo_random_key = hmac.digest(salt or _ZERO_SALT, secret, _HASH)
    block, output, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(pseudo_random_key, block + info + bytes([counter]), _HASH)
        output += block
        counter += 1
    return output[:length]
