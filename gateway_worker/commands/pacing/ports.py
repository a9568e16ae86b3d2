"""What pacing needs from the outside, and what it tells."""

from typing import Protocol

from gateway_worker.commands.pacing.buckets import Asked, Levels, Reserved


class PacingStore(Protocol):
    """Buckets that all workers share, by one clock."""

    async def reserve(
        self, session_id: str, recipient: str, asked: Asked, known: Levels
    ) -> Reserved:
        """Give a message of a session the next places, all at once.

        Args:
            session_id: Whose message it is.
            recipient: Its chat.
            asked: What it asks for.
            known: How full the buckets are at least; they may have been lost.

        Raises:
            DependencyError: It is not known whether it has got any.
        """
        ...


class PacingObserver(Protocol):
    """Counts what pacing does. Cheap; never raises."""

    def message_held(self, part: str, seconds: float) -> None:
        """A message is held back for so long, because of that part of its session's pacing."""
        ...

    def message_refused(self, part: str) -> None:
        """A message would have had to wait for too long."""
        ...

    def paced_alone(self) -> None:
        """This process had to decide by itself: the shared buckets cannot be asked."""
        ...
