"""Databases for tests: each gets its own, copied from one that was migrated once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.support.services import random_name


def renamed(database_url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))


async def execute(database_url: str, statement: str) -> None:
    """Run one statement outside a transaction, as CREATE DATABASE wants it."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def logins_refused(database_url: str) -> AsyncIterator[None]:
    """Have the server end all connections to a database and refuse new ones meanwhile (55000)."""
    name = urlsplit(database_url).path.strip("/")
    server = renamed(database_url, "postgres")
    await execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        await execute(
            server,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        yield
    finally:
        await execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@asynccontextmanager
async def fresh_database(server_url: str, *, template: str | None = None) -> AsyncIterator[str]:
    """Create a database, empty or a copy; yield its URL; drop it with all its sessions."""
    name = random_name()
    origin = "" if template is None else f" TEMPLATE {template}"
    await execute(server_url, f"CREATE DATABASE {name}{origin}")
    try:
        yield renamed(server_url, name)
    finally:
        await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def create_template(server_url: str) -> str:
    """Create and migrate a database for copying; return its name."""
    # Only tests with a database load it
    from gateway_worker.storage.db import migrate  # noqa: PLC0415

    name = random_name()
    await execute(server_url, f"CREATE DATABASE {name}")
    await migrate.upgrade(renamed(server_url, name))
    return name
