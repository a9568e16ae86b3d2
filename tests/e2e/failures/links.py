"""The links between a worker and what it depends on, and the ways in which each can fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Final

from tests.support.pacing import pace
from tests.support.proxy import Direction, TcpProxy

RABBITMQ: Final = "rabbitmq"
POSTGRESQL: Final = "postgresql"
REDIS: Final = "redis"
S3: Final = "s3"
WHATSAPP: Final = "whatsapp"
DEPENDENCIES: Final = (RABBITMQ, POSTGRESQL, REDIS, S3, WHATSAPP)

VARIABLES: Final = {
    RABBITMQ: "AMQP_URL",
    POSTGRESQL: "DATABASE_URL",
    REDIS: "REDIS_URL",
    S3: "S3_ENDPOINT_URL",
    WHATSAPP: "SANDBOX_PROXY_URL",
}

REQUIRED: Final = frozenset({RABBITMQ, POSTGRESQL})
"""Without these a worker is not ready; the others it can do without for a while."""

Fault = Callable[[TcpProxy], AbstractAsyncContextManager[None]]
"""A fault that lasts as long as the block."""

DELAY_SECONDS: Final = 0.05
NARROW_BYTES_PER_SECOND: Final = 40_000
FLAP_SECONDS: Final = 0.3


class Links:
    """One faulty link for each dependency."""

    def __init__(self, proxies: Mapping[str, TcpProxy]) -> None:
        self._proxies = proxies

    @classmethod
    @asynccontextmanager
    async def to(cls, environment: Mapping[str, str]) -> AsyncIterator["Links"]:
        """Open the links to the services that a worker's settings name."""
        async with AsyncExitStack() as stack:
            yield cls(
                {
                    name: await stack.enter_async_context(TcpProxy.to(environment[variable]))
                    for name, variable in VARIABLES.items()
                }
            )

    def __getitem__(self, name: str) -> TcpProxy:
        """Return the link to a dependency."""
        return self._proxies[name]

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """Return the settings with every service reached through its link."""
        return {
            **environment,
            **{
                variable: self[name].url(environment[variable])
                for name, variable in VARIABLES.items()
            },
        }

    def reroute(self, _worker_id: str, environment: Mapping[str, str]) -> Mapping[str, str]:
        """Return the settings of a worker that is behind the links."""
        return self.environment(environment)

    async def heal(self) -> None:
        """End every fault."""
        for proxy in self._proxies.values():
            await heal(proxy)


async def heal(proxy: TcpProxy) -> None:
    """End every fault of a link; connections that were lost stay lost."""
    proxy.delay(0)
    proxy.throttle(0)
    proxy.disarm()
    proxy.resume()
    await proxy.accept()


@asynccontextmanager
async def stopped(proxy: TcpProxy) -> AsyncIterator[None]:
    """The service has gone: connections are reset, new ones refused."""
    await proxy.refuse()
    await proxy.cut()
    yield
    await proxy.accept()


@asynccontextmanager
async def stalled(proxy: TcpProxy) -> AsyncIterator[None]:
    """The service takes connections and bytes and answers nothing, until it goes on."""
    proxy.pause()
    yield
    proxy.resume()


@asynccontextmanager
async def vanished(proxy: TcpProxy) -> AsyncIterator[None]:
    """Like stalled, but what was on its way never arrives: the connections are reset in the end."""
    proxy.pause()
    yield
    await proxy.cut()
    proxy.resume()


@asynccontextmanager
async def slow(proxy: TcpProxy) -> AsyncIterator[None]:
    """Everything takes a while, each way."""
    proxy.delay(DELAY_SECONDS)
    yield
    proxy.delay(0)


@asynccontextmanager
async def narrow(proxy: TcpProxy) -> AsyncIterator[None]:
    """Little passes at a time, each way."""
    proxy.throttle(NARROW_BYTES_PER_SECOND)
    yield
    proxy.throttle(0)


@asynccontextmanager
async def flapping(proxy: TcpProxy) -> AsyncIterator[None]:
    """All connections are reset again and again."""

    async def flap() -> None:
        while True:
            await proxy.cut()
            await pace(FLAP_SECONDS)

    task = asyncio.create_task(flap())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


FAULTS: Final[Mapping[str, Fault]] = {
    fault.__name__: fault for fault in (stopped, stalled, vanished, slow, narrow, flapping)
}

ABSENT: Final = frozenset({"stopped"})
"""Faults that a probe cannot miss while they last; the others may be over before it notices."""

HARMLESS: Final = frozenset({"slow", "narrow"})
"""Faults that make nothing impossible: a probe that says so is wrong."""

CUTS: Final = tuple(
    (direction, size)
    for direction in (Direction.TO_SERVER, Direction.TO_CLIENT)
    # in the header of a frame, right behind an AMQP or a PostgreSQL header, within the payload
    for size in (1, 6, 60)
)
