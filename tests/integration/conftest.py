"""Faulty links to the services, and settings that go through them with short waits."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from gateway_worker.broker import BrokerSettings
from tests.support.proxy import TcpProxy


@pytest.fixture
async def database_proxy(database_url: str) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and its database."""
    async with TcpProxy.to(database_url) as proxy:
        yield proxy


@pytest.fixture
async def broker_proxy(amqp_url: str) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and the broker."""
    async with TcpProxy.to(amqp_url) as proxy:
        yield proxy


@pytest.fixture
def settings(amqp_url: str, topology_prefix: str, broker_proxy: TcpProxy) -> BrokerSettings:
    """A broker behind the proxy, with short waits."""
    return BrokerSettings(
        url=SecretStr(broker_proxy.url(amqp_url)),
        prefix=topology_prefix,
        reconnect_initial_seconds=0.02,
        reconnect_maximum_seconds=0.1,
        watch_interval_seconds=0.3,
    )
