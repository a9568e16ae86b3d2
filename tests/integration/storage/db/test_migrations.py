"""The schema on a real PostgreSQL: built by migrations, once, by whoever comes first."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from gateway_worker.errors import DependencyError
from gateway_worker.storage.db import migrations
from gateway_worker.storage.db.migrate import (
    LOCK_KEY,
    MigrationFailedError,
    downgrade,
    pending_revisions,
    upgrade,
)
from gateway_worker.storage.db.schema import metadata
from tests.support.databases import execute
from tests.support.eventually import eventually
from tests.support.proxy import TcpProxy

VERSIONS = Path(migrations.__file__).parent / "versions"
REVISIONS = tuple(f"{place:04}" for place, _ in enumerate(VERSIONS.glob("[0-9]*.py"), start=1))
CATALOGUE = """
    SELECT table_name || '.' || column_name, data_type || ' ' || is_nullable || ' '
        || is_identity || ' ' || coalesce(column_default, '')
    FROM information_schema.columns WHERE table_schema = 'public'
    UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL SELECT relname, reloptions::text FROM pg_class WHERE reloptions IS NOT NULL
"""


@asynccontextmanager
async def connected(database_url: str) -> AsyncIterator[AsyncConnection]:
    """Connect as alembic does."""
    url = database_url.replace("postgresql://", "postgresql+asyncpg://")
    made = create_async_engine(url, poolclass=NullPool)
    async with made.connect() as connection:
        yield connection
    await made.dispose()


async def catalogue(database_url: str) -> dict[str, str]:
    """Return what PostgreSQL says of our columns, indexes and tables."""
    connection = await asyncpg.connect(database_url)
    found = await connection.fetch(CATALOGUE)
    await connection.close()
    return {name: what for name, what in found if not name.startswith("alembic_version")}


async def test_nothing_is_left_to_migrate(database_url: str) -> None:
    """Alembic's own comparison of the migrated tables with the schema finds no difference."""

    def differences(connection: Connection) -> list[object]:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        return list(compare_metadata(context, metadata))

    async with connected(database_url) as connection:
        assert await connection.run_sync(differences) == []


async def test_the_migrations_build_what_the_schema_says(
    database_url: str, blank_database_url: str
) -> None:
    """To the last clause of an index and the fill of a page, which alembic does not compare."""
    async with connected(blank_database_url) as connection:
        await connection.run_sync(metadata.create_all)
        await connection.commit()
    assert await catalogue(database_url) == await catalogue(blank_database_url)


@pytest.mark.parametrize("round_", range(5))
async def test_workers_that_start_at_once_migrate_once(
    blank_database_url: str, round_: int
) -> None:
    """Four of them on an empty database; one works, the others find it done."""
    await asyncio.gather(*(upgrade(blank_database_url) for _ in range(4)))
    assert await pending_revisions(blank_database_url) == ()


async def test_the_schema_goes_step_by_step_and_back(blank_database_url: str) -> None:
    """Each revision can be taken back and applied again; the last leaves no table behind."""
    assert await pending_revisions(blank_database_url) == REVISIONS
    await upgrade(blank_database_url)
    for left in range(len(REVISIONS) - 1, -1, -1):
        await downgrade(blank_database_url, REVISIONS[left - 1] if left else "base")
        assert await pending_revisions(blank_database_url) == REVISIONS[left:]
    connection = await asyncpg.connect(blank_database_url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert [name for (name,) in tables] == ["alembic_version"]

    await upgrade(blank_database_url)
    assert await pending_revisions(blank_database_url) == ()


async def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    """A worker of this release runs on the next one's schema, so that releases can roll."""
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    assert await pending_revisions(database_url) == ()
    await upgrade(database_url)
    connection = await asyncpg.connect(database_url)
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == "9999"
    await connection.close()


async def test_another_workers_migration_is_not_waited_for_for_ever(database_url: str) -> None:
    """The wait is bounded, and leaves nothing locked."""
    other = await asyncpg.connect(database_url)
    await other.execute("SELECT pg_advisory_lock($1)", LOCK_KEY)
    with pytest.raises(DependencyError, match="another worker has been migrating"):
        await upgrade(database_url, wait_seconds=0.3)

    waiting = asyncio.create_task(upgrade(database_url))
    await other.close()
    await waiting


async def test_a_failed_migration_is_rolled_back(blank_database_url: str) -> None:
    """A table of that name is in the way: nothing of the revision stays, and it can be repeated."""
    await execute(blank_database_url, "CREATE TABLE outbox (id int)")
    with pytest.raises(MigrationFailedError, match=r"SQLSTATE 42P07.*by hand"):
        await upgrade(blank_database_url)
    connection = await asyncpg.connect(blank_database_url)
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    await connection.close()
    assert {name for (name,) in tables} <= {"outbox", "alembic_version"}

    await execute(blank_database_url, "DROP TABLE outbox")
    await upgrade(blank_database_url)
    assert await pending_revisions(blank_database_url) == ()


async def test_a_database_that_is_away_is_told_from_one_that_refuses(
    blank_database_url: str,
) -> None:
    """And the message has no password."""
    async with TcpProxy.to(blank_database_url) as proxy:
        await proxy.refuse()
        for call in (upgrade, pending_revisions, partial(downgrade, revision="base")):
            with pytest.raises(DependencyError, match="cannot be reached") as caught:
                await call(proxy.url(blank_database_url))
            assert "://" not in str(caught.value)


async def test_a_worker_killed_while_it_migrates_frees_the_others(blank_database_url: str) -> None:
    """Its connection is cut: the server gives its lock to the next."""
    async with TcpProxy.to(blank_database_url) as proxy:
        blocker = await asyncpg.connect(blank_database_url)
        await blocker.execute("CREATE TABLE alembic_version (version_num varchar(32) NOT NULL)")
        await blocker.execute("BEGIN; LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        dying = asyncio.create_task(upgrade(proxy.url(blank_database_url)))
        held = """
            SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database
            WHERE locktype = 'advisory' AND granted AND datname = current_database()
        """
        await eventually(lambda: blocker.fetchval(held), reason="the lock is held")

        waiting = asyncio.create_task(upgrade(blank_database_url))
        await proxy.cut()
        with pytest.raises(DependencyError):
            await dying
        await blocker.execute("COMMIT")
        await waiting
        await blocker.close()
    assert await pending_revisions(blank_database_url) == ()
