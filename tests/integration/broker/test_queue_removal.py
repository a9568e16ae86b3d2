"""The queue of a worker that does not come back is removed, and nothing that is in it is lost."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity

from gateway_worker.broker import Broker, BrokerSettings, queue_removal
from tests.integration.broker.support import (
    Backend,
    Mill,
    consuming,
    eventually_depth,
    hold,
    left,
)
from tests.support.eventually import eventually

GONE = "w0"


@pytest.fixture
async def queue(settings: BrokerSettings) -> str:
    """Return the queue of a worker that was there once, and had `s1`."""
    async with Broker.open(settings, worker_id=GONE) as broker:
        await broker.bindings.bind("s1")
    return settings.topology.worker_queue(GONE)


async def is_there(backend: Backend, queue: str) -> bool:
    """Ask whether there is such a queue."""
    try:
        await backend.depth(queue)
    except ChannelNotFoundEntity:
        return False
    return True


async def test_it_is_removed_once_and_its_name_can_be_used_again(
    settings: BrokerSettings, backend: Backend, queue: str
) -> None:
    """What is published to the worker after that goes to the sessions without an owner."""
    mill = Mill()
    async with consuming(settings, mill) as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        assert [await consumer.remove_queue(GONE) for _ in range(2)] == [True, True]
        assert not await is_there(backend, queue)
        await backend.send("s1 1", routing_key=settings.topology.worker_key(GONE))
        await eventually(lambda: mill.executed == ["s1 1"])
        assert mill.accepted[0].unassigned
        assert (broker.stats().resubscribed, consumer.attended) == (0, frozenset())
    async with Broker.open(settings, worker_id=GONE):
        assert await is_there(backend, queue)


async def test_what_is_in_it_is_dealt_with_first(
    settings: BrokerSettings, backend: Backend, queue: str
) -> None:
    """As what a dead worker has left: it says whose queue it was in."""
    await backend.send_all([f"s1 {number}" for number in range(200)])
    mill = Mill()
    async with consuming(settings, mill) as (_, consumer):
        await eventually(lambda: consumer.is_consuming)
        assert await consumer.remove_queue(GONE)

        assert mill.executed == [f"s1 {number}" for number in range(200)]
        assert {delivery.origin for delivery in mill.accepted} == {GONE}
    assert not await is_there(backend, queue)


async def test_it_stays_while_something_of_it_has_no_end(
    settings: BrokerSettings, backend: Backend, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the queue again then."""
    monkeypatch.setattr(queue_removal, "_SECONDS", 1.0)
    await backend.send("s1 1")
    mill = Mill(hold)
    async with consuming(settings, mill) as (_, consumer):
        await eventually(lambda: consumer.is_consuming)
        assert not await consumer.remove_queue(GONE)
        assert mill.executed == ["s1 1"]
        await eventually_depth(backend, queue, 1)
        assert await left(backend, queue, 1) == ["s1 1"]


async def test_it_stays_when_its_worker_is_back(
    settings: BrokerSettings, backend: Backend, queue: str
) -> None:
    """With its binding, and its consumer undisturbed."""
    back = Mill()
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(Broker.open(settings, worker_id=GONE))
        own = broker.consumer(back)
        running = asyncio.create_task(own.run(asyncio.Event()))
        stack.push_async_callback(asyncio.wait, {running})
        stack.callback(running.cancel)
        await eventually(lambda: own.is_consuming)
        _, consumer = await stack.enter_async_context(consuming(settings, Mill()))
        await eventually(lambda: consumer.is_consuming)

        assert not await consumer.remove_queue(GONE)
        await backend.send("s1 1", routing_key=settings.topology.worker_key(GONE))
        await eventually(lambda: back.executed == ["s1 1"])
        assert broker.stats().resubscribed == 0
    assert await is_there(backend, queue)


async def test_an_attended_queue_and_the_own_one_stay(
    settings: BrokerSettings, backend: Backend, queue: str
) -> None:
    """And any, while no commands are taken: what is in it could not be dealt with."""
    async with consuming(settings, Mill()) as (_, consumer):
        await eventually(lambda: consumer.is_consuming)
        consumer.attend(GONE)
        assert not await consumer.remove_queue(GONE)
        await consumer.dismiss(GONE)
        assert not await consumer.remove_queue("w1")
        consumer.pause()
        assert not await consumer.remove_queue(GONE)
    assert await is_there(backend, queue)
