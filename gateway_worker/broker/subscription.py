"""One queue that is being consumed, or deliberately not, whatever is lost on the way."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog
from aiormq import Channel, spec
from aiormq.abc import DeliveredMessage

from gateway_contracts import new_id
from gateway_worker.broker.failures import bounded
from gateway_worker.broker.keeper import ChannelKeeper
from gateway_worker.broker.link import Link, close_channel
from gateway_worker.broker.receipts import Receipts
from gateway_worker.broker.settings import BrokerSettings
from gateway_worker.broker.stats import Counters
from gateway_worker.broker.topology import Declarer

log = structlog.get_logger(__name__)

Route = Callable[["Subscription", Receipts, DeliveredMessage], None]


class Subscription:
    """Keeps a consumer on one queue while it is wanted.

    Args:
        queue: What to consume.
        origin: Whose queue it is; None for the shared queue of sessions without an owner.
        prefetch: How many messages may be handed out and not settled.
        link: The consuming connection.
        declarer: Makes sure that the queue is there before it is consumed.
        route: Takes each message, and what settles it; must not block.
        settings: Timeouts.
        counters: Where subscriptions that had to be renewed are counted.
    """

    def __init__(
        self,
        *,
        queue: str,
        origin: str | None,
        prefetch: int,
        link: Link,
        declarer: Declarer,
        route: Route,
        settings: BrokerSettings,
        counters: Counters,
    ) -> None:
        self.queue = queue
        self.origin = origin
        self._prefetch = prefetch
        self._declarer = declarer
        self._route = route
        self._timeout_seconds = settings.request_timeout_seconds
        self._flush_timeout_seconds = settings.settle_timeout_seconds
        self._counters = counters
        self._keeper = ChannelKeeper(link=link, name=queue, serve=self._serve, confirms=False)
        self._channel: Channel | None = None
        self._receipts: Receipts | None = None
        self._tag: str | None = None
        self._is_wanted = True
        self._changed = asyncio.Event()
        self._reconciled = asyncio.Event()

    @property
    def is_wanted(self) -> bool:
        """Whether messages are asked for."""
        return self._is_wanted

    @property
    def is_active(self) -> bool:
        """Whether there is a consumer, as far as we know."""
        return self._tag is not None and self._channel is not None and not self._channel.is_closed

    def start(self) -> None:
        """Begin to consume, or to be ready to."""
        self._keeper.start()

    async def stop(self) -> None:
        """Close the channel; the broker returns what is not settled to the queue, in its order.

        A negative acknowledgement of all at once would not do: a quorum queue (RabbitMQ 3.10)
        shuffles what it gets back that way, as soon as it is more than 32 messages.
        """
        receipts = self._receipts
        if receipts is not None and not receipts.is_closed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._flush_timeout_seconds):
                    await receipts.flush()
        await self._keeper.stop()

    def want(self) -> None:
        """Ask for messages."""
        self._set_wanted(wanted=True)

    def refuse(self) -> None:
        """Ask for no more messages; those in hand can still be settled."""
        self._set_wanted(wanted=False)

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

    def _set_wanted(self, *, wanted: bool) -> None:
        if self._is_wanted != wanted:
            self._is_wanted = wanted
            self._reconciled.clear()
            self._changed.set()

    async def _serve(self, channel: Channel) -> None:
        channel.on_consumer_cancel_callbacks.add(self._on_cancelled)
        receipts = Receipts(channel=channel)
        self._tag, self._channel, self._receipts = None, channel, receipts
        writing = asyncio.create_task(receipts.write(), name=f"broker:receipts:{self.queue}")
        try:
            await self._ask(
                channel.basic_qos(prefetch_count=self._prefetch),
                f"set the prefetch of {self.queue}",
            )
            while True:
                self._changed.clear()
                await self._reconcile(channel, receipts)
                if not self._changed.is_set():
                    self._reconciled.set()
                await self._changed.wait()
        finally:
            writing.cancel()
            self._counters.settle_failures += receipts.pending
            self._tag, self._channel, self._receipts = None, None, None
            self._reconciled.clear()

    async def _reconcile(self, channel: Channel, receipts: Receipts) -> None:
        if self._is_wanted and self._tag is None:
            await self._declarer.ensure()
            tag = new_id()

            async def on_message(message: DeliveredMessage) -> None:
                # A late message of an abandoned channel would overtake what comes again.
                if self._channel is channel:
                    self._route(self, receipts, message)

            self._tag = tag
            await self._ask(
                channel.basic_consume(self.queue, on_message, consumer_tag=tag),
                f"consume {self.queue}",
            )
            log.info("consumer.subscribed", queue=self.queue)
        elif not self._is_wanted and self._tag is not None:
            tag, self._tag = self._tag, None
            await self._ask(channel.basic_cancel(tag), f"stop consuming {self.queue}")
            log.info("consumer.paused", queue=self.queue)

    def _on_cancelled(self, frame: spec.Basic.Cancel) -> None:
        if frame.consumer_tag == self._tag:
            log.warning("consumer.cancelled_by_broker", queue=self.queue)
            self._counters.resubscribed += 1
            self._declarer.invalidate()
            self._tag = None
            self._reconciled.clear()
            self._changed.set()

    async def _ask(self, request: Awaitable[object], what: str) -> None:
        await bounded(request, seconds=self._timeout_seconds, what=what)
