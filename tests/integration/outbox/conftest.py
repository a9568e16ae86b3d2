"""A database with sessions, a broker behind a proxy, and a backend that listens."""

from collections.abc import AsyncIterator

import pytest

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.storage.db import Database
from tests.integration.outbox.support import Backend
from tests.integration.storage.db.support import WORKER, opened, session_row
from tests.support.proxy import TcpProxy

SESSIONS = tuple(f"s{number}" for number in range(5))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database with the sessions of WORKER."""
    async with opened(database_url, *map(session_row, SESSIONS)) as database:
        yield database


@pytest.fixture
async def distant(
    database: Database, database_url: str, database_proxy: TcpProxy
) -> AsyncIterator[Database]:
    """The database through the proxy, given up soon when it is silent."""
    async with opened(
        database_proxy.url(database_url),
        connect_timeout_seconds=2.0,
        statement_timeout_seconds=2.0,
        answer_timeout_seconds=2.5,
    ) as distant:
        yield distant


@pytest.fixture
def settings(settings: BrokerSettings) -> BrokerSettings:
    """Give up a publication soon, too."""
    return settings.model_copy(update={"publish_timeout_seconds": 2.0})


@pytest.fixture
async def backend(amqp_url: str, settings: BrokerSettings) -> AsyncIterator[Backend]:
    """Someone who listens from the start."""
    async with Broker.open(settings, worker_id=WORKER):
        pass  # declares the exchanges
    async with Backend.listening(amqp_url, settings.topology) as backend:
        yield backend
