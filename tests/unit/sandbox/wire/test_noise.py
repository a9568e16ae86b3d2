"""The handshake against an initiator written from the protocol's own description."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.noise import (
    HEADER,
    Finished,
    FrameCipher,
    HandshakeMessage,
    NoiseIdentity,
    ServerHandshake,
    SymmetricState,
)

IDENTITY = NoiseIdentity(static=X25519PrivateKey.generate(), cert_chain=b"the chain")


class Initiator:
    """The client's half."""

    def __init__(self) -> None:
        self.ephemeral = X25519PrivateKey.generate()
        self.static = X25519PrivateKey.generate()
        self.state = SymmetricState()
        self.state.mix_hash(HEADER)
        self.chain = b""
        self._server_ephemeral = b""

    def hello(self) -> bytes:
        """The first message."""
        public = self.ephemeral.public_key().public_bytes_raw()
        self.state.mix_hash(public)
        message = HandshakeMessage()
        message.client_hello.ephemeral = public
        return bytes(message.SerializeToString())

    def read(self, answer: bytes) -> None:
        """Take the server's answer."""
        hello = HandshakeMessage.FromString(answer).server_hello
        self.state.mix_hash(hello.ephemeral)
        self.state.mix_key(self._agree(self.ephemeral, hello.ephemeral))
        static = self.state.decrypt(hello.static)
        self.state.mix_key(self._agree(self.ephemeral, static))
        self.chain = self.state.decrypt(hello.payload)
        self._server_ephemeral = hello.ephemeral

    def finish(self, payload: bytes) -> bytes:
        """The last message."""
        message = HandshakeMessage()
        message.client_finish.static = self.state.encrypt(
            self.static.public_key().public_bytes_raw()
        )
        self.state.mix_key(self._agree(self.static, self._server_ephemeral))
        message.client_finish.payload = self.state.encrypt(payload)
        return bytes(message.SerializeToString())

    @staticmethod
    def _agree(private: X25519PrivateKey, public: bytes) -> bytes:
        return private.exchange(X25519PublicKey.from_public_bytes(public))


def shake_hands() -> tuple[Initiator, Finished]:
    client, server = Initiator(), ServerHandshake(IDENTITY)
    client.read(server.hello(client.hello()))
    return client, server.finish(client.finish(b"first words"))


def test_both_sides_agree() -> None:
    """The server learns the client's key and payload; frames open on the other side."""
    client, finished = shake_hands()
    to_server, to_client = client.state.split()

    assert client.chain == b"the chain"
    assert finished.client_static == client.static.public_key().public_bytes_raw()
    assert finished.payload == b"first words"
    writer, reader = FrameCipher(to_server), FrameCipher(to_client)
    for frame in (b"one", b"two"):
        assert finished.reader.decrypt(writer.encrypt(frame)) == frame
        assert reader.decrypt(finished.writer.encrypt(frame)) == frame


def test_frames_must_come_in_order() -> None:
    """A frame that is skipped or repeated does not open."""
    client, finished = shake_hands()
    writer = FrameCipher(client.state.split()[0])
    writer.encrypt(b"lost")

    with pytest.raises(WireError, match="does not decrypt"):
        finished.reader.decrypt(writer.encrypt(b"next"))


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x1a\x00", b"\x12\x02\x0a\x00"])
def test_a_hello_that_is_none(body: bytes) -> None:
    """Anything but a client's hello with a usable key is refused."""
    with pytest.raises(WireError):
        ServerHandshake(IDENTITY).hello(body)


def test_a_finish_from_another_handshake() -> None:
    """The transcript binds the last message to the first."""
    client, other = Initiator(), Initiator()
    server = ServerHandshake(IDENTITY)
    client.read(server.hello(client.hello()))
    other.read(ServerHandshake(IDENTITY).hello(other.hello()))

    with pytest.raises(WireError, match="does not decrypt"):
        server.finish(other.finish(b""))
