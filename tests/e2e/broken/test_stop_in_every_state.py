"""A worker that is told to stop is gone in time, whatever the state of what it depends on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from gateway_worker.devkit.services import ObjectStore, Services
from gateway_worker.devkit.services.process import is_alive
from gateway_worker.sandbox.sandbox import Sandbox
from tests.e2e.conftest import worker_environment
from tests.e2e.failures.links import DEPENDENCIES, POSTGRESQL, Links
from tests.e2e.harness import Gateway, open_gateway
from tests.support.databases import fresh_database
from tests.support.eventually import eventually
from tests.support.services import random_name

DRAIN_SECONDS = 1
LEAVE_SECONDS = 40.0
"""Far more than the worker has: by its own clock it is in time, or it ends with another code."""
STATES = [*((one,) for one in DEPENDENCIES), DEPENDENCIES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the workers of this test run."""

    services: Services
    template: str
    amqp_url: str
    s3: ObjectStore
    sandbox: Sandbox
    directory: Path

    @asynccontextmanager
    async def gateway(self, name: str) -> AsyncIterator[tuple[Gateway, Links, str]]:
        """A worker with a connected session, alone in a fleet, and the links to what it needs."""
        async with fresh_database(
            self.services.database_url, template=self.template
        ) as database_url:
            environment = worker_environment(
                amqp_url=self.amqp_url,
                topology_prefix=name,
                database_url=database_url,
                redis_url=self.services.redis_url,
                redis_prefix=f"{name}:",
                s3=self.s3,
                s3_prefix=f"{name}/",
            )
            settings = {
                **environment,
                "DRAIN_SECONDS": str(DRAIN_SECONDS),
                "LOG_FORMAT": "json",
            }
            async with (
                Links.to({**settings, **self.sandbox.worker_env}) as links,
                open_gateway(
                    self.sandbox,
                    settings,
                    self.directory,
                    workers=(name,),
                    reroute=links.reroute,
                ) as gateway,
            ):
                await gateway.link("shop", await self.sandbox.add_phone())
                yield gateway, links, database_url


@pytest.fixture
def place(
    services: Services,
    database_template: str,
    amqp_url: str,
    s3: ObjectStore,
    sandbox: Sandbox,
    tmp_path: Path,
) -> Place:
    """The services, a sandbox and a directory."""
    return Place(
        services=services,
        template=database_template,
        amqp_url=amqp_url,
        s3=s3,
        sandbox=sandbox,
        directory=tmp_path,
    )


async def _signed_off(database_url: str, worker_id: str) -> bool:
    connection = await asyncpg.connect(database_url)
    try:
        return bool(
            await connection.fetchval(
                "SELECT lease_expires_at <= now() FROM workers WHERE id = $1", worker_id
            )
        )
    finally:
        await connection.close()


async def _stops_in_time(place: Place, kind: str, away: Sequence[str]) -> str | None:
    """Stop a worker while something is away; returns what was wrong."""
    async with place.gateway(random_name()) as (gateway, links, database_url):
        worker = gateway.worker
        processes = [*worker.zygotes(), *worker.hosts()]
        for name in away:
            if kind == "frozen":
                links[name].pause()
            else:
                await links[name].refuse()
                await links[name].cut()
        code = await worker.leave(seconds=LEAVE_SECONDS)
        said = worker.log_path.read_text()
        if code != 0 or "worker.stopped" not in said:
            return f"{away} {kind}: exit code {code}\n{said[-3000:]}"
        await eventually(lambda: not any(is_alive(process) for process in processes))
        if POSTGRESQL not in away and not await _signed_off(database_url, worker.worker_id):
            return f"{away} {kind}: not signed off\n{said[-3000:]}"
    return None


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["frozen", "gone"])
async def test_a_stop_ends_in_time_whatever_is_away(place: Place, kind: str) -> None:
    """Each service alone and all of them; all workers at once, or it would take minutes."""
    problems = await asyncio.gather(*(_stops_in_time(place, kind, away) for away in STATES))
    assert not [problem for problem in problems if problem is not None]
