"""The key with which an account's devices seal what they share."""

from __future__ import annotations

import base64
import secrets
import time
from typing import Any

_KEY_BYTES = 32


def key_share() -> dict[str, Any]:
    """Return the message with which a phone gives its companions a new key."""
    key = {
        "keyID": {"keyID": _text(secrets.token_bytes(6))},
        "keyData": {
            "keyData": _text(secrets.token_bytes(_KEY_BYTES)),
            "fingerprint": {"rawID": 1, "currentIndex": 0, "deviceIndexes": [0, 1]},
            "timestamp": str(int(time.time() * 1000)),
        },
    }
    return {
        "protocolMessage": {
            "type": "APP_STATE_SYNC_KEY_SHARE",
            "appStateSyncKeyShare": {"keys": [key]},
        }
    }


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
