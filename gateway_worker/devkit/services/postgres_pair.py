"""Two private PostgreSQL servers, a primary and a standby that can be promoted.

The primary confirms a commit once the standby has it, so a promotion loses nothing. While there is
no standby it confirms alone: with one standby nothing else would go on at all.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from gateway_worker.devkit.services.errors import ServiceControlError
from gateway_worker.devkit.services.postgres import LocalPostgres
from gateway_worker.devkit.services.values import Source
from gateway_worker.devkit.services.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_BESIDE: Final = "postgres"
"""A database that every server has."""
_STREAMS: Final = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
_TOGETHER: Final = (
    "ALTER SYSTEM SET synchronous_standby_names = '*'",
    "SELECT pg_reload_conf()",
)
_ALONE: Final = (
    "ALTER SYSTEM RESET synchronous_standby_names",
    "SELECT pg_reload_conf()",
)
_STREAMING_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1


class PostgresPair:
    """A database on two servers; its URL names both, and wants the one that writes."""

    name = "postgres"
    source = Source.LOCAL

    def __init__(self, *, workspace: Workspace) -> None:
        self._servers = tuple(
            LocalPostgres(workspace=workspace, name=f"postgres-{number}", waits_for_standby=True)
            for number in (1, 2)
        )
        self.primary, self.standby = self._servers
        self._is_made = False

    @property
    def url(self) -> str:
        """URL with user and password of the database that the worker uses."""
        parts = urlsplit(self.primary.url)
        login = parts.netloc.rpartition("@")[0]
        hosts = ",".join(server.address for server in self._servers)
        return urlunsplit(
            parts._replace(netloc=f"{login}@{hosts}", query="target_session_attrs=read-write")
        )

    async def start(self) -> None:
        """Start what does not run; the first time the standby is made."""
        await self.primary.start()
        if not self._is_made:
            await self.attach()
            self._is_made = True
        await self.standby.start()

    async def attach(self) -> None:
        """Make the standby anew, and have the primary wait for it from then on.

        Raises:
            ServiceControlError: It does not follow.
        """
        await self.standby.follow(self.primary)
        await self._until_streaming()
        await self._tell(self.primary, _TOGETHER)

    async def promote(self) -> None:
        """Make the standby the primary; the former one has to be dead, and is the standby then.

        It is not started: `attach` makes it anew.
        """
        await self._tell(self.standby, (*_ALONE, "SELECT pg_promote(true)"))
        self.primary, self.standby = self.standby, self.primary

    async def leave_alone(self) -> None:
        """Have the primary wait for no standby any more; those who wait now go on."""
        await self._tell(self.primary, _ALONE)

    async def stop(self) -> None:
        """Stop both, the standby first."""
        await self.standby.stop()
        await self.primary.stop()

    async def discard(self) -> None:
        """Stop."""
        await self.stop()

    async def kill(self) -> None:
        """Kill both."""
        await asyncio.gather(*(server.kill() for server in self._servers))

    async def pause(self) -> None:
        """Freeze both."""
        for server in self._servers:
            await server.pause()

    async def resume(self) -> None:
        """Let them run again."""
        for server in self._servers:
            await server.resume()

    async def _until_streaming(self) -> None:
        deadline = time.monotonic() + _STREAMING_SECONDS
        async with self._connected(self.primary) as connection:
            while not await connection.fetchval(_STREAMS):
                if time.monotonic() > deadline:
                    raise ServiceControlError("postgres: the standby does not follow the primary")
                await asyncio.sleep(_LOOK_SECONDS)

    async def _tell(self, server: LocalPostgres, statements: Sequence[str]) -> None:
        async with self._connected(server) as connection:
            for statement in statements:
                await connection.execute(statement)

    @staticmethod
    @asynccontextmanager
    async def _connected(server: LocalPostgres) -> "AsyncIterator[asyncpg.Connection[Any]]":
        url = urlunsplit(urlsplit(server.url)._replace(path=f"/{_BESIDE}"))
        connection: asyncpg.Connection[Any] = await asyncpg.connect(url)
        try:
            yield connection
        finally:
            await connection.close()
