"""One queue that is being consumed, or deliberately not, whatever is lost on the way."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from gateway_contracts import new_id
from gateway_worker.broker.ack_writer import AckWriter
from gateway_worker.broker.connection import ReconnectingConnection, close_channel
from gateway_worker.broker.failures import UnansweredError, bounded
from gateway_worker.broker.prefetch import Prefetch
from gateway_worker.broker.redelivery_buffer import RedeliveryBuffer, holds_nothing, returns_of
from gateway_worker.broker.reopening_channel import ReopeningChannel
from gateway_worker.broker.room import Room
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer
from gateway_worker.broker.underlay import Channel
from gateway_worker.errors import DependencyError, GatewayError

log = structlog.get_logger(__name__)

Route = Callable[["Subscription", AckWriter, AbstractIncomingMessage], None]

_GATHERING_PAUSE_SECONDS = 0.05
"""Between two looks at whether all that a queue has got back has come."""
_EMPTY_LOOKS = 2
"""So many in a row have to find nothing more: the member of a quorum queue that is on the node of
our connection sends the messages, and may be later than the one that leads and counts them."""
_GATHERING_SECONDS = 30.0
"""How long that is waited for while nothing comes: somebody else may have taken the rest."""
_ANSWERS_LATER = 6
"""By how much an answer may be late on a channel with a consumer: it comes after the messages that
the broker has sent already. To give it up means to get all of them again."""
_FIRST_ANSWER_LATER = 3
"""The same on a channel that has no consumer yet. A quorum queue without a leader answers nothing,
and one (RabbitMQ 3.10, killed with signal 9) went on so for minutes after it had one again."""
_MOST_DOUBLINGS = 3
"""Each subscription in a row that is not answered is waited for twice as long. Its channel does not
answer either, so the connection is lost with it: another delivery for all that is unsettled."""
_TURNS_OF_A_CALLBACK = 10
"""More turns of the event loop than the library takes from a frame to our callback."""

MISSING_PAUSE_SECONDS = 5.0
"""How often a queue is looked for that its owner has not declared."""

_ACK_SECONDS = 0.02
"""Acknowledgements gather for so long, for nobody waits for one: each is work for worker and broker
alike, and for a quorum queue a write to the disk. They take no room in a prefetch of that many."""
_WIDE = 64
_NOT_ALONE_PAUSE_SECONDS = 0.2
"""Between two looks at whether a consumer may be replaced by now."""


class Subscription:
    """Keeps a consumer on one queue while it is wanted.

    Args:
        queue: What to consume.
        origin: Whose queue it is; None for the shared queue of sessions without an owner. Only
            there order does not matter: elsewhere a consumer stays for as long as its channel does,
            for what was on its way to one that is cancelled would come late.
        prefetch: How many messages may be handed out and not settled.
        connection: Where; it is opened if it is not yet.
        room: Counts what has come from it and is in memory.
        declarer: Makes sure that the queue is there before it is consumed; another worker's is
            waited for.
        route: Takes each message, and what settles it; must not block.
        settings: Timeouts.
        counters: Where subscriptions that had to be renewed are counted.
        is_alone: Whether nobody else can be waiting for a turn at the queue; see `_resize`.
    """

    def __init__(  # noqa: PLR0913 - all that one queue's consumer depends on
        self,
        *,
        queue: str,
        origin: str | None,
        prefetch: Prefetch,
        connection: ReconnectingConnection,
        room: Room,
        declarer: Declarer,
        route: Route,
        settings: BrokerSettings,
        counters: Counters,
        is_alone: Callable[[], bool] = lambda: True,
    ) -> None:
        self.queue = queue
        self.origin = origin
        self._keeps_order = origin is not None
        self._prefetch = prefetch
        self.room = room
        self._intake = room.intake
        self._connection = connection
        self._declarer = declarer
        self._route = route
        self._request_seconds = settings.request_timeout_seconds
        self._flush_timeout_seconds = settings.settle_timeout_seconds
        self._counters = counters
        self._is_alone = is_alone
        self._reopening = ReopeningChannel(
            connection=connection, name=queue, serve=self._serve, confirms=False
        )
        self._channel: Channel | None = None
        self._broker_version: tuple[int, ...] = ()
        self._acks: AckWriter | None = None
        self._tag: str | None = None
        self._has_consumer = False
        self._is_subscribed_here = False
        self._consumers = 0
        self._asked_at: float | None = None
        self._unanswered = 0
        self._is_wanted = True
        self._keeps_all = False
        self._kept: list[tuple[AckWriter, AbstractIncomingMessage]] = []
        self._redelivered: RedeliveryBuffer[AbstractIncomingMessage] = RedeliveryBuffer()
        self._has_redelivered = asyncio.Event()
        self._is_deaf = False
        self._is_known_missing = False
        self._changed = asyncio.Event()
        self._reconciled = asyncio.Event()
        self._is_cancelled = False

    @property
    def is_wanted(self) -> bool:
        """Whether messages are asked for."""
        return self._is_wanted

    @property
    def is_active(self) -> bool:
        """Whether messages come, as far as we know."""
        is_open = self._channel is not None and not self._channel.is_closed
        return self._is_wanted and self._has_consumer and is_open

    @property
    def problem(self) -> str | None:
        """That the broker has not answered a subscription for long; None if that is not so."""
        if self._asked_at is None or not self._is_wanted:
            return None
        seconds = time.monotonic() - self._asked_at
        if seconds < self._request_seconds:
            return None
        return f"consume: no answer to the subscription to {self.queue} for {seconds:.0f} s"

    def start(self) -> None:
        """Begin to consume, or to be ready to. Idempotent."""
        self._connection.begin()
        self._reopening.start()

    async def stop(self) -> None:
        """Close the channel; the broker returns what is not settled to the queue, in its order.

        A negative acknowledgement of all at once would not do: a quorum queue (RabbitMQ 3.10)
        shuffles what it gets back that way, as soon as it is more than 32 messages.
        """
        acks = self._acks
        if acks is not None and not acks.is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._flush_timeout_seconds):
                    await acks.flush()
        await self._reopening.stop()

    def want(self) -> None:
        """Hand messages on."""
        self._set_wanted(wanted=True)
        kept, self._kept = self._kept, []
        for acks, message in kept:
            self._intake.release(len(message.body))
            self._route(self, acks, message)

    def refuse(self, *, keeps_all: bool = False) -> None:
        """Hand on no more messages; unsettled ones can still be settled.

        Where the order matters, a prefetch of them is kept here meanwhile.

        Args:
            keeps_all: Whether what is on its way is kept here, too, where the order does not.
        """
        self._keeps_all = keeps_all
        self._set_wanted(wanted=False)

    def resize(self, size: int) -> None:
        """Let so many messages be unsettled from now on."""
        self._prefetch.resize(size)
        self._note_outdated()

    def ignore(self) -> None:
        """Hand on nothing more: the channel is about to close, and all that comes goes back."""
        self._is_deaf = True

    async def applied(self, *, timeout_seconds: float) -> None:
        """Return when the broker knows what is wanted, or after the timeout."""
        if self._channel is None:
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._reconciled.wait()
        except TimeoutError:
            log.warning("consumer.change_not_confirmed", queue=self.queue)

    async def renew(self, reason: str) -> None:
        """Close the channel and consume on another: the consumer is gone without a word."""
        log.warning("consumer.gone", queue=self.queue, reason=reason)
        self._counters.resubscribed += 1
        self._declarer.invalidate()
        if self._channel is not None:
            await close_channel(self._channel)

    async def is_emptied(self) -> bool:
        """Ask whether nothing is in the queue any more, nor under way, nor unsettled here.

        Raises `DependencyError`; takes as long as the broker does.
        """
        channel = self._channel
        if channel is None or not self.is_active:
            return False
        has_all_come = await self._has_all_come(channel)
        return has_all_come and not self._prefetch.unsettled and self.is_active

    def _set_wanted(self, *, wanted: bool) -> None:
        if self._is_wanted != wanted:
            self._is_wanted = wanted
            self._asked_at = None
            self._reconciled.clear()
            self._changed.set()

    async def _serve(self, channel: Channel) -> None:
        channel.on_consumer_cancelled(self._on_cancelled)
        acks = AckWriter(
            channel=channel,
            on_settled=partial(self._on_settled, channel),
            linger_seconds=_ACK_SECONDS if self._prefetch.size >= _WIDE else 0.0,
        )
        self._tag, self._channel, self._acks = None, channel, acks
        self._broker_version = channel.broker_version
        self._redelivered = RedeliveryBuffer()
        self._redelivered.is_done = not self._keeps_order
        self._has_redelivered.clear()
        tasks = (
            asyncio.create_task(acks.write(), name=f"broker:acks:{self.queue}"),
            asyncio.create_task(self._gather(channel, acks), name=f"broker:gather:{self.queue}"),
        )
        try:
            self._prefetch.reset()
            self._is_cancelled = False
            while not self._is_cancelled:
                self._changed.clear()
                await self._reconcile(channel, acks)
                if not self._changed.is_set():
                    self._reconciled.set()
                await self._changed.wait()
        finally:
            for task in tasks:
                task.cancel()
            self._counters.settle_failures += acks.pending
            self._tag, self._channel, self._acks = None, None, None
            self._forget_kept()
            self._has_consumer = self._is_subscribed_here = False
            if not self._unanswered:
                self._asked_at = None  # the loss of the channel is known otherwise
            self._reconciled.clear()

    def _forget_kept(self) -> None:
        """Drop what has come and was not looked at: the broker has it."""
        for message in (*self._redelivered.finish(), *(kept for _, kept in self._kept)):
            self._intake.release(len(message.body))
        self._kept.clear()

    async def _reconcile(self, channel: Channel, acks: AckWriter) -> None:
        if self._is_wanted and self._tag is None:
            if await self._is_there():
                await self._consume(channel, acks)
                log.info("consumer.subscribed", queue=self.queue)
        elif not self._is_wanted and self._tag is not None and not self._keeps_order:
            tag, self._tag, self._has_consumer = self._tag, None, False
            await self._cancel(channel, tag)
            log.info("consumer.paused", queue=self.queue)
        elif self._tag is not None and self._prefetch.is_outdated:
            await self._resize(channel, acks, self._tag)

    async def _resize(self, channel: Channel, acks: AckWriter, tag: str) -> None:
        """Replace the consumer as soon as nothing can be on its way to it.

        Not while somebody else may wait in line: it would be the other one's turn as soon as the
        consumer is cancelled, and what is unsettled here would not be among what that one gets, but
        come after it. A worker that has stood still finds a full window, and others at its queue,
        when it wakes up; it gives all of it back then, in order, as soon as it sees what has
        happened.
        """
        async with acks.held():
            if not self._prefetch.is_full:
                return
            if not self._is_alone():
                loop = asyncio.get_running_loop()
                loop.call_later(_NOT_ALONE_PAUSE_SECONDS, self._changed.set)
                return
            # What is unsettled stays unsettled, and in its place if it has to go back.
            await self._consume(channel, acks, instead_of=tag)
        log.debug("consumer.resized", queue=self.queue, size=self._prefetch.size)

    async def _is_there(self) -> bool:
        await self._declarer.ready()
        if self._declarer.declares(self.queue):
            await self._declarer.ensure()
            return True
        is_there = await self._declarer.exists(self.queue)
        if not is_there and not self._is_known_missing:
            log.warning("consumer.queue_missing", queue=self.queue)
        self._is_known_missing = not is_there
        if not is_there:
            asyncio.get_running_loop().call_later(MISSING_PAUSE_SECONDS, self._changed.set)
        return is_there

    async def _consume(
        self, channel: Channel, acks: AckWriter, *, instead_of: str | None = None
    ) -> None:
        """Start a consumer.

        Args:
            channel: Where.
            acks: What settles the messages that come to it.
            instead_of: A consumer that it takes the place of.

        Raises:
            DependencyError: The broker has not started it, or that other one cannot be replaced any
                more: the channel has to be closed.
        """
        # The broker takes back what several consumers had in the order of their tags.
        self._consumers += 1
        tag = f"{self._consumers:06}-{new_id()}"

        def on_message(message: AbstractIncomingMessage) -> None:
            # A late message of an abandoned channel would overtake what comes again.
            if self._channel is channel and not self._is_deaf:
                self._prefetch.delivered(
                    message.delivery_tag or 0, redelivered=bool(message.redelivered)
                )
                if self._redelivered.is_done:
                    self._hand_on(acks, message)
                else:
                    self._sort_in(acks, message)
                self._note_outdated()

        prefetch = self._prefetch.grant()
        with self._noticing_silence():
            await self._ask(
                channel.set_qos(prefetch_count=prefetch), f"set the prefetch of {self.queue}"
            )
            if instead_of is not None:
                await self._give_way(channel, instead_of)
            self._tag = tag
            await self._ask(
                channel.consume(self.queue, on_message, tag=tag), f"consume {self.queue}"
            )
        self._has_consumer = self._tag == tag
        self._is_subscribed_here = True

    @contextlib.contextmanager
    def _noticing_silence(self) -> Iterator[None]:
        """Know since when the broker owes an answer to a subscription, and tell if it stays away.

        The channel is closed for it, and the connection with it if that is not answered either.
        """
        self._asked_at = self._asked_at or time.monotonic()
        try:
            yield
        except UnansweredError as error:
            self._unanswered += 1
            self._counters.unanswered += 1
            log.warning(
                "consumer.not_answered",
                queue=self.queue,
                times=self._unanswered,
                reason=error.detail,
            )
            raise
        self._asked_at, self._unanswered = None, 0

    def _hand_on(self, acks: AckWriter, message: AbstractIncomingMessage) -> None:
        if self._is_wanted or not (self._keeps_order or self._keeps_all):
            self._route(self, acks, message)
        else:
            self._intake.hold(len(message.body))
            self._kept.append((acks, message))

    def _sort_in(self, acks: AckWriter, message: AbstractIncomingMessage) -> None:
        version = self._broker_version
        returns = (
            returns_of(message.headers, broker_version=version) if message.redelivered else None
        )
        self._intake.hold(len(message.body))
        self._hand_on_sorted(acks, self._redelivered.add(message, returns=returns))
        if not self._redelivered.is_done:
            self._has_redelivered.set()

    def _hand_on_sorted(self, acks: AckWriter, messages: Sequence[AbstractIncomingMessage]) -> None:
        for message in messages:
            self._intake.release(len(message.body))
            self._hand_on(acks, message)

    async def _gather(self, channel: Channel, acks: AckWriter) -> None:
        """Hand on what the queue has got back as soon as all of it has come.

        A fresh message says so too, but there may be none. What is more than the memory has room
        for is not waited for: it would be read for hours, and nothing of it would be done.
        """
        await self._has_redelivered.wait()
        counting = asyncio.create_task(self._until_all_has_come(channel))
        try:
            come = -1
            while (
                not counting.done()
                and come < self._redelivered.come
                and not self._intake.is_slowest
            ):
                come = self._redelivered.come
                await asyncio.wait({counting}, timeout=_GATHERING_SECONDS)
            if not counting.done() or not counting.result():
                log.warning("consumer.order_not_known", queue=self.queue)
            self._hand_on_sorted(acks, self._redelivered.finish())
            await counting  # its request is not to be cancelled: the channel would end with it
        except GatewayError as error:
            # The channel is lost, and what has come on it comes again on the next one.
            log.warning("consumer.not_counted", queue=self.queue, reason=error.detail)
        finally:
            counting.cancel()

    async def _until_all_has_come(self, channel: Channel) -> bool:
        """Return when all has come, or no more can; then False."""
        looks = 0
        while not self._redelivered.is_done:
            looks = looks + 1 if await self._has_all_come(channel) else 0
            if looks == _EMPTY_LOOKS:
                return True
            if self._prefetch.is_full and not self._prefetch.is_outdated:
                return False
            await asyncio.sleep(_GATHERING_PAUSE_SECONDS)
        return True

    async def _has_all_come(self, channel: Channel) -> bool:
        """Ask on the channel itself: what was sent on it before the answer has come before it."""
        come = self._redelivered.come
        request = channel.declare_queue(self.queue, passive=True)
        declared = await bounded(request, seconds=None, what=f"count {self.queue}")
        for _ in range(_TURNS_OF_A_CALLBACK):
            await asyncio.sleep(0)
        answer = declared.declaration_result
        is_empty = holds_nothing(answer.message_count or 0, consumers=answer.consumer_count or 0)
        return is_empty and come == self._redelivered.come

    async def _cancel(self, channel: Channel, tag: str) -> None:
        queue = await channel.get_queue(self.queue, ensure=False)
        await self._ask(queue.cancel(tag), f"stop consuming {self.queue}")

    async def _give_way(self, channel: Channel, tag: str) -> None:
        """Cancel a consumer that another one replaces with the very next frame.

        No answer is waited for between the two: if the worker stood still there, it would have what
        is unsettled and no turn.
        """
        if not self._is_alone():  # not any more; all that is unsettled goes back with the channel
            raise DependencyError(f"others may wait in line at {self.queue}")
        queue = await channel.get_queue(self.queue, ensure=False)
        await self._ask(queue.cancel(tag, nowait=True), f"stop consuming {self.queue}")

    def _on_settled(self, channel: Channel, tag: int) -> None:
        if self._channel is channel:
            self._prefetch.settled(tag)
            self._note_outdated()

    def _note_outdated(self) -> None:
        if self._prefetch.is_outdated:
            self._changed.set()

    def _on_cancelled(self, tag: str | None) -> None:
        """Go on with another channel: the broker has cancelled the consumer.

        Not with another consumer on this one. What was handed out may be unsettled there still
        (RabbitMQ 4.3 cancels a consumer that keeps one message for too long), and would come after
        younger messages; or it is gone with the queue, and would take up the prefetch.
        """
        if tag == self._tag:
            log.warning("consumer.cancelled_by_broker", queue=self.queue)
            self._counters.resubscribed += 1
            self._declarer.invalidate()
            self._tag, self._has_consumer, self._is_cancelled = None, False, True
            self._reconciled.clear()
            self._changed.set()

    async def _ask(self, request: Awaitable[object], what: str) -> None:
        await bounded(request, seconds=self._patience_seconds, what=what)

    @property
    def _patience_seconds(self) -> float:
        later = _ANSWERS_LATER if self._is_subscribed_here else _FIRST_ANSWER_LATER
        return self._request_seconds * later * (1 << min(self._unanswered, _MOST_DOUBLINGS))
