"""A gateway per test, if nothing else is said: worker, sandbox, names and database of its own."""

import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.devkit.services import ObjectStore, Services
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from tests.e2e.harness import Gateway, open_gateway
from tests.support.databases import fresh_database
from tests.support.services import random_name


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox; whatever tried to leave this machine fails the test."""
    async with Sandbox.open(SandboxSettings()) as sandbox:
        yield sandbox
        assert sandbox.egress_attempts == ()


def worker_environment(
    *,
    amqp_url: str,
    topology_prefix: str,
    database_url: str,
    redis_url: str,
    redis_prefix: str,
    s3: ObjectStore,
    s3_prefix: str,
) -> dict[str, str]:
    """Return the settings of a worker on the shared services, apart from all others."""
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    return {
        "AMQP_URL": amqp_url,
        "AMQP_PREFIX": topology_prefix,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "REDIS_PREFIX": redis_prefix,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_ACCESS_KEY_ID": s3.access_key_id,
        "S3_SECRET_ACCESS_KEY": s3.secret_access_key,
        "S3_REGION": s3.region,
        "S3_BUCKET": s3.bucket,
        "S3_PREFIX": s3_prefix,
        "MEDIA_URL_PRIVATE_HOSTS": "http://127.0.0.1",
        "PROXY_PRIVATE_HOSTS": "127.0.0.1",
        "FEATURES": "all",
        "PACING_PROFILE": "off",  # some write to one chat more often than anybody would
        "SNAPSHOT_KEYS": f"test:{key}",
    }


@pytest.fixture
def environment(
    amqp_url: str,
    topology_prefix: str,
    database_url: str,
    redis_url: str,
    redis_prefix: str,
    s3: ObjectStore,
    s3_prefix: str,
) -> dict[str, str]:
    """Settings of this test's own worker."""
    return worker_environment(
        amqp_url=amqp_url,
        topology_prefix=topology_prefix,
        database_url=database_url,
        redis_url=redis_url,
        redis_prefix=redis_prefix,
        s3=s3,
        s3_prefix=s3_prefix,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayMaker:
    """Makes what several tests share, apart from all others, on the services of this process.

    Attributes:
        services: Where they are.
        template: The name of a migrated database to copy.
        amqp_url: The broker.
        s3: The object store.
    """

    services: Services
    template: str
    amqp_url: str
    s3: ObjectStore

    @asynccontextmanager
    async def place(self) -> AsyncIterator[tuple[Sandbox, dict[str, str]]]:
        """A sandbox, and settings of workers that several tests share.

        Whatever tried to leave this machine fails the last of them.
        """
        name = random_name()
        async with (
            fresh_database(self.services.database_url, template=self.template) as database_url,
            Sandbox.open(SandboxSettings()) as sandbox,
        ):
            yield (
                sandbox,
                worker_environment(
                    amqp_url=self.amqp_url,
                    topology_prefix=name,
                    database_url=database_url,
                    redis_url=self.services.redis_url,
                    redis_prefix=f"{name}:",
                    s3=self.s3,
                    s3_prefix=f"{name}/",
                ),
            )
            assert sandbox.egress_attempts == ()

    @asynccontextmanager
    async def gateway(self, directory: Path) -> AsyncIterator[Gateway]:
        """A running gateway for several tests."""
        async with (
            self.place() as (sandbox, environment),
            open_gateway(sandbox, environment, directory) as gateway,
        ):
            yield gateway


@pytest.fixture(scope="session")
def gateway_maker(
    services: Services, database_template: str, amqp_url: str, s3: ObjectStore
) -> GatewayMaker:
    """What makes gateways that several tests share."""
    return GatewayMaker(services=services, template=database_template, amqp_url=amqp_url, s3=s3)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_gateway(
    gateway_maker: GatewayMaker, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Gateway]:
    """A running gateway for all tests of a module that leave it as it was, but no others in peace.

    They run on the module's event loop: `pytestmark = pytest.mark.asyncio(loop_scope="module")`.
    """
    async with gateway_maker.gateway(tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture
async def gateway(
    sandbox: Sandbox, environment: dict[str, str], tmp_path: Path
) -> AsyncIterator[Gateway]:
    """A running gateway."""
    async with open_gateway(sandbox, environment, tmp_path) as gateway:
        yield gateway
