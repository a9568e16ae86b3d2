"""Lets a message with unreadable properties through without them, and a large body cut.

aiormq decodes a message's properties while it reads from the socket, and gives the connection up
when that fails: a timestamp in microseconds or a routing key that is no UTF-8 is enough. The broker
hands the message out again on the next connection, to this worker or to another, and each time
counts a delivery for every other unsettled command, until all of them are dead letters. And what
aio-pika can make no message of never reaches a consumer, but keeps its place in the prefetch. So
frames are looked at before either sees them. What matters of a command is in its body. Of a body
that is larger than anything that is read only the beginning goes on: see `oversize`.
"""

import asyncio
import struct

import structlog
from aio_pika import DeliveryMode
from aio_pika.message import decode_expiration
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from gateway_worker.broker.intake import Intake
from gateway_worker.broker.oversize import Cutter

log = structlog.get_logger(__name__)

FRAME_HEAD = struct.Struct("!BHI")  # type, channel and length
METHOD_FRAME = 1
HEADER_FRAME = 2
BODY_FRAME = 3
OTHER_PROTOCOL = b"AMQP"  # what a broker sends that speaks another version, in place of a frame
BASIC_DELIVER = bytes((0, 60, 0, 60))
PROPERTY_FLAGS = slice(12, 14)
ASCII_END = 0x80
_DELIVERY_MODE = 1 << 12
_DELIVERY_MODES = frozenset(mode.value for mode in DeliveryMode)
_PLAIN_FLAGS = (1 << 15, 1 << 14, _DELIVERY_MODE, 1 << 10, 1 << 9, 1 << 7, 1 << 5, 1 << 3)
"""Type and encoding of the content, delivery mode, correlation, reply, id, type, sender: an octet
and short texts, in the order in which they stand."""
_PLAIN = sum(_PLAIN_FLAGS)
READ_BYTES = 65_536
"""How much is read at once: many small frames come together."""


class FrameReader:
    """The part of a stream reader that aiormq uses, which is to read frames in three steps.

    Args:
        reader: Where the frames come from.
        cutter: Cuts bodies that are too large.
        intake: Says when to read more slowly.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        *,
        cutter: Cutter | None = None,
        intake: Intake | None = None,
    ) -> None:
        self._reader = reader
        self._cutter = cutter
        self._intake = intake
        self._come = b""
        self._at = 0  # where in it the next frame begins
        self._head = self._content = b""
        self._step = 0

    def at_eof(self) -> bool:
        """Tell whether everything was read."""
        return self._at == len(self._come) and self._reader.at_eof()

    async def read(self, size: int = -1) -> bytes:
        """Read what there is."""
        if self._at == len(self._come):
            return await self._reader.read(size)
        come, self._come, self._at = self._come[self._at :], b"", 0
        return come

    async def readexactly(self, size: int) -> bytes:
        """Read a frame's type, then the rest of its head, then its content with the end mark."""
        if self._step == 0:
            self._head, self._content = await self._next()
            self._step = 1
            return self._head[:size]
        if self._step == 1:
            self._step = 2
            return self._head[1 : 1 + size]
        self._step = 0
        return self._content

    async def _next(self) -> tuple[bytes, bytes]:
        """Return the next frame that is to be seen: its head, and its content with the end mark."""
        while True:
            head = await self._take(FRAME_HEAD.size)
            if head.startswith(OTHER_PROTOCOL):
                return head, b""
            kind, channel, length = FRAME_HEAD.unpack(head)
            content = readable(kind, await self._take(length + 1))
            shown = self._shown(kind, channel, content)
            if shown is content:
                return head, content
            if shown is not None:
                return FRAME_HEAD.pack(kind, channel, len(shown) - 1), shown

    async def _take(self, size: int) -> bytes:
        """Return the next bytes. Raises `IncompleteReadError` if there will not be so many."""
        while (end := self._at + size) > len(self._come):
            if self._intake is not None and self._intake.is_slow:
                await self._intake.pause()
            more = await self._reader.read(READ_BYTES)
            self._come, self._at = self._come[self._at :] + more, 0
            if not more:
                raise asyncio.IncompleteReadError(self._come, size)
        taken = self._come[self._at : end]
        self._at = end
        return taken

    def _shown(self, kind: int, channel: int, content: bytes) -> bytes | None:
        if self._cutter is None:
            return content
        if kind == BODY_FRAME:
            return self._cutter.body(channel, content)
        if kind == HEADER_FRAME:
            return self._cutter.header(channel, content)
        if kind == METHOD_FRAME and content.startswith(BASIC_DELIVER):
            self._cutter.note_delivery(channel, exchange_of(content))
        return content


def readable(frame_type: int, content: bytes) -> bytes:
    """Return a frame's content, of the same length, as something that can be decoded."""
    if frame_type == HEADER_FRAME:
        if _is_plain(content):
            return content
        try:
            header = ContentHeader()
            header.unmarshal(content[:-1])
            _check(header.properties)
        except Exception as error:  # noqa: BLE001 - whatever the sender has brought about
            log.warning("broker.unreadable_properties", reason=str(error))
            return content[: PROPERTY_FLAGS.start] + b"\0\0" + content[PROPERTY_FLAGS.stop :]
    elif frame_type == METHOD_FRAME and content.startswith(BASIC_DELIVER):
        return _with_readable_key(content)
    return content


def _is_plain(content: bytes) -> bool:
    """Whether a header's frame has what nearly all have, and is quickly seen to be readable."""
    flags = int.from_bytes(content[PROPERTY_FLAGS], "big")
    if flags & ~_PLAIN:
        return False
    at, end = PROPERTY_FLAGS.stop, len(content) - 1
    for flag in _PLAIN_FLAGS:
        if not flags & flag:
            continue
        if at >= end:
            return False
        if flag == _DELIVERY_MODE:
            if content[at] not in _DELIVERY_MODES:
                return False
            at += 1
        else:
            text = content[at + 1 : at + 1 + content[at]]
            if not text.isascii():
                return False
            at += 1 + content[at]
    return at == end


def _check(properties: Basic.Properties) -> None:
    """Raise what aio-pika would raise for properties that are well formed and mean nothing."""
    if properties.delivery_mode:
        DeliveryMode(properties.delivery_mode)
    decode_expiration(properties.expiration)


def exchange_of(content: bytes) -> bytes:
    """Return the name of the exchange in a delivery's frame."""
    at = _exchange_at(content)
    return content[at + 1 : at + 1 + content[at]]


def _exchange_at(content: bytes) -> int:
    consumer_tag_length = content[4]
    return 5 + consumer_tag_length + 9  # after the delivery tag and the redelivered bit


def _with_readable_key(content: bytes) -> bytes:
    exchange_at = _exchange_at(content)
    key_at = exchange_at + 1 + content[exchange_at]
    key = content[key_at + 1 : key_at + 1 + content[key_at]]
    try:
        key.decode()
    except UnicodeDecodeError:
        log.warning("broker.unreadable_routing_key")
        legible = bytes(byte if byte < ASCII_END else ord("?") for byte in key)
        return content[: key_at + 1] + legible + content[key_at + 1 + len(key) :]
    return content
