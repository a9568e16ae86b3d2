"""The host's end of a connection: blocking, for several threads that send and one that receives."""

import socket
import threading
from collections.abc import Iterator

from gateway_worker.whatsapp.ipc.codec import FrameDecoder, encode
from gateway_worker.whatsapp.ipc.frames import Frame

RECEIVE_BYTES = 64 * 1024


class BlockingChannel:
    """Frames over a connected stream socket.

    The worker reads at all times, whatever its sessions do, so a send blocks only while it is
    busy for a moment.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._decoder = FrameDecoder()
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """Return the descriptor, to wait for readability."""
        return self._socket.fileno()

    def send(self, frame: Frame) -> None:
        """Send a frame whole; safe from every thread.

        Raises:
            WireError: It cannot be written.
            OSError: The other end is gone.
        """
        data = encode(frame)
        with self._sending:
            self._socket.sendall(data)

    def receive(self) -> Iterator[Frame]:
        """Wait for bytes and yield the frames that they complete, perhaps none.

        Raises:
            ConnectionError: The other end is gone.
            WireError: What came is no frame.
        """
        data = self._socket.recv(RECEIVE_BYTES)
        if not data:
            raise ConnectionResetError("the other end has closed the connection")
        yield from self._decoder.feed(data)
