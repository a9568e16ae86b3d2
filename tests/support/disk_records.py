"""What is known of a worker's disk, in memory; the port's tests run against it and the database."""

from collections.abc import Callable, Sequence

from gateway_worker.errors import DependencyError
from gateway_worker.sessions.ownership.ports import DiskRecords, KnownDisk, LinkedSession


class MemoryDiskRecords(DiskRecords):
    """The records of one worker. Time does not pass: a lease ends when the test says so.

    Args:
        disk_id: The disk on which the worker ran last and has left; None if it was never there.
        copied: Its sessions that have an account and a copy.
        uncopied: Those without a copy.

    Attributes:
        outages: How many looks come to nothing.
        at_look: What happens just before a look, by its number from 1 on.
    """

    def __init__(
        self,
        disk_id: str | None = None,
        *,
        copied: Sequence[str] = (),
        uncopied: Sequence[str] = (),
    ) -> None:
        self.outages = 0
        self.at_look: dict[int, Callable[[], None]] = {}
        self._known = KnownDisk() if disk_id is None else KnownDisk(disk_id=disk_id, renewals="0")
        self._renewals = 0
        self._looks = 0
        self._linked = {name: name in copied for name in (*copied, *uncopied)}

    def run_on(self, disk_id: str) -> None:
        """Let the worker begin on a disk; the same is what a renewal of its lease is."""
        self._renewals += 1
        self._known = KnownDisk(disk_id=disk_id, lease_seconds=15.0, renewals=str(self._renewals))

    def leave(self) -> None:
        """Let its lease end."""
        self._known = KnownDisk(disk_id=self._known.disk_id, renewals=self._known.renewals)

    def forget(self) -> None:
        """Let its disk count as lost."""
        self._known = KnownDisk(
            lease_seconds=self._known.lease_seconds, renewals=self._known.renewals
        )

    def link(self, session_id: str, *, is_copied: bool) -> None:
        """Give it one more session with an account."""
        self._linked[session_id] = is_copied

    async def known_disk(self) -> KnownDisk:
        """Return it."""
        self._looks += 1
        self.at_look.get(self._looks, lambda: None)()
        if self.outages:
            self.outages -= 1
            raise DependencyError("away")
        return self._known

    async def linked_sessions(self) -> Sequence[LinkedSession]:
        """Return the worker's accounts, by their ids."""
        return [
            LinkedSession(session_id=name, is_copied=self._linked[name])
            for name in sorted(self._linked)
        ]
