"""A register of copies in memory, and one that is away; the port's tests run against it too."""

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.store.copies import CopyRegister, KnownCopies

FLEET = "0f7e0a3e-6a52-4f0b-9a51-6a0b4c9b2f11"


class MemoryRegister(CopyRegister):
    """Notes copies as the database does.

    Attributes:
        sessions: First epochs of the sessions that there are, those apart that are not named.
        away: Whether it answers.
    """

    def __init__(self, *, everybody: bool = True) -> None:
        self.sessions: dict[str, int] = {}
        self.away = False
        self._everybody = everybody
        self._noted: dict[str, KnownCopies] = {}

    async def known(self, session_id: str) -> KnownCopies | None:
        """Return what is noted."""
        if self.away:
            raise DependencyError("away")
        first = self.sessions.get(session_id, 0 if self._everybody else None)
        if first is None:
            return None
        noted = self._noted.get(session_id, KnownCopies())
        return KnownCopies(
            first_epoch=first, newest=noted.newest, previous=noted.previous, floor=noted.floor
        )

    async def note(self, session_id: str, name: str, *, epoch: int) -> KnownCopies | None:
        """Note a copy."""
        known = await self.known(session_id)
        if known is None or known.first_epoch > epoch:
            return None
        if known.last < name:
            self._noted[session_id] = KnownCopies(
                newest=name, previous=known.newest, floor=known.floor
            )
        return await self.known(session_id)

    async def forget(self, session_id: str) -> None:
        """Let none of them count."""
        known = await self.known(session_id)
        if known is not None:
            self._noted[session_id] = KnownCopies(floor=known.last)
