"""Publishes commands through a broker that comes and goes, as a careful backend does."""

import asyncio

import aiormq
from aiormq.exceptions import AMQPError

from gateway_contracts import CONTENT_TYPE, CommandEnvelope, Topology, encode
from tests.support.pacing import pace

PAUSE_SECONDS = 0.1
ATTEMPT_SECONDS = 5.0


class Publisher:
    """Repeats each command, on a connection of its own, until the broker has confirmed it."""

    def __init__(self, amqp_url: str, *, topology: Topology) -> None:
        self._amqp_url = amqp_url
        self._exchange = topology.commands

    async def publish(self, command: CommandEnvelope) -> None:
        """Publish; a command that was stored although nobody said so is published twice."""
        while True:
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await self._attempt(command)
            except (AMQPError, OSError, TimeoutError, asyncio.CancelledError):
                # The library cancels whoever waits when it loses a connection.
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise
                await pace(PAUSE_SECONDS)
            else:
                return

    async def _attempt(self, command: CommandEnvelope) -> None:
        connection = await aiormq.connect(self._amqp_url)
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            await channel.basic_publish(
                encode(command),
                exchange=self._exchange,
                routing_key=command.subject,
                properties=aiormq.spec.Basic.Properties(
                    message_id=command.id,
                    message_type=command.type,
                    content_type=CONTENT_TYPE,
                    delivery_mode=2,
                ),
                mandatory=True,
            )
        finally:
            await connection.close()
