"""A channel that publishes with confirms, and knows what the broker has not confirmed yet."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from aiormq import Channel, spec
from aiormq.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError

from gateway_worker.broker.failures import (
    CALLER_ERRORS,
    RefusedError,
    ReturnedError,
    as_dependency_error,
    is_cancelled,
)
from gateway_worker.broker.keeper import ChannelKeeper
from gateway_worker.broker.link import Link
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer
from gateway_worker.errors import DependencyError, GatewayError

RETRY_AFTER_SECONDS = 0.5


class ConfirmingChannel:
    """Publishes on a channel of its own; messages reach the broker in the order of the calls.

    Args:
        name: For logs and errors.
        link: The publishing connection.
        declarer: Declares again what turned out to be missing.
        timeout_seconds: How long one message may wait for its confirm.
        counters: Where outcomes are counted.
    """

    def __init__(
        self,
        *,
        name: str,
        link: Link,
        declarer: Declarer,
        timeout_seconds: float,
        counters: Counters,
    ) -> None:
        self._name = name
        self._link = link
        self._declarer = declarer
        self._timeout_seconds = timeout_seconds
        self._counters = counters
        self._keeper = ChannelKeeper(link=link, name=name, serve=self._serve, confirms=True)
        self._channel: Channel | None = None
        self._open = asyncio.Event()
        self._on_open: list[Callable[[], None]] = []
        self._is_something_missing = False
        self._started: dict[str, float] = {}
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

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

    def start(self) -> None:
        """Begin to keep a channel open."""
        self._keeper.start()

    async def ready(self) -> None:
        """Return when there is a channel."""
        await self._open.wait()

    async def stop(self) -> None:
        """Close the channel."""
        await self._keeper.stop()

    async def publish(
        self,
        body: bytes,
        *,
        exchange: str,
        routing_key: str,
        properties: spec.Basic.Properties,
        mandatory: bool = True,
    ) -> None:
        """Publish and return once the broker has confirmed.

        A message whose id is in flight already waits for that one: the library tells a returned
        message by its id alone, and would report the wrong one of the two as lost.

        Raises:
            DependencyError: It is not known to be stored. It may be.
        """
        message_id = properties.message_id
        assert message_id
        if message_id in self._started:
            await self._until_free(message_id)
        channel = self._usable()
        self._started[message_id] = time.monotonic()
        try:
            await channel.basic_publish(
                body,
                exchange=exchange,
                routing_key=routing_key,
                properties=properties,
                mandatory=mandatory,
                timeout=self._timeout_seconds,
                wait=False,
            )
        except CALLER_ERRORS:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and is_cancelled():
                raise
            raise self._failure(error, f"publish to {exchange}") from error
        else:
            self._counters.published += 1
        finally:
            del self._started[message_id]
            for waiter in self._waiting.pop(message_id, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def _usable(self) -> Channel:
        if self._channel is None:
            raise DependencyError(
                f"not connected for publishing: {self._link.last_failure}",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        # What is sent now would be stored after the alarm, together with all its repetitions.
        if self._link.is_blocked():
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
        if isinstance(error, PublishError):
            counters.returned += 1
            return ReturnedError(f"{what}: no queue takes the message")
        if isinstance(error, DeliveryError):
            counters.refused += 1
            return RefusedError(f"{what}: the broker refused the message (a full queue)")
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
        self._channel = channel
        self._open.set()
        for callback in self._on_open:
            callback()
        try:
            await asyncio.Future()
        finally:
            self._channel = None
            self._open.clear()

    def _note_loss(self, channel: Channel, closing: "asyncio.Future[None]") -> None:
        if self._channel is channel:
            self._channel = None
            self._open.clear()
        if not closing.cancelled() and isinstance(closing.exception(), ChannelNotFoundEntity):
            self._is_something_missing = True
