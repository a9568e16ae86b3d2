"""A client's first words: who it is, or the keys with which it wants to be paired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.service.pairing import CompanionKeys
from gateway_worker.sandbox.signal.keys import PreKeyBundle, PublicSignedPreKey
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.jid import Jid, pn

_MESSAGES: Final = build_messages(
    "sandbox.payload",
    {
        "DeviceProps": {"os": (1, "string"), "platform_type": (3, "int32")},
        "PairingData": {
            "registration_id": (1, "bytes"),
            "key_type": (2, "bytes"),
            "identity": (3, "bytes"),
            "signed_key_id": (4, "bytes"),
            "signed_key": (5, "bytes"),
            "signed_key_signature": (6, "bytes"),
            "build_hash": (7, "bytes"),
            "device_props": (8, "bytes"),
        },
        "ClientPayload": {
            "username": (1, "uint64"),
            "passive": (3, "bool"),
            "push_name": (7, "string"),
            "device": (18, "uint32"),
            "pairing_data": (19, "PairingData"),
        },
    },
)

_SIZES: Final = {
    "registration_id": 4,
    "identity": 32,
    "signed_key_id": 3,
    "signed_key": 32,
    "signed_key_signature": 64,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRequest:
    """A paired companion comes back.

    Attributes:
        device: who it says it is, by number.
        passive: it wants nothing before it says that it is ready.
    """

    device: Jid
    passive: bool


def read_payload(payload: bytes, noise_public: bytes) -> CompanionKeys | LoginRequest:
    """Tell a newcomer from a returning companion.

    Args:
        payload: serialized ClientPayload.
        noise_public: the key that the handshake proved.

    Raises:
        WireError: it is neither.
    """
    try:
        message = _MESSAGES["ClientPayload"].FromString(payload)
        if message.HasField("pairing_data"):
            return _companion_keys(message.pairing_data, noise_public)
    except DecodeError as error:
        raise WireError("client payload is no protobuf") from error
    if not message.HasField("username"):
        raise WireError("client payload without user or pairing data")
    return LoginRequest(
        device=pn(str(message.username), message.device), passive=bool(message.passive)
    )


def _companion_keys(data: Any, noise_public: bytes) -> CompanionKeys:
    for name, size in _SIZES.items():
        if len(getattr(data, name)) != size:
            raise WireError(f"pairing data: {name} has not {size} bytes")
    props = _MESSAGES["DeviceProps"].FromString(data.device_props)
    return CompanionKeys(
        noise_public=noise_public,
        platform=props.os,
        platform_type=props.platform_type,
        bundle=PreKeyBundle(
            registration_id=int.from_bytes(data.registration_id, "big"),
            identity=data.identity,
            signed=PublicSignedPreKey(
                key_id=int.from_bytes(data.signed_key_id, "big"),
                public=data.signed_key,
                signature=data.signed_key_signature,
            ),
        ),
    )
