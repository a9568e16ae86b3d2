"""Accepts the probes' connections: a bounded number, for a bounded time each, one request each.

Whoever reaches the port may open as many connections as he likes and say nothing. The oldest one
gives way to the newest, so that a probe is always heard; and a process that has no descriptor left
waits for one instead of failing.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

import structlog

from gateway_worker.runtime.os_errors import explain

log = structlog.get_logger(__name__)

MOST_CONNECTIONS: Final = 32
CONNECTION_SECONDS: Final = 10.0
"""For the request, the answer and the end."""
_PAUSE_SECONDS: Final = 0.5


class Listener:
    """Serves connections of a listening socket.

    Args:
        sock: Listens.
        protocol: Makes the protocol of a connection.
        most: How many connections there may be.
        seconds: How long one of them may last.

    Attributes:
        cut: How many connections were ended because there were too many, or they took too long.
        postponed: How often one could not be accepted at once.
    """

    def __init__(
        self,
        *,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        most: int = MOST_CONNECTIONS,
        seconds: float = CONNECTION_SECONDS,
    ) -> None:
        self._socket = sock
        self._protocol = protocol
        self._most = most
        self._seconds = seconds
        self._connections: dict[_Bounded, None] = {}  # in the order in which they came
        self.cut = 0
        self.postponed = 0

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def run(self) -> None:
        """Accept until cancelled."""
        loop = asyncio.get_running_loop()
        self._socket.settimeout(0)
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError as error:
                self.postponed += 1
                log.warning("health.not_accepted", reason=explain(error))
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            try:
                await loop.connect_accepted_socket(self._make, connection)
            except OSError as error:  # it has gone already
                connection.close()
                log.debug("health.connection_failed", reason=explain(error))

    def _make(self) -> "_Bounded":
        while len(self._connections) >= self._most:
            oldest = next(iter(self._connections))
            self._end(oldest)
        loop = asyncio.get_running_loop()
        bounded = _Bounded(self._protocol(), ended=lambda one: self._connections.pop(one, None))
        bounded.timer = loop.call_later(self._seconds, self._end, bounded)
        self._connections[bounded] = None
        return bounded

    def _end(self, connection: "_Bounded") -> None:
        self._connections.pop(connection, None)
        self.cut += 1
        connection.abort()


class _Bounded(asyncio.Protocol):
    """Passes everything on to a protocol, and can be ended from outside."""

    def __init__(self, inner: asyncio.Protocol, *, ended: Callable[["_Bounded"], object]) -> None:
        self._inner = inner
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self.timer: asyncio.TimerHandle | None = None

    def abort(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass it on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._inner.connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, and be forgotten."""
        if self.timer is not None:
            self.timer.cancel()
        self._ended(self)
        self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()
