"""Bytes of tenants in memory (the media package's `ByteCounts`).

The port's tests (`tests/integration/storage/db/test_media_bytes.py`) run against it, too.
"""

from collections import Counter
from datetime import date

from gateway_worker.media.allowance import ByteCounts, Direction, MediaAllowance
from gateway_worker.runtime.clock import Clock, SystemClock


class MemoryByteCounts(ByteCounts):
    """Counts by tenant, day and direction."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, date, Direction]] = Counter()

    async def of(self, tenant: str, day: date, direction: Direction) -> int:
        """Return how many a tenant had on a day."""
        return self._counts[tenant, day, direction]

    async def add(self, tenant: str, day: date, direction: Direction, size_bytes: int) -> None:
        """Count more."""
        self._counts[tenant, day, direction] += size_bytes

    async def prune(self, before: date, limit: int) -> int:
        """Forget older days."""
        old = sorted({key[:2] for key in self._counts if key[1] < before})[:limit]
        for key in old:
            for direction in Direction:
                self._counts.pop((*key, direction), None)
        return len(old)


def allowance(per_day: int = 0, *, clock: Clock | None = None) -> MediaAllowance:
    """Return how many bytes tenants may send; by default any number."""
    return MediaAllowance(
        counts=MemoryByteCounts(),
        direction=Direction.SENT,
        per_day=per_day,
        clock=clock or SystemClock(),
    )
