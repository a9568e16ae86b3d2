"""Deletes files that are older than they have to be: first the objects, then their rows."""

from gateway_worker.media.arriving.ports import MediaTable, ObjectStore


class MediaRetention:
    """Deletes old files.

    Args:
        table: The files.
        objects: Where they are kept.
        keep_seconds: How long.
    """

    def __init__(self, *, table: MediaTable, objects: ObjectStore, keep_seconds: float) -> None:
        self._table = table
        self._objects = objects
        self._keep_seconds = keep_seconds

    async def prune(self, limit: int) -> int:
        """Delete at most so many; returns how many. Raises `DependencyError`.

        An object that a younger message has brought too stays.
        """
        aged = await self._table.aged(keep_seconds=self._keep_seconds, limit=limit)
        await self._objects.delete(*(key for each in aged for key in each.keys))
        await self._table.forget(aged)
        return len(aged)
