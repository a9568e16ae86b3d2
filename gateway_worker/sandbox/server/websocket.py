"""Websockets over a secured transport: just what the service needs, without a task per message.

The protocol calls back synchronously for every message, and gathers what is sent within one turn
of the event loop into one write; a relay of thousands of small frames lives on that.

A peer that takes nothing is not written to without end: the socket says that it is full. It is
still read, for clients read nothing themselves while they wait until they may write.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable

PATH: Final = "/ws/chat"
MAX_HEAD_BYTES: Final = 16384
MAX_MESSAGE_BYTES: Final = 1 << 24
MAX_BATCH_BYTES: Final = 1 << 18
"""What may be gathered for one write before the socket counts as full."""

_HEAD_END: Final = b"\r\n\r\n"
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_FIN: Final = 0x80
_MASKED: Final = 0x80
_CONTINUATION: Final = 0x0
_BINARY: Final = 0x2
_CLOSE: Final = 0x8
_PING: Final = 0x9
_PONG: Final = 0xA
_CONTROL: Final = 0x8
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_NORMAL_CLOSURE: Final = b"\x03\xe8"


class Socket(Protocol):
    """What a connection may do to its websocket."""

    @property
    def is_full(self) -> bool:
        """Whether what can wait should wait until `Endpoint.on_room`."""

    @property
    def unsent_bytes(self) -> int:
        """What was sent and has not left the process."""

    def send(self, payload: bytes) -> None:
        """Send one binary message."""

    def close(self) -> None:
        """Say goodbye and close once everything is written."""

    def abort(self) -> None:
        """Cut the connection; what is not written yet is lost."""


class Endpoint(Protocol):
    """Who sits on the websocket."""

    def on_message(self, payload: bytes) -> None:
        """Take one message. Must return at once; an error closes the socket."""

    def on_room(self) -> None:
        """The socket was full and is so no more. Must return at once."""

    def on_close(self) -> None:
        """The socket is gone. Called exactly once."""


class ProtocolError(Exception):
    """The peer broke the websocket protocol."""


class WebSocketServer(asyncio.Protocol):
    """One client: the HTTP upgrade, then messages."""

    def __init__(self, *, accept: Callable[[Socket], Endpoint]) -> None:
        """Prepare.

        Args:
            accept: called once the upgrade is done; gets the socket and gives who sits on it.
        """
        self._accept = accept
        self._endpoint: Endpoint | None = None
        self._transport: asyncio.Transport | None = None
        self._input = bytearray()
        self._fragments = bytearray()
        self._output: list[bytes] = []
        self._output_bytes = 0
        self._paused = False
        self._closing = False

    @property
    def is_full(self) -> bool:
        """See `Socket`."""
        return self._paused or self._output_bytes > MAX_BATCH_BYTES

    @property
    def unsent_bytes(self) -> int:
        """See `Socket`."""
        transport = self._transport
        return self._output_bytes + (transport.get_write_buffer_size() if transport else 0)

    def pause_writing(self) -> None:
        """The peer takes less than it is sent."""
        self._paused = True

    def resume_writing(self) -> None:
        """The peer has taken most of it."""
        self._paused = False
        self._tell_of_room()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport and look at what came before it."""
        self._transport = cast("asyncio.Transport", transport)
        self._process()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the endpoint."""
        del exc
        self._transport = None
        endpoint, self._endpoint = self._endpoint, None
        if endpoint is not None:
            endpoint.on_close()

    def data_received(self, data: bytes) -> None:
        """Take bytes; messages are handed on at once and in order."""
        self._input += data
        # The first bytes can be here before whoever secured the transport hands it over.
        if self._transport is not None:
            self._process()

    def _process(self) -> None:
        try:
            if self._endpoint is None and not self._upgrade():
                return
            self._read_frames()
        except ProtocolError:
            self.abort()

    def send(self, payload: bytes) -> None:
        """Send one binary message."""
        self._send_frame(_BINARY, payload)

    def close(self) -> None:
        """Say goodbye and close once everything is written."""
        if self._closing:
            return
        self._send_frame(_CLOSE, _NORMAL_CLOSURE)
        self._closing = True

    def abort(self) -> None:
        """Cut the connection; what is not written yet is lost."""
        self._closing = True
        self._forget_output()
        if self._transport is not None:
            self._transport.abort()

    def _upgrade(self) -> bool:
        head, found, rest = bytes(self._input).partition(_HEAD_END)
        if not found:
            if len(self._input) > MAX_HEAD_BYTES:
                raise ProtocolError("request head is too large")
            return False
        assert self._transport is not None
        answer = _answer(head.decode("latin-1"))
        if answer is None:
            self._transport.write(
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            )
            self._transport.close()
            return False
        self._input = bytearray(rest)
        self._transport.write(answer)
        self._endpoint = self._accept(self)
        return True

    def _read_frames(self) -> None:
        data = self._input
        at = 0
        while (frame := _next_frame(data, at)) is not None:
            first, payload, at = frame
            self._on_frame(first, payload)
            if self._closing:
                break
        del data[:at]

    def _on_frame(self, first: int, payload: bytes) -> None:
        opcode = first & 0x0F
        if opcode & _CONTROL:
            self._on_control(opcode, payload)
            return
        if opcode != _BINARY and not (opcode == _CONTINUATION):
            raise ProtocolError("only binary messages are spoken here")
        if first & _FIN and not self._fragments:
            message = payload
        else:
            self._fragments += payload
            if len(self._fragments) > MAX_MESSAGE_BYTES:
                raise ProtocolError("message is too large")
            if not first & _FIN:
                return
            message = bytes(self._fragments)
            self._fragments.clear()
        if self._endpoint is not None:
            self._endpoint.on_message(message)

    def _on_control(self, opcode: int, payload: bytes) -> None:
        if opcode == _PING:
            self._send_frame(_PONG, payload)
        elif opcode == _CLOSE:
            self.close()

    def _send_frame(self, opcode: int, payload: bytes) -> None:
        if self._closing or self._transport is None:
            return
        size = len(payload)
        if size < _LENGTH_16:
            head = bytes((_FIN | opcode, size))
        elif size < 1 << 16:
            head = bytes((_FIN | opcode, _LENGTH_16)) + size.to_bytes(2, "big")
        else:
            head = bytes((_FIN | opcode, _LENGTH_64)) + size.to_bytes(8, "big")
        if not self._output:
            asyncio.get_running_loop().call_soon(self._flush)
        frame = head + payload
        self._output.append(frame)
        self._output_bytes += len(frame)

    def _flush(self) -> None:
        if self._transport is None:
            return
        was_full = self._output_bytes > MAX_BATCH_BYTES
        if self._output:
            data = b"".join(self._output)
            self._forget_output()
            self._transport.write(data)
        if self._closing:
            self._transport.close()
        elif was_full:
            self._tell_of_room()

    def _forget_output(self) -> None:
        self._output.clear()
        self._output_bytes = 0

    def _tell_of_room(self) -> None:
        if self._endpoint is not None and not self.is_full and not self._closing:
            self._endpoint.on_room()


def _next_frame(data: bytearray, at: int) -> tuple[int, bytes, int] | None:
    """The frame at an offset as (first byte, unmasked payload, offset after it)."""
    if len(data) < at + 2:
        return None
    first, second = data[at], data[at + 1]
    if not second & _MASKED:
        raise ProtocolError("client frames must be masked")
    size = second & 0x7F
    body = at + 2
    if size >= _LENGTH_16:
        width = 2 if size == _LENGTH_16 else 8
        if len(data) < body + width:
            return None
        size = int.from_bytes(data[body : body + width], "big")
        body += width
    if size > MAX_MESSAGE_BYTES:
        raise ProtocolError("frame is too large")
    end = body + 4 + size
    if len(data) < end:
        return None
    return first, _unmask(data[body : body + 4], data[body + 4 : end]), end


def _unmask(mask: bytearray, payload: bytearray) -> bytes:
    size = len(payload)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "little")
    return (int.from_bytes(payload, "little") ^ key).to_bytes(size, "little")


def _answer(head: str) -> bytes | None:
    """The switching answer to a request's head, or `None` when it asks for something else."""
    request, *lines = head.split("\r\n")
    method, _, rest = request.partition(" ")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines)
    }
    key = headers.get("sec-websocket-key")
    path = rest.partition(" ")[0].partition("?")[0]
    if method != "GET" or path != PATH or headers.get("upgrade", "").lower() != "websocket":
        return None
    if key is None:
        return None
    digest = hashlib.sha1(key.encode("latin-1") + _MAGIC, usedforsecurity=False).digest()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        b"sec-websocket-accept: " + base64.b64encode(digest) + b"\r\n\r\n"
    )
