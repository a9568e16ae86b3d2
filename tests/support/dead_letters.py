"""Reads the queue of dead commands, as an operator would."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
import aio_pika.abc

from gateway_contracts import Topology


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A dead command with the headers that say why."""

    body: bytes
    code: str
    reason: str
    attempts: int
    headers: Mapping[str, str]


class DeadLetters:
    """The dead letters, in order."""

    def __init__(self) -> None:
        self._letters: asyncio.Queue[DeadLetter] = asyncio.Queue()

    @classmethod
    @asynccontextmanager
    async def open(cls, amqp_url: str, topology: Topology) -> AsyncIterator["DeadLetters"]:
        """Consume the queue; it must have been declared."""
        letters = cls()
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=50)
            queue = await channel.get_queue(topology.dead_commands)
            await queue.consume(letters._take)
            yield letters

    async def next(self, part: bytes = b"", *, seconds: float = 20) -> DeadLetter:
        """Return the next dead letter that has this in its body."""
        async with asyncio.timeout(seconds):
            while True:
                letter = await self._letters.get()
                if part in letter.body:
                    return letter

    async def _take(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        headers = {name: str(value) for name, value in message.headers.items()}
        await self._letters.put(
            DeadLetter(
                body=message.body,
                code=headers.get("wa-dead-code", ""),
                reason=headers.get("wa-dead-reason", ""),
                attempts=int(headers.get("wa-dead-attempts", 0)),
                headers=headers,
            )
        )
        await message.ack()
