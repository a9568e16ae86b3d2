"""The way in: a CONNECT proxy that leads to this server and nowhere else.

Clients believe that they talk to the service through an HTTP proxy. A tunnel to one of the
service's names ends right here, in TLS with the sandbox's own certificate; every other request is
refused and recorded. An empty record is the proof that nothing tried to leave the machine.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import structlog

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

MAX_HEAD_BYTES: Final = 8192
HEAD_END: Final = b"\r\n\r\n"

_ALLOWED: Final = re.compile(
    r"CONNECT (?P<host>([a-z0-9-]+\.)*whatsapp\.(com|net)):443 HTTP/1\.[01]", re.IGNORECASE
)
_OPEN: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_REFUSED: Final = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressAttempt:
    """A request for something that is not the service.

    Attributes:
        method: the HTTP method.
        target: what it asked for, as written (cut at 200 characters).
    """

    method: str
    target: str


class ProxyConnection(asyncio.Protocol):
    """One client of the proxy, until its tunnel stands."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext,
        inner: Callable[[str], asyncio.Protocol],
        attempts: list[EgressAttempt],
        tasks: set[asyncio.Task[None]],
    ) -> None:
        """Prepare.

        Args:
            tls: how to end the tunnel's TLS.
            inner: makes the protocol that speaks inside of a tunnel to this host.
            attempts: where refused requests are recorded.
            tasks: where handshakes under way are held, so that closing can end them.
        """
        self._tls = tls
        self._inner = inner
        self._attempts = attempts
        self._tasks = tasks
        self._head = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Collect the request's head, then open the tunnel or refuse."""
        self._head += data
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if HEAD_END not in self._head:
            if len(self._head) > MAX_HEAD_BYTES:
                transport.abort()
            return
        line = self._head.split(b"\r\n", 1)[0].decode("latin-1")
        allowed = _ALLOWED.fullmatch(line)
        if allowed is None:
            self._refuse(transport, line)
            return
        # Whatever follows the head belongs to TLS; a client sends nothing before the answer.
        transport.pause_reading()
        transport.write(_OPEN)
        opening = self._open(transport, self._inner(allowed["host"].lower()))
        task = asyncio.get_running_loop().create_task(opening, name="sandbox-tls")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _refuse(self, transport: asyncio.Transport, line: str) -> None:
        method, _, target = line.partition(" ")
        attempt = EgressAttempt(method=method[:20], target=target[:200])
        self._attempts.append(attempt)
        log.warning("sandbox.egress_refused", method=attempt.method, target=attempt.target)
        transport.write(_REFUSED)
        transport.close()

    async def _open(self, transport: asyncio.Transport, inner: asyncio.Protocol) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(transport, inner, self._tls, server_side=True)
        except (OSError, ConnectionError) as error:
            log.info("sandbox.tls_failed", error=type(error).__name__)
            transport.abort()
            return
        except asyncio.CancelledError:
            transport.abort()
            raise
        if secured is not None and not secured.is_closing():
            inner.connection_made(secured)
