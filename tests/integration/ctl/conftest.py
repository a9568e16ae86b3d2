"""The command as an operator runs it, on real services."""

import base64
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pydantic import SecretStr

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings

KEYS = {name: base64.b64encode(name.encode() * 16).decode() for name in ("k1", "k2")}


@pytest.fixture
async def topology(amqp_url: str, topology_prefix: str) -> Topology:
    """The names of a fleet whose first worker has been there."""
    settings = BrokerSettings(url=SecretStr(amqp_url), prefix=topology_prefix)
    async with Broker.open(settings, worker_id="w"):
        pass
    return settings.topology


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """Another client of the broker."""
    async with await aio_pika.connect(amqp_url) as connection:
        yield await connection.channel()
