"""Deletes bulks that were over long ago, and rows that belong to none."""

from typing import Final, Protocol

from gateway_worker.commands.deferrals import BulkStore
from gateway_worker.runtime.clock import Clock

_PRUNE_SECONDS: Final = 3600.0
"""Between two looks for rows of no bulk: each reads all rows of bulks."""
_DAY_MS: Final = 86_400_000


class Objects(Protocol):
    """The bucket."""

    async def delete(self, *keys: str) -> None:
        """Remove objects. Raises `DependencyError`."""
        ...


class BulkRetention:
    """Deletes old bulks with their results.

    Args:
        store: The bulks.
        objects: Where the results are.
        clock: The time.
        keep_seconds: How long they are kept after their end.
    """

    def __init__(
        self, *, store: BulkStore, objects: Objects, clock: Clock, keep_seconds: float
    ) -> None:
        self._store = store
        self._objects = objects
        self._clock = clock
        self._keep_seconds = keep_seconds
        self._prune_at = 0.0

    async def prune(self, limit: int) -> int:
        """Delete at most so many bulks; returns how many. Raises `DependencyError`."""
        if self._clock.monotonic() >= self._prune_at:
            await self._prune_rows(limit)
        aged = await self._store.aged(keep_seconds=self._keep_seconds, limit=limit)
        if aged:
            await self._objects.delete(*(key for _, _, key in aged if key is not None))
            await self._store.forget(aged)
        return len(aged)

    async def _prune_rows(self, limit: int) -> None:
        # Loads are named by UUIDv7: the first digits are the time in milliseconds.
        moment = f"{int(self._clock.now().timestamp() * 1000) - _DAY_MS:012x}"
        before = f"{moment[:8]}-{moment[8:]}"
        while await self._store.prune_rows(before=before, limit=limit) == limit:
            pass
        self._prune_at = self._clock.monotonic() + _PRUNE_SECONDS
