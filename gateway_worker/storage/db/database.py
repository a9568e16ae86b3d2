"""The pool of connections, opened once by the composition root and shared by every store."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

import asyncpg
import orjson
from sqlalchemy import event, exc, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway_worker.errors import DatabaseUnavailableError
from gateway_worker.storage.db.failures import reaching, translated
from gateway_worker.storage.db.settings import DatabaseSettings

APPLICATION_NAME = "gateway-worker"
_PING = text("SELECT 1")


class Database:
    """A pool of connections, from `async with` to its end.

    Opening connects to nothing: a database that is away fails the calls, not the start. Connections
    are not tested over the network before each use. One that is known to be closed is not handed
    out, and one that turns out dead fails its call with `DependencyError`; both renew the pool.

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
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
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
    async def statement(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for look-ups; each statement is committed at once.

        Args:
            doing: What this is, for the message of an error.

        Raises:
            DatabaseUnavailableError: The database cannot be used now.
            StatementRefusedError: A row of the statement can never be written.
        """
        assert self._autocommit is not None, "the database is not open"
        async with self._lent(self._autocommit, doing) as (connection, driver):
            try:
                with translated(doing, is_lost=driver.is_closed):
                    yield connection
            except DatabaseUnavailableError:
                driver.terminate()  # it may be the connection that cannot be used
                raise

    @asynccontextmanager
    async def direct(self, doing: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """Lend a connection of the pool as the driver has it; each statement is committed at once.

        For the hot path: SQLAlchemy's way of executing one statement takes ten times the CPU of the
        driver's. Whatever fails in the block closes the connection, which ends what was begun.

        Raises the same as `statement`.
        """
        assert self._engine is not None, "the database is not open"
        async with self._lent(self._engine, doing) as (_, driver):
            try:
                with translated(doing, is_lost=driver.is_closed):
                    yield driver
            except BaseException:
                driver.terminate()
                raise

    @asynccontextmanager
    async def transaction(self, doing: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """Lend a connection as `direct` does, for one transaction that is committed at the end.

        Raises:
            DatabaseUnavailableError: The database cannot be used now. If that came up during the
                commit, it is not known whether the block's statements count.
            StatementRefusedError: A row can never be written; nothing is.
        """
        async with self.direct(doing) as connection:
            await connection.execute("BEGIN")
            yield connection
            await connection.execute("COMMIT")

    @asynccontextmanager
    async def _lent(
        self, engine: AsyncEngine, doing: str
    ) -> "AsyncIterator[tuple[AsyncConnection, asyncpg.Connection[Any]]]":
        """Lend a connection of the pool, and the driver's behind it."""
        with translated(doing):  # of its way back into the pool
            async with AsyncExitStack() as stack:
                with reaching(doing):
                    connection = await stack.enter_async_context(engine.connect())
                    driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                yield connection, driver

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


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError
