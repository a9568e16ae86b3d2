"""Directories that are being moved aside, on a thread, for the disk may take its time.

A session that comes here meanwhile waits before it looks at its directory. Once it is here nothing
of it is moved.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class DirectoryMoves:
    """The directories that are being moved aside, by session."""

    def __init__(self) -> None:
        self._under_way: dict[str, asyncio.Event] = {}

    @contextmanager
    def moving(self, session_id: str) -> Iterator[None]:
        """Note that a directory is being moved meanwhile; one at a time for each session."""
        ended = self._under_way[session_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._under_way[session_id]
            ended.set()

    async def ended(self, session_id: str) -> None:
        """Return when a session's directory is not being moved."""
        if (under_way := self._under_way.get(session_id)) is not None:
            await under_way.wait()
