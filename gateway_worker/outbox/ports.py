"""What the outbox needs from database and broker."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway_worker.errors import DependencyError, PermanentError
from gateway_worker.sessions.changes import Change, Committed, OutboxRow


class FullQueueError(DependencyError):
    """The broker refused a message: a queue that should take it is full. The others have it."""


class UnpublishableError(PermanentError):
    """The broker will never take this message, whatever its own state is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What waits for publication.

    Attributes:
        depth: How many events.
        oldest_seconds: How long ago the oldest of them was committed; 0 if there is none.
    """

    depth: int = 0
    oldest_seconds: float = 0.0


class EventTracing(Protocol):
    """Traces events."""

    def published(self, row: OutboxRow, *, since: float) -> None:
        """Trace that the broker has confirmed an event, if that belongs to a trace.

        Args:
            row: The event.
            since: When it was taken up, by the monotonic clock.
        """
        ...


class ChangeStore(Protocol):
    """Writes changes."""

    async def answers(self) -> bool:
        """Tell soon whether changes can be written at all. Never raises."""
        ...

    async def commit(
        self, changes: Sequence[Change], *, briefly: bool = False
    ) -> Sequence[Committed]:
        """Write all changes in one transaction, in order; one answer each.

        If `briefly`, it waits hardly for a row that somebody holds.

        Gives each event of an owned session its `sequence` (gapless per session) and stores it in
        the outbox. Raises `DependencyError`: then nothing of the batch is written; and
        `TransferRefusedError` for a change whose session cannot go where it should: nothing of the
        batch is written either, so commit the others without it.
        """
        ...


class OutboxStore(Protocol):
    """The rows that wait for publication."""

    async def pending(self, *, after: int, limit: int) -> Sequence[OutboxRow]:
        """Return unpublished rows with an id above `after`, in order. Raises `DependencyError`."""
        ...

    async def pending_of(
        self, session_ids: Sequence[str], *, after: int, limit: int
    ) -> Sequence[OutboxRow]:
        """Return this worker's unpublished rows of these sessions, as `pending` does."""
        ...

    async def adopt_strays(self) -> int:
        """Take unpublished rows of dead workers that nobody else will publish; returns how many.

        Those whose session has no row, or belongs to this worker. Raises `DependencyError`.
        """
        ...

    async def mark_published(self, outbox_ids: Sequence[int]) -> None:
        """Note that the broker has confirmed these rows. Raises `DependencyError`."""
        ...

    async def backlog(self) -> Backlog:
        """Return what waits. Raises `DependencyError`."""
        ...


class EventPublisher(Protocol):
    """Publishes with confirms."""

    async def publish(self, row: OutboxRow) -> None:
        """Publish one event and return once the broker has confirmed it.

        Calls may overlap; the broker gets them in the order of the calls.

        Raises:
            DependencyError: It is not known to be stored (then it is repeated with the same id); a
                `FullQueueError` if one of the queues has refused it.
            UnpublishableError: It never will be.
        """
        ...

    async def set_aside(self, row: OutboxRow, *, reason: str) -> None:
        """Tell whoever runs the gateway of an event that cannot be published, in the dead letters.

        Raises `DependencyError` if that is not known to be stored.
        """
        ...
