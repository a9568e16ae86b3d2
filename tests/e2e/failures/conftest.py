"""A harness for all tests of a module, whole again before each of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from gateway_worker.devkit.services import ObjectStore, Services
from tests.e2e.failures.harness import FailureHarness, open_harness, settings_for
from tests.support.databases import fresh_database
from tests.support.grouping import keep_modules_together
from tests.support.services import random_name

HERE = Path(__file__).parent
OpenHarness = Callable[[dict[str, str]], AbstractAsyncContextManager[FailureHarness]]


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each module's tests in one process, so that its gateway is started once."""
    keep_modules_together(items, HERE)


@pytest.fixture(scope="module")
def harness_with(
    services: Services,
    database_template: str,
    amqp_url: str,
    s3: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> OpenHarness:
    """Opens a harness on the shared services, with some settings of the worker's changed."""

    @asynccontextmanager
    async def opened(more: dict[str, str]) -> AsyncIterator[FailureHarness]:
        name, template = random_name(), database_template
        async with fresh_database(services.database_url, template=template) as database_url:
            settings = settings_for(
                amqp_url=amqp_url,
                database_url=database_url,
                redis_url=services.redis_url,
                s3=s3,
                name=name,
            )
            async with open_harness(settings | more, tmp_path_factory.mktemp(name)) as harness:
                yield harness

    return opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_harness(harness_with: OpenHarness) -> AsyncIterator[FailureHarness]:
    """A harness on the shared services: what fails are its own links to them."""
    async with harness_with({}) as harness:
        yield harness


@pytest_asyncio.fixture(loop_scope="module")
async def harness(shared_harness: FailureHarness) -> AsyncIterator[FailureHarness]:
    """The module's harness, whole, also after a test that has failed."""
    await shared_harness.links.heal()
    await shared_harness.restored()
    yield shared_harness
    await shared_harness.links.heal()
