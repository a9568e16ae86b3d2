"""Takes messages out of a queue one by one, and leaves those that are not acknowledged in order.

What a quorum queue gets back it keeps apart and hands out first, but what it gets back next goes
behind that. So whoever gives messages back must have taken all that were given back before, or they
change places: a pass takes until the first message that was never handed out.

It takes them through a consumer, not `basic.get`: each of those would be a consumer of its own, and
the broker takes back what several had unsettled in the order of the consumers' tags. Where there is
more than one, because the first had its hands full, their tags rise.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aio_pika.abc import AbstractIncomingMessage

from gateway_worker.broker.failures import bounded
from gateway_worker.broker.underlay import Channel
from gateway_worker.errors import DependencyError

WIDEST = 60_000
"""A consumer's prefetch is a 16-bit number."""


class QueueBrowser:
    """One pass over a queue, on a channel of its own.

    Args:
        channel: Closing it returns what was not acknowledged.
        expected: How many messages were ready when the pass began.
        timeout_seconds: For one answer of the broker.
        silence_seconds: How long to wait for a message that should be there.
        examine: Called with each message before anybody sees it.
    """

    def __init__(
        self,
        *,
        channel: Channel,
        expected: int,
        timeout_seconds: float,
        silence_seconds: float,
        examine: Callable[[AbstractIncomingMessage], None],
    ) -> None:
        self._examine = examine
        self.expected = expected
        self.held: dict[int, AbstractIncomingMessage] = {}
        self.acknowledged = 0
        self._channel = channel
        self._closing = channel.closing
        self._timeout_seconds = timeout_seconds
        self._silence_seconds = silence_seconds
        self._incoming: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._queue = ""
        self._prefetch = 0
        self._in_prefetch: set[int] = set()
        self._consumers = 0

    async def start(self, queue: str, *, prefetch: int) -> None:
        """Begin, with so many unsettled messages at first. Raises `DependencyError`."""
        self._queue = queue
        await self._consume(prefetch)

    async def gather(self, count: int) -> list[AbstractIncomingMessage]:
        """Take so many messages, or all there are, and all that were given back before.

        The result may be longer than asked for. Raises `DependencyError`.
        """
        taken: list[AbstractIncomingMessage] = []
        while len(taken) < self.expected and (
            len(taken) < count or not taken or taken[-1].redelivered
        ):
            message = await self.next()
            if message is None:
                break
            taken.append(message)
        return taken

    async def next(self) -> AbstractIncomingMessage | None:
        """Return the next message, or None if none comes. Raises `DependencyError`."""
        if self._incoming.empty() and len(self._in_prefetch) >= self._prefetch:
            queue = await self._channel.get_queue(self._queue, ensure=False)
            await self._ask(queue.cancel(self._tag), "widen the prefetch")
            await self._consume(min(self._prefetch * 2, WIDEST))
        waiting = asyncio.create_task(self._incoming.get())
        try:
            await asyncio.wait(
                {waiting, self._closing},
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

    async def acknowledge(self, message: AbstractIncomingMessage) -> None:
        """Remove a message from the queue. Raises `DependencyError`."""
        tag = message.delivery_tag or 0
        await self._ask(message.ack(), "acknowledge")
        del self.held[tag]
        self._in_prefetch.discard(tag)
        self.acknowledged += 1

    @property
    def _tag(self) -> str:
        return f"reading-{self._consumers:05}"

    async def _consume(self, prefetch: int) -> None:
        self._prefetch = prefetch
        self._consumers += 1
        self._in_prefetch = set()
        await self._ask(self._channel.set_qos(prefetch_count=prefetch), "set the prefetch")
        queue = await self._channel.get_queue(self._queue, ensure=False)
        await self._ask(
            queue.consume(self._on_message, consumer_tag=self._tag), f"consume {self._queue}"
        )

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._in_prefetch.add(message.delivery_tag or 0)
        self._examine(message)
        self._incoming.put_nowait(message)

    async def _ask(self, request: Awaitable[object], what: str) -> None:
        await bounded(request, seconds=self._timeout_seconds, what=what)
