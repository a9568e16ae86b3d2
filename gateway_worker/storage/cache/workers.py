"""Which workers are there: one key per worker that vanishes when its signs of life stop."""

from collections.abc import Callable
from typing import Any

import structlog
from redis.asyncio import Redis

from gateway_contracts import WorkerLoad
from gateway_worker.errors import DependencyError
from gateway_worker.storage.cache.client import Cache

log = structlog.get_logger(__name__)


class RedisWorkers:
    """`<prefix>worker:<id>` holds a worker's load as JSON, in the form of the contract.

    Args:
        cache: Where it is.
        on_failure: Called with the operation's name for each write that failed, to count it.
    """

    def __init__(
        self, *, cache: Cache, on_failure: Callable[[str], None] = lambda _operation: None
    ) -> None:
        self._cache = cache
        self._on_failure = on_failure

    async def beat(self, load: WorkerLoad) -> bool:
        """Show that a worker lives, until the cache's `worker_ttl_seconds` are over. Never raises.

        Returns:
            Whether Redis knew nothing of this worker: it has just started, or Redis has lost what
            it had. The routing table should be rebuilt then.
        """
        key = self._cache.key("worker", load.worker)
        lifetime = int(self._cache.worker_ttl_seconds * 1000)

        async def write(client: "Redis") -> Any:
            return await client.set(key, load.model_dump_json(), px=lifetime, get=True) is None

        return bool(await self._attempt("beat", write))

    async def remove(self, worker_id: str) -> None:
        """Say that a worker has left in good order. Never raises; idempotent."""

        async def write(client: "Redis") -> Any:
            return await client.unlink(self._cache.key("worker", worker_id))

        await self._attempt("leave", write)

    async def _attempt(self, operation: str, write: Callable[["Redis"], Any]) -> Any:
        try:
            return await self._cache.call(write)
        except DependencyError:
            self._on_failure(operation)
            log.debug("cache.write_failed", operation=operation)
            return None
