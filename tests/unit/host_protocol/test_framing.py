"""Frames as bytes: whatever goes in comes out, and whatever is no frame is refused."""

import contextlib
from enum import Enum
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_worker.host_protocol.envelope import FromHost, Request, ToHost
from gateway_worker.host_protocol.forking import FromForkServer, ToForkServer
from gateway_worker.host_protocol.framing import (
    HEADER,
    MAX_BODY_BYTES,
    VERSION,
    FrameDecoder,
    FrameTooLargeError,
    WireError,
    encode,
)
from gateway_worker.host_protocol.wire import Wire
from tests.support.arrivals import event
from tests.support.calls import send_text

EVENT = event("wa.message.received.v1", {"message_id": "3EB0AA"}, record=7)
LINKS = (ToHost, FromHost, ToForkServer, FromForkServer)
KINDS = tuple(dict.fromkeys(kind for link in LINKS for kind in get_args(link)))
DECODER: msgspec.json.Decoder[Any] = msgspec.json.Decoder(
    ToHost | FromHost | ToForkServer | FromForkServer
)
PLAIN_JSON = st.none() | st.booleans() | st.text() | st.integers(-(2**53), 2**53)
ANY_JSON = PLAIN_JSON | st.lists(PLAIN_JSON, max_size=3)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Return values of a field's declared type."""
    if isinstance(hint, UnionType):
        return st.one_of(
            *(st.none() if part is NoneType else values_of(part) for part in get_args(hint))
        )
    if isinstance(hint, type) and issubclass(hint, Wire):
        return frames_of(hint)
    if get_origin(hint) is dict:
        _, value = get_args(hint)
        values = ANY_JSON if value is Any else values_of(value)
        return st.dictionaries(st.text(), values, max_size=4)
    if get_origin(hint) is tuple:
        inner = values_of(get_args(hint)[0])
        return st.lists(inner, max_size=5).map(tuple)
    if hint is msgspec.Raw:
        return values_of(dict[str, Any]).map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
    plain: dict[Any, st.SearchStrategy[Any]] = {
        int: st.integers(-(2**63), 2**64 - 1),
        float: st.floats(allow_nan=False, allow_infinity=False),
        str: st.text(),
        bool: st.booleans(),
        bytes: st.binary(),
    }
    return st.sampled_from(hint) if issubclass(hint, Enum) else plain[hint]


def frames_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    """Return frames of one kind."""
    hints = get_type_hints(cls)
    return st.builds(
        cls, **{field.name: values_of(hints[field.name]) for field in msgspec.structs.fields(cls)}
    )


ANY_FRAME = st.one_of(*map(frames_of, KINDS))


def decode(data: bytes) -> list[Any]:
    """Return the frames in these bytes."""
    return list(FrameDecoder(DECODER).feed(data))


def framed(body: bytes) -> bytes:
    """Return a frame with this body."""
    return HEADER.pack(VERSION, len(body)) + body


def body(**changes: Any) -> bytes:
    """Return an event's bytes with some fields changed; "absent" takes one out."""
    content = {**msgspec.json.decode(msgspec.json.encode(EVENT)), **changes}
    return framed(
        orjson.dumps({name: value for name, value in content.items() if value != "absent"})
    )


@given(ANY_FRAME)
@settings(deadline=None, max_examples=300)
def test_a_frame_comes_out_as_it_went_in(frame: Any) -> None:
    """Of every kind, with every text and number that fits."""
    (read,) = decode(encode(frame))

    assert read == frame
    assert type(read) is type(frame)


@given(st.lists(ANY_FRAME, max_size=6), st.data())
@settings(deadline=None)
def test_frames_survive_any_cutting(sent: list[Any], data: st.DataObject) -> None:
    """A stream is cut where the kernel likes; order and content stay."""
    stream = b"".join(map(encode, sent))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    decoder = FrameDecoder(DECODER)

    read = [
        frame
        for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)
        for frame in decoder.feed(stream[start:end])
    ]

    assert read == sent


@given(ANY_FRAME, st.data())
@settings(deadline=None)
def test_a_torn_frame_yields_nothing(frame: Any, data: st.DataObject) -> None:
    """What is cut short is waited for, never guessed."""
    whole = encode(frame)
    torn = whole[: data.draw(st.integers(0, len(whole) - 1))]

    assert decode(torn) == []


@given(st.binary(max_size=64) | st.binary(max_size=64).map(lambda body: b"\x01\x00" + body))
@settings(deadline=None)
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    """Arbitrary bytes end in frames or in a `WireError`."""
    with contextlib.suppress(WireError):
        decode(noise)


@given(ANY_FRAME, st.data())
@settings(deadline=None)
def test_a_flipped_byte_is_refused_or_is_another_frame(frame: Any, data: st.DataObject) -> None:
    """Damage inside a frame never escapes as another kind of error."""
    damaged = bytearray(encode(frame))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))

    with contextlib.suppress(WireError):
        decode(bytes(damaged))


def test_another_version_is_refused() -> None:
    """A host of another release is told apart before anything of it is read."""
    with pytest.raises(WireError, match=f"version {VERSION + 1} is not"):
        decode(HEADER.pack(VERSION + 1, 0))


@pytest.mark.parametrize("kind", ["Everything", "event", "", 5, None, "absent"])
def test_an_unknown_kind_is_refused(kind: Any) -> None:
    """Kinds are those of the list."""
    with pytest.raises(WireError, match="no frame"):
        decode(body(frame=kind))


@pytest.mark.parametrize("link", LINKS, ids=["to host", "from host", "to server", "from server"])
def test_a_frame_of_another_direction_is_refused(link: Any) -> None:
    """A host cannot say what only its worker or the fork server says."""
    decoder = FrameDecoder(msgspec.json.Decoder[Any](link))
    others = [kind for kind in KINDS if kind not in get_args(link)]

    for kind in others:
        with pytest.raises(WireError, match="no frame"):
            list(decoder.feed(framed(b'{"frame":"%s"}' % kind.__name__.encode())))


def test_an_oversized_frame_is_refused_before_it_is_there() -> None:
    """The header is enough, so nothing piles up in memory."""
    with pytest.raises(WireError, match="too many"):
        decode(HEADER.pack(VERSION, MAX_BODY_BYTES + 1))


def test_an_oversized_frame_is_not_written() -> None:
    """The writer finds out, not the reader."""
    with pytest.raises(FrameTooLargeError, match="Request"):
        encode(Request(request=1, call=send_text(to="1", text="x" * MAX_BODY_BYTES)))


def test_text_that_is_no_unicode_is_not_written() -> None:
    """A lone surrogate has no bytes."""
    with pytest.raises(WireError, match="Request"):
        encode(Request(request=1, call=send_text(to="1", text="\ud800")))


@pytest.mark.parametrize(
    "changes",
    [
        {"record": "7"},
        {"record": True},
        {"record": 7.5},
        {"record": None},
        {"last": 1},
        {"type": None},
        {"data": "absent"},
        {"more": 1},
        {"type": "absent", "more": 1},
    ],
)
def test_a_field_of_another_type_is_refused(changes: dict[str, Any]) -> None:
    """Every field is what it is declared to be, none is missing and none is new."""
    with pytest.raises(WireError, match="no frame"):
        decode(body(**changes))


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b'{"a":', b"\xff\xfe", b"1"])
def test_a_body_that_is_no_object_is_refused(content: bytes) -> None:
    """JSON, and an object."""
    with pytest.raises(WireError):
        decode(framed(content))


def test_an_error_tells_nothing_of_what_was_written() -> None:
    """It may be logged, so it holds no text and no number of anybody."""
    with pytest.raises(WireError) as caught:
        decode(body(record="a secret"))

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
