"""The file that is being fetched: counted, hashed and written in pieces, outside the event loop.

While a piece is written no more is read, so that a file, however fast it comes, keeps one processor
busy at most: messages go on beside it.
"""

import asyncio
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gateway_worker.errors import MediaTooLargeError

PIECE_BYTES: Final = 1024 * 1024
"""Of this much is written at a time: a thread for every packet would cost more than the write."""
_ONLY_OWNER: Final = 0o600

Came = Callable[[int], None]
"""Told how many bytes have come."""


class Sink:
    """A new file; removed again unless it was finished.

    Args:
        path: Where; nothing is there yet.
        limit_bytes: How large it may get.
        whole: Whether more than that is an error; else the rest is left out.
        came: Told at the end how many bytes have come, whatever became of them.
    """

    def __init__(
        self, path: Path, *, limit_bytes: int, whole: bool = True, came: Came = lambda _size: None
    ) -> None:
        self._path = path
        self._limit = limit_bytes
        self._whole = whole
        self._came = came
        self._hash = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Future[None] | None = None
        self._is_finished = False
        self._file = -1
        self.size = 0

    async def __aenter__(self) -> Self:
        """Create the file. Raises `OSError`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, _ONLY_OWNER)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file, and remove what is not whole."""
        self._came(self.size)
        try:
            await self._left_alone()
        finally:
            os.close(self._file)
            if not self._is_finished:
                self._path.unlink(missing_ok=True)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is wanted."""
        return not self._whole and self.size >= self._limit

    def expect(self, size: int) -> None:
        """Refuse a size that is announced.

        Raises:
            MediaTooLargeError: It is above the limit.
        """
        if self._whole and size > self._limit:
            raise MediaTooLargeError(f"the file has more than {self._limit} bytes")

    async def write(self, data: bytes) -> None:
        """Take what has come.

        Raises:
            MediaTooLargeError: It is more than allowed by now.
            OSError: It cannot be written.
        """
        if not self._whole:
            data = data[: self._limit - self.size]
        self.size += len(data)
        self.expect(self.size)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= PIECE_BYTES:
            await self._flush()

    async def finish(self) -> str:
        """Write what is left, keep the file, and return its SHA-256 in hexadecimal digits."""
        await self._flush()
        self._is_finished = True
        return self._hash.hexdigest()

    async def _flush(self) -> None:
        """Write what has come. Raises `OSError`."""
        piece, self._waiting, self._waiting_bytes = self._waiting, [], 0
        self._writing = asyncio.ensure_future(asyncio.to_thread(self._write, piece))
        # Shielded: the descriptor must not be closed under a thread that still writes to it.
        await asyncio.shield(self._writing)
        self._writing = None

    async def _left_alone(self) -> None:
        """Wait until no thread writes to the file, though whoever asks may be cancelled again."""
        if self._writing is None:
            return
        try:
            await asyncio.wait((self._writing,))
        except asyncio.CancelledError:
            await asyncio.wait((self._writing,))
            raise
        finally:
            self._writing.exception()  # whoever failed or was cancelled does not ask for it

    def _write(self, piece: list[bytes]) -> None:
        for data in piece:
            self._hash.update(data)
            with memoryview(data) as left:
                written = 0
                while written < len(left):
                    written += os.write(self._file, left[written:])
