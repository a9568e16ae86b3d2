"""The probes' port: whoever reaches it cannot take it from the probes."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress

import pytest

from gateway_worker.health.listener import Listener
from tests.support.eventually import eventually


class Echo(asyncio.Protocol):
    """Gives back what it is given."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Give it back."""
        self._transport.write(data)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket that listens."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as sock:
        yield sock


@asynccontextmanager
async def _running(listener: Listener) -> AsyncIterator[None]:
    task = asyncio.create_task(listener.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _echoes(sock: socket.socket, word: bytes = b"hello") -> bool:
    reader, writer = await asyncio.open_connection(*sock.getsockname())
    try:
        writer.write(word)
        return await reader.readexactly(len(word)) == word
    finally:
        writer.close()
        await writer.wait_closed()


async def test_silent_connections_give_way_to_the_newest(listening: socket.socket) -> None:
    """However many there are, the next one is heard."""
    listener = Listener(sock=listening, protocol=Echo, most=4)
    async with _running(listener):
        silent = [await asyncio.open_connection(*listening.getsockname()) for _ in range(40)]
        assert await _echoes(listening)
        await eventually(lambda: listener.cut >= 36)
        assert await silent[0][0].read() == b""
        for _, writer in silent:
            writer.close()


async def test_a_connection_has_a_time(listening: socket.socket) -> None:
    """One that says nothing, or says it slowly, is ended."""
    listener = Listener(sock=listening, protocol=Echo, seconds=0.05)
    async with _running(listener):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(b"G")
        with suppress(ConnectionError):
            assert await reader.read() == b"G"
        assert listener.cut == 1
        writer.close()


async def test_without_a_descriptor_it_waits_for_one(listening: socket.socket) -> None:
    """And serves again as soon as there is one."""
    listener = Listener(sock=listening, protocol=Echo)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with _running(listener):
        assert await _echoes(listening)
        await eventually(lambda: not listener.open)
        with ExitStack() as stack:
            caller = stack.enter_context(socket.socket())
            stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            resource.setrlimit(resource.RLIMIT_NOFILE, (caller.fileno() + 1, hard))
            with suppress(OSError):
                while True:
                    stack.enter_context(socket.socket())
            caller.settimeout(0)
            await asyncio.get_running_loop().sock_connect(caller, listening.getsockname())
            await eventually(lambda: listener.postponed)
        assert await _echoes(listening)
