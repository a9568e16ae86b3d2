"""A backend built on another client library, and a dispatcher that notes what it was given."""

import asyncio
import uuid
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
)
from aiormq import Connection as UnderlayConnection
from aiormq import spec
from aiormq.abc import AbstractChannel as RawChannel

from gateway_contracts import Topology
from gateway_worker.broker import Broker, BrokerSettings, CommandConsumer
from gateway_worker.broker.connection import ReconnectingConnection
from gateway_worker.commands.ports import CommandSink, Delivery, Settlement
from gateway_worker.sessions.changes import OutboxRow
from tests.support.eventually import eventually
from tests.support.pacing import pace

WORKER = "w1"
TAKE_TIMEOUT_SECONDS = 30.0

Work = Callable[[Delivery], Awaitable[None]]


async def acknowledge(delivery: Delivery) -> None:
    """Execute at once and acknowledge."""
    await delivery.settle(Settlement.ACK)


def after(gate: asyncio.Event, work: Work = acknowledge) -> Work:
    """Return what begins to work once the gate is open."""

    async def begin(delivery: Delivery) -> None:
        await gate.wait()
        await work(delivery)

    return begin


class Mill(CommandSink):
    """A dispatcher: one task per session, in order. A body is `<session> <number>`."""

    def __init__(self, work: Work = acknowledge) -> None:
        self.work = work
        self.accepted: list[Delivery] = []
        self.executed: list[str] = []
        self._waiting: dict[str, deque[Delivery]] = {}
        self._runners: set[asyncio.Task[None]] = set()

    def accept(self, delivery: Delivery) -> None:
        """Queue a delivery behind the others of its session."""
        self.accepted.append(delivery)
        session = delivery.body.decode().partition(" ")[0]
        if session in self._waiting:
            self._waiting[session].append(delivery)
            return
        self._waiting[session] = deque((delivery,))
        runner = asyncio.create_task(self._run(session))
        self._runners.add(runner)
        runner.add_done_callback(self._runners.discard)

    async def stop(self) -> None:
        """Drop everything."""
        for runner in tuple(self._runners):
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)

    async def _run(self, session: str) -> None:
        waiting = self._waiting[session]
        while waiting:
            delivery = waiting[0]
            self.executed.append(delivery.body.decode())
            await self.work(delivery)
            waiting.popleft()
        del self._waiting[session]


class Backend:
    """Publishes commands, and reads or counts what is in queues."""

    def __init__(
        self,
        *,
        connection: AbstractConnection,
        channel: AbstractChannel,
        exchange: AbstractExchange,
        topology: Topology,
    ) -> None:
        self.channel = channel
        self.topology = topology
        self.connection = connection
        self._exchange = exchange

    @classmethod
    @asynccontextmanager
    async def connected(cls, url: str, *, topology: Topology) -> AsyncIterator["Backend"]:
        """Connect to the broker."""
        async with await aio_pika.connect(url) as connection:
            channel = await connection.channel(on_return_raises=True)
            exchange = await channel.get_exchange(topology.commands, ensure=False)
            yield cls(connection=connection, channel=channel, exchange=exchange, topology=topology)

    async def send(
        self,
        body: str,
        *,
        routing_key: str | None = None,
        message_id: str | None = None,
        exchange: str | None = None,
        **properties: Any,
    ) -> str:
        """Publish one command (by default to the session that its body names); return its id."""
        message_id = message_id or uuid.uuid4().hex
        target = (
            self._exchange
            if exchange is None
            else await self.channel.get_exchange(exchange, ensure=False)
        )
        await target.publish(
            aio_pika.Message(
                body.encode(),
                message_id=message_id,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                **properties,
            ),
            routing_key=routing_key or body.partition(" ")[0],
        )
        return message_id

    async def send_all(
        self, bodies: Sequence[str], *, at_once: int | None = None, pause_seconds: float = 0.0
    ) -> None:
        """Publish commands in order, as fast as they can be written; return when all are confirmed.

        Without confirms some never come: a quorum queue may still lack what a channel that is
        closed has published (RabbitMQ 3.10; 1 of 600 such channels lost a message).

        Args:
            bodies: The commands.
            at_once: After so many there is a pause.
            pause_seconds: How long it is.
        """
        async with (
            self.connection.channel(publisher_confirms=True) as channel,
            asyncio.TaskGroup() as publishing,
        ):
            raw = await channel.get_underlay_channel()
            for number, body in enumerate(bodies, 1):
                if at_once and number % at_once == 0:
                    await pace(pause_seconds)
                publishing.create_task(self._publish(raw, body))

    async def _publish(self, channel: RawChannel, body: str) -> None:
        await channel.basic_publish(
            body.encode(),
            exchange=self.topology.commands,
            routing_key=body.partition(" ")[0],
            properties=spec.Basic.Properties(message_id=uuid.uuid4().hex, delivery_mode=2),
        )

    async def collect_events(self, pattern: str = "#") -> str:
        """Declare a queue that gets the events that match; return its name."""
        name = f"{self.topology.prefix}.test.{uuid.uuid4().hex}"
        await self.channel.declare_queue(name, durable=True)
        queue = await self.channel.get_queue(name, ensure=False)
        await queue.bind(self.topology.events, pattern)
        return name

    async def depth(self, queue: str) -> int:
        """Return how many messages wait in a queue, as a new channel sees it."""
        async with self.connection.channel() as channel:
            declared = await channel.declare_queue(queue, passive=True)
            return declared.declaration_result.message_count or 0

    async def take(self, queue: str, count: int) -> list[AbstractIncomingMessage]:
        """Take so many messages out of a queue, in order; fails if they do not come."""
        messages: list[AbstractIncomingMessage] = []
        if not count:
            return messages
        async with self.connection.channel() as channel:
            await channel.set_qos(prefetch_count=min(count, 200) or 1)
            enough = asyncio.Event()

            async def on_message(message: AbstractIncomingMessage) -> None:
                messages.append(message)
                await message.ack()
                if len(messages) >= count:
                    enough.set()

            tag = await (await channel.get_queue(queue, ensure=False)).consume(on_message)
            try:
                async with asyncio.timeout(TAKE_TIMEOUT_SECONDS):
                    await enough.wait()
            except TimeoutError:
                taken = [message.body.decode() for message in messages]
                left = await self.depth(queue)
                raise AssertionError(
                    f"{len(taken)} of {count} came, {left} left: {taken}"
                ) from None
            await (await channel.get_queue(queue, ensure=False)).cancel(tag)
        return messages


@asynccontextmanager
async def consuming(
    settings: BrokerSettings,
    mill: Mill,
    *sessions: str,
    is_alone: Callable[[], bool] = lambda: True,
) -> AsyncIterator[tuple[Broker, CommandConsumer]]:
    """Run a worker's consumer with some sessions bound to it, then stop it without a drain."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        for session in sessions:
            await broker.bindings.bind(session)
        consumer = broker.consumer(mill, is_alone=is_alone)
        stop = asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        try:
            yield broker, consumer
        finally:
            running.cancel()
            await asyncio.wait({running})
            await mill.stop()
            if not running.cancelled():
                running.result()


def underlay_of(link: ReconnectingConnection) -> UnderlayConnection:
    """Return the library's own connection, to break it from inside."""
    assert link._connection is not None
    assert link._connection.transport is not None
    connection = link._connection.transport.connection
    assert isinstance(connection, UnderlayConnection)
    return connection


def row(number: int, *, session_id: str = "s1") -> OutboxRow:
    """Return an event to publish."""
    return OutboxRow(
        outbox_id=number,
        event_id=f"event-{session_id}-{number}",
        type="wa.message.received.v1",
        session_id=session_id,
        routing_key=f"message.received.{session_id}",
        body=f"{session_id} {number}".encode(),
    )


def executed_twice(bodies: Sequence[str]) -> list[str]:
    """Return what was executed more than once."""
    times = Counter(bodies)
    return [body for body in times if times[body] > 1]


def out_of_order(bodies: Sequence[str]) -> list[str]:
    """Return what came after a later one of its session."""
    last: dict[str, int] = {}
    late = []
    for body in bodies:
        session, _, number = body.partition(" ")
        if int(number) < last.get(session, -1):
            late.append(body)
        last[session] = max(int(number), last.get(session, -1))
    return late


async def hold(_: Delivery) -> None:
    """Keep it in hand."""


def numbered(count: int, *, start: int = 0) -> list[str]:
    """Return commands of one session."""
    return [f"s1 {number}" for number in range(start, start + count)]


def bodies(deliveries: Sequence[Delivery]) -> list[str]:
    """Return what came."""
    return [delivery.body.decode() for delivery in deliveries]


async def left(backend: Backend, queue: str, count: int) -> list[str]:
    """Return what is in a queue, in order."""
    return [message.body.decode() for message in await backend.take(queue, count)]


async def eventually_depth(
    backend: Backend, queue: str, depth: int, *, at_most: int | None = None
) -> int:
    """Wait until the broker has so many messages ready, and return how many they are."""

    async def is_right() -> int:
        now = await backend.depth(queue)
        assert depth <= now <= (at_most or depth)
        return now

    return await eventually(is_right) if depth else 0
