"""Connections that the pool lends for a block, and those that are kept in between."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, NamedTuple, NoReturn, Protocol

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway_worker.storage.db.failures import translated

KEPT_SECONDS: Final = 1.0
"""How long a connection may go from one block to the next without a way through the pool, which
costs more than a statement's own work here."""
_ENOUGH: Final = 8
"""A pool with fewer connections than this keeps none of them for anybody."""


class KeptConnection(NamedTuple):
    """A connection that waits for the next block of those who had it, and until when it may."""

    connection: AsyncConnection
    driver: "asyncpg.Connection[Any]"
    until: float

    @property
    def is_good(self) -> bool:
        """Whether it may be used once more."""
        return not self.driver.is_closed() and time.monotonic() < self.until

    async def give_back(self) -> None:
        """Give it back to the pool, or what is left of it."""
        if self.driver.is_closed():
            await self.connection.invalidate()
        await self.connection.close()


class KeptConnections:
    """One connection for each of the few who do the same all the time. They count as lent.

    Args:
        pool_size: How many connections the pool has.
    """

    def __init__(self, *, pool_size: int) -> None:
        self._may_keep = pool_size >= _ENOUGH
        self._kept: dict[str, KeptConnection] = {}

    def take(self, doing: str) -> KeptConnection | None:
        """Return the connection that has been kept for this, if there is one."""
        return self._kept.pop(doing, None)

    def keep(self, doing: str, kept: KeptConnection) -> bool:
        """Keep a connection for the next time; False if it has to go back to the pool.

        Who does nothing for a while finds that it is over, and gives it back then.
        """
        if not self._may_keep or doing in self._kept or not kept.is_good:
            return False
        self._kept[doing] = kept
        return True

    async def close(self) -> None:
        """Give all back, and keep none from now on."""
        self._may_keep = False
        for doing in tuple(self._kept):
            await self._kept.pop(doing).give_back()


class Lender(Protocol):
    """Whose connections they are."""

    @property
    def kept(self) -> KeptConnections:
        """Those that are kept."""
        ...

    async def borrow(self, doing: str) -> AsyncConnection:
        """Return a connection of the pool, for whoever closes it. Raises `DependencyError`."""
        ...

    def doubting(self) -> AbstractContextManager[None]:
        """Find out anew what is in the way to the database if it answers as nothing there would."""
        ...


class Loan:
    """The driver's connection for a block, by `async with`; see `Database.direct`.

    No generator, and no context managers inside: this is done several times for each message.
    """

    __slots__ = (
        "_again",
        "_connection",
        "_doing",
        "_driver",
        "_is_open",
        "_lender",
        "_opening",
        "_until",
    )

    def __init__(
        self,
        lender: Lender,
        doing: str,
        *,
        opening: Callable[[object], str | None],
        again: bool = False,
    ) -> None:
        self._lender = lender
        self._doing = doing
        self._opening = opening
        self._again = again
        self._until = 0.0
        self._driver: asyncpg.Connection[Any] | None = None
        self._is_open = False

    async def __aenter__(self) -> "asyncpg.Connection[Any]":
        """Lend it. Raises as `Database.direct` says."""
        driver = await self._take_kept() if self._again else None
        if driver is None:
            with self._lender.doubting():
                self._connection = await self._lender.borrow(self._doing)
            self._until = time.monotonic() + KEPT_SECONDS
        try:
            if driver is None:
                raw = await self._connection.get_raw_connection()
                driver = raw.driver_connection
            assert driver is not None
            self._driver = driver
            if opening := self._opening(driver):
                await driver.execute(opening)
                self._is_open = True
        except BaseException as error:  # noqa: BLE001 - it is raised again, as what it means
            await self._fail(error)
        return driver

    async def _take_kept(self) -> "asyncpg.Connection[Any] | None":
        """Return the connection of the last time, if there is one that may still be used."""
        kept = self._lender.kept.take(self._doing)
        if kept is None:
            return None
        if not kept.is_good:
            with self._lender.doubting(), translated(self._doing):
                await kept.give_back()
            return None
        self._connection, self._until = kept.connection, kept.until
        return kept.driver

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it back, after a COMMIT if it was opened with something."""
        if error is not None:
            await self._fail(error)
        try:
            assert self._driver is not None
            if self._is_open:
                await self._driver.execute("COMMIT")
            kept = KeptConnection(self._connection, self._driver, self._until)
            if not self._again or not self._lender.kept.keep(self._doing, kept):
                await self._connection.close()
        except BaseException as failure:  # noqa: BLE001 - likewise
            await self._fail(failure)

    async def _fail(self, error: BaseException) -> NoReturn:
        """Close the driver's connection, give it back, and raise what an error means."""
        is_lost = self._driver is not None and self._driver.is_closed()
        if self._driver is not None:
            self._driver.terminate()
        with self._lender.doubting(), translated(self._doing, is_lost=lambda: is_lost):
            await self._connection.close()
            raise error
