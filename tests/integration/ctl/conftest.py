"""The command as an operator runs it, on real services."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pydantic import SecretStr

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.devkit.services.process import base_environment
from tests.support.ctl import Answer, run_ctl

KEYS = {name: base64.b64encode(name.encode() * 16).decode() for name in ("k1", "k2")}


Ctl = Callable[..., Awaitable[Answer]]


@pytest.fixture
def environment(
    amqp_url: str,
    topology_prefix: str,
    database_url: str,
    redis_url: str,
    s3: ObjectStore,
    s3_prefix: str,
) -> dict[str, str]:
    """Settings of this test's own fleet."""
    return {
        **base_environment(),
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": topology_prefix,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY_ID": s3.access_key_id,
        "S3_SECRET_ACCESS_KEY": s3.secret_access_key,
        "S3_REGION": s3.region,
        "S3_BUCKET": s3.bucket,
        "S3_PREFIX": s3_prefix,
    }


@pytest.fixture
def ctl(environment: dict[str, str]) -> Ctl:
    """Run `gateway-worker ctl …`."""

    async def run(*words: str, **settings: str) -> Answer:
        return await run_ctl({**environment, **settings}, *words)

    return run


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
