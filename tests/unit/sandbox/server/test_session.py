"""A companion whose connection is full: what waits for it, and when it is cut."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gateway_worker.sandbox.server import session as module
from gateway_worker.sandbox.server.connection import Connection
from gateway_worker.sandbox.server.queries.table import query_table
from gateway_worker.sandbox.server.session import DeviceSession
from gateway_worker.sandbox.server.unknown import UnknownQueries
from gateway_worker.sandbox.server.websocket import Socket
from gateway_worker.sandbox.wire.codec import Decoder
from gateway_worker.sandbox.wire.node import Node
from gateway_worker.sandbox.wire.noise import NoiseIdentity
from gateway_worker.sandbox.wire.tokens import load_tokens
from tests.unit.sandbox.service.conftest import ANN, Fixture

PING = Node("iq", {"xmlns": "w:p", "type": "get", "id": "1"}, (Node("ping"),))


class FullSocket(Socket):
    """Its peer takes nothing."""

    is_full = True
    unsent_bytes = 0

    def __init__(self) -> None:
        self.is_cut = False

    def send(self, payload: bytes) -> None:
        """Fail: it is full."""
        raise AssertionError(payload)

    def close(self) -> None:
        """Be cut."""
        self.is_cut = True

    def abort(self) -> None:
        """Be cut."""
        self.is_cut = True


def test_who_asks_and_reads_no_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many; until then the answers wait."""
    monkeypatch.setattr(module, "MAX_HELD_REPLIES", 3)
    world, socket = Fixture(), FullSocket()
    companion = world.companion(ANN, online=False)
    session = DeviceSession(
        connection=Connection(
            socket=socket,
            identity=NoiseIdentity(static=X25519PrivateKey.generate(), cert_chain=b""),
            decoder=Decoder(load_tokens()),
            enter=lambda _connection, _finished: None,
            left=lambda _connection: None,
        ),
        service=world.service,
        account=world.service.accounts.get(ANN),
        record=world.record(companion.jid),
        queries=query_table(),
        unknown=UnknownQueries(),
    )
    for _ in range(3):
        session.on_stanza(PING)
    assert not socket.is_cut
    session.on_stanza(PING)
    assert socket.is_cut
