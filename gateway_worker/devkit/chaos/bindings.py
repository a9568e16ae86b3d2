"""Bindings that an operator deletes by mistake, or an attacker makes on purpose."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import aio_pika
import aio_pika.abc
import aio_pika.exceptions

from gateway_contracts import BindingSpec, ExchangeBindingSpec, Topology
from gateway_contracts.amqp_urls import single_urls
from gateway_contracts.client.connection import until_done

_CONNECT_SECONDS: Final = 5.0


async def delete_binding(amqp_url: str, binding: BindingSpec | ExchangeBindingSpec) -> None:
    """Delete a binding; fine if there is none."""

    async def attempt() -> None:
        async with _channel(amqp_url) as channel:
            if isinstance(binding, BindingSpec):
                queue = await channel.get_queue(binding.queue, ensure=False)
                await queue.unbind(binding.exchange, binding.routing_key)
            else:
                destination = await channel.get_exchange(binding.destination, ensure=False)
                await destination.unbind(binding.source)

    await until_done(attempt)


@asynccontextmanager
async def events_joined_to_commands(amqp_url: str, topology: Topology) -> AsyncIterator[None]:
    """Have every event come in as a command."""

    async def join() -> None:
        async with _channel(amqp_url) as channel:
            commands = await channel.get_exchange(topology.commands, ensure=False)
            await commands.bind(topology.events, "#")

    async def part() -> None:
        async with _channel(amqp_url) as channel:
            commands = await channel.get_exchange(topology.commands, ensure=False)
            await commands.unbind(topology.events, "#")

    try:
        await until_done(join)
        yield
    finally:
        await until_done(part)


@asynccontextmanager
async def _channel(amqp_url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    async with await _connect(single_urls(amqp_url)) as connection:
        yield await connection.channel()


async def _connect(urls: Sequence[str]) -> aio_pika.abc.AbstractConnection:
    """Connect to the first host that takes us. Raises what the last one was refused with."""
    for url in urls[:-1]:
        with suppress(OSError, aio_pika.exceptions.AMQPError):
            return await aio_pika.connect(url, timeout=_CONNECT_SECONDS)
    return await aio_pika.connect(urls[-1], timeout=_CONNECT_SECONDS)
