"""WhatsApp's padding of a plaintext: 1 to 15 bytes, each holding the number of them."""

from __future__ import annotations

import secrets

from gateway_worker.sandbox.signal.errors import MalformedMessageError

_MAX = 15


def pad(plaintext: bytes) -> bytes:
    """Hide the exact length."""
    length = secrets.randbelow(_MAX) + 1
    return plaintext + bytes([length]) * length


def unpad(padded: bytes) -> bytes:
    """Undo `pad`.

    Raises:
        MalformedMessageError: empty, or the last byte does not fit the rest.
    """
    if not padded:
        raise MalformedMessageError("an empty plaintext has no padding")
    length = padded[-1]
    if not 0 < length <= len(padded) or padded[-length:] != bytes([length]) * length:
        raise MalformedMessageError("the padding does not fit")
    return padded[:-length]
