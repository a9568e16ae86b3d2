"""A backend that costs next to nothing: it puts commands in and takes their outcomes.

A backend is on another machine, so its own work must not be taken for the gateway's. What a client
library does for each message costs as much as a tenth of what is measured; so here commands are
frames before the clock starts, and of an event only what it is about is read. All the same it does
what the contract asks: publisher confirms, `mandatory`, acknowledgements.
"""

import asyncio
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final, cast

import msgspec
from pamqp import commands, frame, header
from pamqp.base import Frame
from pamqp.body import ContentBody
from yarl import URL

from gateway_contracts import CONTENT_TYPE, MessageSend, Topology, encode

AT_ONCE: Final = 64
"""Commands that may await the broker's confirmation."""
ACK_EVERY: Final = 64
ACK_SECONDS: Final = 0.02
"""Outcomes are acknowledged together: so many, or after so long."""
PREFETCH: Final = 256
OPEN_SECONDS: Final = 30.0
DEFAULT_PORT: Final = 5672
_CHANNEL: Final = 1
_PERSISTENT: Final = 2
_HEADER: Final = struct.Struct("!BHI")
_METHOD, _CONTENT_HEADER, _BODY = 1, 2, 3
_DELIVER, _CONFIRM = struct.pack("!HH", 60, 60), struct.pack("!HH", 60, 80)
_TAG: Final = struct.Struct("!Q")
_INDEX_BYTES: Final = 4
"""Class and method of a method's frame; class and weight of a content's header."""


class Outcome(msgspec.Struct, frozen=True):
    """What is read of an event.

    Attributes:
        type: The event's type.
        subject: The session.
        correlationid: The command's id.
    """

    type: str
    subject: str
    correlationid: str | None = None


def command_frames(command: MessageSend, *, topology: Topology, user: str) -> bytes:
    """Return what is written to the broker to publish a command as one of its users."""
    body = encode(command)
    properties = commands.Basic.Properties(
        content_type=CONTENT_TYPE,
        delivery_mode=_PERSISTENT,
        message_id=command.id,
        message_type=command.type,
        user_id=user,
    )
    publish = commands.Basic.Publish(
        exchange=topology.commands, routing_key=command.subject, mandatory=True
    )
    parts = (
        publish,
        header.ContentHeader(body_size=len(body), properties=properties),
        ContentBody(body),
    )
    return b"".join(frame.marshal(part, _CHANNEL) for part in parts)


class LoadClient(asyncio.Protocol):
    """One connection with one channel; made by `LoadClient.open`.

    Args:
        topology: Where commands go and outcomes come from.
        user: Who logs in.
    """

    def __init__(self, *, topology: Topology, user: str) -> None:
        self.topology = topology
        self.user = user
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._answers: asyncio.Queue[Frame] = asyncio.Queue()
        self._ready = False
        self._waiting: deque[bytes] = deque()
        self._unconfirmed: set[int] = set()
        self._published = 0
        self._tag = 0
        self._left = 0
        self._body = bytearray()
        self._unacknowledged = 0
        self._ack_due: asyncio.TimerHandle | None = None
        self._decoder = msgspec.json.Decoder(Outcome)
        self._listeners: list[Callable[[Outcome], None]] = []

    @classmethod
    @asynccontextmanager
    async def open(
        cls, amqp_url: str, *, topology: Topology | None = None
    ) -> AsyncIterator["LoadClient"]:
        """Connect and begin to take outcomes; a worker has declared everything before."""
        url = URL(amqp_url)
        client = cls(topology=topology or Topology(), user=url.user or "guest")
        await asyncio.get_running_loop().create_connection(
            lambda: client, url.host or "localhost", url.port or DEFAULT_PORT
        )
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                await client._log_in(url)
                await client._subscribe()
            yield client
        finally:
            client._close()

    def on_outcome(self, listener: Callable[[Outcome], None]) -> None:
        """Call `listener` with every outcome, in the order of arrival."""
        self._listeners.append(listener)

    def publish(self, frames: Iterable[bytes]) -> None:
        """Publish commands in order, as the broker confirms those before; see `command_frames`."""
        self._waiting.extend(frames)
        self._pump()

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the protocol."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.write(b"AMQP\x00\x00\x09\x01")

    def data_received(self, data: bytes) -> None:
        """Take whole frames out of what has come."""
        buffer, start = self._buffer, 0
        buffer += data
        while len(buffer) - start >= _HEADER.size:
            kind, _, size = _HEADER.unpack_from(buffer, start)
            end = start + _HEADER.size + size + 1
            if len(buffer) < end:
                break
            self._on_frame(kind, bytes(buffer[start:end]))
            start = end
        del buffer[:start]

    async def _log_in(self, url: URL) -> None:
        await self._answer(commands.Connection.Start)
        self._write(
            commands.Connection.StartOk(
                mechanism="PLAIN", response=f"\0{url.user}\0{url.password}", locale="en_US"
            ),
            channel=0,
        )
        tune = await self._answer(commands.Connection.Tune)
        assert isinstance(tune, commands.Connection.Tune)
        self._write(
            commands.Connection.TuneOk(
                channel_max=tune.channel_max, frame_max=tune.frame_max, heartbeat=0
            ),
            channel=0,
        )
        vhost = url.path.removeprefix("/") or "/"
        self._write(commands.Connection.Open(virtual_host=vhost), channel=0)
        await self._answer(commands.Connection.OpenOk)

    async def _subscribe(self) -> None:
        basic, queue = commands.Basic, commands.Queue
        await self._call(commands.Channel.Open(), commands.Channel.OpenOk)
        await self._call(commands.Confirm.Select(), commands.Confirm.SelectOk)
        await self._call(basic.Qos(prefetch_count=PREFETCH), basic.QosOk)
        declared = await self._call(
            queue.Declare(exclusive=True, auto_delete=True), queue.DeclareOk
        )
        assert isinstance(declared, queue.DeclareOk)
        name = declared.queue or ""
        bind = queue.Bind(queue=name, exchange=self.topology.events, routing_key="command.#")
        await self._call(bind, queue.BindOk)
        await self._call(basic.Consume(queue=name), basic.ConsumeOk)
        self._ready = True

    async def _call(self, request: Frame, answer: type[Frame]) -> Frame:
        self._write(request)
        return await self._answer(answer)

    async def _answer(self, kind: type[Frame]) -> Frame:
        found = await self._answers.get()
        if not isinstance(found, kind):
            raise TypeError(f"the broker answered with {found.name}")
        return found

    def _write(self, request: Frame, *, channel: int = _CHANNEL) -> None:
        assert self._transport is not None
        self._transport.write(frame.marshal(request, channel))

    def _close(self) -> None:
        if self._ack_due is not None:
            self._ack_due.cancel()
        if self._transport is not None:
            self._transport.close()

    # What comes.

    def _on_frame(self, kind: int, data: bytes) -> None:
        start = _HEADER.size
        if kind == _METHOD:
            self._on_method(data, start)
        elif kind == _CONTENT_HEADER:
            (self._left,) = _TAG.unpack_from(data, start + _INDEX_BYTES)
        elif kind == _BODY:
            self._body += data[start:-1]
            self._left -= len(data) - start - 1
            if self._left == 0:
                self._on_outcome(bytes(self._body))
                self._body.clear()

    def _on_method(self, data: bytes, start: int) -> None:
        index = data[start : start + _INDEX_BYTES]
        start += _INDEX_BYTES
        if index == _DELIVER:
            consumer_tag = data[start]
            (self._tag,) = _TAG.unpack_from(data, start + 1 + consumer_tag)
        elif index == _CONFIRM:
            (tag,) = _TAG.unpack_from(data, start)
            self._on_confirm(tag, multiple=bool(data[start + _TAG.size]))
        elif self._ready:
            raise RuntimeError(f"the broker said {frame.unmarshal(data)[2].name}")
        else:
            found = frame.unmarshal(data)[2]
            assert isinstance(found, Frame)
            self._answers.put_nowait(found)

    def _on_confirm(self, tag: int, *, multiple: bool) -> None:
        if multiple:
            self._unconfirmed = {one for one in self._unconfirmed if one > tag}
        else:
            self._unconfirmed.discard(tag)
        self._pump()

    def _pump(self) -> None:
        room = min(AT_ONCE - len(self._unconfirmed), len(self._waiting))
        if room <= 0:
            return
        assert self._transport is not None
        self._transport.write(b"".join(self._waiting.popleft() for _ in range(room)))
        self._unconfirmed.update(range(self._published + 1, self._published + room + 1))
        self._published += room

    def _on_outcome(self, body: bytes) -> None:
        outcome = self._decoder.decode(body)
        for listener in self._listeners:
            listener(outcome)
        self._unacknowledged += 1
        if self._unacknowledged >= ACK_EVERY:
            self._acknowledge()
        elif self._ack_due is None:
            self._ack_due = asyncio.get_running_loop().call_later(ACK_SECONDS, self._acknowledge)

    def _acknowledge(self) -> None:
        if self._ack_due is not None:
            self._ack_due.cancel()
            self._ack_due = None
        self._unacknowledged = 0
        self._write(commands.Basic.Ack(delivery_tag=self._tag, multiple=True))
