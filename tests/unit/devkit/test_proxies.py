"""Proxies before several hosts: one way to each, and all of them misbehave together."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from gateway_worker.devkit.proxies import HostProxies


@pytest.fixture
async def ports() -> AsyncIterator[list[int]]:
    """Run two servers that say their own port."""
    async with AsyncExitStack() as stack:
        ports: list[int] = []
        for _ in range(2):
            server = await asyncio.start_server(_say_port, "127.0.0.1", 0)
            stack.callback(server.close)
            ports.append(server.sockets[0].getsockname()[1])
        yield ports


async def _say_port(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(str(writer.get_extra_info("sockname")[1]).encode())
    writer.close()


async def test_each_host_has_a_proxy_of_its_own(ports: list[int]) -> None:
    """In the place where it stands in the URL; the rest of the URL stays."""
    url = f"amqp://u:p@127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}/v?a=b"
    async with HostProxies.to(url) as proxies:
        found = proxies.url(url)
        assert found.startswith("amqp://u:p@127.0.0.1:")
        assert found.endswith("/v?a=b")
        hosts = found.partition("@")[2].partition("/")[0].split(",")
        said = []
        for host in hosts:
            reader, writer = await asyncio.open_connection(*host.split(":"))
            said.append(int(await reader.read()))
            writer.close()
        assert said == ports


async def test_one_host_needs_no_credentials(ports: list[int]) -> None:
    """As an object store's URL has none."""
    async with HostProxies.to(f"http://127.0.0.1:{ports[0]}") as proxies:
        assert proxies.url(f"http://127.0.0.1:{ports[0]}").startswith("http://127.0.0.1:")
        assert "@" not in proxies.url(f"http://127.0.0.1:{ports[0]}")
