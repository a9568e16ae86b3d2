"""A publication as it is written to the broker: the method's frame, the header's, and the body's.

pamqp makes the same bytes, out of an object for each frame and a look at the type of each property.
Every event goes through here, so it is done in one piece.
"""

import struct
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, Protocol

from pamqp import encode
from pamqp.commands import Basic

_METHOD, _HEADER, _BODY = 1, 2, 3
_HEAD: Final = struct.Struct("!BHI")  # type, channel and length
_END: Final = b"\xce"
_PUBLISH: Final = (
    b"\x00\x3c\x00\x28\x00\x00"  # class, method, and a ticket that nobody uses any more
)
_MANDATORY: Final = {False: b"\x00", True: b"\x01"}
_CONTENT: Final = struct.Struct("!HHQH")  # class, weight, size of the body, flags of properties
_BASIC: Final = 60


class Publication(Protocol):
    """A message to be published, such as aio-pika's."""

    @property
    def body(self) -> bytes:
        """What it says."""
        ...

    @property
    def body_size(self) -> int:
        """How many bytes that are."""
        ...

    @property
    def message_id(self) -> str | None:
        """Its id."""
        ...

    @property
    def properties(self) -> Basic.Properties:
        """All that goes with it."""
        ...


def publish_frames(
    channel: int,
    body: bytes,
    properties: Basic.Properties,
    *,
    exchange: str,
    routing_key: str,
    mandatory: bool,
    most_bytes: int,
) -> bytes:
    """Return the frames that publish a message.

    Args:
        channel: The number of the channel.
        body: The message.
        properties: What goes with it.
        exchange: Where to.
        routing_key: Under which key.
        mandatory: Whether it comes back if no queue takes it.
        most_bytes: How much one frame takes. For a larger one the broker ends the connection.

    Raises:
        ValueError: A text is longer than 255 bytes, or is no valid Unicode; or what goes with the
            message has no room in one frame.
        TypeError: A header is of a type that AMQP does not have.
    """
    method = b"%b%b%b%b" % (_PUBLISH, _short(exchange), _short(routing_key), _MANDATORY[mandatory])
    header = _header(len(body), properties)
    if len(header) > most_bytes:
        raise ValueError(f"its headers have {len(header)} bytes, and a frame takes {most_bytes}")
    parts = [_frame(_METHOD, channel, method), _frame(_HEADER, channel, header)]
    parts += [
        _frame(_BODY, channel, body[start : start + most_bytes])
        for start in range(0, len(body), most_bytes)
    ]
    return b"".join(parts)


def _frame(kind: int, channel: int, content: bytes) -> bytes:
    return b"%b%b%b" % (_HEAD.pack(kind, channel, len(content)), content, _END)


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data  # refuses what is longer than 255


def _octet(number: int) -> bytes:
    return bytes((number,))


_PROPERTIES: Final[Mapping[str, Callable[[Any], bytes]]] = {
    "content_type": _short,
    "content_encoding": _short,
    "headers": encode.field_table,
    "delivery_mode": _octet,
    "priority": _octet,
    "correlation_id": _short,
    "reply_to": _short,
    "expiration": _short,
    "message_id": _short,
    "timestamp": encode.timestamp,
    "message_type": _short,
    "user_id": _short,
    "app_id": _short,
}
"""In the order in which they stand, which is that of their flags."""
_VALUES: Final = attrgetter(*_PROPERTIES)
_FLAGGED: Final = tuple((1 << 15 - place, each) for place, each in enumerate(_PROPERTIES.values()))


def _header(size: int, properties: Basic.Properties) -> bytes:
    """Return the content of the header's frame."""
    flags, parts = 0, [b""]
    for value, (flag, write) in zip(_VALUES(properties), _FLAGGED, strict=True):
        if value is not None and value != "":
            flags |= flag
            parts.append(write(value))
    parts[0] = _CONTENT.pack(_BASIC, 0, size, flags)
    return b"".join(parts)
