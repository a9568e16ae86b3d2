"""The worker's end of a connection: an asyncio protocol."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import msgspec

from gateway_worker.host_protocol.envelope import FromHost, ToHost
from gateway_worker.host_protocol.framing import FrameDecoder, WireError, encode

_DECODER: Final[msgspec.json.Decoder[FromHost]] = msgspec.json.Decoder(FromHost)


class FrameProtocol(asyncio.Protocol):
    """Frames over a connected stream socket.

    Args:
        on_frame: Called with each frame as soon as it is complete; must be quick.
        on_closed: Called once when nothing more will come, with the error if there was one.

    Attributes:
        received_bytes: How much has come.
    """

    def __init__(
        self,
        *,
        on_frame: Callable[[FromHost], None],
        on_closed: Callable[[Exception | None], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._decoder = FrameDecoder(_DECODER)
        self._transport: asyncio.Transport | None = None
        self._error: Exception | None = None
        self.received_bytes = 0

    def send(self, frame: ToHost) -> None:
        """Queue a frame; dropped silently when the connection is gone.

        Raises:
            WireError: It cannot be written.
        """
        data = encode(frame)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """Read nothing more until `resume`: the other end has to wait. Idempotent."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on. Idempotent."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close the connection; `on_closed` follows."""
        if self._transport is not None:
            self._transport.close()

    # Called by the event loop.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's has another base class

    def data_received(self, data: bytes) -> None:
        """Hand on what is complete; a stream that is broken is closed."""
        self.received_bytes += len(data)
        try:
            for frame in self._decoder.feed(data):
                self._on_frame(frame)
        except WireError as error:
            self._error = error
            assert self._transport is not None
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it is over."""
        self._transport = None
        self._on_closed(self._error or exc)
