"""Breaking a service on purpose, and getting it back with its address and its data."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import asyncpg
import psutil
import pytest
import redis.asyncio
from yarl import URL

from gateway_worker.devkit.services import RunningServices, ServiceControlError
from gateway_worker.devkit.services.buckets import bucket_exists
from gateway_worker.devkit.services.rabbitmq import NODE, LocalRabbitMq
from tests.support.eventually import eventually
from tests.support.services import random_name

SERVICES = ["rabbitmq", "postgres", "redis", "s3"]


async def ask(services: RunningServices, name: str) -> object:
    """Do one small piece of work with a service over a new connection."""
    match name:
        case "rabbitmq":
            async with aio_pika.Connection(URL(services.rabbitmq.url)) as broker:
                await broker.connect()
                return broker.is_closed
        case "postgres":
            connection = await asyncpg.connect(services.postgres.url)
            try:
                return await connection.fetchval("select 1")
            finally:
                await connection.close()
        case "redis":
            async with redis.asyncio.Redis.from_url(services.redis.url) as client:
                return await client.ping()
        case _:
            assert await bucket_exists(services.s3.settings)
            return None


async def assert_killed_and_back(services: RunningServices, name: str) -> None:
    """Kill a service with signal 9 and start it again: its URL is the same."""
    handle = next(handle for handle in services if handle.name == name)
    url = handle.url
    await handle.kill()
    with pytest.raises(
        (OSError, ConnectionError, redis.exceptions.ConnectionError, AssertionError)
    ):
        await ask(services, name)
    await handle.start()

    assert handle.url == url
    await ask(services, name)


@pytest.mark.parametrize("name", SERVICES[1:])
async def test_a_killed_service_comes_back_at_its_address(
    own_services: RunningServices, name: str
) -> None:
    """After signal 9 nothing answers; after a start the same URL works again."""
    await assert_killed_and_back(own_services, name)


@pytest.mark.parametrize("name", SERVICES)
async def test_a_paused_service_is_silent_until_resumed(
    own_services: RunningServices, name: str
) -> None:
    """A question asked during the pause is answered after it."""
    handle = next(handle for handle in own_services if handle.name == name)
    await handle.pause()
    question = asyncio.create_task(ask(own_services, name))
    done, _ = await asyncio.wait({question}, timeout=0.3)
    await handle.resume()

    assert done == set()
    await question


async def test_confirmed_messages_survive_a_killed_broker(own_services: RunningServices) -> None:
    """It comes back at its address, too, and a durable queue keeps what it has confirmed."""
    queue_name = random_name()
    async with await aio_pika.connect(own_services.rabbitmq.url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue(queue_name, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        names = registry_of_queues(own_services)
        before = names.stat().st_mtime_ns if names.exists() else 0
        await channel.declare_queue(queue_name, durable=True, arguments={"x-queue-type": "quorum"})
        # The broker writes down where a new quorum queue lives only seconds after it has confirmed
        # the declaration; killed before that it forgets the queue, confirmed messages and all
        await eventually(lambda: names.stat().st_mtime_ns > before)
        await channel.default_exchange.publish(message, routing_key=queue_name)
    await assert_killed_and_back(own_services, "rabbitmq")
    async with broker_queue(own_services, queue_name) as queue:
        received = await queue.get(timeout=30)

    assert received.body == b"kept"


def registry_of_queues(services: RunningServices) -> Path:
    """Return the file in which the broker notes its quorum queues."""
    broker = services.rabbitmq
    assert isinstance(broker, LocalRabbitMq)
    return broker.directory / "mnesia" / NODE / "quorum" / NODE / "names.dets"


@asynccontextmanager
async def broker_queue(
    services: RunningServices, name: str
) -> AsyncIterator[aio_pika.abc.AbstractQueue]:
    """Open an existing queue and delete it afterwards."""
    async with await aio_pika.connect(services.rabbitmq.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(name)
        yield queue
        await queue.delete(if_unused=False, if_empty=False)


async def test_a_service_that_does_not_run_cannot_be_paused(own_services: RunningServices) -> None:
    """The handle says so instead of pretending."""
    await own_services.redis.kill()
    with pytest.raises(ServiceControlError, match="redis: cannot pause, it does not run"):
        await own_services.redis.pause()


async def test_every_listening_socket_is_on_loopback(own_services: RunningServices) -> None:
    """Nothing that the launcher starts can be reached from another machine."""
    assert own_services is not None
    family = psutil.Process().children(recursive=True)
    listening = [
        connection.laddr
        for process in family
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert len(listening) >= len(SERVICES)
    assert {address.ip for address in listening} <= {"127.0.0.1", "::1"}


async def test_no_established_connection_leaves_the_machine(own_services: RunningServices) -> None:
    """No service calls home."""
    assert own_services is not None
    family = psutil.Process().children(recursive=True)
    peers = {
        getattr(connection.raddr, "ip", "127.0.0.1")  # a listener has none
        for process in family
        for connection in process.net_connections("inet")
    }

    assert peers <= {"127.0.0.1", "::1"}
