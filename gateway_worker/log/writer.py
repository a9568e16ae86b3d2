"""Writes lines to a sink in a thread of its own: nobody who logs waits for a pipe or a disk.

A sink that does not take what it is given (a pipe that nobody reads, a disk that hangs or is full,
a reader that has gone) costs lines, never time. They are counted, and the sink is told how many are
missing as soon as it takes anything again.
"""

import select
import threading
import time
from collections import deque
from collections.abc import Callable
from os import write as write_some
from typing import Final, Protocol

LIMIT_BYTES: Final = 4 * 1024 * 1024
"""What may wait for one sink; some ten thousand lines."""
PAUSE_SECONDS: Final = 0.05
"""Between two writes: what is logged meanwhile shares the next one, and wakes nobody."""
_BATCH_BYTES: Final = 64 * 1024
_PIPE_BYTES: Final = 4096
"""A pipe that polls as writable takes at least so much at once (PIPE_BUF)."""


class Sink(Protocol):
    """Where lines end; only the writer's thread calls it, and it may take as long as it likes."""

    def write(self, data: bytes) -> int:
        """Write whole lines; returns how many bytes it took. Raises `OSError` if it took none."""
        ...

    def close(self) -> None:
        """Nothing more will be written."""
        ...


class Descriptor:
    """An open file, pipe or terminal, written to behind Python's back.

    Python's own buffered streams cannot be used from a thread that may be stuck in a write: at its
    end the interpreter waits for them, or aborts.

    Args:
        descriptor: Stays open and is somebody else's.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes) -> int:
        """Write all of it, or what comes before an error."""
        written = 0
        while written < len(data):
            try:
                written += write_some(self._descriptor, data[written:])
            except BlockingIOError:  # whoever shares it has made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll()
            except OSError:
                if not written:
                    raise
                break
        return written

    def close(self) -> None:
        """Leave it open."""


class LineWriter:
    """A bounded queue of lines and the thread that empties it.

    Args:
        name: Of the sink, for the thread and the notice.
        sink: Where the lines go.
        notice: Makes the line that says how many are missing.
        limit_bytes: How much may wait; what comes beyond is dropped.
    """

    def __init__(
        self,
        *,
        name: str,
        sink: Sink,
        notice: Callable[[int], str],
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._name = name
        self._sink = sink
        self._notice = notice
        self._limit_bytes = limit_bytes
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._writing = False
        self._dropped = 0
        self._unsaid = 0
        self._closed = False
        self._flushing = 0
        self._thread: threading.Thread | None = None

    @property
    def dropped(self) -> int:
        """How many lines were lost so far."""
        return self._dropped

    def submit(self, line: str) -> None:
        """Queue a line, or count it as lost. Never blocks, never raises."""
        data = line.encode(errors="backslashreplace") + b"\n"
        with self._changed:
            if self._closed or self._bytes + len(data) > self._limit_bytes:
                self._lose(1)
                return
            self._lines.append(data)
            self._bytes += len(data)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"log:{self._name}", daemon=True
                )
                self._thread.start()
            elif not self._writing:
                self._changed.notify()

    def flush(self, seconds: float) -> bool:
        """Wait until everything is written, for so long at most; returns whether it is."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(
                    lambda: not self._lines and not self._writing, timeout=max(0.0, seconds)
                )
            finally:
                self._flushing -= 1

    def close(self, seconds: float) -> None:
        """Take no more lines, and let the thread end when it has written those that there are.

        Args:
            seconds: How long to wait for that.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self.flush(seconds)

    def _is_hurried(self) -> bool:
        return self._flushing > 0 or self._closed

    def _lose(self, lines: int) -> None:
        self._dropped += lines
        self._unsaid += lines

    def _run(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closed)
                if not self._lines:
                    break
                self._writing = True
                batch = self._next_batch()
                unsaid = self._unsaid
            self._write(batch, unsaid)
            with self._changed:
                self._changed.wait_for(self._is_hurried, timeout=PAUSE_SECONDS)
        self._sink.close()

    def _next_batch(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        while self._lines and (not batch or size + len(self._lines[0]) <= _BATCH_BYTES):
            line = self._lines.popleft()
            batch.append(line)
            size += len(line)
        self._bytes -= size
        return batch

    def _write(self, batch: list[bytes], unsaid: int) -> None:
        lines = batch
        if unsaid:
            lines = [self._notice(unsaid).encode() + b"\n", *batch]
        try:
            written = self._sink.write(b"".join(lines))
        except OSError:
            written = 0
        taken = _whole_lines(lines, written)
        with self._changed:
            if unsaid and taken:
                self._unsaid -= unsaid
                taken -= 1
            self._lose(len(batch) - taken)


def write_within(descriptor: int, text: str, *, seconds: float) -> bool:
    """Write a text to a descriptor that may not take it; returns whether it did, in that time.

    For the last words of a process: a pipe that nobody reads must not keep it from leaving.
    """
    data, end = text.encode(errors="backslashreplace"), time.monotonic() + seconds
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    try:
        while data:
            left = end - time.monotonic()
            if left <= 0 or not poll.poll(left * 1000):
                return False
            try:
                data = data[write_some(descriptor, data[:_PIPE_BYTES]) :]
            except BlockingIOError:
                continue
    except OSError:
        return False
    return True


def _whole_lines(lines: list[bytes], written: int) -> int:
    """Return how many of the lines are in the first so many bytes."""
    whole = 0
    for line in lines:
        written -= len(line)
        if written < 0:
            break
        whole += 1
    return whole
