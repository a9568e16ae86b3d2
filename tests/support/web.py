"""A server for files, on loopback, that answers byte by byte what a test has written down."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

from gateway_worker.media.fetching.addresses import IPAddress
from gateway_worker.media.fetching.resolving import Resolver

Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(
    body: bytes = b"", *, status: int = 200, length: int | None = None, **headers: str
) -> Answering:
    """Return what writes one answer; `length` may lie, and names have `_` for `-`."""
    head = {"content-length": str(len(body) if length is None else length), **headers}
    lines = [f"HTTP/1.1 {status} Status", *(f"{n.replace('_', '-')}: {v}" for n, v in head.items())]
    data = "\r\n".join([*lines, "", ""]).encode() + body

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write


def redirect(location: str, *, status: int = 302) -> Answering:
    """Return what sends a client somewhere else."""
    return answer(status=status, location=location)


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Say nothing for as long as the client stays."""
    await asyncio.Event().wait()


class FileServer:
    """What is asked of it, and where it listens.

    Attributes:
        port: Its port.
        heads: Request line and headers of every request.
        connections: How many connections were made.
    """

    def __init__(self, answers: Mapping[str, Answering]) -> None:
        self.answers = dict(answers)
        self.heads: list[str] = []
        self.connections = 0
        self.port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [head.split(" ")[1] for head in self.heads]

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        self.connections += 1
        self._serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def close(self) -> None:
        """Leave every connection."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            path = head.split(" ")[1].partition("?")[0]
            await _while_there(reader, self.answers.get(path, answer(status=404))(writer))
            writer.close()
            await writer.wait_closed()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client has gone
        finally:
            writer.transport.abort()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


async def _while_there(reader: asyncio.StreamReader, answering: Awaitable[None]) -> None:
    """Answer until that is done, or until the client has closed its side."""
    ends = [asyncio.ensure_future(answering), asyncio.ensure_future(reader.read())]
    try:
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)


@asynccontextmanager
async def file_server(
    answers: Mapping[str, Answering],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[FileServer]:
    """Serve files while the block runs."""
    served = FileServer(answers)
    server = await asyncio.start_server(served.accept, host, port, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        await served.close()


class Names(Resolver):
    """Knows names by heart; each further question about one gets its next list, then the last.

    Attributes:
        asked: The names that were asked for.
    """

    def __init__(self, **names: Sequence[Sequence[str]]) -> None:
        self._names = {name.replace("_", "."): [*lists] for name, lists in names.items()}
        self.asked: list[str] = []

    async def resolve(self, name: str, *, owner: str) -> Sequence[IPAddress]:
        """Return the addresses that are next."""
        self.asked.append(name)
        lists = self._names[name]
        return [ip_address(text) for text in (lists.pop(0) if len(lists) > 1 else lists[0])]

    def close(self) -> None:
        """Know nothing more."""
