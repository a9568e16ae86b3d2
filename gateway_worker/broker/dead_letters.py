"""Looks at the dead letters, replays them and throws them away, for whoever runs the gateway.

The broker counts each time it hands a letter out, and a queue without dead letters of its own drops
what is handed out too often. So as soon as a letter that is to stay has been handed out a few
times, the whole queue is renewed: each letter in turn is published as a copy behind the last and
the original acknowledged, which keeps their order and starts the count again.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import new_id
from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import bounded, is_missing
from gateway_worker.broker.headers import TENANT
from gateway_worker.broker.letters import (
    DeadLetterView,
    copied,
    deliveries,
    distrust,
    replayed,
    turn,
    view,
)
from gateway_worker.broker.queue_browser import QueueBrowser
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.underlay import Channel
from gateway_worker.errors import DependencyError

log = structlog.get_logger(__name__)

RENEW_AFTER_DELIVERIES = 8
"""Far below the queue's limit, so that crashes and colleagues in between cost nothing either."""
AT_ONCE = 256
RETURN_CHECK_SECONDS = 0.05
SILENCE_SECONDS = 3.0
"""After this the letters that should be there are taken to be in someone else's hands."""

Act = Callable[[AbstractIncomingMessage], Awaitable[None]]
Prepare = Callable[[DeadLetterView], Awaitable[None]]
"""Called with a letter right before it is replayed; if it raises, the letter stays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handled:
    """What came of a request.

    Attributes:
        done: How many letters are gone.
        missing: Which ids there were no letters of.
        kept: Letters that were named and stay all the same, by id, and why.
    """

    done: int
    missing: frozenset[str] = frozenset()
    kept: Mapping[str, str] = field(default_factory=dict, hash=False)


class _StaysError(Exception):
    """A letter is not to be replayed; says why."""


class DeadLetterOffice:
    """The queue of dead letters, with a connection of its own. Made by `open`.

    Letters that are not chosen stay in their order. Ids are those of `DeadLetterView`; one id may
    stand for several letters, and then means all of them. All methods raise `DependencyError` if
    the broker does not answer or there is no such queue, and what `prepare` raises; what was done
    by then is done.

    Args:
        settings: Where the broker is and how long to wait.
    """

    def __init__(self, *, settings: BrokerSettings) -> None:
        self._settings = settings
        self._topology = settings.topology
        self._queue = settings.topology.dead_commands
        self._connection = ReconnectingConnection(
            name="dead-letters", worker_id="ctl", settings=settings, counters=Counters()
        )
        self._publishing: Channel | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: BrokerSettings) -> AsyncIterator["DeadLetterOffice"]:
        """Connect; leaving disconnects.

        Raises:
            DependencyError: The broker cannot be reached within the time for the start.
            ConfigurationError: It refuses the login.
        """
        office = cls(settings=settings)
        try:
            await office._connection.open()
            yield office
        finally:
            await office._connection.close()

    async def count(self) -> int:
        """Return how many letters there are; those that somebody looks at now do not count."""
        channel = await self._connection.channel(confirms=False)
        try:
            return await self._ready(channel)
        finally:
            await close_channel(channel)

    async def peek(self, limit: int) -> list[DeadLetterView]:
        """Return the oldest letters, `limit` at most, and leave them there."""
        if limit < 1:
            return []
        async with self._browsing(min(limit, AT_ONCE)) as browser:
            letters = [view(message) for message in await browser.gather(limit)]
            await self._renew_if_worn(browser)
            return letters[:limit]

    async def replay(
        self,
        ids: Collection[str],
        *,
        prepare: Prepare | None = None,
        trusting: bool = False,
        needs_sender: bool = False,
    ) -> Handled:
        """Publish the letters with these ids as the commands they were, then remove them.

        Args:
            ids: Which.
            prepare: See `Prepare`.
            trusting: Replay also what says that it is a message among workers though the broker
                itself has moved it here, so that anybody may have sent it.
            needs_sender: Leave commands here of which no worker has verified who sent them: in a
                fleet with tenants each would be refused, and kept nowhere.
        """
        act = self._replaying(prepare, trusting=trusting, needs_sender=needs_sender)
        return await self._sweep(frozenset(ids), act)

    async def replay_all(
        self,
        *,
        prepare: Prepare | None = None,
        trusting: bool = False,
        needs_sender: bool = False,
    ) -> Handled:
        """Replay every letter that is there now; one that dies again is not replayed again."""
        act = self._replaying(prepare, trusting=trusting, needs_sender=needs_sender)
        return await self._sweep(None, act)

    async def drop(self, ids: Collection[str]) -> Handled:
        """Remove the letters with these ids for good."""
        return await self._sweep(frozenset(ids), _nothing)

    async def drop_all(self) -> Handled:
        """Remove every letter that is there now for good."""
        return await self._sweep(None, _nothing)

    async def _sweep(self, ids: frozenset[str] | None, act: Act) -> Handled:
        if ids is not None and not ids:
            return Handled(done=0)
        found: dict[str, int] = {}
        kept: dict[str, str] = {}
        async with self._browsing(AT_ONCE) as browser:
            # Before anything can fail: what goes back must go back in order.
            gathered = await browser.gather(browser.expected if ids is not None else 0)
            async for message in self._each(browser, gathered):
                letter_id = view(message).id
                if ids is None or letter_id in ids:
                    try:
                        await act(message)
                    except _StaysError as stays:
                        kept[letter_id] = str(stays)
                        continue
                    await browser.acknowledge(message)
                    found[letter_id] = found.get(letter_id, 0) + 1
            await self._renew_if_worn(browser)
        done = sum(found.values())
        log.info("dead_letters.swept", done=done)
        missing = (ids or frozenset()) - found.keys() - kept.keys()
        return Handled(done=done, missing=missing, kept=kept)

    @staticmethod
    async def _each(
        browser: QueueBrowser, gathered: Sequence[AbstractIncomingMessage]
    ) -> AsyncIterator[AbstractIncomingMessage]:
        """Yield what is unsettled, then the rest of what was there at the start."""
        for message in gathered:
            yield message
        for _ in range(browser.expected - len(gathered)):
            following = await browser.next()
            if following is None:
                return
            yield following

    def _replaying(self, prepare: Prepare | None, *, trusting: bool, needs_sender: bool) -> Act:
        async def replay(message: AbstractIncomingMessage) -> None:
            letter = view(message)
            if letter.lost_bytes is not None:
                raise _StaysError(f"its body of {letter.lost_bytes} bytes was too large to be kept")
            if letter.unverified_control is not None and not trusting:
                raise _StaysError("it says that it comes from a worker, which nobody vouches for")
            is_command = letter.control is None and letter.unverified_control is None
            if needs_sender and is_command and TENANT not in message.headers:
                raise _StaysError("no worker has verified who sent it: have it sent again")
            if prepare is not None:
                await prepare(letter)
            await self._publish(
                replayed(message, trusting=trusting),
                exchange=self._topology.internal,
                routing_key=letter.routing_key,
            )

        return replay

    async def _renew_if_worn(self, browser: QueueBrowser) -> None:
        if all(deliveries(held) < RENEW_AFTER_DELIVERIES for held in browser.held.values()):
            return
        turn_id, renewed = new_id(), 0
        for message in tuple(browser.held.values()):
            await self._renew_one(browser, message, turn_id)
            renewed += 1
        while (next_one := await browser.next()) is not None and turn(next_one) != turn_id:
            await self._renew_one(browser, next_one, turn_id)
            renewed += 1
        log.info("dead_letters.renewed", letters=renewed)

    async def _renew_one(
        self, browser: QueueBrowser, message: AbstractIncomingMessage, turn_id: str
    ) -> None:
        await self._publish(
            copied(message, turn_id=turn_id),
            exchange=self._topology.internal_dead,
            routing_key=message.routing_key or "",
        )
        await browser.acknowledge(message)

    async def _publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        if self._publishing is None or self._publishing.is_closed:
            self._publishing = await self._connection.channel(confirms=True)
        target = await self._publishing.get_exchange(exchange, ensure=False)
        await bounded(
            target.publish(message, routing_key),
            seconds=self._settings.publish_timeout_seconds,
            what=f"publish to {exchange}",
        )

    @asynccontextmanager
    async def _browsing(self, prefetch: int) -> AsyncIterator[QueueBrowser]:
        channel = await self._connection.channel(confirms=False)
        try:
            browser = QueueBrowser(
                channel=channel,
                expected=await self._ready(channel),
                timeout_seconds=self._settings.request_timeout_seconds,
                silence_seconds=SILENCE_SECONDS,
                examine=self._examine,
            )
            await browser.start(self._queue, prefetch=prefetch)
            yield browser
        finally:
            await close_channel(channel)
        await self._until_returned(browser.expected - browser.acknowledged)

    def _examine(self, message: AbstractIncomingMessage) -> None:
        if message.exchange != self._topology.internal_dead:
            distrust(message)

    async def _until_returned(self, count: int) -> None:
        """Wait a moment until the broker has what was not acknowledged; the next pass needs it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS):
                while await self.count() < count:  # noqa: ASYNC110 - only the broker knows
                    await asyncio.sleep(RETURN_CHECK_SECONDS)

    async def _ready(self, channel: Channel) -> int:
        try:
            queue = await bounded(
                channel.declare_queue(self._queue, passive=True),
                seconds=self._settings.request_timeout_seconds,
                what=f"inspect queue {self._queue}",
            )
        except DependencyError as error:
            if is_missing(error):
                raise DependencyError(
                    f"there is no queue {self._queue}: no worker has declared it here yet"
                ) from error
            raise
        return queue.declaration_result.message_count or 0


async def _nothing(_: AbstractIncomingMessage) -> None:
    """The letter is only removed."""
