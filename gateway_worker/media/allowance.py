"""How many bytes of files each tenant may have brought in and out on one day (UTC).

Each way has a count and a bound of its own: what strangers send to a tenant takes nothing from what
it may send. What counts is what goes through the gateway or is kept for it. A file is begun as long
as the day's bytes have not reached the bound, and counted when its size is known, so what is under
way at that moment is over.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from typing import Final, Protocol

from gateway_contracts.tenants import tenant_of
from gateway_worker.errors import GatewayError, QuotaExceededError
from gateway_worker.runtime.clock import Clock

KEPT: Final = timedelta(days=400)


class Direction(Enum):
    """Which way files go."""

    SENT = "sent"
    """Files and pages that are fetched to be sent, whether they can be or not, and room for
    uploads."""
    RECEIVED = "received"
    """Files that came with messages, and pictures of people, as far as they are fetched."""


class ByteCounts(Protocol):
    """Counts bytes by tenant and day, over all workers. Every call may raise `DependencyError`."""

    async def of(self, tenant: str, day: date, direction: Direction) -> int:
        """Return how many a tenant had on a day."""
        ...

    async def add(self, tenant: str, day: date, direction: Direction, size_bytes: int) -> None:
        """Count more."""
        ...

    async def prune(self, before: date, limit: int) -> int:
        """Forget older days, so many at most; returns how many rows there were."""
        ...


@dataclass(slots=True)
class Tally:
    """How many bytes of something have come, whatever became of it."""

    size_bytes: int = 0

    def add(self, size_bytes: int) -> None:
        """Note more."""
        self.size_bytes += size_bytes


class MediaAllowance:
    """Asks before a file is begun, and counts it when it is there.

    Args:
        counts: The bytes.
        direction: Which of them.
        per_day: How many one tenant may have on a day; 0: any number, and nothing is counted.
        clock: The time.
    """

    def __init__(
        self, *, counts: ByteCounts, direction: Direction, per_day: int, clock: Clock
    ) -> None:
        self._counts = counts
        self._direction = direction
        self._per_day = per_day
        self._clock = clock

    async def check(self, session_id: str) -> None:
        """Return if a file of a session may be begun.

        Raises:
            QuotaExceededError: Its tenant has had as many bytes today as it may.
            DependencyError: That cannot be found out now.
        """
        tenant = self._tenant_of(session_id)
        if tenant is None:
            return
        if await self._counts.of(tenant, self._today(), self._direction) >= self._per_day:
            raise QuotaExceededError(
                f"the files that the tenant has {self._direction.value} have had {self._per_day} "
                "bytes today (UTC): no more"
            )

    @asynccontextmanager
    async def counting(self, session_id: str) -> AsyncIterator[Tally]:
        """Check as `check` does, and count what has come when the block ends or fails."""
        await self.check(session_id)
        tally = Tally()
        try:
            yield tally
        except GatewayError:
            await self.count(session_id, tally.size_bytes)
            raise
        await self.count(session_id, tally.size_bytes)

    async def count(self, session_id: str, size_bytes: int) -> None:
        """Count a file. Raises `DependencyError`."""
        tenant = self._tenant_of(session_id)
        if tenant is not None and size_bytes:
            await self._counts.add(tenant, self._today(), self._direction, size_bytes)

    async def prune(self, limit: int) -> int:
        """Forget days that are long gone. Raises `DependencyError`."""
        return await self._counts.prune(self._today() - KEPT, limit)

    def _tenant_of(self, session_id: str) -> str | None:
        return tenant_of(session_id) if self._per_day else None

    def _today(self) -> date:
        return self._clock.now().date()
