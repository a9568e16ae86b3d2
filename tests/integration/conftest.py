"""Faulty links to the services, settings that go through them with short waits, an operator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway_worker.broker import BrokerSettings
from gateway_worker.devkit.services import ObjectStore
from gateway_worker.devkit.services.process import base_environment
from tests.support.commands import Answer, Commands, Ctl
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
def ctl(commands: Commands, environment: dict[str, str], tmp_path: Path) -> Ctl:
    """Run `gateway-worker ctl …`."""

    async def run(*words: str, **settings: str) -> Answer:
        return await commands.run({**environment, **settings}, tmp_path, "ctl", *words)

    return run
