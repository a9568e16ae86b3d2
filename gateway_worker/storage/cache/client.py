"""The connections to Redis, and the translation of what goes wrong with them."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from gateway_worker.errors import DependencyError
from gateway_worker.runtime.os_errors import described
from gateway_worker.storage.cache.settings import CacheSettings

log = structlog.get_logger(__name__)
Answer = TypeVar("Answer")
_ANYTHING: Any = (Exception,)
_CODE: Final = re.compile(r"[A-Z]{3,20}\b")
"""With which Redis begins an error; what follows may repeat what was asked of it."""
_REMEDIES: Final[dict[type[Exception], str]] = {
    MovedError: "it is a cluster, and one that is none is needed",
    NoPermissionError: "its user lacks a right",
    OutOfMemoryError: "it has no memory left: raise maxmemory, or let it evict (allkeys-lru)",
    ReadOnlyError: "it only reads: name the primary",
}


class CacheRefusedError(DependencyError):
    """Redis answers, and does not do what it is asked; `reason` is the first word it says."""

    def __init__(self, detail: str, *, reason: str) -> None:
        super().__init__(detail)
        self.reason = reason


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
        self._refusal: str | None = None

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
        """Find out whether Redis takes what is written. Raises `DependencyError`."""
        key = f"{self._settings.prefix}check"

        async def write(client: "Redis") -> bool:
            return bool(await client.set(key, "1", px=1))  # gone at once

        await self.call(write)
        if self._refusal is not None:
            log.info("cache.accepts")
            self._refusal = None

    async def call(self, do: Callable[["Redis"], Awaitable[Answer]]) -> Answer:
        """Do something with Redis, in bounded time.

        Raises:
            CacheRefusedError: Redis does not do that now.
            DependencyError: It failed or took too long; it may have been done all the same.
        """
        try:
            async with asyncio.timeout(self._settings.operation_timeout_seconds):
                answer = await do(self._client)
        except ResponseError as error:
            problem = f"Redis at {self._settings.address}: {_refusal(error)}"
            self._note_refusal(problem)
            raise CacheRefusedError(problem, reason=_name_of(error)) from None
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

    def _note_refusal(self, problem: str) -> None:
        """Say it once: others of its answers are good meanwhile."""
        if problem != self._refusal:
            log.warning("cache.refuses", detail=problem)
            self._refusal = problem

    def _note(self, *, up: bool, problem: str = "") -> None:
        if up is self._up:
            return
        if not up:
            log.warning("cache.unavailable", detail=problem)
        elif self._up is not None:
            log.info("cache.available")
        self._up = up


def _name_of(error: ResponseError) -> str:
    """Name an error that Redis has answered with."""
    code = _CODE.match(str(error))
    return type(error).__name__ if code is None else code[0]


def _refusal(error: ResponseError) -> str:
    """Name such an error, and what helps if that is known."""
    name = _name_of(error)
    remedy = _REMEDIES.get(type(error))
    return name if remedy is None else f"{name}: {remedy}"
