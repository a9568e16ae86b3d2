"""What the database knows of a session's copies: a bucket cannot say which of them is the newest.

Whoever may write to the bucket can put an old copy back, take the newest away, or hide it from a
listing. The names that are noted here tell.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCopies:
    """The noted copies of one session; names sort by owner and then by age.

    Attributes:
        first_epoch: With which the session was created; earlier copies are a deleted namesake's.
        newest: Name of the newest copy; None if there is none.
        previous: Name of the one before it, should the newest be unreadable.
        floor: Names up to this one are void: the device that they hold is unlinked.
    """

    first_epoch: int = 1
    newest: str | None = None
    previous: str | None = None
    floor: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are noted, the newest first."""
        return tuple(name for name in (self.newest, self.previous) if name is not None)

    @property
    def last(self) -> str:
        """The highest name that was ever noted; empty if none was."""
        return max(self.newest or "", self.floor)


class CopyRegister(Protocol):
    """Notes copies. Every call may raise `DependencyError`."""

    async def known(self, session_id: str) -> KnownCopies | None:
        """Return what is known of a session's copies; None if there is no such session."""
        ...

    async def note(self, session_id: str, name: str, *, epoch: int) -> KnownCopies | None:
        """Note a copy that is stored, unless a later one is; returns what is known then.

        The copy counts if it is the `newest` of that. Idempotent.

        Args:
            session_id: Whose it is.
            name: Its name.
            epoch: Under which it was made.

        Returns:
            None, and nothing is noted, if there is no such session, or only a later namesake.
        """
        ...

    async def forget(self, session_id: str) -> None:
        """Note that all copies so far are void, those too that are still on their way."""
        ...
