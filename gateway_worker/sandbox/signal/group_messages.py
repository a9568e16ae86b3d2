"""The two message formats of sender keys, version 3.

A `SenderKeyMessage` is `33`, a protocol buffer and 64 bytes of signature over everything before it.
A `SenderKeyDistribution` is `33` and a protocol buffer: what a device must have got, in a session
between two, before it can read messages of that key.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

from google.protobuf.message import DecodeError

from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.signal.errors import MalformedMessageError
from gateway_worker.sandbox.signal.keys import KEY_BYTES, typed, untyped
from gateway_worker.sandbox.signal.messages import VERSION
from gateway_worker.sandbox.signal.xeddsa import SIGNATURE_BYTES, verify

if TYPE_CHECKING:
    from gateway_worker.sandbox.signal.keys import KeyPair

_PROTO: Final = build_messages(
    "sandbox_sender_keys",
    {
        "Message": {
            "key_id": (1, "uint32"),
            "iteration": (2, "uint32"),
            "ciphertext": (3, "bytes"),
        },
        "Distribution": {
            "key_id": (1, "uint32"),
            "iteration": (2, "uint32"),
            "chain_key": (3, "bytes"),
            "signing_key": (4, "bytes"),
        },
    },
)
_Message: Final = _PROTO["Message"]
_Distribution: Final = _PROTO["Distribution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderKeyMessage:
    """A message for a whole group.

    Attributes:
        key_id: which of the sender's keys.
        iteration: position in that key's chain.
        ciphertext: AES-256-CBC.
        signed: the bytes under the signature, version byte included.
        signature: 64 bytes.
    """

    key_id: int
    iteration: int
    ciphertext: bytes
    signed: bytes
    signature: bytes

    @classmethod
    def sealed(cls, *, key_id: int, iteration: int, ciphertext: bytes, signing: KeyPair) -> Self:
        """Build an outgoing message and sign it."""
        body = _Message(key_id=key_id, iteration=iteration, ciphertext=ciphertext)
        signed = VERSION + body.SerializeToString()
        return cls(
            key_id=key_id,
            iteration=iteration,
            ciphertext=ciphertext,
            signed=signed,
            signature=signing.sign(signed),
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a received message; its signature is not checked yet.

        Raises:
            MalformedMessageError: wrong version, cut off, or a field is missing.
        """
        signed, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
        body = _parse(_Message, signed)
        return cls(
            key_id=body.key_id,
            iteration=body.iteration,
            ciphertext=body.ciphertext,
            signed=signed,
            signature=signature,
        )

    def is_signed_by(self, public: bytes) -> bool:
        """Tell whether the owner of a raw signing key has signed it."""
        return verify(public, self.signed, self.signature)

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        return self.signed + self.signature


@dataclass(frozen=True, slots=True, kw_only=True)
class SenderKeyDistribution:
    """What lets its receiver read a sender's messages from `iteration` on; keys are raw."""

    key_id: int
    iteration: int
    chain_key: bytes = field(repr=False)
    signing_public: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a received one.

        Raises:
            MalformedMessageError: wrong version, cut off, or a field is missing.
        """
        body = _parse(_Distribution, data)
        if len(body.chain_key) != KEY_BYTES:
            raise MalformedMessageError(f"a chain key of {len(body.chain_key)} bytes")
        return cls(
            key_id=body.key_id,
            iteration=body.iteration,
            chain_key=body.chain_key,
            signing_public=untyped(body.signing_key),
        )

    def to_bytes(self) -> bytes:
        """Return the wire form."""
        body = _Distribution(
            key_id=self.key_id,
            iteration=self.iteration,
            chain_key=self.chain_key,
            signing_key=typed(self.signing_public),
        )
        wire: bytes = VERSION + body.SerializeToString()
        return wire


def _parse(kind: type[Any], data: bytes) -> Any:
    """Read a body in which every field must be there."""
    if data[:1] != VERSION:
        raise MalformedMessageError("not a version 3 message")
    body = kind()
    try:
        body.ParseFromString(data[1:])
    except DecodeError as error:
        raise MalformedMessageError("not a protocol buffer") from error
    missing = [one.name for one in kind.DESCRIPTOR.fields if not body.HasField(one.name)]
    if missing:
        raise MalformedMessageError(f"fields missing: {', '.join(missing)}")
    return body
