"""What can be told of a record that cannot be read as a whole: the parts of it that can.

The library writes a message's event as protobuf, with who and when in front of what. A content that
nests deeper than Python reads, or that was cut because it is too large, spoils the whole for the
usual reading; the parts in front of it are read one by one here.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from gateway_worker.whatsapp.convert.arrival import UNREADABLE, Arrival, unreadable
from gateway_worker.whatsapp.convert.content import Said
from gateway_worker.whatsapp.convert.message import told
from gateway_worker.whatsapp.convert.people import People

_INFO: Final = 1
_CONTENT: Final = Said.unsupported(UNREADABLE, is_partial=True)
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT: Final = 10

Parse = Callable[[bytes], Any]


def salvaged(payload: bytes, *, parse: Parse, offline: bool, people: People) -> Arrival | None:
    """Return what can be told of a message's event; None if it is not for backends.

    Args:
        payload: The event as the library wrote it, perhaps cut.
        parse: Reads an event, or raises.
        offline: Whether it had waited at WhatsApp.
        people: Who is who.
    """
    try:
        event = parse(next(field for number, field in _fields(payload) if number == _INFO))
        return told(event, _CONTENT, offline=offline, people=people)
    except Exception:  # noqa: BLE001 - a stranger's bytes: nothing of it can be relied on
        return unreadable(payload)


def _fields(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes, tag included, of each whole field that is in front."""
    at = 0
    while at < len(payload):
        start = at
        tag, at = _varint(payload, at)
        kind = tag & 7
        if kind == _VARINT:
            _, at = _varint(payload, at)
        elif kind == _BYTES:
            length, at = _varint(payload, at)
            at += length
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        else:
            return
        if at > len(payload):
            return
        yield tag >> 3, payload[start:at]


def _varint(payload: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(payload[at : at + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value, at + place + 1
    raise ValueError("no number")
