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


class FrameReader:
    """The part of a stream reader that aiormq uses, which is to read frames in three steps.

    Args:
        reader: Where the frames come from.
        cutter: Cuts bodies that are too large.
    """

    def __init__(self, reader: asyncio.StreamReader, *, cutter: Cutter | None = None) -> None:
        self._reader = reader
        self._cutter = cutter
        self._head = self._content = b""
        self._step = 0

    def at_eof(self) -> bool:
        """Tell whether everything was read."""
        return self._reader.at_eof()

    async def read(self, size: int = -1) -> bytes:
        """Read what there is."""
        return await self._reader.read(size)

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
            head = await self._reader.readexactly(FRAME_HEAD.size)
            if head.startswith(OTHER_PROTOCOL):
                return head, b""
            kind, channel, length = FRAME_HEAD.unpack(head)
            content = readable(kind, await self._reader.readexactly(length + 1))
            shown = self._shown(kind, channel, content)
            if shown is content:
                return head, content
            if shown is not None:
                return FRAME_HEAD.pack(kind, channel, len(shown) - 1), shown

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
