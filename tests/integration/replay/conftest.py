"""Published events of a session in a real database, a broker behind a proxy, a queue of replays."""

from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from gateway_contracts import BackendTopology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.storage.db import (
    Database,
    PostgresChangeStore,
    PostgresOutboxStore,
)
from tests.integration.replay.support import EVENTS, ReplayQueue
from tests.integration.storage.db.support import WORKER, message, opened, session_row


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """The sessions `s` and `t` of WORKER."""
    async with opened(database_url, session_row("s"), session_row("t")) as database:
        yield database


@pytest.fixture
def outbox(database: Database) -> PostgresOutboxStore:
    """WORKER's events."""
    return PostgresOutboxStore(database=database, worker_id=WORKER)


@pytest.fixture
async def published(database: Database, outbox: PostgresOutboxStore) -> list[OutboxRow]:
    """The events of `s`, published before; some of `t` are among them in the table."""
    changes = PostgresChangeStore(database=database, worker_id=WORKER)
    rows: list[OutboxRow] = []
    for start in range(0, EVENTS, 100):
        batch = [message(number, session="s") for number in range(start, start + 100)]
        batch.insert(50, message(start, session="t"))
        rows += [row for done in await changes.commit(batch) for row in done.rows]
    await outbox.mark_published([row.outbox_id for row in rows])
    return [row for row in rows if row.session_id == "s"]


@pytest.fixture
async def broker(settings: BrokerSettings) -> AsyncIterator[Broker]:
    """The worker's side."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        yield broker


@pytest.fixture
async def channel(
    amqp_url: str,
    broker: Broker,  # it declares the exchanges
) -> AsyncIterator[AbstractChannel]:
    """The backend's own connection, past the proxy."""
    async with await aio_pika.connect(amqp_url) as connection:
        yield await connection.channel()


@pytest.fixture
async def queue(channel: AbstractChannel, settings: BrokerSettings) -> ReplayQueue:
    """The backend's queue of replays, as the contract describes it."""
    own = BackendTopology(service="crm", topology=settings.topology)
    for exchange in own.exchanges():
        await channel.declare_exchange(exchange.name, exchange.kind, durable=True)
    spec = own.replay_queue()
    declared = await channel.declare_queue(spec.name, durable=True, arguments=spec.arguments)
    binding = own.replay_binding()
    await declared.bind(binding.exchange, binding.routing_key)
    came: list[AbstractIncomingMessage] = []

    async def take(arrived: AbstractIncomingMessage) -> None:
        came.append(arrived)
        await arrived.ack()

    await declared.consume(take)
    return ReplayQueue(name=spec.name, came=came)
