"""Frames as bytes: a header of version, kind and length, then the fields as one JSON object.

JSON and nothing that runs code: a host handles what strangers send, so its worker must be able to
read anything it writes. Every field is checked against its declared type.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway_worker.whatsapp.ipc import frames
from gateway_worker.whatsapp.ipc.frames import Frame

VERSION: Final = 2
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
HEADER: Final = struct.Struct("!BBI")

KINDS: Final[tuple[type[Any], ...]] = (
    frames.Start,
    frames.Request,
    frames.Cancel,
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
    frames.Response,
    frames.Failed,
    frames.Notice,
    frames.Ready,
    frames.Fork,
    frames.Forked,
    frames.NotForked,
    frames.Reaped,
    frames.Lease,
    frames.Undecryptable,
    frames.Measure,
    frames.Measured,
)
"""A frame's kind on the wire is its place in here, so a change of order is a new `VERSION`."""


class WireError(Exception):
    """Bytes that are no frame, or a frame that cannot be written."""


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes.

    Raises:
        WireError: Its text is no valid Unicode, or it is longer than `MAX_BODY_BYTES`.
    """
    try:
        body = _ENCODER.encode(frame)
    except (ValueError, OverflowError) as error:
        reason = type(error).__name__  # its text may be private
        raise WireError(f"{type(frame).__name__} cannot be written: {reason}") from None
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
    try:
        frame: Frame = _DECODERS[kind].decode(body)
    except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
        # The values themselves may be private, so only the kind of the error is told.
        raise WireError(f"no {KINDS[kind].__name__}: {type(error).__name__}") from None
    return frame


_ENCODER: Final = msgspec.json.Encoder()
_DECODERS: Final = tuple(msgspec.json.Decoder(cls) for cls in KINDS)
_NUMBERS: Final = {cls: number for number, cls in enumerate(KINDS)}
