"""What ownership needs from database, broker, relay, hosts and consumer."""

from collections.abc import Collection, Sequence
from typing import Protocol

from gateway_worker.sessions.ports import SessionRow


class WorkerLeases(Protocol):
    """The workers table. Every call may raise `DependencyError`."""

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts from its renewal on, by the database's clock."""
        ...

    async def register(self, *, version: str, capacity: int) -> None:
        """Enter this process as the worker of its name; another one of that name loses it."""
        ...

    async def renew(self) -> bool:
        """Renew the lease; False if another process has registered under this name."""
        ...

    async def drain(self) -> None:
        """Say that this worker takes no more sessions."""
        ...

    async def leave(self) -> None:
        """End the lease now. Idempotent."""
        ...


class DeadWorkers(Protocol):
    """The workers table, as to those who are gone. Every call may raise `DependencyError`."""

    @property
    def lease_seconds(self) -> float:
        """How long this worker's lease lasts."""
        ...

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Return the workers without a lease whose queues may still hold commands."""
        ...

    async def forget_old(self) -> int:
        """Delete the rows of workers that are long gone and have left nothing; returns how many."""
        ...


class Hosts(Protocol):
    """All hosts of this worker."""

    def extend_lease(self, seconds: float) -> None:
        """Let hosts run for so long from now; then they are killed, even if this process hangs."""
        ...

    def kill_all(self) -> None:
        """Kill every host now."""
        ...


class Intake(Protocol):
    """The consumer of commands, as far as ownership steers it."""

    @property
    def attended(self) -> Collection[str]:
        """Dead workers whose queues are consumed here."""
        ...

    def attend(self, worker_id: str) -> None:
        """Consume a dead worker's queue too. Idempotent."""
        ...

    async def dismiss(self, worker_id: str) -> None:
        """Leave a queue that was attended; what is not settled goes back to it, in order."""
        ...

    async def suspend(self) -> None:
        """Give the own queue up until `reinstate`: another worker may attend it."""
        ...

    def reinstate(self) -> None:
        """Consume the own queue again."""
        ...


class SessionsHere(Protocol):
    """The sessions of this worker (implemented by the manager)."""

    @property
    def has_room(self) -> bool:
        """Whether one more session fits."""
        ...

    @property
    def is_portable(self) -> bool:
        """Whether the device stores of other workers' sessions can be had here."""
        ...

    def is_held(self, session_id: str) -> bool:
        """Whether a session is here, or is just being made."""
        ...

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Begin with sessions that are this worker's by the table."""
        ...


class Controls(Protocol):
    """Publishes control messages to workers."""

    async def control(
        self, kind: str, *, worker_id: str, body: bytes, message_id: str | None = None
    ) -> None:
        """Publish to a worker's own key, with confirms. Raises `DependencyError`."""
        ...


class EventRelay(Protocol):
    """The relay of this worker."""

    async def adopt(self, session_ids: Sequence[str]) -> None:
        """Publish what former owners of these sessions have left in the outbox.

        Returns when it is queued before anything that is recorded from now on.
        """
        ...

    async def adopt_strays(self) -> None:
        """Publish what dead workers have left of sessions that are gone.

        Raises:
            DependencyError: The database cannot be asked now.
        """
        ...
