"""The pool of connections, opened once by the composition root and shared by every store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway_worker.storage.db.failures import translated
from gateway_worker.storage.db.settings import DatabaseSettings

APPLICATION_NAME = "gateway-worker"
_PING = text("SELECT 1")


class Database:
    """A pool of connections, from `async with` to its end.

    Opening connects to nothing: a database that is away fails the calls, not the start. Connections
    are not tested before each use; one that turns out dead fails its call with `DependencyError`,
    and the whole pool is renewed.

    Args:
        settings: Where the database is, and the bounds in time.
    """

    def __init__(self, *, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._engine: AsyncEngine | None = None
        self._autocommit: AsyncEngine | None = None

    async def __aenter__(self) -> Self:
        """Set the pool up; no connection is made yet."""
        settings = self._settings
        engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=partial(connect, settings),
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=settings.pool_timeout_seconds,
            pool_recycle=settings.recycle_seconds,
            pool_use_lifo=True,
            pool_pre_ping=False,
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        self._stack.push_async_callback(engine.dispose)
        self._engine = engine
        self._autocommit = engine.execution_options(isolation_level="AUTOCOMMIT")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        self._engine = self._autocommit = None
        await self._stack.aclose()

    @property
    def address(self) -> str:
        """Where the database is, without credentials."""
        return self._settings.address

    @asynccontextmanager
    async def transaction(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """Run the block in one transaction, committed at its end.

        Args:
            doing: What this is, for the message of an error.

        Raises:
            DependencyError: The database cannot be used now. If that came up during the commit, it
                is not known whether the block's statements count.
            StatementRefusedError: The database refused a statement; nothing is written.
        """
        assert self._engine is not None, "the database is not open"
        with translated(doing):
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def statement(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """Run the block's statements each on its own, committed at once: two round trips fewer.

        Raises the same as `transaction`.
        """
        assert self._autocommit is not None, "the database is not open"
        with translated(doing):
            async with self._autocommit.connect() as connection:
                yield connection

    async def check(self) -> None:
        """Ask the database for one answer. Raises `DependencyError` if there is none."""
        async with self.statement("asking the database for an answer") as connection:
            await connection.execute(_PING)


async def connect(settings: DatabaseSettings, **overrides: Any) -> "asyncpg.Connection[Any]":
    """Open one connection with the settings' timeouts; the pool calls this."""
    timeouts = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        # A worker that froze between two statements must not keep rows locked for the others.
        "idle_in_transaction_session_timeout": 2 * settings.statement_timeout_seconds,
    }
    options: dict[str, Any] = {
        "timeout": settings.connect_timeout_seconds,
        "command_timeout": settings.answer_timeout_seconds,
        # Compiling takes longer than any of our statements runs.
        "server_settings": {"application_name": APPLICATION_NAME, "jit": "off"}
        | {name: f"{seconds * 1000:.0f}" for name, seconds in timeouts.items()},
    }
    connection: asyncpg.Connection[Any] = await asyncpg.connect(
        settings.dsn, **(options | overrides)
    )
    return connection
