"""Acknowledgements on their way to the broker, written by one task per channel.

When a connection dies while its queue of outgoing frames is full, the library lets whoever wants
to acknowledge wait for ever. So nobody does: settling only notes what is to be sent, and the
channel's own writer, which ends with the channel, sends what has gathered in one go. What it did
not get out is delivered again and recognised then.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pamqp.base import Frame
from pamqp.commands import Basic

from gateway_worker.broker.underlay import Channel


class AckWriter:
    """Acknowledges the messages that one channel has delivered, or gives them back.

    Args:
        channel: Where it is to be said. Tags are valid there and nowhere else.
        on_settled: Told the tag of each message that is done with.
        linger_seconds: For how long what is to be said may gather.
    """

    def __init__(
        self,
        *,
        channel: Channel,
        on_settled: Callable[[int], None] | None = None,
        linger_seconds: float = 0.0,
    ) -> None:
        self._channel = channel
        self._on_settled = on_settled
        self._linger_seconds = linger_seconds
        self._pending: list[Frame] = []
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be said any more."""
        return self._channel.is_closed

    @property
    def pending(self) -> int:
        """How much has not been sent."""
        return len(self._pending)

    def acknowledge(self, tag: int) -> None:
        """Say that a message is done with."""
        self._note(tag, Basic.Ack(delivery_tag=tag))

    def give_back(self, tag: int) -> None:
        """Say that a message goes back to its queue."""
        self._note(tag, Basic.Nack(delivery_tag=tag, requeue=True))

    def reject(self, tag: int) -> None:
        """Say that a message goes to the queue's dead letters."""
        self._note(tag, Basic.Reject(delivery_tag=tag, requeue=False))

    async def write(self) -> None:
        """Send what gathers, for as long as the channel lives."""
        while True:
            await self._wake.wait()
            if self._linger_seconds:
                await asyncio.sleep(self._linger_seconds)
            await self.flush()

    async def flush(self) -> None:
        """Hand everything so far to the connection. Waits for ever if that has just died."""
        self._wake.clear()
        async with self._lock:
            frames = tuple(self._pending)
            if frames:
                await self._channel.send(frames)
                del self._pending[: len(frames)]

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Send nothing meanwhile; what gathers goes out afterwards."""
        async with self._lock:
            yield

    def _note(self, tag: int, frame: Frame) -> None:
        self._pending.append(frame)
        self._wake.set()
        if self._on_settled is not None:
            self._on_settled(tag)
