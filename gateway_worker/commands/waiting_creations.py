"""Creations that wait while no worker of the fleet has room for another session."""

import time

from gateway_contracts import SessionCreate
from gateway_worker.commands.work import Work
from gateway_worker.errors import CapacityError
from gateway_worker.sessions.ownership.manager import SessionManager

ROOM_SECONDS = 300.0
"""How long a creation waits for a worker with room while the whole fleet has none."""


class WaitingCreations:
    """Says which creations wait, and ends their waiting.

    Args:
        manager: Knows whether this worker has room.
        room_seconds: See `ROOM_SECONDS`.

    Attributes:
        is_full: Whether the whole fleet has no room.
    """

    def __init__(self, *, manager: SessionManager, room_seconds: float) -> None:
        self._manager = manager
        self._room_seconds = room_seconds
        self._waiting: set[Work] = set()
        self.is_full = False

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    def must_wait(self, work: Work, *, is_overdue: bool) -> bool:
        """Tell whether it is a creation for which there is no room anywhere, and may be soon.

        One that has waited for too long, or beyond its deadline, need not: it is to be failed.
        """
        is_new = isinstance(work.content, SessionCreate) and work.delivery.unassigned
        waits = is_new and self.is_full and not self._manager.registry.has_room
        if waits and time.monotonic() - work.arrived >= self._room_seconds:
            work.failure = CapacityError("no worker has had room for it")
        if waits and work.failure is None and not is_overdue:
            self._waiting.add(work)
            return True
        self._waiting.discard(work)
        return False

    def discard(self, work: Work) -> None:
        """Note that a command has ended."""
        self._waiting.discard(work)
