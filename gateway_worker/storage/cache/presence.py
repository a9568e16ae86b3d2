"""Shows in the cache that this worker lives, and what it carries."""

from gateway_contracts import WorkerLoad
from gateway_worker.sessions.ports import SessionStore
from gateway_worker.storage.cache.client import Cache
from gateway_worker.storage.cache.route_cache import RedisRouteCache
from gateway_worker.storage.cache.workers import RedisWorkers


class WorkerPresence:
    """One worker's entry.

    Args:
        worker_id: This worker.
        cache: Where it is.
        sessions: Knows which sessions are this worker's.
        route_cache: Gets their routes back into a cache that has lost them.
    """

    def __init__(
        self, *, worker_id: str, cache: Cache, sessions: SessionStore, route_cache: RedisRouteCache
    ) -> None:
        self._worker_id = worker_id
        self._workers = RedisWorkers(cache=cache)
        self._sessions = sessions
        self._route_cache = route_cache

    async def beat(self, load: WorkerLoad) -> None:
        """Renew it; a cache that knew nothing of us gets the routes of all our sessions."""
        if await self._workers.beat(load):
            await self._route_cache.rebuild(await self._sessions.owned_by(self._worker_id))

    async def leave(self) -> None:
        """Take it away, in good order; a cache that is unavailable forgets us by itself."""
        await self._workers.remove(self._worker_id)
