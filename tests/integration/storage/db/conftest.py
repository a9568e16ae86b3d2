"""A database of the test's own with two sessions in it, and a way to it that can be broken."""

from collections.abc import AsyncIterator

import pytest

from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresInboxStore,
    PostgresOutboxStore,
    PostgresSessionStore,
)
from tests.integration.storage.db.support import WORKER, opened, session_row
from tests.support.proxy import TcpProxy


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A migrated database with the sessions `s` and `t` of WORKER, epoch 1."""
    async with opened(database_url, session_row("s"), session_row("t")) as database:
        yield database


@pytest.fixture
def sessions(database: Database) -> PostgresSessionStore:
    """The sessions table."""
    return PostgresSessionStore(database=database)


@pytest.fixture
def changes(database: Database) -> PostgresChangeStore:
    """WORKER's changes."""
    return PostgresChangeStore(database=database, worker_id=WORKER)


@pytest.fixture
def inbox(database: Database) -> PostgresInboxStore:
    """The commands table."""
    return PostgresInboxStore(database=database)


@pytest.fixture
def outbox(database: Database) -> PostgresOutboxStore:
    """WORKER's events."""
    return PostgresOutboxStore(database=database, worker_id=WORKER)


@pytest.fixture
async def proxy(database_url: str) -> AsyncIterator[TcpProxy]:
    """Stand between the worker and the database."""
    async with TcpProxy.to(database_url) as proxy:
        yield proxy


@pytest.fixture
async def distant(
    database: Database, database_url: str, proxy: TcpProxy
) -> AsyncIterator[Database]:
    """The same database through the proxy, given up soon when it is silent."""
    async with opened(
        proxy.url(database_url),
        connect_timeout_seconds=1.0,
        statement_timeout_seconds=1.0,
        lock_timeout_seconds=0.5,
        answer_timeout_seconds=1.5,
    ) as distant:
        yield distant
