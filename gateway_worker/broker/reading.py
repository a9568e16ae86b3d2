"""Takes messages out of a queue one by one, and leaves those that are not acknowledged in order.

Through a consumer, not `basic.get`: each of those would be a consumer of its own to the broker,
which takes back what several had in hand in any order.
"""

import asyncio
from collections.abc import Awaitable

from aiormq import Channel
from aiormq.abc import DeliveredMessage

from gateway_worker.broker.failures import bounded
from gateway_worker.errors import DependencyError


class Reading:
    """One pass over a queue, on a channel of its own.

    Args:
        channel: Closing it returns what was not acknowledged.
        expected: How many messages were ready when the pass began.
        timeout_seconds: For one answer of the broker.
        silence_seconds: How long to wait for a message that should be there.
    """

    def __init__(
        self, *, channel: Channel, expected: int, timeout_seconds: float, silence_seconds: float
    ) -> None:
        self.expected = expected
        self.held: dict[int, DeliveredMessage] = {}
        self.acknowledged = 0
        self._channel = channel
        self._timeout_seconds = timeout_seconds
        self._silence_seconds = silence_seconds
        self._incoming: asyncio.Queue[DeliveredMessage] = asyncio.Queue()

    async def start(self, queue: str, *, prefetch: int) -> None:
        """Begin. Raises `DependencyError`."""
        await self._ask(self._channel.basic_qos(prefetch_count=prefetch), f"prefetch of {queue}")
        await self._ask(self._channel.basic_consume(queue, self._incoming.put), f"consume {queue}")

    async def next(self) -> DeliveredMessage | None:
        """Return the next message, or None if none comes. Raises `DependencyError`."""
        waiting = asyncio.create_task(self._incoming.get())
        try:
            await asyncio.wait(
                {waiting, self._channel.closing},
                timeout=self._silence_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if waiting.done():
                message = waiting.result()
                self.held[message.delivery_tag or 0] = message
                return message
        finally:
            waiting.cancel()
        if self._channel.is_closed:
            raise DependencyError("the connection was lost")
        return None

    async def acknowledge(self, message: DeliveredMessage) -> None:
        """Remove a message from the queue. Raises `DependencyError`."""
        tag = message.delivery_tag or 0
        await self._ask(self._channel.basic_ack(tag), "acknowledge")
        del self.held[tag]
        self.acknowledged += 1

    async def _ask(self, request: Awaitable[object], what: str) -> None:
        await bounded(request, seconds=self._timeout_seconds, what=what)
