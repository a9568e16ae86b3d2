"""A stage for all tests of a module, whole again before each of them."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio

from gateway_worker.devkit.services import ObjectStore, Services
from tests.e2e.failures.stage import Stage, open_stage, settings_for
from tests.support.databases import fresh_database
from tests.support.services import random_name

OpenStage = Callable[[dict[str, str]], AbstractAsyncContextManager[Stage]]


@pytest.fixture(scope="module")
def stage_with(
    services: Services,
    database_template: str,
    amqp_url: str,
    s3: ObjectStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> OpenStage:
    """Opens a stage on the shared services, with some settings of the worker's changed."""

    @asynccontextmanager
    async def opened(more: dict[str, str]) -> AsyncIterator[Stage]:
        name, template = random_name(), database_template
        async with fresh_database(services.database_url, template=template) as database_url:
            settings = settings_for(
                amqp_url=amqp_url,
                database_url=database_url,
                redis_url=services.redis_url,
                s3=s3,
                name=name,
            )
            async with open_stage(settings | more, tmp_path_factory.mktemp(name)) as stage:
                yield stage

    return opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_stage(stage_with: OpenStage) -> AsyncIterator[Stage]:
    """A stage on the shared services: what fails are its own links to them."""
    async with stage_with({}) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(shared_stage: Stage) -> AsyncIterator[Stage]:
    """The module's stage, whole, also after a test that has failed."""
    await shared_stage.links.heal()
    await shared_stage.restored()
    yield shared_stage
    await shared_stage.links.heal()
