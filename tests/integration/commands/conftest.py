"""A worker between a real broker and a real database, both behind proxies, and a backend."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gateway_contracts import Account, SessionState
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.devkit.backend import Backend
from gateway_worker.sessions.changes import DesiredState
from gateway_worker.storage.db import Database
from tests.integration.commands.support import Station, working
from tests.integration.storage.db.support import OTHER, WORKER, opened, session_row
from tests.support.dead_letters import DeadLetters
from tests.support.proxy import TcpProxy

MINE: Sequence[str] = ("a", "b", "c")
THEIRS = "theirs"
CONNECTING = "connecting"
STOPPED = {"state": SessionState.STOPPED, "desired": DesiredState.STOPPED}


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Stopped sessions of WORKER, one that seems to connect for ever, and one of another worker."""
    account = Account(jid="15550100001:1@s.whatsapp.net", phone_number="15550100001")
    connecting = {**STOPPED, "state": SessionState.CONNECTING, "account": account}
    async with opened(
        database_url,
        *(session_row(name, **STOPPED) for name in MINE),
        session_row(THEIRS, **STOPPED, worker_id=OTHER),
        session_row(CONNECTING, **connecting),
    ) as database:
        yield database


@pytest.fixture
async def distant(
    database: Database, database_url: str, database_proxy: TcpProxy
) -> AsyncIterator[Database]:
    """The database through the proxy."""
    async with opened(database_proxy.url(database_url)) as distant:
        yield distant


@pytest.fixture
async def backend(amqp_url: str, settings: BrokerSettings) -> AsyncIterator[Backend]:
    """A backend that listens from the start."""
    async with Backend.open(amqp_url, topology=settings.topology, name="test") as backend:
        yield backend


@pytest.fixture
async def station(
    distant: Database, settings: BrokerSettings, backend: Backend, tmp_path: Path
) -> AsyncIterator[Station]:
    """The worker, running."""
    async with working(distant, settings, tmp_path) as station:
        yield station


@pytest.fixture
async def other_queue(settings: BrokerSettings) -> str:
    """The queue of another worker that is not running; returns its name."""
    async with Broker.open(settings, worker_id=OTHER):
        pass
    return settings.topology.worker_queue(OTHER)


@pytest.fixture
async def dead_letters(
    amqp_url: str, station: Station, settings: BrokerSettings
) -> AsyncIterator[DeadLetters]:
    """What went to the dead letters."""
    async with DeadLetters.open(amqp_url, settings.topology) as letters:
        yield letters


__all__ = ["CONNECTING", "MINE", "STOPPED", "THEIRS", "WORKER"]
