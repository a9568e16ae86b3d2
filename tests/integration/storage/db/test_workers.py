"""Leases on a real PostgreSQL: they count by its clock."""

import pytest

from gateway_contracts import Account
from gateway_worker.errors import ConfigurationError
from gateway_worker.sessions.ownership.ports import KnownDisk, LinkedSession
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresCopyRegister,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import (
    WORKER,
    expire,
    failed,
    registered,
    session_row,
    value,
)

DISK = "5f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f11"
OTHER_DISK = "7f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f22"
LEFT = "SELECT extract(epoch FROM lease_expires_at - now()) FROM workers"


async def test_a_worker_is_there_for_as_long_as_it_beats(database: Database) -> None:
    """A beat gives it the whole lease again; leaving ends it at once."""
    workers = PostgresWorkerStore(database=database, worker_id=WORKER, lease_seconds=900)
    assert not await workers.renew()
    await workers.register(version="1.0", capacity=50)
    await value(database, "UPDATE workers SET lease_expires_at = now() RETURNING 1")

    assert await workers.renew()
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
    assert not await other.renew()
    await other.leave()

    assert await value(database, LEFT) > 0


async def test_of_two_processes_with_one_name_the_later_has_it(database: Database) -> None:
    """The former can neither renew nor end the lease any more."""
    former = await registered(database)
    later = await registered(database)

    assert not await former.renew()
    await former.leave()
    await former.drain()
    assert await value(database, "SELECT draining FROM workers") is False
    assert await value(database, LEFT) > 600
    assert await later.renew()


async def test_a_lease_that_has_ended_can_be_renewed(database: Database) -> None:
    """As long as the row is there; when the lease began again is noted."""
    workers = await registered(database)
    assert await workers.renew()
    assert await value(database, "SELECT resumed_at FROM workers") is None
    await expire(database)
    assert await workers.renew()
    resumed = await value(database, "SELECT resumed_at FROM workers")
    assert resumed is not None
    assert await workers.renew()
    assert await value(database, "SELECT resumed_at FROM workers") == resumed

    await value(database, "DELETE FROM workers RETURNING 1")
    assert not await workers.renew()


async def test_a_drain_ends_with_the_next_registration(database: Database) -> None:
    """It may be asked for again."""
    workers = await registered(database)
    await workers.drain()
    await workers.drain()
    assert await workers.renew()
    assert await value(database, "SELECT draining FROM workers") is True
    await workers.register(version="1.0", capacity=50)
    assert await value(database, "SELECT draining FROM workers") is False


async def test_dead_workers_matter_while_something_may_be_left_of_them(
    database: Database,
) -> None:
    """For an hour, and while a marker names them or they own a session; after a day they go."""
    workers = await registered(database)
    for name, ago in (
        ("young", "59 minutes"),
        ("old", "2 hours"),
        ("gone", "2 days"),
        ("owner", "2 days"),
        ("named", "2 days"),
        ("publisher", "2 days"),
    ):
        await registered(database, name)
        await expire(database, name, ago=ago)
    await registered(database, "back")
    await (await registered(database, "draining")).drain()
    sessions = PostgresSessionStore(database=database)
    await sessions.create(session_row("owned", worker_id="owner"))
    pending = '[{"epoch": 2, "queue_of": "named"}, {"epoch": 3, "queue_of": "back"}]'
    more = '[{"epoch": 2, "queue_of": "unknown"}, {"epoch": 3, "queue_of": "named"}]'
    await value(database, f"UPDATE sessions SET pending = '{pending}' WHERE id = 's' RETURNING 1")
    await value(database, f"UPDATE sessions SET pending = '{more}' WHERE id = 't' RETURNING 1")
    await PostgresChangeStore(database=database, worker_id="publisher").commit([failed("c")])

    assert list(await workers.dead_with_leftovers()) == ["named", "owner", "unknown", "young"]
    (gone,) = await workers.long_gone()
    assert await workers.forget("old") is False
    assert [await workers.forget(gone) for _ in range(2)] == [True, False]
    assert list(await workers.long_gone()) == []
    left = await value(database, "SELECT string_agg(id, ' ' ORDER BY id) FROM workers")
    assert left == "back draining named old owner publisher w young"


async def test_a_live_worker_keeps_its_name_from_one_on_another_disk(database: Database) -> None:
    """From one on its own disk it does not: that is the same one, started again."""
    first, again, other = (
        PostgresWorkerStore(database=database, worker_id=WORKER, disk_id=disk_id)
        for disk_id in (DISK, DISK, OTHER_DISK)
    )
    assert await first.known_disk() == KnownDisk()
    for store in (first, again, again):
        await store.register(version="1.0", capacity=1)
    with pytest.raises(ConfigurationError, match="is running with another DATA_DIR"):
        await other.register(version="1.0", capacity=1)
    assert await again.renew()
    await again.leave()
    await other.register(version="1.0", capacity=1)
    known = await other.known_disk()
    assert known.disk_id == OTHER_DISK
    assert known.lease_seconds > 0
    await other.renew()
    assert (await other.known_disk()).renewals != known.renewals


async def test_the_accounts_of_a_worker_and_their_copies(
    database: Database, sessions: PostgresSessionStore
) -> None:
    """Those that are linked; a disk that is forgotten is waited for no more."""
    account = Account(jid="12025550100:7@s.whatsapp.net")
    for name in ("a", "b"):
        await sessions.create(session_row(name, account=account))
    await sessions.create(session_row("c", account=account, worker_id="other"))
    await PostgresCopyRegister(database=database).note("b", "e1-a", epoch=1)
    workers = PostgresWorkerStore(database=database, worker_id=WORKER, disk_id=DISK)
    assert await workers.linked_sessions() == [
        LinkedSession(session_id="a", is_copied=False),
        LinkedSession(session_id="b", is_copied=True),
    ]
    assert not await workers.forget_disk()
    await workers.register(version="1.0", capacity=1)
    assert await workers.forget_disk()
    assert (await workers.known_disk()).disk_id is None
