"""Each service is really killed, and started again: the same promises as for a broken link.

What a broken link cannot show: connections that end on the other side, a server that refuses while
it starts, and a Redis that has forgotten everything.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway_contracts import SessionState
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.buckets import bucket_exists
from tests.e2e.failures.harness import (
    FailureHarness,
    LiveWatch,
    complaints,
    open_harness,
    settings_for,
)
from tests.e2e.failures.links import POSTGRESQL, RABBITMQ, REDIS, S3
from tests.support.databases import execute, fresh_database
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.services import OwnServices, random_name
from tests.support.traces import route

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("own_services"),
]

HANDLES = {RABBITMQ: "rabbitmq", POSTGRESQL: "postgres", REDIS: "redis", S3: "s3"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def breakable(
    own_services_of_this_process: OwnServices, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[FailureHarness]:
    """A harness on services that belong to this module's process alone."""
    await own_services_of_this_process.make_whole()
    services = own_services_of_this_process.services
    name = random_name()
    await eventually(lambda: bucket_exists(services.s3.settings), reason="the bucket is there")
    async with fresh_database(services.postgres.url) as database_url:
        # The tests' server answers before a commit is written; a kill must not undo one.
        await execute(
            database_url,
            f"ALTER DATABASE {database_url.rpartition('/')[2]} SET synchronous_commit = on",
        )
        settings = settings_for(
            amqp_url=services.rabbitmq.url,
            database_url=database_url,
            redis_url=services.redis.url,
            s3=services.s3.settings,
            name=name,
        )
        async with open_harness(
            settings, tmp_path_factory.mktemp(name), broker_breaks=True
        ) as harness:
            yield harness


@pytest_asyncio.fixture(loop_scope="module")
async def harness(
    breakable: FailureHarness, own_services_of_this_process: OwnServices
) -> AsyncIterator[FailureHarness]:
    """The module's harness, whole, also after a test that has failed."""
    await own_services_of_this_process.make_whole()
    await breakable.restored()
    yield breakable


@pytest.fixture
def running(own_services_of_this_process: OwnServices) -> RunningServices:
    """The services to kill."""
    return own_services_of_this_process.services


@pytest.mark.parametrize(
    ("names", "seconds"),
    [
        ((RABBITMQ,), 1),  # it is away for longer in any case
        ((POSTGRESQL,), 0),
        ((POSTGRESQL,), 1),
        ((REDIS,), 0),
        ((S3,), 0),
        ((RABBITMQ, POSTGRESQL), 0),
        ((POSTGRESQL, S3), 1),
        ((REDIS, S3), 1),
    ],
    ids=lambda value: " and ".join(value) if isinstance(value, tuple) else f"after {value} s",
)
async def test_a_service_is_killed_and_started_again(
    harness: FailureHarness, running: RunningServices, names: tuple[str, ...], seconds: float
) -> None:
    """Nothing is lost, doubled or out of order, and nobody has to do anything."""
    handles = [getattr(running, HANDLES[name]) for name in names]
    traffic = harness.traffic(f"{' '.join(names)} killed {seconds}")
    since, log = harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching():
        await traffic.once()
        async with traffic.flowing():
            await asyncio.gather(*(handle.kill() for handle in handles))
            await pace(seconds)
            if seconds:
                await harness.until_noticed(*names)
            await asyncio.gather(*(handle.start() for handle in handles))
        await harness.restored()
        await traffic.once()
        await harness.settled(traffic)
    harness.audit(traffic, since=since)
    assert complaints(harness.log_lines(log)) == []


@pytest.mark.parametrize("name", [RABBITMQ, POSTGRESQL, REDIS, S3])
async def test_a_service_freezes_and_goes_on(
    harness: FailureHarness, running: RunningServices, name: str
) -> None:
    """As stopped by its machine: it has the connections, and takes the bytes, and is silent."""
    handle = getattr(running, HANDLES[name])
    traffic, since, log = harness.traffic(f"{name} frozen"), harness.arrivals, harness.log_size
    async with LiveWatch(harness.gateway.worker).watching():
        await traffic.once()
        await handle.pause()
        await traffic.answer()
        await harness.until_noticed(name)  # RabbitMQ may be silent for three heartbeats
        await handle.resume()
        await harness.restored()
        await traffic.once()
        await harness.settled(traffic)
    harness.audit(traffic, since=since)
    assert complaints(harness.log_lines(log)) == []


async def test_a_redis_that_has_forgotten_everything_gets_the_routes_again(
    harness: FailureHarness, running: RunningServices
) -> None:
    """The table is in memory only; the worker writes it whole at its next beat."""
    await running.redis.kill()
    await running.redis.start()

    async def written() -> bool:
        found = [await route(harness.environment, name) for name in ("shop", "cafe")]
        return all(one.get("state") == SessionState.CONNECTED for one in found)

    await eventually(written, timeout_seconds=30, reason="the routes are back")
