"""The fixtures that every other integration test relies on."""

import aio_pika
import asyncpg
import pytest
import redis.asyncio

from gateway_worker.devkit.services import ObjectStore, Services
from gateway_worker.devkit.services.buckets import bucket_exists


async def test_each_process_has_a_virtual_host(amqp_url: str, topology_prefix: str) -> None:
    """A quorum queue can be declared, written and read with the URL that the fixture gives."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue(
            f"{topology_prefix}.q", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await channel.default_exchange.publish(aio_pika.Message(b"there"), routing_key=queue.name)
        message = await queue.get(timeout=30)
        await message.ack()
        await queue.delete(if_unused=False, if_empty=False)

    assert message.body == b"there"


async def test_each_test_has_a_database(blank_database_url: str, services: Services) -> None:
    """The database is empty and is not the one that the server was started with."""
    connection = await asyncpg.connect(blank_database_url)
    try:
        tables = await connection.fetchval(
            "select count(*) from pg_tables where schemaname = 'public'"
        )
    finally:
        await connection.close()

    assert tables == 0
    assert blank_database_url != services.database_url


async def test_redis_answers(redis_url: str, redis_prefix: str) -> None:
    """A key below the prefix can be written and read."""
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        await client.set(f"{redis_prefix}key", "value", ex=60)
        value = await client.get(f"{redis_prefix}key")

    assert value == b"value"


async def test_each_process_has_a_bucket(s3: ObjectStore, services: Services) -> None:
    """The bucket exists and is not the common one."""
    assert await bucket_exists(s3)
    assert s3.bucket != services.s3.bucket


@pytest.mark.parametrize("attempt", [1, 2])
async def test_names_differ(topology_prefix: str, s3_prefix: str, attempt: int) -> None:
    """No two fixtures share a random name."""
    assert topology_prefix != s3_prefix.rstrip("/")
