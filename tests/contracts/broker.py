"""What tests on a real broker share: a channel, declaring a topology, publishing and reading."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from gateway_contracts import BindingSpec, ExchangeBindingSpec, ExchangeSpec, QueueSpec, new_id

Inbox = asyncio.Queue[AbstractIncomingMessage]
PASSWORD = "only-in-this-test"
"""Of all users that tests give one."""


def password_hash() -> str:
    """Return what RabbitMQ stores of the password."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + PASSWORD.encode()).digest()).decode()


@asynccontextmanager
async def channel(url: str) -> AsyncIterator[AbstractChannel]:
    connection = await aio_pika.connect(url)
    async with connection:
        opened = await connection.channel(publisher_confirms=True, on_return_raises=True)
        await opened.set_qos(prefetch_count=10)
        yield opened


async def declare(
    opened: AbstractChannel,
    exchanges: tuple[ExchangeSpec, ...],
    queues: tuple[QueueSpec, ...],
    bindings: tuple[BindingSpec, ...],
    joined: tuple[ExchangeBindingSpec, ...] = (),
) -> dict[str, AbstractQueue]:
    for exchange in exchanges:
        await opened.declare_exchange(
            exchange.name, exchange.kind, durable=True, arguments=exchange.arguments
        )
    for pair in joined:
        destination = await opened.get_exchange(pair.destination, ensure=False)
        await destination.bind(pair.source)
    declared = {
        queue.name: await opened.declare_queue(queue.name, durable=True, arguments=queue.arguments)
        for queue in queues
    }
    for binding in bindings:
        queue = declared.get(binding.queue) or await opened.get_queue(binding.queue, ensure=False)
        await queue.bind(binding.exchange, binding.routing_key)
    return declared


async def publish(opened: AbstractChannel, exchange: str, key: str, text: bytes = b"{}") -> None:
    target = await opened.get_exchange(exchange, ensure=False)
    message = aio_pika.Message(text, message_id=new_id(), delivery_mode=2)
    await target.publish(message, key, mandatory=True, timeout=30)


async def read(queue: AbstractQueue) -> Inbox:
    inbox: Inbox = asyncio.Queue()
    await queue.consume(inbox.put)
    return inbox
