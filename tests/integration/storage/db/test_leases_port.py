"""Leases keep the same promises in the database and in a test's memory."""

from collections.abc import Callable

import pytest

from gateway_worker.errors import ConfigurationError
from gateway_worker.sessions.ownership.ports import WorkerLeases
from gateway_worker.storage.db import Database, PostgresWorkerStore
from tests.integration.storage.db.support import WORKER
from tests.support.leases import MemoryLeases, MemoryWorker

DISKS = ("5f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f11", "7f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f22")

Start = Callable[[int], WorkerLeases]
"""Starts a process of the same worker on the first or the second disk."""


@pytest.fixture(params=["database", "memory"])
def start(request: pytest.FixtureRequest, database: Database) -> Start:
    """Return what starts processes of one worker."""
    if request.param == "memory":
        row = MemoryWorker()
        return lambda disk: MemoryLeases(row, disk_id=DISKS[disk], lease_seconds=900)
    return lambda disk: PostgresWorkerStore(
        database=database, worker_id=WORKER, disk_id=DISKS[disk], lease_seconds=900
    )


async def test_only_who_is_registered_can_renew(start: Start) -> None:
    """As often as it likes."""
    leases = start(0)
    assert leases.lease_seconds == 900
    assert not await leases.renew()
    await leases.register(version="1", capacity=1)
    assert [await leases.renew() for _ in range(2)] == [True, True]


async def test_another_process_of_the_name_takes_the_lease(start: Start) -> None:
    """What the former one does then changes nothing."""
    former, later = start(0), start(0)
    await former.register(version="1", capacity=1)
    await later.register(version="2", capacity=1)
    assert not await former.renew()
    await former.drain()
    await former.leave()
    assert await later.renew()
    with pytest.raises(ConfigurationError):
        await start(1).register(version="1", capacity=1)


async def test_a_name_that_lives_on_another_disk_is_not_taken(start: Start) -> None:
    """Until it has left; that it says twice without harm."""
    mine, other = start(0), start(1)
    await mine.register(version="1", capacity=1)
    with pytest.raises(ConfigurationError):
        await other.register(version="1", capacity=1)
    assert not await other.renew()
    assert await mine.renew()
    for _ in range(2):
        await mine.leave()
    await other.register(version="1", capacity=1)
    assert await other.renew()
    assert not await mine.renew()


async def test_a_worker_that_drains_keeps_its_lease(start: Start) -> None:
    """Its sessions are still its own."""
    leases = start(0)
    await leases.register(version="1", capacity=1)
    await leases.drain()
    assert await leases.renew()
