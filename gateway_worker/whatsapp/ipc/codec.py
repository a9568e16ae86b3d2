"""Frames as bytes: a header of version, kind and length, then the fields as one JSON object.

JSON and nothing that runs code: a host handles what strangers send, so its worker must be able to
read anything it writes. Every field is checked against its declared type.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

import orjson

from gateway_worker.whatsapp.ipc import frames
from gateway_worker.whatsapp.ipc.frames import Frame

VERSION: Final = 1
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
HEADER: Final = struct.Struct("!BBI")

KINDS: Final[tuple[type[Any], ...]] = (
    frames.Start,
    frames.SendText,
    frames.Cancel,
    frames.Logout,
    frames.Stop,
    frames.Ack,
    frames.QrCode,
    frames.PairCode,
    frames.Linked,
    frames.PairingFailed,
    frames.Up,
    frames.Down,
    frames.Ended,
    frames.Message,
    frames.Receipt,
    frames.Sent,
    frames.Done,
    frames.Failed,
    frames.Notice,
    frames.Ready,
    frames.Fork,
    frames.Forked,
    frames.NotForked,
    frames.Reaped,
    frames.Lease,
    frames.Undecryptable,
    frames.AskChats,
    frames.Chats,
    frames.Measure,
    frames.Measured,
)
"""A frame's kind on the wire is its place in here, so a change of order is a new `VERSION`."""


class WireError(Exception):
    """Bytes that are no frame, or a frame that cannot be written."""


Check = Callable[[Any], Any]
Checks = dict[str, Check]


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes.

    Raises:
        WireError: Its text is no valid Unicode, or it is longer than `MAX_BODY_BYTES`.
    """
    try:
        body = orjson.dumps(frame)
    except orjson.JSONEncodeError as error:
        raise WireError(f"{type(frame).__name__} cannot be written: {error}") from None
    if len(body) > MAX_BODY_BYTES:
        raise WireError(f"{type(frame).__name__} has {len(body)} bytes, too many for one frame")
    return HEADER.pack(VERSION, _NUMBERS[type(frame)], len(body)) + body


class FrameDecoder:
    """Cuts a stream of bytes into frames."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take bytes and yield the frames that are complete; each `feed` must be used up.

        Raises:
            WireError: The stream is broken; nothing after this can be read.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            version, kind, length = HEADER.unpack_from(self._buffer)
            _check_header(version, kind, length)
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield _decode(kind, body)


def _check_header(version: int, kind: int, length: int) -> None:
    if version != VERSION:
        raise WireError(f"version {version} is not {VERSION}: the other side is another release")
    if kind >= len(KINDS):
        raise WireError(f"there is no kind {kind}")
    if length > MAX_BODY_BYTES:
        raise WireError(f"{length} bytes are too many for one frame")


def _decode(kind: int, body: bytes) -> Frame:
    cls = KINDS[kind]
    try:
        frame: Frame = _build(cls, orjson.loads(body))
    except (ValueError, TypeError, KeyError) as error:  # orjson's error is a ValueError
        # The values themselves may be private, so only the kind of the error is told.
        raise WireError(f"no {cls.__name__}: {type(error).__name__}") from None
    return frame


def _build(cls: type[Any], values: Any) -> Any:
    checks = _CHECKS[cls]
    if not isinstance(values, dict) or len(values) != len(checks):
        raise TypeError
    return cls(**{name: check(values[name]) for name, check in checks.items()})


def _exactly(wanted: type[Any]) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not wanted:
            raise TypeError
        return value

    return check


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError
    return float(value)


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) is not list or any(type(item) is not str for item in value):
        raise TypeError
    return tuple(value)


def _numbers(value: Any) -> tuple[int, ...]:
    if type(value) is not list or any(type(item) is not int for item in value):
        raise TypeError
    return tuple(value)


def _person(value: Any) -> Any:
    return _build(frames.Person, value)


def _or_none(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _check_for(hint: Any) -> Check:
    if isinstance(hint, UnionType):
        (inner,) = (part for part in get_args(hint) if part is not NoneType)
        return _or_none(_check_for(inner))
    if get_origin(hint) is tuple:
        return _texts if get_args(hint)[0] is str else _numbers
    if hint is frames.Person:
        return _person
    return _number if hint is float else _exactly(hint)


def _checks_of(cls: type[Any]) -> Checks:
    hints = get_type_hints(cls)
    return {field.name: _check_for(hints[field.name]) for field in fields(cls)}


_NUMBERS: Final = {cls: number for number, cls in enumerate(KINDS)}
_CHECKS: Final = {cls: _checks_of(cls) for cls in (*KINDS, frames.Person)}
