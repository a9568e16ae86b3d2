"""A replay: the stored events themselves, in order, to one queue only, whatever happens."""

import asyncio
from datetime import UTC, datetime

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from pamqp.common import FieldTable
from sqlalchemy import text

from gateway_contracts import BackendTopology, ReplayInfo, SessionReplayData
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.commands.replaying import QueueFullError, Replays
from gateway_worker.errors import InvalidCommandError, SessionNotFoundError
from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.storage.db import Database, PostgresOutboxStore
from tests.integration.replay.support import EVENTS, ReplayQueue, ids
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy


async def still_mine() -> None:
    """The session has not gone elsewhere."""


@pytest.fixture
def replays(outbox: PostgresOutboxStore, broker: Broker) -> Replays:
    """Replays that wait for a full queue only a moment."""
    return Replays(events=outbox, replayer=broker.publisher, patience_seconds=0.5)


async def test_everything_comes_again_as_it_was(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue
) -> None:
    """The same bytes under the same ids, in order, marked as a replay."""
    wanted = SessionReplayData(queue=queue.name, from_sequence=1)
    info = await replays.run("s", wanted, check=still_mine)
    assert info == ReplayInfo(events=EVENTS, first_sequence=1, last_sequence=EVENTS, complete=True)
    await queue.until(EVENTS)
    assert [message.body for message in queue.came] == [row.body for row in published]
    assert [message.message_id for message in queue.came] == ids(published)
    assert {message.headers.get("wa-replayed") for message in queue.came} == {True}
    assert {message.type for message in queue.came} == {"wa.message.received.v1"}


async def test_a_part_can_be_had(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue
) -> None:
    """From one sequence to another, both included."""
    wanted = SessionReplayData(queue=queue.name, from_sequence=250, until_sequence=270)
    info = await replays.run("s", wanted, check=still_mine)
    assert info == ReplayInfo(events=21, first_sequence=250, last_sequence=270, complete=True)
    await queue.until(21)
    assert queue.first_arrivals() == ids(published[249:270])


async def test_a_time_can_be_the_beginning(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue, database: Database
) -> None:
    """It is the time of the commit, and older events that are stored prove that all are there."""
    old = "UPDATE outbox SET created_at = now() - interval '2 hours' WHERE sequence <= 580"
    async with database.statement("making events older") as connection:
        await connection.execute(text(old))
    since = datetime.now(UTC).replace(microsecond=0)
    since = since.replace(year=since.year - 1)
    everything = SessionReplayData(queue=queue.name, since=since, until_sequence=2)
    assert (await replays.run("s", everything, check=still_mine)).complete
    async with database.statement("reading the clock") as connection:
        recent = await connection.scalar(text("SELECT now() - interval '1 hour'"))
    wanted = SessionReplayData(queue=queue.name, since=recent)
    info = await replays.run("s", wanted, check=still_mine)
    assert info == ReplayInfo(events=20, first_sequence=581, last_sequence=EVENTS, complete=True)
    await queue.until(22)
    assert queue.first_arrivals()[2:] == ids(published[580:])


async def test_what_is_pruned_is_missed(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue, database: Database
) -> None:
    """The outcome says so, unless only later events were wanted."""
    gone = [row.outbox_id for row in published[:100]]
    async with database.statement("pruning") as connection:
        await connection.execute(text("DELETE FROM outbox WHERE id = ANY(:ids)"), {"ids": gone})
    for first, complete in ((1, False), (100, False), (101, True), (EVENTS + 1, True)):
        wanted = SessionReplayData(queue=queue.name, from_sequence=first, until_sequence=EVENTS + 2)
        assert (await replays.run("s", wanted, check=still_mine)).complete is complete
    since = SessionReplayData(queue=queue.name, since=datetime(2020, 1, 1, tzinfo=UTC))
    assert not (await replays.run("s", since, check=still_mine)).complete


async def test_a_session_without_events_has_none_to_replay(
    replays: Replays, queue: ReplayQueue
) -> None:
    """Nothing is published, and it is not known that nothing was missed."""
    wanted = SessionReplayData(queue=queue.name, from_sequence=1)
    info = await replays.run("t", wanted, check=still_mine)
    assert info == ReplayInfo(events=0, complete=False)


async def test_only_a_bound_queue_of_a_backend_is_served(
    replays: Replays, published: list[OutboxRow], settings: BrokerSettings
) -> None:
    """Neither a queue that is not bound, nor one of another fleet, nor a backwards range."""
    assert published
    own = BackendTopology(service="crm", topology=settings.topology)
    for queue, until, pointer in (
        (own.events_queue().name, None, "/data/queue"),
        ("fleet2.backend.crm.replay", None, "/data/queue"),
        (own.events_queue().name, 2, "/data/until_sequence"),
    ):
        wanted = SessionReplayData(queue=queue, from_sequence=3, until_sequence=until)
        with pytest.raises(InvalidCommandError) as refused:
            await replays.run("s", wanted, check=still_mine)
        assert refused.value.pointer == pointer


async def test_a_broken_connection_costs_nothing(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue, broker_proxy: TcpProxy
) -> None:
    """What comes twice has the same id, and nothing comes before what it follows."""
    wanted = SessionReplayData(queue=queue.name, from_sequence=1)
    replay = asyncio.create_task(replays.run("s", wanted, check=still_mine))
    for count in (20, 150, 400):
        await queue.until(count)
        await broker_proxy.cut()
    info = await replay
    assert (info.events, info.complete) == (EVENTS, True)
    await queue.until(EVENTS)
    assert queue.first_arrivals() == ids(published)


async def test_a_full_queue_is_waited_for_and_in_the_end_given_up(
    replays: Replays,
    published: list[OutboxRow],
    channel: AbstractChannel,
    settings: BrokerSettings,
) -> None:
    """What the backend reads meanwhile makes room."""
    name = f"{settings.topology.prefix}.backend.crm.small"
    full: FieldTable = {"x-queue-type": "quorum", "x-max-length": 3, "x-overflow": "reject-publish"}
    small = await channel.declare_queue(name, durable=True, arguments=full)
    await small.bind(settings.topology.replay, name)
    wanted = SessionReplayData(queue=name, from_sequence=1, until_sequence=60)
    with pytest.raises(QueueFullError):
        await replays.run("s", wanted, check=still_mine)
    came: list[str] = []

    async def take(message: aio_pika.abc.AbstractIncomingMessage) -> None:
        came.append(str(message.message_id))
        await message.ack()

    await small.consume(take)
    assert (await replays.run("s", wanted, check=still_mine)).events == 60
    # A confirm says that the queue has a message, and not that its consumer has it.
    await eventually(lambda: list(dict.fromkeys(came)) == ids(published[:60]))


async def test_it_ends_when_the_session_has_gone_elsewhere(
    replays: Replays, published: list[OutboxRow], queue: ReplayQueue
) -> None:
    """Before the next page."""
    assert published
    asked = 0

    async def gone() -> None:
        nonlocal asked
        asked += 1
        if asked == 2:
            raise SessionNotFoundError("it is deleted")

    with pytest.raises(SessionNotFoundError):
        await replays.run("s", SessionReplayData(queue=queue.name, from_sequence=1), check=gone)
    await queue.until(256)
    assert len(queue.came) == 256
