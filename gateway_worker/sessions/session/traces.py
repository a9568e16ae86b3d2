"""What sessions leave behind outside of database and disk: bindings, copies, files, routes."""

from gateway_worker.runtime.background import Background
from gateway_worker.sessions.ports import (
    CommandBindings,
    DeviceSnapshots,
    MediaFiles,
    RouteCache,
)


class SessionTraces:
    """The traces of sessions outside of database and disk, which can be removed.

    Args:
        bindings: The broker's.
        snapshots: The copies of device stores.
        route_cache: What backends may read.
        background: Writes to it, in order.
        media: Their files, if there may be any.
    """

    def __init__(
        self,
        *,
        bindings: CommandBindings,
        snapshots: DeviceSnapshots,
        route_cache: RouteCache,
        background: Background,
        media: MediaFiles | None = None,
    ) -> None:
        self._bindings = bindings
        self._snapshots = snapshots
        self._media = media
        self._route_cache = route_cache
        self._background = background

    async def remove(self, session_id: str) -> None:
        """Remove those of a session of this worker. Idempotent.

        Raises:
            DependencyError: A trace could not be removed; the deletion has to be tried again.
        """
        await self._bindings.unbind(session_id)
        await self._remove_copies(session_id)

    async def remove_elsewhere(self, session_id: str, worker_id: str | None) -> None:
        """Remove those of a session whose worker is gone, if it had one. Idempotent.

        Raises:
            DependencyError: As of `remove`.
        """
        if worker_id is not None:
            await self._bindings.unbind_from(session_id, worker_id)
        await self._remove_copies(session_id)

    async def _remove_copies(self, session_id: str) -> None:
        await self._snapshots.delete(session_id)
        if self._media is not None:
            await self._media.remove(session_id)
        await self._background.run(session_id, lambda: self._route_cache.remove(session_id))
