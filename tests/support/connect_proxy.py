"""An HTTP proxy as a provider runs one: it asks for credentials, and a test sees who came."""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
_REFUSED = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"


@dataclass(kw_only=True)
class ConnectProxy:
    """Tunnels through another proxy, for those who have the credentials. Made by `open`.

    Attributes:
        username: Of the credentials.
        password: Likewise.
        targets: The hosts that tunnels were opened to, in order.
        refused: How many came without the credentials.
    """

    upstream: tuple[str, int]
    username: str
    password: str
    targets: list[str] = field(default_factory=list)
    refused: int = 0
    _server: asyncio.Server | None = None
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, upstream: str, *, username: str = "shop", password: str = "p@ss:w/rd"
    ) -> AsyncIterator["ConnectProxy"]:
        """Listen on a free port, for as long as the block lasts."""
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        proxy = cls(upstream=(parts.hostname, parts.port), username=username, password=password)
        proxy._server = await asyncio.start_server(proxy._serve, LOOPBACK, 0)
        url = proxy.url
        try:
            assert url
            yield proxy
        finally:
            await proxy.die()

    @property
    def url(self) -> str:
        """Where it is, without credentials."""
        assert self._server is not None
        return f"http://{LOOPBACK}:{self._server.sockets[0].getsockname()[1]}"

    async def die(self) -> None:
        """Refuse everybody from now on, and cut all tunnels."""
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._tunnel(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two has gone
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        wanted = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if f"proxy-authorization: basic {wanted}".lower() not in head.lower():
            self.refused += 1
            writer.write(_REFUSED)
            await writer.drain()
            return
        target = head.split(" ", 2)[1]
        self.targets.append(target.partition(":")[0])
        there, back = await asyncio.open_connection(*self.upstream)
        self._writers.add(back)
        try:
            back.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            await asyncio.gather(_pump(reader, back), _pump(there, writer))
        finally:
            back.transport.abort()
            self._writers.discard(back)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
