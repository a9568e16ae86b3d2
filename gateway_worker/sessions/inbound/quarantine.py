"""Arrivals that the database refuses: kept on the disk, because WhatsApp has none of them any more.

The file `refused` in the session's directory has one event per line, as JSON. `quarantine_retry`
records them again; what has been recorded is taken out.
"""

import asyncio
import os
import threading
from collections.abc import Collection
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.layout import REFUSED_NAME
from gateway_worker.sessions.changes import Change
from gateway_worker.sessions.inbound.arrivals import passed_on

LIMIT_BYTES: Final = 64 * 1024 * 1024


class QuarantineCount:
    """How many arrivals have been refused at this worker, and a way to wait for the next."""

    def __init__(self) -> None:
        self.total = 0
        self._noted = asyncio.Event()

    def note(self) -> None:
        """Count one that has been kept."""
        self.total += 1
        self._noted.set()

    async def next(self) -> None:
        """Return when one has been counted since the last return."""
        await self._noted.wait()
        self._noted.clear()


class Quarantine:
    """The refused arrivals of one session, in a file. Every method may block: it uses the disk.

    Args:
        directory: The session's own.
        limit_bytes: A file of this size takes nothing more.
    """

    def __init__(self, directory: Path, *, limit_bytes: int = LIMIT_BYTES) -> None:
        self._path = directory / REFUSED_NAME
        self._limit_bytes = limit_bytes
        self._busy = threading.Lock()
        self._is_whole = False

    def keep(self, change: Change) -> None:
        """Append the events of a change, forced to the disk.

        Raises:
            OSError: The disk does not take them, or the file is full.
        """
        data = b"".join(event + b"\n" for event in passed_on(change))
        with self._busy:
            if not self._is_whole:
                self._cut_off()
                self._is_whole = True
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                size = os.fstat(file).st_size
                if size + len(data) > self._limit_bytes:
                    raise OSError(f"{REFUSED_NAME} has its {self._limit_bytes} bytes already")
                if os.write(file, data) < len(data):
                    os.ftruncate(file, size)
                    raise OSError("the disk took a part of the event")
                os.fsync(file)
            finally:
                os.close(file)

    def read(self) -> list[bytes]:
        """Return the events, the oldest first; a line that a crash has cut off is none."""
        with self._busy:
            return self._lines()

    def drop(self, recorded: Collection[bytes]) -> int:
        """Take out events as `read` has returned them; returns how many are left.

        Raises:
            OSError: The file is as it was.
        """
        with self._busy:
            left = [line for line in self._lines() if line not in recorded]
            if not left:
                self._path.unlink(missing_ok=True)
                return 0
            draft = self._path.with_name(f"{REFUSED_NAME}.new")
            with open(draft, "wb", opener=_private) as file:
                file.write(b"".join(line + b"\n" for line in left))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            return len(left)

    def _cut_off(self) -> None:
        """Take out a line that a crash has cut off: the next one must not continue it."""
        data = self._path.read_bytes() if self._path.exists() else b""
        if not data.endswith(b"\n") and data:
            os.truncate(self._path, data.rfind(b"\n") + 1)

    def _lines(self) -> list[bytes]:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        return data.split(b"\n")[:-1]


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
