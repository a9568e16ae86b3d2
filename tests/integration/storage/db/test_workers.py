"""Leases on a real PostgreSQL: they count by its clock."""

from gateway_worker.storage.db import Database, PostgresWorkerStore
from tests.integration.storage.db.support import WORKER, value

LEFT = "SELECT extract(epoch FROM lease_expires_at - now()) FROM workers"


async def test_a_worker_is_there_for_as_long_as_it_beats(database: Database) -> None:
    """A beat gives it the whole lease again; leaving ends it at once."""
    workers = PostgresWorkerStore(database=database, worker_id=WORKER, lease_seconds=900)
    assert not await workers.beat()
    await workers.register(version="1.0", capacity=50)
    await value(database, "UPDATE workers SET lease_expires_at = now() RETURNING 1")

    assert await workers.beat()
    assert 600 < await value(database, LEFT) <= 900
    await workers.leave()
    assert await value(database, LEFT) <= 0
    await workers.leave()


async def test_a_worker_that_starts_again_has_one_row(database: Database) -> None:
    """With its new version and capacity, a new start and a new lease."""
    workers = PostgresWorkerStore(database=database, worker_id=WORKER)
    await workers.register(version="1.0", capacity=50)
    began = await value(database, "SELECT started_at FROM workers")
    await workers.leave()
    await workers.register(version="2.0", capacity=60)

    assert await value(database, "SELECT version || ' ' || capacity FROM workers") == "2.0 60"
    assert await value(database, "SELECT started_at FROM workers") > began
    assert await value(database, LEFT) > 0


async def test_workers_do_not_touch_each_other(database: Database) -> None:
    """A beat and a farewell are for one's own row."""
    mine = PostgresWorkerStore(database=database, worker_id=WORKER)
    other = PostgresWorkerStore(database=database, worker_id="other")
    await mine.register(version="1.0", capacity=1)
    assert not await other.beat()
    await other.leave()

    assert await value(database, LEFT) > 0
