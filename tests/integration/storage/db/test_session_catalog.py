"""The sessions of the fleet: filtered, page by page, and with what became of their workers."""

from typing import Any

from sqlalchemy import text

from gateway_contracts import SessionState
from gateway_worker.sessions.ports import SessionFilter
from gateway_worker.storage.db import Database, PostgresSessionStore, PostgresWorkerStore
from gateway_worker.storage.db.session_catalog import PostgresSessionCatalog
from tests.integration.storage.db.support import OTHER, WORKER, session_row


async def filled(database: Database) -> PostgresSessionCatalog:
    """Return a catalog of two sessions of a worker that lives, and three of one that is gone."""
    sessions = PostgresSessionStore(database=database)
    living = PostgresWorkerStore(database=database, worker_id=WORKER, lease_seconds=60)
    await living.register(version="1", capacity=10)
    rows: dict[str, dict[str, Any]] = {
        "m": {"state": SessionState.CONNECTED, "labels": {"team": "sales", "region": "north"}},
        "n": {"state": SessionState.FAILED, "labels": {"team": "sales"}},
        "o": {"state": SessionState.CONNECTED, "worker_id": OTHER},
        "p": {"state": SessionState.STOPPED, "worker_id": OTHER, "labels": {"team": "sales"}},
        "q": {"state": SessionState.LOGGED_OUT, "worker_id": OTHER},
    }
    for name, values in rows.items():
        await sessions.create(session_row(name, **values))
    return PostgresSessionCatalog(database=database)


async def names(catalog: PostgresSessionCatalog, **wanted: Any) -> str:
    """Return the names of the sessions that fit."""
    found = await catalog.page(SessionFilter(**wanted), after="", limit=10)
    found = [entry for entry in found if entry.row.session_id in "mnopq"]  # without the fixture's
    return "".join(entry.row.session_id for entry in found)


async def test_sessions_are_found_by_all_that_is_given(database: Database) -> None:
    """One that is connected at a worker that is gone is reconnecting."""
    catalog = await filled(database)

    assert await names(catalog) == "mnopq"
    assert await names(catalog, labels={"team": "sales"}) == "mnp"
    assert await names(catalog, labels={"team": "sales", "region": "north"}) == "m"
    assert await names(catalog, worker_id=OTHER) == "opq"
    assert await names(catalog, worker_id=OTHER, labels={"team": "sales"}) == "p"
    assert await names(catalog, states=(SessionState.CONNECTED, SessionState.STOPPED)) == "mp"
    assert await names(catalog, states=(SessionState.RECONNECTING,)) == "o"
    assert await names(catalog, states=(SessionState.BANNED,)) == ""


async def test_pages_follow_each_other(database: Database) -> None:
    """By name; what is deleted in between is missing, and nothing comes twice."""
    catalog = await filled(database)
    first = await catalog.page(SessionFilter(), after="", limit=2)
    async with database.statement("deleting") as connection:
        await connection.execute(text("DELETE FROM sessions WHERE id IN ('n', 'o')"))
    second = await catalog.page(SessionFilter(), after=first[-1].row.session_id, limit=2)

    assert [(entry.row.session_id, entry.is_lost) for entry in (*first, *second)] == [
        ("m", False),
        ("n", False),
        ("p", True),
        ("q", True),
    ]
