"""Events of the library that the worker has not committed yet, on disk.

The callback appends and returns. Records are numbered from 1 without gaps; they are read in order
and forgotten when acknowledged. A record that was appended survives the death of the process, and
with `sync`, some milliseconds later, that of the machine. Nobody waits for that: the library
confirms a message to WhatsApp whether the callback returns or not, so to wait would only let
confirmed ones pile up in its memory, where the death of the process takes them.

On disk: files `spool-<number of the first record>` of records, the last of them open for appending,
and `spool.ack` with the highest acknowledged number; `host_protocol.spool_format` has their form.
A file goes when all of it is acknowledged. A record that was being written when the process died
fails its checksum and is cut off, with whatever follows it.
"""

import os
import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from gateway_worker.host_protocol.layout import SPOOL_ACK_NAME, SPOOL_DIGITS, SPOOL_PREFIX
from gateway_worker.host_protocol.spool_format import (
    ACK,
    HEADER,
    Record,
    ack_of,
    acknowledged_in,
    header_of,
    payload_bytes,
    record_of,
)
from gateway_worker.whatsapp.host.kernel import force_to_disk

RETRY_SECONDS: Final = 0.5
FORCE_PAUSE_SECONDS: Final = 0.005
"""Between two waits for the disk: what comes meanwhile shares the next one."""
FORCED_SEGMENTS: Final = 2
"""The file being written, and the one before it, whose end may have been written since."""


class SpoolClosedError(Exception):
    """The host is leaving; nothing can be appended any more."""


class _Segment:
    """One file of records."""

    __slots__ = ("descriptor", "first", "last", "path", "size")

    def __init__(self, *, path: Path, first: int, descriptor: int) -> None:
        self.path = path
        self.first = first
        self.last = first - 1
        self.size = 0
        self.descriptor = descriptor

    def read(self, offset: int) -> tuple[Record, int] | None:
        """Return the record at an offset and the offset after it; None if there is no whole one."""
        header = os.pread(self.descriptor, HEADER.size, offset)
        length = payload_bytes(header)
        if length is None:
            return None
        record = record_of(header, os.pread(self.descriptor, length, offset + HEADER.size))
        return None if record is None else (record, offset + HEADER.size + length)

    def scan(self) -> int:
        """Find the last whole record, cut off what follows, and return how many bytes that was."""
        while (found := self.read(self.size)) is not None and found[0].number == self.last + 1:
            self.last, self.size = self.last + 1, found[1]
        lost = os.fstat(self.descriptor).st_size - self.size
        if lost:
            os.ftruncate(self.descriptor, self.size)
        return lost

    def remove(self) -> None:
        """Delete the file."""
        os.close(self.descriptor)
        self.path.unlink(missing_ok=True)


class Spool:
    """A bounded queue on disk: many threads append, one thread reads.

    Attributes:
        damaged_bytes: What had to be cut off when it was opened.
        stalled: How often an append had to wait, for room or for a disk that refused.
    """

    def __init__(
        self,
        *,
        directory: Path,
        limit_bytes: int,
        segment_bytes: int,
        sync: bool,
        beside: Path | None = None,
    ) -> None:
        self._directory = directory
        self._limit = limit_bytes
        self._segment_bytes = segment_bytes
        self._sync = sync
        self._beside = beside
        self._segments: deque[_Segment] = deque()
        self._bytes = 0
        self._ack_file = -1
        self._acknowledged = 0
        self._appended = 0
        self._read = 0
        self._reading: _Segment | None = None
        self._offset = 0
        self._closed = False
        self._limitless = False
        self._unforced = threading.Event()
        self._new_file = False
        self._changed = threading.Condition()
        self.damaged_bytes = 0
        self.stalled = 0

    @classmethod
    def open(
        cls,
        *,
        directory: Path,
        limit_bytes: int,
        segment_bytes: int,
        sync: bool,
        beside: Path | None = None,
    ) -> Self:
        """Open a directory's spool; reading begins at the first record not acknowledged.

        Args:
            directory: The session's directory.
            limit_bytes: Above this, appending waits.
            segment_bytes: The size of one file.
            sync: Whether what is appended is forced to the disk.
            beside: Another file that is forced along, if it is there.

        Raises:
            OSError: The files cannot be used.
        """
        spool = cls(
            directory=directory,
            limit_bytes=limit_bytes,
            segment_bytes=segment_bytes,
            sync=sync,
            beside=beside,
        )
        spool._recover()
        if sync:
            threading.Thread(target=spool._force, name="spool", daemon=True).start()
        return spool

    @property
    def pending(self) -> int:
        """How many records are not acknowledged."""
        return self._appended - self._acknowledged

    @property
    def acknowledged(self) -> int:
        """The highest number that was acknowledged."""
        return self._acknowledged

    def append(self, code: int, flags: int, payload: bytes, *, force: bool = True) -> int:
        """Store an event and return its number; waits while there is no room.

        A disk that refuses is tried again until it takes the record: not to return is the only
        way to tell the library, and through it WhatsApp, to hold what comes next.

        Args:
            code: The event's number.
            flags: What else is to be known of it.
            payload: The event.
            force: Have it forced to the disk soon (where the spool was opened with `sync`).

        Raises:
            SpoolClosedError: The spool was closed, perhaps while waiting.
        """
        with self._changed:
            while True:
                if self._closed:
                    raise SpoolClosedError
                if self._limitless or self._bytes <= self._limit:
                    try:
                        return self._write(code, flags, payload, force=force)
                    except OSError:
                        self._undo()
                self.stalled += 1
                self._changed.wait(RETRY_SECONDS)

    def lift_limit(self) -> None:
        """Take whatever comes: the host leaves, and what is told now is told once."""
        with self._changed:
            self._limitless = True
            self._changed.notify_all()

    def force_soon(self) -> None:
        """Have what there is forced to the disk, where the spool was opened with `sync`."""
        self._unforced.set()

    def read(self) -> Record | None:
        """Return the next record that was not read yet, or None; for the thread that acknowledges.

        Not under the lock: the library's thread must not wait for a file that is read.
        """
        while (segment := self._next_to_read()) is not None:
            if segment is not self._reading:
                self._reading, self._offset = segment, 0
            found = segment.read(self._offset)
            if found is None:  # damaged since it was opened; the rest of the file is lost
                with self._changed:
                    self.damaged_bytes += segment.size - self._offset
                    self._read = segment.last
                    self._offset = segment.size
                continue
            record, self._offset = found
            self._read = record.number
            if record.number > self._acknowledged:
                return record
        return None

    def acknowledge(self, number: int) -> None:
        """Forget the records up to and including a number; for the thread that reads."""
        with self._changed:
            number = min(number, self._appended)
            if number <= self._acknowledged:
                return
            self._acknowledged = number
        # Neither forced to the disk nor tried again: after a power cut, or if the disk is full when
        # the host is killed, some records come twice.
        with suppress(OSError):
            os.pwrite(self._ack_file, ack_of(number), 0)
        gone: list[_Segment] = []
        with self._changed:
            active = self._segments[-1]
            full = active.size >= min(self._segment_bytes, self._limit)
            if full and active.last <= number:
                with suppress(OSError):  # no room on the disk: it stays until the next time
                    self._begin_segment()
            while len(self._segments) > 1 and self._segments[0].last <= number:
                gone.append(self._segments.popleft())
                self._bytes -= gone[-1].size
            self._changed.notify_all()
        for segment in gone:  # the disk may take its time, for which no append has to wait
            segment.remove()

    def close(self) -> None:
        """Refuse what comes from now on; waiting appends end. Idempotent."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._unforced.set()
            for segment in self._segments:
                os.close(segment.descriptor)
            os.close(self._ack_file)
            self._changed.notify_all()

    def _next_to_read(self) -> _Segment | None:
        with self._changed:
            if self._read >= self._appended:
                return None
            return next(one for one in self._segments if one.last > self._read)

    # Inside; the lock is held.

    def _recover(self) -> None:
        self._ack_file = _open(self._directory / SPOOL_ACK_NAME)
        self._acknowledged = acknowledged_in(os.pread(self._ack_file, ACK.size, 0))
        for path in sorted(self._directory.glob(f"{SPOOL_PREFIX}{'[0-9]' * SPOOL_DIGITS}")):
            segment = _Segment(path=path, first=_first_of(path), descriptor=_open(path))
            self.damaged_bytes += segment.scan()
            self._bytes += segment.size
            if segment.size:
                self._segments.append(segment)
            else:
                self._drop(segment)
        last = max((segment.last for segment in self._segments), default=0)
        self._appended = max(self._acknowledged, last)
        self._read = self._acknowledged
        while self._segments and self._segments[0].last <= self._acknowledged:
            self._drop(self._segments.popleft())
        self._begin_segment()

    def _begin_segment(self) -> None:
        first = self._appended + 1
        path = self._directory / f"{SPOOL_PREFIX}{first:0{SPOOL_DIGITS}d}"
        self._segments.append(_Segment(path=path, first=first, descriptor=_open(path)))
        self._new_file = True

    def _force(self) -> None:
        """Force to the disk what has come, in a thread of its own, until the spool is closed."""
        while self._unforced.wait():
            self._unforced.clear()
            with self._changed:
                if self._closed:
                    return
                is_new, self._new_file = self._new_file, False
                paths = [one.path for one in list(self._segments)[-FORCED_SEGMENTS:]]
            paths += [self._directory] if is_new else []
            paths += [self._beside] if self._beside is not None else []
            for path in paths:
                force_to_disk(path)  # what fails is tried again with what comes next
            time.sleep(FORCE_PAUSE_SECONDS)

    def _write(self, code: int, flags: int, payload: bytes, *, force: bool) -> int:
        if self._segments[-1].size >= self._segment_bytes:
            self._begin_segment()
        segment = self._segments[-1]
        number = self._appended + 1
        header = header_of(number, code, flags, payload)
        size = len(header) + len(payload)
        if os.pwritev(segment.descriptor, (header, payload), segment.size) < size:
            raise OSError("the disk took a part of the record")
        segment.size += size
        segment.last = self._appended = number
        self._bytes += size
        if self._sync and force:
            self._unforced.set()
        return number

    def _undo(self) -> None:
        segment = self._segments[-1]
        try:
            os.ftruncate(segment.descriptor, segment.size)
        except OSError:
            return  # the next attempt writes over it

    def _drop(self, segment: _Segment) -> None:
        self._bytes -= segment.size
        segment.remove()


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _first_of(path: Path) -> int:
    return int(path.name.removeprefix(SPOOL_PREFIX))
