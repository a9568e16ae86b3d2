"""Which copies count: the database's register and the one that tests use keep the same rules."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway_worker.sessions.store.copies import CopyRegister, KnownCopies
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresCopyRegister,
    PostgresSessionStore,
    fleet_id,
)
from tests.integration.storage.db.support import count, finished, session_row
from tests.support.copies import MemoryRegister


@pytest.fixture(params=["database", "memory"])
async def register(
    request: pytest.FixtureRequest, database: Database
) -> AsyncIterator[CopyRegister]:
    """A register that knows the session `s`, whose first epoch is 1."""
    if request.param == "database":
        yield PostgresCopyRegister(database=database)
        return
    memory = MemoryRegister(everybody=False)
    memory.sessions["s"] = 1
    yield memory


async def test_the_two_newest_are_known(register: CopyRegister) -> None:
    """Whatever comes late, or twice, changes nothing."""
    assert await register.known("s") == KnownCopies()
    for name in ("e1-a", "e1-b", "e2-a"):
        noted = await register.note("s", name, epoch=1)
        assert noted is not None
        assert noted.newest == name
    known = KnownCopies(newest="e2-a", previous="e1-b")
    for late in ("e2-a", "e1-b", "e1-c"):
        assert await register.note("s", late, epoch=1) == known
    assert await register.known("s") == known
    assert known.names == ("e2-a", "e1-b")


async def test_names_sort_by_their_bytes(register: CopyRegister) -> None:
    """Not as people of some country would."""
    for name in ("e1-B", "e1-_", "e1-a"):
        noted = await register.note("s", name, epoch=1)
        assert noted is not None
        assert noted.newest == name


async def test_what_is_forgotten_stays_void(register: CopyRegister) -> None:
    """A name that was noted before is never the newest again."""
    await register.note("s", "e1-b", epoch=1)
    for _ in range(2):
        await register.forget("s")
        assert await register.known("s") == KnownCopies(floor="e1-b")
    for late in ("e1-a", "e1-b"):
        assert await register.note("s", late, epoch=1) == KnownCopies(floor="e1-b")
    noted = await register.note("s", "e1-c", epoch=1)
    assert noted == KnownCopies(newest="e1-c", floor="e1-b")


async def test_nothing_is_noted_of_a_session_that_is_not_there(register: CopyRegister) -> None:
    """Or of an epoch before it was."""
    assert await register.note("nowhere", "e1-a", epoch=1) is None
    assert await register.note("s", "e0-a", epoch=0) is None
    assert await register.known("nowhere") is None
    assert await register.known("s") == KnownCopies()


async def test_a_deleted_session_s_copies_are_forgotten(
    database: Database, changes: PostgresChangeStore, sessions: PostgresSessionStore
) -> None:
    """Its namesake begins without any, and takes none that comes late."""
    register = PostgresCopyRegister(database=database)
    await register.note("s", "e1-a", epoch=1)
    await changes.commit([finished("d", delete=True)])
    assert await count(database, "snapshots") == 0
    await sessions.create(session_row("s"))
    assert await register.note("s", "e1-b", epoch=1) is None
    assert await register.known("s") == KnownCopies(first_epoch=2)


async def test_the_fleet_has_one_name(database: Database) -> None:
    """Whoever asks first, and however many at once."""
    names = await asyncio.gather(*(fleet_id(database) for _ in range(4)))
    assert len(set(names)) == 1
    assert await fleet_id(database) == names[0]
