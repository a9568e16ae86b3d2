"""Sessions are looked up alike in the database and in a test's memory."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from gateway_contracts import SessionState
from gateway_worker.sessions.ports import SessionStore
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresSessionStore
from tests.integration.storage.db.support import OTHER, WORKER, finished, session_row
from tests.support.sessions import MemorySessions


@dataclass(frozen=True, kw_only=True)
class Place:
    """A table of sessions, and how one goes.

    Attributes:
        sessions: The port; it has `s` and `t`.
        delete: Deletes `s`.
    """

    sessions: SessionStore
    delete: Callable[[], Awaitable[object]]


@pytest.fixture(params=["database", "memory"])
def place(request: pytest.FixtureRequest, database: Database) -> Place:
    """Return a table with two sessions of WORKER."""
    if request.param == "memory":
        memory = MemorySessions(session_row("s", epoch=1), session_row("t", epoch=1))

        async def delete() -> None:
            memory.delete("s")

        return Place(sessions=memory, delete=delete)
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    return Place(
        sessions=PostgresSessionStore(database=database),
        delete=lambda: changes.commit([finished("d", delete=True)]),
    )


async def test_a_session_is_found_as_it_was_made(place: Place) -> None:
    """By its owner too; what is not there is not."""
    made = await place.sessions.create(session_row("u", worker_id=OTHER))
    assert made is not None
    assert (made.epoch, made.first_epoch, made.state) == (1, 1, SessionState.CREATED)
    assert await place.sessions.get("u") == made
    assert await place.sessions.get("nowhere") is None
    owned = {
        worker: [row.session_id for row in await place.sessions.owned_by(worker)]
        for worker in (WORKER, OTHER, "nobody")
    }
    assert owned == {WORKER: ["s", "t"], OTHER: ["u"], "nobody": []}


async def test_a_name_that_is_taken_is_not_given_twice(place: Place) -> None:
    """Whoever asks."""
    before = await place.sessions.get("s")
    assert await place.sessions.create(session_row("s", worker_id=OTHER)) is None
    assert await place.sessions.get("s") == before


async def test_a_session_that_is_deleted_leaves_its_name(place: Place) -> None:
    """One that never was has left none; its namesake goes on with its epochs."""
    assert not await place.sessions.was_deleted("s")
    await place.delete()
    assert await place.sessions.get("s") is None
    assert await place.sessions.was_deleted("s")
    assert not await place.sessions.was_deleted("nowhere")
    again = await place.sessions.create(session_row("s"))
    assert again is not None
    assert again.epoch == again.first_epoch == 2
    assert await place.sessions.was_deleted("s"), "there was one before it"
