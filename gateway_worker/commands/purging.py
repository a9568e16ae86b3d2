"""The way from the command that calls off what waits to where it is queued."""

from collections.abc import Callable
from typing import Final

DETAIL: Final = "it was called off by queue.purge before it had any effect"
"""For people: why a command is cancelled."""
Purge = Callable[[str, float], int]
"""Calls off what waits for a session and came before a moment; returns how much that was."""


class Purging:
    """Calls off commands, once somebody has said how."""

    def __init__(self) -> None:
        self._purge: Purge = lambda _session_id, _before: 0

    def serve(self, purge: Purge) -> None:
        """Learn how."""
        self._purge = purge

    def purge(self, session_id: str, *, before: float) -> int:
        """Call off what waits for a session; returns how many commands that were.

        Args:
            session_id: The session.
            before: Only what came before this, by the monotonic clock.
        """
        return self._purge(session_id, before)
