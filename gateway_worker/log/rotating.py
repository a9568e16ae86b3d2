"""A log file that is rotated before it gets too large, to `worker.log.1` and so on."""

import os
from pathlib import Path


class RotatingFile:
    """Appends lines to a file; only one thread uses it.

    An error leaves it usable: what could not be written is lost, and the next write tries again.
    A line that a full disk took a part of is ended before the next one begins.

    Args:
        path: The file.
        max_bytes: What it never exceeds, unless a single write does.
        backups: How many rotated files are kept.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._descriptor: int | None = None
        self._size = 0
        self._is_torn = False

    def open(self) -> None:
        """Open it now. Raises `OSError`."""
        if self._descriptor is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o640)
            self._size = os.fstat(self._descriptor).st_size

    def write(self, data: bytes) -> int:
        """Append whole lines; returns how many bytes are in the file. Raises `OSError`."""
        written = 0
        for part in self._parts(data):
            taken = self._append(part)
            written += taken
            if taken < len(part):
                break
        return written

    def close(self) -> None:
        """Close it; the next write opens it again."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _parts(self, data: bytes) -> list[bytes]:
        """Split lines so that a part fits into a file of its own, if a line does at all."""
        if len(data) <= self._max_bytes:
            return [data]
        parts, part = [], b""
        for line in data.splitlines(keepends=True):
            if part and len(part) + len(line) > self._max_bytes:
                parts.append(part)
                part = b""
            part += line
        return [*parts, part]

    def _append(self, data: bytes) -> int:
        self.open()
        if self._size and self._size + len(data) + 1 > self._max_bytes:
            self._rotate()
        assert self._descriptor is not None
        if self._is_torn:
            self._size += os.write(self._descriptor, b"\n")
            self._is_torn = False
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            if not written:
                raise
        self._size += written
        self._is_torn = 0 < written < len(data) and data[written - 1 : written] != b"\n"
        return written

    def _rotate(self) -> None:
        self.close()
        for number in range(self._backups - 1, 0, -1):
            older = self._backup(number)
            if older.exists():
                older.replace(self._backup(number + 1))
        self._path.replace(self._backup(1))
        self.open()

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
