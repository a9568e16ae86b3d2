"""The service itself: one listening socket, and what answers there."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import structlog

from gateway_worker.sandbox.server.connection import Connection
from gateway_worker.sandbox.server.login import Login
from gateway_worker.sandbox.server.media_hosts import DOMAIN, MediaHosts
from gateway_worker.sandbox.server.proxy import EgressAttempt, ProxyConnection
from gateway_worker.sandbox.server.unknown import UnknownQueries
from gateway_worker.sandbox.server.websocket import Socket, WebSocketServer
from gateway_worker.sandbox.wire.certs import Trust, create_trust
from gateway_worker.sandbox.wire.codec import Decoder
from gateway_worker.sandbox.wire.tokens import load_tokens

if TYPE_CHECKING:
    from types import TracebackType

    from gateway_worker.sandbox.service.service import Service

HOST: Final = "127.0.0.1"

log = structlog.get_logger(__name__)


class WireServer:
    """Speaks the multidevice protocol on loopback; an async context manager.

    A client needs three things of it: `proxy_url` as its HTTP proxy, `ca_file` among its trusted
    authorities, `root_key` in place of the service's root.
    """

    def __init__(
        self,
        *,
        service: Service,
        port: int = 0,
        directory: Path | None = None,
        library: Path | None = None,
    ) -> None:
        """Prepare.

        Args:
            service: what the connections belong to; outlives the server.
            port: where to listen on loopback; 0 picks a free port.
            directory: where certificates are written; a temporary directory when not given.
            library: the native library whose token tables are used; neonize's when not given.
        """
        self.service = service
        self.egress_attempts: list[EgressAttempt] = []
        self.unknown = UnknownQueries()
        self._port = port
        self._directory = directory
        self._library = library
        self._trust: Trust | None = None
        self._decoder: Decoder | None = None
        self._listener: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._handshakes: set[asyncio.Task[None]] = set()
        self._media_hosts: MediaHosts | None = None
        self._login = Login(service=service, unknown=self.unknown)
        self._stack = AsyncExitStack()

    @property
    def proxy_url(self) -> str:
        """The proxy through which clients reach the server."""
        return f"http://{HOST}:{self._port}"

    @property
    def ca_file(self) -> Path:
        """PEM file of the authority that clients must trust."""
        return self._opened.ca_file

    @property
    def root_key(self) -> bytes:
        """The 32-byte root of the Noise certificates."""
        return self._opened.root_key

    @property
    def connection_count(self) -> int:
        """Open websockets."""
        return len(self._connections)

    @property
    def unsent_bytes(self) -> int:
        """What clients have not taken yet and the operating system does not hold."""
        return sum(connection.unsent_bytes for connection in self._connections)

    @property
    def reachable(self) -> bool:
        """Whether the server accepts connections."""
        return self._listener is not None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            directory = self._directory or Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="wa-sandbox-"))
            )
            loop = asyncio.get_running_loop()
            self._trust = await loop.run_in_executor(None, create_trust, directory)
            tokens = await loop.run_in_executor(None, load_tokens, self._library)
            self._decoder = Decoder(tokens)
            self._media_hosts = MediaHosts(media=self.service.media)
            await self.accept_connections()
            stack.push_async_callback(self.refuse_connections)
            self._stack = stack.pop_all()
        log.info("sandbox.server_started", port=self._port)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def accept_connections(self) -> None:
        """Listen (again), on the same port as before. A no-op while listening.

        Raises:
            OSError: the port is taken.
        """
        if self._listener is not None:
            return
        self._listener = await asyncio.get_running_loop().create_server(
            self._proxy, HOST, self._port, reuse_address=True
        )
        self._port = self._listener.sockets[0].getsockname()[1]

    async def refuse_connections(self) -> None:
        """Become unreachable: cut every connection and stop listening."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        listener.close()
        for task in tuple(self._handshakes):
            task.cancel()
        for connection in tuple(self._connections):
            connection.abort()
        if self._media_hosts is not None:
            self._media_hosts.abort()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await listener.wait_closed()

    @property
    def _opened(self) -> Trust:
        if self._trust is None:
            raise RuntimeError("the server is not started")
        return self._trust

    def _proxy(self) -> asyncio.Protocol:
        return ProxyConnection(
            tls=self._opened.tls,
            inner=self._inner,
            attempts=self.egress_attempts,
            tasks=self._handshakes,
        )

    def _inner(self, host: str) -> asyncio.Protocol:
        assert self._media_hosts is not None
        if host.endswith(DOMAIN):
            return self._media_hosts.protocol()
        return WebSocketServer(accept=self._accept)

    def _accept(self, socket: Socket) -> Connection:
        assert self._decoder is not None
        connection = Connection(
            socket=socket,
            identity=self._opened.noise,
            decoder=self._decoder,
            enter=self._login.enter,
            left=self._connections.discard,
        )
        self._connections.add(connection)
        return connection
