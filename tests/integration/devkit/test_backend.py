"""The devkit's backend does what the contract asks of one: what it has published has got there."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sized
from contextlib import asynccontextmanager
from functools import partial

import aio_pika
import pytest
from yarl import URL

from gateway_contracts import (
    Event,
    SessionGetStatus,
    SessionState,
    SessionStatus,
    SessionStatusData,
    StatusReason,
    Topology,
    encode,
)
from gateway_contracts.client.connection import until_done
from gateway_worker.devkit.backend import Backend
from gateway_worker.devkit.services import RunningServices
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.proxy import TcpProxy

COMMANDS, PUBLISHERS = 200, 4


async def stored(amqp_url: str, topology: Topology) -> set[str]:
    """Return the ids of the commands that wait for a worker."""
    found = set()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(topology.unassigned)
        while (message := await queue.get(no_ack=True, fail=False)) is not None:
            found.add(str(message.message_id))
    return found


async def tell(amqp_url: str, topology: Topology, event: Event) -> None:
    """Publish an event as a worker does; fails if no queue is bound for it."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        exchange = await channel.get_exchange(topology.events)
        message = aio_pika.Message(encode(event), message_id=event.id)
        await exchange.publish(message, routing_key="session.status.s", mandatory=True)


def _has(collected: Sized, count: int) -> bool:
    return len(collected) >= count


@asynccontextmanager
async def publishing(backend: Backend) -> AsyncIterator[list[str]]:
    """Publish commands side by side; yields the ids of those that are confirmed so far."""
    published: list[str] = []

    async def publish() -> None:
        for _ in range(COMMANDS // PUBLISHERS):
            command = SessionGetStatus(source=backend.source, subject="s")
            await backend.publish(command)
            published.append(command.id)

    async with asyncio.TaskGroup() as group:
        for _ in range(PUBLISHERS):
            group.create_task(publish())
        yield published


async def test_cut_links_cost_no_command(amqp_url: str, topology_prefix: str) -> None:
    """What was not confirmed is published again under the same id."""
    topology = Topology(prefix=topology_prefix)
    async with (
        TcpProxy.to(amqp_url) as proxy,
        Backend.open(proxy.url(amqp_url), topology=topology) as backend,
        publishing(backend) as published,
    ):
        for count in (20, 60, 120):
            await eventually(partial(_has, published, count))
            await proxy.cut()

    assert len(published) == COMMANDS
    assert await stored(amqp_url, topology) == set(published)


async def test_attempts_that_fail_leave_no_connection_open(
    amqp_url: str, topology_prefix: str
) -> None:
    """One that is found when no loop runs could not be closed any more, and complains."""
    async with TcpProxy.to(amqp_url) as proxy:
        url = URL(proxy.url(amqp_url))
        async with Backend.open(str(url), topology=Topology(prefix=topology_prefix)):
            await proxy.refuse()
            await proxy.cut()
            await pace(1)
            await proxy.accept()

    # By type(): isinstance() would ask a weak proxy, which raises when what it stood for is gone
    connections = [one for one in gc.get_objects() if issubclass(type(one), aio_pika.Connection)]
    made = [one for one in connections if one.url == url]
    assert made
    assert [one for one in made if not one.is_closed] == []


@pytest.mark.timeout(120)
async def test_a_killed_broker_costs_neither_command_nor_event(
    own_services: RunningServices, topology_prefix: str
) -> None:
    """Again and again, and nobody connects by hand: the queue that went with it is there anew."""
    broker, topology = own_services.rabbitmq, Topology(prefix=topology_prefix)
    async with Backend.open(broker.url, topology=topology) as backend:
        for count in (1, 2, 3):
            if count > 1:
                async with publishing(backend) as published:
                    await eventually(partial(_has, published, 20))
                    await broker.kill()
                    await broker.start()
                assert len(published) == COMMANDS
                assert await stored(broker.url, topology) == set(published)
            event = SessionStatus(
                source="/workers/w",
                subject="s",
                sequence=format(count, "020"),
                data=SessionStatusData(
                    state=SessionState.CONNECTED,
                    reason=StatusReason.LOGIN_SUCCEEDED,
                    worker="w",
                ),
            )
            await until_done(partial(tell, broker.url, topology, event))
            await eventually(partial(_has, backend.arrivals, count))
        assert [event.sequence for event in backend.events_of("s")] == [
            format(count, "020") for count in (1, 2, 3)
        ]
