"""One gateway for all tests in here; each has a session of its own, and phones with new numbers.

They run one after the other in one test process, on one event loop.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_contracts import SessionDelete, Topology
from gateway_worker.devkit.services import ObjectStore, Services
from gateway_worker.sandbox.sandbox import Sandbox
from gateway_worker.sandbox.settings import SandboxSettings
from tests.e2e.conftest import worker_environment
from tests.e2e.harness import Gateway, open_gateway
from tests.support.databases import fresh_database
from tests.support.dead_letters import DeadLetters
from tests.support.services import random_name

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep these tests in one process and on one loop, so that their gateway is started once."""
    for item in items:
        if item.path.parent == HERE:
            item.add_marker(pytest.mark.xdist_group("shared-gateway"))
            item.add_marker(pytest.mark.asyncio(loop_scope="session"))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def gateway(
    services: Services,
    database_template: str,
    amqp_url: str,
    s3: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Gateway]:
    """The running gateway; whatever tried to leave this machine fails the last test."""
    name = random_name()
    async with (
        fresh_database(services.database_url, template=database_template) as database_url,
        Sandbox.open(SandboxSettings()) as sandbox,
    ):
        environment = worker_environment(
            amqp_url=amqp_url,
            topology_prefix=name,
            database_url=database_url,
            redis_url=services.redis_url,
            redis_prefix=f"{name}:",
            s3=s3,
            s3_prefix=f"{name}/",
        )
        async with open_gateway(sandbox, environment, tmp_path_factory.mktemp(name)) as gateway:
            yield gateway
        assert sandbox.egress_attempts == ()


@pytest_asyncio.fixture(loop_scope="session")
async def name(gateway: Gateway) -> AsyncIterator[str]:
    """The name of a session that the test may create; deleted in the end, with its host."""
    session_id = random_name()
    yield session_id
    await gateway.backend.request(SessionDelete(source=gateway.backend.source, subject=session_id))


@pytest_asyncio.fixture(loop_scope="session")
async def dead_letters(gateway: Gateway) -> AsyncIterator[DeadLetters]:
    """The gateway's dead letters, also those of other tests: ask for one by its body."""
    topology = Topology(prefix=gateway.environment["AMQP_PREFIX"])
    async with DeadLetters.open(gateway.environment["AMQP_URL"], topology) as letters:
        yield letters
