"""A TCP proxy that stands between a client and a service and breaks what passes through it."""

import asyncio
import contextlib
import enum
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from gateway_worker.devkit.services.loopback import LOOPBACK

CHUNK_BYTES = 64 * 1024


class Direction(enum.Enum):
    """Which way bytes travel, seen from the client."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


class TcpProxy:
    """Forwards connections to a target, until told to misbehave.

    The listening port stays the same over `refuse` and `accept`. All faults can be combined.
    """

    def __init__(self, *, target_host: str, target_port: int) -> None:
        self._target = (target_host, target_port)
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()
        self._flowing = {direction: asyncio.Event() for direction in Direction}
        for event in self._flowing.values():
            event.set()
        self._delay_seconds = 0.0
        self._bytes_per_second = 0.0
        self._budget: dict[Direction, int | None] = dict.fromkeys(Direction)
        self.port = 0
        self.accepted = 0
        self._cuts = 0

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["TcpProxy"]:
        """Open a proxy in front of the host and port that a URL names."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        proxy = cls(target_host=parts.hostname, target_port=parts.port)
        await proxy.accept()
        try:
            yield proxy
        finally:
            await proxy.close()

    def url(self, original: str) -> str:
        """Return the URL with host and port replaced by the proxy's."""
        parts = urlsplit(original)
        credentials = parts.netloc.rpartition("@")[0]
        address = f"{LOOPBACK}:{self.port}"
        netloc = f"{credentials}@{address}" if credentials else address
        return urlunsplit(parts._replace(netloc=netloc))

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return len(self._links)

    async def accept(self) -> None:
        """Listen, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._on_client, LOOPBACK, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Stop listening, so that new connections are refused; open ones go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def cut(self) -> None:
        """Reset all open connections, as a router that lost its state would."""
        self._cuts += 1
        for link in tuple(self._links):
            link.reset()
        await asyncio.gather(*(link.ended.wait() for link in tuple(self._links)))

    def pause(self, *directions: Direction) -> None:
        """Hold bytes back: both sides see an open connection on which nothing arrives."""
        for direction in directions or tuple(Direction):
            self._flowing[direction].clear()

    def resume(self) -> None:
        """Let held bytes pass."""
        for event in self._flowing.values():
            event.set()

    def delay(self, seconds: float) -> None:
        """Hold each chunk back for a while, in order."""
        self._delay_seconds = seconds

    def throttle(self, bytes_per_second: float) -> None:
        """Let no more than so many bytes per second pass on each connection, each way; 0 ends it.

        They pass in pieces of a tenth of a second's worth: large frames arrive bit by bit.
        """
        self._bytes_per_second = bytes_per_second

    def cut_after(self, size_bytes: int, direction: Direction) -> None:
        """Let so many more bytes pass that way, over all connections, then reset the connection.

        A frame that straddles the limit arrives in part.
        """
        self._budget[direction] = size_bytes

    @property
    def is_armed(self) -> bool:
        """Whether a connection is still to be cut in mid-stream."""
        return any(budget is not None for budget in self._budget.values())

    def disarm(self) -> None:
        """Cut no connection any more in mid-stream."""
        self._budget = dict.fromkeys(Direction)

    async def close(self) -> None:
        """Stop listening and end all connections."""
        await self.refuse()
        self.resume()
        await self.cut()

    async def _on_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        cuts = self._cuts
        try:
            upstream = await asyncio.open_connection(*self._target)
        except OSError:
            _abort(writer)
            return
        if self._cuts != cuts or self._server is None:  # it was still being made then
            _abort(writer)
            _abort(upstream[1])
            return
        link = _Link(client=writer, server=upstream[1])
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, Direction.TO_SERVER, reader, upstream[1]))
                pumps.create_task(self._pump(link, Direction.TO_CLIENT, upstream[0], writer))
        finally:
            await link.finish()
            self._links.discard(link)
            link.ended.set()

    async def _pump(
        self,
        link: "_Link",
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(self._piece_bytes()):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                if self._bytes_per_second:
                    await asyncio.sleep(len(chunk) / self._bytes_per_second)
                if not self._flowing[direction].is_set():
                    await self._held_back(link, direction)
                allowed = self._spend(direction, len(chunk))
                writer.write(chunk[:allowed])
                await writer.drain()
                if allowed < len(chunk):
                    await link.reset_when_flushed(writer)
                    return
            if not writer.is_closing():
                writer.write_eof()
                return
        link.reset()

    def _piece_bytes(self) -> int:
        if not self._bytes_per_second:
            return CHUNK_BYTES
        return max(1, int(self._bytes_per_second / 10))

    async def _held_back(self, link: "_Link", direction: Direction) -> None:
        """Wait until bytes may flow, or until the link is cut meanwhile."""
        flowing = asyncio.ensure_future(self._flowing[direction].wait())
        cut = asyncio.ensure_future(link.was_cut.wait())
        try:
            await asyncio.wait((flowing, cut), return_when=asyncio.FIRST_COMPLETED)
        finally:
            flowing.cancel()
            cut.cancel()

    def _spend(self, direction: Direction, size_bytes: int) -> int:
        budget = self._budget[direction]
        if budget is None:
            return size_bytes
        allowed = min(budget, size_bytes)
        # used up exactly: the next byte is the one that cuts
        self._budget[direction] = None if allowed < size_bytes else budget - allowed
        return allowed


class _Link:
    """One client connection and its counterpart."""

    def __init__(self, *, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._writers = (client, server)
        self.was_cut = asyncio.Event()
        self.ended = asyncio.Event()

    async def finish(self) -> None:
        """Close both sides, in order unless the link was cut, and wait until they are."""
        if self.was_cut.is_set():
            self.reset()
        for writer in self._writers:
            writer.close()
        for writer in self._writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def reset(self) -> None:
        """Reset both sides; what has not left yet is lost."""
        self.was_cut.set()
        for writer in self._writers:
            _abort(writer)

    async def reset_when_flushed(self, writer: asyncio.StreamWriter) -> None:
        """Reset once the partial frame has left; a reset would overtake what is buffered."""
        writer.transport.set_write_buffer_limits(0)
        await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.reset()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with a reset where something is still in flight."""
    if writer.is_closing():
        return
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    writer.transport.abort()
