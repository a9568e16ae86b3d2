"""The proxy that fault tests use: each fault does what it says and nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.support.eventually import eventually
from tests.support.proxy import Direction, TcpProxy


@pytest.fixture
async def echo_url() -> AsyncIterator[str]:
    """Run a server that sends everything back, and closes when the client does."""
    ended: list[asyncio.Event] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        finished = asyncio.Event()
        ended.append(finished)
        with contextlib.suppress(OSError):
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        finished.set()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield f"echo://user:pass@127.0.0.1:{port}/x"
    server.close()
    for event in ended:
        await event.wait()


@pytest.fixture
async def proxy(echo_url: str) -> AsyncIterator[TcpProxy]:
    """Put a proxy in front of it."""
    async with TcpProxy.to(echo_url) as proxy:
        yield proxy


async def connect(proxy: TcpProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection through the proxy."""
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def test_the_url_keeps_everything_but_the_address(proxy: TcpProxy, echo_url: str) -> None:
    """Credentials and path go through the proxy too."""
    assert proxy.url(echo_url) == f"echo://user:pass@127.0.0.1:{proxy.port}/x"


async def test_a_large_transfer_arrives_whole(proxy: TcpProxy) -> None:
    """Without faults the proxy is invisible, to the last byte after the client's end of file."""
    payload = bytes(range(256)) * 8192
    reader, writer = await connect(proxy)

    async def send() -> None:
        writer.write(payload)
        await writer.drain()
        writer.write_eof()

    async with asyncio.TaskGroup() as group:
        group.create_task(send())
        received = await reader.read(-1)
    writer.close()

    assert received == payload
    await eventually(lambda: proxy.connections == 0)


async def test_cut_resets_open_connections(proxy: TcpProxy) -> None:
    """The client sees an error or an end, and new connections work."""
    reader, writer = await connect(proxy)
    writer.write(b"a")
    await reader.readexactly(1)
    await proxy.cut()

    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    again_reader, again_writer = await connect(proxy)
    again_writer.write(b"b")
    assert await again_reader.readexactly(1) == b"b"
    again_writer.close()


async def test_pause_holds_bytes_and_resume_lets_them_go(proxy: TcpProxy) -> None:
    """Nothing is lost by a pause."""
    reader, writer = await connect(proxy)
    proxy.pause(Direction.TO_CLIENT)
    writer.write(b"held")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.readexactly(1), 0.1)
    proxy.resume()

    assert await reader.readexactly(4) == b"held"
    writer.close()


async def test_refuse_and_accept_on_the_same_port(proxy: TcpProxy) -> None:
    """A service that is away for a while comes back under its address."""
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect(proxy)
    await proxy.accept()
    _, writer = await connect(proxy)
    writer.close()

    assert proxy.port == port


async def test_a_frame_can_be_cut_in_the_middle(proxy: TcpProxy) -> None:
    """Exactly so many bytes arrive, then the connection is gone."""
    proxy.cut_after(5, Direction.TO_CLIENT)
    reader, writer = await connect(proxy)
    writer.write(b"0123456789")
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := await reader.read(100):
            received += chunk
    writer.close()

    assert received == b"01234"
    await eventually(lambda: proxy.connections == 0)


async def test_a_target_that_is_away_ends_the_clients_connection(echo_url: str) -> None:
    """The proxy does not keep a client that it cannot serve."""
    async with TcpProxy.to("tcp://127.0.0.1:1") as proxy:
        reader, writer = await connect(proxy)
        with contextlib.suppress(ConnectionResetError):
            assert await reader.read(1) == b""
        writer.close()
