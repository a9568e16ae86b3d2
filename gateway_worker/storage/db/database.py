"""The pool of connections, opened once by the composition root and shared by every store."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    contextmanager,
)
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import asyncpg
import orjson
import structlog
from sqlalchemy import event, exc
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import QueuePool

from gateway_worker.errors import DatabaseUnavailableError, DependencyError, GatewayError
from gateway_worker.storage.db.connecting import Connector, is_pooled, make_engine
from gateway_worker.storage.db.failures import reaching, translated
from gateway_worker.storage.db.fitness import LOOK, judge, what_to_look_for
from gateway_worker.storage.db.loans import KeptConnections, Loan
from gateway_worker.storage.db.settings import DatabaseSettings

log = structlog.get_logger(__name__)

_MOST_SKEW_SECONDS: Final = 30.0
"""More than a question takes; what is off by less spoils no deadline that anybody means."""
_ASTRAY = frozenset({"26000", "42P05", "08P01"})
"""What is answered where connections are not what they were taken for; see `connecting`."""

BRIEF_LOCK_SECONDS: Final = 0.1
"""How long a transaction waits for a lock while others wait for the transaction."""
_ANSWER_SECONDS: Final = 2.0
_PART_OF_QUESTIONS: Final = 3
_CANCELLED: Final = "57014"
_ASKED: Final = 2
"""How often a question is asked that takes too long: the database may have been busy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolUse:
    """How many connections are lent, and how many there may be."""

    used: int
    limit: int


class Database:
    """A pool of connections, from `async with` to its end.

    Opening connects to nothing: one that is unavailable fails the calls, not the start. Connections
    are not tested over the network before each use. One that is known to be closed is not handed
    out, and one that turns out dead fails its call with `DependencyError`; both renew the pool.

    Args:
        settings: Where the database is, and the bounds in time.
        clock: This machine's, in seconds since 1970.

    Attributes:
        kept: Connections that are lent to those who do the same all the time.
    """

    def __init__(
        self, *, settings: DatabaseSettings, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._is_clock_off = False
        self._stack = AsyncExitStack()
        self._connector = Connector(settings)
        self._engine: AsyncEngine | None = None
        connections = settings.pool_size + settings.pool_overflow
        self._questions = asyncio.Semaphore(max(1, connections // _PART_OF_QUESTIONS))
        self.kept = KeptConnections(pool_size=connections)

    async def __aenter__(self) -> Self:
        """Set the pool up; no connection is made yet."""
        settings = self._settings
        engine = make_engine(
            self._connector,
            pool_size=settings.pool_size,
            max_overflow=settings.pool_overflow,
            pool_timeout=settings.pool_timeout_seconds,
            pool_recycle=settings.recycle_seconds,
            pool_use_lifo=True,
            pool_pre_ping=False,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
        )
        event.listen(engine.sync_engine, "checkout", _refuse_closed)
        self._stack.push_async_callback(engine.dispose)
        self._engine = engine
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection."""
        await self.kept.close()
        self._engine = None
        await self._stack.aclose()

    @property
    def address(self) -> str:
        """Where the database is, without credentials."""
        return self._settings.address

    @property
    def pool(self) -> PoolUse:
        """How much of the pool is in use."""
        pool = None if self._engine is None else self._engine.sync_engine.pool
        used = pool.checkedout() if isinstance(pool, QueuePool) else 0
        return PoolUse(used=used, limit=self._settings.pool_size + self._settings.pool_overflow)

    @asynccontextmanager
    async def statement(self, doing: str) -> AsyncIterator[AsyncConnection]:
        """Lend a connection for look-ups; each statement is committed at once.

        Args:
            doing: What this is, for the message of an error.

        Raises:
            DatabaseUnavailableError: The database cannot be used now.
            StatementRefusedError: A row of the statement can never be written.
        """
        async with self._lent(doing) as (connection, driver):
            try:
                with translated(doing, is_lost=driver.is_closed):
                    if is_pooled(driver):
                        await connection.exec_driver_sql(self._connector.bounding)
                        yield connection
                        await connection.commit()
                    else:
                        await connection.execution_options(isolation_level="AUTOCOMMIT")
                        yield connection
            except DatabaseUnavailableError:
                driver.terminate()  # it may be the connection that cannot be used
                await connection.invalidate()
                raise

    @asynccontextmanager
    async def question(self, doing: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """Lend a connection as `direct` does, for what backends ask of the past.

        They may ask as much as they like: more than a part of the pool they never have, so that
        what is sent and what arrives does not wait for it.

        Raises the same as `statement`, and `DependencyError` if it takes the database longer than a
        statement may: that is the question's fault, and no state that would pass.
        """
        try:
            async with self._questions, self.direct(doing) as connection:
                yield connection
        except DatabaseUnavailableError as error:
            if error.sqlstate != _CANCELLED:
                raise
            raise DependencyError(
                f"{doing}: it takes longer than DATABASE_STATEMENT_TIMEOUT_SECONDS",
                attempts=_ASKED,
            ) from error

    def direct(
        self, doing: str, *, again: bool = False
    ) -> "AbstractAsyncContextManager[asyncpg.Connection[Any]]":
        """Lend a connection of the pool as the driver has it; each statement is committed at once.

        For the hot path: SQLAlchemy's way of executing one statement takes ten times the CPU of the
        driver's. Whatever fails in the block closes the connection, which ends what was begun.
        Behind a pooler the block is a transaction.

        Args:
            doing: What this is, for the message of an error.
            again: Whether the same is done again and again: then the connection may stay with it
                for a moment.

        Raises the same as `statement`.
        """
        return Loan(self, doing, opening=self._opening_of_direct, again=again)

    def transaction(
        self, doing: str, *, lock_seconds: float | None = None
    ) -> "AbstractAsyncContextManager[asyncpg.Connection[Any]]":
        """Lend a connection as `direct` does, for one transaction that is committed at the end.

        Args:
            doing: What this is, for the message of an error.
            lock_seconds: How long it may wait for a lock, if that is less than usual.

        Raises:
            DatabaseUnavailableError: The database cannot be used now. If that came up during the
                commit, it is not known whether the block's statements count.
            StatementRefusedError: A row can never be written; nothing is.
        """
        bounds = ""
        if lock_seconds is not None:
            patience = min(lock_seconds, self._settings.lock_timeout_seconds)
            bounds = f"; SET LOCAL lock_timeout = {patience * 1000:.0f}"

        def opening(driver: object) -> str:
            return (self._connector.opening if is_pooled(driver) else "BEGIN") + bounds

        return Loan(self, doing, opening=opening)

    def _opening_of_direct(self, driver: object) -> str | None:
        return self._connector.opening if is_pooled(driver) else None

    async def borrow(self, doing: str) -> AsyncConnection:
        """Return a connection of the pool, for whoever closes it. Raises as `statement` does."""
        assert self._engine is not None, "the database is not open"
        with reaching(doing):
            return await self._engine.connect()

    @asynccontextmanager
    async def _lent(
        self, doing: str
    ) -> "AsyncIterator[tuple[AsyncConnection, asyncpg.Connection[Any]]]":
        """Lend a connection of the pool, and the driver's behind it."""
        assert self._engine is not None, "the database is not open"
        with self.doubting(), translated(doing):  # of its way back into the pool
            async with AsyncExitStack() as stack:
                with reaching(doing):
                    connection = await stack.enter_async_context(self._engine.connect())
                    driver = (await connection.get_raw_connection()).driver_connection
                assert driver is not None
                yield connection, driver

    @contextmanager
    def doubting(self) -> Iterator[None]:
        """Find out anew what is in the way to the database if it answers as nothing there would."""
        try:
            yield
        except DatabaseUnavailableError as error:
            if error.sqlstate in _ASTRAY:
                self._connector.forget()
            raise

    async def check(self) -> None:
        """See whether the database can be used.

        Raises:
            UnfitDatabaseError: It is not what the worker needs; every reason and remedy is named.
            DatabaseUnavailableError: It does not answer.
        """
        began = time.monotonic()
        async with self.direct("asking the database for an answer") as connection:
            (found,) = await connection.fetch(LOOK, *what_to_look_for())
            judge(found)  # here, for a connection that only reads is not kept
        if time.monotonic() - began < _MOST_SKEW_SECONDS / 2:  # else the answer is of before
            self._compare_clocks(found["clock"])

    def _compare_clocks(self, theirs: float) -> None:
        """Say if one of both clocks is wrong: deadlines and schedules count by this machine's."""
        ahead = self._clock() - theirs
        is_off = abs(ahead) > _MOST_SKEW_SECONDS
        if is_off is not self._is_clock_off:
            self._is_clock_off = is_off
            tell = log.warning if is_off else log.info
            tell("database.other_clock" if is_off else "database.same_clock", ahead=round(ahead, 1))

    async def answers(self) -> bool:
        """Tell within two seconds whether the database can be used. Never raises."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                await self.check()
        except (GatewayError, TimeoutError):
            return False
        return True


def _refuse_closed(connection: Any, _record: object, _proxy: object) -> None:
    if connection.driver_connection.is_closed():
        raise exc.InvalidatePoolError
