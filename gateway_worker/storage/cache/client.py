"""The connections to Redis, and the translation of what goes wrong with them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.os_errors import described
from gateway_worker.storage.cache.settings import CacheSettings

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
_ANYTHING: Any = (Exception,)


class _RotatedConnection(SSLConnection):
    """Reads its certificates whenever it connects: the library would keep the first ones."""

    def _connection_arguments(self) -> Mapping[str, Any]:
        self.ssl_context.context = None
        found: Mapping[str, Any] = super()._connection_arguments()
        return found


class Cache:
    """A pool of connections. Made by `open`; usable whether Redis is there or not."""

    def __init__(self, *, client: "Redis", settings: CacheSettings) -> None:
        self._client = client
        self._settings = settings
        self._up: bool | None = None

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: CacheSettings) -> AsyncIterator["Cache"]:
        """Make the pool and ask Redis once; a Redis that does not answer is logged, not raised."""
        pool = BlockingConnectionPool.from_url(
            settings.url.get_secret_value(),
            max_connections=settings.max_connections,
            timeout=settings.operation_timeout_seconds,
            socket_connect_timeout=settings.connect_timeout_seconds,
            socket_timeout=settings.operation_timeout_seconds,
            # Once more on a fresh connection: the pooled one may be from before a restart. Whatever
            # was raised: on a connection that has just died the library lets through what the loop
            # raises (TypeError, RuntimeError), and what half an answer comes to (ValueError).
            retry=Retry(NoBackoff(), 1, supported_errors=_ANYTHING),
            decode_responses=True,
            protocol=2,
        )
        if issubclass(pool.connection_class, SSLConnection):
            pool.connection_class = _RotatedConnection
        client = Redis.from_pool(pool)
        cache = cls(client=client, settings=settings)
        try:
            await cache._look()
            yield cache
        finally:
            await client.aclose()

    @property
    def worker_ttl_seconds(self) -> float:
        """How long a sign of life of a worker counts."""
        return self._settings.worker_ttl_seconds

    def key(self, kind: str, name: str) -> str:
        """Return the key of a thing of some kind."""
        return f"{self._settings.prefix}{kind}:{name}"

    async def check(self) -> None:
        """Ask Redis for a sign of life. Raises `DependencyError`."""

        async def ping(client: "Redis") -> bool:
            return bool(await client.ping())

        await self.call(ping)

    async def call(self, do: Callable[["Redis"], Awaitable[Answer]]) -> Answer:
        """Do something with Redis, in bounded time.

        Raises:
            DependencyError: It failed or took too long; it may have been done all the same.
        """
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                answer = await do(self._client)
        except Exception as error:  # noqa: BLE001 - the library, the loop and the parser have one each
            # The library's messages quote commands with their arguments: only the kind is told.
            problem = f"Redis at {self._settings.address}: {described(error)}"
            self._note(up=False, problem=problem)
            raise DependencyError(problem) from None
        self._note(up=True)
        return answer

    async def _look(self) -> None:
        try:
            await self.check()
        except DependencyError:
            return  # logged already; every later call tries again

    def _note(self, *, up: bool, problem: str = "") -> None:
        if up is self._up:
            return
        if not up:
            log.warning("cache.unavailable", detail=problem)
        elif self._up is not None:
            log.info("cache.available")
        self._up = up
