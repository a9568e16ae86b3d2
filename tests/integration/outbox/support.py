"""A worker's outbox without the worker: recorder and relay, that may be killed; and a backend."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.outbox.build import build_outbox
from gateway_worker.outbox.ports import Backlog, OutboxStore
from gateway_worker.outbox.recorder import Recorder
from gateway_worker.outbox.relay import MEMORY, Memory, Relay
from gateway_worker.sessions.changes import OutboxRow
from gateway_worker.storage.db import Database, PostgresChangeStore, PostgresOutboxStore
from tests.integration.storage.db.support import WORKER
from tests.support.eventually import eventually

TAKE_SECONDS = 20.0


class WatchedOutbox(OutboxStore):
    """The outbox table.

    Attributes:
        reads: How often it was read.
        may_read: While this is not set a read waits.
    """

    def __init__(self, store: PostgresOutboxStore) -> None:
        self._store = store
        self.reads = 0
        self.may_read = asyncio.Event()
        self.may_read.set()

    async def pending(self, *, after: int, limit: int) -> Sequence[OutboxRow]:
        """Read and count."""
        self.reads += 1
        await self.may_read.wait()
        return await self._store.pending(after=after, limit=limit)

    async def pending_of(
        self, session_ids: Sequence[str], *, after: int, limit: int
    ) -> Sequence[OutboxRow]:
        """Read what others have left."""
        return await self._store.pending_of(session_ids, after=after, limit=limit)

    async def adopt_strays(self) -> int:
        """Take what nobody else has."""
        return await self._store.adopt_strays()

    async def mark_published(self, outbox_ids: Sequence[int]) -> None:
        """Mark."""
        await self._store.mark_published(outbox_ids)

    async def backlog(self) -> Backlog:
        """Count."""
        return await self._store.backlog()


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of the worker's outbox."""

    recorder: Recorder
    relay: Relay
    outbox: WatchedOutbox
    tasks: Sequence["asyncio.Task[None]"]
    stops: Sequence[asyncio.Event]

    async def stop(self) -> None:
        """Stop in good order: what was recorded is committed, published and marked."""
        for stop, task in zip(self.stops, self.tasks, strict=True):
            stop.set()
            await task

    async def kill(self) -> None:
        """End it at once; what was under way stays undone."""
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)

    async def until_published(self) -> None:
        """Return when no event waits."""

        async def nothing_waits() -> bool:
            return self.relay.held == 0 and (await self.outbox.backlog()).depth == 0

        await eventually(nothing_waits, timeout_seconds=TAKE_SECONDS, reason="all is published")


@asynccontextmanager
async def living(
    database: Database,
    settings: BrokerSettings,
    *,
    memory: Memory = MEMORY,
    marks: Database | None = None,
) -> AsyncIterator[Life]:
    """Run a recorder and a relay; whatever still runs at the end is killed.

    Args:
        database: For changes.
        settings: The broker.
        memory: How many rows the relay holds at most.
        marks: For the outbox table, if that is to be broken apart.
    """
    async with Broker.open(settings, worker_id=WORKER) as broker:
        outbox = WatchedOutbox(PostgresOutboxStore(database=marks or database, worker_id=WORKER))
        built = build_outbox(
            changes=PostgresChangeStore(database=database, worker_id=WORKER),
            events=outbox,
            publisher=broker.publisher,
            memory=memory,
            full_queue_patience_seconds=settings.full_queue_patience_seconds,
        )
        recorder, relay = built.recorder, built.relay
        stops = (asyncio.Event(), asyncio.Event())
        tasks = (
            asyncio.create_task(recorder.run(stops[0]), name="recorder"),
            asyncio.create_task(relay.run(stops[1]), name="relay"),
        )
        life = Life(recorder=recorder, relay=relay, outbox=outbox, tasks=tasks, stops=stops)
        try:
            yield life
        finally:
            await life.kill()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event as a backend gets it."""

    event_id: str
    session_id: str
    sequence: int | None
    body: bytes

    @classmethod
    def of(cls, message: AbstractIncomingMessage) -> "Event":
        """Read a message."""
        body = json.loads(message.body)
        sequence = body.get("sequence")
        assert message.message_id == body["id"]
        return cls(
            event_id=body["id"],
            session_id=body["subject"],
            sequence=None if sequence is None else int(sequence),
            body=message.body,
        )


class Backend:
    """Gets every event from a queue of its own, past the proxy."""

    def __init__(self, queue: AbstractQueue) -> None:
        self._queue = queue

    @classmethod
    @asynccontextmanager
    async def listening(cls, amqp_url: str, topology: Topology) -> AsyncIterator["Backend"]:
        """Declare the exchange as the worker does, and bind a queue to it."""
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            queue = await channel.declare_queue(f"{topology.prefix}.backend", durable=True)
            await queue.bind(topology.events, "#")
            yield cls(queue)

    async def take_all(self) -> list[Event]:
        """Return what has arrived, repeats included, in order."""
        events = []
        while (message := await self._queue.get(no_ack=True, fail=False)) is not None:
            events.append(Event.of(message))
        return events

    async def take(self, count: int) -> list[Event]:
        """Return so many events, repeats included; waits for them."""
        events: list[Event] = []

        async def enough() -> bool:
            events.extend(await self.take_all())
            return len(events) >= count

        await eventually(enough, timeout_seconds=TAKE_SECONDS, reason=f"{count} events")
        return events


def first_times(events: Sequence[Event]) -> list[Event]:
    """Return events as a backend handles them that knows repeats by their id."""
    known: dict[str, Event] = {}
    for event in events:
        assert known.setdefault(event.event_id, event) == event  # a repeat is the same event
    return list(known.values())


def by_session(events: Sequence[Event]) -> dict[str, list[int | None]]:
    """Return each session's sequences, in the order of arrival."""
    found: dict[str, list[int | None]] = {}
    for event in first_times(events):
        found.setdefault(event.session_id, []).append(event.sequence)
    return found
