"""What is known of a worker's disk is told alike by the database and in a test's memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from gateway_contracts import Account
from gateway_worker.sessions.ownership.ports import DiskRecords, KnownDisk
from gateway_worker.storage.db import (
    Database,
    PostgresCopyRegister,
    PostgresSessionStore,
    PostgresWorkerStore,
)
from tests.integration.storage.db.support import WORKER, session_row
from tests.support.disk_records import MemoryDiskRecords

DISKS = ("5f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f11", "7f0c8a3e-6a52-4f0b-9a51-6a0b4c9b2f22")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A worker's records, and what happens to the worker.

    Attributes:
        records: The port.
        run_on: A process of the worker begins on the first or the second disk.
        renew: It renews its lease.
        leave: It ends its lease.
        forget: The disk is said to be lost.
        link: A session of the worker gets an account, with or without a copy.
    """

    records: DiskRecords
    run_on: Callable[[int], Awaitable[object]]
    renew: Callable[[int], Awaitable[object]]
    leave: Callable[[int], Awaitable[object]]
    forget: Callable[[], Awaitable[object]]
    link: Callable[[str, bool], Awaitable[object]]


def in_memory() -> Place:
    """Return those of tests."""
    records = MemoryDiskRecords()

    async def run_on(disk: int) -> None:
        records.run_on(DISKS[disk])

    async def leave(_disk: int) -> None:
        records.leave()

    async def forget() -> None:
        records.forget()

    async def link(session_id: str, is_copied: bool) -> None:  # noqa: FBT001 - a callable's
        records.link(session_id, is_copied=is_copied)

    return Place(
        records=records, run_on=run_on, renew=run_on, leave=leave, forget=forget, link=link
    )


def in_database(database: Database) -> Place:
    """Return the real ones."""
    processes = [
        PostgresWorkerStore(
            database=database, worker_id=WORKER, disk_id=disk_id, lease_seconds=15.0
        )
        for disk_id in DISKS
    ]

    async def link(session_id: str, is_copied: bool) -> None:  # noqa: FBT001 - a callable's
        account = Account(jid="12025550100:7@s.whatsapp.net")
        await PostgresSessionStore(database=database).create(
            session_row(session_id, account=account)
        )
        if is_copied:
            await PostgresCopyRegister(database=database).note(session_id, "e1-a", epoch=1)

    return Place(
        records=processes[0],
        run_on=lambda disk: processes[disk].register(version="1", capacity=1),
        renew=lambda disk: processes[disk].renew(),
        leave=lambda disk: processes[disk].leave(),
        forget=processes[0].forget_disk,
        link=link,
    )


@pytest.fixture(params=["database", "memory"])
def place(request: pytest.FixtureRequest, database: Database) -> Place:
    """Return the records of a worker that has never been there."""
    return in_memory() if request.param == "memory" else in_database(database)


async def test_a_worker_that_was_never_there_has_no_disk(place: Place) -> None:
    """Nor an account."""
    assert await place.records.known_disk() == KnownDisk()
    assert list(await place.records.linked_sessions()) == []


async def test_a_worker_that_runs_has_a_disk_and_a_lease_that_it_renews(place: Place) -> None:
    """Each renewal can be seen; so can another process of its name."""
    seen = set()
    for change in (place.run_on, place.renew, place.renew, place.run_on):
        await change(0)
        known = await place.records.known_disk()
        assert known.disk_id == DISKS[0]
        assert 0 < known.lease_seconds <= 15
        seen.add(known.renewals)
    assert len(seen) == 4


async def test_a_worker_that_has_left_is_known_by_its_disk(place: Place) -> None:
    """Until it runs on another one, or that is said to be lost."""
    await place.run_on(0)
    await place.leave(0)
    known = await place.records.known_disk()
    assert (known.disk_id, known.lease_seconds <= 0) == (DISKS[0], True)
    await place.run_on(1)
    assert (await place.records.known_disk()).disk_id == DISKS[1]
    await place.forget()
    assert (await place.records.known_disk()).disk_id is None


async def test_accounts_are_told_by_their_ids_with_whether_there_is_a_copy(place: Place) -> None:
    """Those that are linked only."""
    for session_id, is_copied in (("b", True), ("a", False), ("c", True)):
        await place.link(session_id, is_copied)
    linked = await place.records.linked_sessions()
    assert [(one.session_id, one.is_copied) for one in linked] == [
        ("a", False),
        ("b", True),
        ("c", True),
    ]
