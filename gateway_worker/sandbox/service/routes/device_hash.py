"""The hash by which clients and the service compare the devices that a message is for."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from gateway_worker.sandbox.wire.jid import Jid

_HASH_BYTES: Final = 6


def device_hash(devices: Iterable[Jid]) -> str:
    """Return the hash (version 2) of device addresses; their order does not matter."""
    texts = sorted({f"{jid.user}.0:{jid.device}@{jid.server}" for jid in devices})
    digest = hashlib.sha256("".join(texts).encode()).digest()[:_HASH_BYTES]
    return "2:" + base64.b64encode(digest).decode().rstrip("=")
