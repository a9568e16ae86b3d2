"""Notices that the broker has lost a consumer, or does not answer any more, and has it mended."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import is_missing
from gateway_worker.broker.subscription import Subscription
from gateway_worker.broker.topology import Declarer
from gateway_worker.errors import ConfigurationError, DependencyError

log = structlog.get_logger(__name__)

MISSES_BEFORE_ACTION = 2


class ConsumerWatch:
    """Asks the broker again and again; what it says is acted on if it says so twice.

    Args:
        consumed: Returns the subscription that is watched.
        connection: Where it is.
        declarer: Asks on another connection.
        interval_seconds: How often.
    """

    def __init__(
        self,
        *,
        consumed: Callable[[], Subscription],
        connection: ReconnectingConnection,
        declarer: Declarer,
        interval_seconds: float,
    ) -> None:
        self._consumed = consumed
        self._connection = connection
        self._declarer = declarer
        self._interval_seconds = interval_seconds
        self._unanswered, self._unasked, self._gone = _Misses(), _Misses(), _Misses()

    async def run(self) -> NoReturn:
        """Look until it is cancelled."""
        while True:
            await asyncio.sleep(self._interval_seconds)
            try:
                await self._look_at_connection()
                await self._look_at_queue()
            except Exception:  # the watch is for what goes wrong: it must not end of it
                log.exception("consumer.watch_failed")

    async def _look_at_connection(self) -> None:
        """Ask for something on the connection, and have another one made if there is no answer."""
        subscription = self._consumed()
        # While it is read slowly an answer comes after all that is to be read before.
        is_quick = not subscription.room.intake.is_slow
        if not (self._connection.is_up and subscription.is_active and is_quick):
            self._unanswered.reset()
            return
        try:
            await close_channel(await self._connection.channel(confirms=False))
        except DependencyError as error:
            log.warning("consumer.connection_silent", reason=error.detail)
            if self._unanswered.is_second():
                self._connection.suspect(f"no answer on it: {error.detail}")
            return
        self._unanswered.reset()

    async def _look_at_queue(self) -> None:
        """Ask whether the queue has our consumer, and consume it anew if it has not."""
        subscription = self._consumed()
        if not (self._declarer.is_ready and subscription.is_active):
            self._unasked.reset()
            self._gone.reset()
            return
        try:
            state = await self._declarer.inspect(subscription.queue)
        except (DependencyError, ConfigurationError) as error:
            log.warning("consumer.not_inspected", reason=error.detail)
            if self._unasked.is_second():
                if is_missing(error):
                    await subscription.renew("its queue is gone")
                else:
                    self._declarer.suspect(f"no answer on it: {error.detail}")
            return
        self._unasked.reset()
        # Nothing at all: what it says of a queue whose leader does not answer it, either.
        if state.consumers or not state.messages:
            self._gone.reset()
        elif self._gone.is_second():
            await subscription.renew("the broker knows of no consumer")


class _Misses:
    """Counts what may be chance once."""

    def __init__(self) -> None:
        self._misses = 0

    def reset(self) -> None:
        """Begin anew: it was as it should be."""
        self._misses = 0

    def is_second(self) -> bool:
        """Count one; tell whether it is one too many."""
        self._misses = (self._misses + 1) % MISSES_BEFORE_ACTION
        return self._misses == 0
