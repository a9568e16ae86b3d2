"""Whatever a sender puts into a message's properties can be decoded afterwards."""

import asyncio
import hashlib
import struct
from typing import cast

import pytest
from aio_pika import IncomingMessage
from aiormq.abc import AbstractChannel, DeliveredMessage
from hypothesis import example, given
from hypothesis import strategies as st
from pamqp import commands as spec
from pamqp.header import ContentHeader

from gateway_worker.broker.oversize import Cutter, read_cut
from gateway_worker.broker.tolerant_transport import (
    BASIC_DELIVER,
    BODY_FRAME,
    FRAME_HEAD,
    HEADER_FRAME,
    METHOD_FRAME,
    FrameReader,
    readable,
)

END = b"\xce"
BASIC = b"\x00\x3c\x00\x00"


def flagged(flag: int, value: bytes) -> bytes:
    """Return the end of a header frame that has one property."""
    return flag.to_bytes(2, "big") + value


@given(size=st.integers(0, 2**64 - 1), rest=st.binary(min_size=2, max_size=200))
@example(size=1, rest=flagged(1 << 12, b"\x07"))  # a delivery mode that there is not
@example(size=1, rest=flagged(1 << 8, b"\x04soon"))  # an expiration that is no number
@example(size=1, rest=flagged(1 << 8, b"\x00"))
def test_any_properties_become_readable(size: int, rest: bytes) -> None:
    """The frame keeps its length and the body's size; only what cannot be read is lost.

    The library can make a message of the result: one that it cannot make is never handed on.
    """
    content = BASIC + size.to_bytes(8, "big") + rest + END
    result = readable(HEADER_FRAME, content)
    header = ContentHeader()
    header.unmarshal(result[:-1])
    came = DeliveredMessage(
        delivery=spec.Basic.Deliver(delivery_tag=1),
        header=header,
        body=b"",
        channel=cast("AbstractChannel", None),
    )

    assert len(result) == len(content)
    assert header.body_size == size
    assert IncomingMessage(came).delivery_tag == 1


def test_readable_properties_are_left_alone() -> None:
    """Nothing is lost of a message that is well formed."""
    header = ContentHeader(
        body_size=1,
        properties=spec.Basic.Properties(message_id="größe", headers={"a": [1, {"b": None}]}),
    )
    content = header.marshal() + END

    assert readable(HEADER_FRAME, content) == content


@given(
    tag=st.integers(1, 2**63 - 1),
    exchange=st.text("abc.", max_size=60),
    key=st.binary(max_size=255),
)
def test_any_routing_key_becomes_readable(tag: int, exchange: str, key: bytes) -> None:
    """A key that is text stays; of another one, the letters that are ASCII do."""
    content = (
        b"\x00\x3c\x00\x3c\x03tag"
        + tag.to_bytes(8, "big")
        + b"\x01"
        + bytes([len(exchange)])
        + exchange.encode()
        + bytes([len(key)])
        + key
        + END
    )
    deliver = spec.Basic.Deliver()
    deliver.unmarshal(readable(METHOD_FRAME, content)[4:-1])

    assert deliver.delivery_tag == tag
    assert deliver.exchange == exchange
    try:
        expected = key.decode()
    except UnicodeDecodeError:
        expected = "".join(chr(byte) if byte < 0x80 else "?" for byte in key)
    assert deliver.routing_key == expected


def wire(*frames: bytes) -> asyncio.StreamReader:
    """Return a stream with frames as they come from a socket."""
    reader = asyncio.StreamReader()
    reader.feed_data(b"".join(frames))
    reader.feed_eof()
    return reader


def frame(kind: int, channel: int, content: bytes) -> bytes:
    return FRAME_HEAD.pack(kind, channel, len(content)) + content + END


def deliver(exchange: str) -> bytes:
    return spec.Basic.Deliver(
        consumer_tag="tag", delivery_tag=1, exchange=exchange, routing_key="s1"
    ).marshal()


def message(channel: int, exchange: str, body: bytes, *, per_frame: int = 1000) -> list[bytes]:
    method = BASIC_DELIVER + deliver(exchange)
    header = ContentHeader(body_size=len(body), properties=spec.Basic.Properties(message_id="m"))
    parts = [body[at : at + per_frame] for at in range(0, len(body), per_frame)]
    return [
        frame(METHOD_FRAME, channel, method),
        frame(HEADER_FRAME, channel, header.marshal()),
        *(frame(BODY_FRAME, channel, part) for part in parts),
    ]


async def bodies_of(*frames: bytes) -> dict[int, bytes]:
    """Read frames as the library does, and return each channel's body, checked for its size."""
    limits = {b"wa.internal": 4000}
    reader = FrameReader(
        wire(*frames),
        cutter=Cutter(largest=lambda exchange: limits.get(exchange, 2000)),
    )
    sizes: dict[int, int] = {}
    bodies: dict[int, bytes] = {}
    while len(sizes) < 3 or any(len(bodies.get(one, b"")) < sizes[one] for one in sizes):
        kind = (await reader.readexactly(1))[0]
        channel, length = struct.unpack("!HI", await reader.readexactly(6))
        content = (await reader.readexactly(length + 1))[:-1]
        if kind == HEADER_FRAME:
            header = ContentHeader()
            header.unmarshal(content)
            sizes[channel] = header.body_size or 0
        elif kind == BODY_FRAME:
            bodies[channel] = bodies.get(channel, b"") + content
    return bodies


@pytest.mark.parametrize("size", [2001, 65_536, 65_537, 300_001])
async def test_a_large_body_goes_on_as_its_beginning_and_digest(size: int) -> None:
    """On its channel only, whatever comes between its frames; what fits is left alone."""
    large, small, workers = bytes(range(256)) * (size // 256 + 1), b"s" * 2000, b"w" * 3999
    large = large[:size]
    first = message(1, "wa.commands", large)
    second = [*message(2, "wa.commands", small), *message(3, "wa.internal", workers)]
    mixed = [*first[:3], *second, *first[3:]]
    bodies = await bodies_of(*mixed)
    cut = read_cut(bodies[1])

    assert cut is not None
    assert (cut.size, cut.sha256) == (size, hashlib.sha256(large).hexdigest())
    assert cut.head == large[:65_536]
    assert (bodies[2], bodies[3]) == (small, workers)
    assert read_cut(small) is None


async def test_nobody_can_publish_what_is_taken_for_a_cut_body() -> None:
    """Its first bytes are known to this process alone."""
    frames = [*message(1, "", b"x" * 2001), *message(2, "", b""), *message(3, "", b"")]
    stand_in = (await bodies_of(*frames))[1]
    assert read_cut(stand_in) is not None
    assert read_cut(bytes(32) + stand_in[32:]) is None


async def test_a_broker_of_another_version_is_told_from_a_frame() -> None:
    """It answers with eight bytes that are none."""
    reader = FrameReader(wire(b"AMQP\x00\x01\x00\x00"))
    assert await reader.readexactly(1) == b"A"
    assert (await reader.readexactly(6)).startswith(b"MQP")


@pytest.mark.parametrize("at_once", [1, 6, 7, 8, 1000])
async def test_frames_come_whole_however_they_are_cut_on_their_way(at_once: int) -> None:
    """The end of the stream is told after the last of them."""
    frames = message(1, "wa.commands", b"x" * 50)
    data = b"".join(frames)
    stream = asyncio.StreamReader()
    reader = FrameReader(stream)

    async def feed() -> None:
        for at in range(0, len(data), at_once):
            stream.feed_data(data[at : at + at_once])
            await asyncio.sleep(0)
        stream.feed_eof()

    feeding = asyncio.create_task(feed())
    read = []
    for one in frames:
        assert not reader.at_eof()
        head = await reader.readexactly(1) + await reader.readexactly(FRAME_HEAD.size - 1)
        read.append(head + await reader.readexactly(len(one) - len(head)))
    await feeding

    assert read == frames
    assert reader.at_eof()
    with pytest.raises(asyncio.IncompleteReadError):
        await reader.readexactly(1)
