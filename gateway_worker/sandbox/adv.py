"""The signed identity by which an account vouches for a companion, and the companion's answer."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.xeddsa import verify

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.keys import KeyPair

_BY_ACCOUNT: Final = b"\x06\x00"
_BY_DEVICE: Final = b"\x06\x01"

_PROTO: Final = build_messages(
    "sandbox_adv",
    {
        "DeviceIdentity": {
            "raw_id": (1, "uint32"),
            "timestamp": (2, "uint64"),
            "key_index": (3, "uint32"),
            "account_type": (4, "int32"),
            "device_type": (5, "int32"),
        },
        "SignedDeviceIdentity": {
            "details": (1, "bytes"),
            "account_signature_key": (2, "bytes"),
            "account_signature": (3, "bytes"),
            "device_signature": (4, "bytes"),
        },
        "SignedDeviceIdentityHMAC": {"details": (1, "bytes"), "hmac": (2, "bytes")},
    },
)


def identity_container(
    *,
    account: KeyPair,
    companion_identity: bytes,
    adv_secret: bytes,
    raw_id: int,
    key_index: int,
    timestamp: int,
) -> bytes:
    """Vouch for a companion.

    Args:
        account: the account's identity key pair.
        companion_identity: the companion's raw identity key.
        adv_secret: 32 bytes shared with the companion, from the QR or the pairing code.
        raw_id: 32-bit number, the same for all companions of an account.
        key_index: number of this companion, above 0.
        timestamp: seconds since the epoch.

    Returns:
        A serialized ADVSignedDeviceIdentityHMAC.
    """
    details = _PROTO["DeviceIdentity"](
        raw_id=raw_id, timestamp=timestamp, key_index=key_index, account_type=0, device_type=0
    ).SerializeToString()
    signed = _PROTO["SignedDeviceIdentity"](
        details=details,
        account_signature_key=account.public,
        account_signature=account.sign(_BY_ACCOUNT + details + companion_identity),
    ).SerializeToString()
    container: bytes = _PROTO["SignedDeviceIdentityHMAC"](
        details=signed, hmac=hmac.digest(adv_secret, signed, "sha256")
    ).SerializeToString()
    return container


def companion_signed(*, container: bytes, answer: bytes, companion_identity: bytes) -> bool:
    """Whether the answer is the offered identity, signed by the companion.

    Args:
        container: the serialized ADVSignedDeviceIdentityHMAC that was offered.
        answer: the serialized ADVSignedDeviceIdentity that came back.
        companion_identity: the companion's raw identity key.
    """
    try:
        offered = _PROTO["SignedDeviceIdentity"].FromString(
            _PROTO["SignedDeviceIdentityHMAC"].FromString(container).details
        )
        signed = _PROTO["SignedDeviceIdentity"].FromString(answer)
    except DecodeError:
        return False
    if signed.details != offered.details:
        return False
    message = _BY_DEVICE + signed.details + companion_identity + offered.account_signature_key
    return verify(companion_identity, message, signed.device_signature)
