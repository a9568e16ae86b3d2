"""What the worker uses of aiormq, the layer below aio-pika; no other module imports it.

aio-pika's plain connection, channel, queue, exchange and message do all that they offer. What they
do not offer stands here, each with its reason:

- a transport of our own, because one message that cannot be decoded would end the connection
  (`tolerant_transport`);
- whether the broker has blocked the connection: it says so, and aio-pika has no word for it;
- whether the connection is open at this moment: aio-pika's callbacks come some turns of the event
  loop after the fact, and its `is_closed` means only that somebody has called `close`;
- why a channel was closed, at the moment at which that makes a publication fail: by that alone the
  message that has closed it is told from those that had the bad luck to be there too;
- that the broker has cancelled a consumer, of which aio-pika says nothing;
- deliveries without a second task for each, which aio-pika starts for whoever consumes;
- many acknowledgements in one write, by one task (`ack_writer`): aio-pika's `ack` waits for the
  socket each time, and for ever if the connection dies while its queue of frames is full;
- many publications in one write, likewise: aio-pika's `publish` lets the next one of a channel
  begin only when the one before is in the socket, and is by far the dearest thing that happens to
  an event;
- how channels and connections are opened and closed: for each channel that was opened aio-pika
  (10.2) leaves 4 KiB at the connection until that ends; whoever is cancelled while it closes a
  connection may wait for ever for the callback that tells of it; and whoever gives up waiting for
  the end of a channel costs all others of the connection theirs;
- the error of an operation that the user may not do, which aio-pika does not export;
- the broker's version, which says what its headers mean.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, UnderlayChannel
from aio_pika.exceptions import ChannelInvalidStateError, ConnectionClosed
from aio_pika.message import IncomingMessage
from aio_pika.tools import OneShotCallback
from aiormq.abc import (
    AbstractChannel,
    AbstractConnection,
    ChannelFrame,
    DeliveredMessage,
    ExceptionType,
)
from aiormq.channel import Channel as ConfirmingUnderlay
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from aiormq.exceptions import ChannelAccessRefused
from pamqp.base import Frame
from yarl import URL

from gateway_worker.broker.intake import Intake
from gateway_worker.broker.oversize import Cutter, Largest
from gateway_worker.broker.publish_frames import Publication, publish_frames
from gateway_worker.broker.tolerant_transport import FrameReader

__all__ = ["Channel", "ChannelAccessRefused", "Connection"]

_NUMBER = re.compile("[0-9]+")
_ANY_FRAME_BYTES = 131_064
"""How much goes into a frame where the broker sets no limit (`frame_max` is 0)."""


def _version(connection: AbstractConnection) -> tuple[int, ...]:
    said = connection.server_properties.get("version")
    return tuple(map(int, _NUMBER.findall(str(said))[:2]))


class Channel(aio_pika.Channel):
    """A channel that also says why it was closed, and that its consumer was cancelled."""

    _ending: "asyncio.Task[None] | None" = None
    _writing: "asyncio.Task[None] | None" = None
    _unwritten: list[bytes]

    async def close(self, exc: ExceptionType | None = None) -> None:
        """Close the channel; what waits on it fails with `exc`, or is cancelled.

        Whoever is cancelled meanwhile only stops waiting.
        """
        if self._channel is None:
            return
        self._stop_writing()
        if self._ending is None:
            # aiormq closes the channel of a request that is cancelled. If that request was to close
            # it, the broker is told so twice, and ends the connection for it (504).
            closing = self._channel.channel.close(exc or asyncio.CancelledError)
            self._ending = asyncio.ensure_future(closing)
        await asyncio.shield(self._ending)

    @property
    def closing(self) -> "asyncio.Future[Any]":
        """Done when the channel is closed; its exception is the reason. Take it once and keep it.

        Each call before that makes a future that lives as long as the channel.
        """
        return self._below.closing

    @property
    def broker_version(self) -> tuple[int, ...]:
        """The first two numbers of the broker's version; empty if it does not say."""
        return _version(self._below.connection)

    def on_consumer_cancelled(self, callback: Callable[[str | None], None]) -> None:
        """Have `callback` called with the tag of each consumer that the broker cancels."""
        self._below.on_consumer_cancel_callbacks.add(lambda frame: callback(frame.consumer_tag))

    async def send(self, frames: Sequence[Frame]) -> None:
        """Queue frames for the connection's writer, which sends them at once and together.

        Waits for ever if the connection has just died: whoever waits has to end with the channel.
        """
        below = self._below
        await below.connection.write_queue.put(
            ChannelFrame.marshall(channel_number=below.number, frames=frames)
        )

    async def consume(
        self, queue: str, on_message: Callable[[AbstractIncomingMessage], None], *, tag: str
    ) -> None:
        """Have `on_message` called with what a queue hands out, in that order; raises as aio-pika.

        Args:
            queue: Its name.
            on_message: Must not block.
            tag: The consumer's.
        """

        async def deliver(delivered: DeliveredMessage) -> None:
            on_message(IncomingMessage(delivered))

        await self._below.basic_consume(queue, deliver, consumer_tag=tag)

    def publish(
        self, message: Publication, *, exchange: str, routing_key: str, mandatory: bool
    ) -> "asyncio.Future[Any]":
        """Publish a message, after those of the calls before; the future is done once confirmed.

        What gathers before the connection's writer has its turn goes out in one piece. A message
        that nobody waits for any more is published all the same.

        Raises:
            ChannelInvalidStateError: The channel is closed.
            ValueError: Something of it cannot be written.
            TypeError: Likewise.
        """
        below = cast("ConfirmingUnderlay", self._below)
        if below.is_closed:
            raise ChannelInvalidStateError("the channel is closed")
        frames = publish_frames(
            below.number,
            message.body,
            message.properties,
            exchange=exchange,
            routing_key=routing_key,
            mandatory=mandatory,
            most_bytes=below.max_content_size if below.max_content_size > 0 else _ANY_FRAME_BYTES,
        )
        below.delivery_tag += 1
        confirmation = below.create_future()
        below.confirmations[below.delivery_tag] = confirmation
        if mandatory and message.message_id:  # by this it is known when it comes back
            below.message_id_delivery_tag[message.message_id] = below.delivery_tag
            forget = partial(_forget, below, message.message_id, below.delivery_tag)
            confirmation.add_done_callback(forget)
        self._unwritten.append(frames)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="broker:publications")
        return confirmation

    async def _write(self) -> None:
        """Hand what gathers to the connection's writer, as fast as the socket takes it."""
        below = self._below
        while self._unwritten and not below.is_closed:
            written = asyncio.get_running_loop().create_future()
            payload, self._unwritten = b"".join(self._unwritten), []
            await below.connection.write_queue.put(
                ChannelFrame(payload=payload, should_close=False, drain_future=written)
            )
            await written
        self._writing = None

    def _stop_writing(self) -> None:
        """Write nothing after the channel's end, for which the broker would end the connection."""
        self._unwritten = []
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    async def _open(self) -> None:
        """Open, and have the channel alone tell of its end: it ends with its connection."""
        transport = self._connection.transport
        if transport is None:
            raise ChannelInvalidStateError("the connection is closed")
        below = await transport.connection.channel(
            publisher_confirms=self.publisher_confirms, on_return_raises=self.on_return_raises
        )
        self._unwritten = []
        tell = OneShotCallback(self._on_close)
        closing = below.closing
        closing.add_done_callback(tell)
        closing.add_done_callback(lambda _closing: self._stop_writing())
        self._channel = UnderlayChannel(channel=below, close_callback=tell)
        await self._on_open()

    @property
    def _below(self) -> AbstractChannel:
        assert self._channel is not None, "the channel was not opened"
        return self._channel.channel


def _forget(
    below: ConfirmingUnderlay, message_id: str, tag: int, _done: "asyncio.Future[Any]"
) -> None:
    if below.message_id_delivery_tag.get(message_id) == tag:
        del below.message_id_delivery_tag[message_id]


class Connection(aio_pika.Connection):
    """A connection that malformed and oversized messages do not end.

    Args:
        url: Where the broker is, with aiormq's parameters in its query.
        largest: The largest body that is read whole; by default any.
        intake: Says when to read more slowly; by default never.
    """

    CHANNEL_CLASS = Channel

    def __init__(
        self, url: URL, *, largest: Largest | None = None, intake: Intake | None = None
    ) -> None:
        super().__init__(url)
        # aio-pika passes what it does not know on to aiormq.
        self.kwargs["transport_factory"] = TolerantTransport(largest=largest, intake=intake)

    @property
    def is_open(self) -> bool:
        """Whether the connection is made, and its reader and writer run."""
        return self.transport is not None and self.transport.connection.is_opened

    @property
    def broker_version(self) -> tuple[int, ...]:
        """The first two numbers of the broker's version; empty if it does not say."""
        return () if self.transport is None else _version(self.transport.connection)

    @property
    def is_blocked(self) -> bool:
        """Whether the broker has stopped reading from this connection (an alarm)."""
        if self.transport is None:
            return False
        # aiormq shows this state only as a coroutine that goes through at once or waits.
        step = self.transport.connection.ready()
        try:
            step.send(None)
        except StopIteration:
            return False
        step.close()
        return True

    async def close(self, exc: ExceptionType | None = ConnectionClosed) -> None:
        """Close the connection; what waits on its channels fails with `exc`."""
        if self.transport is not None:
            await self.transport.connection.close(exc)

    def __del__(self) -> None:
        """Do nothing: aio-pika's finalizer would begin to close it, with or without a loop."""

    async def open_channel(self, *, confirms: bool) -> Channel:
        """Open a channel; with confirms, what no queue takes raises `PublishError`."""
        channel = cast(
            "Channel", self.channel(publisher_confirms=confirms, on_return_raises=confirms)
        )
        await channel.initialize()
        return channel


class TolerantTransport(TransportFactory):
    """Opens connections whose frames are made readable.

    Args:
        largest: The largest body that is read; by default any.
        intake: Says when to read more slowly; by default never.
    """

    def __init__(self, *, largest: Largest | None = None, intake: Intake | None = None) -> None:
        self._largest = largest
        self._intake = intake

    async def create(
        self, url: URL, **kwargs: Any
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect, with TLS for `amqps`."""
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        reader, writer = await factory.create(url, **kwargs)
        cutter = Cutter(largest=self._largest) if self._largest else None
        frames = FrameReader(reader, cutter=cutter, intake=self._intake)
        return cast("asyncio.StreamReader", frames), writer
