"""One client connection: Noise frames in and out, and the stage that it is in.

A connection is a stranger until its handshake is done. Then its payload decides the stage: it waits
to be paired, or it is logged in as a device. Stages get stanzas one by one, synchronously.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from gateway_worker.sandbox.service.errors import ServiceError
from gateway_worker.sandbox.wire.codec import encode
from gateway_worker.sandbox.wire.errors import WireError
from gateway_worker.sandbox.wire.noise import HEADER, Finished, ServerHandshake

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway_worker.sandbox.server.websocket import Socket
    from gateway_worker.sandbox.wire.codec import Decoder
    from gateway_worker.sandbox.wire.node import Node
    from gateway_worker.sandbox.wire.noise import NoiseIdentity

LENGTH_BYTES: Final = 3
LAST_STANZA_SECONDS: Final = 0.2
"""Clients that see the close before they have handled the last stanza miss what it says."""

log = structlog.get_logger(__name__)


class Stage(Protocol):
    """What a connection is after its handshake."""

    def on_stanza(self, node: Node) -> None:
        """Take one stanza.

        Raises:
            WireError: it makes no sense; the connection is cut.
        """

    def on_room(self) -> None:
        """The connection was full and is so no more."""

    def on_close(self) -> None:
        """The connection is gone. Called once."""


class Connection:
    """Sits on a websocket as its `Endpoint`."""

    def __init__(
        self,
        *,
        socket: Socket,
        identity: NoiseIdentity,
        decoder: Decoder,
        enter: Callable[[Connection, Finished], Stage | None],
        left: Callable[[Connection], None],
    ) -> None:
        """Prepare.

        Args:
            socket: the way to the client.
            identity: the server's Noise key and chain.
            decoder: reads stanzas.
            enter: picks the stage after the handshake; `None` ends the connection there.
            left: told when the connection is gone.
        """
        self._socket = socket
        self._decoder = decoder
        self._enter = enter
        self._left = left
        self._handshake: ServerHandshake | None = ServerHandshake(identity)
        self._finished: Finished | None = None
        self._greeted = False
        self._said_hello = False
        self._stage: Stage | None = None
        self._input = bytearray()
        self._over = False

    @property
    def is_full(self) -> bool:
        """Whether the client takes less than it is sent; `Stage.on_room` tells when it is over."""
        return self._socket.is_full

    @property
    def unsent_bytes(self) -> int:
        """What was sent and has not left the process."""
        return self._socket.unsent_bytes

    def send(self, node: Node) -> None:
        """Send one stanza; a no-op once the connection is over."""
        if self._finished is None or self._over:
            return
        self._send_frame(self._finished.writer.encrypt(encode(node)))

    def close(self, last: Node | None = None) -> None:
        """End the connection, after one last stanza if given; nothing is sent after it."""
        if self._over:
            return
        if last is None:
            self._over = True
            self._socket.close()
            return
        self.send(last)
        self._over = True
        asyncio.get_running_loop().call_later(LAST_STANZA_SECONDS, self._socket.close)

    def abort(self) -> None:
        """Cut the connection without a last stanza."""
        self._over = True
        self._socket.abort()

    def on_message(self, payload: bytes) -> None:
        """Take one websocket message: any number of frames, the last perhaps incomplete."""
        data = self._input
        data += payload
        try:
            if not self._greeted:
                if len(data) < len(HEADER):
                    return
                self._greet(data)
            self._read_frames(data)
        except (ValueError, ServiceError) as error:
            # Bytes from outside: whatever they break ends this connection and nothing else.
            log.warning("sandbox.connection_broken", error=f"{type(error).__name__}: {error}")
            self.abort()

    def on_room(self) -> None:
        """The websocket takes more again."""
        if self._stage is not None:
            self._stage.on_room()

    def on_close(self) -> None:
        """The websocket is gone."""
        self._over = True
        stage, self._stage = self._stage, None
        if stage is not None:
            stage.on_close()
        self._left(self)

    def _greet(self, data: bytearray) -> None:
        if data[: len(HEADER)] != HEADER:
            raise WireError("unknown protocol header")
        del data[: len(HEADER)]
        self._greeted = True

    def _read_frames(self, data: bytearray) -> None:
        at = 0
        total = len(data)
        while total - at >= LENGTH_BYTES and not self._over:
            start = at + LENGTH_BYTES
            end = start + int.from_bytes(data[at:start], "big")
            if end > total:
                break
            at = end
            self._on_frame(bytes(data[start:end]))
        del data[:at]

    def _on_frame(self, frame: bytes) -> None:
        if self._finished is None:
            self._shake_hands(frame)
        elif self._stage is not None:
            self._stage.on_stanza(self._decoder.decode(self._finished.reader.decrypt(frame)))

    def _shake_hands(self, frame: bytes) -> None:
        assert self._handshake is not None
        if not self._said_hello:
            self._send_frame(self._handshake.hello(frame))
            self._said_hello = True
            return
        self._finished = self._handshake.finish(frame)
        self._handshake = None
        self._stage = self._enter(self, self._finished)

    def _send_frame(self, frame: bytes) -> None:
        # Exactly one frame per websocket message: clients lose step when one is split.
        self._socket.send(len(frame).to_bytes(LENGTH_BYTES, "big") + frame)
