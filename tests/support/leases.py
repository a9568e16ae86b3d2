"""Workers' leases in memory; the port's tests run against them and the database's."""

from dataclasses import dataclass

from gateway_worker.errors import ConfigurationError
from gateway_worker.sessions.ownership.ports import WorkerLeases


@dataclass(slots=True)
class MemoryWorker:
    """The row of a worker's name.

    Attributes:
        process: The process that registered last.
        disk_id: The disk that it runs on.
        has_lease: Whether its lease is good; it never ends by itself here.
        is_draining: Whether it takes no more sessions.
    """

    process: object = None
    disk_id: str | None = None
    has_lease: bool = False
    is_draining: bool = False


class MemoryLeases(WorkerLeases):
    """One process of a worker. Faults are for who derives.

    Args:
        row: What all processes of that worker's name share.
        disk_id: The disk of this one.
        lease_seconds: As it is told.
    """

    def __init__(
        self, row: MemoryWorker, *, disk_id: str | None = None, lease_seconds: float = 15.0
    ) -> None:
        self.row = row
        self._disk_id = disk_id
        self._lease_seconds = lease_seconds

    @property
    def lease_seconds(self) -> float:
        """As it was said."""
        return self._lease_seconds

    async def register(self, *, version: str, capacity: int) -> None:
        """Take the name over, unless it lives on another disk."""
        row = self.row
        if row.has_lease and row.disk_id not in (None, self._disk_id):
            raise ConfigurationError("a worker of this name runs on another disk")
        row.process, row.disk_id = self, self._disk_id
        row.has_lease, row.is_draining = True, False

    async def renew(self) -> bool:
        """Renew the lease, if the name is still this process's."""
        if self.row.process is not self:
            return False
        self.row.has_lease = True
        return True

    async def drain(self) -> None:
        """Note it."""
        if self.row.process is self:
            self.row.is_draining = True

    async def leave(self) -> None:
        """End the lease."""
        if self.row.process is self:
            self.row.has_lease = False
