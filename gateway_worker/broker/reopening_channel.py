"""One channel that is opened again whenever it, or its connection, is lost."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import is_cancelled
from gateway_worker.broker.underlay import Channel
from gateway_worker.runtime.retry import Backoff

log = structlog.get_logger(__name__)

CLOSE_TIMEOUT_SECONDS = 30.0
"""Long, because the connection is given up for it; heartbeats tell of one that is dead sooner."""

STOP_TIMEOUT_SECONDS = 5.0
"""The same for a channel that is closed for good."""

Serve = Callable[[Channel], Awaitable[None]]


class ReopeningChannel:
    """Opens a channel and serves it for as long as it lives, again and again.

    Args:
        connection: The connection to open it on.
        name: For logs.
        serve: Uses the channel; cancelled when the channel is gone. What it raises is logged, the
            channel is closed and another one opened after a growing wait; at once if it returns.
        confirms: Whether the broker confirms what is published on the channel.
    """

    def __init__(
        self, *, connection: ReconnectingConnection, name: str, serve: Serve, confirms: bool
    ) -> None:
        self._connection = connection
        self._name = name
        self._serve = serve
        self._confirms = confirms
        self._backoff = Backoff(initial_seconds=0.05, maximum_seconds=5.0)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin. Calls after the first change nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"broker:channel:{self._name}")

    async def stop(self) -> None:
        """Close the channel for good."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._connection.ready()
            opened = loop.time()
            try:
                await self._serve_one()
                self._backoff.reset()
            except (Exception, asyncio.CancelledError) as error:
                if is_cancelled():
                    raise
                if not self._connection.is_dead:
                    log.warning("broker.channel_lost", role=self._name, reason=str(error))
            if self._connection.is_dead:
                # The connection does the waiting, and the logging.
                self._backoff.reset()
                await self._connection.lost()
                continue
            if loop.time() - opened > self._backoff.maximum_seconds:
                self._backoff.reset()
            await asyncio.sleep(self._backoff.next_seconds())

    async def _serve_one(self) -> None:
        channel = await self._connection.channel(confirms=self._confirms)
        closing = channel.closing
        serving = asyncio.ensure_future(self._serve(channel))
        try:
            await asyncio.wait({closing, serving}, return_when=asyncio.FIRST_COMPLETED)
            if closing.done() and not closing.cancelled() and (error := closing.exception()):
                raise error
            if serving.done():
                serving.result()
        finally:
            serving.cancel()
            await asyncio.wait({serving})
            if not serving.cancelled():
                serving.exception()
            seconds = STOP_TIMEOUT_SECONDS if is_cancelled() else CLOSE_TIMEOUT_SECONDS
            is_closed = await close_channel(channel, timeout_seconds=seconds)
            if not is_closed and not self._connection.is_dead:
                # What it has unsettled would never come to anybody again.
                self._connection.suspect(f"channel {self._name} does not close")
