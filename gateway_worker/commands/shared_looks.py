"""Lets one of a session's commands look who owns it now; what is refused waits for what it finds.

Within a lane only the first of a session looks. But what is refused waits for nothing of its own
kind, and there may be hundreds: each would ask the database several times a second.
"""

import asyncio
import contextlib
from types import TracebackType
from typing import Final, Self

LOOK_SECONDS: Final = 0.3
"""Between two looks of the one that looks."""
PATIENCE_SECONDS: Final = 5.0
"""After so long one that waits looks for itself: what it needs may be something else."""


class SharedLooks:
    """The looks of all sessions."""

    def __init__(self) -> None:
        self._changed: dict[str, asyncio.Event] = {}

    def of(self, session_id: str) -> "Look":
        """Return the look of one command of a session; to be entered for as long as it may wait."""
        return Look(self._changed, session_id)


class Look:
    """How one command waits. Made by `SharedLooks`.

    Args:
        changed: The sessions that somebody looks at, and what tells those who wait.
        session_id: Its session.
    """

    def __init__(self, changed: dict[str, asyncio.Event], session_id: str) -> None:
        self._changed = changed
        self._session_id = session_id
        self._own: asyncio.Event | None = None

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Let the others look, if it was this one that did: it is through."""
        if self._own is not None:
            del self._changed[self._session_id]
            self._own.set()

    async def pause(self, *, with_others: bool) -> None:
        """Wait before the next look.

        Args:
            with_others: Until somebody who looks at the session is through, if anybody does.
        """
        changed = self._changed.get(self._session_id)
        if changed is None:
            self._own = self._changed[self._session_id] = asyncio.Event()
        if changed is None or changed is self._own or not with_others:
            await asyncio.sleep(LOOK_SECONDS)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await changed.wait()
