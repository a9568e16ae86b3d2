"""Frames as bytes: a header of version and length, then the frame as one JSON object.

JSON and nothing that runs code: a host handles what strangers send, so its worker must be able to
read anything it writes. Every field is checked against its declared type.
"""

import struct
from collections.abc import Iterator
from typing import Final, Generic, TypeVar

import msgspec

from gateway_worker.host_protocol.wire import Frame

VERSION: Final = 6
"""Of all of it. A fork server that starts after an installation was replaced is another one."""
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
HEADER: Final = struct.Struct("!BI")

F = TypeVar("F")


class WireError(Exception):
    """Bytes that are no frame, or a frame that cannot be written."""


class FrameTooLargeError(WireError):
    """A frame has more than `MAX_BODY_BYTES`."""


def encode(frame: Frame) -> bytes:
    """Return a frame's bytes.

    Raises:
        FrameTooLargeError: It is longer than `MAX_BODY_BYTES`.
        WireError: Its text is no valid Unicode.
    """
    try:
        body = _ENCODER.encode(frame)
    except (ValueError, OverflowError) as error:
        reason = type(error).__name__  # its text may be private
        raise WireError(f"{type(frame).__name__} cannot be written: {reason}") from None
    if len(body) > MAX_BODY_BYTES:
        detail = f"{type(frame).__name__} has {len(body)} bytes, too many for one frame"
        raise FrameTooLargeError(detail)
    return HEADER.pack(VERSION, len(body)) + body


class FrameDecoder(Generic[F]):
    """Cuts a stream of bytes into frames.

    Args:
        decoder: Reads the frames of this direction, and no others.
    """

    __slots__ = ("_buffer", "_decoder")

    def __init__(self, decoder: msgspec.json.Decoder[F]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[F]:
        """Take bytes and yield the frames that are complete; each `feed` must be used up.

        Raises:
            WireError: The stream is broken; nothing after this can be read.
        """
        self._buffer += data
        while len(self._buffer) >= HEADER.size:
            version, length = HEADER.unpack_from(self._buffer)
            _check_header(version, length)
            end = HEADER.size + length
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[HEADER.size : end])
            del self._buffer[:end]
            yield self._decode(body)

    def _decode(self, body: bytes) -> F:
        try:
            return self._decoder.decode(body)
        except (ValueError, RecursionError) as error:  # msgspec's errors are ValueErrors
            # The values themselves may be private, so only the kind of the error is told.
            raise WireError(f"no frame: {type(error).__name__}") from None


def _check_header(version: int, length: int) -> None:
    if version != VERSION:
        raise WireError(f"version {version} is not {VERSION}: the other side is another release")
    if length > MAX_BODY_BYTES:
        raise WireError(f"{length} bytes are too many for one frame")


_ENCODER: Final = msgspec.json.Encoder()
