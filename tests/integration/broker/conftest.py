"""A real broker, a way to it that can be broken, and a backend that is not."""

from collections.abc import AsyncIterator

import pytest

from gateway_worker.broker import BrokerSettings
from tests.integration.broker.support import Backend
from tests.support.proxy import TcpProxy


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and the broker."""
    async with TcpProxy.to(amqp_url) as proxy:
        yield proxy


@pytest.fixture
def settings(amqp_url: str, topology_prefix: str, proxy: TcpProxy) -> BrokerSettings:
    """Return settings that go through the proxy and wait as little as possible."""
    return BrokerSettings.model_validate(
        {
            "url": proxy.url(amqp_url),
            "prefix": topology_prefix,
            "prefetch": 64,
            "reconnect_initial_seconds": 0.02,
            "reconnect_maximum_seconds": 0.2,
            "startup_timeout_seconds": 10.0,
            "request_timeout_seconds": 10.0,
            "publish_timeout_seconds": 10.0,
            "settle_timeout_seconds": 0.5,
            "watch_interval_seconds": 0.2,
        }
    )


@pytest.fixture
async def backend(amqp_url: str, settings: BrokerSettings) -> AsyncIterator[Backend]:
    """Return a backend with a connection of its own, past the proxy."""
    async with Backend.connected(amqp_url, topology=settings.topology) as backend:
        yield backend
