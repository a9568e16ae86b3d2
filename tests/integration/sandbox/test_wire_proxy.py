"""The way in, tried by an independent HTTP and websocket client."""

from __future__ import annotations

import asyncio
import os
import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest

from gateway_worker.sandbox.server.proxy import EgressAttempt
from gateway_worker.sandbox.server.server import WireServer
from gateway_worker.sandbox.service.service import Service
from gateway_worker.sandbox.wire.noise import HEADER, HandshakeMessage
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

URL = "wss://web.whatsapp.com/ws/chat"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[WireServer]:
    async with WireServer(service=Service(), directory=tmp_path) as opened:
        yield opened


@pytest.fixture
async def session(server: WireServer) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that trusts the sandbox."""
    context = ssl.create_default_context(cafile=str(server.ca_file))
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector, proxy=server.proxy_url) as client:
        yield client


def hello() -> bytes:
    """The first bytes of a client: header and one framed handshake message."""
    message = HandshakeMessage()
    message.client_hello.ephemeral = os.urandom(32)
    body = bytes(message.SerializeToString())
    return HEADER + len(body).to_bytes(3, "big") + body


async def test_every_other_host_is_refused_and_recorded(
    server: WireServer, session: aiohttp.ClientSession
) -> None:
    """No name but the service's gets a tunnel, whatever it looks like."""
    hosts = ["example.org", "web.whatsapp.com.example.org", "evilwhatsapp.com", "127.0.0.1"]
    for host in hosts:
        with pytest.raises(aiohttp.ClientHttpProxyError) as refused:
            await session.get(f"https://{host}/")
        assert refused.value.status == 403
    async with session.get("http://web.whatsapp.com/") as plain:
        assert plain.status == 403

    assert server.egress_attempts[:-1] == [
        EgressAttempt(method="CONNECT", target=f"{host}:443 HTTP/1.1") for host in hosts
    ]
    assert server.egress_attempts[-1].method == "GET"


async def test_only_the_chat_websocket_is_served(session: aiohttp.ClientSession) -> None:
    """Another path, or no upgrade, is not found."""
    async with session.get("https://web.whatsapp.com/ws/chat") as answer:
        assert answer.status == 404
    with pytest.raises(aiohttp.WSServerHandshakeError):
        await session.ws_connect("wss://web.whatsapp.com/other")


async def test_the_handshake_in_any_number_of_pieces(
    server: WireServer, session: aiohttp.ClientSession
) -> None:
    """Frames may be split over messages and messages over fragments; the answer is whole."""
    data = hello()
    for size in (1, 3, 5, len(data)):
        async with session.ws_connect(URL) as socket:
            for start in range(0, len(data), size):
                await socket.send_bytes(data[start : start + size])
            answer = await socket.receive_bytes(timeout=30)
            await socket.ping()

            assert int.from_bytes(answer[:3], "big") == len(answer) - 3
            assert HandshakeMessage.FromString(answer[3:]).HasField("server_hello")
    await eventually(lambda: server.connection_count == 0)


async def test_a_peer_that_speaks_something_else(
    server: WireServer, session: aiohttp.ClientSession
) -> None:
    """A wrong header, a text message or an unmasked frame ends the connection."""
    async with session.ws_connect(URL) as socket:
        await socket.send_bytes(b"GET / HTTP/1.1")
        assert (await socket.receive(timeout=30)).type in CLOSED
    async with session.ws_connect(URL) as socket:
        await socket.send_str("hello")
        assert (await socket.receive(timeout=30)).type in CLOSED
    async with session.ws_connect(URL) as socket:
        await socket.send_bytes(hello())
        await socket.receive_bytes(timeout=30)
        await socket.send_bytes(b"\0\0\x04junk")
        assert (await socket.receive(timeout=30)).type in CLOSED
    await eventually(lambda: server.connection_count == 0)


CLOSED = (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)


async def test_unreachable_and_reachable_again(
    server: WireServer, session: aiohttp.ClientSession
) -> None:
    """Refusing cuts what is open and keeps the port for later."""
    proxy_url = server.proxy_url
    async with session.ws_connect(URL) as socket:
        await server.refuse_connections()
        assert (await socket.receive(timeout=30)).type in CLOSED
    assert not server.reachable
    with pytest.raises(aiohttp.ClientConnectionError):
        await session.ws_connect(URL)

    await server.accept_connections()
    assert server.proxy_url == proxy_url
    async with session.ws_connect(URL) as socket:
        assert not socket.closed


async def test_a_tunnel_without_tls(server: WireServer) -> None:
    """Whatever is no TLS inside of the tunnel is cut, and the server lives on."""
    host, port = server.proxy_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\n\r\n")
    assert b"200" in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"not TLS at all, not even nearly" * 10)
    await reader.read()
    writer.close()
    assert server.connection_count == 0


async def test_a_head_that_never_ends(server: WireServer) -> None:
    """A request head beyond any reason is cut."""
    host, port = server.proxy_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"CONNECT " + b"a" * 20_000)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()


async def test_leaving_cuts_half_open_tunnels(tmp_path: Path) -> None:
    """A client in the middle of TLS does not hold the server up."""
    async with WireServer(service=Service(), directory=tmp_path) as server:
        host, port = server.proxy_url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"CONNECT web.whatsapp.com:443 HTTP/1.1\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
    assert not server.reachable
    assert await reader.read() == b""
    writer.close()
