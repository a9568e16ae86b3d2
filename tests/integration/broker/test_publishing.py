"""Events to the broker: what is reported as published is there, and nothing else is."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest
from aio_pika import Message
from pamqp.common import FieldTable

from gateway_contracts import CONTENT_TYPE, WorkerHeartbeat, WorkerLoad, WorkerStarted
from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.confirms import REPLACED_AFTER_SECONDS
from gateway_worker.commands.ports import Delivery, Settlement
from gateway_worker.errors import DependencyError
from gateway_worker.sessions.changes import OutboxRow
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    consuming,
    row,
    underlay_of,
)
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.proxy import Direction, TcpProxy

OTHER = "w2"
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
LOAD = WorkerLoad(
    worker=WORKER, version="1", capacity=1, sessions={}, cpu_percent=0.0, memory_bytes=1
)


@pytest.fixture
async def broker(settings: BrokerSettings) -> AsyncIterator[Broker]:
    """Return an open broker."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        yield broker


async def publish_until_confirmed(broker: Broker, event: OutboxRow) -> None:
    """Do what the relay does."""
    while True:
        try:
            await broker.publisher.publish(event)
        except DependencyError:
            await pace(0.02)
        else:
            return


async def test_an_event_carries_what_the_contract_promises(
    broker: Broker, backend: Backend
) -> None:
    """Key, body and properties arrive as a backend expects them."""
    queue = await backend.collect_events()
    event = OutboxRow(
        outbox_id=1,
        event_id="e1",
        type="wa.command.succeeded.v1",
        session_id="s1",
        routing_key="command.succeeded.s1",
        body=b"{}",
        correlation_id="c1",
        traceparent=TRACEPARENT,
    )
    await broker.publisher.publish(event)
    (message,) = await backend.take(queue, 1)

    assert message.body == b"{}"
    assert message.routing_key == "command.succeeded.s1"
    assert message.message_id == "e1"
    assert message.correlation_id == "c1"
    assert message.type == "wa.command.succeeded.v1"
    assert message.app_id == "/workers/w1"
    assert message.content_type == CONTENT_TYPE
    assert message.delivery_mode == 2
    assert message.timestamp is not None
    assert message.headers == {"traceparent": event.traceparent}


async def test_overlapping_calls_keep_their_order(broker: Broker, backend: Backend) -> None:
    """Many events in flight reach the broker in the order in which they were published."""
    queue = await backend.collect_events()
    async with asyncio.TaskGroup() as tasks:
        for number in range(300):
            tasks.create_task(broker.publisher.publish(row(number)))
    messages = await backend.take(queue, 300)

    assert [message.body.decode() for message in messages] == [f"s1 {n}" for n in range(300)]
    assert broker.stats().published == 300
    assert broker.stats().unconfirmed == 0


async def test_an_event_that_no_queue_takes_is_not_reported_as_published(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """With no backend and the safety net gone, the event stays in the outbox."""
    net = settings.topology.events_unrouted
    await (await backend.channel.get_queue(net, ensure=False)).unbind(net, "")

    with pytest.raises(DependencyError, match="no queue takes"):
        await broker.publisher.publish(row(1))
    assert broker.stats().returned == 1
    queue = await backend.collect_events()
    await broker.publisher.publish(row(1))
    assert await backend.depth(queue) == 1


async def test_two_messages_with_one_id_are_never_confused(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """Of two that overlap, the one that was returned is the one that fails."""
    net = settings.topology.events_unrouted
    await (await backend.channel.get_queue(net, ensure=False)).unbind(net, "")
    queue = await backend.collect_events("known")

    def publish(key: str) -> asyncio.Task[None]:
        return asyncio.create_task(
            broker.publisher._events.publish(
                Message(key.encode(), message_id="same"),
                exchange=settings.topology.events,
                routing_key=key,
            )
        )

    unknown, known = publish("unknown"), publish("known")
    await asyncio.wait({unknown, known})

    assert isinstance(unknown.exception(), DependencyError)
    assert known.exception() is None
    assert await backend.depth(queue) == 1


async def test_an_event_without_a_confirm_in_time_is_repeated_with_the_same_id(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """Nobody knows whether it was stored; here it was, so the repetition makes a second copy."""
    impatient = settings.model_copy(update={"publish_timeout_seconds": 0.3})
    async with Broker.open(impatient, worker_id=WORKER) as broker:
        queue = await backend.collect_events()
        proxy.pause(Direction.TO_CLIENT)
        publishing = asyncio.create_task(broker.publisher.publish(row(1)))
        await eventually(lambda: broker.stats().oldest_unconfirmed_seconds > 0.1)
        with pytest.raises(DependencyError, match="no answer in time"):
            await publishing
        proxy.resume()
        await publish_until_confirmed(broker, row(1))
        messages = await backend.take(queue, 2)

        assert [message.message_id for message in messages] == ["event-s1-1"] * 2
        assert broker.stats().publish_timeouts == 1


async def test_a_lost_connection_is_not_taken_for_a_cancellation(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """The library lets pending confirms fail as cancelled; the caller's task must live on."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        proxy.pause(Direction.TO_CLIENT)
        publishing = asyncio.create_task(broker.publisher.publish(row(1)))
        await eventually(lambda: broker.stats().unconfirmed == 1)
        connection = underlay_of(broker._connections.publishing)
        connection._reader_task.cancel()  # what it does to a peer that is silent for too long
        with pytest.raises(DependencyError):
            await publishing
        proxy.resume()


async def test_a_cancelled_publication_is_cancelled(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """Somebody who cancels the caller gets what they asked for."""
    async with Broker.open(settings, worker_id=WORKER) as broker:
        proxy.pause(Direction.TO_CLIENT)
        publishing = asyncio.create_task(broker.publisher.publish(row(1)))
        await eventually(lambda: broker.stats().unconfirmed == 1)
        publishing.cancel()
        await asyncio.wait({publishing})
        assert publishing.cancelled()
        assert broker.stats().unconfirmed == 0
        proxy.resume()


async def test_no_event_is_lost_over_lost_connections(
    settings: BrokerSettings, backend: Backend, proxy: TcpProxy
) -> None:
    """Every event that was confirmed, now or when repeated, is in the backend's queue."""
    events = [row(number) for number in range(1000)]
    async with Broker.open(settings, worker_id=WORKER) as broker:
        queue = await backend.collect_events()
        finished: list[OutboxRow] = []

        def has_finished(count: int) -> bool:
            return len(finished) >= count

        async def publish(part: list[OutboxRow]) -> None:
            for event in part:
                await publish_until_confirmed(broker, event)
                finished.append(event)

        async with asyncio.TaskGroup() as tasks:
            for start in range(32):
                tasks.create_task(publish(events[start::32]))
            for kill in range(1, 6):
                await eventually(partial(has_finished, kill * 150))
                if kill % 2:
                    proxy.cut_after(kill * 100, Direction.TO_SERVER)
                else:
                    await proxy.cut()
        messages = await backend.take(queue, await backend.depth(queue))

    assert {message.message_id for message in messages} == {event.event_id for event in events}


async def test_a_missing_exchange_costs_neither_consumer_nor_other_publications(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The channel that met it is opened again, and the exchange is declared again."""
    mill = Mill()
    async with consuming(settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        await backend.channel.exchange_delete(settings.topology.events)
        with pytest.raises(DependencyError):
            await broker.publisher.publish(row(1))
        await broker.publisher.publish_command(b"s1 1", routing_key="s1")
        await eventually(lambda: mill.executed == ["s1 1"])
        await publish_until_confirmed(broker, row(1))

        assert broker.stats().reconnects == 0
        assert broker.stats().resubscribed == 0
        assert await backend.depth(settings.topology.events_unrouted) == 1


async def test_heartbeats_need_no_listener_and_expire(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """A sign of life is for whoever listens now; other events of the worker are kept."""
    beat = WorkerHeartbeat(source="/workers/w1", subject=WORKER, data=LOAD)
    await broker.publisher.publish_worker_event(beat)
    name = f"{settings.prefix}.test.heartbeats"
    queue = await backend.channel.declare_queue(name, durable=True)
    await queue.bind(settings.topology.heartbeats, "worker.heartbeat.#")
    await broker.publisher.publish_worker_event(beat)
    await broker.publisher.publish_worker_event(
        WorkerStarted(source="/workers/w1", subject=WORKER, data=LOAD)
    )
    (message,) = await backend.take(name, 1)
    (kept,) = await backend.take(settings.topology.events_unrouted, 1)

    assert message.routing_key == "worker.heartbeat.w1"
    assert message.delivery_mode == 1
    assert message.expiration == 15
    assert kept.routing_key == "worker.started.w1"
    assert kept.delivery_mode == 2


async def test_a_forwarded_command_keeps_its_id_and_sheds_the_brokers_headers(
    settings: BrokerSettings, backend: Backend
) -> None:
    """The next worker recognises it; a history of deaths would make the broker drop it."""
    async with Broker.open(settings, worker_id=OTHER):
        pass  # declares the queue

    async def forward(delivery: Delivery) -> None:
        await sender.publisher.pass_on(delivery, worker_id=OTHER, hop=1)
        await delivery.settle(Settlement.ACK)

    async with consuming(settings, Mill(forward), "s1") as (sender, _):
        headers = {"traceparent": TRACEPARENT, "x-first-death-queue": "q", "x-delivery-count": 3}
        await backend.send("s1 1", message_id="c1", type="wa.x.v1", headers=headers)
        (forwarded,) = await backend.take(settings.topology.worker_queue(OTHER), 1)

    assert (forwarded.message_id, forwarded.type) == ("c1", "wa.x.v1")
    assert forwarded.headers == {
        "traceparent": TRACEPARENT,
        "wa-from": WORKER,
        "wa-hops": 1,
        "wa-hop": 1,
        "wa-key": "s1",
    }


async def test_a_command_for_nobody_goes_to_the_sessions_without_an_owner(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """Without the broker's headers too."""
    await broker.publisher.publish_command(
        b"s1 2",
        routing_key="nobody",
        message_id="c2",
        headers={"traceparent": TRACEPARENT, "x-death": [], "x-delivery-count": 3},
    )
    (shared,) = await backend.take(settings.topology.unassigned, 1)

    assert shared.message_id == "c2"
    assert shared.headers == {"traceparent": TRACEPARENT}


async def test_headers_that_fill_a_frame_do_not_end_the_connection_when_a_command_is_sent_on(
    settings: BrokerSettings, backend: Backend
) -> None:
    """With what workers add they would have no room; everybody's publications would end, too."""
    headers = {"traceparent": "0" * 65_000, "tracestate": "x" * 65_980}
    async with Broker.open(settings, worker_id=OTHER):
        pass  # declares the queue

    async def forward(delivery: Delivery) -> None:
        await sender.publisher.pass_on(delivery, worker_id=OTHER, hop=1)
        await delivery.settle(Settlement.ACK)

    async with consuming(settings, Mill(forward), "s1") as (sender, _):
        await backend.send("s1 1", message_id="c1", headers=headers)
        (forwarded,) = await backend.take(settings.topology.worker_queue(OTHER), 1)

        assert sender.stats().reconnects == 0
    assert forwarded.headers.keys() == {"wa-from", "wa-hops", "wa-hop", "wa-key"}


async def test_a_channel_that_refuses_is_replaced(
    broker: Broker, backend: Backend, settings: BrokerSettings
) -> None:
    """A broker of several nodes may refuse for as long as one lives; nothing comes twice for it."""
    queue = await backend.collect_events()
    full = f"{settings.topology.prefix}.test.full"
    limits: FieldTable = {"x-max-length": 1, "x-overflow": "reject-publish"}
    await backend.channel.declare_queue(full, arguments=limits)
    await (await backend.channel.get_queue(full, ensure=False)).bind(settings.topology.events, "#")
    replaced = asyncio.Event()
    await broker.publisher.ready()
    broker.publisher.on_ready(replaced.set)
    published = 0
    while not replaced.is_set():
        events = [row(published + number) for number in range(20)]
        await asyncio.gather(
            *(broker.publisher.publish(event) for event in events), return_exceptions=True
        )
        published += len(events)
        await pace(0.05)
    await backend.channel.queue_delete(full)
    await publish_until_confirmed(broker, row(published))

    bodies = [m.body.decode() for m in await backend.take(queue, await backend.depth(queue))]
    assert len(bodies) == len(set(bodies))
    assert bodies[-1] == f"s1 {published}"
    assert broker.stats().refused > 0


async def test_a_lost_connection_puts_in_doubt_which_queue_refuses(
    broker: Broker, proxy: TcpProxy
) -> None:
    """The queues that the node of it has led are without a leader, and refuse, too."""
    doubts: list[bool] = []
    broker.publisher.on_doubt(lambda: doubts.append(broker._connections.publishing.is_up))
    await proxy.cut()
    await eventually(lambda: doubts[:2] == [False, True])
    assert broker.publisher._events._life_seconds == REPLACED_AFTER_SECONDS
