"""The routing table: where each session lives and how it stands, for backends to read.

`<prefix>session:<id>` is a hash of `worker`, `state`, `epoch` and `updated_at` (RFC 3339).
`<prefix>qr:<id>` is a hash of `code` and `expires_at`; it is gone as soon as the code is void.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway_contracts.events import SessionState
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.sessions.ports import CurrentQr, SessionRow
from gateway_worker.storage.cache.client import Cache

log = structlog.get_logger(__name__)

_CHUNK: Final = 500

# The former owner of a session may still be writing when the new one already has.
_PUT_UNLESS_OLDER: Final = """
local known = redis.call('HGET', KEYS[1], 'epoch')
if known and tonumber(known) > tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[1], 'worker', ARGV[1], 'state', ARGV[2], 'epoch', ARGV[3],
  'updated_at', ARGV[4])
return 1
"""


class RedisRoutes:
    """The routing table. No call raises, and each ends within the cache's operation timeout.

    Args:
        cache: Where it is.
        clock: Dates the entries and says how long a QR code has left.
        on_failure: Called with the operation's name for each write that failed, to count it.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        clock: Clock | None = None,
        on_failure: Callable[[str], None] = lambda _operation: None,
    ) -> None:
        self._cache = cache
        self._clock = clock or SystemClock()
        self._on_failure = on_failure

    async def put(
        self, session_id: str, *, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        """Say where a session lives and how it stands, unless a newer epoch has already spoken."""

        async def write(client: "Redis") -> None:
            await self._put(client, session_id, worker_id, state, epoch)

        await self._attempt("put", write)

    async def put_qr(self, session_id: str, qr: CurrentQr | None) -> None:
        """Keep the last QR code until it expires; None forgets it."""
        key = self._cache.key("qr", session_id)

        async def write(client: "Redis") -> None:
            left = 0.0 if qr is None else (qr.expires_at - self._clock.now()).total_seconds()
            if qr is None or left <= 0:
                await client.unlink(key)
                return
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.hset(key, "code", qr.code)
                pipeline.hset(key, "expires_at", qr.expires_at.isoformat())
                pipeline.pexpire(key, max(1, int(left * 1000)))
                await pipeline.execute()

        await self._attempt("put_qr", write)

    async def remove(self, session_id: str) -> None:
        """Forget a session: route and QR code."""

        async def write(client: "Redis") -> None:
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.unlink(self._cache.key("session", session_id))
                pipeline.unlink(self._cache.key("qr", session_id))
                await pipeline.execute()

        await self._attempt("remove", write)

    async def rebuild(self, rows: Iterable[SessionRow]) -> None:
        """Write the routes of sessions that have an owner; entries of newer epochs stay."""
        owned = [row for row in rows if row.worker_id is not None]
        for start in range(0, len(owned), _CHUNK):
            chunk = owned[start : start + _CHUNK]

            async def write(client: "Redis", chunk: list[SessionRow] = chunk) -> None:
                async with client.pipeline(transaction=False) as pipeline:
                    for row in chunk:
                        await self._put(
                            pipeline, row.session_id, str(row.worker_id), row.state, row.epoch
                        )
                    await pipeline.execute()

            if not await self._attempt("rebuild", write):
                return

    async def _put(
        self, client: Any, session_id: str, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        key = self._cache.key("session", session_id)
        now = self._clock.now().isoformat()
        await client.eval(_PUT_UNLESS_OLDER, 1, key, worker_id, state.value, epoch, now)

    async def _attempt(self, operation: str, write: Callable[["Redis"], Awaitable[None]]) -> bool:
        try:
            await self._cache.call(write)
        except DependencyError:
            self._on_failure(operation)
            log.debug("cache.write_failed", operation=operation)
            return False
        return True
