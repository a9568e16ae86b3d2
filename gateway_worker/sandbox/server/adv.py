"""The signed identity by which an account vouches for a companion, and the companion's answer."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.xeddsa import verify

DEVICE_SIGNATURE_PREFIX: Final = b"\x06\x01"

_MESSAGES: Final = build_messages(
    "sandbox.adv",
    {
        "SignedDeviceIdentity": {
            "details": (1, "bytes"),
            "account_signature_key": (2, "bytes"),
            "account_signature": (3, "bytes"),
            "device_signature": (4, "bytes"),
        },
        "SignedDeviceIdentityHMAC": {"details": (1, "bytes"), "hmac": (2, "bytes")},
    },
)


def companion_signed(*, container: bytes, answer: bytes, companion_identity: bytes) -> bool:
    """Whether the answer is the offered identity, signed by the companion.

    Args:
        container: the serialized ADVSignedDeviceIdentityHMAC that was offered.
        answer: the serialized ADVSignedDeviceIdentity that came back.
        companion_identity: the companion's 32-byte identity key.
    """
    try:
        offered = _MESSAGES["SignedDeviceIdentity"].FromString(
            _MESSAGES["SignedDeviceIdentityHMAC"].FromString(container).details
        )
        signed = _MESSAGES["SignedDeviceIdentity"].FromString(answer)
    except DecodeError:
        return False
    if signed.details != offered.details:
        return False
    message = (
        DEVICE_SIGNATURE_PREFIX
        + signed.details
        + companion_identity
        + offered.account_signature_key
    )
    return verify(companion_identity, message, signed.device_signature)
