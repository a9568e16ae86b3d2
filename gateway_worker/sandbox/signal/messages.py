"""The two message formats of a Signal session, version 3.

A `SignalMessage` is `33`, a protocol buffer and eight bytes of MAC over both identities and
everything before it. A `PreKeySignalMessage` is `33` and a protocol buffer that carries one of
those together with what the receiver needs to build the session.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any, Final, Self

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.signal.keys import typed, untyped

VERSION: Final = b"\x33"
MAC_BYTES: Final = 8

_PROTO: Final = build_messages(
    "sandbox_signal",
    {
        "Message": {
            "ratchet_key": (1, "bytes"),
            "counter": (2, "uint32"),
            "previous_counter": (3, "uint32"),
            "ciphertext": (4, "bytes"),
        },
        "PreKeyMessage": {
            "pre_key_id": (1, "uint32"),
            "base_key": (2, "bytes"),
            "identity_key": (3, "bytes"),
            "message": (4, "bytes"),
            "registration_id": (5, "uint32"),
            "signed_pre_key_id": (6, "uint32"),
        },
    },
)
_Message: Final = _PROTO["Message"]
_PreKeyMessage: Final = _PROTO["PreKeyMessage"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalMessage:
    """A message inside a session.

    Attributes:
        ratchet_public: the sender's ratchet key, raw.
        counter: position in the chain of that key.
        previous_counter: length of the chain before, minus one.
        ciphertext: AES-256-CBC.
        signed: the bytes under the MAC, version byte included.
        mac: eight bytes.
    """

    ratchet_public: bytes
    counter: int
    previous_counter: int
    ciphertext: bytes
    signed: bytes
    mac: bytes

    @classmethod
    def sealed(
        cls,
        *,
        mac_key: bytes,
        sender_identity: bytes,
        receiver_identity: bytes,
        ratchet_public: bytes,
        counter: int,
        previous_counter: int,
        ciphertext: bytes,
    ) -> Self:
        """Build an outgoing message and its MAC."""
        signed = (
            VERSION
            + _Message(
                ratchet_key=typed(ratchet_public),
                counter=counter,
                previous_counter=previous_counter,
                ciphertext=ciphertext,
            ).SerializeToString()
        )
        return cls(
            ratchet_public=ratchet_public,
            counter=counter,
            previous_counter=previous_counter,
            ciphertext=ciphertext,
            signed=signed,
            mac=_mac(mac_key, sender_identity, receiver_identity, signed),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a received message; its MAC is not checked yet.

        Raises:
            MalformedMessageError: wrong version, cut off, or a field is missing.
        """
        signed, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        body = _parse(_Message, signed, ("ratchet_key", "counter", "ciphertext"))
        return cls(
            ratchet_public=untyped(body.ratchet_key),
            counter=body.counter,
            previous_counter=body.previous_counter,
            ciphertext=body.ciphertext,
            signed=signed,
            mac=mac,
        )

    def mac_for(self, *, mac_key: bytes, sender_identity: bytes, receiver_identity: bytes) -> bytes:
        """Compute the MAC this message should have."""
        return _mac(mac_key, sender_identity, receiver_identity, self.signed)

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        return self.signed + self.mac


@dataclass(frozen=True, slots=True, kw_only=True)
class PreKeySignalMessage:
    """A message that also opens the session; repeated until the receiver has answered.

    Keys are raw. `pre_key_id` is None when the bundle had no one-time key.
    """

    registration_id: int
    pre_key_id: int | None
    signed_key_id: int
    base_public: bytes
    identity: bytes
    message: SignalMessage

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a received message.

        Raises:
            MalformedMessageError: wrong version, cut off, or a field is missing.
        """
        required = ("base_key", "identity_key", "message", "signed_pre_key_id")
        body = _parse(_PreKeyMessage, data, required)
        return cls(
            registration_id=body.registration_id,
            pre_key_id=body.pre_key_id if body.HasField("pre_key_id") else None,
            signed_key_id=body.signed_pre_key_id,
            base_public=untyped(body.base_key),
            identity=untyped(body.identity_key),
            message=SignalMessage.from_bytes(body.message),
        )

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        body = _PreKeyMessage(
            base_key=typed(self.base_public),
            identity_key=typed(self.identity),
            message=self.message.to_bytes(),
            registration_id=self.registration_id,
            signed_pre_key_id=self.signed_key_id,
        )
        if self.pre_key_id is not None:
            body.pre_key_id = self.pre_key_id
        wire: bytes = VERSION + body.SerializeToString()
        return wire


def _parse(kind: type[Any], data: bytes, required: tuple[str, ...]) -> Any:
    if data[:1] != VERSION:
        raise MalformedMessageError("not a version 3 message")
    body = kind()
    try:
        body.ParseFromString(data[1:])
    except DecodeError as error:
        raise MalformedMessageError("not a protocol buffer") from error
    missing = [name for name in required if not body.HasField(name)]
    if missing:
        raise MalformedMessageError(f"fields missing: {', '.join(missing)}")
    return body


def _mac(mac_key: bytes, sender: bytes, receiver: bytes, signed: bytes) -> bytes:
    return hmac.digest(mac_key, typed(sender) + typed(receiver) + signed, "sha256")[:MAC_BYTES]
