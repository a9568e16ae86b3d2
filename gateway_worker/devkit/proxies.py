"""A proxy for each host that a URL names, which misbehave together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from gateway_worker.devkit.proxy import Direction, TcpProxy


class HostProxies:
    """What `TcpProxy` is for one host; made by `to`."""

    def __init__(self, proxies: Sequence[TcpProxy]) -> None:
        self._proxies = tuple(proxies)

    @classmethod
    @asynccontextmanager
    async def to(cls, url: str) -> AsyncIterator["HostProxies"]:
        """Open a proxy in front of each host of a URL; their ports have to be named."""
        async with AsyncExitStack() as stack:
            proxies = [
                await stack.enter_async_context(TcpProxy.to(f"tcp://{host}"))
                for host in _hosts(url)
            ]
            yield cls(proxies)

    def url(self, original: str) -> str:
        """Return the URL with the proxies in place of its hosts."""
        parts = urlsplit(original)
        login, at, _ = parts.netloc.rpartition("@")
        addresses = (urlsplit(proxy.url("tcp://host:1")).netloc for proxy in self._proxies)
        return urlunsplit(parts._replace(netloc=f"{login}{at}{','.join(addresses)}"))

    async def cut(self) -> None:
        """Reset all open connections."""
        await asyncio.gather(*(proxy.cut() for proxy in self._proxies))

    def pause(self) -> None:
        """Hold bytes back."""
        self._each(TcpProxy.pause)

    def resume(self) -> None:
        """Let held bytes pass."""
        self._each(TcpProxy.resume)

    def delay(self, seconds: float) -> None:
        """Hold each chunk back for a while."""
        self._each(lambda proxy: proxy.delay(seconds))

    def throttle(self, bytes_per_second: float) -> None:
        """Let no more than so many bytes per second pass on each connection; 0 ends it."""
        self._each(lambda proxy: proxy.throttle(bytes_per_second))

    def cut_after(self, size_bytes: int, direction: Direction) -> None:
        """Let so many more bytes pass that way to each host, then reset the connection."""
        self._each(lambda proxy: proxy.cut_after(size_bytes, direction))

    def disarm(self) -> None:
        """Cut no connection any more in mid-stream."""
        self._each(TcpProxy.disarm)

    def _each(self, act: Callable[[TcpProxy], None]) -> None:
        for proxy in self._proxies:
            act(proxy)


def _hosts(url: str) -> list[str]:
    return urlsplit(url).netloc.rpartition("@")[2].split(",")
