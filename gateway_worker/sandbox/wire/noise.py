"""The server's half of Noise XX with AES-GCM and SHA-256, and the transport ciphers after it.

A connection starts with a four-byte header, which is hashed in first. Then three messages: the
client's ephemeral key; the server's ephemeral key with its static key and certificate chain; the
client's static key and its payload. What the payload says (pair me, log me in) is for the server.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from gateway_worker.sandbox.hkdf import hkdf
from gateway_worker.sandbox.protobuf import build_messages
from gateway_worker.sandbox.wire.errors import WireError

PROTOCOL: Final = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
HEADER: Final = b"WA\x06\x03"

_MESSAGES: Final = build_messages(
    "sandbox.noise",
    {
        "ClientHello": {"ephemeral": (1, "bytes")},
        "ServerHello": {"ephemeral": (1, "bytes"), "static": (2, "bytes"), "payload": (3, "bytes")},
        "ClientFinish": {"static": (1, "bytes"), "payload": (2, "bytes")},
        "HandshakeMessage": {
            "client_hello": (2, "ClientHello"),
            "server_hello": (3, "ServerHello"),
            "client_finish": (4, "ClientFinish"),
        },
    },
)
HandshakeMessage = _MESSAGES["HandshakeMessage"]


def derive(salt: bytes, secret: bytes) -> tuple[bytes, bytes]:
    """HKDF-SHA256 without info to two keys of 32 bytes."""
    keys = hkdf(secret=secret, salt=salt, length=64)
    return keys[:32], keys[32:]


class SymmetricState:
    """Hash, chaining key and cipher of a handshake, the same for both sides."""

    def __init__(self) -> None:
        """Start from the protocol's name, which serves as hash and key as it is."""
        self._hash = PROTOCOL
        self._chain = PROTOCOL
        self._cipher = AESGCM(PROTOCOL)
        self._counter = 0

    def mix_hash(self, data: bytes) -> None:
        """Bind data into the transcript."""
        self._hash = hashlib.sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """Take a Diffie-Hellman secret into the keys; the message counter starts again."""
        self._chain, key = derive(self._chain, secret)
        self._cipher = AESGCM(key)
        self._counter = 0

    def encrypt(self, plain: bytes) -> bytes:
        """Encrypt and bind the ciphertext."""
        sealed = self._cipher.encrypt(self._nonce(), plain, self._hash)
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        """Decrypt and bind the ciphertext.

        Raises:
            WireError: it was not made with the same keys and transcript.
        """
        try:
            plain = self._cipher.decrypt(self._nonce(), sealed, self._hash)
        except (InvalidTag, ValueError) as error:
            raise WireError("handshake message does not decrypt") from error
        self.mix_hash(sealed)
        return plain

    def split(self) -> tuple[bytes, bytes]:
        """The transport keys: client to server, server to client."""
        return derive(self._chain, b"")

    def _nonce(self) -> bytes:
        nonce = self._counter.to_bytes(12, "big")
        self._counter += 1
        return nonce


class FrameCipher:
    """One direction of the transport after the handshake; frames must pass in order."""

    def __init__(self, key: bytes) -> None:
        """Start counting frames."""
        self._cipher = AESGCM(key)
        self._counter = 0

    def encrypt(self, plain: bytes) -> bytes:
        """Seal the next frame."""
        nonce = self._counter.to_bytes(12, "big")
        self._counter += 1
        return self._cipher.encrypt(nonce, plain, None)

    def decrypt(self, sealed: bytes) -> bytes:
        """Open the next frame.

        Raises:
            WireError: it is not the next frame of this direction.
        """
        nonce = self._counter.to_bytes(12, "big")
        self._counter += 1
        try:
            return self._cipher.decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError) as error:
            raise WireError("frame does not decrypt") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class NoiseIdentity:
    """What a server shows to every client.

    Attributes:
        static: its Noise key.
        cert_chain: serialized certificate chain that vouches for the key's public half.
    """

    static: X25519PrivateKey
    cert_chain: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The result of a handshake.

    Attributes:
        client_static: the client's 32-byte Noise key; proof of who it is.
        payload: the client's first words, serialized.
        reader: opens frames from the client.
        writer: seals frames to the client.
    """

    client_static: bytes
    payload: bytes
    reader: FrameCipher
    writer: FrameCipher


class ServerHandshake:
    """Two steps, in order: `hello`, then `finish`."""

    def __init__(self, identity: NoiseIdentity) -> None:
        """Draw the ephemeral key."""
        self._identity = identity
        self._ephemeral = X25519PrivateKey.generate()
        self._state = SymmetricState()
        self._state.mix_hash(HEADER)

    def hello(self, body: bytes) -> bytes:
        """Answer the client's hello.

        Raises:
            WireError: it is no hello.
        """
        peer = _parse(body, "client_hello").ephemeral
        state = self._state
        ephemeral = self._ephemeral.public_key().public_bytes_raw()
        state.mix_hash(peer)
        state.mix_hash(ephemeral)
        state.mix_key(_agree(self._ephemeral, peer))
        answer = HandshakeMessage()
        answer.server_hello.ephemeral = ephemeral
        answer.server_hello.static = state.encrypt(
            self._identity.static.public_key().public_bytes_raw()
        )
        state.mix_key(_agree(self._identity.static, peer))
        answer.server_hello.payload = state.encrypt(self._identity.cert_chain)
        return bytes(answer.SerializeToString())

    def finish(self, body: bytes) -> Finished:
        """Take the client's last message.

        Raises:
            WireError: it is none, or it does not belong to this handshake.
        """
        message = _parse(body, "client_finish")
        static = self._state.decrypt(message.static)
        self._state.mix_key(_agree(self._ephemeral, static))
        payload = self._state.decrypt(message.payload)
        inbound, outbound = self._state.split()
        return Finished(
            client_static=static,
            payload=payload,
            reader=FrameCipher(inbound),
            writer=FrameCipher(outbound),
        )


def _agree(private: X25519PrivateKey, public: bytes) -> bytes:
    try:
        return private.exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError as error:
        raise WireError("unusable key in the handshake") from error


def _parse(body: bytes, part: str) -> Any:
    try:
        message = HandshakeMessage.FromString(body)
    except DecodeError as error:
        raise WireError("handshake message is no protobuf") from error
    if not message.HasField(part):
        raise WireError(f"handshake message without {part}")
    return getattr(message, part)
