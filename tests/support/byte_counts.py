"""Bytes of tenants in memory (the media package's `ByteCounts`).

The port's tests (`tests/integration/storage/db/test_media_bytes.py`) run against it, too.
"""

from collections import Counter
from datetime import date

from gateway_worker.media.allowance import ByteCounts, MediaAllowance
from gateway_worker.runtime.clock import Clock, SystemClock


class MemoryByteCounts(ByteCounts):
    """Counts by tenant and day."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, date]] = Counter()

    async def of(self, tenant: str, day: date) -> int:
        """Return how many a tenant had on a day."""
        return self._counts[tenant, day]

    async def add(self, tenant: str, day: date, size_bytes: int) -> None:
        """Count more."""
        self._counts[tenant, day] += size_bytes

    async def prune(self, before: date, limit: int) -> int:
        """Forget older days."""
        old = [key for key in self._counts if key[1] < before][:limit]
        for key in old:
            del self._counts[key]
        return len(old)


def allowance(per_day: int = 0, *, clock: Clock | None = None) -> MediaAllowance:
    """Return how many bytes tenants may have; by default any number."""
    return MediaAllowance(counts=MemoryByteCounts(), per_day=per_day, clock=clock or SystemClock())
