"""Workers and their sessions in memory; the port's tests run against them and the database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

from gateway_worker.sessions.ownership.ports import DeadWorkers
from gateway_worker.sessions.ports import PendingMarker, SessionRow
from tests.support.sessions import MemorySessions

HOUR, DAY = 3600.0, 86_400.0


@dataclass(slots=True, kw_only=True)
class MemberWorker:
    """A worker of the fleet.

    Attributes:
        capacity: How many sessions it takes on.
        draining: Whether it takes no more.
        is_late: Whether it is late with its lease.
        gone_seconds: How long ago its lease has ended; None while it has one.
    """

    capacity: int
    draining: bool = False
    is_late: bool = False
    gone_seconds: float | None = None

    @property
    def takes_more(self) -> bool:
        """Whether it takes sessions on, as far as it has room."""
        return self.gone_seconds is None and not self.draining


class MemoryFleet(MemorySessions, DeadWorkers):
    """Who is there, who is gone, and whose sessions are whose. Faults are for who derives.

    Time does not pass: a worker's lease ends when the test says so. That a worker which has just
    come back takes nothing for a while is not played.

    Args:
        rows: The sessions that there are.
        lease_seconds: How long a lease lasts.

    Attributes:
        workers: Those that have a row, by name.
    """

    def __init__(self, *rows: SessionRow, lease_seconds: float = 15.0) -> None:
        super().__init__(*rows)
        self._lease_seconds = lease_seconds
        self.workers: dict[str, MemberWorker] = {}

    @property
    def lease_seconds(self) -> float:
        """As it was said."""
        return self._lease_seconds

    async def orphans(self) -> int:
        """Count sessions of workers that are gone."""
        return len(self._orphaned())

    async def fair_share(self, worker_id: str) -> int:
        """Share the orphans so that all who take some are equally full, rounded up."""
        takers = {
            name: worker
            for name, worker in self.workers.items()
            if worker.takes_more and not worker.is_late
        }
        capacity = sum(worker.capacity for worker in takers.values())
        if worker_id not in takers or not capacity:
            return 0
        sessions = sum(map(self._held, takers)) + len(self._orphaned())
        share = ceil(sessions * takers[worker_id].capacity / capacity)
        return max(0, share - self._held(worker_id))

    async def take_over(
        self, worker_id: str, *, limit: int, linked: bool = True
    ) -> Sequence[SessionRow]:
        """Give it orphans, the oldest first, as far as it has room."""
        taken: list[SessionRow] = []
        for row in self._orphaned():
            if len(taken) == limit or not self._has_room(worker_id):
                break
            if not linked and row.account is not None:
                continue
            former = row.worker_id or ""
            marker = PendingMarker(epoch=row.epoch + 1, queue_of=former)
            self._rows[row.session_id] = replace(
                row, worker_id=worker_id, epoch=row.epoch + 1, pending=(*row.pending, marker)
            )
            taken.append(self._rows[row.session_id])
            self.workers.setdefault(former, MemberWorker(capacity=0, gone_seconds=0.0))
        return taken

    async def stranded(self, *, after_seconds: float, limit: int) -> Sequence[SessionRow]:
        """Return orphans of workers that are gone for so long, by their names."""
        found = [row for row in self._orphaned() if self._is_stranded(row, after_seconds)]
        return sorted(found, key=lambda row: row.session_id)[:limit]

    async def strand(
        self, session_id: str, worker_id: str, *, after_seconds: float
    ) -> SessionRow | None:
        """Return it if it is stranded."""
        row = await self.get(session_id)
        if row is None or row not in self._orphaned() or not self._is_stranded(row, after_seconds):
            return None
        return row

    async def is_first(self, worker_id: str) -> bool:
        """Look who is the first by name of those that live."""
        living = [name for name, worker in self.workers.items() if worker.gone_seconds is None]
        return bool(living) and min(living) == worker_id

    async def place(self, *, without: str) -> str | None:
        """Name the least full one; one that is late is the last choice."""
        return min(
            (name for name in self.workers if name != without and self._has_room(name)),
            key=self._fullness,
            default=None,
        )

    async def takes(self, worker_id: str) -> bool:
        """Look for its room."""
        return self._has_room(worker_id)

    async def room(self) -> int:
        """Count everybody's room."""
        return sum(
            max(0, worker.capacity - self._held(name))
            for name, worker in self.workers.items()
            if worker.takes_more
        )

    async def dead_with_leftovers(self) -> Sequence[str]:
        """Name the owners that are gone, those whose markers are pending, and the lately gone."""
        rows = self._rows.values()
        named = {marker.queue_of for row in rows for marker in row.pending if marker.queue_of}
        named |= {row.worker_id for row in rows if row.worker_id is not None}
        named |= {
            name for name, worker in self.workers.items() if (worker.gone_seconds or 0.0) < HOUR
        }
        return sorted(name for name in named if not self._lives(name))

    async def long_gone(self) -> Sequence[str]:
        """Name those that are gone for a day, own nothing and are named by no marker."""
        return self._long_gone()

    async def forget(self, worker_id: str) -> bool:
        """Forget one of those."""
        if worker_id not in self._long_gone():
            return False
        del self.workers[worker_id]
        return True

    def _long_gone(self) -> list[str]:
        needed = {row.worker_id for row in self._rows.values()}
        needed |= {mark.queue_of for row in self._rows.values() for mark in row.pending}
        return sorted(
            name
            for name, worker in self.workers.items()
            if (worker.gone_seconds or 0.0) > DAY and name not in needed
        )

    def _lives(self, worker_id: str | None) -> bool:
        worker = self.workers.get(worker_id or "")
        return worker is not None and worker.gone_seconds is None

    def _orphaned(self) -> list[SessionRow]:
        orphans = [
            row
            for row in self._rows.values()
            if row.worker_id is not None and not self._lives(row.worker_id)
        ]
        return sorted(orphans, key=lambda row: (row.created_at, row.session_id))

    def _is_stranded(self, row: SessionRow, after_seconds: float) -> bool:
        worker = self.workers.get(row.worker_id or "")
        return worker is None or (worker.gone_seconds or 0.0) >= after_seconds

    def _held(self, worker_id: str) -> int:
        return sum(row.worker_id == worker_id for row in self._rows.values())

    def _has_room(self, worker_id: str) -> bool:
        worker = self.workers.get(worker_id)
        return worker is not None and worker.takes_more and self._held(worker_id) < worker.capacity

    def _fullness(self, worker_id: str) -> tuple[bool, float, int, str]:
        worker, held = self.workers[worker_id], self._held(worker_id)
        return worker.is_late, held / worker.capacity, held, worker_id
