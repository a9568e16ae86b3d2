"""What stands before a service and speaks TLS for it, and lets in who shows a certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

from gateway_worker.devkit.services.loopback import LOOPBACK
from tests.support.authority import Files

_PIECE_BYTES = 65_536


class TlsFront:
    """Takes TLS and passes on what is in it, on one port for as long as it lives. Made by `before`.

    Attributes:
        accepted: How many connections have shown a certificate and were passed on.
    """

    def __init__(self, *, host: str, port: int) -> None:
        self._target = (host, port)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()
        self.accepted = 0

    @classmethod
    @asynccontextmanager
    async def before(cls, url: str, files: Files) -> AsyncIterator["TlsFront"]:
        """Stand before a service, with a side's certificates."""
        parts = urlsplit(url)
        front = cls(host=parts.hostname or "", port=parts.port or 0)
        await front.show(files)
        try:
            yield front
        finally:
            await front._close()

    def url(self, url: str, scheme: str) -> str:
        """Return a URL of the service by way of this, without parameters."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        place = f"{login}{at}{LOOPBACK}:{self._port}"
        return urlunsplit(parts._replace(scheme=scheme, netloc=place))

    async def show(self, files: Files) -> None:
        """Use these certificates from now on; the connections that there are end."""
        await self._close()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files.ca)
        context.load_cert_chain(files.certificate, files.key)
        context.verify_mode = ssl.CERT_REQUIRED
        self._server = await asyncio.start_server(self._take, LOOPBACK, self._port, ssl=context)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        self.accepted += 1
        with suppress(OSError, asyncio.CancelledError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            try:
                ways = (_pass_on(reader, far_writer), _pass_on(far_reader, writer))
                await asyncio.wait(
                    [asyncio.ensure_future(way) for way in ways],
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                far_writer.transport.abort()
                writer.transport.abort()
        self._passing.discard(task)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
