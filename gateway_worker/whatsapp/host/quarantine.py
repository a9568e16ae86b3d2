"""Records that could not be told as they are: kept aside, for people, for a bounded time.

In the session's directory, one file each, named after its number and kind: the bytes that the
library handed over. They are private, and go with the directory.
"""

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway_worker.host_protocol.layout import QUARANTINE_NAME
from gateway_worker.host_protocol.spool_format import Record

MOST_FILES: Final = 200
MOST_BYTES: Final = 8 * 1024 * 1024
MOST_SECONDS: Final = 7 * 24 * 3600.0


class Quarantine:
    """One session's; nothing of it ever raises.

    Args:
        directory: The session's directory.
    """

    def __init__(self, *, directory: Path) -> None:
        self._path = directory / QUARANTINE_NAME

    def keep(self, record: Record) -> bool:
        """Keep a record, what is beyond the largest size cut off; whether the disk took it."""
        path = self._path / f"{record.number:020d}-{record.code}"
        try:
            self._path.mkdir(mode=0o700, exist_ok=True)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                os.write(file, record.payload[: MOST_BYTES // 2])
            finally:
                os.close(file)
        except OSError:
            return False
        self.prune()
        return True

    def prune(self) -> None:
        """Remove what is too old, and the oldest of what is too much."""
        files = bytes_ = 0
        oldest = time.time() - MOST_SECONDS
        for path, size, changed in sorted(self._found(), key=lambda one: -one[2]):
            files, bytes_ = files + 1, bytes_ + size
            if files > MOST_FILES or bytes_ > MOST_BYTES or changed < oldest:
                with suppress(OSError):
                    path.unlink()

    def _found(self) -> list[tuple[Path, int, float]]:
        found = []
        with suppress(OSError):
            for path in self._path.iterdir():
                with suppress(OSError):
                    status = path.stat()
                    found.append((path, status.st_size, status.st_mtime))
        return found
