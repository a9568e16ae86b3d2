"""The broker itself dies, or runs short of memory. These tests have a broker of their own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from gateway_worker.broker import Broker, BrokerSettings
from gateway_worker.broker.topology import QueueState
from gateway_worker.broker.watch import MISSES_BEFORE_ACTION
from gateway_worker.devkit.services import RunningServices
from gateway_worker.devkit.services.rabbitmq import REGISTERED_SECONDS, LocalRabbitMq
from gateway_worker.errors import DependencyError
from tests.integration.broker.support import (
    WORKER,
    Backend,
    Mill,
    consuming,
    eventually_depth,
    row,
)
from tests.support.eventually import eventually
from tests.support.pacing import pace
from tests.support.services import random_name

RESTART_SECONDS = 45.0


@pytest.fixture
async def rabbitmq(own_services: RunningServices) -> LocalRabbitMq:
    """Return a broker that may be broken."""
    assert isinstance(own_services.rabbitmq, LocalRabbitMq)
    return own_services.rabbitmq


@pytest.fixture
def own_settings(rabbitmq: LocalRabbitMq) -> BrokerSettings:
    """Return settings for that broker."""
    return BrokerSettings.model_validate(
        {
            "url": rabbitmq.url,
            "prefix": random_name(),
            "reconnect_initial_seconds": 0.05,
            "reconnect_maximum_seconds": 0.5,
            "publish_timeout_seconds": 1.0,
            "watch_interval_seconds": 0.2,
        }
    )


@pytest.fixture
async def own_backend(
    rabbitmq: LocalRabbitMq, own_settings: BrokerSettings
) -> AsyncIterator[Backend]:
    """Return a backend of that broker."""
    async with Backend.connected(rabbitmq.url, topology=own_settings.topology) as backend:
        yield backend


async def test_a_broker_that_is_killed_loses_nothing_that_it_confirmed(
    rabbitmq: LocalRabbitMq, own_settings: BrokerSettings
) -> None:
    """After its restart events flow again, sessions are still bound, and commands come in."""
    mill = Mill()
    confirmed: list[int] = []
    async with consuming(own_settings, mill, "s1") as (broker, consumer):
        await eventually(lambda: consumer.is_consuming)
        stop = asyncio.Event()

        async def publish(start: int) -> None:
            number = start
            while not stop.is_set():
                try:
                    await broker.publisher.publish(row(number))
                except DependencyError:
                    await pace(0.05)
                else:
                    confirmed.append(number)
                    number += 16
                    await pace(0.01)

        async with asyncio.TaskGroup() as tasks:
            for start in range(16):
                tasks.create_task(publish(start))
            await eventually(lambda: len(confirmed) > 300)
            await pace(REGISTERED_SECONDS)
            await rabbitmq.kill()
            await eventually(lambda: not broker.stats().connected)
            assert len(broker.check().problems) == 3
            before = len(confirmed)
            await rabbitmq.start()
            await eventually(lambda: len(confirmed) > before + 300, timeout_seconds=RESTART_SECONDS)
            stop.set()
        topology = own_settings.topology
        async with Backend.connected(rabbitmq.url, topology=topology) as backend:
            await backend.send("s1 1")
            await eventually(lambda: mill.executed == ["s1 1"], timeout_seconds=RESTART_SECONDS)
            depth = await backend.depth(topology.events_unrouted)
            messages = await backend.take(topology.events_unrouted, depth)

    there = {int(message.body.decode().split()[1]) for message in messages}
    assert set(confirmed) - there == set()


async def test_a_broker_short_of_memory_blocks_publishing_and_nothing_else(
    rabbitmq: LocalRabbitMq, own_settings: BrokerSettings, own_backend: Backend
) -> None:
    """Commands go on being acknowledged; events wait, and are not piled up on the connection.

    A queue that does not answer the broker is said to have neither messages nor consumers: nobody
    takes its consumer for gone.
    """
    mill = Mill()
    async with consuming(own_settings, mill, "s1") as (broker, consumer):
        await own_backend.send("s1 1")
        await eventually(lambda: mill.executed == ["s1 1"])
        consumer.pause()
        await eventually(lambda: not consumer.is_consuming)
        await own_backend.send("s1 2")
        await rabbitmq._control("set_vm_memory_high_watermark", "0.0000001")
        try:
            with pytest.raises(DependencyError):
                await broker.publisher.publish(row(1))
            await eventually(lambda: broker.stats().blocked)
            for _ in range(3):
                with pytest.raises(DependencyError, match="alarm"):
                    await broker.publisher.publish(row(1))
            assert any("alarm" in problem for problem in broker.check().problems)
            consumer.resume()
            await eventually(lambda: mill.executed == ["s1 1", "s1 2"])
            await eventually(lambda: consumer.in_flight == 0)
        finally:
            await rabbitmq._control("set_vm_memory_high_watermark", "absolute", "768MB")
        await eventually(lambda: broker.check().ready)
        await broker.publisher.publish(row(1))

        depth = await broker.depth(own_settings.topology.events_unrouted)
        assert depth == 2  # the one that was cut off by the alarm, and its repetition

        queue = own_settings.topology.worker_queue(WORKER)
        assert await broker._declarer.inspect(queue) == QueueState(messages=0, consumers=1)
        await rabbitmq.evaluate(f"sys:suspend({_leader_of(rabbitmq, queue)}).")
        silent = QueueState(messages=0, consumers=0)
        for _ in range(3 * MISSES_BEFORE_ACTION):
            assert await broker._declarer.inspect(queue) == silent
            await pace(own_settings.watch_interval_seconds)
        await rabbitmq.evaluate(f"sys:resume({_leader_of(rabbitmq, queue)}).")
        await own_backend.send("s1 3")
        await eventually(lambda: mill.executed == ["s1 1", "s1 2", "s1 3"])
        assert broker.stats().resubscribed == 0
    await eventually_depth(own_backend, own_settings.topology.worker_queue(WORKER), 0)


async def test_closing_does_not_wait_for_a_frozen_broker(
    rabbitmq: LocalRabbitMq, own_settings: BrokerSettings
) -> None:
    """A worker that must stop does stop."""
    async with Broker.open(own_settings, worker_id=WORKER) as broker:
        consumer, stop = broker.consumer(Mill()), asyncio.Event()
        running = asyncio.create_task(consumer.run(stop))
        await eventually(lambda: consumer.is_consuming)
        await rabbitmq.pause()
        running.cancel()
        await asyncio.wait({running})
    await rabbitmq.resume()


def _leader_of(rabbitmq: LocalRabbitMq, queue: str) -> str:
    """Return an Erlang expression for the process that leads a quorum queue."""
    vhost = URL(rabbitmq.url).path.removeprefix("/") or "/"
    name = f'rabbit_misc:r(<<"{vhost}">>, queue, <<"{queue}">>)'
    return f"element(1, amqqueue:get_pid(element(2, rabbit_amqqueue:lookup({name}))))"
