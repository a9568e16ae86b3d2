"""The signed identity with which a phone vouches for a companion, and the answer to it."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.phones.errors import ForgedCompanionError
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


def check_device_signature(
    *, account_public: bytes, companion_identity: bytes, device_identity: bytes
) -> None:
    """Check the identity that a companion sent back.

    Args:
        account_public: the account's raw identity key.
        companion_identity: the companion's raw identity key.
        device_identity: the serialized ADVSignedDeviceIdentity it answered with.

    Raises:
        ForgedCompanionError: it does not parse, or the device signature does not verify.
    """
    identity = _PROTO["SignedDeviceIdentity"]()
    try:
        identity.ParseFromString(device_identity)
    except DecodeError as error:
        raise ForgedCompanionError("the device identity is not a protocol buffer") from error
    signed = _BY_DEVICE + identity.details + companion_identity + account_public
    if not verify(companion_identity, signed, identity.device_signature):
        raise ForgedCompanionError("the companion's device signature does not verify")
