"""Single connections, as what stands in front takes them: PostgreSQL itself, or a pooler.

A pooler in transaction mode gives each transaction another connection to the server, so nothing may
be kept in one: no prepared statement, no setting, no lock of a session. Behind one everything is a
transaction, with its bounds set inside and its statements prepared without a name. That works in
session mode too, where it only costs more.

Which of the two it is shows at the first connection: a pooler does not know the parameters that
bound a session, or another process of the server answers than the one that it names.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway_worker.errors import DatabaseUnavailableError
from gateway_worker.storage.db.settings import DatabaseSettings

log = structlog.get_logger(__name__)

APPLICATION_NAME: Final = "gateway-worker"
_PROCESS: Final = "SELECT pg_backend_pid()"
_NOT_THIS_HOST: Final = (
    OSError,  # a timeout among them
    asyncpg.TargetServerAttributeNotMatched,
    asyncpg.CannotConnectNowError,
)
"""What another host of the URL may do better."""
_STATEMENT_MODE: Final = (
    "the connection ends where a transaction begins, as with a pooler in statement mode: set its"
    " pool_mode to transaction or session"
)


class PooledConnection(asyncpg.Connection):
    """A connection to a pooler."""

    __slots__ = ()

    async def prepare(self, query: str, *, name: Any = None, **options: Any) -> Any:
        """Prepare a statement without a name: one with a name would be at one server only."""
        del name
        return await super().prepare(query, name="", **options)


def is_pooled(connection: object) -> bool:
    """Whether a connection leads to a pooler."""
    return type(connection) is PooledConnection  # to `isinstance` each of asyncpg's is one


class Connector:
    """Opens connections, and knows by what they lead to the server.

    Args:
        settings: Where the database is, and the bounds in time.
        is_bounded: Whether statements have bounds in time; those of a migration have none.
    """

    def __init__(self, settings: DatabaseSettings, *, is_bounded: bool = True) -> None:
        self._settings = settings
        self._is_bounded = is_bounded
        self._is_pooled: bool | None = None
        self._hosts: Sequence[str] = settings.dsns

    @property
    def bounds(self) -> dict[str, str]:
        """What every statement runs under, as parameters of the server."""
        settings = self._settings
        seconds = {
            "statement_timeout": settings.statement_timeout_seconds,
            "lock_timeout": settings.lock_timeout_seconds,
            # A worker that froze between two statements must not keep rows locked for the others.
            "idle_in_transaction_session_timeout": 2 * settings.statement_timeout_seconds,
        }
        # Compiling takes longer than any of our statements runs.
        return {"jit": "off"} | {name: f"{each * 1000:.0f}" for name, each in seconds.items()}

    @property
    def opening(self) -> str:
        """What begins a transaction behind a pooler."""
        return "; ".join(["BEGIN", *(f"SET LOCAL {each} = {to}" for each, to in self._bounds())])

    @property
    def bounding(self) -> str:
        """The same in one statement, for a transaction that has begun."""
        settings = (f"set_config('{each}', '{to}', true)" for each, to in self._bounds())
        return f"SELECT {', '.join(settings)}"

    async def connect(self) -> "asyncpg.Connection[Any]":
        """Open a connection.

        Raises:
            DatabaseUnavailableError: A pooler in statement mode is in the way.
            Exception: Whatever the driver raises.
        """
        if self._is_pooled is None:
            self._is_pooled = await self._find_pooler()
            if self._is_pooled:
                log.info("database.behind_pooler", address=self._settings.address)
        return await (self._through_pooler() if self._is_pooled else self._directly())

    def forget(self) -> None:
        """Find out anew what is in the way: something has answered as nothing there should."""
        self._is_pooled = None

    def _bounds(self) -> list[tuple[str, str]]:
        return list(self.bounds.items()) if self._is_bounded else []

    async def _find_pooler(self) -> bool:
        try:
            connection = await self._directly(statement_cache_size=0)
        except asyncpg.ProtocolViolationError:  # it knows no such parameters
            connection = await self._through_pooler()
        try:
            # In one transaction, or a pooler has the statement prepared here and executed there.
            await self._begin(connection)
            is_other: bool = await connection.fetchval(_PROCESS) != connection.get_server_pid()
        finally:
            connection.terminate()
        return is_other

    @staticmethod
    async def _begin(connection: "asyncpg.Connection[Any]") -> None:
        try:
            await connection.execute("BEGIN")
        except asyncpg.PostgresConnectionError as error:
            raise DatabaseUnavailableError(_STATEMENT_MODE, sqlstate=error.sqlstate) from error

    async def _directly(self, **options: Any) -> "asyncpg.Connection[Any]":
        settings = {"application_name": APPLICATION_NAME, **dict(self._bounds())}
        return await self._open(server_settings=settings, **options)

    async def _through_pooler(self) -> "asyncpg.Connection[Any]":
        return await self._open(
            server_settings={"application_name": APPLICATION_NAME},
            statement_cache_size=0,
            connection_class=PooledConnection,
        )

    async def _open(self, **options: Any) -> "asyncpg.Connection[Any]":
        """Ask the hosts in turn, beginning with the one that has answered last.

        The driver would ask them all within the time for one: a host that is silent, as one that
        has lost its power is, would be the end of it.
        """
        hosts = self._hosts
        for place in range(len(hosts) - 1):
            with suppress(*_NOT_THIS_HOST):
                return await self._open_at(hosts, place, **options)
        return await self._open_at(hosts, len(hosts) - 1, **options)

    async def _open_at(
        self, hosts: Sequence[str], place: int, **options: Any
    ) -> "asyncpg.Connection[Any]":
        settings = self._settings
        connection: asyncpg.Connection[Any] = await asyncpg.connect(
            hosts[place],
            timeout=settings.connect_timeout_seconds,
            command_timeout=settings.answer_timeout_seconds if self._is_bounded else None,
            **options,
        )
        self._hosts = (*hosts[place:], *hosts[:place])
        return connection


def make_engine(connector: Connector, **options: Any) -> AsyncEngine:
    """Return SQLAlchemy's engine over a connector; `options` are those of `create_async_engine`."""
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=connector.connect, hide_parameters=True, **options
    )
    event.listen(engine.sync_engine, "connect", _keep_nothing)
    return engine


def _keep_nothing(connection: Any, _record: object) -> None:
    """Have SQLAlchemy keep no statements of a connection that keeps none."""
    if is_pooled(connection.driver_connection):
        connection._prepared_statement_cache = None  # noqa: SLF001 - it has no other switch
