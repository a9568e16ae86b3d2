"""Both ends of a connection, on a real socket pair."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest

from gateway_worker.host_protocol.envelope import Ack, FromHost, Measured, ToHost
from gateway_worker.host_protocol.framing import HEADER, VERSION, WireError, encode
from gateway_worker.whatsapp.ipc.blocking import BlockingChannel
from gateway_worker.whatsapp.ipc.streaming import FrameProtocol


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return two connected sockets."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Worker:
    """The worker's end, with what came and how it ended."""

    def __init__(self) -> None:
        self.frames: list[FromHost] = []
        self.closed: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.protocol = FrameProtocol(on_frame=self.frames.append, on_closed=self.closed.set_result)

    async def connect(self, sock: socket.socket) -> None:
        """Take over a socket."""
        sock.settimeout(0)
        await asyncio.get_running_loop().create_unix_connection(lambda: self.protocol, sock=sock)


def drain(channel: BlockingChannel, count: int) -> list[ToHost]:
    """Receive so many frames."""
    received: list[ToHost] = []
    while len(received) < count:
        received += channel.receive()
    return received


def answer(channel: BlockingChannel, count: int) -> None:
    """Send so many frames."""
    for number in range(count):
        channel.send(Measured(pss_bytes=number))


async def test_frames_go_both_ways(pair: tuple[socket.socket, socket.socket]) -> None:
    """In order, whole."""
    ours, theirs = pair
    worker, host = Worker(), BlockingChannel(theirs)
    await worker.connect(ours)

    for number in range(500):
        worker.protocol.send(Ack(record=number))
    received = await asyncio.to_thread(drain, host, 500)
    await asyncio.to_thread(answer, host, 500)
    theirs.close()
    await worker.closed

    assert received == [Ack(record=number) for number in range(500)]
    assert worker.frames == [Measured(pss_bytes=number) for number in range(500)]
    assert worker.closed.result() is None


async def test_several_threads_may_send(pair: tuple[socket.socket, socket.socket]) -> None:
    """Frames of different threads are never mixed up, even when the buffer is full."""
    ours, theirs = pair
    worker, host = Worker(), BlockingChannel(theirs)
    await worker.connect(ours)

    def send(thread: int) -> None:
        for number in range(2_000):
            host.send(Measured(pss_bytes=thread * 10_000 + number))

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    theirs.close()
    await worker.closed

    numbers = [frame.pss_bytes for frame in worker.frames if isinstance(frame, Measured)]
    for thread_number in range(4):
        own = [number for number in numbers if number // 10_000 == thread_number]
        assert own == [thread_number * 10_000 + number for number in range(2_000)]


async def test_a_broken_stream_ends_the_connection(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """What came before is kept, the reason is told, and nothing after it is read."""
    ours, theirs = pair
    worker = Worker()
    await worker.connect(ours)

    theirs.sendall(encode(Measured(pss_bytes=1)) + HEADER.pack(VERSION + 1, 0))

    assert isinstance(await worker.closed, WireError)
    assert worker.frames == [Measured(pss_bytes=1)]


async def test_sending_into_a_closed_connection_is_silent(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The end is told once, by `on_closed`."""
    ours, theirs = pair
    worker = Worker()
    await worker.connect(ours)
    theirs.close()
    await worker.closed

    worker.protocol.send(Ack(record=1))
    worker.protocol.close()


def test_a_host_notices_that_its_worker_is_gone(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    """The end of the stream is an error, because a host has no reason to go on."""
    ours, theirs = pair
    ours.close()

    with pytest.raises(ConnectionError):
        list(BlockingChannel(theirs).receive())


def test_a_host_refuses_what_is_no_frame(pair: tuple[socket.socket, socket.socket]) -> None:
    """As the worker does."""
    ours, theirs = pair
    ours.sendall(b"GET / HTTP/1.1\r\n")

    with pytest.raises(WireError):
        list(BlockingChannel(theirs).receive())
