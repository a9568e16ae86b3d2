"""A worker's stdout and stderr: a pipe that is copied into a file, unless nobody reads it."""

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_AT_ONCE_BYTES: Final = 65_536
_USUAL_BYTES: Final = 65_536
_SMALL_BYTES: Final = 4_096
"""A few lines fill it."""


class Output:
    """The reading end of a named pipe; made by `open`. It outlives the processes that write."""

    def __init__(self, *, pipe: int, file: int) -> None:
        self._pipe = pipe
        self._file = file

    @classmethod
    @contextmanager
    def open(cls, pipe: Path, file: Path) -> Iterator["Output"]:
        """Make the pipe and copy what comes into the file until the block is left."""
        pipe.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(pipe)
        # For both ways, so that it has no end when nobody writes.
        reading = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        writing = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        output = cls(pipe=reading, file=writing)
        try:
            output.read()
            yield output
        finally:
            output.leave_unread()
            os.close(reading)
            os.close(writing)

    def read(self) -> None:
        """Copy whatever comes from now on."""
        with suppress(OSError):
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _USUAL_BYTES)
        asyncio.get_running_loop().add_reader(self._pipe, self._copy)

    def leave_unread(self) -> None:
        """Read nothing any more, and let the pipe be full soon."""
        asyncio.get_running_loop().remove_reader(self._pipe)
        self._copy()
        with suppress(OSError):  # somebody has written meanwhile: it is full later
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, _SMALL_BYTES)

    def _copy(self) -> None:
        with suppress(BlockingIOError):
            os.write(self._file, os.read(self._pipe, _AT_ONCE_BYTES))
