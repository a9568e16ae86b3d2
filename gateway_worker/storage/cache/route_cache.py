"""The routing table: where each session lives and how it stands, for backends to read.

`<prefix>session:<id>` is a hash of `worker`, `state`, `epoch` and `updated_at` (RFC 3339).
`<prefix>qr:<id>` is a hash of `code` and `expires_at`; it is gone as soon as the code is void.

A route that cannot be written is owed: `run` writes it when Redis answers again. So an outage
leaves the table late but not wrong.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import structlog
from redis.asyncio import Redis

from gateway_contracts.events import SessionState
from gateway_worker.errors import DependencyError
from gateway_worker.runtime.clock import Clock, SystemClock
from gateway_worker.runtime.retry import Backoff
from gateway_worker.runtime.waking import woken_by
from gateway_worker.sessions.ports import CurrentQr, SessionRow
from gateway_worker.storage.cache.client import Cache, CacheRefusedError
from gateway_worker.storage.cache.pacing import session_key

log = structlog.get_logger(__name__)

# The former owner of a session may still be writing when the new one already has. What is no route
# is somebody else's.
_PUT_UNLESS_OLDER: Final = """
local known = redis.pcall('HGET', KEYS[1], 'epoch')
if type(known) == 'table' then
  redis.call('UNLINK', KEYS[1])
  known = false
end
known = tonumber(known or '')
if known and known > tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', KEYS[1], 'worker', ARGV[1], 'state', ARGV[2], 'epoch', ARGV[3],
  'updated_at', ARGV[4])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """What the table is to say of a session; without a worker, nothing at all."""

    worker_id: str | None = None
    state: SessionState = SessionState.CREATED
    epoch: int = 0


class RedisRouteCache:
    """The routing table. No call raises, and each ends within twice the cache's operation timeout.

    Args:
        cache: Where it is.
        clock: Dates the entries and says how long a QR code has left.
        on_failure: Called with the operation's name for each write that failed, to count it.
        backoff: Waits between the attempts to write what is owed.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        clock: Clock | None = None,
        on_failure: Callable[[str], None] = lambda _operation: None,
        backoff: Backoff | None = None,
    ) -> None:
        self._cache = cache
        self._clock = clock or SystemClock()
        self._on_failure = on_failure
        self._backoff = backoff or Backoff(initial_seconds=0.5, maximum_seconds=10.0)
        self._owed: dict[str, _Route] = {}
        self._missed = asyncio.Event()
        self._is_away = False
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def owed(self) -> int:
        """Sessions of which the table does not say yet what it should."""
        return len(self._owed)

    async def put(
        self, session_id: str, *, worker_id: str, state: SessionState, epoch: int
    ) -> None:
        """Say where a session lives and how it stands, unless a newer epoch has already spoken."""
        self._owed[session_id] = _Route(worker_id=worker_id, state=state, epoch=epoch)
        await self._settle(session_id, operation="put")

    async def remove(self, session_id: str) -> None:
        """Forget a session: route, QR code, and how much it has sent."""
        self._owed[session_id] = _Route()
        await self._settle(session_id, operation="remove")

    async def put_qr(self, session_id: str, qr: CurrentQr | None) -> None:
        """Keep the last QR code until it expires; None forgets it. Not owed: it is soon void."""
        key = self._cache.key("qr", session_id)

        async def write(client: "Redis") -> None:
            left = 0.0 if qr is None else (qr.expires_at - self._clock.now()).total_seconds()
            if qr is None or left <= 0:
                await client.unlink(key)
                return
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.unlink(key)  # whatever is there
                pipeline.hset(key, "code", qr.code)
                pipeline.hset(key, "expires_at", qr.expires_at.isoformat())
                pipeline.pexpire(key, max(1, int(left * 1000)))
                await pipeline.execute()

        await self._attempt("put_qr", write)

    async def rebuild(self, rows: Iterable[SessionRow]) -> None:
        """Write the routes of sessions that have an owner; entries of newer epochs stay.

        What a session has said of itself in the meantime goes before its row.
        """
        for row in rows:
            if row.worker_id is not None:
                route = _Route(worker_id=row.worker_id, state=row.state, epoch=row.epoch)
                self._owed.setdefault(row.session_id, route)
        await self._settle_all(operation="rebuild")

    async def run(self, stop: asyncio.Event) -> None:
        """Write what is owed whenever Redis answers again, until `stop` is set."""
        with woken_by(stop, self._missed, name="routes:stop"):
            while not stop.is_set():
                await self._missed.wait()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._backoff.next_seconds()):
                        await stop.wait()
                self._missed.clear()
                if await self._settle_all(operation="repeat"):
                    self._backoff.reset()

    async def _settle_all(self, *, operation: str) -> bool:
        """Write all that is owed; returns whether that is done. One that is refused stops none."""
        is_done = True
        for session_id in list(self._owed):
            if not await self._settle(session_id, operation=operation):
                is_done = False
                if self._is_away:
                    break
        return is_done

    async def _settle(self, session_id: str, *, operation: str) -> bool:
        """Write what is owed of a session, always the latest; one write at a time per session."""
        lane = self._lanes.get(session_id)
        if lane is None:
            lane = self._lanes[session_id] = asyncio.Lock()
        async with lane:
            route = self._owed.get(session_id)
            if route is None:
                return True
            if not await self._attempt(
                operation, lambda client: self._write(client, session_id, route)
            ):
                self._missed.set()
                return False
            if self._owed.get(session_id) is route:
                del self._owed[session_id]
            return True

    async def _write(self, client: "Redis", session_id: str, route: _Route) -> None:
        key = self._cache.key("session", session_id)
        if route.worker_id is None:
            gone = (key, self._cache.key("qr", session_id), session_key(self._cache, session_id))
            await client.unlink(*gone)
            return
        now = self._clock.now().isoformat()
        await client.eval(
            _PUT_UNLESS_OLDER, 1, key, route.worker_id, route.state.value, str(route.epoch), now
        )

    async def _attempt(self, operation: str, write: Callable[["Redis"], Awaitable[None]]) -> bool:
        try:
            await self._cache.call(write)
        except DependencyError as error:
            self._is_away = not isinstance(error, CacheRefusedError)
            self._on_failure(operation)
            log.debug("cache.write_failed", operation=operation)
            return False
        return True
