"""A channel that publishes with confirms, and knows what the broker has not confirmed yet.

A message that the broker does not want at all (too large, not allowed) closes its channel, and ends
the publications of others with it. None of them knows which one it was. So each that was on the
channel goes alone the next time, on a channel of its own, and only the one that closes that is at
fault.

A broker of several nodes refuses as a full queue does when the node that led a quorum queue is
lost: RabbitMQ 3.10 asks the node that led when a channel first published there, and goes on asking
it, whoever leads by now. A new channel asks who leads. So one that refuses is replaced.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import structlog
from aio_pika.exceptions import (
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    DeliveryError,
    PublishError,
)

from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import (
    RefusedError,
    ReturnedError,
    as_dependency_error,
    is_cancelled,
    is_of_caller,
    size_limit,
)
from gateway_worker.broker.publish_frames import Publication
from gateway_worker.broker.reopening_channel import ReopeningChannel
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer
from gateway_worker.broker.underlay import Channel
from gateway_worker.errors import DependencyError, GatewayError
from gateway_worker.outbox.ports import UnpublishableError

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = 0.5
REPLACED_AFTER_SECONDS = 2.0
"""A channel as old as that is replaced when it refuses a message, which costs a moment without one;
where refusals go on, as those of a queue that is really full, each one lives twice as long."""
LONGEST_LIFE_SECONDS = 60.0
SUSPECTS = 10_000
"""How many messages are remembered that were on a channel which one of them has closed."""


class ConfirmingChannel:
    """Publishes on a channel of its own; messages reach the broker in the order of the calls.

    Args:
        name: For logs and errors.
        connection: The publishing connection.
        declarer: Declares again what turned out to be missing.
        timeout_seconds: How long one message may wait for its confirm.
        counters: Where outcomes are counted.
    """

    def __init__(
        self,
        *,
        name: str,
        connection: ReconnectingConnection,
        declarer: Declarer,
        timeout_seconds: float,
        counters: Counters,
    ) -> None:
        self._name = name
        self._connection = connection
        self._declarer = declarer
        self._timeout_seconds = timeout_seconds
        self._counters = counters
        self._reopening = ReopeningChannel(
            connection=connection, name=name, serve=self._serve, confirms=True
        )
        self._channel: Channel | None = None
        self._open = asyncio.Event()
        self._opened_at = 0.0
        self._refused_at = 0.0
        self._life_seconds = REPLACED_AFTER_SECONDS
        self._replace = asyncio.Event()
        self._nothing_under_way = asyncio.Event()
        self._on_open: list[Callable[[], None]] = []
        self._is_something_missing = False
        self._started: dict[str, float] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._suspects: OrderedDict[str, None] = OrderedDict()
        self._alone = asyncio.Lock()
        self._largest_bytes: int | None = None
        self._on_returned: list[Callable[[], None]] = []
        self._on_refused: list[Callable[[], None]] = []

    @property
    def unconfirmed(self) -> int:
        """Messages without a confirm so far."""
        return len(self._started)

    @property
    def oldest_unconfirmed_seconds(self) -> float:
        """Age of the oldest of them, 0 if there is none."""
        oldest = next(iter(self._started.values()), None)
        return 0.0 if oldest is None else time.monotonic() - oldest

    def on_open(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever there is a channel again."""
        self._on_open.append(callback)

    def on_returned(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever no queue wanted a message."""
        self._on_returned.append(callback)

    def on_refused(self, callback: Callable[[], None]) -> None:
        """Have `callback` called, without delay, whenever a full queue refuses a message."""
        self._on_refused.append(callback)

    def suspect(self) -> None:
        """Replace channels that refuse as soon as the first, from now on: a queue is in doubt."""
        self._life_seconds = REPLACED_AFTER_SECONDS

    def start(self) -> None:
        """Begin to keep a channel open."""
        self._reopening.start()

    async def ready(self) -> None:
        """Return when there is a channel."""
        await self._open.wait()

    async def stop(self) -> None:
        """Close the channel."""
        await self._reopening.stop()

    async def publish(
        self, message: Publication, *, exchange: str, routing_key: str, mandatory: bool = True
    ) -> None:
        """Publish and return once the broker has confirmed.

        A message whose id is in flight already waits for that one: the library tells a returned
        message by its id alone, and would report the wrong one of the two as lost.

        Raises:
            DependencyError: It is not known to be stored. It may be.
            UnpublishableError: It never will be.
        """
        if self._largest_bytes is not None and message.body_size > self._largest_bytes:
            raise UnpublishableError(_too_large(message.body_size, self._largest_bytes))
        message_id = message.message_id
        assert message_id
        if message_id in self._started:
            await self._until_free(message_id)
        channel = self._usable()

        async def send(channel: Channel) -> None:
            await self._confirmed(
                channel.publish(
                    message, exchange=exchange, routing_key=routing_key, mandatory=mandatory
                )
            )

        self._started[message_id] = time.monotonic()
        try:
            if message_id in self._suspects:
                await self._send_alone(send, message_id, message.body_size)
            else:
                await send(channel)
            self._counters.published += 1
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            self._suspect_if_closed(channel, message_id)
            raise self._failure(error, f"publish to {exchange}") from error
        finally:
            del self._started[message_id]
            if not self._started and self._replace.is_set():
                self._nothing_under_way.set()
            for waiter in self._waiting.pop(message_id, ()):
                if not waiter.done():
                    waiter.set_result(None)

    async def _confirmed(self, confirmation: "asyncio.Future[Any]") -> None:
        """Wait for a confirm; raises `TimeoutError` if it does not come in time."""
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(self._timeout_seconds, confirmation.cancel)
        try:
            await confirmation
        except asyncio.CancelledError:
            if is_cancelled() or loop.time() < expiry.when():
                raise
            raise TimeoutError from None
        finally:
            expiry.cancel()

    async def _send_alone(
        self, send: Callable[[Channel], Awaitable[None]], message_id: str, size_bytes: int
    ) -> None:
        """Publish what may have closed its channel where it can do no harm to others.

        Raises `UnpublishableError` if it closes this one too, and what the library raises.
        """
        async with self._alone:
            channel = await self._connection.channel(confirms=True)
            try:
                await send(channel)
            except (Exception, asyncio.CancelledError) as error:
                closing = channel.closing
                why = closing.exception() if closing.done() and not closing.cancelled() else None
                if isinstance(why or error, ChannelPreconditionFailed):
                    self._suspects.pop(message_id, None)
                    self._counters.unpublishable += 1
                    if (limit := size_limit(why or error)) is not None:
                        self._largest_bytes = limit
                        raise UnpublishableError(_too_large(size_bytes, limit)) from error
                    raise UnpublishableError(f"the broker refuses it for good: {why}") from error
                raise
            else:
                self._suspects.pop(message_id, None)
            finally:
                await close_channel(channel)

    def _suspect_if_closed(self, channel: Channel, message_id: str) -> None:
        if channel.is_closed and not self._connection.is_dead:
            self._suspects[message_id] = None
            if len(self._suspects) > SUSPECTS:
                self._suspects.popitem(last=False)

    def _usable(self) -> Channel:
        if self._channel is None:
            raise DependencyError(
                f"not connected for publishing: {self._connection.last_failure}",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        # What is sent now would be stored after the alarm, together with all its repetitions.
        if self._connection.is_blocked():
            raise DependencyError(
                "the broker takes no messages now (memory or disk alarm)",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        return self._channel

    async def _until_free(self, message_id: str) -> None:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                while message_id in self._started:
                    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                    self._waiting.setdefault(message_id, []).append(waiter)
                    await waiter
        except TimeoutError:
            raise DependencyError("the same message is being published already") from None

    def _failure(self, error: BaseException, what: str) -> GatewayError:
        counters = self._counters
        if isinstance(error, GatewayError):
            return error
        if is_of_caller(error) and not isinstance(error, TimeoutError):
            counters.unpublishable += 1
            return UnpublishableError(f"{what}: {error}")
        if isinstance(error, PublishError):
            counters.returned += 1
            self._declarer.invalidate()
            for callback in self._on_returned:
                callback()
            return ReturnedError(f"{what}: no queue takes the message")
        if isinstance(error, DeliveryError):
            counters.refused += 1
            self._note_refusal()
            for callback in self._on_refused:
                callback()
            return RefusedError(
                f"{what}: the broker refused the message (a queue is full, or without a leader)"
            )
        if isinstance(error, TimeoutError):
            counters.publish_timeouts += 1
        else:
            counters.publish_failures += 1
        return as_dependency_error(error, what)

    async def _serve(self, channel: Channel) -> None:
        if self._is_something_missing:
            self._declarer.invalidate()
            await self._declarer.ensure()
            self._is_something_missing = False
        channel.closing.add_done_callback(partial(self._note_loss, channel))
        self._channel, self._opened_at = channel, time.monotonic()
        self._replace.clear()
        self._open.set()
        for callback in self._on_open:
            callback()
        try:
            await self._replace.wait()
        finally:
            self._channel = None
            self._open.clear()
        if self._started:  # to be confirmed first, so that nothing is published twice for it
            self._nothing_under_way.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_seconds):
                    await self._nothing_under_way.wait()

    def _note_refusal(self) -> None:
        """Have the channel replaced, unless it has just been."""
        now = time.monotonic()
        if now - self._refused_at > LONGEST_LIFE_SECONDS:
            self._life_seconds = REPLACED_AFTER_SECONDS
        self._refused_at = now
        if now - self._opened_at >= self._life_seconds and not self._replace.is_set():
            self._life_seconds = min(2 * self._life_seconds, LONGEST_LIFE_SECONDS)
            log.info("broker.channel_replaced", role=self._name, reason="it refuses messages")
            self._replace.set()

    def _note_loss(self, channel: Channel, closing: "asyncio.Future[None]") -> None:
        if self._channel is channel:
            self._channel = None
            self._open.clear()
        if not closing.cancelled() and isinstance(closing.exception(), ChannelNotFoundEntity):
            self._is_something_missing = True


def _too_large(size_bytes: int, limit: int) -> str:
    return f"it has {size_bytes} bytes, and the broker takes {limit} at most (max_message_size)"
