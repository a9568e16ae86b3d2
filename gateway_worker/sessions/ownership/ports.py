"""What ownership needs from database, broker, relay, hosts and consumer."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway_worker.sessions.ports import SessionRow


class WorkerLeases(Protocol):
    """The workers table. Every call may raise `DependencyError`."""

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts from its renewal on, by the database's clock."""
        ...

    async def register(self, *, version: str, capacity: int) -> None:
        """Enter this process as the worker of its name; another one of that name loses it.

        Raises:
            ConfigurationError: A live one runs on another disk: these are two, not one again.
        """
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


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDisk:
    """The disk on which a worker ran last.

    Attributes:
        disk_id: Its id; None if the worker has none, or has never been there.
        lease_seconds: What is left of the worker's lease; not above 0 if it has ended.
        renewals: Changes whenever the lease is renewed.
    """

    disk_id: str | None = None
    lease_seconds: float = 0.0
    renewals: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedSession:
    """A session of a worker that has an account, and whether its device store has been copied."""

    session_id: str
    is_copied: bool


class DiskRecords(Protocol):
    """What the database knows of a worker's disk. Every call may raise `DependencyError`."""

    async def known_disk(self) -> KnownDisk:
        """Return where the worker of this name ran last."""
        ...

    async def linked_sessions(self) -> Sequence[LinkedSession]:
        """Return the sessions of the worker of this name that have an account, by their ids."""
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

    async def long_gone(self) -> Sequence[str]:
        """Return the workers that are gone for a day and have left nothing, by their ids."""
        ...

    async def forget(self, worker_id: str) -> bool:
        """Delete the row of such a worker; False if it is none any more."""
        ...


class Hosts(Protocol):
    """All hosts of this worker."""

    def extend_lease(self, seconds: float, *, spare_seconds: float = 0.0) -> None:
        """Let hosts run for so long from now; then they are killed, even if this process hangs.

        If whatever kills them hangs as well, the kernel does, `spare_seconds` later.
        """
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

    async def remove_queue(self, worker_id: str) -> bool:
        """Remove the queue of a worker that will not come back; False if it is still needed.

        What is in it is dealt with first. Raises `DependencyError`.
        """
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

    @property
    def stranded_seconds(self) -> float:
        """How long after the end of its worker's lease a session nobody has taken is stranded."""
        ...

    def is_held(self, session_id: str) -> bool:
        """Whether a session is here, or is just being made."""
        ...

    async def announce_stranded(self, row: SessionRow) -> None:
        """Tell that a session does not run, and make its state say so. Idempotent."""
        ...

    async def adopt_taken(self, rows: Sequence[SessionRow]) -> None:
        """Begin with sessions that are this worker's by the table."""
        ...
