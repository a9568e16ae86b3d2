"""The host's end of a connection: blocking, for several threads that send and one that receives."""

import socket
import threading
from collections.abc import Iterator
from typing import Final

import msgspec

from gateway_worker.host_protocol.envelope import FromHost, ToHost
from gateway_worker.host_protocol.framing import FrameDecoder, encode

RECEIVE_BYTES = 64 * 1024
_DECODER: Final[msgspec.json.Decoder[ToHost]] = msgspec.json.Decoder(ToHost)


class BlockingChannel:
    """Frames over a connected stream socket.

    The worker reads at all times, whatever its sessions do, so a send blocks only while it is
    busy for a moment.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._decoder = FrameDecoder(_DECODER)
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, to wait for readability."""
        return self._socket.fileno()

    def send(self, frame: FromHost) -> None:
        """Send a frame whole; safe from every thread.

        Raises:
            WireError: It cannot be written.
            OSError: The other end is gone.
        """
        data = encode(frame)
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Iterator[ToHost]:
        """Wait for bytes and yield the frames that they complete, perhaps none.

        Raises:
            ConnectionError: The other end is gone.
            WireError: What came is no frame.
        """
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the other end has closed the connection")
        yield from self._decoder.feed(data)
